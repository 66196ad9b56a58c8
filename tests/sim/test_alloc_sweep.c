// SPDX-License-Identifier: MIT
/* test_alloc_sweep.c – every scenario with each of its allocations refused, once and from then on.
 *
 * Holds      nothing between tests.
 * Invariant  a refused allocation, of the heap or of a stack, is an error of the call that needed it:
 *            nothing is leaked, what is counted adds up, and the next run goes well.
 * Called by  ctest.
 * Why        RELIABILITY R15. No error path is believed that was not run.
 */
#define FIXTURE_LIMIT 60
#include "sim/scenarios.h"

enum { SEEDS = 20, RUNS_MOST = 20000 };

/* Plays it with the n-th allocation refused. Returns whether it came that far. */
static bool play_refusing(const struct scenario *scenario, uint64_t seed, uint64_t n,
                          bool from_then_on) {
    mem_fail_nth(n, from_then_on);
    intptr_t rc = scenario_play(scenario, seed, NULL, NULL);
    bool reached = mem_refuse() != 0;
    mem_fail_nth(0, 0);
    ck_assert_msg(rc == 0 || rc == -ENOMEM, "came to %d with allocation %d refused", (int)rc,
                  (int)n);
    return reached;
}

static void scenario_sweep(const struct scenario *scenario) {
    for (uint64_t seed = 1; seed <= scenario_seeds(SEEDS, 1); seed++) {
        uint64_t n = 1;
        scenario_disturbed = true;
        while (play_refusing(scenario, seed, n, true)) {
            n++;
            ck_assert_uint_lt(n, RUNS_MOST);
        }
        ck_assert_uint_gt(n, 3);
        for (uint64_t once = 1; once < n; once++) {
            play_refusing(scenario, seed, once, false);
        }
        scenario_disturbed = false;
        ck_assert_int_eq(scenario_play(scenario, seed, NULL, NULL), 0);
    }
}

// Without memory somewhere a program would crash, hang, leak, or lose what it had in hand.
SCENARIOS(SCENARIO_TEST)

FIXTURE_MAIN("sim/alloc_sweep", SCENARIOS(SCENARIO_NAME))
