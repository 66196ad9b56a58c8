// SPDX-License-Identifier: MIT
/* watchdog.c – see watchdog.h.
 *
 * Holds      the thread, and the watchdogs it minds.
 * Invariant  a watchdog is in the list from start to stop; stop waits for the thread to let go of it.
 * Called by  see watchdog.h.
 * Why        it looks four times per limit, and says the same stall again only when it has lasted
 *            twice as long: a stall of a minute is ten lines, not six hundred. One thread that stays
 *            until the process ends: a loop lives for microseconds in a test, and making a thread for
 *            each would be most of what it does.
 * Quirks     the report goes out without a lock, so that a slow reader holds up no loop; its text was
 *            made under that of the loop. A forked child has no thread until it opens a loop. The
 *            thread runs code of this library, which must not be unloaded: -z nodelete. The thread may
 *            be in dladdr when somebody forks: that lock of the loader's is made anew in the child by
 *            glibc. The one dl_iterate_phdr takes is not, so no report may call that.
 */
#include "obs/watchdog.h"

#include "base/clock.h"
#include "base/mem.h"
#include "obs/backtrace.h"
#include "obs/debug.h"
#include "task/task.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void watchdog_runs(struct watchdog *watchdog, const struct coro *coro) {
    pthread_mutex_lock(&watchdog->lock);
    watchdog->running = coro;
    watchdog->since_ns = clock_now_ns();
    watchdog->said_ns = 0;
    pthread_mutex_unlock(&watchdog->lock);
}

void watchdog_sleeps(struct watchdog *watchdog) {
    pthread_mutex_lock(&watchdog->lock);
    watchdog->running = NULL;
    pthread_mutex_unlock(&watchdog->lock);
}

struct stall {
    int64_t duration_ns;
    char task[48];
    char spawned[64];
    char *text;
};

static void describe(struct watchdog *watchdog, struct stall *out_stall) {
    const struct coro *coro = watchdog->running;
    const struct jg_task_record *task = (const struct jg_task_record *)(const void *)coro;
    const char *name = __atomic_load_n(&coro->name, __ATOMIC_RELAXED);
    bool is_task = coro->stack.base != NULL;
    snprintf(out_stall->task, sizeof(out_stall->task), "%s", name);
    snprintf(out_stall->spawned, sizeof(out_stall->spawned), "%s",
             is_task ? task_place(task->site) : "");
    size_t size = 0;
    FILE *out = open_memstream(&out_stall->text, &size);
    if (out == NULL) {
        return;
    }
    if (is_task) {
        fprintf(out, "juggle: task %s (spawned at %s) holds up the loop for %lld ms\n", name,
                task_place(task->site), (long long)(out_stall->duration_ns / JG_MS));
    } else {
        fprintf(out, "juggle: the call %s holds up the loop for %lld ms\n", name,
                (long long)(out_stall->duration_ns / JG_MS));
    }
    struct backtrace trace;
    backtrace_of(&trace, watchdog->loop_thread, watchdog->loop_tid, coro);
    backtrace_print(&trace, out);
    fclose(out);
}

/* Reports the stall there is, if it is due. */
static void look(struct watchdog *watchdog) {
    pthread_mutex_lock(&watchdog->lock);
    struct stall stall = {.duration_ns = clock_now_ns() - watchdog->since_ns};
    bool due = watchdog->running != NULL && stall.duration_ns >= watchdog->limit_ns &&
               stall.duration_ns >= 2 * watchdog->said_ns;
    if (due) {
        watchdog->said_ns = stall.duration_ns;
        describe(watchdog, &stall);
    }
    pthread_mutex_unlock(&watchdog->lock);
    if (due) {
        debug_report(JG_DEBUG_SLOW, stall.task, stall.spawned, stall.duration_ns, stall.text);
        mem_free_libc(stall.text);
    }
}

// The thread.

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // of all below
static pthread_cond_t sooner = PTHREAD_COND_INITIALIZER; // somebody wants a look before look_ns
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER; // a watchdog is no longer looked at
static struct list watchdogs = {&watchdogs, &watchdogs};
static int64_t look_ns = JG_NEVER; // when the thread looks next
static bool has_thread;
static bool has_failed; // and this was said

/* Called and returns with the lock. */
static void look_at_all(void) {
    int64_t step_ns = JG_NEVER;
    for (struct list *node = watchdogs.next; node != &watchdogs; node = node->next) {
        struct watchdog *watchdog = container_of(node, struct watchdog, all);
        int64_t own_ns = watchdog->limit_ns / 4 + 1;
        step_ns = own_ns < step_ns ? own_ns : step_ns;
        watchdog->looked_at = true;
        pthread_mutex_unlock(&lock);
        look(watchdog);
        pthread_mutex_lock(&lock);
        watchdog->looked_at = false;
        pthread_cond_broadcast(&let_go);
    }
    look_ns = step_ns == JG_NEVER ? JG_NEVER : clock_add(clock_now_ns(), step_ns);
}

static void *run(void *arg) {
    pthread_setname_np(pthread_self(), "jg-watchdog");
    pthread_mutex_lock(&lock);
    for (;;) {
        const struct timespec until = {look_ns / JG_S, look_ns % JG_S};
        if (look_ns == JG_NEVER) {
            pthread_cond_wait(&sooner, &lock);
        } else if (pthread_cond_clockwait(&sooner, &lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT) {
            look_at_all();
        }
    }
    return arg;
}

static void before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void after_fork(void) {
    pthread_mutex_unlock(&lock);
}

/* The thread and the loops stayed with the parent. */
static void in_child(void) {
    sooner = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    let_go = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    list_init(&watchdogs);
    look_ns = JG_NEVER;
    has_thread = false;
    pthread_mutex_unlock(&lock);
}

/* As early as the library: a fork that has begun runs no handler that comes later. */
__attribute__((constructor)) static void prepare(void) {
    pthread_atfork(before_fork, after_fork, in_child);
}

/* The thread takes no signal: those of the program are for its own threads. Called with the lock. */
static void start_thread(void) {
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, &detached, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    has_thread = rc == 0;
    if (!has_thread && !has_failed) {
        has_failed = true;
        fprintf(stderr, "juggle: no thread to look out for stalls: %s; none is reported\n",
                strerrordesc_np(rc));
    }
}

void watchdog_start(struct watchdog *watchdog, int64_t limit_ns) {
    *watchdog = (struct watchdog){
        .loop_thread = pthread_self(), .loop_tid = gettid(), .limit_ns = limit_ns};
    pthread_mutex_init(&watchdog->lock, NULL);
    watchdog->unblocked = backtrace_prepare();
    int64_t first_ns = clock_add(clock_now_ns(), limit_ns / 4 + 1);
    pthread_mutex_lock(&lock);
    list_append(&watchdogs, &watchdog->all);
    if (!has_thread) {
        start_thread();
    }
    if (first_ns < look_ns) {
        look_ns = first_ns;
        pthread_cond_signal(&sooner);
    }
    pthread_mutex_unlock(&lock);
}

void watchdog_stop(struct watchdog *watchdog) {
    watchdog_sleeps(watchdog);
    pthread_mutex_lock(&lock);
    while (watchdog->looked_at) {
        pthread_cond_wait(&let_go, &lock);
    }
    list_remove(&watchdog->all);
    pthread_mutex_unlock(&lock);
    backtrace_unprepare(watchdog->unblocked);
    pthread_mutex_destroy(&watchdog->lock);
}
