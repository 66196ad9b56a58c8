// SPDX-License-Identifier: MIT
/* stream.c – reading, writing and closing streams.
 *
 * Holds      nothing beyond struct jg_stream.
 * Invariant  a byte the kernel handed over is either given to the caller or in the buffer.
 * Called by  user code, http.
 * Why        a read into an empty stream goes straight to the caller's memory; only reading ahead
 *            takes a buffer, and it does so when the data is there (op.h, provided buffers).
 */
#include "io/stream.h"

#include "base/check.h"
#include "base/mem.h"
#include "rt/loop.h"
#include "rt/observe.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEPT_MOST = 64 * 1024 }; // what a read cut short may leave in the buffer

int stream_make(int fd, bool socket, const char *how, jg_stream **out_stream) {
    jg_stream *stream = mem_alloc_zero(sizeof(*stream));
    if (stream == NULL) {
        return -ENOMEM;
    }
    stream->place = place_here();
    stream->fd = fd;
    stream->socket = socket;
    observe_opened(stream, "descriptor", fd, how);
    *out_stream = stream;
    return 0;
}

/* Gives an open file its mode back. */
static void make_blocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0) {
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    }
}

static int open_fd(int fd, const char *how, jg_stream **out_stream) {
    struct backend *backend = backend_current();
    struct stat about;
    if (fstat(fd, &about) != 0) {
        return -errno;
    }
    if (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode)) {
        return -EPERM;
    }
    int flags = fcntl(fd, F_GETFL);
    bool blocking = (flags & O_NONBLOCK) == 0;
    int rc = backend->ops->adopt(backend, fd);
    rc = rc < 0 ? rc : stream_make(fd, S_ISSOCK(about.st_mode), how, out_stream);
    if (rc == 0) {
        (*out_stream)->lent = blocking && backend->loop != NULL;
        (*out_stream)->one_way = S_ISFIFO(about.st_mode) && (flags & O_ACCMODE) == O_WRONLY;
    } else if (blocking) {
        make_blocking(fd);
    }
    return rc;
}

int stream_adopt(int fd, const char *how, jg_stream **out_stream) {
    return (int)error_bare(open_fd(fd, how, out_stream));
}

int jg_stream_open_fd(int fd, jg_stream **out_stream) {
    return stream_adopt(fd, "adopted", out_stream);
}

static int open_pair(jg_stream **out_a, jg_stream **out_b) {
    struct backend *backend = backend_current();
    int fds[2];
    int rc = backend->ops->socket_pair(backend, fds);
    if (rc < 0) {
        return rc;
    }
    jg_stream *a;
    rc = stream_make(fds[0], true, "socket pair", &a);
    if (rc < 0) {
        goto close_fds;
    }
    rc = stream_make(fds[1], true, "socket pair", out_b);
    if (rc < 0) {
        goto free_a;
    }
    *out_a = a;
    return 0;

free_a:
    observe_closed(a);
    mem_free(a);
close_fds:
    backend->ops->close_fd(backend, fds[0]);
    backend->ops->close_fd(backend, fds[1]);
    return rc;
}

int jg_stream_pair(jg_stream **out_a, jg_stream **out_b) {
    return (int)error_bare(open_pair(out_a, out_b));
}

/* Gives the buffer back once all of it is used up. Only blocks of the loop's size go to the loop. */
static void drop_buffer(jg_stream *stream) {
    if (stream->cap == OP_BUFFER_SIZE) {
        op_buffer_give(sched_current()->loop, stream->buffer);
    } else {
        mem_free(stream->buffer);
    }
    stream->buffer = NULL;
    stream->start = stream->end = stream->cap = 0;
}

static size_t held(const jg_stream *stream) {
    return stream->end - stream->start;
}

/* Around every call that may park: the stream may be closed meanwhile, and nobody else may read, or
 * write, between the pieces of one call. */
