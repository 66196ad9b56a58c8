// SPDX-License-Identifier: MIT
/* watchdog.h – a thread that speaks up while a loop is stuck.
 *
 * Holds      what runs on the loop's thread, and since when, under a lock.
 * Invariant  a task's record and stack are there as long as `running` points at it, and whoever has
 *            the lock may read them: the loop takes it before it goes on.
 * Called by  debug.c (loop thread). Its own thread calls backtrace.c and debug_report.
 * Why        who is stuck cannot report it.
 */
#ifndef OBS_WATCHDOG_H
#define OBS_WATCHDOG_H

#include "rt/coro.h"

#include <pthread.h>

struct watchdog {
    pthread_t thread;
    pthread_t loop_thread;
    pid_t loop_tid;
    bool unblocked; // its signal was blocked on the loop's thread before
    int64_t limit_ns;
    pthread_mutex_t lock; // of what follows
    pthread_cond_t over;
    const struct coro *running; // NULL: the loop sleeps in the kernel
    int64_t since_ns;           // on the real clock, also under sim
    int64_t said_ns;            // how long it had run at its newest report
    bool stop;
};

/* Starts the thread for a loop of the calling one. Returns 0, -EAGAIN, -ENOMEM. */
int watchdog_start(struct watchdog *watchdog, int64_t limit_ns);
void watchdog_stop(struct watchdog *watchdog);

/* From now on this coroutine runs; nobody does. Loop thread. */
void watchdog_runs(struct watchdog *watchdog, const struct coro *coro);
void watchdog_sleeps(struct watchdog *watchdog);

#endif
