// SPDX-License-Identifier: MIT
/* test_sim.c – the simulated world as users see it: limits, weather, faults.
 *
 * Holds      what the planted bugs need, reset by each body.
 * Invariant  every test asks for its seed, so that it is one and the same run each time.
 * Called by  ctest.
 * Why        a test tool that misses a planted bug is worse than none.
 */
// Backends: sim
#include "api/sim_server.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Runs.

static intptr_t sleep_a_day(void *arg) {
    int64_t before = jg_now();
    (void)arg;
    int rc = jg_sleep(24 * 3600 * 1000);
    return rc < 0 ? rc : (jg_now() - before) / JG_S;
}

// A test of timeouts would take as long as the timeouts.
START_TEST(clock_jumps) {
    ck_assert_int_eq(jg_sim_run(sleep_a_day, NULL, NULL), 24 * 3600);
}
END_TEST

static intptr_t wait_for_nothing(void *arg) {
    jg_event event = {0};
    (void)arg;
    return jg_event_wait(&event);
}

static intptr_t deadlock(void *arg) {
    JG_GROUP(group) {
        jg_group_spawn(group, wait_for_nothing, arg);
    }
    return 0;
}

// A deadlock would hang the test, or end it without a result.
START_TEST(deadlock_is_a_result) {
    const jg_sim_options options = {.seed = 3};
    ck_assert_int_eq(jg_sim_run(deadlock, NULL, &options), -EDEADLK);
    const char *detail = jg_error_detail(-EDEADLK);
    ck_assert_msg(strstr(detail, "wait_for_nothing waits for event") != NULL, "%s", detail);
    ck_assert_msg(strstr(detail, "deadlock waits for group") != NULL, "%s", detail);
}
END_TEST

static intptr_t wait_shielded(void *arg) {
    JG_SHIELD {
        wait_for_nothing(arg);
    }
    return 0;
}

static void hang_behind_a_shield(void *arg) {
    jg_sim_run(wait_shielded, arg, NULL);
}

// Tasks that cannot be called off would hang the test.
START_TEST(deadlock_behind_a_shield_ends_by_name) {
    fixture_expect_abort(hang_behind_a_shield, NULL, "deadlock: every task waits");
}
END_TEST

static intptr_t beat_for_ever(void *arg) {
    (void)arg;
    while (jg_sleep(1000) == 0) {}
    return 7;
}

// A program that never ends would never be reported.
START_TEST(limits_call_a_run_off) {
    const jg_sim_options steps = {.seed = 1, .step_limit = 500};
    ck_assert_int_eq(jg_sim_run(beat_for_ever, NULL, &steps), -ETIME);
    ck_assert_str_eq(jg_error_detail(-ETIME), "called off after 500 steps");
    const jg_sim_options clock = {.seed = 1, .clock_limit_ms = 10000};
    ck_assert_int_eq(jg_sim_run(beat_for_ever, NULL, &clock), -ETIME);
    ck_assert_str_eq(jg_error_detail(-ETIME), "called off at the limit of the clock");
}
END_TEST

static intptr_t call_again(void *call) {
    int rc = jg_call_soon(call, call_again, call);
    ck_assert(rc == 0 || rc == -ESHUTDOWN);
    return 0;
}

static intptr_t wait_while_calls_go_on(void *call) {
    ck_assert_int_eq(jg_call_soon(call, call_again, call), 0);
    return jg_sleep(60000);
}

// A call that queues itself again was caught by the explorer's real time alone, and not named.
START_TEST(limits_count_rounds_of_calls) {
    jg_call call = {0};
    const jg_sim_options steps = {.seed = 1, .step_limit = 500};
    ck_assert_int_eq(jg_sim_run(wait_while_calls_go_on, &call, &steps), -ETIME);
    ck_assert_str_eq(jg_error_detail(-ETIME),
                     "called off after 500 rounds of calls without a step");
}
END_TEST

static intptr_t count_calls(void *arg) {
    for (int i = 0; i < 3; i++) {
        if (jg_yield() < 0) {
            return -ECANCELED;
        }
        ++*(int *)arg;
    }
    return 0;
}

// A cancel could not be placed where the bug is.
START_TEST(cancel_comes_at_its_point) {
    for (uint64_t point = 1; point <= 9; point++) {
        int calls = 0;
        const jg_sim_options options = {.seed = 1, .cancel_point = point};
        intptr_t rc = jg_sim_run(count_calls, &calls, &options);
        ck_assert_int_eq(rc, point <= 7 ? -ECANCELED : 0);
        ck_assert_int_eq(calls,
                         point >= 6 ? 3 : (int)point / 2); // a yield that came back has succeeded
    }
}
END_TEST