static int hold(jg_stream *stream, bool *in_use) {
    struct coro *self = sched_current();
    int rc = place_check(self, stream->place, "a stream");
    rc = unlikely(rc < 0) ? rc : suspend_check(self);
    if (unlikely(rc < 0)) {
        return rc;
    }
    if (unlikely(*in_use)) {
        return -EBUSY;
    }
    *in_use = true;
    stream->holders++;
    return 0;
}

static void release(jg_stream *stream, bool *in_use) {
    must(stream->holders > 0);
    *in_use = false;
    stream->holders--;
    if (unlikely(stream->closed) && stream->holders == 0) {
        mem_free(stream);
    }
}

/* One read of the descriptor into `piece`, whose base may be NULL: see op.h. */
static ssize_t read_once(jg_stream *stream, struct iovec *piece) {
    struct op op = {.kind = OP_READ,
                    .fd = stream->fd,
                    .socket = stream->socket,
                    .one = *piece,
                    .armed_ns = stream->armed_ns,
                    .iov_count = 1};
    op.iov = &op.one;
    ssize_t got = op_run(&op);
    if (got > 0) {
        stream->received += (uint64_t)got;
        *piece = op.one;
    }
    stream->ended = stream->ended || got == 0;
    return got;
}

static void take(jg_stream *stream, size_t len) {
    must(len <= held(stream));
    stream->start += len;
    if (stream->buffer != NULL && held(stream) == 0) {
        drop_buffer(stream);
    }
}

static size_t take_held(jg_stream *stream, void *buf, size_t cap) {
    size_t count = held(stream) < cap ? held(stream) : cap;
    memcpy(buf, stream->buffer + stream->start, count);
    take(stream, count);
    return count;
}

static ssize_t read_some(jg_stream *stream, void *buf, size_t cap) {
    if (unlikely(stream->torn)) {
        return -EPIPE;
    }
    if (held(stream) == 0) {
        struct iovec piece = {buf, cap};
        return read_once(stream, &piece);
    }
    return (ssize_t)take_held(stream, buf, cap);
}

ssize_t jg_read(jg_stream *stream, void *buf, size_t cap) {
    if (cap == 0) {
        check_misuse("jg_read into a buffer without room: its 0 is the end of the stream");
    }
    int rc = hold(stream, &stream->reading);
    if (rc < 0) {
        return error_bare(rc);
    }
    ssize_t got = read_some(stream, buf, cap);
    release(stream, &stream->reading);
    return error_bare(got);
}

/* Makes room for at least one more byte behind what is held, at most `max` in all. */
static int make_room(jg_stream *stream, size_t max) {
    if (stream->end < stream->cap) {
        return 0;
    }
    if (stream->start > 0) {
        memmove(stream->buffer, stream->buffer + stream->start, held(stream));
        stream->end -= stream->start;
        stream->start = 0;
        return 0;
    }
    size_t cap = stream->cap * 2 < max ? stream->cap * 2 : max;
    if (cap <= stream->cap) {
        return -EMSGSIZE;
    }
    char *buffer = mem_alloc(cap);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    size_t count = held(stream);
    memcpy(buffer, stream->buffer, count);
    drop_buffer(stream);
    stream->buffer = buffer;
    stream->cap = cap;
    stream->end = count;
    return 0;
}

static ssize_t fill_empty(jg_stream *stream) {
    struct iovec piece = {NULL, 0};
    ssize_t got = read_once(stream, &piece);
    if (got > 0 && stream->fd < 0) {
        op_buffer_give(sched_current()->loop, piece.iov_base);
        return -EBADF; // closed after the bytes had come: nobody is left to hold them
    }
    if (got > 0) {
        stream->buffer = piece.iov_base;
        stream->cap = piece.iov_len;
        stream->end = (size_t)got;
    }
    return got;
}

