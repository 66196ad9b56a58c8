// SPDX-License-Identifier: MIT
/* test_scope.c – SEMANTICS S12 to S22: deadlines, cancels and shields of nested scopes.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed; those that need no second task, also without
 *            a loop.
 * Called by  ctest, on epoll, sim and blocking.
 * Why        a limit that strikes in the wrong place is worse than none.
 */
// Backends: epoll sim blocking
#include "api/api.h"

static int64_t in_ms(int64_t ms) {
    return jg_now() + ms * JG_MS;
}

static intptr_t s12_body(void *arg) {
    (void)arg;
    jg_scope scope;
    jg_scope_open(&scope, in_ms(10), false);
    int rc = jg_sleep(60000);
    ck_assert_int_eq(rc, -ECANCELED);
    ck_assert(jg_scope_expired(&scope));
    ck_assert_int_eq(jg_cancelling(jg_self()), 1);
    ck_assert_int_eq(jg_scope_close(&scope, rc), -ETIMEDOUT);
    ck_assert_int_eq(jg_cancelling(jg_self()), 0);
    ck_assert_int_eq(jg_sleep(1), 0);
    return 0;
}

// A time limit would not strike, or would go on striking after its scope was left.
START_TEST(s12_deadline_strikes) {
    run_body(s12_body);
}
END_TEST

static intptr_t s13_body(void *arg) {
    (void)arg;
    jg_scope outer;
    jg_scope inner;
    jg_scope_open(&outer, in_ms(10), false);
    jg_scope_open(&inner, in_ms(10000), false);
    int rc = jg_sleep(60000);
    ck_assert(!jg_scope_expired(&inner));
    ck_assert_int_eq(jg_scope_close(&inner, rc), -ECANCELED);
    ck_assert_int_eq(jg_sleep(1), -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&outer, rc), -ETIMEDOUT);
    return 0;
}

// Code between two scopes would take the outer limit for its own.
START_TEST(s13_only_the_outer_reports) {
    run_body(s13_body);
}
END_TEST

/* Computes: the loop is held up meanwhile. */
static void burn(int64_t ms) {
    int64_t until_ns = in_ms(ms);
    if (on_backend("sim")) {
        ck_assert_int_eq(jg_sim_advance(ms), 0);
    }
    while (jg_now() < until_ns) {}
}

static intptr_t s14_body(void *arg) {
    (void)arg;
    jg_scope outer;
    jg_scope inner;
    jg_scope_open(&outer, in_ms(5), false);
    jg_scope_open(&inner, in_ms(4), false);
    burn(8);
    int rc = jg_sleep(1000);
    ck_assert_int_eq(rc, -ECANCELED);
    ck_assert(jg_scope_expired(&inner));
    ck_assert(jg_scope_expired(&outer));
    ck_assert_int_eq(jg_scope_close(&inner, rc), -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&outer, rc), -ETIMEDOUT);
    return 0;
}

// With both limits passed while the loop was busy, the inner one would claim the time-out.
START_TEST(s14_both_expired_the_outer_reports) {
    run_body(s14_body);
}
END_TEST

static intptr_t s15_body(void *arg) {
    (void)arg;
    jg_scope scope;
    jg_scope_open(&scope, in_ms(-1000), false);
    int rc = jg_sleep(1);
    ck_assert_int_eq(rc, -ECANCELED);
    ck_assert(jg_scope_expired(&scope));
    ck_assert_int_eq(jg_scope_close(&scope, rc), -ETIMEDOUT);

    jg_scope_open(&scope, 0, false);
    ck_assert(!jg_scope_expired(&scope));
    ck_assert_int_eq(jg_cancelling(jg_self()), 0);
    ck_assert_int_eq(jg_scope_close(&scope, 3), 3);
    ck_assert_int_eq(jg_sleep(1), 0);
    return 0;
}

// A deadline in the past would fail code that never waits, or let code wait all the same.
START_TEST(s15_past_deadline) {
    run_body(s15_body);
}
END_TEST

static intptr_t s15_nested_body(void *arg) {
    (void)arg;
    jg_scope outer;
    jg_scope inner;
    jg_scope_open(&outer, 0, false);
    jg_scope_open(&inner, in_ms(1000), false);
    int rc = jg_sleep(1);
    ck_assert_int_eq(rc, -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&inner, rc), -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&outer, rc), -ETIMEDOUT);
    return 0;
}

// A limit that had passed already would not reach code in a scope further in.
START_TEST(s15_past_deadline_reaches_inner_scopes) {
    run_body(s15_nested_body);
}
END_TEST

