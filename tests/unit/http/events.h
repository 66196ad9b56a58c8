// SPDX-License-Identifier: MIT
/* events.h – runs bytes through the parser in any pieces and writes down what it said.
 *
 * Holds      struct events, the log of one connection's messages.
 * Invariant  the log depends on the bytes only: two ways of cutting them give the same text.
 * Called by  tests/unit/http, fuzz/.
 * Why        one log is easier to compare, print and trust than a dozen assertions per case.
 * Quirks     the buffer is reallocated to the exact size at every piece, so that a sanitizer sees
 *            any read beyond it, and any pointer kept into the old one.
 */
#ifndef HTTP_EVENTS_H
#define HTTP_EVENTS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/parse.h"

/* How the bytes arrive: `first` of them, then `step` at a time. */
struct pieces {
    size_t first;
    size_t step;
};

/* What is read: requests, or responses to requests with this method. */
struct source {
    bool responses;
    enum http_method method;
};

/* What came out. */
struct events {
    char *text;            /* one line per event, and the payload as it is */
    size_t len;            /* bytes of it */
    size_t cap;            /* allocated */
    unsigned messages;     /* complete ones; interim responses do not count */
    enum http_error error; /* why reading stopped; TRUNCATED also within a head */
    uint64_t work;         /* bytes the head parser looked at */
};

/* One connection being read. */
struct wire {
    const char *in;       /* everything that will arrive */
    size_t in_len;        /* bytes of it */
    size_t in_used;       /* arrived */
    struct pieces pieces; /* how it arrives */
    char *buf;            /* arrived and not consumed, exactly that many bytes */
    size_t len;           /* of buf */
};

static inline void events_add(struct events *e, const char *data, size_t len) {
    if (e->len + len > e->cap) {
        e->cap = (e->len + len) * 2;
        e->text = realloc(e->text, e->cap);
        if (e->text == NULL) {
            abort();
        }
    }
    if (len > 0) {
        memcpy(e->text + e->len, data, len);
        e->len += len;
    }
}

