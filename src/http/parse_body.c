// SPDX-License-Identifier: MIT
/* parse_body.c – where the content of a message is, and where it ends.
 *
 * Holds      nothing; progress is in struct http_body.
 * Invariant  remaining > 0 in STATE_PAYLOAD; no byte after the message's last is consumed.
 * Called by  client and server. Calls chars.h.
 * Why        payload is found, not copied; framing bytes are few and taken one at a time, which
 *            makes every split of the input the same.
 * Quirks     chunk extensions are paid for by payload: a stream of real chunks may have them for
 *            ever, but nobody can send more of them than HTTP_CHUNK_EXTENSION_MAX bytes ahead.
 */
#include <string.h>

#include "base/check.h"
#include "http/parse.h"

/* What the next byte is. */
enum {
    STATE_PAYLOAD,       /* content */
    STATE_CHUNK_SIZE,    /* a digit of a chunk size, or the byte after the last one */
    STATE_EXTENSION,     /* in a chunk extension */
    STATE_SIZE_LF,       /* LF of a chunk size line */
    STATE_CHUNK_CR,      /* CR after chunk data */
    STATE_CHUNK_LF,      /* LF after chunk data */
    STATE_TRAILER,       /* first byte of a trailer line, or CR of the empty line */
    STATE_TRAILER_NAME,  /* in a trailer's name */
    STATE_TRAILER_VALUE, /* in a trailer's value */
    STATE_TRAILER_LF,    /* LF of a trailer line */
    STATE_END_LF,        /* LF of the empty line */
    STATE_DONE,          /* of the next message */
};

static void body_init(struct http_body *body, const struct http_head *head,
                      enum http_body_kind kind) {
    must(head->size > 0 && head->error == HTTP_ERROR_NONE);
    *body = (struct http_body){
        .kind = (uint8_t)kind,
        .state = STATE_DONE,
        .trailer_left = head->size_max - head->size,
        .fields_left = (uint16_t)(head->field_max - head->field_count),
    };
    if (kind == HTTP_BODY_CHUNKED) {
        body->state = STATE_CHUNK_SIZE;
    } else if (kind == HTTP_BODY_CLOSE) {
        body->state = STATE_PAYLOAD;
        body->remaining = UINT64_MAX;
    } else if (kind == HTTP_BODY_LENGTH && head->content_length > 0) {
        body->state = STATE_PAYLOAD;
        body->remaining = (uint64_t)head->content_length;
    }
}

/* The kind that the framing fields announce, `otherwise` without any. */
static enum http_body_kind kind_announced(const struct http_head *head,
                                          enum http_body_kind otherwise) {
    if (head->flags & HTTP_FLAG_CHUNKED) {
        return HTTP_BODY_CHUNKED;
    }
    return head->content_length >= 0 ? HTTP_BODY_LENGTH : otherwise;
}

void parse_body_request(struct http_body *body, const struct http_head *head) {
    must(!head->response);
    body_init(body, head, kind_announced(head, HTTP_BODY_NONE));
}

void parse_body_response(struct http_body *body, const struct http_head *head,
                         enum http_method method) {
    must(head->response);
    bool tunnel = method == HTTP_CONNECT && head->status >= 200 && head->status < 300;
    if (head->status == 101 || tunnel) {
        body_init(body, head, HTTP_BODY_TUNNEL);
    } else if (method == HTTP_HEAD || head->status < 200 || head->status == 204 ||
               head->status == 304) {
        body_init(body, head, HTTP_BODY_NONE);
    } else {
        body_init(body, head, kind_announced(head, HTTP_BODY_CLOSE));
    }
}

static enum http_error chunk_size_byte(struct http_body *body, char byte) {
    if (chars_is(byte, CHARS_HEX)) {
        if (body->digits == 16) {
            return HTTP_ERROR_CHUNK_SIZE;
        }
        body->digits++;
        body->remaining = body->remaining << 4 | chars_hex_value(byte);
        return body->remaining > INT64_MAX ? HTTP_ERROR_CHUNK_SIZE : HTTP_ERROR_NONE;
    }
    if (byte == '\n') {
        return HTTP_ERROR_BARE_LF;
    }
    if (body->digits == 0 || (byte != ';' && byte != '\r')) {
        return HTTP_ERROR_CHUNK_SIZE;
    }
    body->state = byte == ';' ? STATE_EXTENSION : STATE_SIZE_LF;
    return HTTP_ERROR_NONE;
}

static enum http_error extension_byte(struct http_body *body, char byte) {
    if (byte == '\r') {
        body->state = STATE_SIZE_LF;
        return HTTP_ERROR_NONE;
    }
    if (!chars_is(byte, CHARS_TEXT)) {
        return byte == '\n' ? HTTP_ERROR_BARE_LF : HTTP_ERROR_CHUNK_EXTENSION;
    }
    body->extension_bytes++;
    return body->extension_bytes > HTTP_CHUNK_EXTENSION_MAX ? HTTP_ERROR_CHUNK_EXTENSIONS
                                                            : HTTP_ERROR_NONE;
}

