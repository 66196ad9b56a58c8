// SPDX-License-Identifier: MIT
/* trace.c – taking a trace.
 *
 * Holds      the one trace of the process: its file, and which jg_trace_start it came from.
 * Invariant  `generation` is odd while a trace is on. A loop's events are its own until it closes.
 * Called by  see trace.h; user code.
 * Why        see trace.h.
 */
#include "obs/trace.h"

#include "base/clock.h"
#include "base/mem.h"

#include <juggle/trace.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EVENTS_DEFAULT = 1000000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // of all below
static uint64_t generation;
static pid_t owner; // the process that began it
static char file[PATH_MAX];
static size_t events_most;
static uint32_t loops; // that were written
static int failure;    // the first error of writing
static int64_t started_ns;
static bool environment_read;

static bool is_on(void) {
    return generation % 2 == 1 && owner == getpid();
}

// Events.

static struct trace_event *add(struct watch *watch, enum trace_what what,
                               const struct watch_task *record) {
    struct trace *trace = watch->trace;
    struct trace_block *block = trace->last;
    if (trace->event_count == trace->events_most) {
        trace->dropped++;
        return NULL;
    }
    if (block == NULL || block->count == TRACE_BLOCK) {
        block = mem_alloc(sizeof(*block));
        if (block == NULL) {
            trace->events_most = trace->event_count;
            trace->dropped++;
            return NULL;
        }
        block->next = NULL;
        block->count = 0;
        *(trace->last != NULL ? &trace->last->next : &trace->first) = block;
        trace->last = block;
    }
    trace->event_count++;
    struct trace_event *event = &block->events[block->count++];
    *event = (struct trace_event){
        .at_ns = record->since_ns, .task = record->id, .step = watch->step, .what = (uint8_t)what};
    return event;
}

static bool name_task(struct trace *trace, const struct watch_task *record) {
    if (record->id >= trace->task_count) {
        size_t count = trace->task_count < 16 ? 32 : 2 * trace->task_count;
        count = count <= record->id ? (size_t)record->id + 1 : count;
        struct trace_task *tasks = mem_resize(trace->tasks, count * sizeof(*tasks));
        if (tasks == NULL) {
            return false;
        }
        memset(tasks + trace->task_count, 0, (count - trace->task_count) * sizeof(*tasks));
        trace->tasks = tasks;
        trace->task_count = count;
    }
    struct trace_task *task = &trace->tasks[record->id];
    strncpy(task->name, record->task->coro.name, sizeof(task->name) - 1);
    task->spawned = task_place(record->task->site);
    task->spawner = record->spawner;
    return true;
}

void trace_spawned(struct watch *watch, const struct watch_task *record) {
    struct trace *trace = watch->trace;
    if (trace->event_count < trace->events_most && !name_task(trace, record)) {
        trace->events_most = trace->event_count; // without a name no event of it is of use
    }
    add(watch, TRACE_SPAWNED, record);
}

void trace_resumes(struct watch *watch, const struct watch_task *record) {
    add(watch, TRACE_RUNS, record);
}

void trace_stops(struct watch *watch, const struct watch_task *record) {
    const struct wait *wait = record->task->coro.parked;
    struct trace_event *event = add(watch, wait != NULL ? TRACE_WAITS : TRACE_YIELDS, record);
    if (event == NULL || wait == NULL || wait->kind == NULL) {
        return;
    }
    event->kind = wait->kind;
    if (wait->kind->next_holder != NULL) {
        const struct coro *holder = wait->kind->next_holder(wait, NULL);
        const struct watch_task *other = holder != NULL ? watch_record(holder) : NULL;
        event->other = other != NULL ? other->id : 0;
    }
    if (wait->kind->detail != NULL) {
        wait->kind->detail(wait, event->detail, sizeof(event->detail));
    }
}

static enum trace_cause cause_of(const struct loop *loop, const struct wait *wait) {
    if (op_is_wait_kind(wait->kind)) {
        return TRACE_BY_IO; // under sim a timer brings it
    }
    switch (loop->stage) {
    case LOOP_CALLS:
        return TRACE_BY_THREAD;
    case LOOP_COMPLETIONS:
        return TRACE_BY_IO;
    case LOOP_TIMERS:
        return TRACE_BY_TIMER;
    }
    return TRACE_BY_LOOP;
}

void trace_woken(struct watch *watch, const struct watch_task *record, const struct wait *wait,
                 uint32_t waker) {
    struct trace_event *event = add(watch, TRACE_WOKEN, record);
    if (event == NULL) {
        return;
    }
    event->other = waker;
    event->cause = (uint8_t)(waker != 0 ? TRACE_BY_TASK : cause_of(&watch->loop->loop, wait));
    event->result = (int32_t)wait->result;
    event->cancelled = wait->result == -ECANCELED && (wait->coro->attention & ATTENTION_CANCEL);
}

void trace_ended(struct watch *watch, const struct watch_task *record) {
    struct trace_event *event = add(watch, TRACE_ENDED, record);
    if (event != NULL) {
        event->at_ns = watch_now_ns(watch);
        event->result = (int32_t)record->task->future.result;
    }
}

// One loop's trace.

