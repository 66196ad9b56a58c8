// SPDX-License-Identifier: MIT
/* juggle/task.h – tasks: functions that wait without holding up the others.
 *
 * Holds      a task's record sits at the top of its own stack; nothing is allocated to start one.
 * Invariant  a task runs on one thread, that of the loop it was spawned in, for all its life.
 * Why        cancelling is level-triggered: C callers ignore return codes, so while a cancel stands
 *            every suspend fails with −ECANCELED, not only the first.
 * Threads    tasks of one loop only: to join, detach, cancel or uncancel a task from another thread is a
 *            named abort. jg_post reaches its loop.
 */
#ifndef JUGGLE_TASK_H
#define JUGGLE_TASK_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* A task, by the handle that jg_spawn gave out: ended with one jg_join or jg_detach. Two handles are equal if
 * they are of the same task; what they point to, if anything, is nobody's business. NULL, of a spawn that was
 * refused, stands for a task that has ended. */
typedef struct jg_task jg_task;

/* Tasks that end together, see <juggle/group.h>; a word that is not there yet, see <juggle/future.h>. */
typedef struct jg_group jg_group;
typedef struct jg_future jg_future;

/* What jg_spawn_with may be told. All zero is the default. */
typedef struct jg_spawn_options {
    const char *name;     /* shown in reports; NULL: the function's name. Kept: must outlive it */
    jg_group *group;      /* the group that waits for it; NULL: the loop's own */
    size_t stack_size;    /* bytes; 0: the loop's default. Rounded up to a power of two */
    bool eager;           /* start it at once, inside the spawn, until it first suspends */
    bool edge;            /* asyncio's rule: each cancel is delivered once, not while it stands */
    jg_drop_fn *drop_arg; /* called with `arg` if the function never gets to run */
    jg_drop_fn *drop_result; /* called with the word if it is dropped: cancelled, or nobody joins */
} jg_spawn_options;

/* Starts a task that will run `fn(arg)`, on the loop's next round. It begins with the floating-point
 * modes (rounding and the like) that the loop was started with; errno and modes are its own from then on.
 *
 * Returns  a handle the caller ends with exactly one jg_join or jg_detach; NULL when it could not
 *          be started (-ENOMEM, also at the mapping limit, see jg_error_detail; -ENXIO without a loop;
 *          -ECHILD in a forked child): jg_join(NULL) then returns that code.
 * Owns     keeps `arg` until the task ends: often it may lie on the parent's stack. */
#define jg_spawn(fn, arg) jg_spawn_at((fn), (arg), NULL, #fn "\0" JG_HERE)

/* The same, with options (NULL: none). A refused spawn calls `drop_arg`. Also refused are a stack of
 * more than 1 GiB (-EINVAL), and a task in a group that is aborting or closed (-ECANCELED). */
#define jg_spawn_with(fn, arg, options) jg_spawn_at((fn), (arg), (options), #fn "\0" JG_HERE)
JG_API jg_task *jg_spawn_at(jg_fn *fn, void *arg, const jg_spawn_options *options,
                            const char *site);

/* Waits until the task has ended and hands over its word. Always waits: if the caller is cancelled
 * meanwhile, the task is cancelled too, and its answer to that is the result (completion wins: the
 * caller's own cancel stays pending for its next suspend).
 *
 * Rings are refused: a wait that no cancel ends (jg_join, jg_wait_for, jg_gather that collects errors or
 * has been cancelled) for a task that cannot end before the caller has, as it waits in the same way for him,
 * or for one who does; as he is of a group of its, which has to end first; or as it starts him in a group,
 * and he is not ready yet. Who would close the ring is told. Rings through any other wait are not looked
 * for, as a cancel, a limit or another task may yet end them; debug mode names those which only a cancel
 * could end.
 *
 * Returns  the task's word; -ECANCELED if it was cancelled (jg_cancelling(jg_self()) tells whether
 *          that came through the caller); the spawn's error for NULL. -EDEADLK for oneself, in a ring,
 *          and where the task must not suspend; -ECHILD in a forked child.
 * Owns     takes the handle; but with -EDEADLK and -ECHILD of its own, which the task did not return, it
 *          stays the caller's. A handle that is gone is told from that of another task in the same memory,
 *          unless just 32,768 tasks, or a multiple of that, were spawned between: to join or detach it
 *          again, or to use it in any other call, is a named abort. */
