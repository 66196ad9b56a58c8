// SPDX-License-Identifier: MIT
/* juggle/worker.h – a function on a thread or in a process of its own.
 *
 * Holds      a worker runs one function and hands back its word.
 * Invariant  every worker is joined once; a worker that dies is an error, never a hang.
 * Why        inside a worker there is no loop, so the same client code blocks; and nothing stops the
 *            worker from starting a loop of its own with jg_run.
 */
#ifndef JUGGLE_WORKER_H
#define JUGGLE_WORKER_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* A thread or process that runs one function. */
typedef struct jg_worker jg_worker;

/* Where the function runs. */
typedef enum jg_worker_kind {
    JG_WORKER_THREAD,  /* a thread: shares all memory */
    JG_WORKER_PROCESS, /* forked: sees a copy of memory; shares only mappings made MAP_SHARED */
} jg_worker_kind;

/* How a worker is started. All zero is the default. */
typedef struct jg_worker_options {
    size_t stack_size; /* thread: bytes of stack; 0: the system's default */
    const char *name;  /* thread: shown by ps; at most 15 characters count. NULL: "jg-worker" */
} jg_worker_options;

/* Starts a worker that runs `fn(arg)`. Options may be NULL.
 *
 * A thread has every signal blocked but those it raises itself (SIGSEGV and its kin): handlers run on
 * the threads the program made.
 *
 * A process is a fork of the calling thread alone, also from inside a task; it runs on that thread's
 * own stack, outside of any loop. Inherited: memory as it was, all open descriptors, and what other
 * threads were in the middle of: a lock they held stays locked in the child. malloc, stdio and juggle
 * are safe all the same; whatever else the child uses should be touched by no other thread while it is
 * started. Changed: signals with a handler are back at their default and none is blocked; stdout and
 * stderr forget what the parent has not written yet, so nothing comes out twice. When `fn` returns, what
 * the child wrote to these two is flushed and the process ends at once: no atexit function runs, other
 * FILEs are not flushed. What was opened or waits on a loop of the parent is -ECHILD there (see jg_fn); what
 * was opened without a loop is inherited, and works.
 *
 * Returns  0; -EAGAIN at the limit of threads or processes; -ENOMEM; -EINVAL for an unknown kind.
 * Owns     keeps `arg` until joined (a process has its own copy). Gives the worker: join it.
 * Threads  any thread. */
#define jg_worker_start(kind, fn, arg, options, out_worker)                                        \
    jg_worker_start_at((kind), (fn), (arg), (options), (out_worker), #fn "\0" JG_HERE)
JG_API int jg_worker_start_at(jg_worker_kind kind, jg_fn *fn, void *arg,
                              const jg_worker_options *options, jg_worker **out_worker,
                              const char *site);

/* Waits until the worker has ended. In a task the loop goes on meanwhile (for time in a simulated
 * one see <juggle/sim.h>). A cancel does not cut it short: a thread cannot be stopped, and a process is
 * waited for after jg_worker_kill.
 *
 * Returns  the function's word; with an error, jg_error_last() has the failure recorded in the worker.
 *          -EOWNERDEAD when it ended without handing a word back: the detail says how ("worker process
 *          123 was killed by signal 9 (Killed)", "... exited with status 3"); but a thread left by
 *          pthread_exit with a loop open is a named abort. -ECHILD in a forked copy of the process that
 *          started it; -EDEADLK where suspending is not possible, for a thread also from itself and from a
 *          worker whose end it waits for: these two, unless they are the function's word, leave the worker
 *          as it is.
 * Owns     takes the worker: but for those two it is gone after the call, whatever that returns.
 * Threads  any thread of the process that started it; once. */
JG_API JG_SUSPENDS intptr_t jg_worker_join(jg_worker *worker);

/* Sends a signal to a process worker. Returns 0; -ESRCH when it has ended; -EINVAL for no signal; -EPERM when
 * it runs as somebody else; -EOPNOTSUPP for a thread; -ECHILD in a forked copy of the process that started
 * it. */
JG_API int jg_worker_kill(jg_worker *worker, int signal_number);

/* Returns the process id of a process worker; the thread's id of a thread. */
JG_API pid_t jg_worker_id(const jg_worker *worker);

JG_END_DECLS

#endif
