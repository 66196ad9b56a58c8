// SPDX-License-Identifier: MIT
/* jsonout.h – writes one JSON document to a stream, piece by piece.
 *
 * Holds      where in the document we are, and the first thing that went wrong.
 * Invariant  what was written is the start of a valid document; after an error nothing more
 *            is written.
 * Called by  report_json.c and every command with --json.
 * Why        no packaged C library writes JSON without building it in memory first.
 * Quirks     NaN and infinities have no JSON form and become null; bytes that are not UTF-8
 *            become U+FFFD. The name leaves `json_` to jansson, which reads saved reports.
 */
#ifndef JUGGLE_CLI_JSONOUT_H
#define JUGGLE_CLI_JSONOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSONOUT_DEPTH_MAX = 32 };

/* Zero bytes and `out` are a writer at the start of a document. */
struct jsonout {
    FILE *out;       /* borrowed */
    bool one_line;   /* no line breaks inside the document */
    int error;       /* 0, or the first negative errno */
    unsigned depth;  /* open objects and arrays */
    uint32_t arrays; /* bit d: level d is an array */
    uint32_t filled; /* bit d: level d has an item */
};

/* In each function, `key` names the value inside an object and is NULL elsewhere. A key where
 * none belongs, a missing one, or an end too many is the error -EINVAL. */

void jsonout_begin_object(struct jsonout *json, const char *key);
void jsonout_begin_array(struct jsonout *json, const char *key);
void jsonout_end(struct jsonout *json);

void jsonout_string(struct jsonout *json, const char *key, const char *value); /* NULL: null */
void jsonout_uint(struct jsonout *json, const char *key, uint64_t value);
void jsonout_int(struct jsonout *json, const char *key, int64_t value);
void jsonout_bool(struct jsonout *json, const char *key, bool value);
void jsonout_null(struct jsonout *json, const char *key);

/* Writes `value` with up to `decimals` (0..9) digits after the point, without trailing zeros. */
void jsonout_double(struct jsonout *json, const char *key, double value, int decimals);

/* Ends the document with a newline and flushes it.
 *
 * Returns  0; -EINVAL if objects are still open or the calls did not fit together; the first
 *          error of the stream otherwise.
 */
int jsonout_finish(struct jsonout *json);

#endif
