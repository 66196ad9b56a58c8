// SPDX-License-Identifier: MIT
/* work.c – see work.h.
 *
 * Holds      nothing.
 * Invariant  no step can be left out by the compiler, as the result needs each.
 * Called by  see work.h.
 * Why        a chain of hashes, each of the one before, cannot be vectorized or shared, and runs at the same
 *            speed whatever the caches hold.
 * Quirks     none.
 */
#include "work.h"

#include <time.h>

static uint64_t thread_cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t work_do(uint64_t steps) {
    uint64_t word = steps;
    for (uint64_t i = 0; i < steps; i++) {
        word = (word ^ (word >> 29)) * UINT64_C(0xBF58476D1CE4E5B9) + i;
    }
    return word;
}

uint64_t work_steps_for(uint64_t duration_ns) {
    enum { ENOUGH_NS = 10000000 };
    uint64_t steps = 1024;
    uint64_t taken_ns = 0;
    while (taken_ns < ENOUGH_NS) {
        steps *= 2;
        uint64_t begin_ns = thread_cpu_ns();
        uint64_t word = work_do(steps);
        __asm__ volatile("" : : "r"(word)); // the result counts as used
        taken_ns = thread_cpu_ns() - begin_ns;
    }
    return (uint64_t)((unsigned __int128)duration_ns * steps / taken_ns);
}

struct work work_for(uint64_t duration_ns) {
    uint64_t steps = work_steps_for(duration_ns);
    return (struct work){.steps = steps, .result = work_do(steps)};
}
