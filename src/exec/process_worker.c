// SPDX-License-Identifier: MIT
/* process_worker.c – see process_worker.h.
 *
 * Holds      nothing.
 * Invariant  see process_worker.h.
 * Called by  see process_worker.h.
 * Why        the server is told what to do, and does not answer but when asked whether a worker has
 *            ended. What it says of a new worker comes on that worker's socket, where a task waits for it
 *            as for any reply. Questions carry a number, as answers come to whoever looks first.
 * Quirks     a socket whose other end goes away with something unread in it says so: the next read is
 *            -ECONNRESET, where it else would be the end (Linux, AF_UNIX). The simulated backend knows no
 *            descriptors of the kernel's: there a task looks now and then, while real time passes.
 */
#include "exec/process_worker.h"

#include "base/clock.h"
#include "base/mem.h"
#include "rt/blocking.h"
#include "rt/op.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const int64_t PATIENCE_NS = 2 * JG_S; // from SIGTERM to SIGKILL; with a silent server
static const int64_t FIRST_LOOK_NS = 50 * 1000;
static const int64_t LATER_LOOK_NS = 5 * JG_MS;

// The server.

/* Whether a worker has ended: one question after the other, until it has. */
struct question {
    struct question *next;
    uint64_t number;  // of the one under way, or 0
    int64_t heard_ns; // the last answer, or the beginning
    int rc;           // the last answer: -EAGAIN when it runs on
    int status;
};

/* Tells the server something, with a descriptor or -1. Returns 0; -EPIPE when it is gone, -EAGAIN while
 * it does not listen; -EMFILE, -ENOMEM. */
static int tell(const struct process_server *server, struct wire_command order, int fd) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec piece = {&order, sizeof(order)};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (fd >= 0) {
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    if (sendmsg(server->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
        return 0;
    }
    switch (errno) {
    case ETOOMANYREFS:
        return -EMFILE; // too many descriptors are on their way
    case ENOBUFS:
        return -ENOMEM;
    case ECONNRESET:
        return -EPIPE;
    default:
        return -errno;
    }
}

/* Takes in what the server has answered, to whomever. Returns whether it is there. */
static bool hear(const struct process_server *server) {
    struct wire_answer answer;
    ssize_t got;
    while ((got = recv(server->fd, &answer, sizeof(answer), MSG_DONTWAIT)) == sizeof(answer)) {
        struct question *question = server->questions;
        while (question != NULL && question->number != answer.number) {
            question = question->next;
        }
        if (question != NULL) { // else nobody waits for it any more
            question->number = 0;
            question->heard_ns = clock_now_ns();
            question->rc = answer.rc;
            question->status = answer.status;
        }
    }
    return got < 0;
}

/* Returns 0 when the worker has ended; -EAGAIN when it runs on, as far as is known; -ECHILD. */
static int look(struct process_server *server, struct question *question, pid_t pid) {
    bool there = hear(server);
    if (question->rc != -EAGAIN || !there) {
        return question->rc != -EAGAIN ? question->rc : -ECHILD;
    }
    struct wire_command order = {.order = WIRE_LOOK, .pid = pid, .number = server->asked + 1};
    if (question->number == 0 && tell(server, order, -1) == 0) {
        question->number = ++server->asked;
    }
    return -EAGAIN;
}

static void forget(struct process_server *server, const struct question *question) {
    struct question **place = &server->questions;
    while (*place != question) {
        place = &(*place)->next;
    }
    *place = question->next;
}

// Coming and going.

/* Makes our end fit the loop it will be used in first. */
static void adopt(int fd) {
    struct backend *backend = backend_current();
    if (!backend->ops->foreign_fds) {
        backend->ops->adopt(backend, fd);
    }
}

static int open_sockets(int out_fds[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out_fds) != 0) {
        return -errno;
    }
    fcntl(out_fds[0], F_SETFL, O_RDWR | O_NONBLOCK);
    adopt(out_fds[0]);
    return 0;
}

/* The worker sees the end of the stream, whoever else has a copy of our end. */
static void close_ours(int fd) {
    struct backend *backend = backend_current();
    shutdown(fd, SHUT_RDWR);
    if (backend->ops->foreign_fds) {
        close(fd);
    } else {
        backend->ops->close_fd(backend, fd);
    }
}

int process_worker_start(struct process_server *server, struct process_worker **out_worker) {
    int fds[2];
    struct process_worker *worker = mem_alloc(sizeof(*worker));
    if (worker == NULL) {
        return -ENOMEM;
    }
    int rc = open_sockets(fds);
    if (rc == 0) {
        rc = tell(server, (struct wire_command){.order = WIRE_SPAWN}, fds[1]);
        close(fds[1]);
        if (rc < 0) {
            close_ours(fds[0]);
        }
    }
    if (rc < 0) {
        mem_free(worker);
        return rc;
    }
    worker->server = server;
    worker->fd = fds[0];
    worker->pid = 0;
    worker->have = worker->used = 0;
    *out_worker = worker;
    return 0;
}

