// SPDX-License-Identifier: MIT
/* test_task.c – tasks: their stacks, names and words, time at its ends, and misuse that is named.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed.
 * Called by  ctest, on epoll and sim.
 * Why        what a task leaves open or undisposed of is found by the next task in its memory.
 */
#include "api/api.h"

static intptr_t nothing(void *arg) {
    (void)arg;
    return 0;
}

static intptr_t sleep_long(void *arg) {
    (void)arg;
    return jg_sleep(60000);
}

static intptr_t use_a_megabyte(void *arg) {
    (void)arg;
    volatile char room[1000 * 1000];
    for (size_t i = 0; i < sizeof(room); i += 512) {
        room[i] = 3;
    }
    jg_yield();
    return room[512];
}

static intptr_t stack_size_body(void *arg) {
    (void)arg;
    const jg_spawn_options options = {.stack_size = 1024 * 1024 + 300 * 1024};
    jg_task *tasks[4];
    for (int i = 0; i < 4; i++) {
        tasks[i] = jg_spawn_with(use_a_megabyte, NULL, &options);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(jg_join(tasks[i]), 3);
    }
    const jg_spawn_options vast = {.stack_size = SIZE_MAX / 2};
    ck_assert_ptr_null(jg_spawn_with(nothing, NULL, &vast));
    ck_assert_int_eq(jg_join(NULL), -EINVAL);
    return 0;
}

// A task would not get the stack it asked for.
START_TEST(stack_size_is_what_was_asked_for) {
    run_body(stack_size_body);
}
END_TEST

// Time.

static intptr_t past_body(void *arg) {
    (void)arg;
    int64_t before = jg_now();
    ck_assert_int_eq(jg_sleep(-5), 0);
    ck_assert_int_eq(jg_sleep(INT64_MIN), 0);
    ck_assert_int_eq(jg_sleep_until(0), 0);
    ck_assert_int_eq(jg_sleep_until(INT64_MIN), 0);
    ck_assert_int_eq(jg_sleep_until(before), 0);
    ck_assert_int_lt(jg_now() - before, 10 * JG_S);
    int rc = 0;
    JG_TIMEOUT(INT64_MAX, rc) {
        JG_TIMEOUT(5, rc) {
            rc = jg_sleep(INT64_MAX); // the end of time, not its beginning
        }
        ck_assert_int_eq(rc, -ETIMEDOUT);
        ck_assert_int_eq(jg_sleep(1), 0);
        rc = 0;
    }
    ck_assert_int_eq(rc, 0);
    return 0;
}

// A negative delay would wait for ever, or a very long one would be over at once.
START_TEST(s50f_negative_delay_is_now) {
    run_body(past_body);
}
END_TEST

static intptr_t fall_asleep(void *arg) {
    return jg_sleep_until(*(int64_t *)arg);
}

struct order {
    int64_t when_ns;
    int next;
    int seen[8];
};

struct sleeper {
    struct order *order;
    int number;
};

static intptr_t sleep_in_order(void *arg) {
    struct sleeper *sleeper = arg;
    jg_sleep_until(sleeper->order->when_ns);
    sleeper->order->seen[sleeper->order->next++] = sleeper->number;
    return 0;
}

static intptr_t fifo_body(void *arg) {
    (void)arg;
    struct order order = {.when_ns = jg_now() + 20 * JG_MS};
    struct sleeper sleepers[8];
    JG_GROUP(group) {
        for (int i = 0; i < 8; i++) {
            sleepers[i] = (struct sleeper){&order, i};
            jg_group_spawn(group, sleep_in_order, &sleepers[i]);
        }
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(order.seen[i], i);
    }
    return 0;
}

// Sleepers with the same deadline would wake in any order.
START_TEST(s50b_equal_deadlines_wake_in_order) {
    run_in_order(fifo_body);
}
END_TEST

static void count_drop(void *word) {
    ++*(int *)word;
}

// Handles and names.

static intptr_t name_body(void *arg) {
    (void)arg;
    ck_assert_str_eq(jg_task_name(jg_self()), "name_body");
    jg_task *plain = jg_spawn(sleep_long, NULL);
    jg_task *named = jg_spawn_with(sleep_long, NULL, (&(jg_spawn_options){.name = "sleepy"}));
    ck_assert_str_eq(jg_task_name(plain), "sleep_long");
    ck_assert_str_eq(jg_task_name(named), "sleepy");
    jg_cancel(plain);
    jg_cancel(named);
    ck_assert_int_eq(jg_join(plain), -ECANCELED);
    ck_assert_int_eq(jg_join(named), -ECANCELED);
    jg_detach(NULL);
    return 0;
}

