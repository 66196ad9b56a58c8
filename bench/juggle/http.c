// SPDX-License-Identifier: MIT
/* http.c – juggle's HTTP client: one task per request in flight, straight-line code.
 *
 * Holds      one client and the plan, shared by all tasks.
 * Invariant  an answer counts only after plan_answer has seen its status and length.
 * Called by  run.py, `juggle_http steady|burst …` (plan.h).
 * Why        through the public headers only, as a user writes it: all limits and time limits at
 *            their defaults, except how many connections there may be.
 * Quirks     bodies are gathered whole before they are counted, as a program that wants the JSON
 *            would do; the Go and libcurl peers only count theirs.
 */
#include "common/plan.h"

#include <errno.h>
#include <juggle.h>
#include <juggle/http.h>
#include <stdio.h>

struct load {
    struct plan plan;
    jg_http_client *client;
    char url[128];
};

/* Makes requests until all have been claimed. */
static intptr_t worker(void *arg) {
    struct load *load = arg;
    while (plan_claim(&load->plan)) {
        jg_http_response *response = NULL;
        const char *body = NULL;
        int rc = jg_http_get(load->client, load->url, &response);
        if (rc < 0) {
            measure_die("jg_http_get", -rc);
        }
        ssize_t body_bytes = jg_http_body(response, &body);
        if (body_bytes < 0) {
            measure_die("jg_http_body", (int)-body_bytes);
        }
        plan_answer(&load->plan, jg_http_status(response), (uint64_t)body_bytes);
        jg_http_response_close(response);
    }
    return 0;
}

static intptr_t program(void *arg) {
    struct load *load = arg;
    jg_http_client_options options = {
        .connections = load->plan.in_flight,
        .connections_per_origin = load->plan.in_flight,
    };
    plan_begin(&load->plan);
    int rc = jg_http_client_open(&options, &load->client);
    if (rc < 0) {
        measure_die("jg_http_client_open", -rc);
    }
    intptr_t result = 0;
    JG_GROUP(group, result) {
        for (uint64_t i = 0; i < load->plan.in_flight; i++) {
            rc = jg_group_spawn(group, worker, load);
            if (rc < 0) {
                measure_die("jg_group_spawn", -rc);
            }
        }
    }
    if (result < 0) {
        measure_die("a worker failed", (int)-result);
    }
    plan_finish(&load->plan);
    jg_http_client_close(load->client);
    return 0;
}

int main(int argc, char **argv) {
    static struct load load;
    plan_read(&load.plan, argc, argv);
    snprintf(load.url, sizeof(load.url), "http://127.0.0.1:%u" PLAN_PATH, load.plan.port);
    intptr_t rc = jg_run(program, &load);
    if (rc < 0) {
        measure_die("jg_run", (int)-rc);
    }
    return (int)rc;
}
