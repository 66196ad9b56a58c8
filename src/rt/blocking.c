// SPDX-License-Identifier: MIT
/* blocking.c – the backend of a thread without a loop: the thread itself waits, inside submit.
 *
 * Holds      nothing: one static table for all threads.
 * Invariant  no op is ever pending. Descriptors it makes are blocking ones, so that an exchange costs
 *            the same calls as in any threaded program: the comparison is about who waits.
 * Called by  through struct backend_ops, and blocking.h.
 * Why        deadlines become SO_RCVTIMEO/SO_SNDTIMEO, set only when the armed limit would wake us
 *            too late; poll before each call would double the number of system calls.
 * Quirks     an armed limit wakes us early, and poll waits for what is left: the kernel lets one strike an
 *            eighth of its length late (its timer wheel; 256 ms in 4 s at 250 Hz), and poll on the dot.
 */
#include "rt/blocking.h"

#include "base/clock.h"
#include "rt/op.h"
#include "rt/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

int blocking_poll(struct pollfd *polled, nfds_t count, int64_t deadline_ns) {
    for (;;) {
        struct timespec limit = {0, 0};
        if (deadline_ns != JG_NEVER) {
            int64_t left = deadline_ns - clock_now_ns();
            if (left <= 0) {
                return -ECANCELED;
            }
            limit = (struct timespec){left / JG_S, left % JG_S};
        }
        int got = ppoll(polled, count, deadline_ns == JG_NEVER ? NULL : &limit, NULL);
        if (got > 0) {
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
    }
}

void blocking_sleep_until(int64_t when_ns) {
    const struct timespec until = {when_ns / JG_S, when_ns % JG_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {}
}

/* Waits for readiness by poll: for descriptors that are non-blocking, or not sockets. */
static intptr_t poll_for(const struct op *op, int64_t deadline_ns) {
    struct pollfd ready = {.fd = op->fd, .events = op_poll_events(op)};
    return blocking_poll(&ready, 1, deadline_ns);
}

/* Sees to it that the socket's own limit ends the call before the deadline, however late it strikes. A limit
 * that is short enough, and not so short that it would wake us again and again, is left as it is. */
static intptr_t arm_socket(const struct op *op, int64_t left_ns) {
    bool writes = op_sides(op) == JG_WRITABLE;
    int64_t *armed_ns = op->armed_ns == NULL ? NULL : &op->armed_ns[writes];
    if (armed_ns != NULL && *armed_ns > left_ns / 8 && *armed_ns <= left_ns - left_ns / 8) {
        return 0;
    }
    int64_t early_ns = left_ns -
                       left_ns / 4; // somewhat shorter than need be: good for the next call, too
    int64_t early_us = early_ns / 1000 + 1; // never no limit, which is 0
    struct timeval limit = {early_us / 1000000, early_us % 1000000};
    int option = writes ? SO_SNDTIMEO : SO_RCVTIMEO;
    if (setsockopt(op->fd, SOL_SOCKET, option, &limit, sizeof(limit)) != 0) {
        return -errno;
    }
    if (armed_ns != NULL) {
        *armed_ns = early_ns;
    }
    return 0;
}

/* A blocking pipe that has room for some of a write takes all of it or waits: offers no more than is
 * sure to fit. */
static intptr_t try_what_fits(struct op *op) {
    if (op->kind != OP_WRITE || op->socket) {
        return op_try(op);
    }
    struct op part = *op;
    struct iovec piece = op->iov[0];
    for (int i = 1; piece.iov_len == 0 && i < op->iov_count; i++) {
        piece = op->iov[i];
    }
    piece.iov_len = piece.iov_len < PIPE_BUF ? piece.iov_len : PIPE_BUF;
    part.iov = &piece;
    part.iov_count = 1;
    return op_try(&part);
}

static intptr_t run_with_deadline(struct op *op, int64_t deadline_ns) {
    bool has_limit = op->socket && op->kind != OP_POLL; // of its own, in the socket
    for (;;) {
        int64_t left_ns = deadline_ns - clock_now_ns();
        if (left_ns <= 0) {
            return -ECANCELED;
        }
        intptr_t rc = has_limit ? arm_socket(op, left_ns) : poll_for(op, deadline_ns);
        if (rc < 0) {
            return rc;
        }
        intptr_t got = try_what_fits(op);
        if (got != -EAGAIN) {
            return got;
        }
        // The socket's limit went off, or the descriptor is a non-blocking one.
        rc = poll_for(op, deadline_ns);
        if (rc < 0) {
            return rc;
        }
    }
}

static intptr_t run_without_deadline(struct op *op) {
    for (;;) {
        intptr_t got = op_try(op);
        if (got != -EAGAIN) {
            return got;
        }
        // A limit armed earlier went off, or the descriptor is a non-blocking one.
        intptr_t rc = poll_for(op, JG_NEVER);
        if (rc < 0) {
            return rc;
        }
    }
}

static bool blocking_submit(struct backend *backend, struct op *op) {
    (void)backend;
    struct coro *self = op->wait.coro;
    intptr_t got = self->deadline_ns == JG_NEVER ? run_without_deadline(op)
                                                 : run_with_deadline(op, self->deadline_ns);
    if (got == -ECANCELED) {
        self->refused++; // the scopes see by it that the deadline struck inside
    }
    op->wait.result = got;
    return true;
}

static int64_t blocking_now_ns(struct backend *backend) {
    (void)backend;
    return clock_now_ns();
}

static int blocking_socket_open(struct backend *backend, int family) {
    (void)backend;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int blocking_socket_pair(struct backend *backend, int out_fds[2]) {
    (void)backend;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out_fds) != 0 ? -errno : 0;
}

static int blocking_adopt(struct backend *backend, int fd) {
    (void)backend;
    return fcntl(fd, F_GETFL) < 0 ? -errno : 0;
}

static void blocking_forget(struct backend *backend, int fd) {
    (void)backend;
    (void)fd;
}

static void blocking_close_fd(struct backend *backend, int fd) {
    (void)backend;
    close(fd);
}

/* No op is ever pending here: there is nothing to cancel, to reap or to close. */
static const struct backend_ops blocking_ops = {
    .name = "blocking",
    .submit = blocking_submit,
    .now_ns = blocking_now_ns,
    .socket_open = blocking_socket_open,
    .socket_pair = blocking_socket_pair,
    .listen = socket_listen,
    .datagram_open = socket_datagram_open,
    .datagram_connect = socket_datagram_connect,
    .local_address = socket_local_address,
    .adopt = blocking_adopt,
    .shutdown_write = socket_shutdown_write,
    .idle_ok = socket_idle_ok,
    .forget = blocking_forget,
    .close_fd = blocking_close_fd,
};

struct backend blocking_backend = {.ops = &blocking_ops};
