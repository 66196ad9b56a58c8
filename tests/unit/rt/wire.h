// SPDX-License-Identifier: MIT
/* wire.h – single operations by name, for tests of backends.
 *
 * Holds      nothing.
 * Invariant  each function is one op_run, or the loop around it that its name says.
 * Called by  the tests of this directory.
 * Why        a test then reads as what it is about.
 */
#ifndef WIRE_H
#define WIRE_H

#include "fixtures/fixture.h"

#include "world.h"

#include "rt/op.h"

#include <netinet/in.h>
#include <sys/un.h>

static inline const struct backend_ops *ops(void) {
    return backend_current()->ops;
}

static inline intptr_t wire_read(int fd, void *buffer, size_t size) {
    struct iovec iov = {buffer, size};
    struct op op = {.kind = OP_READ, .fd = fd, .socket = true, .iov = &iov, .iov_count = 1};
    return op_run(&op);
}

static inline intptr_t wire_write(int fd, const void *bytes, size_t size) {
    struct iovec iov = {(void *)(uintptr_t)bytes, size};
    struct op op = {.kind = OP_WRITE, .fd = fd, .socket = true, .iov = &iov, .iov_count = 1};
    return op_run(&op);
}

static inline intptr_t wire_simple(enum op_kind kind, int fd) {
    struct op op = {.kind = kind, .fd = fd, .socket = true};
    if (kind == OP_POLL) {
        op.events = JG_READABLE;
    }
    return op_run(&op);
}

static inline int wire_accept(int fd) {
    return (int)wire_simple(OP_ACCEPT, fd);
}

static inline int wire_connect_fd(int fd, const struct op_address *address) {
    struct op op = {.kind = OP_CONNECT,
                    .fd = fd,
                    .socket = true,
                    .addr = &address->any,
                    .addr_len = address->len};
    return (int)op_run(&op);
}

/* Opens a socket and connects it. Returns the descriptor or an error. */
static inline int wire_connect(const struct op_address *address) {
    int fd = ops()->socket_open(backend_current(), address->any.sa_family);
    ck_assert_int_ge(fd, 0);
    int rc = wire_connect_fd(fd, address);
    if (rc < 0) {
        ops()->close_fd(backend_current(), fd);
    }
    return rc < 0 ? rc : fd;
}

static inline void wire_close(int fd) {
    ops()->close_fd(backend_current(), fd);
}

static inline void wire_pair(int fds[2]) {
    ck_assert_int_eq(ops()->socket_pair(backend_current(), fds), 0);
}

/* Reads until `size` bytes are there or the stream ends. Returns the bytes read or an error. */
static inline intptr_t wire_read_all(int fd, char *buffer, size_t size) {
    size_t got = 0;
    while (got < size) {
        intptr_t n = wire_read(fd, buffer + got, size - got);
        if (n <= 0) {
            return n < 0 ? n : (intptr_t)got;
        }
        got += (size_t)n;
    }
    return (intptr_t)got;
}

static inline intptr_t wire_write_all(int fd, const char *bytes, size_t size) {
    size_t put = 0;
    while (put < size) {
        intptr_t n = wire_write(fd, bytes + put, size - put);
        if (n < 0) {
            return n;
        }
        put += (size_t)n;
    }
    return (intptr_t)put;
}

static inline struct op_address wire_inet(uint16_t port) {
    struct op_address address = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = &address.in;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in->sin_port = htons(port);
    return address;
}

static inline struct op_address wire_inet6(uint16_t port) {
    struct op_address address = {.len = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 *in = &address.in6;
    in->sin6_family = AF_INET6;
    in->sin6_addr = in6addr_loopback;
    in->sin6_port = htons(port);
    return address;
}

/* An abstract name: no file is left behind. */
static inline struct op_address wire_unix(const char *name) {
    struct op_address address = {.len = 0};
    struct sockaddr_un *un = &address.un;
    un->sun_family = AF_UNIX;
    size_t size = strlen(name);
    memcpy(un->sun_path + 1, name, size);
    address.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size);
    return address;
}

/* Listens, and puts the address that came out of it into `address`. Returns the descriptor. */
static inline int wire_listen(struct op_address *address, int backlog) {
    int fd = ops()->listen(backend_current(), address, backlog);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ops()->local_address(backend_current(), fd, address), 0);
    return fd;
}

/* Two TCP sockets connected through a listener that is closed again. */
static inline void wire_tcp_pair(int fds[2]) {
    struct op_address address = wire_inet(0);
    int listener = wire_listen(&address, 1);
    fds[0] = wire_connect(&address);
    ck_assert_int_ge(fds[0], 0);
    fds[1] = wire_accept(listener);
    ck_assert_int_ge(fds[1], 0);
    wire_close(listener);
}

/* One read as a job: where it waits, what came out. */
struct reading {
    int fd;
    enum op_kind kind;
    intptr_t result;
    char buffer[64];
};

static void read_once(void *arg) {
    struct reading *reading = arg;
    memset(reading->buffer, '?', sizeof(reading->buffer));
    reading->result = reading->kind == OP_READ
                          ? wire_read(reading->fd, reading->buffer, sizeof(reading->buffer))
                          : wire_simple(reading->kind, reading->fd);
}

static inline bool untouched(const struct reading *reading) {
    for (size_t i = 0; i < sizeof(reading->buffer); i++) {
        if (reading->buffer[i] != '?') {
            return false;
        }
    }
    return true;
}

/* Starts a read that stays pending, as far as the seed has a say in it. */
static inline void start_reading(struct job *job, struct reading *reading, int fd) {
    *reading = (struct reading){.fd = fd, .kind = OP_READ};
    job_start(job, read_once, reading);
    let_run();
}

/* Writes until something ends it: an error, a cancel. */
struct flood {
    int fd;
    size_t sent;
    intptr_t result;
};

static inline void write_flood(void *arg) {
    static char block[64 * 1024];
    struct flood *flood = arg;
    do {
        flood->result = wire_write(flood->fd, block, sizeof(block));
        flood->sent += flood->result > 0 ? (size_t)flood->result : 0;
    } while (flood->result > 0);
}

static inline void wire_close_pair(const int fds[2]) {
    wire_close(fds[0]);
    wire_close(fds[1]);
}

#endif
