// SPDX-License-Identifier: MIT
/* op.c – running an operation, and the system calls behind it.
 *
 * Holds      nothing.
 * Invariant  op_try never blocks on a non-blocking descriptor and never raises SIGPIPE.
 * Called by  exec, io and net (op_run), epoll.c and blocking.c (op_try).
 * Why        both real backends do the same call; only how they wait differs.
 */
#include "rt/op.h"

#include "rt/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct backend *backend_current(void) {
    struct loop *loop = sched_current()->loop;
    return loop != NULL ? loop->backend : &blocking_backend;
}

static void undo_op(struct wait *wait) {
    struct op *op = (struct op *)(void *)wait;
    struct backend *backend = wait->coro->loop->backend;
    wait->undo = NULL; // asked once; the completion may come later
    backend->ops->cancel(backend, op);
}

static void write_fd(const struct wait *wait, char *out_text, size_t size) {
    snprintf(out_text, size, "fd %d", ((const struct op *)(const void *)wait)->fd);
}

const struct wait_kind op_wait_kinds[] = {
    [OP_READ] = {.what = "read", .detail = write_fd},
    [OP_WRITE] = {.what = "write", .detail = write_fd},
    [OP_ACCEPT] = {.what = "accept", .detail = write_fd},
    [OP_CONNECT] = {.what = "connect", .detail = write_fd},
    [OP_POLL] = {.what = "poll", .detail = write_fd},
    [OP_SEND] = {.what = "send", .detail = write_fd},
    [OP_RECEIVE] = {.what = "receive", .detail = write_fd},
};

short op_poll_events(const struct op *op) {
    int sides = op_sides(op);
    return (short)((sides & JG_READABLE ? POLLIN : 0) | (sides & JG_WRITABLE ? POLLOUT : 0));
}

bool op_is_wait_kind(const struct wait_kind *kind) {
    return (uintptr_t)kind - (uintptr_t)op_wait_kinds < sizeof(op_wait_kinds);
}

intptr_t op_run(struct op *op) {
    struct coro *self = sched_current();
    int rc = suspend_check(self);
    if (unlikely(rc < 0)) {
        return rc;
    }
    struct backend *backend = self->loop != NULL ? self->loop->backend : &blocking_backend;
    op->wait.coro = self;
    op->wait.undo = undo_op;
    op->wait.kind = &op_wait_kinds[op->kind];
    if (backend->ops->submit(backend, op)) {
        // Whoever never has to wait still lets the others run, once per turn.
        if (self->loop != NULL && unlikely(--self->loop->sched.budget < 0)) {
            sched_yield_now(self);
        }
        return op->wait.result;
    }
    return park(&op->wait);
}

/* A write to a pipe whose reader is gone raises SIGPIPE, and there is no flag against it: hold the
 * signal back, and take it away if it was ours. */
static ssize_t write_quietly(int fd, const struct iovec *iov, int count) {
    sigset_t pipe_signal;
    sigset_t before;
    sigset_t waiting;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&waiting);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t got = writev(fd, iov, count);
    int error = errno;
    if (got < 0 && error == EPIPE && !sigismember(&waiting, SIGPIPE)) {
        const struct timespec at_once = {0, 0};
        sigtimedwait(&pipe_signal, NULL, &at_once); // pending: it does not wait
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return got;
}

static ssize_t try_write(struct op *op) {
    if (!op->socket) {
        return write_quietly(op->fd, op->iov, op->iov_count);
    }
    if (op->iov_count == 1) {
        return send(op->fd, op->iov[0].iov_base, op->iov[0].iov_len, MSG_NOSIGNAL);
    }
    const struct msghdr message = {.msg_iov = op->iov, .msg_iovlen = (size_t)op->iov_count};
    return sendmsg(op->fd, &message, MSG_NOSIGNAL);
}

