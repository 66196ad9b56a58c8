// SPDX-License-Identifier: MIT
/* worker.h – what one worker does, whoever runs it: a thread, a process, a coroutine.
 *
 * Holds      the one client function of the race.
 * Invariant  worker_run does not know under which model it runs: where it waits, it calls the
 *            library (which blocks or suspends) or one of the model's two gates.
 * Called by  models.c.
 * Why        if each model had a client of its own, the race would compare clients.
 * Quirks     none.
 */
#ifndef JUGGLE_CLI_WORKER_H
#define JUGGLE_CLI_WORKER_H

#include "board.h"
#include "model.h"

#include <juggle/executor.h>
#include <juggle/http.h>

#include <stdbool.h>
#include <stdint.h>

struct worker {
    const struct model_plan *plan;
    struct board *board;
    void (*await_go)(const struct worker *worker);      /* returns when the round begins or stops */
    void (*await_release)(const struct worker *worker); /* returns when memory was read, or stop */
    jg_executor *elsewhere; /* computes and blocks instead of the worker; NULL: it does so itself */
    void *model;            /* the model's own */
};

/* Says that it has arrived, waits for go, and makes requests until none is left. Always 0. */
intptr_t worker_run(void *worker);

/* Takes the right to make one more request. False: all are taken, the sample is large enough, or so many
 * have failed and none succeeded that going on makes no sense: then the round is stopped. */
bool worker_take(const struct model_plan *plan, struct board *board);

/* Makes the HTTP client of one worker. Gives it. Returns 0, -ENOMEM. */
int worker_open(const struct model_plan *plan, jg_http_client **out_client);

/* Judges what jg_http_get returned: `error` or a response, whose body must have `body_bytes` (-1: any).
 *
 * Returns  BOARD_CAUSES for a good answer, with its size in `out_bytes`; else why it is none, which
 *          is also explained on the board.
 */
enum board_cause worker_judge(int error, jg_http_response *response, int64_t body_bytes,
                              struct board *board, int64_t *out_bytes);

#endif
