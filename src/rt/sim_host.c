// SPDX-License-Identifier: MIT
/* sim_host.c – hosts of the simulated network: names, and cables that are cut.
 *
 * Holds      the list of hosts that were named, in struct sim_net.
 * Invariant  a host's address is 127.1 and its number; a name keeps its address for the loop's life.
 * Called by  sim.c, sim_net.c, sim_socket.c, and sim/, which is what users see of it.
 * Why        a name needs no resolver and no file: the first mention makes the host.
 * Quirks     names below .invalid never resolve, as RFC 6761 has it: so a test can have one that
 *            does not. Whoever connects by number talks to `here`, this machine.
 */
#include "rt/sim_net.h"

#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

enum {
    FIRST_NET = 127 << 24 | 1 << 16, // 127.1.0.0
    HOSTS_MOST = 65535,
};

static bool never_resolves(const char *name) {
    static const char last[] = ".invalid";
    size_t size = strlen(name);
    return size >= sizeof(last) - 1 && strcasecmp(name + size - (sizeof(last) - 1), last) == 0;
}

static int make_host(struct sim_net *net, const char *name, struct sim_host **out_host) {
    if (net->host_count == HOSTS_MOST) {
        return -ENOENT;
    }
    size_t size = strlen(name) + 1;
    struct sim_host *host = mem_alloc_zero(sizeof(*host) + size);
    if (host == NULL) {
        return -ENOMEM;
    }
    host->name = memcpy(host + 1, name, size);
    host->number = (uint16_t)++net->host_count;
    host->next = net->hosts;
    net->hosts = host;
    *out_host = host;
    return 0;
}

int sim_host_find(struct sim_net *net, const char *name, struct sim_host **out_host) {
    if (never_resolves(name)) {
        return -ENOENT;
    }
    for (struct sim_host *host = net->hosts; host != NULL; host = host->next) {
        if (strcasecmp(host->name, name) == 0) {
            *out_host = host;
            return 0;
        }
    }
    return make_host(net, name, out_host);
}

static struct op_address address_of(uint16_t number, int port) {
    struct op_address address = {.len = sizeof(struct sockaddr_in)};
    address.in = (struct sockaddr_in){.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl((uint32_t)FIRST_NET | number)};
    return address;
}

int sim_host_resolve(struct sim_net *net, const char *name, int port,
                     struct op_address *out_addresses, int cap) {
    struct sim_host *host;
    int rc = sim_host_find(net, name, &host);
    if (rc < 0) {
        return rc;
    }
    int count = 0;
    out_addresses[count++] = address_of(host->number, port);
    while (count <= host->more_count && count < cap) {
        out_addresses[count] = address_of(host->more[count - 1], port);
        count++;
    }
    return count;
}

struct sim_host *sim_host_at(struct sim_net *net, const struct sockaddr *address) {
    if (address->sa_family == AF_UNIX) {
        return NULL;
    }
    uint32_t number = 0;
    if (address->sa_family == AF_INET) {
        number = ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
    }
    for (struct sim_host *host = net->hosts; host != NULL; host = host->next) {
        if (number == ((uint32_t)FIRST_NET | host->number)) {
            return host;
        }
    }
    return &net->here;
}

/* What arrives at a socket waits at a cut cable; now it need not. */
static void poke_if_of(struct sim_socket *socket, const struct sim_host *host) {
    if (socket != NULL && socket->state == SIM_CONNECTED && socket->host == host) {
        sim_net_poke(socket->net, &socket->in);
    }
}

void sim_host_cut(struct sim_net *net, struct sim_host *host, bool cut) {
    host->cut = cut;
    for (size_t i = 0; i < net->socket_cap && !cut; i++) {
        poke_if_of(net->sockets[i], host);
    }
    for (struct sim_socket *listener = net->listeners; listener != NULL && !cut;
         listener = listener->next) {
        for (struct sim_socket *queued = listener->queue_first; queued != NULL;
             queued = queued->next) {
            poke_if_of(queued, host);
        }
    }
}

void sim_host_reset(struct sim_net *net, const struct sim_host *host) {
    for (size_t i = 0; i < net->socket_cap; i++) {
        struct sim_socket *socket = net->sockets[i];
        if (socket != NULL && socket->state == SIM_CONNECTED && socket->host == host) {
            sim_socket_sever(socket);
        }
    }
}

void sim_host_fini(struct sim_net *net) {
    while (net->hosts != NULL) {
        struct sim_host *host = net->hosts;
        net->hosts = host->next;
        mem_free(host);
    }
}
