// SPDX-License-Identifier: MIT
/* opened.h – what was opened on loops in debug mode and is not closed yet, and who opened it.
 *
 * Holds      a table of the process: what is opened on one loop may be closed anywhere.
 * Invariant  all under one lock. How many are in it can be read without: while it is none, as without debug
 *            mode, a close costs one look.
 * Called by  watch.c, debug.c; whoever closes, through observe.h.
 * Why        every handle tells of its opening and its close, whatever stands behind it: a descriptor of the
 *            loop's backend, or of its own, a program, or a worker.
 */
#ifndef OBS_OPENED_H
#define OBS_OPENED_H

#include "obs/watch.h"
#include "rt/observe.h"

/* Remembers a thing: see observe_opened. */
void opened_add(const struct watch *watch, const void *thing, const char *what, int number,
                const char *how);

/* Reports what was opened on this loop, and forgets it. */
void opened_report(const struct watch *watch);

/* Around a fork: its lock is held, so that the child finds it free. */
void opened_fork_begins(void);
void opened_fork_is_over(void);

#endif
