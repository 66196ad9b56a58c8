// SPDX-License-Identifier: MIT
/* test_parse_response.c – response heads and how their content is framed, whatever the pieces.
 *
 * Holds      the tests; the byte strings are in cases_response.h.
 * Invariant  every case runs whole, cut at every byte, and byte by byte.
 * Called by  the test runner.
 * Why        see cases_response.h.
 */
#include "fixtures/fixture.h"

#include <errno.h>

#include "cases_response.h"
#include "events.h"

static const struct source responses = {.responses = true, .method = HTTP_GET};

// A response read in another way than it was meant makes the next request get a wrong answer.
START_TEST(r33_response_cases_get_their_verdict) {
    for (size_t i = 0; i < RESPONSE_CASE_COUNT; i++) {
        const struct wire_case *c = &response_cases[i];
        struct events e = events_run(responses, c->bytes, c->len, (struct pieces){c->len + 1, 1});
        ck_assert_msg(e.error == c->error, "%s: %s", c->name, parse_error_text(e.error));
        ck_assert_msg(e.messages == c->messages, "%s: %u messages", c->name, e.messages);
        events_free(&e);
    }
}
END_TEST

// A verdict that depends on how TCP cuts the bytes is two verdicts.
START_TEST(r35_response_cases_do_not_depend_on_pieces) {
    for (size_t i = 0; i < RESPONSE_CASE_COUNT; i++) {
        const struct wire_case *c = &response_cases[i];
        struct events e = events_run(responses, c->bytes, c->len, (struct pieces){c->len + 1, 1});
        size_t cut = events_find_split(responses, c->bytes, c->len, &e);
        ck_assert_msg(cut == c->len + 1, "%s: differs when cut at %zu", c->name, cut);
        events_free(&e);
    }
}
END_TEST

// The table has to stay what RELIABILITY.md R33 asks for: at least 26 invalid responses.
START_TEST(r33_response_cases_are_many) {
    size_t refused = 0;
    for (size_t i = 0; i < RESPONSE_CASE_COUNT; i++) {
        enum http_error error = response_cases[i].error;
        refused += error != HTTP_ERROR_NONE && error != HTTP_ERROR_TRUNCATED;
    }
    ck_assert_uint_ge(refused, 26);
}
END_TEST

/* Parses `text` as one response head, in `buf`. */
static ssize_t head_of(struct http_head *head, struct http_field *fields, size_t cap, char *buf,
                       const char *text) {
    strcpy(buf, text);
    parse_response_init(head, fields, cap);
    return parse_head(head, buf, strlen(text));
}

static bool span_is(const char *text, struct http_span span, const char *want) {
    return span.len == strlen(want) && memcmp(text + span.offset, want, span.len) == 0;
}

// The client reports status and fields by these members.
START_TEST(response_head_is_taken_apart) {
    char buf[256];
    struct http_field fields[4];
    struct http_head head;
    const char *text = "HTTP/1.0 503 Try later\r\nRetry-After: 5\r\nConnection: keep-alive\r\n\r\n";
    ck_assert_int_eq(head_of(&head, fields, 4, buf, text), (long)strlen(text));
    ck_assert_int_eq(head.status, 503);
    ck_assert_int_eq(head.version_minor, 0);
    ck_assert(span_is(buf, head.reason, "Try later"));
    ck_assert(span_is(buf, fields[0].value, "5"));
    ck_assert_int_eq(head.content_length, -1);
    ck_assert(parse_keep_alive(&head));
}
END_TEST

// RFC 9112 §5.2: a fold is white space of the value, never a line end that is passed on.
START_TEST(response_fold_becomes_spaces) {
    char buf[256];
    struct http_field fields[4];
    struct http_head head;
    const char *text = "HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\n \r\n  c \r\nY: d\r\n\r\n";
    ck_assert_int_eq(head_of(&head, fields, 4, buf, text), (long)strlen(text));
    ck_assert_uint_eq(head.field_count, 2);
    ck_assert(span_is(buf, fields[0].value, "a  \tb       c"));
    ck_assert(span_is(buf, fields[1].value, "d"));
    struct http_field again[4];
    ck_assert_uint_eq(parse_fields(&head, buf, again, 4), 2);
    ck_assert_mem_eq(again, fields, 2 * sizeof fields[0]);
}
END_TEST

// A server that never comes to its answer must not keep a client busy for ever.
START_TEST(response_interim_heads_are_limited) {
    char one[] = "HTTP/1.1 102 Processing\r\n\r\n";
    struct http_head head;
    parse_response_init(&head, NULL, 0);
    for (int i = 0; i < HTTP_INTERIM_MAX; i++) {
        ck_assert_int_eq(parse_head(&head, one, sizeof one - 1), (long)(sizeof one - 1));
        ck_assert(parse_is_interim(&head));
        ck_assert_int_eq(parse_interim_next(&head), 0);
    }
    ck_assert_int_gt(parse_head(&head, one, sizeof one - 1), 0);
    ck_assert_int_eq(parse_interim_next(&head), -EMSGSIZE);
    ck_assert_int_eq(head.error, HTTP_ERROR_TOO_MANY_INTERIM);
    ck_assert_int_eq(parse_head(&head, one, sizeof one - 1), -EMSGSIZE);
}
END_TEST

