// SPDX-License-Identifier: MIT
/* sim_address.c – who listens where in the simulated network.
 *
 * Holds      the list of listeners, in struct sim_net.
 * Invariant  no two listeners answer at the same address; the list is in the order of listening.
 * Called by  sim.c and sim_socket.c.
 * Why        only the loopback exists: another host is unreachable, as it should be in a test.
 * Quirks     a Unix path that nobody listens on is -ENOENT, an abstract name -ECONNREFUSED, as in the
 *            kernel; the file system is not asked.
 */
#include "rt/sim_net.h"

#include "base/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

enum {
    FIRST_PORT = 49152, // of those that are picked
    BACKLOG_MOST = 4096,
};

static const struct sockaddr_in *as_in(const struct sockaddr *address) {
    return (const struct sockaddr_in *)(const void *)address;
}

static const struct sockaddr_in6 *as_in6(const struct sockaddr *address) {
    return (const struct sockaddr_in6 *)(const void *)address;
}

static uint16_t port_of(const struct sockaddr *address) {
    return ntohs(address->sa_family == AF_INET ? as_in(address)->sin_port
                                               : as_in6(address)->sin6_port);
}

static void set_port(struct op_address *address, uint16_t port) {
    if (address->any.sa_family == AF_INET) {
        address->in.sin_port = htons(port);
    } else {
        address->in6.sin6_port = htons(port);
    }
}

static bool is_in6(const struct sockaddr *address, const struct in6_addr *host) {
    return memcmp(&as_in6(address)->sin6_addr, host, sizeof(*host)) == 0;
}

static bool is_any(const struct sockaddr *address) {
    return address->sa_family == AF_INET ? as_in(address)->sin_addr.s_addr == htonl(INADDR_ANY)
                                         : is_in6(address, &in6addr_any);
}

