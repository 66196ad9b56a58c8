// SPDX-License-Identifier: MIT
/* verdict.c – see verdict.h.
 *
 * Holds      thresholds, and the clauses they choose.
 * Invariant  see verdict.h.
 * Called by  see verdict.h.
 * Why        see verdict.h.
 * Quirks     wall times within 15 % count as about equal: rounds of one model spread as much.
 */
#include "verdict.h"

#include "units.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double about_equal = 1.15;  /* quick enough to win on cost */
static const double noticeable = 1.20;   /* a cost difference worth a word */
static const double next_to_none = 0.01; /* too small a part to be told as one */

/* A text that grows. */
struct sentence {
    char *out;
    size_t cap;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *s, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(s->out + s->used, s->cap - s->used, format, arguments);
    va_end(arguments);
    s->used += length < 0 ? 0 : (size_t)length;
    s->used = s->used < s->cap ? s->used : s->cap - 1;
}

static bool takes_part(const struct race_row *row) {
    return row->measured && !row->is_scaled && !row->is_partial && !row->model->is_floor &&
           row->failed_total == 0 && row->aborted == 0;
}

/* Whether the race ended before it was this row's turn. */
static bool is_outstanding(const struct race_row *row) {
    return !row->measured && row->rounds == 0 && row->error == 0;
}

static uint64_t quickest_of(const struct race_row *rows, unsigned count) {
    uint64_t quickest_ns = UINT64_MAX;
    for (unsigned i = 0; i < count; i++) {
        if (takes_part(&rows[i]) && rows[i].wall_ns < quickest_ns) {
            quickest_ns = rows[i].wall_ns;
        }
    }
    return quickest_ns;
}

static bool is_quick(const struct race_row *row, uint64_t quickest_ns) {
    return takes_part(row) && (double)row->wall_ns <= about_equal * (double)quickest_ns;
}

static unsigned count_quick(const struct race_row *rows, unsigned count) {
    const uint64_t quickest_ns = quickest_of(rows, count);
    unsigned quick = 0;
    for (unsigned i = 0; i < count; i++) {
        quick += is_quick(&rows[i], quickest_ns);
    }
    return quick;
}

int verdict_winner(const struct race_row *rows, unsigned count) {
    const uint64_t quickest_ns = quickest_of(rows, count);
    int winner = -1;
    for (unsigned i = 0; i < count; i++) {
        if (is_outstanding(&rows[i])) {
            return -1;
        }
        if (is_quick(&rows[i], quickest_ns) &&
            (winner < 0 || race_cpu_ns(&rows[i].run) < race_cpu_ns(&rows[winner].run))) {
            winner = (int)i;
        }
    }
    return winner;
}

bool verdict_is_cheapest(const struct race_row *rows, unsigned count, int winner) {
    for (unsigned i = 0; i < count; i++) {
        if (takes_part(&rows[i]) && race_cpu_ns(&rows[i].run) < race_cpu_ns(&rows[winner].run)) {
            return false;
        }
    }
    return true;
}

static double ratio(uint64_t a, uint64_t b) {
    return b == 0 ? (a == 0 ? 1 : 1e9) : (double)a / (double)b;
}

static void say_name(struct sentence *s, const struct race_row *row) {
    say(s, "%c%s", toupper((unsigned char)row->model->name[0]), row->model->name + 1);
}

static const char *was_or_were(const struct model *model) {
    return model->name[strlen(model->name) - 1] == 's' ? "were" : "was";
}

/* Says "Threads were " or "Sync was ". */
static void say_name_was(struct sentence *s, const struct race_row *row) {
    say_name(s, row);
    say(s, " %s ", was_or_were(row->model));
}

/* The differences worth a word, as verb phrases. */
struct clauses {
    unsigned count;
    unsigned favourable; // less than the winner's
    char texts[4][96];
};

static void add_clause(struct clauses *clauses, double factor, const char *before,
                       const char *after) {
    snprintf(clauses->texts[clauses->count++], sizeof(clauses->texts[0]), "%s %s %s", before,
             units_ratio(factor).text, after);
    clauses->favourable += factor < 1;
}

