// SPDX-License-Identifier: MIT
/* test_call.c – SEMANTICS S50 (a), (f): calls the loop makes between tasks.
 *
 * Holds      what has been called, in order.
 * Invariant  the order of calls holds on any seed: only tasks are drawn by lot.
 * Called by  ctest, on all three backends.
 * Why        RELIABILITY R5, too: equal times, and calls queued by calls.
 */
// Backends: epoll sim blocking
#include "api/api.h"

#include <stdio.h>

static char called[200];
static uint64_t turn_of[200]; // in which turn of the loop each was called
static size_t call_count;

static uint64_t turns(void) {
    jg_loop_stats stats;
    ck_assert_int_eq(jg_loop_stats_get(&stats), 0);
    return stats.turns;
}

static intptr_t note(void *name) {
    ck_assert_uint_lt(call_count, sizeof(called) - 1);
    turn_of[call_count] = turns();
    called[call_count++] = *(const char *)name;
    called[call_count] = '\0';
    return 0;
}

static void begin(void) {
    call_count = 0;
    called[0] = '\0';
}

static size_t reports;
static char reported[200];

static void keep_report(const jg_error *error) {
    reports++;
    snprintf(reported, sizeof(reported), "%s|%s|%s", error->task, jg_error_name(error->code),
             error->text);
    ck_assert_ptr_nonnull(strstr(error->spawned, "test_call.c:"));
}

// Order.

static jg_call chain[4];
static jg_call more[2];

static intptr_t note_and_queue(void *name) {
    ck_assert_int_eq(jg_call_soon(&more[0], note, "x"), 0);
    ck_assert_int_eq(jg_call_soon(&more[1], note, "y"), 0);
    return note(name);
}

static intptr_t order_body(void *arg) {
    (void)arg;
    begin();
    ck_assert_int_eq(jg_call_soon(&chain[0], note, "a"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[1], note_and_queue, "b"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[2], note, "c"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[3], note, "d"), 0);
    ck_assert_str_eq(called, ""); // never inside the call that queues
    jg_sleep(5);
    ck_assert_str_eq(called, "abcdxy");
    ck_assert_uint_eq(turn_of[3], turn_of[0]); // one round
    ck_assert_uint_gt(turn_of[4], turn_of[3]); // what "b" queued comes in the next
    ck_assert_uint_eq(turn_of[5], turn_of[4]);
    return 0;
}

// Calls would overtake each other, or a call that queues calls would starve the tasks.
START_TEST(s50a_calls_are_made_in_order) {
    needs_loop();
    run_body(order_body);
}
END_TEST

static intptr_t note_twice(void *name) {
    note(name);
    jg_yield();
    return note(name);
}

static intptr_t queue_between(void *name) {
    ck_assert_int_eq(jg_call_soon(&more[0], note, "x"), 0);
    return note(name);
}

static intptr_t in_line_body(void *arg) {
    intptr_t rc = 0;
    begin();
    JG_GROUP(group, rc) {
        jg_group_spawn(group, note_twice, "1");
        jg_group_spawn(group, note_twice, "2");
        ck_assert_int_eq(jg_call_soon(&chain[0], queue_between, "a"), 0);
        jg_group_spawn(group, note_twice, "3");
        ck_assert_int_eq(jg_call_soon(&chain[1], note, "b"), 0); // made with the first
        rc = jg_sleep(5);
    }
    ck_assert_str_eq(called, arg);
    return rc;
}

// A call would be made long after tasks that were spawned later, or its own call after those behind it.
START_TEST(s50a_calls_and_tasks_take_their_turn) {
    needs_loop();
    if (on_backend("sim")) {
        fixture_skip("the simulated world draws tasks by lot");
    }
    run_body_with(in_line_body, (void *)"12ab312x3", "in_line\0" JG_HERE);
}
END_TEST

static jg_call again;
static int times;

static intptr_t queue_itself(void *arg) {
    ck_assert_int_eq(jg_call_soon(&again, queue_itself, arg), 0);
    times++;
    return 0;
}

