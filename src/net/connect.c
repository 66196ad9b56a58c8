// SPDX-License-Identifier: MIT
/* connect.c – connecting: to one address, or to the first of several that answers.
 *
 * Holds      per race one attempt for each address, on the stack of whoever connects.
 * Invariant  all attempts of a race belong to one group, which is closed before the call returns: what
 *            any of them opened is then the winner's stream, or closed.
 * Called by  user code, http.
 * Why        RFC 8305. The addresses of a name may be dead ends, and a dead end says so after minutes, if
 *            at all: the next address is tried a moment later, beside it.
 * Quirks     the winner cancels the group, and with it the body, which waits to start the next one.
 *            Without a loop, or without memory for a task, an attempt is made in place: in turn.
 */
#include "base/check.h"
#include "base/mem.h"
#include "io/stream.h"
#include "net/address.h"
#include "net/address_value.h"
#include "net/lookup.h"
#include "net/no_delay.h"
#include "net/shortage.h"

#include <juggle/error.h>
#include <juggle/group.h>
#include <juggle/wait.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    ATTEMPT_DELAY_MS = 250,                  // RFC 8305 §8
    CLAUSE_SIZE_MOST = JG_ADDRESS_TEXT + 48, // ", [::1]:80 (Connection refused)"
};

/* One address that is tried. */
struct attempt {
    struct race *race;
    const struct op_address *address;
    int rc; // -ECANCELED until it says otherwise
};

/* The addresses of a name, of which the first that answers is taken. */
struct race {
    jg_group group;
    jg_stream *winner; // NULL: none yet
    int count;
    struct attempt attempts[ADDRESSES_MOST];
};

static bool is_met_by_itself(const struct backend *backend, int fd,
                             const struct op_address *address) {
    struct op_address own = {.len = sizeof(own.storage)};
    struct op_address peer = {.len = sizeof(peer.storage)};
    if (address->any.sa_family == AF_UNIX || backend->ops->foreign_fds) {
        return false;
    }
    // The port lies at the same place for both families.
    return getsockname(fd, &own.any, &own.len) == 0 && own.in.sin_port == address->in.sin_port &&
           getpeername(fd, &peer.any, &peer.len) == 0 && own.len == peer.len &&
           memcmp(&own.storage, &peer.storage, own.len) == 0;
}

/* Where nobody listens at a port that the kernel gives out, it may give that one to the socket itself, whose
 * two ends then meet. Closed as usual it would keep the port for a minute from whoever is to listen there.
 * Returns 0; -ECONNREFUSED. */
static int refuse_itself(const struct backend *backend, int fd, const struct op_address *address) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (!is_met_by_itself(backend, fd, address)) {
        return 0;
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    return -ECONNREFUSED;
}

static int connect_one(const struct op_address *address, jg_stream **out_stream) {
    struct backend *backend = backend_current();
    int fd = backend->ops->socket_open(backend, address->any.sa_family);
    if (fd < 0) {
        return fd;
    }
    if (address->any.sa_family != AF_UNIX) {
        no_delay(backend, fd);
    }
    struct op op = {.kind = OP_CONNECT,
                    .fd = fd,
                    .socket = true,
                    .addr = &address->any,
                    .addr_len = address->len};
    int rc = (int)op_run(&op);
    rc = rc == 0 ? refuse_itself(backend, fd, address) : rc;
    rc = rc < 0 ? rc : stream_make(fd, true, "connected", out_stream);
    if (rc < 0) {
        backend->ops->close_fd(backend, fd);
    }
    return rc;
}

/* Records why a connection was not made; a cancel needs no reason. */
static int tell_failure(const char *host, int port, int rc) {
    if (rc == 0 || rc == -ECANCELED) {
        return rc;
    }
    return (int)jg_fail(rc, "cannot connect to %s port %d: %s", host, port, strerrordesc_np(-rc));
}

// Several addresses.

static intptr_t connect_attempt(void *arg) {
    struct attempt *attempt = arg;
    struct race *race = attempt->race;
    jg_stream *stream;
    attempt->rc = connect_one(attempt->address, &stream);
    if (attempt->rc < 0) {
        return 0; // no failure of the group's: the others go on
    }
    if (race->winner != NULL) {
        jg_stream_close(stream); // both answered at once
        return 0;
    }
    race->winner = stream;
    jg_group_cancel(&race->group);
    return 0;
}

/* Starts an attempt, and waits until the next one may start: this one has ended, or the delay is over.
 * Without memory for a task it is made in place, without any for a timer the next one starts at once.
 * Returns 0; -ECANCELED, also when somebody has won. */
static int start_attempt(struct attempt *attempt) {
    const jg_spawn_options at_once = {.group = &attempt->race->group, .eager = true};
    jg_task *task = jg_spawn_with(connect_attempt, attempt, &at_once);
    if (task == NULL) {
        connect_attempt(attempt);
        return attempt->rc == -ECANCELED ? -ECANCELED : 0;
    }
    jg_future *ended = jg_task_future(task);
    ssize_t rc = jg_wait(&ended, 1, JG_FIRST_COMPLETED, ATTEMPT_DELAY_MS);
    jg_detach(task);
    return rc < 0 ? (int)rc : 0;
}

