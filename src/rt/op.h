// SPDX-License-Identifier: MIT
/* op.h – the contract between an I/O operation and whoever carries it out.
 *
 * Holds      struct op, one operation, on the waiter's stack; struct backend, the table of functions
 *            a backend supplies.
 * Invariant  every submitted op completes exactly once: inside submit, or by one wake from reap or
 *            cancel. Until then the backend may use its buffer; afterwards it never touches it.
 * Called by  exec, io and net submit ops through op_run; loop.c reaps. Backends: epoll.c, blocking.c,
 *            sim.c, each passing tests/unit/rt/test_op_conformance.c.
 * Why        completion-shaped: readiness can be turned into completions (try, wait, retry), not the
 *            other way round; a ring fits later without changing a caller.
 *
 * What an implementer must guarantee:
 *   submit  returns true when the op is complete, its result in op->wait.result; false when it is
 *           pending. Never blocks in a loop's backend.
 *   cancel  is called for a pending op only, once. It either completes the op now with -ECANCELED,
 *           or asks for that and completes it later with whatever came first: completion wins.
 *   reap    waits up to `timeout_ns` (0: not at all; negative: for ever) for completions, and wakes
 *           them; returns early once the loop's handle is woken (see inbox.h). May wait less, never
 *           without end.
 *   close   completes pending ops of the descriptor with -EBADF before the number can be reused.
 */
#ifndef RT_OP_H
#define RT_OP_H

#include "rt/sched.h"

#include <juggle/fd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

enum op_kind {
    OP_READ,    // iov[0]: buffer; a base of NULL: the backend provides one, see op_buffer
    OP_WRITE,   // iov, iov_count: some of it is written
    OP_ACCEPT,  // result: the new descriptor
    OP_CONNECT, // addr
    OP_POLL,    // events; result: those that are there. The descriptor may be anybody's
    OP_SEND,    // one datagram: iov, iov_count, peer
    OP_RECEIVE, // one datagram: likewise; result: its bytes, as far as they fit
};

struct op_address;

/* One operation. The caller fills in the upper part and zeroes the rest. */
struct op {
    struct wait wait; // first: its result is the op's
    enum op_kind kind;
    int fd;
    bool socket; // recv and send apply, with their flags
    union {
        struct {
            struct iovec *iov;
            int iov_count;
        };
        struct {
            const struct sockaddr *addr;
            socklen_t addr_len;
        };
        int events; // JG_READABLE, JG_WRITABLE, or both
    };
    union {
        struct iovec one; // read, write: room for a single piece
        struct { // send: to whom, NULL: to whom it is connected; receive: from whom, or NULL
            struct op_address *peer;
            bool truncated; // receive: the datagram was longer than the buffer
        };
    };
    int64_t *armed_ns; // the stream's note of its armed SO_RCVTIMEO and SO_SNDTIMEO; may be NULL
};

/* The sides of the descriptor it waits at. Each serves one operation at a time. */
static inline int op_sides(const struct op *op) {
    if (op->kind == OP_POLL) {
        return op->events;
    }
    bool writes = op->kind == OP_WRITE || op->kind == OP_CONNECT || op->kind == OP_SEND;
    return writes ? JG_WRITABLE : JG_READABLE;
}

/* What waiting for an operation is called; indexed by enum op_kind. */
extern const struct wait_kind op_wait_kinds[];
bool op_is_wait_kind(const struct wait_kind *kind);

struct backend;

/* Address to listen on or connect to; big enough for any family. Written through the member of its family:
 * through a pointer to another type the compiler may take the store for one that `any` does not see. */
struct op_address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    };
};

struct backend_ops {
    const char *name;
    bool foreign_fds; // its descriptors are not the kernel's
    void (*close)(struct backend *backend);
    bool (*submit)(struct backend *backend, struct op *op);
    void (*cancel)(struct backend *backend, struct op *op);
    int (*reap)(struct backend *backend, int64_t timeout_ns);
    int64_t (*now_ns)(struct backend *backend);
    int (*pollable)(struct backend *backend); // readable when a reap would bring something
    // Without a loop nothing is pending: there close, cancel, reap and pollable are NULL.

    // Descriptors. All return a descriptor or 0, or a negative errno.
    int (*socket_open)(struct backend *backend, int family);
    int (*socket_pair)(struct backend *backend, int out_fds[2]);
    int (*listen)(struct backend *backend, const struct op_address *address, int backlog);
    int (*datagram_open)(struct backend *backend, const struct op_address *local, bool reuse_port);
    int (*datagram_connect)(struct backend *backend, int fd, const struct op_address *peer);
    int (*local_address)(struct backend *backend, int fd, struct op_address *out_address);
    // NULL: names are the system's resolver's. Else writes at most `cap` addresses, and returns how many.
    int (*resolve)(struct backend *backend, const char *host, int port,
                   struct op_address *out_addresses, int cap);
    int (*adopt)(struct backend *backend, int fd); // makes a foreign descriptor fit
    int (*shutdown_write)(struct backend *backend, int fd);
    int (*idle_ok)(struct backend *backend, int fd); // 1: nothing came unasked, 0: it did
    void (*forget)(struct backend *backend, int fd); // what of it is pending: -EBADF
    void (*close_fd)(struct backend *backend, int fd);
};

struct backend {
    const struct backend_ops *ops;
    struct loop *loop; // NULL: blocking
    uint64_t kernel_waits;
    size_t pending; // ops submitted and not complete
};

/* The backend that serves this thread: its loop's, or the blocking one. */
struct backend *backend_current(void);

/* Makes the backends. Return 0, -ENOMEM, -EMFILE. */
int epoll_open(struct loop *loop, struct backend **out_backend);
int sim_open(struct loop *loop, uint64_t seed, struct backend **out_backend);
extern struct backend blocking_backend;

/* In a forked child: the copy of a backend opens nothing from now on, and changes nothing that the parent
 * has open: that is -ECHILD. What is closed is the child's descriptor alone. */
void backend_strand(struct backend *backend);

/* The same for a loop that stayed behind, and is not this thread's copy: `simulated` is what it was. */
struct backend *backend_left_behind(bool simulated);

/* Carries the operation out, parking the task as long as it takes. The one way in.
 *
 * Returns  the operation's result; -ECANCELED, also at once while a cancel stands, and then nothing
 *          was done; -EBUSY when another task waits for the same thing on this descriptor. */
intptr_t op_run(struct op *op);

/* A read that has no buffer while it waits: the backend takes one from the loop when data is there.
 * op_run then leaves it in iov[0]. Blocks have OP_BUFFER_SIZE bytes and go back by op_buffer_give. */
#define OP_BUFFER_SIZE ((size_t)16 * 1024)
void *op_buffer_take(struct loop *loop);
void op_buffer_give(struct loop *loop, void *buffer);

/* The sides, as poll(2) names them. */
short op_poll_events(const struct op *op);

/* The system calls behind an op, once: returns its result or -EAGAIN. Shared by epoll and blocking. */
intptr_t op_try(struct op *op);

#endif
