// SPDX-License-Identifier: MIT
/* juggle/local.h – values that belong to a task and come down to its children: asyncio's contextvars.
 *
 * Holds      jg_local, the name of one such value, usually static: `static jg_local user = {.name =
 *            "user", .drop = free};`.
 * Invariant  a task that is spawned sees what its spawner saw at that moment; so does the first task of a
 *            loop, and what is handed to a thread of an executor (jg_to_thread, jg_executor_submit, jg_map,
 *            jg_run_many). What either sets later is its own: writes leak neither back nor down.
 * Why        a request's id or user has to be known deep down, without a parameter all the way. A spawn
 *            copies one pointer, however many values there are; a set copies the list if others share it.
 *
 * Initial values are seen where none are handed on: in calls of a loop (jg_call, jg_post, a future's
 * callback), and in workers, threads or processes (jg_worker_start, jg_process_pool_run, JG_MAP_PROCESSES).
 */
#ifndef JUGGLE_LOCAL_H
#define JUGGLE_LOCAL_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* One task-local variable; it is known by its address, and must outlive every task that sees a value. */
typedef struct jg_local {
    const char *name; /* for people */
    void *initial;    /* what jg_local_get returns where nothing was set; never dropped */
    jg_drop_fn *drop; /* called with a value that no task sees any longer; NULL: none */
} jg_local;

/* Returns the variable's value in the current task. Borrowed: valid until the task sets it again, or
 * ends. Without a loop, the thread's own. */
JG_API void *jg_local_get(const jg_local *local);

/* Gives the variable a value in the current task, for it and the tasks it spawns from now on.
 *
 * Returns  0; -ENOMEM: then it has the value it had.
 * Owns     takes `value`, unless it fails; `drop` is called when the last task that sees it has ended or
 *          set another, on the thread where that comes to pass.
 * Threads  what it points to is shared by all who see the value, those on other threads among them. */
JG_API int jg_local_set(const jg_local *local, void *value);

/* Takes the value away from the current task: it sees the initial one. Returns 0 or -ENOMEM. */
JG_API int jg_local_unset(const jg_local *local);

JG_END_DECLS

#endif
