// SPDX-License-Identifier: MIT
/* test_parse_request.c – request heads: what is refused, what is understood, whatever the pieces.
 *
 * Holds      the tests; the byte strings are in cases_request.h.
 * Invariant  every case runs whole, cut at every byte, and byte by byte.
 * Called by  the test runner.
 * Why        see cases_request.h.
 */
#include "fixtures/fixture.h"

#include <errno.h>

#include "cases_request.h"
#include "events.h"

static const struct source requests = {.responses = false};

// A server that reads a request in another way than its proxy can be made to answer a smuggled one.
START_TEST(r34_request_cases_get_their_verdict) {
    for (size_t i = 0; i < REQUEST_CASE_COUNT; i++) {
        const struct wire_case *c = &request_cases[i];
        struct events e = events_run(requests, c->bytes, c->len, (struct pieces){c->len + 1, 1});
        ck_assert_msg(e.error == c->error, "%s: %s", c->name, parse_error_text(e.error));
        ck_assert_msg(e.messages == c->messages, "%s: %u messages", c->name, e.messages);
        events_free(&e);
    }
}
END_TEST

// A verdict that depends on how TCP cuts the bytes is two verdicts.
START_TEST(r35_request_cases_do_not_depend_on_pieces) {
    for (size_t i = 0; i < REQUEST_CASE_COUNT; i++) {
        const struct wire_case *c = &request_cases[i];
        struct events e = events_run(requests, c->bytes, c->len, (struct pieces){c->len + 1, 1});
        size_t cut = events_find_split(requests, c->bytes, c->len, &e);
        ck_assert_msg(cut == c->len + 1, "%s: differs when cut at %zu", c->name, cut);
        events_free(&e);
    }
}
END_TEST

// The table has to stay what RELIABILITY.md R34 asks for: at least 60 refused requests.
START_TEST(r34_request_cases_are_many) {
    size_t refused = 0;
    for (size_t i = 0; i < REQUEST_CASE_COUNT; i++) {
        enum http_error error = request_cases[i].error;
        refused += error != HTTP_ERROR_NONE && error != HTTP_ERROR_TRUNCATED;
    }
    ck_assert_uint_ge(refused, 60);
}
END_TEST

/* Parses `text` as one request head. */
static ssize_t head_of(struct http_head *head, struct http_field *fields, size_t cap,
                       const char *text) {
    static char buf[HTTP_REQUEST_HEAD_MAX];
    size_t len = strlen(text);
    memcpy(buf, text, len);
    parse_request_init(head, fields, cap);
    return parse_head(head, buf, len);
}

static bool span_is(const char *text, struct http_span span, const char *want) {
    return span.len == strlen(want) && memcmp(text + span.offset, want, span.len) == 0;
}

// The server routes by these members; an offset that is off by one is another resource.
START_TEST(request_head_is_taken_apart) {
    static const char text[] = "\r\nPATCH /a/b?c=%20d HTTP/1.1\r\nHost: [::1]:80\r\n"
                               "X-Empty:\r\ncontent-length:  12 \r\n\r\nrest";
    struct http_field fields[4];
    struct http_head head;
    ck_assert_int_eq(head_of(&head, fields, 4, text), (long)(sizeof text - 1 - strlen("rest")));
    ck_assert(span_is(text, head.method, "PATCH"));
    ck_assert(span_is(text, head.target, "/a/b?c=%20d"));
    ck_assert(span_is(text, head.host, "[::1]:80"));
    ck_assert_int_eq(head.method_id, HTTP_PATCH);
    ck_assert_int_eq(head.target_form, HTTP_TARGET_ORIGIN);
    ck_assert_int_eq(head.version_minor, 1);
    ck_assert_int_eq(head.content_length, 12);
    ck_assert_uint_eq(head.field_count, 3);
    ck_assert(span_is(text, fields[1].name, "X-Empty"));
    ck_assert(span_is(text, fields[1].value, ""));
    ck_assert(span_is(text, fields[2].name, "content-length"));
    ck_assert(span_is(text, fields[2].value, "12"));
    ck_assert(parse_keep_alive(&head));
}
END_TEST

// A handler that looks a field up by another case, or the second of two, must find it.
START_TEST(request_fields_are_found_by_name) {
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nCookie: b\r\nCOOKIE: c\r\n\r\n";
    struct http_field fields[8];
    struct http_head head;
    ck_assert_int_gt(head_of(&head, fields, 8, text), 0);
    ck_assert_int_eq(parse_field_find(&head, text, bytes_of("cookie"), 0), 1);
    ck_assert_int_eq(parse_field_find(&head, text, bytes_of("cookie"), 2), 2);
    ck_assert_int_eq(parse_field_find(&head, text, bytes_of("cookie"), 3), -ENOENT);
    ck_assert_int_eq(parse_field_find(&head, text, bytes_of("cooki"), 0), -ENOENT);
}
END_TEST

