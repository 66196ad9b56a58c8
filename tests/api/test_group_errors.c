// SPDX-License-Identifier: MIT
/* test_group_errors.c – SEMANTICS S37, S40: every failure of a group can be read once it has closed.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed.
 * Called by  ctest, on epoll and sim.
 * Why        a result has room for one code; the failures beyond the first must not be lost with it.
 */
#include "api/api.h"

#include <stdlib.h>

static intptr_t fail_after(void *arg) {
    JG_SHIELD {
        jg_sleep((intptr_t)arg);
    }
    return jg_fail(-EPROTO, "after %ld ms", (long)(intptr_t)arg);
}

/* A group in which one task fails after 1 ms, the next in its clean-up after 2, and so on. */
static int fail_many(int count) {
    int rc = 0;
    JG_GROUP(group, rc) {
        for (intptr_t i = 1; i <= count; i++) {
            jg_group_spawn(group, fail_after, (void *)i);
        }
        jg_sleep(0); // all have begun: none is cancelled before
    }
    return rc;
}

static intptr_t named_body(void *arg) {
    (void)arg;
    ck_assert_int_eq(fail_many(1), -EPROTO);
    ck_assert_str_eq(jg_error_detail(-EPROTO), "after 1 ms");
    ck_assert_int_eq(fail_many(3), -EPROTO);
    ck_assert_str_eq(jg_error_last()->text, "after 1 ms");
    ck_assert_str_eq(jg_error_detail(-EPROTO),
                     "after 1 ms (and 2 more: EPROTO: after 2 ms; EPROTO: after 3 ms)");
    ck_assert_int_eq(fail_many(5), -EPROTO);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EPROTO), "after 4 ms; ...)"));
    int count = 0;
    for (const jg_error *error = jg_error_last(); error != NULL; error = error->next) {
        char text[32];
        snprintf(text, sizeof(text), "after %d ms", ++count);
        ck_assert_str_eq(error->text, text);
        ck_assert_str_eq(error->task, "fail_after");
    }
    ck_assert_int_eq(count, 5);
    jg_error_clear();
    return 0;
}

// Whoever prints what went wrong would tell of one failure, and hide the others.
START_TEST(s37_all_failures_are_named) {
    run_body(named_body);
}
END_TEST

static intptr_t fail_as_a_group(void *arg) {
    (void)arg;
    return fail_many(2);
}

static intptr_t nested_body(void *arg) {
    (void)arg;
    jg_group group;
    jg_group_open(&group);
    jg_group_spawn(&group, fail_as_a_group, NULL);
    jg_group_wait(&group);
    ck_assert_uint_eq(jg_group_error_count(&group), 2);
    ck_assert_str_eq(jg_group_error(&group, 1)->text, "after 2 ms");
    ck_assert_int_eq(jg_group_close(&group, jg_fail_because(-EIO, "the body")), -EPROTO);
    const jg_error *third = jg_error_last()->next->next;
    ck_assert_str_eq(third->text, "the body");
    ck_assert_ptr_null(third->next);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EPROTO), "(and 2 more: "));

    ck_assert_int_eq(jg_join(jg_spawn(fail_as_a_group, NULL)), -EPROTO);
    ck_assert_str_eq(jg_error_last()->next->text, "after 2 ms");
    ck_assert_int_eq(jg_fail_because(-EIO, "no dinner"), -EIO);
    ck_assert_str_eq(jg_error_last()->cause->next->text, "after 2 ms");
    ck_assert_ptr_null(jg_error_last()->next);
    return 0;
}

// A failure's companions would be lost on the way through a join, a cause or a group around.
START_TEST(failures_travel_together) {
    run_body(nested_body);
}
END_TEST

static intptr_t wait_for_it(void *future) {
    return jg_future_wait(future);
}

