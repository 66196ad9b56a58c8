// SPDX-License-Identifier: MIT
/* measure.h – what every timed program of bench/ shares.
 *
 * Holds      nothing between calls: the clock, the CPU meter, the one line of output.
 * Invariant  a program prints exactly one JSON line on stdout and exits 0, or says why on stderr
 *            and exits 1; a number is never printed for work that was not checked.
 * Called by  the subjects in floor/, peers/ and juggle/; run.py reads the line. Knows no runtime.
 * Why        the subjects must differ in the runtime they use and in nothing else, so warming up,
 *            choosing the count, timing and printing live here once.
 * Quirks     CPU is user + system time of the whole process, all threads: on a busy machine it
 *            moves far less than wall time, and a runtime cannot hide work in a helper thread.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One reading of both clocks. */
struct measure {
    uint64_t wall_ns; // CLOCK_MONOTONIC
    uint64_t cpu_ns;  // user + system time of this process
};

/* One micro benchmark: `pass` does `count` operations spread over `width` tasks, and returns when
 * the last of them is over. For sleepers, `width` tasks sleep `count` milliseconds. */
struct measure_bench {
    const char *name;
    void (*pass)(uint64_t width, uint64_t count);
};

/* Reads both clocks. */
struct measure measure_now(void);

/* Runs `PROGRAM BENCH WIDTH [COUNT|SLEEP_MS]` with `benches` (ends at a NULL name) and prints its line:
 * CPU ns per operation for about 300 ms after a warm-up, or of exactly COUNT operations; for `sleepers`
 * the wall seconds of one pass.
 *
 * Returns  the exit code of the program: 0, or 2 for arguments that make no sense.
 */
int measure_main(int argc, char **argv, const struct measure_bench *benches);

/* Prints the one line: `value`, and the `count` operations, CPU and wall time it came from. */
void measure_print(double value, uint64_t count, struct measure start, struct measure end);

/* Reads argv[index] as a whole number from `min` to 10^9; anything else ends the program with 2. */
uint64_t measure_arg(int argc, char **argv, int index, uint64_t min);

/* Ends the program with 1 and one line on stderr; `error` is an errno value or 0. */
__attribute__((noreturn)) void measure_die(const char *what, int error);

#ifdef __cplusplus
}
#endif
