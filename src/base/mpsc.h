// SPDX-License-Identifier: MIT
/* mpsc.h – a queue that any thread may push to and one thread drains.
 *
 * Holds      a stack of nodes the pushers own until they are drained.
 * Invariant  push is one atomic exchange loop: lock-free and safe in a signal handler. drain takes
 *            all at once and turns them round, so that they come out in the order pushed.
 * Called by  rt/inbox.
 * Why        take-all has no ABA problem and no half-linked state, unlike a linked queue whose
 *            pusher was stopped between its two stores.
 */
#ifndef BASE_MPSC_H
#define BASE_MPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct mpsc_node {
    struct mpsc_node *next;
};

struct mpsc {
    _Atomic(struct mpsc_node *) newest;
};

static inline void mpsc_push(struct mpsc *queue, struct mpsc_node *node) {
    struct mpsc_node *seen = atomic_load_explicit(&queue->newest, memory_order_relaxed);
    do {
        node->next = seen;
    } while (!atomic_compare_exchange_weak_explicit(&queue->newest, &seen, node,
                                                    memory_order_seq_cst, memory_order_relaxed));
}

static inline bool mpsc_empty(struct mpsc *queue) {
    return atomic_load_explicit(&queue->newest, memory_order_seq_cst) == NULL;
}

/* Takes all nodes, oldest first, linked by `next`; NULL when there are none. */
static inline struct mpsc_node *mpsc_drain(struct mpsc *queue) {
    struct mpsc_node *newest = atomic_exchange_explicit(&queue->newest, NULL, memory_order_acquire);
    struct mpsc_node *oldest = NULL;
    while (newest != NULL) {
        struct mpsc_node *older = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    return oldest;
}

#endif