static intptr_t same_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    int rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, wait_for_it, &future);
        jg_group_spawn(group, wait_for_it, &future);
        jg_group_spawn(group, wait_for_it, &future);
        jg_sleep(1);
        jg_future_fail(&future, jg_fail_because(-EIO, "%s: %0400d", "a long story", 7));
    }
    ck_assert_int_eq(rc, -EIO);
    int count = 0;
    const jg_error *given = jg_future_exception(&future);
    for (const jg_error *error = jg_error_last(); error != NULL; error = error->next) {
        ck_assert_str_eq(error->text, given->text);
        ck_assert_str_eq(error->where, given->where);
        count++;
    }
    ck_assert_int_eq(count, 3);
    ck_assert_ptr_null(given->next); // it came alone
    jg_future_fini(&future);
    return 0;
}

// One failure that several tasks were given would be in the list once, or in a ring.
START_TEST(one_reason_fails_several_tasks) {
    run_body(same_body);
}
END_TEST

static intptr_t watch_it(void *future) {
    ck_assert_int_eq(jg_future_wait(future), -EPROTO);
    ck_assert_str_eq(jg_error_last()->text, "after 1 ms");
    ck_assert_ptr_null(jg_error_last()->next);
    return 0;
}

static intptr_t held_body(void *arg) {
    (void)arg;
    int rc = 0;
    jg_task *watching = NULL;
    JG_GROUP(group, rc) {
        const jg_spawn_options options = {.group = group};
        jg_task *task = jg_spawn_with(fail_after, (void *)1, &options);
        watching = jg_spawn(watch_it, jg_task_future(task));
        jg_group_spawn(group, fail_after, (void *)2);
        JG_SHIELD {
            jg_sleep(3);
            ck_assert_int_eq(jg_join(task), -EPROTO);
        }
        ck_assert_str_eq(jg_error_detail(-EPROTO), "after 1 ms");
    }
    ck_assert_str_eq(jg_error_last()->next->text, "after 2 ms");
    ck_assert_int_eq(jg_join(watching), 0);
    return 0;
}

// Who waits for a task of a group would get its failure without the reason, which the group had taken.
START_TEST(the_group_and_who_waits_get_the_reason) {
    run_body(held_body);
}
END_TEST

static intptr_t leave_unseen(void *arg) {
    (void)arg;
    jg_detach(jg_spawn(fail_as_a_group, NULL));
    return jg_sleep(10);
}

static void fail_and_die(void *arg) {
    jg_run(leave_unseen, arg);
    abort(); // the way to see what was said
}

static int reports;

static void count_report(const jg_error *error) {
    ck_assert_str_eq(error->next->text, "after 2 ms");
    reports++;
}

enum { VERY_MANY = 30 };

static intptr_t fail_as_a_crowd(void *arg) {
    int rc = 0;
    JG_GROUP(group, rc) {
        const jg_spawn_options at_once = {.group = group, .eager = true};
        for (intptr_t i = 0; i < VERY_MANY; i++) {
            jg_detach(jg_spawn_with(fail_after, (void *)1, &at_once));
        }
    }
    (void)arg;
    return rc;
}

static intptr_t leave_crowd_unseen(void *arg) {
    (void)arg;
    jg_detach(jg_spawn(fail_as_a_crowd, NULL));
    return jg_sleep(10);
}

static void crowd_and_die(void *arg) {
    jg_run(leave_crowd_unseen, arg);
    abort();
}

// A group of a hundred thousand that fail would be a line of ten megabytes.
START_TEST(a_report_of_very_many_is_short) {
    fixture_expect_abort(crowd_and_die, NULL, "; and 9 more\n");
}
END_TEST

// A group's failures that nobody retrieved would be reported in part, or each by itself.
START_TEST(unseen_failures_are_reported_together) {
    fixture_expect_abort(fail_and_die, NULL, "failed and nobody looked: EPROTO: after 1 ms (");
    fixture_expect_abort(fail_and_die, NULL, "; and task fail_after (spawned at ");
    fixture_expect_abort(fail_and_die, NULL, "): EPROTO: after 2 ms (");
    jg_error_on_unretrieved(count_report);
    run_once(leave_unseen, NULL);
    jg_error_on_unretrieved(NULL);
    ck_assert_int_eq(reports, 1);
}
END_TEST

FIXTURE_MAIN("api/group_errors", s37_all_failures_are_named, failures_travel_together,
             one_reason_fails_several_tasks, the_group_and_who_waits_get_the_reason,
             unseen_failures_are_reported_together, a_report_of_very_many_is_short)
