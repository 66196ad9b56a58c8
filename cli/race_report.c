// SPDX-License-Identifier: MIT
/* race_report.c – see race_report.h; race_json.c writes the JSON.
 *
 * Holds      what is shown, in which order.
 * Invariant  a figure that was not measured in full carries a mark, and the mark an explanation.
 * Called by  see race_report.h.
 * Why        costs stand beside the wall time: which model is quickest is seldom the question.
 * Quirks     none.
 */
#include "race_report.h"

#include "interrupt.h"
#include "table.h"
#include "text.h"
#include "units.h"
#include "verdict.h"

#include <stdarg.h>
#include <string.h>

enum column {
    MODEL,
    START,
    WALL,
    CPU,
    P50,
    P99,
    LATE,
    LATEST,
    SWITCHES,
    MEMORY,
    CORES,
    MARK,
    COLUMNS
};

static const struct table_column columns[COLUMNS] = {
    [MODEL] = {"model", TABLE_LEFT, 0},        [START] = {"start", TABLE_RIGHT, 4},
    [WALL] = {"wall", TABLE_RIGHT, 0},         [CPU] = {"cpu", TABLE_RIGHT, 0},
    [P50] = {"p50", TABLE_RIGHT, 3},           [P99] = {"p99", TABLE_RIGHT, 2},
    [LATE] = {"late", TABLE_RIGHT, 0},         [LATEST] = {"latest", TABLE_RIGHT, 0},
    [SWITCHES] = {"switches", TABLE_RIGHT, 0}, [MEMORY] = {"memory*", TABLE_RIGHT, 0},
    [CORES] = {"cores", TABLE_RIGHT, 5},       [MARK] = {"", TABLE_LEFT, 0},
};

static const char scaled_mark[] = "\xe2\x80\xa0"; /* † */
/* Of the winner: ◀ */
static const char cheapest_mark[] = "\xe2\x97\x80 least cost";
static const char best_mark[] = "\xe2\x97\x80 best";
static const char short_mark[] = "\xe2\x97\x80";

__attribute__((format(printf, 3, 4))) static void
print_note(struct terminal *terminal, enum terminal_style style, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    terminal_print_wrapped(terminal, style, 2, text);
}

static void add_figures(struct table *table, const struct race_row *row, const struct hist *latency,
                        uint64_t requests) {
    const char *mark = row->is_scaled ? scaled_mark : row->is_partial ? "?" : "";
    table_set(table, START, TERMINAL_PLAIN, "%s", units_duration(row->create_ns).text);
    table_set(table, WALL, TERMINAL_PLAIN, "%s%s", units_duration(row->wall_ns).text, mark);
    table_set(table, CPU, TERMINAL_PLAIN, "%s%s", units_duration(race_cpu_ns(&row->run)).text,
              mark);
    table_set(table, P50, TERMINAL_PLAIN, "%s",
              units_duration(hist_quantile(latency, 50, 100)).text);
    table_set(table, P99, TERMINAL_PLAIN, "%s",
              units_duration(hist_quantile(latency, 99, 100)).text);
    if (row->is_scaled) {
        uint64_t per_request = (race_switches(&row->run) + requests / 2) / requests;
        table_set(table, SWITCHES, TERMINAL_PLAIN, "%s/req", units_count(per_request).text);
    } else {
        table_set(table, SWITCHES, TERMINAL_PLAIN, "%s%s",
                  units_count(race_switches(&row->run)).text, mark);
    }
}

/* How late the beat was; a model with nobody to spare for it has none. */
static void add_lateness(struct table *table, const struct hist *late) {
    if (hist_count(late) > 0) {
        table_set(table, LATE, TERMINAL_PLAIN, "%s",
                  units_duration(hist_quantile(late, 99, 100)).text);
        table_set(table, LATEST, TERMINAL_PLAIN, "%s", units_duration(hist_max(late)).text);
    }
}

