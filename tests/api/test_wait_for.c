// SPDX-License-Identifier: MIT
/* test_wait_for.c – SEMANTICS S27 to S31: one future, with a limit, or behind a shield.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed; what needs no task holds without a loop too.
 * Called by  ctest.
 * Why        whoever waits with a limit must know on return what came of it, and that it is over.
 */
// Backends: epoll sim blocking
#include "api/api.h"

struct child {
    intptr_t word;    // what it answers a cancel with
    int64_t clean_ms; // how long that takes
    int began;
    int ended;
};

static intptr_t answer(void *arg) {
    struct child *child = arg;
    child->began++;
    jg_sleep(60000);
    JG_SHIELD {
        jg_sleep(child->clean_ms);
    }
    child->ended++;
    return child->word;
}

static intptr_t s27_body(void *arg) {
    (void)arg;
    struct child child = {.word = -ECANCELED, .clean_ms = 50};
    jg_task *task = jg_spawn(answer, &child);
    int64_t before = jg_now();
    ck_assert_int_eq(jg_wait_for(jg_task_future(task), 10), -ETIMEDOUT);
    ck_assert_int_eq(child.ended, 1);
    ck_assert_int_ge(jg_now() - before, 60 * JG_MS);
    ck_assert(!on_backend("sim") || jg_now() - before < 61 * JG_MS); // and not a moment longer
    ck_assert(jg_cancelled(task));
    ck_assert_int_eq(jg_cancelling(jg_self()), 0);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    return 0;
}

// The caller would go on while the child's clean-up still uses what it lent.
START_TEST(s27_waits_for_the_clean_up) {
    needs_loop();
    run_body(s27_body);
}
END_TEST

static intptr_t s28_body(void *arg) {
    (void)arg;
    struct child child = {.word = 7};
    jg_task *task = jg_spawn(answer, &child);
    ck_assert_int_eq(jg_wait_for(jg_task_future(task), 1), 7);
    ck_assert_int_eq(jg_join(task), 7);
    child.word = -EPROTO;
    task = jg_spawn(answer, &child);
    ck_assert_int_eq(jg_wait_for(jg_task_future(task), 1), -EPROTO);
    ck_assert_int_eq(jg_join(task), -EPROTO);
    ck_assert_int_eq(jg_sleep(1), 0);
    return 0;
}

// What the child came to in spite of the cancel would be lost behind a timeout.
START_TEST(s28_answer_to_the_cancel_counts) {
    needs_loop();
    run_body(s28_body);
}
END_TEST

static intptr_t s29_body(void *arg) {
    (void)arg;
    struct child child = {.word = 7};
    jg_task *task = jg_spawn(answer, &child);
    ck_assert_int_eq(jg_wait_for(jg_task_future(task), 0), -ETIMEDOUT);
    ck_assert_int_eq(child.began, 0);
    ck_assert_int_eq(jg_wait_for(jg_task_future(task), 0), -ECANCELED); // it has settled by now
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    return 0;
}

static intptr_t plain_body(void *arg) {
    (void)arg;
    jg_future there = {0};
    jg_future_set(&there, 5);
    ck_assert_int_eq(jg_wait_for(&there, 0), 5);
    ck_assert_int_eq(jg_wait_for(&there, -1), 5);
    jg_future never = {0};
    ck_assert_int_eq(jg_wait_for(&never, 0), -ETIMEDOUT);
    ck_assert(jg_future_cancelled(&never));
    jg_future later = {0};
    ck_assert_int_eq(jg_wait_for(&later, 3), -ETIMEDOUT);
    ck_assert(jg_future_cancelled(&later));
    intptr_t rc = 0;
    jg_future inner = {0};
    JG_TIMEOUT(3, rc) {
        rc = jg_wait_for(&inner, 60000);
        ck_assert_int_eq(rc, -ECANCELED); // not its own limit
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert(jg_future_cancelled(&inner));
    return 0;
}

// A limit of 0 would refuse a word that is there, or start a task for nothing.
START_TEST(s29_limit_of_nothing) {
    run_body(plain_body);
    needs_loop();
    run_body(s29_body);
}
END_TEST

// Without a loop a wait that nobody can end would hang.
START_TEST(nobody_could_end_it) {
    if (!on_backend("blocking")) {
        fixture_skip("with a loop somebody might");
    }
    jg_future future = {0};
    ck_assert_int_eq(jg_wait_for(&future, -1), -EDEADLK);
    ck_assert_int_eq(jg_future_wait(&future), -EDEADLK);
    ck_assert(!jg_future_done(&future));
}
END_TEST

struct waiting {
    jg_future *future;
    intptr_t got;
    int cancelling;
    int next;
};

static intptr_t wait_with_limit(void *arg) {
    struct waiting *waiting = arg;
    waiting->got = jg_wait_for(waiting->future, 60000);
    waiting->cancelling = jg_cancelling(jg_self());
    waiting->next = jg_sleep(1);
    return 0;
}

static intptr_t s30_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    struct waiting waiting = {.future = &future};
    jg_task *task = jg_spawn(wait_with_limit, &waiting);
    jg_sleep(1);
    jg_future_set(&future, 9);
    jg_cancel(task);
    jg_join(task);
    ck_assert_int_eq(waiting.got, 9);
    ck_assert_int_eq(waiting.cancelling, 1);
    ck_assert_int_eq(waiting.next, -ECANCELED);

    jg_future other = {0};
    waiting = (struct waiting){.future = &other};
    task = jg_spawn(wait_with_limit, &waiting);
    jg_sleep(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_future_set(&other, 9), -EALREADY); // the cancel was first
    jg_join(task);
    ck_assert_int_eq(waiting.got, -ECANCELED);
    return 0;
}

