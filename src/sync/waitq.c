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

void waitq_undo(struct wait *wait) {
    waitq_remove(&((struct waiter *)(void *)wait)->place);
    wake(wait, -ECANCELED);
}

intptr_t waitq_park(jg_waitq *queue, struct waiter *waiter) {
    waitq_append(queue, &waiter->place);
    intptr_t result = park(&waiter->wait);
    if (unlikely(waiter->wait.coro->loop == NULL)) {
        waitq_remove(&waiter->place); // without a loop nobody could wake us: still in the queue
    }
    return result;
}

intptr_t waitq_wait(jg_waitq *queue, const struct wait_kind *kind) {
    struct waiter waiter = {.wait = {.undo = waitq_undo, .kind = kind}};
    return waitq_park(queue, &waiter);
}

struct coro *waitq_wake_one(jg_waitq *queue, intptr_t result) {
    struct waiter *waiter = waitq_take(queue);
    if (waiter == NULL) {
        return NULL;
    }
    wake(&waiter->wait, result);
    return waiter->wait.coro;
}

void waitq_wake_all(jg_waitq *queue, intptr_t result) {
    while (waitq_wake_one(queue, result) != NULL) {}
}
