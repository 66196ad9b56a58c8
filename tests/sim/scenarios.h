// SPDX-License-Identifier: MIT
/* scenarios.h – short programs that mix everything, and check what must hold whatever happens to them.
 *
 * Holds      the table of the scenarios, and how one is played.
 * Invariant  a scenario bears any order of its tasks, a cancel of any of them at any point, and any
 *            allocation refused: it may then come to less, but what it counts still adds up.
 * Called by  test_seeds.c, test_cancel_sweep.c, test_alloc_sweep.c.
 * Why        written once, played thousands of times in different weather.
 * Quirks     every wait has a limit, as whoever was to end it may have been cancelled.
 */
#ifndef SIM_SCENARIOS_H
#define SIM_SCENARIOS_H

#include <stdbool.h>

/* Set while something is made to go wrong. Else a scenario also checks that it got its work done. */
static bool scenario_disturbed;

#include "sim/scenarios_io.h"
#include "sim/scenarios_sync.h"
#include "sim/scenarios_tasks.h"

#include "base/mem.h"

struct scenario {
    const char *name; // with its place, as jg_run_at wants it
    jg_fn *run;
    void (*check)(void); // once the loop has ended; may be NULL
};

static const struct scenario scenario_permits = {"permits\0", permits_run, NULL};
static const struct scenario scenario_locks = {"locks\0", locks_run, NULL};
static const struct scenario scenario_heirs = {"heirs\0", heirs_run, NULL};
static const struct scenario scenario_gate = {"gate\0", gate_run, NULL};
static const struct scenario scenario_words = {"words\0", words_run, NULL};
static const struct scenario scenario_buffer = {"buffer\0", buffer_run, NULL};
static const struct scenario scenario_post = {"post\0", post_run, NULL};
static const struct scenario scenario_families = {"families\0", families_run, NULL};
static const struct scenario scenario_kin = {"kin\0", kin_run, NULL};
static const struct scenario scenario_limits = {"limits\0", limits_run, NULL};
static const struct scenario scenario_storm = {"storm\0", storm_run, NULL};
static const struct scenario scenario_strays = {"strays\0", strays_run, strays_check};
static const struct scenario scenario_pipeline = {"pipeline\0", pipeline_run, NULL};
static const struct scenario scenario_echo = {"echo\0", echo_run, NULL};
static const struct scenario scenario_doors = {"doors\0", doors_run, NULL};

/* One START_TEST per scenario, so that each runs in a process of its own and fails under its own name. */
#define SCENARIO_TESTS(sweep)                                                                      \
    SCENARIO_TEST(permits, sweep)                                                                  \
    SCENARIO_TEST(locks, sweep)                                                                    \
    SCENARIO_TEST(heirs, sweep)                                                                    \
    SCENARIO_TEST(gate, sweep)                                                                     \
    SCENARIO_TEST(words, sweep)                                                                    \
    SCENARIO_TEST(buffer, sweep)                                                                   \
    SCENARIO_TEST(post, sweep)                                                                     \
    SCENARIO_TEST(families, sweep)                                                                 \
    SCENARIO_TEST(kin, sweep)                                                                      \
    SCENARIO_TEST(limits, sweep)                                                                   \
    SCENARIO_TEST(storm, sweep)                                                                    \
    SCENARIO_TEST(strays, sweep)                                                                   \
    SCENARIO_TEST(pipeline, sweep)                                                                 \
    SCENARIO_TEST(echo, sweep)                                                                     \
    SCENARIO_TEST(doors, sweep)

#define SCENARIO_TEST(name, sweep)                                                                 \
    START_TEST(name) {                                                                             \
        sweep(&scenario_##name);                                                                   \
    }                                                                                              \
    END_TEST

#define SCENARIO_NAMES                                                                             \
    permits, locks, heirs, gate, words, buffer, post, families, kin, limits, storm, strays,        \
        pipeline, echo, doors

/* Plays it once under sim, from `run` if that is given, which then has to call scenario->run. What the
 * loop held is checked to be gone. */
static inline intptr_t scenario_play(const struct scenario *scenario, uint64_t seed, jg_fn *run,
                                     void *arg) {
    const jg_run_options options = {.backend = "sim", .seed = seed, .stack_size = 128 * 1024};
    long blocks = mem_live();
    intptr_t rc = jg_run_at(run != NULL ? run : scenario->run, arg, &options, scenario->name);
    if (scenario->check != NULL) {
        scenario->check();
    }
    jg_error_clear();
    ck_assert_int_eq(mem_live(), blocks);
    return rc;
}

#endif
