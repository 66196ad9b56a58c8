// SPDX-License-Identifier: MIT
/* board.h – where the workers of one round, their leader and the parent meet.
 *
 * Holds      gates, tickets, results and time stamps, in memory all of them share.
 * Invariant  issued = ok + failed + in flight, at every moment; what a killed worker had in
 *            flight stays in flight for ever and is reported as aborted.
 * Called by  worker.c, models.c, floor.c (in the measured child), round.c (in the parent).
 * Why        everything a report needs is here from the moment it happened: a child that is killed
 *            takes no result with it, and the parent can look without asking.
 * Quirks     zero bytes are a valid board. All waiting is by futex on shared words; a waiter is woken
 *            once, by whoever completes the count, not by every arrival.
 */
#ifndef JUGGLE_CLI_BOARD_H
#define JUGGLE_CLI_BOARD_H

#include "cost.h"
#include "hist.h"

#include <stdbool.h>
#include <stdint.h>

/* Why a request failed. */
enum board_cause {
    BOARD_CONNECT,  /* refused, unreachable, not resolved */
    BOARD_CLOSED,   /* reset, or closed before the answer was complete */
    BOARD_TIMEOUT,  /* no complete answer in time */
    BOARD_PROTOCOL, /* an answer that is not HTTP */
    BOARD_SIZE,     /* an answer larger than the client takes */
    BOARD_STATUS,   /* a status other than 2xx */
    BOARD_LENGTH,   /* a body of another length than the first one */
    BOARD_LOCAL,    /* this machine ran out of something */
    BOARD_OTHER,
    BOARD_CAUSES,
};

/* The words of a cause: for people ("connection refused"), and as a JSON key. */
const char *board_cause_text(enum board_cause cause);
const char *board_cause_key(enum board_cause cause);

enum { BOARD_TEXT_SIZE = 200 };

struct board {
    /* Gates. Each is a count or a flag somebody waits on. */
    _Atomic uint32_t arrived; /* workers ready to begin */
    _Atomic uint32_t go;      /* set by the leader: begin */
    _Atomic uint32_t held;    /* workers holding their first answer */
    _Atomic uint32_t release; /* set by the parent: let the answer go */
    _Atomic uint32_t plateau; /* set by the leader: all are holding, memory can be read */
    _Atomic uint32_t stop;    /* set by the parent: take no more requests */

    /* Requests. */
    _Atomic uint64_t tickets; /* taken; may exceed what there is to take */
    _Atomic uint64_t ok;
    _Atomic uint64_t failed[BOARD_CAUSES];
    _Atomic uint64_t failed_total;
    _Atomic uint64_t in_flight;
    _Atomic uint64_t in_flight_peak;
    _Atomic uint64_t connections; /* opened, the first ones included */
    _Atomic uint64_t bytes;       /* of bodies */

    /* Workers. */
    _Atomic uint64_t workers_died; /* ended without handing back their word */
    struct cost_sum until_go;      /* what they and their leader used until "go" */

    /* When, on CLOCK_MONOTONIC. Written by the leader; 0: not yet. */
    _Atomic int64_t ready_ns;
    _Atomic int64_t go_ns;
    _Atomic int64_t end_ns;

    /* The first thing that went wrong, in words; and why the model could not run, if so. */
    _Atomic int32_t error;
    _Atomic uint32_t failure_claimed;
    _Atomic uint32_t failure_written;
    enum board_cause failure_cause;
    char failure[BOARD_TEXT_SIZE];

    _Atomic uint32_t beat_over; /* set by the leader: the beat ends */

    struct hist latency; /* of requests that succeeded */
    struct hist late;    /* of the beat */
};

/* Maps a zeroed board that children share. Returns NULL when there is no memory. */
struct board *board_open(void);
void board_close(struct board *board);

/* CLOCK_MONOTONIC in ns. */
int64_t board_now_ns(void);

/* Raises a gate word by one; whoever waits on it is woken when it reaches `wake_at`. */
void board_raise(_Atomic uint32_t *word, uint32_t wake_at);

/* Waits until `*word` is at least `least`, at most `limit_ms` (negative: for ever). Returns whether
 * it is. */
bool board_await(_Atomic uint32_t *word, uint32_t least, int limit_ms);

/* Opens all gates and lets nobody take a request any more. */
void board_stop(struct board *board);

/* Takes the right to make one of `requests` requests. False: there is none left, or stop is set. */
bool board_take(struct board *board, uint64_t requests);

/* Ends a request that was taken. */
void board_succeed(struct board *board, uint64_t latency_ns, uint64_t body_bytes);
void board_fail(struct board *board, enum board_cause cause);

/* Keeps the text if it is the first. `cause` is that of the request which failed; BOARD_CAUSES when
 * something else did. */
void board_explain(struct board *board, enum board_cause cause, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the race of this model for what is no request's failure: keeps the text if it is the first, and the
 * negative errno, and stops. */
void board_give_up(struct board *board, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns the first explanation, and the cause it belongs to; "" and BOARD_CAUSES if there is none. */
const char *board_explanation(const struct board *board);
enum board_cause board_explained_cause(const struct board *board);

/* The leader's three moments. `ready`: all workers exist. `go`: begin. `end`: all are joined. */
void board_ready(struct board *board);
void board_go(struct board *board);
void board_end(struct board *board);

#endif
