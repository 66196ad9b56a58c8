// SPDX-License-Identifier: MIT
/* juggle/stream.h – bytes in order: TCP and Unix sockets, pipes, any descriptor that can be polled.
 *
 * Holds      a stream owns its descriptor and the bytes it has read ahead. While it waits with
 *            nothing read ahead it owns no buffer, so ten thousand idle streams cost little.
 * Invariant  one reader and one writer at a time (-EBUSY for the next). Cancelling a read loses no
 *            byte; a write cut short makes the stream refuse further writes.
 * Threads    a stream or listener belongs to the loop, or the thread without one, that it was made on,
 *            and is closed there, before jg_run returns: anything else is a named abort.
 * Why        a peer that is gone is an error of the write, -EPIPE: SIGPIPE is never raised.
 *
 * What has to wait in a loop may find no memory to wait with (-ENOMEM), or no room in epoll (-ENOSPC, the
 * system's limit of watches): then it has read or written nothing, or what it says of a call cut short holds.
 */
#ifndef JUGGLE_STREAM_H
#define JUGGLE_STREAM_H

#include <juggle/base.h>
#include <sys/uio.h>

JG_BEGIN_DECLS

/* One end of a connection or pipe. */
typedef struct jg_stream jg_stream;

/* A socket at which others connect. */
typedef struct jg_listener jg_listener;

/* Connects to a TCP host and port: a name, an IPv4 or an IPv6 address (without brackets; a link-local one
 * with its interface, "fe80::1%eth0"). NULL is "localhost": it and the names below it are this machine, at
 * 127.0.0.1 and ::1, and no resolver is asked (RFC 6761).
 *
 * A name with several addresses is connected to by the first of them that answers (RFC 8305): IPv6 and
 * IPv4 take turns, as the resolver ordered them, and the next is tried when the one before has failed, or
 * has not answered for 250 ms, beside it. One connection is kept; the other attempts are over, and closed,
 * on return. Without a loop each address is tried when the one before has failed, and so is one for which
 * there is no memory to try it beside the others. One that finds no descriptor counts as failed.
 *
 * Returns  0; -EINVAL for a bad name or port; -ENODEV for an interface there is not; -ENOENT for a host
 *          that does not resolve, -EAGAIN when the resolver could not be asked; -ECONNREFUSED,
 *          -ENETUNREACH, -EHOSTUNREACH, -ETIMEDOUT of the last address, when all failed: jg_error_last then
 *          names each with its reason (one of a family this machine does not have counts only when they all
 *          are). -ENOMEM, -EMFILE, -ENFILE, -ENOBUFS, -ENOSPC of any of them comes before what the others
 *          said: somebody may be there. -ECANCELED.
 * Owns     gives the stream: jg_stream_close it. */
JG_API JG_SUSPENDS int jg_tcp_connect(const char *host, int port, jg_stream **out_stream);

/* Connects to a Unix socket. A leading '@' names the abstract namespace. One whose queue is full cannot be
 * waited for in a loop: -ECONNREFUSED; without a loop it is.
 *
 * Returns and owns as jg_tcp_connect; -EINVAL for a path that is empty or beyond 107 bytes, -ENOENT when
 * there is no such file. */
JG_API JG_SUSPENDS int jg_unix_connect(const char *path, jg_stream **out_stream);

/* Opens a listening socket. TCP: `host` NULL is the loopback (127.0.0.1), "0.0.0.0" or "::" every address
 * of its family; port 0 picks one. Unix: a stale socket file is replaced, a live one is -EADDRINUSE;
 * closing removes it, unless another has taken its place.
 *
 * Returns  0; -EADDRINUSE, -EACCES, -EADDRNOTAVAIL; -EAFNOSUPPORT for IPv6 where there is none; -ENODEV for
 *          an interface there is not; -EINVAL for a bad host or port, or a path that is empty or beyond 107
 *          bytes; -ENOENT for a name (none is looked up), or without the path's directory; -EMFILE,
 *          -ENOMEM. With a detail.
 * Owns     gives the listener: jg_listener_close it. */
JG_API int jg_tcp_listen(const char *host, int port, jg_listener **out_listener);
JG_API int jg_unix_listen(const char *path, jg_listener **out_listener);

/* Returns the port a TCP listener is bound to; 0 for a Unix one. */
JG_API int jg_listener_port(const jg_listener *listener);

/* Takes the next connection. Running out of descriptors does not spin: the call waits and retries, and
 * in a loop ends connections that wait, up to 800 a second, so that their peers know.
 *
 * Returns  0; -EBADF when the listener is closed meanwhile; -EBUSY for a second caller; -ENOMEM;
 *          -ECANCELED.
 * Owns     gives the stream. */
JG_API JG_SUSPENDS int jg_accept(jg_listener *listener, jg_stream **out_stream);

/* Closes the listener; a task inside jg_accept gets -EBADF. Takes it: it is gone after the call. NULL is
 * allowed. */
JG_API void jg_listener_close(jg_listener *listener);

/* Makes a stream of a descriptor that can be polled: socket, pipe, terminal. Sets it non-blocking in
 * a loop, which others that share it notice; closing the stream takes that back.
 *
 * Returns  0; -EBADF, -EPERM (cannot be polled: a file, a directory), -ENOMEM; -EOPNOTSUPP in a simulated
 *          loop.
 * Owns     takes `fd` on success. Gives the stream. */
JG_API int jg_stream_open_fd(int fd, jg_stream **out_stream);

/* Makes a pipe: what is written to one stream is read from the other. Writing to the reader and reading
 * from the writer are -EPIPE. The end is told by closing the writer. In a simulated loop too.
 *
 * Returns 0, -EMFILE, -ENOMEM. Owns: gives both. */
