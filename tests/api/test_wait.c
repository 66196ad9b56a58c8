// SPDX-License-Identifier: MIT
/* test_wait.c – SEMANTICS S23 to S26 and S32 to S34: waiting for many.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed; what needs no task holds without a loop too.
 * Called by  ctest.
 * Why        whoever waits for many has to know which are done, and what becomes of the others.
 */
// Backends: epoll sim blocking
#include "api/crew.h"

// wait.

static intptr_t s23_body(void *arg) {
    (void)arg;
    struct crew crew = {.count = 0};
    hire(&crew, work, 5, 1);
    hire(&crew, work, 60000, 2);
    hire(&crew, work, 60000, 3);
    ck_assert_int_eq(jg_wait(crew.futures, 3, JG_ALL_COMPLETED, 20), 1);
    ck_assert(jg_done(crew.tasks[0]));
    ck_assert(!jg_done(crew.tasks[1]));
    ck_assert_int_eq(jg_cancelling(crew.tasks[1]), 0);
    ck_assert_int_eq(jg_cancelling(jg_self()), 0);
    ck_assert_int_eq(jg_wait(crew.futures, 3, JG_ALL_COMPLETED, 0), 1);
    ck_assert_int_eq(jg_wait(crew.futures + 1, 2, JG_FIRST_COMPLETED, 0), 0);
    ck_assert_int_eq(jg_wait(crew.futures, 3, JG_FIRST_COMPLETED, -1), 1);
    ck_assert_int_eq(jg_sleep(1), 0);
    dismiss(&crew);
    return 0;
}

// A limit would cancel what it should only stop waiting for, or hide what is done.
START_TEST(s23_limit_cancels_nothing) {
    needs_loop();
    run_body(s23_body);
}
END_TEST

struct waiting {
    struct crew *crew;
    jg_return_when when;
    ssize_t got;
};

static intptr_t wait_for_crew(void *arg) {
    struct waiting *waiting = arg;
    waiting->got = jg_wait(waiting->crew->futures, waiting->crew->count, waiting->when, -1);
    return waiting->got;
}

static intptr_t s24_body(void *arg) {
    (void)arg;
    struct crew crew = {.count = 0};
    hire(&crew, work, 5, 1);
    hire(&crew, work, 6, 2);
    struct waiting waiting = {&crew, JG_ALL_COMPLETED, 0};
    jg_task *waiter = jg_spawn(wait_for_crew, &waiting);
    jg_sleep(1);
    jg_cancel(waiter);
    ck_assert_int_eq(jg_join(waiter), -ECANCELED);
    ck_assert_int_eq(waiting.got, -ECANCELED);
    ck_assert_int_eq(jg_join(crew.tasks[0]), 1);
    ck_assert_int_eq(jg_join(crew.tasks[1]), 2);
    return 0;
}

// Whoever gives up waiting would take others' work with them.
START_TEST(s24_cancelled_wait_leaves_tasks_alone) {
    needs_loop();
    run_body(s24_body);
}
END_TEST

static intptr_t s25_body(void *arg) {
    (void)arg;
    jg_future a = {0};
    jg_future b = {0};
    jg_future *futures[] = {&a, &b, &a, &a};
    ck_assert_int_eq(jg_wait(futures, 0, JG_ALL_COMPLETED, -1), -EINVAL);
    ck_assert_int_eq(jg_wait(futures, 4, (jg_return_when)7, -1), -EINVAL);
    jg_future_set(&a, 1);
    ck_assert_int_eq(jg_wait(futures, 4, JG_ALL_COMPLETED, 2), 1);
    ck_assert_int_eq(jg_wait(futures, 4, JG_ALL_COMPLETED, 0), 1);
    ck_assert_int_eq(jg_wait(futures, 4, JG_FIRST_COMPLETED, -1), 1);
    jg_future_set(&b, 2);
    ck_assert_int_eq(jg_wait(futures, 4, JG_ALL_COMPLETED, -1), 2);
    return 0;
}

// Waiting for nothing would wait for ever, or one future would count as many.
START_TEST(s25_nothing_and_the_same_twice) {
    run_body(s25_body);
}
END_TEST

