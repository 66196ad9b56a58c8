// SPDX-License-Identifier: MIT
/* fault.h – a stack overflow, and what is used after its loop, die by name.
 *
 * Holds      an alternate signal stack per thread that runs a loop; one SIGSEGV handler per process.
 * Invariant  the handler is set only where SIGSEGV had its default action, and taken back with the
 *            last loop; any fault that is not in our guards, or where our stacks were, goes on as if it
 *            were not there.
 * Called by  task (jg_run), loop.c (forks).
 * Why        a parked neighbour's stack is guarded anyway; the name and the size turn a core file
 *            into an answer.
 */
#ifndef RT_FAULT_H
#define RT_FAULT_H

/* Sets up reporting on this thread. Failing to is no error: the fault is then only unnamed. */
void fault_watch(void);

/* Undoes it. */
void fault_unwatch(void);

/* Around a fork: keeps the lock's copy in the child from being locked by a thread it does not have. */
void fault_fork_begins(void);
void fault_fork_is_over(void);

#endif
