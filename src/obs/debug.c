// SPDX-License-Identifier: MIT
/* debug.c – what debug mode says, and when.
 *
 * Holds      where reports go and the options of loops to come, both of the process.
 * Invariant  a report is handed over whole, in one call.
 * Called by  watch.c; user code.
 * Why        texts are made with open_memstream: debug mode may allocate as it likes, and what lacks
 *            memory is said in one line instead.
 */
#include "obs/debug.h"

#include "base/mem.h"
#include "obs/backtrace.h"
#include "obs/opened.h"
#include "obs/tree.h"
#include "obs/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SLOW_DEFAULT_MS = 100,
    TASKS_PER_RESUME = 16, // are looked at: a small part of what an observed resume takes
};

static _Atomic(jg_debug_report_fn *) report_to;
static pthread_mutex_t options_lock = PTHREAD_MUTEX_INITIALIZER;
static jg_debug_options options_next;
static unsigned forks; // between the first process and this one

void jg_debug_on_report(jg_debug_report_fn *report) {
    atomic_store(&report_to, report);
}

void debug_fork_begins(void) {
    pthread_mutex_lock(&options_lock);
}

void debug_fork_is_over(void) {
    pthread_mutex_unlock(&options_lock);
}

void debug_forked(void) {
    forks++;
}

void jg_debug_set(const jg_debug_options *options) {
    pthread_mutex_lock(&options_lock);
    options_next = *options;
    pthread_mutex_unlock(&options_lock);
}

static bool is_set(const char *name) {
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' && strcmp(text, "0") != 0;
}

bool debug_wanted(void) {
    return is_set("JUGGLE_DEBUG");
}

static jg_debug_options read_options(void) {
    pthread_mutex_lock(&options_lock);
    jg_debug_options options = options_next;
    pthread_mutex_unlock(&options_lock);
    const char *slow = getenv("JUGGLE_DEBUG_SLOW_MS");
    if (options.slow_ms <= 0 && slow != NULL) {
        options.slow_ms = strtoll(slow, NULL, 10);
    }
    if (options.slow_ms <= 0 || options.slow_ms > INT64_MAX / JG_MS) {
        options.slow_ms = SLOW_DEFAULT_MS;
    }
    options.abort_on_deadlock |= is_set("JUGGLE_DEBUG_ABORT");
    return options;
}

void debug_report(jg_debug_kind kind, const char *task, const char *spawned, int64_t duration_ns,
                  const char *text) {
    const jg_debug_report report = {
        .kind = kind,
        .task = task,
        .spawned = spawned,
        .duration_ns = duration_ns,
        .text = text != NULL ? text : "juggle: a report of debug mode found no memory\n"};
    jg_debug_report_fn *told = atomic_load(&report_to);
    unsigned generation = forks;
    if (told == NULL) {
        fputs(report.text, stderr);
        return;
    }
    struct coro *self = sched_current();
    bool before = no_suspend_enter(self);
    told(&report);
    no_suspend_leave(self, before);
    if (forks != generation) {
        task_end_forked(0); // a copy, of the loop or of the watchdog's thread: neither goes on
    }
}

int debug_begin(struct loop *loop) {
    struct watch *watch = watch_begin(loop);
    struct debug *debug = mem_alloc_zero(sizeof(*debug));
    if (watch == NULL || debug == NULL) {
        mem_free(debug);
        if (watch != NULL) {
            watch_end_if_idle(watch);
        }
        return -ENOMEM;
    }
    const jg_debug_options options = read_options();
    debug->abort_on_deadlock = options.abort_on_deadlock;
    debug->quiet_step = UINT32_MAX;
    watchdog_start(&debug->watchdog, options.slow_ms * JG_MS);
    futures_begin(&debug->futures);
    watch->debug = debug;
    debug_runs(debug, &loop->self.coro);
    return 0;
}

void debug_runs(struct debug *debug, const struct coro *coro) {
    watchdog_runs(&debug->watchdog, coro);
}

// Deadlock.

void debug_deadlock(struct watch *watch) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out != NULL) {
        fputs("juggle: deadlock: every task waits, and nothing the loop knows of could wake one\n",
              out);
        tree_print(watch->loop, out);
        (void)tree_print_rings(watch, RINGS_ALL, out);
        fclose(out);
    }
    debug_report(JG_DEBUG_DEADLOCK, "", "", 0, text);
    mem_free_libc(text);
}