/* A model may switch a few times where another does so thousands of times, or never. */
static void add_switches(struct clauses *clauses, uint64_t switches, uint64_t of_winner) {
    double factor = ratio(switches, of_winner);
    char *text = clauses->texts[clauses->count];
    if (of_winner == 0 && switches > 1) {
        snprintf(text, sizeof(clauses->texts[0]), "switched %s times", units_count(switches).text);
        clauses->count++;
    } else if (factor < next_to_none) {
        snprintf(text, sizeof(clauses->texts[0]), "hardly switched at all");
        clauses->count++;
        clauses->favourable++;
    } else if (factor >= noticeable || factor < 1 / noticeable) {
        add_clause(clauses, factor, "switched", factor < 1 ? "as often" : "more often");
    }
}

/* Says "A, B and C", the first of them after `joint`. */
static void say_clauses(struct sentence *s, const char *joint, const struct clauses *clauses) {
    for (unsigned i = 0; i < clauses->count; i++) {
        bool is_last = i > 0 && i + 1 == clauses->count;
        say(s, "%s%s", i == 0 ? joint : is_last ? " and " : ", ", clauses->texts[i]);
    }
}

/* One sentence on how `row` did against the winner. */
static void compare(struct sentence *s, const struct race_row *row, const struct race_row *winner) {
    struct clauses clauses = {.count = 0};
    double slower = ratio(row->wall_ns, winner->wall_ns);
    double cpu = ratio(race_cpu_ns(&row->run), race_cpu_ns(&winner->run));
    double memory = row->memory_known && winner->memory_known
                        ? ratio(cost_memory_total(&row->memory), cost_memory_total(&winner->memory))
                        : 1;
    bool is_slow = slower >= about_equal;
    if (is_slow) {
        add_clause(&clauses, slower, "took", "as long");
    }
    if (cpu >= noticeable || cpu < 1 / noticeable) {
        add_clause(&clauses, cpu, "used", "the CPU");
    }
    add_switches(&clauses, race_switches(&row->run), race_switches(&winner->run));
    if (memory >= noticeable || memory < 1 / noticeable) {
        add_clause(&clauses, memory, "held", "the memory");
    }
    say(s, " ");
    if (is_slow) {
        say_name(s, row);
    } else {
        say_name_was(s, row);
        say(s,
            slower < 1 / 1.05 ? "quicker (%s the time)"
            : slower < 1.05   ? "just as quick"
                              : "almost as quick (%s)",
            units_ratio(slower).text);
    }
    bool agree = slower < 1.05 && clauses.favourable == clauses.count;
    say_clauses(s, is_slow ? " " : !agree ? " but " : clauses.count > 1 ? ", " : " and ", &clauses);
    say(s, ".");
}

/* Says what the winner has won by: its cost, among all or among those as quick, or its time alone. */
static void say_winner(struct sentence *s, const struct race_row *rows, unsigned count,
                       int winner) {
    if (verdict_is_cheapest(rows, count, winner)) {
        say(s, "Here %s cost least.", rows[winner].model->name);
    } else if (count_quick(rows, count) > 1) {
        say(s, "Of the quickest, %s cost least.", rows[winner].model->name);
    } else {
        say_name_was(s, &rows[winner]);
        say(s, "quickest.");
    }
}

/* On requests alone. */
static void say_waiting(struct sentence *s, const struct race *race, const struct race_row *rows,
                        unsigned count, int winner) {
    const struct model *model = rows[winner].model;
    bool overlaps = !model->is_sequential && race->settings.concurrency > 1;
    if (model->is_one_core && overlaps) {
        say(s, "Waiting is not work: one core kept %s requests in the air.",
            units_count(race->settings.concurrency).text);
    } else {
        say_winner(s, rows, count, winner);
    }
}

static bool has_more_cores(const struct race_row *rows, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (takes_part(&rows[i]) && rows[i].cores > 1) {
            return true;
        }
    }
    return false;
}

/* The quickest of the models that run on one core; NULL if none took part. */
static const struct race_row *quickest_on_one_core(const struct race_row *rows, unsigned count) {
    const struct race_row *quickest = NULL;
    for (unsigned i = 0; i < count; i++) {
        if (takes_part(&rows[i]) && rows[i].model->is_one_core &&
            (quickest == NULL || rows[i].wall_ns < quickest->wall_ns)) {
            quickest = &rows[i];
        }
    }
    return quickest;
}

/* The row of a model, if it took part. */
static const struct race_row *row_of(const struct race_row *rows, unsigned count,
                                     enum model_index index) {
    for (unsigned i = 0; i < count; i++) {
        if (takes_part(&rows[i]) && rows[i].model == &models[index]) {
            return &rows[i];
        }
    }
    return NULL;
}

