// SPDX-License-Identifier: MIT
/* test_as_completed.c – SEMANTICS S35: one word after the other, in the order of their coming.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed; what needs no task holds without a loop too.
 * Called by  ctest.
 * Why        the body of such a loop does as it likes: joins, leaves, is cancelled.
 */
// Backends: epoll sim blocking
#include "api/crew.h"

static intptr_t s35_body(void *arg) {
    (void)arg;
    struct crew crew = {.count = 0};
    const int64_t after_ms[] = {30, 10, 60000, 20, 60000};
    const size_t order[] = {1, 3, 0};
    size_t seen = 0;
    for (int i = 0; i < 5; i++) {
        hire(&crew, i == 3 ? work_badly : work, after_ms[i], i == 3 ? -EIO : i);
    }
    intptr_t rc = 0;
    JG_AS_COMPLETED(it, crew.futures, 5, 100, rc) {
        ck_assert_uint_eq(it.index, order[seen]);
        ck_assert_ptr_eq(it.future, crew.futures[it.index]);
        ck_assert_int_eq(it.result, it.index == 3 ? -EIO : (intptr_t)it.index);
        ck_assert(it.index != 3 || strcmp(jg_error_last()->text, "job 5 failed") == 0);
        seen++;
    }
    ck_assert_uint_eq(seen, 3);
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert(!jg_done(crew.tasks[2]) && !jg_done(crew.tasks[4]));
    ck_assert_int_eq(jg_cancelling(crew.tasks[2]), 0);
    dismiss(&crew);
    return 0;
}

static intptr_t s35_plain_body(void *arg) {
    (void)arg;
    jg_future a = {0};
    jg_future b = {0};
    jg_future c = {0};
    jg_future *futures[] = {&a, &b, &a, &c, &b};
    jg_future_set(&c, 3);
    jg_future_set(&a, 1);
    size_t seen = 0;
    intptr_t rc = 1;
    JG_AS_COMPLETED(it, futures, 5, 2, rc) {
        ck_assert_uint_eq(it.index, seen == 0 ? 0 : 3); // what is done comes in the order given
        seen++;
    }
    ck_assert_uint_eq(seen, 2);
    ck_assert_int_eq(rc, -ETIMEDOUT);
    JG_AS_COMPLETED(it, futures, 0, -1, rc) {
        ck_abort_msg("nothing was waited for");
    }
    ck_assert_int_eq(rc, 0);
    JG_AS_COMPLETED(it, futures, 5, 0) {
        seen++;
        break;
    }
    ck_assert_uint_eq(seen, 3);
    jg_as_completed it;
    ck_assert_int_eq(jg_as_completed_open(&it, futures, 3, -1), 0);
    ck_assert(jg_as_completed_next(&it));
    jg_future_cancel(&b);
    ck_assert(jg_as_completed_next(&it));
    ck_assert_int_eq(it.result, -ECANCELED);
    ck_assert(!jg_as_completed_next(&it));
    ck_assert(!jg_as_completed_next(&it));
    ck_assert_int_eq(jg_as_completed_close(&it), 0);
    return 0;
}

// Words would come in another order, or the limit would stop what is not done.
START_TEST(s35_as_completed) {
    run_body(s35_plain_body);
    needs_loop();
    run_body(s35_body);
}
END_TEST

static intptr_t join_in_loop_body(void *arg) {
    (void)arg;
    struct crew crew = {.count = 0};
    intptr_t sum = 0;
    for (int i = 0; i < MANY; i++) {
        hire(&crew, work, i % 3, i);
    }
    jg_sleep(10); // all are done, and none has been yielded
    size_t joined_before = 0;
    intptr_t rc = 0;
    JG_AS_COMPLETED(it, crew.futures, crew.count, -1, rc) {
        if (joined_before == 0) {
            ck_assert_int_eq(jg_join(crew.tasks[MANY - 1]), MANY - 1);
            joined_before = 1;
        } else if (it.index == MANY - 1) {
            ck_assert_ptr_null(it.future); // its task is gone; its word is not
            sum += it.result;
            continue;
        }
        sum += jg_join(crew.tasks[it.index]);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(sum, MANY * (MANY - 1) / 2);
    return 0;
}

// Joining a task while others are still to come would leave a link into a record that is gone.
START_TEST(tasks_joined_while_iterating) {
    needs_loop();
    run_body(join_in_loop_body);
}
END_TEST

static intptr_t iterate(void *arg) {
    struct crew *crew = arg;
    intptr_t rc = 0;
    JG_AS_COMPLETED(it, crew->futures, crew->count, -1, rc) {
        return it.result; // leaves by the side door
    }
    return rc;
}

static intptr_t leave_body(void *arg) {
    (void)arg;
    struct crew crew = {.count = 0};
    hire(&crew, work, 5, 50);
    hire(&crew, work, 8, 80);
    ck_assert_int_eq(iterate(&crew), 50);
    ck_assert_int_eq(jg_join(crew.tasks[0]), 50);
    ck_assert_int_eq(jg_join(crew.tasks[1]), 80);
    crew.count = 0;
    hire(&crew, work, 5, 50);
    jg_task *iterator = jg_spawn(iterate, &crew);
    jg_sleep(1);
    jg_cancel(iterator);
    ck_assert_int_eq(jg_join(iterator), -ECANCELED);
    ck_assert_int_eq(jg_join(crew.tasks[0]), 50);
    return 0;
}

// Leaving the loop early, or being cancelled in it, would leave a link into a frame that is gone.
START_TEST(loop_left_early) {
    needs_loop();
    run_body(leave_body);
}
END_TEST

FIXTURE_MAIN("api/as_completed", s35_as_completed, tasks_joined_while_iterating, loop_left_early)
