// SPDX-License-Identifier: MIT
/* test_url.c – URLs taken apart for programs.
 *
 * Holds      nothing.
 * Invariant  none.
 * Called by  ctest.
 * Why        what is refused, and why, is tested beside url.c; here it is what comes out.
 */
// Backends: blocking
#include "api/api.h"

#include <juggle/url.h>

#include <stdio.h>

static void check_parts(const char *text, const char *host, unsigned port, const char *authority,
                        const char *path, const char *query) {
    jg_url url;
    ck_assert_int_eq(jg_url_parse(text, &url, NULL), 0);
    ck_assert_str_eq(url.host, host);
    ck_assert_uint_eq(url.port, port);
    ck_assert_str_eq(url.authority, authority);
    ck_assert_uint_eq(url.path_size, strlen(path));
    ck_assert_mem_eq(url.path, path, url.path_size);
    ck_assert_uint_eq(url.query_size, strlen(query));
    ck_assert_msg(url.query_size == 0 || memcmp(url.query, query, url.query_size) == 0, "%s", text);
}

// A part that is wrong makes a program ask, or trust, somebody else.
START_TEST(parts_come_out) {
    check_parts("http://127.0.0.1:8080/a?b=c#d", "127.0.0.1", 8080, "127.0.0.1:8080", "/a", "?b=c");
    check_parts("http://h?q", "h", 80, "h", "/", "?q");
    check_parts("https://h", "h", 443, "h", "/", "");
    check_parts("http://[::1]:81/", "::1", 81, "[::1]:81", "/", "");
    check_parts("http://[fe80::1%25eth0]:81/", "fe80::1%eth0", 81, "[fe80::1]:81", "/", "");
    check_parts("http+unix://%2Frun%2Fa%20b/x", "/run/a b", 0, "localhost", "/x", "");
}
END_TEST

// The longest host, and the longest path of a socket, fit; one byte more is refused.
START_TEST(the_longest_fit) {
    char text[512] = "http://";
    jg_url url;
    const char *reason = NULL;
    for (int i = 0; i < 253; i++) {
        strcat(text, i % 50 == 49 ? "." : "a");
    }
    strcat(text, ":65535");
    ck_assert_int_eq(jg_url_parse(text, &url, &reason), 0);
    ck_assert_uint_eq(strlen(url.host), 253);
    ck_assert_uint_eq(strlen(url.authority), 259);
    memmove(text + 8, text + 7, strlen(text + 7) + 1);
    ck_assert_int_eq(jg_url_parse(text, &url, &reason), -EINVAL);
    ck_assert_str_eq(reason, "host too long");
    snprintf(text, sizeof(text), "http+unix://%%2F%0*d/", 106, 0);
    ck_assert_int_eq(jg_url_parse(text, &url, &reason), 0);
    ck_assert_uint_eq(strlen(url.host), 107);
    snprintf(text, sizeof(text), "http+unix://%%2F%0*d/", 107, 0);
    ck_assert_int_eq(jg_url_parse(text, &url, &reason), -EINVAL);
}
END_TEST

// A refusal without a word, or one that changes its output, leaves the user guessing.
START_TEST(refusals_have_a_reason) {
    jg_url url = {.port = 7};
    const char *reason = NULL;
    ck_assert_int_eq(jg_url_parse("http://h:65536/", &url, &reason), -EINVAL);
    ck_assert_str_eq(reason, "port out of range (1-65535)");
    ck_assert_int_eq(jg_url_parse("", &url, NULL), -EINVAL);
    ck_assert_uint_eq(url.port, 7);
}
END_TEST

FIXTURE_MAIN("api/url", parts_come_out, the_longest_fit, refusals_have_a_reason)
