// SPDX-License-Identifier: MIT
/* listener.h – what a listener is to those who accept for longer than one call.
 *
 * Holds      nothing.
 * Invariant  a listener that is held may be closed by anyone at any time: its memory stays until it
 *            is released.
 * Called by  jg_accept itself, serve.c, http's server.
 * Why        closing the listener is how a server is told to stop, and it need not be inside
 *            jg_accept at that moment.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <juggle/stream.h>

/* Keeps the listener's memory until the matching release. Accepting after the close is -EBADF. */
void listener_hold(jg_listener *listener);
void listener_release(jg_listener *listener);

/* After a failed accept: waits a little if the next may succeed. Returns 0 to try again; -ECANCELED; or
 * the error itself when it is for good. */
JG_SUSPENDS int listener_pause(int rc);

#endif
