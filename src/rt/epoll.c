// SPDX-License-Identifier: MIT
/* epoll.c – the backend for Linux: try, wait for readiness, try again.
 *
 * Holds      one epoll, which also watches the loop's wake-up descriptor, and a table by descriptor: who
 *            waits to read, who to write, and what is known about its readiness.
 * Invariant  a descriptor is registered once, edge-triggered, for both directions, at its first wait.
 *            `readable` is false only when a system call has drained it since the last event: then
 *            the next event is still to come, and trying would be a wasted call.
 * Called by  through struct backend_ops only.
 * Why        edge-triggered: one epoll_ctl in a connection's life. See docs/decisions/epoll.md.
 * Quirks     a short read drains a socket, but the end of the stream may have come with the same
 *            event: after a hang-up flag the next read is always tried. Events carry a generation:
 *            a reused descriptor number must not wake for its predecessor. A number that comes new from
 *            the kernel is forgotten first: somebody may have closed it without telling us. A poll is of
 *            anybody's descriptor: it asks the kernel each time, and may wait on both sides at once.
 */
#include "rt/op.h"

#include "base/clock.h"
#include "base/mem.h"
#include "rt/loop.h"
#include "rt/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    EVENTS_MOST = 64, // what one turn reads, its tasks find in the cache still; see loop's buffers
    FIRST_ENTRIES = 64,
};

// The event data of the wake-up descriptor; no descriptor has this number.
static const uint64_t WAKEUP_DATA = UINT64_MAX;

struct entry {
    struct op *reader; // parked: read, accept, poll, receive
    struct op *writer; // parked: write, connect, send, poll; may be the reader, too
    uint32_t generation;
    bool registered;
    bool readable; // may be; trying is worth a call
    bool writable;
    bool hung_up; // peer's end, hang-up or error was seen: readable for good
};

struct epoll_backend {
    struct backend backend;
    int epoll_fd;
    struct entry *entries;
    size_t entry_count;
    struct epoll_event events[EVENTS_MOST];
};

static struct epoll_backend *of(struct backend *backend) {
    return (struct epoll_backend *)(void *)backend;
}

static int make_room(struct epoll_backend *self, int fd) {
    if (fcntl(fd, F_GETFD) < 0) {
        return -errno; // a number that is no descriptor, perhaps a huge one: no rows for it
    }
    size_t count = self->entry_count == 0 ? FIRST_ENTRIES : self->entry_count;
    while (count <= (size_t)fd) {
        count *= 2;
    }
    struct entry *entries = mem_resize(self->entries, count * sizeof(*entries));
    if (entries == NULL) {
        return -ENOMEM;
    }
    memset(entries + self->entry_count, 0, (count - self->entry_count) * sizeof(*entries));
    self->entries = entries;
    self->entry_count = count;
    return 0;
}

static int entry_of(struct epoll_backend *self, int fd, struct entry **out_entry) {
    if (fd < 0) {
        return -EBADF;
    }
    if (unlikely((size_t)fd >= self->entry_count)) {
        int rc = make_room(self, fd);
        if (rc < 0) {
            return rc;
        }
    }
    *out_entry = &self->entries[fd];
    return 0;
}

static struct epoll_event event_of(const struct entry *entry, int fd) {
    return (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u64 = ((uint64_t)entry->generation << 32) | (uint32_t)fd};
}

static int register_fd(struct epoll_backend *self, struct entry *entry, int fd) {
    struct epoll_event event = event_of(entry, fd);
    int rc = epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    if (rc != 0 && errno == EEXIST) {
        // Given up and adopted again without being closed.
        rc = epoll_ctl(self->epoll_fd, EPOLL_CTL_MOD, fd, &event);
    }
    if (rc != 0) {
        return -errno;
    }
    entry->registered = true;
    return 0;
}

static void complete(struct backend *backend, struct entry *entry, struct op *op, intptr_t result) {
    entry->reader = entry->reader == op ? NULL : entry->reader;
    entry->writer = entry->writer == op ? NULL : entry->writer;
    backend->pending--;
    wake(&op->wait, result);
}

/* What is known about a number is no longer true: its descriptor is closed, or was closed by somebody
 * else, as the kernel has given the number out again. */
static void forget(struct epoll_backend *self, int fd) {
    if ((size_t)fd >= self->entry_count) {
        return;
    }
    struct entry *entry = &self->entries[fd];
    if (entry->reader != NULL) {
        complete(&self->backend, entry, entry->reader, -EBADF);
    }
    if (entry->writer != NULL) {
        complete(&self->backend, entry, entry->writer, -EBADF);
    }
    *entry = (struct entry){.generation = entry->generation + 1};
}