static ssize_t fill_more(jg_stream *stream, size_t max) {
    if (held(stream) >= max) {
        return -EMSGSIZE;
    }
    int rc = make_room(stream, max);
    if (rc < 0) {
        return rc;
    }
    struct iovec piece = {stream->buffer + stream->end, stream->cap - stream->end};
    ssize_t got = read_once(stream, &piece);
    if (stream->fd < 0) {
        return -EBADF; // closed meanwhile, the buffer is gone
    }
    if (got > 0) {
        stream->end += (size_t)got;
    }
    return got == 0 ? -ENODATA : got;
}

ssize_t jg_stream_fill(jg_stream *stream, size_t max, char **out_data) {
    int rc = hold(stream, &stream->reading);
    if (rc < 0) {
        return error_bare(rc);
    }
    ssize_t got = -EPIPE;
    if (likely(!stream->torn)) {
        got = stream->buffer == NULL && max > 0 ? fill_empty(stream) : fill_more(stream, max);
    }
    if (got > 0) {
        *out_data = stream->buffer + stream->start;
        got = (ssize_t)held(stream);
    }
    release(stream, &stream->reading);
    return error_bare(got);
}

size_t jg_stream_peek(jg_stream *stream, char **out_data) {
    stream_check(stream);
    *out_data = stream->buffer == NULL ? NULL : stream->buffer + stream->start;
    return held(stream);
}

void jg_stream_take(jg_stream *stream, size_t len) {
    stream_check(stream);
    if (unlikely(stream->reading)) {
        check_misuse("bytes are taken from a stream while another task reads it");
    }
    if (unlikely(len > held(stream))) {
        check_misuse("%zu bytes are taken from a stream that holds %zu", len, held(stream));
    }
    take(stream, len);
}

/* Puts bytes back that a read cut short had already handed out. */
static void keep(jg_stream *stream, const char *data, size_t len) {
    if (len == 0 || stream->fd < 0) {
        return;
    }
    char *buffer = len + held(stream) > KEPT_MOST ? NULL : mem_alloc(len + held(stream));
    if (buffer == NULL) {
        stream->torn = true;
        return;
    }
    size_t count = len + held(stream);
    memcpy(buffer, data, len);
    if (held(stream) > 0) {
        memcpy(buffer + len, stream->buffer + stream->start, held(stream));
        drop_buffer(stream);
    }
    stream->buffer = buffer;
    stream->start = 0;
    stream->end = stream->cap = count;
}

static ssize_t read_all(jg_stream *stream, void *buf, size_t len) {
    size_t have = 0;
    while (have < len) {
        ssize_t got = read_some(stream, (char *)buf + have, len - have);
        if (got <= 0) {
            keep(stream, buf, have);
            return got == 0 ? -EPIPE : got;
        }
        have += (size_t)got;
    }
    return (ssize_t)have;
}

ssize_t jg_read_exact(jg_stream *stream, void *buf, size_t len) {
    int rc = hold(stream, &stream->reading);
    if (rc < 0) {
        return error_bare(rc);
    }
    ssize_t got = read_all(stream, buf, len);
    release(stream, &stream->reading);
    return error_bare(got);
}

static ssize_t read_until(jg_stream *stream, int delimiter, char *buf, size_t cap) {
    size_t searched = 0;
    for (;;) {
        size_t seen = held(stream) < cap ? held(stream) : cap;
        if (seen > searched) {
            const char *data = stream->buffer + stream->start;
            const char *found = memchr(data + searched, delimiter, seen - searched);
            if (found != NULL) {
                return (ssize_t)take_held(stream, buf, (size_t)(found - data) + 1);
            }
            searched = seen;
        }
        if (seen == cap) {
            return -EMSGSIZE;
        }
        ssize_t got = stream->buffer == NULL ? fill_empty(stream) : fill_more(stream, cap);
        if (got <= 0) {
            return got == -ENODATA ? (ssize_t)take_held(stream, buf, cap) : got;
        }
    }
}

ssize_t jg_read_until(jg_stream *stream, char delimiter, char *buf, size_t cap) {
    int rc = hold(stream, &stream->reading);
    if (rc < 0) {
        return error_bare(rc);
    }
    ssize_t got = -EPIPE;
    if (likely(!stream->torn)) {
        got = read_until(stream, (unsigned char)delimiter, buf, cap);
    }
    release(stream, &stream->reading);
    return error_bare(got);
}

