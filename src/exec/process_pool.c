// SPDX-License-Identifier: MIT
/* process_pool.c – who gets which worker, and what is said to it.
 *
 * Holds      struct jg_process_pool: the server, the workers that are free, who waits for one.
 * Invariant  a worker is free, or one job's. It goes back whole: all of the reply has been read; else it
 *            is stopped, and the next job gets a new one. Nobody waits while a worker is free. One
 *            whose start was cut short is free as well: the next job meets it.
 * Called by  user code; map.c.
 * Why        the job's own task does the talking: no thread, no other task, nothing allocated but what
 *            the worker hands back.
 */
#include "base/list.h"
#include "base/mem.h"
#include "exec/pool.h"
#include "exec/process_worker.h"
#include "exec/worker.h"
#include "rt/observe.h"
#include "sync/waitq.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    QUEUE_DEFAULT = 1024,
    STARTS_MOST = 2, // for one job: where all workers die at once it ends with an error
};

static const size_t OUTPUT_DEFAULT = (size_t)4 * 1024 * 1024;

struct jg_process_pool {
    jg_worker *server_process;
    struct process_server server;
    int sockets[2]; // as the server finds them: ours, its own
    pid_t owner;    // the process that opened it
    struct process_worker *free;
    struct process_worker *busy;
    size_t workers; // alive
    size_t workers_most;
    size_t waiting; // jobs that wait for a worker
    size_t waiting_most;
    size_t output_most;
    jg_waitq waiters; // woken with a worker, or an error
    jg_waitq closers;
    size_t users; // tasks inside jg_process_pool_run
    bool closing;
};

/* A job and its conversation with the worker that it has. */
struct exchange {
    struct process_worker *worker;
    unsigned starts; // workers that were started for it
    size_t most;
    size_t room; // of out.data
    jg_bytes out;
    intptr_t word;
    const char *site;
    bool sent;
};

void jg_bytes_free(jg_bytes *bytes) {
    mem_free(bytes->data);
    *bytes = (jg_bytes){NULL, 0};
}

// Opening.

static int start_server(struct jg_process_pool *pool) {
    int *fds = pool->sockets; // not on the stack: a forked child has left that
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        return -errno;
    }
    int rc = jg_worker_start_at(JG_WORKER_PROCESS, process_server_run, fds, NULL,
                                &pool->server_process, "jg-server\0");
    close(fds[1]);
    pool->server.fd = fds[0];
    if (rc < 0) {
        close(fds[0]);
    }
    return rc;
}

int jg_process_pool_open(const jg_process_pool_options *options, jg_process_pool **out_pool) {
    static const jg_process_pool_options no_options;
    options = options != NULL ? options : &no_options;
    struct jg_process_pool *pool = mem_alloc_zero(sizeof(*pool));
    if (pool == NULL) {
        return (int)jg_fail(-ENOMEM, "no memory for a process pool");
    }
    pool->owner = getpid();
    pool->workers_most = options->processes != 0 ? options->processes : pool_processors();
    pool->waiting_most = options->queue != 0 ? options->queue : QUEUE_DEFAULT;
    pool->output_most = options->output_most != 0 ? options->output_most : OUTPUT_DEFAULT;
    int rc = start_server(pool);
    if (rc < 0) {
        mem_free(pool);
        return (int)jg_fail(rc, "cannot start the fork server of a process pool: %s",
                            strerrordesc_np(-rc));
    }
    observe_closed(pool->server_process); // it is part of what was opened
    observe_opened(pool, "descriptor", pool->server.fd, "process pool");
    *out_pool = pool;
    return 0;
}

// Workers.

static int start_worker(struct jg_process_pool *pool, struct process_worker **out_worker) {
    int rc = process_worker_start(&pool->server, out_worker);
    pool->workers += rc == 0;
    return rc == -EPIPE ? -EOWNERDEAD : rc;
}

/* A free worker that is still there, or NULL: one may have been killed while nobody looked. */
static struct process_worker *pop_free(struct jg_process_pool *pool) {
    struct process_worker *worker;
    while (!pool->closing && (worker = pool->free) != NULL) {
        pool->free = worker->next;
        if (process_worker_alive(worker)) {
            return worker;
        }
        int status;
        pool->workers--;
        process_worker_stop(worker, &status); // the pool may be closed meanwhile
    }
    return NULL;
}

