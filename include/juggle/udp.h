// SPDX-License-Identifier: MIT
/* juggle/udp.h – datagrams: each arrives whole, once or not at all, in any order.
 *
 * Holds      jg_udp, a socket bound to an address of this machine.
 * Invariant  one receiver and one sender at a time (-EBUSY for the next). A cancelled receive has
 *            taken no datagram, a cancelled send has sent none.
 * Threads    a socket belongs to the loop, or the thread without one, that opened it, and is closed
 *            there.
 * Why        a simulated network loses some datagrams and lets others overtake, as its seed says:
 *            what bears that bears a real one.
 */
#ifndef JUGGLE_UDP_H
#define JUGGLE_UDP_H

#include <juggle/address.h>
#include <juggle/base.h>

JG_BEGIN_DECLS

/* A socket for datagrams. */
typedef struct jg_udp jg_udp;

/* How a socket is opened. All zero is the default. */
typedef struct jg_udp_options {
    bool broadcast;  /* may send to broadcast addresses */
    bool reuse_port; /* several sockets may share the address; the kernel spreads what comes */
} jg_udp_options;

/* Opens a socket at this address: port 0 picks one. NULL is any address and port, for IPv4. Options
 * may be NULL.
 *
 * Returns  0; -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, -EAFNOSUPPORT, -EINVAL, -EMFILE, -ENOMEM.
 * Owns     gives the socket: jg_udp_close it. */
JG_API int jg_udp_open(const jg_address *local, const jg_udp_options *options, jg_udp **out_udp);

/* Connects it: it receives from this peer alone, and sends there when no other address is given. That
 * nobody is there is then told, as -ECONNREFUSED from the next send or receive. Sends nothing; may be
 * repeated with another peer.
 *
 * Returns 0; -EAFNOSUPPORT, -ENETUNREACH, -EACCES, -EINVAL. */
JG_API int jg_udp_connect(jg_udp *udp, const jg_address *peer);

/* Tells the address it is bound to. Returns 0 or a negative error. */
JG_API int jg_udp_address(const jg_udp *udp, jg_address *out_address);

/* Sends one datagram, which may be empty. `to` NULL: to whom it is connected. Waits only when there is
 * no room in the kernel.
 *
 * Returns  `len`; -EMSGSIZE (more than 65,507 bytes); -EDESTADDRREQ without an address;
 *          -EINVAL for one of zero bytes, -EAFNOSUPPORT for one of the other family; -ECONNREFUSED of a
 *          datagram sent before; -ENETUNREACH, -EACCES (broadcast not allowed); -EBUSY; -EBADF when it is
 *          closed meanwhile; -ENOMEM, -ENOSPC when it would have to wait, see <juggle/stream.h>;
 *          -ECANCELED. */
JG_API JG_SUSPENDS ssize_t jg_udp_send(jg_udp *udp, const jg_address *to, const void *buf,
                                       size_t len);

/* Waits for one datagram and takes it. What does not fit into `buf` is lost, and `*out_truncated` is
 * true then. `out_from` and `out_truncated` may be NULL.
 *
 * Returns  its bytes, as far as they fit: 0 is an empty datagram, not an end; -ECONNREFUSED of a
 *          datagram sent before; -EBUSY; -EBADF when it is closed meanwhile; -ENOMEM, -ENOSPC as
 *          jg_udp_send; -ECANCELED. */
JG_API JG_SUSPENDS ssize_t jg_udp_recv(jg_udp *udp, void *buf, size_t cap, jg_address *out_from,
                                       bool *out_truncated);

/* Closes; tasks parked on it get -EBADF. Takes it: the socket is gone after the call. NULL is allowed. */
JG_API void jg_udp_close(jg_udp *udp);

/* Returns the descriptor: borrowed, for setsockopt and the like; -1 for a simulated one. */
JG_API int jg_udp_fd(const jg_udp *udp);

JG_END_DECLS

#endif
