// SPDX-License-Identifier: MIT
/* race_json.c – a race as one JSON object; see race_report.h.
 *
 * Holds      the schema "juggle-race-1".
 * Invariant  names say their unit; what is not known is null, never 0; a field is added, never
 *            given another meaning.
 * Called by  race_main.c.
 * Why        see race_report.h.
 * Quirks     figures of a model are those of its typical round; "rounds" has them all.
 */
#include "race_report.h"

#include "interrupt.h"
#include "jsonout.h"
#include "verdict.h"

#include <juggle.h>

#include <string.h>
#include <sys/utsname.h>

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

static void write_time(struct jsonout *json, const char *key, uint64_t ns, bool is_known) {
    if (is_known) {
        jsonout_double(json, key, seconds(ns), 6);
    } else {
        jsonout_null(json, key);
    }
}

static void write_count(struct jsonout *json, const char *key, uint64_t count, bool is_known) {
    if (is_known) {
        jsonout_uint(json, key, count);
    } else {
        jsonout_null(json, key);
    }
}

static void write_usage(struct jsonout *json, const struct cost_usage *usage, bool is_known) {
    write_time(json, "cpu_user_s", usage->cpu_user_ns, is_known);
    write_time(json, "cpu_sys_s", usage->cpu_sys_ns, is_known);
    write_count(json, "switches_voluntary", usage->switches_voluntary, is_known);
    write_count(json, "switches_involuntary", usage->switches_involuntary, is_known);
}

static void write_costs(struct jsonout *json, const struct race_row *row) {
    bool has_gone = row->create_ns > 0;
    write_time(json, "wall_s", row->wall_ns, row->measured);
    write_time(json, "wall_best_s", row->wall_best_ns, row->measured);
    write_time(json, "wall_worst_s", row->wall_worst_ns, row->measured);
    write_usage(json, &row->run, row->measured);
    jsonout_begin_object(json, "create");
    write_time(json, "wall_s", row->create_ns, has_gone);
    write_usage(json, &row->create, has_gone);
    jsonout_end(json);
}

static void write_memory(struct jsonout *json, const struct race_row *row) {
    if (!row->memory_known) {
        jsonout_null(json, "memory_bytes");
        jsonout_null(json, "memory_parts");
        return;
    }
    jsonout_uint(json, "memory_bytes", cost_memory_total(&row->memory));
    jsonout_begin_object(json, "memory_parts");
    jsonout_uint(json, "pss_bytes", row->memory.pss_bytes);
    jsonout_uint(json, "kernel_stacks_bytes", row->memory.kernel_stack_bytes);
    jsonout_uint(json, "page_tables_bytes", row->memory.page_table_bytes);
    jsonout_uint(json, "processes", row->memory.processes);
    jsonout_uint(json, "threads", row->memory.threads);
    jsonout_end(json);
}

static void write_hist(struct jsonout *json, const char *key, const struct hist *latency) {
    bool is_empty = hist_count(latency) == 0;
    if (is_empty) {
        jsonout_null(json, key);
        return;
    }
    jsonout_begin_object(json, key);
    jsonout_string(json, "unit", "s");
    jsonout_uint(json, "samples", hist_count(latency));
    jsonout_double(json, "min", seconds(hist_min(latency)), 9);
    jsonout_double(json, "mean", seconds(hist_mean(latency)), 9);
    jsonout_double(json, "p50", seconds(hist_quantile(latency, 50, 100)), 9);
    jsonout_double(json, "p90", seconds(hist_quantile(latency, 90, 100)), 9);
    jsonout_double(json, "p99", seconds(hist_quantile(latency, 99, 100)), 9);
    jsonout_double(json, "p999", seconds(hist_quantile(latency, 999, 1000)), 9);
    jsonout_double(json, "max", seconds(hist_max(latency)), 9);
    jsonout_end(json);
}

static void write_failed(struct jsonout *json, const uint64_t *failed) {
    jsonout_begin_object(json, "requests_failed");
    for (int cause = 0; cause < BOARD_CAUSES; cause++) {
        jsonout_uint(json, board_cause_key((enum board_cause)cause), failed[cause]);
    }
    jsonout_end(json);
}

static void write_load(struct jsonout *json, const struct server_load *load) {
    if (!load->known) {
        jsonout_null(json, "server");
        return;
    }
    jsonout_begin_object(json, "server");
    jsonout_double(json, "cores", load->cores, 3);
    jsonout_double(json, "busiest_thread_share", load->busiest, 3);
    jsonout_bool(json, "at_its_limit", server_is_busy(load));
    jsonout_uint(json, "queue_overflows", load->overflows);
    jsonout_end(json);
}

