// SPDX-License-Identifier: MIT
/* standin.h – a server that stands in for the services of the talk, on this machine.
 *
 * Holds      what it answers, how late, and how much it has served.
 * Invariant  one core, one loop; an answer takes its latency from when its request was read.
 * Called by  command_serve.c, command_demo.c (in a child).
 * Why        the services of the talk are on the internet, and nobody may load them for a test.
 * Quirks     failures are spread evenly, not drawn: 1 % is every hundredth request.
 */
#ifndef JUGGLE_CLI_STANDIN_H
#define JUGGLE_CLI_STANDIN_H

#include <juggle.h>
#include <juggle/http.h>

#include <stdint.h>

/* The answers, each with a latency of its own. */
enum standin_path {
    STANDIN_STATS,   /* "/" and "/stats" */
    STANDIN_PLAYERS, /* "/api/onlinePlayers?output=json" */
    STANDIN_IPIFY,   /* "/ipify?format=json" */
    STANDIN_IP_API,  /* "/ip-api/json" */
    STANDIN_PATHS,
};

struct standin_settings {
    uint64_t latency_ns[STANDIN_PATHS];
    uint64_t size_bytes; /* of the body of "/stats" */
    uint64_t errors_ppm; /* share of requests answered with 503 */
    uint64_t cpu_ns;     /* computing per request */
};

struct standin {
    struct standin_settings settings; /* set by the caller, constant */
    jg_http_server_stats stats;       /* kept up to date while it serves */
    uint64_t failed;                  /* requests answered with 503 on purpose */
    uint64_t seen;
    uint64_t work_steps;
    char *body; /* of "/stats" */
};

/* Prepares a stand-in whose settings are set. Returns 0 or -ENOMEM. */
int standin_open(struct standin *standin);
void standin_close(struct standin *standin);

/* Serves until the listener is closed or the task is cancelled. Returns as jg_http_serve. */
JG_SUSPENDS int standin_serve(struct standin *standin, jg_listener *listener);

#endif
