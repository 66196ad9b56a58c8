// SPDX-License-Identifier: MIT
/* juggle/executor.h – functions that block, run on threads while the loop goes on.
 *
 * Holds      an executor is a pool of threads with a bounded queue of jobs. A job's record is the
 *            caller's, by value: submitting allocates nothing.
 * Invariant  every job that was submitted ends once: its word comes back, or it was cancelled.
 * Why        what cannot wait politely (a library's blocking call, a long computation) would hold up
 *            every task of the loop.
 *
 *     jg_job job = {.drop_result = free};
 *     jg_executor_submit(pool, &job, read_all, path);   // NULL: the pool every program has
 *     ... other work ...
 *     intptr_t text = jg_job_wait(&job);
 *
 * A running function cannot be stopped from outside. So a wait for it that is cancelled takes the job
 * out of the queue if it has not begun, and else waits for its end all the same; a job that sets
 * `abandon` is left alone instead, and what it comes to is dropped. A failure that nobody is left to take is
 * reported, on the pool's thread, as jg_error_on_unretrieved says. One that came back, into the job's record,
 * is reported when that is ended or used again and nobody has read it; a record that is not even ended is
 * named by debug mode as the loop closes (JG_DEBUG_FUTURE_LEAK).
 */
#ifndef JUGGLE_EXECUTOR_H
#define JUGGLE_EXECUTOR_H

#include <juggle/base.h>
#include <juggle/future.h>
#include <juggle/loop.h>

JG_BEGIN_DECLS

/* A pool of threads, and the queue of jobs that wait for one. */
typedef struct jg_executor jg_executor;

/* How an executor is made. All zero is the default. */
typedef struct jg_executor_options {
    size_t threads;  /* at most so many, started when needed; 0: 4 more than processors, up to 32 */
    size_t queue;    /* jobs that may wait while all threads are busy; 0: 1024 */
    int64_t idle_ms; /* a thread without work ends after so long; 0: 10 s; negative: it stays */
    size_t stack_size; /* bytes of stack of its threads; 0: the system's default */
    const char *name;  /* of its threads; at most 15 characters count. NULL: "jg-pool" */
} jg_executor_options;

/* One job. Zero bytes: none. The drop functions and `abandon` may be set before it is submitted. */
typedef struct jg_job {
    jg_future future;     /* done when the job is */
    jg_drop_fn *drop_arg; /* called with `arg` if the function never gets to run */
    jg_drop_fn
        *drop_result; /* called with the word, on the pool's thread, if nobody is left to take it:
                                the job was abandoned or its loop has ended. Not for errors */
    bool abandon;     /* a cancelled wait leaves the function running alone */

    /* Private below. */
    int state;
    unsigned generation; /* the process it was submitted in */
    jg_call call;        /* its way back to its loop; the function and its argument */
    jg_executor *executor;
    struct jg_job *next; /* in the queue */
    struct jg_job *prev;
    void *thread;  /* that runs it */
    jg_loop *loop; /* that it goes back to; NULL: none */
    intptr_t result;
    void *error;
    void *locals; /* the submitter's task-local values, until it begins */
} jg_job;

/* Makes an executor; threads start with the jobs. Options may be NULL.
 *
 * Returns  0; -ENOMEM; -EINVAL for a size that cannot be.
 * Owns     gives the executor: close it.
 * Threads  any thread; so are submitting to it and shutting it down. */
JG_API int jg_executor_open(const jg_executor_options *options, jg_executor **out_executor);

/* Hands `fn(arg)` to a thread, or puts it in the queue. NULL is the executor every program has: the
 * default options, never closed.
 *
 * The function runs as on any thread without a loop: what suspends blocks. It begins with the task-local
 * values that the caller sees now (juggle/local.h); what it sets ends with it. All signals but those it
 * raises itself are blocked there. If it leaves the thread by pthread_exit instead of returning, that is
 * -EOWNERDEAD for the job, and the executor starts another thread; but with a loop open there, as in a
 * task, it is a named abort. Wait with jg_job_wait; or for `job->future` in any other way,
 * and end that with jg_future_fini: it may hold what stands behind a failure. Cancelling the future is
 * jg_job_cancel.
 *
 * Returns  0; -EBUSY when the queue is full; -EAGAIN or -ENOMEM when there is no thread and none can be
 *          started; -EALREADY while this record's last job is not over; -ESHUTDOWN after
 *          jg_executor_shutdown; -ECHILD in a forked copy of the process that opened it. A refused
 *          submit calls `drop_arg`, but for -EALREADY.
 * Owns     keeps `job` until its future is done, `arg` until the function returns.
 * Threads  any thread. The job belongs to the submitter's loop, whose thread alone may touch it; one
 *          submitted without a loop is waited for without a loop. That wait alone brings it back: if it
 *          never comes, what the job came to, a failure too, is told nobody, dropped nowhere and not
 *          freed, and the record cannot be used again (-EALREADY). */
