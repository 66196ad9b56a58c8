// SPDX-License-Identifier: MIT
/* server_exchange.c – the request as a handler sees it: head and body.
 *
 * Holds      nothing beyond struct jg_http_exchange.
 * Invariant  no byte behind the request is taken from the stream; what the framing says is the body
 *            is handed out exactly once.
 * Called by  handlers; server_connection.c.
 * Why        payload that is still in the socket goes straight into the handler's memory; only
 *            framing is read ahead.
 * Quirks     strings are cut out of the head by writing a zero over the byte behind them, which is
 *            white space, a "?" or a CR, and of no further use once the head is parsed.
 */
#include "http/server.h"

#include "base/check.h"
#include "base/mem.h"
#include "rt/loop.h"

#include <string.h>

enum { GATHER_FIRST = 4096 };

void server_exchange_init(struct jg_http_exchange *x, struct server_connection *connection) {
    const jg_http_server_options *options = &connection->server->options;
    memset(x, 0, offsetof(struct jg_http_exchange, fields));
    x->connection = connection;
    x->text = x->inline_text;
    parse_request_init(&x->head, x->fields, FIELDS_INLINE);
    x->head.size_max = (uint32_t)options->head_most;
    x->head.field_max = (uint16_t)options->fields_most;
    x->head.target_max = (uint16_t)options->target_most;
}

void server_exchange_fini(struct jg_http_exchange *x) {
    if (unlikely(x->text != x->inline_text)) {
        mem_free(x->text);
    }
    if (unlikely(x->head.fields != x->fields)) {
        mem_free(x->head.fields);
    }
    if (unlikely(x->gathered != NULL)) {
        mem_free(x->gathered);
    }
    if (unlikely(x->headers.text != NULL)) {
        headers_fini(&x->headers);
    }
}

/* Finds the fields of a head that had too many for us again, in memory of its own. */
static int take_fields(struct jg_http_exchange *x) {
    size_t count = x->head.field_count;
    struct http_field *fields = mem_alloc(count * sizeof(*fields));
    if (fields == NULL) {
        return -ENOMEM;
    }
    must(parse_fields(&x->head, x->text, fields, count) == count);
    x->head.fields = fields;
    x->head.field_cap = (uint16_t)count;
    return 0;
}

static const char *cut(const struct jg_http_exchange *x, struct http_span span) {
    x->text[span.offset + span.len] = '\0';
    return x->text + span.offset;
}

/* Where the path of an absolute target begins; its authority has been checked. */
static const char *path_of_absolute(const char *target) {
    const char *authority = strstr(target, "://") + 3;
    return authority + strcspn(authority, "/?");
}

static void take_target(struct jg_http_exchange *x) {
    const char *target = cut(x, x->head.target);
    cut(x, x->head.method);
    const char *path = x->head.target_form == HTTP_TARGET_ABSOLUTE ? path_of_absolute(target)
                                                                   : target;
    char *mark = strchr(path, '?');
    x->query = "";
    if (mark != NULL) {
        *mark = '\0';
        x->query = mark + 1;
    }
    x->path = path[0] != '\0' ? path : "/";
}

int server_exchange_take(struct jg_http_exchange *x, const char *data) {
    size_t size = x->head.size;
    parse_body_request(&x->body, &x->head);
    if (unlikely(size > TEXT_INLINE)) {
        x->text = mem_alloc(size);
        if (x->text == NULL) {
            x->text = x->inline_text;
            return -ENOMEM;
        }
    }
    memcpy(x->text, data, size);
    if (unlikely(x->head.field_count > x->head.field_cap) && take_fields(x) < 0) {
        return -ENOMEM;
    }
    take_target(x);
    return 0;
}

// The head.

const char *jg_http_method(const jg_http_exchange *exchange) {
    return exchange->text + exchange->head.method.offset;
}

const char *jg_http_path(const jg_http_exchange *exchange) {
    return exchange->path;
}

const char *jg_http_query(const jg_http_exchange *exchange) {
    return exchange->query;
}

const char *jg_http_request_header(const jg_http_exchange *exchange, const char *name) {
    const struct http_head *head = &exchange->head;
    int index = parse_field_find(head, exchange->text, bytes_of(name), 0);
    if (index < 0) {
        return NULL;
    }
    return cut(exchange, head->fields[index].value);
}

size_t jg_http_request_header_count(const jg_http_exchange *exchange) {
    return exchange->head.field_count;
}