// A value and a cancel in one tick: one of the two would be lost.
START_TEST(s30_value_and_cancel_in_one_tick) {
    needs_loop();
    run_body(s30_body);
}
END_TEST

static intptr_t cancelled_before_body(void *arg) {
    (void)arg;
    struct child child = {.word = -ECANCELED};
    jg_task *task = jg_spawn(answer, &child);
    jg_sleep(1);
    jg_cancel(jg_self());
    ck_assert_int_eq(jg_wait_for(jg_task_future(task), -1), -ECANCELED);
    ck_assert_int_eq(child.ended, 1);
    jg_future plain = {0};
    ck_assert_int_eq(jg_wait_for(&plain, -1), -ECANCELED);
    ck_assert(jg_future_cancelled(&plain));
    jg_uncancel(jg_self());
    return (int)jg_join(task) == -ECANCELED ? 0 : -EINVAL;
}

// A caller that is being cancelled would leave the child behind.
START_TEST(cancel_that_stands_is_passed_on) {
    needs_loop();
    run_body(cancelled_before_body);
}
END_TEST

static intptr_t join_and_forgive(void *task) {
    return jg_join(task) == -ECANCELED ? 5
                                       : 6; // it has seen the cancel, and returns something else
}

static intptr_t seen_body(void *arg) {
    (void)arg;
    struct child child = {.word = -ECANCELED};
    for (int edge = 0; edge < 2; edge++) {
        jg_task *task = jg_spawn(answer, &child);
        const jg_spawn_options options = {.edge = edge != 0};
        jg_task *joiner = jg_spawn_with(join_and_forgive, task, &options);
        jg_sleep(1);
        jg_cancel(joiner);
        ck_assert_int_eq(jg_join(joiner), 5);
    }
    return 0;
}

// S8. A cancel that came back from the task that was waited for would count as unseen.
START_TEST(s08_cancel_seen_through_a_join) {
    needs_loop();
    run_body(seen_body);
}
END_TEST

// Shields.

static intptr_t give_late(void *arg) {
    int rc = jg_sleep(5);
    return rc < 0 ? rc : (intptr_t)arg;
}

static intptr_t fail_late(void *arg) {
    (void)arg;
    jg_sleep(5);
    return jg_fail(-EPROTO, "after the waiter had left");
}

static intptr_t wait_shielded(void *arg) {
    struct waiting *waiting = arg;
    waiting->got = jg_shield(waiting->future);
    waiting->cancelling = jg_cancelling(jg_self());
    return 0;
}

static int reports;

static void count_report(const jg_error *error) {
    reports += error->code == -EPROTO;
}

static intptr_t s31_body(void *arg) {
    (void)arg;
    jg_task *inner = jg_spawn(give_late, (void *)8);
    struct waiting waiting = {.future = jg_task_future(inner)};
    jg_task *waiter = jg_spawn(wait_shielded, &waiting);
    jg_sleep(1);
    jg_cancel(waiter);
    jg_join(waiter);
    ck_assert_int_eq(waiting.got, -ECANCELED);
    ck_assert_int_eq(jg_join(inner), 8);

    inner = jg_spawn(give_late, (void *)8);
    waiting = (struct waiting){.future = jg_task_future(inner)};
    waiter = jg_spawn(wait_shielded, &waiting);
    jg_sleep(1);
    jg_cancel(inner);
    ck_assert_int_eq(jg_join(waiter), 0);
    ck_assert_int_eq(waiting.got, -ECANCELED);
    ck_assert_int_eq(waiting.cancelling, 0); // S9: it was not the waiter
    ck_assert_int_eq(jg_join(inner), -ECANCELED);

    reports = 0;
    inner = jg_spawn(fail_late, NULL);
    waiting = (struct waiting){.future = jg_task_future(inner)};
    waiter = jg_spawn(wait_shielded, &waiting);
    jg_sleep(1);
    jg_cancel(waiter);
    jg_join(waiter);
    jg_detach(inner);
    jg_sleep(10);
    ck_assert_int_eq(reports, 1);
    return 0;
}

// A waiter that is cancelled would take with it what others need, or a failure would go unseen.
START_TEST(s31_shield) {
    needs_loop();
    jg_error_on_unretrieved(count_report);
    run_body(s31_body);
}
END_TEST

FIXTURE_MAIN("api/wait_for", s27_waits_for_the_clean_up, s28_answer_to_the_cancel_counts,
             s29_limit_of_nothing, nobody_could_end_it, s30_value_and_cancel_in_one_tick,
             cancel_that_stands_is_passed_on, s08_cancel_seen_through_a_join, s31_shield)