static bool is_loopback(const struct sockaddr *address) {
    return address->sa_family == AF_INET
               ? ntohl(as_in(address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
               : is_in6(address, &in6addr_loopback);
}

static socklen_t least_length(int family) {
    switch (family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return offsetof(struct sockaddr_un, sun_path) + 1;
    }
}

static int check_form(int family, const struct sockaddr *address, socklen_t len) {
    if (len < sizeof(sa_family_t) || address->sa_family != family) {
        return -EAFNOSUPPORT;
    }
    return len < least_length(family) ? -EINVAL : 0;
}

int sim_address_check(int family, const struct sockaddr *address, socklen_t len) {
    int rc = check_form(family, address, len);
    if (rc < 0 || family == AF_UNIX) {
        return rc;
    }
    return is_loopback(address) || is_any(address) ? 0 : -ENETUNREACH;
}

/* A path may or may not carry its final NUL in the length; an abstract name is all of its bytes. */
static size_t name_size(const struct sockaddr *address, socklen_t len) {
    const char *name = ((const struct sockaddr_un *)(const void *)address)->sun_path;
    size_t size = len - offsetof(struct sockaddr_un, sun_path);
    return name[0] == '\0' ? size : strnlen(name, size);
}

static bool same_name(const struct sockaddr *a, socklen_t a_len, const struct sockaddr *b,
                      socklen_t b_len) {
    const size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t size = name_size(a, a_len);
    return size == name_size(b, b_len) &&
           memcmp((const char *)a + start, (const char *)b + start, size) == 0;
}

static bool same_host(const struct sockaddr *a, const struct sockaddr *b) {
    return a->sa_family == AF_INET ? as_in(a)->sin_addr.s_addr == as_in(b)->sin_addr.s_addr
                                   : is_in6(a, &as_in6(b)->sin6_addr);
}

/* Whether a listener answers there. Connecting to the wildcard means the loopback; for listening, the
 * wildcard is in everybody's way: both are "either of the two is the wildcard". */
static bool answers(const struct sim_socket *listener, const struct sockaddr *address,
                    socklen_t len) {
    const struct sockaddr *own = &listener->address.any;
    if (own->sa_family != address->sa_family) {
        return false;
    }
    if (own->sa_family == AF_UNIX) {
        return same_name(own, listener->address.len, address, len);
    }
    return port_of(own) == port_of(address) &&
           (is_any(own) || is_any(address) || same_host(own, address));
}

static struct sim_socket *find_in(struct sim_socket *list, const struct sockaddr *address,
                                  socklen_t len) {
    while (list != NULL && !answers(list, address, len)) {
        list = list->next;
    }
    return list;
}

struct sim_socket *sim_address_find(const struct sim_net *net, const struct sockaddr *address,
                                    socklen_t len) {
    return find_in(net->listeners, address, len);
}

struct sim_socket *sim_address_find_datagram(const struct sim_net *net,
                                             const struct sockaddr *address, socklen_t len) {
    return find_in(net->datagrams, address, len);
}

static uint16_t next_port(struct sim_net *net) {
    uint16_t port = net->next_port < FIRST_PORT ? FIRST_PORT : net->next_port;
    net->next_port = (uint16_t)(port + 1);
    return port;
}

static int pick_port(struct sim_net *net, struct sim_socket *list, struct op_address *address) {
    for (int tries = FIRST_PORT; tries <= UINT16_MAX; tries++) {
        set_port(address, next_port(net));
        if (find_in(list, &address->any, address->len) == NULL) {
            return 0;
        }
    }
    return -EADDRINUSE;
}

static void append(struct sim_socket **link, struct sim_socket *socket) {
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = socket;
    socket->next = NULL;
}

/* Gives the socket this address, if it is free, and puts it into the list. */
static int take_address(struct sim_socket *socket, struct sim_socket **list,
                        const struct op_address *address) {
    must(socket->state == SIM_FRESH);
    int rc = check_form(socket->family, &address->any, address->len);
    if (rc < 0) {
        return rc;
    }
    bool inet = socket->family != AF_UNIX;
    if (inet && !is_loopback(&address->any) && !is_any(&address->any)) {
        return -EADDRNOTAVAIL;
    }
    socket->address = *address;
    if (inet && port_of(&address->any) == 0) {
        rc = pick_port(socket->net, *list, &socket->address);
    } else if (find_in(*list, &address->any, address->len) != NULL) {
        rc = -EADDRINUSE;
    }
    if (rc < 0) {
        return rc;
    }
    append(list, socket);
    return 0;
}

int sim_address_listen(struct sim_socket *socket, const struct op_address *address, int backlog) {
    int rc = take_address(socket, &socket->net->listeners, address);
    if (rc < 0) {
        return rc;
    }
    socket->backlog = backlog < 0 || backlog > BACKLOG_MOST ? BACKLOG_MOST : (size_t)backlog;
    socket->state = SIM_LISTENING;
    return 0;
}

int sim_address_bind(struct sim_socket *socket, const struct op_address *address) {
    int rc = take_address(socket, &socket->net->datagrams, address);
    if (rc == 0) {
        socket->state = SIM_DATAGRAM;
    }
    return rc;
}

struct op_address sim_address_meant(const struct op_address *given) {
    struct op_address address = *given;
    if (!is_any(&address.any)) {
        return address;
    }
    if (address.any.sa_family == AF_INET) {
        address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        address.in6.sin6_addr = in6addr_loopback;
    }
    return address;
}

bool sim_address_same(const struct op_address *one, const struct op_address *other) {
    return one->len > 0 && one->any.sa_family == other->any.sa_family &&
           port_of(&one->any) == port_of(&other->any) && same_host(&one->any, &other->any);
}

void sim_address_forget(struct sim_socket *socket) {
    struct sim_socket **link = socket->state == SIM_DATAGRAM ? &socket->net->datagrams
                                                             : &socket->net->listeners;
    while (*link != socket) {
        must(*link != NULL);
        link = &(*link)->next;
    }
    *link = socket->next;
}

void sim_address_client(struct sim_socket *socket) {
    struct op_address *address = &socket->address;
    *address = (struct op_address){.len = sizeof(sa_family_t)};
    address->any.sa_family = (sa_family_t)socket->family;
    if (socket->family == AF_INET) {
        address->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else if (socket->family == AF_INET6) {
        address->in6.sin6_addr = in6addr_loopback;
    }
    if (socket->family != AF_UNIX) {
        address->len = least_length(socket->family);
        set_port(address, next_port(socket->net));
    }
}
