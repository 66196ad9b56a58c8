// SPDX-License-Identifier: MIT
/* queue_store.h – where the items of a jg_queue lie, and in which order they come out.
 *
 * Holds      nothing; the memory is the queue's.
 * Invariant  an item that went in comes out once; the memory grows, and shrinks only when it is freed.
 * Called by  queue.c. Calls base/mem, and whoever compares.
 * Why        the order is the only thing in which the kinds of queue differ.
 */
#ifndef SYNC_QUEUE_STORE_H
#define SYNC_QUEUE_STORE_H

#include <juggle/queue.h>

/* Adds an item. Returns 0 or -ENOMEM; 0 for sure when one was taken just before. */
int store_push(jg_queue *queue, intptr_t item);

/* Takes the next item; there must be one. */
intptr_t store_pop(jg_queue *queue);

/* Frees the memory; no item may be left. */
void store_free(jg_queue *queue);

#endif
