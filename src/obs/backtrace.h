// SPDX-License-Identifier: MIT
/* backtrace.h – where a thread is, from itself or from beside it.
 *
 * Holds      struct backtrace, a list of code addresses.
 * Invariant  code that waits in the kernel is never interrupted for it.
 * Called by  debug.c (here), watchdog.c (of another thread).
 * Why        see juggle/debug.h. Code that computes gets a signal, whose handler unwinds; code in a
 *            system call would see EINTR by that, so its stack is searched for return addresses.
 */
#ifndef OBS_BACKTRACE_H
#define OBS_BACKTRACE_H

#include "rt/coro.h"

#include <pthread.h>
#include <stdio.h>

enum { BACKTRACE_MOST = 40 };

struct backtrace {
    void *frames[BACKTRACE_MOST]; // innermost first
    int count;
    int skip;     // frames at the beginning that are ours
    bool exact;   // the first after those is where it is, not where it will return to
    bool scanned; // found by searching: some calls may be over
};

/* Makes the calling thread one that can be asked; a pair per loop. Returns whether its mask was
 * changed, which unprepare wants to know. */
bool backtrace_prepare(void);
void backtrace_unprepare(bool unblocked);

/* Around a fork: its locks are held, so that the child finds them free. The child has none of the
 * parent's loops: there the handler is taken back first. */
void backtrace_fork_begins(void);
void backtrace_fork_is_over(void);
void backtrace_forked(void);

/* Where the calling code is. */
void backtrace_here(struct backtrace *out_trace);

/* Where another thread is, whose running coroutine is `coro`; the caller sees to it that this one's
 * stack stays. Empty when the thread does not answer. */
void backtrace_of(struct backtrace *out_trace, pthread_t thread, pid_t tid,
                  const struct coro *coro);

/* Prints one line per frame. */
void backtrace_print(const struct backtrace *trace, FILE *out);

/* Whether the instruction before this address is a call. By processor. */
bool backtrace_follows_call(const unsigned char *address);

#endif