static intptr_t s26_body(void *arg) {
    (void)arg;
    struct crew crew = {.count = 0};
    hire(&crew, work, 60000, 1);
    hire(&crew, work, 1, 2);
    hire(&crew, work_badly, 10, -EPROTO);
    hire(&crew, work, 60000, 4);
    jg_cancel(crew.tasks[0]); // is not a failure
    ck_assert_int_eq(jg_wait(crew.futures, 4, JG_FIRST_EXCEPTION, -1), 3);
    ck_assert(jg_done(crew.tasks[2]) && !jg_done(crew.tasks[3]));
    ck_assert_int_eq(jg_wait(crew.futures, 4, JG_FIRST_EXCEPTION, -1), 3);
    ck_assert_int_eq(jg_wait(crew.futures, 2, JG_FIRST_EXCEPTION, -1), 2); // none failed: all
    dismiss(&crew);
    return 0;
}

// A cancelled task would be taken for the failure one waits for.
START_TEST(s26_first_exception) {
    needs_loop();
    run_body(s26_body);
}
END_TEST

static intptr_t set_later(void *future) {
    jg_sleep(2);
    return jg_future_set(future, 5);
}

static intptr_t mixed_body(void *arg) {
    (void)arg;
    jg_future plain[MANY] = {0};
    jg_future *futures[MANY];
    for (int i = 0; i < MANY; i++) {
        futures[i] = &plain[i];
    }
    jg_task *setter = jg_spawn(set_later, &plain[17]);
    futures[3] = jg_task_future(setter);
    ck_assert_int_ge(jg_wait(futures, MANY, JG_FIRST_COMPLETED, -1), 1);
    ck_assert_int_eq(jg_wait(futures, MANY, JG_ALL_COMPLETED, 3), 2);
    ck_assert_int_eq(jg_future_result(&plain[17]), 5);
    for (size_t count = 1; count <= MANY;
         count += MANY - 1) { // in their place, or a block of their own
        futures[count - 1] = jg_task_future(jg_self());
        jg_as_completed each;
        ck_assert_int_eq(jg_wait(futures, count, JG_FIRST_COMPLETED, -1), -EDEADLK);
        ck_assert_int_eq(jg_gather(futures, count, NULL, JG_FAIL_FIRST), -EDEADLK);
        ck_assert_int_eq(jg_as_completed_open(&each, futures, count, -1), -EDEADLK);
        ck_assert(!jg_as_completed_next(&each));
        ck_assert_int_eq(jg_as_completed_close(&each), -EDEADLK);
        futures[count - 1] = &plain[count - 1];
    }
    return jg_join(setter);
}

// Tasks and plain futures could not be waited for together, or not many of them.
START_TEST(tasks_and_futures_alike) {
    needs_loop();
    run_body(mixed_body);
}
END_TEST

// gather.

static intptr_t s32_body(void *arg) {
    (void)arg;
    struct crew crew = {.count = 0};
    intptr_t words[3] = {-1, -1, -1};
    hire(&crew, work, 10, 1);
    hire(&crew, work_badly, 2, -EPROTO);
    hire(&crew, work, 5, 3);
    int64_t before = jg_now();
    ck_assert_int_eq(jg_gather(crew.futures, 3, words, JG_FAIL_FIRST), -EPROTO);
    ck_assert_str_eq(jg_error_last()->text, "job 71 failed");
    ck_assert(!on_backend("sim") || jg_now() - before < 5 * JG_MS);
    ck_assert_int_eq(words[0], -1);
    ck_assert_int_eq(jg_join(crew.tasks[0]), 1); // the others were let be
    ck_assert_int_eq(jg_join(crew.tasks[1]), -EPROTO);
    ck_assert_int_eq(jg_join(crew.tasks[2]), 3);
    return 0;
}

// One failure would keep the caller waiting, or stop work that others want.
START_TEST(s32_gather_returns_at_the_first_failure) {
    needs_loop();
    run_body(s32_body);
}
END_TEST

static intptr_t s33_body(void *arg) {
    (void)arg;
    struct crew crew = {.count = 0};
    intptr_t words[MANY];
    for (int i = 0; i < MANY; i++) {
        hire(&crew, i == 4 ? work_badly : work, MANY - i, i == 4 ? -EIO : i * 10);
    }
    jg_cancel(crew.tasks[7]);
    ck_assert_int_eq(jg_gather(crew.futures, MANY, words, JG_COLLECT_ERRORS), 0);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(words[i], i == 4 ? -EIO : i == 7 ? -ECANCELED : i * 10);
        ck_assert_int_eq(jg_join(crew.tasks[i]), words[i]);
    }
    return 0;
}

// Words would come back in another order, or a failure would hide the rest.
START_TEST(s33_gather_collects_errors_in_order) {
    needs_loop();
    run_body(s33_body);
}
END_TEST

struct gathering {
    struct crew *crew;
    jg_gather_mode mode;
    intptr_t got;
    intptr_t words[MANY];
};

