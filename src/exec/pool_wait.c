// SPDX-License-Identifier: MIT
/* pool_wait.c – waiting for a pool: for one of its jobs, for its last thread.
 *
 * Holds      per wait of one of the pool's own threads a struct pool_waiter, on that thread's stack.
 * Invariant  the list of waiters changes under the lock.
 * Called by  see pool.h.
 * Why        a thread that waits for a job of its own pool cannot do another. When all of them do, nobody is
 *            left to begin what is queued: who would be the last is told, instead of all being stuck.
 */
#include "exec/pool.h"

#include <errno.h>
#include <time.h>

/* One of the pool's threads that waits for a job of the same pool, without a deadline; on its stack. */
struct pool_waiter {
    struct jg_job *job;
    struct pool_waiter *next;
};

/* Under the lock: waits for something to be over. Returns 0 or -ETIMEDOUT. */
static int await_over(struct jg_executor *pool, int64_t deadline_ns) {
    const struct timespec until = {deadline_ns / JG_S, deadline_ns % JG_S};
    pool->blocked++;
    int rc = deadline_ns == JG_NEVER
                 ? pthread_cond_wait(&pool->over, &pool->lock)
                 : pthread_cond_clockwait(&pool->over, &pool->lock, CLOCK_MONOTONIC, &until);
    pool->blocked--;
    return -rc;
}

/* Under the lock: if every thread that could begin a job waits for one, the queued one that the last of them
 * came to wait for; else NULL. Those that run do so on threads that wait, too. */
static struct jg_job *never_begun(const struct jg_executor *pool) {
    struct jg_job *queued = NULL;
    size_t waiting = 0;
    for (const struct pool_waiter *each = pool->waiters; each != NULL; each = each->next) {
        int state = each->job->state;
        waiting += state == JOB_QUEUED || state == JOB_RUNNING;
        queued = queued == NULL && state == JOB_QUEUED ? each->job : queued;
    }
    return waiting == (pool->shut ? pool->threads : pool->threads_most) ? queued : NULL;
}

/* Under the lock, of which it lets go for a moment. */
static void add_waiter(struct jg_executor *pool, struct pool_waiter *waiter) {
    waiter->next = pool->waiters;
    pool->waiters = waiter;
    struct jg_job *job = never_begun(pool);
    if (job != NULL) {
        pool_refuse(pool, job, -EDEADLK);
        pthread_mutex_lock(&pool->lock);
    }
}

static void remove_waiter(struct jg_executor *pool, const struct pool_waiter *waiter) {
    struct pool_waiter **place = &pool->waiters;
    while (*place != waiter) {
        place = &(*place)->next;
    }
    *place = waiter->next;
}

/* Under the lock. Returns 0 or -ETIMEDOUT. */
static int await_end(struct jg_executor *pool, const struct jg_job *job, int64_t deadline_ns) {
    int rc = 0;
    while (job->state != JOB_ENDED && rc == 0) {
        rc = await_over(pool, deadline_ns);
    }
    return job->state == JOB_ENDED ? 0 : rc;
}

int pool_await_job(struct jg_executor *pool, struct jg_job *job, int64_t deadline_ns) {
    bool own = pool_of_thread() == pool && deadline_ns == JG_NEVER;
    struct pool_waiter waiter = {.job = job};
    pthread_mutex_lock(&pool->lock);
    if (own) {
        add_waiter(pool, &waiter);
    }
    int rc = await_end(pool, job, deadline_ns);
    if (own) {
        remove_waiter(pool, &waiter);
    }
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

int pool_await_last(struct jg_executor *pool, int64_t deadline_ns) {
    int rc = 0;
    pthread_mutex_lock(&pool->lock);
    while (pool->threads > 0 && rc == 0) {
        rc = await_over(pool, deadline_ns);
    }
    rc = pool->threads == 0 ? 0 : rc;
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

bool pool_tell_last(struct jg_executor *pool, struct closer *closer) {
    pthread_mutex_lock(&pool->lock);
    must(pool->shut && pool->closer == NULL);
    bool some_left = pool->threads > 0;
    pool->closer = some_left ? closer : NULL;
    pthread_mutex_unlock(&pool->lock);
    return some_left;
}
