// SPDX-License-Identifier: MIT
/* spread.h – how many times the work of one core several do in the same time.
 *
 * Holds      the work itself, the rounds, and the one figure; the subject brings what runs it.
 * Invariant  a round on one core and a round on all of them follow each other, and the best of each
 *            counts: what others take from the machine meanwhile is not the subject's.
 * Called by  juggle/many.c (a loop per core) and floor/many.c (bare threads, pinned).
 * Why        two busy cores may be slower than one, and by how much changes from hour to hour, so not
 *            even bare threads double. Beside them, in one run, the figure says what loops cost.
 * Quirks     run.py pins its programs to one core; these take all they may have.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* One core's share. On cache lines of its own: two of them, for the prefetcher takes them in pairs. */
struct spread_share {
    _Alignas(128) uint64_t state;
};

/* Computes one share, and calls `turn` every 100,000 steps (about 150 us); what it returns is ignored. */
void spread_compute(struct spread_share *share, int (*turn)(void));

/* Runs `PROGRAM CORES` with `round`, which computes `count` shares on as many cores at once and
 * returns when all are done, and prints the speed-up. Returns the exit code of the program. */
int spread_main(int argc, char **argv, void (*round)(struct spread_share *shares, size_t count));
