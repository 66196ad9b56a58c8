// SPDX-License-Identifier: MIT
/* parse_field.c – field lines, and the six fields that decide where a message ends.
 *
 * Holds      nothing.
 * Invariant  after parse_fields_check() at most one of content_length ≥ 0 and HTTP_FLAG_CHUNKED.
 * Called by  parse_head.c with complete lines. Calls url.h to check Host.
 * Why        known names are told apart by length and then by one comparison, while the line is
 *            in the cache; there is no second pass.
 * Quirks     a field that framing depends on may be given once, may not be folded, and may have no
 *            HTAB beside its value: parsers in use differ on whether that is white space.
 */
#include <string.h>

#include "http/parse.h"
#include "http/parse_priv.h"
#include "http/url.h"

enum http_error parse_field_split(const char *data, size_t line, size_t stop,
                                  struct http_field *out) {
    size_t colon = line;
    while (chars_is(data[colon], CHARS_TOKEN)) {
        colon++;
    }
    if (data[colon] != ':' || colon == line) {
        if (colon == stop) {
            return HTTP_ERROR_NO_COLON;
        }
        bool space = colon > line && chars_is(data[colon], CHARS_SPACE);
        return space ? HTTP_ERROR_SPACE_BEFORE_COLON : HTTP_ERROR_FIELD_NAME;
    }
    size_t value = colon + 1;
    while (chars_is(data[value], CHARS_SPACE)) {
        value++;
    }
    while (stop > value && chars_is(data[stop - 1], CHARS_SPACE)) {
        stop--;
    }
    out->name = (struct http_span){(uint16_t)line, (uint16_t)(colon - line)};
    out->value = (struct http_span){(uint16_t)value, (uint16_t)(stop - value)};
    return HTTP_ERROR_NONE;
}

/* True if `name` is `lower` in any case; `lower` has letters and "-" only, and the same length. */
static bool name_is(struct http_bytes name, const char *lower) {
    for (size_t i = 0; i < name.len; i++) {
        if ((name.data[i] | 0x20) != lower[i]) {
            return false;
        }
    }
    return true;
}

static enum http_error content_length_take(struct http_head *head, struct http_bytes value) {
    if (head->content_length >= 0) {
        return HTTP_ERROR_CONTENT_LENGTHS;
    }
    if (value.len == 0) {
        return HTTP_ERROR_CONTENT_LENGTH;
    }
    int64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        int digit = value.data[i] - '0';
        if (!chars_is(value.data[i], CHARS_DIGIT) || length > (INT64_MAX - digit) / 10) {
            return HTTP_ERROR_CONTENT_LENGTH;
        }
        length = length * 10 + digit;
    }
    head->content_length = length;
    return HTTP_ERROR_NONE;
}

static enum http_error transfer_encoding_take(struct http_head *head, struct http_bytes value) {
    if (head->flags & HTTP_FLAG_CHUNKED) {
        return HTTP_ERROR_TRANSFER_ENCODINGS;
    }
    if (!chars_equal_nocase(value, bytes_of("chunked"))) {
        return HTTP_ERROR_TRANSFER_ENCODING;
    }
    head->flags |= HTTP_FLAG_CHUNKED;
    return HTTP_ERROR_NONE;
}

static uint16_t connection_option(struct http_bytes option) {
    if (chars_equal_nocase(option, bytes_of("close"))) {
        return HTTP_FLAG_CLOSE;
    }
    if (chars_equal_nocase(option, bytes_of("keep-alive"))) {
        return HTTP_FLAG_KEEP_ALIVE;
    }
    return chars_equal_nocase(option, bytes_of("upgrade")) ? HTTP_FLAG_UPGRADE_TOKEN : 0;
}

/* Connection is a list; options we do not know are somebody else's. */
static enum http_error connection_take(struct http_head *head, struct http_bytes value) {
    while (value.len > 0) {
        const char *comma = memchr(value.data, ',', value.len);
        size_t len = comma == NULL ? value.len : (size_t)(comma - value.data);
        uint16_t option = connection_option(chars_trim((struct http_bytes){value.data, len}));
        head->flags = (uint16_t)(head->flags | option);
        size_t used = comma == NULL ? len : len + 1;
        value = (struct http_bytes){value.data + used, value.len - used};
    }
    return HTTP_ERROR_NONE;
}

static enum http_error host_take(struct http_head *head, struct http_bytes value,
                                 struct http_span span) {
    if (head->response) {
        return HTTP_ERROR_NONE;
    }
    if (head->flags & HTTP_FLAG_HOST) {
        return HTTP_ERROR_HOSTS;
    }
    head->flags |= HTTP_FLAG_HOST;
    head->host = span;
    return url_authority_check(value, false, NULL) == 0 ? HTTP_ERROR_NONE : HTTP_ERROR_HOST;
}

