// SPDX-License-Identifier: MIT
/* test_future.c – SEMANTICS S50 (d): a word that is not there yet.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed.
 * Called by  ctest, on epoll and sim.
 * Why        other waits are built from futures: what they lose, everybody loses.
 */
#include "api/api.h"

struct waiting {
    jg_future *future;
    intptr_t got;
    int *order;
    int place;
};

static intptr_t wait_for(void *arg) {
    struct waiting *waiting = arg;
    waiting->got = jg_future_wait(waiting->future);
    if (waiting->order != NULL) {
        waiting->place = ++*waiting->order;
    }
    return 0;
}

static intptr_t set_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    int order = 0;
    struct waiting waiting[5];
    JG_GROUP(group) {
        for (int i = 0; i < 5; i++) {
            waiting[i] = (struct waiting){&future, -1, &order, 0};
            jg_group_spawn(group, wait_for, &waiting[i]);
            jg_sleep(1); // so that they queue in this order
        }
        ck_assert_int_eq(jg_future_set(&future, 7), 0);
        ck_assert_int_eq(order, 0); // nobody ran inside
        ck_assert_int_eq(jg_future_result(&future), 7);
        ck_assert_int_eq(jg_future_wait(&future), 7);
        ck_assert_int_eq(order, 0); // nor in a wait that had nothing to wait for
    }
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(waiting[i].got, 7);
        ck_assert(!on_backend("epoll") || waiting[i].place == i + 1);
    }
    return 0;
}

// Code of a waiter would run in the middle of whoever sets the future.
START_TEST(s50d_waiters_never_run_inside_set) {
    run_body(set_body);
}
END_TEST

static intptr_t limit_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    intptr_t rc = 0;
    JG_TIMEOUT(2, rc) {
        rc = jg_future_wait(&future);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert(!jg_future_done(&future)); // its own life goes on
    ck_assert_int_eq(jg_future_set(&future, (intptr_t)&future), 0);
    ck_assert_ptr_eq((void *)jg_future_wait(&future), &future);
    return 0;
}

// A waiter that gives up would take the future with it, or stay in its queue.
START_TEST(waiter_may_give_up) {
    run_body(limit_body);
}
END_TEST

static intptr_t tick_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    struct waiting waiting = {&future, -1, NULL, 0};
    jg_task *task = jg_spawn(wait_for, &waiting);
    jg_sleep(1);
    jg_future_set(&future, 9);
    jg_cancel(task);
    jg_join(task);
    ck_assert_int_eq(waiting.got, 9);

    jg_future other = {0};
    waiting = (struct waiting){&other, -1, NULL, 0};
    task = jg_spawn(wait_for, &waiting);
    jg_sleep(1);
    jg_cancel(task);
    jg_future_set(&other, 9);
    jg_join(task);
    ck_assert_int_eq(waiting.got, -ECANCELED);
    ck_assert_int_eq(jg_future_result(&other), 9);
    return 0;
}

// S7. A word set in the tick of a cancel would be lost to the waiter it was given to.
START_TEST(s07_word_and_cancel_in_one_tick) {
    run_body(tick_body);
}
END_TEST

static intptr_t cancel_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    struct waiting waiting = {&future, -1, NULL, 0};
    jg_task *task = jg_spawn(wait_for, &waiting);
    jg_sleep(1);
    ck_assert(jg_future_cancel(&future));
    ck_assert(!jg_future_cancel(&future));
    ck_assert_int_eq(jg_join(task), 0); // it was not cancelled itself
    ck_assert_int_eq(waiting.got, -ECANCELED);
    ck_assert_int_eq(jg_future_result(&future), -ECANCELED);
    ck_assert_int_eq(jg_sleep(1), 0);
    return 0;
}

// A cancelled future would leave its waiters behind, or cancel them.
START_TEST(cancelled_future_wakes_its_waiters) {
    run_body(cancel_body);
}
END_TEST

FIXTURE_MAIN("api/future", s50d_waiters_never_run_inside_set, waiter_may_give_up,
             s07_word_and_cancel_in_one_tick, cancelled_future_wakes_its_waiters)
