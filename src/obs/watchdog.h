// SPDX-License-Identifier: MIT
/* watchdog.h – speaks up while a loop is stuck.
 *
 * Holds      per loop what runs on its thread, and since when, under a lock. One thread for all loops.
 * Invariant  a task's record and stack are there as long as `running` points at it, and whoever has
 *            the lock may read them: the loop takes it before it goes on.
 * Called by  debug.c (loop thread). Its own thread calls backtrace.c and debug_report.
 * Why        who is stuck cannot report it.
 */
#ifndef OBS_WATCHDOG_H
#define OBS_WATCHDOG_H

#include "base/list.h"
#include "rt/coro.h"

#include <pthread.h>

struct watchdog {
    struct list all; // with those of the other loops
    bool looked_at;  // the thread is at it: it must stay
    pthread_t loop_thread;
    pid_t loop_tid;
    bool unblocked; // its signal was blocked on the loop's thread before
    int64_t limit_ns;
    pthread_mutex_t lock;       // of what follows
    const struct coro *running; // NULL: the loop sleeps in the kernel
    int64_t since_ns;           // on the real clock, also under sim
    int64_t said_ns;            // how long it had run at its newest report
};

/* Looks after the loop of the calling thread from now on. Where there can be no thread for that, it says
 * so once, and stalls are not reported. */
void watchdog_start(struct watchdog *watchdog, int64_t limit_ns);
void watchdog_stop(struct watchdog *watchdog);

/* From now on this coroutine runs; nobody does. Loop thread. */
void watchdog_runs(struct watchdog *watchdog, const struct coro *coro);
void watchdog_sleeps(struct watchdog *watchdog);

#endif
