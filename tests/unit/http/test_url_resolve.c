// SPDX-License-Identifier: MIT
/* test_url_resolve.c – references against the examples of RFC 3986 §5.4, and some of our own.
 *
 * Holds      the tests.
 * Invariant  the tables are the RFC's, in its order.
 * Called by  the test runner.
 * Why        a redirect that is resolved in another way ends on another resource, or host.
 */
#include "fixtures/fixture.h"

#include <errno.h>
#include <string.h>

#include "http/url.h"

struct example {
    const char *reference;
    const char *result;
};

/* Fails unless `reference` at `base` is `result`. */
static void resolves(const char *base, const char *reference, const char *result) {
    char buf[256];
    ssize_t len = url_resolve(bytes_of(base), bytes_of(reference), buf, sizeof buf);
    ck_assert_msg(len == (ssize_t)strlen(result) && memcmp(buf, result, (size_t)len) == 0,
                  "%s at %s: %.*s", reference, base, len < 0 ? 0 : (int)len, buf);
}

static const struct example normal[] = {
    {"g:h", "g:h"},
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g"},
    {"?y", "http://a/b/c/d;p?y"},
    {"g?y", "http://a/b/c/g?y"},
    {"#s", "http://a/b/c/d;p?q#s"},
    {"g#s", "http://a/b/c/g#s"},
    {"g?y#s", "http://a/b/c/g?y#s"},
    {";x", "http://a/b/c/;x"},
    {"g;x", "http://a/b/c/g;x"},
    {"g;x?y#s", "http://a/b/c/g;x?y#s"},
    {"", "http://a/b/c/d;p?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../", "http://a/"},
    {"../../g", "http://a/g"},
};

static const struct example abnormal[] = {
    {"../../../g", "http://a/g"},
    {"../../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {".g", "http://a/b/c/.g"},
    {"g..", "http://a/b/c/g.."},
    {"..g", "http://a/b/c/..g"},
    {"./../g", "http://a/b/g"},
    {"./g/.", "http://a/b/c/g/"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
    {"g;x=1/../y", "http://a/b/c/y"},
    {"g?y/./x", "http://a/b/c/g?y/./x"},
    {"g?y/../x", "http://a/b/c/g?y/../x"},
    {"g#s/./x", "http://a/b/c/g#s/./x"},
    {"g#s/../x", "http://a/b/c/g#s/../x"},
    {"http:g", "http:g"},
};

// RFC 3986 §5.4.1.
START_TEST(resolve_normal_examples) {
    for (size_t i = 0; i < sizeof normal / sizeof normal[0]; i++) {
        resolves("http://a/b/c/d;p?q", normal[i].reference, normal[i].result);
    }
}
END_TEST

// RFC 3986 §5.4.2.
START_TEST(resolve_abnormal_examples) {
    for (size_t i = 0; i < sizeof abnormal / sizeof abnormal[0]; i++) {
        resolves("http://a/b/c/d;p?q", abnormal[i].reference, abnormal[i].result);
    }
}
END_TEST

// Bases without a path, empty queries, ports, and references that look like another part.
START_TEST(resolve_edges) {
    resolves("http://a", "g", "http://a/g");
    resolves("http://a", "?y", "http://a?y");
    resolves("http://a?q", "", "http://a?q");
    resolves("http://a?q", "?", "http://a?");
    resolves("http://a:1/b", "//c:2/../d", "http://c:2/d");
    resolves("https://a/b", "http://c", "http://c");
    resolves("http://a/b", "HTTP://c/./d/..", "HTTP://c/");
    resolves("http://a/b/c", "./d:e", "http://a/b/d:e");
    resolves("http://a/b/c", "1d:e", "http://a/b/1d:e");
    resolves("http://a/b#f", "", "http://a/b");
    resolves("http://a//b//c", "../d", "http://a//b/d");
    resolves("http://a/b", "////c", "http:////c");
    resolves("x:a/b", "../../c", "x:/c");
    resolves("http://a/b", "x:../c", "x:c");
    resolves("http://a/b", "x:./c", "x:c");
    resolves("http://a/b", "x:..", "x:");
    resolves("http://a/b", "x:.", "x:");
    resolves("http://a/b/c", ":d", "http://a/b/:d");
    resolves("http://a/b/c", "-:d", "http://a/b/-:d");
    resolves("http://a/b/c", "d_:e", "http://a/b/d_:e");
}
END_TEST

// Without its dots such a path would turn into a host that the reference did not name.
START_TEST(resolve_makes_no_authority_of_a_path) {
    char buf[64];
    ck_assert_int_eq(url_resolve(bytes_of("http://a/b"), bytes_of("http:/.//c"), buf, sizeof buf),
                     -EINVAL);
    ck_assert_int_eq(url_resolve(bytes_of("http://a/b"), bytes_of("x:/y/..//c"), buf, sizeof buf),
                     -EINVAL);
    resolves("http://a/b", "/.//c", "http://a//c");
}
END_TEST

// A buffer that is too small is an error, never a shorter URL.
START_TEST(resolve_keeps_to_the_buffer) {
    char buf[32];
    const char *result = "http://a/b/g?y#s";
    for (size_t cap = 0; cap < strlen(result); cap++) {
        memset(buf, '#', sizeof buf);
        ck_assert_int_eq(url_resolve(bytes_of("http://a/b/c"), bytes_of("g?y#s"), buf, cap),
                         -EMSGSIZE);
        ck_assert_int_eq(buf[cap], '#');
    }
    ck_assert_int_eq(url_resolve(bytes_of("a/b"), bytes_of("c"), buf, sizeof buf), -EINVAL);
    ck_assert_int_eq(url_resolve(bytes_of(""), bytes_of("c"), buf, sizeof buf), -EINVAL);
}
END_TEST

FIXTURE_MAIN("http/url_resolve", resolve_normal_examples, resolve_abnormal_examples, resolve_edges,
             resolve_makes_no_authority_of_a_path, resolve_keeps_to_the_buffer)
