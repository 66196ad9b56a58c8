// SPDX-License-Identifier: MIT
/* juggle/address.h – where a datagram comes from or goes to: an IPv4 or IPv6 address and a port.
 *
 * Holds      jg_address, by value: it can be copied, kept, compared.
 * Threads    any, but for jg_resolve.
 */
#ifndef JUGGLE_ADDRESS_H
#define JUGGLE_ADDRESS_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* An address. Zero bytes: none. This header spares its users the names of <sys/socket.h>. */
typedef struct jg_address {
    uint32_t bytes[7]; /* the system's sockaddr_in or sockaddr_in6, for calls that want one */
} jg_address;

/* Room for every address as text, with the NUL. */
#define JG_ADDRESS_TEXT 80

/* Makes an address of a host and a port. The host is a number, without brackets; NULL, "localhost" or a
 * name below it is 127.0.0.1. Asks no resolver. A link-local IPv6 address may name its interface, or give
 * that's number: "fe80::1%eth0".
 *
 * Returns 0; -EINVAL for a bad host or port; -ENODEV for an interface there is not, -EMFILE
 *         without a descriptor to ask by; -ENOENT for a name: jg_resolve looks it up. */
JG_API int jg_address_make(const char *host, int port, jg_address *out_address);

/* Reads an address as text: "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "localhost:80". As
 * jg_address_make. */
JG_API int jg_address_parse(const char *text, jg_address *out_address);

/* Writes an address as text, which jg_address_parse reads. A link-local one is written with its interface,
 * if it has one.
 *
 * Returns its length; -ENOSPC when `cap` is too small; -EINVAL for no address. */
JG_API ssize_t jg_address_format(const jg_address *address, char *out_text, size_t cap);

/* Returns the port, 0 for no address. */
JG_API int jg_address_port(const jg_address *address);

/* Whether two are the same: family, host, port, and the interface of a link-local one. */
JG_API bool jg_address_equal(const jg_address *a, const jg_address *b);

/* Looks up the addresses of a host, a number or a name, most wanted first; at most `cap` are given. This
 * machine, as above, has 127.0.0.1 and ::1, whatever of it is there.
 *
 * Returns  how many there are in `out_addresses`, at least 1; -EINVAL for a bad name or port, or a `cap` of
 *          0; -ENODEV as jg_address_make; -ENOENT when it does not resolve, -EAGAIN when the resolver could
 *          not be asked; -EMFILE and -ENFILE; -ENOMEM; -ECANCELED. With a detail. */
JG_API JG_SUSPENDS int jg_resolve(const char *host, int port, jg_address *out_addresses,
                                  size_t cap);

JG_END_DECLS

#endif
