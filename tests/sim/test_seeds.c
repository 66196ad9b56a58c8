// SPDX-License-Identifier: MIT
/* test_seeds.c – every scenario in thousands of orders.
 *
 * Holds      nothing between tests.
 * Invariant  see scenarios.h; without cancels from outside each scenario comes to 0.
 * Called by  ctest; ./run seeds. FIXTURE_SEED repeats a run, FIXTURE_SEEDS is how many each scenario
 *            gets. The base seed is new each time, printed, and summed up by scripts/tally.py.
 * Why        a race shows in one order of a thousand; RELIABILITY R1 and R3.
 */
#define FIXTURE_LIMIT 60
#include "sim/scenarios.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
enum { SEEDS = 300 };
#else
enum { SEEDS = 3000 };
#endif

static uint64_t count_seeds(void) {
    const char *wanted = getenv("FIXTURE_SEEDS");
    return wanted != NULL ? strtoull(wanted, NULL, 0) : scenario_seeds(SEEDS, 50);
}

static void scenario_sweep(const struct scenario *scenario) {
    uint64_t first = fixture_seed();
    uint64_t count = count_seeds();
    printf("SCHEDULES %s: %" PRIu64 " from seed 0x%" PRIx64 "\n", scenario->name, count, first);
    fflush(stdout);
    for (uint64_t i = 0; i < count; i++) {
        intptr_t rc = scenario_play(scenario, first + i, NULL, NULL);
        ck_assert_msg(rc == 0, "came to %d at seed 0x%" PRIx64, (int)rc, first + i);
    }
}

// In some order of the tasks a permit, a lock, an item, a byte or a wake-up would be lost.
SCENARIOS(SCENARIO_TEST)

FIXTURE_MAIN("sim/seeds", SCENARIOS(SCENARIO_NAME))