/* Tasks that are there already enter as they are. */
static void add_present(struct watch *watch) {
    for (struct list *node = watch->tasks.next; node != &watch->tasks; node = node->next) {
        struct watch_task *record = container_of(node, struct watch_task, all);
        record->since_ns = watch->trace->origin_ns;
        trace_spawned(watch, record);
        if (record == watch->running) {
            watch->step++;
            trace_resumes(watch, record);
        } else if (record->task->coro.parked != NULL) {
            trace_stops(watch, record);
        }
    }
}

static void end(struct watch *watch) {
    struct trace *trace = watch->trace;
    watch->trace = NULL;
    while (trace->first != NULL) {
        struct trace_block *block = trace->first;
        trace->first = block->next;
        mem_free(block);
    }
    mem_free(trace->tasks);
    mem_free(trace);
}

/* Called with the lock. */
static int begin(struct loop *loop) {
    struct watch *watch = watch_begin(loop);
    struct trace *trace = mem_alloc_zero(sizeof(*trace));
    if (watch == NULL || trace == NULL) {
        mem_free(trace);
        if (watch != NULL) {
            watch_end_if_idle(watch);
        }
        return -ENOMEM;
    }
    if (watch->trace != NULL) {
        end(watch); // of a trace that was stopped on another thread
    }
    watch->trace = trace;
    trace->generation = generation;
    trace->origin_ns = loop->sim ? watch_now_ns(watch) : started_ns;
    trace->events_most = events_most;
    add_present(watch);
    return 0;
}

/* Called with the lock. */
static void write_part(struct watch *watch) {
    const struct trace *trace = watch->trace;
    if (!is_on() || trace->generation != generation) {
        return; // its trace has ended without it
    }
    int rc = trace_write(file, trace, ++loops, watch->loop->loop.backend->ops->name,
                         watch_now_ns(watch));
    if (rc < 0 && failure == 0) {
        failure = rc;
        fprintf(stderr, "juggle: cannot write the trace %s: %s\n", file, strerrordesc_np(-rc));
    }
}

void trace_write_now(struct watch *watch) {
    pthread_mutex_lock(&lock);
    write_part(watch);
    pthread_mutex_unlock(&lock);
}

void trace_loop_closes(struct watch *watch) {
    trace_write_now(watch);
    end(watch);
}

// The process's trace.

/* Writes `path` with the process's number for "%p". */
static int set_file(const char *path) {
    const char *mark = strstr(path, "%p");
    int len = mark == NULL ? snprintf(file, sizeof(file), "%s", path)
                           : snprintf(file, sizeof(file), "%.*s%d%s", (int)(mark - path), path,
                                      (int)getpid(), mark + 2);
    return (size_t)len < sizeof(file) ? 0 : -ENAMETOOLONG;
}

/* Called with the lock. */
static int start(const char *path, size_t most) {
    if (is_on()) {
        return -EBUSY;
    }
    int rc = set_file(path);
    if (rc == 0) {
        rc = trace_write_empty(file);
    }
    if (rc < 0) {
        return rc;
    }
    generation += generation % 2 == 1 ? 2 : 1; // odd in a forked child of one who traces
    owner = getpid();
    events_most = most != 0 ? most : EVENTS_DEFAULT;
    loops = 0;
    failure = 0;
    started_ns = clock_now_ns();
    return 0;
}

/* Called with the lock. */
static void read_environment(void) {
    const char *path = getenv("JUGGLE_TRACE");
    if (environment_read) {
        return;
    }
    environment_read = true;
    if (path == NULL || path[0] == '\0') {
        return;
    }
    int rc = start(path, 0);
    if (rc < 0 && rc != -EBUSY) {
        fprintf(stderr, "juggle: cannot write the trace %s: %s\n", path, strerrordesc_np(-rc));
    }
}

void trace_loop_opens(struct loop *loop) {
    pthread_mutex_lock(&lock);
    read_environment();
    if (is_on()) {
        begin(loop);
    }
    pthread_mutex_unlock(&lock);
}

void trace_fork_begins(void) {
    pthread_mutex_lock(&lock);
}

void trace_fork_is_over(void) {
    pthread_mutex_unlock(&lock);
}

int jg_trace_start(const char *path, const jg_trace_options *options) {
    struct loop *loop = sched_current()->loop;
    pthread_mutex_lock(&lock);
    int rc = start(path, options != NULL ? options->events_most : 0);
    if (rc == 0 && loop != NULL) {
        rc = begin(loop);
        generation += rc < 0;
    }
    pthread_mutex_unlock(&lock);
    return rc == 0 ? 0
                   : (int)jg_fail(rc, "cannot write the trace %s: %s", path, strerrordesc_np(-rc));
}

int jg_trace_stop(void) {
    struct loop *loop = sched_current()->loop;
    struct watch *watch = loop != NULL && loop->sched.observer != NULL ? watch_of(loop) : NULL;
    pthread_mutex_lock(&lock);
    if (!is_on()) {
        pthread_mutex_unlock(&lock);
        return (int)error_bare(-EINVAL);
    }
    if (watch != NULL && watch->trace != NULL) {
        write_part(watch);
    }
    int rc = failure;
    generation++;
    pthread_mutex_unlock(&lock);
    if (watch != NULL && watch->trace != NULL) {
        end(watch);
        watch_end_if_idle(watch);
    }
    return (int)error_bare(rc);
}