static intptr_t gather_crew(void *arg) {
    struct gathering *gathering = arg;
    struct crew *crew = gathering->crew;
    gathering->got = jg_gather(crew->futures, crew->count, gathering->words, gathering->mode);
    return gathering->got;
}

static intptr_t s34_cancel_body(void *arg) {
    (void)arg;
    for (int collect = 0; collect < 2; collect++) {
        struct crew crew = {.count = 0};
        struct gathering gathering = {&crew, collect ? JG_COLLECT_ERRORS : JG_FAIL_FIRST, 0, {0}};
        hire(&crew, work, 60000, 1);
        hire(&crew, work, 60000, 2);
        jg_task *gatherer = jg_spawn(gather_crew, &gathering);
        jg_sleep(1);
        jg_cancel(gatherer);
        ck_assert_int_eq(jg_join(gatherer), -ECANCELED);
        ck_assert_int_eq(gathering.got, -ECANCELED);
        ck_assert(jg_cancelled(crew.tasks[0]) && jg_cancelled(crew.tasks[1])); // and over
        dismiss(&crew);
    }
    return 0;
}

static intptr_t s34_alone_body(void *arg) {
    (void)arg;
    struct crew crew = {.count = 0};
    hire(&crew, work, 5, 1);
    hire(&crew, work, 60000, 2);
    jg_cancel(crew.tasks[1]);
    ck_assert_int_eq(jg_gather(crew.futures, 2, NULL, JG_FAIL_FIRST), -ECANCELED);
    ck_assert_int_eq(jg_cancelling(jg_self()), 0);
    ck_assert_int_eq(jg_join(crew.tasks[0]), 1);
    ck_assert_int_eq(jg_join(crew.tasks[1]), -ECANCELED);
    return 0;
}

static intptr_t s34_plain_body(void *arg) {
    (void)arg;
    jg_future a = {0};
    jg_future b = {0};
    jg_future *futures[] = {&a, &b, &a};
    intptr_t words[3] = {0};
    ck_assert_int_eq(jg_gather(NULL, 0, NULL, JG_FAIL_FIRST), 0);
    ck_assert_int_eq(jg_gather(futures, 3, words, (jg_gather_mode)9), -EINVAL);
    jg_future_set(&a, 4);
    jg_future_set(&b, 5);
    ck_assert_int_eq(jg_gather(futures, 3, words, JG_FAIL_FIRST), 0);
    ck_assert(words[0] == 4 && words[1] == 5 && words[2] == 4);

    jg_future c = {0};
    jg_future d = {0};
    jg_future *pending[] = {&c, &d, &c};
    for (int collect = 0; collect < 2; collect++) {
        intptr_t rc = 0;
        JG_TIMEOUT(2, rc) {
            rc = jg_gather(pending, 3, words, collect ? JG_COLLECT_ERRORS : JG_FAIL_FIRST);
        }
        ck_assert_int_eq(rc, -ETIMEDOUT);
        ck_assert(jg_future_cancelled(&c) && jg_future_cancelled(&d));
        c = d = (jg_future){0};
        JG_TIMEOUT(0, rc) { // a cancel that stands already
            rc = jg_gather(pending, 3, words, collect ? JG_COLLECT_ERRORS : JG_FAIL_FIRST);
        }
        ck_assert_int_eq(rc, -ETIMEDOUT);
        ck_assert(jg_future_cancelled(&c) && jg_future_cancelled(&d));
        c = d = (jg_future){0};
    }
    return 0;
}

// Cancelling who gathers would leave tasks behind; cancelling one of them would stop the others.
START_TEST(s34_gather_and_cancels) {
    run_body(s34_plain_body);
    needs_loop();
    run_body(s34_cancel_body);
    run_body(s34_alone_body);
}
END_TEST

static intptr_t answer_cancel(void *arg) {
    jg_sleep(60000);
    return (intptr_t)arg;
}

static intptr_t gather_two(void *arg) {
    intptr_t *words = arg;
    jg_task *tasks[] = {jg_spawn(answer_cancel, (void *)6), jg_spawn(answer_cancel, (void *)7)};
    jg_future *futures[] = {jg_task_future(tasks[0]), jg_task_future(tasks[1])};
    jg_yield();
    words[2] = jg_gather(futures, 2, words, JG_FAIL_FIRST);
    words[3] = jg_sleep(1);
    jg_join(tasks[0]);
    jg_join(tasks[1]);
    return 0;
}

