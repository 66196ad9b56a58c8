// SPDX-License-Identifier: MIT
/* fuzz_http_body.c – any bytes as chunked content, and any payload through chunks and back.
 *
 * Holds      a second decoder, written for clearness: it sees the whole input at once.
 * Invariant  both decoders accept the same inputs, with the same payload and the same end.
 * Called by  libFuzzer.
 * Why        two readings of one grammar, written apart, seldom share a mistake.
 * Quirks     limits on extensions and trailers are larger than any input libFuzzer makes.
 */
#include "../tests/unit/http/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds) {
    if (!holds) {
        abort();
    }
}

/* What a decoder says. */
struct decoded {
    struct events payload;
    size_t used; /* bytes up to the end of the content; 0 if refused or incomplete */
};

/* The end of the text that starts at `at`, which must be followed by CRLF.
 *
 * Returns  the index after the CRLF; 0 if there is none. */
static size_t line_end(const char *in, size_t len, size_t at) {
    while (at < len && chars_is(in[at], CHARS_TEXT)) {
        at++;
    }
    return len - at >= 2 && in[at] == '\r' && in[at + 1] == '\n' ? at + 2 : 0;
}

/* Takes the size line at *at, and moves *at behind it. */
static bool size_line(const char *in, size_t len, size_t *at, uint64_t *out_size) {
    size_t digits = *at;
    uint64_t value = 0;
    while (digits < len && digits - *at < 16 && chars_is(in[digits], CHARS_HEX)) {
        value = value * 16 + chars_hex_value(in[digits]);
        digits++;
    }
    if (digits == *at || value > INT64_MAX || digits == len ||
        (in[digits] != ';' && in[digits] != '\r')) {
        return false;
    }
    *out_size = value;
    *at = line_end(in, len, digits);
    return *at > 0;
}

/* Takes the trailers at `at`.
 *
 * Returns  the index after the empty line; 0 if it is not reached. */
static size_t trailers_end(const char *in, size_t len, size_t at) {
    for (;;) {
        size_t name = at;
        while (name < len && chars_is(in[name], CHARS_TOKEN)) {
            name++;
        }
        size_t next = line_end(in, len, at);
        if (next == 0 || next == at + 2) {
            return next;
        }
        if (name == at || in[name] != ':') {
            return 0;
        }
        at = next;
    }
}

static struct decoded decode_at_once(const char *in, size_t len) {
    struct decoded d = {0};
    size_t at = 0;
    uint64_t size;
    while (size_line(in, len, &at, &size)) {
        if (size == 0) {
            d.used = trailers_end(in, len, at);
            return d;
        }
        if (size > len - at || len - at - size < 2 || memcmp(in + at + size, "\r\n", 2) != 0) {
            return d;
        }
        events_add(&d.payload, in + at, size);
        at += size + 2;
    }
    return d;
}

/* A decoder for the content of a chunked request. */
static struct http_body chunked_body(void) {
    char text[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct http_head head;
    struct http_body body;
    parse_request_init(&head, NULL, 0);
    head.size_max = HTTP_RESPONSE_HEAD_MAX;
    head.field_max = UINT16_MAX;
    expect(parse_head(&head, text, sizeof text - 1) > 0);
    parse_body_request(&body, &head);
    return body;
}

static struct decoded decode_in_pieces(const char *in, size_t len, struct pieces pieces) {
    struct decoded d = {0};
    struct http_body body = chunked_body();
    size_t at = 0;
    size_t have = pieces.first;
    while (!parse_body_done(&body)) {
        have = have < len ? have : len;
        struct http_bytes out;
        ssize_t rc = parse_body(&body, in + at, have - at, &out);
        if (rc < 0 || (at == len && rc == 0)) {
            return d;
        }
        expect(out.len == 0 || (out.data >= in + at && out.data + out.len <= in + at + rc));
        events_add(&d.payload, out.data, out.len);
        at += (size_t)rc;
        if (at == have && !parse_body_done(&body)) {
            have += pieces.step;
        }
    }
    d.used = at;
    return d;
}

/* Sends the input as payload, in chunks, and reads it back. */
static void round_trip(const char *in, size_t len, struct pieces pieces) {
    const size_t chunk = pieces.step + 7; // printing a chunk per byte would take all the time
    struct events wire = {0};
    for (size_t at = 0; at < len;) {
        size_t size = len - at < chunk ? len - at : chunk;
        events_print(&wire, "%zx%s\r\n", size, size % 2 ? ";x=\"y\"" : "");
        events_add(&wire, in + at, size);
        events_print(&wire, "\r\n");
        at += size;
    }
    events_print(&wire, "0\r\nT: u\r\n\r\nNEXT");
    struct decoded d = decode_in_pieces(wire.text, wire.len, pieces);
    expect(d.used == wire.len - 4 && d.payload.len == len);
    expect(len == 0 || memcmp(d.payload.text, in, len) == 0);
    events_free(&d.payload);
    events_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    struct pieces pieces = {(size_t)data[0] + 1, (size_t)data[1] % 64 + 1};
    const char *in = (const char *)data + 2;
    size_t len = size - 2;
    struct decoded once = decode_at_once(in, len);
    struct decoded whole = decode_in_pieces(in, len, (struct pieces){len, 1});
    struct decoded split = decode_in_pieces(in, len, pieces);
    expect(whole.used == split.used && events_equal(&whole.payload, &split.payload));
    expect(once.used == whole.used);
    expect(once.used == 0 || events_equal(&once.payload, &whole.payload));
    events_free(&once.payload);
    events_free(&whole.payload);
    events_free(&split.payload);
    round_trip(in, len, pieces);
    return 0;
}