/* Leaves out the first `count` bytes of the pieces. */
static void advance(struct iovec **pieces, int *count, size_t done) {
    while (*count > 0 && done >= (*pieces)->iov_len) {
        done -= (*pieces)->iov_len;
        (*pieces)++;
        (*count)--;
    }
    if (*count > 0) {
        (*pieces)->iov_base = (char *)(*pieces)->iov_base + done;
        (*pieces)->iov_len -= done;
    }
}

static ssize_t write_all(jg_stream *stream, struct iovec *pieces, int count) {
    size_t done = 0;
    if (stream->broken) {
        return -EPIPE;
    }
    advance(&pieces, &count, 0);
    while (count > 0) {
        struct op op = {.kind = OP_WRITE,
                        .fd = stream->fd,
                        .socket = stream->socket,
                        .iov = pieces,
                        .iov_count = count < IOV_MAX ? count : IOV_MAX,
                        .armed_ns = stream->armed_ns};
        ssize_t put = op_run(&op);
        if (put < 0) {
            bool shut = stream->broken; // meanwhile
            stream->broken = shut || (done > 0 && put != -EBUSY);
            return shut ? -EPIPE : put;
        }
        stream->sent += (uint64_t)put;
        done += (size_t)put;
        advance(&pieces, &count, (size_t)put);
    }
    return (ssize_t)done;
}

ssize_t jg_writev(jg_stream *stream, struct iovec *pieces, int count) {
    if (unlikely(count < 0)) {
        return error_bare(-EINVAL);
    }
    int rc = hold(stream, &stream->writing);
    if (rc < 0) {
        return error_bare(rc);
    }
    ssize_t put = write_all(stream, pieces, count);
    release(stream, &stream->writing);
    return error_bare(put);
}

ssize_t jg_write(jg_stream *stream, const void *buf, size_t len) {
    struct iovec piece = {(void *)(uintptr_t)buf, len};
    return jg_writev(stream, &piece, 1);
}

bool jg_stream_idle_ok(jg_stream *stream) {
    struct backend *backend = stream_backend(stream);
    return held(stream) == 0 && !stream->ended && !stream->broken && !stream->torn &&
           backend->ops->idle_ok(backend, stream->fd) == 1;
}

uint64_t jg_stream_sent(const jg_stream *stream) {
    return stream->sent;
}

uint64_t jg_stream_received(const jg_stream *stream) {
    return stream->received;
}

static void close_descriptor(jg_stream *stream) {
    struct backend *backend = stream_backend(stream);
    if (stream->fd < 0) {
        return; // one way, and shut down
    }
    if (stream->lent && !place_left_behind(stream->place)) { // else the open file is the parent's
        make_blocking(stream->fd);
    }
    backend->ops->close_fd(backend, stream->fd);
    stream->fd = -1;
}

static int end_writing(jg_stream *stream) {
    struct backend *backend = stream_backend(stream);
    if (!stream->one_way) {
        return stream->socket ? backend->ops->shutdown_write(backend, stream->fd) : -ENOTSOCK;
    }
    if (place_left_behind(stream->place)) {
        return -ECHILD;
    }
    stream->broken = stream->torn = true;
    close_descriptor(stream);
    return 0;
}

int jg_stream_shutdown(jg_stream *stream) {
    return (int)error_bare(end_writing(stream));
}

void jg_stream_close(jg_stream *stream) {
    if (stream == NULL) {
        return;
    }
    close_descriptor(stream);
    observe_closed(stream);
    if (stream->buffer != NULL) {
        drop_buffer(stream);
    }
    stream->closed = true;
    if (stream->holders == 0) {
        mem_free(stream);
    }
}

int jg_stream_fd(const jg_stream *stream) {
    return stream_backend(stream)->ops->foreign_fds ? -1 : stream->fd;
}