/* How much quicker more cores were than one; 1 if the winner has no more, or nobody has fewer. */
static double gain_of_cores(const struct race_row *winner, const struct race_row *one_core) {
    bool has_more = one_core != NULL && winner->cores > 1;
    return has_more ? ratio(one_core->wall_ns, winner->wall_ns) : 1;
}

/* Says when not to use concurrency, if the rows show it. */
static void say_when_not(struct sentence *s, const struct race_row *rows, unsigned count) {
    const struct race_row *sync = row_of(rows, count, MODEL_SYNC);
    const struct race_row *coroutines = row_of(rows, count, MODEL_COROUTINES);
    if (sync != NULL && coroutines != NULL &&
        ratio(sync->wall_ns, coroutines->wall_ns) < about_equal) {
        say(s, " On one core, coroutines gained nothing over one after another: where nothing "
               "waits, do not use concurrency.");
    }
}

/* On CPU work: how much did more cores help? */
static void say_computing(struct sentence *s, const struct race_row *rows, unsigned count,
                          const struct race_row *winner) {
    const struct race_row *one_core = quickest_on_one_core(rows, count);
    double gain = gain_of_cores(winner, one_core);
    if (gain >= noticeable) {
        say(s,
            "Work is not waiting: %s on %u cores %s %s quicker than %s on one. "
            "What computes needs cores, not coroutines.",
            winner->model->name, winner->cores, was_or_were(winner->model), units_ratio(gain).text,
            one_core->model->name);
    } else if (has_more_cores(rows, count)) {
        say(s, "Work is not waiting, but more cores hardly helped: were they busy elsewhere?");
    } else {
        say(s, "Work is not waiting: no model makes one core compute faster.");
    }
    say_when_not(s, rows, count);
}

/* On calls that block: did they have threads of their own? */
static void say_blocking(struct sentence *s, const struct race_row *rows, unsigned count,
                         const struct race_row *winner) {
    const struct race_row *coroutines = row_of(rows, count, MODEL_COROUTINES);
    double gain = coroutines == NULL ? 1 : ratio(coroutines->wall_ns, winner->wall_ns);
    if (gain >= noticeable) {
        say(s,
            "A call that blocks holds up everybody on its loop: with %s it took 1/%.0f of the time. "
            "Give such calls to threads.",
            winner->model->name, gain);
    } else {
        say_winner(s, rows, count, (int)(winner - rows));
    }
}

/* On requests with computing: which of the two decided? */
static void say_mixed(struct sentence *s, const struct race *race, const struct race_row *rows,
                      unsigned count, int winner) {
    const struct race_row *best = &rows[winner];
    const struct race_row *one_core = quickest_on_one_core(rows, count);
    double gain = gain_of_cores(best, one_core);
    if (gain >= noticeable) {
        say(s,
            "Waits overlap on one core, computing does not: %s on %u cores %s %s quicker than %s "
            "on one. Give the computing to more cores.",
            best->model->name, best->cores, was_or_were(best->model), units_ratio(gain).text,
            one_core->model->name);
    } else if (best->model->is_one_core && !best->model->is_sequential &&
               has_more_cores(rows, count)) {
        say(s,
            "There is more waiting than computing here: one core did both for %s requests in the "
            "air.",
            units_count(race->settings.concurrency).text);
    } else {
        say_winner(s, rows, count, winner);
    }
}

void verdict_write(const struct race *race, const struct race_row *rows, unsigned count, char *out,
                   size_t cap) {
    struct sentence s = {.out = out, .cap = cap};
    int winner = verdict_winner(rows, count);
    out[0] = '\0';
    if (winner < 0) {
        return;
    }
    if (race->settings.work == MODEL_WORK_IO) {
        say_waiting(&s, race, rows, count, winner);
    } else if (race->settings.work == MODEL_WORK_CPU) {
        say_computing(&s, rows, count, &rows[winner]);
    } else if (race->settings.work == MODEL_WORK_BLOCK) {
        say_blocking(&s, rows, count, &rows[winner]);
    } else {
        say_mixed(&s, race, rows, count, winner);
    }
    for (unsigned i = 0; i < count; i++) {
        if ((int)i != winner && takes_part(&rows[i])) {
            compare(&s, &rows[i], &rows[winner]);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (rows[i].is_scaled && rows[i].measured) {
            say(&s, " One after another would have taken %s.",
                units_duration(rows[i].wall_ns).text);
        }
    }
}
