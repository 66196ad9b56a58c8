// SPDX-License-Identifier: MIT
/* worker.h – what the two kinds of workers have in common, and what each brings.
 *
 * Holds      struct jg_worker, on the heap from start to join.
 * Invariant  `owner` is the process that started it: a forked copy of the record is nobody's worker.
 * Called by  worker.c, which asks the kind; worker_thread.c and worker_process.c answer;
 *            process_pool.c has a dead worker explained.
 * Why        two functions and a place for the word: a table of functions would say no more.
 */
#ifndef EXEC_WORKER_H
#define EXEC_WORKER_H

#include "exec/slot.h"

#include <juggle/worker.h>
#include <pthread.h>
#include <stdatomic.h>

struct jg_worker {
    jg_worker_kind kind;
    jg_fn *fn;
    void *arg;
    const char *site; // where it was started
    pid_t owner;
    atomic_bool joined;

    // A thread.
    pthread_t thread;
    atomic_int tid;             // 0 until it has begun
    _Atomic(void *) ending;     // NULL, who to tell of the end, or that it has ended
    intptr_t word;              // written by the thread, read once it has ended
    struct error_record *error; // likewise
    struct jg_worker *joiner;   // whose thread waits for this one; NULL: nobody's
    char name[16];

    // A process.
    pid_t pid;
    struct slot *slot;
};

/* Starts it. Returns 0, or a negative errno with nothing left behind. */
int worker_thread_start(struct jg_worker *worker, const jg_worker_options *options);
int worker_process_start(struct jg_worker *worker);

/* Comes before worker_thread_join: -EDEADLK if the worker waits, through others it may be, for the one whose
 * thread this is, or is that one. Then nothing has begun. */
int worker_thread_join_begin(struct jg_worker *worker);

/* Wait for the end, whatever asks the caller to stop. The failure's detail goes to the caller. */
intptr_t worker_thread_join(struct jg_worker *worker);
intptr_t worker_process_join(struct jg_worker *worker);

/* Fails with how a worker process died: what waitpid says, if it was reaped (0, else negative). */
intptr_t worker_process_explain(pid_t pid, int reaped, int status);

int worker_process_kill(const struct jg_worker *worker, int signal_number);

#endif
