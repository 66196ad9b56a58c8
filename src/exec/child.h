// SPDX-License-Identifier: MIT
/* child.h – waiting for the end of a child process, for whoever starts one.
 *
 * Holds      nothing.
 * Invariant  exactly the child asked about is reaped, by its id; nobody else's. Until then the id
 *            cannot be given to another process, so that a signal or a pidfd cannot meet a stranger.
 * Called by  worker_process.c, os/process.c.
 * Why        the end is a pidfd that becomes readable: no SIGCHLD handler, which would be the
 *            program's to set. It is opened when somebody waits: a thousand children hold no
 *            descriptor.
 */
#ifndef EXEC_CHILD_H
#define EXEC_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* Looks whether the child has ended, without reaping it.
 * Returns 0; -EAGAIN when it runs on; -ECHILD when somebody else has reaped it. */
int child_look(pid_t pid);

/* Waits until the child has ended, without reaping it; the loop goes on meanwhile. Any number may wait
 * for the same child. With `interruptible` it is a cancellation point and minds deadlines; without,
 * nothing cuts it short.
 *
 * Returns 0; -ECHILD when somebody else has reaped it; -ECANCELED, -ENOMEM if interruptible. */
int child_await(pid_t pid, bool interruptible);

/* Reaps a child that has ended. Returns 0 and what waitpid says; -ECHILD. */
int child_reap(pid_t pid, int *out_status);

#endif
