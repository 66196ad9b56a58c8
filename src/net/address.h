// SPDX-License-Identifier: MIT
/* address.h – from names to socket addresses.
 *
 * Holds      nothing.
 * Invariant  a name is at most 253 characters of what may stand in one; nothing is cut off silently.
 * Called by  tcp.c, unix.c.
 * Why        a list is large: it is for the heap, not for a coroutine's stack. Numbers and "localhost" are answered here, without asking anybody; other names go to the
 *            system's resolver on a thread, as it blocks.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "rt/op.h"

#include <juggle/base.h>

enum { ADDRESSES_MOST = 16 };

struct address_list {
    struct op_address addresses[ADDRESSES_MOST];
    int count;
};

/* Asks the resolver for the addresses of a host. Returns 0; -EINVAL for a bad name or port; -ENOENT when it does not
 * resolve; -EAGAIN when the resolver could not answer; -ENOMEM; -ECANCELED. */
JG_SUSPENDS int address_resolve(const char *host, int port, struct address_list *out_list);

/* The same without asking a resolver: numbers, NULL and "localhost" (loopback). Returns 0, -EINVAL, or
 * -ENOENT for a name that has to be looked up. */
int address_parse(const char *host, int port, struct op_address *out_address);

/* The address of a Unix socket path; a leading '@' is the abstract namespace. 0 or -EINVAL. */
int address_unix(const char *path, struct op_address *out_address);

#endif
