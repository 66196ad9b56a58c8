// SPDX-License-Identifier: MIT
/* floor.c – the least a round can cost: one thread, epoll, and nothing else.
 *
 * Holds      one small record per connection, and what is done on each event of it.
 * Invariant  it sends the same request and checks the same of every answer as the other models.
 * Called by  round.c through the table of models.
 * Why        what a model costs beyond this is what its convenience costs.
 * Quirks     answers must have a Content-Length, and heads of at most HEAD_SIZE bytes: it is a
 *            yardstick, not a client. preflight.c turns away a server that sends no length.
 */
#include "worker.h"

#include <juggle.h>

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { HEAD_SIZE = 1024, SINK_SIZE = 65536, EVENTS = 256, REQUEST_SIZE = 9216, SWEEP_MS = 100 };

struct connection {
    struct connection *next_due; /* in the list of those that may begin a request */
    int fd;                      /* -1: none */
    bool connecting;             /* the request has not been sent */
    bool busy;                   /* a request was taken */
    bool in_body;                /* the head was read */
    bool close_after;            /* the server asked for it */
    size_t have;                 /* bytes of head */
    uint64_t body;               /* length of the body */
    uint64_t left;               /* bytes of it still to come */
    int64_t begin_ns;
    char head[HEAD_SIZE];
};

struct floor {
    const struct model_plan *plan;
    struct board *board;
    int epoll_fd;
    struct connection *due; /* begin a request once the current event is dealt with */
    uint32_t open;          /* connections with work to do */
    uint32_t waiting;       /* connections that hold their first answer */
    bool released;
    size_t request_size;
    char request[REQUEST_SIZE];
    char sink[SINK_SIZE];
};

static void disconnect(struct connection *c) {
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
}

/* Lets the connection begin its next request. A list, as a chain of calls could grow without end
 * where every connection is refused at once. */
static void make_due(struct floor *f, struct connection *c) {
    c->next_due = f->due;
    f->due = c;
}

/* Ends the request; in a round that holds, the next one waits for the release. */
static void end_request(struct floor *f, struct connection *c) {
    c->busy = false;
    if (f->plan->hold && !f->released) {
        board_raise(&f->board->held, f->plan->concurrency);
        f->waiting++;
        return;
    }
    make_due(f, c);
}

static void fail(struct floor *f, struct connection *c, enum board_cause cause, const char *text) {
    board_explain(f->board, cause, "%s", text);
    board_fail(f->board, cause);
    disconnect(c);
    end_request(f, c);
}

static void fail_errno(struct floor *f, struct connection *c, enum board_cause cause, int error) {
    bool is_local = error == EMFILE || error == ENFILE || error == ENOMEM || error == EADDRNOTAVAIL;
    fail(f, c, is_local ? BOARD_LOCAL : cause, strerror(error));
}

static void send_request(struct floor *f, struct connection *c) {
    c->connecting = false;
    ssize_t sent = send(c->fd, f->request, f->request_size, MSG_NOSIGNAL);
    if (sent != (ssize_t)f->request_size) {
        fail_errno(f, c, BOARD_CLOSED, sent < 0 ? errno : EPIPE);
    }
}

static void open_connection(struct floor *f, struct connection *c) {
    const struct target *target = f->plan->target;
    const int on = 1;
    c->fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        fail_errno(f, c, BOARD_LOCAL, errno);
        return;
    }
    if (!target->is_unix) {
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    int rc = connect(c->fd, (const struct sockaddr *)&target->address, target->address_size);
    if ((rc < 0 && errno != EINPROGRESS) ||
        epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) {
        fail_errno(f, c, BOARD_CONNECT, errno);
        return;
    }
    atomic_fetch_add(&f->board->connections, 1);
    c->connecting = true;
}

static void next_request(struct floor *f, struct connection *c) {
    if (!worker_take(f->plan, f->board)) {
        disconnect(c);
        f->open--;
        return;
    }
    c->begin_ns = board_now_ns();
    c->busy = true;
    c->in_body = false;
    c->have = 0;
    if (c->fd < 0) {
        open_connection(f, c);
    } else {
        send_request(f, c);
    }
}

static void end_answer(struct floor *f, struct connection *c) {
    bool is_good = strncmp(c->head + 9, "2", 1) == 0;
    bool is_whole = f->plan->body_bytes < 0 || (uint64_t)f->plan->body_bytes == c->body;
    if (!is_good) {
        c->head[12] = '\0';
        board_explain(f->board, BOARD_STATUS, "status %s", c->head + 9);
        board_fail(f->board, BOARD_STATUS);
    } else if (!is_whole) {
        board_explain(f->board, BOARD_LENGTH, "a body of %" PRIu64 " bytes instead of %" PRId64,
                      c->body, f->plan->body_bytes);
        board_fail(f->board, BOARD_LENGTH);
    } else {
        board_succeed(f->board, (uint64_t)(board_now_ns() - c->begin_ns), c->body);
    }
    if (c->close_after) {
        disconnect(c);
    }
    end_request(f, c);
}

