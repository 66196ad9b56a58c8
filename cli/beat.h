// SPDX-License-Identifier: MIT
/* beat.h – somebody who wants to wake up in time, beside the workers of a round.
 *
 * Holds      nothing.
 * Invariant  every beat counts, also those that were slept through: late is late for all of them.
 * Called by  models.c, in a worker of the model's own kind: a thread, a process, a task on the loop.
 * Why        how long anybody has to wait for a turn is what models differ in most, and no latency of a
 *            request shows it.
 * Quirks     real-time priority is that of the thread: on a loop everybody gets it.
 */
#ifndef JUGGLE_CLI_BEAT_H
#define JUGGLE_CLI_BEAT_H

#include <stdint.h>

/* Whether this process may have real-time priority. Returns 0 or a negative errno. */
int beat_may_be_realtime(void);

/* Wakes every beat_ns of the worker's plan, and puts down on the board by how much that was late, until
 * the board says that it is over or the task is cancelled. `worker` is a struct worker. Always 0. */
intptr_t beat_run(void *worker);

#endif
