// SPDX-License-Identifier: MIT
/* sem.c – jg_sem: a number of permits.
 *
 * Holds      the free permits and who waits.
 * Invariant  permits > 0 implies no waiters: a permit given back goes straight to the longest one.
 * Called by  user code; the HTTP client's pool.
 * Why        see waitq.h.
 */
#include "sync/waitq.h"

#include <juggle/sync.h>

void jg_sem_init(jg_sem *sem, size_t permits) {
    *sem = (jg_sem){.permits = permits};
}

void jg_sem_init_bounded(jg_sem *sem, size_t permits) {
    *sem = (jg_sem){.permits = permits, .most = permits, .bounded = true};
}

static inline bool take(jg_sem *sem) {
    if (sem->permits == 0) {
        return false;
    }
    sem->permits--;
    return true;
}

int jg_sem_try(jg_sem *sem) {
    return take(sem) ? 0 : (int)error_bare(-EAGAIN);
}

int jg_sem_acquire(jg_sem *sem) {
    int rc = suspend_check(sched_current());
    if (rc < 0 || take(sem)) {
        return rc;
    }
    return (int)waitq_wait(&sem->waiters, WAIT_KIND("semaphore"));
}

int jg_sem_release(jg_sem *sem) {
    if (sem->permits == (sem->bounded ? sem->most : SIZE_MAX)) {
        return (int)error_bare(-EOVERFLOW);
    }
    if (waitq_wake_one(&sem->waiters, 0) == NULL) {
        sem->permits++;
    }
    return 0;
}

size_t jg_sem_permits(const jg_sem *sem) {
    return sem->permits;
}
