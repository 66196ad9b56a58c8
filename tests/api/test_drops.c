// SPDX-License-Identifier: MIT
/* test_drops.c – the drop functions of values, queues and jobs, and what compares or asks for a queue or a
 * condition.
 *
 * Holds      a queue and a lock for those who use them from inside.
 * Invariant  see callback_steps.h.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        they are called with the object half changed, and may use it.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/callback_steps.h"

// Values, queues, conditions.

static intptr_t values_body(void *arg) {
    static const jg_local local = {.name = "word", .drop = drop_badly};
    static char word;
    (void)arg;
    ck_assert_int_eq(jg_local_set(&local, &word), 0);
    ck_assert_int_eq(jg_local_set(&local, &word), 0);
    expect_refused(1);
    ck_assert_int_eq(jg_local_unset(&local), 0);
    expect_refused(1);
    return 0;
}

// A task that waits in a value's drop function would have let go of its list in the middle.
START_TEST(a_values_drop_function_cannot_suspend) {
    run_body(values_body);
}
END_TEST

static jg_queue queue;

static void drop_item(void *word) {
    (void)word;
    try_to_suspend();
    ck_assert_int_eq(jg_queue_put(&queue, 99), -EDEADLK);
    ck_assert_int_eq(jg_queue_try_put(&queue, 99), -EPIPE);
    jg_queue_shutdown(&queue, false);
}

static void drop_rest(void *word) {
    intptr_t next;
    int rc = jg_queue_try_get(&queue, &next);
    try_to_suspend();
    ck_assert(rc == -EPIPE || (rc == 0 && next == (intptr_t)word + 1));
    jg_queue_shutdown(&queue, true);
}

static void fill_queue(jg_drop_fn *drop) {
    const jg_queue_options options = {.drop = drop};
    jg_queue_init(&queue, &options);
    for (intptr_t i = 1; i <= 4; i++) {
        ck_assert_int_eq(jg_queue_try_put(&queue, i), 0);
    }
}

static intptr_t queue_drops_body(void *arg) {
    (void)arg;
    fill_queue(drop_item);
    jg_queue_fini(&queue);
    expect_refused(4);
    fill_queue(drop_item);
    jg_queue_shutdown(&queue, true);
    expect_refused(4);
    ck_assert_uint_eq(jg_queue_unfinished(&queue), 0);
    jg_queue_fini(&queue);
    fill_queue(drop_rest);
    jg_queue_fini(&queue);
    expect_refused(2);
    fill_queue(drop_rest);
    jg_queue_shutdown(&queue, true);
    expect_refused(2);
    ck_assert_uint_eq(jg_queue_count(&queue), 0);
    ck_assert_uint_eq(jg_queue_unfinished(&queue), 2); // what was got there
    jg_queue_fini(&queue);
    return 0;
}

// A queue whose items are being dropped would be filled again, for ever, or emptied twice.
START_TEST(a_queues_drop_function_may_use_the_queue) {
    run_body(queue_drops_body);
}
END_TEST

static int compare_badly(intptr_t a, intptr_t b) {
    try_to_suspend();
    return (a > b) - (a < b);
}

static intptr_t compare_body(void *arg) {
    const jg_queue_options options = {.order = JG_PRIORITY, .compare = compare_badly};
    intptr_t item;
    (void)arg;
    jg_queue_init(&queue, &options);
    for (intptr_t i = 0; i < 20; i++) {
        ck_assert_int_eq(jg_queue_put(&queue, i * 7 % 20), 0);
    }
    for (intptr_t i = 0; i < 20; i++) {
        ck_assert_int_eq(jg_queue_get(&queue, &item), 0);
        ck_assert_int_eq(item, i);
    }
    jg_queue_fini(&queue);
    expect_refused(atomic_load(&calls));
    return 0;
}

// Another task would find the heap with an item in its hand.
START_TEST(what_compares_cannot_suspend) {
    run_once(compare_body, NULL);
}
END_TEST

static int compare_and_use(intptr_t a, intptr_t b) {
    intptr_t item;
    if (a == 3 || b == 3) {
        jg_queue_try_get(&queue, &item);
    } else {
        jg_queue_try_put(&queue, 8);
    }
    return (a > b) - (a < b);
}

static void use_while_comparing(void *arg) {
    const jg_queue_options options = {.order = JG_PRIORITY, .compare = compare_and_use};
    jg_queue_init(&queue, &options);
    jg_queue_try_put(&queue, 1);
    jg_queue_try_put(&queue, *(const int *)arg);
}

// The heap would grow, and move, under the one who looks for a place in it.
START_TEST(a_queue_used_while_it_compares_is_named) {
    static int with_put = 2;
    static int with_get = 3;
    fixture_expect_abort(use_while_comparing, &with_put, "a queue's compare function puts into");
    fixture_expect_abort(use_while_comparing, &with_get, "a queue's compare function puts into");
}
END_TEST

static jg_lock lock_of_cond;

static bool holds_after_a_while(void *arg) {
    ck_assert_int_eq(jg_sleep(1), 0);
    return arg == NULL || jg_lock_release(&lock_of_cond) == 0;
}

static intptr_t predicate_body(void *arg) {
    static int lets_go;
    jg_cond cond = {0};
    (void)arg;
    ck_assert_int_eq(jg_lock_acquire(&lock_of_cond), 0);
    ck_assert_int_eq(jg_cond_wait_for(&cond, &lock_of_cond, holds_after_a_while, NULL), 0);
    ck_assert(jg_lock_is_held(&lock_of_cond));
    ck_assert_int_eq(jg_cond_wait_for(&cond, &lock_of_cond, holds_after_a_while, &lets_go), -EPERM);
    ck_assert(!jg_lock_is_held(&lock_of_cond));
    return 0;
}

// A wait would return as if it had the lock, which its condition gave up.
START_TEST(a_condition_may_suspend_and_keeps_the_lock) {
    run_body(predicate_body);
}
END_TEST

// Jobs.

static intptr_t job_drops_body(void *arg) {
    jg_job running = {.drop_result = drop_badly, .abandon = true};
    jg_job queued = {.drop_arg = drop_badly};
    jg_executor *pool = open_pool(1, 0);
    (void)arg;
    reset_gate();
    ck_assert_int_eq(jg_executor_submit(pool, &running, pass_gate, (void *)1), 0);
    await_running(1);
    ck_assert_int_eq(jg_executor_submit(pool, &queued, square, NULL), 0);
    ck_assert(jg_job_cancel(&queued));
    expect_refused(1);
    ck_assert_int_eq(jg_executor_submit(pool, &queued, square, NULL), 0);
    jg_executor_shutdown(pool);
    expect_refused(1);
    ck_assert_int_eq(jg_job_wait(&queued), -ECANCELED);
    ck_assert_int_eq(jg_executor_submit(pool, &queued, square, NULL), -ESHUTDOWN);
    expect_refused(1);
    ck_assert(jg_job_cancel(&running)); // its word is dropped on the pool's thread
    atomic_store(&gate.open, 1);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    expect_refused(1);
    return 0;
}

// Whoever cancels a job would wait in its drop function, with other cancels half spread.
START_TEST(a_jobs_drop_functions_cannot_suspend) {
    run_once(job_drops_body, NULL);
}
END_TEST

static intptr_t close_pool(void *pool) {
    return jg_executor_close(pool);
}

static intptr_t close_cancelled_body(void *arg) {
    jg_job running = {.future = {0}};
    jg_job queued = {.drop_arg = drop_badly};
    jg_executor *pool = open_pool(1, 0);
    (void)arg;
    reset_gate();
    ck_assert_int_eq(jg_executor_submit(pool, &running, pass_gate, (void *)1), 0);
    await_running(1);
    ck_assert_int_eq(jg_executor_submit(pool, &queued, square, NULL), 0);
    jg_task *closer = jg_spawn(close_pool, pool);
    jg_sleep(1);
    jg_cancel(closer); // which shuts the pool down, in here
    expect_refused(1);
    atomic_store(&gate.open, 1);
    ck_assert_int_eq(jg_join(closer), -ECANCELED);
    ck_assert_int_eq(jg_job_wait(&running), 1);
    return 0;
}

// A cancel would stop in the middle of its way through the tasks.
START_TEST(a_drop_function_inside_a_cancel_cannot_suspend) {
    needs_loop();
    run_once(close_cancelled_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/drops", a_values_drop_function_cannot_suspend,
             a_queues_drop_function_may_use_the_queue, what_compares_cannot_suspend,
             a_queue_used_while_it_compares_is_named, a_condition_may_suspend_and_keeps_the_lock,
             a_jobs_drop_functions_cannot_suspend, a_drop_function_inside_a_cancel_cannot_suspend)
