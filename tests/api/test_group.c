// SPDX-License-Identifier: MIT
/* test_group.c – SEMANTICS S36 to S42: tasks that live and end together.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed.
 * Called by  ctest, on epoll and sim.
 * Why        structured concurrency is the promise that nothing outlives its block and no failure
 *            goes unseen.
 */
#include "api/api.h"

static intptr_t sleep_long(void *arg) {
    int rc = jg_sleep(60000);
    if (arg != NULL) {
        *(int *)arg = rc;
    }
    return rc;
}

static intptr_t fail_after(void *arg) {
    jg_sleep((intptr_t)arg);
    return jg_fail(-EPROTO - (intptr_t)arg, "failed after %ld ms", (long)(intptr_t)arg);
}

static intptr_t shielded_clean_up(void *arg) {
    int rc = jg_sleep(60000);
    JG_SHIELD {
        if (jg_sleep(20) == 0) {
            *(int *)arg = 1;
        }
    }
    return rc;
}

static intptr_t s36_body(void *arg) {
    (void)arg;
    int sibling = 0;
    int cleaned = 0;
    int rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, sleep_long, &sibling);
        jg_group_spawn(group, shielded_clean_up, &cleaned);
        jg_group_spawn(group, fail_after, (void *)5);
        rc = jg_sleep(60000);
        ck_assert_int_eq(rc, -ECANCELED);
        ck_assert_int_eq(jg_cancelling(jg_self()), 1);
    }
    ck_assert_int_eq(rc, -EPROTO - 5);
    ck_assert_str_eq(jg_error_detail(rc), "failed after 5 ms");
    ck_assert_int_eq(sibling, -ECANCELED);
    ck_assert_int_eq(cleaned, 1);
    ck_assert_int_eq(jg_cancelling(jg_self()), 0);
    ck_assert_int_eq(jg_sleep(1), 0);
    return 0;
}

// One task's failure would leave its siblings running, or cut their clean-up short.
START_TEST(s36_failure_cancels_siblings_and_body) {
    run_body(s36_body);
}
END_TEST

static intptr_t fail_in_clean_up(void *arg) {
    jg_sleep(60000);
    JG_SHIELD {
        jg_sleep((intptr_t)arg);
    }
    return jg_fail(-EIO, "clean-up failed");
}

static intptr_t s37_body(void *arg) {
    (void)arg;
    jg_group group;
    jg_group_open(&group);
    jg_group_spawn(&group, sleep_long, NULL);
    jg_group_spawn(&group, fail_in_clean_up, (void *)3);
    jg_group_spawn(&group, fail_after, (void *)2);
    ck_assert_int_eq(jg_group_wait(&group), -EPROTO - 2);
    ck_assert_uint_eq(jg_group_error_count(&group), 2);
    ck_assert_int_eq(jg_group_error(&group, 0)->code, -EPROTO - 2);
    ck_assert_int_eq(jg_group_error(&group, 1)->code, -EIO);
    ck_assert_ptr_null(jg_group_error(&group, 2));
    ck_assert_int_eq(jg_group_close(&group, 0), -EPROTO - 2);
    const jg_error *first = jg_error_last();
    ck_assert_int_eq(first->code, -EPROTO - 2);
    ck_assert_str_eq(first->next->text, "clean-up failed");
    ck_assert_ptr_null(first->next->next);
    return 0;
}

// The second failure would be lost, or a cancelled task listed as one.
START_TEST(s37_errors_in_finish_order) {
    run_body(s37_body);
}
END_TEST

static intptr_t succeed_later(void *arg) {
    jg_sleep(5);
    *(int *)arg = 1;
    return 0;
}

static intptr_t s38_body(void *arg) {
    (void)arg;
    int finished = 0;
    int rc = 0;
    JG_GROUP(group, rc) {
        jg_task *lonely = jg_spawn_with(sleep_long, NULL, (&(jg_spawn_options){.group = group}));
        jg_group_spawn(group, succeed_later, &finished);
        jg_sleep(1);
        jg_cancel(lonely);
        ck_assert_int_eq(jg_join(lonely), -ECANCELED);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(finished, 1);
    return 0;
}

// A task cancelled on its own would bring its whole group down.
START_TEST(s38_child_cancelled_alone) {
    run_body(s38_body);
}
END_TEST

static intptr_t parent(void *arg) {
    int *out = arg;
    int rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, sleep_long, &out[0]);
    }
    out[1] = rc;
    out[2] = jg_cancelling(jg_self());
    return rc;
}

static intptr_t s39_body(void *arg) {
    (void)arg;
    int out[3] = {0};
    jg_task *task = jg_spawn(parent, out);
    jg_sleep(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    ck_assert_int_eq(out[0], -ECANCELED);
    ck_assert_int_eq(out[1], -ECANCELED);
    ck_assert_int_eq(out[2], 1);
    return 0;
}

// Cancelling the parent would leave its children behind, or the cancel would be forgotten.
START_TEST(s39_parent_cancelled) {
    run_body(s39_body);
}
END_TEST

static intptr_t parent_of_failing(void *arg) {
    int *out = arg;
    int rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, fail_in_clean_up, (void *)2);
    }
    out[0] = rc;
    out[1] = jg_cancelling(jg_self());
    out[2] = jg_sleep(1);
    return rc;
}