static intptr_t do_nothing(void *arg) {
    (void)arg;
    return 0;
}

static intptr_t run_inside(void *arg) {
    ck_assert_int_eq(jg_sim_run(do_nothing, arg, NULL), -EBUSY);
    ck_assert_int_eq(jg_sim_explore(do_nothing, arg, NULL, 1, 0, NULL), -EBUSY);
    return 0;
}

// Nonsense would be taken for a test that passed.
START_TEST(misuse_is_refused) {
    const jg_sim_fault no_error = {.op = JG_SIM_READ, .nth = 1};
    const jg_sim_fault no_nth = {.op = JG_SIM_ALLOC};
    const jg_sim_options wrong[] = {
        {.latency_min_us = 2, .latency_max_us = 1},
        {.latency_min_us = -1},
        {.again_percent = 101},
        {.refuse_percent = 101},
        {.reset_permille = 1001},
        {.clock_limit_ms = -1},
        {.stack_size = SIZE_MAX},
        {.faults = &no_error, .fault_count = 1},
        {.faults = &no_nth, .fault_count = 1},
        {.faults = &no_nth, .fault_count = 1000},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_int_eq(jg_sim_run(do_nothing, NULL, &wrong[i]), -EINVAL);
        ck_assert_int_eq(jg_sim_explore(do_nothing, NULL, &wrong[i], 1, 0, NULL), -EINVAL);
    }
    ck_assert_int_eq(jg_sim_explore(do_nothing, NULL, NULL, 1, 8, NULL), -EINVAL);
    ck_assert_int_eq(jg_sim_run(run_inside, NULL, NULL), 0);
    ck_assert_int_eq(jg_sim_advance(1), -ENXIO);
    ck_assert_int_eq(jg_sim_host_cut("a"), -ENXIO);
    ck_assert_int_eq(jg_sim_host_reset("a"), -ENXIO);
    ck_assert_int_eq(jg_sim_host_add("a", "b"), -ENXIO);
    ck_assert_uint_eq(jg_sim_steps(), 0);
    ck_assert(jg_sim_random() != jg_sim_random());
    jg_stream *ends[2];
    ck_assert_int_eq(jg_stream_pair(&ends[0], &ends[1]), 0);
    ck_assert_int_eq(jg_sim_stream_stall(ends[0], 1), -ENXIO);
    ck_assert_int_eq(jg_sim_stream_reset(ends[0], 1), -ENXIO);
    jg_stream_close(ends[0]);
    jg_stream_close(ends[1]);
}
END_TEST

static intptr_t draw(void *arg) {
    uint64_t *drawn = arg;
    jg_yield();
    *drawn = jg_sim_random() ^ jg_sim_steps();
    return 0;
}

// A seed would not bring the failing run back.
START_TEST(seed_decides) {
    uint64_t drawn[3];
    for (int i = 0; i < 3; i++) {
        const jg_sim_options options = {.seed = i == 2 ? 8 : 7};
        ck_assert_int_eq(jg_sim_run(draw, &drawn[i], &options), 0);
    }
    ck_assert_uint_eq(drawn[0], drawn[1]);
    ck_assert_uint_ne(drawn[0], drawn[2]);
}
END_TEST

static intptr_t overrun(void *arg) {
    int rc = 0;
    (void)arg;
    JG_TIMEOUT(10, rc) {
        ck_assert_int_eq(jg_sim_advance(50), 0); // computes, and does not suspend
        ck_assert_int_eq(jg_sim_advance(-1), -EINVAL);
    }
    ck_assert_int_eq(rc, 0);
    JG_TIMEOUT(10, rc) {
        jg_sim_advance(50);
        rc = jg_sleep(1);
    }
    return rc;
}

// A deadline that passes while the program computes could not be tested.
START_TEST(clock_can_be_advanced) {
    ck_assert_int_eq(jg_sim_run(overrun, NULL, NULL), -ETIMEDOUT);
}
END_TEST

static intptr_t last_nap(void *arg) {
    if (arg != NULL) {
        jg_sim_advance(INT64_MAX);
    }
    return jg_sleep_until(JG_NEVER - 1);
}