__attribute__((format(printf, 2, 3))) static inline void events_print(struct events *e,
                                                                      const char *format, ...) {
    char line[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    events_add(e, line, (size_t)len);
}

static inline void events_free(struct events *e) {
    free(e->text);
    *e = (struct events){0};
}

/* Lets the next piece arrive.
 *
 * Returns  false at the end of the stream. */
static inline bool wire_read(struct wire *w) {
    size_t piece = w->in_used == 0 ? w->pieces.first : w->pieces.step;
    if (piece > w->in_len - w->in_used) {
        piece = w->in_len - w->in_used;
    }
    if (piece == 0) {
        return false;
    }
    char *moved = malloc(w->len + piece);
    if (moved == NULL) {
        abort();
    }
    if (w->len > 0) {
        memcpy(moved, w->buf, w->len);
    }
    memcpy(moved + w->len, w->in + w->in_used, piece);
    free(w->buf);
    w->buf = moved;
    w->len += piece;
    w->in_used += piece;
    return true;
}

static inline void wire_consume(struct wire *w, size_t count) {
    w->len -= count;
    memmove(w->buf, w->buf + count, w->len);
}

static inline void events_head(struct events *e, const struct http_head *head, const char *data,
                               const struct http_field *fields) {
    if (head->response) {
        events_print(e, "response 1.%d %d flags %x length %lld fields %u\n", head->version_minor,
                     head->status, head->flags, (long long)head->content_length, head->field_count);
        events_add(e, data + head->reason.offset, head->reason.len);
    } else {
        events_print(e, "request 1.%d method %d form %d flags %x length %lld fields %u\n",
                     head->version_minor, head->method_id, head->target_form, head->flags,
                     (long long)head->content_length, head->field_count);
        events_add(e, data + head->method.offset, head->method.len);
        events_add(e, " ", 1);
        events_add(e, data + head->target.offset, head->target.len);
        events_add(e, " ", 1);
        events_add(e, data + head->host.offset, head->host.len);
    }
    events_add(e, "\n", 1);
    for (unsigned i = 0; i < head->field_count && i < head->field_cap; i++) {
        events_add(e, data + fields[i].name.offset, fields[i].name.len);
        events_add(e, "=", 1);
        events_add(e, data + fields[i].value.offset, fields[i].value.len);
        events_add(e, "\n", 1);
    }
}

/* Reads one head.
 *
 * Returns  its size; 0 at the end of the stream or after an error, which is in e->error. */
static inline size_t events_read_head(struct events *e, struct wire *w, struct http_head *head) {
    for (;;) {
        ssize_t rc = parse_head(head, w->buf, w->len);
        if (rc > 0) {
            return (size_t)rc;
        }
        if (rc < 0) {
            e->error = head->error;
            return 0;
        }
        if (!wire_read(w)) {
            e->error = w->len > 0 || head->interim_count > 0 ? HTTP_ERROR_TRUNCATED
                                                             : HTTP_ERROR_NONE;
            return 0;
        }
    }
}

/* Reads the content.
 *
 * Returns  whether it came to a good end. */
static inline bool events_read_body(struct events *e, struct wire *w, struct http_body *body) {
    events_print(e, "content %d\n", body->kind);
    while (!parse_body_done(body)) {
        struct http_bytes payload;
        ssize_t rc = parse_body(body, w->buf, w->len, &payload);
        if (rc >= 0) {
            events_add(e, payload.data, payload.len);
            wire_consume(w, (size_t)rc);
            if (w->len == 0 && !parse_body_done(body) && !wire_read(w)) {
                rc = parse_body_end(body);
            }
        }
        if (rc < 0) {
            e->error = body->error;
            return false;
        }
    }
    events_print(e, "\nend\n");
    e->messages++;
    return true;
}

/* Reads one message and the interim responses before it.
 *
 * Returns  whether the connection may carry another one. */
static inline bool events_read_message(struct events *e, struct wire *w, struct source source) {
    struct http_field fields[16];
    struct http_head head;
    struct http_body body;
    if (source.responses) {
        parse_response_init(&head, fields, 16);
    } else {
        parse_request_init(&head, fields, 16);
    }
    for (;;) {
        uint32_t work = head.work; // goes on counting after an interim head
        size_t size = events_read_head(e, w, &head);
        e->work += head.work - work;
        if (size == 0) {
            return false;
        }
        events_head(e, &head, w->buf, fields);
        wire_consume(w, size);
        if (!parse_is_interim(&head)) {
            break;
        }
        if (parse_interim_next(&head) < 0) {
            e->error = head.error;
            return false;
        }
    }
    if (source.responses) {
        parse_body_response(&body, &head, source.method);
    } else {
        parse_body_request(&body, &head);
    }
    return events_read_body(e, w, &body) && parse_reusable(&head, &body);
}

/* Reads all messages of in[0..len), arriving as `pieces` say. Free the result. */
static inline struct events events_run(struct source source, const char *in, size_t len,
                                       struct pieces pieces) {
    struct events e = {0};
    struct wire w = {.in = in, .in_len = len, .pieces = pieces};
    while (events_read_message(&e, &w, source)) {}
    events_print(&e, "stop: %s, left %zu\n", parse_error_text(e.error),
                 e.error == HTTP_ERROR_NONE ? w.len + w.in_len - w.in_used : 0);
    free(w.buf);
    return e;
}

/* True if both logs are the same. */
static inline bool events_equal(const struct events *a, const struct events *b) {
    return a->len == b->len && (a->len == 0 || memcmp(a->text, b->text, a->len) == 0);
}

/* Cuts the input at every byte, and into single bytes.
 *
 * Returns  the first cut whose log differs from `whole`; len + 1 if none does; 0 stands for single
 *          bytes. */
static inline size_t events_find_split(struct source source, const char *in, size_t len,
                                       const struct events *whole) {
    for (size_t cut = 0; cut <= len; cut++) {
        struct pieces pieces = {cut > 0 ? cut : 1, cut > 0 ? len + 1 : 1};
        struct events e = events_run(source, in, len, pieces);
        bool same = events_equal(&e, whole);
        events_free(&e);
        if (!same) {
            return cut;
        }
    }
    return len + 1;
}

#endif
