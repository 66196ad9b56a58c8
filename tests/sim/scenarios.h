// SPDX-License-Identifier: MIT
/* scenarios.h – short programs that mix everything, and check what must hold whatever happens to them.
 *
 * Holds      the table of the scenarios, and how one is played.
 * Invariant  a scenario bears any order of its tasks, a cancel of any of them at any point, and any
 *            allocation refused: it may then come to less, but what it counts still adds up.
 * Called by  test_seeds.c, test_cancel_sweep.c, test_alloc_sweep.c, test_fault_sweep.c, test_weather.c.
 * Why        written once, played thousands of times in different weather.
 * Quirks     every wait has a limit, as whoever was to end it may have been cancelled.
 */
#ifndef SIM_SCENARIOS_H
#define SIM_SCENARIOS_H

#include <stdbool.h>

/* Set while something is made to go wrong. Else a scenario also checks that it got its work done. */
static bool scenario_disturbed;

#include "sim/scenarios_chan.h"
#include "sim/scenarios_connect.h"
#include "sim/scenarios_http.h"
#include "sim/scenarios_io.h"
#include "sim/scenarios_loop.h"
#include "sim/scenarios_os.h"
#include "sim/scenarios_queue.h"
#include "sim/scenarios_sync.h"
#include "sim/scenarios_tasks.h"
#include "sim/scenarios_wait.h"

#include "base/mem.h"

#include <juggle/debug.h>
#include <juggle/sim.h>
#include <stdlib.h>
#include <string.h>

struct scenario {
    const char *name; // with its place, as jg_run_at wants it
    jg_fn *run;
    void (*check)(void); // once the loop has ended; may be NULL
};

/* All of them. Each file lists its own as X(name, check), name_run being the scenario. */
#define SCENARIOS(X)                                                                               \
    SCENARIOS_SYNC(X)                                                                              \
    SCENARIOS_QUEUE(X)                                                                             \
    SCENARIOS_CHAN(X)                                                                              \
    SCENARIOS_TASKS(X)                                                                             \
    SCENARIOS_WAIT(X)                                                                              \
    SCENARIOS_LOOP(X)                                                                              \
    SCENARIOS_IO(X)                                                                                \
    SCENARIOS_CONNECT(X)                                                                           \
    SCENARIOS_HTTP(X)                                                                              \
    SCENARIOS_OS(X)

#define SCENARIO_DEFINE(name, check)                                                               \
    static const struct scenario scenario_##name = {#name "\0", name##_run, check};

SCENARIOS(SCENARIO_DEFINE)

/* One START_TEST per scenario, so that each runs in a process of its own and fails under its own name:
 * `SCENARIOS(SCENARIO_TEST)`, where `scenario_sweep` is what is done with each. */
#define SCENARIO_TEST(name, check)                                                                 \
    START_TEST(name) {                                                                             \
        scenario_sweep(&scenario_##name);                                                          \
    }                                                                                              \
    END_TEST

/* Their names, for FIXTURE_MAIN: `SCENARIOS(SCENARIO_NAME)`. */
#define SCENARIO_NAME(name, check) name,

/* Whether this run is one beside the usual, in debug mode or traced, and should be short. */
static inline bool scenario_brief(void) {
    return getenv("FIXTURE_BRIEF") != NULL;
}

static inline uint64_t scenario_seeds(uint64_t usual, uint64_t brief) {
    return scenario_brief() && brief < usual ? brief : usual;
}

/* Debug mode must not say what is not so: only strays leaves something behind. That a machine is busy, and
 * a step slow, is no fault. */
static inline void scenario_hear(const jg_debug_report *report) {
    bool stray = report->kind == JG_DEBUG_TASK_LEAK && strcmp(report->task, "strays_live") == 0;
    ck_assert_msg(stray || report->kind == JG_DEBUG_SLOW, "reported: %s", report->text);
}

static inline void scenario_end(const struct scenario *scenario, long blocks) {
    if (scenario->check != NULL) {
        scenario->check();
    }
    jg_error_clear();
    ck_assert_int_eq(mem_live(), blocks);
}

/* Plays it once under sim, from `run` if that is given, which then has to call scenario->run. What the
 * loop held is checked to be gone. */
static inline intptr_t scenario_play(const struct scenario *scenario, uint64_t seed, jg_fn *run,
                                     void *arg) {
    const jg_run_options options = {.backend = "sim", .seed = seed, .stack_size = 128 * 1024};
    long blocks = mem_live();
    jg_debug_on_report(scenario_hear);
    intptr_t rc = jg_run_at(run != NULL ? run : scenario->run, arg, &options, scenario->name);
    scenario_end(scenario, blocks);
    return rc;
}

/* The same in a weather of its own; its seed is replaced. */
static inline intptr_t scenario_play_in(const struct scenario *scenario, uint64_t seed,
                                        const jg_sim_options *weather) {
    jg_sim_options options = *weather;
    options.seed = seed;
    options.stack_size = 128 * 1024;
    long blocks = mem_live();
    jg_debug_on_report(scenario_hear);
    intptr_t rc = jg_sim_run_at(scenario->run, NULL, &options, scenario->name);
    scenario_end(scenario, blocks);
    return rc;
}

#endif
