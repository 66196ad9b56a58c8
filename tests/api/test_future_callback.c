// SPDX-License-Identifier: MIT
/* test_future_callback.c – SEMANTICS S50 (d): being called when a future has settled.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed.
 * Called by  ctest, on epoll and sim.
 * Why        a callback is code of somebody else: it must run neither in the middle of ours nor never.
 */
#include "api/api.h"

struct calls {
    int count;
    int order[8];
    intptr_t words[8];
    int suspend_rc;
    jg_done_callback again;
    jg_future *future;
};

struct callback {
    struct calls *calls;
    int number;
    jg_done_callback record;
};

static void note_call(void *arg, intptr_t result) {
    struct callback *callback = arg;
    struct calls *calls = callback->calls;
    calls->suspend_rc = jg_sleep(1);
    calls->order[calls->count] = callback->number;
    calls->words[calls->count++] = result;
}

static intptr_t callbacks_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    struct calls calls = {0};
    struct callback callbacks[4] = {{0}};
    for (int i = 0; i < 4; i++) {
        callbacks[i].calls = &calls;
        callbacks[i].number = i;
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(
            jg_future_add_done_callback(&future, &callbacks[i].record, note_call, &callbacks[i]),
            0);
    }
    ck_assert_int_eq(
        jg_future_add_done_callback(&future, &callbacks[1].record, note_call, &callbacks[1]),
        -EALREADY);
    ck_assert(jg_future_remove_done_callback(&callbacks[1].record));
    ck_assert(!jg_future_remove_done_callback(&callbacks[1].record));
    jg_future_set(&future, 9);
    ck_assert_int_eq(calls.count, 0); // not inside
    ck_assert_int_eq(
        jg_future_add_done_callback(&future, &callbacks[3].record, note_call, &callbacks[3]), 0);
    ck_assert_int_eq(calls.count, 0); // nor when it is late
    jg_sleep(1);
    ck_assert_int_eq(calls.count, 3);
    ck_assert(calls.order[0] == 0 && calls.order[1] == 2 && calls.order[2] == 3);
    ck_assert(calls.words[0] == 9 && calls.words[1] == 9 && calls.words[2] == 9);
    ck_assert_int_eq(calls.suspend_rc, -EDEADLK);

    ck_assert_int_eq(
        jg_future_add_done_callback(&future, &callbacks[0].record, note_call, &callbacks[0]), 0);
    ck_assert(jg_future_remove_done_callback(&callbacks[0].record)); // queued already
    jg_sleep(1);
    ck_assert_int_eq(calls.count, 3);
    return 0;
}

// S50 (d). Code of whoever asked to be told would run in the middle of set, or never, or in any order.
START_TEST(s50d_callbacks_run_in_the_next_round) {
    run_body(callbacks_body);
    jg_future future = {0};
    jg_done_callback callback = {0};
    ck_assert_int_eq(jg_future_add_done_callback(&future, &callback, note_call, NULL), -ENXIO);
}
END_TEST

static void add_again(void *arg, intptr_t result) {
    struct calls *calls = arg;
    calls->words[calls->count++] = result;
    if (calls->count < 3) {
        jg_future_add_done_callback(calls->future, &calls->again, add_again, calls);
    }
}

static intptr_t reuse_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    struct calls calls = {.future = &future};
    jg_future_add_done_callback(&future, &calls.again, add_again, &calls);
    jg_future_cancel(&future);
    while (calls.count < 3) { // a round each
        ck_assert_int_eq(jg_yield(), 0);
    }
    ck_assert_int_eq(calls.words[2], -ECANCELED);
    return 0;
}

// A record could not be used again from inside its own call.
START_TEST(callback_may_be_added_from_inside) {
    run_body(reuse_body);
}
END_TEST

static intptr_t give(void *arg) {
    jg_sleep(2);
    return (intptr_t)arg;
}