static size_t wanted(const struct op *op) {
    size_t sum = 0;
    for (int i = 0; i < op->iov_count; i++) {
        sum += op->iov[i].iov_len;
    }
    return sum;
}

/* Tries the call and learns from its answer. Returns false when it would block. */
static bool attempt(struct epoll_backend *self, struct entry *entry, struct op *op) {
    intptr_t got = op_try(op);
    if (got == -EAGAIN) {
        entry->writable = entry->writable && !(op_sides(op) & JG_WRITABLE);
        entry->readable = entry->readable && !(op_sides(op) & JG_READABLE);
        return false;
    }
    if (op->kind == OP_READ && op->socket && got > 0 && (size_t)got < op->iov[0].iov_len &&
        entry->registered && !entry->hung_up) {
        entry->readable = false; // drained: an edge will tell of more
    } else if (op->kind == OP_WRITE && got > 0 && (size_t)got < wanted(op)) {
        entry->writable = false;
    } else if (op->kind == OP_ACCEPT && got >= 0) {
        forget(self, (int)got);
    }
    op->wait.result = got;
    return true;
}

static bool completed(struct op *op, intptr_t result) {
    op->wait.result = result;
    return true;
}

static bool is_busy(const struct entry *entry, const struct op *op) {
    return (entry->reader != NULL && (op_sides(op) & JG_READABLE)) ||
           (entry->writer != NULL && (op_sides(op) & JG_WRITABLE));
}

/* A descriptor that is not ours may have been closed without our knowing, and its number may be another's
 * by now: then its registration is gone, which only the kernel knows. Being asked, it also looks anew
 * whether the descriptor is ready. */
static void refresh(struct epoll_backend *self, struct entry *entry, int fd) {
    struct epoll_event event = event_of(entry, fd);
    if (entry->registered && epoll_ctl(self->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0) {
        forget(self, fd);
    }
}

static bool submit_poll(struct epoll_backend *self, struct entry *entry, struct op *op) {
    intptr_t got = op_try(op);
    if (got < 0 || is_busy(entry, op)) {
        refresh(self, entry, op->fd);
    }
    if (is_busy(entry, op)) {
        return completed(op, -EBUSY);
    }
    int rc = got == -EAGAIN && !entry->registered ? register_fd(self, entry, op->fd) : 0;
    if (got != -EAGAIN || rc < 0) {
        return completed(op, rc < 0 ? rc : got);
    }
    entry->reader = op->events & JG_READABLE ? op : entry->reader;
    entry->writer = op->events & JG_WRITABLE ? op : entry->writer;
    self->backend.pending++;
    return false;
}

static bool epoll_submit(struct backend *backend, struct op *op) {
    struct epoll_backend *self = of(backend);
    struct entry *entry;
    int rc = entry_of(self, op->fd, &entry);
    if (unlikely(rc < 0)) {
        return completed(op, rc);
    }
    if (op->kind == OP_POLL) {
        return submit_poll(self, entry, op);
    }
    bool writer = op_sides(op) == JG_WRITABLE;
    struct op **slot = writer ? &entry->writer : &entry->reader;
    if (unlikely(*slot != NULL)) {
        return completed(op, -EBUSY);
    }
    bool worth = !entry->registered || (writer ? entry->writable : entry->readable);
    if (worth && attempt(self, entry, op)) {
        return true;
    }
    if (!entry->registered) {
        rc = register_fd(self, entry, op->fd);
        if (rc < 0) {
            return completed(op, rc);
        }
    }
    *slot = op;
    backend->pending++;
    return false;
}

static void epoll_cancel(struct backend *backend, struct op *op) {
    struct entry *entry = &of(backend)->entries[op->fd];
    must(entry->reader == op || entry->writer == op);
    complete(backend, entry, op, -ECANCELED);
}

static void serve_writer(struct epoll_backend *self, struct entry *entry) {
    if (entry->writer != NULL && attempt(self, entry, entry->writer)) {
        complete(&self->backend, entry, entry->writer, entry->writer->wait.result);
    }
}

static void on_event(struct epoll_backend *self, const struct epoll_event *event) {
    size_t fd = (uint32_t)event->data.u64;
    uint32_t generation = (uint32_t)(event->data.u64 >> 32);
    must(fd < self->entry_count); // it was registered, and the table never shrinks
    if (self->entries[fd].generation != generation) {
        return; // of a descriptor that is closed
    }
    struct entry *entry = &self->entries[fd];
    const uint32_t ends = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    if (event->events & ends) {
        entry->hung_up = true;
    }
    if (event->events & (EPOLLIN | ends)) {
        entry->readable = true;
        if (entry->reader != NULL && attempt(self, entry, entry->reader)) {
            complete(&self->backend, entry, entry->reader, entry->reader->wait.result);
        }
    }
    if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
        entry->writable = true;
        serve_writer(self, entry);
    }
}

