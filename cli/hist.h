// SPDX-License-Identifier: MIT
/* hist.h – how often each latency occurred, to three significant digits.
 *
 * Holds      a log-linear histogram of nanoseconds from 0 to about 73 minutes.
 * Invariant  no sample is lost: what lies beyond the range is counted in `overflow` and keeps
 *            its exact place in `max`.
 * Called by  every worker (record), the reports (the rest).
 * Why        one flat struct of atomics, so that it can lie in memory shared by processes, and
 *            threads, processes and coroutines pay the same for recording a sample.
 * Quirks     zero bytes are a valid empty histogram; of its 264 KiB only the pages are ever
 *            touched that hold the latencies which occur.
 */
#ifndef JUGGLE_CLI_HIST_H
#define JUGGLE_CLI_HIST_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    HIST_STEP_BITS = 10, /* 1,024 steps in each doubling: 0.1 % apart */
    HIST_STEPS = 1 << HIST_STEP_BITS,
    HIST_RANGE_BITS = 42, /* 2^42 ns = 73.3 min */
    HIST_SLOTS = (HIST_RANGE_BITS - HIST_STEP_BITS + 1) * HIST_STEPS,
};

struct hist {
    _Atomic uint64_t below_max;          /* UINT64_MAX - smallest sample; 0 while empty */
    _Atomic uint64_t max;                /* largest sample, exact */
    _Atomic uint64_t overflow;           /* samples of 2^42 ns and more */
    _Atomic uint64_t counts[HIST_SLOTS]; /* samples per step */
};

/* Counts one sample. Wait-free unless it is a new extreme; any thread, any process. */
void hist_record(struct hist *hist, uint64_t value_ns);

/* Adds the samples of `from` to `into`. */
void hist_merge(struct hist *into, const struct hist *from);

/* The figures of a histogram that nobody writes any more; all 0 when it is empty. */
uint64_t hist_count(const struct hist *hist);
uint64_t hist_min(const struct hist *hist);
uint64_t hist_max(const struct hist *hist);

/* Off by at most 0.05 %: the mean of the steps' middles. */
uint64_t hist_mean(const struct hist *hist);

/* The smallest value that at least `share` of `whole` samples do not exceed (999 of 1000 for
 * p99.9), off by at most 0.05 %; 0 < share <= whole. */
uint64_t hist_quantile(const struct hist *hist, uint64_t share, uint64_t whole);

#endif
