// SPDX-License-Identifier: MIT
/* process_worker.h – one worker of a process pool, as the program sees it: a socket and a life.
 *
 * Holds      struct process_worker on the heap, with what has been read ahead.
 * Invariant  the process is there as long as the record; it is reaped by the server only when we ask, so
 *            its id cannot meet a stranger.
 * Called by  process_pool.c.
 * Why        the pool decides who gets which worker; how one is started, talked to and stopped is here.
 */
#ifndef EXEC_PROCESS_WORKER_H
#define EXEC_PROCESS_WORKER_H

#include "exec/wire.h"

struct process_worker {
    struct process_worker *next; // in the pool's list of free ones
    struct process_worker *next_busy;
    int server; // the server's socket
    int fd;     // the worker's
    pid_t pid;
    size_t have; // bytes in the buffer
    size_t used; // of those, taken
    char buffer[WIRE_BUFFER];
};

/* Has the server fork a worker. Returns 0; -ENOMEM, -EMFILE, -EAGAIN; -EOWNERDEAD without a server. */
int process_worker_start(int server, struct process_worker **out_worker);

/* Whether an idle worker is still there. */
bool process_worker_alive(const struct process_worker *worker);

/* Send and receive exactly so much, parking the task. `out_sent` is set once something is on its way.
 * Return 0; -EPIPE when the worker is gone; -ECANCELED, -ENOMEM. */
JG_SUSPENDS int process_worker_send(struct process_worker *worker, struct iovec *pieces,
                                    size_t count, bool *out_sent);
JG_SUSPENDS int process_worker_receive(struct process_worker *worker, void *data, size_t size);

/* Sees to it that the process ends: SIGTERM, and SIGKILL after two seconds; waits for that, whatever
 * asks the caller to stop, and frees the record. Returns 0 and what waitpid says, or -ECHILD. */
int process_worker_stop(struct process_worker *worker, int *out_status);

/* Frees an idle worker, which ends by itself. */
void process_worker_dismiss(struct process_worker *worker);

#endif
