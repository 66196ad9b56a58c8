// SPDX-License-Identifier: MIT
/* test_hist.c – the histogram against exact figures of the same samples.
 *
 * Holds      a generator of latencies that spread over nine decades.
 * Invariant  none.
 * Called by  the test runner.
 * Why        a percentile that is wrong looks just as convincing as one that is right.
 * Quirks     histograms are static: they are too large for a stack.
 */
#include "fixtures/fixture.h"

#include "cli/hist.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLES = 200000 };

static struct hist hist;
static struct hist other;
static uint64_t samples[SAMPLES];

static uint64_t next_random(uint64_t *state) {
    *state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = *state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

/* A value whose logarithm is evenly spread between 1 ns and about an hour. */
static uint64_t random_latency(uint64_t *state) {
    unsigned bits = (unsigned)(next_random(state) % HIST_RANGE_BITS);
    return next_random(state) & ((UINT64_C(2) << bits) - 1) & ((UINT64_C(1) << 42) - 1);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void check_near(uint64_t measured, uint64_t exact, double bound) {
    double difference = fabs((double)measured - (double)exact);
    ck_assert_msg(difference <= bound * (double)exact, "%lu instead of %lu", measured, exact);
}

// Every percentile the report prints must be within 0.1 % of the exact one.
START_TEST(quantiles_match_exact_ones) {
    static const uint64_t shares[][2] = {{1, 1000000}, {1, 100},    {1, 2},        {9, 10},
                                         {99, 100},    {999, 1000}, {9999, 10000}, {1, 1}};
    uint64_t state = fixture_seed();
    unsigned __int128 sum = 0;
    for (int i = 0; i < SAMPLES; i++) {
        samples[i] = random_latency(&state);
        sum += samples[i];
        hist_record(&hist, samples[i]);
    }
    qsort(samples, SAMPLES, sizeof(samples[0]), compare);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        uint64_t rank = (SAMPLES * shares[i][0] + shares[i][1] - 1) / shares[i][1];
        check_near(hist_quantile(&hist, shares[i][0], shares[i][1]), samples[rank - 1], 0.001);
    }
    ck_assert_uint_eq(hist_count(&hist), SAMPLES);
    ck_assert_uint_eq(hist_min(&hist), samples[0]);
    ck_assert_uint_eq(hist_max(&hist), samples[SAMPLES - 1]);
    check_near(hist_mean(&hist), (uint64_t)(sum / SAMPLES), 0.001);
}
END_TEST

// The error bound must hold at the edges of steps and doublings, where an off-by-one hides.
START_TEST(every_single_value_is_within_the_bound) {
    for (unsigned bits = 0; bits < HIST_RANGE_BITS; bits++) {
        for (int near = -3; near <= 3; near++) {
            uint64_t value = (UINT64_C(1) << bits) + (uint64_t)(int64_t)near;
            if (value >> HIST_RANGE_BITS != 0) {
                continue;
            }
            memset(&hist, 0, sizeof(hist));
            hist_record(&hist, value);
            hist_record(&hist, 0);
            hist_record(&hist, (UINT64_C(1) << HIST_RANGE_BITS) - 1);
            check_near(hist_quantile(&hist, 2, 3), value, 0.001);
            ck_assert_uint_eq(hist.overflow, 0);
        }
    }
}
END_TEST

// A request slower than the range must still be counted and still show as the maximum.
START_TEST(overflow_is_counted_not_capped) {
    hist_record(&hist, 5);
    hist_record(&hist, UINT64_C(1) << HIST_RANGE_BITS);
    hist_record(&hist, UINT64_MAX);
    ck_assert_uint_eq(hist.overflow, 2);
    ck_assert_uint_eq(hist_count(&hist), 3);
    ck_assert_uint_eq(hist_max(&hist), UINT64_MAX);
    ck_assert_uint_eq(hist_min(&hist), 5);
    ck_assert_uint_eq(hist_quantile(&hist, 1, 3), 5);
    ck_assert_uint_eq(hist_quantile(&hist, 99, 100), UINT64_MAX);
}
END_TEST

// No samples must read as zeros, not as garbage or a division by zero.
START_TEST(empty_is_all_zero) {
    ck_assert_uint_eq(hist_count(&hist), 0);
    ck_assert_uint_eq(hist_min(&hist), 0);
    ck_assert_uint_eq(hist_max(&hist), 0);
    ck_assert_uint_eq(hist_mean(&hist), 0);
    ck_assert_uint_eq(hist_quantile(&hist, 99, 100), 0);
}
END_TEST

// Rounds are merged: the merged figures must be those of all samples in one histogram.
START_TEST(merge_equals_recording_all) {
    static struct hist all;
    uint64_t state = fixture_seed();
    for (int i = 0; i < 10000; i++) {
        uint64_t value = random_latency(&state) << (i % 50 == 0 ? 5 : 0);
        hist_record(i % 3 == 0 ? &hist : &other, value);
        hist_record(&all, value);
    }
    hist_merge(&hist, &other);
    ck_assert_int_eq(memcmp(&hist, &all, sizeof(all)), 0);
}
END_TEST

static void *record_many(void *arg) {
    uint64_t state = (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < 20000; i++) {
        hist_record(&hist, random_latency(&state));
    }
    return NULL;
}

// Threads record into one histogram; a lost update would be a lost request.
START_TEST(threads_lose_no_sample) {
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, record_many, (void *)i), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(hist_count(&hist), 80000);
}
END_TEST

// Processes record into shared memory; it must work across address spaces.
START_TEST(processes_share_one_histogram) {
    struct hist *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    for (uint64_t i = 1; i <= 3; i++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            hist_record(shared, i * 1000);
            _exit(0);
        }
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_gt(wait(NULL), 0);
    }
    ck_assert_uint_eq(hist_count(shared), 3);
    ck_assert_uint_eq(hist_min(shared), 1000);
    ck_assert_uint_eq(hist_max(shared), 3000);
    munmap(shared, sizeof(*shared));
}
END_TEST

FIXTURE_MAIN("cli/hist", quantiles_match_exact_ones, every_single_value_is_within_the_bound,
             overflow_is_counted_not_capped, empty_is_all_zero, merge_equals_recording_all,
             threads_lose_no_sample, processes_share_one_histogram)