// A sleep to the last nanosecond made the run spin: no event could ever come after it.
START_TEST(r07_time_has_an_end) {
    int some;
    ck_assert_int_eq(jg_sim_run(last_nap, NULL, NULL), -EDEADLK);
    ck_assert_int_eq(jg_sim_run(last_nap, &some, NULL), -EDEADLK);
}
END_TEST

static intptr_t hello(void *arg) {
    (void)arg;
    return with_server(ask_hello);
}

static intptr_t traced(FILE *trace) {
    const jg_sim_options options = {.seed = 5, .trace = trace};
    return jg_sim_run(hello, NULL, &options);
}

// Nobody could tell what went on in a failing run.
START_TEST(trace_tells_who_did_what) {
    char text[2][20000] = {{0}};
    for (int i = 0; i < 2; i++) {
        FILE *trace = fmemopen(text[i], sizeof(text[i]), "w");
        ck_assert_int_eq(traced(trace), 0);
        fclose(trace);
    }
    ck_assert_str_eq(text[0], text[1]);
    static const char *const expected[] = {"hello#1 runs", "waits for connect",
                                           "accept of echo_once#2: ", "ended"};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        ck_assert_msg(strstr(text[0], expected[i]) != NULL, "no %s in: %s", expected[i], text[0]);
    }
}
END_TEST

// Names.

static intptr_t by_name(void *arg) {
    jg_listener *listener;
    jg_listener *other;
    jg_stream *stream;
    (void)arg;
    ck_assert_int_eq(jg_tcp_connect("host.invalid", PORT, &stream), -ENOENT);
    ck_assert_int_eq(jg_tcp_listen("host.invalid", PORT, &listener), -ENOENT);
    ck_assert_int_eq(jg_tcp_connect("server", PORT, &stream), -ECONNREFUSED);
    ck_assert_int_eq(jg_tcp_listen("server", PORT, &listener), 0);
    ck_assert_int_eq(jg_tcp_listen("server", PORT, &other), -EADDRINUSE);
    ck_assert_int_eq(jg_tcp_listen("other", PORT, &other), 0); // the same port of another host
    ck_assert_int_eq(jg_tcp_connect("server", PORT, &stream), 0);
    jg_stream_close(stream);
    jg_listener_close(listener);
    jg_listener_close(other);
    return 0;
}

// A simulated client would ask a real resolver for "server".
START_TEST(hosts_have_names) {
    ck_assert_int_eq(jg_sim_run(by_name, NULL, NULL), 0);
}
END_TEST

// Weather.

static intptr_t time_hello(void *arg) {
    int64_t before = jg_now();
    intptr_t rc = hello(arg);
    return rc < 0 ? rc : (jg_now() - before) / JG_MS;
}

// Latency would not be what was asked for.
START_TEST(latency_is_as_asked) {
    const jg_sim_options options = {.seed = 1, .latency_min_us = 50000, .latency_max_us = 60000};
    intptr_t took_ms = jg_sim_run(time_hello, NULL, &options);
    ck_assert_int_ge(took_ms, 150); // the connect, the question, the answer
    ck_assert_int_le(took_ms, 1200);
}
END_TEST

static intptr_t append(void *arg) {
    strcat(arg, "x");
    jg_sleep(1);
    return 0;
}

static intptr_t note(void *arg) {
    char *text = arg;
    char own = (char)('a' + strlen(text));
    text[strlen(text)] = own;
    for (int i = 0; i < 3; i++) {
        jg_yield();
        text[strlen(text)] = own;
    }
    return 0;
}

static intptr_t in_turn(void *text) {
    JG_GROUP(group) {
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(group, note, text);
        }
    }
    ck_assert_int_eq(hello(NULL), 0);
    return append(text);
}

// Output that people are shown would change with the seed, and with every change of the simulation.
START_TEST(calm_world_is_the_same_for_every_seed) {
    char first[20000] = "";
    for (uint64_t seed = 1; seed <= 50; seed++) {
        char order[32] = "";
        char text[20000] = "";
        FILE *trace = fmemopen(text, sizeof(text), "w");
        const jg_sim_options options = {.seed = seed, .calm = true, .trace = trace};
        ck_assert_int_eq(jg_sim_run(in_turn, order, &options), 0);
        fclose(trace);
        ck_assert_str_eq(order, "abcabcabcabcx");
        ck_assert_str_eq(text, seed == 1 ? text : first);
        strcpy(first, text);
    }
}
END_TEST

