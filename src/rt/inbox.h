// SPDX-License-Identifier: MIT
/* inbox.h – how other threads and signal handlers reach a loop.
 *
 * Holds      per loop a queue of items the senders own, and whether the loop sleeps.
 * Invariant  an item posted is delivered once, on the loop's thread, in the order posted; the kernel
 *            is asked for a wake-up only when the loop sleeps.
 * Called by  exec (finished work), os (signals); loop.c drains, each turn.
 * Why        push first, then look whether it sleeps; the loop says it sleeps, then looks again: one
 *            of the two always sees the other.
 */
#ifndef RT_INBOX_H
#define RT_INBOX_H

#include "base/mpsc.h"

struct loop;

struct inbox_item {
    struct mpsc_node node;
    void (*deliver)(struct inbox_item *item); // loop thread, must not suspend
};

struct inbox {
    struct mpsc queue;
    atomic_bool sleeping;
};

/* Posts an item to a loop. Any thread, signal handlers; the loop must outlive the call.
 * Owns: keeps `item` until it is delivered. */
void inbox_post(struct loop *loop, struct inbox_item *item);

/* Delivers what has come. Loop thread. Returns whether anything had. */
bool inbox_drain(struct inbox *inbox);

/* Says that the loop is about to sleep. Returns false when something has come: do not sleep. */
bool inbox_sleep(struct inbox *inbox);

/* Says that it is awake. */
void inbox_awake(struct inbox *inbox);

#endif
