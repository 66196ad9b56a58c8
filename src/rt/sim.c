// SPDX-License-Identifier: MIT
/* sim.c – the simulated backend: a virtual clock, a network in memory, and a seed that decides.
 *
 * Holds      struct sim: the network (sim_net.h).
 * Invariant  every choice comes from loop_random, and nothing real is looked at unless real threads
 *            owe the loop something, or may post to it: a seed replays exactly.
 * Called by  through struct backend_ops only.
 * Why        races, timeouts and faults are tried by the thousand in no time, and can be repeated. It
 *            behaves like a ring where it may: an op that could complete at once is made to wait, a
 *            cancelled one completes later, with whatever came first.
 * Quirks     the clock stands still while anybody can run, and jumps to the next event when nobody
 *            can. While a thread owes us something, or has a share in the handle, it runs no faster than
 *            the real clock, so that real work does not run into virtual timeouts; what ends before the
 *            next event has taken no time, so that a run with real work can be repeated.
 */
#include "rt/op.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "rt/loop.h"
#include "rt/sim_net.h"

#include <errno.h>
#include <poll.h>

enum { CONNECT_TRIES = 6 }; // one second apart, then two, four, ...

struct sim {
    struct backend backend;
    struct sim_net net;
};

static struct sim *of(struct backend *backend) {
    return (struct sim *)(void *)backend;
}

/* The side it waits at; the first one, if at both. */
static struct sim_side *side_of(struct sim_socket *socket, const struct op *op) {
    return op_sides(op) & JG_READABLE ? &socket->in : &socket->out;
}

static bool is_busy(const struct sim_socket *socket, const struct op *op) {
    return (socket->in.op != NULL && (op_sides(op) & JG_READABLE)) ||
           (socket->out.op != NULL && (op_sides(op) & JG_WRITABLE));
}

// Operations.

/* Tells whoever watches the world. */
static void tell_result(struct backend *backend, const struct op *op, intptr_t result) {
    struct sim_weather *weather = backend->loop->weather;
    if (weather->on_result != NULL) {
        weather->on_result(weather, op, result);
    }
}

static void leave(struct sim_side *side, const struct op *op) {
    if (side->op == op) {
        side->op = NULL;
        side->cancel_asked = false;
    }
}

static void complete(struct sim_socket *socket, struct op *op, intptr_t result) {
    struct backend *backend = socket->net->loop->backend;
    tell_result(backend, op, result);
    leave(&socket->in, op);
    leave(&socket->out, op);
    backend->pending--;
    wake(&op->wait, result);
}

static bool completed(struct backend *backend, struct op *op, intptr_t result) {
    op->wait.result = result;
    tell_result(backend, op, result);
    return true;
}

static intptr_t poll_socket(struct sim_socket *socket, struct op *op) {
    int there = sim_socket_readable(socket) ? JG_READABLE : 0;
    there |= sim_socket_writable(socket) ? JG_WRITABLE : 0;
    return (there & op->events) != 0 ? there & op->events : -EAGAIN;
}

static intptr_t accept_one(struct sim_socket *socket, struct op *op) {
    (void)op;
    return sim_socket_accept(socket);
}

static intptr_t (*const attempts[])(struct sim_socket *socket, struct op *op) = {
    [OP_READ] = sim_socket_read,
    [OP_WRITE] = sim_socket_write,
    [OP_ACCEPT] = accept_one,
    [OP_CONNECT] = sim_socket_reach,
    [OP_POLL] = poll_socket,
    [OP_SEND] = sim_datagram_send,
    [OP_RECEIVE] = sim_datagram_receive,
};

static intptr_t attempt(struct sim_socket *socket, struct op *op) {
    return attempts[op->kind](socket, op);
}

/* Nobody answered: the first packet is sent again, ever more rarely. */
static intptr_t connect_again(struct sim_socket *socket) {
    if (socket->attempts == CONNECT_TRIES) {
        return -ETIMEDOUT;
    }
    sim_net_poke_after(socket->net, &socket->out, JG_S << socket->attempts++);
    return -EAGAIN;
}