static void add_row(struct table *table, const struct race *race, const struct race_entry *entry,
                    const struct race_row *row, const char *winner_mark) {
    bool is_winner = winner_mark != NULL;
    table_add_row(table);
    table_set(table, MODEL, is_winner ? TERMINAL_GOOD : TERMINAL_PLAIN, "%s", row->model->name);
    if (row->measured) {
        add_figures(table, row, entry->latency, race->settings.requests);
        add_lateness(table, entry->late);
    } else {
        table_set(table, WALL, TERMINAL_BAD, "%s",
                  row->error < 0     ? "cannot run"
                  : row->rounds == 0 ? "not run"
                                     : "no answers");
    }
    if (row->memory_known) {
        table_set(table, MEMORY, TERMINAL_PLAIN, "%s",
                  units_bytes(cost_memory_total(&row->memory)).text);
    }
    table_set(table, CORES, TERMINAL_PLAIN, "%u", row->cores);
    if (is_winner) {
        table_set(table, MARK, TERMINAL_GOOD, "%s", winner_mark);
    }
}

static void print_footnotes(const struct race *race, const struct race_row *rows,
                            struct terminal *terminal) {
    const char *moment = model_work_has_requests(race->settings.work) ? "holding an answer"
                                                                      : "there";
    print_note(terminal, TERMINAL_DIM,
               "* PSS + kernel stacks + page tables, all workers %s; start: making the workers",
               moment);
    if (race->settings.beat_ns != 0) {
        print_note(
            terminal, TERMINAL_DIM,
            "late, latest: by how much somebody%s who wants to wake every %s did so too late, 99 "
            "times of 100 no more and at worst",
            race->settings.beat_realtime ? " with real-time priority" : "",
            units_exact_duration(race->settings.beat_ns).text);
    }
    for (unsigned i = 0; i < race->entry_count; i++) {
        if (rows[i].is_scaled && rows[i].measured) {
            print_note(terminal, TERMINAL_DIM, "%s from %s real requests, not run in full",
                       scaled_mark, units_count(rows[i].real_requests).text);
        }
        if (rows[i].is_partial && !rows[i].is_scaled && rows[i].measured) {
            print_note(terminal, TERMINAL_WARN, "? %s: cut short after %s requests",
                       rows[i].model->name, units_count(rows[i].real_requests).text);
        }
    }
}

/* Says which workers and which requests never came to an end, if any did not. */
static void print_lost(const struct race_row *row, const char *why, struct terminal *terminal) {
    char died[96] = "";
    char aborted[96] = "";
    if (row->workers_died > 0) {
        snprintf(died, sizeof(died), "%s worker%s died", units_count(row->workers_died).text,
                 row->workers_died == 1 ? "" : "s");
    }
    if (row->aborted > 0) {
        snprintf(aborted, sizeof(aborted), "%s request%s aborted in flight",
                 units_count(row->aborted).text, row->aborted == 1 ? "" : "s");
    }
    print_note(terminal, TERMINAL_BAD, "%s: %s%s%s%s", row->model->name, died,
               died[0] != '\0' && aborted[0] != '\0' ? ", " : "", aborted, why);
}

static void print_failures(const struct race *race, const struct race_row *row,
                           struct terminal *terminal) {
    char shown[256];
    char first[320] = "";
    text_escape(row->text, shown, sizeof(shown));
    if (row->error < 0) {
        print_note(terminal, TERMINAL_BAD, "%s could not run: %s", row->model->name, shown);
        return;
    }
    if (shown[0] != '\0') {
        snprintf(first, sizeof(first), "; the first: %s", shown);
    }
    for (enum board_cause cause = 0; cause < BOARD_CAUSES; cause++) {
        if (row->failed[cause] > 0) {
            print_note(terminal, TERMINAL_BAD, "%s: %s of %s requests failed: %s%s",
                       row->model->name, units_count(row->failed[cause]).text,
                       units_count(row->issued).text, board_cause_text(cause),
                       cause == row->text_cause ? first : "");
        }
    }
    if (row->text_cause != BOARD_CAUSES && row->failed[row->text_cause] > 0) {
        first[0] = '\0';
    }
    if (row->gave_up) {
        print_note(terminal, TERMINAL_BAD, "%s: no answer for %s: the race was given up",
                   row->model->name, units_duration(race->silence_ns).text);
    }
    if (row->workers_died > 0 || row->aborted > 0) {
        print_lost(row, first, terminal);
    } else if (first[0] != '\0') {
        print_note(terminal, TERMINAL_BAD, "%s: %s", row->model->name, shown);
    }
}

