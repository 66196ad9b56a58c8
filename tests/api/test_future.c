// SPDX-License-Identifier: MIT
/* test_future.c – SEMANTICS S50 (d, e, h): a word that is not there yet.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed.
 * Called by  ctest, on epoll and sim.
 * Why        other waits are built from futures: what they lose, everybody loses.
 */
#include "api/api.h"

#include <stdio.h>

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

// The completion of a task.

static intptr_t give(void *arg) {
    jg_sleep(2);
    return (intptr_t)arg;
}

static intptr_t fail_late(void *arg) {
    (void)arg;
    jg_sleep(2);
    return jg_fail(-EPROTO, "gave up");
}

static intptr_t completion_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn(give, (void *)5);
    struct waiting waiting[3];
    ck_assert_int_eq(jg_future_result(jg_task_future(task)), -EAGAIN);
    ck_assert_int_eq(jg_future_set(jg_task_future(task), 1), -EPERM);
    ck_assert_int_eq(jg_future_fail(jg_task_future(task), -EIO), -EPERM);
    JG_GROUP(group) {
        for (int i = 0; i < 3; i++) {
            waiting[i] = (struct waiting){jg_task_future(task), -1, NULL, 0};
            jg_group_spawn(group, wait_for, &waiting[i]);
        }
        jg_yield();
        ck_assert_int_eq(jg_join(task), 5); // and nobody minds that the record is gone
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(waiting[i].got, 5);
    }
    return 0;
}

// Only one could wait for a task, or the others would read a record that is gone.
START_TEST(many_wait_for_one_task) {
    run_body(completion_body);
}
END_TEST

static intptr_t clean_up_slowly(void *arg) {
    int rc = jg_sleep(60000);
    JG_SHIELD {
        jg_sleep(20);
    }
    *(bool *)arg = true;
    return rc;
}

static intptr_t cancel_task_body(void *arg) {
    (void)arg;
    bool cleaned = false;
    jg_task *task = jg_spawn(clean_up_slowly, &cleaned);
    jg_future *future = jg_task_future(task);
    jg_sleep(1);
    ck_assert(jg_future_cancel(future));
    ck_assert(!jg_future_done(future));
    ck_assert_int_eq(jg_cancelling(task), 1);
    ck_assert_int_eq(jg_future_wait(future), -ECANCELED);
    ck_assert(cleaned);
    ck_assert(jg_future_cancelled(future) && jg_cancelled(task));
    ck_assert(!jg_future_cancel(future));
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    return 0;
}

// A task's future would settle before the task has really ended.
START_TEST(cancelling_a_tasks_future_cancels_the_task) {
    run_body(cancel_task_body);
}
END_TEST

static intptr_t wait_for_oneself_body(void *arg) {
    (void)arg;
    jg_future *own = jg_task_future(jg_self());
    ck_assert_int_eq(jg_future_wait(own), -EDEADLK);
    ck_assert_int_eq(jg_shield(own), -EDEADLK);
    ck_assert_int_eq(jg_wait_for(own, 5), -EDEADLK);
    ck_assert_int_eq(jg_join(jg_self()), -EDEADLK);
    jg_future other = {0};
    jg_future *both[] = {&other, own};
    ck_assert_int_eq(jg_wait(both, 2, JG_ALL_COMPLETED, -1), -EDEADLK);
    ck_assert_int_eq(jg_gather(both, 2, NULL, JG_FAIL_FIRST), -EDEADLK);
    ck_assert(!jg_future_done(&other)); // nobody's wait has cancelled it
    ck_assert_int_eq(jg_cancelling(jg_self()), 0);
    return 0;
}

// A task that waits for its own end would hang.
START_TEST(s50h_waiting_for_oneself) {
    run_body(wait_for_oneself_body);
}
END_TEST

static intptr_t refused_body(void *arg) {
    (void)arg;
    const jg_spawn_options vast = {.stack_size = SIZE_MAX / 2};
    jg_future *refused = jg_task_future(jg_spawn_with(give, NULL, &vast));
    ck_assert(jg_future_done(refused));
    ck_assert_int_eq(jg_future_wait(refused), -EINVAL);
    ck_assert_int_eq(jg_wait_for(refused, 5), -EINVAL);
    ck_assert_int_eq(jg_future_set(refused, 1), -EALREADY);
    JG_GROUP(group) {
        jg_group_cancel(group);
        jg_sleep(1);
    }
    return 0;
}