static intptr_t again_body(void *arg) {
    (void)arg;
    times = 0;
    ck_assert_int_eq(jg_call_soon(&again, queue_itself, NULL), 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(jg_sleep(1), 0); // the tasks go on meanwhile
    }
    ck_assert_int_ge(times, 10);
    ck_assert(jg_call_cancel(&again));
    int before = times;
    jg_sleep(2);
    ck_assert_int_eq(times, before);
    return 0;
}

// A call that always queues itself would keep the loop to itself.
START_TEST(s50a_a_call_may_queue_itself_for_ever) {
    needs_loop();
    if (on_backend("sim")) {
        fixture_skip("the simulated clock stands still while a call is due");
    }
    run_body(again_body);
}
END_TEST

static intptr_t fail_plainly(void *arg) {
    note(arg);
    return -EPROTO;
}

static intptr_t fail_with_text(void *arg) {
    note(arg);
    return jg_fail(-EILSEQ, "letter %s", (const char *)arg);
}

static intptr_t say_cancelled(void *arg) {
    note(arg);
    return -ECANCELED;
}

static intptr_t failing_body(void *arg) {
    (void)arg;
    begin();
    reports = 0;
    jg_error_on_unretrieved(keep_report);
    ck_assert_int_eq(jg_call_soon(&chain[0], fail_plainly, "a"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[1], say_cancelled, "b"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[2], fail_with_text, "c"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[3], note, "d"), 0);
    jg_sleep(5);
    jg_error_on_unretrieved(NULL);
    ck_assert_str_eq(called, "abcd");
    ck_assert_uint_eq(reports, 2);
    ck_assert_str_eq(reported, "fail_with_text|EILSEQ|letter c");
    return 0;
}

// A call that fails would keep the others from being made, or fail in silence.
START_TEST(s50a_a_failing_call_is_reported_and_the_rest_are_made) {
    needs_loop();
    run_body(failing_body);
}
END_TEST

// Time.

static intptr_t now_body(void *arg) {
    (void)arg;
    int64_t begin_ns = jg_now();
    begin();
    ck_assert_int_eq(jg_call_later(&chain[0], -5, note, "a"), 0);
    ck_assert_int_eq(jg_call_later(&chain[1], 0, note, "b"), 0);
    ck_assert_int_eq(jg_call_at(&chain[2], begin_ns - JG_S, note, "c"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[3], note, "d"), 0);
    ck_assert_int_eq(jg_call_later(&more[0], INT64_MIN, note, "e"), 0);
    jg_sleep(5);
    ck_assert_str_eq(called, "abcde");
    return 0;
}

// A delay that is over already would be made last, or never.
START_TEST(s50f_a_negative_delay_is_now) {
    needs_loop();
    run_body(now_body);
}
END_TEST

enum { EQUAL = 26 };

static intptr_t equal_body(void *arg) {
    (void)arg;
    static const char names[] = "abcdefghijklmnopqrstuvwxyz";
    static jg_call equal[EQUAL];
    int64_t when_ns = jg_now() + 5 * JG_MS;
    begin();
    ck_assert_int_eq(jg_call_at(&more[0], when_ns + JG_MS, note, (void *)"1"), 0);
    ck_assert_int_eq(jg_call_at(&more[1], when_ns - JG_MS, note, (void *)"0"), 0);
    for (size_t i = 0; i < EQUAL; i++) {
        ck_assert_int_eq(jg_call_at(&equal[i], when_ns, note, (void *)&names[i]), 0);
    }
    jg_sleep(20);
    ck_assert_str_eq(called, "0abcdefghijklmnopqrstuvwxyz1");
    return 0;
}

// Calls due at the same time would be made in any order, as asyncio does. R5.
START_TEST(s50b_equal_times_are_made_in_order) {
    needs_loop();
    run_body(equal_body);
}
END_TEST

static int64_t called_at_ns;

static intptr_t note_time(void *arg) {
    (void)arg;
    called_at_ns = jg_now();
    return 0;
}

static intptr_t time_body(void *arg) {
    (void)arg;
    for (int64_t ms = 1; ms <= 8; ms++) {
        int64_t begin_ns = jg_now();
        called_at_ns = 0;
        ck_assert_int_eq(jg_call_later(&chain[0], ms, note_time, NULL), 0);
        jg_sleep(ms);
        ck_assert(called_at_ns != 0); // queued first, made first
        ck_assert_int_ge(called_at_ns - begin_ns, ms * JG_MS);
    }
    return 0;
}

