// SPDX-License-Identifier: MIT
/* test_seeds.c – every scenario in thousands of orders.
 *
 * Holds      nothing between tests.
 * Invariant  see scenarios.h; without cancels from outside each scenario comes to 0.
 * Called by  ctest. FIXTURE_SEED repeats a run; the failing seed is printed.
 * Why        a race shows in one order of a thousand; RELIABILITY R1 and R3.
 */
#define FIXTURE_LIMIT 60
#include "sim/scenarios.h"

#include <stdio.h>

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
enum { SEEDS = 300 };
#else
enum { SEEDS = 3000 };
#endif

static void play_seeds(const struct scenario *scenario) {
    for (uint64_t i = 0; i < SEEDS; i++) {
        intptr_t rc = scenario_play(scenario, fixture_seed() + i, NULL, NULL);
        ck_assert_msg(rc == 0, "came to %d at seed 0x%llx", (int)rc,
                      (unsigned long long)(fixture_seed() + i));
    }
}

// In some order of the tasks a permit, a lock, an item, a byte or a wake-up would be lost.
SCENARIO_TESTS(play_seeds)

FIXTURE_MAIN("sim/seeds", SCENARIO_NAMES)