// A caller with a small array must still get every field when it asks again.
START_TEST(request_fields_beyond_the_array_are_found_later) {
    static const char text[] = "\r\nGET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nHost: h\r\nC: 3\r\n\r\n";
    struct http_field few[1];
    struct http_field all[8];
    struct http_head head;
    ck_assert_int_gt(head_of(&head, few, 1, text), 0);
    ck_assert_uint_eq(head.field_count, 4);
    ck_assert(span_is(text, head.host, "h"));
    ck_assert_int_eq(parse_field_find(&head, text, bytes_of("b"), 0), -ENOENT);
    ck_assert_uint_eq(parse_fields(&head, text, all, 8), 4);
    ck_assert(span_is(text, all[3].name, "C"));
    ck_assert(span_is(text, all[3].value, "3"));
    ck_assert_uint_eq(parse_fields(&head, text, all, 2), 2);
    ck_assert_int_gt(head_of(&head, NULL, 0, text), 0);
    ck_assert_uint_eq(parse_fields(&head, text, all, 8), 4);
}
END_TEST

// The server answers 101 or 100 by these flags.
START_TEST(request_flags_are_set) {
    struct http_head head;
    static const char upgrade[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\n"
                                  "Upgrade: websocket\r\n\r\n";
    ck_assert_int_gt(head_of(&head, NULL, 0, upgrade), 0);
    ck_assert(head.flags & HTTP_FLAG_UPGRADE);
    static const char half[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
    ck_assert_int_gt(head_of(&head, NULL, 0, half), 0);
    ck_assert(!(head.flags & HTTP_FLAG_UPGRADE));
    static const char old[] = "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n"
                              "Expect: 100-continue\r\n\r\n";
    ck_assert_int_gt(head_of(&head, NULL, 0, old), 0);
    ck_assert(!(head.flags & (HTTP_FLAG_UPGRADE | HTTP_FLAG_EXPECT_CONTINUE)));
    ck_assert(!parse_keep_alive(&head));
    static const char expect[] = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n";
    ck_assert_int_gt(head_of(&head, NULL, 0, expect), 0);
    ck_assert(head.flags & HTTP_FLAG_EXPECT_CONTINUE);
}
END_TEST

// Clients see these codes; each reason must have a text, and the special ones their own status.
START_TEST(request_errors_have_texts_and_statuses) {
    for (unsigned i = 0; i < HTTP_ERROR_COUNT; i++) {
        const char *text = parse_error_text((enum http_error)i);
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_gt(strlen(text), 0);
        ck_assert(i == HTTP_ERROR_NONE || parse_error_errno((enum http_error)i) < 0);
        ck_assert(i == HTTP_ERROR_NONE || parse_error_status((enum http_error)i) >= 400);
    }
    ck_assert_int_eq(parse_error_status(HTTP_ERROR_START_LINE), 400);
    ck_assert_int_eq(parse_error_status(HTTP_ERROR_TARGET_TOO_LONG), 414);
    ck_assert_int_eq(parse_error_status(HTTP_ERROR_HEAD_TOO_LARGE), 431);
    ck_assert_int_eq(parse_error_status(HTTP_ERROR_TOO_MANY_FIELDS), 431);
    ck_assert_int_eq(parse_error_status(HTTP_ERROR_TRANSFER_ENCODING), 501);
    ck_assert_int_eq(parse_error_status(HTTP_ERROR_METHOD_TOO_LONG), 501);
    ck_assert_int_eq(parse_error_status(HTTP_ERROR_VERSION), 505);
}
END_TEST

// An error must not be forgotten when the caller asks again.
START_TEST(request_error_stays) {
    struct http_head head;
    ck_assert_int_eq(head_of(&head, NULL, 0, "GET / HTTP/1.1\n"), -EPROTO);
    char more[] = "GET / HTTP/1.1\nHost: a\r\n\r\n";
    ck_assert_int_eq(parse_head(&head, more, sizeof more - 1), -EPROTO);
    ck_assert_int_eq(head.error, HTTP_ERROR_BARE_LF);
}
END_TEST

// A complete head is complete however often it is asked for.
START_TEST(request_end_stays) {
    struct http_head head;
    char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nmore";
    parse_request_init(&head, NULL, 0);
    ssize_t size = parse_head(&head, text, sizeof text - 1);
    ck_assert_int_eq(size, (long)(sizeof text - 1 - strlen("more")));
    ck_assert_int_eq(parse_head(&head, text, sizeof text - 1), size);
}
END_TEST

FIXTURE_MAIN("http/parse_request", r34_request_cases_get_their_verdict,
             r35_request_cases_do_not_depend_on_pieces, r34_request_cases_are_many,
             request_head_is_taken_apart, request_fields_are_found_by_name,
             request_fields_beyond_the_array_are_found_later, request_flags_are_set,
             request_errors_have_texts_and_statuses, request_error_stays, request_end_stays)
