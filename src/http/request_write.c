// SPDX-License-Identifier: MIT
/* request_write.c – checks a request and sends it.
 *
 * Holds      nothing.
 * Invariant  nothing is sent of a request that has a byte in it which could be read as more than the
 *            caller meant: every name is a token, no value has a line end or another control byte.
 * Called by  client.c (request_check), exchange.c (request_send).
 * Why        the head is put together in a block the client keeps, and goes out in one call, with
 *            the body if there is one.
 * Quirks     a write may have to wait, and meanwhile another task sends: then that one takes a block
 *            of its own, and whoever is done first leaves its block behind for the next.
 */
#include "http/client_priv.h"

#include "base/mem.h"
#include "http/writer.h"

#include <errno.h>

enum {
    SLICE = 256 * 1024, // of a body: what one time limit is for
    PIECE = 16 * 1024,  // asked of a source at once
    SIZE_LINE = 8,      // bytes in front of a piece for its size: "4000" and a line end
    DIGITS_SIZE = 20,   // of a 64-bit number
    METHOD_MOST = HTTP_METHOD_MAX,
};

// What a caller may not set: the client does, or does not speak it.
static const char *const reserved[] = {
    "Host", "Content-Length",   "Transfer-Encoding", "Connection", "Keep-Alive",
    "TE",   "Proxy-Connection", "Upgrade",           "Trailer",    "Expect",
};

static const char agent_name[] = "User-Agent";

static int check_header(const jg_http_header *header) {
    if (header->name == NULL || header->value == NULL) {
        return (int)jg_fail(-EINVAL, "a header without a name or a value");
    }
    struct http_bytes name = bytes_of(header->name);
    if (!chars_is_token(name)) {
        return (int)jg_fail(-EINVAL, "a header's name is not one: it has a byte no name may have");
    }
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (chars_equal_nocase(name, bytes_of(reserved[i]))) {
            return (int)jg_fail(-EINVAL, "header %s is the client's own to send", reserved[i]);
        }
    }
    if (!chars_all(bytes_of(header->value), CHARS_TEXT)) {
        return (int)jg_fail(-EINVAL, "header %.64s: line end or control byte in its value",
                            header->name);
    }
    return 0;
}

static int check_method(const jg_http_request *request, enum http_method method) {
    const char *name = request->method != NULL ? request->method : "GET";
    if (!chars_is_token(bytes_of(name)) || strlen(name) > METHOD_MOST) {
        return (int)jg_fail(-EINVAL, "bad method: it is not one word of at most %d letters",
                            METHOD_MOST);
    }
    if (method == HTTP_CONNECT) {
        return (int)jg_fail(-EINVAL, "method CONNECT makes a tunnel, which this client does not");
    }
    bool body = request->body_size > 0 || request->source != NULL;
    return body && method == HTTP_TRACE ? (int)jg_fail(-EINVAL, "a TRACE request has no body") : 0;
}

int request_check(const jg_http_request *request, enum http_method method) {
    if (request->source != NULL && request->body != NULL) {
        return (int)jg_fail(-EINVAL, "a request has either a body or a source of one");
    }
    if ((request->body == NULL && request->body_size > 0) ||
        (request->headers == NULL && request->header_count > 0)) {
        return (int)jg_fail(-EINVAL, "a request's body or headers are NULL but have a size");
    }
    int rc = check_method(request, method);
    for (size_t i = 0; i < request->header_count && rc == 0; i++) {
        rc = check_header(&request->headers[i]);
    }
    return rc;
}

// The head.

static void add_text(struct writer *w, const char *text) {
    writer_add(w, bytes_of(text));
}

/* Adds a number in the base given, in lower case. */
static void add_number(struct writer *w, uint64_t number, unsigned base) {
    char digits[DIGITS_SIZE];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    writer_add(w, (struct http_bytes){digits + at, sizeof digits - at});
}

/* Adds the caller's headers. Returns whether User-Agent was among them. */
static bool add_headers(struct writer *w, const jg_http_request *request) {
    bool agent = false;
    for (size_t i = 0; i < request->header_count; i++) {
        struct http_bytes name = bytes_of(request->headers[i].name);
        agent = agent || chars_equal_nocase(name, bytes_of(agent_name));
        writer_add(w, name);
        add_text(w, ": ");
        writer_add(w, chars_trim(bytes_of(request->headers[i].value)));
        add_text(w, "\r\n");
    }
    return agent;
}

/* How the end of the body will be known; methods that are about one say so even when it is empty. */
static void add_framing(struct writer *w, const struct exchange *x) {
    enum http_method method = x->method_id;
    bool usual = method == HTTP_POST || method == HTTP_PUT || method == HTTP_PATCH;
    if (x->request->source != NULL) {
        add_text(w, "Transfer-Encoding: chunked\r\n");
    } else if (x->request->body_size > 0 || usual) {
        add_text(w, "Content-Length: ");
        add_number(w, x->request->body_size, 10);
        add_text(w, "\r\n");
    }
}

