// SPDX-License-Identifier: MIT
/* socket_stream.c – listening, accepting. Connecting is connect.c's.
 *
 * Holds      struct jg_listener: a listening descriptor, and a spare one against running out.
 * Invariant  a listener's spare is open but while it is lent for refusing connections. If somebody takes
 *            its place meanwhile, it is opened with the next connection.
 * Called by  user code, http.
 * Why        out of descriptors, accept would fail again and again with the connection still in the
 *            queue: the spare one is closed, used to take connections and shut them, and the next
 *            accept waits a little.
 */
#include "base/list.h"
#include "base/mem.h"
#include "io/stream.h"
#include "net/address.h"
#include "net/listener.h"
#include "net/no_delay.h"
#include "net/shortage.h"
#include "rt/observe.h"
#include "task/task.h"

#include <juggle/sync.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    RETRY_MS = 20,        // between two tries while descriptors are short
    REFUSED_AT_ONCE = 16, // in each of them: peers that come back at once cost no more than that
};

struct jg_listener {
    uint64_t place; // it belongs to; see place_here
    int fd;         // -1 once closed
    int spare_fd;
    int port;
    unsigned holders;     // besides the owner: tasks that are inside or about to come back
    struct list awaiting; // struct place_waiter: servers that are full
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; // to remove; "" when there is none
    dev_t device;                                           // of the file there, while it is ours
    ino_t inode;
    pid_t owner; // the process that put it there
};

static void open_spare(jg_listener *listener) {
    if (listener->spare_fd < 0 && !backend_current()->ops->foreign_fds) {
        listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

static int listen_on(const struct op_address *address, jg_listener **out_listener) {
    struct backend *backend = backend_current();
    jg_listener *listener = mem_alloc_zero(sizeof(*listener));
    if (listener == NULL) {
        return -ENOMEM;
    }
    list_init(&listener->awaiting);
    listener->place = place_here();
    listener->fd = backend->ops->listen(backend, address, BACKLOG);
    if (listener->fd < 0) {
        int rc = listener->fd;
        mem_free(listener);
        return rc;
    }
    listener->spare_fd = -1;
    open_spare(listener);
    observe_opened(listener, "descriptor", listener->fd, "listener");
    *out_listener = listener;
    return 0;
}

/* To listen by name there must be a network that knows it without asking: the simulated one. */
static int address_to_listen(const char *host, int port, struct op_address *out_address) {
    struct backend *backend = backend_current();
    int rc = address_parse(host, port, out_address);
    if (rc == -ENOENT && backend->ops->resolve != NULL) {
        rc = backend->ops->resolve(backend, host, port, out_address, 1);
        rc = rc < 0 ? rc : 0;
    }
    return rc;
}

int jg_tcp_listen(const char *host, int port, jg_listener **out_listener) {
    struct op_address address;
    jg_listener *listener;
    int rc = address_to_listen(host, port, &address);
    rc = rc < 0 ? rc : listen_on(&address, &listener);
    if (rc < 0) {
        return (int)jg_fail(rc, "cannot listen on %s port %d: %s", host != NULL ? host : "loopback",
                            port, strerrordesc_np(-rc));
    }
    struct op_address bound;
    struct backend *backend = backend_current();
    rc = backend->ops->local_address(backend, listener->fd, &bound);
    if (rc < 0) {
        jg_listener_close(listener);
        return (int)error_bare(rc);
    }
    // The port lies at the same place for both families.
    listener->port = ntohs(bound.in.sin_port);
    *out_listener = listener;
    return 0;
}

/* A socket file nobody listens on any more stands in the way: remove it. */
static void remove_stale(const char *path) {
    struct stat about;
    if (path[0] == '@' || lstat(path, &about) != 0 || !S_ISSOCK(about.st_mode)) {
        return;
    }
    struct op_address address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || address_unix(path, &address) < 0) {
        return;
    }
    if (connect(fd, &address.any, address.len) != 0 && errno == ECONNREFUSED) {
        unlink(path);
    }
    close(fd);
}

/* Remembers the socket file, so that no other is removed at the close: somebody may have put the socket of
 * the next server in its place. */
static void remember_file(jg_listener *listener, const char *path) {
    struct stat about;
    if (path[0] != '@' && lstat(path, &about) == 0) {
        strcpy(listener->path, path); // address_unix has checked that it fits
        listener->device = about.st_dev;
        listener->inode = about.st_ino;
        listener->owner = getpid();
    }
}

static void remove_file(const jg_listener *listener) {
    struct stat about;
    if (listener->path[0] != '\0' && listener->owner == getpid() &&
        lstat(listener->path, &about) == 0 && about.st_dev == listener->device &&
        about.st_ino == listener->inode) {
        unlink(listener->path);
    }
}

int jg_unix_listen(const char *path, jg_listener **out_listener) {
    struct op_address address;
    jg_listener *listener;
    int rc = address_unix(path, &address);
    bool real = !backend_current()->ops->foreign_fds;
    if (rc == 0 && real && !sched_stranded()) {
        remove_stale(path);
    }
    rc = rc < 0 ? rc : listen_on(&address, &listener);
    if (rc < 0) {
        return (int)jg_fail(rc, "cannot listen on %s: %s", path, strerrordesc_np(-rc));
    }
    if (real) {
        remember_file(listener, path);
    }
    *out_listener = listener;
    return 0;
}

int jg_listener_port(const jg_listener *listener) {
    return listener->port;
}

/* Takes waiting connections with the spare descriptor, and shuts them: better than to leave the peers
 * waiting and ourselves spinning. */
static int refuse_some(jg_listener *listener) {
    if (listener->spare_fd >= 0 && backend_current()->loop != NULL) {
        close(listener->spare_fd);
        listener->spare_fd = -1;
        int fd = 0;
        for (int i = 0; i < REFUSED_AT_ONCE && fd >= 0; i++) {
            fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd >= 0) {
                close(fd);
            }
        }
        open_spare(listener);
    }
    return jg_sleep(RETRY_MS);
}