// A timer would strike early, which no program expects. R7.
START_TEST(r07_no_call_is_made_early) {
    needs_loop();
    run_body(time_body);
}
END_TEST

// Taking back.

static intptr_t cancel_the_next(void *name) {
    ck_assert(jg_call_cancel(&chain[1]));
    return note(name);
}

static intptr_t cancel_body(void *arg) {
    (void)arg;
    begin();
    memset(chain, 0, sizeof(chain));
    ck_assert(!jg_call_queued(&chain[0]));
    ck_assert(!jg_call_cancel(&chain[0])); // never was
    ck_assert_int_eq(jg_call_soon(&chain[0], cancel_the_next, "a"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[1], note, "b"), 0); // taken back in its own round
    ck_assert_int_eq(jg_call_later(&chain[2], 1, note, "c"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[3], note, "d"), 0);
    ck_assert(jg_call_queued(&chain[2]));
    ck_assert(jg_call_cancel(&chain[2]));
    ck_assert(!jg_call_queued(&chain[2]));
    ck_assert(!jg_call_cancel(&chain[2]));
    ck_assert(jg_call_cancel(&chain[3]));
    ck_assert_int_eq(jg_call_soon(&chain[3], note, "e"), 0); // and queued anew
    ck_assert_int_eq(jg_call_later(&chain[2], 2, note, "f"), 0);
    jg_sleep(5);
    ck_assert_str_eq(called, "aef");
    ck_assert(!jg_call_cancel(&chain[0])); // it is over
    return 0;
}

// A call that was taken back would be made after all, on a record that is gone.
START_TEST(s50f_a_cancelled_call_is_never_made) {
    needs_loop();
    run_body(cancel_body);
}
END_TEST

static intptr_t twice_body(void *arg) {
    (void)arg;
    begin();
    ck_assert_int_eq(jg_call_later(&chain[0], 1, note, "a"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[0], note, "b"), -EALREADY);
    ck_assert_int_eq(jg_call_later(&chain[0], 1, note, "c"), -EALREADY);
    ck_assert_int_eq(jg_call_at(&chain[0], 0, note, "d"), -EALREADY);
    ck_assert_int_eq(jg_post(jg_loop_current(), &chain[0], note, "e"), -EALREADY);
    jg_sleep(5);
    ck_assert_str_eq(called, "a");
    return 0;
}

// A record in two queues at once would break both.
START_TEST(a_record_is_queued_once) {
    needs_loop();
    run_body(twice_body);
}
END_TEST

// What a call may do.

static intptr_t say_hello(void *arg) {
    return note(arg);
}

static jg_future answered;
static jg_sem permits;
static jg_lock lock;

static intptr_t try_to_wait(void *arg) {
    jg_stream *a;
    jg_stream *b;
    ck_assert_int_eq(jg_yield(), -EDEADLK);
    ck_assert_int_eq(jg_sleep(1), -EDEADLK);
    ck_assert_int_eq(jg_sleep_until(JG_NEVER), -EDEADLK);
    ck_assert_int_eq(jg_future_wait(&answered), -EDEADLK);
    ck_assert_int_eq(jg_sem_acquire(&permits), -EDEADLK);
    ck_assert_int_eq(jg_lock_acquire(&lock), -EDEADLK);
    ck_assert_int_eq(jg_stream_pair(&a, &b), 0);
    ck_assert_int_eq(jg_write(a, "x", 1), -EDEADLK);
    ck_assert_int_eq(jg_read(b, (char[1]){0}, 1), -EDEADLK);
    jg_stream_close(a);
    jg_stream_close(b);
    JG_TIMEOUT(1) {
        ck_assert_int_eq(jg_sleep(5), -EDEADLK);
    }
    jg_task *task = jg_spawn(say_hello, arg);
    ck_assert_ptr_nonnull(task);
    ck_assert_int_eq(jg_join(task), -EDEADLK); // and the handle is still ours
    jg_detach(task);
    const jg_spawn_options eager = {.eager = true}; // as soon as it may
    jg_detach(jg_spawn_with(say_hello, arg, &eager));
    ck_assert_str_eq(jg_task_name(jg_self()), "try_to_wait");
    ck_assert_int_eq(jg_future_set(&answered, 7), 0);
    ck_assert(jg_running());
    return 0;
}

