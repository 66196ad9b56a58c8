// SPDX-License-Identifier: MIT
/* juggle/future.h – a word that is not there yet.
 *
 * Holds      by value in its owner: zero bytes are a pending future. Nothing is allocated to wait.
 * Invariant  set once; whoever waits then, or asks later, gets the same word.
 * Threads    tasks of one loop only: setting it from another thread is a named abort.
 */
#ifndef JUGGLE_FUTURE_H
#define JUGGLE_FUTURE_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* A queue of parked tasks, first come first served. Private; embedded in what can be waited for. */
typedef struct jg_waitq {
    void *first;
    void *last;
} jg_waitq;

/* A future. Zero bytes: pending. Fields are private. */
typedef struct jg_future {
    jg_waitq waiters;
    intptr_t result;
    bool done;
    bool cancelled;
} jg_future;

/* Gives the future its word and wakes all who wait. Never runs them inside. An error word makes it
 * failed.
 *
 * Returns  0; -EALREADY when it is done, keeping the first word. */
JG_API int jg_future_set(jg_future *future, intptr_t result);

/* Cancels a pending future: all who wait get -ECANCELED. Returns whether it was pending. */
JG_API bool jg_future_cancel(jg_future *future);

/* Waits for the word; one that is there already is returned even while a cancel stands. Cancelling the
 * waiter leaves the future as it is.
 *
 * Returns  the word; -ECANCELED when the future or the waiter was cancelled. */
JG_API JG_SUSPENDS intptr_t jg_future_wait(jg_future *future);

/* Returns the word at once; -EAGAIN while it is pending. */
JG_API intptr_t jg_future_result(const jg_future *future);

JG_API bool jg_future_done(const jg_future *future);
JG_API bool jg_future_cancelled(const jg_future *future);

JG_END_DECLS

#endif
