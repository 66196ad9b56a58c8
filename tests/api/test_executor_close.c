// SPDX-License-Identifier: MIT
/* test_executor_close.c – how executors and their threads come and go: closing, misuse, limits, forks.
 *
 * Holds      nothing between tests.
 * Invariant  the fixture's audit after each test: no descriptor, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a job that meets the end of its thread, pool, loop or process would be lost, or post to what
 *            is gone.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/executor_gate.h"
#include "fixtures/limits.h"

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
    jg_job running = {.drop_arg = drop_arg};
    jg_job queued[5] = {{.state = 0}};
    jg_executor *pool = open_busy_pool(0, &running);
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
    jg_job running = {0};
    jg_job queued = {.drop_arg = drop_arg};
    jg_executor *pool = open_busy_pool(0, &running);
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

static intptr_t wait_elsewhere(void *job) {
    return jg_job_wait(job);
}

static intptr_t cancel_elsewhere(void *job) {
    return jg_job_cancel(job);
}

static intptr_t elsewhere_body(void *fn) {
    static jg_job job;
    reset_gate();
    ck_assert_int_eq(jg_executor_submit(NULL, &job, pass_gate, NULL), 0);
    return jg_worker_join(start(JG_WORKER_THREAD, *(jg_fn **)fn, &job));
}

static void run_elsewhere(void *fn) {
    jg_run(elsewhere_body, fn);
}

// A job would be settled on a thread that is not its loop's, under the feet of who waits there.
START_TEST(misuse_on_another_thread_is_named) {
    static jg_fn *wait = wait_elsewhere;
    static jg_fn *cancel = cancel_elsewhere;
    static const char text[] = "a job is waited for or cancelled elsewhere";
    needs_loop();
    fixture_expect_abort(run_elsewhere, &wait, text);
    fixture_expect_abort(run_elsewhere, &cancel, text);
}
END_TEST

static intptr_t no_threads_body(void *arg) {
    (void)arg;
    reset_gate();
    const jg_executor_options huge = {.threads = 2, .stack_size = (size_t)1 << 48};
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

// Threads that are left.

static intptr_t leave_thread(void *arg) {
    pass_gate(arg);
    pthread_exit(arg);
}

static intptr_t left_body(void *arg) {
    (void)arg;
    jg_job left = {.state = 0};
    jg_job queued = {.state = 0};
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    ck_assert_int_eq(jg_executor_submit(pool, &left, leave_thread, NULL), 0);
    ck_assert_int_eq(jg_executor_submit(pool, &queued, square, (void *)3), 0);
    open_gate();
    ck_assert_int_eq(jg_job_wait(&left), -EOWNERDEAD);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EOWNERDEAD), "without handing back a word"));
    jg_error_clear();
    ck_assert_int_eq(jg_job_wait(&queued), 9);
    for (intptr_t n = 0; n < 20; n++) {
        ck_assert_int_eq(jg_executor_run(pool, leave_thread, NULL), -EOWNERDEAD);
        ck_assert_int_eq(jg_executor_run(pool, square, (void *)n), n * n);
    }
    jg_error_clear();
    ck_assert_int_eq(jg_executor_submit(pool, &left, leave_thread, NULL), 0);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    ck_assert_int_eq(jg_job_wait(&left), -EOWNERDEAD);
    jg_error_clear();
    return 0;
}

// A function that leaves its thread would hang its waiter, those in the queue, and the close.
START_TEST(thread_that_is_left_is_replaced) {
    run_body(left_body);
}
END_TEST

static intptr_t left_alone_body(void *arg) {
    (void)arg;
    jg_job job = {.abandon = true, .drop_result = drop_word};
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    ck_assert_int_eq(jg_executor_submit(pool, &job, leave_thread, NULL), 0);
    await_running(1);
    ck_assert(jg_job_cancel(&job));
    open_gate();
    ck_assert_int_eq(jg_executor_run(pool, square, (void *)4), 16);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    ck_assert_int_eq(atomic_load(&gate.dropped_words), 0); // there was none
    return 0;
}

// An abandoned function that leaves its thread would take the pool's only one with it.
START_TEST(abandoned_job_may_leave_its_thread) {
    run_body(left_alone_body);
}
END_TEST

static void leave_at_once(void *word) {
    pthread_exit(word);
}

static intptr_t left_in_drop_body(void *arg) {
    (void)arg;
    jg_job job = {.abandon = true, .drop_result = leave_at_once};
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    ck_assert_int_eq(jg_executor_submit(pool, &job, pass_gate, (void *)1), 0);
    await_running(1);
    ck_assert(jg_job_cancel(&job));
    open_gate();
    jg_executor_stats stats;
    do {
        jg_executor_stats_get(pool, &stats);
        breathe();
    } while (stats.threads > 0); // it was among the idle
    ck_assert_int_eq(jg_executor_run(pool, square, (void *)4), 16);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// A thread left in a drop function would stay among the idle ones: the next job would go to nobody.
START_TEST(drop_function_may_leave_its_thread) {
    run_body(left_in_drop_body);
}
END_TEST

static intptr_t irreplaceable_body(void *arg) {
    (void)arg;
    const size_t stack_size = (size_t)1 << 30;
    const jg_executor_options options = {.threads = 1, .stack_size = stack_size};
    jg_job jobs[3] = {{.state = 0}, {.drop_arg = drop_arg}, {.drop_arg = drop_arg}};
    jg_executor *pool = NULL;
    reset_gate();
    ck_assert_int_eq(jg_executor_open(&options, &pool), 0);
    limit_address_space(stack_size + stack_size / 2);
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[0], leave_thread, NULL), 0);
    await_running(1);
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[1], square, (void *)1), 0);
    ck_assert_int_eq(jg_executor_submit(pool, &jobs[2], square, (void *)2), 0);
    open_gate();
    ck_assert_int_eq(jg_job_wait(&jobs[0]), -EOWNERDEAD);
    ck_assert_int_eq(jg_job_wait(&jobs[1]), -EAGAIN);
    ck_assert_int_eq(jg_job_wait(&jobs[2]), -EAGAIN);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    ck_assert_int_eq(atomic_load(&gate.dropped_args), 2);
    jg_error_clear();
    return 0;
}

// Where the last thread is left and there is no other, the queue would wait for ever.
START_TEST(queue_is_told_when_no_other_thread_is_to_be_had) {
#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
    fixture_skip("sanitizers reserve terabytes: the limit would strike at once");
#endif
    run_once(irreplaceable_body, NULL);
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
    return refused && stats.threads == 0 ? 0 : -EPROTO;
}

static intptr_t forked_copy_body(void *arg) {
    (void)arg;
    jg_executor *pool = open_pool(1, 0);
    ck_assert_int_eq(jg_executor_run(pool, square, (void *)3), 9);
    ck_assert_int_eq(jg_worker_join(start(JG_WORKER_PROCESS, use_forked, pool)), 0);
    ck_assert_int_eq(jg_executor_run(pool, square, (void *)4), 16);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return 0;
}

// In a forked child, whose copy has no threads, a job would wait for ever.
START_TEST(forked_copy_is_refused) {
    run_body(forked_copy_body);
}
END_TEST

static intptr_t use_default(void *arg) {
    return jg_executor_run(NULL, square, arg);
}

static intptr_t forked_default_body(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_executor_run(NULL, square, (void *)3), 9);
    ck_assert_int_eq(jg_worker_join(start(JG_WORKER_PROCESS, use_default, (void *)4)), 16);
    ck_assert_int_eq(jg_executor_run(NULL, square, (void *)5), 25);
    return 0;
}

// The default executor of a forked child would give its jobs to threads that stayed with the parent.
START_TEST(forked_child_starts_threads_of_its_own) {
#if defined(JUGGLE_SANITIZE_THREAD)
    fixture_skip("ThreadSanitizer lets no forked child start threads");
#endif
    fixture_skip_emulated("qemu-user aborts where a child forked beside threads starts one");
    run_body(forked_default_body);
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

static void shut_everyones_down(void *arg) {
    jg_executor_shutdown(arg);
}

// One part of a program would take the threads of all others away, or read from address 0.
START_TEST(everyones_executor_is_never_closed) {
    ck_assert_int_eq(jg_executor_close(NULL), -EINVAL);
    fixture_expect_abort(shut_everyones_down, NULL,
                         "the executor that every program has is shut down");
}
END_TEST

FIXTURE_MAIN("api/executor_close", everyones_executor_is_never_closed, close_waits_for_every_job,
             shutdown_cancels_the_queue, close_cut_short_cancels_the_queue, misuse_is_refused,
             misuse_on_another_thread_is_named, no_thread_to_be_had_is_an_error,
             thread_that_is_left_is_replaced, abandoned_job_may_leave_its_thread,
             drop_function_may_leave_its_thread, queue_is_told_when_no_other_thread_is_to_be_had,
             idle_threads_end_or_stay, queue_is_bounded_where_no_thread_is_to_be_had,
             job_meets_the_last_thread_leaving, forked_copy_is_refused,
             forked_child_starts_threads_of_its_own, r12_loop_ends_before_its_jobs)
