// SPDX-License-Identifier: MIT
/* socket.c – what both real backends do alike with a socket.
 *
 * Holds      nothing.
 * Invariant  none of these waits.
 * Called by  the tables of epoll.c and blocking.c.
 * Why        one copy.
 */
#include "rt/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

int socket_listen(struct backend *backend, const struct op_address *address, int backlog) {
    int fd = backend->ops->socket_open(backend, address->any.sa_family);
    if (fd < 0) {
        return fd;
    }
    const int on = 1;
    if (address->any.sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (address->any.sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bind(fd, &address->any, address->len) != 0 || listen(fd, backlog) != 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

int socket_datagram_open(struct backend *backend, const struct op_address *local, bool reuse_port) {
    int fd = socket(local->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    const int on = 1;
    int rc = backend->ops->adopt(backend, fd);
    if (local->any.sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (reuse_port) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    }
    if (rc == 0 && bind(fd, &local->any, local->len) != 0) {
        rc = -errno;
    }
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}

int socket_datagram_connect(struct backend *backend, int fd, const struct op_address *peer) {
    (void)backend;
    return connect(fd, &peer->any, peer->len) != 0 ? -errno : 0;
}

int socket_local_address(struct backend *backend, int fd, struct op_address *out_address) {
    (void)backend;
    out_address->len = sizeof(out_address->storage);
    return getsockname(fd, &out_address->any, &out_address->len) != 0 ? -errno : 0;
}

int socket_shutdown_write(struct backend *backend, int fd) {
    (void)backend;
    return shutdown(fd, SHUT_WR) != 0 ? -errno : 0;
}

int socket_idle_ok(struct backend *backend, int fd) {
    (void)backend;
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}
