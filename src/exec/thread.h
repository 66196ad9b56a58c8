// SPDX-License-Identifier: MIT
/* thread.h – starting a thread the way all of ours are.
 *
 * Holds      nothing.
 * Invariant  handlers of signals run on the threads the program made: ours block all but what a
 *            thread raises by its own doing.
 * Called by  worker_thread.c, pool.c.
 * Why        one place for the attributes; the caller says only what differs.
 */
#ifndef EXEC_THREAD_H
#define EXEC_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Starts a thread; `stack_size` 0 is the system's default, less than the least is the least.
 * Returns 0; -EAGAIN at the limit of threads; -ENOMEM. */
int thread_start(size_t stack_size, bool detached, void *(*fn)(void *arg), void *arg,
                 pthread_t *out_thread);

/* For the clean-up handler of a thread that is left by pthread_exit. That is a named abort while a loop
 * is open there: its record was on the stack that is gone, and others still know it. */
void thread_check_left(void);

#endif
