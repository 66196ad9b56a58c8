// SPDX-License-Identifier: MIT
/* pool.c – see pool.h.
 *
 * Holds      the threads' own records, on their stacks; how many forks led to this process.
 * Invariant  queued > 0 implies that no thread is idle and at least one is alive. An idle thread is
 *            in the list until a submitter, or its own impatience, takes it out, under the lock.
 * Called by  see pool.h.
 * Why        a thread sleeps on a word of its own: waking one wakes that one, and a submitter pays for
 *            the system call only if it really sleeps. It takes the lock once per job: what it came
 *            to goes in, what to do next comes out.
 * Quirks     threads are detached: the last one leaving tells whoever closes the pool. A wake may come
 *            for a thread that has gone: it finds nobody on that word. A function that leaves the thread
 *            by pthread_exit runs its clean-up handler: that is how the pool learns of it.
 */
#include "exec/pool.h"

#include "base/clock.h"
#include "exec/futex.h"
#include "exec/thread.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static __thread struct jg_executor *works_for;

enum { RESTING, SLEEPING, HANDED }; // pool_thread.hand

struct pool_thread {
    struct jg_executor *pool;
    struct pool_thread *next; // in the list of idle ones
    atomic_uint hand;
    struct jg_job *job; // under the lock: whose function it runs; NULL: nobody's any more
    jg_fn *fn;          // what was handed over; NULL: end
    void *arg;
    const char *site;
    jg_drop_fn *drop_result;
    struct locals *locals; // what the submitter saw
    unsigned generation;   // the process it works in
};

enum {
    THREADS_BEYOND = 4, // as many more than processors: some will wait for something
    THREADS_DEFAULT_MOST = 32,
};

size_t pool_processors(void) {
    cpu_set_t usable;
    return sched_getaffinity(0, sizeof(usable), &usable) == 0
               ? (size_t)CPU_COUNT(&usable)
               : (size_t)sysconf(_SC_NPROCESSORS_ONLN);
}

size_t pool_default_threads(void) {
    size_t count = pool_processors() + THREADS_BEYOND;
    return count < THREADS_DEFAULT_MOST ? count : THREADS_DEFAULT_MOST;
}

// Forks.

static struct jg_executor *statics; // complete when the library is loaded
static atomic_uint generation;

unsigned pool_generation(void) {
    return atomic_load_explicit(&generation, memory_order_relaxed);
}

/* The threads stayed with the parent, and so did what they were doing with the locks. */
static void after_fork_in_child(void) {
    atomic_fetch_add(&generation, 1);
    for (struct jg_executor *pool = statics; pool != NULL; pool = pool->next_static) {
        pool->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        pool->over = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
        pool->first = pool->last = NULL;
        pool->idle = NULL;
        pool->waiters = NULL;
        pool->queued = pool->idle_count = pool->threads = pool->blocked = pool->starting = 0;
        pool->generation = pool_generation();
    }
}

/* As early as the library: a fork that has begun runs no handler that comes later. */
__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

void pool_watch_forks(struct jg_executor *pool) {
    pool->next_static = statics;
    statics = pool;
}

// The queue. All under the lock.

static void set_state(struct jg_job *job, enum job_state state) {
    __atomic_store_n(&job->state, (int)state, __ATOMIC_RELEASE);
}

static void enqueue(struct jg_executor *pool, struct jg_job *job) {
    job->next = NULL;
    job->prev = pool->last;
    if (pool->last != NULL) {
        pool->last->next = job;
    } else {
        pool->first = job;
    }
    pool->last = job;
    pool->queued++;
    set_state(job, JOB_QUEUED);
}

static void dequeue(struct jg_executor *pool, struct jg_job *job) {
    must(pool->queued > 0 && job->state == JOB_QUEUED);
    if (job->prev != NULL) {
        job->prev->next = job->next;
    } else {
        pool->first = job->next;
    }
    if (job->next != NULL) {
        job->next->prev = job->prev;
    } else {
        pool->last = job->prev;
    }
    pool->queued--;
}

