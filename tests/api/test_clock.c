// SPDX-License-Identifier: MIT
/* test_clock.c – a wall clock that is set while a program runs, to and fro: no wait may notice.
 *
 * Holds      a clock of its own: clock_gettime is defined here, so the library asks this one. Its wall
 *            clock leaps by two days at every look.
 * Invariant  bounds are far apart: a limit may strike late on a busy machine, never early.
 * Called by  ctest, on epoll and without a loop.
 * Why        RELIABILITY R7. Clocks are set, by people and by time servers; a wait of a second must not
 *            become one of a day.
 */
// Backends: epoll blocking
#define FIXTURE_LIMIT 20
#include "api/api.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const int64_t LONG_NS = 15 * JG_S; // what would be reached if a limit did not hold
enum { DAY_S = 24 * 60 * 60, LIMIT_MS = 20 };

static atomic_uint looks;

/* Instead of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *out_now) {
    int rc = (int)syscall(SYS_clock_gettime, clock, out_now);
    if (clock == CLOCK_REALTIME) {
        out_now->tv_sec += atomic_fetch_add(&looks, 1) % 2 == 0 ? DAY_S : -DAY_S;
    }
    return rc;
}

static intptr_t sleep_long(void *arg) {
    (void)arg;
    return jg_sleep(LONG_NS / JG_MS);
}

static intptr_t wait_on_future(void *arg) {
    (void)arg;
    jg_future never = {0};
    return jg_future_wait(&never);
}

static intptr_t wait_for_signal(void *arg) {
    jg_signals signals;
    (void)arg;
    ck_assert_int_eq(jg_signals_open(&signals, JG_SIGNAL(SIGUSR1)), 0);
    int rc = jg_signals_next(&signals);
    jg_signals_close(&signals);
    return rc;
}

static intptr_t read_nothing(void *arg) {
    jg_stream *ends[2];
    char byte;
    (void)arg;
    open_pair(ends);
    ssize_t rc = jg_read(ends[0], &byte, 1);
    close_pair(ends);
    return rc;
}

static atomic_bool gate_open;

static intptr_t wait_at_gate(void *arg) {
    while (!atomic_load(&gate_open)) {
        sched_yield();
    }
    return (intptr_t)arg;
}

static intptr_t wait_for_job(void *pool) {
    static jg_job job;
    job = (jg_job){.abandon = true};
    ck_assert_int_eq(jg_executor_submit(pool, &job, wait_at_gate, NULL), 0);
    return jg_job_wait(&job);
}

static void limit(jg_fn *wait, void *arg) {
    intptr_t rc = 0;
    int64_t begin_ns = jg_now();
    JG_TIMEOUT(LIMIT_MS, rc) {
        rc = wait(arg);
    }
    int64_t took_ns = jg_now() - begin_ns;
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_ge(took_ns, LIMIT_MS * JG_MS);
    ck_assert_int_lt(took_ns, LONG_NS);
}

static intptr_t limits_body(void *arg) {
    jg_executor *pool;
    (void)arg;
    ck_assert_int_eq(jg_executor_open(NULL, &pool), 0);
    limit(sleep_long, NULL);
    limit(wait_on_future, NULL);
    limit(wait_for_signal, NULL);
    limit(read_nothing, NULL);
    limit(wait_for_job, pool);
    atomic_store(&gate_open, true);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

static time_t look(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

// A wait would end at once, or days late, because somebody set the clock.
START_TEST(r07_a_leaping_wall_clock_moves_no_limit) {
    ck_assert_int_gt(labs(look() - look()), DAY_S); // it does leap
    run_once(limits_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/clock", r07_a_leaping_wall_clock_moves_no_limit)
