// SPDX-License-Identifier: MIT
/* shortage.h – failures that are this machine's.
 *
 * Holds      nothing.
 * Invariant  none.
 * Called by  connect.c, socket_stream.c.
 * Why        they say nothing of the peer, and pass.
 */
#ifndef NET_SHORTAGE_H
#define NET_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/* Whether it has run out of descriptors or memory. */
static inline bool is_shortage(int rc) {
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS || rc == -ENOMEM;
}

#endif
