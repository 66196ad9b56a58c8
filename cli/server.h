// SPDX-License-Identifier: MIT
/* server.h – the other side: was the server the bottleneck?
 *
 * Holds      the processes that listen at the target, when they are on this machine.
 * Invariant  only /proc is read; the server is never asked.
 * Called by  race.c, before and after each timed round; the reports.
 * Why        a race against a server that is at its limit measures the server.
 * Quirks     another user's processes cannot be looked into: the server is then unknown, and the
 *            report says that. CPU time comes in clock ticks of 10 ms.
 */
#ifndef JUGGLE_CLI_SERVER_H
#define JUGGLE_CLI_SERVER_H

#include "target.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SERVER_PROCESSES_MAX = 64 };

struct server {
    unsigned count; /* 0: unknown */
    pid_t pids[SERVER_PROCESSES_MAX];
    uint64_t cpu_ns[SERVER_PROCESSES_MAX]; /* at the last server_begin */
    uint64_t overflows;                    /* connections refused for a full queue, then */
};

struct server_load {
    bool known;
    double cores;       /* cores the server kept busy */
    double busiest;     /* share of a core its busiest process used, per thread it has */
    uint64_t overflows; /* times a listening socket's queue on this machine was full */
};

/* Finds who listens at the target. */
void server_find(const struct target *target, struct server *out_server);

/* Notes what it has used so far; server_end tells what it has used since, in `wall_ns`. */
void server_begin(struct server *server);
void server_end(const struct server *server, uint64_t wall_ns, struct server_load *out_load);

/* Whether a load is so high that the server may have set the pace. */
bool server_is_busy(const struct server_load *load);

#endif