// The calm world's one delay could not be chosen.
START_TEST(calm_latency_is_exact) {
    const jg_sim_options options = {.calm = true, .latency_min_us = 50000, .latency_max_us = 50000};
    ck_assert_int_eq(jg_sim_run(time_hello, NULL, &options), 150); // connect, question, answer
}
END_TEST

static size_t largest; // piece that a read returned

static intptr_t read_pieces(jg_stream *stream) {
    static const char block[2000];
    char text[2000];
    ssize_t rc = jg_write(stream, block, sizeof(block));
    for (size_t sum = 0; rc > 0 && sum < sizeof(text); sum += (size_t)rc) {
        uint64_t before = jg_stream_received(stream);
        rc = jg_read(stream, text, sizeof(text));
        size_t piece = (size_t)(jg_stream_received(stream) - before);
        largest = rc > 0 && piece > largest ? piece : largest;
    }
    return rc < 0 ? rc : 0;
}

static intptr_t sliced(void *arg) {
    (void)arg;
    return with_server(read_pieces);
}

// R16: code that takes a read for a message would not be found.
START_TEST(r16_one_byte_at_a_time) {
    const jg_sim_options options = {.seed = 1, .slice = 1, .again_percent = 30};
    ck_assert_int_eq(jg_sim_run(sliced, NULL, &options), 0);
    ck_assert_uint_eq(largest, 1);
}
END_TEST

static unsigned came_to[4096]; // how many runs came to which negative code

static void play_many(const jg_sim_options *options, jg_fn *fn, int runs) {
    jg_sim_options each = *options;
    memset(came_to, 0, sizeof(came_to));
    for (each.seed = 1; each.seed <= (uint64_t)runs; each.seed++) {
        intptr_t rc = jg_sim_run_at(fn, NULL, &each, "many\0here:1");
        ck_assert_msg(rc <= 0 && rc > -4096, "came to %d", (int)rc);
        came_to[-rc]++;
    }
}

// Connects that fail and connections that break would never be tried.
START_TEST(chances_of_failure) {
    const jg_sim_options refusing = {.refuse_percent = 50};
    play_many(&refusing, hello, 100);
    ck_assert_uint_gt(came_to[ECONNREFUSED], 20);
    ck_assert_uint_gt(came_to[0], 20);
    const jg_sim_options resetting = {.reset_permille = 100};
    play_many(&resetting, hello, 100);
    ck_assert_uint_gt(came_to[ECONNRESET] + came_to[EPIPE], 10);
    ck_assert_uint_gt(came_to[0], 10);
}
END_TEST

static intptr_t fail_nth(jg_sim_op op, uint64_t nth, int error) {
    const jg_sim_fault fault = {.op = op, .nth = nth, .error = error};
    const jg_sim_options options = {.seed = 1, .faults = &fault, .fault_count = 1};
    return jg_sim_run(hello, NULL, &options);
}

// A planned fault would hit another operation, or none.
START_TEST(planned_faults) {
    ck_assert_int_eq(fail_nth(JG_SIM_CONNECT, 1, -EHOSTUNREACH), -EHOSTUNREACH);
    ck_assert_int_eq(fail_nth(JG_SIM_CONNECT, 2, -EHOSTUNREACH), 0);
    ck_assert_int_eq(fail_nth(JG_SIM_ANY, 1000, -EIO), 0);
    ck_assert_int_eq(fail_nth(JG_SIM_ALLOC, 1, 0), -ENOMEM);
    const jg_sim_fault always = {
        .op = JG_SIM_WRITE, .nth = 1, .from_then_on = true, .error = -ENOBUFS};
    const jg_sim_options options = {.seed = 1, .faults = &always, .fault_count = 1};
    ck_assert_int_eq(jg_sim_run(hello, NULL, &options), -ENOBUFS);
}
END_TEST

FIXTURE_MAIN("api/sim", clock_jumps, deadlock_is_a_result, deadlock_behind_a_shield_ends_by_name,
             limits_call_a_run_off, limits_count_rounds_of_calls, cancel_comes_at_its_point,
             misuse_is_refused, seed_decides, clock_can_be_advanced, r07_time_has_an_end,
             trace_tells_who_did_what, hosts_have_names, latency_is_as_asked,
             calm_world_is_the_same_for_every_seed, calm_latency_is_exact, r16_one_byte_at_a_time,
             chances_of_failure, planned_faults)