// Interim heads share the limits of the final one; otherwise 16 of them are 16 times the limit.
START_TEST(r36_response_interim_heads_share_the_limits) {
    char one[] = "HTTP/1.1 103 Early Hints\r\nA: b\r\nC: d\r\n\r\n";
    struct http_head head;
    parse_response_init(&head, NULL, 0);
    head.field_max = 3;
    ck_assert_int_gt(parse_head(&head, one, sizeof one - 1), 0);
    ck_assert_int_eq(parse_interim_next(&head), 0);
    ck_assert_int_eq(parse_head(&head, one, sizeof one - 1), -EMSGSIZE);
    ck_assert_int_eq(head.error, HTTP_ERROR_TOO_MANY_FIELDS);

    parse_response_init(&head, NULL, 0);
    head.size_max = 2 * (sizeof one - 1) - 1;
    ck_assert_int_gt(parse_head(&head, one, sizeof one - 1), 0);
    ck_assert_int_eq(parse_interim_next(&head), 0);
    ck_assert_int_eq(parse_head(&head, one, sizeof one - 1), -EMSGSIZE);
    ck_assert_int_eq(head.error, HTTP_ERROR_HEAD_TOO_LARGE);
}
END_TEST

/* How the content after `text` is framed, for an answer to `method`. */
static struct http_body body_of(const char *text, enum http_method method, struct http_head *head) {
    char buf[256];
    struct http_body body;
    ck_assert_int_gt(head_of(head, NULL, 0, buf, text), 0);
    parse_body_response(&body, head, method);
    return body;
}

// RFC 9112 §6.3: some answers have no content whatever they announce.
START_TEST(response_content_depends_on_method_and_status) {
    const char *length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    const char *chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct http_head head;
    struct http_body body = body_of(length, HTTP_GET, &head);
    ck_assert_int_eq(body.kind, HTTP_BODY_LENGTH);
    ck_assert(!parse_body_done(&body));
    ck_assert_uint_eq(parse_body_direct(&body), 5);
    ck_assert(!parse_reusable(&head, &body));

    body = body_of(length, HTTP_HEAD, &head);
    ck_assert_int_eq(body.kind, HTTP_BODY_NONE);
    ck_assert(parse_body_done(&body));
    ck_assert(parse_reusable(&head, &body));

    body = body_of(chunked, HTTP_HEAD, &head);
    ck_assert_int_eq(body.kind, HTTP_BODY_NONE);
    body = body_of(chunked, HTTP_POST, &head);
    ck_assert_int_eq(body.kind, HTTP_BODY_CHUNKED);
    ck_assert_uint_eq(parse_body_direct(&body), 0);

    body = body_of("HTTP/1.1 200 OK\r\n\r\n", HTTP_GET, &head);
    ck_assert_int_eq(body.kind, HTTP_BODY_CLOSE);
    ck_assert_uint_eq(parse_body_direct(&body), UINT64_MAX);
    ck_assert_int_eq(parse_body_end(&body), 0);
    ck_assert(parse_body_done(&body));
    ck_assert(!parse_reusable(&head, &body));

    body = body_of(chunked, HTTP_CONNECT, &head);
    ck_assert_int_eq(body.kind, HTTP_BODY_TUNNEL);
    ck_assert(parse_body_done(&body));
    ck_assert(!parse_reusable(&head, &body));
    body = body_of("HTTP/1.1 101 S\r\n\r\n", HTTP_GET, &head);
    ck_assert_int_eq(body.kind, HTTP_BODY_TUNNEL);
    body = body_of("HTTP/1.1 103 E\r\n\r\n", HTTP_CONNECT, &head);
    ck_assert_int_eq(body.kind, HTTP_BODY_NONE);
    body = body_of("HTTP/1.1 407 P\r\nContent-Length: 5\r\n\r\n", HTTP_CONNECT, &head);
    ck_assert_int_eq(body.kind, HTTP_BODY_LENGTH);
}
END_TEST

// HEAD answers that announce content must not eat the next answer.
START_TEST(response_to_head_is_followed_by_the_next) {
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct source heads = {.responses = true, .method = HTTP_HEAD};
    struct events e = events_run(heads, text, strlen(text), (struct pieces){1, 1});
    ck_assert_uint_eq(e.messages, 2);
    ck_assert_int_eq(e.error, HTTP_ERROR_NONE);
    events_free(&e);
}
END_TEST

// A peer that is not an HTTP server must be told apart before it has sent a whole line.
START_TEST(response_of_another_protocol_is_refused_at_once) {
    char first[] = "S";
    struct http_head head;
    parse_response_init(&head, NULL, 0);
    ck_assert_int_eq(parse_head(&head, first, 1), -EPROTO);
    ck_assert_int_eq(head.error, HTTP_ERROR_START_LINE);
}
END_TEST

FIXTURE_MAIN("http/parse_response", r33_response_cases_get_their_verdict,
             r35_response_cases_do_not_depend_on_pieces, r33_response_cases_are_many,
             response_head_is_taken_apart, response_fold_becomes_spaces,
             response_interim_heads_are_limited, r36_response_interim_heads_share_the_limits,
             response_content_depends_on_method_and_status,
             response_to_head_is_followed_by_the_next,
             response_of_another_protocol_is_refused_at_once)
