// SPDX-License-Identifier: MIT
/* watch.c – see watch.h.
 *
 * Holds      nothing beyond struct watch.
 * Invariant  see watch.h.
 * Called by  the loop (observer_ops, observe_open).
 * Why        see watch.h.
 */
#include "obs/watch.h"

#include "base/mem.h"
#include "obs/backtrace.h"
#include "obs/debug.h"
#include "obs/opened.h"
#include "obs/trace.h"

#include <pthread.h>
#include <stdio.h>

void origin_write(const struct coro *coro, struct origin *out_origin) {
    const struct jg_task_record *task = (const struct jg_task_record *)(const void *)coro;
    snprintf(out_origin->task, sizeof(out_origin->task), "%s", coro->name);
    snprintf(out_origin->spawned, sizeof(out_origin->spawned), "%s",
             coro->stack.base != NULL ? task_place(task->site) : "");
}

static struct watch *of(struct observer *observer) {
    return (struct watch *)(void *)observer;
}

static uint32_t id_of(const struct coro *coro) {
    const struct watch_task *record = watch_record(coro);
    return record != NULL ? record->id : 0;
}

static struct watch_task *add(struct watch *watch, struct coro *coro, uint32_t spawner) {
    struct watch_task *record = mem_alloc(sizeof(*record));
    watch->last_id++;
    if (record == NULL) {
        return NULL;
    }
    *record = (struct watch_task){.task = (struct jg_task_record *)(void *)coro,
                                  .id = watch->last_id,
                                  .spawner = spawner,
                                  .since_ns = watch_now_ns(watch)};
    list_append(&watch->tasks, &record->all);
    coro->observed = record;
    return record;
}

static void drop(struct watch_task *record) {
    record->task->coro.observed = NULL;
    list_remove(&record->all);
    mem_free(record);
}

static void on_spawned(struct observer *observer, struct coro *coro) {
    struct watch *watch = of(observer);
    struct watch_task *record = add(watch, coro, id_of(sched_current()));
    if (record != NULL && watch->trace != NULL) {
        trace_spawned(watch, record);
    }
}

static void on_resumes(struct observer *observer, struct coro *coro) {
    struct watch *watch = of(observer);
    struct watch_task *record = watch_record(coro);
    watch->running = record;
    watch->step++;
    if (record != NULL) {
        record->since_ns = watch_now_ns(watch);
        record->told = false;
    }
    if (watch->debug != NULL) {
        debug_runs(watch->debug, coro);
    }
    if (record != NULL && watch->trace != NULL) {
        trace_resumes(watch, record);
    }
}

static void on_stops(struct observer *observer) {
    struct watch *watch = of(observer);
    struct watch_task *record = watch->running;
    watch->running = NULL;
    if (record != NULL) {
        record->since_ns = watch_now_ns(watch);
        if (watch->trace != NULL) {
            trace_stops(watch, record);
        }
    }
    if (watch->debug != NULL) {
        debug_runs(watch->debug, &watch->loop->loop.self.coro);
    }
}

static void on_woken(struct observer *observer, const struct wait *wait) {
    struct watch *watch = of(observer);
    struct watch_task *record = watch_record(wait->coro);
    if (record == NULL) {
        return;
    }
    record->since_ns = watch_now_ns(watch);
    if (watch->trace != NULL) {
        trace_woken(watch, record, wait, id_of(sched_current()));
    }
}

static void on_ended(struct observer *observer, struct coro *coro) {
    struct watch *watch = of(observer);
    struct watch_task *record = watch_record(coro);
    if (watch->debug != NULL) {
        debug_runs(watch->debug, &watch->loop->loop.self.coro);
    }
    if (record == NULL) {
        return;
    }
    if (watch->trace != NULL) {
        trace_ended(watch, record);
    }
    watch->running = NULL;
    drop(record);
}

static void on_owed(struct observer *observer, const struct jg_future *future,
                    const struct coro *coro, const struct jg_done_callback *callback) {
    struct watch *watch = of(observer);
    if (watch->debug != NULL) {
        futures_owed(&watch->debug->futures, future, coro, callback);
    }
}

static void on_unowed(struct observer *observer, const struct jg_future *future,
                      const struct jg_done_callback *callback) {
    struct watch *watch = of(observer);
    if (watch->debug != NULL) {
        futures_unowed(&watch->debug->futures, future, callback);
    }
}

