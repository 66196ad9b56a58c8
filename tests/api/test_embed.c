// SPDX-License-Identifier: MIT
/* test_embed.c – a loop that lives inside another one, a poll(2) of the test's own.
 *
 * Holds      nothing between tests.
 * Invariant  the outer loop sleeps only as long as it is told, and never longer than it may.
 * Called by  ctest, on epoll: a simulated world is nobody's guest.
 * Why        juggle has to be usable where there is a main loop already.
 */
// Backends: epoll
#include "api/embed_work.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Turns the loop until `*left` is 0, as jg_loop_open's comment has it. Returns how often. */
static int turn_until(jg_loop *loop, const int *left) {
    int turns = 0;
    for (; *left > 0; turns++) {
        struct pollfd ready = {.fd = jg_loop_fd(loop), .events = POLLIN};
        int timeout_ms = jg_loop_timeout(loop);
        ck_assert_int_ge(timeout_ms, -1);
        ck_assert_int_ge(poll(&ready, 1, timeout_ms), 0);
        ck_assert_int_ge(jg_loop_step(loop), 0);
    }
    return turns;
}

// Sleeps, sockets, calls or posts would not come to their end inside another loop, or make it spin.
START_TEST(a_poll_loop_turns_it) {
    struct work work;
    jg_loop *loop;
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    work_start(&work, loop);
    ck_assert_int_lt(turn_until(loop, &work.left), 400);
    work_check(&work);
    ck_assert_int_eq(jg_loop_close(loop), 0);
    ck_assert(!jg_running());
}
END_TEST

static intptr_t count_down(void *arg) {
    --*(int *)arg;
    return 0;
}

// The outer loop would sleep while there is something to do, or never sleep.
START_TEST(it_tells_how_long_it_is_idle) {
    jg_loop *loop;
    jg_call call = {0};
    int left = 1;
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    ck_assert_int_eq(jg_loop_timeout(loop), -1);
    struct pollfd ready = {.fd = jg_loop_fd(loop), .events = POLLIN};
    ck_assert_int_eq(poll(&ready, 1, 0), 0);
    ck_assert_int_eq(jg_call_soon(&call, count_down, &left), 0);
    ck_assert_int_eq(jg_loop_timeout(loop), 0);
    ck_assert_int_eq(jg_loop_step(loop), 0);
    ck_assert_int_eq(left, 0);
    ck_assert_int_eq(jg_loop_timeout(loop), -1);

    ck_assert_int_eq(jg_call_later(&call, 60000, count_down, &left), 0);
    ck_assert_int_gt(jg_loop_timeout(loop), 50000);
    ck_assert_int_le(jg_loop_timeout(loop), 60000);
    ck_assert_int_eq(jg_loop_step(loop), 0); // too early for it
    ck_assert_int_eq(left, 0);
    ck_assert(jg_call_cancel(&call));

    ck_assert_int_eq(jg_post(loop, &call, count_down, &left), 0);
    ck_assert_int_eq(jg_loop_timeout(loop), 0);
    ck_assert_int_eq(poll(&ready, 1, 0), 1); // also to be seen at the descriptor
    ck_assert_int_eq(jg_loop_step(loop), 0);
    ck_assert_int_eq(left, -1);
    ck_assert_int_eq(poll(&ready, 1, 0), 0);

    jg_task *task = jg_spawn(count_down, &left);
    ck_assert_int_eq(jg_loop_timeout(loop), 0);
    ck_assert(!jg_done(task));
    ck_assert_int_eq(jg_loop_step(loop), 0);
    ck_assert_int_eq(jg_join(task), 0); // it has ended: nothing to wait for
    ck_assert_int_eq(jg_loop_close(loop), 0);
}
END_TEST

static intptr_t yield_until(void *arg) {
    while (*(const int *)arg > 0) {
        jg_yield();
    }
    return 0;
}

static intptr_t spawn_eagerly(void *arg) {
    const jg_spawn_options eager = {.eager = true};
    jg_task *task = jg_spawn_with(yield_until, arg, &eager);
    return jg_join(task);
}

