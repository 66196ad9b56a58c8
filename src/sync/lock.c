// SPDX-License-Identifier: MIT
/* lock.c – jg_lock.
 *
 * Holds      owner: the coroutine that holds it; coro.locks: all that one coroutine holds.
 * Invariant  owner == NULL implies no waiters. A free lock left behind by a dead owner has
 *            owner == ABANDONED until the next one takes it.
 * Called by  user code; cond.c; lock_owner_ends by task.
 * Why        hand-off is direct: release makes the longest waiter the owner before it runs.
 */
#include "sync/lock.h"

static char abandoned; // its address marks a lock whose owner ended with nobody waiting

static bool is_free(const jg_lock *lock) {
    return lock->owner == NULL || lock->owner == &abandoned;
}

static void give_to(jg_lock *lock, struct coro *owner) {
    lock->owner = owner;
    lock->next_held = owner->locks;
    owner->locks = lock;
}

/* Locks are mostly released in the reverse order, so it is mostly the first. */
static inline void take_from(jg_lock *lock, struct coro *owner) {
    jg_lock **link = &owner->locks;
    while (unlikely(*link != lock)) {
        must(*link != NULL);
        link = &(*link)->next_held;
    }
    *link = lock->next_held;
}

/* Hands it to the longest waiter, or leaves it as `free_mark` says. */
static void pass_on(jg_lock *lock, intptr_t result, void *free_mark) {
    struct coro *next = waitq_wake_one(&lock->waiters, result);
    if (next != NULL) {
        give_to(lock, next);
    } else {
        lock->owner = free_mark;
    }
}

static int take_free(jg_lock *lock, struct coro *self) {
    int rc = lock->owner == &abandoned ? -EOWNERDEAD : 0;
    give_to(lock, self);
    return rc;
}

static int try_taken(jg_lock *lock) {
    struct coro *self = sched_current();
    if (lock->owner == self) {
        return -EDEADLK;
    }
    return is_free(lock) ? take_free(lock, self) : -EBUSY;
}

int jg_lock_try(jg_lock *lock) {
    return (int)error_bare(try_taken(lock));
}

static struct coro *next_holder(const struct wait *wait, const struct coro *before) {
    const struct waiter *waiter = (const struct waiter *)(const void *)wait;
    return before == NULL ? container_of(waiter->place.queue, jg_lock, waiters)->owner : NULL;
}

static const struct wait_kind lock_wait = {.what = "lock", .next_holder = next_holder};

/* Out of line, so that the way of a free lock is short. */
__attribute__((noinline)) static int acquire_taken(jg_lock *lock) {
    int rc = try_taken(lock);
    return rc != -EBUSY ? (int)error_bare(rc) : (int)waitq_wait(&lock->waiters, &lock_wait);
}

int jg_lock_acquire(jg_lock *lock) {
    struct coro *self = sched_current();
    int rc = suspend_check(self);
    if (unlikely(rc < 0)) {
        return rc;
    }
    if (unlikely(lock->owner != NULL)) {
        return acquire_taken(lock);
    }
    give_to(lock, self);
    return 0;
}

static inline void release(jg_lock *lock, struct coro *owner) {
    take_from(lock, owner);
    if (likely(waitq_empty(&lock->waiters))) {
        lock->owner = NULL;
    } else {
        pass_on(lock, 0, NULL);
    }
}

void lock_release(jg_lock *lock, struct coro *owner) {
    release(lock, owner);
}

void lock_grant(jg_lock *lock, struct waiter *waiter) {
    waiter->wait.undo = NULL;
    waiter->wait.kind = &lock_wait;
    if (is_free(lock)) {
        wake(&waiter->wait, take_free(lock, waiter->wait.coro));
    } else {
        waitq_append(&lock->waiters, &waiter->place);
    }
}

int jg_lock_release(jg_lock *lock) {
    struct coro *self = sched_current();
    if (lock->owner != self) {
        return (int)error_bare(-EPERM);
    }
    release(lock, self);
    return 0;
}

bool jg_lock_is_held(const jg_lock *lock) {
    return !is_free(lock);
}

void lock_owner_ends(struct coro *owner) {
    while (owner->locks != NULL) {
        jg_lock *lock = owner->locks;
        take_from(lock, owner);
        pass_on(lock, -EOWNERDEAD, &abandoned);
    }
}