static enum http_error size_lf_byte(struct http_body *body, char byte) {
    if (byte != '\n') {
        return HTTP_ERROR_BARE_CR;
    }
    bool paid = body->remaining >= body->extension_bytes;
    body->extension_bytes = paid ? 0 : body->extension_bytes - (uint32_t)body->remaining;
    body->digits = 0;
    body->state = body->remaining > 0 ? STATE_PAYLOAD : STATE_TRAILER;
    return HTTP_ERROR_NONE;
}

/* The first byte of a trailer line decides whether there is one. */
static enum http_error trailer_first_byte(struct http_body *body, char byte) {
    if (byte == '\r') {
        body->state = STATE_END_LF;
        return HTTP_ERROR_NONE;
    }
    if (body->fields_left == 0 || body->trailer_left == 0) {
        return HTTP_ERROR_TRAILERS_TOO_LARGE;
    }
    body->fields_left--;
    body->trailer_left--;
    body->state = STATE_TRAILER_NAME;
    return chars_is(byte, CHARS_TOKEN) ? HTTP_ERROR_NONE : HTTP_ERROR_TRAILER;
}

static enum http_error trailer_byte(struct http_body *body, char byte) {
    if (body->trailer_left == 0) {
        return HTTP_ERROR_TRAILERS_TOO_LARGE;
    }
    body->trailer_left--;
    bool in_name = body->state == STATE_TRAILER_NAME;
    if (chars_is(byte, in_name ? CHARS_TOKEN : CHARS_TEXT)) {
        return HTTP_ERROR_NONE;
    }
    if (byte != (in_name ? ':' : '\r')) {
        return HTTP_ERROR_TRAILER;
    }
    body->state = in_name ? STATE_TRAILER_VALUE : STATE_TRAILER_LF;
    return HTTP_ERROR_NONE;
}

/* Goes to `next` if `byte` is `wanted`. */
static enum http_error byte_expect(struct http_body *body, char byte, char wanted, int next,
                                   enum http_error otherwise) {
    body->state = (uint8_t)next;
    return byte == wanted ? HTTP_ERROR_NONE : otherwise;
}

/* Takes one byte that is not payload. */
static enum http_error framing_byte(struct http_body *body, char byte) {
    switch (body->state) {
    case STATE_CHUNK_SIZE:
        return chunk_size_byte(body, byte);
    case STATE_EXTENSION:
        return extension_byte(body, byte);
    case STATE_SIZE_LF:
        return size_lf_byte(body, byte);
    case STATE_CHUNK_CR:
        return byte_expect(body, byte, '\r', STATE_CHUNK_LF, HTTP_ERROR_CHUNK_END);
    case STATE_CHUNK_LF:
        return byte_expect(body, byte, '\n', STATE_CHUNK_SIZE, HTTP_ERROR_CHUNK_END);
    case STATE_TRAILER:
        return trailer_first_byte(body, byte);
    case STATE_TRAILER_NAME:
    case STATE_TRAILER_VALUE:
        return trailer_byte(body, byte);
    case STATE_TRAILER_LF:
        return byte_expect(body, byte, '\n', STATE_TRAILER, HTTP_ERROR_TRAILER);
    default:
        must(body->state == STATE_END_LF);
        return byte_expect(body, byte, '\n', STATE_DONE, HTTP_ERROR_TRAILER);
    }
}

/* Takes up to `len` bytes of payload. */
static size_t payload_take(struct http_body *body, size_t len) {
    if (body->kind == HTTP_BODY_CLOSE) {
        return len;
    }
    size_t taken = len < body->remaining ? len : (size_t)body->remaining;
    body->remaining -= taken;
    if (body->remaining == 0) {
        body->state = body->kind == HTTP_BODY_CHUNKED ? STATE_CHUNK_CR : STATE_DONE;
    }
    return taken;
}

ssize_t parse_body(struct http_body *body, const char *in, size_t len, struct http_bytes *out) {
    *out = (struct http_bytes){in, 0};
    if (body->error != HTTP_ERROR_NONE) {
        return parse_error_errno(body->error);
    }
    size_t used = 0;
    while (used < len && body->state != STATE_DONE) {
        if (body->state == STATE_PAYLOAD) {
            *out = (struct http_bytes){in + used, payload_take(body, len - used)};
            return (ssize_t)(used + out->len);
        }
        body->error = (uint8_t)framing_byte(body, in[used]);
        if (body->error != HTTP_ERROR_NONE) {
            return parse_error_errno(body->error);
        }
        used++;
    }
    return (ssize_t)used;
}

bool parse_body_done(const struct http_body *body) {
    return body->state == STATE_DONE && body->error == HTTP_ERROR_NONE;
}

uint64_t parse_body_direct(const struct http_body *body) {
    return body->state == STATE_PAYLOAD && body->error == HTTP_ERROR_NONE ? body->remaining : 0;
}

int parse_body_end(struct http_body *body) {
    if (body->error == HTTP_ERROR_NONE && body->state != STATE_DONE) {
        if (body->kind == HTTP_BODY_CLOSE) {
            body->state = STATE_DONE;
        } else {
            body->error = HTTP_ERROR_TRUNCATED;
        }
    }
    return parse_error_errno(body->error);
}

bool parse_reusable(const struct http_head *head, const struct http_body *body) {
    return parse_body_done(body) && body->kind != HTTP_BODY_CLOSE &&
           body->kind != HTTP_BODY_TUNNEL && parse_keep_alive(head);
}
