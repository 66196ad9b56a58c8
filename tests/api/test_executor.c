// SPDX-License-Identifier: MIT
/* test_executor.c – jobs on the threads of an executor: words, errors, bounds, cancelling, closing.
 *
 * Holds      gates that hold jobs on their threads until a test opens them.
 * Invariant  the fixture's audit after each test: no descriptor, no block is left. No test leans on how
 *            fast a thread is: it waits for what the thread reports.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a job that is lost hangs its waiter; one that outlives its record writes into freed memory.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/limits.h"
#include "api/worker_steps.h"

static jg_executor *open_pool(size_t threads, size_t queue) {
    const jg_executor_options options = {.threads = threads, .queue = queue};
    jg_executor *pool = NULL;
    ck_assert_int_eq(jg_executor_open(&options, &pool), 0);
    return pool;
}

/* A job that says it runs, and waits to be let go. */
struct gate {
    atomic_int running;
    atomic_int open;
    atomic_int dropped_args;
    atomic_int dropped_words;
};

static struct gate gate;

static void reset_gate(void) {
    atomic_store(&gate.running, 0);
    atomic_store(&gate.open, 0);
    atomic_store(&gate.dropped_args, 0);
    atomic_store(&gate.dropped_words, 0);
}

static void breathe(void) {
    if (jg_running()) {
        jg_yield();
    } else {
        sched_yield();
    }
}

static void await_running(int count) {
    while (atomic_load(&gate.running) < count) {
        breathe();
    }
}

static intptr_t pass_gate(void *arg) {
    atomic_fetch_add(&gate.running, 1);
    while (atomic_load(&gate.open) == 0) {
        sched_yield();
    }
    return (intptr_t)arg;
}

static void drop_arg(void *arg) {
    (void)arg;
    atomic_fetch_add(&gate.dropped_args, 1);
}

static void drop_word(void *word) {
    (void)word;
    atomic_fetch_add(&gate.dropped_words, 1);
}

static void open_gate(void) {
    atomic_store(&gate.open, 1);
}

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
    ck_assert_str_eq(jg_error_last()->task, "jg-pool");
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

static intptr_t fail_or_square(void *arg) {
    intptr_t n = (intptr_t)arg;
    return n % 5 == 4 ? jg_fail(-EPROTO, "job %d", (int)n) : n * n;
}

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
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    jg_job running = {0};
    jg_job queued = {.drop_arg = drop_arg};
    jg_future *futures[] = {&running.future, &queued.future};
    ck_assert_int_eq(jg_executor_submit(pool, &running, pass_gate, (void *)1), 0);
    await_running(1);
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
    reset_gate();
    jg_executor *pool = open_pool(1, 2);
    jg_job jobs[4] = {{.drop_arg = drop_arg}, {.state = 0}, {.state = 0}, {.drop_arg = drop_arg}};
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[0], pass_gate, (void *)1), 0);
    await_running(1);
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

// Cancelling.

