// SPDX-License-Identifier: MIT
/* test_barrier.c – SEMANTICS S48: barriers.
 *
 * Holds      nothing between tests.
 * Invariant  each round lets exactly as many tasks through as the barrier is for.
 * Called by  ctest, on epoll and sim.
 * Why        a task that left and is still counted lets the others through too early, for ever after.
 */
#include "api/api.h"

enum { PARTIES = 3, ROUNDS = 4, UNSET = 99 };

struct party {
    jg_barrier *barrier;
    int rc;
    int next; // a suspend after it
};

static intptr_t meet(void *arg) {
    struct party *party = arg;
    party->rc = jg_barrier_wait(party->barrier);
    party->next = jg_yield();
    return 0;
}

static jg_task *send_party(struct party *party, jg_barrier *barrier) {
    *party = (struct party){barrier, UNSET, UNSET};
    jg_task *task = jg_spawn(meet, party);
    jg_sleep(1); // it waits, in the order of coming
    return task;
}

static intptr_t refused_body(void *arg) {
    jg_barrier barrier;
    (void)arg;
    jg_barrier_init(&barrier, 1); // nobody to wait for: it would not even have to suspend
    jg_cancel(jg_self());
    ck_assert_int_eq(jg_barrier_wait(&barrier), -ECANCELED);
    jg_barrier_init(&barrier, 2);
    ck_assert_int_eq(jg_barrier_wait(&barrier), -ECANCELED);
    ck_assert_uint_eq(jg_barrier_waiting(&barrier), 0);
    jg_uncancel(jg_self());
    jg_barrier_init(&barrier, 1);
    return jg_barrier_wait(&barrier);
}

// A cancelled task would count among those who have come.
START_TEST(s48_cancelled_task_does_not_come) {
    run_body(refused_body);
}
END_TEST

static intptr_t numbers_body(void *arg) {
    jg_barrier barrier;
    (void)arg;
    jg_barrier_init(&barrier, PARTIES);
    for (int round = 0; round < ROUNDS; round++) {
        struct party parties[PARTIES - 1];
        jg_task *tasks[PARTIES - 1];
        for (int i = 0; i < PARTIES - 1; i++) {
            tasks[i] = send_party(&parties[i], &barrier);
            ck_assert_uint_eq(jg_barrier_waiting(&barrier), (size_t)i + 1);
            ck_assert_int_eq(parties[i].rc, UNSET);
        }
        ck_assert_int_eq(jg_barrier_wait(&barrier), PARTIES - 1);
        ck_assert_uint_eq(jg_barrier_waiting(&barrier), 0);
        for (int i = 0; i < PARTIES - 1; i++) {
            jg_join(tasks[i]);
            ck_assert_int_eq(parties[i].rc, i);
        }
    }
    return 0;
}

// Tasks would pass before all have come, or share a number.
START_TEST(s48_barrier_lets_all_through_together) {
    run_body(numbers_body);
}
END_TEST

static intptr_t leave_body(void *arg) {
    jg_barrier barrier;
    struct party parties[PARTIES];
    jg_task *tasks[PARTIES];
    (void)arg;
    jg_barrier_init(&barrier, PARTIES);
    tasks[0] = send_party(&parties[0], &barrier);
    tasks[1] = send_party(&parties[1], &barrier);
    jg_cancel(tasks[0]);
    jg_join(tasks[0]);
    ck_assert_int_eq(parties[0].rc, -ECANCELED);
    ck_assert(!jg_barrier_is_broken(&barrier));
    ck_assert_uint_eq(jg_barrier_waiting(&barrier), 1);
    tasks[2] = send_party(&parties[2], &barrier);
    ck_assert_int_eq(parties[2].rc, UNSET); // two are not three
    ck_assert_int_eq(jg_barrier_wait(&barrier), 2);
    jg_join(tasks[1]);
    jg_join(tasks[2]);
    ck_assert_int_eq(parties[1].rc, 0);
    ck_assert_int_eq(parties[2].rc, 1);
    return 0;
}

// A cancelled task would still be counted, or break the barrier for the others.
START_TEST(s48_cancelled_waiter_leaves_the_count) {
    run_body(leave_body);
}
END_TEST

static intptr_t same_tick_body(void *arg) {
    jg_barrier barrier;
    struct party party;
    (void)arg;
    jg_barrier_init(&barrier, 2);
    jg_task *task = send_party(&party, &barrier);
    ck_assert_int_eq(jg_barrier_wait(&barrier), 1);
    jg_cancel(task); // it is through already
    jg_join(task);
    ck_assert_int_eq(party.rc, 0);
    ck_assert_int_eq(party.next, -ECANCELED);
    ck_assert_uint_eq(jg_barrier_waiting(&barrier), 0);
    return 0;
}

// One that passed would be told that it did not.
START_TEST(s48_cancelled_in_the_tick_of_passing) {
    run_body(same_tick_body);
}
END_TEST

static intptr_t abort_body(void *arg) {
    jg_barrier barrier = {0};
    struct party parties[2];
    (void)arg;
    ck_assert_int_eq(jg_barrier_wait(&barrier), -EINVAL); // for nobody
    jg_barrier_init(&barrier, PARTIES);
    jg_task *first = send_party(&parties[0], &barrier);
    jg_task *second = send_party(&parties[1], &barrier);
    jg_barrier_abort(&barrier);
    jg_join(first);
    jg_join(second);
    ck_assert_int_eq(parties[0].rc, -EPIPE);
    ck_assert_int_eq(parties[1].rc, -EPIPE);
    ck_assert(jg_barrier_is_broken(&barrier));
    ck_assert_int_eq(jg_barrier_wait(&barrier), -EPIPE);
    jg_barrier_reset(&barrier);
    ck_assert(!jg_barrier_is_broken(&barrier));

    first = send_party(&parties[0], &barrier);
    jg_barrier_reset(&barrier); // also throws out who waits, and is not broken after
    jg_join(first);
    ck_assert_int_eq(parties[0].rc, -EPIPE);
    first = send_party(&parties[0], &barrier);
    second = send_party(&parties[1], &barrier);
    ck_assert_int_eq(jg_barrier_wait(&barrier), PARTIES - 1);
    jg_join(first);
    jg_join(second);
    return 0;
}

// Those who wait in a barrier that was given up would wait for ever.
START_TEST(s48_abort_breaks_for_all_and_reset_mends) {
    run_body(abort_body);
}
END_TEST

FIXTURE_MAIN("api/barrier", s48_cancelled_task_does_not_come, s48_barrier_lets_all_through_together,
             s48_cancelled_waiter_leaves_the_count, s48_cancelled_in_the_tick_of_passing,
             s48_abort_breaks_for_all_and_reset_mends)