/* Nanoseconds where the kernel can (Linux 5.11), else milliseconds rounded up: never early. */
static int wait_events(struct epoll_backend *self, int64_t timeout_ns) {
    static atomic_bool no_pwait2; // found out once for all loops
    if (timeout_ns <= 0) {
        return epoll_wait(self->epoll_fd, self->events, EVENTS_MOST, timeout_ns < 0 ? -1 : 0);
    }
    if (!atomic_load_explicit(&no_pwait2, memory_order_relaxed)) {
        const struct timespec limit = {timeout_ns / JG_S, timeout_ns % JG_S};
        int count = epoll_pwait2(self->epoll_fd, self->events, EVENTS_MOST, &limit, NULL);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return count;
        }
        atomic_store_explicit(&no_pwait2, true, memory_order_relaxed);
    }
    int64_t limit_ms = (timeout_ns - 1) / JG_MS + 1;
    return epoll_wait(self->epoll_fd, self->events, EVENTS_MOST,
                      limit_ms > INT32_MAX ? INT32_MAX : (int)limit_ms);
}

static int epoll_reap(struct backend *backend, int64_t timeout_ns) {
    struct epoll_backend *self = of(backend);
    backend->kernel_waits++;
    int count = wait_events(self, timeout_ns);
    if (count < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    for (int i = 0; i < count; i++) {
        if (self->events[i].data.u64 == WAKEUP_DATA) {
            inbox_calm(backend->loop->handle);
        } else {
            on_event(self, &self->events[i]);
        }
    }
    return count;
}

static int64_t epoll_now_ns(struct backend *backend) {
    (void)backend;
    return clock_now_ns();
}

static int epoll_pollable(struct backend *backend) {
    return of(backend)->epoll_fd;
}

static void epoll_forget(struct backend *backend, int fd) {
    if (fd >= 0) {
        forget(of(backend), fd);
    }
}

static void epoll_close_fd(struct backend *backend, int fd) {
    forget(of(backend), fd);
    close(fd);
}

static void epoll_backend_close(struct backend *backend) {
    struct epoll_backend *self = of(backend);
    must(backend->pending == 0);
    close(self->epoll_fd);
    mem_free(self->entries);
    mem_free(self);
}

static int epoll_socket_open(struct backend *backend, int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    forget(of(backend), fd);
    return fd;
}

static int epoll_socket_pair(struct backend *backend, int out_fds[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out_fds) != 0) {
        return -errno;
    }
    forget(of(backend), out_fds[0]);
    forget(of(backend), out_fds[1]);
    return 0;
}

static int epoll_adopt(struct backend *backend, int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return -errno;
    }
    forget(of(backend), fd);
    return 0;
}

/* A writer that waits for room on a Unix socket gets no event for this. */
static int epoll_shutdown_write(struct backend *backend, int fd) {
    struct epoll_backend *self = of(backend);
    int rc = socket_shutdown_write(backend, fd);
    if (rc == 0 && (size_t)fd < self->entry_count) {
        serve_writer(self, &self->entries[fd]);
    }
    return rc;
}

static const struct backend_ops epoll_ops = {
    .name = "epoll",
    .close = epoll_backend_close,
    .submit = epoll_submit,
    .cancel = epoll_cancel,
    .reap = epoll_reap,
    .now_ns = epoll_now_ns,
    .pollable = epoll_pollable,
    .socket_open = epoll_socket_open,
    .socket_pair = epoll_socket_pair,
    .listen = socket_listen,
    .datagram_open = socket_datagram_open,
    .datagram_connect = socket_datagram_connect,
    .local_address = socket_local_address,
    .adopt = epoll_adopt,
    .shutdown_write = epoll_shutdown_write,
    .idle_ok = socket_idle_ok,
    .forget = epoll_forget,
    .close_fd = epoll_close_fd,
};

static int open_descriptors(struct epoll_backend *self) {
    self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll_fd < 0) {
        return -errno;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKEUP_DATA};
    int wakeup_fd = self->backend.loop->handle->wakeup_fd;
    if (epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, wakeup_fd, &event) != 0) {
        int rc = -errno;
        close(self->epoll_fd);
        return rc;
    }
    return 0;
}

int epoll_open(struct loop *loop, struct backend **out_backend) {
    struct epoll_backend *self = mem_alloc_zero(sizeof(*self));
    if (self == NULL) {
        return -ENOMEM;
    }
    self->backend.ops = &epoll_ops;
    self->backend.loop = loop;
    int rc = open_descriptors(self);
    if (rc < 0) {
        mem_free(self);
        return rc;
    }
    *out_backend = &self->backend;
    return 0;
}