// A spawn that was refused would crash who waits for it.
START_TEST(refused_spawn_has_a_failed_future) {
    run_body(refused_body);
    ck_assert_int_eq(jg_future_wait(jg_task_future(jg_spawn(give, NULL))), -ENXIO);
}
END_TEST

// What stands behind a failure.

static int reports;
static intptr_t reported_code;
static char reported_text[64];

static void count_report(const jg_error *error) {
    reports++;
    reported_code = error->code;
    snprintf(reported_text, sizeof(reported_text), "%s", error->text);
}

static intptr_t read_detail(void *arg) {
    struct waiting *waiting = arg;
    waiting->got = jg_future_wait(waiting->future);
    waiting->place = strcmp(jg_error_detail(waiting->got), "no bread") == 0;
    return 0;
}

static intptr_t fail_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    struct waiting waiting[3];
    reports = 0;
    JG_GROUP(group) {
        for (int i = 0; i < 3; i++) {
            waiting[i] = (struct waiting){&future, -1, NULL, 0};
            jg_group_spawn(group, read_detail, &waiting[i]);
        }
        jg_sleep(1);
        ck_assert_ptr_null(jg_future_exception(&future));
        ck_assert_int_eq(jg_future_fail(&future, 5), -EINVAL);
        ck_assert_int_eq(jg_future_fail(&future, jg_fail(-EIO, "no bread")), 0);
        ck_assert_int_eq(jg_future_fail(&future, -EPERM), -EALREADY);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(waiting[i].got, -EIO);
        ck_assert_int_eq(waiting[i].place, 1);
    }
    const jg_error *error = jg_future_exception(&future);
    ck_assert_int_eq(error->code, -EIO);
    ck_assert_str_eq(error->text, "no bread");
    jg_error_clear();
    ck_assert_str_eq(error->text, "no bread");
    jg_future_fini(&future);
    ck_assert_int_eq(reports, 0);
    return 0;
}

// Whoever waits for a future that fails would see a number and no reason.
START_TEST(failure_reaches_every_waiter_with_its_reason) {
    jg_error_on_unretrieved(count_report);
    run_body(fail_body);
}
END_TEST

static intptr_t unseen_body(void *arg) {
    (void)arg;
    reports = 0;
    jg_future future = {0};
    jg_future_fail(&future, jg_fail(-EIO, "unseen"));
    jg_future_fini(&future);
    ck_assert_int_eq(reports, 1);
    ck_assert_int_eq(reported_code, -EIO);
    ck_assert_str_eq(reported_text, "unseen");
    jg_future bare = {0};
    jg_future_set(&bare, -EPIPE);
    jg_future_fini(&bare);
    jg_future_fini(&bare); // once
    ck_assert_int_eq(reports, 2);
    ck_assert_int_eq(reported_code, -EPIPE);
    ck_assert_str_eq(reported_text, "the word of a future");
    reports = 1;

    jg_future seen = {0};
    jg_future_fail(&seen, jg_fail(-EIO, "seen"));
    ck_assert_int_eq(jg_future_result(&seen), -EIO);
    jg_future_fini(&seen);
    jg_future bare_seen = {0};
    jg_future_set(&bare_seen, -EPIPE);
    ck_assert_int_eq(jg_future_wait(&bare_seen), -EPIPE);
    jg_future_fini(&bare_seen);
    jg_future cancelled = {0};
    jg_future_cancel(&cancelled);
    jg_future_fini(&cancelled);
    jg_future pending = {0};
    jg_future_fini(&pending);
    ck_assert_int_eq(reports, 1);

    jg_task *task = jg_spawn(fail_late, NULL);
    ck_assert_int_eq(jg_future_wait(jg_task_future(task)), -EPROTO);
    ck_assert_str_eq(jg_error_last()->text, "gave up");
    jg_detach(task); // somebody has looked
    ck_assert_int_eq(reports, 1);
    return 0;
}

// S50 (e). A failure nobody looked at would be lost, or one that was seen reported.
START_TEST(s50e_failed_future_is_reported_once) {
    jg_error_on_unretrieved(count_report);
    run_body(unseen_body);
}
END_TEST

static intptr_t plain_failure(void *arg) {
    (void)arg;
    return -EIO;
}

static intptr_t set_to_fail(void *future) {
    return jg_future_set(future, -EIO);
}