/* When nobody is left who could serve those that wait, they are told why. */
static void fail_waiting(struct jg_process_pool *pool, int rc) {
    if (pool->workers == 0) {
        waitq_wake_all(&pool->waiters, rc);
    }
}

static int wait_for_worker(struct jg_process_pool *pool, struct process_worker **out_worker) {
    if (sched_current()->loop == NULL || pool->waiting >= pool->waiting_most) {
        return -EBUSY;
    }
    pool->waiting++;
    intptr_t word = waitq_wait(&pool->waiters, WAIT_KIND("process pool"));
    pool->waiting--;
    if (jg_failed(word)) {
        return (int)word;
    }
    *out_worker = (struct process_worker *)word;
    return 0;
}

/* A free worker, a new one if there may be, or else the next that becomes free. */
static int find_worker(struct jg_process_pool *pool, bool may_start, struct exchange *job) {
    int rc = -EAGAIN;
    job->worker = pop_free(pool);
    if (job->worker != NULL) {
        return 0;
    }
    if (pool->closing) {
        return -ESHUTDOWN;
    }
    if (may_start && pool->workers < pool->workers_most) {
        job->starts++;
        rc = start_worker(pool, &job->worker);
    }
    if (rc < 0 && rc != -EOWNERDEAD && pool->workers > 0) {
        return wait_for_worker(pool, &job->worker);
    }
    if (rc < 0) {
        fail_waiting(pool, rc);
    }
    return rc;
}

static void leave_busy(struct jg_process_pool *pool, const struct process_worker *worker) {
    struct process_worker **place = &pool->busy;
    while (*place != worker) {
        place = &(*place)->next_busy;
    }
    *place = worker->next_busy;
}

/* Hands a worker on. */
static void release(struct jg_process_pool *pool, struct process_worker *worker) {
    if (waitq_wake_one(&pool->waiters, (intptr_t)worker) == NULL) {
        worker->next = pool->free;
        pool->free = worker;
    }
}

/* There is a worker less. Whoever waits gets a new one, unless `rc` says why there can be none. */
static void vacate(struct jg_process_pool *pool, int rc) {
    struct process_worker *worker;
    pool->workers--;
    if (waitq_empty(&pool->waiters)) {
        return; // the next job starts it
    }
    rc = rc < 0 ? rc : start_worker(pool, &worker);
    if (rc == 0) {
        release(pool, worker);
    } else {
        fail_waiting(pool, rc);
    }
}

/* Makes the worker a job's, once it is there; `out_refused`: it could not be forked. */
static int occupy(struct jg_process_pool *pool, struct process_worker *worker, bool *out_refused) {
    bool lost = false;
    bool starting = worker->pid == 0;
    worker->next_busy = pool->busy;
    pool->busy = worker;
    int rc = pool->closing && starting ? -ESHUTDOWN : process_worker_meet(worker, &lost);
    if (rc == 0 && pool->closing && starting) {
        rc = -ESHUTDOWN; // it was forked, but the close has hung up meanwhile
    }
    if (rc == 0) {
        return 0;
    }
    leave_busy(pool, worker);
    *out_refused = lost && rc != -EPIPE;
    if (rc == -EPIPE) {
        rc = pool->closing ? -ESHUTDOWN : -EOWNERDEAD;
    }
    if (lost) {
        process_worker_dismiss(worker);
        vacate(pool, rc);
    } else {
        release(pool, worker);
    }
    return rc;
}

/* Where none can be started, another one that there is will do. */
static int acquire(struct jg_process_pool *pool, struct exchange *job) {
    bool refused = false;
    int rc = find_worker(pool, true, job);
    while (rc == 0 && (rc = occupy(pool, job->worker, &refused)) < 0 && refused &&
           pool->workers > 0) {
        rc = find_worker(pool, false, job);
    }
    return (int)(rc != -EOWNERDEAD ? error_bare(rc)
                                   : jg_fail(rc, "the fork server of the process pool is gone"));
}

