// SPDX-License-Identifier: MIT
/* juggle/sync.h – lock, event and semaphore between tasks of one loop.
 *
 * Holds      each is a by-value struct; zero bytes are a valid initial state (unlocked, not set, 0).
 * Invariant  first come, first served; ownership is handed over when the waiter is woken, so no
 *            newcomer can take it in between and no cancel can lose it.
 * Threads    tasks of one loop only.
 */
#ifndef JUGGLE_SYNC_H
#define JUGGLE_SYNC_H

#include <juggle/base.h>
#include <juggle/future.h>
#include <juggle/task.h>

JG_BEGIN_DECLS

/* Mutual exclusion across suspends. Fields are private. */
typedef struct jg_lock {
    jg_waitq waiters;
    void *owner;               /* the coroutine that holds it */
    struct jg_lock *next_held; /* what else its owner holds */
} jg_lock;

/* Takes the lock, waiting behind all who came before.
 *
 * Returns  0; -EDEADLK when the caller holds it; -EOWNERDEAD when it is now the caller's, but the
 *          task that held it ended without unlocking; -ECANCELED. */
JG_API JG_SUSPENDS int jg_lock_acquire(jg_lock *lock);

/* Takes the lock if it is free. Returns 0, -EBUSY, or -EDEADLK. */
JG_API int jg_lock_try(jg_lock *lock);

/* Gives the lock to the longest waiter. Returns 0; -EPERM when the caller does not hold it. */
JG_API int jg_lock_release(jg_lock *lock);

/* A flag that tasks can wait for. Fields are private. */
typedef struct jg_event {
    jg_waitq waiters;
    bool set;
} jg_event;

/* Sets the flag and wakes all who wait; they stay woken even if it is cleared at once. */
JG_API void jg_event_set(jg_event *event);
JG_API void jg_event_clear(jg_event *event);
JG_API bool jg_event_is_set(const jg_event *event);

/* Waits until the flag is set. Returns 0 or -ECANCELED. */
JG_API JG_SUSPENDS int jg_event_wait(jg_event *event);

/* A number of permits. Zero bytes: none. Fields are private. */
typedef struct jg_sem {
    jg_waitq waiters;
    size_t permits;
} jg_sem;

/* Starts with this many permits. */
JG_API void jg_sem_init(jg_sem *sem, size_t permits);

/* Takes one permit, waiting behind all who came before. Returns 0 or -ECANCELED. */
JG_API JG_SUSPENDS int jg_sem_acquire(jg_sem *sem);

/* Takes one permit if one is free and nobody waits. Returns 0 or -EAGAIN. */
JG_API int jg_sem_try(jg_sem *sem);

/* Gives one permit back: to the longest waiter, if any. */
JG_API void jg_sem_release(jg_sem *sem);

JG_END_DECLS

#endif
