// SPDX-License-Identifier: MIT
/* run.c – jg_run: a loop from the first task's start to the last one's end.
 *
 * Holds      the loop, in jg_run's own frame.
 * Invariant  when jg_run returns, no task of its loop is alive and nothing of it is left.
 * Called by  user code.
 * Why        options come from the caller, then from the environment, so that a test can run the same
 *            program on another backend.
 */
#include "base/mem.h"
#include "rt/fault.h"
#include "rt/observe.h"
#include "sync/lock.h"
#include "task/task.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACK_DEFAULT = 64 * 1024 * SANITIZE_STACK_FACTOR };

/* Nothing can ever happen again. Only the simulated world can know that. */
void task_report_stuck(struct loop *loop) {
    const struct task_loop *tasks = (const struct task_loop *)(const void *)loop;
    for (const struct list *node = tasks->tasks.next; node != &tasks->tasks; node = node->next) {
        const struct jg_task_record *task = container_of(node, struct jg_task_record, siblings);
        fprintf(stderr, "juggle: task %s (spawned at %s) waits for: %s\n", task->coro.name,
                task_place(task->site),
                task->coro.parked != NULL ? wait_name(task->coro.parked) : "its turn");
    }
    observe(&loop->sched, stuck);
    check_misuse("deadlock: every task waits, and nothing is left that could wake one");
}

static int read_backend(const jg_run_options *options, bool *out_sim) {
    const char *name = options->backend != NULL ? options->backend : getenv("JUGGLE_BACKEND");
    if (name == NULL || strcmp(name, "") == 0 || strcmp(name, "epoll") == 0) {
        *out_sim = false;
        return 0;
    }
    *out_sim = true;
    return strcmp(name, "sim") == 0 ? 0 : (int)jg_fail(-EINVAL, "no backend is named %s", name);
}

int task_seed(uint64_t wished, uint64_t *out_seed) {
    const char *text = getenv("JUGGLE_SEED");
    char *end = NULL;
    if (wished != 0 || text == NULL || text[0] == '\0') {
        *out_seed = wished != 0 ? wished : 1;
        return 0;
    }
    if (!isdigit((unsigned char)text[0])) {
        // also a sign, which strtoull would take
        return (int)jg_fail(-EINVAL, "the seed %s is no number", text);
    }
    errno = 0;
    uint64_t seed = strtoull(text, &end, 0);
    if (*end != '\0' || errno != 0) {
        return (int)jg_fail(-EINVAL, "the seed %s is no number", text);
    }
    *out_seed = seed;
    return 0;
}

int task_stack_size(size_t wished, size_t *out_size) {
    *out_size = stack_round(wished != 0 ? wished : STACK_DEFAULT);
    return *out_size != 0 ? 0 : (int)jg_fail(-EINVAL, "no stack has %zu bytes", wished);
}

int task_loop_options(const jg_run_options *options, struct loop_options *out) {
    *out = (struct loop_options){.debug = options->debug, .on_stuck = task_report_stuck};
    int rc = task_stack_size(options->stack_size, &out->stack_size);
    rc = rc < 0 ? rc : read_backend(options, &out->sim);
    return rc == 0 && out->sim ? task_seed(options->seed, &out->seed) : rc;
}

static intptr_t run_main(struct task_loop *loop, jg_fn *fn, void *arg, const char *site,
                         struct error_record **out_error) {
    jg_task *handle = task_start(fn, arg, NULL, site, true);
    if (handle == NULL) {
        return task_started(handle);
    }
    struct jg_task_record *main_task = handle_record(handle);
    loop->main = main_task;
    loop_run(&loop->loop, &loop->done);
    intptr_t result = main_task->future.result;
    *out_error = jg_failed(result) ? error_take_for(main_task, result) : NULL;
    task_free(main_task);
    return result;
}

int task_loop_open(struct task_loop *loop, const struct loop_options *options, bool watch_faults) {
    *loop = (struct task_loop){.watches = watch_faults};
    struct locals *locals = task_current()->locals;
    int rc = loop_open(&loop->loop, options);
    if (rc < 0) {
        return rc;
    }
    task_current()->locals = locals_ref(locals); // its first task has them from here
    loop->generations = task_first_generation(loop);
    list_init(&loop->tasks);
    list_init(&loop->ended);
    rc = OBSERVABLE ? observe_open(&loop->loop, options->debug) : 0;
    if (rc < 0) {
        loop_close(&loop->loop);
        locals_end((struct jg_task_record *)(void *)&loop->loop.self);
        return rc;
    }
    if (watch_faults) {
        fault_watch();
    }
    return 0;
}

void task_loop_close(struct task_loop *loop) {
    if (loop->loop.at_close != NULL) {
        loop->loop.at_close(&loop->loop);
    }
    struct jg_task_record *self = task_current();
    loop->loop.turning = true; // a drop function or a report can neither turn nor close it
    observe(&loop->loop.sched, closes);
    task_settle_ended(loop);
    loop_close(&loop->loop);
    lock_owner_ends(&self->coro); // of what its calls left held
    locals_end(self);
    error_free(error_take(self)); // of what failed outside of tasks
    if (loop->watches) {
        fault_unwatch();
    }
}

intptr_t task_run(jg_fn *fn, void *arg, const struct loop_options *options, bool watch,
                  const char *site) {
    struct task_loop loop;
    int rc = task_loop_open(&loop, options, watch);
    if (rc < 0) {
        return error_bare(rc);
    }
    struct error_record *error = NULL;
    intptr_t result = run_main(&loop, fn, arg, site, &error);
    task_loop_close(&loop);
    error_keep(task_current(), error);
    return result;
}

intptr_t jg_run_at(jg_fn *fn, void *arg, const jg_run_options *options, const char *site) {
    static const jg_run_options no_options;
    struct loop_options loop_options;
    options = options != NULL ? options : &no_options;
    int rc = task_loop_options(options, &loop_options);
    return rc < 0 ? rc : task_run(fn, arg, &loop_options, !options->no_fault_report, site);
}

bool jg_running(void) {
    return sched_current()->loop != NULL;
}

const char *jg_backend(void) {
    return backend_current()->ops->name;
}

int jg_loop_stats_get(jg_loop_stats *out_stats) {
    const struct loop *loop = sched_current()->loop;
    if (loop == NULL) {
        return (int)error_bare(-ENXIO);
    }
    const struct task_loop *tasks = (const struct task_loop *)(const void *)loop;
    *out_stats = (jg_loop_stats){.turns = loop->turns,
                                 .kernel_waits = loop->backend->kernel_waits,
                                 .spawned = tasks->generations - task_first_generation(tasks),
                                 .live = tasks->live,
                                 .stacks = loop->stacks.mapped_count,
                                 .stack_mappings = loop->stacks.region_count};
    return 0;
}

const char *jg_version(void) {
    return JG_VERSION;
}