static void begin(struct pool_thread *thread, struct jg_job *job) {
    thread->job = job;
    thread->fn = job->call.fn;
    thread->arg = job->call.arg;
    thread->site = job->call.site;
    thread->drop_result = job->drop_result;
    thread->locals = job->locals;
    job->thread = thread;
    set_state(job, JOB_RUNNING);
}

// Idle threads.

/* Hands over what `thread->fn` says, under the lock. Returns whether it has to be woken. */
static bool hand_over(struct pool_thread *thread) {
    return atomic_exchange_explicit(&thread->hand, HANDED, memory_order_acq_rel) == SLEEPING;
}

static struct pool_thread *pop_idle(struct jg_executor *pool) {
    struct pool_thread *thread = pool->idle;
    if (thread != NULL) {
        pool->idle = thread->next;
        pool->idle_count--;
    }
    return thread;
}

static void push_idle(struct pool_thread *thread) {
    struct jg_executor *pool = thread->pool;
    atomic_store_explicit(&thread->hand, RESTING, memory_order_relaxed);
    thread->next = pool->idle;
    pool->idle = thread;
    pool->idle_count++;
}

/* Takes it out of the list, if it is there. */
static void remove_idle(struct pool_thread *thread) {
    struct pool_thread **place = &thread->pool->idle;
    while (*place != NULL && *place != thread) {
        place = &(*place)->next;
    }
    if (*place == thread) {
        *place = thread->next;
        thread->pool->idle_count--;
    }
}

/* Waits, without the lock, for something to do. Returns whether there is; false: its patience is over. */
static bool await_hand(struct pool_thread *thread) {
    struct jg_executor *pool = thread->pool;
    unsigned expected = RESTING;
    int64_t idle_ns = pool->idle_ns;
    int64_t until = idle_ns == JG_NEVER ? JG_NEVER : clock_add(clock_now_ns(), idle_ns);
    if (!atomic_compare_exchange_strong(&thread->hand, &expected, SLEEPING) ||
        futex_sleep(&thread->hand, SLEEPING, until) == 0) {
        return true;
    }
    pthread_mutex_lock(&pool->lock);
    bool handed = atomic_load(&thread->hand) == HANDED;
    if (!handed) {
        remove_idle(thread);
    }
    pthread_mutex_unlock(&pool->lock);
    return handed;
}

// A thread's life.

/* What a job came to, or its parts: they go to the record, or to nobody. */
struct outcome {
    intptr_t word;
    struct error_record *error;
};

/* In a forked copy of the thread there is no pool to go back to; its lock may be held for ever. */
static void mind_fork_of_thread(const struct pool_thread *thread, intptr_t word) {
    if (unlikely(pool_generation() != thread->generation)) {
        task_end_forked(word);
    }
}

/* Its values and its failures are the job's. */
static struct outcome run(struct pool_thread *thread) {
    struct jg_task_record *self = task_current();
    self->locals = thread->locals;
    self->coro.name = thread->site;
    self->site = thread->site;
    struct outcome outcome = {.word = thread->fn(thread->arg)};
    mind_fork_of_thread(thread, outcome.word);
    if (unlikely(self->locals != NULL)) {
        locals_end(self);
    }
    if (unlikely(jg_failed(outcome.word))) {
        outcome.error = error_take_for(self, outcome.word);
    } else if (unlikely(self->error != NULL)) {
        error_keep(self, NULL); // of a failure the function got over
    }
    return outcome;
}

/* Under the lock: the job is over. From now on one without a loop may be gone. */
static void end_job(struct jg_executor *pool, struct jg_job *job, struct outcome outcome) {
    job->result = outcome.word;
    job->error = outcome.error;
    bool goes_home = job->loop != NULL;
    set_state(job, JOB_ENDED);
    if (!goes_home && pool->blocked > 0) {
        pthread_cond_broadcast(&pool->over);
    }
}

