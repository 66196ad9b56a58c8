// SPDX-License-Identifier: MIT
/* worker_steps.h – what the tests of workers share.
 *
 * Holds      nothing between tests.
 * Invariant  every worker that is started here is joined by its test.
 * Called by  test_worker.c, test_worker_process.c.
 * Why        one copy.
 */
#ifndef TESTS_API_WORKER_STEPS_H
#define TESTS_API_WORKER_STEPS_H

#include "api/api.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(JUGGLE_SANITIZE_THREAD)
/* TSan misses that a lock taken before a fork is let go of in the child, and that threads stay behind;
 * and each child would wait a second at its end for other threads to race. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "atexit_sleep_ms=0:report_mutex_bugs=0:report_thread_leaks=0";
}
#endif

/* The sanitizers' heaps keep locks of their own, which other threads may hold at a fork for ever. */
static inline void needs_plain_heap(void) {
    if (sanitized) {
        fixture_skip("the sanitizers' heaps do not survive a fork with busy threads");
    }
}

__attribute__((unused)) static const jg_worker_kind kinds[] = {JG_WORKER_THREAD, JG_WORKER_PROCESS};

static inline void *shared_page(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(page != MAP_FAILED);
    return page;
}

static inline jg_worker *start(jg_worker_kind kind, jg_fn *fn, void *arg) {
    jg_worker *worker = NULL;
    ck_assert_int_eq(jg_worker_start(kind, fn, arg, NULL, &worker), 0);
    return worker;
}

enum { MANY = 1000 / API_SLOWED };

static inline intptr_t square(void *arg) {
    intptr_t n = (intptr_t)arg;
    return n * n;
}

static inline intptr_t sleep_long(void *arg) {
    (void)arg;
    return jg_sleep(60 * 1000);
}

static inline intptr_t leave_early(void *arg) {
    _exit((int)(intptr_t)arg);
}

#endif
