// SPDX-License-Identifier: MIT
/* address.h – from names to socket addresses.
 *
 * Holds      nothing.
 * Invariant  a name is at most 253 characters of what may stand in one; nothing is cut off silently.
 * Called by  connect.c, socket_stream.c; lookup.c fills lists.
 * Why        a list is large: it is for the heap, not for a coroutine's stack. Numbers and "localhost"
 *            are answered here, without asking anybody; other names are lookup.h's.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "rt/op.h"

#include <juggle/base.h>

enum {
    HOST_MOST = 253,
    ADDRESSES_MOST = 16,
};

struct address_list {
    struct op_address addresses[ADDRESSES_MOST];
    int count;
};

/* Whether the name means this machine, at 127.0.0.1 or ::1: NULL and "localhost". */
bool address_is_local(const char *host);

/* The address of a host without asking a resolver: numbers; for this machine it is 127.0.0.1.
 * Returns 0; -EINVAL for a bad name or port; -ENOENT for a name that has to be looked up. */
int address_parse(const char *host, int port, struct op_address *out_address);

/* The address of a Unix socket path; a leading '@' is the abstract namespace. 0 or -EINVAL. */
int address_unix(const char *path, struct op_address *out_address);

#endif