static intptr_t cancel_queued_body(void *arg) {
    (void)arg;
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    jg_job running = {0};
    jg_job queued = {.drop_arg = drop_arg};
    ck_assert_int_eq(jg_executor_submit(pool, &running, pass_gate, (void *)1), 0);
    await_running(1);
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

static intptr_t limited_wait_body(void *arg) {
    (void)arg;
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    jg_job running = {0};
    jg_job queued = {.drop_arg = drop_arg};
    ck_assert_int_eq(jg_executor_submit(pool, &running, pass_gate, (void *)1), 0);
    await_running(1);
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

static intptr_t await_default_body(void *arg) {
    (void)arg;
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    jg_task *task = jg_spawn(run_gated, pool);
    await_running(1);
    jg_cancel(task);
    jg_task *opener = jg_spawn(open_later, task);
    ck_assert_int_eq(jg_join(task), 7);
    ck_assert_int_eq(jg_join(opener), 0);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// S50 (l). A cancelled wait would leave a function running whose argument lies on the waiter's stack.
START_TEST(s50l_cancel_waits_for_a_running_job) {
    needs_loop();
    run_body(await_default_body);
}
END_TEST

static intptr_t edge_body(void *arg) {
    (void)arg;
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    const jg_spawn_options edge = {.edge = true};
    jg_task *task = jg_spawn_with(run_gated, pool, &edge);
    await_running(1);
    jg_cancel(task);
    jg_task *opener = jg_spawn(open_later, task);
    ck_assert_int_eq(jg_join(task), 7);
    ck_assert_int_eq(jg_join(opener), 0);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
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
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    jg_job running = {0};
    ck_assert_int_eq(jg_executor_submit(pool, &running, pass_gate, (void *)1), 0);
    await_running(1);
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

// Closing.

static intptr_t close_waits_body(void *arg) {
    (void)arg;
    jg_executor *pool = open_pool(2, 0);
    jg_job jobs[50] = {{.abandon = false}};
    for (intptr_t i = 0; i < 50; i++) {
        ck_assert_int_eq(jg_executor_submit(pool, &jobs[i], square, (void *)i), 0);
    }
    ck_assert_int_eq(jg_executor_close(pool), 0);
    for (intptr_t i = 0; i < 50; i++) {
        ck_assert_int_eq(jg_job_wait(&jobs[i]), i * i);
    }
    return 0;
}

// Closing would lose jobs that were accepted.
START_TEST(close_waits_for_every_job) {
    run_body(close_waits_body);
}
END_TEST

static intptr_t shutdown_body(void *arg) {
    (void)arg;
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    jg_job running = {.drop_arg = drop_arg};
    jg_job queued[5] = {{.state = 0}};
    ck_assert_int_eq(jg_executor_submit(pool, &running, pass_gate, (void *)1), 0);
    await_running(1);
    for (intptr_t i = 0; i < 5; i++) {
        queued[i].drop_arg = drop_arg;
        ck_assert_int_eq(jg_executor_submit(pool, &queued[i], pass_gate, NULL), 0);
    }
    jg_executor_shutdown(pool);
    jg_executor_shutdown(pool);
    jg_job late = {.drop_arg = drop_arg};
    ck_assert_int_eq(jg_executor_submit(pool, &late, square, NULL), -ESHUTDOWN);
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 6);
    for (intptr_t i = 0; i < 5; i++) {
        ck_assert_int_eq(jg_job_wait(&queued[i]), -ECANCELED);
        ck_assert(jg_future_cancelled(&queued[i].future));
    }
    open_gate();
    ck_assert_int_eq(jg_job_wait(&running), 1);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 6);
    return 0;
}

// After a shutdown jobs would still be taken, or the queue would hang its waiters.
START_TEST(shutdown_cancels_the_queue) {
    run_body(shutdown_body);
}
END_TEST

static void *open_when_dropped(void *arg) {
    while (atomic_load(&gate.dropped_args) == 0) {
        sched_yield();
    }
    open_gate();
    return arg;
}

static intptr_t close_limited_body(void *arg) {
    (void)arg;
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    jg_job running = {0};
    jg_job queued = {.drop_arg = drop_arg};
    ck_assert_int_eq(jg_executor_submit(pool, &running, pass_gate, (void *)1), 0);
    await_running(1);
    ck_assert_int_eq(jg_executor_submit(pool, &queued, pass_gate, NULL), 0);
    pthread_t helper;
    ck_assert_int_eq(pthread_create(&helper, NULL, open_when_dropped, NULL), 0);
    JG_TIMEOUT(5) {
        ck_assert_int_eq(jg_executor_close(pool), 0);
    }
    pthread_join(helper, NULL);
    ck_assert_int_eq(jg_job_wait(&queued), -ECANCELED);
    ck_assert_int_eq(jg_job_wait(&running), 1);
    return 0;
}

// A close that is cut short would wait for the whole queue, or leave the pool half closed.
START_TEST(close_cut_short_cancels_the_queue) {
    run_body(close_limited_body);
}
END_TEST

static intptr_t close_own(void *arg) {
    return jg_executor_close(arg);
}

static intptr_t misuse_body(void *arg) {
    (void)arg;
    jg_executor *pool = open_pool(1, 0);
    ck_assert_int_eq(jg_executor_run(pool, close_own, pool), -EDEADLK);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    const jg_executor_options huge = {.stack_size = SIZE_MAX};
    ck_assert_int_eq(jg_executor_open(&huge, &pool), -EINVAL);
    return 0;
}

// A job that closes its own executor would wait for itself for ever.
START_TEST(misuse_is_refused) {
    run_body(misuse_body);
}
END_TEST

static intptr_t no_threads_body(void *arg) {
    (void)arg;
    reset_gate();
    const jg_executor_options huge = {.threads = 2, .stack_size = (size_t)1 << 46};
    jg_executor *pool = NULL;
    jg_job job = {.drop_arg = drop_arg};
    ck_assert_int_eq(jg_executor_open(&huge, &pool), 0);
    ck_assert_int_eq(jg_executor_submit(pool, &job, square, NULL), -EAGAIN);
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 1);
    ck_assert_int_eq(jg_job_wait(&job), -EINVAL);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// At the limit of threads a job would be queued before nobody, and wait for ever.
START_TEST(no_thread_to_be_had_is_an_error) {
    if (sanitized) {
        fixture_skip("the sanitizers answer a stack that cannot be by ending the program");
    }
    run_body(no_threads_body);
}
END_TEST

// Idle threads.

static size_t alive(jg_executor *pool) {
    jg_executor_stats stats;
    jg_executor_stats_get(pool, &stats);
    return stats.threads;
}

static intptr_t idle_body(void *arg) {
    (void)arg;
    const jg_executor_options impatient = {.threads = 4, .idle_ms = 1};
    const jg_executor_options patient = {
        .threads = 4, .idle_ms = -1, .name = "a-very-long-pool-name"};
    jg_executor *pool;
    ck_assert_int_eq(jg_executor_open(&impatient, &pool), 0);
    ck_assert_int_eq(jg_executor_run(pool, square, (void *)2), 4);
    while (alive(pool) > 0) {
        breathe(); // the test's limit is what fails it
    }
    ck_assert_int_eq(jg_executor_run(pool, square, (void *)3), 9);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    ck_assert_int_eq(jg_executor_open(&patient, &pool), 0);
    for (intptr_t i = 0; i < 10; i++) {
        ck_assert_int_eq(jg_executor_run(pool, square, (void *)i), i * i);
    }
    ck_assert_uint_eq(alive(pool), 1); // a job goes to a thread that is idle
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// Threads without work would stay for ever, or every job would start one.
START_TEST(idle_threads_end_or_stay) {
    run_once(idle_body, NULL);
}
END_TEST

static intptr_t one_thread_body(void *arg) {
    (void)arg;
    const size_t stack_size = (size_t)1 << 30;
    const jg_executor_options options = {.threads = 4, .queue = 2, .stack_size = stack_size};
    jg_job jobs[4] = {{.state = 0}, {.state = 0}, {.state = 0}, {.drop_arg = drop_arg}};
    jg_executor *pool = NULL;
    reset_gate();
    ck_assert_int_eq(jg_executor_open(&options, &pool), 0);
    limit_address_space(stack_size + stack_size / 2);
    for (intptr_t i = 0; i < 3; i++) {
        ck_assert_int_eq(jg_executor_submit(pool, &jobs[i], pass_gate, (void *)i), 0);
        await_running(1);
    }
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[3], pass_gate, NULL), -EBUSY);
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 1);
    open_gate();
    for (intptr_t i = 0; i < 3; i++) {
        ck_assert_int_eq(jg_job_wait(&jobs[i]), i);
    }
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// At the limit of threads the queue before those there are would grow without bound.
START_TEST(queue_is_bounded_where_no_thread_is_to_be_had) {
#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
    fixture_skip("sanitizers reserve terabytes: the limit would strike at once");
#endif
    run_once(one_thread_body, NULL);
}
END_TEST

static intptr_t leaving_thread_body(void *arg) {
    (void)arg;
    const jg_executor_options options = {.threads = 1, .idle_ms = 1};
    jg_executor_stats stats;
    jg_executor *pool = NULL;
    ck_assert_int_eq(jg_executor_open(&options, &pool), 0);
    for (intptr_t n = 0; n < 200; n++) {
        intptr_t rc = 0;
        do {
            jg_executor_stats_get(pool, &stats);
        } while (stats.idle > 0); // from here on it ends, or has ended
        JG_TIMEOUT(5000, rc) {
            rc = jg_executor_run(pool, square, (void *)n);
        }
        ck_assert_int_eq(rc, n * n);
    }
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// A job given to a pool whose last thread is just ending for want of work would wait for ever.
START_TEST(job_meets_the_last_thread_leaving) {
    run_once(leaving_thread_body, NULL);
}
END_TEST

static intptr_t use_forked(void *arg) {
    jg_job job = {.drop_arg = drop_arg};
    reset_gate();
    bool refused = jg_executor_submit(arg, &job, square, NULL) == -ECHILD &&
                   jg_executor_close(arg) == -ECHILD && atomic_load(&gate.dropped_args) == 1;
    jg_executor_shutdown(arg);
    jg_executor_stats stats;
    jg_executor_stats_get(arg, &stats);
    refused = refused && stats.threads == 0;
    intptr_t own = jg_executor_run(NULL, square, (void *)3);
    return refused ? own : -EPROTO;
}

static intptr_t fork_body(void *arg) {
    (void)arg;
    jg_executor *pool = open_pool(1, 0);
    ck_assert_int_eq(jg_executor_run(pool, square, (void *)3), 9);
    ck_assert_int_eq(jg_executor_run(NULL, square, (void *)3), 9);
    ck_assert_int_eq(jg_worker_join(start(JG_WORKER_PROCESS, use_forked, pool)), 9);
    ck_assert_int_eq(jg_executor_run(pool, square, (void *)4), 16);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// In a forked child, whose copy has no threads, a job would wait for ever.
START_TEST(forked_copy_is_refused) {
#if defined(JUGGLE_SANITIZE_THREAD)
    fixture_skip("ThreadSanitizer lets no forked child start threads");
#endif
    run_body(fork_body);
}
END_TEST

static void say_nothing(const jg_error *error) {
    (void)error;
}

struct leaving {
    jg_executor *pool;
    jg_job jobs[20];
};

static intptr_t leave_body(void *arg) {
    struct leaving *leaving = arg;
    for (intptr_t i = 0; i < 20; i++) {
        leaving->jobs[i] = (jg_job){.drop_result = drop_word};
        ck_assert_int_eq(
            jg_executor_submit(leaving->pool, &leaving->jobs[i], fail_or_square, (void *)i), 0);
    }
    return 0; // the loop ends with its jobs under way
}

/* R12. A loop that ends before its jobs would be posted to when it is gone, or leak what they came to. */
START_TEST(r12_loop_ends_before_its_jobs) {
    needs_loop();
    static struct leaving leaving;
    jg_error_on_unretrieved(say_nothing);
    for (int round = 0; round < 50; round++) {
        leaving.pool = open_pool(2, 0);
        run_once(leave_body, &leaving);
        ck_assert_int_eq(jg_executor_close(leaving.pool), 0);
        for (size_t i = 0; i < 20; i++) {
            ck_assert(jg_future_done(&leaving.jobs[i].future));
            jg_future_fini(&leaving.jobs[i].future);
        }
    }
}
END_TEST

FIXTURE_MAIN("api/executor", word_comes_back, error_comes_back_with_its_detail, queue_is_worked_off,
             job_lets_other_tasks_go_on, future_of_a_job_is_a_future, jobs_are_gathered,
             cancelled_gather_cancels_its_jobs, r22_queue_is_bounded,
             r22_queued_job_is_cancelled_at_once, deadline_takes_a_job_out_of_the_queue,
             s50l_abandoned_job_drops_its_result, s50l_cancel_waits_for_a_running_job,
             edge_cancel_is_not_lost_in_a_wait, cancel_stands_before_the_submit,
             close_waits_for_every_job, shutdown_cancels_the_queue,
             close_cut_short_cancels_the_queue, misuse_is_refused, no_thread_to_be_had_is_an_error,
             idle_threads_end_or_stay, job_meets_the_last_thread_leaving,
             queue_is_bounded_where_no_thread_is_to_be_had, forked_copy_is_refused,
             r12_loop_ends_before_its_jobs)
