// SPDX-License-Identifier: MIT
/* units.h – numbers as people write them and as people read them.
 *
 * Holds      parsers for counts, sizes, durations and percentages; writers for the same.
 * Invariant  a parser either yields the exact value the text names or fails: nothing is
 *            rounded, clipped or wrapped, and the output is untouched on failure.
 * Called by  options.c (parsing, ranges in messages), the reports (writing).
 * Why        libc's number parsing accepts leading blanks, signs, hex, "nan" and trailing rubbish.
 * Quirks     k, M, G are powers of 1,000; Ki, Mi, Gi (and KiB, ...) powers of 1,024.
 */
#ifndef JUGGLE_CLI_UNITS_H
#define JUGGLE_CLI_UNITS_H

#include <stdint.h>

/* A short text returned by value, so that a writer can stand inside a printf call. */
struct units_text {
    char text[64];
};

/* The parsers: 0; -EINVAL text of another form; -ERANGE below zero or beyond 64 bits. */

/* Reads "10000", "10_000", "10k", "1.5M". */
int units_parse_count(const char *text, uint64_t *out_count);

/* Reads "700", "4k", "4kB", "64KiB". */
int units_parse_size(const char *text, uint64_t *out_bytes);

/* Reads "100ms", "1.5s", "5m", "0"; any other number without a unit is -EINVAL. */
int units_parse_duration(const char *text, uint64_t *out_ns);

/* Reads "1%", "0.25%", "0" into parts per million. */
int units_parse_percent(const char *text, uint64_t *out_ppm);

/* The exact writers: text that the matching parser reads back to the same value. */
struct units_text units_exact_count(uint64_t count);
struct units_text units_exact_size(uint64_t bytes);
struct units_text units_exact_duration(uint64_t ns);
struct units_text units_exact_percent(uint64_t ppm);

/* The writers for people: about three significant digits, and the unit that suits. */
struct units_text units_count(uint64_t count); /* 10,900 */
struct units_text units_bytes(uint64_t bytes); /* 28 MB  */
struct units_text units_duration(uint64_t ns); /* 1.06 s, 101 ms, 7.25 us */
struct units_text units_ratio(double ratio);   /* 1.09x, 21x */

#endif