/* After every way to wait: nothing stands behind this failure. */
static void expect_no_reason(void) {
    ck_assert_ptr_null(jg_error_last());
    jg_fail(-EIO, "another disk broke before");
}

static intptr_t no_reason_body(void *arg) {
    jg_future future = {0};
    jg_future *futures[] = {&future};
    (void)arg;
    jg_fail(-EIO, "another disk broke before");
    jg_task *setter = jg_spawn(set_to_fail, &future);
    ck_assert_int_eq(jg_future_wait(&future), -EIO); // a wait
    expect_no_reason();
    ck_assert_int_eq(jg_future_wait(&future), -EIO); // and none
    expect_no_reason();
    ck_assert_int_eq(jg_wait_for(&future, 1), -EIO);
    expect_no_reason();
    ck_assert_int_eq(jg_gather(futures, 1, NULL, JG_FAIL_FIRST), -EIO);
    expect_no_reason();
    JG_AS_COMPLETED(done, futures, 1, -1) {
        ck_assert_int_eq(done.result, -EIO);
        expect_no_reason();
    }
    ck_assert_int_eq(jg_join(setter), 0);
    ck_assert_str_eq(jg_error_last()->text, "another disk broke before");
    return 0;
}

// What stood behind another failure would be told as the reason of this one.
START_TEST(failure_without_a_reason_has_none) {
    run_body(no_reason_body);
}
END_TEST

static intptr_t exception_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn(plain_failure, NULL);
    jg_task *fine = jg_spawn(give, NULL);
    ck_assert_ptr_null(jg_future_exception(jg_task_future(task)));
    jg_sleep(5);
    const jg_error *error = jg_future_exception(jg_task_future(task));
    ck_assert_int_eq(error->code, -EIO);
    ck_assert_str_eq(error->task, "plain_failure");
    ck_assert_ptr_eq(jg_future_exception(jg_task_future(task)), error);
    ck_assert_ptr_null(jg_future_exception(jg_task_future(fine)));
    ck_assert_int_eq(jg_join(task), -EIO);
    ck_assert_int_eq(jg_join(fine), 0);
    jg_future code_only = {0};
    jg_future_set(&code_only, -EIO);
    ck_assert_ptr_null(jg_future_exception(&code_only));
    return 0;
}

// asyncio's exception() would have no answer here.
START_TEST(exception_of_a_task) {
    run_body(exception_body);
}
END_TEST

static intptr_t share_and_chain(void *future) {
    for (int i = 0; i < 20; i++) {
        jg_fail_because(-EIO - i, "link %d", i);
        if (i == 5) {
            jg_future_fail(future, -EIO - 5);
        }
    }
    return 0;
}

static intptr_t chain_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    ck_assert_int_eq(jg_join(jg_spawn(share_and_chain, &future)), 0);
    int length = 0;
    for (const jg_error *error = jg_future_exception(&future); error; error = error->cause) {
        ck_assert_int_eq(error->code, -EIO - 5 + length);
        length++;
    }
    ck_assert_int_eq(length, 6); // nothing was cut off what the future holds
    jg_future_fini(&future);
    return 0;
}

// A long chain of causes would be cut under somebody who holds a part of it.
START_TEST(shared_causes_stay_whole) {
    run_body(chain_body);
}
END_TEST

static intptr_t end_watched(void *arg) {
    (void)arg;
    jg_future future = {0};
    struct waiting waiting = {&future, -1, NULL, 0};
    jg_spawn(wait_for, &waiting);
    jg_sleep(1);
    jg_future_fini(&future);
    return 0;
}

static void run_end_watched(void *arg) {
    jg_run(end_watched, arg);
}

// A future that goes out of scope under its waiters would be written to when they leave.
START_TEST(ending_a_watched_future_is_named) {
    fixture_expect_abort(run_end_watched, NULL, "a future was ended that somebody waits for");
}
END_TEST

FIXTURE_MAIN("api/future", s50d_waiters_never_run_inside_set, waiter_may_give_up,
             s07_word_and_cancel_in_one_tick, cancelled_future_wakes_its_waiters,
             many_wait_for_one_task, cancelling_a_tasks_future_cancels_the_task,
             s50h_waiting_for_oneself, refused_spawn_has_a_failed_future,
             failure_reaches_every_waiter_with_its_reason, s50e_failed_future_is_reported_once,
             failure_without_a_reason_has_none, exception_of_a_task, shared_causes_stay_whole,
             ending_a_watched_future_is_named)
