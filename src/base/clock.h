// SPDX-License-Identifier: MIT
/* clock.h – the monotonic clock, in nanoseconds.
 *
 * Holds      nothing.
 * Invariant  never goes back, whatever happens to the wall clock.
 * Called by  rt (the sim backend has a clock of its own).
 * Why        int64_t nanoseconds last 292 years; sums saturate at the end of time, JG_NEVER.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Adds a duration to a point in time; saturates at INT64_MAX, and treats a negative one as 0. */
static inline int64_t clock_add(int64_t when_ns, int64_t duration_ns) {
    int64_t sum;
    if (duration_ns <= 0) {
        return when_ns;
    }
    return __builtin_add_overflow(when_ns, duration_ns, &sum) ? INT64_MAX : sum;
}

/* The point `duration_ms` milliseconds after; saturates likewise. */
static inline int64_t clock_add_ms(int64_t when_ns, int64_t duration_ms) {
    int64_t duration_ns;
    if (__builtin_mul_overflow(duration_ms, INT64_C(1000000), &duration_ns)) {
        return duration_ms < 0 ? when_ns : INT64_MAX;
    }
    return clock_add(when_ns, duration_ns);
}

#endif
