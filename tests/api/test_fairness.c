// SPDX-License-Identifier: MIT
/* test_fairness.c – hazard X8: tasks whose sockets are always ready, or that wake each other for ever.
 *
 * Holds      nothing between tests.
 * Invariant  everybody gets on, and a timer that is due comes within a few turns of the loop.
 * Called by  ctest, on epoll and sim.
 * Why        RELIABILITY R6, too: a task whose calls never have to wait need never let go of the loop.
 * Quirks     lateness is counted in steps of other tasks, and in the thread's processor time: a busy
 *            machine changes nothing. Whoever is starved hangs the test.
 */
#define FIXTURE_LIMIT 20
#include "fixtures/measure.h"

#include "api/api.h"

enum { KINDS = 4, EACH = 3, TIMERS = 100, STEPS_LEAST = 50, FEW_TURNS = 1000 };
enum { TIMER_P99_MS = 2, SOCKET_MS = 5 }; // R6

struct storm {
    bool stop;
    int64_t due_ns;     // of the timer that is waited for
    int overdue;        // steps others made since then
    int64_t overdue_ns; // the thread's processor time at the first of them
};

static void count_overdue(struct storm *storm) {
    if (jg_now() >= storm->due_ns && storm->overdue++ == 0) {
        storm->overdue_ns = measure_ns(CLOCK_THREAD_CPUTIME_ID);
    }
}

/* What the thread did since it was due, in time of its own. */
static int64_t lateness_ns(const struct storm *storm) {
    return storm->overdue > 0 ? measure_ns(CLOCK_THREAD_CPUTIME_ID) - storm->overdue_ns : 0;
}

struct party {
    struct storm *storm;
    jg_stream *stream;
    jg_stream *other; // the far end of its own socket
    int steps;
};

static void step(struct party *party) {
    party->steps++;
    count_overdue(party->storm);
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

static bool has_figures(void) {
    return on_backend("epoll") && MEASURE_PLAIN;
}

/* Returns what all but one in a hundred are not later than. */
static int64_t watch_timers(struct storm *storm) {
    int64_t late_ns[TIMERS];
    for (int i = 0; i < TIMERS; i++) {
        storm->overdue = 0;
        storm->due_ns = jg_now() + JG_MS;
        ck_assert_int_eq(jg_sleep_until(storm->due_ns), 0);
        ck_assert_int_lt(storm->overdue, FEW_TURNS);
        late_ns[i] = lateness_ns(storm);
        storm->due_ns = JG_NEVER;
    }
    return measure_percentile(late_ns, TIMERS, 99);
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

// R6: two that wake each other.

enum { SERVED = 20 };

struct rally {
    struct storm storm;
    jg_chan chans[2];
    jg_stream *ends[2];
};

static intptr_t hit(struct rally *rally, int side) {
    while (!rally->storm.stop && jg_chan_send(&rally->chans[side], NULL) == 0 &&
           jg_chan_recv(&rally->chans[1 - side], NULL) > 0) {
        count_overdue(&rally->storm);
        (void)jg_sim_advance(1); // virtual time would stand still while anybody can run
    }
    return 0;
}

static intptr_t hit_first(void *arg) {
    return hit(arg, 0);
}

static intptr_t hit_back(void *arg) {
    struct rally *rally = arg;
    if (jg_chan_recv(&rally->chans[0], NULL) < 0) {
        return 0;
    }
    return hit(rally, 1);
}

static intptr_t answer_bytes(void *arg) {
    struct rally *rally = arg;
    char byte;
    while (jg_read(rally->ends[1], &byte, 1) == 1) {
        ck_assert_int_eq(jg_write(rally->ends[1], &byte, 1), 1);
    }
    return 0;
}

/* Asks the socket's other end, and counts what the two did until the answer came. */
static void ask_bytes(struct rally *rally) {
    char byte = 'x';
    for (int i = 0; i < SERVED; i++) {
        rally->storm.overdue = 0;
        rally->storm.due_ns = 0; // from now on each hit counts
        ck_assert_int_eq(jg_write(rally->ends[0], &byte, 1), 1);
        ck_assert_int_eq(jg_read(rally->ends[0], &byte, 1), 1);
        ck_assert(on_backend("sim") || rally->storm.overdue < FEW_TURNS);
        ck_assert(!has_figures() || lateness_ns(&rally->storm) <= SOCKET_MS * JG_MS);
        rally->storm.due_ns = JG_NEVER;
    }
}

static intptr_t rally_body(void *arg) {
    struct rally rally = {.storm.due_ns = JG_NEVER};
    (void)arg;
    ck_assert_int_eq(jg_stream_pair(&rally.ends[0], &rally.ends[1]), 0);
    JG_GROUP(group) {
        ck_assert_int_eq(jg_group_spawn(group, hit_first, &rally), 0);
        ck_assert_int_eq(jg_group_spawn(group, hit_back, &rally), 0);
        ck_assert_int_eq(jg_group_spawn(group, answer_bytes, &rally), 0);
        int64_t p99_ns = watch_timers(&rally.storm);
        ck_assert(!has_figures() || p99_ns <= TIMER_P99_MS * JG_MS);
        ask_bytes(&rally);
        rally.storm.stop = true;
        jg_group_cancel(group);
    }
    jg_stream_close(rally.ends[0]);
    jg_stream_close(rally.ends[1]);
    return 0;
}

// Two tasks that wake each other without end would keep a timer, or a socket, waiting.
START_TEST(r06_two_who_wake_each_other_starve_nobody) {
    run_body(rally_body);
}
END_TEST

FIXTURE_MAIN("api/fairness", x08_busy_sockets_starve_nobody,
             r06_two_who_wake_each_other_starve_nobody)
