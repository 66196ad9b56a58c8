// SPDX-License-Identifier: MIT
/* test_signal_closed.c – watches on signals that are over.
 *
 * Holds      the watch that is left open.
 * Invariant  after each test every signal has the action it had before.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a signal that is swallowed by nobody, or a wait on nothing, is noticed too late.
 */
// Backends: epoll sim blocking
#include "api/api.h"

static const uint64_t both = JG_SIGNAL(SIGUSR1) | JG_SIGNAL(SIGUSR2);

static bool has_default_action(int number) {
    struct sigaction present;
    ck_assert_int_eq(sigaction(number, NULL, &present), 0);
    return present.sa_handler == SIG_DFL;
}

static jg_signals left;

static intptr_t closed_body(void *arg) {
    jg_signals signals = {0};
    (void)arg;
    ck_assert_int_eq(jg_signals_next(&signals), -EBADF);
    jg_signals_close(&signals);
    ck_assert_int_eq(jg_signals_open(&signals, both), 0);
    ck_assert_int_eq(jg_signals_open(&signals, both), -EALREADY);
    jg_signals_close(&signals);
    ck_assert_int_eq(jg_signals_next(&signals), -EBADF);
    jg_signals_close(&signals);
    return 0;
}

// Whoever waits on a watch that is over would wait for ever, and the handler go round one opened twice.
START_TEST(a_closed_watch_has_nothing_to_wait_for) {
    run_once(closed_body, NULL);
}
END_TEST

static intptr_t leave_open_body(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_signals_open(&left, both), 0);
    raise(SIGUSR1); // its call is on its way
    return 0;
}

// The signal would stay swallowed for good, or whoever closes the watch later be blamed for the place.
START_TEST(a_watch_left_open_ends_with_its_loop) {
    needs_loop();
    for (int i = 0; i < 2; i++) {
        run_once(leave_open_body, NULL);
        ck_assert(has_default_action(SIGUSR1) && has_default_action(SIGUSR2));
        ck_assert_int_eq(jg_signals_next(&left), -EBADF);
        jg_signals_close(&left);
    }
}
END_TEST

static intptr_t watch_and_leave(void *arg) {
    jg_signals watch = {0};
    (void)arg;
    return jg_signals_open(&watch, JG_SIGNAL(SIGUSR1));
}

static intptr_t forgetful_body(void *arg) {
    return jg_join(jg_spawn(watch_and_leave, arg));
}

static void run_forgetful(void *arg) {
    jg_run(forgetful_body, arg);
}

// The loop's end would walk a list through a stack that is another's, or nobody's.
START_TEST(a_watch_on_a_stack_that_is_gone_is_named) {
    needs_loop();
    if (sanitized) {
        fixture_skip("the sanitizer keeps locals elsewhere, and tells of their use itself");
    }
    fixture_expect_abort(run_forgetful, NULL, "with a watch on signals open on its stack");
}
END_TEST

FIXTURE_MAIN("api/signal_closed", a_closed_watch_has_nothing_to_wait_for,
             a_watch_left_open_ends_with_its_loop, a_watch_on_a_stack_that_is_gone_is_named)