static intptr_t answers_body(void *arg) {
    (void)arg;
    intptr_t words[4] = {0};
    jg_task *task = jg_spawn(gather_two, words);
    jg_sleep(1);
    jg_cancel(task);
    jg_join(task);
    ck_assert(words[0] == 6 && words[1] == 7 && words[2] == 0);
    ck_assert_int_eq(words[3], -ECANCELED); // completion wins; the cancel stays pending
    return 0;
}

// S7. What the tasks came to in spite of the cancel would be lost.
START_TEST(s07_gathered_answers_to_a_cancel) {
    needs_loop();
    run_body(answers_body);
}
END_TEST

static intptr_t tick_body(void *arg) {
    (void)arg;
    struct crew crew = {.count = 2};
    jg_future plain[2] = {0};
    crew.futures[0] = &plain[0];
    crew.futures[1] = &plain[1];
    struct gathering gathering = {&crew, JG_FAIL_FIRST, 0, {0}};
    struct waiting waiting = {&crew, JG_ALL_COMPLETED, 0};
    jg_task *gatherer = jg_spawn(gather_crew, &gathering);
    jg_task *waiter = jg_spawn(wait_for_crew, &waiting);
    jg_sleep(1);
    jg_future_set(&plain[0], 1);
    jg_future_set(&plain[1], 2);
    jg_cancel(gatherer);
    jg_cancel(waiter);
    jg_join(gatherer);
    jg_join(waiter);
    ck_assert_int_eq(gathering.got, 0);
    ck_assert(gathering.words[0] == 1 && gathering.words[1] == 2);
    ck_assert_int_eq(waiting.got, 2);
    return 0;
}

// S7. Words and a cancel in one tick: the words would be lost.
START_TEST(s07_all_words_and_a_cancel_in_one_tick) {
    needs_loop();
    run_body(tick_body);
}
END_TEST

static int reports;

static void count_report(const jg_error *error) {
    reports += error->code == -EIO;
}

static intptr_t unseen_body(void *arg) {
    (void)arg;
    reports = 0;
    struct crew crew = {.count = 0};
    hire(&crew, work, 1, 1);
    hire(&crew, work_badly, 2, -EIO);
    hire(&crew, work_badly, 3, -EIO);
    ck_assert_int_eq(jg_wait(crew.futures, 3, JG_ALL_COMPLETED, -1), 3); // sees nothing
    JG_AS_COMPLETED(it, crew.futures, 2, -1) {}
    for (int i = 0; i < 3; i++) {
        jg_detach(crew.tasks[i]);
    }
    ck_assert_int_eq(reports, 1); // the one that nothing but jg_wait was told of
    crew.count = 0;
    hire(&crew, work_badly, 1, -EIO);
    hire(&crew, work_badly, 1, -EIO);
    ck_assert_int_eq(jg_gather(crew.futures, 2, NULL, JG_COLLECT_ERRORS), 0);
    jg_detach(crew.tasks[0]);
    jg_detach(crew.tasks[1]);
    ck_assert_int_eq(reports, 1);
    return 0;
}

// S50 (e). A failure that was handed over would be reported, or one that was not be lost.
START_TEST(s50e_who_has_seen_a_failure) {
    needs_loop();
    jg_error_on_unretrieved(count_report);
    run_body(unseen_body);
}
END_TEST

// Without a loop a wait that nobody can end would hang.
START_TEST(nobody_could_end_it) {
    if (!on_backend("blocking")) {
        fixture_skip("with a loop somebody might");
    }
    jg_future a = {0};
    jg_future *futures[] = {&a, &a};
    ck_assert_int_eq(jg_wait(futures, 2, JG_ALL_COMPLETED, -1), -EDEADLK);
    ck_assert_int_eq(jg_gather(futures, 2, NULL, JG_FAIL_FIRST), -EDEADLK);
    intptr_t rc = 0;
    JG_AS_COMPLETED(it, futures, 2, -1, rc) {}
    ck_assert_int_eq(rc, -EDEADLK);
    ck_assert(!jg_future_done(&a));
}
END_TEST

FIXTURE_MAIN("api/wait", s23_limit_cancels_nothing, s24_cancelled_wait_leaves_tasks_alone,
             s25_nothing_and_the_same_twice, s26_first_exception, tasks_and_futures_alike,
             s32_gather_returns_at_the_first_failure, s33_gather_collects_errors_in_order,
             s34_gather_and_cancels, s07_gathered_answers_to_a_cancel,
             s07_all_words_and_a_cancel_in_one_tick, s50e_who_has_seen_a_failure,
             nobody_could_end_it)