static intptr_t task_callback_body(void *arg) {
    struct calls *calls = arg;
    static struct callback gone; // outlives the loop
    gone = (struct callback){.calls = calls};
    struct callback own = {.calls = calls, .number = 1};
    *calls = (struct calls){0};
    jg_task *task = jg_spawn(give, (void *)4);
    jg_future_add_done_callback(jg_task_future(task), &own.record, note_call, &own);
    ck_assert_int_eq(jg_join(task), 4); // its record is gone before the call is made
    jg_sleep(1);
    ck_assert(calls->count == 1 && calls->words[0] == 4);
    jg_future_add_done_callback(jg_task_future(jg_self()), &gone.record, note_call, &gone);
    return 0;
}

// A task's end, also that of the first, would not be told to whoever asked for it.
START_TEST(callback_on_a_task) {
    struct calls calls;
    run_body_with(task_callback_body, &calls, "task_callback\0here");
    ck_assert_int_eq(calls.count, 2);
    ck_assert_int_eq(calls.words[1], 0);
}
END_TEST

struct last {
    jg_call call;
    jg_future futures[2];
    jg_done_callback callbacks[2];
    jg_done_callback refused;
    int called;
};

static void settle_next(void *arg, intptr_t result) {
    struct last *last = arg;
    last->called++;
    ck_assert_int_eq(result, last->called);
    if (last->called == 1) {
        ck_assert_int_eq(jg_future_set(&last->futures[1], 2), 0);
    }
}

static void never_called(void *arg, intptr_t result) {
    (void)arg;
    ck_abort_msg("called with %ld", (long)result);
}

static intptr_t last_call(void *arg) {
    struct last *last = arg;
    ck_assert_int_eq(jg_future_set(&last->futures[0], 1), 0);
    for (int i = 0; i < 2; i++) { // settled, and pending
        int rc = jg_future_add_done_callback(&last->futures[i], &last->refused, never_called, NULL);
        ck_assert_int_eq(rc, -ESHUTDOWN);
    }
    ck_assert(!jg_future_remove_done_callback(&last->refused));
    return 0;
}

static intptr_t last_body(void *arg) {
    struct last *last = arg;
    *last = (struct last){0};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            jg_future_add_done_callback(&last->futures[i], &last->callbacks[i], settle_next, last),
            0);
    }
    return jg_post(jg_loop_current(), &last->call, last_call, last); // made as the loop closes
}

// What one of a loop's last calls settles would never be told to whoever asked for it.
START_TEST(callbacks_of_the_last_calls_are_made) {
    struct last last;
    run_body_with(last_body, &last, "last\0here");
    ck_assert_int_eq(last.called, 2);
    ck_assert(!jg_call_queued(&last.callbacks[1].call));
}
END_TEST

struct late {
    jg_future future;
    jg_done_callback callback;
};

static intptr_t late_body(void *arg) {
    struct late *late = arg;
    return jg_future_add_done_callback(&late->future, &late->callback, never_called, NULL);
}

static intptr_t settle_it(void *arg) {
    struct late *late = arg;
    int rc = jg_future_set(&late->future, 1);
    return rc < 0 ? rc : jg_yield();
}

static void settle_in_the_next_loop(void *arg) {
    (void)arg;
    struct late late = {0};
    ck_assert_int_eq(jg_run(late_body, &late), 0);
    ck_assert_int_eq(jg_run(settle_it, &late), 0);
}

static void settle_without_a_loop(void *arg) {
    (void)arg;
    struct late late = {0};
    ck_assert_int_eq(jg_run(late_body, &late), 0);
    jg_future_set(&late.future, 1);
}

// The next loop, which may lie where the closed one lay, would call what is long gone.
START_TEST(callback_of_a_closed_loop_is_named) {
    struct late late = {0};
    fixture_expect_abort(settle_in_the_next_loop, NULL, "settled where the loop does not run");
    fixture_expect_abort(settle_without_a_loop, NULL, "settled where the loop does not run");
    ck_assert_int_eq(jg_run(late_body, &late), 0);
    ck_assert(jg_future_remove_done_callback(&late.callback));
    ck_assert_int_eq(jg_run(settle_it, &late), 0);
}
END_TEST

FIXTURE_MAIN("api/future_callback", s50d_callbacks_run_in_the_next_round,
             callback_may_be_added_from_inside, callback_on_a_task,
             callbacks_of_the_last_calls_are_made, callback_of_a_closed_loop_is_named)
