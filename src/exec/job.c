// SPDX-License-Identifier: MIT
/* job.c – executors as their users see them: opening, submitting, waiting, cancelling, closing.
 *
 * Holds      the executor every program has.
 * Invariant  a job that was submitted from a loop comes back to it through its inbox, or is taken back
 *            on its thread: the future is settled there, and nowhere else.
 * Called by  user code; map.c, many.c; io/file.c, net/lookup.c.
 * Why        the caller brings the record, so that submitting allocates nothing; what a thread needs of
 *            it, the pool copies as the job begins.
 * Quirks     without a loop nobody delivers: whoever waits takes the outcome out of the record, under
 *            the pool's lock.
 */
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "exec/pool.h"

#include <errno.h>
#include <stdio.h>

enum {
    QUEUE_DEFAULT = 1024,
    IDLE_DEFAULT_MS = 10 * 1000,
};

static struct jg_executor everyones = POOL_STATIC("jg-pool", 0, QUEUE_DEFAULT,
                                                  IDLE_DEFAULT_MS *JG_MS, 0);

__attribute__((constructor)) static void watch_forks(void) {
    pool_watch_forks(&everyones);
}

static struct jg_executor *pool_or_everyones(struct jg_executor *pool) {
    return pool != NULL ? pool : &everyones;
}

// Opening.

int jg_executor_open(const jg_executor_options *options, jg_executor **out_executor) {
    static const jg_executor_options no_options;
    options = options != NULL ? options : &no_options;
    if (options->stack_size > SIZE_MAX / 2) {
        return (int)error_bare(-EINVAL);
    }
    struct jg_executor *pool = mem_alloc(sizeof(*pool));
    if (pool == NULL) {
        return (int)error_bare(-ENOMEM);
    }
    int64_t idle_ms = options->idle_ms != 0 ? options->idle_ms : IDLE_DEFAULT_MS;
    *pool = (struct jg_executor)POOL_STATIC(
        "", options->threads, options->queue != 0 ? options->queue : QUEUE_DEFAULT,
        idle_ms < 0 ? JG_NEVER : clock_add_ms(0, idle_ms), options->stack_size);
    snprintf(pool->name, sizeof(pool->name), "%s",
             options->name != NULL ? options->name : everyones.name);
    pool->generation = pool_generation();
    *out_executor = pool;
    return 0;
}

// A job's way back, to the thread it came from.

/* The record is the caller's again, and what it came to is in its future. */
static void settle(struct jg_job *job, intptr_t result) {
    struct error_record *error = job->error;
    job->error = NULL;
    __atomic_store_n(&job->state, JOB_NONE, __ATOMIC_RELEASE);
    future_settle(&job->future, result, error);
}

static void arrive(jg_call *call) {
    struct jg_job *job = container_of(call, struct jg_job, call);
    home_back();
    settle(job, job->result);
}

void job_drop(intptr_t word, struct error_record *error, jg_drop_fn *drop_result) {
    if (!jg_failed(word)) {
        call_drop(drop_result, (void *)word);
    } else if (word != -ECANCELED) {
        error_report(error);
    } else {
        error_free(error);
    }
}

/* Its loop has ended: nobody is left to take the word. */
static void drop_outcome(struct jg_job *job) {
    job_drop(job->result, job->error, job->drop_result);
    job->error = NULL;
    job->future.result = -ECANCELED;
    job->future.done = true;
    __atomic_store_n(&job->state, JOB_NONE, __ATOMIC_RELEASE);
}

void job_send_home(struct jg_job *job) {
    if (inbox_send(job->loop, &job->call) < 0) {
        drop_outcome(job);
    }
}

static bool cancel_job(jg_future *future) {
    return jg_job_cancel(container_of(future, struct jg_job, future));
}

/* Whether it is under way in the process that this one was forked from. */
static bool left_behind(const struct jg_job *job) {
    return job->generation != pool_generation();
}

static int check_job(jg_future *future) {
    const struct jg_job *job = container_of(future, struct jg_job, future);
    return !future->done && left_behind(job) ? -ECHILD : 0;
}