static intptr_t s39_failing_body(void *arg) {
    (void)arg;
    int out[3] = {0};
    jg_task *task = jg_spawn(parent_of_failing, out);
    jg_sleep(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -EIO);
    ck_assert_int_eq(out[0], -EIO);
    ck_assert_int_eq(out[1], 1);
    ck_assert_int_eq(out[2], -ECANCELED);
    return 0;
}

// A failure during cancelling would be lost, or would swallow the cancel.
START_TEST(s39_child_fails_while_parent_is_cancelled) {
    run_body(s39_failing_body);
}
END_TEST

static intptr_t s40_body(void *arg) {
    (void)arg;
    int sibling = 0;
    jg_group group;
    jg_group_open(&group);
    jg_group_spawn(&group, sleep_long, &sibling);
    jg_group_spawn(&group, fail_in_clean_up, (void *)2);
    jg_sleep(1);
    intptr_t rc = jg_group_close(&group, jg_fail(-ENOTTY, "the body failed"));
    ck_assert_int_eq(rc, -ENOTTY);
    ck_assert_str_eq(jg_error_last()->text, "the body failed");
    ck_assert_str_eq(jg_error_last()->next->text, "clean-up failed"); // while it closed
    ck_assert_uint_eq(jg_group_error_count(&group), 2);
    ck_assert_int_eq(sibling, -ECANCELED);
    return 0;
}

// A body that fails would wait for tasks whose work is no longer wanted, or its error be lost.
START_TEST(s40_body_fails) {
    run_body(s40_body);
}
END_TEST

static void count_drop(void *word) {
    (*(int *)word)++;
}

static intptr_t never(void *arg) {
    (void)arg;
    ck_abort_msg("spawned into a group that was aborting");
    return 0;
}

struct late {
    jg_group *group;
    int ran;
};

static intptr_t set_ran(void *arg) {
    ((struct late *)arg)->ran++;
    return 0;
}

static intptr_t spawn_late(void *arg) {
    struct late *late = arg;
    jg_sleep(3); // the parent waits at the group's end by now
    return jg_group_spawn(late->group, set_ran, late);
}

static intptr_t s41_body(void *arg) {
    (void)arg;
    int dropped = 0;
    int rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, fail_after, (void *)1);
        jg_sleep(60000);
        jg_task *refused = jg_spawn_with(
            never, &dropped, (&(jg_spawn_options){.group = group, .drop_arg = count_drop}));
        ck_assert_ptr_null(refused);
        ck_assert_int_eq(jg_join(refused), -ECANCELED);
        ck_assert_int_eq(dropped, 1);
    }
    ck_assert_int_eq(rc, -EPROTO - 1);
    struct late late = {0};
    rc = 0;
    JG_GROUP(group, rc) {
        late.group = group;
        jg_group_spawn(group, spawn_late, &late);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(late.ran, 1);
    return 0;
}

// A task spawned into a dying group would never be waited for; one spawned late would be refused.
START_TEST(s41_spawn_late) {
    run_body(s41_body);
}
END_TEST

static intptr_t s41_closed_body(void *arg) {
    (void)arg;
    int dropped = 0;
    jg_group group;
    jg_group_open(&group);
    ck_assert_int_eq(jg_group_close(&group, 0), 0);
    ck_assert_int_eq(jg_group_spawn(&group, never, NULL), -ECANCELED);
    const jg_spawn_options options = {.group = &group, .drop_arg = count_drop};
    ck_assert_ptr_null(jg_spawn_with(never, &dropped, &options));
    ck_assert_int_eq(dropped, 1);
    return 0;
}

// A task spawned into a group that is closed would live on a stack frame that is gone.
START_TEST(s41_spawn_into_a_closed_group) {
    run_body(s41_closed_body);
}
END_TEST

static intptr_t look_at_deadline(void *arg) {
    *(int64_t *)arg = jg_deadline();
    return 0;
}

static intptr_t s22_children_body(void *arg) {
    (void)arg;
    int64_t until_ns = jg_now() + 60 * JG_S;
    int64_t seen[3] = {0};
    jg_scope scope;
    jg_scope_open(&scope, until_ns, false);
    JG_GROUP(group) {
        jg_group_spawn(group, look_at_deadline, &seen[0]);
        ck_assert_int_eq(jg_join(jg_spawn(look_at_deadline, &seen[1])), 0);
    }
    JG_SHIELD {
        JG_GROUP(group) {
            jg_group_spawn(group, look_at_deadline, &seen[2]);
        }
    }
    jg_scope_close(&scope, 0);
    ck_assert_int_eq(seen[0], until_ns); // a group's task works within its parent's limit
    ck_assert_int_eq(seen[1], JG_NEVER); // one on its own does not
    ck_assert_int_eq(seen[2], JG_NEVER);
    return 0;
}

// A task of a group would not know the limit around the group.
START_TEST(s22_limits_reach_the_tasks_of_a_group) {
    run_body(s22_children_body);
}
END_TEST