static intptr_t name_run(void *arg) {
    return jg_run(name_body, arg);
}

// Reports would name the wrong task.
START_TEST(tasks_have_names) {
    ck_assert_int_eq(name_run(NULL), 0);
}
END_TEST

static intptr_t rename_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn(sleep_long, NULL);
    jg_task_rename(task, "dreamer");
    ck_assert_str_eq(jg_task_name(task), "dreamer");
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    jg_task_rename(jg_self(), "renamed");
    ck_assert_str_eq(jg_task_name(jg_self()), "renamed");
    jg_fail(-EIO, "told under the new name");
    ck_assert_str_eq(jg_error_last()->task, "renamed");
    jg_error_clear();
    return 0;
}

// A task could not be told from its siblings once it knows what it is for.
START_TEST(tasks_can_be_renamed) {
    run_body(rename_body);
}
END_TEST

static intptr_t all_tasks_body(void *arg) {
    (void)arg;
    jg_task *seen[4] = {NULL};
    ck_assert_uint_eq(jg_all_tasks(seen, 4), 1);
    ck_assert_ptr_eq(seen[0], jg_self());
    jg_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        tasks[i] = jg_spawn(sleep_long, NULL);
    }
    seen[3] = NULL;
    ck_assert_uint_eq(jg_all_tasks(seen, 3), 4);
    ck_assert(seen[0] == jg_self() && seen[1] == tasks[0] && seen[2] == tasks[1]);
    ck_assert_ptr_null(seen[3]);
    jg_cancel(tasks[0]);
    jg_join(tasks[0]);
    jg_cancel(tasks[1]);
    jg_sleep(1); // ended, but not joined
    ck_assert_uint_eq(jg_all_tasks(seen, 4), 2);
    ck_assert_ptr_eq(seen[1], tasks[2]);
    ck_assert_uint_eq(jg_all_tasks(NULL, 0), 2);
    jg_cancel(tasks[2]);
    jg_join(tasks[1]);
    jg_join(tasks[2]);
    return 0;
}

// Whoever shuts a program down could not find what is still alive.
START_TEST(all_tasks_are_listed) {
    run_body(all_tasks_body);
    ck_assert_uint_eq(jg_all_tasks(NULL, 0), 0);
}
END_TEST

static intptr_t give_text(void *arg) {
    (void)arg;
    return jg_fail(-ENOENT, "no such %s", "thing");
}

static intptr_t fail_because(void *arg) {
    intptr_t rc = jg_join(jg_spawn(give_text, arg));
    return jg_fail_because(-EIO, "reading failed with %d", (int)rc);
}

static intptr_t detail_body(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_join(jg_spawn(fail_because, NULL)), -EIO);
    const jg_error *error = jg_error_last();
    ck_assert_str_eq(error->text, "reading failed with -2");
    ck_assert_str_eq(error->task, "fail_because");
    ck_assert_ptr_nonnull(strstr(error->spawned, "test_task.c:"));
    ck_assert_ptr_nonnull(error->cause);
    ck_assert_int_eq(error->cause->code, -ENOENT);
    ck_assert_str_eq(error->cause->text, "no such thing");
    ck_assert_str_eq(error->cause->task, "give_text");
    ck_assert_str_eq(jg_error_detail(-EPERM), "EPERM: Operation not permitted");
    jg_error_clear();
    ck_assert_ptr_null(jg_error_last());
    return 0;
}

// Whoever joins a failed task would see a number and no reason.
START_TEST(failure_travels_with_its_cause) {
    run_body(detail_body);
}
END_TEST

static intptr_t drop_body(void *arg) {
    (void)arg;
    static int dropped;
    dropped = 0;
    const jg_spawn_options options = {.drop_result = count_drop};
    jg_task *joined = jg_spawn_with(nothing, NULL, &options);
    ck_assert_int_eq(jg_join(joined), 0);
    ck_assert_int_eq(dropped, 0); // handed over
    return 0;
}

static intptr_t give_word(void *arg) {
    return (intptr_t)arg;
}

static intptr_t dropped_body(void *arg) {
    int dropped = 0;
    const jg_spawn_options options = {.drop_result = count_drop};
    drop_body(arg);
    jg_detach(jg_spawn_with(give_word, &dropped, &options)); // before it ended
    jg_sleep(1);
    ck_assert_int_eq(dropped, 1);
    jg_task *late = jg_spawn_with(give_word, &dropped, &options);
    while (!jg_done(late)) {
        jg_yield();
    }
    jg_detach(late); // afterwards
    ck_assert_int_eq(dropped, 2);
    return 0;
}