/* In a loop that has other work nobody would hear of a ring. Not at each sleep: a look goes through all
 * tasks, and is worth so many resumes. */
static void look_for_rings(struct watch *watch) {
    struct debug *debug = watch->debug;
    uint64_t resumes = watch->step - debug->rings_step;
    char *text = NULL;
    size_t size = 0;
    if (resumes == 0 || resumes * TASKS_PER_RESUME < watch->loop->live) {
        return;
    }
    debug->rings_step = watch->step;
    if (!tree_print_rings(watch, RINGS_NEW, NULL)) {
        return;
    }
    FILE *out = open_memstream(&text, &size);
    if (out != NULL) {
        fputs("juggle: tasks wait for each other, and only a cancel could end it\n", out);
        (void)tree_print_rings(watch, RINGS_NEW, out);
        fclose(out);
    }
    debug_report(JG_DEBUG_RING, "", "", 0, text);
    mem_free_libc(text);
}

void debug_sleeps(struct watch *watch, bool quiet) {
    struct debug *debug = watch->debug;
    watchdog_sleeps(&debug->watchdog);
    if (!quiet) {
        look_for_rings(watch);
        return;
    }
    if (watch->loop->loop.sim || debug->quiet_step == watch->step) {
        return; // it is about to be said, or was: nothing has run since
    }
    debug->quiet_step = watch->step;
    debug_deadlock(watch);
    if (debug->abort_on_deadlock) {
        check_misuse("deadlock: see the report; JUGGLE_DEBUG_ABORT says that it ends the program");
    }
}

void debug_spins(const struct coro *coro, int refusals) {
    const struct jg_task_record *task = (const struct jg_task_record *)(const void *)coro;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out != NULL) {
        struct backtrace trace;
        fprintf(out,
                "juggle: task %s ignores -ECANCELED: %d suspends refused in a row; it is slowed "
                "down\n    spawned at %s\n",
                coro->name, refusals, task_place(task->site));
        backtrace_here(&trace);
        backtrace_print(&trace, out);
        fclose(out);
    }
    debug_report(JG_DEBUG_SPIN, coro->name, task_place(task->site), 0, text);
    mem_free_libc(text);
}

// What is left behind.

static void report_stray(const struct jg_task_record *task) {
    char text[512];
    const struct wait *wait = task->coro.parked;
    snprintf(text, sizeof(text),
             "juggle: task %s (spawned at %s) was alive when the first task ended, %s%s; it is "
             "cancelled\n",
             task->coro.name, task_place(task->site),
             wait != NULL ? "waiting for " : "ready to run", wait != NULL ? wait_name(wait) : "");
    debug_report(JG_DEBUG_TASK_LEAK, task->coro.name, task_place(task->site), 0, text);
}

void debug_closing(struct watch *watch) {
    const struct list *tasks = &watch->loop->tasks;
    futures_closing(&watch->debug->futures);
    for (const struct list *node = tasks->next; node != tasks; node = node->next) {
        report_stray(container_of(node, struct jg_task_record, siblings));
    }
}

static void report_handle(const struct jg_task_record *task) {
    char text[512];
    snprintf(text, sizeof(text),
             "juggle: task %s (spawned at %s) has ended, and nobody joined or detached it\n",
             task->coro.name, task_place(task->site));
    debug_report(JG_DEBUG_HANDLE_LEAK, task->coro.name, task_place(task->site), 0, text);
}

void debug_left_open(const char *what) {
    char text[128];
    snprintf(text, sizeof(text), "juggle: %s was open when the loop closed\n", what);
    debug_report(JG_DEBUG_SIGNAL_LEAK, "", "", 0, text);
}

void debug_loop_closes(struct watch *watch) {
    struct debug *debug = watch->debug;
    const struct list *ended = &watch->loop->ended;
    watchdog_stop(&debug->watchdog);
    for (const struct list *node = ended->next; node != ended; node = node->next) {
        report_handle(container_of(node, struct jg_task_record, siblings));
    }
    futures_end(&debug->futures);
    opened_report(watch);
    mem_free(debug);
    watch->debug = NULL;
}
