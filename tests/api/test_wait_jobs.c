// SPDX-License-Identifier: MIT
/* test_wait_jobs.c – waiting for many jobs of an executor, with a loop and without.
 *
 * Holds      nothing between tests.
 * Invariant  the same code comes to the same with a loop and without one.
 * Called by  ctest.
 * Why        a job's future is settled by another thread: without a loop nobody is woken, one blocks.
 */
// Backends: epoll blocking
#include "api/api.h"

#include <semaphore.h>

enum { JOBS = 12 };

static intptr_t give_back(void *arg) {
    return (intptr_t)arg;
}

static intptr_t wait_at_gate(void *gate) {
    while (sem_wait(gate) != 0) {}
    return 1;
}

static intptr_t all_body(void *arg) {
    (void)arg;
    jg_job jobs[JOBS] = {0};
    jg_future *futures[JOBS];
    intptr_t words[JOBS];
    for (intptr_t i = 0; i < JOBS; i++) {
        ck_assert_int_eq(jg_executor_submit(NULL, &jobs[i], give_back, (void *)(i + 1)), 0);
        futures[i] = &jobs[i].future;
    }
    ck_assert_int_eq(jg_gather(futures, JOBS, words, JG_FAIL_FIRST), 0);
    for (intptr_t i = 0; i < JOBS; i++) {
        ck_assert_int_eq(words[i], i + 1);
        ck_assert_int_eq(jg_executor_submit(NULL, &jobs[i], give_back, (void *)(i == 3 ? -EIO : i)),
                         0);
    }
    ck_assert_int_eq(jg_gather(futures, JOBS, NULL, JG_FAIL_FIRST), -EIO);
    ck_assert_int_eq(jg_wait(futures, JOBS, JG_ALL_COMPLETED, -1), JOBS);
    size_t seen = 0;
    intptr_t rc = 0;
    JG_AS_COMPLETED(it, futures, JOBS, -1, rc) {
        ck_assert_int_eq(it.result, it.index == 3 ? -EIO : (intptr_t)it.index);
        seen++;
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(seen, JOBS);
    for (int i = 0; i < JOBS; i++) {
        jg_future_fini(&jobs[i].future);
    }
    return 0;
}

// Work handed to threads could not be waited for together.
START_TEST(jobs_are_futures_too) {
    run_once(all_body, NULL);
}
END_TEST

static intptr_t limits_body(void *arg) {
    (void)arg;
    jg_executor *pool;
    sem_t gate;
    sem_init(&gate, 0, 0);
    ck_assert_int_eq(jg_executor_open(NULL, &pool), 0);
    jg_job jobs[3] = {{.abandon = true}, {.abandon = true}, {.abandon = true}};
    jg_future *futures[] = {&jobs[0].future, &jobs[1].future, &jobs[2].future};
    jg_executor_submit(pool, &jobs[0], wait_at_gate, &gate);
    jg_executor_submit(pool, &jobs[1], wait_at_gate, &gate);
    jg_executor_submit(pool, &jobs[2], give_back, NULL);
    ck_assert_int_eq(jg_wait(futures + 2, 1, JG_ALL_COMPLETED, -1), 1);
    ck_assert_int_eq(jg_wait(futures, 3, JG_ALL_COMPLETED, 5), 1);
    ck_assert_int_eq(jg_wait(futures, 3, JG_FIRST_COMPLETED, -1), 1);
    sem_post(&gate);
    sem_post(&gate);
    ck_assert_int_eq(jg_wait(futures, 3, JG_ALL_COMPLETED, -1), 3);

    jg_executor_submit(pool, &jobs[0], wait_at_gate, &gate);
    jg_executor_submit(pool, &jobs[1], wait_at_gate, &gate);
    intptr_t rc = 0;
    JG_TIMEOUT(5, rc) {
        rc = jg_gather(futures, 3, NULL, JG_COLLECT_ERRORS);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert(jg_future_cancelled(futures[0]) && jg_future_cancelled(futures[1]));
    ck_assert_int_eq(jg_future_result(futures[2]), 0);
    sem_post(&gate);
    sem_post(&gate);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    sem_destroy(&gate);
    return 0;
}

// A limit would not hold for what another thread does, or leave it behind without a word.
START_TEST(limits_hold_for_jobs) {
    run_once(limits_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/wait_jobs", jobs_are_futures_too, limits_hold_for_jobs)
