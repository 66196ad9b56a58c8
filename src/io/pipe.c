// SPDX-License-Identifier: MIT
/* pipe.c – streams on pipes and on the standard descriptors.
 *
 * Holds      nothing.
 * Invariant  descriptors that other programs share with us keep their mode: whether one is
 *            non-blocking belongs to the open file, and a terminal left so breaks the shell.
 * Called by  user code.
 * Why        a terminal or pipe is opened anew through /proc, which gives an open file of our own.
 *            Where that cannot be (sockets), the mode is set and taken back at the close.
 */
#include "io/stream.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the simulation, a pair of sockets of which each goes one way. */
static int open_pipe(struct backend *backend, int out_fds[2]) {
    if (backend->ops->foreign_fds) {
        int rc = backend->ops->socket_pair(backend, out_fds);
        return rc < 0 ? rc : backend->ops->shutdown_write(backend, out_fds[0]);
    }
    if (pipe2(out_fds, O_CLOEXEC) != 0) {
        return -errno;
    }
    int rc = backend->ops->adopt(backend, out_fds[0]);
    rc = rc < 0 ? rc : backend->ops->adopt(backend, out_fds[1]);
    if (rc < 0) { // in a forked child
        close(out_fds[0]);
        close(out_fds[1]);
    }
    return rc;
}

static int make_pipe(jg_stream **out_reader, jg_stream **out_writer) {
    struct backend *backend = backend_current();
    int fds[2];
    int rc = open_pipe(backend, fds);
    if (rc < 0) {
        return rc;
    }
    jg_stream *reader;
    rc = stream_make(fds[0], false, "pipe", &reader);
    if (rc < 0) {
        backend->ops->close_fd(backend, fds[0]);
        backend->ops->close_fd(backend, fds[1]);
        return rc;
    }
    rc = stream_make(fds[1], false, "pipe", out_writer);
    if (rc < 0) {
        jg_stream_close(reader);
        backend->ops->close_fd(backend, fds[1]);
        return rc;
    }
    reader->broken = true;
    (*out_writer)->torn = true;
    (*out_writer)->one_way = true;
    *out_reader = reader;
    return 0;
}

int jg_pipe(jg_stream **out_reader, jg_stream **out_writer) {
    return (int)error_bare(make_pipe(out_reader, out_writer));
}

/* The same pipe or terminal as an open file of our own. */
static int open_anew(int number) {
    char path[32];
    int flags = fcntl(number, F_GETFL);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", number);
    // Non-blocking, or opening a pipe could wait for its other end.
    int fd = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && backend_current()->loop == NULL) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    }
    return fd;
}

/* A file on disk is always ready: it is read and written as it is, at the place all share. */
static int open_plain(int number, jg_stream **out_stream) {
    int fd = fcntl(number, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return -errno;
    }
    int rc = stream_make(fd, false, "standard file", out_stream);
    if (rc < 0) {
        close(fd);
    }
    return rc;
}

static int open_stdio(int number, jg_stream **out_stream) {
    struct stat about;
    if (number < 0 || number > 2) {
        return -EINVAL;
    }
    if (sched_stranded()) {
        return -ECHILD;
    }
    if (backend_current()->ops->foreign_fds) {
        return -EOPNOTSUPP;
    }
    if (fstat(number, &about) != 0) {
        return -errno;
    }
    if (S_ISREG(about.st_mode) || S_ISBLK(about.st_mode)) {
        return open_plain(number, out_stream);
    }
    int fd = S_ISCHR(about.st_mode) || S_ISFIFO(about.st_mode) ? open_anew(number) : -1;
    if (fd < 0) {
        fd = fcntl(number, F_DUPFD_CLOEXEC, 3);
    }
    if (fd < 0) {
        return -errno;
    }
    int rc = jg_stream_open_fd(fd, out_stream);
    if (rc < 0) {
        close(fd);
    }
    return rc;
}

int jg_stdio_open(int number, jg_stream **out_stream) {
    return (int)error_bare(open_stdio(number, out_stream));
}
