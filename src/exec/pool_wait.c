// SPDX-License-Identifier: MIT
/* pool_wait.c – waiting for a pool: for one of its jobs, for its last thread.
 *
 * Holds      per wait of one of the pool's own threads a struct pool_waiter, on that thread's stack.
 * Invariant  the list of waiters changes under the lock.
 * Called by  see pool.h.
 * Why        a thread that waits for a job of its own pool cannot do another. When all of them do, and there
 *            can be no more of them, nobody is left to begin what is queued: who would be the last is told,
 *            instead of all being stuck. Jobs that run do so on threads that wait, too.
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

bool pool_all_wait(const struct jg_executor *pool, size_t threads) {
    size_t waiting = 0;
    for (const struct pool_waiter *each = pool->waiters; each != NULL; each = each->next) {
        int state = each->job->state;
        waiting += state == JOB_QUEUED || state == JOB_RUNNING;
    }
    return waiting == threads;
}

/* Under the lock: the queued job that the last of its threads came to wait for, or NULL. */
static struct jg_job *last_queued(const struct jg_executor *pool) {
    const struct pool_waiter *each = pool->waiters;
    while (each != NULL && each->job->state != JOB_QUEUED) {
        each = each->next;
    }
    return each != NULL ? each->job : NULL;
}

static void remove_waiter(struct jg_executor *pool, const struct pool_waiter *waiter) {
    struct pool_waiter **place = &pool->waiters;
    while (*place != waiter) {
        place = &(*place)->next;
    }
    *place = waiter->next;
}

/* Under the lock, of which it may let go for a moment. When all threads wait, one more begins what is queued:
 * usually there is one already, but it may not have been to be had. */
static void add_waiter(struct jg_executor *pool, struct pool_waiter *waiter) {
    for (;;) {
        waiter->next = pool->waiters;
        pool->waiters = waiter;
        struct jg_job *job = pool_all_wait(pool, pool->threads) ? last_queued(pool) : NULL;
        int rc = job != NULL ? pool_add_thread(pool) : 0;
        if (rc == 0) {
            return;
        }
        remove_waiter(pool, waiter); // a drop function may leave this thread
        pool_refuse(pool, job, rc);
        pthread_mutex_lock(&pool->lock);
    }
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
