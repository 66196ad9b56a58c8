// SPDX-License-Identifier: MIT
/* juggle/queue.h – work handed from task to task: first in first out, last in first out, or by priority.
 *
 * Holds      items of one word each, in memory of the queue's own that grows with their number.
 * Invariant  an item that was put is got once, or dropped by an immediate shutdown or the end of the
 *            queue. Who waits is served first come, first served.
 * Threads    tasks of one loop only.
 * Why        an item that meets a waiting getter never touches the memory; a put allocates only when
 *            more items than ever before lie in the queue.
 */
#ifndef JUGGLE_QUEUE_H
#define JUGGLE_QUEUE_H

#include <juggle/base.h>
#include <juggle/waitq.h>

JG_BEGIN_DECLS

/* Which item is got next. Among those that compare as equal: the oldest. */
typedef enum jg_queue_order {
    JG_FIFO,     /* the oldest */
    JG_LIFO,     /* the newest */
    JG_PRIORITY, /* the first by the compare function */
} jg_queue_order;

/* Tells which of two items goes first: below 0, `a`; above, `b`. It must not suspend: what would is
 * -EDEADLK in it, as in JG_NO_SUSPEND. To put into the queue there, or take from it, is a named abort. */
typedef int jg_queue_compare_fn(intptr_t a, intptr_t b);

/* What a queue is like. All zero is the default. */
typedef struct jg_queue_options {
    jg_queue_order order;         /* which item is next */
    size_t capacity;              /* most items that may lie in it; 0: any number */
    jg_queue_compare_fn *compare; /* JG_PRIORITY; NULL: as numbers, the smallest first */
    jg_drop_fn *drop;             /* called for each item nobody will get */
} jg_queue_options;

/* A queue. Zero bytes: first in first out, without limit. Fields are private. */
typedef struct jg_queue {
    jg_waitq getters;
    jg_waitq putters;
    jg_waitq joiners;
    jg_queue_options options;
    void *items;
    size_t room;       /* items there is memory for */
    size_t head;       /* index of the oldest; 0 under JG_PRIORITY */
    size_t count;      /* items in it */
    uint64_t sequence; /* items put so far, under JG_PRIORITY */
    size_t unfinished; /* items put and not reported as done */
    bool shut;
    bool comparing; /* two of its items */
} jg_queue;

/* Starts a queue; NULL: with the default options. Allocates nothing. */
JG_API void jg_queue_init(jg_queue *queue, const jg_queue_options *options);

/* Shuts the queue, drops the items that are left and frees the memory; the queue is then as after zeroing.
 * Nobody may wait in it: a named abort. */
JG_API void jg_queue_fini(jg_queue *queue);

/* Puts an item in, waiting for a place behind all who came before.
 *
 * Returns  0; -EPIPE once the queue is shut, also while it waits; -ENOMEM when there is no memory for one
 *          more; -ECANCELED; -EDEADLK without a loop and a deadline. On an error the item is still the
 *          caller's.
 * Owns     keeps the item until it is got or dropped. */
JG_API JG_SUSPENDS int jg_queue_put(jg_queue *queue, intptr_t item);

/* The same, if there is a place. Returns as above, or -EAGAIN. */
JG_API int jg_queue_try_put(jg_queue *queue, intptr_t item);

/* Gets the next item, waiting for one behind all who came before. An item handed over in the tick of a
 * cancel is got.
 *
 * Returns  0; -EPIPE once the queue is shut and empty, also while it waits; -ECANCELED; -EDEADLK without
 *          a loop and a deadline.
 * Owns     gives the item. */
JG_API JG_SUSPENDS int jg_queue_get(jg_queue *queue, intptr_t *out_item);

/* The same, if there is an item. Returns as above, or -EAGAIN. */
JG_API int jg_queue_try_get(jg_queue *queue, intptr_t *out_item);

/* Reports that an item got earlier has been dealt with. Returns 0; -EINVAL when that was reported of
 * all items already. */
JG_API int jg_queue_task_done(jg_queue *queue);

/* Waits until every item put so far was reported as done, or dropped. Returns 0; -ECANCELED; -EDEADLK
 * without a loop and a deadline. */
JG_API JG_SUSPENDS int jg_queue_join(jg_queue *queue);

/* Shuts the queue: who puts, or waits to, gets -EPIPE; getters get what is left, then -EPIPE.
 * `immediate` drops what is left, and counts it as done. May be called again. */
JG_API void jg_queue_shutdown(jg_queue *queue, bool immediate);

/* Returns the number of items in the queue; of those not reported as done. */
JG_API size_t jg_queue_count(const jg_queue *queue);
JG_API size_t jg_queue_unfinished(const jg_queue *queue);

/* Whether a put would have to wait. */
JG_API bool jg_queue_is_full(const jg_queue *queue);

JG_END_DECLS

#endif