static intptr_t waiting_body(void *arg) {
    (void)arg;
    begin();
    answered = (jg_future){0};
    ck_assert_int_eq(jg_call_soon(&chain[0], try_to_wait, "t"), 0);
    ck_assert_int_eq(jg_future_wait(&answered), 7);
    jg_sleep(1);
    ck_assert_str_eq(called, "tt");
    return 0;
}

// A call that waits would stop the loop it waits for.
START_TEST(a_call_may_spawn_and_set_but_not_wait) {
    needs_loop();
    run_body(waiting_body);
}
END_TEST

static intptr_t leave_scope_open(void *arg) {
    jg_scope_open(arg, JG_NEVER, false);
    return 0;
}

static intptr_t scope_body(void *arg) {
    (void)arg;
    jg_scope scope;
    jg_call_soon(&chain[0], leave_scope_open, &scope);
    return jg_sleep(5);
}

static void run_scope_body(void *arg) {
    (void)arg;
    jg_run(scope_body, NULL);
}

// The next call would run inside a scope whose memory is gone.
START_TEST(a_call_that_leaves_a_scope_open_is_named) {
    needs_loop();
    fixture_expect_abort(run_scope_body, NULL, "leave_scope_open left a scope open");
}
END_TEST

// The end.

static intptr_t too_late(void *name) {
    static jg_call late;
    ck_assert_int_eq(jg_call_soon(&late, note, name), -ESHUTDOWN);
    ck_assert_int_eq(jg_call_later(&late, 1, note, name), -ESHUTDOWN);
    ck_assert_int_eq(jg_post(jg_loop_current(), &late, note, name), -ESHUTDOWN);
    ck_assert_ptr_null(jg_spawn(note, name));
    ck_assert(!jg_call_queued(&late));
    return note(name);
}

static intptr_t last_calls_body(void *arg) {
    (void)arg;
    begin();
    ck_assert_int_eq(jg_call_later(&chain[0], 60000, note, "0"), 0);
    ck_assert_int_eq(jg_call_soon(&chain[1], note, "a"), 0);
    ck_assert_int_eq(jg_post(jg_loop_current(), &chain[2], too_late, "b"), 0);
    return 0;
}

// What was accepted would be lost at the end, or the loop would stay open for a call an hour away.
START_TEST(s50k_accepted_calls_are_made_before_the_loop_closes) {
    needs_loop();
    run_body(last_calls_body);
    ck_assert_str_eq(called, "ab");
    for (int i = 0; i < 3; i++) {
        ck_assert(!jg_call_queued(&chain[i])); // all are the program's again
    }
}
END_TEST

// Outside a loop.

// A call would be queued where nobody will ever make it.
START_TEST(without_a_loop_nothing_is_queued) {
    jg_call call = {0};
    ck_assert_ptr_null(jg_loop_current());
    ck_assert_int_eq(jg_call_soon(&call, note, "a"), -ENXIO);
    ck_assert_int_eq(jg_call_later(&call, 5, note, "a"), -ENXIO);
    ck_assert_int_eq(jg_call_at(&call, 5, note, "a"), -ENXIO);
    ck_assert(!jg_call_cancel(&call));
    jg_loop_drop(NULL);
}
END_TEST

FIXTURE_MAIN("api/call", s50a_calls_are_made_in_order, s50a_calls_and_tasks_take_their_turn,
             s50a_a_call_may_queue_itself_for_ever,
             s50a_a_failing_call_is_reported_and_the_rest_are_made, s50f_a_negative_delay_is_now,
             s50b_equal_times_are_made_in_order, r07_no_call_is_made_early,
             s50f_a_cancelled_call_is_never_made, a_record_is_queued_once,
             a_call_may_spawn_and_set_but_not_wait, a_call_that_leaves_a_scope_open_is_named,
             s50k_accepted_calls_are_made_before_the_loop_closes, without_a_loop_nothing_is_queued)
