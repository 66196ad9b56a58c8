// SPDX-License-Identifier: MIT
/* test_executor.c – jobs on the threads of an executor: words, errors, bounds, cancelling.
 *
 * Holds      nothing between tests.
 * Invariant  the fixture's audit after each test: no descriptor, no block is left. No test leans on how
 *            fast a thread is: it waits for what the thread reports.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a job that is lost hangs its waiter; one that outlives its record writes into freed memory.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "fixtures/measure.h"

#include "api/executor_gate.h"

// Words and errors.

static intptr_t words_body(void *arg) {
    (void)arg;
    jg_executor *pool = open_pool(2, 0);
    for (intptr_t n = 0; n < 100; n++) {
        ck_assert_int_eq(jg_executor_run(pool, square, (void *)n), n * n);
        ck_assert_int_eq(jg_to_thread(square, (void *)n), n * n);
    }
    ck_assert_int_eq(jg_executor_run(NULL, square, (void *)3000000000),
                     INT64_C(9000000000000000000));
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// A job's word would be lost or mangled on its way back.
START_TEST(word_comes_back) {
    run_body(words_body);
}
END_TEST

static intptr_t fail_with_text(void *arg) {
    return jg_fail(-EPROTO, "bad reply from %s", (const char *)arg);
}

static intptr_t get_over_it(void *arg) {
    (void)arg;
    jg_fail(-EIO, "got over it");
    return 5;
}

static intptr_t last_error(void *arg) {
    (void)arg;
    return jg_error_last() != NULL;
}

static intptr_t errors_body(void *arg) {
    (void)arg;
    static char host[] = "example.org";
    jg_executor *pool = open_pool(1, 0);
    ck_assert_int_eq(jg_executor_run(pool, fail_with_text, host), -EPROTO);
    ck_assert_str_eq(jg_error_detail(-EPROTO), "bad reply from example.org");
    ck_assert_str_eq(jg_error_last()->task, "fail_with_text");
    jg_error_clear();
    ck_assert_int_eq(jg_executor_run(pool, get_over_it, NULL), 5);
    ck_assert_int_eq(jg_executor_run(pool, last_error, NULL), 0);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// The reason of a job's failure would stay on its thread, or turn up in the next job there.
START_TEST(error_comes_back_with_its_detail) {
    run_body(errors_body);
}
END_TEST

enum { JOBS = 200 };

static intptr_t many_body(void *arg) {
    (void)arg;
    static jg_job jobs[JOBS];
    jg_executor *pool = open_pool(3, JOBS);
    memset(jobs, 0, sizeof(jobs));
    for (intptr_t i = 0; i < JOBS; i++) {
        ck_assert_int_eq(jg_executor_submit(pool, &jobs[i], square, (void *)i), 0);
    }
    for (intptr_t i = JOBS - 1; i >= 0; i--) {
        ck_assert_int_eq(jg_job_wait(&jobs[i]), i * i);
        ck_assert_int_eq(jg_job_wait(&jobs[i]), i * i); // again: the word stays
        ck_assert(jg_future_done(&jobs[i].future));
        ck_assert(!jg_job_cancel(&jobs[i]));
    }
    jg_executor_stats stats;
    jg_executor_stats_get(pool, &stats);
    ck_assert_uint_le(stats.threads, 3);
    ck_assert_uint_eq(stats.queued, 0);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// More jobs than threads would lose one, or start threads without bound.
START_TEST(queue_is_worked_off) {
    run_body(many_body);
}
END_TEST

static intptr_t others_body(void *arg) {
    (void)arg;
    reset_gate();
    jg_job job = {0};
    ck_assert_int_eq(jg_executor_submit(NULL, &job, pass_gate, (void *)9), 0);
    await_running(1); // as a task: the loop goes on
    ck_assert(!jg_future_done(&job.future));
    open_gate();
    ck_assert_int_eq(jg_job_wait(&job), 9);
    return 0;
}

// A running job would stop the loop.
START_TEST(job_lets_other_tasks_go_on) {
    run_body(others_body);
}
END_TEST

static intptr_t future_body(void *arg) {
    (void)arg;
    jg_job job = {0};
    ck_assert_int_eq(jg_executor_submit(NULL, &job, square, (void *)4), 0);
    ck_assert_int_eq(jg_future_wait(&job.future), 16);
    return 0;
}

// A job's future could not be waited for as any other.
START_TEST(future_of_a_job_is_a_future) {
    run_body(future_body);
}
END_TEST

enum { GATHERED = 6 };

static intptr_t gather_body(void *arg) {
    jg_job jobs[GATHERED] = {{.state = 0}};
    jg_future *futures[GATHERED];
    intptr_t words[GATHERED];
    (void)arg;
    for (intptr_t i = 0; i < GATHERED; i++) {
        ck_assert_int_eq(jg_executor_submit(NULL, &jobs[i], fail_or_square, (void *)i), 0);
        futures[i] = &jobs[i].future;
    }
    ck_assert_int_eq(jg_gather(futures, GATHERED, words, JG_COLLECT_ERRORS), 0);
    for (intptr_t i = 0; i < GATHERED; i++) {
        ck_assert_int_eq(words[i], i == 4 ? -EPROTO : i * i);
    }
    ck_assert_str_eq(jg_future_exception(futures[4])->text, "job 4");
    for (size_t i = 0; i < GATHERED; i++) {
        jg_future_fini(futures[i]);
    }
    jg_error_clear();
    return 0;
}

// Jobs could not be waited for together with others.
START_TEST(jobs_are_gathered) {
    run_body(gather_body);
}
END_TEST

static intptr_t gather_two(void *arg) {
    return jg_gather(arg, 2, NULL, JG_FAIL_FIRST);
}

static intptr_t gather_cancelled_body(void *arg) {
    (void)arg;
    jg_job running = {0};
    jg_job queued = {.drop_arg = drop_arg};
    jg_future *futures[] = {&running.future, &queued.future};
    jg_executor *pool = open_busy_pool(0, &running);
    ck_assert_int_eq(jg_executor_submit(pool, &queued, pass_gate, (void *)2), 0);
    const jg_spawn_options eager = {.eager = true};
    jg_task *task = jg_spawn_with(gather_two, futures, &eager);
    jg_cancel(task);
    ck_assert(jg_future_cancelled(&queued.future));
    ck_assert(!jg_done(task)); // it waits for the one that runs
    open_gate();
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    ck_assert_int_eq(jg_job_wait(&running), 1);
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 1);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// A cancelled gather would leave jobs in the queue, or return while one still uses its argument.
START_TEST(cancelled_gather_cancels_its_jobs) {
    needs_loop();
    run_body(gather_cancelled_body);
}
END_TEST

// Bounds.

static intptr_t bounds_body(void *arg) {
    (void)arg;
    jg_job jobs[4] = {{.drop_arg = drop_arg}, {.state = 0}, {.state = 0}, {.drop_arg = drop_arg}};
    jg_executor *pool = open_busy_pool(2, &jobs[0]);
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[1], pass_gate, (void *)2), 0);
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[2], pass_gate, (void *)3), 0);
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[3], pass_gate, (void *)4), -EBUSY);
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 1);
    ck_assert_int_eq(jg_job_wait(&jobs[3]), -EINVAL);
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[0], pass_gate, (void *)5), -EALREADY);
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[1], pass_gate, (void *)5), -EALREADY);
    open_gate();
    for (intptr_t i = 0; i < 3; i++) {
        ck_assert_int_eq(jg_job_wait(&jobs[i]), i + 1);
    }
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[3], pass_gate, (void *)4), 0);
    ck_assert_int_eq(jg_job_wait(&jobs[3]), 4);
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 1);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// R22. The queue would grow without bound, or a record would be in it twice.
START_TEST(r22_queue_is_bounded) {
    run_body(bounds_body);
}
END_TEST

static intptr_t starting_body(void *arg) {
    enum { THREADS = 4, QUEUE = 2, FIT = THREADS + QUEUE };
    jg_job jobs[FIT + 1] = {{.state = 0}};
    (void)arg;
    reset_gate();
    jg_executor *pool = open_pool(THREADS, QUEUE);
    for (intptr_t i = 0; i < FIT; i++) {
        ck_assert_int_eq(jg_executor_submit(pool, &jobs[i], pass_gate, (void *)i), 0);
    }
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[FIT], pass_gate, NULL), -EBUSY);
    open_gate();
    for (intptr_t i = 0; i < FIT; i++) {
        ck_assert_int_eq(jg_job_wait(&jobs[i]), i);
    }
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// A burst would be refused while threads are just starting, for whose jobs there is no need to wait.
START_TEST(queue_is_beyond_the_threads_that_start) {
    run_body(starting_body);
}
END_TEST

// Cancelling.

static intptr_t cancel_queued_body(void *arg) {
    (void)arg;
    jg_job running = {0};
    jg_job queued = {.drop_arg = drop_arg};
    jg_executor *pool = open_busy_pool(0, &running);
    ck_assert_int_eq(jg_executor_submit(pool, &queued, pass_gate, (void *)2), 0);
    ck_assert(!jg_job_cancel(&running));
    ck_assert(jg_job_cancel(&queued)); // while the thread is still held: it cannot have helped
    ck_assert(jg_future_cancelled(&queued.future));
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 1);
    ck_assert_int_eq(jg_job_wait(&queued), -ECANCELED);
    ck_assert(!jg_job_cancel(&queued));
    open_gate();
    ck_assert_int_eq(jg_job_wait(&running), 1);
    ck_assert_int_eq(atomic_load(&gate.running), 1); // the cancelled one never ran
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// R22. A cancelled job would wait for a thread first, or run all the same, or leak its argument.
START_TEST(r22_queued_job_is_cancelled_at_once) {
    run_body(cancel_queued_body);
}
END_TEST

enum { CANCELLED = 101 };

static intptr_t cancel_many_body(void *arg) {
    (void)arg;
    jg_job running = {0};
    static jg_job queued[CANCELLED];
    int64_t took_ns[CANCELLED];
    memset(queued, 0, sizeof(queued));
    jg_executor *pool = open_busy_pool(0, &running);
    for (int i = 0; i < CANCELLED; i++) {
        ck_assert_int_eq(jg_executor_submit(pool, &queued[i], pass_gate, (void *)2), 0);
    }
    for (int i = 0; i < CANCELLED; i++) {
        int64_t before_ns = measure_ns(CLOCK_MONOTONIC);
        ck_assert(jg_job_cancel(&queued[i]));
        ck_assert_int_eq(jg_job_wait(&queued[i]), -ECANCELED);
        took_ns[i] = measure_ns(CLOCK_MONOTONIC) - before_ns;
    }
    int64_t median_ns = measure_percentile(took_ns, CANCELLED, 50);
    ck_assert(!MEASURE_PLAIN || median_ns <= JG_MS);
    open_gate();
    ck_assert_int_eq(jg_job_wait(&running), 1);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// Giving up a queued job would take a while, or the longer the queue is.
START_TEST(r22_cancelling_a_queued_job_takes_no_time) {
    run_once(cancel_many_body, NULL);
}
END_TEST

static intptr_t limited_wait_body(void *arg) {
    (void)arg;
    jg_job running = {0};
    jg_job queued = {.drop_arg = drop_arg};
    jg_executor *pool = open_busy_pool(0, &running);
    ck_assert_int_eq(jg_executor_submit(pool, &queued, pass_gate, (void *)2), 0);
    intptr_t rc = 0;
    JG_TIMEOUT(5, rc) {
        rc = jg_job_wait(&queued);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 1);
    open_gate();
    ck_assert_int_eq(jg_job_wait(&running), 1);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// A deadline would not reach a job in the queue.
START_TEST(deadline_takes_a_job_out_of_the_queue) {
    run_body(limited_wait_body);
}
END_TEST

static intptr_t abandon_body(void *arg) {
    (void)arg;
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    intptr_t rc = 0;
    {
        jg_job job = {.abandon = true, .drop_result = drop_word};
        ck_assert_int_eq(jg_executor_submit(pool, &job, pass_gate, (void *)1), 0);
        await_running(1);
        JG_TIMEOUT(5, rc) {
            rc = jg_job_wait(&job);
        }
        memset(&job, 0xff, sizeof(job)); // the record is ours again
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(atomic_load(&gate.dropped_words), 0);
    open_gate();
    ck_assert_int_eq(jg_executor_close(pool), 0);
    ck_assert_int_eq(atomic_load(&gate.dropped_words), 1);
    return 0;
}

// S50 (l), R22. An abandoned job would write into a record that is gone, or leak what it came to.
START_TEST(s50l_abandoned_job_drops_its_result) {
    run_body(abandon_body);
}
END_TEST

static intptr_t wait_abandoning(void *pool) {
    jg_job job = {.abandon = true, .drop_result = drop_word};
    ck_assert_int_eq(jg_executor_submit(pool, &job, pass_gate, (void *)1), 0);
    return jg_job_wait(&job);
}

static intptr_t abandon_cancelled_body(void *arg) {
    (void)arg;
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    jg_task *task = jg_spawn(wait_abandoning, pool);
    await_running(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED); // and the job still runs
    ck_assert_int_eq(atomic_load(&gate.dropped_words), 0);
    open_gate();
    ck_assert_int_eq(jg_executor_close(pool), 0);
    ck_assert_int_eq(atomic_load(&gate.dropped_words), 1);
    return 0;
}

// S50 (l). A cancelled task would wait for a job that it said may be abandoned.
START_TEST(s50l_cancel_abandons_a_job_that_allows_it) {
    needs_loop();
    run_body(abandon_cancelled_body);
}
END_TEST

static intptr_t open_later(void *arg) {
    for (int i = 0; i < 20; i++) {
        jg_yield();
    }
    ck_assert(!jg_done(arg)); // it was cancelled long ago, and waits
    open_gate();
    return 0;
}

static intptr_t run_gated(void *arg) {
    intptr_t rc = jg_executor_run(arg, pass_gate, (void *)7);
    ck_assert_int_eq(rc, 7); // completion wins
    ck_assert_int_eq(jg_cancelling(jg_self()), 1);
    ck_assert_int_eq(jg_yield(), -ECANCELED); // and the cancel stays
    return rc;
}

/* Cancels a task whose job runs, and lets the job end only then. */
static intptr_t cancel_running(const jg_spawn_options *options) {
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    jg_task *task = jg_spawn_with(run_gated, pool, options);
    await_running(1);
    jg_cancel(task);
    jg_task *opener = jg_spawn(open_later, task);
    ck_assert_int_eq(jg_join(task), 7);
    ck_assert_int_eq(jg_join(opener), 0);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

static intptr_t await_default_body(void *arg) {
    (void)arg;
    return cancel_running(&(const jg_spawn_options){.edge = false});
}

// S50 (l). A cancelled wait would leave a function running whose argument lies on the waiter's stack.
START_TEST(s50l_cancel_waits_for_a_running_job) {
    needs_loop();
    run_body(await_default_body);
}
END_TEST

static intptr_t edge_body(void *arg) {
    (void)arg;
    return cancel_running(&(const jg_spawn_options){.edge = true});
}

// Under asyncio's edge rule the cancel would be used up by a wait that nobody saw refused.
START_TEST(edge_cancel_is_not_lost_in_a_wait) {
    needs_loop();
    run_body(edge_body);
}
END_TEST

static intptr_t submit_cancelled(void *arg) {
    jg_job job = {.drop_arg = drop_arg};
    ck_assert_int_eq(jg_sleep(60 * 1000), -ECANCELED);
    ck_assert_int_eq(jg_executor_run(arg, pass_gate, NULL), -ECANCELED);
    ck_assert_int_eq(jg_to_thread(pass_gate, NULL), -ECANCELED);
    ck_assert_int_eq(jg_executor_submit(arg, &job, pass_gate, NULL), 0);
    ck_assert_int_eq(jg_job_wait(&job), -ECANCELED);
    return 0;
}

static intptr_t cancel_before_body(void *arg) {
    (void)arg;
    jg_job running = {0};
    jg_executor *pool = open_busy_pool(0, &running);
    const jg_spawn_options eager = {.eager = true};
    jg_task *task = jg_spawn_with(submit_cancelled, pool, &eager);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), 0);
    ck_assert_int_eq(atomic_load(&gate.running), 1);
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 1);
    open_gate();
    ck_assert_int_eq(jg_job_wait(&running), 1);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// While a cancel stands, a job would still be begun, or its wait would hang.
START_TEST(cancel_stands_before_the_submit) {
    needs_loop();
    run_body(cancel_before_body);
}
END_TEST

FIXTURE_MAIN("api/executor", word_comes_back, error_comes_back_with_its_detail, queue_is_worked_off,
             job_lets_other_tasks_go_on, future_of_a_job_is_a_future, jobs_are_gathered,
             cancelled_gather_cancels_its_jobs, r22_queue_is_bounded,
             queue_is_beyond_the_threads_that_start, r22_queued_job_is_cancelled_at_once,
             r22_cancelling_a_queued_job_takes_no_time, deadline_takes_a_job_out_of_the_queue,
             s50l_abandoned_job_drops_its_result, s50l_cancel_abandons_a_job_that_allows_it,
             s50l_cancel_waits_for_a_running_job, edge_cancel_is_not_lost_in_a_wait,
             cancel_stands_before_the_submit)
