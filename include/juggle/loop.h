// SPDX-License-Identifier: MIT
/* juggle/loop.h – the event loop itself: calls that are no tasks, reaching it from outside, and living
 * inside somebody else's loop.
 *
 * Holds      jg_call, one call to be made, by value in its owner: zero bytes are one that is not
 *            queued. jg_loop, what may outlive a loop: a counted handle through which other threads and
 *            signal handlers reach it.
 * Invariant  a call that was accepted is made exactly once, on its loop's thread, unless it is
 *            cancelled first, or its time has not come when the loop closes. Calls are made in the
 *            order they were queued; one that is queued by a call is made in the next round.
 * Why        nothing is allocated to queue a call, so it works in a signal handler and without memory.
 *
 * A call is made by the loop, in nobody's task: it must not suspend (-EDEADLK) and should be short. It
 * may spawn tasks, set futures and events, cancel, and queue calls, also itself. A call whose function
 * returns an error (not −ECANCELED) is reported once, with its name and the place where it was queued,
 * as jg_error_on_unretrieved says; the others are made all the same.
 */
#ifndef JUGGLE_LOOP_H
#define JUGGLE_LOOP_H

#include <juggle/base.h>
#include <juggle/run.h>
#include <juggle/scope.h>

JG_BEGIN_DECLS

/* A loop, as other threads know it: a counted handle. */
typedef struct jg_loop jg_loop;

/* One call to be made. Zero bytes: not queued. Fields are private. */
typedef struct jg_call {
    jg_link link; /* in one of its loop's queues */
    void (*deliver)(struct jg_call *call);
    jg_fn *fn;
    void *arg;
    const char *site; /* "function\0file.c:12" */
    void *loop;       /* the loop that has it, once that knows */
    jg_timer timer;
    int claimed; /* queued, or about to be; any thread */
} jg_call;

/* Queues `fn(arg)` to be made by this thread's loop in its next round, before tasks run that are spawned from
 * now on (not eagerly). Calls are made in the order they were queued.
 *
 * Returns  0; -EALREADY when this record is queued; -ENXIO without a loop, -ECHILD in a forked copy of
 *          one, -ESHUTDOWN while it closes.
 * Owns     keeps `call` until the call begins or is cancelled: it may be queued again from inside. */
#define jg_call_soon(call, fn, arg) jg_call_soon_at((call), (fn), (arg), #fn "\0" JG_HERE)
JG_API int jg_call_soon_at(jg_call *call, jg_fn *fn, void *arg, const char *site);

/* The same, `delay_ms` milliseconds from now; 0 or less is jg_call_soon. Calls due at the same time are
 * made in the order they were queued. The loop does not stay open for it. Also -ENOMEM. */