static void turn_beside_a_busy_task(const jg_run_options *options) {
    jg_loop *loop;
    jg_call call = {0};
    int left = 1;
    ck_assert_int_eq(jg_loop_open(options, &loop), 0);
    jg_task *task = jg_spawn(spawn_eagerly, &left);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(jg_loop_step(loop), 2);
        ck_assert_int_eq(jg_loop_timeout(loop), 0); // never idle
    }
    left = 0;
    while (jg_loop_step(loop) > 0) {}
    ck_assert_int_eq(jg_join(task), 0);
    // Further away than poll can say: it asks again then.
    ck_assert_int_eq(jg_call_later(&call, INT64_C(60) * 24 * 3600 * 1000, count_down, &left), 0);
    ck_assert_int_eq(jg_loop_timeout(loop), INT_MAX);
    ck_assert_int_eq(jg_loop_close(loop), 0);
}

// A task that is always ready would keep the outer loop out, or let it sleep; also while it is observed.
START_TEST(a_busy_task_keeps_it_awake_and_no_longer) {
    const jg_run_options debug = {.debug = true};
    turn_beside_a_busy_task(NULL);
    turn_beside_a_busy_task(&debug);
}
END_TEST

static jg_loop *post_to;
static jg_call signal_call;
static int signal_left;

static void post_from_signal(int number) {
    (void)number;
    (void)jg_post(post_to, &signal_call, count_down, &signal_left);
}

// A signal that strikes while the outer loop sleeps would go unnoticed.
START_TEST(a_signal_handler_wakes_the_outer_loop) {
    const struct sigaction action = {.sa_handler = post_from_signal, .sa_flags = SA_RESTART};
    const struct itimerval soon = {.it_value = {.tv_usec = 2000}};
    ck_assert_int_eq(jg_loop_open(NULL, &post_to), 0);
    signal_left = 1;
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    while (signal_left > 0) {
        struct pollfd ready = {.fd = jg_loop_fd(post_to), .events = POLLIN};
        (void)poll(&ready, 1, jg_loop_timeout(post_to)); // -EINTR is as good
        ck_assert_int_eq(jg_loop_step(post_to), 0);
    }
    signal(SIGALRM, SIG_DFL);
    ck_assert_int_eq(jg_loop_close(post_to), 0);
}
END_TEST

// Turning it from inside.

static intptr_t turn_from_inside(void *arg) {
    jg_loop *loop = jg_loop_current();
    ck_assert_int_eq(jg_loop_step(loop), -EDEADLK);
    ck_assert_int_eq(jg_loop_close(loop), -EDEADLK);
    ck_assert_int_ge(jg_loop_timeout(loop), -1);
    ck_assert_int_ge(jg_loop_fd(loop), 0);
    return count_down(arg);
}

// A turn inside a turn would run tasks that wait for this one, or close the loop under it.
START_TEST(it_is_not_turned_from_inside) {
    jg_loop *loop;
    jg_call call = {0};
    int left = 2;
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    ck_assert_int_eq(jg_call_soon(&call, turn_from_inside, &left), 0);
    jg_detach(jg_spawn(turn_from_inside, &left));
    turn_until(loop, &left);
    ck_assert_int_eq(jg_loop_close(loop), 0);
    left = 1;
    ck_assert_int_eq(jg_run(turn_from_inside, &left), 0); // nor is jg_run's own
}
END_TEST

// The outer loop's code would block the thread, or open a second loop on it.
START_TEST(outside_of_tasks_nothing_suspends) {
    jg_loop *loop;
    jg_loop *second = NULL;
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    ck_assert(jg_running());
    ck_assert_ptr_eq(jg_loop_current(), loop);
    ck_assert_int_eq(jg_sleep(1), -EDEADLK);
    ck_assert_int_eq(jg_yield(), -EDEADLK);
    ck_assert_int_eq(jg_loop_open(NULL, &second), -EBUSY);
    ck_assert_ptr_null(second);
    int left = 1;
    ck_assert_int_eq(jg_run(count_down, &left), -EBUSY);
    ck_assert_int_eq(jg_fail(-EPROTO, "kept by nobody"), -EPROTO);
    ck_assert_int_eq(jg_loop_close(loop), 0);
    ck_assert_int_eq(jg_sleep(1), 0); // and now it blocks
}
END_TEST

// The end.

static intptr_t clean_up(void *arg) {
    int rc = jg_sleep(60000);
    ck_assert_int_eq(rc, -ECANCELED);
    JG_SHIELD {
        ck_assert_int_eq(jg_sleep(5), 0);
    }
    --*(int *)arg;
    return rc;
}

