// SPDX-License-Identifier: MIT
/* waitq.h – a fair queue of parked tasks.
 *
 * Holds      struct waiter, one wait with its place in a queue, on the waiter's stack; jg_waitq only
 *            points at the ends.
 * Invariant  a waiter is in the queue exactly while it is parked and not woken; first in, first out.
 * Called by  the files of this room; exec/process_pool.c, os/signal.c.
 * Why        who wakes hands over: what the waiter waited for is its own from that moment, so a
 *            newcomer cannot take it and a cancel in the same tick cannot lose it.
 */
#ifndef SYNC_WAITQ_H
#define SYNC_WAITQ_H

#include "base/list.h"
#include "rt/sched.h"

#include <juggle/waitq.h>

struct waiter {
    struct wait wait; // first: its result is the waiter's
    jg_waitq_place place;
};

static inline bool waitq_empty(const jg_waitq *queue) {
    return queue->first == NULL;
}

/* Puts a place at the queue's end. For those who wait in several queues at once; else waitq_wait. */
static inline void waitq_append(jg_waitq *queue, jg_waitq_place *place) {
    jg_waitq_place *last = queue->last;
    *place = (jg_waitq_place){.prev = last, .queue = queue};
    if (last != NULL) {
        last->next = place;
    } else {
        queue->first = place;
    }
    queue->last = place;
}

/* Takes a place out of the queue it is in. */
static inline void waitq_remove(jg_waitq_place *place) {
    jg_waitq *queue = place->queue;
    must(queue != NULL);
    if (place->prev != NULL) {
        place->prev->next = place->next;
    } else {
        queue->first = place->next;
    }
    if (place->next != NULL) {
        place->next->prev = place->prev;
    } else {
        queue->last = place->prev;
    }
    place->queue = NULL;
}

/* Takes the longest waiter out of the queue: the caller wakes it. NULL when nobody waits. */
static inline struct waiter *waitq_take(jg_waitq *queue) {
    jg_waitq_place *place = queue->first;
    if (place == NULL) {
        return NULL;
    }
    waitq_remove(place);
    return container_of(place, struct waiter, place);
}

/* Waits at the queue's end. suspend_check comes before it: the caller may have something to look at
 * in between. Returns the result of the wake, or -ECANCELED. */
intptr_t waitq_wait(jg_waitq *queue, const struct wait_kind *kind);

/* The same with a record that is part of a greater one; its `wait` says how to undo the wait. */
intptr_t waitq_park(jg_waitq *queue, struct waiter *waiter);

/* Leaves the queue and wakes with -ECANCELED: the undo of a wait that changes nothing else. */
void waitq_undo(struct wait *wait);

/* Wakes the longest waiter with this result. Returns its coroutine, or NULL when nobody waits. */
struct coro *waitq_wake_one(jg_waitq *queue, intptr_t result);

/* Wakes all who wait now. */
void waitq_wake_all(jg_waitq *queue, intptr_t result);

#endif
