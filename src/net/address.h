// SPDX-License-Identifier: MIT
/* address.h – from names to socket addresses.
 *
 * Holds      nothing.
 * Invariant  a name is at most 253 characters of what may stand in one; nothing is cut off silently.
 * Called by  connect.c, socket_stream.c; lookup.c fills lists.
 * Why        a list is large: it is for the heap, not for a coroutine's stack. Numbers and "localhost"
 *            are answered here, without asking anybody (RFC 6761); other names are lookup.h's.
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

/* Whether the name means this machine: NULL, "localhost", and every name that ends in ".localhost"; with
 * or without a final dot. */
bool address_is_local(const char *host);

/* The addresses of this machine: 127.0.0.1, then ::1. */
void address_list_local(int port, struct address_list *out_list);

/* Whether an IPv6 address is of one link only, and so needs its interface, the zone: fe80::1%eth0. */
bool address_has_zone(const struct in6_addr *host);

/* The address of a host that is a number.
 * Returns 0; -EINVAL for a bad name or port; -ENODEV for a zone there is not; -ENOENT for a name. */
int address_of_number(const char *host, int port, struct op_address *out_address);

/* The one address of a host without asking a resolver: as above, and 127.0.0.1 for this machine. */
int address_parse(const char *host, int port, struct op_address *out_address);

/* The address of a Unix socket path; a leading '@' is the abstract namespace. 0 or -EINVAL. */
int address_unix(const char *path, struct op_address *out_address);

#endif
