// SPDX-License-Identifier: MIT
/* juggle/waitq.h – a queue of parked tasks, for what embeds one.
 *
 * Holds      both ends; the places between them lie on the stacks of those who wait.
 * Invariant  zero bytes are an empty queue.
 * Why        locks, queues and channels lie by value in their users' structs, so their size is known.
 *            All fields are private.
 */
#ifndef JUGGLE_WAITQ_H
#define JUGGLE_WAITQ_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* First come, first served. Private. */
typedef struct jg_waitq {
    void *first;
    void *last;
} jg_waitq;

/* A place in such a queue. Private. */
typedef struct jg_waitq_place {
    struct jg_waitq_place *next;
    struct jg_waitq_place *prev;
    jg_waitq *queue; /* NULL: in none */
} jg_waitq_place;

JG_END_DECLS

#endif
