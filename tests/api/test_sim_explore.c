// SPDX-License-Identifier: MIT
/* test_sim_explore.c – exploring by seed: planted bugs are found, named and brought back.
 *
 * Holds      the stock of a shop that sells too much.
 * Invariant  each body resets what it uses, as all seeds run in one child.
 * Called by  ctest.
 * Why        a test tool that misses a planted bug is worse than none.
 */
// Backends: sim
#define FIXTURE_LIMIT 20
#include "fixtures/fixture.h"

#include <inttypes.h>
#include <juggle.h>
#include <juggle/sim.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static intptr_t echo_once(void *arg) {
    jg_stream *stream;
    char text[8];
    int rc = jg_accept(arg, &stream);
    if (rc < 0) {
        return rc;
    }
    ssize_t got = jg_read(stream, text, sizeof(text));
    while (got > 0 && jg_write(stream, text, (size_t)got) > 0) {
        got = jg_read(stream, text, sizeof(text));
    }
    jg_stream_close(stream);
    return 0;
}

static intptr_t ask_hello(void *arg) {
    jg_stream *stream;
    char text[5];
    (void)arg;
    ssize_t rc = jg_tcp_connect("server", 80, &stream);
    if (rc < 0) {
        return rc;
    }
    rc = jg_write(stream, "hello", 5);
    rc = rc < 0 ? rc : jg_read_exact(stream, text, 5);
    jg_stream_close(stream);
    return rc < 0 ? rc : 0;
}

static intptr_t hello(void *arg) {
    jg_listener *listener;
    intptr_t rc = jg_tcp_listen("server", 80, &listener);
    if (rc < 0) {
        return rc;
    }
    JG_GROUP(group) {
        jg_group_spawn(group, echo_once, listener);
        rc = ask_hello(arg);
        jg_group_cancel(group);
    }
    jg_listener_close(listener);
    return rc;
}

static int stock;

static intptr_t buy(void *arg) {
    int *sold = arg;
    if (stock > 0) {
        jg_sleep(1); // the till
        stock--;
        ++*sold;
    }
    return 0;
}

static intptr_t buy_last_one(void *arg) {
    int sold = 0;
    (void)arg;
    stock = 1;
    JG_GROUP(group) {
        jg_group_spawn(group, buy, &sold);
        jg_sleep((int64_t)(jg_sim_random() % 4));
        jg_group_spawn(group, buy, &sold);
    }
    return sold == 1 ? 0 : jg_fail(-EPROTO, "sold %d of 1", sold);
}

// A race would be found and not be brought back.
START_TEST(exploring_finds_a_race) {
    jg_sim_report report;
    ck_assert_int_eq(jg_sim_explore(buy_last_one, NULL, NULL, 1000, 0, &report), 1);
    ck_assert_int_eq(report.code, -EPROTO);
    ck_assert_str_eq(report.why, "sold 2 of 1");
    ck_assert(report.repeated);
    ck_assert_ptr_nonnull(strstr(report.trace, "buy#2 runs"));
    const jg_sim_options again = {.seed = report.seed};
    ck_assert_int_eq(jg_sim_run(buy_last_one, NULL, &again), -EPROTO);
    ck_assert_int_eq(jg_sim_explore(buy_last_one, NULL, &again, 1, 0, &report), 1);
    ck_assert_uint_eq(report.seeds, 1);
}
END_TEST

// What passes everywhere would be reported.
START_TEST(exploring_passes) {
    jg_sim_report report;
    ck_assert_int_eq(jg_sim_explore(hello, NULL, NULL, 200, 0, &report), 0);
    ck_assert_uint_eq(report.runs, 200);
    ck_assert_uint_eq(report.seed, 0);
    unsetenv("JUGGLE_SEED");
    setenv("JUGGLE_SEEDS", "7", 1);
    ck_assert_int_eq(jg_sim_explore(hello, NULL, NULL, 200, 0, &report), 0);
    ck_assert_uint_eq(report.seeds, 7);
}
END_TEST

static intptr_t see_cancel(void *arg) {
    *(bool *)arg = jg_sleep(1) == -ECANCELED;
    return 0;
}

// JUGGLE_SEED would not run the seed where a debugger sees it.
START_TEST(one_seed_runs_here) {
    jg_sim_report report;
    bool seen = false;
    ck_assert_int_eq(jg_sim_explore(buy_last_one, NULL, NULL, 1000, 0, &report), 1);
    uint64_t failing = report.seed;
    stock = -1;
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr)); // the traces
    setenv("JUGGLE_SEED", "3", 1);
    ck_assert_int_eq(jg_sim_explore(hello, NULL, NULL, 200, 0, &report), 0);
    ck_assert_uint_eq(report.seeds, 1);
    jg_sim_explore(buy_last_one, NULL, NULL, 200, 0, &report);
    ck_assert_int_ne(stock, -1);
    ck_assert_uint_eq(report.first_seed, 3);
    setenv("JUGGLE_SEED", "3/cancel=2", 1);
    ck_assert_int_eq(jg_sim_explore(see_cancel, &seen, NULL, 200, 0, &report), 0);
    ck_assert(seen);
    setenv("JUGGLE_SEED", "3/refuse=1", 1);
    ck_assert_int_eq(jg_sim_explore(hello, NULL, NULL, 200, 0, &report), 0);
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64, failing);
    setenv("JUGGLE_SEED", text, 1);
    ck_assert_int_eq(jg_sim_explore(buy_last_one, NULL, NULL, 200, 0, &report), 1);
    ck_assert(report.repeated); // else people are told that it went otherwise
    ck_assert_uint_eq(report.seed, failing);
}
END_TEST

