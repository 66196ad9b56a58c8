// SPDX-License-Identifier: MIT
/* test_weather.c – every scenario in bad weather: byte by byte, slowly, refused, cut off, with faults.
 *
 * Holds      nothing between tests.
 * Invariant  what a network may do to a program changes what it comes to, never what adds up: no error
 *            but one that the weather explains, no leak, no hang.
 * Called by  ctest. FIXTURE_SEED repeats a run.
 * Why        RELIABILITY R16. The usual weather is kinder than the Internet.
 */
#define FIXTURE_LIMIT 60
#include "sim/scenarios.h"

#include <inttypes.h>

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
enum { SEEDS = 3 };
#else
enum { SEEDS = 30 };
#endif

static const jg_sim_fault write_fails = {.op = JG_SIM_WRITE, .nth = 3, .error = -ENOBUFS};
static const jg_sim_fault accepts_fail = {
    .op = JG_SIM_ACCEPT, .nth = 2, .from_then_on = true, .error = -EMFILE};

static const struct {
    const char *name;
    jg_sim_options options;
} weathers[] = {
    {"byte by byte", {.slice = 1, .again_percent = 30}},
    {"far away", {.latency_min_us = 50000, .latency_max_us = 500000}},
    {"refused", {.refuse_percent = 50}},
    {"reset", {.reset_permille = 50}},
    {"a failing write", {.faults = &write_fails, .fault_count = 1}},
    {"out of descriptors", {.faults = &accepts_fail, .fault_count = 1}},
};

static void scenario_sweep(const struct scenario *scenario) {
    scenario_disturbed = true;
    for (size_t i = 0; i < sizeof(weathers) / sizeof(weathers[0]); i++) {
        for (uint64_t k = 0; k < scenario_seeds(SEEDS, 2); k++) {
            uint64_t seed = fixture_seed() + k;
            intptr_t rc = scenario_play_in(scenario, seed, &weathers[i].options);
            bool called_off = rc == -EDEADLK || rc == -ETIME;
            ck_assert_msg(!called_off, "%s, seed 0x%" PRIx64 ": %s", weathers[i].name, seed,
                          jg_error_detail(rc));
        }
    }
}

// A short read, a slow peer, a refusal or a reset would lose something, leak, or hang.
SCENARIOS(SCENARIO_TEST)

FIXTURE_MAIN("sim/weather", SCENARIOS(SCENARIO_NAME))
