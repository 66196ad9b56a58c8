// SPDX-License-Identifier: MIT
/* lock.h – what the task room must tell the locks.
 *
 * Holds      nothing.
 * Invariant  a coroutine that has ended holds no lock.
 * Called by  task, when a task ends.
 * Why        a lock whose owner is gone would be waited for for ever.
 */
#ifndef SYNC_LOCK_H
#define SYNC_LOCK_H

struct coro;

/* Hands every lock the ending coroutine still holds to its next waiter, with -EOWNERDEAD. */
void lock_owner_ends(struct coro *owner);

#endif
