// SPDX-License-Identifier: MIT
/* juggle/process_pool.h – functions on other cores, in processes of their own: bytes in, bytes out.
 *
 * Holds      a pool is a fork server, forked when it is opened, and the workers it forks when they are
 *            needed. They share nothing with the caller but what goes through their sockets.
 * Invariant  a worker that dies is an error of the job it had; the others go on, and it is replaced. A job
 *            that it cannot have begun, as it never read all of it, runs in another one. No job is begun
 *            twice.
 * Why        a crash, a leak or a runaway loop in there cannot touch the program.
 *
 * Open the pool early, before the program starts threads: the server is a fork of the calling thread
 * alone, and what other threads are in the middle of then stays so in all workers (see
 * jg_worker_start). Replacing a worker later is safe whatever the program does, as the server forks it.
 * Workers know the memory as it was when the pool was opened: functions of the program, and of what it
 * had loaded by then.
 *
 * A worker has descriptors 0 to 2 and its socket; ^C does not reach it. It ends with the pool, or with
 * the program. A child that a job forks, or a program that it runs, does not get the socket: it may
 * outlive the worker, and holds nobody up. (_Fork and clone pass it on: then the worker's death is
 * noticed when that child ends.)
 */
#ifndef JUGGLE_PROCESS_POOL_H
#define JUGGLE_PROCESS_POOL_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* A fork server and its workers. */
typedef struct jg_process_pool jg_process_pool;

/* How a pool is made. All zero is the default. */
typedef struct jg_process_pool_options {
    size_t processes;   /* at most so many workers; 0: one per processor */
    size_t queue;       /* jobs that may wait for a worker; 0: 1024 */
    size_t output_most; /* bytes a job may hand back; 0: 4 MiB */
} jg_process_pool_options;

/* Bytes on the heap. */
typedef struct jg_bytes {
    void *data;  /* NULL when there are none */
    size_t size; /* how many */
} jg_bytes;

/* Frees them; zero bytes are nothing to free. */
JG_API void jg_bytes_free(jg_bytes *bytes);

/* Where a worker's function puts what it hands back. */
typedef struct jg_worker_output jg_worker_output;

/* What a worker runs, without a loop: what suspends blocks. `in` is its own copy. The word comes back, as
 * from a task; what it prints is written out when it returns. */
typedef intptr_t jg_process_pool_fn(const void *in, size_t in_size, jg_worker_output *out);

/* Hands bytes back, after those before; they are on their way at once when they are many.
 *
 * Returns  0; -EPIPE when the program is gone; -ECHILD in a child that the function has forked.
 * Threads  the worker's one. */
JG_API int jg_worker_output_write(jg_worker_output *out, const void *data, size_t size);

/* Opens a pool and forks its server. Options may be NULL.
 *
 * Returns  0; -EAGAIN at the limit of processes; -EMFILE; -ENOMEM.
 * Owns     gives the pool: close it.
 * Threads  see above; the pool is used by one loop at a time, or by one thread without a loop. */
JG_API int jg_process_pool_open(const jg_process_pool_options *options, jg_process_pool **out_pool);

/* Runs `fn` in a worker, waiting for a free one first, or for the fork server to fork one. Cancelled
 * while it runs, the worker is sent SIGTERM, and SIGKILL after two seconds; the call returns when it is
 * gone, or, if the fork server says nothing for two seconds (it is stopped), when SIGKILL is sent.
 *
 * Returns  the function's word; with an error, jg_error_last() has the failure recorded in the worker.
 *          -EOWNERDEAD when the worker died once it had the job, which may have run in part; when two
 *          workers started for the job died before they had it; when the fork server is gone: the detail
 *          says how.
 *          -EMSGSIZE for more output than allowed, -EPROTO when the function has written into the socket
 *          of its worker, -ENOMEM for want of memory here: a worker that has the job is stopped. -ENOMEM
 *          also for want of memory there. -EBUSY when too many wait, -ESHUTDOWN while the pool closes,
 *          -EAGAIN or -EMFILE when no worker can be started and there is none to wait for; -ECANCELED;
 *          -ECHILD in a forked copy of the process that opened it.
 * Owns     borrows `in`. Gives what was handed back in `out_bytes`, also with an error the function
 *          returned; NULL drops it. */
#define jg_process_pool_run(pool, fn, in, in_size, out_bytes)                                      \
    jg_process_pool_run_at((pool), (fn), (in), (in_size), (out_bytes), #fn "\0" JG_HERE)
JG_API JG_SUSPENDS intptr_t jg_process_pool_run_at(jg_process_pool *pool, jg_process_pool_fn *fn,
                                                   const void *in, size_t in_size,
                                                   jg_bytes *out_bytes, const char *site);

/* Waits until the jobs that run are over, refuses those that wait, ends all processes and frees the
 * pool; a server that is stopped is continued. If the caller is cancelled, the workers that are busy are
 * killed.
 *
 * Returns  0; -ECHILD in a forked copy, -EDEADLK where suspending is not possible: these two leave it
 *          as it is.
 * Owns     takes the pool: after 0 it is gone. To close it while another close waits is a named abort. */
JG_API JG_SUSPENDS int jg_process_pool_close(jg_process_pool *pool);

JG_END_DECLS

#endif
