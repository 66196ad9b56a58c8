// SPDX-License-Identifier: MIT
/* udp.c – datagram sockets.
 *
 * Holds      struct jg_udp: a bound descriptor.
 * Invariant  closed while tasks are inside: its memory stays until the last of them has left.
 * Called by  user code.
 * Why        see juggle/udp.h.
 */
#include "base/mem.h"
#include "net/address.h"
#include "net/address_value.h"
#include "rt/observe.h"
#include "task/task.h"

#include <errno.h>
#include <juggle/udp.h>
#include <string.h>

struct jg_udp {
    uint64_t place;      // it belongs to; see place_here
    int fd;              // -1 once closed
    unsigned holders;    // tasks inside a call that may park on it
    int64_t armed_ns[2]; // see op.armed_ns
};

static int set_options(const struct backend *backend, int fd, const jg_udp_options *options) {
    const int on = 1;
    int rc = 0;
    if (backend->ops->foreign_fds) {
        return 0;
    }
    if (options->broadcast) {
        rc = setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
    }
    return rc != 0 ? -errno : 0;
}

/* Records why a call failed; a cancel needs no reason. */
__attribute__((cold, noinline)) static int tell_failure(const char *what, int rc) {
    return rc == -ECANCELED ? rc : (int)jg_fail(rc, "cannot %s: %s", what, strerrordesc_np(-rc));
}

static int open_socket(const jg_address *local, const jg_udp_options *options, jg_udp **out_udp) {
    static const jg_udp_options no_options;
    struct backend *backend = backend_current();
    struct op_address address;
    if (local != NULL) {
        address = address_of_value(local);
    } else {
        address_parse("0.0.0.0", 0, &address); // a number: cannot fail
    }
    options = options != NULL ? options : &no_options;
    if (address.len == 0) {
        return -EINVAL;
    }
    jg_udp *udp = mem_alloc_zero(sizeof(*udp));
    if (udp == NULL) {
        return -ENOMEM;
    }
    udp->place = place_here();
    udp->fd = backend->ops->datagram_open(backend, &address, options->reuse_port);
    int rc = udp->fd < 0 ? udp->fd : set_options(backend, udp->fd, options);
    if (rc < 0) {
        jg_udp_close(udp);
        return rc;
    }
    observe_opened(udp, "descriptor", udp->fd, "datagram socket");
    *out_udp = udp;
    return 0;
}

int jg_udp_open(const jg_address *local, const jg_udp_options *options, jg_udp **out_udp) {
    int rc = open_socket(local, options, out_udp);
    return rc == 0 ? 0 : tell_failure("open a datagram socket", rc);
}

static struct backend *backend_of(const jg_udp *udp) {
    return place_backend(udp->place, "a datagram socket");
}

int jg_udp_connect(jg_udp *udp, const jg_address *peer) {
    const struct op_address address = address_of_value(peer);
    struct backend *backend = backend_of(udp);
    int rc = address.len == 0 ? -EINVAL
                              : backend->ops->datagram_connect(backend, udp->fd, &address);
    return rc == 0 ? 0 : tell_failure("give a datagram socket its peer", rc);
}

int jg_udp_address(const jg_udp *udp, jg_address *out_address) {
    struct op_address address;
    struct backend *backend = backend_of(udp);
    int rc = backend->ops->local_address(backend, udp->fd, &address);
    if (rc < 0) {
        return tell_failure("tell a datagram socket's address", rc);
    }
    *out_address = address_to_value(&address);
    return 0;
}

static void release(jg_udp *udp) {
    must(udp->holders > 0);
    udp->holders--;
    if (udp->fd < 0 && udp->holders == 0) {
        mem_free(udp);
    }
}

static ssize_t run(jg_udp *udp, struct op *op) {
    int rc = place_check(sched_current(), udp->place, "a datagram socket");
    if (unlikely(rc < 0)) {
        return rc;
    }
    udp->holders++;
    ssize_t result = op_run(op);
    release(udp);
    return result;
}

ssize_t jg_udp_send(jg_udp *udp, const jg_address *to, const void *buf, size_t len) {
    struct op_address address;
    struct iovec piece = {(void *)(uintptr_t)buf, len};
    struct op op = {.kind = OP_SEND,
                    .fd = udp->fd,
                    .socket = true,
                    .iov = &piece,
                    .iov_count = 1,
                    .armed_ns = udp->armed_ns};
    if (to != NULL) {
        address = address_of_value(to);
        op.peer = &address;
        if (address.len == 0) {
            return tell_failure("send a datagram", -EINVAL);
        }
    }
    ssize_t sent = run(udp, &op);
    return likely(sent >= 0) ? sent : tell_failure("send a datagram", (int)sent);
}

ssize_t jg_udp_recv(jg_udp *udp, void *buf, size_t cap, jg_address *out_from, bool *out_truncated) {
    struct op_address from;
    struct iovec piece = {buf, cap};
    struct op op = {.kind = OP_RECEIVE,
                    .fd = udp->fd,
                    .socket = true,
                    .iov = &piece,
                    .iov_count = 1,
                    .armed_ns = udp->armed_ns};
    op.peer = out_from != NULL ? &from : NULL;
    ssize_t got = run(udp, &op);
    if (unlikely(got < 0)) {
        return tell_failure("receive a datagram", (int)got);
    }
    if (out_from != NULL) {
        *out_from = address_to_value(&from);
    }
    if (out_truncated != NULL) {
        *out_truncated = op.truncated;
    }
    return got;
}

void jg_udp_close(jg_udp *udp) {
    if (udp == NULL) {
        return;
    }
    struct backend *backend = backend_of(udp);
    if (udp->fd >= 0) {
        backend->ops->close_fd(backend, udp->fd);
    }
    observe_closed(udp);
    udp->fd = -1;
    udp->holders++;
    release(udp);
}

int jg_udp_fd(const jg_udp *udp) {
    return backend_of(udp)->ops->foreign_fds ? -1 : udp->fd;
}
