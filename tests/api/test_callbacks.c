// SPDX-License-Identifier: MIT
/* test_callbacks.c – reports, calls, and the drop functions of tasks: what they may do in the middle of
 * something.
 *
 * Holds      nothing beside what its steps hold.
 * Invariant  see callback_steps.h.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a switch in the middle would show other tasks what is half done.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/callback_steps.h"
#include "api/debug_steps.h"

// Reports.

static intptr_t unseen_body(void *arg) {
    static jg_call call;
    jg_future future = {0};
    (void)arg;
    jg_future_fail(&future, -EIO);
    jg_future_fini(&future);
    expect_refused(1);
    if (on_backend("blocking")) {
        return 0;
    }
    jg_detach(jg_spawn(give, (void *)-EIO)); // reported in its own task
    jg_sleep(1);
    expect_refused(1);
    jg_task *ended = jg_spawn(give, (void *)-EIO);
    jg_sleep(1);
    jg_detach(ended);
    expect_refused(1);
    jg_call_soon(&call, give, (void *)-EIO);
    jg_sleep(1);
    expect_refused(1);
    jg_spawn(give, (void *)-EIO); // reported when the loop closes
    return jg_sleep(1);
}

static void run_unseen(void) {
    atomic_store(&calls, 0);
    run_once(unseen_body, NULL);
    int left = on_backend("blocking") ? 0 : 1;
    ck_assert_int_eq(atomic_load(&calls), left);
    ck_assert_int_eq(atomic_exchange(&refusals, 0), left);
}

// A report that waits would stop its task between its end and the end of its record.
START_TEST(a_report_cannot_suspend) {
    jg_error_on_unretrieved(report_badly);
    run_unseen();
}
END_TEST

static void report_busily(const jg_error *error) {
    jg_stream *pair[2];
    jg_future future = {0};
    try_to_suspend();
    if (error->code == -ENOENT) {
        return; // the one of below
    }
    open_pair(pair);
    close_pair(pair);
    jg_future_fail(&future, jg_fail(-ENOENT, "in a report"));
    jg_future_fini(&future);
    if (jg_running()) {
        jg_detach(jg_spawn(give, NULL));
        ck_assert_int_eq(jg_cancelling(jg_self()), 0);
        jg_cancel(jg_self());
        jg_uncancel(jg_self());
    }
    ck_assert_int_eq(error->code, -EIO); // still what it was
}

static intptr_t busy_body(void *arg) {
    jg_future future = {0};
    (void)arg;
    jg_future_fail(&future, -EIO);
    jg_future_fini(&future);
    expect_refused(2);
    if (!on_backend("blocking")) {
        jg_detach(jg_spawn(give, (void *)-EIO));
        jg_sleep(1);
        expect_refused(2);
        jg_spawn(give, (void *)-EIO); // at the close, where nothing can be spawned any more
    }
    return jg_yield();
}

// A report that opens streams, spawns, or meets a failure of its own would end in a record that is gone.
START_TEST(a_report_may_do_all_else) {
    jg_error_on_unretrieved(report_busily);
    run_once(busy_body, NULL);
}
END_TEST

static void debug_badly(const jg_debug_report *report) {
    if (report->kind != JG_DEBUG_SLOW) {
        try_to_suspend();
    }
}

static intptr_t ignore_cancel(void *arg) {
    while (jg_yield() < 0 && atomic_load(&calls) == 0) {}
    return (intptr_t)arg;
}

static intptr_t wait_for_event(void *arg) {
    return jg_event_wait(arg);
}

static intptr_t untidy_body(void *arg) {
    static jg_event event;
    (void)arg;
    jg_task *task = jg_spawn(ignore_cancel, NULL);
    jg_yield();
    jg_cancel(task);
    jg_join(task);
    ck_assert_int_eq(atomic_load(&calls), atomic_load(&refusals));
    jg_spawn(give, NULL); // a handle left behind
    jg_detach(jg_spawn(wait_for_event, &event));
    return jg_sleep(1);
}

// A report of debug mode that waits would stop the loop's own work.
START_TEST(a_debug_report_cannot_suspend) {
    const jg_run_options run = {.debug = true};
    needs_loop();
    jg_debug_set(&patient);
    jg_debug_on_report(debug_badly);
    atomic_store(&calls, 0);
    ck_assert_int_eq(jg_run_at(untidy_body, NULL, &run, "first\0first.c:1"), 0);
    jg_debug_on_report(NULL);
    ck_assert_int_ge(atomic_load(&calls), 2);
    ck_assert_int_eq(atomic_load(&calls), atomic_load(&refusals));
}
END_TEST

// Drop functions of tasks.

static const jg_spawn_options badly = {.drop_arg = drop_badly, .drop_result = drop_badly};

static intptr_t give_cancelled(void *arg) {
    jg_cancel(jg_self());
    return (intptr_t)arg; // before the cancel is seen
}

static intptr_t task_drops_body(void *arg) {
    jg_group group;
    (void)arg;
    jg_detach(jg_spawn_with(give, (void *)4, &badly));
    jg_sleep(1);
    expect_refused(1);
    ck_assert_int_eq(jg_join(jg_spawn_with(give_cancelled, (void *)4, &badly)), -ECANCELED);
    expect_refused(1);
    jg_task *task = jg_spawn_with(give, (void *)5, &badly);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED); // it never ran: the argument
    expect_refused(1);
    jg_group_open(&group);
    ck_assert_int_eq(jg_group_close(&group, 0), 0);
    jg_spawn_options refused = badly;
    refused.group = &group;
    ck_assert_ptr_null(jg_spawn_with(give, NULL, &refused));
    expect_refused(1);
    jg_spawn_with(give, (void *)6, &badly); // when the loop closes
    return jg_sleep(1);
}

// The word of a task would be dropped while others run and see the task half ended.
START_TEST(a_tasks_drop_functions_cannot_suspend) {
    needs_loop();
    for (int i = 0; i < 3; i++) {
        atomic_store(&calls, 0);
        run_once(task_drops_body, NULL);
        ck_assert_int_eq(atomic_exchange(&calls, 0), 1);
        ck_assert_int_eq(atomic_exchange(&refusals, 0), 1);
    }
}
END_TEST

static int locals_dropped;

static void drop_local(void *word) {
    const jg_local *next = word;
    locals_dropped++;
    try_to_suspend();
    jg_fail(-EIO, "of a drop function");
    if (next->initial != NULL) {
        ck_assert_int_eq(jg_local_set(next, next->initial), 0);
    }
}

/* Each value names the variable that its drop function sets. */
static const jg_local last_local = {.name = "last"};
static const jg_local third_local = {.drop = drop_local, .initial = (void *)&last_local};
static const jg_local second_local = {.drop = drop_local, .initial = (void *)&third_local};

