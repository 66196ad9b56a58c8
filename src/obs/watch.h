// SPDX-License-Identifier: MIT
/* watch.h – the one observer of a loop, and what it knows of each task.
 *
 * Holds      struct watch, per observed loop; struct watch_task, per task, behind coro.observed.
 * Invariant  a record lives as long as its task, or until the watch ends. Without memory for one the
 *            task is passed over, never an error.
 * Called by  the loop, through observer_ops. Calls debug.c and trace.c, each only where it is on.
 * Why        debug mode and trace want the same facts: one place keeps them.
 */
#ifndef OBS_WATCH_H
#define OBS_WATCH_H

#include "rt/observe.h"
#include "task/task.h"

struct debug;
struct trace;

struct watch_task {
    struct list all; // in watch.tasks
    struct jg_task_record *task;
    uint32_t id;      // 1 and up, in the order of spawning; 0 is the loop itself
    uint32_t spawner; // id
    int64_t since_ns; // when its present state began: running, ready or waiting
    // Whether it waits for others who cannot end that; see cycle.c.
    bool stuck;
    int walk;
    bool told; // it was named with a ring, and has not run since
};

struct watch {
    struct observer observer; // first
    struct task_loop *loop;
    struct list tasks;
    struct watch_task *running; // NULL: the loop itself
    uint32_t last_id;
    uint32_t step; // resumes so far
    struct debug *debug;
    struct trace *trace;
};

/* Who did something, as text that outlives the task. */
struct origin {
    char task[48];
    char spawned[64]; // where; "" for a loop's own calls
};

void origin_write(const struct coro *coro, struct origin *out_origin);

/* The watch of a loop; NULL when nobody looks on. */
static inline struct watch *watch_of(const struct loop *loop) {
    return (struct watch *)(void *)loop->sched.observer;
}

/* Makes sure that the loop has a watch; its tasks so far get their records. Returns NULL without
 * memory. */
struct watch *watch_begin(struct loop *loop);

/* Takes the watch away if neither debug nor trace need it. */
void watch_end_if_idle(struct watch *watch);

/* What is known of a coroutine, NULL if nothing. */
static inline struct watch_task *watch_record(const struct coro *coro) {
    return coro->observed;
}

static inline int64_t watch_now_ns(const struct watch *watch) {
    struct backend *backend = watch->loop->loop.backend;
    return backend->ops->now_ns(backend);
}

#endif
