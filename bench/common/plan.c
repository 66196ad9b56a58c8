// SPDX-License-Identifier: MIT
/* plan.c – counting and checking of requests, the same for every HTTP client.
 *
 * Holds      nothing of its own; see struct plan.
 * Invariant  a line is printed only after warm_up + requests good answers.
 * Called by  the HTTP clients. Calls measure and libc.
 * Why        see plan.h.
 * Quirks     the steady clock stops at the last answer, when fewer than in_flight requests are
 *            still going; at 100 requests per connection that tail is 1 % and the same for
 *            everyone.
 */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

// Descriptors a client needs beyond its connections.
#define FILES_SPARE 64

static void raise_file_limit(uint64_t needed) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        measure_die("getrlimit", errno);
    }
    if (limit.rlim_cur >= needed) {
        return;
    }
    if (limit.rlim_max < needed) {
        measure_die("the hard limit of open files is too low for this many connections", EMFILE);
    }
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        measure_die("setrlimit", errno);
    }
}

void plan_read(struct plan *plan, int argc, char **argv) {
    int steady = argc == 7 && strcmp(argv[1], "steady") == 0;
    int burst = argc == 5 && strcmp(argv[1], "burst") == 0;
    if (!steady && !burst) {
        fprintf(stderr,
                "usage: %s steady PORT IN_FLIGHT BODY_BYTES WARM_UP REQUESTS\n"
                "       %s burst PORT IN_FLIGHT BODY_BYTES\n",
                argv[0], argv[0]);
        exit(2);
    }
    memset(plan, 0, sizeof *plan);
    plan->mode = steady ? PLAN_STEADY : PLAN_BURST;
    plan->port = (uint16_t)measure_arg(argc, argv, 2, 1);
    plan->in_flight = measure_arg(argc, argv, 3, 1);
    plan->body_bytes = measure_arg(argc, argv, 4, 1);
    plan->warm_up = steady ? measure_arg(argc, argv, 5, 1) : 0;
    plan->requests = steady ? measure_arg(argc, argv, 6, 1) : plan->in_flight;
    raise_file_limit(plan->in_flight + FILES_SPARE);
}

void plan_begin(struct plan *plan) {
    plan->start = measure_now();
}

int plan_claim(struct plan *plan) {
    if (plan->started == plan->warm_up + plan->requests) {
        return 0;
    }
    plan->started++;
    return 1;
}

void plan_answer(struct plan *plan, long status, uint64_t body_bytes) {
    if (status != 200 || body_bytes != plan->body_bytes) {
        fprintf(stderr, "answer %llu: status %ld with %llu bytes, expected 200 with %llu\n",
                (unsigned long long)plan->answered, status, (unsigned long long)body_bytes,
                (unsigned long long)plan->body_bytes);
        exit(1);
    }
    plan->answered++;
    if (plan->mode == PLAN_STEADY && plan->answered == plan->warm_up) {
        plan->start = measure_now();
    }
    if (plan->answered == plan->warm_up + plan->requests) {
        plan->end = measure_now();
    }
}

void plan_finish(struct plan *plan) {
    if (plan->answered != plan->warm_up + plan->requests) {
        measure_die("not every request was answered", 0);
    }
    if (plan->mode == PLAN_BURST) {
        plan->end = measure_now();
    }
    double value = (double)(plan->end.wall_ns - plan->start.wall_ns) / 1e9;
    if (plan->mode == PLAN_STEADY) {
        value = (double)(plan->end.cpu_ns - plan->start.cpu_ns) / 1e3 / (double)plan->requests;
    }
    measure_print(value, plan->requests, plan->start, plan->end);
}
