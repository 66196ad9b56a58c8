// SPDX-License-Identifier: MIT
/* inbox.c – see inbox.h.
 *
 * Holds      nothing of its own.
 * Invariant  see inbox.h.
 * Called by  see inbox.h.
 * Why        seq_cst on both sides: the push and the look at `sleeping` must not pass each other.
 */
#include "rt/inbox.h"

#include "rt/loop.h"
#include "rt/op.h"

void inbox_post(struct loop *loop, struct inbox_item *item) {
    mpsc_push(&loop->inbox.queue, &item->node);
    if (atomic_load_explicit(&loop->inbox.sleeping, memory_order_seq_cst)) {
        loop->backend->ops->wakeup(loop->backend);
    }
}

bool inbox_drain(struct inbox *inbox) {
    if (likely(mpsc_empty(&inbox->queue))) {
        return false;
    }
    struct mpsc_node *node = mpsc_drain(&inbox->queue);
    while (node != NULL) {
        struct mpsc_node *next = node->next; // deliver may free the item
        struct inbox_item *item = (struct inbox_item *)(void *)node;
        item->deliver(item);
        node = next;
    }
    return true;
}

bool inbox_sleep(struct inbox *inbox) {
    // Not a store: the same instruction on x86, and qemu-user lets a load pass an AArch64 stlr.
    atomic_exchange_explicit(&inbox->sleeping, true, memory_order_seq_cst);
    if (!mpsc_empty(&inbox->queue)) {
        inbox_awake(inbox);
        return false;
    }
    return true;
}

void inbox_awake(struct inbox *inbox) {
    atomic_store_explicit(&inbox->sleeping, false, memory_order_relaxed);
}
