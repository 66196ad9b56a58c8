// SPDX-License-Identifier: MIT
/* test_cancel.c – SEMANTICS S1 to S11: what a cancel does, and what it must not.
 *
 * Holds      nothing between tests.
 * Invariant  every case holds in any order of the ready tasks: each runs on epoll and on 25 seeds.
 * Called by  ctest, on epoll and sim.
 * Why        level-triggered cancelling is the rule most other promises stand on.
 */
#include "api/api.h"

static int calls; // of the function a test watches

static intptr_t count_calls(void *arg) {
    (void)arg;
    calls++;
    return 7;
}

static intptr_t sleep_long(void *arg) {
    int rc = jg_sleep(10000);
    if (arg != NULL) {
        *(int *)arg = rc;
    }
    return rc;
}

static void count_drop(void *word) {
    (*(int *)word)++;
}

static intptr_t s01_body(void *arg) {
    (void)arg;
    int dropped = 0;
    calls = 0;
    jg_task *task = jg_spawn_with(count_calls, &dropped,
                                  (&(jg_spawn_options){.drop_arg = count_drop}));
    ck_assert(jg_cancel(task));
    ck_assert(!jg_cancelled(task));
    ck_assert_int_eq(jg_cancelling(task), 1);
    ck_assert_int_eq(dropped, 0); // not inside the cancel
    while (!jg_done(task)) {
        jg_yield();
    }
    ck_assert(jg_cancelled(task));
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    ck_assert_int_eq(calls, 0);
    ck_assert_int_eq(dropped, 1);
    return 0;
}

// A task cancelled before its first step would run all the same, or leak its argument.
START_TEST(s01_cancel_before_first_run) {
    run_body(s01_body);
}
END_TEST

static intptr_t s02_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn(count_calls, NULL);
    while (!jg_done(task)) {
        jg_yield();
    }
    ck_assert(!jg_cancel(task));
    ck_assert(!jg_cancelled(task));
    ck_assert_int_eq(jg_cancelling(task), 0);
    ck_assert_int_eq(jg_uncancel(task), 0);
    ck_assert_int_eq(jg_future_result(jg_task_future(task)), 7);
    ck_assert_int_eq(jg_join(task), 7);
    return 0;
}

// Cancelling a task that has ended would change its result.
START_TEST(s02_cancel_finished_task) {
    run_body(s02_body);
}
END_TEST

static intptr_t take_back_both(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    ck_assert_int_eq(jg_cancelling(jg_self()), 2);
    ck_assert_int_eq(jg_uncancel(jg_self()), 1);
    ck_assert_int_eq(jg_sleep(1), -ECANCELED); // one of them still stands
    ck_assert_int_eq(jg_uncancel(jg_self()), 0);
    ck_assert_int_eq(jg_sleep(1), 0);
    return 1;
}

static intptr_t s03_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn(take_back_both, NULL);
    jg_sleep(1);
    ck_assert(jg_cancel(task));
    ck_assert(jg_cancel(task));
    ck_assert_int_eq(jg_cancelling(task), 2);
    ck_assert_int_eq(jg_join(task), 1);
    return 0;
}

// Two cancels in one tick would be delivered twice, or count as one.
START_TEST(s03_two_cancels_in_one_tick) {
    run_body(s03_body);
}
END_TEST

static intptr_t swallow_level(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    ck_assert_int_eq(jg_sleep(1), -ECANCELED);
    ck_assert_int_eq(jg_yield(), -ECANCELED);
    ck_assert_int_eq(jg_cancelling(jg_self()), 1);
    ck_assert_int_eq(jg_uncancel(jg_self()), 0);
    ck_assert_int_eq(jg_sleep(1), 0);
    jg_scope scope;
    jg_scope_open(&scope, JG_NEVER, false);
    jg_scope_cancel(&scope);
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    ck_assert_int_eq(jg_yield(), -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&scope, -ECANCELED), 0);
    ck_assert_int_eq(jg_sleep(1), 0); // it is left
    return 5;
}

static intptr_t swallow_edge(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    ck_assert_int_eq(jg_sleep(1), 0);
    int rc = 0;
    JG_TIMEOUT(1000, rc) {
        rc = jg_yield(); // opening and closing a scope must not bring it back
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(jg_yield(), 0);
    ck_assert_int_eq(jg_cancelling(jg_self()), 1);
    return 6;
}

static intptr_t s04_body(void *arg) {
    (void)arg;
    jg_task *level = jg_spawn(swallow_level, NULL);
    jg_task *edge = jg_spawn_with(swallow_edge, NULL, (&(jg_spawn_options){.edge = true}));
    jg_sleep(1);
    jg_cancel(level);
    jg_cancel(edge);
    ck_assert_int_eq(jg_join(level), 5);
    ck_assert_int_eq(jg_join(edge), 6);
    return 0;
}

// A task that swallows a cancel would go on waiting, or under the edge rule would never wait again.
START_TEST(s04_swallowed_cancel_level_and_edge) {
    run_body(s04_body);
}
END_TEST

static intptr_t edge_twice(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    return jg_cancelling(jg_self());
}

static intptr_t s04_edge_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn_with(edge_twice, NULL, (&(jg_spawn_options){.edge = true}));
    jg_sleep(1);
    jg_cancel(task);
    jg_sleep(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), 2);
    return 0;
}