JG_API JG_SUSPENDS intptr_t jg_join(jg_task *task);

/* Returns the task's completion, for every call that waits for futures: it settles when the task has
 * ended, with the task's word, which stays the task's (drop_result is called unless it is joined).
 * Any number of tasks may wait for it. Borrowed; valid while the handle is held, or the task runs.
 *
 * For NULL, a future that has failed with the spawn's error. */
JG_API jg_future *jg_task_future(jg_task *task);

/* Gives up the handle, which is gone after the call: the task goes on alone. If it fails, the failure is
 * reported once. */
JG_API void jg_detach(jg_task *task);

/* Asks the task to stop: raises its cancelling count; its current suspend and every later one fails
 * with -ECANCELED until jg_uncancel. A task that has not begun never runs. One that joins another passes
 * the cancel on.
 *
 * One that goes on all the same is named, once for each cancel, when 1,000 of its suspends have been refused
 * in a row, and as many more as there have been tasks at once: on stderr, or by debug mode (JG_DEBUG_SPIN).
 * From then on each refusal takes a millisecond, in which others run. The row ends when the cancel does; with
 * a wait that is let through, in a shield if somebody else ran meanwhile; and where a cancel was passed on
 * and the answer was another. Who tidies up more things than that, each by a suspend that is refused, is
 * named as well: what waits belongs in a JG_SHIELD. Not by the edge rule, nor without a loop.
 *
 * Returns  true; false when it has already ended. */
JG_API bool jg_cancel(jg_task *task);

/* Takes one cancel back. Returns the number of requests that remain; never below 0. */
JG_API int jg_uncancel(jg_task *task);

/* Counts what asks the task to stop where it now stands: its own cancel requests, and every
 * cancelled scope around it up to a shield. */
JG_API int jg_cancelling(const jg_task *task);

/* Whether the task has ended; whether it ended as cancelled. */
JG_API bool jg_done(const jg_task *task);
JG_API bool jg_cancelled(const jg_task *task);

/* Returns the running task; without a loop, a stand-in for this thread. Never NULL. Borrowed. */
JG_API jg_task *jg_self(void);

/* Returns the task's name, "refused" for NULL. Valid as long as the task. */
JG_API const char *jg_task_name(const jg_task *task);

/* Gives the task another name. Keeps `name`: it must outlive the task. */
JG_API void jg_task_rename(jg_task *task, const char *name);

/* Lists the tasks of this thread's loop that have not ended, in the order of spawning, the calling one
 * among them: at most `room` of them go to `out_tasks`, which may be NULL for 0. Borrowed until the
 * caller suspends: by then one may have ended.
 *
 * Returns  how many there are; 0 without a loop. */
JG_API size_t jg_all_tasks(jg_task **out_tasks, size_t room);

/* Lets every other ready task run once; without a loop returns at once. Returns 0 or -ECANCELED. */
JG_API JG_SUSPENDS int jg_yield(void);

/* Sleeps `duration_ms` milliseconds; 0 or less yields. Returns 0; -ECANCELED; -ENOMEM at once when there is
 * none for a timer. */
JG_API JG_SUSPENDS int jg_sleep(int64_t duration_ms);

/* Sleeps until jg_now() reaches `when_ns`; JG_NEVER: until cancelled. Returns as jg_sleep. */
JG_API JG_SUSPENDS int jg_sleep_until(int64_t when_ns);

JG_END_DECLS

#endif