static intptr_t never_begun(void *arg) {
    (void)arg;
    ck_abort_msg("a task ran that was cancelled before");
    return 0;
}

// Tasks would be cut off in the middle of their clean-up, or what was accepted be lost.
START_TEST(s50k_closing_cancels_and_awaits) {
    jg_loop *loop;
    jg_call soon = {0};
    jg_call later = {0};
    int left = 3;
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    jg_detach(jg_spawn(clean_up, &left));
    jg_task *forgotten = jg_spawn(clean_up, &left);
    ck_assert_ptr_nonnull(forgotten);
    ck_assert_int_eq(jg_loop_step(loop), 2);
    jg_detach(jg_spawn(never_begun, NULL));
    ck_assert_int_eq(jg_call_soon(&soon, count_down, &left), 0);
    ck_assert_int_eq(jg_call_later(&later, 60000, never_begun, NULL), 0);
    ck_assert_int_eq(jg_loop_close(loop), 0);
    ck_assert_int_eq(left, 0);
    ck_assert(!jg_call_queued(&later));
}
END_TEST

// A handle that outlives its loop would lead into freed memory.
START_TEST(a_closed_loop_refuses_everything) {
    jg_loop *loop;
    jg_call call = {0};
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    jg_loop_hold(loop);
    ck_assert_int_eq(jg_loop_close(loop), 0);
    ck_assert_int_eq(jg_loop_fd(loop), -ESHUTDOWN);
    ck_assert_int_eq(jg_loop_timeout(loop), -ESHUTDOWN);
    ck_assert_int_eq(jg_loop_step(loop), -ESHUTDOWN);
    ck_assert_int_eq(jg_loop_close(loop), -ESHUTDOWN);
    ck_assert_int_eq(jg_post(loop, &call, never_begun, NULL), -ESHUTDOWN);
    ck_assert_int_eq(jg_call_soon(&call, never_begun, NULL), -ENXIO);
    jg_loop_drop(loop);
}
END_TEST

static void *step_elsewhere(void *loop) {
    jg_loop_step(loop);
    return NULL;
}

static void *step_instead_of_its_own(void *loop) {
    jg_loop *own;
    jg_loop_open(NULL, &own);
    jg_loop_step(loop);
    return NULL;
}

static void use_elsewhere(void *arg) {
    jg_loop *loop;
    pthread_t thread;
    jg_loop_open(NULL, &loop);
    pthread_create(&thread, NULL, arg == NULL ? step_elsewhere : step_instead_of_its_own, loop);
    pthread_join(thread, NULL);
}

// Two threads would turn one loop.
START_TEST(another_thread_that_turns_it_is_named) {
    static int with_a_loop;
    fixture_expect_abort(use_elsewhere, NULL, "a loop is used on another thread than its own");
    fixture_expect_abort(use_elsewhere, &with_a_loop,
                         "a loop is used on another thread than its own");
}
END_TEST

