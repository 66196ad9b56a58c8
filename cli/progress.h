// SPDX-License-Identifier: MIT
/* progress.h – one line on standard error that says how far a run is.
 *
 * Holds      what is drawn now, and when it was drawn.
 * Invariant  nothing is written unless the stream is a terminal; at most five times a second;
 *            after progress_clear the line is as if it had never been.
 * Called by  round.c, in the parent, from counters in shared memory: never by what is measured.
 * Why        other tools draw from inside the measured process and change what they measure.
 * Quirks     none.
 */
#ifndef JUGGLE_CLI_PROGRESS_H
#define JUGGLE_CLI_PROGRESS_H

#include "terminal.h"

#include <stdint.h>

enum { PROGRESS_INTERVAL_MS = 200 };

/* How far a run is. */
struct progress_state {
    const char *label; /* "threads, round 2 of 3" */
    uint64_t done;
    uint64_t total; /* at least 1 */
    uint64_t failed;
};

struct progress {
    struct terminal *terminal; /* borrowed; stderr */
    bool shown;                /* a line stands on the terminal now */
    int64_t next_ns;           /* not drawn again before */
};

/* Makes a progress line on `terminal`; a quiet one if that is no terminal or `quiet` is set. */
void progress_init(struct progress *progress, struct terminal *terminal, bool quiet);

/* Draws if it is time to; `now_ns` is on any monotonic clock. */
void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ns);

/* Takes the line away. */
void progress_clear(struct progress *progress);

#endif
