// SPDX-License-Identifier: MIT
/* socket.h – what both real backends do alike with a socket.
 *
 * Holds      nothing.
 * Invariant  each is an entry of struct backend_ops, with its meaning; none of them waits.
 * Called by  the tables of epoll.c and blocking.c.
 * Why        one copy.
 */
#ifndef RT_SOCKET_H
#define RT_SOCKET_H

#include "rt/op.h"

int socket_listen(struct backend *backend, const struct op_address *address, int backlog);
int socket_datagram_open(struct backend *backend, const struct op_address *local, bool reuse_port);
int socket_datagram_connect(struct backend *backend, int fd, const struct op_address *peer);
int socket_local_address(struct backend *backend, int fd, struct op_address *out_address);
int socket_shutdown_write(struct backend *backend, int fd);
int socket_idle_ok(struct backend *backend, int fd);

#endif