// Under the edge rule a second request would be lost after the first was delivered.
START_TEST(s04_edge_delivers_each_request) {
    run_body(s04_edge_body);
}
END_TEST

static intptr_t edge_timeout(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    int64_t begun_ns = jg_now();
    JG_TIMEOUT(20) {
        ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    }
    ck_assert_int_lt(jg_now() - begun_ns, 5 * JG_S);
    JG_TIMEOUT(0) {
        ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    }
    jg_scope scope;
    jg_scope_open(&scope, JG_NEVER, false);
    ck_assert_int_eq(jg_scope_reschedule(&scope, 0), 0);
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&scope, 0), 0);
    return jg_sleep(1);
}

static intptr_t s04_edge_timeout_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn_with(edge_timeout, NULL, (&(jg_spawn_options){.edge = true}));
    jg_sleep(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), 0);
    return 0;
}

// After a swallowed cancel no time limit of an edge task would ever strike again.
START_TEST(s04_edge_limits_strike_after_a_cancel) {
    run_body(s04_edge_timeout_body);
}
END_TEST

static intptr_t edge_shield(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    JG_SHIELD {
        ck_assert_int_eq(jg_sleep(50), 0);
    }
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    return jg_sleep(1);
}

static intptr_t s21_edge_shield_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn_with(edge_shield, NULL, (&(jg_spawn_options){.edge = true}));
    jg_sleep(1);
    jg_cancel(task);
    jg_sleep(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), 0);
    return 0;
}

// A second cancel of an edge task would break through its shield.
START_TEST(s21_edge_cancels_stop_at_a_shield) {
    run_body(s21_edge_shield_body);
}
END_TEST

static intptr_t cancel_self(void *arg) {
    int *steps = arg;
    ck_assert(jg_cancel(jg_self()));
    (*steps)++;
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED); // a result alone would not tell: see S6
    (*steps)++;
    return 3;
}

static intptr_t s05_body(void *arg) {
    (void)arg;
    int steps = 0;
    jg_task *task = jg_spawn(cancel_self, &steps);
    ck_assert_int_eq(jg_join(task), 3); // it has seen the cancel: this is its answer
    ck_assert_int_eq(steps, 2);
    return 0;
}

// A task that cancels itself would be torn off in the middle of straight-line code.
START_TEST(s05_cancel_oneself) {
    run_body(s05_body);
}
END_TEST

static intptr_t cancel_self_and_return(void *arg) {
    jg_cancel(jg_self());
    return (intptr_t)arg;
}

static intptr_t cancel_self_and_fail(void *arg) {
    (void)arg;
    jg_cancel(jg_self());
    return jg_fail(-EPROTO, "failed all the same");
}

static intptr_t s06_failure_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn(cancel_self_and_fail, NULL);
    while (!jg_done(task)) {
        jg_yield();
    }
    ck_assert(!jg_cancelled(task));
    ck_assert_int_eq(jg_join(task), -EPROTO);
    ck_assert_str_eq(jg_error_detail(-EPROTO), "failed all the same");
    return 0;
}

// A failure in the tick of a cancel would be hidden behind the cancel, and reported to nobody.
START_TEST(s06_failure_is_not_hidden_by_a_cancel) {
    run_body(s06_failure_body);
}
END_TEST

static intptr_t s06_body(void *arg) {
    (void)arg;
    static int dropped;
    dropped = 0;
    jg_task *task = jg_spawn_with(cancel_self_and_return, &dropped,
                                  (&(jg_spawn_options){.drop_result = count_drop}));
    while (!jg_done(task)) {
        jg_yield();
    }
    ck_assert(jg_cancelled(task));
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    ck_assert_int_eq(dropped, 1);
    return 0;
}

// A task cancelled but never stopped would end as if nobody had asked, or leak its value.
START_TEST(s06_cancel_oneself_without_suspending) {
    run_body(s06_body);
}
END_TEST

struct taker {
    jg_sem *sem;
    int got;
    int next;
};

static intptr_t take_permit(void *arg) {
    struct taker *taker = arg;
    taker->got = jg_sem_acquire(taker->sem);
    taker->next = jg_sleep(1);
    return taker->got;
}

static intptr_t s07_body(void *arg) {
    (void)arg;
    jg_sem sem = {0};
    struct taker taker = {.sem = &sem};
    jg_task *task = jg_spawn(take_permit, &taker);
    jg_sleep(1);
    jg_sem_release(&sem); // the permit is the task's from here on
    jg_cancel(task);
    jg_join(task);
    ck_assert_int_eq(taker.got, 0);
    ck_assert_int_eq(taker.next, -ECANCELED);
    ck_assert_int_eq(jg_sem_try(&sem), -EAGAIN);
    return 0;
}

