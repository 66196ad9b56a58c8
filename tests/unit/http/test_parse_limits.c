// SPDX-License-Identifier: MIT
/* test_parse_limits.c – what a head may cost: bytes, fields, time, memory.
 *
 * Holds      the tests, and a buffer larger than every limit.
 * Invariant  time is counted in bytes looked at, never on a clock.
 * Called by  the test runner.
 * Why        every limit is hit from both sides: one less passes, one more is its own error.
 */
#include "fixtures/fixture.h"

#include <errno.h>

#include "base/mem.h"
#include "cases_request.h"
#include "cases_response.h"
#include "events.h"

static char buf[HTTP_RESPONSE_HEAD_MAX + 4096];

/* Writes `front`, `fill` times 'x' and `back` to buf.
 *
 * Returns  the length. */
static size_t build(const char *front, size_t fill, const char *back) {
    size_t front_len = strlen(front);
    size_t back_len = strlen(back);
    ck_assert_uint_le(front_len + fill + back_len, sizeof buf);
    memcpy(buf, front, front_len);
    memset(buf + front_len, 'x', fill);
    memcpy(buf + front_len + fill, back, back_len);
    return front_len + fill + back_len;
}

/* The verdict on buf[0..len) as one head, whole and byte by byte. */
static enum http_error verdict_on(size_t len, bool response) {
    enum http_error errors[2];
    for (int dribble = 0; dribble < 2; dribble++) {
        struct http_head head;
        if (response) {
            parse_response_init(&head, NULL, 0);
        } else {
            parse_request_init(&head, NULL, 0);
        }
        ssize_t rc = 0;
        for (size_t have = dribble ? 1 : len; rc == 0 && have <= len; have++) {
            rc = parse_head(&head, buf, have);
        }
        ck_assert_int_ne(rc, 0);
        errors[dribble] = head.error;
    }
    ck_assert_int_eq(errors[0], errors[1]);
    return errors[0];
}

// A head of exactly the limit passes, one byte more is 431.
START_TEST(limit_of_head_bytes) {
    const char *request = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    size_t fill = HTTP_REQUEST_HEAD_MAX - strlen(request) - 4;
    ck_assert_int_eq(verdict_on(build(request, fill, "\r\n\r\n"), false), HTTP_ERROR_NONE);
    ck_assert_int_eq(verdict_on(build(request, fill + 1, "\r\n\r\n"), false),
                     HTTP_ERROR_HEAD_TOO_LARGE);
    const char *response = "HTTP/1.1 200 OK\r\nX: ";
    fill = HTTP_RESPONSE_HEAD_MAX - strlen(response) - 4;
    ck_assert_int_eq(verdict_on(build(response, fill, "\r\n\r\n"), true), HTTP_ERROR_NONE);
    ck_assert_int_eq(verdict_on(build(response, fill + 1, "\r\n\r\n"), true),
                     HTTP_ERROR_HEAD_TOO_LARGE);
}
END_TEST

// A target of exactly the limit passes, one byte more is 414, also if the line never ends.
START_TEST(limit_of_target_bytes) {
    const char *back = " HTTP/1.1\r\nHost: a\r\n\r\n";
    ck_assert_int_eq(verdict_on(build("GET /", HTTP_TARGET_MAX - 1, back), false), HTTP_ERROR_NONE);
    ck_assert_int_eq(verdict_on(build("GET /", HTTP_TARGET_MAX, back), false),
                     HTTP_ERROR_TARGET_TOO_LONG);
    ck_assert_int_eq(verdict_on(build("GET /", HTTP_REQUEST_HEAD_MAX, ""), false),
                     HTTP_ERROR_TARGET_TOO_LONG);
}
END_TEST

// A method of exactly the limit passes.
START_TEST(limit_of_method_bytes) {
    const char *back = " / HTTP/1.1\r\nHost: a\r\n\r\n";
    ck_assert_int_eq(verdict_on(build("", HTTP_METHOD_MAX, back), false), HTTP_ERROR_NONE);
    ck_assert_int_eq(verdict_on(build("", HTTP_METHOD_MAX + 1, back), false),
                     HTTP_ERROR_METHOD_TOO_LONG);
}
END_TEST

/* Writes `front`, `count` fields and an empty line to buf. */
static size_t build_fields(const char *front, size_t count) {
    size_t len = build(front, 0, "");
    for (size_t i = 0; i < count; i++) {
        memcpy(buf + len, "X:\r\n", 4);
        len += 4;
    }
    memcpy(buf + len, "\r\n", 2);
    return len + 2;
}

