// SPDX-License-Identifier: MIT
/* server_connection.c – the life of one connection: request, reply, and again.
 *
 * Holds      nothing beyond struct server_connection, on the heap.
 * Invariant  the task never fails: whatever a peer or a handler does ends this connection only.
 * Called by  server.c.
 * Why        when we end a connection the peer may still be sending. Closing at once would answer
 *            that with a reset, which can overtake our reply: so we end our side, and listen for a
 *            while (RFC 9112 §9.6).
 */
#include "http/server.h"

#include "base/mem.h"
#include "rt/loop.h"
#include "task/task.h"

#include <string.h>
#include <sys/socket.h>

enum {
    LINGER_MS = 2000,
    LINGER_MOST = 1024 * 1024, // bytes that are read and dropped meanwhile
};

static void count_bytes(struct server_connection *c) {
    jg_http_server_stats *stats = c->server->stats;
    uint64_t in = jg_stream_received(c->stream);
    uint64_t out = jg_stream_sent(c->stream);
    stats->bytes_in += in - c->seen_in;
    stats->bytes_out += out - c->seen_out;
    c->seen_in = in;
    c->seen_out = out;
}

static void end_connection(void *connection) {
    struct server_connection *c = connection;
    struct server *server = c->server;
    count_bytes(c);
    jg_stream_close(c->stream);
    server->stats->open--;
    list_remove(&c->node);
    mem_free(c);
    jg_sem_release(&server->places);
    if (server->stopping && list_empty(&server->connections)) {
        jg_event_set(&server->empty);
    }
}

// Reading a head.

/* Reads on until the head is complete. As read_head. */
static ssize_t fill_head(struct server_connection *c, struct jg_http_exchange *x, size_t held,
                         char **out_data) {
    const jg_http_server_options *options = &c->server->options;
    bool idle = held == 0 && c->requests > 0;
    ssize_t size = 0;
    limit_begin(&c->limit, loop_now_ns(), idle ? options->idle_ms : options->header_ms);
    ssize_t got;
    while ((got = jg_stream_fill(c->stream, options->head_most, out_data)) > 0) {
        size = parse_head(&x->head, *out_data, (size_t)got);
        if (size != 0) {
            break;
        }
        if (idle) {
            limit_renew(&c->limit, loop_now_ns(), options->header_ms);
            idle = false;
        }
    }
    got = limit_end(&c->limit, got);
    return size != 0 ? size : got;
}

/* Waits for the next request.
 *
 * Returns  the size of its head, which is at *out_data; 0 when the peer has ended; a negative
 *          error: of the head if x->head.error is set, else of the connection. */
static ssize_t read_head(struct server_connection *c, struct jg_http_exchange *x, char **out_data) {
    size_t held = jg_stream_peek(c->stream, out_data);
    ssize_t size = held > 0 ? parse_head(&x->head, *out_data, held) : 0;
    return size != 0 ? size : fill_head(c, x, held, out_data);
}

/* No request came of it: answers if there was the beginning of one. */
static void head_failed(struct server_connection *c, struct jg_http_exchange *x, ssize_t rc) {
    char *data;
    bool begun = jg_stream_peek(c->stream, &data) > 0;
    if (x->head.error != 0) {
        server_reply_refuse(x, parse_error_status(x->head.error), parse_error_text(x->head.error));
    } else if (begun && rc == -ETIMEDOUT) {
        server_reply_refuse(x, 408, "request not complete in time");
    } else if (begun && rc == -ENODATA) {
        server_reply_refuse(x, 400, parse_error_text(HTTP_ERROR_TRUNCATED));
    } else if (begun && rc == -ENOMEM) {
        server_reply_refuse(x, 503, "no memory");
    }
}

// Running the handler.

/* A handler's failure is told to whoever is told of failures nobody retrieved. */
static void report(const struct jg_http_exchange *x, int rc) {
    const jg_error *last = jg_error_last();
    const char *method = jg_http_method(x);
    const char *path = jg_http_path(x);
    if (last != NULL && last->code == rc) {
        jg_fail_because(rc, "handler of %s %s failed", method, path);
    } else {
        jg_fail(rc, "handler of %s %s failed", method, path);
    }
    error_report(error_take(task_current()));
}

/* Answers for a handler that failed before it replied. */
static void refuse_for(struct jg_http_exchange *x, int rc) {
    if (rc != x->body_error) {
        server_reply_refuse(x, 500, "the handler failed");
    } else if (x->body.error != 0) {
        server_reply_refuse(x, parse_error_status(x->body.error), parse_error_text(x->body.error));
    } else if (rc == -EMSGSIZE) {
        server_reply_refuse(x, 413, "request body too large");
    } else if (rc == -ETIMEDOUT) {
        server_reply_refuse(x, 408, "request body not complete in time");
    } else {
        server_reply_refuse(x, 500, "request body could not be read");
    }
}

