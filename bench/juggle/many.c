// SPDX-License-Identifier: MIT
/* many.c – juggle: how much faster a number of loops compute than one.
 *
 * Holds      nothing between rounds.
 * Invariant  each loop computes one share, and yields as a well-behaved task would.
 * Called by  run.py, `juggle_many LOOPS`. Prints the speed-up.
 * Why        loops share nothing, so each core should count in full.
 * Quirks     none.
 */
#include "common/measure.h"
#include "common/spread.h"

#include <juggle.h>

static intptr_t compute(void *share) {
    spread_compute(share, jg_yield);
    return 0;
}

static void run_loops(struct spread_share *shares, size_t count) {
    const jg_run_many_options pinned = {.pin = true};
    intptr_t rc = jg_run_many(count, compute, shares, sizeof *shares, &pinned);
    if (rc < 0) {
        measure_die("jg_run_many", (int)-rc);
    }
}

int main(int argc, char **argv) {
    return spread_main(argc, argv, run_loops);
}