static intptr_t shielded_group_body(void *arg) {
    (void)arg;
    int finished = 0;
    int rc = 0;
    jg_cancel(jg_self());
    JG_SHIELD {
        JG_GROUP(group, rc) {
            jg_group_spawn(group, succeed_later, &finished);
            ck_assert_int_eq(jg_sleep(1), 0);
        }
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(finished, 1);
    ck_assert_int_eq(jg_yield(), -ECANCELED);
    jg_uncancel(jg_self());
    return 0;
}

// S21. Clean-up done by several tasks would be cut short although it stands behind a shield.
START_TEST(s21_group_behind_a_shield) {
    run_body(shielded_group_body);
}
END_TEST

struct stretch {
    jg_scope scope;
    int child;
    intptr_t inside;
    intptr_t closed;
    int after;
};

static intptr_t walk_stretch(void *arg) {
    struct stretch *stretch = arg;
    jg_scope_open(&stretch->scope, JG_NEVER, false);
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, sleep_long, &stretch->child);
        rc = jg_sleep(60000);
    }
    stretch->inside = rc;
    stretch->closed = jg_scope_close(&stretch->scope, rc);
    stretch->after = jg_sleep(1);
    return 0;
}

static intptr_t other_scope_body(void *arg) {
    (void)arg;
    struct stretch stretch = {.after = 1};
    jg_task *task = jg_spawn(walk_stretch, &stretch);
    jg_sleep(1);
    jg_scope_cancel(&stretch.scope);
    ck_assert_int_eq(jg_join(task), 0);
    ck_assert_int_eq(stretch.child, -ECANCELED);
    ck_assert_int_eq(stretch.inside, -ECANCELED);
    ck_assert_int_eq(stretch.closed, 0);
    ck_assert_int_eq(stretch.after, 0);
    return 0;
}

// A stretch of another task's code, with the tasks it started, could not be stopped on its own.
START_TEST(scope_cancelled_by_another_task) {
    run_body(other_scope_body);
}
END_TEST

static intptr_t s42_body(void *arg) {
    (void)arg;
    int finished = 0;
    int outer_rc = 0;
    JG_GROUP(outer, outer_rc) {
        jg_group_spawn(outer, succeed_later, &finished);
        int inner_rc = 0;
        JG_GROUP(inner, inner_rc) {
            jg_group_spawn(inner, fail_after, (void *)1);
        }
        ck_assert_int_eq(inner_rc, -EPROTO - 1);
        ck_assert_int_eq(jg_sleep(1), 0);
    }
    ck_assert_int_eq(outer_rc, 0);
    ck_assert_int_eq(finished, 1);
    return 0;
}

// A failure handled inside would still bring down the group outside.
START_TEST(s42_inner_error_handled_outside) {
    run_body(s42_body);
}
END_TEST

static int leave_early(int *sibling) {
    JG_GROUP(group) {
        jg_group_spawn(group, sleep_long, sibling);
        jg_sleep(1);
        return 5;
    }
    return 0;
}

static intptr_t early_body(void *arg) {
    (void)arg;
    int sibling = 0;
    int64_t start = jg_now();
    ck_assert_int_eq(leave_early(&sibling), 5);
    ck_assert_int_eq(sibling, -ECANCELED);
    ck_assert_int_lt(jg_now() - start, 30 * JG_S);
    return 0;
}

// Leaving a group's block by return would wait for tasks nobody wants any more.
START_TEST(leaving_early_cancels) {
    run_body(early_body);
}
END_TEST

static intptr_t cancelled_group_body(void *arg) {
    (void)arg;
    int rc = 0;
    int sibling = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, sleep_long, &sibling);
        jg_sleep(1);
        jg_group_cancel(group);
        rc = jg_sleep(1);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(sibling, -ECANCELED);
    return 0;
}

// Ending a group on purpose would look like a failure.
START_TEST(group_cancelled_on_purpose) {
    run_body(cancelled_group_body);
}
END_TEST

static intptr_t timeout_body(void *arg) {
    (void)arg;
    int rc = 0;
    int sibling = 0;
    JG_TIMEOUT(5, rc) {
        JG_GROUP(group, rc) {
            jg_group_spawn(group, sleep_long, &sibling);
        }
        ck_assert_int_eq(rc, -ECANCELED);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(sibling, -ECANCELED);
    return 0;
}

// A time limit around a group would not reach its tasks.
START_TEST(time_limit_around_a_group) {
    run_body(timeout_body);
}
END_TEST

FIXTURE_MAIN("api/group", s36_failure_cancels_siblings_and_body, s37_errors_in_finish_order,
             s38_child_cancelled_alone, s39_parent_cancelled,
             s39_child_fails_while_parent_is_cancelled, s40_body_fails, s41_spawn_late,
             s41_spawn_into_a_closed_group, s22_limits_reach_the_tasks_of_a_group,
             s21_group_behind_a_shield, scope_cancelled_by_another_task,
             s42_inner_error_handled_outside, leaving_early_cancels, group_cancelled_on_purpose,
             time_limit_around_a_group)