/* Completes what waits at this side, if it can be. */
static void serve(struct sim_socket *socket, struct sim_side *side) {
    struct op *op = side->op;
    if (op == NULL) {
        return;
    }
    bool connects = op->kind == OP_CONNECT;
    // A connect could always complete by now: toss, or the cancel would never come first.
    if (connects && side->cancel_asked && loop_toss(socket->net->loop, 2)) {
        complete(socket, op, -ECANCELED);
        return;
    }
    intptr_t result = attempt(socket, op);
    if (result == -EAGAIN && side->cancel_asked) {
        result = -ECANCELED;
    } else if (result == -EAGAIN && connects) {
        result = connect_again(socket);
    }
    if (result != -EAGAIN) {
        complete(socket, op, result);
    }
}

static void on_in(jg_timer *event) {
    struct sim_socket *socket = container_of(event, struct sim_socket, in.event);
    sim_net_calm(socket->net, &socket->in);
    if (socket->state == SIM_CONNECTED && !sim_socket_held(socket)) {
        sim_socket_arrive(socket);
    } else if (socket->state == SIM_DATAGRAM) {
        sim_datagram_arrive(socket);
    }
    serve(socket, &socket->in);
}

static void on_out(jg_timer *event) {
    struct sim_socket *socket = container_of(event, struct sim_socket, out.event);
    sim_net_calm(socket->net, &socket->out);
    serve(socket, &socket->out);
}

/* What can be said about a connect before a packet is sent. Like a repeated connect(), one on a
 * connected socket succeeds. */
static intptr_t connect_check(struct sim_socket *socket, const struct op *op) {
    if (socket->state == SIM_LISTENING) {
        return -EISCONN;
    }
    socket->attempts = 0;
    int rc = sim_address_check(socket->family, op->addr, op->addr_len);
    return rc == 0 && socket->state == SIM_FRESH ? -EAGAIN : rc;
}

/* A fault planned for this operation: its error, or 0. */
static int planned_fault(const struct sim_weather *weather, const struct op *op) {
    int error = 0;
    for (size_t i = 0; i < weather->fault_count; i++) {
        struct sim_fault *fault = &weather->faults[i];
        if (!fault->any && fault->kind != op->kind) {
            continue;
        }
        fault->seen++;
        bool due = fault->from_then_on ? fault->seen >= fault->nth : fault->seen == fault->nth;
        error = due && error == 0 ? fault->error : error;
    }
    return error;
}

/* Whether an operation waits although it need not. */
static bool put_off(struct loop *loop, const struct op *op) {
    unsigned percent = loop->weather->again_percent;
    if (op->kind == OP_CONNECT) {
        return true;
    }
    return percent > 0 ? loop_random(loop) % 100 < percent : loop_toss(loop, 8);
}

static bool sim_submit(struct backend *backend, struct op *op) {
    struct sim *self = of(backend);
    struct sim_socket *socket = sim_net_find(&self->net, op->fd);
    if (socket == NULL) {
        bool real = op->fd >= 0 && op->fd < SIM_FD_FIRST;
        return completed(backend, op, real ? -EOPNOTSUPP : -EBADF);
    }
    if (is_busy(socket, op)) {
        return completed(backend, op, -EBUSY);
    }
    int fault = planned_fault(backend->loop->weather, op);
    if (fault != 0) {
        return completed(backend, op, fault);
    }
    bool later = put_off(backend->loop, op);
    intptr_t result = -EAGAIN;
    if (op->kind == OP_CONNECT) {
        result = connect_check(socket, op);
    } else if (!later) {
        result = attempt(socket, op);
    }
    if (result != -EAGAIN) {
        return completed(backend, op, result);
    }
    socket->in.op = op_sides(op) & JG_READABLE ? op : socket->in.op;
    socket->out.op = op_sides(op) & JG_WRITABLE ? op : socket->out.op;
    backend->pending++;
    if (later) {
        sim_net_poke(&self->net, side_of(socket, op));
    }
    return false;
}

static void sim_cancel(struct backend *backend, struct op *op) {
    struct sim *self = of(backend);
    struct sim_socket *socket = sim_net_find(&self->net, op->fd);
    must(socket != NULL);
    struct sim_side *side = side_of(socket, op);
    must(side->op == op && !side->cancel_asked);
    if (backend->loop->weather->calm || loop_toss(backend->loop, 2)) {
        complete(socket, op, -ECANCELED);
        return;
    }
    side->cancel_asked = true;
    sim_net_poke(&self->net, side);
}

