// SPDX-License-Identifier: MIT
/* blocking.h – how a thread without a loop waits: in the kernel, until a deadline.
 *
 * Holds      nothing.
 * Invariant  no signal cuts a wait short.
 * Called by  blocking.c and sched.c; sleep.c, communicate.c and process_worker.c for callers without a loop.
 * Why        every wait in the kernel is in this room.
 */
#ifndef RT_BLOCKING_H
#define RT_BLOCKING_H

#include <poll.h>
#include <stdint.h>

/* Waits until one of them is ready. Returns 0; -ECANCELED at the deadline, JG_NEVER for none; a negative
 * errno of poll. */
int blocking_poll(struct pollfd *polled, nfds_t count, int64_t deadline_ns);

/* Sleeps until the monotonic clock shows `when_ns`. */
void blocking_sleep_until(int64_t when_ns);

#endif
