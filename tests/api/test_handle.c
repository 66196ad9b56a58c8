// SPDX-License-Identifier: MIT
/* test_handle.c – handles of tasks: equal for the same task, and named when they are used too late.
 *
 * Holds      the handle of a loop that is closed.
 * Invariant  each case holds on epoll and on any seed, and without debug mode.
 * Called by  ctest, on epoll and sim.
 * Why        a handle used twice would end, or cancel, whoever got its memory next.
 */
#include "api/api.h"

enum { GENERATIONS = 32768 };

static const char joined_before[] = "a task that was joined or detached before";
static const char nobodys[] = "a task that has ended and is nobody's any more";

static intptr_t give(void *word) {
    return (intptr_t)word;
}

static intptr_t sleep_long(void *arg) {
    (void)arg;
    return jg_sleep(60000);
}

static void run_misuse(void *body) {
    jg_run_at(*(jg_fn **)body, NULL, NULL, "misuse\0here");
}

static void run_debugged(void *body) {
    const jg_run_options debug = {.debug = true};
    jg_run_at(*(jg_fn **)body, NULL, &debug, "misuse\0here");
}

static void expect_abort(jg_fn *body, const char *text) {
    fixture_expect_abort(run_misuse, &body, text);
    fixture_expect_abort(run_debugged, &body, text);
}

// Equality.

static intptr_t tell_self(void *out_self) {
    *(jg_task **)out_self = jg_self();
    return 0;
}

static intptr_t equal_body(void *arg) {
    (void)arg;
    jg_task *self = NULL;
    jg_task *tasks[2];
    jg_task *first = jg_spawn(tell_self, &self);
    ck_assert_uint_eq(jg_all_tasks(tasks, 2), 2);
    ck_assert_ptr_eq(tasks[0], jg_self());
    ck_assert_ptr_eq(tasks[1], first);
    ck_assert_int_eq(jg_join(first), 0);
    ck_assert_ptr_eq(self, first);
    jg_task *second = jg_spawn(tell_self, &self);
    ck_assert_ptr_ne(second, first);
    ck_assert_int_eq(jg_join(second), 0);
    ck_assert_ptr_eq(self, second);
    return 0;
}

// A program that keeps its tasks in a table by their handles would find the wrong one.
START_TEST(handles_are_equal_for_the_same_task_alone) {
    run_body(equal_body);
}
END_TEST

static intptr_t refused_body(void *arg) {
    (void)arg;
    const jg_spawn_options huge = {.stack_size = (size_t)2 << 30};
    jg_task *none = jg_spawn_with(give, NULL, &huge);
    ck_assert_ptr_null(none);
    ck_assert(!jg_cancel(none));
    ck_assert_int_eq(jg_uncancel(none), 0);
    ck_assert_int_eq(jg_cancelling(none), 0);
    ck_assert(jg_done(none));
    ck_assert(!jg_cancelled(none));
    ck_assert_str_eq(jg_task_name(none), "refused");
    jg_task_rename(none, "nobody");
    ck_assert_int_eq(jg_join(none), -EINVAL);
    return 0;
}

// A spawn that is refused would crash whoever only looks at it, or cancels it, before the join.
START_TEST(null_is_a_task_that_has_ended) {
    run_body(refused_body);
    ck_assert_ptr_null(jg_spawn(give, NULL)); // there is no loop
    ck_assert(!jg_cancel(NULL));
    ck_assert_int_eq(jg_join(NULL), -ENXIO);
}
END_TEST

// Used twice.

static intptr_t join_twice(void *arg) {
    jg_task *task = jg_spawn(sleep_long, arg);
    jg_cancel(task);
    jg_task *other = jg_spawn(sleep_long, arg);
    jg_join(task);
    jg_cancel(other);
    return jg_join(task);
}

static intptr_t join_it(void *task) {
    return jg_join(task);
}

static intptr_t join_from_two(void *arg) {
    jg_task *task = jg_spawn(sleep_long, arg);
    jg_spawn(join_it, task);
    jg_spawn(join_it, task);
    return jg_sleep(60000);
}

static intptr_t detach_and_join(void *arg) {
    jg_task *task = jg_spawn(sleep_long, arg);
    jg_detach(task);
    return jg_join(task);
}

static intptr_t join_and_detach(void *arg) {
    jg_task *task = jg_spawn(give, arg);
    jg_join(task);
    jg_detach(task);
    return 0;
}

// A program that gives up a handle twice would end whoever got its memory next.
START_TEST(handles_used_twice_are_named) {
    expect_abort(join_twice, joined_before);
    expect_abort(join_from_two, joined_before);
    expect_abort(detach_and_join, joined_before);
    expect_abort(join_and_detach, joined_before);
}
END_TEST

// Used when another task has the memory.

/* The handle of a task whose memory another one has, which is asleep. */
static jg_task *taken_over(uint64_t generations_later) {
    jg_task *gone = jg_spawn(give, NULL);
    jg_join(gone);
    for (uint64_t i = 1; i < generations_later; i++) {
        jg_join(jg_spawn(give, NULL));
    }
    ck_assert_ptr_ne(jg_spawn(sleep_long, NULL), gone);
    jg_yield();
    return gone;
}

static intptr_t join_late(void *arg) {
    (void)arg;
    return jg_join(taken_over(1));
}

static intptr_t join_very_late(void *arg) {
    (void)arg;
    return jg_join(taken_over(GENERATIONS - 1));
}

static intptr_t detach_late(void *arg) {
    jg_detach(taken_over(1));
    return (intptr_t)arg;
}

static intptr_t cancel_late(void *arg) {
    jg_cancel(taken_over(1));
    return (intptr_t)arg;
}

static intptr_t uncancel_late(void *arg) {
    (void)arg;
    return jg_uncancel(taken_over(1));
}