static ssize_t try_read(struct op *op) {
    struct loop *loop = op->wait.coro->loop;
    bool provided = op->iov[0].iov_base == NULL;
    if (provided) {
        void *buffer = op_buffer_take(loop);
        if (buffer == NULL) {
            errno = ENOMEM;
            return -1;
        }
        op->iov[0] = (struct iovec){buffer, OP_BUFFER_SIZE};
    }
    ssize_t got = op->socket ? recv(op->fd, op->iov[0].iov_base, op->iov[0].iov_len, 0)
                             : read(op->fd, op->iov[0].iov_base, op->iov[0].iov_len);
    if (provided && got <= 0) {
        int error = errno;
        op_buffer_give(loop, op->iov[0].iov_base);
        op->iov[0].iov_base = NULL;
        errno = error;
    }
    return got;
}

static ssize_t try_connect(struct op *op) {
    if (connect(op->fd, op->addr, op->addr_len) == 0 || errno == EISCONN) {
        return 0;
    }
    // A non-blocking Unix socket whose listener's queue is full says EAGAIN and is not under way: report
    // it as refused by load, the caller may try again. A blocking one has waited for as long as it may.
    // TCP says EINPROGRESS.
    if (errno == EAGAIN && op->wait.coro->loop != NULL) {
        errno = ECONNREFUSED;
    } else if (errno == EINPROGRESS || errno == EALREADY) {
        errno = EAGAIN;
    }
    return -1;
}

static ssize_t try_poll(struct op *op) {
    struct pollfd ready = {.fd = op->fd, .events = op_poll_events(op)};
    int got = op->fd < 0 ? -1 : poll(&ready, 1, 0); // poll leaves negative ones out
    if (got < 0) {
        errno = op->fd < 0 ? EBADF : errno;
        return -1;
    }
    if (got == 0 || (ready.revents & POLLNVAL) != 0) {
        errno = got == 0 ? EAGAIN : EBADF;
        return -1;
    }
    // The end or an error: no call would wait, in either direction.
    bool both = (ready.revents & (POLLHUP | POLLERR)) != 0;
    int there = both || (ready.revents & POLLIN) != 0 ? JG_READABLE : 0;
    there |= both || (ready.revents & POLLOUT) != 0 ? JG_WRITABLE : 0;
    return there & op->events;
}

static ssize_t try_send(struct op *op) {
    struct msghdr message = {.msg_iov = op->iov, .msg_iovlen = (size_t)op->iov_count};
    if (op->peer != NULL) {
        message.msg_name = &op->peer->any;
        message.msg_namelen = op->peer->len;
    }
    return sendmsg(op->fd, &message, MSG_NOSIGNAL);
}

static ssize_t try_receive(struct op *op) {
    struct msghdr message = {.msg_iov = op->iov, .msg_iovlen = (size_t)op->iov_count};
    if (op->peer != NULL) {
        message.msg_name = &op->peer->any;
        message.msg_namelen = sizeof(op->peer->storage);
    }
    ssize_t got = recvmsg(op->fd, &message, 0);
    if (got >= 0) {
        op->truncated = (message.msg_flags & MSG_TRUNC) != 0;
        if (op->peer != NULL) {
            op->peer->len = message.msg_namelen;
        }
    }
    return got;
}

static ssize_t try_accept(struct op *op) {
    int flags = op->wait.coro->loop != NULL ? SOCK_NONBLOCK | SOCK_CLOEXEC : SOCK_CLOEXEC;
    return accept4(op->fd, NULL, NULL, flags);
}

static ssize_t (*const tries[])(struct op *op) = {
    [OP_READ] = try_read,       [OP_WRITE] = try_write, [OP_ACCEPT] = try_accept,
    [OP_CONNECT] = try_connect, [OP_POLL] = try_poll,   [OP_SEND] = try_send,
    [OP_RECEIVE] = try_receive,
};

intptr_t op_try(struct op *op) {
    for (;;) {
        ssize_t got = tries[op->kind](op);
        if (got >= 0) {
            return got;
        }
        // Linux reports network errors of a connection not yet accepted through accept: next, please.
        bool again = errno == EINTR || (op->kind == OP_ACCEPT && errno == ECONNABORTED);
        if (!again) {
            return -errno;
        }
    }
}