// A forked child would turn its parent's loop.
START_TEST(a_forked_child_is_refused) {
    jg_loop *loop;
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    pid_t pid = fork();
    if (pid == 0) {
        jg_loop *second;
        bool fine = jg_loop_step(loop) == -ECHILD && jg_loop_close(loop) == -ECHILD &&
                    jg_loop_fd(loop) == -ECHILD && jg_loop_timeout(loop) == -ECHILD &&
                    jg_loop_open(NULL, &second) == -ECHILD;
        _exit(fine ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(jg_loop_close(loop), 0);
}
END_TEST

// A bad option would be taken for another, or leave something behind.
START_TEST(bad_options_are_refused) {
    jg_loop *loop = NULL;
    const jg_run_options sim = {.backend = "sim"};
    const jg_run_options unknown = {.backend = "ring"};
    const jg_run_options huge = {.stack_size = SIZE_MAX};
    ck_assert_int_eq(jg_loop_open(&sim, &loop), -EOPNOTSUPP);
    ck_assert_int_eq(jg_loop_open(&unknown, &loop), -EINVAL);
    ck_assert_int_eq(jg_loop_open(&huge, &loop), -EINVAL);
    ck_assert_ptr_null(loop);
    ck_assert(!jg_running());
}
END_TEST

// Code outside of tasks.

static void close_inside_scope(void *arg) {
    (void)arg;
    jg_loop *loop;
    jg_scope scope;
    jg_loop_open(NULL, &loop);
    jg_scope_open(&scope, JG_NEVER, false);
    jg_loop_close(loop);
}

static void close_inside_group(void *arg) {
    int left = 1;
    jg_loop *loop;
    (void)arg;
    jg_loop_open(NULL, &loop);
    JG_GROUP(group) {
        jg_group_spawn(group, count_down, &left);
        jg_loop_close(loop);
    }
}

static void close_scope_of_before(void *arg) {
    jg_loop *loop;
    (void)arg;
    JG_TIMEOUT(1000) {
        jg_loop_open(NULL, &loop);
    }
}

// The scope would lead into a loop that is gone, or the loop's tasks be cancelled by one that is.
START_TEST(a_scope_open_across_its_loops_end_is_named) {
    const char *text = "a loop is closed inside a scope or group opened outside of its tasks";
    fixture_expect_abort(close_inside_scope, NULL, text);
    fixture_expect_abort(close_inside_group, NULL, text);
    fixture_expect_abort(close_scope_of_before, NULL,
                         "a scope of task thread was closed outside of it, in loop");
}
END_TEST

// What is called meanwhile would be blamed for the scope of who turns the loop.
START_TEST(a_turn_may_be_made_inside_a_scope) {
    jg_loop *loop;
    jg_call call = {0};
    int left = 1;
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    JG_TIMEOUT(60000) {
        ck_assert_int_eq(jg_call_soon(&call, count_down, &left), 0);
        turn_until(loop, &left);
    }
    ck_assert_int_eq(jg_loop_close(loop), 0);
}
END_TEST

static jg_lock lock;

static intptr_t lock_at_last(void *arg) {
    JG_SHIELD {
        *(int *)arg = jg_lock_acquire(&lock);
    }
    return jg_lock_release(&lock);
}

static intptr_t lock_and_leave(void *arg) {
    (void)arg;
    return jg_lock_try(&lock);
}

// A lock would stay held by nobody, and who waits for it keep the loop from its end.
START_TEST(a_lock_left_held_outside_of_tasks_is_given_up) {
    jg_loop *loop;
    jg_call call = {0};
    int rc = 0;
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    ck_assert_int_eq(jg_lock_try(&lock), 0);
    jg_detach(jg_spawn(lock_at_last, &rc));
    ck_assert_int_eq(jg_loop_step(loop), 1);
    ck_assert_int_eq(jg_loop_close(loop), 0);
    ck_assert_int_eq(rc, -EOWNERDEAD);
    ck_assert(!jg_lock_is_held(&lock));

    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    ck_assert_int_eq(jg_call_soon(&call, lock_and_leave, NULL), 0);
    ck_assert_int_eq(jg_loop_close(loop), 0); // which makes the call
    ck_assert(!jg_lock_is_held(&lock));
    ck_assert_int_eq(jg_lock_acquire(&lock), -EOWNERDEAD);
}
END_TEST

static void close_its_descriptor(void *arg) {
    (void)arg;
    jg_loop *loop;
    jg_loop_open(NULL, &loop);
    close(jg_loop_fd(loop));
    jg_loop_step(loop);
}

// A program that closes descriptors it does not know would see its tasks hang for no reason.
START_TEST(a_loop_without_its_descriptor_is_named) {
    fixture_expect_abort(close_its_descriptor, NULL,
                         "the loop cannot ask for events: EBADF; somebody closed its descriptor");
}
END_TEST

FIXTURE_MAIN("api/embed", a_poll_loop_turns_it, a_busy_task_keeps_it_awake_and_no_longer,
             it_tells_how_long_it_is_idle, a_signal_handler_wakes_the_outer_loop,
             it_is_not_turned_from_inside, outside_of_tasks_nothing_suspends,
             s50k_closing_cancels_and_awaits, a_closed_loop_refuses_everything,
             another_thread_that_turns_it_is_named, a_forked_child_is_refused,
             bad_options_are_refused, a_scope_open_across_its_loops_end_is_named,
             a_turn_may_be_made_inside_a_scope, a_lock_left_held_outside_of_tasks_is_given_up,
             a_loop_without_its_descriptor_is_named)