static intptr_t count_late(void *arg) {
    (void)arg;
    return jg_cancelling(taken_over(1));
}

static intptr_t ask_late(void *arg) {
    (void)arg;
    return jg_done(taken_over(1));
}

static intptr_t ask_why_late(void *arg) {
    (void)arg;
    return jg_cancelled(taken_over(1));
}

static intptr_t wait_late(void *arg) {
    (void)arg;
    return jg_future_wait(jg_task_future(taken_over(1)));
}

static intptr_t read_name_late(void *arg) {
    (void)arg;
    return jg_task_name(taken_over(1))[0];
}

static intptr_t rename_late(void *arg) {
    jg_task_rename(taken_over(1), "late");
    return (intptr_t)arg;
}

// The second join of a handle would hand over the word of an innocent task, whose own join then fails.
START_TEST(handles_of_memory_that_another_task_has_are_named) {
    expect_abort(join_late, joined_before);
    fixture_expect_abort(run_misuse, &(jg_fn *){join_very_late}, joined_before);
    expect_abort(detach_late, joined_before);
    expect_abort(cancel_late, nobodys);
    expect_abort(uncancel_late, nobodys);
    expect_abort(count_late, nobodys);
    expect_abort(ask_late, nobodys);
    expect_abort(ask_why_late, nobodys);
    expect_abort(wait_late, nobodys);
    expect_abort(read_name_late, nobodys);
    expect_abort(rename_late, nobodys);
}
END_TEST

static intptr_t join_of_who_was_here(void *arg) {
    jg_task *gone = jg_spawn(give, arg);
    jg_join(gone);
    jg_spawn(join_it, gone);
    return jg_sleep(60000);
}

// A task that joins one whose memory it got itself would be told of a ring, and wait for nobody.
START_TEST(handles_of_memory_that_the_caller_has_are_named) {
    expect_abort(join_of_who_was_here, nobodys);
}
END_TEST

static intptr_t end_in_group(void *out_self) {
    *(jg_task **)out_self = jg_self();
    return 0;
}

static intptr_t cancel_borrowed(void *arg) {
    jg_task *self = NULL;
    JG_GROUP(group) {
        jg_group_spawn(group, end_in_group, &self);
    }
    jg_cancel(self);
    return (intptr_t)arg;
}

// Who keeps what jg_self() said, and cancels it when that task has ended, would stop a stranger.
START_TEST(borrowed_handles_used_too_late_are_named) {
    expect_abort(cancel_borrowed, nobodys);
}
END_TEST

static intptr_t cancel_it(void *task) {
    jg_cancel(task);
    return 0;
}

static intptr_t cancel_on_thread(void *arg) {
    jg_task *gone = jg_spawn(give, arg);
    jg_join(gone);
    return jg_to_thread(cancel_it, gone);
}

// Without a loop there is none to compare with: another thread's memory would be changed.
START_TEST(handles_used_too_late_on_a_thread_are_named) {
    expect_abort(cancel_on_thread, "cancel of a task that has ended, or whose loop is closed");
}
END_TEST

// Used when the loop is closed.

static jg_task *kept;

static intptr_t keep_one(void *arg) {
    kept = jg_spawn(give, arg);
    return 0;
}

static void join_without_loop(void *arg) {
    ck_assert_int_eq(jg_run(keep_one, arg), 0);
    jg_join(kept);
}

static void detach_without_loop(void *arg) {
    ck_assert_int_eq(jg_run(keep_one, arg), 0);
    jg_detach(kept);
}

static void cancel_without_loop(void *arg) {
    ck_assert_int_eq(jg_run(keep_one, arg), 0);
    jg_cancel(kept);
}

// The memory behind it is gone with the loop: a crash that says nothing.
START_TEST(handles_of_a_closed_loop_are_named) {
    fixture_expect_abort(join_without_loop, NULL,
                         "join of a task that has ended, or whose loop is closed");
    fixture_expect_abort(detach_without_loop, NULL,
                         "detach of a task that has ended, or whose loop is closed");
    fixture_expect_abort(cancel_without_loop, NULL,
                         "cancel of a task that has ended, or whose loop is closed");
}
END_TEST

static intptr_t join_kept(void *arg) {
    (void)arg;
    jg_detach(jg_spawn(give, NULL)); // it may well have the kept one's address
    return jg_join(kept);
}

static void join_in_next_loop(void *arg) {
    ck_assert_int_eq(jg_run(keep_one, arg), 0);
    jg_run_at(join_kept, NULL, NULL, "misuse\0here");
}

/* Whether the next loop gets the memory of the one before, as a rule. */
static bool memory_comes_back(void) {
    enum { GENERATION_BITS = 16 };
    ck_assert_int_eq(jg_run(keep_one, NULL), 0);
    uintptr_t before = (uintptr_t)kept;
    ck_assert_int_eq(jg_run(keep_one, NULL), 0);
    return (before ^ (uintptr_t)kept) << GENERATION_BITS == 0;
}

// In the next loop there may be other tasks at the same addresses.
START_TEST(handles_of_the_loop_before_are_named) {
    if (!memory_comes_back()) {
        fixture_skip("the next loop has other memory here (qemu-user); see rt/fault");
    }
    fixture_expect_abort(join_in_next_loop, NULL, joined_before);
}
END_TEST

FIXTURE_MAIN("api/handle", handles_are_equal_for_the_same_task_alone, null_is_a_task_that_has_ended,
             handles_used_twice_are_named, handles_of_memory_that_another_task_has_are_named,
             handles_of_memory_that_the_caller_has_are_named,
             borrowed_handles_used_too_late_are_named, handles_used_too_late_on_a_thread_are_named,
             handles_of_a_closed_loop_are_named, handles_of_the_loop_before_are_named)
