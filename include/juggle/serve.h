// SPDX-License-Identifier: MIT
/* juggle/serve.h – a server: a listener, and a task for each connection.
 *
 * Holds      nothing; the tasks belong to the call that serves.
 * Invariant  the call returns when no connection is left.
 * Why        accepting, limiting and waiting for the last to end is the same for every protocol; for
 *            HTTP there is jg_http_serve.
 */
#ifndef JUGGLE_SERVE_H
#define JUGGLE_SERVE_H

#include <juggle/base.h>
#include <juggle/stream.h>

JG_BEGIN_DECLS

/* Handles one connection, in a task of its own, so it may wait. The stream is closed when it returns; it
 * borrows it. A failure it returns is reported (jg_error_on_unretrieved) and ends this connection alone. */
typedef intptr_t jg_serve_fn(jg_stream *stream, void *arg);

/* How to serve. All zero is the default. */
typedef struct jg_serve_options {
    size_t connections; /* at a time; further ones wait in the kernel; 0: 10,000 */
} jg_serve_options;

/* Accepts connections and starts `handler(stream, arg)` for each, until the listener is closed or the
 * caller cancelled. Closing the listener lets the connections finish; a cancel, or a limit around the
 * call, reaches their tasks as well. Either way it returns when the last has ended. Shortages of memory
 * and descriptors are waited out. Options may be NULL.
 *
 * Returns  -EBADF once the listener was closed; -ECANCELED; -EBUSY while another task accepts there;
 *          -ENXIO without a loop; other errors of accepting.
 * Owns     borrows the listener; it may be closed during the call, by anyone on the loop. */
JG_API JG_SUSPENDS int jg_serve(jg_listener *listener, jg_serve_fn *handler, void *arg,
                                const jg_serve_options *options);

JG_END_DECLS

#endif
