// SPDX-License-Identifier: MIT
/* lock.h – locks as the condition and the task room see them.
 *
 * Holds      nothing.
 * Invariant  a coroutine that has ended holds no lock.
 * Called by  cond.c; task, when a task ends.
 * Why        a lock whose owner is gone would be waited for for ever. Who waits for a condition is
 *            given its lock while still parked, and so wakes once.
 */
#ifndef SYNC_LOCK_H
#define SYNC_LOCK_H

#include "sync/waitq.h"

#include <juggle/sync.h>

/* Hands the lock to its longest waiter. */
void lock_release(jg_lock *lock, struct coro *owner);

/* Gives the lock to a parked task that stands in no queue: now if it is free, else in its turn. The task
 * wakes as the owner, with 0 or -EOWNERDEAD; no cancel wakes it before. */
void lock_grant(jg_lock *lock, struct waiter *waiter);

/* Hands every lock the ending coroutine still holds to its next waiter, with -EOWNERDEAD. */
void lock_owner_ends(struct coro *owner);

#endif