// A slip in JUGGLE_SEED would play another run, which passes.
START_TEST(a_run_that_is_not_named_is_refused) {
    const char *const slips[] = {
        "x",         "-3",         "3x",          "3/cancel",
        "3/cancel=", "3/cancle=2", "3/refuse=1x", "99999999999999999999999"};
    jg_sim_report report;
    for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++) {
        setenv("JUGGLE_SEED", slips[i], 1);
        ck_assert_msg(jg_sim_explore(hello, NULL, NULL, 1, 0, &report) == -EINVAL, "%s", slips[i]);
        ck_assert_ptr_nonnull(strstr(jg_error_detail(-EINVAL), slips[i]));
    }
    unsetenv("JUGGLE_SEED");
    setenv("JUGGLE_SEEDS", "1O", 1);
    ck_assert_int_eq(jg_sim_explore(hello, NULL, NULL, 1, 0, &report), -EINVAL);
    jg_error_clear();
}
END_TEST

static intptr_t die(void *arg) {
    jg_sleep(1);
    if (jg_sim_random() % 10 == 0) {
        switch (*(int *)arg) {
        case 0:
            abort();
        case 1:
            _exit(3);
        default:
            for (volatile int spin = 1; spin;) {}
        }
    }
    return 0;
}

// An assertion in a test's body would end the whole exploration without a seed.
START_TEST(exploring_survives_deaths) {
    jg_sim_report report;
    int way = 0;
    ck_assert_int_eq(jg_sim_explore(die, &way, NULL, 1000, 0, &report), 1);
    ck_assert_int_eq(report.signal, SIGABRT);
    ck_assert_ptr_nonnull(strstr(report.why, "killed by signal 6"));
    ck_assert(report.repeated);
    ck_assert_ptr_nonnull(strstr(report.trace, "die#1 runs"));
    way = 1;
    ck_assert_int_eq(jg_sim_explore(die, &way, NULL, 1000, 0, &report), 1);
    ck_assert_int_eq(report.exit_code, 3);
    ck_assert_str_eq(report.why, "exited with code 3");
    way = 2;
    const jg_sim_options options = {.real_limit_s = 1};
    ck_assert_int_eq(jg_sim_explore(die, &way, &options, 1000, 0, &report), 1);
    ck_assert_str_eq(report.why, "kept the processor for 1 s");
}
END_TEST

static intptr_t leak(void *arg) {
    jg_stream *ends[2];
    (void)arg;
    ck_assert_int_eq(jg_stream_pair(&ends[0], &ends[1]), 0);
    int rc = jg_sleep(1);
    jg_stream_close(ends[0]);
    if (rc == 0) {
        jg_stream_close(ends[1]);
    }
    return rc;
}

// A clean-up that is left out when a cancel comes would not be found.
START_TEST(sweep_finds_a_leak_on_cancel) {
    jg_sim_report report;
    ck_assert_int_eq(jg_sim_explore(leak, NULL, NULL, 10, 0, &report), 0);
    ck_assert_int_eq(jg_sim_explore(leak, NULL, NULL, 10, JG_SIM_SWEEP_CANCEL, &report), 1);
    ck_assert_uint_gt(report.cancel_point, 1);
    ck_assert_int_eq(report.code, -ENOTEMPTY);
    ck_assert(report.repeated);
}
END_TEST

static intptr_t ignore_memory(void *arg) {
    jg_stream *ends[2] = {NULL, NULL};
    (void)arg;
    jg_stream_pair(&ends[0], &ends[1]); // may have failed
    jg_write(ends[0], "x", 1);
    jg_stream_close(ends[0]);
    jg_stream_close(ends[1]);
    return 0;
}

// Code that forgets to look for -ENOMEM would pass.
START_TEST(sweep_finds_a_forgotten_check) {
    jg_sim_report report;
    ck_assert_int_eq(jg_sim_explore(hello, NULL, NULL, 3, JG_SIM_SWEEP_CANCEL, &report), 0);
    ck_assert_uint_gt(report.runs, 20);
    ck_assert_int_eq(jg_sim_explore(ignore_memory, NULL, NULL, 3, JG_SIM_SWEEP_ALLOC, &report), 1);
    ck_assert_uint_gt(report.refused, 1);
    ck_assert(report.signal != 0 || report.exit_code != 0); // a sanitizer exits
}
END_TEST

// A failing exploration would say nothing of use.
START_TEST(report_is_for_people) {
    char text[10000] = {0};
    jg_sim_report report;
    ck_assert_int_eq(jg_sim_explore(buy_last_one, NULL, NULL, 1000, 0, &report), 1);
    FILE *file = fmemopen(text, sizeof(text), "w");
    jg_sim_report_print(&report, file);
    fclose(file);
    ck_assert_msg(strstr(text, " failed: sold 2 of 1\n") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "repeat it with JUGGLE_SEED=") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "how it went:\n") != NULL, "%s", text);
}
END_TEST

FIXTURE_MAIN("api/sim_explore", exploring_finds_a_race, exploring_passes, one_seed_runs_here,
             a_run_that_is_not_named_is_refused, exploring_survives_deaths,
             sweep_finds_a_leak_on_cancel, sweep_finds_a_forgotten_check, report_is_for_people)
