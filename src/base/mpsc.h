// SPDX-License-Identifier: MIT
/* mpsc.h – a queue that any thread may push to and one thread drains, until it is closed.
 *
 * Holds      a stack of links, whose `next` the queue uses, of records the pushers own until drained.
 * Invariant  push is one atomic exchange loop: lock-free and safe in a signal handler. drain takes
 *            all at once and turns them round, so that they come out in the order pushed. What was
 *            pushed comes out of a drain or of the close; nothing goes in after that.
 * Called by  rt/inbox.
 * Why        take-all has no ABA problem and no half-linked state, unlike a linked queue whose
 *            pusher was stopped between its two stores. Closed is a value of the same word, so that
 *            a push is either before the close or sees it.
 */
#ifndef BASE_MPSC_H
#define BASE_MPSC_H

#include <juggle/base.h>
#include <stdatomic.h>

struct mpsc {
    _Atomic(jg_link *) newest; // NULL: empty; MPSC_CLOSED
};

#define MPSC_CLOSED ((jg_link *)(uintptr_t)1)

/* Pushes a link. Returns false, and did nothing, once the queue is closed. */
static inline bool mpsc_push(struct mpsc *queue, jg_link *link) {
    jg_link *seen = atomic_load_explicit(&queue->newest, memory_order_relaxed);
    do {
        if (seen == MPSC_CLOSED) {
            return false;
        }
        link->next = seen;
    } while (!atomic_compare_exchange_weak_explicit(&queue->newest, &seen, link,
                                                    memory_order_seq_cst, memory_order_relaxed));
    return true;
}

/* Whether a drain would bring nothing. */
static inline bool mpsc_empty(struct mpsc *queue) {
    const jg_link *newest = atomic_load_explicit(&queue->newest, memory_order_seq_cst);
    return newest == NULL || newest == MPSC_CLOSED;
}

static inline bool mpsc_closed(struct mpsc *queue) {
    return atomic_load_explicit(&queue->newest, memory_order_acquire) == MPSC_CLOSED;
}

static inline jg_link *mpsc_turn_round(jg_link *newest) {
    jg_link *oldest = NULL;
    while (newest != NULL && newest != MPSC_CLOSED) {
        jg_link *older = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    return oldest;
}

/* Takes all, oldest first, linked by `next`; NULL when there is nothing. Not once it is closed. */
static inline jg_link *mpsc_drain(struct mpsc *queue) {
    return mpsc_turn_round(atomic_exchange_explicit(&queue->newest, NULL, memory_order_acquire));
}

/* Closes the queue for good. Returns what was in it, as mpsc_drain. */
static inline jg_link *mpsc_close(struct mpsc *queue) {
    return mpsc_turn_round(
        atomic_exchange_explicit(&queue->newest, MPSC_CLOSED, memory_order_acq_rel));
}

#endif
