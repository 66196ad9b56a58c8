// SPDX-License-Identifier: MIT
/* test_fairness.c – hazard X8: tasks whose sockets are always ready, among others.
 *
 * Holds      nothing between tests.
 * Invariant  everybody gets on, and a timer that is due comes within a few turns of the loop.
 * Called by  ctest, on epoll and sim.
 * Why        a task whose calls never have to wait need never let go of the loop.
 * Quirks     lateness is counted in steps of other tasks, not in time: a busy machine changes nothing.
 *            Whoever is starved hangs the test.
 */
#define FIXTURE_LIMIT 20
#include "api/api.h"

enum { KINDS = 4, EACH = 3, TIMERS = 20, STEPS_LEAST = 50, FEW_TURNS = 1000 };

struct storm {
    bool stop;
    int64_t due_ns; // of the timer that is waited for
    int overdue;    // steps others made since then
};

struct party {
    struct storm *storm;
    jg_stream *stream;
    jg_stream *other; // the far end of its own socket
    int steps;
};

static void step(struct party *party) {
    party->steps++;
    party->storm->overdue += jg_now() >= party->storm->due_ns;
}

static char block[4096];

static intptr_t pour(void *arg) {
    struct party *party = arg;
    while (!party->storm->stop) {
        ck_assert_int_eq(jg_write(party->stream, block, sizeof(block)), sizeof(block));
        step(party);
    }
    return jg_stream_shutdown(party->stream);
}

static intptr_t drain(void *arg) {
    struct party *party = arg;
    char sink[sizeof(block)];
    while (jg_read(party->stream, sink, sizeof(sink)) > 0) {
        step(party);
    }
    return 0;
}

/* Talks to itself: what it reads is always there, and there is always room for what it writes. */
static intptr_t echo(void *arg) {
    struct party *party = arg;
    char byte;
    while (!party->storm->stop) {
        ck_assert_int_eq(jg_write(party->stream, "x", 1), 1);
        ck_assert_int_eq(jg_read(party->other, &byte, 1), 1);
        step(party);
    }
    return 0;
}

static intptr_t ping(void *arg) {
    struct party *party = arg;
    while (!party->storm->stop) {
        step(party);
        (void)jg_sim_advance(1); // virtual time would stand still while anybody can run
        jg_yield();
    }
    return 0;
}

static void start_parties(jg_group *group, struct party (*parties)[KINDS]) {
    static jg_fn *const kinds[KINDS] = {pour, drain, echo, ping};
    for (int i = 0; i < EACH; i++) {
        struct party *row = parties[i];
        ck_assert_int_eq(jg_stream_pair(&row[0].stream, &row[1].stream), 0);
        ck_assert_int_eq(jg_stream_pair(&row[2].stream, &row[2].other), 0);
        for (int kind = 0; kind < KINDS; kind++) {
            ck_assert_int_eq(jg_group_spawn(group, kinds[kind], &row[kind]), 0);
        }
    }
}

static void watch_timers(struct storm *storm) {
    for (int i = 0; i < TIMERS; i++) {
        storm->overdue = 0;
        storm->due_ns = jg_now() + JG_MS;
        ck_assert_int_eq(jg_sleep_until(storm->due_ns), 0);
        ck_assert_int_lt(storm->overdue, FEW_TURNS);
        storm->due_ns = JG_NEVER;
    }
}

static void wait_until_all_got_on(struct party *parties, int count) {
    for (int i = 0; i < count; i++) {
        while (parties[i].steps < STEPS_LEAST) {
            ck_assert_int_eq(jg_sleep(1), 0);
        }
    }
}

static intptr_t storm_body(void *arg) {
    struct storm storm = {.due_ns = JG_NEVER};
    struct party parties[EACH][KINDS];
    (void)arg;
    for (int i = 0; i < EACH * KINDS; i++) {
        parties[i / KINDS][i % KINDS] = (struct party){.storm = &storm};
    }
    JG_GROUP(group) {
        start_parties(group, parties);
        watch_timers(&storm);
        wait_until_all_got_on(parties[0], EACH * KINDS);
        storm.stop = true;
    }
    for (int i = 0; i < EACH * KINDS; i++) {
        jg_stream_close(parties[i / KINDS][i % KINDS].stream);
        jg_stream_close(parties[i / KINDS][i % KINDS].other);
    }
    return 0;
}

// Sockets that are always ready would starve timers, other tasks, or each other.
START_TEST(x08_busy_sockets_starve_nobody) {
    run_body(storm_body);
}
END_TEST

FIXTURE_MAIN("api/fairness", x08_busy_sockets_starve_nobody)
