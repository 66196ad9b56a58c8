// SPDX-License-Identifier: MIT
/* race.h – the same work under several models, round by round.
 *
 * Holds      the settings of a race, and everything that was measured.
 * Invariant  rounds are interleaved (A B C A B C); each model's first round is not timed: it warms
 *            up the machine and shows the memory.
 * Called by  race_main.c; read by race_report.c, race_json.c, verdict.c and preflight.c.
 * Why        interleaving spreads whatever else the machine does over all models alike.
 * Quirks     sync makes only a few of the requests, in one round; its figures are then scaled up and
 *            marked wherever they are shown.
 */
#ifndef JUGGLE_CLI_RACE_H
#define JUGGLE_CLI_RACE_H

#include "exit.h"
#include "options.h"
#include "progress.h"
#include "round.h"
#include "server.h"

enum { RACE_ROUNDS_MAX = 20 };

struct race_settings {
    const char *command;          /* "race" or "demo", for complaints */
    struct option_choices models; /* indices into models[] */
    uint64_t requests;
    uint64_t concurrency;
    uint64_t rounds;
    uint64_t cores; /* no more than race_cores_allowed(); 0: all */
    uint64_t timeout_ns;
    uint64_t sync_requests; /* how many of the requests sync really makes */
    enum model_work work;
    uint64_t work_ns; /* computing or blocking per request */
    uint64_t beat_ns; /* see struct model_plan */
    bool beat_realtime;
};

/* One model in the race. */
struct race_entry {
    const struct model *model;
    struct model_plan plan; /* of its timed rounds */
    struct round_figures warm_up;
    struct round_figures rounds[RACE_ROUNDS_MAX];
    struct server_load server[RACE_ROUNDS_MAX]; /* what each round asked of the server */
    unsigned round_count;
    struct hist *latency; /* of all timed rounds */
    struct hist *late;    /* of the beat, in all timed rounds */
};

struct race {
    struct race_settings settings;
    struct target target;
    struct server server; /* whoever listens at the target, if that is on this machine */
    struct race_entry entries[MODELS];
    unsigned entry_count;
    int64_t body_bytes; /* what every answer must have; -1: any */
    unsigned cores_allowed;
    uint64_t silence_ns; /* after so long without any answer the race is given up; 0: never */
    bool gave_up;
};

/* What a row of the report says about a model: its typical round, scaled to all requests. */
struct race_row {
    const struct model *model;
    unsigned rounds; /* timed rounds that ran, whole or in part */
    bool measured;   /* there was a timed round; else everything below but the counts is 0 */
    bool is_scaled;  /* from fewer requests than the race has */
    bool gave_up;    /* a round had no answer for too long, which ended the race */
    bool is_partial; /* the round was cut short: its figures stand for what it did until then */
    uint64_t real_requests; /* answered in the typical round */
    uint64_t create_ns;
    uint64_t wall_ns;
    uint64_t wall_best_ns;
    uint64_t wall_worst_ns;
    struct cost_usage create;
    struct cost_usage run;
    struct cost_memory memory;
    bool memory_known;
    unsigned cores;

    /* All timed rounds together, not scaled. */
    uint64_t issued;
    uint64_t ok;
    uint64_t failed[BOARD_CAUSES];
    uint64_t failed_total;
    uint64_t aborted;
    uint64_t workers_died;
    uint64_t in_flight_peak;
    uint64_t connections;
    const char *text;            /* the first thing that went wrong; "" */
    enum board_cause text_cause; /* of the request it was; BOARD_CAUSES: it was none */
    int error;                   /* why it could not run; 0 */
};

/* How many cores this process may use. */
unsigned race_cores_allowed(void);

/* Makes the entries of a race. `race->settings`, `target` and `body_bytes` are set. Returns 0 or
 * -ENOMEM. */
int race_open(struct race *race);

/* Runs all rounds, or as many as the user waits for. Returns 0, or -ENOMEM or -EAGAIN when a round
 * could not be started at all. */
int race_run(struct race *race, struct progress *progress);

void race_close(struct race *race);

/* Sums up an entry. */
void race_row(const struct race *race, const struct race_entry *entry, struct race_row *out_row);

/* The exit code the figures call for. */
enum exit_code race_exit(const struct race *race);

/* CPU time of both kinds. */
static inline uint64_t race_cpu_ns(const struct cost_usage *usage) {
    return usage->cpu_user_ns + usage->cpu_sys_ns;
}

/* Context switches of both kinds. */
static inline uint64_t race_switches(const struct cost_usage *usage) {
    return usage->switches_voluntary + usage->switches_involuntary;
}

#endif
