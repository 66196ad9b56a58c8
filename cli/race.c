// SPDX-License-Identifier: MIT
/* race.c – see race.h.
 *
 * Holds      the order of rounds, and the summing up.
 * Invariant  see race.h.
 * Called by  see race.h.
 * Why        see race.h.
 * Quirks     a typical round is the one with the median wall time (of an even number, the quicker of
 *            the middle two): all figures of a row are from one round that really happened. A round
 *            with less than half the answers of the best one is none: its server has gone, and to be
 *            refused takes no time.
 */
#include "race.h"

#include "interrupt.h"
#include "work.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t silence_least_ns = 3000000000;

unsigned race_cores_allowed(void) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0) {
        return 1;
    }
    return (unsigned)CPU_COUNT(&allowed);
}

/* Whether the entry makes only a sample of the requests, if all of them took too long. What asks no
 * server takes one after another no longer than on a loop. */
static bool may_sample(const struct race *race, const struct race_entry *entry) {
    return entry->model->is_sequential && model_work_has_requests(race->settings.work) &&
           race->settings.requests > race->settings.sync_requests;
}

/* Whether it did so in its rounds until now. */
static bool has_sampled(const struct race *race, const struct race_entry *entry) {
    const struct round_figures *first = &entry->rounds[0];
    return may_sample(race, entry) && entry->round_count > 0 &&
           first->issued < race->settings.requests;
}

/* How long no answer at all may come: twice the limit of one request, and what the computing of all
 * workers takes on one core. */
static uint64_t silence_of(const struct race_settings *settings) {
    uint64_t limits_ns = 2 * settings->timeout_ns;
    limits_ns = limits_ns < silence_least_ns ? silence_least_ns : limits_ns;
    switch (settings->work) {
    case MODEL_WORK_IO:
        return limits_ns;
    case MODEL_WORK_MIXED:
        return limits_ns + 2 * settings->concurrency * settings->work_ns;
    default:
        return 0;
    }
}

static void make_plan(const struct race *race, struct race_entry *entry, struct work computing) {
    const struct race_settings *settings = &race->settings;
    bool is_sequential = entry->model->is_sequential;
    entry->plan = (struct model_plan){
        .target = &race->target,
        .requests = settings->requests,
        .concurrency = is_sequential ? 1 : (uint32_t)settings->concurrency,
        .timeout_ns = settings->timeout_ns,
        .silence_ns = race->silence_ns,
        .sample_least = may_sample(race, entry) ? settings->sync_requests : 0,
        .body_bytes = race->body_bytes,
        .work = settings->work,
        .computing = computing,
        .block_ns = settings->work_ns,
        .beat_ns = settings->beat_ns,
        .beat_realtime = settings->beat_realtime,
    };
}

int race_open(struct race *race) {
    struct work computing = {.steps = 0};
    if (race->settings.work == MODEL_WORK_CPU || race->settings.work == MODEL_WORK_MIXED) {
        computing = work_for(race->settings.work_ns);
    }
    race->cores_allowed = race_cores_allowed();
    race->silence_ns = silence_of(&race->settings);
    race->gave_up = false;
    race->entry_count = 0;
    for (unsigned i = 0; i < race->settings.models.count; i++) {
        struct race_entry *entry = &race->entries[race->entry_count];
        memset(entry, 0, sizeof(*entry));
        entry->model = &models[race->settings.models.picked[i]];
        entry->latency = calloc(1, sizeof(*entry->latency));
        entry->late = calloc(1, sizeof(*entry->late));
        race->entry_count++;
        if (entry->latency == NULL || entry->late == NULL) {
            race_close(race);
            return -ENOMEM;
        }
        make_plan(race, entry, computing);
    }
    return 0;
}

void race_close(struct race *race) {
    for (unsigned i = 0; i < race->entry_count; i++) {
        free(race->entries[i].latency);
        free(race->entries[i].late);
    }
    race->entry_count = 0;
}