// A permit given in the tick of a cancel would be lost.
START_TEST(s07_completion_wins) {
    run_body(s07_body);
}
END_TEST

static intptr_t join_it(void *task) {
    return jg_join(task);
}

static intptr_t s08_body(void *arg) {
    (void)arg;
    int seen = 0;
    jg_task *inner = jg_spawn(sleep_long, &seen);
    jg_task *outer = jg_spawn(join_it, inner);
    jg_sleep(1);
    jg_cancel(outer);
    ck_assert_int_eq(jg_cancelling(inner), 1);
    while (!jg_done(outer)) {
        jg_yield();
    }
    ck_assert_int_eq(seen, -ECANCELED);
    ck_assert(jg_cancelled(outer));
    ck_assert_int_eq(jg_cancelling(outer), 1);
    ck_assert_int_eq(jg_join(outer), -ECANCELED);
    return 0;
}

// Cancelling a task that joins another would leave the other running, unowned.
START_TEST(s08_cancel_reaches_the_joined_task) {
    run_body(s08_body);
}
END_TEST

static intptr_t join_and_look(void *task) {
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    int cancelling = jg_cancelling(jg_self());
    ck_assert_int_eq(jg_yield(), cancelling > 0 ? -ECANCELED : 0);
    return cancelling;
}

static intptr_t s09_body(void *arg) {
    (void)arg;
    for (int whom = 0; whom < 2; whom++) {
        jg_task *inner = jg_spawn(sleep_long, NULL);
        jg_task *outer = jg_spawn(join_and_look, inner);
        jg_sleep(1);
        jg_cancel(whom == 0 ? inner : outer);
        while (!jg_done(outer)) {
            jg_yield();
        }
        ck_assert(!jg_cancelled(outer)); // it has answered for itself
        ck_assert_int_eq(jg_join(outer), whom);
    }
    return 0;
}

// A joiner could not tell whether it was cancelled itself, or only the task it waits for.
START_TEST(s09_joined_task_cancelled_by_another) {
    run_body(s09_body);
}
END_TEST

static intptr_t s10_body(void *arg) {
    (void)arg;
    jg_task *self = jg_self();
    jg_cancel(self);
    ck_assert_int_eq(jg_cancelling(self), 1);
    ck_assert_int_eq(jg_uncancel(self), 0);
    ck_assert_int_eq(jg_uncancel(self), 0);
    ck_assert_int_eq(jg_cancelling(self), 0);
    ck_assert_int_eq(jg_yield(), 0);
    jg_cancel(self);
    jg_cancel(self);
    ck_assert_int_eq(jg_cancelling(self), 2);
    ck_assert_int_eq(jg_yield(), -ECANCELED); // the next one counts in full
    ck_assert_int_eq(jg_uncancel(self), 1);
    ck_assert_int_eq(jg_uncancel(self), 0);
    ck_assert_int_eq(jg_yield(), 0);
    return 0;
}

// Taking a cancel back too often would make the next one ineffective.
START_TEST(s10_uncancel_never_below_zero) {
    run_body(s10_body);
}
END_TEST

static intptr_t s11_body(void *arg) {
    (void)arg;
    jg_cancel(jg_self());
    jg_uncancel(jg_self());
    ck_assert_int_eq(jg_sleep(1), 0);
    ck_assert_int_eq(jg_yield(), 0);
    return 0;
}

static intptr_t yield_and_answer(void *arg) {
    int rc = jg_sem_acquire(arg);
    return rc < 0 ? rc : jg_yield() + 4;
}

static intptr_t s11_other_body(void *arg) {
    (void)arg;
    for (int edge = 0; edge < 2; edge++) {
        jg_sem sem = {0};
        jg_task *task = jg_spawn_with(yield_and_answer, &sem,
                                      (&(jg_spawn_options){.edge = edge == 1}));
        jg_cancel(task); // it has not begun
        ck_assert_int_eq(jg_uncancel(task), 0);
        jg_sleep(1);
        jg_sem_release(&sem); // it waits no longer, and has not run yet
        jg_cancel(task);
        ck_assert_int_eq(jg_uncancel(task), 0);
        ck_assert_int_eq(jg_join(task), 4);
    }
    return 0;
}

// A cancel taken back before anybody saw it would still be delivered.
START_TEST(s11_uncancel_before_suspending) {
    run_body(s11_body);
    run_body(s11_other_body);
}
END_TEST

FIXTURE_MAIN("api/cancel", s01_cancel_before_first_run, s02_cancel_finished_task,
             s03_two_cancels_in_one_tick, s04_swallowed_cancel_level_and_edge,
             s04_edge_delivers_each_request, s04_edge_limits_strike_after_a_cancel,
             s21_edge_cancels_stop_at_a_shield, s05_cancel_oneself,
             s06_failure_is_not_hidden_by_a_cancel, s06_cancel_oneself_without_suspending,
             s07_completion_wins, s08_cancel_reaches_the_joined_task,
             s09_joined_task_cancelled_by_another, s10_uncancel_never_below_zero,
             s11_uncancel_before_suspending)
