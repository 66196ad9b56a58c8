// SPDX-License-Identifier: MIT
/* call.h – calls the loop makes between tasks.
 *
 * Holds      per loop two rings of jg_call: those due in the next round, and those whose time has yet
 *            to come.
 * Invariant  call->loop is NULL exactly while it is in neither; a round makes the calls that were there
 *            when it began, in order, each out of its ring before it is made.
 * Called by  task/call.c (queueing, cancelling), os/signal.c (the same), loop.c (a round each turn, and
 *            the end).
 * Why        a ring per round: a call cancelled in the middle of one takes itself out, and one that is
 *            queued then belongs to the next, so that calls cannot starve tasks.
 */
#ifndef RT_CALL_H
#define RT_CALL_H

#include <juggle/loop.h>

struct loop;

struct calls {
    jg_link ready;
    jg_link timed;
};

void calls_init(struct calls *calls);

/* Whether a call is due. */
static inline bool calls_due(const struct calls *calls) {
    return calls->ready.next != &calls->ready;
}

/* Queues a call that is in no ring for the next round, or for `when_ns`: 0 or -ENOMEM. */
void call_make_ready(struct loop *loop, jg_call *call);
int call_make_timed(struct loop *loop, jg_call *call, int64_t when_ns);

/* Takes a call out of its ring, after a look into the inbox. Returns whether it was in one of this
 * loop's. One of another loop's is a misuse. */
bool call_take_back(struct loop *loop, jg_call *call);

/* Makes the calls that are due: those queued before and those posted. */
void calls_round(struct loop *loop);

/* The loop closes: closes its inbox, makes the calls that were accepted, those that they queue as well, and
 * gives up those whose time has not come. */
void calls_close(struct loop *loop);

/* A record is claimed by whoever queues it, from any thread, and released before its function runs. Who
 * fails to claim it knows that the call is still to come: it sees what was written before. */
static inline bool call_claim(jg_call *call) {
    return __atomic_exchange_n(&call->claimed, 1, __ATOMIC_ACQ_REL) == 0;
}

static inline void call_release(jg_call *call) {
    __atomic_exchange_n(&call->claimed, 0, __ATOMIC_ACQ_REL);
}

#endif