JG_API int jg_pipe(jg_stream **out_reader, jg_stream **out_writer);

/* Makes a stream of standard input (0), output (1) or error (2), whatever it is: terminal, pipe,
 * socket, file. The descriptor itself stays open, and others that share it do not notice; a socket, or
 * what cannot be opened anew through /proc, is as with jg_stream_open_fd. A
 * file on disk is read and written where it stands, as a disk is always ready; to let the loop go on
 * meanwhile, use <juggle/file.h>.
 *
 * Returns  0; -EINVAL for another number; -EBADF when it is closed; -EPERM for a directory; -EMFILE,
 *          -ENOMEM; -EOPNOTSUPP in a simulated loop.
 * Owns     gives the stream. */
JG_API int jg_stdio_open(int number, jg_stream **out_stream);

/* Makes two connected streams. Returns 0, -EMFILE, -ENOMEM. Owns: gives both. */
JG_API int jg_stream_pair(jg_stream **out_a, jg_stream **out_b);

/* Reads at least one byte into `buf`, at most `cap` (>= 1).
 *
 * Returns  bytes read, 1..cap; 0 at the end of the stream; -ECONNRESET and kin; -EPIPE behind a gap, see
 *          jg_read_exact; -EBUSY; -EBADF when it was closed meanwhile; -ENOMEM; -ECANCELED: then no byte was
 *          taken. */
JG_API JG_SUSPENDS ssize_t jg_read(jg_stream *stream, void *buf, size_t cap);

/* Reads exactly `len` bytes. If it is cut short, by cancel or error, what had arrived stays readable
 * when it fits the read-ahead buffer (up to 64 KiB); else further reads are -EPIPE, so that nobody reads
 * on behind a gap. The end of the stream before `len` is -EPIPE.
 *
 * Returns  `len`; -EPIPE; errors of jg_read. */
JG_API JG_SUSPENDS ssize_t jg_read_exact(jg_stream *stream, void *buf, size_t len);

/* Reads up to and with the next `delimiter`: a line, for '\n'. At most `cap` bytes (>= 1), not followed by
 * a NUL. What stands between the last delimiter and the end of the stream comes without one.
 *
 * Returns  bytes read, 1..cap; 0 at the end of the stream; -EMSGSIZE when `cap` bytes hold no delimiter:
 *          they stay readable, as they do after -ECANCELED and every other error; -ENOMEM, also for the
 *          buffer; errors of jg_read. */
JG_API JG_SUSPENDS ssize_t jg_read_until(jg_stream *stream, char delimiter, char *buf, size_t cap);

/* Writes all of it.
 *
 * Returns  `len`; -EPIPE, -ECONNRESET and kin; -EBUSY; -EBADF when it was closed meanwhile; -ENOMEM;
 *          -ECANCELED. After an error that came with part of it sent, jg_stream_sent tells how much, and
 *          further writes are -EPIPE. */
JG_API JG_SUSPENDS ssize_t jg_write(jg_stream *stream, const void *buf, size_t len);

/* The same from several pieces, as one message. The iovec array is changed. Also -EINVAL for a negative
 * count. */
JG_API JG_SUSPENDS ssize_t jg_writev(jg_stream *stream, struct iovec *pieces, int count);

/* Reads ahead without taking: afterwards `*out_data` points at all bytes read ahead and not taken.
 * Waits for more than are there now; with `max` held already it is -EMSGSIZE. (The first read of an
 * empty stream may bring up to 16 KiB, whatever `max`.)
 *
 * Returns  the number of bytes now held, 0 only at the end of the stream with none held; -ENODATA at the
 *          end of the stream with bytes held; -EMSGSIZE; -ENOMEM, also for the buffer; errors of jg_read.
 * Owns     the data is the stream's: valid until the next call on it. */
JG_API JG_SUSPENDS ssize_t jg_stream_fill(jg_stream *stream, size_t max, char **out_data);

/* Returns how many bytes are read ahead, and points `*out_data` at them, without waiting: NULL for none.
 * Valid as in jg_stream_fill. */
JG_API size_t jg_stream_peek(jg_stream *stream, char **out_data);

/* Takes `len` of the bytes read ahead. More than are held, or while another task is inside a call that
 * reads: a named abort. */
JG_API void jg_stream_take(jg_stream *stream, size_t len);

/* Tells whether an idle connection is still usable: no byte and no end has come that nobody asked
 * for. One system call. */
JG_API bool jg_stream_idle_ok(jg_stream *stream);

/* Counts bytes sent and received since it was opened. */
JG_API uint64_t jg_stream_sent(const jg_stream *stream);
JG_API uint64_t jg_stream_received(const jg_stream *stream);

/* Ends writing: the peer reads the end of the stream, and further writes are -EPIPE, also one that waits.
 * Reading goes on. The end of a pipe that is written to is closed by it: its descriptor is gone (the stream
 * is not), and the end is read once no copy of it is open anywhere.
 *
 * Returns  0; -ENOTCONN on a socket whose connection is gone; -ENOTSOCK for what cannot be shut down one way:
 *          the reading end of a pipe, a terminal, a file; -ECHILD in a forked child. */
JG_API int jg_stream_shutdown(jg_stream *stream);

/* Closes; tasks parked on it get -EBADF. Takes it: the stream is gone after the call. NULL is allowed. */
JG_API void jg_stream_close(jg_stream *stream);

/* Returns the descriptor: borrowed, for getsockopt and the like; -1 for a simulated one, and for a pipe that
 * was shut down. */
JG_API int jg_stream_fd(const jg_stream *stream);

JG_END_DECLS

#endif