jg_http_header jg_http_request_header_at(const jg_http_exchange *exchange, size_t index) {
    if (index >= exchange->head.field_count) {
        return (jg_http_header){NULL, NULL};
    }
    const struct http_field *field = &exchange->head.fields[index];
    return (jg_http_header){cut(exchange, field->name), cut(exchange, field->value)};
}

// The body.

/* Notes why the body cannot be read on; the connection cannot be kept after it. */
static int fail_body(struct jg_http_exchange *x, int rc) {
    x->body_error = rc;
    x->close = true;
    return rc;
}

static int fail_framing(struct jg_http_exchange *x) {
    return fail_body(x, (int)jg_fail(parse_error_errno(x->body.error), "request body: %s",
                                     parse_error_text(x->body.error)));
}

static int fail_reading(struct jg_http_exchange *x, ssize_t rc) {
    if (rc == 0 || rc == -ENODATA) {
        parse_body_end(&x->body);
        return fail_body(
            x, (int)jg_fail(-EPIPE, "request body: %s", parse_error_text(HTTP_ERROR_TRUNCATED)));
    }
    if (rc == -ECANCELED) {
        return (int)rc; // no byte was taken: who takes the cancel back may read on
    }
    if (rc == -ETIMEDOUT) {
        return fail_body(x, (int)jg_fail(-ETIMEDOUT, "request body: nothing came for %lld ms",
                                         (long long)x->connection->server->options.idle_ms));
    }
    return fail_body(x, (int)rc);
}

/* Takes payload or framing from what is read ahead, at least one byte of it.
 *
 * Returns  bytes of payload put into `buf`, 0 if it was framing only; -EPROTO, -EMSGSIZE. */
static ssize_t take_held(struct jg_http_exchange *x, const char *data, size_t held, void *buf,
                         size_t cap) {
    struct http_body before = x->body;
    struct http_bytes payload;
    ssize_t used = parse_body(&x->body, data, held, &payload);
    if (used > 0 && payload.len > cap) {
        x->body = before;
        used = parse_body(&x->body, data, (size_t)(payload.data - data) + cap, &payload);
    }
    if (used < 0) {
        return fail_framing(x);
    }
    if (payload.len > 0) {
        memcpy(buf, payload.data, payload.len);
    }
    jg_stream_take(x->connection->stream, (size_t)used);
    return (ssize_t)payload.len;
}

/* Waits for more of the body: payload goes into `buf`, framing is read ahead.
 *
 * Returns  bytes put into `buf`; 0 when something was read ahead; a negative error. */
static ssize_t wait_for_more(struct jg_http_exchange *x, void *buf, size_t cap) {
    struct server_connection *c = x->connection;
    uint64_t direct = parse_body_direct(&x->body);
    char *data;
    limit_begin(&c->limit, loop_now_ns(), c->server->options.idle_ms);
    ssize_t got = direct > 0 ? jg_read(c->stream, buf, cap < direct ? cap : (size_t)direct)
                             : jg_stream_fill(c->stream, OP_BUFFER_SIZE, &data);
    got = limit_end(&c->limit, got);
    if (got <= 0) {
        return fail_reading(x, got);
    }
    if (direct == 0) {
        return 0;
    }
    struct http_bytes payload;
    ssize_t used = parse_body(&x->body, buf, (size_t)got, &payload);
    must(used == got && payload.data == buf && payload.len == (size_t)got);
    return got;
}

/* A client may be waiting to be asked for the body. */
static int ask_for_body(struct jg_http_exchange *x) {
    char *data;
    bool waits = (x->head.flags & HTTP_FLAG_EXPECT_CONTINUE) && !x->read_begun &&
                 x->reply == REPLY_NONE && !parse_body_done(&x->body) &&
                 jg_stream_peek(x->connection->stream, &data) == 0;
    x->read_begun = true;
    return waits ? server_reply_continue(x) : 0;
}

ssize_t jg_http_request_read(jg_http_exchange *exchange, void *buf, size_t cap) {
    if (cap == 0) {
        check_misuse(
            "jg_http_request_read into a buffer without room: its 0 is the end of the body");
    }
    if (exchange->body_error != 0) {
        return error_bare(exchange->body_error);
    }
    int rc = exchange_check(exchange);
    rc = rc < 0 ? rc : suspend_check(sched_current());
    rc = rc < 0 ? rc : ask_for_body(exchange);
    if (rc < 0) {
        return rc;
    }
    ssize_t got = 0;
    while (got == 0 && !parse_body_done(&exchange->body)) {
        char *data;
        size_t held = jg_stream_peek(exchange->connection->stream, &data);
        got = held > 0 ? take_held(exchange, data, held, buf, cap)
                       : wait_for_more(exchange, buf, cap);
    }
    return got;
}