static void on_failed(struct observer *observer, const struct jg_future *future,
                      struct error_record *error) {
    struct watch *watch = of(observer);
    if (watch->debug != NULL) {
        futures_failed(&watch->debug->futures, future, error);
    }
}

static void on_sleeps(struct observer *observer, bool quiet) {
    struct watch *watch = of(observer);
    if (watch->debug != NULL) {
        debug_sleeps(watch, quiet);
    }
}

static void on_awake(struct observer *observer) {
    struct watch *watch = of(observer);
    if (watch->debug != NULL) {
        debug_runs(watch->debug, &watch->loop->loop.self.coro);
    }
}

static void on_spins(struct observer *observer, const struct coro *coro, int refusals) {
    struct watch *watch = of(observer);
    if (watch->debug != NULL) {
        debug_spins(coro, refusals);
    } else {
        sched_report_spin(coro, refusals);
    }
}

static void on_stuck(struct observer *observer) {
    struct watch *watch = of(observer);
    if (watch->debug != NULL) {
        debug_deadlock(watch);
    }
    if (watch->trace != NULL) {
        trace_write_now(watch);
    }
}

static void on_closing(struct observer *observer) {
    struct watch *watch = of(observer);
    if (watch->debug != NULL) {
        debug_closing(watch);
    }
}

static void on_opened(struct observer *observer, const void *thing, const char *what, int number,
                      const char *how) {
    const struct watch *watch = of(observer);
    if (watch->debug != NULL) {
        opened_add(watch, thing, what, number, how);
    }
}

static void on_left_open(struct observer *observer, const char *what) {
    if (of(observer)->debug != NULL) {
        debug_left_open(what);
    }
}

static void on_closes(struct observer *observer) {
    struct watch *watch = of(observer);
    if (watch->trace != NULL) {
        trace_loop_closes(watch);
    }
    if (watch->debug != NULL) {
        debug_loop_closes(watch);
    }
    watch_end_if_idle(watch);
}

static const struct observer_ops watch_ops = {
    .spawned = on_spawned,
    .resumes = on_resumes,
    .stops = on_stops,
    .woken = on_woken,
    .ended = on_ended,
    .owed = on_owed,
    .unowed = on_unowed,
    .failed = on_failed,
    .sleeps = on_sleeps,
    .awake = on_awake,
    .spins = on_spins,
    .stuck = on_stuck,
    .closing = on_closing,
    .opened = on_opened,
    .left_open = on_left_open,
    .closes = on_closes,
};

struct watch *watch_begin(struct loop *loop) {
    if (loop->sched.observer != NULL) {
        return watch_of(loop);
    }
    struct watch *watch = mem_alloc_zero(sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    watch->observer.ops = &watch_ops;
    watch->loop = (struct task_loop *)(void *)loop;
    list_init(&watch->tasks);
    for (struct list *node = watch->loop->tasks.next; node != &watch->loop->tasks;
         node = node->next) {
        add(watch, &container_of(node, struct jg_task_record, siblings)->coro, 0);
    }
    watch->running = watch_record(sched_current());
    observe_attach(loop, &watch->observer);
    return watch;
}

void watch_end_if_idle(struct watch *watch) {
    if (watch->debug != NULL || watch->trace != NULL) {
        return;
    }
    while (!list_empty(&watch->tasks)) {
        drop(container_of(watch->tasks.next, struct watch_task, all));
    }
    observe_detach(&watch->loop->loop);
    mem_free(watch);
}

// Forks.

static void before_fork(void) {
    trace_fork_begins();
    debug_fork_begins();
    opened_fork_begins();
    backtrace_fork_begins();
}

static void after_fork_in_parent(void) {
    backtrace_fork_is_over();
    opened_fork_is_over();
    debug_fork_is_over();
    trace_fork_is_over();
}

static void after_fork_in_child(void) {
    backtrace_forked();
    debug_forked();
    after_fork_in_parent();
}

/* As early as the library: a fork that has begun runs no handler that comes later. */
__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

int observe_open(struct loop *loop, bool debug) {
    int rc = debug || debug_wanted() ? debug_begin(loop) : 0;
    if (rc == 0) {
        trace_loop_opens(loop);
    }
    return rc;
}