static intptr_t set_local(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_local_set(&second_local, (void *)&second_local), 0);
    return 7;
}

static intptr_t set_and_fail(void *arg) {
    set_local(arg);
    return jg_fail(-EIO, "of the task");
}

static jg_lock left_held;

static void drop_and_leave(void *word) {
    (void)word;
    try_to_suspend();
    ck_assert_int_eq(jg_lock_try(&left_held), 0);
    jg_fail(-EIO, "left behind");
    set_local(NULL);
}

static intptr_t leftovers_body(void *arg) {
    static const jg_spawn_options leaving = {.drop_result = drop_and_leave};
    (void)arg;
    locals_dropped = 0;
    ck_assert_int_eq(jg_join(jg_spawn(set_local, NULL)), 7);
    expect_refused(3);
    ck_assert_int_eq(jg_join(jg_spawn(set_and_fail, NULL)), -EIO);
    ck_assert_str_eq(jg_error_detail(-EIO), "of the task");
    expect_refused(3);
    jg_detach(jg_spawn_with(give, (void *)1, &leaving));
    jg_sleep(1);
    expect_refused(4);
    ck_assert_int_eq(locals_dropped, 9);
    ck_assert_int_eq(jg_lock_acquire(&left_held), -EOWNERDEAD);
    ck_assert_int_eq(jg_lock_release(&left_held), 0);
    return 0;
}

// What a drop function leaves with a task that has ended would be lost, or kept by a record that is gone.
START_TEST(what_a_drop_function_leaves_ends_with_the_task) {
    needs_loop();
    run_once(leftovers_body, NULL);
}
END_TEST

static void drop_with_scope(void *word) {
    static jg_scope scope;
    (void)word;
    jg_scope_open(&scope, JG_NEVER, false);
}

static intptr_t leave_scope(void *arg) {
    static const jg_spawn_options leaving = {.drop_result = drop_with_scope};
    (void)arg;
    jg_detach(jg_spawn_with(give, (void *)1, &leaving));
    return jg_sleep(1);
}

static void run_leave_scope(void *arg) {
    jg_run(leave_scope, arg);
}

// A scope in the frame of a drop function would stay armed when the stack is another's.
START_TEST(a_scope_left_open_in_a_drop_function_is_named) {
    needs_loop();
    fixture_expect_abort(run_leave_scope, NULL, "give");
}
END_TEST

static void drop_and_close_loop(void *word) {
    try_to_suspend();
    ck_assert_int_eq(jg_loop_step(word), -EDEADLK);
    ck_assert_int_eq(jg_loop_close(word), -EDEADLK);
    jg_fail(-EIO, "of nobody's task");
}

// The loop would be freed under the one that closes it.
START_TEST(a_drop_function_cannot_close_the_loop_that_closes) {
    const jg_spawn_options closing = {.drop_result = drop_and_close_loop};
    jg_loop *loop;
    if (!on_backend("epoll")) {
        fixture_skip("a loop inside another is the kernel's");
    }
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    jg_spawn_with(give, loop, &closing);
    while (jg_loop_step(loop) > 0) {}
    ck_assert_int_eq(jg_loop_close(loop), 0);
    ck_assert_int_eq(atomic_load(&calls), 1);
    ck_assert_int_eq(atomic_load(&refusals), 1);
}
END_TEST

// Calls.

static void be_told_badly(void *arg, intptr_t result) {
    (void)arg;
    ck_assert_int_eq(result, 5);
    try_to_suspend();
}

static intptr_t call_badly(void *arg) {
    try_to_suspend();
    return (intptr_t)arg;
}

static intptr_t calls_body(void *arg) {
    jg_done_callback callback = {0};
    jg_call soon = {0};
    jg_call later = {0};
    jg_future future = {0};
    (void)arg;
    jg_future_add_done_callback(&future, &callback, be_told_badly, NULL);
    jg_future_set(&future, 5);
    jg_call_soon(&soon, call_badly, NULL);
    jg_call_later(&later, 1, call_badly, NULL);
    jg_sleep(3);
    expect_refused(3);
    jg_future_fini(&future);
    return 0;
}

// The loop itself would be switched away from.
START_TEST(a_call_cannot_suspend) {
    needs_loop();
    run_body(calls_body);
}
END_TEST

FIXTURE_MAIN("api/callbacks", a_report_cannot_suspend, a_report_may_do_all_else,
             a_debug_report_cannot_suspend, a_tasks_drop_functions_cannot_suspend,
             what_a_drop_function_leaves_ends_with_the_task,
             a_scope_left_open_in_a_drop_function_is_named,
             a_drop_function_cannot_close_the_loop_that_closes, a_call_cannot_suspend)
