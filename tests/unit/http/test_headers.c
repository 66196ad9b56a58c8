// SPDX-License-Identifier: MIT
/* test_headers.c – header lists: what they refuse, what they send.
 *
 * Holds      the tests.
 * Invariant  after any failure the list is what it was.
 * Called by  the test runner.
 * Why        a CR LF that a caller's data smuggles into a field is a second request.
 */
#include "fixtures/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http/headers.h"
#include "http/parse.h"

static int add(struct headers *h, const char *name, const char *value) {
    return headers_add(h, bytes_of(name), bytes_of(value));
}

static int set(struct headers *h, const char *name, const char *value) {
    return headers_set(h, bytes_of(name), bytes_of(value));
}

static void text_is(const struct headers *h, const char *want) {
    struct http_bytes text = headers_text(h);
    ck_assert_uint_eq(text.len, strlen(want));
    ck_assert(text.len == 0 || memcmp(text.data, want, text.len) == 0);
}

// The order is the caller's, the text is what goes on the wire.
START_TEST(headers_add_keeps_order) {
    struct headers h = {0};
    text_is(&h, "");
    ck_assert_int_eq(add(&h, "B", "1"), 0);
    ck_assert_int_eq(add(&h, "A", " \t2 3\t"), 0);
    ck_assert_int_eq(add(&h, "b", ""), 0);
    text_is(&h, "B: 1\r\nA: 2 3\r\nb: \r\n");
    headers_fini(&h);
    text_is(&h, "");
    ck_assert_int_eq(mem_live(), 0);
}
END_TEST

// Replacing must leave one, wherever and however often the old ones stood.
START_TEST(headers_set_replaces_all) {
    struct headers h = {0};
    ck_assert_int_eq(add(&h, "A", "1"), 0);
    ck_assert_int_eq(add(&h, "B", "2"), 0);
    ck_assert_int_eq(add(&h, "a", "3"), 0);
    ck_assert_int_eq(set(&h, "A", "4"), 0);
    text_is(&h, "B: 2\r\nA: 4\r\n");
    ck_assert_int_eq(set(&h, "C", "5"), 0);
    text_is(&h, "B: 2\r\nA: 4\r\nC: 5\r\n");
    ck_assert_uint_eq(headers_remove(&h, bytes_of("b")), 1);
    ck_assert_uint_eq(headers_remove(&h, bytes_of("b")), 0);
    text_is(&h, "A: 4\r\nC: 5\r\n");
    headers_fini(&h);
}
END_TEST

// Names compare without case; a name that is the start of another is another.
START_TEST(headers_get_finds_the_first) {
    struct headers h = {0};
    struct http_bytes value = bytes_of("untouched");
    ck_assert(!headers_get(&h, bytes_of("A"), &value));
    ck_assert_int_eq(add(&h, "Accept-Language", "x"), 0);
    ck_assert_int_eq(add(&h, "Accept", "y: z"), 0);
    ck_assert_int_eq(add(&h, "ACCEPT", "2"), 0);
    ck_assert(headers_get(&h, bytes_of("accept"), &value));
    ck_assert_uint_eq(value.len, 4);
    ck_assert_mem_eq(value.data, "y: z", 4);
    ck_assert(!headers_get(&h, bytes_of("Accep"), &value));
    ck_assert_uint_eq(value.len, 4);
    headers_fini(&h);
}
END_TEST