// So many fields pass, one more is 431.
START_TEST(limit_of_fields) {
    const char *request = "GET / HTTP/1.1\r\nHost: a\r\n";
    size_t count = HTTP_REQUEST_FIELDS_MAX - 1; // without Host
    ck_assert_int_eq(verdict_on(build_fields(request, count), false), HTTP_ERROR_NONE);
    ck_assert_int_eq(verdict_on(build_fields(request, count + 1), false),
                     HTTP_ERROR_TOO_MANY_FIELDS);
    const char *response = "HTTP/1.1 200 OK\r\n";
    count = HTTP_RESPONSE_FIELDS_MAX;
    ck_assert_int_eq(verdict_on(build_fields(response, count), true), HTTP_ERROR_NONE);
    ck_assert_int_eq(verdict_on(build_fields(response, count + 1), true),
                     HTTP_ERROR_TOO_MANY_FIELDS);
}
END_TEST

// An endless head must end in an error, whatever it is made of.
START_TEST(r36_limit_of_endless_heads) {
    static const char *const fronts[] = {"HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\n",
                                         "HTTP/1.1 200 OK\r\nX: y\r\n "};
    for (size_t i = 0; i < sizeof fronts / sizeof fronts[0]; i++) {
        ck_assert_int_eq(verdict_on(build(fronts[i], HTTP_RESPONSE_HEAD_MAX, ""), true),
                         HTTP_ERROR_HEAD_TOO_LARGE);
    }
}
END_TEST

// A caller whose buffer is as large as the limit must not be told to read more into it.
START_TEST(limit_is_noticed_when_it_is_full) {
    struct http_head head;
    build("GET / HTTP/1.1\r\nHost: a\r\nX: ", HTTP_REQUEST_HEAD_MAX, "");
    parse_request_init(&head, NULL, 0);
    ck_assert_int_eq(parse_head(&head, buf, HTTP_REQUEST_HEAD_MAX - 1), 0);
    ck_assert_int_eq(parse_head(&head, buf, HTTP_REQUEST_HEAD_MAX), -EMSGSIZE);
    ck_assert_int_eq(head.error, HTTP_ERROR_HEAD_TOO_LARGE);
}
END_TEST

/* Bytes looked at to parse buf[0..len) when it arrives `step` bytes at a time. */
static uint32_t work_of(size_t len, size_t step) {
    struct http_head head;
    parse_response_init(&head, NULL, 0);
    ssize_t rc = 0;
    for (size_t have = step; rc == 0; have += step) {
        rc = parse_head(&head, buf, have < len ? have : len);
    }
    ck_assert_int_eq(rc, (long)len);
    return head.work;
}

// A peer that sends byte by byte must not make the parser begin again at every byte.
START_TEST(r36_limit_of_work_is_linear) {
    const char *front = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ";
    for (size_t fill = 100; fill <= 60000; fill *= 10) {
        size_t len = build(front, fill, "\r\n\r\n");
        ck_assert_uint_le(work_of(len, len), len + 8);
        ck_assert_uint_le(work_of(len, 1), 2 * len + 8);
    }
    size_t len = build_fields("HTTP/1.1 200 OK\r\n", HTTP_RESPONSE_FIELDS_MAX);
    ck_assert_uint_le(work_of(len, len), len + 8);
    ck_assert_uint_le(work_of(len, 1), 2 * len + 8);
}
END_TEST

// The parser runs where allocation is not wanted: on every request, and in a small stack.
START_TEST(limit_of_memory_is_the_callers) {
    struct events whole[REQUEST_CASE_COUNT + RESPONSE_CASE_COUNT];
    mem_fail_nth(1, 0);
    for (size_t i = 0; i < REQUEST_CASE_COUNT; i++) {
        whole[i] = events_run((struct source){.responses = false}, request_cases[i].bytes,
                              request_cases[i].len, (struct pieces){1, 1});
    }
    for (size_t i = 0; i < RESPONSE_CASE_COUNT; i++) {
        whole[REQUEST_CASE_COUNT + i] = events_run((struct source){.responses = true},
                                                   response_cases[i].bytes, response_cases[i].len,
                                                   (struct pieces){1, 1});
    }
    // The refusal is still waiting for the first request of memory.
    ck_assert_int_eq(mem_refuse(), -ENOMEM);
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        events_free(&whole[i]);
    }
    ck_assert_uint_le(sizeof(struct http_head), 80);
    ck_assert_uint_le(sizeof(struct http_body), 24);
    ck_assert_uint_eq(sizeof(struct http_field), 8);
}
END_TEST

FIXTURE_MAIN("http/parse_limits", limit_of_head_bytes, limit_of_target_bytes, limit_of_method_bytes,
             limit_of_fields, r36_limit_of_endless_heads, limit_is_noticed_when_it_is_full,
             r36_limit_of_work_is_linear, limit_of_memory_is_the_callers)