// Time.

static int64_t sim_now_ns(struct backend *backend) {
    return of(backend)->net.now_ns;
}

static int sim_pollable(struct backend *backend) {
    return backend->loop->handle->wakeup_fd;
}

/* Waits really, for threads that owe the loop something. Returns whether it was woken. A signal does not
 * end the wait: what its handler posted wakes us, and time has to pass also in a rain of signals. */
static bool wait_for_threads(struct sim *self, int64_t timeout_ns) {
    jg_loop *handle = self->backend.loop->handle;
    struct pollfd wakeup = {.fd = handle->wakeup_fd, .events = POLLIN};
    int64_t until_ns = timeout_ns < 0 ? JG_NEVER : clock_add(clock_now_ns(), timeout_ns);
    self->backend.kernel_waits++;
    int got;
    do {
        int64_t left_ns = until_ns - clock_now_ns();
        left_ns = left_ns > 0 ? left_ns : 0;
        const struct timespec limit = {left_ns / JG_S, left_ns % JG_S};
        got = ppoll(&wakeup, 1, until_ns == JG_NEVER ? NULL : &limit, NULL);
    } while (got < 0);
    if (got > 0) {
        inbox_calm(handle);
    }
    return got > 0;
}

/* Lets time pass. Returns 0, or -EDEADLK when nothing can ever happen. */
static int pass_time(struct sim *self, int64_t timeout_ns) {
    struct sim_net *net = &self->net;
    int64_t until = sim_net_next(net);
    if (timeout_ns >= 0 && clock_add(net->now_ns, timeout_ns) < until) {
        until = clock_add(net->now_ns, timeout_ns);
    }
    if (until == net->now_ns) {
        return 0;
    }
    const struct loop *loop = self->backend.loop;
    if (loop->external > 0 || inbox_held(loop->handle)) {
        int64_t real_ns = until == JG_NEVER ? -1 : until - net->now_ns;
        if (wait_for_threads(self, real_ns)) {
            return 0;
        }
    } else if (until > SIM_NET_END_NS) {
        return -EDEADLK;
    }
    net->now_ns = until;
    return 0;
}

static int sim_reap(struct backend *backend, int64_t timeout_ns) {
    struct sim *self = of(backend);
    if (timeout_ns != 0 && mpsc_empty(&backend->loop->handle->queue)) {
        int rc = pass_time(self, timeout_ns);
        if (rc < 0) {
            return rc;
        }
    }
    sim_net_fire(&self->net);
    return 0;
}

// Descriptors.

static int open_socket(struct backend *backend, int family, struct sim_socket **out_socket) {
    int rc = sim_socket_make(&of(backend)->net, family, out_socket);
    if (rc < 0) {
        return rc;
    }
    rc = sim_socket_number(*out_socket);
    if (rc < 0) {
        sim_socket_unmake(*out_socket);
    }
    return rc;
}

static int sim_socket_open(struct backend *backend, int family) {
    struct sim_socket *socket;
    bool known = family == AF_INET || family == AF_INET6 || family == AF_UNIX;
    return known ? open_socket(backend, family, &socket) : -EAFNOSUPPORT;
}

static int sim_socket_pair(struct backend *backend, int out_fds[2]) {
    struct sim_socket *one;
    struct sim_socket *other;
    int rc = open_socket(backend, AF_UNIX, &one);
    if (rc < 0) {
        return rc;
    }
    rc = open_socket(backend, AF_UNIX, &other);
    if (rc < 0) {
        sim_socket_close(one);
        return rc;
    }
    sim_socket_join(one, other);
    out_fds[0] = one->fd;
    out_fds[1] = other->fd;
    return 0;
}

static int sim_listen(struct backend *backend, const struct op_address *address, int backlog) {
    int fd = sim_socket_open(backend, address->any.sa_family);
    if (fd < 0) {
        return fd;
    }
    struct sim_socket *socket = sim_net_find(&of(backend)->net, fd);
    int rc = sim_address_listen(socket, address, backlog);
    if (rc < 0) {
        sim_socket_close(socket);
        return rc;
    }
    return fd;
}

