// SPDX-License-Identifier: MIT
/* sim_socket.c – what the simulated network's sockets do. See sim_net.h.
 *
 * Holds      nothing of its own.
 * Invariant  what arrives keeps its order: bytes, then the end, then a reset.
 * Called by  sim.c, sim_address.c, sim_host.c.
 * Why        modelled after what Linux does to TCP on the loopback: half-close, a reset when unread
 *            bytes are thrown away, EPIPE after it, a backlog that drops the first packet.
 */
#include "rt/sim_net.h"

#include "base/check.h"
#include "base/mem.h"
#include "rt/loop.h"

#include <errno.h>
#include <string.h>

enum { FIRST_SOCKETS = 16 };

// Sockets and their numbers.

int sim_socket_make(struct sim_net *net, int family, struct sim_socket **out_socket) {
    struct sim_socket *socket = mem_alloc_zero(sizeof(*socket));
    if (socket == NULL) {
        return -ENOMEM;
    }
    socket->net = net;
    socket->fd = -1;
    socket->family = family;
    socket->address.len = sizeof(sa_family_t);
    socket->address.any.sa_family = (sa_family_t)family;
    if (timer_arm(&net->events, &socket->in.event, JG_NEVER, net->on_in) < 0 ||
        timer_arm(&net->events, &socket->out.event, JG_NEVER, net->on_out) < 0) {
        timer_disarm(&net->events, &socket->in.event);
        mem_free(socket);
        return -ENOMEM;
    }
    *out_socket = socket;
    return 0;
}

static int grow_table(struct sim_net *net) {
    size_t cap = net->socket_cap == 0 ? FIRST_SOCKETS : net->socket_cap * 2;
    struct sim_socket **sockets = mem_resize(net->sockets, cap * sizeof(*sockets));
    if (sockets == NULL) {
        return -ENOMEM;
    }
    memset(sockets + net->socket_cap, 0, (cap - net->socket_cap) * sizeof(*sockets));
    net->sockets = sockets;
    net->socket_cap = cap;
    return 0;
}

int sim_socket_number(struct sim_socket *socket) {
    struct sim_net *net = socket->net;
    must(socket->fd == -1);
    size_t at = net->first_free;
    while (at < net->socket_cap && net->sockets[at] != NULL) {
        at++;
    }
    if (at == SIM_FD_COUNT) {
        return -EMFILE;
    }
    if (at == net->socket_cap && grow_table(net) < 0) {
        return -ENOMEM;
    }
    net->sockets[at] = socket;
    net->first_free = at + 1;
    socket->fd = SIM_FD_FIRST + (int)at;
    return socket->fd;
}

struct sim_socket *sim_net_find(const struct sim_net *net, int fd) {
    size_t at = (size_t)fd - SIM_FD_FIRST;
    return fd >= SIM_FD_FIRST && at < net->socket_cap ? net->sockets[at] : NULL;
}

void sim_socket_join(struct sim_socket *one, struct sim_socket *other) {
    must(one->state == SIM_FRESH && other->state == SIM_FRESH);
    one->peer = other;
    other->peer = one;
    one->state = SIM_CONNECTED;
    other->state = SIM_CONNECTED;
}

/* Tells the peer that this socket is gone: orderly, or by a reset when bytes were left unread. */
static void leave_peer(struct sim_socket *socket, bool reset) {
    struct sim_socket *peer = socket->peer;
    if (peer == NULL) {
        return;
    }
    socket->peer = NULL;
    peer->peer = NULL;
    if (reset) {
        peer->reset_sent = true;
    } else {
        peer->fin_sent = true;
    }
    // A Unix socket knows at once that nobody is there.
    peer->broken = peer->broken || peer->family == AF_UNIX;
    sim_net_poke(socket->net, &peer->in);
    if (peer->out.op != NULL) {
        sim_net_poke(socket->net, &peer->out);
    }
}

void sim_socket_unmake(struct sim_socket *socket) {
    must(socket->in.op == NULL && socket->out.op == NULL);
    timer_disarm(&socket->net->events, &socket->in.event);
    timer_disarm(&socket->net->events, &socket->out.event);
    sim_pipe_fini(&socket->inbound);
    mem_free(socket);
}

static void stop_listening(struct sim_socket *socket) {
    sim_address_forget(socket);
    struct sim_socket *waiting = socket->queue_first;
    while (waiting != NULL) {
        struct sim_socket *next = waiting->next;
        leave_peer(waiting, true);
        sim_socket_unmake(waiting);
        waiting = next;
    }
}

void sim_socket_close(struct sim_socket *socket) {
    struct sim_net *net = socket->net;
    size_t at = (size_t)(socket->fd - SIM_FD_FIRST);
    must(net->sockets[at] == socket);
    net->sockets[at] = NULL;
    net->first_free = at < net->first_free ? at : net->first_free;
    if (socket->state == SIM_LISTENING) {
        stop_listening(socket);
    } else if (socket->state == SIM_DATAGRAM) {
        sim_datagram_close(socket);
    }
    leave_peer(socket, socket->inbound.size > 0);
    sim_socket_unmake(socket);
}

