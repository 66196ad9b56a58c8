// SPDX-License-Identifier: MIT
/* measure.c – clocks, warm-up and the one line of output of a timed program.
 *
 * Holds      nothing between calls.
 * Invariant  the measured pass starts after a warm-up pass of the same kind, and is long enough
 *            (about 300 ms) for the microsecond grain of getrusage to be noise below 0.1 %.
 * Called by  the subjects of bench/. Calls libc only.
 * Why        the count is chosen from the warm-up, so that a 3 ns switch and a 300 ns switch are
 *            both timed over the same span.
 * Quirks     creating and joining the `width` tasks is inside the measured pass; at 1,000 tasks and
 *            millions of operations that is below one part in a thousand.
 */
#include "measure.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define WARM_UP_NS UINT64_C(20000000)
#define MEASURED_NS UINT64_C(300000000)

static uint64_t timeval_ns(struct timeval t) {
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_usec * UINT64_C(1000);
}

struct measure measure_now(void) {
    struct timespec wall;
    struct rusage used;
    if (clock_gettime(CLOCK_MONOTONIC, &wall) < 0 || getrusage(RUSAGE_SELF, &used) < 0) {
        measure_die("cannot read the clock", errno);
    }
    struct measure m = {
        .wall_ns = (uint64_t)wall.tv_sec * UINT64_C(1000000000) + (uint64_t)wall.tv_nsec,
        .cpu_ns = timeval_ns(used.ru_utime) + timeval_ns(used.ru_stime),
    };
    return m;
}

void measure_print(double value, uint64_t count, struct measure start, struct measure end) {
    printf("{\"value\": %.9g, \"count\": %" PRIu64 ", \"cpu_s\": %.6f, \"wall_s\": %.6f}\n", value,
           count, (double)(end.cpu_ns - start.cpu_ns) / 1e9,
           (double)(end.wall_ns - start.wall_ns) / 1e9);
    if (fflush(stdout) != 0) {
        measure_die("cannot write the result", errno);
    }
}

void measure_die(const char *what, int error) {
    if (error != 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(error));
    } else {
        fprintf(stderr, "%s\n", what);
    }
    exit(1);
}

uint64_t measure_arg(int argc, char **argv, int index, uint64_t min) {
    char *end = NULL;
    errno = 0;
    unsigned long long value = index < argc ? strtoull(argv[index], &end, 10) : 0;
    if (index >= argc || end == argv[index] || *end != '\0' || errno != 0 || value < min ||
        value > 1000000000) {
        fprintf(stderr, "argument %d: a whole number of at least %" PRIu64 " is needed\n", index,
                min);
        exit(2);
    }
    return value;
}

/* CPU ns of one pass of `count` operations. */
static uint64_t pass_cpu_ns(const struct measure_bench *bench, uint64_t width, uint64_t count) {
    struct measure start = measure_now();
    bench->pass(width, count);
    return measure_now().cpu_ns - start.cpu_ns;
}

/* One pass, no more and no less than asked for: what counts instructions takes two of these apart. */
static void run_exactly(const struct measure_bench *bench, uint64_t width, uint64_t count) {
    struct measure start = measure_now();
    bench->pass(width, count);
    struct measure end = measure_now();
    measure_print((double)(end.cpu_ns - start.cpu_ns) / (double)count, count, start, end);
}

static void run_rate(const struct measure_bench *bench, uint64_t width) {
    // Every task gets the same share, so counts are multiples of the width.
    uint64_t count = width;
    uint64_t cpu_ns = pass_cpu_ns(bench, width, count);
    while (cpu_ns < WARM_UP_NS) {
        count *= 2;
        cpu_ns = pass_cpu_ns(bench, width, count);
    }
    run_exactly(bench, width, count * MEASURED_NS / cpu_ns / width * width);
}

static void run_sleepers(const struct measure_bench *bench, uint64_t tasks, uint64_t sleep_ms) {
    struct measure start = measure_now();
    bench->pass(tasks, sleep_ms);
    struct measure end = measure_now();
    measure_print((double)(end.wall_ns - start.wall_ns) / 1e9, tasks, start, end);
}

int measure_main(int argc, char **argv, const struct measure_bench *benches) {
    for (; argc > 1 && benches->name != NULL; benches++) {
        if (strcmp(benches->name, argv[1]) == 0) {
            uint64_t width = measure_arg(argc, argv, 2, 1);
            if (strcmp(benches->name, "sleepers") == 0) {
                run_sleepers(benches, width, measure_arg(argc, argv, 3, 1));
            } else if (argc > 3) {
                run_exactly(benches, width, measure_arg(argc, argv, 3, width));
            } else {
                run_rate(benches, width);
            }
            return 0;
        }
    }
    fprintf(stderr, "usage: %s BENCH WIDTH [COUNT|SLEEP_MS]\n", argv[0]);
    return 2;
}
