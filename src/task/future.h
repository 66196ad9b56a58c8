// SPDX-License-Identifier: MIT
/* future.h – being told that a future has settled: what every wait for one is made of.
 *
 * Holds      nothing; jg_watch is a link in the list of the future it watches.
 * Invariant  a watch is fired at most once, with the future it was in; firing never runs code of a
 *            user's: it wakes, counts or queues.
 * Called by  future.c (one future), many.c (arrays of them), task.c (joining), group.c (starting).
 * Why        join, wait_for, gather and callbacks differ in what they do when told, in nothing else.
 */
#ifndef TASK_FUTURE_H
#define TASK_FUTURE_H

#include "base/check.h"
#include "rt/observe.h"

#include <juggle/future.h>

struct error_record;
struct jg_task_record;
struct wait;

/* How a future that is settled from another thread is reached. */
struct jg_future_owner {
    // Cancels what will settle it. Returns whether it did; the future is settled then.
    bool (*cancel)(jg_future *future);
    // Whether it can be settled here. Returns 0; -ECHILD in a forked child, when who could stayed behind.
    int (*check)(jg_future *future);
    // Blocks a thread without a loop until it is settled. Returns 0; -ETIMEDOUT; -EDEADLK.
    int (*block)(jg_future *future, int64_t deadline_ns);
    // What a wait for it is to people.
    const struct wait_kind *wait;
};

/* Settles it for its owner. Takes a share in what stands behind a failure, or NULL. */
void future_settle(jg_future *future, intptr_t result, struct error_record *error);

/* Links a watch whose `fire` is filled in. After the future has settled it is only told, by its link
 * being cut, that the future is gone. */
static inline void future_watch(jg_future *future, jg_watch *watch) {
    jg_watch *last = future->last;
    watch->future = future;
    watch->next = NULL;
    watch->prev = last;
    *(last != NULL ? &last->next : &future->first) = watch;
    future->last = watch;
}

/* Unlinks it; does nothing when it is not linked. */
void future_unwatch(jg_watch *watch);

/* Tells everyone that the future has settled. */
static inline void future_fire(jg_future *future) {
    jg_watch *watch = future->first;
    must(future->done);
    future->first = NULL;
    future->last = NULL;
    while (watch != NULL) {
        jg_watch *next = watch->next;
        watch->future = NULL;
        watch->fire(watch, future);
        watch = next;
    }
}

/* Cuts the links of those who have been told and still hold on to the future: it is going away. */
void future_forget(jg_future *future);

/* The rest of the two below, where somebody looks on. */
void future_tell_owed(jg_future *future, const struct coro *coro, const jg_done_callback *callback);
void future_tell_unowed(jg_future *future, const jg_done_callback *callback);

/* Tells who looks on, if anybody does, that a pending future is owed to somebody whom no wait shows: see
 * struct observer_ops. That of a task or a job is not the user's to settle, and is passed over. */
static inline void future_owe(jg_future *future, const struct coro *coro,
                              const jg_done_callback *callback) {
    if (unlikely(is_observed(coro))) {
        future_tell_owed(future, coro, callback);
    }
}

/* Whether they were told so. */
static inline bool future_owed(const jg_future *future) {
    return OBSERVABLE && future->owed;
}

/* The same, that it is not owed to that callback any more, or for NULL to nobody; if they were told that
 * it is. */
static inline void future_owe_no_more(jg_future *future, const jg_done_callback *callback) {
    if (unlikely(future_owed(future))) {
        future_tell_unowed(future, callback);
    }
}

/* Somebody has been given the failure of a settled future. */
static inline void future_see(jg_future *future) {
    future->seen = true;
    future_owe_no_more(future, NULL);
}

/* Returns a share in what stands behind the failure, or NULL; somebody has now been given it. */
struct error_record *future_error(jg_future *future);

/* Who waits by this watch and does not go on, whatever is cancelled, before its future has settled; NULL:
 * nobody. */
struct jg_task_record *future_bound(const jg_watch *watch);
struct jg_task_record *many_bound(const jg_watch *watch); // many.c

/* Whether this wait is such a one. */
bool future_binds(const struct wait *wait);
bool many_binds(const struct wait *wait); // many.c

/* Parks until the pending future settles. A cancel of the caller ends the wait; or, if there is a
 * `victim`, cancels that instead, and the wait goes on until the future settles.
 *
 * Returns  the word; -ECANCELED, -EDEADLK, -ECHILD with the future still pending when it could not
 *          wait. */
intptr_t future_await(jg_future *future, jg_future *victim);

#endif