/* Reads what a complete head says; false if it cannot be used. */
static bool read_head(struct connection *c, char *body) {
    char *length = strcasestr(c->head, "\r\ncontent-length:");
    if (strncmp(c->head, "HTTP/1.", 7) != 0 || length == NULL || length > body) {
        return false;
    }
    c->body = strtoull(length + sizeof("\r\ncontent-length:") - 1, NULL, 10);
    c->left = c->body;
    c->close_after = strcasestr(c->head, "\r\nconnection: close") != NULL;
    c->in_body = true;
    return true;
}

/* Takes `length` new bytes behind the head read so far. */
static void take_head(struct floor *f, struct connection *c, size_t length) {
    c->have += length;
    c->head[c->have] = '\0';
    char *body = strstr(c->head, "\r\n\r\n");
    if (body == NULL && c->have < HEAD_SIZE - 1) {
        return;
    }
    if (body == NULL || !read_head(c, body)) {
        fail(f, c, BOARD_PROTOCOL, "no HTTP/1 head with a Content-Length");
        return;
    }
    size_t beyond = c->have - (size_t)(body + 4 - c->head);
    if (beyond > c->left) {
        fail(f, c, BOARD_PROTOCOL, "more bytes than the answer has");
        return;
    }
    c->left -= beyond;
}

static void take_bytes(struct floor *f, struct connection *c) {
    while (c->fd >= 0 && c->busy) {
        if (c->in_body && c->left == 0) {
            end_answer(f, c);
            continue;
        }
        size_t room = c->in_body ? (c->left < SINK_SIZE ? c->left : SINK_SIZE)
                                 : HEAD_SIZE - 1 - c->have;
        ssize_t length = recv(c->fd, c->in_body ? f->sink : c->head + c->have, room, 0);
        if (length < 0 && errno == EAGAIN) {
            return;
        }
        if (length <= 0) {
            fail_errno(f, c, BOARD_CLOSED, length < 0 ? errno : ECONNRESET);
        } else if (c->in_body) {
            c->left -= (uint64_t)length;
        } else {
            take_head(f, c, (size_t)length);
        }
    }
}

static void take_event(struct floor *f, struct connection *c) {
    int error = 0;
    socklen_t size = sizeof(error);
    if (c->fd < 0 || !c->busy) {
        return;
    }
    if (c->connecting) {
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            fail_errno(f, c, BOARD_CONNECT, error);
            return;
        }
        send_request(f, c);
    }
    take_bytes(f, c);
}

static void sweep(struct floor *f, struct connection *connections) {
    int64_t oldest_ns = board_now_ns() - (int64_t)f->plan->timeout_ns;
    for (uint32_t i = 0; i < f->plan->concurrency; i++) {
        if (connections[i].busy && connections[i].begin_ns < oldest_ns) {
            fail(f, &connections[i], BOARD_TIMEOUT, "no complete answer in time");
        }
    }
}

/* All hold: lets the parent look, then lets all go on. */
static void hold(struct floor *f, struct connection *connections) {
    board_raise(&f->board->plateau, 1);
    board_await(&f->board->release, 1, -1);
    f->released = true;
    for (uint32_t i = 0; i < f->plan->concurrency; i++) {
        make_due(f, &connections[i]);
    }
}

static void begin_due(struct floor *f) {
    while (f->due != NULL) {
        struct connection *c = f->due;
        f->due = c->next_due;
        next_request(f, c);
    }
}

static void loop(struct floor *f, struct connection *connections) {
    struct epoll_event events[EVENTS];
    int64_t next_sweep_ns = board_now_ns();
    for (begin_due(f); f->open > 0; begin_due(f)) {
        if (f->plan->hold && !f->released && f->waiting == f->open) {
            hold(f, connections);
            continue;
        }
        int count = epoll_wait(f->epoll_fd, events, EVENTS, SWEEP_MS);
        for (int i = 0; i < count; i++) {
            take_event(f, events[i].data.ptr);
            begin_due(f);
        }
        if (board_now_ns() > next_sweep_ns) {
            sweep(f, connections);
            next_sweep_ns = board_now_ns() + SWEEP_MS * INT64_C(1000000);
        }
    }
}

int floor_run(const struct model_plan *plan, struct board *board) {
    static struct floor f;
    struct connection *connections = calloc(plan->concurrency, sizeof(*connections));
    f = (struct floor){.plan = plan, .board = board, .open = plan->concurrency};
    f.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || f.epoll_fd < 0) {
        free(connections);
        return -ENOMEM;
    }
    f.request_size = (size_t)snprintf(
        f.request, sizeof(f.request),
        "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: juggle/" JG_VERSION "\r\n\r\n",
        plan->target->path, plan->target->authority);
    for (uint32_t i = 0; i < plan->concurrency; i++) {
        connections[i].fd = -1;
        board_raise(&board->arrived, UINT32_MAX);
    }
    board_ready(board);
    board_go(board);
    for (uint32_t i = 0; i < plan->concurrency; i++) {
        make_due(&f, &connections[i]);
    }
    loop(&f, connections);
    board_end(board);
    close(f.epoll_fd);
    free(connections);
    return 0;
}
