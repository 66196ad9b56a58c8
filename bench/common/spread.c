// SPDX-License-Identifier: MIT
/* spread.c – the work, the rounds and the figure of spread.h.
 *
 * Holds      nothing between rounds.
 * Invariant  every share costs the same, and none of them touches another's memory.
 * Called by  the subjects of spread.h.
 * Why        xorshift: each step needs the one before, so it is the core's clock that counts.
 * Quirks     none.
 */
#include "common/spread.h"

#include "common/measure.h"

#include <sched.h>
#include <string.h>

enum { ROUNDS = 7, STEPS = 30 * 1000 * 1000, STEPS_A_TURN = 100 * 1000, CORES_MOST = 64 };

void spread_compute(struct spread_share *share, int (*turn)(void)) {
    uint64_t x = share->state;
    for (int done = 0; done < STEPS; done += STEPS_A_TURN) {
        for (int i = 0; i < STEPS_A_TURN; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        turn();
    }
    share->state = x;
}

/* Wall ns of so many shares at once. */
static uint64_t round_ns(void (*round)(struct spread_share *, size_t), size_t count) {
    static struct spread_share shares[CORES_MOST];
    for (size_t i = 0; i < count; i++) {
        shares[i].state = i + 1;
    }
    uint64_t start = measure_now().wall_ns;
    round(shares, count);
    return measure_now().wall_ns - start;
}

int spread_main(int argc, char **argv, void (*round)(struct spread_share *shares, size_t count)) {
    size_t cores = measure_arg(argc, argv, 1, 1);
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
    uint64_t best_one = UINT64_MAX;
    uint64_t best_all = UINT64_MAX;
    cores = cores < CORES_MOST ? cores : CORES_MOST;
    struct measure start = measure_now();
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t one = round_ns(round, 1);
        uint64_t many = round_ns(round, cores);
        best_one = one < best_one ? one : best_one;
        best_all = many < best_all ? many : best_all;
    }
    measure_print((double)best_one * (double)cores / (double)best_all, ROUNDS, start,
                  measure_now());
    return 0;
}
