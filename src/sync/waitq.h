// SPDX-License-Identifier: MIT
/* waitq.h – a fair queue of parked tasks.
 *
 * Holds      struct waiter, one wait, on the waiter's stack; jg_waitq only points at the ends.
 * Invariant  a waiter is in the queue exactly while it is parked and not woken; first in, first out.
 * Called by  lock, event, sem, and task's future.
 * Why        who wakes hands over: what the waiter waited for is its own from that moment, so a
 *            newcomer cannot take it and a cancel in the same tick cannot lose it.
 */
#ifndef SYNC_WAITQ_H
#define SYNC_WAITQ_H

#include "rt/sched.h"

#include <juggle/future.h>

struct waiter {
    struct wait wait;
    struct waiter *next;
    struct waiter *prev;
    jg_waitq *queue;
};

/* Waits at the queue's end. suspend_check comes before it: the caller may have something to look at
 * in between. Returns the result of the wake, or -ECANCELED. */
intptr_t waitq_wait(jg_waitq *queue, const struct wait_kind *kind);

/* Wakes the longest waiter with this result. Returns its coroutine, or NULL when nobody waits. */
struct coro *waitq_wake_one(jg_waitq *queue, intptr_t result);

/* Wakes all who wait now. */
void waitq_wake_all(jg_waitq *queue, intptr_t result);

static inline bool waitq_empty(const jg_waitq *queue) {
    return queue->first == NULL;
}

#endif
