// SPDX-License-Identifier: MIT
/* test_process_pool_server.c – a process pool whose fork server does not answer, or refuses, or is gone.
 *
 * Holds      nothing between tests.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        RELIABILITY R23. A process can be stopped, or be slow to fork: the loop must not be.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/process_pool_steps.h"

static pid_t server_of(jg_process_pool *pool) {
    return (pid_t)run_int(pool, parent_id, 0);
}

static intptr_t die_in_task(void *pool) {
    return run_int(pool, die, 0);
}

static intptr_t stopped_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    intptr_t rc = 0;
    int ticks = 0;
    (void)arg;
    pid_t server = server_of(pool);
    stop_process(server);
    const jg_spawn_options eager = {.eager = true};
    jg_task *dying = jg_spawn_with(die_in_task, pool, &eager);
    jg_task *next = jg_spawn(square_in_task, pool); // waits for the dead one's successor
    for (; !jg_done(dying); ticks++) {
        ck_assert_int_eq(jg_sleep(1), 0);
    }
    ck_assert_int_ge(ticks, 10);
    ck_assert_int_eq(jg_join(dying), -EOWNERDEAD);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EOWNERDEAD), "fork server does not say how"));
    JG_TIMEOUT(20, rc) {
        rc = run_int(pool, square_int, 3);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert(!jg_done(next));
    kill(server, SIGCONT);
    ck_assert_int_eq(jg_join(next), 16);
    ck_assert_int_eq(run_int(pool, square_int, 5), 25);
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// While the fork server is stopped, a worker that must be replaced would stop the loop with it.
START_TEST(stopped_server_does_not_stop_the_loop) {
    needs_loop();
    run_once(stopped_body, NULL);
}
END_TEST

/* A task whose job has begun, and never ends by itself. */
static jg_task *start_hanging(jg_process_pool *pool) {
    atomic_store(shared, 0);
    jg_task *task = jg_spawn(hang_in_task, pool);
    while (atomic_load(shared) == 0) {
        jg_sleep(1);
    }
    return task;
}

static intptr_t cancel_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    (void)arg;
    pid_t server = server_of(pool);
    jg_task *task = start_hanging(pool);
    stop_process(server);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    for (int i = 0; i < 3; i++) { // what a cancelled job leaves of a start, the next takes up
        task = jg_spawn(square_in_task, pool);
        jg_sleep(1);
        jg_cancel(task);
        ck_assert_int_eq(jg_join(task), -ECANCELED);
    }
    kill(server, SIGCONT);
    ck_assert_int_eq(run_int(pool, square_int, 5), 25);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// A cancelled job would wait for the stopped server, or take a place of the pool with it.
START_TEST(cancel_needs_no_server) {
    needs_loop();
    shared = shared_page();
    run_once(cancel_body, NULL);
    munmap(shared, 4096);
}
END_TEST

static intptr_t close_body(void *arg) {
    jg_process_pool *pool = open_pool(2);
    (void)arg;
    stop_process(server_of(pool));
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

static intptr_t close_busy_body(void *arg) {
    jg_process_pool *pool = open_pool(2);
    intptr_t rc = 0;
    (void)arg;
    pid_t server = server_of(pool);
    jg_task *running = start_hanging(pool);
    stop_process(server);
    const jg_spawn_options eager = {.eager = true};
    jg_task *starting = jg_spawn_with(square_in_task, pool, &eager); // there is no worker yet
    JG_TIMEOUT(5, rc) {
        rc = jg_process_pool_close(pool); // hurried
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(jg_join(running), -EOWNERDEAD);
    ck_assert_int_eq(jg_join(starting), -ESHUTDOWN);
    jg_error_clear();
    return 0;
}

// A close would wait for ever for a server that is stopped.
START_TEST(close_ends_with_a_stopped_server) {
    run_once(close_body, NULL);
}
END_TEST

// Likewise, while jobs run and start.
START_TEST(hurried_close_ends_with_a_stopped_server) {
    needs_loop();
    shared = shared_page();
    run_once(close_busy_body, NULL);
    munmap(shared, 4096);
}
END_TEST

static intptr_t gone_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    (void)arg;
    pid_t server = server_of(pool);
    kill(server, SIGKILL);
    await_state(server, 'Z');
    ck_assert_int_eq(run_int(pool, hang, 0), -EOWNERDEAD); // its worker, if still there, goes too
    ck_assert_int_eq(run_int(pool, square_int, 3), -EOWNERDEAD);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EOWNERDEAD), "the fork server"));
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// Without its server a pool would hang, or not say why it is of no more use.
START_TEST(server_that_is_gone_is_named) {
    shared = shared_page();
    run_once(gone_body, NULL);
    munmap(shared, 4096);
}
END_TEST

static intptr_t gone_in_job_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    (void)arg;
    pid_t server = server_of(pool);
    jg_task *task = start_hanging(pool);
    kill(server, SIGKILL);
    ck_assert_int_eq(jg_join(task), -EOWNERDEAD);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EOWNERDEAD), "the fork server is gone"));
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// Whoever looks for what ended the worker would be told of somebody who reaped it, and there is nobody.
START_TEST(server_that_goes_during_a_job_is_named) {
    needs_loop();
    shared = shared_page();
    run_once(gone_in_job_body, NULL);
    munmap(shared, 4096);
}
END_TEST

FIXTURE_MAIN("api/process_pool_server", stopped_server_does_not_stop_the_loop,
             cancel_needs_no_server, close_ends_with_a_stopped_server,
             hurried_close_ends_with_a_stopped_server, server_that_is_gone_is_named,
             server_that_goes_during_a_job_is_named)
