// SPDX-License-Identifier: MIT
/* cond.c – jg_cond: waiting for a change of what a lock guards.
 *
 * Holds      struct cond_waiter, one wait and the lock it has to come back with.
 * Invariant  a waiter stands in the condition's queue, then in its lock's; it wakes as the lock's owner.
 * Called by  user code.
 * Why        who is notified, or cancelled, moves to the lock's queue without waking: a wait is one park,
 *            and notify_all wakes no crowd that would then queue for the lock.
 */
#include "sync/lock.h"

struct cond_waiter {
    struct waiter waiter; // first
    jg_lock *lock;
    bool notified;
};

static void undo_wait(struct wait *wait) {
    struct cond_waiter *waiter = (struct cond_waiter *)(void *)wait;
    waitq_remove(&waiter->waiter.place);
    lock_grant(waiter->lock, &waiter->waiter);
}

/* The task has the lock again. A cancel that stands is likely to end what it was about: a notification
 * it does not use is not lost (S47). */
static int come_back(jg_cond *cond, struct coro *self, bool notified) {
    bool cancelled = (self->attention & ATTENTION_CANCEL) != 0;
    if (notified && !cancelled) {
        return 0;
    }
    if (notified) {
        jg_cond_notify(cond, 1);
    }
    return cancelled ? sched_refuse(self) : (int)error_bare(-ECANCELED);
}

int jg_cond_wait(jg_cond *cond, jg_lock *lock) {
    struct coro *self = sched_current();
    int rc = suspend_check(self);
    if (rc < 0) {
        return rc;
    }
    if (lock->owner != self) {
        return (int)error_bare(-EPERM);
    }
    struct cond_waiter waiter = {
        .waiter = {.wait = {.undo = undo_wait, .kind = WAIT_KIND("condition")}}, .lock = lock};
    if (unlikely(self->loop == NULL)) {
        return (int)park(&waiter.waiter.wait); // nobody else could take the lock, or notify
    }
    lock_release(lock, self);
    rc = (int)waitq_park(&cond->waiters, &waiter.waiter);
    must(lock->owner == self);
    return rc < 0 ? rc : come_back(cond, self, waiter.notified);
}

int jg_cond_wait_for(jg_cond *cond, jg_lock *lock, bool (*holds)(void *arg), void *arg) {
    const struct coro *self = sched_current();
    int rc = 0;
    while (rc == 0 && lock->owner == self && !holds(arg)) {
        rc = jg_cond_wait(cond, lock);
    }
    bool lost = rc == 0 && lock->owner != self; // also when it was `holds` that let it go
    return lost ? (int)error_bare(-EPERM) : rc;
}

void jg_cond_notify(jg_cond *cond, size_t count) {
    for (; count > 0 && !waitq_empty(&cond->waiters); count--) {
        struct cond_waiter *waiter = (struct cond_waiter *)(void *)waitq_take(&cond->waiters);
        waiter->notified = true;
        lock_grant(waiter->lock, &waiter->waiter);
    }
}

void jg_cond_notify_all(jg_cond *cond) {
    jg_cond_notify(cond, SIZE_MAX);
}
