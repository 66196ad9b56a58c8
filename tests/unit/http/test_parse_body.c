// SPDX-License-Identifier: MIT
/* test_parse_body.c – content decoding: payload by payload, and the limits of its framing.
 *
 * Holds      the tests.
 * Invariant  every stream also runs cut at every byte and byte by byte.
 * Called by  the test runner.
 * Why        verdicts on malformed framing are in the request and response tables; here is what
 *            callers see of good framing, and what it may cost.
 */
#include "fixtures/fixture.h"

#include <errno.h>

#include "events.h"

/* A decoder for the content after a request with these fields. */
static struct http_body body_after(const char *fields) {
    char text[256];
    struct http_head head;
    struct http_body body;
    int len = snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    parse_request_init(&head, NULL, 0);
    ck_assert_int_eq(parse_head(&head, text, (size_t)len), len);
    parse_body_request(&body, &head);
    return body;
}

// Payload is handed out where it lies; a copy would cost, a wrong place would corrupt.
START_TEST(body_payload_lies_in_the_input) {
    struct http_body body = body_after("Transfer-Encoding: chunked\r\n");
    const char in[] = "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\nNEXT";
    const size_t end = sizeof in - 1 - strlen("NEXT");
    struct http_bytes out;
    ssize_t rc = parse_body(&body, in, sizeof in - 1, &out);
    ck_assert_ptr_eq(out.data, strstr(in, "abc"));
    ck_assert_uint_eq(out.len, 3);
    ck_assert_ptr_eq(in + rc, out.data + 3);
    size_t at = (size_t)rc;
    rc = parse_body(&body, in + at, sizeof in - 1 - at, &out);
    ck_assert_ptr_eq(out.data, strstr(in, "de"));
    ck_assert_uint_eq(out.len, 2);
    at += (size_t)rc;
    ck_assert(!parse_body_done(&body));
    rc = parse_body(&body, in + at, sizeof in - 1 - at, &out);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_uint_eq(at + (size_t)rc, end);
    ck_assert(parse_body_done(&body));
    ck_assert_int_eq(parse_body(&body, in + end, 4, &out), 0);
    ck_assert_int_eq(parse_body_end(&body), 0);
}
END_TEST

