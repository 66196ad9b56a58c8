// SPDX-License-Identifier: MIT
/* server_reply.c – the reply: its head, its framing, and sending it.
 *
 * Holds      struct message, one write being put together on the stack.
 * Invariant  what frames the reply (Content-Length, Transfer-Encoding, Connection) is written here
 *            and nowhere else, from the size of what is sent: a reply cannot have a wrong size.
 * Called by  handlers; server_connection.c.
 * Why        head and body go out in one system call: copied together when small, else as pieces.
 * Quirks     a peer has write_ms for every SLICE bytes, so that one that takes a byte now and then
 *            does not keep us for ever, and a large body is no reason to end a slow connection.
 */
#include "http/server.h"

#include "rt/loop.h"

#include <string.h>

enum {
    HEAD_ROOM = 1024,   // all that is not the handler's own headers fits, and small bodies
    TYPE_MOST = 256,    // bytes of a Content-Type
    SLICE = 128 * 1024, // bytes sent within one write_ms
    PIECES_MOST = 4,
};

/* How a reply's end is known. */
enum framing { FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

/* One write. Small pieces are copied behind each other; from the first that does not fit on, all
 * are borrowed. */
struct message {
    size_t len; // bytes of `room`, the first piece
    int count;  // pieces, that one included
    struct iovec pieces[PIECES_MOST];
    char room[HEAD_ROOM];
};

static void message_init(struct message *m) {
    m->len = 0;
    m->count = 1;
}

static void add(struct message *m, const char *data, size_t len) {
    if (len == 0) {
        return;
    }
    if (likely(m->count == 1 && len <= HEAD_ROOM - m->len)) {
        memcpy(m->room + m->len, data, len);
        m->len += len;
    } else {
        must(m->count < PIECES_MOST);
        m->pieces[m->count++] = (struct iovec){(void *)(uintptr_t)data, len};
    }
}

static void add_text(struct message *m, const char *text) {
    add(m, text, strlen(text));
}

static void add_number(struct message *m, uint64_t number, unsigned base) {
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    add(m, digits + at, sizeof(digits) - at);
}

// Sending.

static int send_pieces(struct jg_http_exchange *x, int64_t now_ns, struct iovec *pieces,
                       int count) {
    struct server_connection *c = x->connection;
    limit_begin(&c->limit, now_ns, c->server->options.write_ms);
    ssize_t rc = count == 1 ? jg_write(c->stream, pieces[0].iov_base, pieces[0].iov_len)
                            : jg_writev(c->stream, pieces, count);
    return (int)limit_end(&c->limit, rc < 0 ? rc : 0);
}

/* Sends what is left of the last, large piece. */
static int send_slices(struct jg_http_exchange *x, const char *data, size_t len) {
    int rc = 0;
    while (rc == 0 && len > 0) {
        struct iovec slice = {(void *)(uintptr_t)data, len < SLICE ? len : SLICE};
        len -= slice.iov_len;
        data += slice.iov_len;
        rc = send_pieces(x, loop_now_ns(), &slice, 1);
    }
    return rc;
}

static int message_send(struct message *m, struct jg_http_exchange *x, int64_t now_ns) {
    if (unlikely(x->write_error != 0)) {
        return (int)error_bare(x->write_error);
    }
    m->pieces[0] = (struct iovec){m->room, m->len};
    struct iovec *large = NULL; // only the last may be
    struct iovec rest = {0};
    for (int i = 1; i < m->count; i++) {
        large = m->pieces[i].iov_len > SLICE ? &m->pieces[i] : large;
    }
    if (large != NULL) {
        must(large == &m->pieces[m->count - 1]);
        rest = (struct iovec){(char *)large->iov_base + SLICE, large->iov_len - SLICE};
        large->iov_len = SLICE;
    }
    int rc = send_pieces(x, now_ns, m->pieces, m->count);
    if (rc == 0 && large != NULL) {
        rc = send_slices(x, rest.iov_base, rest.iov_len);
    }
    x->write_error = rc;
    return rc;
}

// The head.

static bool status_has_body(int status) {
    return status != 204 && status != 205 && status != 304;
}

static void add_status(struct message *m, int status) {
    if (likely(status == 200)) {
        add(m, "HTTP/1.1 200 OK\r\n", 17);
        return;
    }
    add(m, "HTTP/1.1 ", 9);
    add_number(m, (uint64_t)status, 10);
    add(m, " ", 1);
    add_text(m, server_status_text(status));
    add(m, "\r\n", 2);
}

static void add_framing(struct message *m, int status, enum framing framing, size_t body_size) {
    if (framing == FRAMING_CHUNKED) {
        add(m, "Transfer-Encoding: chunked\r\n", 28);
    } else if (framing == FRAMING_LENGTH && status != 204 && status != 304) {
        add(m, "Content-Length: ", 16);
        add_number(m, body_size, 10);
        add(m, "\r\n", 2);
    }
}

/* Decides whether the connection is kept after this reply. */
static void decide(struct jg_http_exchange *x, int status, enum framing framing) {
    x->bodyless = x->head.method_id == HTTP_HEAD || !status_has_body(status);
    x->chunked = framing == FRAMING_CHUNKED && !x->bodyless;
    x->keep = !x->close && framing != FRAMING_CLOSE && !x->connection->server->stopping &&
              parse_keep_alive(&x->head) && server_exchange_drainable(x);
}

static void add_connection(struct message *m, const struct jg_http_exchange *x) {
    if (unlikely(!x->keep)) {
        add_text(m, "Connection: close\r\n");
    } else if (unlikely(x->head.version_minor == 0)) {
        add_text(m, "Connection: keep-alive\r\n");
    }
}

static void add_head(struct message *m, struct jg_http_exchange *x, int64_t now_ns, int status,
                     const char *type) {
    struct http_bytes lines = server_lines(x->connection->server, now_ns);
    add_status(m, status);
    add(m, lines.data, lines.len);
    if (type != NULL) {
        add(m, "Content-Type: ", 14);
        add_text(m, type);
        add(m, "\r\n", 2);
    }
    add_connection(m, x);
}

/* The handler's own headers, and the empty line. */
static void add_headers(struct message *m, const struct jg_http_exchange *x) {
    struct http_bytes headers = headers_text(&x->headers);
    if (unlikely(headers.len > 0)) {
        add(m, headers.data, headers.len);
    }
    add(m, "\r\n", 2);
}

/* Whether a reply may be begun like this. */
static int check(struct jg_http_exchange *x, int status, const char *type) {
    int rc = exchange_check(x);
    if (unlikely(rc < 0)) {
        return rc;
    }
    if (x->reply != REPLY_NONE) {
        return (int)error_bare(-EALREADY);
    }
    if (status < 200 || status > 999) {
        return (int)error_bare(-EINVAL);
    }
    if (type == NULL) {
        return 0;
    }
    struct http_bytes text = bytes_of(type);
    if (text.len > TYPE_MOST || !chars_all(text, CHARS_TEXT)) {
        return (int)error_bare(-EINVAL);
    }
    if (unlikely(x->headers.len > 0)) {
        headers_remove(&x->headers, bytes_of("content-type"));
    }
    return 0;
}

// For handlers.

/* Headers that are the server's own to write. */
static bool is_reserved(struct http_bytes name) {
    static const char *const names[] = {
        "content-length", "transfer-encoding", "connection", "keep-alive", "date",
        "server",         "trailer",           "upgrade"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (chars_equal_nocase(name, bytes_of(names[i]))) {
            return true;
        }
    }
    return false;
}

int jg_http_reply_header(jg_http_exchange *exchange, const char *name, const char *value) {
    struct http_bytes name_bytes = bytes_of(name);
    if (exchange->reply != REPLY_NONE) {
        return (int)error_bare(-EALREADY);
    }
    bool closes = chars_equal_nocase(name_bytes, bytes_of("connection")) &&
                  chars_equal_nocase(bytes_of(value), bytes_of("close"));
    if (closes) {
        exchange->close = true;
        return 0;
    }
    return (int)error_bare(is_reserved(name_bytes)
                               ? -EINVAL
                               : headers_add(&exchange->headers, name_bytes, bytes_of(value)));
}

int jg_http_reply(jg_http_exchange *exchange, int status, const char *type, const void *body,
                  size_t body_size) {
    int rc = check(exchange, status, type);
    if (unlikely(rc < 0)) {
        return rc;
    }
    int64_t now_ns = loop_now_ns();
    struct message m;
    message_init(&m);
    exchange->reply = REPLY_ENDED;
    decide(exchange, status, FRAMING_LENGTH);
    size_t said_size = status_has_body(status) ? body_size : 0;
    add_head(&m, exchange, now_ns, status, type);
    add_framing(&m, status, FRAMING_LENGTH, said_size);
    add_headers(&m, exchange);
    if (likely(!exchange->bodyless)) {
        add(&m, body, body_size);
    }
    return message_send(&m, exchange, now_ns);
}

int jg_http_reply_begin(jg_http_exchange *exchange, int status, const char *type) {
    int rc = check(exchange, status, type);
    if (rc < 0) {
        return rc;
    }
    enum framing framing = exchange->head.version_minor == 0 ? FRAMING_CLOSE : FRAMING_CHUNKED;
    if (!status_has_body(status)) {
        framing = FRAMING_LENGTH;
    }
    int64_t now_ns = loop_now_ns();
    struct message m;
    message_init(&m);
    exchange->reply = REPLY_BEGUN;
    decide(exchange, status, framing);
    add_head(&m, exchange, now_ns, status, type);
    add_framing(&m, status, framing, 0);
    add_headers(&m, exchange);
    return message_send(&m, exchange, now_ns);
}

static int check_begun(const struct jg_http_exchange *x) {
    int rc = exchange_check(x);
    if (unlikely(rc < 0)) {
        return rc;
    }
    if (x->reply == REPLY_ENDED) {
        return (int)error_bare(-EALREADY);
    }
    return (int)error_bare(x->reply == REPLY_BEGUN ? x->write_error : -EINVAL);
}

int jg_http_reply_write(jg_http_exchange *exchange, const void *data, size_t size) {
    int rc = check_begun(exchange);
    if (rc < 0 || size == 0 || exchange->bodyless) {
        return rc; // an empty chunk would be the last
    }
    struct message m;
    message_init(&m);
    if (!exchange->chunked) {
        add(&m, data, size);
        return message_send(&m, exchange, loop_now_ns());
    }
    // The line end of a chunk must follow its data: a large one is sent as several.
    const char *at = data;
    while (rc == 0 && size > 0) {
        size_t part = size < SLICE ? size : SLICE;
        message_init(&m);
        add_number(&m, part, 16);
        add(&m, "\r\n", 2);
        add(&m, at, part);
        add(&m, "\r\n", 2);
        rc = message_send(&m, exchange, loop_now_ns());
        at += part;
        size -= part;
    }
    return rc;
}

int jg_http_reply_end(jg_http_exchange *exchange) {
    int rc = check_begun(exchange);
    if (exchange->reply != REPLY_BEGUN) {
        return rc;
    }
    exchange->reply = REPLY_ENDED;
    if (rc < 0 || !exchange->chunked) {
        return rc;
    }
    struct message m;
    message_init(&m);
    add(&m, "0\r\n\r\n", 5);
    return message_send(&m, exchange, loop_now_ns());
}

// For the server.

void server_reply_refuse(struct jg_http_exchange *x, int status, const char *text) {
    must(x->reply == REPLY_NONE);
    struct server_connection *c = x->connection;
    char body[128];
    size_t len = strnlen(text, sizeof(body) - 1);
    memcpy(body, text, len);
    body[len] = '\n';
    c->linger = true;
    x->close = true;
    headers_fini(&x->headers); // they belong to a reply that did not come about
    int rc = jg_http_reply(x, status, "text/plain", body, len + 1);
    c->server->stats->rejected += rc != -ECANCELED;
}

int server_reply_continue(struct jg_http_exchange *x) {
    struct message m;
    message_init(&m);
    add_text(&m, "HTTP/1.1 100 Continue\r\n\r\n");
    return message_send(&m, x, loop_now_ns());
}