/* The round that is not timed: one request each, held until memory was read. */
static int run_warm_up(struct race *race, struct race_entry *entry, struct progress *progress) {
    char label[64];
    struct hist *ignored = calloc(1, sizeof(*ignored));
    struct model_plan plan = entry->plan;
    if (ignored == NULL) {
        return -ENOMEM;
    }
    plan.requests = plan.concurrency;
    plan.hold = true;
    snprintf(label, sizeof(label), "%s, warm-up", entry->model->name);
    const struct round_setup setup = {
        .model = entry->model,
        .plan = &plan,
        .cores = (uint32_t)race->settings.cores,
        .progress = progress,
        .label = label,
    };
    int rc = round_run(&setup, ignored, ignored, &entry->warm_up);
    race->gave_up = race->gave_up || entry->warm_up.gave_up;
    free(ignored);
    return rc;
}

static int run_round(struct race *race, struct race_entry *entry, unsigned round,
                     struct progress *progress) {
    char label[64];
    struct round_figures *figures = &entry->rounds[entry->round_count];
    snprintf(label, sizeof(label), "%s, round %u of %u", entry->model->name, round + 1,
             (unsigned)race->settings.rounds);
    const struct round_setup setup = {
        .model = entry->model,
        .plan = &entry->plan,
        .cores = (uint32_t)race->settings.cores,
        .progress = progress,
        .label = label,
    };
    server_begin(&race->server);
    int rc = round_run(&setup, entry->latency, entry->late, figures);
    if (rc == 0) {
        server_end(&race->server, figures->wall_ns, &entry->server[entry->round_count]);
        entry->round_count++;
        race->gave_up = race->gave_up || figures->gave_up;
    }
    return rc;
}

/* Whether nobody begins another round. */
static bool has_stopped(const struct race *race) {
    return interrupt_count() > 0 || race->gave_up;
}

/* Whether the entry has a round to run now. */
static bool is_due(const struct race *race, const struct race_entry *entry, unsigned round) {
    bool has_failed = entry->warm_up.error < 0 ||
                      (entry->round_count > 0 && entry->rounds[entry->round_count - 1].error < 0);
    return !has_stopped(race) && !has_failed && (round == 0 || !has_sampled(race, entry));
}

static int run_all(struct race *race, struct progress *progress) {
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < race->entry_count && !has_stopped(race); i++) {
        rc = run_warm_up(race, &race->entries[i], progress);
    }
    for (unsigned round = 0; round < race->settings.rounds; round++) {
        for (unsigned i = 0; rc == 0 && i < race->entry_count; i++) {
            if (is_due(race, &race->entries[i], round)) {
                rc = run_round(race, &race->entries[i], round, progress);
            }
        }
    }
    return rc;
}

int race_run(struct race *race, struct progress *progress) {
    if (model_work_has_requests(race->settings.work)) {
        server_find(&race->target, &race->server);
    }
    int rc = run_all(race, progress);
    progress_clear(progress);
    return rc;
}

static int compare_walls(const void *a, const void *b) {
    uint64_t left = (*(const struct round_figures *const *)a)->wall_ns;
    uint64_t right = (*(const struct round_figures *const *)b)->wall_ns;
    return (left > right) - (left < right);
}

/* The round with the most answers, the first of several; NULL if there is no round. */
static const struct round_figures *most_answered(const struct race_entry *entry) {
    const struct round_figures *most = entry->round_count > 0 ? &entry->rounds[0] : NULL;
    for (unsigned i = 1; i < entry->round_count; i++) {
        most = entry->rounds[i].ok > most->ok ? &entry->rounds[i] : most;
    }
    return most;
}

/* Sorts the rounds that ended by themselves, with answers, by their wall time; without one, takes the
 * round with the most answers alone. Returns how many there are. */
static unsigned sort_rounds(const struct race_entry *entry,
                            const struct round_figures **out_sorted) {
    const struct round_figures *most = most_answered(entry);
    unsigned count = 0;
    for (unsigned i = 0; i < entry->round_count; i++) {
        const struct round_figures *round = &entry->rounds[i];
        if (round->complete && round->error == 0 && 2 * round->ok >= most->ok) {
            out_sorted[count++] = round;
        }
    }
    if (count == 0 && most != NULL) {
        out_sorted[count++] = most;
    }
    qsort(out_sorted, count, sizeof(out_sorted[0]), compare_walls);
    return count;
}