int process_worker_meet(struct process_worker *worker, bool *out_lost) {
    struct wire_hello hello = {.pid = worker->pid};
    int rc = 0;
    if (worker->pid == 0) {
        rc = process_worker_receive(worker, &hello, sizeof(hello)); // in one piece, or not at all
        rc = rc == 0 && hello.pid < 0 ? hello.pid : rc;
    }
    *out_lost = hello.pid < 0 || rc == -EPIPE;
    worker->pid = hello.pid > 0 ? hello.pid : 0;
    return rc;
}

bool process_worker_alive(const struct process_worker *worker) {
    char byte;
    if (worker->pid == 0) {
        return true; // it is still to be met
    }
    ssize_t got = recv(worker->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Lets a little time pass, whatever asks the caller to stop. */
static void pause_ns(int64_t duration_ns) {
    struct coro *self = sched_current();
    if (self->loop == NULL) {
        blocking_sleep_until(clock_now_ns() + duration_ns);
        return;
    }
    self->loop->external++; // real time has to pass
    loop_pause(self, duration_ns);
    self->loop->external--;
}

int process_worker_stop(struct process_worker *worker, int *out_status) {
    struct process_server *server = worker->server;
    int64_t begun_ns = clock_now_ns();
    struct question question = {.next = server->questions, .heard_ns = begun_ns, .rc = -EAGAIN};
    int64_t pause = FIRST_LOOK_NS;
    int rc;
    must(worker->pid > 0);
    server->questions = &question;
    if (hear(server)) { // else nobody keeps its id from strangers
        kill(worker->pid, SIGTERM);
    }
    while ((rc = look(server, &question, worker->pid)) == -EAGAIN) {
        int64_t now_ns = clock_now_ns();
        bool silent = now_ns - question.heard_ns >= PATIENCE_NS;
        if (silent || now_ns - begun_ns >= PATIENCE_NS) {
            kill(worker->pid, SIGKILL);
        }
        if (silent) {
            rc = -ETIMEDOUT;
            break;
        }
        pause_ns(pause);
        pause = pause * 2 < LATER_LOOK_NS ? pause * 2 : LATER_LOOK_NS;
    }
    *out_status = question.status;
    forget(server, &question);
    tell(server, (struct wire_command){.order = WIRE_REAP, .pid = worker->pid}, -1);
    process_worker_dismiss(worker);
    return rc;
}

void process_worker_hang_up(const struct process_worker *worker) {
    shutdown(worker->fd, SHUT_RDWR);
}

void process_worker_dismiss(struct process_worker *worker) {
    close_ours(worker->fd);
    mem_free(worker);
}

// Talking.

/* Where the backend knows nothing of the descriptor. */
static intptr_t transfer_by_looking(struct op *op) {
    struct coro *self = sched_current();
    int64_t pause = FIRST_LOOK_NS;
    intptr_t rc = suspend_check(self);
    op->wait.coro = self;
    while (rc == 0) {
        rc = op_try(op);
        if (rc != -EAGAIN) {
            return rc;
        }
        self->loop->external++;
        rc = jg_sleep_until(clock_add(loop_now_ns(), pause));
        self->loop->external--;
        pause = pause * 2 < LATER_LOOK_NS ? pause * 2 : LATER_LOOK_NS;
    }
    return rc;
}

/* Returns a count, 0 at the end of the stream, or an error. */
static intptr_t transfer(struct op *op) {
    return backend_current()->ops->foreign_fds ? transfer_by_looking(op) : op_run(op);
}

int process_worker_send(struct process_worker *worker, struct iovec *pieces, size_t count,
                        bool *out_sent) {
    while (count > 0) {
        struct op op = {.kind = OP_WRITE,
                        .fd = worker->fd,
                        .socket = true,
                        .iov = pieces,
                        .iov_count = (int)count};
        intptr_t put = transfer(&op);
        if (put < 0) {
            return put == -EPIPE ? -ECONNRESET : (int)put;
        }
        *out_sent = true;
        size_t left = (size_t)put;
        for (; count > 0 && left >= pieces->iov_len; pieces++, count--) {
            left -= pieces->iov_len;
        }
        if (count > 0) {
            pieces->iov_base = (char *)pieces->iov_base + left;
            pieces->iov_len -= left;
        }
    }
    return 0;
}

static int fill(struct process_worker *worker) {
    struct op op = {.kind = OP_READ, .fd = worker->fd, .socket = true, .iov_count = 1};
    op.iov = &op.one;
    op.one = (struct iovec){worker->buffer, WIRE_BUFFER};
    intptr_t got = transfer(&op);
    if (got <= 0) {
        return got == 0 ? -EPIPE : (int)got;
    }
    worker->have = (size_t)got;
    worker->used = 0;
    return 0;
}

int process_worker_receive(struct process_worker *worker, void *data, size_t size) {
    char *at = data;
    while (size > 0) {
        int rc = worker->used == worker->have ? fill(worker) : 0;
        if (rc < 0) {
            return rc;
        }
        size_t there = worker->have - worker->used;
        size_t now = size < there ? size : there;
        memcpy(at, worker->buffer + worker->used, now);
        worker->used += now;
        at += now;
        size -= now;
    }
    return 0;
}