// What travels.

/* Of `most` bytes that could move, how many do: often all, sometimes one, sometimes some. */
static size_t random_part(struct loop *loop, size_t most) {
    size_t slice = loop->weather->slice;
    most = slice > 0 && slice < most ? slice : most;
    if (loop->weather->calm) {
        return most;
    }
    uint64_t choice = loop_random(loop) >> 16;
    switch (choice & 7) {
    case 0:
        return 1;
    case 1:
    case 2:
        return 1 + (size_t)(choice >> 3) % most;
    default:
        return most;
    }
}

bool sim_socket_held(struct sim_socket *socket) {
    if (socket->held_until_ns > socket->net->now_ns) {
        sim_net_poke_after(socket->net, &socket->in,
                           socket->held_until_ns - socket->net->now_ns + SIM_STEP_NS);
        return true;
    }
    return socket->host != NULL && socket->host->cut; // poked when it is mended
}

void sim_socket_sever(struct sim_socket *socket) {
    leave_peer(socket, true);
    socket->reset_sent = true;
    sim_net_poke(socket->net, &socket->in);
}

static void reset_arrives(struct sim_socket *socket) {
    socket->error = socket->fin_seen ? -EPIPE : -ECONNRESET;
    socket->reset_sent = false;
    socket->reset_planned = false;
    socket->fin_seen = true;
    socket->broken = true;
    sim_pipe_cut(&socket->inbound);
    if (socket->out.op != NULL) {
        sim_net_poke(socket->net, &socket->out);
    }
}

/* A reset that nobody here sent: planned for this byte, or the weather's. */
static bool struck_down(struct sim_socket *socket) {
    unsigned permille = socket->host != NULL ? socket->net->loop->weather->reset_permille : 0;
    if (socket->reset_planned && socket->reset_after == 0) {
        return true; // also when the peer has left: what it sent is still on its way
    }
    return !socket->broken && permille > 0 && loop_random(socket->net->loop) % 1000 < permille;
}

static void bytes_arrive(struct sim_socket *socket) {
    size_t most = sim_pipe_travelling(&socket->inbound);
    if (socket->reset_planned && socket->reset_after < most) {
        most = (size_t)socket->reset_after;
    }
    size_t size = random_part(socket->net->loop, most);
    socket->inbound.arrived += size;
    socket->reset_after -= socket->reset_planned ? size : 0;
}

void sim_socket_arrive(struct sim_socket *socket) {
    struct loop *loop = socket->net->loop;
    struct sim_pipe *inbound = &socket->inbound;
    if (struck_down(socket)) {
        leave_peer(socket, true);
        reset_arrives(socket);
        return;
    }
    bool overtakes = socket->reset_sent && !socket->fin_sent && loop_toss(loop, 2);
    if (overtakes) { // a peer that throws our bytes away drops its own unsent ones too
        reset_arrives(socket);
        return;
    }
    bool nothing_travelled = sim_pipe_travelling(inbound) == 0;
    if (!nothing_travelled) {
        bytes_arrive(socket);
    }
    bool struck_next = socket->reset_planned && socket->reset_after == 0;
    if (sim_pipe_travelling(inbound) > 0 || struck_next) {
        sim_net_poke(socket->net, &socket->in);
        return;
    }
    // The end may come with the last bytes or on its own.
    bool waits = !nothing_travelled && loop_toss(loop, 2);
    if (socket->fin_sent && !socket->fin_seen && !waits) {
        socket->fin_seen = true;
    } else if (socket->reset_sent && !waits) {
        reset_arrives(socket);
    }
    if (socket->reset_sent || (socket->fin_sent && !socket->fin_seen)) {
        sim_net_poke(socket->net, &socket->in);
    }
}

static intptr_t tell_error(struct sim_socket *socket) {
    int error = socket->error;
    socket->error = 0;
    return error;
}

bool sim_socket_readable(const struct sim_socket *socket) {
    if (socket->state == SIM_DATAGRAM) {
        return sim_datagram_readable(socket);
    }
    return socket->state == SIM_LISTENING
               ? socket->queue_first != NULL
               : socket->inbound.arrived > 0 || socket->fin_seen; // also after a reset
}

bool sim_socket_writable(const struct sim_socket *socket) {
    if (socket->state != SIM_CONNECTED) {
        return socket->state != SIM_LISTENING; // a fresh one fails at once
    }
    bool fails = socket->broken || socket->shut || socket->peer == NULL;
    return fails || sim_pipe_room(&socket->peer->inbound) > 0;
}

