// SPDX-License-Identifier: MIT
/* juggle/sync.h – lock, condition, event, semaphore and barrier between tasks of one loop.
 *
 * Holds      each is a by-value struct; zero bytes are a valid initial state (unlocked, not set, 0).
 * Invariant  first come, first served; ownership is handed over when the waiter is woken, so no
 *            newcomer can take it in between and no cancel can lose it.
 * Threads    tasks of one loop only.
 */
#ifndef JUGGLE_SYNC_H
#define JUGGLE_SYNC_H

#include <juggle/base.h>
#include <juggle/task.h>
#include <juggle/waitq.h>

JG_BEGIN_DECLS

/* Mutual exclusion across suspends. Fields are private. */
typedef struct jg_lock {
    jg_waitq waiters;
    void *owner;               /* the coroutine that holds it */
    struct jg_lock *next_held; /* what else its owner holds */
} jg_lock;

/* Takes the lock, waiting behind all who came before.
 *
 * Returns  0; -EDEADLK when the caller holds it, or another does and there is neither a loop nor a
 *          deadline; -EOWNERDEAD when it is now the caller's, but the task that held it ended without
 *          unlocking; -ECANCELED. */
JG_API JG_SUSPENDS int jg_lock_acquire(jg_lock *lock);

/* Takes the lock if it is free. Returns 0; -EBUSY when another task holds it; -EDEADLK, -EOWNERDEAD as
 * jg_lock_acquire. */
JG_API int jg_lock_try(jg_lock *lock);

/* Gives the lock to the longest waiter. Returns 0; -EPERM when the caller does not hold it. */
JG_API int jg_lock_release(jg_lock *lock);

/* Whether some task holds the lock. */
JG_API bool jg_lock_is_held(const jg_lock *lock);

/* Something to wait for while a lock is given up. Fields are private. */
typedef struct jg_cond {
    jg_waitq waiters;
} jg_cond;

/* Gives the lock up, waits to be notified, and takes the lock again before it returns, also when
 * cancelled: then it waits for the lock even while the cancel stands. Look again at what was waited for:
 * others may have had the lock in between.
 *
 * Returns  0, notified; -EPERM when the caller does not hold the lock, which then is left alone. With
 *          the lock held: -ECANCELED, and a notification that had come goes to the next waiter;
 *          -EOWNERDEAD as jg_lock_acquire; -EDEADLK without a loop and a deadline. */
JG_API JG_SUSPENDS int jg_cond_wait(jg_cond *cond, jg_lock *lock);

/* Waits until `holds(arg)` is true, which is asked with the lock held. Returns as jg_cond_wait; 0 at
 * once if it holds. `holds` runs in the caller: it may suspend. It may not leave with the lock given up:
 * then -EPERM, without the lock. */
JG_API JG_SUSPENDS int jg_cond_wait_for(jg_cond *cond, jg_lock *lock, bool (*holds)(void *arg),
                                        void *arg);

/* Notifies the `count` longest waiters, or all. They wake one after the other, each when the lock is its
 * own. The caller need not hold the lock. */
JG_API void jg_cond_notify(jg_cond *cond, size_t count);
JG_API void jg_cond_notify_all(jg_cond *cond);

/* A flag that tasks can wait for. Fields are private. */
typedef struct jg_event {
    jg_waitq waiters;
    bool set;
} jg_event;

/* Sets the flag and wakes all who wait; they stay woken even if it is cleared at once. */
JG_API void jg_event_set(jg_event *event);
JG_API void jg_event_clear(jg_event *event);
JG_API bool jg_event_is_set(const jg_event *event);

/* Waits until the flag is set. Returns 0; -ECANCELED; -EDEADLK without a loop and a deadline. */
JG_API JG_SUSPENDS int jg_event_wait(jg_event *event);

/* A number of permits. Zero bytes: none, and no bound. Fields are private. */
typedef struct jg_sem {
    jg_waitq waiters;
    size_t permits;
    size_t most; /* if bounded */
    bool bounded;
} jg_sem;

/* Starts with this many permits. */
JG_API void jg_sem_init(jg_sem *sem, size_t permits);

/* The same, and there are never more: giving back what was not taken is an error. */
JG_API void jg_sem_init_bounded(jg_sem *sem, size_t permits);

/* Takes one permit, waiting behind all who came before. Returns 0; -ECANCELED; -EDEADLK without a loop
 * and a deadline. */
JG_API JG_SUSPENDS int jg_sem_acquire(jg_sem *sem);

/* Takes one permit if one is free and nobody waits. Returns 0 or -EAGAIN. */
JG_API int jg_sem_try(jg_sem *sem);

/* Gives one permit back: to the longest waiter, if any. Returns 0; -EOVERFLOW when a bounded semaphore
 * has all of its permits, or another SIZE_MAX of them: nothing is changed. */
JG_API int jg_sem_release(jg_sem *sem);

/* Returns the number of permits that are free. */
JG_API size_t jg_sem_permits(const jg_sem *sem);

/* Where a number of tasks wait for each other. Zero bytes: for nobody. Fields are private. */
typedef struct jg_barrier {
    jg_waitq waiters;
    size_t parties;
    size_t waiting;
    bool broken;
} jg_barrier;

/* Starts with this many tasks to wait for. */
JG_API void jg_barrier_init(jg_barrier *barrier, size_t parties);

/* Waits until as many tasks as the barrier is for have come; then all go on, and the next round begins.
 * A cancelled waiter is no longer counted, and the others wait on.
 *
 * Returns  0 … parties-1, to each task another: the order in which they came; -EPIPE when the barrier is
 *          broken; -EINVAL when it is for nobody; -ECANCELED; -EDEADLK without a loop and a deadline. */
JG_API JG_SUSPENDS int jg_barrier_wait(jg_barrier *barrier);

/* Breaks the barrier: who waits, and who comes, gets -EPIPE, until it is reset. */
JG_API void jg_barrier_abort(jg_barrier *barrier);

/* Makes the barrier as new. Who waits in it gets -EPIPE. */
JG_API void jg_barrier_reset(jg_barrier *barrier);

/* Returns the number of tasks that wait; whether it is broken. */
JG_API size_t jg_barrier_waiting(const jg_barrier *barrier);
JG_API bool jg_barrier_is_broken(const jg_barrier *barrier);

JG_END_DECLS

#endif
