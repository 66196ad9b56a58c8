// SPDX-License-Identifier: MIT
/* round.h – one round of one model: started, watched, measured, from outside.
 *
 * Holds      the figures of a round.
 * Invariant  round_run returns: whatever the child does, it is waited for or killed, and no process
 *            of its group is left.
 * Called by  race.c.
 * Why        each round runs in a fresh process, so that no model inherits another's heap, page
 *            tables, descriptors or luck.
 * Quirks     the parent only sleeps while a timed round runs; with a progress line it wakes up five
 *            times a second.
 */
#ifndef JUGGLE_CLI_ROUND_H
#define JUGGLE_CLI_ROUND_H

#include "cost.h"
#include "hist.h"
#include "model.h"
#include "progress.h"

struct round_figures {
    uint64_t issued; /* = ok + failed_total + aborted */
    uint64_t ok;
    uint64_t failed[BOARD_CAUSES];
    uint64_t failed_total;
    uint64_t aborted; /* in flight when their worker, or the round, was killed */
    uint64_t bytes;
    uint64_t connections;
    uint64_t in_flight_peak;
    uint64_t workers;
    uint64_t workers_died;

    uint64_t create_ns;       /* from fork until all workers are ready; 0: they never were */
    uint64_t wall_ns;         /* from go until the last worker is joined; 0: there was no go */
    struct cost_usage create; /* until go, and after it; not known without one */
    struct cost_usage run;
    struct cost_memory memory; /* of a round that holds */
    bool memory_known;

    bool gave_up;                /* no answer came for the plan's silence_ns */
    bool complete;               /* the leader came to its end by itself */
    int error;                   /* 0, or why the round could not run */
    char text[BOARD_TEXT_SIZE];  /* the first thing that went wrong; "" if nothing */
    enum board_cause text_cause; /* of the request it was; BOARD_CAUSES: it was none */
};

/* How a round is run. */
struct round_setup {
    const struct model *model;
    const struct model_plan *plan;
    uint32_t cores;            /* client on so many cores; 0: all it may use */
    struct progress *progress; /* borrowed */
    const char *label;         /* for the progress line */
};

/* Runs one round and waits for its end. Latencies are added to `latency`, those of the beat to `late`.
 *
 * Returns  0, also when requests failed or the round was interrupted: see the figures; -ENOMEM or
 *          -EAGAIN if no child could be made.
 */
int round_run(const struct round_setup *setup, struct hist *latency, struct hist *late,
              struct round_figures *out_figures);

#endif
