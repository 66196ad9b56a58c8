// SPDX-License-Identifier: MIT
/* test_sim_hands.c – reaching into the simulated world while it runs: cables cut, hosts reset, streams
 * that stall or break.
 *
 * Holds      nothing.
 * Invariant  every test asks for its seed, so that it is one and the same run each time.
 * Called by  ctest.
 * Why        a fault that does not strike where it is put proves nothing.
 */
// Backends: sim
#include "api/sim_server.h"

static intptr_t heal_later(void *arg) {
    (void)arg;
    int rc = jg_sleep(5000);
    return rc < 0 ? rc : jg_sim_host_heal("server");
}

static intptr_t ask_through_a_cut(jg_stream *stream) {
    intptr_t rc = ask_hello(stream);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(jg_sim_host_cut("server"), 0);
    int64_t before = jg_now();
    JG_GROUP(group) {
        jg_group_spawn(group, heal_later, NULL);
        rc = ask_hello(stream);
    }
    ck_assert_int_eq(rc, 0); // nothing was lost
    ck_assert_int_ge((jg_now() - before) / JG_MS, 5000);
    jg_sim_host_cut("server");
    JG_TIMEOUT(100, rc) {
        rc = ask_hello(stream);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    jg_stream *none;
    before = jg_now();
    ck_assert_int_eq(jg_tcp_connect("server", PORT, &none), -ETIMEDOUT);
    ck_assert_int_ge((jg_now() - before) / JG_S, 60);
    return 0;
}

static intptr_t partitioned(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_sim_host_cut(""), -EINVAL);
    ck_assert_int_eq(jg_sim_host_cut("a.invalid"), -ENOENT);
    ck_assert_int_eq(jg_sim_host_cut("bystander"), 0);
    return with_server(ask_through_a_cut);
}

// A partition would lose bytes, cut off others, or not cut.
START_TEST(host_cut_and_healed) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const jg_sim_options options = {.seed = seed};
        ck_assert_int_eq(jg_sim_run(partitioned, NULL, &options), 0);
    }
}
END_TEST

static intptr_t ask_after_crash(jg_stream *stream) {
    char text[1];
    ck_assert_int_eq(ask_hello(stream), 0);
    ck_assert_int_eq(jg_sim_host_reset(NULL), 0); // another one
    ck_assert_int_eq(ask_hello(stream), 0);
    ck_assert_int_eq(jg_sim_host_reset("server"), 0);
    return jg_read(stream, text, 1);
}

static intptr_t crashed(void *arg) {
    (void)arg;
    return with_server(ask_after_crash);
}

// A crash of the peer could not be tried.
START_TEST(host_reset) {
    ck_assert_int_eq(jg_sim_run(crashed, NULL, NULL), -ECONNRESET);
}
END_TEST

static intptr_t ask_stalled(jg_stream *stream) {
    int64_t before = jg_now();
    ck_assert_int_eq(jg_sim_stream_stall(stream, -1), -EINVAL);
    ck_assert_int_eq(jg_sim_stream_stall(stream, 3000), 0);
    ck_assert_int_eq(ask_hello(stream), 0);
    ck_assert_int_ge((jg_now() - before) / JG_MS, 3000);
    ck_assert_int_lt((jg_now() - before) / JG_MS, 3500);
    return 0;
}

static intptr_t stalled(void *arg) {
    (void)arg;
    return with_server(ask_stalled);
}

// A peer that falls silent for a while could not be tried.
START_TEST(stream_stalls) {
    ck_assert_int_eq(jg_sim_run(stalled, NULL, NULL), 0);
}
END_TEST

static intptr_t ask_until_reset(jg_stream *stream) {
    static const char block[100];
    char text[1];
    ssize_t got;
    intptr_t read = 0;
    ck_assert_int_eq(jg_sim_stream_reset(stream, 37), 0);
    jg_write(stream, block, sizeof(block));
    while ((got = jg_read(stream, text, 1)) == 1) {
        read++;
    }
    ck_assert_int_eq(got, -ECONNRESET);
    return read;
}

static intptr_t reset_midway(void *arg) {
    (void)arg;
    return with_server(ask_until_reset);
}

// R26: a reset could not be placed at a byte.
START_TEST(stream_reset_at_a_byte) {
    for (uint64_t seed = 1; seed <= 50; seed++) {
        const jg_sim_options options = {.seed = seed};
        ck_assert_int_eq(jg_sim_run(reset_midway, NULL, &options), 37);
    }
}
END_TEST

static intptr_t reset_after_close(void *arg) {
    jg_stream *ends[2];
    char text[10];
    (void)arg;
    ck_assert_int_eq(jg_stream_pair(&ends[0], &ends[1]), 0);
    ck_assert_int_eq(jg_sim_stream_reset(ends[1], 4), 0);
    ssize_t put = jg_write(ends[0], "0123456789", 10);
    ck_assert(put == 10 || put == -EPIPE); // the reset may come first
    jg_stream_close(ends[0]);
    ck_assert_int_eq(jg_read_exact(ends[1], text, 4), 4);
    ck_assert_int_eq(jg_read(ends[1], text, 1), -ECONNRESET);
    jg_stream_close(ends[1]);
    return 0;
}

// With the peer gone, bytes were counted as arrived that nobody had sent.
START_TEST(stream_reset_after_its_peer_has_left) {
    for (uint64_t seed = 1; seed <= 50; seed++) {
        const jg_sim_options options = {.seed = seed};
        ck_assert_int_eq(jg_sim_run(reset_after_close, NULL, &options), 0);
    }
}
END_TEST

static intptr_t reset_again(jg_stream *stream) {
    char text[1];
    ck_assert_int_eq(jg_sim_stream_reset(stream, 0), 0);
    ck_assert_int_eq(jg_read(stream, text, 1), -ECONNRESET);
    ck_assert_int_eq(jg_sim_stream_reset(stream, 0), 0);
    return jg_sleep_until(JG_NEVER);
}

static intptr_t reset_twice(void *arg) {
    (void)arg;
    return with_server(reset_again);
}

// The second reset was on its way for ever: the run never ended.
START_TEST(stream_reset_twice) {
    ck_assert_int_eq(jg_sim_run(reset_twice, NULL, NULL), -EDEADLK);
}
END_TEST

FIXTURE_MAIN("api/sim_hands", host_cut_and_healed, host_reset, stream_stalls,
             stream_reset_at_a_byte, stream_reset_after_its_peer_has_left, stream_reset_twice)
