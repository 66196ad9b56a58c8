// SPDX-License-Identifier: MIT
/* stranded.c – the backends of loops that stayed behind in a fork.
 *
 * Holds      their tables of functions: that of the forked thread's copy, which still tells the time, and
 *            those of what other loops had opened, or this one, if the child goes on without it.
 * Invariant  nothing here touches what the parent has open: an open file is shared with it, so is the epoll.
 * Called by  loop.c in a fresh child, place_backend; then through struct backend_ops.
 * Why        the loop's own calls ask suspend_check or place_check, which refuse; the others would reach the
 *            kernel. One set of functions refuses for them all.
 */
#include "rt/op.h"

#include <errno.h>
#include <unistd.h>

static bool refuse_submit(struct backend *backend, struct op *op) {
    (void)backend;
    op->wait.result = -ECHILD;
    return true;
}

static int refuse_open(struct backend *backend, int family) {
    (void)backend;
    (void)family;
    return -ECHILD;
}

static int refuse_pair(struct backend *backend, int out_fds[2]) {
    (void)backend;
    (void)out_fds;
    return -ECHILD;
}

static int refuse_listen(struct backend *backend, const struct op_address *address, int backlog) {
    (void)backend;
    (void)address;
    (void)backlog;
    return -ECHILD;
}

static int refuse_datagram(struct backend *backend, const struct op_address *local,
                           bool reuse_port) {
    (void)backend;
    (void)local;
    (void)reuse_port;
    return -ECHILD;
}

static int refuse_peer(struct backend *backend, int fd, const struct op_address *peer) {
    (void)backend;
    (void)fd;
    (void)peer;
    return -ECHILD;
}

static int refuse_address(struct backend *backend, int fd, struct op_address *out_address) {
    (void)backend;
    (void)fd;
    (void)out_address;
    return -ECHILD;
}

static int refuse_fd(struct backend *backend, int fd) {
    (void)backend;
    (void)fd;
    return -ECHILD;
}

static void close_own(struct backend *backend, int fd) {
    if (!backend->ops->foreign_fds) {
        close(fd);
    }
}

void backend_strand(struct backend *backend) {
    static struct backend_ops stranded;
    stranded = *backend->ops;
    stranded.submit = refuse_submit;
    stranded.socket_open = refuse_open;
    stranded.socket_pair = refuse_pair;
    stranded.listen = refuse_listen;
    stranded.datagram_open = refuse_datagram;
    stranded.datagram_connect = refuse_peer;
    stranded.local_address = refuse_address;
    stranded.adopt = refuse_fd;
    stranded.shutdown_write = refuse_fd;
    stranded.idle_ok = refuse_fd;
    stranded.close_fd = close_own;
    backend->ops = &stranded;
}

/* All that a thing is asked for which has a place. */
#define CLOSES_ONLY                                                                                \
    .name = "left behind", .datagram_connect = refuse_peer, .local_address = refuse_address,       \
    .shutdown_write = refuse_fd, .idle_ok = refuse_fd, .close_fd = close_own

struct backend *backend_left_behind(bool simulated) {
    static const struct backend_ops real = {CLOSES_ONLY};
    static const struct backend_ops sim = {CLOSES_ONLY, .foreign_fds = true};
    static struct backend backends[] = {{.ops = &real}, {.ops = &sim}};
    return &backends[simulated];
}
