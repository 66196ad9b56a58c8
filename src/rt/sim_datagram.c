// SPDX-License-Identifier: MIT
/* sim_datagram.c – datagrams in the simulated network: some are lost, some overtake others.
 *
 * Holds      struct sim_datagram, one on its way or not taken yet, on the heap.
 * Invariant  a datagram arrives whole, once, or not at all. How it fares is the seed's choice.
 * Called by  sim.c, sim_socket.c.
 * Why        on a real loopback hardly any is lost, so a program that cannot bear it seems to work.
 * Quirks     a full receiver drops what comes. That nobody is there is told to a connected sender, and
 *            later, as the kernel does with ICMP.
 */
#include "rt/sim_net.h"

#include "base/check.h"
#include "base/mem.h"
#include "rt/loop.h"

#include <errno.h>
#include <string.h>

enum {
    SIZE_MOST = 65507, // what fits into an IPv4 packet
    QUEUE_MOST = 212992,
    LOSS_ODDS = 16,
    OVERTAKE_ODDS = 4,
};

struct sim_datagram {
    struct sim_datagram *next;
    struct op_address from;
    size_t size;
    char bytes[];
};

static void append(struct sim_datagram **link, struct sim_datagram *datagram) {
    while (*link != NULL) {
        link = &(*link)->next;
    }
    datagram->next = NULL;
    *link = datagram;
}

static struct sim_datagram *take(struct sim_datagram **link) {
    struct sim_datagram *datagram = *link;
    *link = datagram->next;
    return datagram;
}

static intptr_t tell_error(struct sim_socket *socket) {
    int error = socket->error;
    socket->error = 0;
    return error;
}

static size_t total_size(const struct op *op) {
    size_t sum = 0;
    for (int i = 0; i < op->iov_count; i++) {
        sum += op->iov[i].iov_len;
    }
    return sum;
}

/* Puts it on its way. Returns the size, or -ENOMEM. */
static intptr_t travel(const struct sim_socket *from, struct sim_socket *to, const struct op *op,
                       size_t size) {
    struct sim_datagram *datagram = mem_alloc(sizeof(*datagram) + size);
    if (datagram == NULL) {
        return -ENOMEM;
    }
    datagram->from = sim_address_meant(&from->address);
    datagram->size = size;
    size_t at = 0;
    for (int i = 0; i < op->iov_count; i++) {
        if (op->iov[i].iov_len > 0) {
            memcpy(datagram->bytes + at, op->iov[i].iov_base, op->iov[i].iov_len);
        }
        at += op->iov[i].iov_len;
    }
    append(&to->travelling, datagram);
    to->queued_bytes += size;
    sim_net_poke(to->net, &to->in);
    return (intptr_t)size;
}

static bool is_cut(struct sim_net *net, const struct op_address *address) {
    const struct sim_host *host = sim_host_at(net, &address->any);
    must(host != NULL); // no datagram is anywhere but in the network
    return host->cut;
}

/* Nobody is at that address. */
static void refuse(struct sim_socket *socket, const struct op_address *to) {
    struct op_address meant = sim_address_meant(to);
    if (sim_address_same(&socket->to, &meant)) {
        socket->refusal_sent = true;
        sim_net_poke(socket->net, &socket->in);
    }
}

static bool accepts(const struct sim_socket *receiver, const struct sim_socket *sender,
                    size_t size) {
    struct op_address from = sim_address_meant(&sender->address);
    return receiver->queued_bytes + size <= QUEUE_MOST &&
           (receiver->to.len == 0 || sim_address_same(&receiver->to, &from));
}

intptr_t sim_datagram_send(struct sim_socket *socket, struct op *op) {
    struct sim_net *net = socket->net;
    const struct op_address *to = op->peer != NULL ? op->peer : &socket->to;
    size_t size = total_size(op);
    if (socket->state != SIM_DATAGRAM) {
        return -ENOTCONN;
    }
    if (socket->error != 0) {
        return tell_error(socket);
    }
    if (to->len == 0) {
        return -EDESTADDRREQ;
    }
    int rc = sim_address_check(socket->family, &to->any, to->len);
    if (rc < 0 || size > SIZE_MOST) {
        return rc < 0 ? rc : -EMSGSIZE;
    }
    struct sim_socket *receiver = sim_address_find_datagram(net, &to->any, to->len);
    bool lost = sim_net_chance(net, LOSS_ODDS) || is_cut(net, to) || is_cut(net, &socket->address);
    if (lost) {
        return (intptr_t)size;
    }
    if (receiver == NULL) {
        refuse(socket, to);
        return (intptr_t)size;
    }
    return accepts(receiver, socket, size) ? travel(socket, receiver, op, size) : (intptr_t)size;
}

void sim_datagram_arrive(struct sim_socket *socket) {
    if (socket->refusal_sent) {
        socket->refusal_sent = false;
        socket->error = -ECONNREFUSED;
    }
    struct sim_datagram **link = &socket->travelling;
    if (*link == NULL) {
        return;
    }
    while ((*link)->next != NULL && sim_net_chance(socket->net, OVERTAKE_ODDS)) {
        link = &(*link)->next;
    }
    append(&socket->waiting, take(link));
    if (socket->travelling != NULL) {
        sim_net_poke(socket->net, &socket->in);
    }
}

static size_t copy_out(const struct sim_datagram *datagram, const struct op *op) {
    size_t at = 0;
    for (int i = 0; i < op->iov_count && at < datagram->size; i++) {
        size_t left = datagram->size - at;
        size_t piece = op->iov[i].iov_len < left ? op->iov[i].iov_len : left;
        if (piece > 0) {
            memcpy(op->iov[i].iov_base, datagram->bytes + at, piece);
        }
        at += piece;
    }
    return at;
}

intptr_t sim_datagram_receive(struct sim_socket *socket, struct op *op) {
    if (socket->state != SIM_DATAGRAM) {
        return -ENOTCONN;
    }
    if (socket->error != 0) {
        return tell_error(socket);
    }
    if (socket->waiting == NULL) {
        return -EAGAIN;
    }
    struct sim_datagram *datagram = take(&socket->waiting);
    size_t size = copy_out(datagram, op);
    op->truncated = size < datagram->size;
    if (op->peer != NULL) {
        *op->peer = datagram->from;
    }
    socket->queued_bytes -= datagram->size;
    mem_free(datagram);
    return (intptr_t)size;
}

bool sim_datagram_readable(const struct sim_socket *socket) {
    return socket->waiting != NULL || socket->error != 0;
}

int sim_datagram_connect(struct sim_socket *socket, const struct op_address *peer) {
    if (socket->state != SIM_DATAGRAM) {
        return -EINVAL;
    }
    int rc = sim_address_check(socket->family, &peer->any, peer->len);
    if (rc == 0) {
        socket->to = sim_address_meant(peer);
    }
    return rc;
}

static void drop_all(struct sim_datagram **link) {
    while (*link != NULL) {
        mem_free(take(link));
    }
}

void sim_datagram_close(struct sim_socket *socket) {
    sim_address_forget(socket);
    drop_all(&socket->travelling);
    drop_all(&socket->waiting);
}