static void write_rounds(struct jsonout *json, const struct race_entry *entry) {
    jsonout_begin_array(json, "rounds");
    for (unsigned i = 0; i < entry->round_count; i++) {
        const struct round_figures *round = &entry->rounds[i];
        bool has_gone = round->create_ns > 0;
        jsonout_begin_object(json, NULL);
        write_time(json, "create_s", round->create_ns, has_gone);
        write_time(json, "wall_s", round->wall_ns, has_gone);
        write_usage(json, &round->run, has_gone);
        jsonout_uint(json, "requests_issued", round->issued);
        jsonout_uint(json, "requests_ok", round->ok);
        write_failed(json, round->failed);
        jsonout_uint(json, "requests_aborted", round->aborted);
        jsonout_uint(json, "connections", round->connections);
        jsonout_uint(json, "in_flight_peak", round->in_flight_peak);
        jsonout_uint(json, "body_bytes", round->bytes);
        jsonout_uint(json, "workers", round->workers);
        jsonout_uint(json, "workers_died", round->workers_died);
        jsonout_bool(json, "complete", round->complete);
        write_load(json, &entry->server[i]);
        jsonout_end(json);
    }
    jsonout_end(json);
}

static void write_model(struct jsonout *json, const struct race *race,
                        const struct race_entry *entry) {
    struct race_row row;
    race_row(race, entry, &row);
    jsonout_begin_object(json, NULL);
    jsonout_string(json, "name", row.model->name);
    jsonout_uint(json, "cores", row.cores);
    jsonout_bool(json, "extrapolated", row.is_scaled);
    jsonout_uint(json, "measured_requests", row.real_requests);
    write_costs(json, &row);
    write_memory(json, &row);
    jsonout_uint(json, "requests_issued", row.issued);
    jsonout_uint(json, "requests_ok", row.ok);
    jsonout_uint(json, "requests_failed_total", row.failed_total);
    write_failed(json, row.failed);
    jsonout_uint(json, "requests_aborted", row.aborted);
    jsonout_uint(json, "workers_died", row.workers_died);
    jsonout_bool(json, "gave_up", row.gave_up);
    jsonout_uint(json, "in_flight_peak", row.in_flight_peak);
    write_hist(json, "latency", entry->latency);
    write_hist(json, "late", entry->late);
    jsonout_string(json, "first_failure", row.text[0] != '\0' ? row.text : NULL);
    jsonout_string(json, "first_failure_cause",
                   row.text_cause != BOARD_CAUSES ? board_cause_key(row.text_cause) : NULL);
    jsonout_string(json, "error", row.error < 0 ? jg_error_name(row.error) : NULL);
    write_rounds(json, entry);
    jsonout_end(json);
}

static void write_settings(struct jsonout *json, const struct race *race) {
    static const char *const works[] = {"io", "cpu", "mixed", "block"};
    const struct race_settings *settings = &race->settings;
    jsonout_begin_object(json, "settings");
    jsonout_string(json, "url", race->target.url);
    jsonout_uint(json, "requests", settings->requests);
    jsonout_uint(json, "concurrency", settings->concurrency);
    jsonout_uint(json, "rounds", settings->rounds);
    jsonout_uint(json, "sync_requests", settings->sync_requests);
    jsonout_double(json, "timeout_s", seconds(settings->timeout_ns), 9);
    jsonout_string(json, "work", works[settings->work]);
    jsonout_double(json, "work_s", settings->work == MODEL_WORK_IO ? 0 : seconds(settings->work_ns),
                   9);
    jsonout_double(json, "beat_s", seconds(settings->beat_ns), 9);
    jsonout_bool(json, "realtime", settings->beat_realtime);
    jsonout_uint(json, "cores", settings->cores == 0 ? race->cores_allowed : settings->cores);
    if (race->body_bytes >= 0) {
        jsonout_int(json, "expected_body_bytes", race->body_bytes);
    } else {
        jsonout_null(json, "expected_body_bytes");
    }
    jsonout_end(json);
}

static void write_machine(struct jsonout *json, const struct race *race) {
    struct utsname system;
    jsonout_begin_object(json, "machine");
    jsonout_uint(json, "cores_allowed", race->cores_allowed);
    if (uname(&system) == 0) {
        jsonout_string(json, "kernel", system.release);
        jsonout_string(json, "architecture", system.machine);
    }
    jsonout_end(json);
}

int race_write_json(const struct race *race, FILE *out) {
    struct jsonout json = {.out = out};
    struct race_row rows[MODELS];
    char verdict[1024];
    for (unsigned i = 0; i < race->entry_count; i++) {
        race_row(race, &race->entries[i], &rows[i]);
    }
    verdict_write(race, rows, race->entry_count, verdict, sizeof(verdict));
    jsonout_begin_object(&json, NULL);
    jsonout_string(&json, "schema", "juggle-race-1");
    jsonout_string(&json, "version", jg_version());
    write_settings(&json, race);
    write_machine(&json, race);
    jsonout_begin_array(&json, "models");
    for (unsigned i = 0; i < race->entry_count; i++) {
        write_model(&json, race, &race->entries[i]);
    }
    jsonout_end(&json);
    jsonout_string(&json, "verdict", verdict[0] != '\0' ? verdict : NULL);
    jsonout_bool(&json, "interrupted", interrupt_signal() != 0);
    jsonout_begin_object(&json, "exit");
    jsonout_uint(&json, "code", race_exit(race));
    jsonout_string(&json, "reason", exit_meaning(race_exit(race)));
    jsonout_end(&json);
    jsonout_end(&json);
    return jsonout_finish(&json);
}