// RELIABILITY.md R38: whatever could end a line is refused before a byte is sent.
START_TEST(headers_refuse_injection) {
    static const struct {
        const char *name;
        size_t name_len;
        const char *value;
        size_t value_len;
    } rows[] = {
        {"A", 1, "x\r\nB: y", 7}, {"A", 1, "x\ny", 3},     {"A", 1, "x\ry", 3},
        {"A", 1, "x\0y", 3},      {"A", 1, "\x7f", 1},     {"A", 1, "\033[m", 3},
        {"A", 1, "\r\n", 2},      {"A\r\nB", 4, "x", 1},   {"A:", 2, "x", 1},
        {"A ", 2, "x", 1},        {" A", 2, "x", 1},       {"", 0, "x", 1},
        {"A\0", 2, "x", 1},       {"\xc3\xa4", 2, "x", 1}, {"A(", 2, "x", 1},
    };
    struct headers h = {0};
    ck_assert_int_eq(add(&h, "Keep", "me"), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_bytes name = {rows[i].name, rows[i].name_len};
        struct http_bytes value = {rows[i].value, rows[i].value_len};
        ck_assert_msg(headers_add(&h, name, value) == -EINVAL, "row %zu", i);
        ck_assert_msg(headers_set(&h, name, value) == -EINVAL, "row %zu", i);
    }
    text_is(&h, "Keep: me\r\n");
    ck_assert_int_eq(add(&h, "A", "\xc3\xa4\t\"x\""), 0);
    headers_fini(&h);
}
END_TEST

// A list grows to its limit and no further.
START_TEST(headers_are_limited) {
    static char big[HEADERS_SIZE_MAX + 1];
    memset(big, 'x', sizeof big);
    struct headers h = {0};
    struct http_bytes value = {big, HEADERS_SIZE_MAX - 5};
    ck_assert_int_eq(headers_add(&h, bytes_of("A"), value), 0);
    ck_assert_uint_eq(headers_text(&h).len, HEADERS_SIZE_MAX);
    ck_assert_int_eq(add(&h, "B", ""), -EMSGSIZE);
    value.len = sizeof big;
    ck_assert_int_eq(headers_add(&h, bytes_of("A"), value), -EMSGSIZE);
    ck_assert_uint_eq(headers_text(&h).len, HEADERS_SIZE_MAX);
    headers_fini(&h);
}
END_TEST

// Without memory the list stays as it was, and nothing leaks.
START_TEST(headers_survive_no_memory) {
    struct headers h = {0};
    mem_fail_nth(1, 0);
    ck_assert_int_eq(add(&h, "A", "1"), -ENOMEM);
    text_is(&h, "");
    ck_assert_int_eq(add(&h, "A", "1"), 0);
    char value[300];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    mem_fail_nth(1, 0);
    ck_assert_int_eq(set(&h, "A", value), -ENOMEM);
    text_is(&h, "A: 1\r\n");
    headers_fini(&h);
    ck_assert_int_eq(mem_live(), 0);
}
END_TEST

// What the list sends must be what our own parser reads.
START_TEST(headers_are_read_back) {
    struct headers h = {0};
    ck_assert_int_eq(add(&h, "Host", "a:80"), 0);
    ck_assert_int_eq(add(&h, "X", "  b\tc  "), 0);
    ck_assert_int_eq(add(&h, "Y", ""), 0);
    char buf[256];
    struct http_bytes text = headers_text(&h);
    int len = snprintf(buf, sizeof buf, "GET / HTTP/1.1\r\n%.*s\r\n", (int)text.len, text.data);
    struct http_field fields[8];
    struct http_head head;
    parse_request_init(&head, fields, 8);
    ck_assert_int_eq(parse_head(&head, buf, (size_t)len), len);
    size_t cursor = 0;
    struct http_bytes name;
    struct http_bytes value;
    for (size_t i = 0; i < 3; i++) {
        ck_assert(headers_next(&h, &cursor, &name, &value));
        ck_assert(chars_equal_nocase(name, parse_span(buf, fields[i].name)));
        ck_assert_uint_eq(value.len, fields[i].value.len);
        ck_assert(value.len == 0 || !memcmp(value.data, buf + fields[i].value.offset, value.len));
    }
    ck_assert(!headers_next(&h, &cursor, &name, &value));
    headers_fini(&h);
}
END_TEST

FIXTURE_MAIN("http/headers", headers_add_keeps_order, headers_set_replaces_all,
             headers_get_finds_the_first, headers_refuse_injection, headers_are_limited,
             headers_survive_no_memory, headers_are_read_back)