/* Returns its size, which may be more than `cap`: then it is not whole. */
static size_t head_write(const struct exchange *x, char *buf, size_t cap) {
    struct writer w = {.buf = buf, .cap = cap};
    add_text(&w, x->method);
    add_text(&w, " ");
    writer_add(&w, x->target.path);
    writer_add(&w, x->target.query);
    writer_add(&w, x->target.origin->line);
    if (!add_headers(&w, x->request)) {
        writer_add(&w, x->client->agent);
    }
    writer_add(&w, x->client->own_fields);
    add_framing(&w, x);
    add_text(&w, "\r\n");
    return w.len;
}

/* Makes the head in the client's block, or in one of its own. Returns its size or -ENOMEM. */
static ssize_t head_make(struct exchange *x, char **out_block) {
    char *block = x->client->scratch;
    x->client->scratch = NULL;
    if (block == NULL) {
        block = mem_alloc(SCRATCH_SIZE);
        if (block == NULL) {
            return -ENOMEM;
        }
    }
    size_t size = head_write(x, block, SCRATCH_SIZE);
    if (size > SCRATCH_SIZE) {
        mem_free(block);
        block = mem_alloc(size);
        if (block == NULL) {
            return -ENOMEM;
        }
        head_write(x, block, size);
    }
    *out_block = block;
    return (ssize_t)size;
}

static void head_done(jg_http_client *client, char *block, size_t size) {
    if (client->scratch == NULL && size <= SCRATCH_SIZE) {
        client->scratch = block;
    } else {
        mem_free(block);
    }
}

/* Sends the head, and with it the first `with` bytes of the body. */
static int head_send(struct exchange *x, size_t with) {
    char *block;
    ssize_t size = head_make(x, &block);
    if (size < 0) {
        return (int)size;
    }
    struct iovec pieces[] = {{block, (size_t)size}, {(void *)(uintptr_t)x->request->body, with}};
    ssize_t put = jg_writev(x->connection->stream, pieces, with > 0 ? 2 : 1);
    head_done(x->client, block, (size_t)size);
    return put < 0 ? (int)put : 0;
}

// The body.

static int body_send(struct exchange *x, size_t sent) {
    const char *body = x->request->body;
    while (sent < x->request->body_size) {
        size_t left = x->request->body_size - sent;
        size_t count = left < SLICE ? left : SLICE;
        exchange_limit(x, LIMIT_IDLE);
        ssize_t put = jg_write(x->connection->stream, body + sent, count);
        if (put < 0) {
            return (int)put;
        }
        sent += count;
    }
    return 0;
}

/* Sends one chunk; `piece` has SIZE_LINE bytes, the data, and room for a line end. */
static int chunk_send(struct exchange *x, char *piece, size_t len) {
    char line[SIZE_LINE];
    struct writer w = {.buf = line, .cap = sizeof line};
    add_number(&w, len, 16);
    add_text(&w, "\r\n");
    char *start = piece + SIZE_LINE - w.len;
    memcpy(start, line, w.len);
    memcpy(piece + SIZE_LINE + len, "\r\n", 2); // the last chunk ends with an empty line alike
    exchange_limit(x, LIMIT_IDLE);
    ssize_t put = jg_write(x->connection->stream, start, w.len + len + 2);
    return put < 0 ? (int)put : 0;
}

static int source_send(struct exchange *x) {
    const jg_http_request *request = x->request;
    char *piece = mem_alloc(SIZE_LINE + PIECE + 2);
    if (piece == NULL) {
        return -ENOMEM;
    }
    ssize_t got;
    int rc;
    do {
        x->source_called = true;
        got = request->source(request->source_arg, piece + SIZE_LINE, PIECE);
        if (got < 0 || got > PIECE) {
            x->source_failed = true;
            rc = got < 0 ? (int)got : (int)jg_fail(-EINVAL, "a source gave more than was asked");
        } else {
            rc = chunk_send(x, piece, (size_t)got);
        }
    } while (rc == 0 && got > 0);
    mem_free(piece);
    return rc;
}

int request_send(struct exchange *x) {
    const jg_http_request *request = x->request;
    size_t with = request->body_size < SLICE ? request->body_size : SLICE;
    int rc = head_send(x, with);
    if (rc == 0 && with < request->body_size) {
        rc = body_send(x, with);
    } else if (rc == 0 && request->source != NULL) {
        rc = source_send(x);
    } else {
        return rc;
    }
    if (rc == 0) {
        exchange_limit(x, LIMIT_FIRST_BYTE); // only now the peer has all it needs
    }
    return rc;
}
