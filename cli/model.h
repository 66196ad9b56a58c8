// SPDX-License-Identifier: MIT
/* model.h – the concurrency models, as things that can run a round.
 *
 * Holds      the table of models and what a round asks of them.
 * Invariant  every model does the same: makes `concurrency` workers, says ready, says go, joins
 *            them, says end. Who waits, and how, is the only difference.
 * Called by  round.c (in the measured child), race.c and the reports (names and facts).
 * Why        one interface keeps the comparison to one variable.
 * Quirks     none.
 */
#ifndef JUGGLE_CLI_MODEL_H
#define JUGGLE_CLI_MODEL_H

#include "board.h"
#include "target.h"
#include "work.h"

#include <stdbool.h>
#include <stdint.h>

enum model_work {
    MODEL_WORK_IO,    /* a request */
    MODEL_WORK_CPU,   /* computing, no request */
    MODEL_WORK_MIXED, /* a request, then computing */
    MODEL_WORK_BLOCK, /* a call that blocks its thread, no request */
};

/* Whether the work asks a server. */
static inline bool model_work_has_requests(enum model_work work) {
    return work == MODEL_WORK_IO || work == MODEL_WORK_MIXED;
}

/* What one round is to do. Constant while it runs; the same for all models. */
struct model_plan {
    const struct target *target;
    uint64_t requests;
    uint32_t concurrency;
    uint64_t timeout_ns;   /* per request */
    uint64_t silence_ns;   /* without an answer: then the round is given up; 0: never */
    uint64_t sample_least; /* stop after so many, once it took long enough; 0: make all */
    int64_t body_bytes;    /* length every body must have; -1: any */
    enum model_work work;
    struct work computing; /* per request, unless `work` is only requests */
    uint64_t block_ns;     /* how long a call blocks */
    uint64_t beat_ns;      /* somebody wants to wake that often, see beat.h; 0: nobody does */
    bool beat_realtime;    /* with real-time priority */
    bool hold;             /* each worker keeps its first answer until memory was read */
};

struct model {
    const char *name;
    bool is_sequential; /* one worker, whatever the concurrency */
    bool is_one_core;   /* runs on one core by its nature */
    bool is_floor;      /* not a way to write programs, only the least it can cost */

    /* Runs one round in a process made for it. Returns 0, or a negative errno and an explanation on
     * the board when the workers could not be made. */
    int (*run)(const struct model_plan *plan, struct board *board);
};

enum model_index {
    MODEL_SYNC,
    MODEL_THREADS,
    MODEL_PROCESSES,
    MODEL_COROUTINES,
    MODEL_MULTICORE,
    MODEL_OFFLOAD,
    MODEL_FLOOR,
    MODELS,
};

extern const struct model models[MODELS];

/* The names in the order of `models`, for option tables; ends with NULL. */
extern const char *const model_names[];

/* How many requests a plan has its model make, and how many workers. */
uint32_t model_workers(const struct model *model, const struct model_plan *plan);

/* The runners, each in a file of its own. */
int models_run_sync(const struct model_plan *plan, struct board *board);
int models_run_threads(const struct model_plan *plan, struct board *board);
int models_run_processes(const struct model_plan *plan, struct board *board);
int models_run_coroutines(const struct model_plan *plan, struct board *board);
int models_run_multicore(const struct model_plan *plan, struct board *board);
int models_run_offload(const struct model_plan *plan, struct board *board);
int floor_run(const struct model_plan *plan, struct board *board);

#endif