static intptr_t s16_body(void *arg) {
    (void)arg;
    int rc = 4;
    JG_TIMEOUT(1, rc) {
        burn(3);
    }
    ck_assert_int_eq(rc, 4);
    ck_assert_int_eq(jg_sleep(1), 0);
    return 0;
}

// Work that is done would be called too late although it never waited.
START_TEST(s16_overrun_without_suspending) {
    run_body(s16_body);
}
END_TEST

static intptr_t s17_body(void *arg) {
    (void)arg;
    jg_scope scope;
    jg_scope_open(&scope, in_ms(5), false);
    ck_assert_int_eq(jg_scope_reschedule(&scope, in_ms(60000)), 0);
    ck_assert_int_eq(jg_sleep(20), 0);
    ck_assert_int_eq(jg_scope_reschedule(&scope, JG_NEVER), 0);
    ck_assert_int_eq(jg_deadline(), JG_NEVER);
    ck_assert_int_eq(jg_scope_reschedule(&scope, in_ms(5)), 0);
    int rc = jg_sleep(60000);
    ck_assert_int_eq(rc, -ECANCELED);
    ck_assert_int_eq(jg_scope_reschedule(&scope, in_ms(1000)), -EINVAL);
    ck_assert_int_eq(jg_scope_close(&scope, rc), -ETIMEDOUT);
    return 0;
}

// A limit that was moved would strike at its old time, or come back from the dead.
START_TEST(s17_reschedule) {
    run_body(s17_body);
}
END_TEST

static intptr_t sleep_in_scope(void *arg) {
    int *closed = arg;
    jg_scope scope;
    jg_scope_open(&scope, in_ms(60000), false);
    int rc = jg_sleep(60000);
    *closed = (int)jg_scope_close(&scope, rc);
    return *closed;
}

static intptr_t s18_body(void *arg) {
    (void)arg;
    int closed = 0;
    jg_task *task = jg_spawn(sleep_in_scope, &closed);
    jg_sleep(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    ck_assert_int_eq(closed, -ECANCELED);
    return 0;
}

// A cancel from outside would be reported as a time-out.
START_TEST(s18_cancel_inside_an_unexpired_scope) {
    needs_loop();
    run_body(s18_body);
}
END_TEST

struct tick {
    int64_t when_ns;
    int closed;
    int cancelling;
};

static intptr_t sleep_until_tick(void *arg) {
    struct tick *tick = arg;
    jg_scope scope;
    jg_scope_open(&scope, tick->when_ns, false);
    int rc = jg_sleep(60000);
    tick->closed = (int)jg_scope_close(&scope, rc);
    tick->cancelling = jg_cancelling(jg_self());
    return tick->closed;
}

static intptr_t s19_body(void *arg) {
    (void)arg;
    struct tick tick = {.when_ns = in_ms(200)}; // far enough for the task to be asleep by then
    jg_task *task = jg_spawn(sleep_until_tick, &tick);
    jg_sleep_until(tick.when_ns); // wakes in the turn the deadline strikes in
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    ck_assert_int_eq(tick.closed, -ECANCELED);
    ck_assert_int_eq(tick.cancelling, 1);
    return 0;
}

// A deadline in the tick of a cancel would swallow it.
START_TEST(s19_deadline_and_cancel_in_one_tick) {
    needs_loop();
    run_in_order(s19_body);
}
END_TEST

static intptr_t s20_body(void *arg) {
    (void)arg;
    jg_scope scope;
    jg_scope_open(&scope, in_ms(5), false);
    ck_assert_int_eq(jg_sleep(60000), -ECANCELED);
    ck_assert(jg_scope_expired(&scope));
    ck_assert_int_eq(jg_scope_close(&scope, -EPROTO), -EPROTO);
    ck_assert_int_eq(jg_cancelling(jg_self()), 0);
    return 0;
}

// The code's own error would be overwritten by the time-out that led to it.
START_TEST(s20_own_error_leaves_the_scope) {
    run_body(s20_body);
}
END_TEST

static intptr_t s21_body(void *arg) {
    (void)arg;
    int rc = 0;
    jg_cancel(jg_self());
    ck_assert_int_eq(jg_sleep(1), -ECANCELED);
    JG_SHIELD {
        ck_assert_int_eq(jg_sleep(1), 0);
        ck_assert_int_eq(jg_cancelling(jg_self()), 0);
        JG_TIMEOUT(5, rc) {
            rc = jg_sleep(60000);
        }
        ck_assert_int_eq(rc, -ETIMEDOUT);
        ck_assert_int_eq(jg_yield(), 0);
    }
    ck_assert_int_eq(jg_sleep(1), -ECANCELED);
    jg_uncancel(jg_self());
    return 0;
}

// Clean-up that has to wait could not, or a cancel would be forgotten behind a shield.
START_TEST(s21_shield) {
    needs_loop();
    run_body(s21_body);
}
END_TEST

static intptr_t s22_body(void *arg) {
    (void)arg;
    jg_scope outer;
    jg_scope middle;
    jg_scope shield;
    int64_t near = in_ms(5000);
    int64_t far = in_ms(9000);
    ck_assert_int_eq(jg_deadline(), JG_NEVER);
    jg_scope_open(&outer, near, false);
    jg_scope_open(&middle, far, false);
    ck_assert_int_eq(jg_deadline(), near);
    jg_scope_open(&shield, JG_NEVER, true);
    ck_assert_int_eq(jg_deadline(), JG_NEVER);
    jg_scope_close(&shield, 0);
    jg_scope_open(&shield, far, true);
    ck_assert_int_eq(jg_deadline(), far);
    jg_scope_close(&shield, 0);
    jg_scope_close(&middle, 0);
    ck_assert_int_eq(jg_deadline(), near);
    jg_scope_close(&outer, 0);
    ck_assert_int_eq(jg_deadline(), JG_NEVER);
    return 0;
}

// A library could not know how long it may take, or a shield would pass limits on.
START_TEST(s22_effective_deadline) {
    run_body(s22_body);
}
END_TEST

static intptr_t cancel_by_hand_body(void *arg) {
    (void)arg;
    jg_scope scope;
    jg_scope_open(&scope, JG_NEVER, false);
    jg_scope_cancel(&scope);
    int rc = jg_sleep(1);
    ck_assert_int_eq(rc, -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&scope, rc), 0);
    ck_assert_int_eq(jg_sleep(1), 0);
    return 0;
}