// The byte after the content belongs to the next message.
START_TEST(body_of_known_length_takes_no_more) {
    struct http_body body = body_after("Content-Length: 5\r\n");
    struct http_bytes out;
    ck_assert_uint_eq(parse_body_direct(&body), 5);
    ck_assert_int_eq(parse_body(&body, "abc", 3, &out), 3);
    ck_assert_uint_eq(parse_body_direct(&body), 2);
    ck_assert_int_eq(parse_body(&body, "deNEXT", 6, &out), 2);
    ck_assert_uint_eq(out.len, 2);
    ck_assert(parse_body_done(&body));
    ck_assert_uint_eq(parse_body_direct(&body), 0);
    ck_assert_int_eq(parse_body(&body, "NEXT", 4, &out), 0);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

// Reads straight into the user's buffer must stop where framing comes.
START_TEST(body_direct_counts_the_chunk) {
    struct http_body body = body_after("Transfer-Encoding: chunked\r\n");
    struct http_bytes out;
    ck_assert_uint_eq(parse_body_direct(&body), 0);
    ck_assert_int_eq(parse_body(&body, "10\r\nabcd", 8, &out), 8);
    ck_assert_uint_eq(parse_body_direct(&body), 12);
    ck_assert_int_eq(parse_body(&body, "efghijklmnop", 12, &out), 12);
    ck_assert_uint_eq(out.len, 12);
    ck_assert_uint_eq(parse_body_direct(&body), 0);
    ck_assert(!parse_body_done(&body));
}
END_TEST

// A body that ends early is an error for every framing but one.
START_TEST(body_cut_short_is_an_error) {
    struct http_body body = body_after("Content-Length: 5\r\n");
    ck_assert_int_eq(parse_body_end(&body), -ECONNRESET);
    ck_assert_int_eq(body.error, HTTP_ERROR_TRUNCATED);
    ck_assert(!parse_body_done(&body));
    struct http_bytes out;
    ck_assert_int_eq(parse_body(&body, "abcde", 5, &out), -ECONNRESET);
    body = body_after("Transfer-Encoding: chunked\r\n");
    ck_assert_int_eq(parse_body(&body, "0\r\n\r", 4, &out), 4);
    ck_assert_int_eq(parse_body_end(&body), -ECONNRESET);
}
END_TEST

// Requests without framing fields have no content; waiting for some would hang the server.
START_TEST(body_of_a_plain_request_is_none) {
    struct http_body body = body_after("");
    ck_assert_int_eq(body.kind, HTTP_BODY_NONE);
    ck_assert(parse_body_done(&body));
    body = body_after("Content-Length: 0\r\n");
    ck_assert(parse_body_done(&body));
}
END_TEST

/* Feeds `text` `times` times.
 *
 * Returns  the reason of the first refusal. */
static enum http_error feed(struct http_body *body, const char *text, size_t times,
                            size_t *out_payload) {
    size_t len = strlen(text);
    for (size_t i = 0; i < times; i++) {
        for (size_t at = 0; at < len;) {
            struct http_bytes out;
            ssize_t rc = parse_body(body, text + at, len - at, &out);
            if (rc < 0) {
                return body->error;
            }
            at += (size_t)rc;
            *out_payload += out.len;
        }
    }
    return HTTP_ERROR_NONE;
}

// Extensions carry nothing; without a limit a peer can send them for ever.
START_TEST(r36_body_extensions_are_limited) {
    struct http_body body = body_after("Transfer-Encoding: chunked\r\n");
    size_t payload = 0;
    ck_assert_int_eq(feed(&body, "1;", 1, &payload), HTTP_ERROR_NONE);
    ck_assert_int_eq(feed(&body, "xxxxxxxx", HTTP_CHUNK_EXTENSION_MAX / 8, &payload),
                     HTTP_ERROR_NONE);
    ck_assert_int_eq(feed(&body, "x", 1, &payload), HTTP_ERROR_CHUNK_EXTENSIONS);

    // The same in small portions, with a byte of payload each.
    body = body_after("Transfer-Encoding: chunked\r\n");
    ck_assert_int_eq(feed(&body, "1;0123456789012345\r\nx\r\n", 100000, &payload),
                     HTTP_ERROR_CHUNK_EXTENSIONS);
    ck_assert_uint_lt(payload, 2 * HTTP_CHUNK_EXTENSION_MAX);
}
END_TEST

// A long stream of real chunks with signatures must not run into that limit.
START_TEST(body_extensions_are_paid_by_payload) {
    struct http_body body = body_after("Transfer-Encoding: chunked\r\n");
    size_t payload = 0;
    ck_assert_int_eq(
        feed(&body, "20;s=0123456789\r\n0123456789abcdef0123456789abcdef\r\n", 10000, &payload),
        HTTP_ERROR_NONE);
    ck_assert_uint_eq(payload, 320000);
}
END_TEST

// Trailers share the head's limit of bytes: they are not a second head.
START_TEST(r36_body_trailer_bytes_are_limited) {
    struct http_body body = body_after("Transfer-Encoding: chunked\r\n");
    size_t payload = 0;
    ck_assert_int_eq(feed(&body, "0\r\nT: ", 1, &payload), HTTP_ERROR_NONE);
    ck_assert_int_eq(feed(&body, "x", HTTP_REQUEST_HEAD_MAX, &payload),
                     HTTP_ERROR_TRAILERS_TOO_LARGE);
    ck_assert(!parse_body_done(&body));

    // The limit is also noticed between two lines.
    body = body_after("Transfer-Encoding: chunked\r\n");
    body.trailer_left = 4;
    ck_assert_int_eq(feed(&body, "0\r\nTU:\r\n", 1, &payload), HTTP_ERROR_NONE);
    ck_assert_uint_eq(body.trailer_left, 0);
    ck_assert_int_eq(feed(&body, "V", 1, &payload), HTTP_ERROR_TRAILERS_TOO_LARGE);
}
END_TEST

// And its limit of fields.
START_TEST(body_trailer_fields_are_limited) {
    struct http_body body = body_after("Transfer-Encoding: chunked\r\n");
    size_t payload = 0;
    ck_assert_int_eq(feed(&body, "0\r\n", 1, &payload), HTTP_ERROR_NONE);
    // The head itself had two.
    ck_assert_int_eq(feed(&body, "T:\r\n", HTTP_REQUEST_FIELDS_MAX - 2, &payload), HTTP_ERROR_NONE);
    ck_assert_int_eq(feed(&body, "T:\r\n", 1, &payload), HTTP_ERROR_TRAILERS_TOO_LARGE);
}
END_TEST

// A million chunks of one byte are slow food, but they are food.
START_TEST(r36_body_of_tiny_chunks_is_decoded) {
    struct http_body body = body_after("Transfer-Encoding: chunked\r\n");
    size_t payload = 0;
    ck_assert_int_eq(feed(&body, "1\r\nx\r\n", 1000000, &payload), HTTP_ERROR_NONE);
    ck_assert_int_eq(feed(&body, "0\r\n\r\n", 1, &payload), HTTP_ERROR_NONE);
    ck_assert_uint_eq(payload, 1000000);
    ck_assert(parse_body_done(&body));
}
END_TEST

FIXTURE_MAIN("http/parse_body", body_payload_lies_in_the_input, body_of_known_length_takes_no_more,
             body_direct_counts_the_chunk, body_cut_short_is_an_error,
             body_of_a_plain_request_is_none, r36_body_extensions_are_limited,
             body_extensions_are_paid_by_payload, r36_body_trailer_bytes_are_limited,
             body_trailer_fields_are_limited, r36_body_of_tiny_chunks_is_decoded)
