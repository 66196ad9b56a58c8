// SPDX-License-Identifier: MIT
/* watchdog.c – see watchdog.h.
 *
 * Holds      nothing beyond struct watchdog.
 * Invariant  see watchdog.h.
 * Called by  see watchdog.h.
 * Why        it looks four times per limit, and says the same stall again only when it has lasted
 *            twice as long: a stall of a minute is ten lines, not six hundred.
 * Quirks     the report goes out without the lock, so that a slow reader holds up no loop; its text
 *            was made under it.
 */
#include "obs/watchdog.h"

#include "base/clock.h"
#include "base/mem.h"
#include "obs/backtrace.h"
#include "obs/debug.h"
#include "task/task.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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
    const struct jg_task *task = (const struct jg_task *)(const void *)coro;
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

/* Reports the stall there is, if it is due. Called and returns with the lock. */
static void look(struct watchdog *watchdog) {
    struct stall stall = {.duration_ns = clock_now_ns() - watchdog->since_ns};
    bool due = watchdog->running != NULL && stall.duration_ns >= watchdog->limit_ns &&
               stall.duration_ns >= 2 * watchdog->said_ns;
    if (!due) {
        return;
    }
    watchdog->said_ns = stall.duration_ns;
    describe(watchdog, &stall);
    pthread_mutex_unlock(&watchdog->lock);
    debug_report(JG_DEBUG_SLOW, stall.task, stall.spawned, stall.duration_ns, stall.text);
    mem_free_libc(stall.text);
    pthread_mutex_lock(&watchdog->lock);
}

static void *run(void *arg) {
    struct watchdog *watchdog = arg;
    int64_t step_ns = watchdog->limit_ns / 4 > 0 ? watchdog->limit_ns / 4 : 1;
    pthread_setname_np(pthread_self(), "jg-watchdog");
    pthread_mutex_lock(&watchdog->lock);
    while (!watchdog->stop) {
        int64_t until_ns = clock_add(clock_now_ns(), step_ns);
        const struct timespec until = {until_ns / JG_S, until_ns % JG_S};
        pthread_cond_timedwait(&watchdog->over, &watchdog->lock, &until);
        look(watchdog);
    }
    pthread_mutex_unlock(&watchdog->lock);
    return NULL;
}

/* The thread takes no signal: those of the program are for its own threads. */
static int start_thread(struct watchdog *watchdog) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = -pthread_create(&watchdog->thread, NULL, run, watchdog);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void fini(struct watchdog *watchdog) {
    backtrace_unprepare(watchdog->unblocked);
    pthread_cond_destroy(&watchdog->over);
    pthread_mutex_destroy(&watchdog->lock);
}

int watchdog_start(struct watchdog *watchdog, int64_t limit_ns) {
    pthread_condattr_t monotonic;
    *watchdog = (struct watchdog){
        .loop_thread = pthread_self(), .loop_tid = gettid(), .limit_ns = limit_ns};
    pthread_mutex_init(&watchdog->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog->over, &monotonic);
    pthread_condattr_destroy(&monotonic);
    watchdog->unblocked = backtrace_prepare();
    int rc = start_thread(watchdog);
    if (rc < 0) {
        fini(watchdog);
    }
    return rc;
}

void watchdog_stop(struct watchdog *watchdog) {
    pthread_mutex_lock(&watchdog->lock);
    watchdog->stop = true;
    watchdog->running = NULL;
    pthread_cond_signal(&watchdog->over);
    pthread_mutex_unlock(&watchdog->lock);
    pthread_join(watchdog->thread, NULL);
    fini(watchdog);
}