// A job.

static int make_room(struct exchange *job, size_t size) {
    if (size > job->most - job->out.size) {
        return -EMSGSIZE;
    }
    size_t needed = job->out.size + size;
    if (needed <= job->room) {
        return 0;
    }
    size_t room = needed < job->most / 2 ? needed * 2 : job->most;
    room = job->out.size == 0 ? needed : room; // most replies are one piece
    void *data = mem_resize(job->out.data, room);
    if (data == NULL) {
        return -ENOMEM;
    }
    job->out.data = data;
    job->room = room;
    return 0;
}

static int receive_bytes(struct exchange *job, size_t size) {
    if (size == 0) {
        return 0;
    }
    int rc = make_room(job, size);
    if (rc == 0) {
        rc = process_worker_receive(job->worker, (char *)job->out.data + job->out.size, size);
    }
    job->out.size += rc == 0 ? size : 0;
    return rc;
}

/* What stands behind the failure goes to the caller. */
static int receive_error(struct exchange *job) {
    struct error_text text;
    int rc = process_worker_receive(job->worker, &text, sizeof(text));
    if (rc == 0) {
        error_keep(task_current(), error_read(&text, job->site));
    }
    return rc;
}

static int receive_frame(struct exchange *job, struct wire_frame *frame) {
    int rc = process_worker_receive(job->worker, frame, sizeof(*frame));
    if (rc == 0 && frame->kind != WIRE_DATA && frame->kind != WIRE_END) {
        rc = -EPROTO;
    }
    return rc < 0 ? rc : receive_bytes(job, frame->size);
}

static int receive_reply(struct exchange *job) {
    struct wire_frame frame = {.kind = WIRE_DATA};
    int rc = 0;
    while (rc == 0 && frame.kind == WIRE_DATA) {
        rc = receive_frame(job, &frame);
    }
    if (rc == 0 && frame.has_error) {
        rc = receive_error(job);
    }
    job->word = frame.word;
    return rc == 0 && process_worker_has_more(job->worker) ? -EPROTO : rc;
}

/* Returns 0 and what the function said; -ECONNRESET when the worker was gone before it had heard all of the
 * job, and so did not begin it. */
static int converse(struct exchange *job, jg_process_pool_fn *fn, const void *in, size_t in_size) {
    struct wire_request request = {.fn = fn, .size = in_size};
    struct iovec pieces[] = {{&request, sizeof(request)}, {(void *)(uintptr_t)in, in_size}};
    job->sent = false;
    int rc = process_worker_send(job->worker, pieces, in_size > 0 ? 2 : 1, &job->sent);
    return rc < 0 ? rc : receive_reply(job);
}

/* What it is for the job that the conversation broke off. */
static intptr_t explain(const struct exchange *job, int rc, pid_t pid, int reaped, int status) {
    switch (rc) {
    case -ECONNRESET:
    case -EPIPE:
        return reaped == 0
                   ? worker_process_explain(pid, reaped, status)
                   : jg_fail(-EOWNERDEAD, "worker process %d ended, and the fork server %s",
                             (int)pid, reaped == -ETIMEDOUT ? "does not say how" : "is gone");
    case -EPROTO:
        return jg_fail(rc, "worker process %d: the job has written into its socket", (int)pid);
    case -EMSGSIZE:
        return jg_fail(rc, "worker process %d handed back more than %zu bytes", (int)pid,
                       job->most);
    default:
        return error_bare(rc);
    }
}

/* The conversation broke off: ends the worker. Returns whether the job is over; else it has not begun, and
 * takes the place that has become empty. */
static bool bury(struct jg_process_pool *pool, struct exchange *job, int rc) {
    pid_t pid = job->worker->pid;
    int status = 0;
    int reaped = process_worker_stop(job->worker, &status);
    if (rc == -ECONNRESET && job->starts < STARTS_MOST) {
        pool->workers--;
        return false;
    }
    vacate(pool, 0);
    job->word = explain(job, rc, pid, reaped, status);
    return true;
}

