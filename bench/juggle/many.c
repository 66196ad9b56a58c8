// SPDX-License-Identifier: MIT
/* many.c – juggle: how much faster a number of loops compute than one.
 *
 * Holds      nothing between rounds.
 * Invariant  a round of one loop and a round of all follow each other; the best of each counts.
 * Called by  run.py, `juggle_many LOOPS`. Prints the speed-up.
 * Why        loops share nothing, so each core should count in full.
 * Quirks     run.py pins its programs to one core; this one takes all it may have.
 */
#include "common/measure.h"

#include <juggle.h>
#include <sched.h>
#include <string.h>

enum { ROUNDS = 7, STEPS = 30 * 1000 * 1000, YIELD_EVERY = 100 * 1000, LOOPS_MOST = 64 };

static intptr_t compute(void *arg) {
    uint64_t x = *(uint64_t *)arg;
    for (int i = 1; i <= STEPS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        if (i % YIELD_EVERY == 0) {
            jg_yield();
        }
    }
    *(uint64_t *)arg = x;
    return 0;
}

/* Wall ns of so many loops, each computing the same. */
static uint64_t round_ns(size_t loops) {
    static uint64_t states[LOOPS_MOST][16]; // a cache line each, and more
    const jg_run_many_options pinned = {.pin = true};
    for (size_t i = 0; i < loops; i++) {
        states[i][0] = i + 1;
    }
    uint64_t start = measure_now().wall_ns;
    intptr_t rc = jg_run_many(loops, compute, states, sizeof states[0], &pinned);
    if (rc < 0) {
        measure_die("jg_run_many", (int)-rc);
    }
    return measure_now().wall_ns - start;
}

int main(int argc, char **argv) {
    size_t loops = measure_arg(argc, argv, 1, 1);
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
    uint64_t best_one = UINT64_MAX;
    uint64_t best_all = UINT64_MAX;
    loops = loops < LOOPS_MOST ? loops : LOOPS_MOST;
    struct measure start = measure_now();
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t one = round_ns(1);
        uint64_t many = round_ns(loops);
        best_one = one < best_one ? one : best_one;
        best_all = many < best_all ? many : best_all;
    }
    measure_print((double)best_one * (double)loops / (double)best_all, ROUNDS, start,
                  measure_now());
    return 0;
}
