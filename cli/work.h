// SPDX-License-Identifier: MIT
/* work.h – a fixed amount of computing, for work that is not waiting.
 *
 * Holds      a chain of hashes: how long it takes on this machine, and what it comes to.
 * Invariant  a piece of work is a number of steps, not of nanoseconds: a worker that is pushed off
 *            its core still has all of it to do, and it is done only if the result is right.
 * Called by  race.c (calibrate, in the parent), worker.c (do); standin.c.
 * Why        on CPU work the ranking of the models turns round, and the tool should show it.
 * Quirks     the figure is made on one idle core; on a busy or a slower one the work takes longer.
 */
#ifndef JUGGLE_CLI_WORK_H
#define JUGGLE_CLI_WORK_H

#include <stdint.h>

/* A piece of work. Zero bytes: none. */
struct work {
    uint64_t steps;
    uint64_t result; /* what work_do must come to */
};

/* Finds out how many steps take `duration_ns` of CPU time on this core. Takes about 20 ms. */
uint64_t work_steps_for(uint64_t duration_ns);

/* Makes a piece of work that takes so long, by doing it once. */
struct work work_for(uint64_t duration_ns);

/* Does the steps. Returns a word that depends on every one of them. */
uint64_t work_do(uint64_t steps);

#endif