#define jg_call_later(call, delay_ms, fn, arg)                                                     \
    jg_call_later_at((call), (delay_ms), (fn), (arg), #fn "\0" JG_HERE)
JG_API int jg_call_later_at(jg_call *call, int64_t delay_ms, jg_fn *fn, void *arg,
                            const char *site);

/* The same, when jg_now() reaches `when_ns`. */
#define jg_call_at(call, when_ns, fn, arg)                                                         \
    jg_call_when_at((call), (when_ns), (fn), (arg), #fn "\0" JG_HERE)
JG_API int jg_call_when_at(jg_call *call, int64_t when_ns, jg_fn *fn, void *arg, const char *site);

/* Takes a queued call back: it is not made, and the record is the caller's again. On the thread of the
 * loop that has it; elsewhere a named abort.
 *
 * Returns  true; false when it is not queued: it has begun or never was. */
JG_API bool jg_call_cancel(jg_call *call);

/* Whether the record is queued. Any thread; what another one does may change it at once. */
JG_API bool jg_call_queued(const jg_call *call);

/* Returns the handle of this thread's loop, borrowed: valid until the loop closes, or as long as it is
 * held. NULL without a loop. */
JG_API jg_loop *jg_loop_current(void);

/* Takes a share in the handle, which keeps it valid beyond the loop's end, until jg_loop_drop. Whoever
 * posts from another thread or a signal handler sees to it that one is held: then a simulated loop also
 * knows that something can still come, and neither jumps ahead in time nor calls it a deadlock.
 *
 * Returns  `loop`.
 * Threads  any that knows it to be valid. */
JG_API jg_loop *jg_loop_hold(jg_loop *loop);

/* Gives the share up: from then on the handle may be gone. Any thread; not a signal handler. NULL is
 * allowed. */
JG_API void jg_loop_drop(jg_loop *loop);

/* Queues `fn(arg)` to be made by that loop, waking it if it sleeps. Takes no lock and no memory, keeps
 * errno, and makes a system call only if the loop sleeps. The function sees all that was written before.
 *
 * Returns  0: it will be made, also if the loop is about to close; -EALREADY when this record is queued:
 *          the call that is due sees all that was written before, too; -ESHUTDOWN when the loop is
 *          closed, -ECHILD when it stayed behind in a fork: then the record is the caller's again.
 * Owns     keeps `call` until the call begins or is cancelled.
 * Threads  any, and signal handlers. */
#define jg_post(loop, call, fn, arg) jg_post_at((loop), (call), (fn), (arg), #fn "\0" JG_HERE)
JG_API int jg_post_at(jg_loop *loop, jg_call *call, jg_fn *fn, void *arg, const char *site);

/* Opens a loop on this thread that somebody else turns: GLib, libuv, a poll(2) of your own. Until it is
 * closed, this thread's code outside of tasks is as inside a call: it may spawn, set and queue, and what
 * would suspend is -EDEADLK. Whoever turns it does this again and again:
 *
 *     struct pollfd ready = {.fd = jg_loop_fd(loop), .events = POLLIN};
 *     poll(&ready, 1, jg_loop_timeout(loop));    // and whatever else is waited for
 *     jg_loop_step(loop);
 *
 * Returns  0; -EBUSY when the thread has a loop, -ECHILD when that is a forked copy; -EOPNOTSUPP for
 *          "sim", whose time does not pass while others wait; -EINVAL, -ENOMEM, -EMFILE as jg_run.
 * Owns     gives the loop: jg_loop_close it, on this thread. `options` may be NULL. */
JG_API int jg_loop_open(const jg_run_options *options, jg_loop **out_loop);

/* Returns a descriptor that is readable when something has happened for the loop: wait for that, nothing
 * else. It stays the same as long as the loop is open. On the loop's thread; -ESHUTDOWN once it is
 * closed, -ECHILD in a forked child. */
JG_API int jg_loop_fd(jg_loop *loop);

/* Tells how long the descriptor may be waited for, in ms as poll(2) takes it: 0 when there is something to
 * do, -1 when only the descriptor can tell. Ask right before waiting: what is spawned, woken or queued
 * on the loop's own thread does not make the descriptor readable. Errors as jg_loop_fd. */
JG_API int jg_loop_timeout(jg_loop *loop);

/* Makes one turn without waiting: takes what has happened, makes the calls and timers that are due and
 * runs the tasks that are ready, each until it suspends, up to a budget.
 *
 * Returns  the number of tasks alive; -EDEADLK from a task or a call; else as jg_loop_fd. */
JG_API int jg_loop_step(jg_loop *loop);

/* Closes the loop: cancels the tasks that are left, turns until all have ended, makes the calls that were
 * accepted, and gives everything back. Waits as long as the tasks' clean-up takes. A lock that code outside
 * of tasks still holds is given up as that of a task that has ended (-EOWNERDEAD); a scope or group it has
 * left open is a named abort.
 *
 * Returns  0; -EDEADLK from a task or a call; else as jg_loop_fd. An error leaves the loop as it is.
 * Owns     takes the loop: after 0 it is gone; handles that are held stay valid. */
JG_API int jg_loop_close(jg_loop *loop);

JG_END_DECLS

#endif