static intptr_t take_bytes(struct sim_socket *socket, struct op *op) {
    struct sim_net *net = socket->net;
    if (op->iov[0].iov_base == NULL) {
        void *buffer = op_buffer_take(net->loop);
        if (buffer == NULL) {
            return -ENOMEM;
        }
        op->iov[0] = (struct iovec){buffer, OP_BUFFER_SIZE};
    }
    size_t wanted = op->iov[0].iov_len;
    size_t there = socket->inbound.arrived;
    size_t size = random_part(net->loop, wanted < there ? wanted : there);
    sim_pipe_take(&socket->inbound, op->iov[0].iov_base, size);
    if (socket->peer != NULL && socket->peer->out.op != NULL) {
        sim_net_poke(net, &socket->peer->out); // there is room again
    }
    return (intptr_t)size;
}

intptr_t sim_socket_read(struct sim_socket *socket, struct op *op) {
    if (socket->state != SIM_CONNECTED) {
        return -ENOTCONN;
    }
    if (op->iov[0].iov_base != NULL && op->iov[0].iov_len == 0) {
        return 0;
    }
    if (socket->inbound.arrived > 0) {
        return take_bytes(socket, op);
    }
    if (socket->error != 0) {
        return tell_error(socket);
    }
    return socket->fin_seen ? 0 : -EAGAIN;
}

static size_t total_size(const struct op *op) {
    size_t sum = 0;
    for (int i = 0; i < op->iov_count; i++) {
        sum += op->iov[i].iov_len;
    }
    return sum;
}

static intptr_t send_bytes(struct sim_socket *to, const struct op *op, size_t size) {
    int rc = sim_pipe_reserve(&to->inbound, size);
    if (rc < 0) {
        return rc;
    }
    size_t left = size;
    for (int i = 0; left > 0; i++) {
        size_t piece = op->iov[i].iov_len < left ? op->iov[i].iov_len : left;
        sim_pipe_put(&to->inbound, op->iov[i].iov_base, piece);
        left -= piece;
    }
    sim_net_poke(to->net, &to->in);
    return (intptr_t)size;
}

intptr_t sim_socket_write(struct sim_socket *socket, struct op *op) {
    if (socket->state != SIM_CONNECTED) {
        return -ENOTCONN;
    }
    if (socket->broken || socket->shut) {
        return socket->error != 0 ? tell_error(socket) : -EPIPE;
    }
    size_t size = total_size(op);
    if (size == 0) {
        return 0;
    }
    if (socket->peer == NULL) { // closed: the bytes are answered by a reset
        socket->reset_sent = true;
        sim_net_poke(socket->net, &socket->in);
        return (intptr_t)random_part(socket->net->loop, size);
    }
    size_t room = sim_pipe_room(&socket->peer->inbound);
    if (room == 0) {
        return -EAGAIN;
    }
    size = random_part(socket->net->loop, size < room ? size : room);
    return send_bytes(socket->peer, op, size);
}

int sim_socket_shutdown(struct sim_socket *socket) {
    if (socket->state != SIM_CONNECTED || socket->broken) {
        return -ENOTCONN;
    }
    socket->shut = true;
    if (socket->peer != NULL) {
        socket->peer->fin_sent = true;
        sim_net_poke(socket->net, &socket->peer->in);
    }
    if (socket->out.op != NULL) {
        sim_net_poke(socket->net, &socket->out);
    }
    return 0;
}

// Connections.

intptr_t sim_socket_accept(struct sim_socket *socket) {
    if (socket->state != SIM_LISTENING) {
        return -EINVAL;
    }
    struct sim_socket *first = socket->queue_first;
    if (first == NULL) {
        return -EAGAIN;
    }
    int fd = sim_socket_number(first);
    if (fd >= 0) {
        socket->queue_first = first->next;
        socket->queued--;
    }
    return fd;
}

static void enqueue(struct sim_socket *listener, struct sim_socket *server) {
    server->next = NULL;
    if (listener->queue_first == NULL) {
        listener->queue_first = server;
    } else {
        listener->queue_last->next = server;
    }
    listener->queue_last = server;
    listener->queued++;
    sim_net_poke(listener->net, &listener->in);
}

intptr_t sim_socket_reach(struct sim_socket *socket, struct op *op) {
    struct sim_host *host = sim_host_at(socket->net, op->addr);
    unsigned refuse = host != NULL ? socket->net->loop->weather->refuse_percent : 0;
    if (host != NULL && host->cut) {
        return -EAGAIN;
    }
    if (refuse > 0 && loop_random(socket->net->loop) % 100 < refuse) {
        return -ECONNREFUSED;
    }
    struct sim_socket *listener = sim_address_find(socket->net, op->addr, op->addr_len);
    bool local = socket->family == AF_UNIX;
    if (listener == NULL) {
        bool path = local && op->addr->sa_data[0] != '\0';
        return path ? -ENOENT : -ECONNREFUSED;
    }
    if (listener->queued > listener->backlog) { // Linux keeps one more than it was asked to
        return local ? -ECONNREFUSED : -EAGAIN;
    }
    struct sim_socket *server;
    int rc = sim_socket_make(socket->net, socket->family, &server);
    if (rc < 0) {
        return rc;
    }
    server->address = listener->address;
    sim_address_client(socket);
    sim_socket_join(socket, server);
    socket->host = host;
    server->host = host;
    enqueue(listener, server);
    return 0;
}