/* A reply that only the connection's end delimits must not look whole. */
static void reset(const struct server_connection *c) {
    int fd = jg_stream_fd(c->stream);
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
}

static void handler_failed(struct jg_http_exchange *x, int rc) {
    bool peer_did = rc == x->body_error || rc == x->write_error;
    if (!peer_did && rc != -ECANCELED) {
        report(x, rc);
    }
    if (x->reply == REPLY_NONE) {
        refuse_for(x, rc);
    } else if (x->reply == REPLY_BEGUN && !x->chunked) {
        reset(x->connection);
        return;
    }
    x->connection->linger = x->write_error == 0;
}

/* Returns whether the connection goes on. */
static bool run_handler(struct server_connection *c, struct jg_http_exchange *x) {
    struct server *server = c->server;
    c->busy = true;
    jg_error_clear(); // of an earlier request: not this one's cause
    int rc = server->handler(x, server->arg);
    mind_fork(sched_current(), rc);
    if (unlikely(c->limit.begun)) {
        check_misuse("an HTTP handler has returned while another task waits with its exchange");
    }
    if (unlikely(rc < 0)) {
        handler_failed(x, rc);
        return false;
    }
    if (unlikely(x->reply == REPLY_NONE)) {
        server_reply_refuse(x, 500, "the handler did not reply");
    } else if (unlikely(x->reply == REPLY_BEGUN)) {
        jg_http_reply_end(x);
    }
    bool goes_on = x->keep && !x->close && x->write_error == 0 && server_exchange_drain(x);
    c->busy = false;
    c->linger = x->write_error == 0;
    return goes_on && !server->stopping;
}

// One request after another.

static bool exchange(struct server_connection *c, struct jg_http_exchange *x) {
    char *data;
    c->linger = false;
    ssize_t size = read_head(c, x, &data);
    if (unlikely(size <= 0)) {
        if (size < 0) {
            head_failed(c, x, size);
        }
        return false;
    }
    int rc = server_exchange_take(x, data);
    jg_stream_take(c->stream, (size_t)size);
    c->requests++;
    c->server->stats->requests++;
    if (unlikely(rc < 0)) {
        server_reply_refuse(x, 503, "no memory");
        return false;
    }
    if (unlikely(x->head.method_id == HTTP_CONNECT)) {
        server_reply_refuse(x, 501, "no tunnels here");
        return false;
    }
    return run_handler(c, x);
}

static bool exchange_once(struct server_connection *c) {
    struct jg_http_exchange x;
    server_exchange_init(&x, c);
    bool goes_on = exchange(c, &x);
    server_exchange_fini(&x);
    count_bytes(c);
    return goes_on;
}

/* Ends our side, and reads what still comes until the peer ends its own. */
static void linger(struct server_connection *c) {
    if (jg_stream_shutdown(c->stream) < 0) {
        return;
    }
    size_t dropped = 0;
    limit_begin(&c->limit, loop_now_ns(), LINGER_MS);
    ssize_t got = 1;
    while (got > 0 && dropped < LINGER_MOST) {
        char *data;
        jg_stream_take(c->stream, jg_stream_peek(c->stream, &data));
        got = jg_stream_fill(c->stream, OP_BUFFER_SIZE, &data);
        dropped += got > 0 ? (size_t)got : 0;
    }
    limit_end(&c->limit, got);
}

static intptr_t run_connection(void *connection) {
    struct server_connection *c = connection;
    if (!c->server->stopping && limit_open(&c->limit) == 0) {
        jg_scope_open(&c->scope, JG_NEVER, true);
        c->begun = true;
        while (exchange_once(c)) {}
        if (c->linger) {
            linger(c);
        }
        c->begun = false;
        jg_scope_close(&c->scope, 0);
        limit_close(&c->limit);
    }
    end_connection(c);
    return 0;
}

int server_connection_start(void *arg, jg_stream *stream) {
    struct server *server = arg;
    struct server_connection *c = mem_alloc_zero(sizeof(*c));
    if (c == NULL) {
        jg_stream_close(stream);
        jg_sem_release(&server->places);
        return -ENOMEM;
    }
    c->server = server;
    c->stream = stream;
    list_append(&server->connections, &c->node);
    server->stats->connections++;
    server->stats->open++;
    const jg_spawn_options options = {
        .name = "http connection", .group = &server->group, .drop_arg = end_connection};
    jg_task *task = jg_spawn_with(run_connection, c, &options);
    if (task == NULL) {
        return (int)jg_join(NULL); // the spawn's error; it has ended the connection
    }
    jg_detach(task);
    return 0;
}