/* Under the lock: the next job, or a place among the idle. Returns whether there is a job. */
static bool take_next(struct pool_thread *thread) {
    struct jg_executor *pool = thread->pool;
    struct jg_job *job = pool->first;
    if (job != NULL) {
        dequeue(pool, job);
        begin(thread, job);
        return true;
    }
    if (pool->shut || pool->idle_ns == 0) {
        thread->fn = NULL;
        return true;
    }
    push_idle(thread);
    return false;
}

/* What it ran is over. If it `stays`, it sees to what is next: returns whether it has something again. */
static bool finish(struct pool_thread *thread, struct outcome outcome, bool stays) {
    struct jg_executor *pool = thread->pool;
    jg_drop_fn *drop_result = thread->drop_result;
    pthread_mutex_lock(&pool->lock);
    if (!stays) {
        remove_idle(thread);
    }
    struct jg_job *job = thread->job;
    bool goes_home = job != NULL && job->loop != NULL;
    if (job != NULL) {
        end_job(pool, job, outcome);
    }
    thread->job = NULL;
    bool more = stays && take_next(thread);
    pthread_mutex_unlock(&pool->lock);
    if (job == NULL) {
        job_drop(outcome.word, outcome.error, drop_result);
    } else if (goes_home) {
        job_send_home(job);
    }
    mind_fork_of_thread(thread, 0);
    return more;
}

/* Under the lock, of which it lets go: there is a thread less. The pool may be gone from now on. */
static void count_out(struct jg_executor *pool) {
    struct closer *closer = NULL;
    if (--pool->threads == 0) {
        closer = pool->closer;
        pthread_cond_broadcast(&pool->over);
    }
    pthread_mutex_unlock(&pool->lock);
    if (closer != NULL) {
        inbox_send(closer->home, &closer->call);
    }
}

/* Ends its time with the pool, unless a job has come since it made up its mind: whoever gave that counted
 * on this thread. Returns whether it is out. */
static bool leave(struct pool_thread *thread) {
    struct jg_executor *pool = thread->pool;
    pthread_mutex_lock(&pool->lock);
    if (pool->first == NULL) {
        count_out(pool);
        return true;
    }
    take_next(thread);
    pthread_mutex_unlock(&pool->lock);
    return false;
}

static void serve(struct pool_thread *thread, bool more) {
    do {
        while ((more || await_hand(thread)) && thread->fn != NULL) {
            more = finish(thread, run(thread), true);
        }
        more = true; // if it stays, then for a job
    } while (!leave(thread));
}

void pool_refuse(struct jg_executor *pool, struct jg_job *job, intptr_t word) {
    const struct jg_job was = *job;
    dequeue(pool, job);
    end_job(pool, job, (struct outcome){.word = word});
    pthread_mutex_unlock(&pool->lock);
    if (was.loop != NULL) {
        job_send_home(job);
    }
    locals_drop(was.locals);
    call_drop(was.drop_arg, was.call.arg);
}

/* Under the lock. Returns 0, -EAGAIN, -ENOMEM. */
static int start_thread(struct jg_executor *pool);

/* The thread leaves in the middle of a job: that is what the job came to. Those in the queue get another
 * thread; or are told that there is none, until one of those that wait for them can go on. */
static void abort_thread(void *arg) {
    struct pool_thread *thread = arg;
    struct jg_executor *pool = thread->pool;
    mind_fork_of_thread(thread, -EOWNERDEAD);
    thread_check_left();
    locals_end(task_current());
    intptr_t word = jg_fail(-EOWNERDEAD, "thread %d (%s) left its job without handing back a word",
                            (int)gettid(), pool->name);
    finish(thread, (struct outcome){word, error_take_for(task_current(), word)}, false);
    pthread_mutex_lock(&pool->lock);
    int rc = pool->first != NULL ? start_thread(pool) : 0;
    while (rc < 0 && pool_all_wait(pool, pool->threads - 1) && pool->first != NULL) {
        pool_refuse(pool, pool->first, rc);
        pthread_mutex_lock(&pool->lock);
    }
    count_out(pool);
}