/* Returns whether the job is over. */
static bool settle(struct jg_process_pool *pool, struct exchange *job, int rc) {
    leave_busy(pool, job->worker);
    if (rc == 0) {
        release(pool, job->worker);
        return true;
    }
    jg_bytes_free(&job->out);
    job->room = 0;
    if (job->sent || rc == -ECONNRESET) {
        return bury(pool, job, rc);
    }
    release(pool, job->worker); // it has heard nothing of the job
    job->word = error_bare(rc);
    return true;
}

static intptr_t run_job(struct jg_process_pool *pool, jg_process_pool_fn *fn, const void *in,
                        size_t in_size, jg_bytes *out_bytes, const char *site) {
    struct exchange job = {.most = pool->output_most, .site = site};
    int rc;
    do {
        rc = acquire(pool, &job);
        if (rc < 0) {
            return rc;
        }
    } while (!settle(pool, &job, converse(&job, fn, in, in_size)));
    if (out_bytes != NULL) {
        *out_bytes = job.out;
    } else {
        jg_bytes_free(&job.out);
    }
    return job.word;
}

intptr_t jg_process_pool_run_at(jg_process_pool *pool, jg_process_pool_fn *fn, const void *in,
                                size_t in_size, jg_bytes *out_bytes, const char *site) {
    int rc = pool->owner != getpid() ? -ECHILD : suspend_check(sched_current());
    if (out_bytes != NULL) {
        *out_bytes = (jg_bytes){NULL, 0};
    }
    if (rc < 0) {
        return error_bare(rc);
    }
    pool->users++;
    intptr_t word = run_job(pool, fn, in, in_size, out_bytes, site);
    if (--pool->users == 0) {
        waitq_wake_all(&pool->closers, 0);
    }
    return word;
}

// Closing.

static void kill_busy(const struct jg_process_pool *pool) {
    for (const struct process_worker *worker = pool->busy; worker != NULL;
         worker = worker->next_busy) {
        if (worker->pid > 0) {
            kill(worker->pid, SIGKILL);
        }
    }
}

/* Jobs that wait for a worker, or for its start, will not have one. */
static void refuse_waiting(struct jg_process_pool *pool) {
    waitq_wake_all(&pool->waiters, -ESHUTDOWN);
    for (const struct process_worker *worker = pool->busy; worker != NULL;
         worker = worker->next_busy) {
        if (worker->pid == 0) {
            process_worker_hang_up(worker);
        }
    }
}

struct close_wait {
    struct waiter waiter; // first
    struct jg_process_pool *pool;
};

/* Asked to stop while closing: hurries the jobs, and waits on. */
static void undo_close(struct wait *wait) {
    wait->undo = NULL;
    kill_busy(((struct close_wait *)(void *)wait)->pool);
}

static void await_users(const struct coro *self, struct jg_process_pool *pool) {
    struct close_wait waiting = {
        .waiter = {.wait = {.undo = undo_close, .kind = WAIT_KIND("process pool")}}, .pool = pool};
    if (self->attention != 0) {
        undo_close(&waiting.waiter.wait); // asked already
    }
    if (pool->users > 0) {
        waitq_park(&pool->closers, &waiting.waiter);
    }
}

int jg_process_pool_close(jg_process_pool *pool) {
    struct coro *self = sched_current();
    if (pool->owner != getpid()) {
        return (int)error_bare(-ECHILD);
    }
    if (self->attention & ~(uint32_t)ATTENTION_CANCEL) {
        return sched_refuse(self);
    }
    if (pool->closing) {
        check_misuse("a process pool is closed that is being closed already");
    }
    pool->closing = true;
    refuse_waiting(pool);
    await_users(self, pool);
    while (pool->free != NULL) {
        struct process_worker *worker = pool->free;
        pool->free = worker->next;
        process_worker_dismiss(worker);
    }
    observe_closed(pool);
    shutdown(pool->server.fd, SHUT_RDWR);
    close(pool->server.fd);
    jg_worker_kill(pool->server_process, SIGCONT); // if it is stopped, it could not end
    jg_worker_join(pool->server_process);
    mem_free(pool);
    return 0;
}
