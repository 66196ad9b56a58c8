// SPDX-License-Identifier: MIT
/* pool.h – threads that run jobs, and the queue before them.
 *
 * Holds      struct jg_executor; on each thread's own stack a struct pool_thread.
 * Invariant  a job waits only while every thread is busy and no more may be started. A job is in the
 *            queue, or one thread's, or over: its state says which, under the lock.
 * Called by  job.c (submitting, waiting, cancelling); map.c, many.c and process_pool.c ask how many
 *            processors there are; net/lookup.c has a pool of its own.
 * Why        a job goes straight to an idle thread, the one that was busy last: its stack is warm, and
 *            nobody contends for a queue. A job that a thread has is known to it by a pointer that
 *            can be taken away: so a job can be abandoned though its record is the caller's.
 */
#ifndef EXEC_POOL_H
#define EXEC_POOL_H

#include "exec/home.h"
#include "task/task.h"

#include <juggle/executor.h>
#include <pthread.h>

struct pool_thread;
struct pool_waiter;

/* Who waits in a task for the last thread to be gone. */
struct closer {
    jg_call call;
    struct wait wait;
    jg_loop *home;
    struct jg_executor *pool;
};

enum job_state {
    JOB_NONE,    // not submitted, or over
    JOB_QUEUED,  // in the queue
    JOB_RUNNING, // a thread's
    JOB_ENDED,   // its word is there; on its way back
};

struct jg_executor {
    pthread_mutex_t lock;
    pthread_cond_t over; // for waiters without a loop: a job is over, or the last thread is gone
    struct jg_job *first;
    struct jg_job *last;
    size_t queued;
    size_t queue_most;        // beyond those for whom a thread is starting
    size_t starting;          // threads on their way to their first job
    struct pool_thread *idle; // threads without work, newest first
    size_t idle_count;
    size_t threads;
    size_t threads_most; // 0: by default, seen when the first one starts
    int64_t idle_ns;     // how long a thread waits for work; JG_NEVER: until the end
    size_t stack_size;
    struct pool_waiter *waiters; // of its own threads, those that wait for a job of it, without end
    size_t blocked;              // callers that wait for `over`
    bool shut;                   // no more jobs
    bool closing;                // somebody is in jg_executor_close
    struct closer *closer;       // who is told when the last thread is gone, or NULL
    unsigned generation;         // the process it belongs to; see pool_generation
    struct jg_executor *next_static;
    char name[16];
};

/* A pool that lives as long as the program: no memory of the heap, made anew in a forked child. */
#define POOL_STATIC(name_, threads_most_, queue_most_, idle_ns_, stack_size_)                      \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER,                       \
        .threads_most = (threads_most_), .queue_most = (queue_most_), .idle_ns = (idle_ns_),       \
        .stack_size = (stack_size_), .name = (name_),                                              \
    }

/* Which process this is: counts the forks that led here. */
unsigned pool_generation(void);

/* Makes a static pool known to forks. Called by constructors alone: while the library is loaded. */
void pool_watch_forks(struct jg_executor *pool);

/* How many processors this program may use; how many threads a pool has by default. */
size_t pool_processors(void);
size_t pool_default_threads(void);

/* Gives the job to a thread, or queues it. Any thread. Returns 0, -EBUSY, -EAGAIN, -ENOMEM,
 * -ESHUTDOWN. */
int pool_give(struct jg_executor *pool, struct jg_job *job);

/* Takes the job back, if it has not begun or may be abandoned. Returns the state it was in:
 * JOB_QUEUED or JOB_RUNNING; JOB_NONE when it was not to be had. */
enum job_state pool_take_back(struct jg_executor *pool, struct jg_job *job);

/* Refuses new jobs; threads end when the queue is empty. Any thread, again too. */
void pool_shut(struct jg_executor *pool);

/* Under the lock, of which it lets go: the queued job is over without having begun, and came to `word`. */
void pool_refuse(struct jg_executor *pool, struct jg_job *job, intptr_t word);

/* Under the lock: one more thread, if there may be. Returns 0; -EDEADLK when it has all that it may have;
 * -EAGAIN, -ENOMEM. */
int pool_add_thread(struct jg_executor *pool);

/* Under the lock: whether so many of its threads wait for jobs of it that are not over, without end. */
bool pool_all_wait(const struct jg_executor *pool, size_t threads);

/* Cancels the first job of the queue, if there is one; returns whether there was. */
bool pool_cancel_first(struct jg_executor *pool);

/* Wait without a loop: for a job, which its submitter has; until a shut pool's last thread is gone.
 * Return 0, or -ETIMEDOUT when the deadline struck before. A queued job that no thread could ever begin, as
 * they all wait for jobs, comes to why there is no other thread. */
int pool_await_job(struct jg_executor *pool, struct jg_job *job, int64_t deadline_ns);
int pool_await_last(struct jg_executor *pool, int64_t deadline_ns);

/* Has the last thread of a shut pool tell `closer`. Returns false when it is gone already. */
bool pool_tell_last(struct jg_executor *pool, struct closer *closer);

/* The pool this thread works for, or NULL. */
struct jg_executor *pool_of_thread(void);

/* Nobody is left to take what a job came to. Takes the record: a failure is reported. job.c */
void job_drop(intptr_t word, struct error_record *error, jg_drop_fn *drop_result);

/* The job is over: sends it to its loop, which it has. Called without the lock. job.c */
void job_send_home(struct jg_job *job);

/* Waits until the job is over. The first time the wait is cut short it calls `stop(arg)`, so that the
 * job ends soon, and waits on.
 *
 * Returns  the job's word; if that is no error, why the wait was cut short. job.c */
intptr_t job_await(struct jg_job *job, void (*stop)(void *arg), void *arg);

#endif
