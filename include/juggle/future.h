// SPDX-License-Identifier: MIT
/* juggle/future.h – a word that is not there yet.
 *
 * Holds      by value in its owner: zero bytes are a pending future. Nothing is allocated to wait.
 *            Every task has one as well, its completion: jg_task_future.
 * Invariant  settled once; whoever waits then, or asks later, gets the same word.
 * Threads    tasks of one loop only: settling it from another thread while somebody waits, or is to be
 *            called, is a named abort, and so is waiting there for a task's, at the call.
 */
#ifndef JUGGLE_FUTURE_H
#define JUGGLE_FUTURE_H

#include <juggle/base.h>
#include <juggle/error.h>
#include <juggle/loop.h>

JG_BEGIN_DECLS

/* A word that is not there yet: see below. */
typedef struct jg_future jg_future;

/* Somebody who is told when a future settles. Private; embedded in what waits. */
typedef struct jg_watch {
    struct jg_watch *next;
    struct jg_watch *prev;
    jg_future *future; /* in whose list it is, or NULL */
    void (*fire)(struct jg_watch *watch, jg_future *future);
} jg_watch;

/* A future. Zero bytes: pending. Fields are private. */
struct jg_future {
    jg_watch *first; /* who is to be told, in the order of coming */
    jg_watch *last;
    intptr_t result;
    void *error;                         /* what jg_future_fail found recorded */
    const struct jg_future_owner *owner; /* who alone settles it, and how; NULL: anybody */
    bool done;
    bool of_task : 1; /* the completion of a task */
    bool owed : 1;    /* debug mode was told: somebody waited or is to be called, or it failed */
    bool seen;        /* somebody was given its failure */
    bool counted;     /* used while an array of futures is looked through */
};

/* Gives the future its word and wakes all who wait. Never runs them inside. An error word makes it
 * failed, -ECANCELED cancelled.
 *
 * Returns  0; -EALREADY when it is settled, keeping the first word; -EPERM for a task's or a
 *          job's. */
JG_API int jg_future_set(jg_future *future, intptr_t result);

/* Makes the future fail, with what the current task recorded behind it: `jg_future_fail(&f,
 * jg_fail(-EPROTO, "bad reply"))`. Everyone who waits gets the code and the record. The future holds
 * the record until jg_future_fini.
 *
 * Returns  as jg_future_set; -EINVAL when `code` is not an error. */
JG_API int jg_future_fail(jg_future *future, intptr_t code);

/* Ends a future that jg_future_fail made fail; others need no end, but may have one. A failure that
 * nobody was given is reported, see jg_error_on_unretrieved: one of jg_future_set too, which the caller of
 * this is named for. Debug mode reports a pending one that somebody waited for, unless it is settled or
 * ended, and one that jg_future_fail made fail, unless it is read or ended. While somebody waits, or is
 * to be called: a named abort. */
JG_API void jg_future_fini(jg_future *future);

/* Cancels a pending future: all who wait get -ECANCELED. A task's future cancels the task, and stays
 * pending until that has really ended. Returns whether it was pending. */
JG_API bool jg_future_cancel(jg_future *future);

/* Waits for the word; one that is there already is returned even while a cancel stands. Cancelling the
 * waiter leaves the future, or the task behind it, as it is: jg_join and jg_wait_for pass it on.
 *
 * Returns  the word, and for a failure what stands behind it, see jg_error_last (NULL after
 *          jg_future_set); -ECANCELED when the
 *          future or the waiter was cancelled; -EDEADLK for the caller's own, or when nothing could
 *          ever end the wait, as there is no loop. Not in a ring, see jg_join: a cancel ends the wait. */
JG_API JG_SUSPENDS intptr_t jg_future_wait(jg_future *future);

/* Waits for a future that goes on when the caller is cancelled: jg_future_wait under asyncio's name.
 * A task that fails after its waiter has left is still reported unless somebody joins it. */
JG_API JG_SUSPENDS intptr_t jg_shield(jg_future *future);

/* Waits for the word, but cancels the future when `timeout_ms` have passed (negative: no limit) or the caller
 * is cancelled, and then waits until it has really ended: a task's clean-up is over on return.
 *
 * Returns  the word, also one that answers the cancel; -ETIMEDOUT when the limit ended it; -ECANCELED;
 *          -ENOMEM when there was none to mind the limit, and the future was cancelled at once; -EDEADLK as
 *          jg_future_wait, and in a ring as jg_join. With 0 a task that has not begun never runs. */
JG_API JG_SUSPENDS intptr_t jg_wait_for(jg_future *future, int64_t timeout_ms);

/* Returns the word at once, as a wait for a future that has settled; -EAGAIN while it is pending. */
JG_API intptr_t jg_future_result(jg_future *future);

/* Returns what stands behind the failure, asyncio's exception(). NULL when the future is pending or did
 * not fail, was failed by jg_future_set, or there was no memory. Borrowed; valid as long as the future. */
JG_API const jg_error *jg_future_exception(jg_future *future);

/* Whether it is settled; whether it was cancelled. Neither counts as looking at a failure. */
JG_API bool jg_future_done(const jg_future *future);
JG_API bool jg_future_cancelled(const jg_future *future);

/* What is called when a future has settled: with its word, which stays the future's. It is a call of
 * the loop's, see juggle/loop.h: in nobody's task, and it must not suspend. */
typedef void jg_done_fn(void *arg, intptr_t result);

/* One such call, by value in its owner. Zero bytes: not in use. Fields are private. */
typedef struct jg_done_callback {
    jg_watch watch;
    jg_call call;
    jg_done_fn *fn;
    void *arg;
    intptr_t result;
    const char *site;
    uint64_t place; /* the loop that makes the call */
} jg_done_callback;

/* Has `fn(arg, word)` called once the future has settled: in the loop's next round, never inside what
 * settles it, also if it has settled before. Calls are made in the order they were asked for. The future
 * itself may be gone by then. Does not count as looking at a failure. What was settled before the loop has
 * closed is called for, in its last calls at the latest; a future that is still pending then is not, and to
 * settle it later is a named abort unless the callback has been removed.
 *
 * Returns  0; -EALREADY while the record is in use; -ENXIO without a loop, -ECHILD in a forked copy of one;
 *          -ESHUTDOWN in the last calls of one that closes.
 * Owns     keeps `callback` until the call begins or is removed. */
#define jg_future_add_done_callback(future, callback, fn, arg)                                     \
    jg_future_add_done_callback_at((future), (callback), (fn), (arg), #fn "\0" JG_HERE)
JG_API int jg_future_add_done_callback_at(jg_future *future, jg_done_callback *callback,
                                          jg_done_fn *fn, void *arg, const char *site);

/* Takes it back. Returns whether the call had yet to be made: then it will not be. */
JG_API bool jg_future_remove_done_callback(jg_done_callback *callback);

JG_END_DECLS

#endif
