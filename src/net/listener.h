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

struct jg_sem;

/* Keeps the listener's memory until the matching release. Accepting after the close is -EBADF. */
void listener_hold(jg_listener *listener);
void listener_release(jg_listener *listener);

/* Takes a permit of `places`, or hears of the close. The caller holds the listener.
 *
 * Returns  0; -EBADF once the listener is closed, without a permit; -ECANCELED. */
JG_SUSPENDS int listener_place(jg_listener *listener, struct jg_sem *places);

/* Takes over a stream and the place it has. Returns 0 or a negative errno, the place then given back. */
typedef int listener_start(void *arg, jg_stream *stream);

/* Accepts and starts, a place for each, until the listener is closed or the caller cancelled. Shortages,
 * and errors of single connections, are waited out. The caller holds the listener.
 *
 * Returns  -EBADF once the listener is closed; -ECANCELED; what else jg_accept fails with for good. */
JG_SUSPENDS int listener_accept_all(jg_listener *listener, struct jg_sem *places,
                                    listener_start *start, void *arg);

#endif