static int block_for_job(jg_future *future, int64_t deadline_ns) {
    struct jg_job *job = container_of(future, struct jg_job, future);
    if (job->loop != NULL) {
        return -EDEADLK; // its own loop will settle it
    }
    bool over = __atomic_load_n(&job->state, __ATOMIC_ACQUIRE) == JOB_ENDED;
    int rc = over ? 0 : pool_await_job(job->executor, job, deadline_ns);
    if (rc == 0) {
        settle(job, job->result);
    }
    return rc;
}

static const struct wait_kind job_wait = {.what = "thread"};
static const struct jg_future_owner job_owner = {
    .cancel = cancel_job, .check = check_job, .block = block_for_job, .wait = &job_wait};

// Submitting.

/* Makes the record this job's. Returns 0; -EALREADY when it is still another's. */
static int claim(struct jg_job *job, struct jg_executor *pool, jg_fn *fn, void *arg,
                 const char *site) {
    int expected = JOB_NONE;
    if (!__atomic_compare_exchange_n(&job->state, &expected, JOB_QUEUED, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        return -EALREADY;
    }
    jg_future_fini(&job->future);
    job->future = (jg_future){.owner = &job_owner};
    job->executor = pool;
    job->generation = pool_generation();
    job->call.deliver = arrive;
    job->call.fn = fn;
    job->call.arg = arg;
    job->call.site = site;
    job->loop = NULL;
    return 0;
}

static int give(struct jg_job *job) {
    const struct coro *self = sched_current();
    bool forked = (self->attention & ATTENTION_FORKED) != 0;
    if (forked || job->executor->generation != pool_generation()) {
        return -ECHILD;
    }
    jg_loop *home = self->loop != NULL ? home_leave(self->loop) : NULL;
    job->loop = home;
    struct locals *locals = locals_ref(task_current()->locals);
    job->locals = locals;
    int rc = pool_give(job->executor, job);
    if (rc < 0) {
        locals_drop(locals);
    }
    if (rc < 0 && home != NULL) {
        home_give_up(home);
    }
    return rc;
}

int jg_executor_submit_at(jg_executor *executor, jg_job *job, jg_fn *fn, void *arg,
                          const char *site) {
    int rc = claim(job, pool_or_everyones(executor), fn, arg, site);
    if (rc < 0) {
        return (int)error_bare(rc);
    }
    rc = give(job);
    if (rc < 0) {
        __atomic_store_n(&job->state, JOB_NONE, __ATOMIC_RELEASE);
        call_drop(job->drop_arg, job->call.arg);
    }
    return (int)error_bare(rc);
}

// Cancelling.

/* Returns 0; -ECHILD in a forked copy of the process that submitted it. */
static int check_loop(const struct jg_job *job) {
    const struct loop *loop = sched_current()->loop;
    if (left_behind(job)) {
        return -ECHILD;
    }
    if (job->loop != (loop != NULL ? loop->handle : NULL)) {
        check_misuse("a job is waited for or cancelled elsewhere than where it was submitted");
    }
    return 0;
}

bool jg_job_cancel(jg_job *job) {
    int state = __atomic_load_n(&job->state, __ATOMIC_ACQUIRE);
    if ((state != JOB_QUEUED && state != JOB_RUNNING) || check_loop(job) < 0) {
        return false;
    }
    enum job_state was = pool_take_back(job->executor, job);
    if (was == JOB_NONE) {
        return false;
    }
    if (job->loop != NULL) {
        home_give_up(job->loop);
    }
    if (was == JOB_QUEUED) {
        locals_drop(job->locals);
        call_drop(job->drop_arg, job->call.arg);
    }
    settle(job, -ECANCELED);
    return true;
}

// Waiting.

intptr_t jg_job_wait(jg_job *job) {
    if (!job->future.done) {
        if (__atomic_load_n(&job->state, __ATOMIC_ACQUIRE) == JOB_NONE) {
            return error_bare(-EINVAL);
        }
        intptr_t rc = check_loop(job);
        rc = rc < 0 ? rc : future_await(&job->future, &job->future);
        if (!job->future.done) {
            return error_bare(rc); // it could not wait
        }
    }
    intptr_t word = jg_future_wait(&job->future);
    jg_future_fini(&job->future); // its caller has what stands behind a failure
    return word;
}

intptr_t job_await(jg_job *job, void (*stop)(void *arg), void *arg) {
    intptr_t rc = jg_future_wait(&job->future);
    if (jg_future_done(&job->future)) {
        return jg_job_wait(job);
    }
    stop(arg);
    intptr_t word = jg_job_wait(job);
    return word < 0 ? word : rc;
}

intptr_t jg_executor_run_at(jg_executor *executor, jg_fn *fn, void *arg, const char *site) {
    jg_job job = {.state = JOB_NONE};
    int rc = suspend_check(sched_current());
    rc = rc < 0 ? rc : jg_executor_submit_at(executor, &job, fn, arg, site);
    return rc < 0 ? rc : jg_job_wait(&job);
}

intptr_t jg_to_thread_at(jg_fn *fn, void *arg, const char *site) {
    struct coro *self = sched_current();
    if (self->loop != NULL) {
        return jg_executor_run_at(NULL, fn, arg, site);
    }
    int rc = suspend_check(self);
    return rc < 0 ? rc : error_apart(fn, arg);
}

// Closing.

void jg_executor_shutdown(jg_executor *executor) {
    if (executor == NULL) {
        check_misuse("the executor that every program has is shut down");
    }
    if (executor->generation != pool_generation()) {
        return;
    }
    pool_shut(executor);
    while (pool_cancel_first(executor)) {}
}

static void last_gone(jg_call *call) {
    home_back();
    wake(&container_of(call, struct closer, call)->wait, 0);
}

static void undo_close(struct wait *wait) {
    struct jg_executor *pool = container_of(wait, struct closer, wait)->pool;
    wait->undo = NULL;
    jg_executor_shutdown(pool);
}

static void close_in_loop(struct coro *self, struct jg_executor *pool) {
    struct closer closer = {.call = {.deliver = last_gone},
                            .wait = {.undo = undo_close, .kind = WAIT_KIND("executor")},
                            .home = home_leave(self->loop),
                            .pool = pool};
    if (self->attention != 0) {
        undo_close(&closer.wait); // asked already
    }
    if (pool_tell_last(pool, &closer)) {
        park(&closer.wait);
    } else {
        home_give_up(closer.home);
    }
}

static void close_in_thread(const struct coro *self, struct jg_executor *pool) {
    if (pool_await_last(pool, self->deadline_ns) < 0) {
        jg_executor_shutdown(pool);
        pool_await_last(pool, JG_NEVER);
    }
}

int jg_executor_close(jg_executor *executor) {
    struct coro *self = sched_current();
    if (executor == NULL || executor->generation != pool_generation()) {
        return (int)error_bare(executor == NULL ? -EINVAL : -ECHILD);
    }
    if (self->attention & ~(uint32_t)ATTENTION_CANCEL) {
        return sched_refuse(self);
    }
    if (pool_of_thread() == executor) {
        return (int)error_bare(-EDEADLK);
    }
    if (__atomic_exchange_n(&executor->closing, true, __ATOMIC_RELAXED)) {
        check_misuse("an executor is closed that is being closed already");
    }
    pool_shut(executor);
    if (self->loop != NULL) {
        close_in_loop(self, executor);
    } else {
        close_in_thread(self, executor);
    }
    pthread_cond_destroy(&executor->over);
    pthread_mutex_destroy(&executor->lock);
    mem_free(executor);
    return 0;
}

void jg_executor_stats_get(jg_executor *executor, jg_executor_stats *out_stats) {
    struct jg_executor *pool = pool_or_everyones(executor);
    *out_stats = (jg_executor_stats){.threads = 0};
    if (pool->generation != pool_generation()) {
        return; // a copy: its threads stayed with the parent, and maybe who had the lock
    }
    pthread_mutex_lock(&pool->lock);
    *out_stats = (jg_executor_stats){
        .threads = pool->threads, .idle = pool->idle_count, .queued = pool->queued};
    pthread_mutex_unlock(&pool->lock);
}
