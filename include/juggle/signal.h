// SPDX-License-Identifier: MIT
/* juggle/signal.h – waiting for signals, as for anything else.
 *
 * Holds      jg_signals, a watch on a set of signals, by value in its owner. While a signal is watched
 *            a handler of ours stands in for its action; with its last watch the action it had before
 *            comes back, unless somebody has set another meanwhile.
 * Invariant  every watch sees every signal of its set that comes while it is open. As signals do, those
 *            of one number that come before the first of them is taken count as one.
 * Threads    any number of watches, in any number of loops and threads. Nothing is blocked, so it does
 *            not matter which thread the kernel picks; only a signal that all threads block never
 *            comes. A watch belongs to the loop, or the thread without one, that opened it.
 * Why        the handler itself runs nothing of the program: it notes the number and wakes who waits.
 *
 * How a program that was started ends is not learned from SIGCHLD, but by jg_process_wait.
 */
#ifndef JUGGLE_SIGNAL_H
#define JUGGLE_SIGNAL_H

#include <juggle/base.h>
#include <juggle/loop.h>
#include <juggle/waitq.h>
#include <semaphore.h>
#include <signal.h>

JG_BEGIN_DECLS

/* A set of signals: `JG_SIGNAL(SIGINT) | JG_SIGNAL(SIGTERM)`. */
#define JG_SIGNAL(number) (UINT64_C(1) << ((number)-1))

/* A watch. Zero bytes: not open. Fields are private. */
typedef struct jg_signals {
    struct jg_signals *next; /* in the process's list; read by handlers */
    uint64_t set;            /* empty: not open */
    uint64_t pending;        /* came and were not taken; written by handlers */
    jg_loop *loop;           /* NULL: of a thread without one */
    jg_call call;            /* how a handler reaches the loop */
    jg_waitq waiters;
    sem_t arrived; /* how it reaches a thread */
    uint32_t forks;
} jg_signals;

/* Begins to watch. From now on the signals of the set do not have their usual effect. A watch that is open
 * when its loop ends is closed then, as descriptors are; debug mode says so. One that a task left open on its
 * own stack, which is no more, ends the program with a message.
 *
 * Returns  0; -EALREADY when it is open; -EINVAL for an empty set, and for signals that cannot be watched:
 *          SIGKILL, SIGSTOP, and those a program raises by its own fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL,
 *          SIGTRAP, SIGSYS, SIGABRT).
 * Owns     keeps `signals` until jg_signals_close, or the end of the loop. */
JG_API int jg_signals_open(jg_signals *signals, uint64_t set);

/* Waits for the next signal: the lowest number first, of several that have come. Several tasks may
 * wait, the first gets it. For time in a simulated loop see <juggle/sim.h>.
 *
 * Returns  the signal's number; -EBADF when the watch is closed, also meanwhile; -ECANCELED: then no signal
 *          was taken; -ECHILD in a forked child. */
JG_API JG_SUSPENDS int jg_signals_next(jg_signals *signals);

/* Ends the watch: who waits gets -EBADF. Signals that came and were not taken are dropped. Does
 * nothing to one that is closed; nor in a forked child: there the actions of before are back already. */
JG_API void jg_signals_close(jg_signals *signals);

/* Waits for one signal of the set: open, next, close. Before and after it signals have their usual
 * effect, so whoever waits again and again uses a watch. Returns the number, or errors as those do. */
JG_API JG_SUSPENDS int jg_signal_wait(uint64_t set);

JG_END_DECLS

#endif