#define jg_executor_submit(executor, job, fn, arg)                                                 \
    jg_executor_submit_at((executor), (job), (fn), (arg), #fn "\0" JG_HERE)
JG_API int jg_executor_submit_at(jg_executor *executor, jg_job *job, jg_fn *fn, void *arg,
                                 const char *site);

/* Waits until the job is over. Cancelled meanwhile, it cancels the job: see jg_job_cancel; a function
 * that runs and is not to be abandoned is waited for, and the cancel stays pending.
 *
 * Returns  the function's word; with an error, jg_error_last() has the failure recorded on the thread.
 *          -ECANCELED when the job was cancelled; -EOWNERDEAD when the function left its thread; -EAGAIN
 *          or -ENOMEM when it was in the queue, no thread was left that could have begun it, and no other
 *          could be started; -EDEADLK when it was in the queue, and there may be no other: the caller runs
 *          on a thread of the same executor, and all that it may have wait, without a loop and without a
 *          deadline, for jobs of it (a job that waits for another needs a second thread). Either way the
 *          job is over. -EINVAL for a record that was never submitted.
 *
 * Not found out, and without a deadline for ever: jobs that wait for each other across several executors
 * (the only thread of A for a job in the queue of B, whose only thread waits for one in A's), and jobs that
 * wait in a loop of their own. Between several executors let jobs wait in one direction only. */
JG_API JG_SUSPENDS intptr_t jg_job_wait(jg_job *job);

/* Cancels a job that has not begun: takes it out of the queue, calls `drop_arg` and cancels its
 * future. One that runs is given up if it says `abandon`: its future is cancelled, its word will be
 * dropped. Either way the record is free at once.
 *
 * Returns  whether it was cancelled; false when it is over, or runs and cannot be stopped. */
JG_API bool jg_job_cancel(jg_job *job);

/* Submits and waits. Returns what either returns. */
#define jg_executor_run(executor, fn, arg)                                                         \
    jg_executor_run_at((executor), (fn), (arg), #fn "\0" JG_HERE)
JG_API JG_SUSPENDS intptr_t jg_executor_run_at(jg_executor *executor, jg_fn *fn, void *arg,
                                               const char *site);

/* Runs a function on a thread of the executor every program has; without a loop, where it stands. It sees
 * the caller's task-local values.
 *
 * Returns  what jg_executor_run does. */
#define jg_to_thread(fn, arg) jg_to_thread_at((fn), (arg), #fn "\0" JG_HERE)
JG_API JG_SUSPENDS intptr_t jg_to_thread_at(jg_fn *fn, void *arg, const char *site);

/* Refuses jobs from now on, and cancels those that wait in the queue. Those that run go on. Not for NULL:
 * a named abort. */
JG_API void jg_executor_shutdown(jg_executor *executor);

/* Refuses jobs from now on, waits until those it has are over and its threads are gone, and frees it.
 * If the caller is cancelled meanwhile, the queue is cancelled too; what runs is waited for.
 *
 * Returns  0. -ECHILD in a forked copy, -EDEADLK where suspending is not possible and in a job of its
 *          own: these two leave it as it is. -EINVAL for NULL, which is never closed.
 * Owns     takes the executor: after 0 it is gone. To close it while another close waits is a named abort.
 *          Jobs whose future is not done yet still hold their records. */
JG_API JG_SUSPENDS int jg_executor_close(jg_executor *executor);

/* What an executor does at the moment; for monitoring. */
typedef struct jg_executor_stats {
    size_t threads; /* alive */
    size_t idle;    /* of those, without work */
    size_t queued;  /* jobs that wait for a thread */
} jg_executor_stats;

/* Fills in the figures: none in a forked copy. NULL is the executor every program has. Any thread. */
JG_API void jg_executor_stats_get(jg_executor *executor, jg_executor_stats *out_stats);

JG_END_DECLS

#endif