static enum http_error expect_take(struct http_head *head, struct http_bytes value) {
    if (head->response || head->version_minor == 0) {
        return HTTP_ERROR_NONE; // RFC 9110 §10.1.1: ignored in HTTP/1.0
    }
    if (!chars_equal_nocase(value, bytes_of("100-continue"))) {
        return HTTP_ERROR_EXPECTATION;
    }
    head->flags |= HTTP_FLAG_EXPECT_CONTINUE;
    return HTTP_ERROR_NONE;
}

/* The fields that framing, persistence or routing depend on. */
enum known {
    KNOWN_NONE,
    KNOWN_HOST,
    KNOWN_EXPECT,
    KNOWN_UPGRADE,
    KNOWN_CONNECTION,
    KNOWN_CONTENT_LENGTH,
    KNOWN_TRANSFER_ENCODING,
};

static enum known field_known(struct http_bytes name) {
    switch (name.len) {
    case 4:
        return name_is(name, "host") ? KNOWN_HOST : KNOWN_NONE;
    case 6:
        return name_is(name, "expect") ? KNOWN_EXPECT : KNOWN_NONE;
    case 7:
        return name_is(name, "upgrade") ? KNOWN_UPGRADE : KNOWN_NONE;
    case 10:
        return name_is(name, "connection") ? KNOWN_CONNECTION : KNOWN_NONE;
    case 14:
        return name_is(name, "content-length") ? KNOWN_CONTENT_LENGTH : KNOWN_NONE;
    case 17:
        return name_is(name, "transfer-encoding") ? KNOWN_TRANSFER_ENCODING : KNOWN_NONE;
    default:
        return KNOWN_NONE;
    }
}

/* Acts on a field if it is one of those. Its line is data[line..stop). */
static enum http_error field_act(struct http_head *head, const char *data, size_t line, size_t stop,
                                 const struct http_field *field) {
    enum known known = field_known(parse_span(data, field->name));
    if (known == KNOWN_NONE) {
        return HTTP_ERROR_NONE;
    }
    if (head->folded) {
        return HTTP_ERROR_FOLD;
    }
    bool framing = known == KNOWN_CONTENT_LENGTH || known == KNOWN_TRANSFER_ENCODING;
    if (framing && memchr(data + line, '\t', stop - line) != NULL) {
        return known == KNOWN_CONTENT_LENGTH ? HTTP_ERROR_CONTENT_LENGTH
                                             : HTTP_ERROR_TRANSFER_ENCODING;
    }
    struct http_bytes value = parse_span(data, field->value);
    switch (known) {
    case KNOWN_HOST:
        return host_take(head, value, field->value);
    case KNOWN_EXPECT:
        return expect_take(head, value);
    case KNOWN_UPGRADE:
        head->flags |= HTTP_FLAG_UPGRADE_FIELD;
        return HTTP_ERROR_NONE;
    case KNOWN_CONNECTION:
        return connection_take(head, value);
    case KNOWN_CONTENT_LENGTH:
        return content_length_take(head, value);
    default:
        return transfer_encoding_take(head, value);
    }
}

enum http_error parse_field_line(struct http_head *head, const char *data, size_t line,
                                 size_t stop) {
    if (head->field_count >= head->field_max) {
        return HTTP_ERROR_TOO_MANY_FIELDS;
    }
    struct http_field field;
    enum http_error error = parse_field_split(data, line, stop, &field);
    if (error != HTTP_ERROR_NONE) {
        return error;
    }
    if (head->field_count < head->field_cap) {
        head->fields[head->field_count] = field;
    }
    head->field_count++;
    error = field_act(head, data, line, stop, &field);
    head->folded = false;
    return error;
}

static enum http_error request_check(const struct http_head *head) {
    if (!(head->flags & HTTP_FLAG_HOST) && head->version_minor == 1) {
        return HTTP_ERROR_HOST_MISSING;
    }
    bool content = head->content_length > 0 || (head->flags & HTTP_FLAG_CHUNKED) != 0;
    if (content && (head->method_id == HTTP_CONNECT || head->method_id == HTTP_TRACE)) {
        return HTTP_ERROR_CONTENT_FORBIDDEN;
    }
    return HTTP_ERROR_NONE;
}

enum http_error parse_fields_check(struct http_head *head) {
    bool chunked = (head->flags & HTTP_FLAG_CHUNKED) != 0;
    if (chunked && head->content_length >= 0) {
        return HTTP_ERROR_LENGTH_AND_CHUNKED;
    }
    if (chunked && head->version_minor == 0) {
        return HTTP_ERROR_CHUNKED_IN_1_0;
    }
    const uint16_t upgrade = HTTP_FLAG_UPGRADE_TOKEN | HTTP_FLAG_UPGRADE_FIELD;
    if ((head->flags & upgrade) == upgrade && head->version_minor == 1) {
        head->flags |= HTTP_FLAG_UPGRADE;
    }
    if (!head->response) {
        return request_check(head);
    }
    bool no_content = head->status < 200 || head->status == 204;
    if (no_content && (chunked || head->content_length > 0)) {
        head->flags |= HTTP_FLAG_CLOSE;
    }
    return HTTP_ERROR_NONE;
}