/* Why nobody answered: the last address's code. One of a family that this machine does not have says
 * nothing about the others. What this machine ran out of comes first: where that was, somebody may listen. */
static int last_failure(const struct race *race) {
    int last = race->count - 1;
    for (int i = 0; i < race->count; i++) {
        int rc = race->attempts[i].rc;
        if (is_shortage(rc) || rc == -ENOSPC) { // the latter of epoll
            return rc;
        }
    }
    while (last > 0 && (race->attempts[last].rc == -EAFNOSUPPORT ||
                        race->attempts[last].rc == -EADDRNOTAVAIL)) {
        last--;
    }
    return race->attempts[last].rc;
}

/* Returns 0; why it was broken off; else why it failed. */
static int run_race(struct race *race) {
    int rc = 0;
    jg_group_open(&race->group);
    for (int i = 0; i < race->count && rc == 0 && race->winner == NULL; i++) {
        rc = start_attempt(&race->attempts[i]);
    }
    rc = (int)jg_group_close(&race->group, rc); // an error cancels those under way
    if (race->winner != NULL) {
        return 0; // also when a cancel came with it: completion wins
    }
    return rc < 0 ? rc : last_failure(race);
}

/* Records every address that was tried, and why it failed. */
static int tell_race(const char *host, int port, const struct race *race, int rc) {
    char tried[ADDRESSES_MOST * CLAUSE_SIZE_MOST];
    size_t used = 0;
    if (rc == 0 || rc == -ECANCELED) {
        return rc;
    }
    for (int i = 0; i < race->count; i++) {
        char text[JG_ADDRESS_TEXT];
        const struct attempt *attempt = &race->attempts[i];
        const jg_address address = address_to_value(attempt->address);
        jg_address_format(&address, text, sizeof(text));
        int len = snprintf(tried + used, sizeof(tried) - used, "%s%s (%s)", i > 0 ? ", " : "", text,
                           strerrordesc_np(-attempt->rc));
        used += (size_t)len;
        must(used < sizeof(tried));
    }
    return (int)jg_fail(rc, "cannot connect to %s port %d: %s", host, port, tried);
}

static int connect_first(const char *host, int port, const struct address_list *list,
                         jg_stream **out_stream) {
    struct race race = {.count = list->count};
    for (int i = 0; i < list->count; i++) {
        race.attempts[i] = (struct attempt){&race, &list->addresses[i], -ECANCELED};
    }
    int rc = tell_race(host, port, &race, run_race(&race));
    if (rc == 0) {
        *out_stream = race.winner;
    }
    return rc;
}

/* Lets the families take turns, the first one's first, each in the resolver's order. */
static void interleave(struct address_list *list) {
    struct op_address *all = list->addresses;
    for (int i = 1; i < list->count; i++) {
        int other = i;
        while (other < list->count && all[other].any.sa_family == all[i - 1].any.sa_family) {
            other++;
        }
        if (other == list->count) {
            return; // the rest is of one family
        }
        struct op_address moved = all[other];
        memmove(&all[i + 1], &all[i], (size_t)(other - i) * sizeof(moved));
        all[i] = moved;
    }
}

static int connect_by_name(const char *host, int port, jg_stream **out_stream) {
    struct address_list *list = mem_alloc(sizeof(*list));
    if (list == NULL) {
        return tell_failure(host, port, -ENOMEM);
    }
    int rc = lookup_host(host, port, list); // records its own failures
    if (rc == 0 && list->count == 1) {
        rc = tell_failure(host, port, connect_one(&list->addresses[0], out_stream));
    } else if (rc == 0) {
        interleave(list);
        rc = connect_first(host, port, list, out_stream);
    }
    mem_free(list);
    return rc;
}

// What users call.

int jg_tcp_connect(const char *host, int port, jg_stream **out_stream) {
    struct op_address address;
    host = host != NULL ? host : "localhost";
    int rc = port < 1 ? -EINVAL : address_of_number(host, port, &address);
    if (rc == -ENOENT) {
        return connect_by_name(host, port, out_stream);
    }
    rc = rc < 0 ? rc : connect_one(&address, out_stream);
    return tell_failure(host, port, rc);
}

int jg_unix_connect(const char *path, jg_stream **out_stream) {
    struct op_address address;
    int rc = address_unix(path, &address);
    if (rc < 0) {
        return (int)error_bare(rc);
    }
    rc = connect_one(&address, out_stream);
    if (rc == 0 || rc == -ECANCELED) {
        return rc;
    }
    return (int)jg_fail(rc, "cannot connect to %s: %s", path, strerrordesc_np(-rc));
}
