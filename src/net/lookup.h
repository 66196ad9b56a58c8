// SPDX-License-Identifier: MIT
/* lookup.h – asking the system's resolver for the addresses of a name, without waiting for it in vain.
 *
 * Holds      nothing: a lookup under way is a record of its own, known to its thread and its waiter.
 * Invariant  whoever waits stops waiting when it is cancelled or its deadline strikes, however long
 *            the resolver takes.
 * Called by  connect.c, address_value.c.
 * Why        getaddrinfo blocks for seconds and cannot be interrupted; it can be left alone.
 */
#ifndef NET_LOOKUP_H
#define NET_LOOKUP_H

#include "net/address.h"

/* Looks up a valid host name; `out_list` gets its addresses, with the port in them. This machine's names
 * are known: nobody is asked for them.
 *
 * Returns  0; -ENOENT when it does not resolve; -EAGAIN when the resolver could not answer, or too
 *          many lookups are under way; -ENOMEM; -ECANCELED. All but the last with a detail. */
JG_SUSPENDS int lookup_host(const char *host, int port, struct address_list *out_list);

#endif
