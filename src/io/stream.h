// SPDX-License-Identifier: MIT
/* stream.h – what a stream is to the rooms that make one.
 *
 * Holds      struct jg_stream: a descriptor and what was read ahead.
 * Invariant  buffer == NULL when nothing is read ahead; else data is [start, end) of capacity `cap`.
 *            Closed while tasks are inside: its memory stays until the last of them has left.
 * Called by  net, pipe.c and sim (make streams), tls (later: layers on top), http (through the public
 *            calls).
 * Why        the buffer is borrowed from the loop when data comes and goes back when it is used up.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "rt/loop.h"

#include <juggle/stream.h>

struct jg_stream {
    uint64_t place;   // it belongs to; see place_here
    int fd;           // -1 once closed, or one way and shut down
    unsigned holders; // tasks inside a call that may park on it
    bool socket;
    bool one_way; // the end of a pipe that is written to: ending that is closing it
    bool closed;  // and nobody but `holders` knows it any more
    bool reading; // a task is inside a call that reads, parked or about to come back
    bool writing;
    bool broken; // part of a write was sent and the rest was not: nothing may follow
    bool torn;   // a read cut short could not keep what it had: nothing may be read after the gap
    bool lent;   // was blocking when we got it, and others may share its open file
    bool ended;  // the peer's end of stream was read
    char *buffer;
    size_t start;
    size_t end;
    size_t cap;
    uint64_t sent;
    uint64_t received;
    int64_t armed_ns[2]; // see op.armed_ns
};

/* Makes a stream of a descriptor of the current backend; `how` it came about is for reports.
 * Returns 0 or -ENOMEM. Owns: takes `fd` on success. */
int stream_make(int fd, bool socket, const char *how, jg_stream **out_stream);

/* jg_stream_open_fd, of one that came about like this. */
int stream_adopt(int fd, const char *how, jg_stream **out_stream);

/* A named abort where it does not belong; its backend where it does. What a forked child's copy has read
 * ahead is the child's as well. */
static inline void stream_check(const jg_stream *stream) {
    (void)place_check(sched_current(), stream->place, "a stream");
}

static inline struct backend *stream_backend(const jg_stream *stream) {
    return place_backend(stream->place, "a stream");
}

#endif