void listener_hold(jg_listener *listener) {
    listener->holders++;
}

void listener_release(jg_listener *listener) {
    must(listener->holders > 0);
    listener->holders--;
    if (listener->holders == 0 && listener->fd < 0) {
        mem_free(listener);
    }
}

/* A server that waits for a place, and would not hear of the close. On its stack. */
struct place_waiter {
    struct list node;
    jg_sem *places;
};

int listener_place(jg_listener *listener, jg_sem *places) {
    must(listener->holders > 0);
    struct place_waiter waiter = {.places = places};
    list_append(&listener->awaiting, &waiter.node);
    int rc = jg_sem_acquire(places);
    list_remove(&waiter.node);
    return rc == 0 && listener->fd < 0 ? (int)error_bare(-EBADF) : rc;
}

/* Wakes servers that are full. The permits are no places: whoever gets one sees that it is over. */
static void wake_awaiting(jg_listener *listener) {
    struct list *head = &listener->awaiting;
    for (struct list *node = head->next; node != head; node = node->next) {
        jg_sem_release(container_of(node, struct place_waiter, node)->places);
    }
}

static int accept_held(jg_listener *listener, jg_stream **out_stream) {
    struct backend *backend = backend_current();
    for (;;) {
        if (listener->fd < 0) {
            return -EBADF; // closed while we waited for descriptors, or before we came back
        }
        struct op op = {.kind = OP_ACCEPT, .fd = listener->fd, .socket = true};
        int fd = (int)op_run(&op);
        if (fd >= 0) {
            open_spare(listener);  // if it was lost
            no_delay(backend, fd); // harmless for a Unix socket
            int rc = stream_make(fd, true, "accepted", out_stream);
            if (rc < 0) {
                backend->ops->close_fd(backend, fd);
            }
            return rc;
        }
        if (!is_shortage(fd)) {
            return fd;
        }
        fd = refuse_some(listener);
        if (fd < 0) {
            return fd;
        }
    }
}

static struct backend *backend_of(const jg_listener *listener) {
    return place_backend(listener->place, "a listener");
}

int jg_accept(jg_listener *listener, jg_stream **out_stream) {
    int rc = place_check(sched_current(), listener->place, "a listener");
    if (unlikely(rc < 0)) {
        return rc;
    }
    listener_hold(listener);
    rc = accept_held(listener, out_stream);
    listener_release(listener);
    return (int)error_bare(rc);
}

void jg_listener_close(jg_listener *listener) {
    if (listener == NULL) {
        return;
    }
    struct backend *backend = backend_of(listener);
    observe_closed(listener);
    backend->ops->close_fd(backend, listener->fd);
    if (listener->spare_fd >= 0) {
        close(listener->spare_fd);
    }
    remove_file(listener);
    listener->fd = -1;
    wake_awaiting(listener);
    if (listener->holders == 0) {
        mem_free(listener);
    }
}
