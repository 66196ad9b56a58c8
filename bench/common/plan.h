// SPDX-License-Identifier: MIT
/* plan.h – what every HTTP client of bench/ does alike: count, check, read the clock on time.
 *
 * Holds      one struct plan per program: how many requests, how many started, how many answered.
 * Invariant  answered <= started <= warm_up + requests; the first clock reading is taken at the
 *            moment the warm-up is answered, the second at the moment everything is (a burst: when
 *            all is joined).
 * Called by  the HTTP clients in floor/, peers/ and juggle/. Calls measure.
 * Why        an answer counts only if its status is 200 and its body has the expected length, so
 *            the check sits where the counting is, and no client can leave it out.
 * Quirks     a burst has no warm-up: its clock starts before the first connection, creation
 *            included.
 */
#pragma once

#include "measure.h"

enum plan_mode {
    PLAN_STEADY, // `in_flight` requests going over as many connections; value: CPU us per request
    PLAN_BURST,  // `in_flight` requests at once, a connection each; value: wall seconds
};

struct plan {
    enum plan_mode mode;
    uint16_t port; // on 127.0.0.1
    uint64_t in_flight;
    uint64_t warm_up;    // requests answered before the first clock reading
    uint64_t requests;   // measured requests
    uint64_t body_bytes; // what a good answer's body has
    uint64_t started;
    uint64_t answered;
    struct measure start;
    struct measure end;
};

/* The path every client asks for. */
#define PLAN_PATH "/api/onlinePlayers?output=json"

/* Reads `PROGRAM steady PORT IN_FLIGHT BODY_BYTES WARM_UP REQUESTS` or
 * `PROGRAM burst PORT IN_FLIGHT BODY_BYTES`, and raises the limit of open files to what that needs.
 * Ends the program with a line on stderr if it cannot. */
void plan_read(struct plan *plan, int argc, char **argv);

/* Takes the clock of a burst; call it when everything but the work is ready. */
void plan_begin(struct plan *plan);

/* Claims one more request to start; returns 0 when all have been claimed. */
int plan_claim(struct plan *plan);

/* Counts one answer; one that is not 200 with the expected length ends the program. */
void plan_answer(struct plan *plan, long status, uint64_t body_bytes);

/* Takes the clock of a burst (call it when every worker is joined) and prints the line; ends the
 * program instead if not every request has been answered. */
void plan_finish(struct plan *plan);