// What a task gives would leak when nobody takes it, or be freed under who took it.
START_TEST(dropped_words_are_disposed_of_once) {
    run_body(dropped_body);
}
END_TEST

// Misuse.

static intptr_t end_in_scope(void *arg) {
    jg_scope *scope = arg;
    jg_scope_open(scope, JG_NEVER, false);
    return 0;
}

static intptr_t end_in_scope_body(void *arg) {
    (void)arg;
    jg_scope scope;
    return jg_join(jg_spawn(end_in_scope, &scope));
}

static intptr_t end_in_group(void *arg) {
    jg_group_open(arg);
    return 0;
}

static intptr_t end_in_group_body(void *arg) {
    (void)arg;
    jg_group group;
    return jg_join(jg_spawn(end_in_group, &group));
}

static intptr_t close_outer_first(void *arg) {
    (void)arg;
    jg_scope outer;
    jg_scope inner;
    jg_scope_open(&outer, JG_NEVER, false);
    jg_scope_open(&inner, JG_NEVER, false);
    return jg_scope_close(&outer, 0);
}

static intptr_t close_group_under_scope(void *arg) {
    (void)arg;
    jg_group group;
    jg_scope inner;
    jg_group_open(&group);
    jg_scope_open(&inner, JG_NEVER, false);
    return jg_group_close(&group, 0);
}

static intptr_t wait_for_nobody(void *arg) {
    (void)arg;
    jg_future future = {0};
    return jg_future_wait(&future);
}

static void run_misuse(void *body) {
    jg_run_at(*(jg_fn **)body, NULL, NULL, "misuse\0here");
}

static void expect_abort(jg_fn *body, const char *text) {
    fixture_expect_abort(run_misuse, &body, text);
}

// A scope left open on a stack that is gone would be walked by the next cancel.
START_TEST(open_scopes_are_named) {
    expect_abort(end_in_scope_body,
                 "task end_in_scope ended inside a scope or group it had opened");
    expect_abort(end_in_group_body,
                 "task end_in_group ended inside a scope or group it had opened");
    expect_abort(close_outer_first, "a scope was closed that is not the newest of task misuse");
    expect_abort(close_group_under_scope,
                 "a group was closed that is not the newest scope of task misuse");
}
END_TEST

// A simulated program in which nothing can ever happen again would hang.
START_TEST(deadlock_is_named_under_sim) {
    if (!on_backend("sim")) {
        fixture_skip("only the simulation knows that nothing can come from outside");
    }
    expect_abort(wait_for_nobody, "task misuse (spawned at here) waits for: future");
}
END_TEST

static intptr_t stats_body(void *arg) {
    jg_loop_stats stats;
    ck_assert_int_eq(jg_loop_stats_get(&stats), 0);
    ck_assert_uint_eq(stats.live, 1);
    ck_assert_uint_eq(stats.spawned, 1);
    int64_t when_ns = jg_now() + 5 * JG_MS;
    jg_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        tasks[i] = jg_spawn(fall_asleep, &when_ns);
    }
    jg_loop_stats_get(&stats);
    ck_assert_uint_eq(stats.live, 4);
    ck_assert_uint_eq(stats.spawned, 4);
    ck_assert_uint_ge(stats.stacks, 4);
    ck_assert_uint_ge(stats.stack_mappings, 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(jg_join(tasks[i]), 0);
    }
    jg_loop_stats_get(&stats);
    ck_assert_uint_eq(stats.live, 1);
    ck_assert_str_eq(jg_backend(), on_backend("sim") ? "sim" : "epoll");
    return (intptr_t)arg;
}

// Figures of a loop would be wrong, and lead whoever looks for a leak astray.
START_TEST(stats_count_tasks_and_stacks) {
    run_body(stats_body);
    jg_loop_stats stats;
    ck_assert_int_eq(jg_loop_stats_get(&stats), -ENXIO);
    ck_assert_str_eq(jg_version(), JG_VERSION);
}
END_TEST

FIXTURE_MAIN("api/task", stack_size_is_what_was_asked_for, s50f_negative_delay_is_now,
             s50b_equal_deadlines_wake_in_order, tasks_have_names, tasks_can_be_renamed,
             all_tasks_are_listed, failure_travels_with_its_cause,
             dropped_words_are_disposed_of_once, open_scopes_are_named, deadlock_is_named_under_sim,
             stats_count_tasks_and_stacks)