static void *run_thread(void *arg) {
    struct jg_executor *pool = arg;
    works_for = pool;
    struct pool_thread self = {.pool = pool, .generation = pool_generation()};
    pthread_setname_np(pthread_self(), pool->name);
    task_current()->coro.name = pool->name;
    pthread_mutex_lock(&pool->lock);
    pool->starting--;
    bool more = take_next(&self);
    pthread_mutex_unlock(&pool->lock);
    pthread_cleanup_push(abort_thread, &self);
    serve(&self, more);
    pthread_cleanup_pop(0);
    return NULL;
}

// For those who submit.

static int start_thread(struct jg_executor *pool) {
    pthread_t thread;
    int rc = thread_start(pool->stack_size, true, run_thread, pool, &thread);
    if (rc < 0) {
        return rc == -ENOMEM ? -ENOMEM : -EAGAIN;
    }
    pool->threads++;
    pool->starting++;
    return 0;
}

int pool_add_thread(struct jg_executor *pool) {
    return pool->shut || pool->threads >= pool->threads_most ? -EDEADLK : start_thread(pool);
}

/* Under the lock, no thread is idle: the queue, and one more thread if there may be. */
static int queue_or_start(struct jg_executor *pool, struct jg_job *job) {
    if (pool->threads_most == 0) {
        pool->threads_most = pool_default_threads();
    }
    if (pool->threads < pool->threads_most) {
        int rc = start_thread(pool);
        if (rc < 0 && pool->threads == 0) {
            return rc;
        }
    }
    if (pool->queued >= pool->starting && pool->queued - pool->starting >= pool->queue_most) {
        return -EBUSY;
    }
    enqueue(pool, job);
    return 0;
}

int pool_give(struct jg_executor *pool, struct jg_job *job) {
    pthread_mutex_lock(&pool->lock);
    struct pool_thread *thread = pool->shut ? NULL : pop_idle(pool);
    bool asleep = false;
    int rc = 0;
    if (thread != NULL) {
        begin(thread, job);
        asleep = hand_over(thread);
    } else {
        rc = pool->shut ? -ESHUTDOWN : queue_or_start(pool, job);
    }
    pthread_mutex_unlock(&pool->lock);
    if (asleep) {
        futex_wake(&thread->hand);
    }
    return rc;
}

enum job_state pool_take_back(struct jg_executor *pool, struct jg_job *job) {
    pthread_mutex_lock(&pool->lock);
    enum job_state state = (enum job_state)job->state;
    if (state == JOB_QUEUED) {
        dequeue(pool, job);
    } else if (state == JOB_RUNNING && job->abandon) {
        ((struct pool_thread *)job->thread)->job = NULL;
    } else {
        state = JOB_NONE;
    }
    if (state != JOB_NONE) {
        set_state(job, JOB_NONE);
    }
    pthread_mutex_unlock(&pool->lock);
    return state;
}

bool pool_cancel_first(struct jg_executor *pool) {
    pthread_mutex_lock(&pool->lock);
    if (pool->first == NULL) {
        pthread_mutex_unlock(&pool->lock);
        return false;
    }
    pool_refuse(pool, pool->first, -ECANCELED);
    return true;
}

// Closing.

struct jg_executor *pool_of_thread(void) {
    return works_for;
}

void pool_shut(struct jg_executor *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->shut = true;
    for (struct pool_thread *thread; (thread = pop_idle(pool)) != NULL;) {
        thread->fn = NULL;
        if (hand_over(thread)) {
            futex_wake(&thread->hand);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}
