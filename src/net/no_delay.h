// SPDX-License-Identifier: MIT
/* no_delay.h – what every TCP connection is set to.
 *
 * Holds      nothing.
 * Invariant  none.
 * Called by  connect.c, socket_stream.c.
 * Why        whoever writes little and waits for the answer would wait for Nagle's timer as well.
 */
#ifndef NET_NO_DELAY_H
#define NET_NO_DELAY_H

#include "rt/op.h"

#include <netinet/tcp.h>

/* Harmless for a Unix socket. */
static inline void no_delay(const struct backend *backend, int fd) {
    const int on = 1;
    if (!backend->ops->foreign_fds) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
}

#endif
