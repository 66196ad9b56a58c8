// SPDX-License-Identifier: MIT
/* process_worker.h – one worker of a process pool, as the program sees it: a socket and a life.
 *
 * Holds      struct process_worker on the heap, with what has been read ahead.
 * Invariant  once it has been met, the process is there as long as the record; it is reaped by the server
 *            only when we say so, so its id cannot meet a stranger. Nothing here waits for the server
 *            without an end, or without letting the loop go on.
 * Called by  process_pool.c.
 * Why        the pool decides who gets which worker; how one is started, talked to and stopped is here.
 */
#ifndef EXEC_PROCESS_WORKER_H
#define EXEC_PROCESS_WORKER_H

#include "exec/wire.h"

struct question; // on the stack of who asks

struct process_server {
    int fd;
    uint64_t asked;             // questions so far
    struct question *questions; // of those who wait
};

struct process_worker {
    struct process_worker *next; // in the pool's list of free ones
    struct process_worker *next_busy;
    struct process_server *server;
    int fd;
    pid_t pid;   // 0 until it has been met
    size_t have; // bytes in the buffer
    size_t used; // of those, taken
    char buffer[WIRE_BUFFER];
};

/* Tells the server to fork a worker, which is then to be met. Returns 0; -ENOMEM, -EMFILE; -EAGAIN while
 * the server does not listen; -EPIPE without a server. */
int process_worker_start(struct process_server *server, struct process_worker **out_worker);

/* Waits, if that has not been done, until the server says which process it is. What was cut short can be
 * done again, unless `out_lost`: there is no worker, but a record to be dismissed.
 *
 * Returns  0; -ECANCELED, -ENOMEM; lost: -EAGAIN, -ENOMEM when it could not be forked, -EPIPE when the
 *          server ended before. */
JG_SUSPENDS int process_worker_meet(struct process_worker *worker, bool *out_lost);

/* Whether an idle worker is still there, as far as one can see. */
bool process_worker_alive(const struct process_worker *worker);

/* Send and receive exactly so much, parking the task. `out_sent` is set once something is on its way.
 * Return 0; -ECONNRESET when the worker is gone and never read all that was sent, -EPIPE when it is gone
 * and had; -ECANCELED, -ENOMEM. */
JG_SUSPENDS int process_worker_send(struct process_worker *worker, struct iovec *pieces,
                                    size_t count, bool *out_sent);
JG_SUSPENDS int process_worker_receive(struct process_worker *worker, void *data, size_t size);

/* Whether more has been read from it than was received. */
static inline bool process_worker_has_more(const struct process_worker *worker) {
    return worker->used != worker->have;
}

/* Sees to it that the process ends: SIGTERM, and SIGKILL after two seconds; waits for that, whatever
 * asks the caller to stop, and frees the record. Returns 0 and what waitpid says; -ECHILD without a
 * server; -ETIMEDOUT when the server was silent for two seconds: the process has got SIGKILL. */
int process_worker_stop(struct process_worker *worker, int *out_status);

/* Whoever meets the worker, or talks to it, is told that it is gone. */
void process_worker_hang_up(const struct process_worker *worker);

/* Frees an idle worker, which ends by itself, or one that is lost. */
void process_worker_dismiss(struct process_worker *worker);

#endif
