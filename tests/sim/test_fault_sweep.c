// SPDX-License-Identifier: MIT
/* test_fault_sweep.c – every scenario with each of its reads, writes, accepts and connects failing.
 *
 * Holds      nothing between tests.
 * Invariant  an operation that fails, once or from then on, is an error of the call that needed it:
 *            nothing is leaked, what is counted adds up, nobody waits for ever.
 * Called by  ctest.
 * Why        RELIABILITY R14. What the kernel refuses once in a year is refused here at every turn.
 */
#define FIXTURE_LIMIT 60
#include "sim/scenarios.h"

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
enum { SEEDS = 1, LAST = 6, LAST_BRIEF = 3 };
#else
enum { SEEDS = 3, LAST = 12, LAST_BRIEF = 3 };
#endif

static const struct {
    jg_sim_op op;
    int error;
} failures[] = {
    {JG_SIM_READ, -ECONNRESET},     {JG_SIM_READ, -ENOMEM},         {JG_SIM_READ, -ETIMEDOUT},
    {JG_SIM_WRITE, -EPIPE},         {JG_SIM_WRITE, -ENOBUFS},       {JG_SIM_WRITE, -ENOMEM},
    {JG_SIM_ACCEPT, -ECONNABORTED}, {JG_SIM_ACCEPT, -EMFILE},       {JG_SIM_ACCEPT, -ENFILE},
    {JG_SIM_CONNECT, -ETIMEDOUT},   {JG_SIM_CONNECT, -ENETUNREACH}, {JG_SIM_CONNECT, -EPERM},
};

static void play_failing(const struct scenario *scenario, const jg_sim_fault *fault) {
    const jg_sim_options weather = {.faults = fault, .fault_count = 1};
    for (uint64_t k = 0; k < scenario_seeds(SEEDS, 1); k++) {
        intptr_t rc = scenario_play_in(scenario, fixture_seed() + k, &weather);
        ck_assert_msg(rc != -EDEADLK && rc != -ETIME, "op %d failing with %s, %s %d: %s",
                      (int)fault->op, jg_error_name(fault->error),
                      fault->from_then_on ? "from" : "at", (int)fault->nth, jg_error_detail(rc));
    }
}

static void scenario_sweep(const struct scenario *scenario) {
    uint64_t last = scenario_brief() ? LAST_BRIEF : LAST;
    scenario_disturbed = true;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        jg_sim_fault fault = {.op = failures[i].op, .error = failures[i].error};
        for (fault.nth = 1; fault.nth <= last; fault.nth++) {
            fault.from_then_on = false;
            play_failing(scenario, &fault);
            fault.from_then_on = true;
            play_failing(scenario, &fault);
        }
    }
}

// A call that fails in the middle of something would lose, leak or stop what does not depend on it.
SCENARIOS(SCENARIO_TEST)

FIXTURE_MAIN("sim/fault_sweep", SCENARIOS(SCENARIO_NAME))
