// SPDX-License-Identifier: MIT
/* juggle/fd.h – waiting for descriptors that belong to somebody else.
 *
 * Holds      nothing: the descriptor stays its owner's, in whatever mode it is.
 * Invariant  readiness is a level: as long as something is left to read, waiting returns at once.
 * Why        a library that brings its own sockets (a database, a device, curl) has to wait with us.
 */
#ifndef JUGGLE_FD_H
#define JUGGLE_FD_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* What a descriptor can be waited for. */
#define JG_READABLE 1 /* a read would not wait: bytes, a connection, the end, or an error */
#define JG_WRITABLE 2 /* a write would not wait: room, or an error */

/* Waits until the descriptor is ready for one of `events`, JG_READABLE or JG_WRITABLE or both. Nothing is
 * read or written. What cannot be polled, like a file on disk, is always ready.
 *
 * Returns  those of `events` it is ready for; -EBADF, also when jg_fd_closing was called meanwhile; -EBUSY
 *          when another task waits for the same thing, or reads or writes a stream of it; -EINVAL for
 *          other events; -EPERM when it can be polled, but not by epoll; -ENOMEM, -ENOSPC;
 *          -EOPNOTSUPP in a simulated world, which has no real descriptors; -ECANCELED. */
JG_API JG_SUSPENDS int jg_wait_fd(int fd, int events);

/* Says that `fd` is about to be closed: who waits for it gets -EBADF at once. Without it they would not
 * hear of the close, as the kernel tells nobody; whoever waits for a new descriptor with the same number
 * is not disturbed. */
JG_API void jg_fd_closing(int fd);

JG_END_DECLS

#endif