// Leaving a stretch of code on purpose would look like a failure.
START_TEST(cancelled_scope_absorbs_its_own_cancel) {
    needs_loop();
    run_body(cancel_by_hand_body);
}
END_TEST

static intptr_t leave_by_return(void) {
    JG_TIMEOUT(60000) {
        JG_SHIELD {
            return 8;
        }
    }
    return 0;
}

static intptr_t blocks_body(void *arg) {
    (void)arg;
    ck_assert_int_eq(leave_by_return(), 8);
    ck_assert_int_eq(jg_deadline(), JG_NEVER);
    for (int i = 0; i < 3; i++) {
        JG_TIMEOUT(60000) {
            if (i == 1) {
                break;
            }
        }
        ck_assert_int_eq(jg_deadline(), JG_NEVER);
    }
    long wide = 0;
    JG_TIMEOUT(5, wide) {
        wide = jg_sleep(60000);
    }
    ck_assert_int_eq(wide, -ETIMEDOUT);
    return 0;
}

// A block left by return or break would leave its limit behind, to strike somewhere else.
START_TEST(blocks_close_on_every_way_out) {
    run_body(blocks_body);
}
END_TEST

enum { SCOPES = 1000 };

static intptr_t many_body(void *arg) {
    (void)arg;
    static jg_scope scopes[SCOPES];
    for (int i = 0; i < SCOPES; i++) {
        jg_scope_open(&scopes[i], in_ms(60000 + i), false);
    }
    ck_assert_int_eq(jg_scope_reschedule(&scopes[0], in_ms(2)), 0);
    intptr_t rc = jg_sleep(60000);
    for (int i = SCOPES - 1; i > 0; i--) {
        rc = jg_scope_close(&scopes[i], rc);
        ck_assert_int_eq(rc, -ECANCELED);
    }
    ck_assert_int_eq(jg_scope_close(&scopes[0], rc), -ETIMEDOUT);
    return 0;
}

// A limit would not reach code many scopes further in.
START_TEST(deadline_reaches_a_thousand_scopes_down) {
    run_body(many_body);
}
END_TEST

FIXTURE_MAIN("api/scope", s12_deadline_strikes, s13_only_the_outer_reports,
             s14_both_expired_the_outer_reports, s15_past_deadline,
             s15_past_deadline_reaches_inner_scopes, s16_overrun_without_suspending, s17_reschedule,
             s18_cancel_inside_an_unexpired_scope, s19_deadline_and_cancel_in_one_tick,
             s20_own_error_leaves_the_scope, s21_shield, s22_effective_deadline,
             cancelled_scope_absorbs_its_own_cancel, blocks_close_on_every_way_out,
             deadline_reaches_a_thousand_scopes_down)