/* Makes room behind the gathered bytes for one more and a zero. */
static int gather_room(struct jg_http_exchange *x) {
    // One byte more than it may have shows that it is too much.
    size_t most = x->connection->server->options.body_most + 2;
    if (x->gathered_cap - x->gathered_size >= 2) {
        return 0;
    }
    size_t wanted = x->gathered_cap == 0 ? GATHER_FIRST : x->gathered_cap * 2;
    wanted = wanted < most ? wanted : most;
    char *gathered = mem_resize(x->gathered, wanted);
    if (gathered == NULL) {
        return fail_body(x, (int)jg_fail(-ENOMEM, "no memory for a request body"));
    }
    x->gathered = gathered;
    x->gathered_cap = wanted;
    return 0;
}

static int too_large(struct jg_http_exchange *x) {
    return fail_body(x, (int)jg_fail(-EMSGSIZE, "request body has more than %zu bytes",
                                     x->connection->server->options.body_most));
}

/* Reads on until all of the body is gathered. Returns 0 or a negative error. */
static int gather(struct jg_http_exchange *x) {
    size_t most = x->connection->server->options.body_most;
    if (x->body.kind == HTTP_BODY_LENGTH && x->body.remaining > most) {
        return too_large(x);
    }
    while (!parse_body_done(&x->body)) {
        int rc = exchange_check(x); // before what another task may be reading into is moved
        rc = rc < 0 ? rc : gather_room(x);
        if (rc < 0) {
            return rc;
        }
        size_t room = x->gathered_cap - x->gathered_size - 1;
        ssize_t got = jg_http_request_read(x, x->gathered + x->gathered_size, room);
        if (got < 0) {
            return (int)got;
        }
        x->gathered_size += (size_t)got;
        if (x->gathered_size > most) {
            return too_large(x);
        }
    }
    return 0;
}

ssize_t jg_http_request_body(jg_http_exchange *exchange, const char **out_data) {
    int rc = exchange->body_error != 0 ? (int)error_bare(exchange->body_error) : gather(exchange);
    if (rc < 0) {
        return rc;
    }
    *out_data = "";
    if (exchange->gathered != NULL) {
        exchange->gathered[exchange->gathered_size] = '\0';
        *out_data = exchange->gathered;
    }
    return (ssize_t)exchange->gathered_size;
}

// What nobody read.

bool server_exchange_drainable(const struct jg_http_exchange *x) {
    if (parse_body_done(&x->body)) {
        return true;
    }
    bool may_not_come = (x->head.flags & HTTP_FLAG_EXPECT_CONTINUE) && !x->read_begun;
    bool too_much = x->body.kind == HTTP_BODY_LENGTH && x->body.remaining > DRAIN_MOST;
    return x->body_error == 0 && !may_not_come && !too_much;
}

/* As server_exchange_drain, within the limit of one wait. */
static ssize_t drain(struct jg_http_exchange *x) {
    jg_stream *stream = x->connection->stream;
    size_t dropped = 0;
    while (!parse_body_done(&x->body)) {
        char *data;
        size_t held = jg_stream_peek(stream, &data);
        if (held == 0) {
            ssize_t got = jg_stream_fill(stream, OP_BUFFER_SIZE, &data);
            if (got <= 0) {
                return got == 0 ? -EPIPE : got;
            }
            held = (size_t)got;
        }
        struct http_bytes payload;
        ssize_t used = parse_body(&x->body, data, held, &payload);
        if (used < 0) {
            return used;
        }
        jg_stream_take(stream, (size_t)used);
        dropped += (size_t)used;
        if (dropped > DRAIN_MOST) {
            return -EMSGSIZE;
        }
    }
    return 0;
}

bool server_exchange_drain(struct jg_http_exchange *x) {
    if (likely(parse_body_done(&x->body))) {
        return true;
    }
    struct server_connection *c = x->connection;
    limit_begin(&c->limit, loop_now_ns(), c->server->options.idle_ms);
    return limit_end(&c->limit, drain(x)) == 0;
}
