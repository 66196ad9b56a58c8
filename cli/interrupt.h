// SPDX-License-Identifier: MIT
/* interrupt.h – signals as events: the user's ^C, and the end of children.
 *
 * Holds      which signal asked to stop, and how often.
 * Invariant  after interrupt_begin no signal interrupts code at an arbitrary place; the signals
 *            are taken only inside interrupt_wait.
 * Called by  race_main.c, round.c, race.c, in the parent; the reports; children, at their start.
 * Why        with handlers, every wait would have a race between "was it asked?" and "sleep".
 * Quirks     children inherit blocked signals: each calls interrupt_end first. A signal that the
 *            caller has ignored (trap '' INT, or & in a script) stays ignored.
 */
#ifndef JUGGLE_CLI_INTERRUPT_H
#define JUGGLE_CLI_INTERRUPT_H

#include <signal.h>

/* Tells by which signals this process may be asked to stop: SIGINT and SIGTERM, unless ignored. */
void interrupt_requests(sigset_t *out_set);

/* Blocks those and SIGCHLD for this process: interrupt_wait takes them from now on. */
void interrupt_begin(void);

/* Gives the signals their former meaning back, in a child or at the end. */
void interrupt_end(void);

/* Sleeps until one of the signals comes or `limit_ms` have passed.
 *
 * Returns  the signal's number; 0 when the time is over.
 */
int interrupt_wait(int limit_ms);

/* How often the user has asked to stop, and by which signal first (0: not at all). */
unsigned interrupt_count(void);
int interrupt_signal(void);

#endif