static uint64_t scale(uint64_t value, uint64_t wanted, uint64_t made) {
    return made == 0 ? 0 : (uint64_t)((unsigned __int128)value * wanted / made);
}

/* Takes the figures of one round, scaled from the requests it made to those it stands for. */
static void take_typical(const struct round_figures *round, uint64_t wanted, struct race_row *row) {
    uint64_t made = row->is_scaled ? round->ok + round->failed_total : wanted;
    row->measured = round->wall_ns > 0 && round->ok > 0;
    row->is_partial = !round->complete || (!row->is_scaled && round->issued < wanted);
    row->real_requests = round->ok;
    row->create_ns = round->create_ns;
    row->create = round->create;
    row->wall_ns = scale(round->wall_ns, wanted, made);
    row->run = (struct cost_usage){
        .cpu_user_ns = scale(round->run.cpu_user_ns, wanted, made),
        .cpu_sys_ns = scale(round->run.cpu_sys_ns, wanted, made),
        .switches_voluntary = scale(round->run.switches_voluntary, wanted, made),
        .switches_involuntary = scale(round->run.switches_involuntary, wanted, made),
    };
}

static void add_counts(const struct round_figures *round, struct race_row *row) {
    row->issued += round->issued;
    row->ok += round->ok;
    row->failed_total += round->failed_total;
    row->aborted += round->aborted;
    row->workers_died += round->workers_died;
    row->connections += round->connections;
    for (int cause = 0; cause < BOARD_CAUSES; cause++) {
        row->failed[cause] += round->failed[cause];
    }
    if (round->in_flight_peak > row->in_flight_peak) {
        row->in_flight_peak = round->in_flight_peak;
    }
    if (row->text[0] == '\0') {
        row->text = round->text;
        row->text_cause = round->text_cause;
    }
    row->error = row->error < 0 ? row->error : round->error;
    row->gave_up = row->gave_up || round->gave_up;
}

void race_row(const struct race *race, const struct race_entry *entry, struct race_row *out_row) {
    const struct round_figures *sorted[RACE_ROUNDS_MAX];
    uint32_t cores = (uint32_t)race->settings.cores;
    cores = cores == 0 ? race->cores_allowed : cores;
    *out_row = (struct race_row){
        .model = entry->model,
        .rounds = entry->round_count,
        .is_scaled = has_sampled(race, entry),
        .memory = entry->warm_up.memory,
        .memory_known = entry->warm_up.memory_known,
        .cores = entry->model->is_one_core ? 1 : cores,
        .text = entry->warm_up.error < 0 ? entry->warm_up.text : "",
        .text_cause = BOARD_CAUSES,
        .error = entry->warm_up.error,
        .workers_died = entry->warm_up.workers_died,
        .gave_up = entry->warm_up.gave_up,
    };
    unsigned count = sort_rounds(entry, sorted);
    if (count > 0) {
        uint64_t wanted = race->settings.requests;
        uint64_t made = sorted[0]->ok + sorted[0]->failed_total;
        bool scaled = out_row->is_scaled;
        take_typical(sorted[(count - 1) / 2], wanted, out_row);
        out_row->wall_best_ns = scaled ? scale(sorted[0]->wall_ns, wanted, made)
                                       : sorted[0]->wall_ns;
        out_row->wall_worst_ns = scaled ? out_row->wall_best_ns : sorted[count - 1]->wall_ns;
    }
    for (unsigned i = 0; i < entry->round_count; i++) {
        add_counts(&entry->rounds[i], out_row);
    }
}

enum exit_code race_exit(const struct race *race) {
    enum exit_code code = EXIT_GOOD;
    if (interrupt_signal() != 0) {
        return interrupt_signal() == SIGTERM ? EXIT_TERMINATED : EXIT_INTERRUPTED;
    }
    for (unsigned i = 0; i < race->entry_count; i++) {
        struct race_row row;
        race_row(race, &race->entries[i], &row);
        if (row.error < 0) {
            return EXIT_LOCAL_LIMIT;
        }
        bool has_failed = row.failed_total > 0 || row.aborted > 0 || row.workers_died > 0 ||
                          row.gave_up || !row.measured;
        code = has_failed ? EXIT_FAILED : code;
    }
    return code;
}