/* What might make the figures say less than they seem to. */
static void print_doubts(const struct race *race, const struct race_row *rows,
                         struct terminal *terminal) {
    uint64_t overflows = 0;
    for (unsigned i = 0; i < race->entry_count; i++) {
        const struct race_entry *entry = &race->entries[i];
        double busiest = 0;
        for (unsigned round = 0; round < entry->round_count; round++) {
            const struct server_load *load = &entry->server[round];
            overflows += load->overflows;
            busiest = server_is_busy(load) && load->busiest > busiest ? load->busiest : busiest;
        }
        if (busiest > 0 && model_work_has_requests(race->settings.work)) {
            print_note(
                terminal, TERMINAL_WARN,
                "doubt: under %s the server was at its limit (%.0f %% of a core): it set the "
                "pace",
                rows[i].model->name, 100 * busiest);
        }
        uint64_t workers = model_workers(entry->model, &entry->plan);
        if (rows[i].measured && !rows[i].is_scaled &&
            model_work_has_requests(race->settings.work) && rows[i].in_flight_peak < workers) {
            print_note(terminal, TERMINAL_WARN, "doubt: %s had at most %s of %s requests in flight",
                       rows[i].model->name, units_count(rows[i].in_flight_peak).text,
                       units_count(workers).text);
        }
    }
    if (race->server.count == 0 && model_work_has_requests(race->settings.work)) {
        print_note(terminal, TERMINAL_DIM,
                   "The server's own load is not known: it may have set the pace.");
    }
    if (overflows > 0) {
        print_note(terminal, TERMINAL_WARN,
                   "doubt: a queue of new connections on this machine was full, %s time%s: if it "
                   "was the server's, raise its backlog",
                   units_count(overflows).text, overflows == 1 ? "" : "s");
    }
}

/* The mark of the winner; where columns are few they are better spent on figures. */
static const char *choose_mark(const struct race *race, const struct terminal *terminal,
                               bool is_cheapest) {
    const unsigned words_fit = race->settings.beat_ns != 0 ? 110 : 80;
    if (terminal->width > 0 && terminal->width < words_fit) {
        return short_mark;
    }
    return is_cheapest ? cheapest_mark : best_mark;
}

void race_print(const struct race *race, struct terminal *terminal) {
    struct race_row rows[MODELS];
    struct table table;
    struct table_column shown[COLUMNS];
    char verdict[1024];
    for (unsigned i = 0; i < race->entry_count; i++) {
        race_row(race, &race->entries[i], &rows[i]);
    }
    int winner = verdict_winner(rows, race->entry_count);
    bool is_cheapest = winner >= 0 && verdict_is_cheapest(rows, race->entry_count, winner);
    const char *mark = choose_mark(race, terminal, is_cheapest);
    memcpy(shown, columns, sizeof(shown));
    if (race->settings.beat_ns == 0) {
        shown[LATE].heading = shown[LATEST].heading = "";
    }
    table_init(&table, shown, COLUMNS);
    for (unsigned i = 0; i < race->entry_count; i++) {
        add_row(&table, race, &race->entries[i], &rows[i], (int)i == winner ? mark : NULL);
    }
    table_print(&table, terminal);
    terminal_print(terminal, TERMINAL_PLAIN, "\n");
    print_footnotes(race, rows, terminal);
    for (unsigned i = 0; i < race->entry_count; i++) {
        print_failures(race, &rows[i], terminal);
    }
    print_doubts(race, rows, terminal);
    verdict_write(race, rows, race->entry_count, verdict, sizeof(verdict));
    if (interrupt_signal() != 0) {
        terminal_print(terminal, TERMINAL_WARN,
                       "\nInterrupted: this is what was measured until then.\n");
    }
    if (verdict[0] != '\0') {
        terminal_print(terminal, TERMINAL_PLAIN, "\n");
        terminal_print_wrapped(terminal, TERMINAL_BOLD, 0, verdict);
    }
}
