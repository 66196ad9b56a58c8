// SPDX-License-Identifier: MIT
/* waitq.c – see waitq.h.
 *
 * Holds      nothing.
 * Invariant  see waitq.h.
 * Called by  see waitq.h.
 * Why        a list with two loose ends, not a ring: zero bytes are an empty queue, and by-value
 *            objects can be moved while nobody waits.
 */
#include "sync/waitq.h"

static void unlink_waiter(struct waiter *waiter) {
    jg_waitq *queue = waiter->queue;
    if (waiter->prev != NULL) {
        waiter->prev->next = waiter->next;
    } else {
        queue->first = waiter->next;
    }
    if (waiter->next != NULL) {
        waiter->next->prev = waiter->prev;
    } else {
        queue->last = waiter->prev;
    }
}

static void undo_wait(struct wait *wait) {
    unlink_waiter((struct waiter *)(void *)wait);
    wake(wait, -ECANCELED);
}

intptr_t waitq_wait(jg_waitq *queue, const struct wait_kind *kind) {
    struct waiter waiter = {
        .wait = {.undo = undo_wait, .kind = kind}, .prev = queue->last, .queue = queue};
    if (waiter.prev != NULL) {
        waiter.prev->next = &waiter;
    } else {
        queue->first = &waiter;
    }
    queue->last = &waiter;
    intptr_t result = park(&waiter.wait);
    if (unlikely(waiter.wait.coro->loop == NULL)) {
        unlink_waiter(&waiter); // without a loop nobody could wake us: still in the queue
    }
    return result;
}

struct coro *waitq_wake_one(jg_waitq *queue, intptr_t result) {
    struct waiter *waiter = queue->first;
    if (waiter == NULL) {
        return NULL;
    }
    unlink_waiter(waiter);
    wake(&waiter->wait, result);
    return waiter->wait.coro;
}

void waitq_wake_all(jg_waitq *queue, intptr_t result) {
    while (waitq_wake_one(queue, result) != NULL) {}
}