static int sim_datagram_open(struct backend *backend, const struct op_address *local,
                             bool reuse_port) {
    (void)reuse_port; // nothing to spread: the address is taken
    int fd = sim_socket_open(backend, local->any.sa_family);
    if (fd < 0) {
        return fd;
    }
    struct sim_socket *socket = sim_net_find(&of(backend)->net, fd);
    int rc = sim_address_bind(socket, local);
    if (rc < 0) {
        sim_socket_close(socket);
        return rc;
    }
    return fd;
}

static int sim_connect_datagram(struct backend *backend, int fd, const struct op_address *peer) {
    struct sim_socket *socket = sim_net_find(&of(backend)->net, fd);
    return socket == NULL ? -EBADF : sim_datagram_connect(socket, peer);
}

static int sim_local_address(struct backend *backend, int fd, struct op_address *out_address) {
    const struct sim_socket *socket = sim_net_find(&of(backend)->net, fd);
    if (socket == NULL) {
        return -EBADF;
    }
    *out_address = socket->address;
    return 0;
}

static int sim_resolve(struct backend *backend, const char *host, int port,
                       struct op_address *out_addresses, int cap) {
    return sim_host_resolve(&of(backend)->net, host, port, out_addresses, cap);
}

static int sim_adopt(struct backend *backend, int fd) {
    return sim_net_find(&of(backend)->net, fd) != NULL ? 0 : -EOPNOTSUPP;
}

static int sim_shutdown_write(struct backend *backend, int fd) {
    struct sim_socket *socket = sim_net_find(&of(backend)->net, fd);
    return socket == NULL ? -EBADF : sim_socket_shutdown(socket);
}

static int sim_idle_ok(struct backend *backend, int fd) {
    const struct sim_socket *socket = sim_net_find(&of(backend)->net, fd);
    return socket != NULL && socket->state == SIM_CONNECTED && !sim_socket_readable(socket);
}

static void sim_forget(struct backend *backend, int fd) {
    struct sim_socket *socket = sim_net_find(&of(backend)->net, fd);
    if (socket == NULL) {
        return;
    }
    if (socket->in.op != NULL) {
        complete(socket, socket->in.op, -EBADF);
    }
    if (socket->out.op != NULL) {
        complete(socket, socket->out.op, -EBADF);
    }
}

static void sim_close_fd(struct backend *backend, int fd) {
    struct sim_socket *socket = sim_net_find(&of(backend)->net, fd);
    if (socket != NULL) {
        sim_forget(backend, fd);
        sim_socket_close(socket);
    }
}

static void sim_close(struct backend *backend) {
    struct sim *self = of(backend);
    must(backend->pending == 0);
    sim_net_fini(&self->net);
    mem_free(self);
}

static const struct backend_ops sim_ops = {
    .name = "sim",
    .foreign_fds = true,
    .close = sim_close,
    .submit = sim_submit,
    .cancel = sim_cancel,
    .reap = sim_reap,
    .now_ns = sim_now_ns,
    .pollable = sim_pollable,
    .socket_open = sim_socket_open,
    .socket_pair = sim_socket_pair,
    .listen = sim_listen,
    .datagram_open = sim_datagram_open,
    .datagram_connect = sim_connect_datagram,
    .local_address = sim_local_address,
    .resolve = sim_resolve,
    .adopt = sim_adopt,
    .shutdown_write = sim_shutdown_write,
    .idle_ok = sim_idle_ok,
    .forget = sim_forget,
    .close_fd = sim_close_fd,
};

struct sim_net *sim_net_of(const struct loop *loop) {
    return loop != NULL && loop->sim ? &of(loop->backend)->net : NULL;
}

int sim_open(struct loop *loop, uint64_t seed, struct backend **out_backend) {
    struct sim *self = mem_alloc_zero(sizeof(*self));
    if (self == NULL) {
        return -ENOMEM;
    }
    self->backend.ops = &sim_ops;
    self->backend.loop = loop;
    loop->random = seed;
    sim_net_init(&self->net, loop);
    self->net.on_in = on_in;
    self->net.on_out = on_out;
    *out_backend = &self->backend;
    return 0;
}
