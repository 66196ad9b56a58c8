// SPDX-License-Identifier: MIT
/* test_url.c – URLs: the good, and the ones that two programs read in two ways.
 *
 * Holds      the tests.
 * Invariant  every refused URL has its own reason; `out` stays untouched.
 * Called by  the test runner.
 * Why        the host that is checked must be the host that is connected to (RELIABILITY.md R38).
 */
#include "fixtures/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "http/url.h"

#define HOST63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HOST253                                                                                    \
    HOST63 "." HOST63 "." HOST63 "."                                                               \
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* A URL and what it comes to. */
struct good {
    const char *text;
    const char *host;   /* as url_host_write() gives it */
    const char *target; /* as url_target_write() gives it */
    uint16_t port;
    enum url_host_kind kind;
};

static const struct good good_urls[] = {
    {"http://a", "a", "/", 80, URL_HOST_NAME},
    {"http://a/", "a", "/", 80, URL_HOST_NAME},
    {"HTTP://A.Example/X", "A.Example", "/X", 80, URL_HOST_NAME},
    {"https://a", "a", "/", 443, URL_HOST_NAME},
    {"https://a:80", "a:80", "/", 80, URL_HOST_NAME},
    {"http://a:80/b", "a", "/b", 80, URL_HOST_NAME},
    {"http://a:65535/", "a:65535", "/", 65535, URL_HOST_NAME},
    {"http://a:1/", "a:1", "/", 1, URL_HOST_NAME},
    {"http://a:0080/", "a", "/", 80, URL_HOST_NAME},
    {"http://a?b=c", "a", "/?b=c", 80, URL_HOST_NAME},
    {"http://a?b?c/d", "a", "/?b?c/d", 80, URL_HOST_NAME},
    {"http://a#f", "a", "/", 80, URL_HOST_NAME},
    {"http://a/b?c#d/e?f", "a", "/b?c", 80, URL_HOST_NAME},
    {"http://a/b?", "a", "/b?", 80, URL_HOST_NAME},
    {"http://a//b/../c/./", "a", "//b/../c/./", 80, URL_HOST_NAME},
    {"http://a/%20%2f%00", "a", "/%20%2f%00", 80, URL_HOST_NAME},
    {"http://a/b:c@d;e=f", "a", "/b:c@d;e=f", 80, URL_HOST_NAME},
    {"http://a/{x}|[y]^`", "a", "/{x}|[y]^`", 80, URL_HOST_NAME},
    {"http://a.b-c_d~e/", "a.b-c_d~e", "/", 80, URL_HOST_NAME},
    {"http://xn--bcher-kva.example/", "xn--bcher-kva.example", "/", 80, URL_HOST_NAME},
    {"http://a./", "a.", "/", 80, URL_HOST_NAME},
    {"http://1a/", "1a", "/", 80, URL_HOST_NAME},
    {"http://0xg/", "0xg", "/", 80, URL_HOST_NAME},
    {"http://1.2.3.4.a/", "1.2.3.4.a", "/", 80, URL_HOST_NAME},
    {"http://127.0.0.1:8080/x", "127.0.0.1:8080", "/x", 8080, URL_HOST_IPV4},
    {"http://[::1]", "[::1]", "/", 80, URL_HOST_IPV6},
    {"http://[2001:DB8::1]:81/?x", "[2001:DB8::1]:81", "/?x", 81, URL_HOST_IPV6},
    {"http://[::ffff:1.2.3.4]/", "[::ffff:1.2.3.4]", "/", 80, URL_HOST_IPV6},
    {"http://[fe80::1%25eth0]:81/", "[fe80::1]:81", "/", 81, URL_HOST_IPV6},
    {"http://[FEBF::1%25fifteen-letters]/", "[FEBF::1]", "/", 80, URL_HOST_IPV6},
    {"http://" HOST253 "/", HOST253, "/", 80, URL_HOST_NAME},
    {"http+unix://%2Ftmp%2Fs.sock/x?y", "localhost", "/x?y", 0, URL_HOST_SOCKET},
    {"http+unix://s.sock", "localhost", "/", 0, URL_HOST_SOCKET},
    {"HTTP+UNIX://%40abstract/", "localhost", "/", 0, URL_HOST_SOCKET},
};

// What people write must work, and come out as they wrote it.
START_TEST(url_good_ones_are_taken_apart) {
    for (size_t i = 0; i < sizeof good_urls / sizeof good_urls[0]; i++) {
        const struct good *g = &good_urls[i];
        struct url url;
        enum url_error error;
        char buf[512];
        int rc = url_parse(&url, bytes_of(g->text), &error);
        ck_assert_msg(rc == 0, "%s: %s", g->text, url_error_text(error));
        ck_assert_int_eq(error, URL_ERROR_NONE);
        ck_assert_msg(url.port == g->port, "%s: port %d", g->text, url.port);
        ck_assert_msg(url.host_kind == g->kind, "%s: kind %d", g->text, (int)url.host_kind);
        ssize_t len = url_host_write(&url, buf, sizeof buf);
        ck_assert_msg(len == (ssize_t)strlen(g->host) && !memcmp(buf, g->host, (size_t)len),
                      "%s: host %.*s", g->text, (int)len, buf);
        len = url_target_write(&url, buf, sizeof buf);
        ck_assert_msg(len == (ssize_t)strlen(g->target) && !memcmp(buf, g->target, (size_t)len),
                      "%s: target %.*s", g->text, (int)len, buf);
    }
}
END_TEST

/* A URL and why it is refused. */
struct hostile {
    const char *text;
    enum url_error error;
};

static const struct hostile hostile_urls[] = {
    {"", URL_ERROR_EMPTY},
    {" http://a/", URL_ERROR_SPACE},
    {"http://a/ ", URL_ERROR_SPACE},
    {"http://a b/", URL_ERROR_SPACE},
    {"http://a/b c", URL_ERROR_SPACE},
    {"http://a/\r\nX: y", URL_ERROR_CONTROL},
    {"http://a\n/", URL_ERROR_CONTROL},
    {"ht\ttp://a/", URL_ERROR_CONTROL},
    {"http://a/\x7f", URL_ERROR_CONTROL},
    {"http://a/\x01", URL_ERROR_CONTROL},
    {"http://b\xc3\xbc"
     "cher/",
     URL_ERROR_NOT_ASCII},
    {"http://a/\xc3\xbc", URL_ERROR_NOT_ASCII},
    {"http://\xef\xbd\x81/", URL_ERROR_NOT_ASCII},
    {"http:\\\\a\\", URL_ERROR_BACKSLASH},
    {"http://a\\@b/", URL_ERROR_BACKSLASH},
    {"http://a/..\\b", URL_ERROR_BACKSLASH},
    {"http://a/\"", URL_ERROR_CHARACTER},
    {"http://a/<b>", URL_ERROR_CHARACTER},
    {"http://a/#b#c", URL_ERROR_CHARACTER},
    {"a", URL_ERROR_NO_SCHEME},
    {"a.example/b", URL_ERROR_NO_SCHEME},
    {"localhost:8080/", URL_ERROR_NO_SCHEME},
    {"127.0.0.1:8080", URL_ERROR_NO_SCHEME},
    {"//a/b", URL_ERROR_NO_SCHEME},
    {"/b", URL_ERROR_NO_SCHEME},
    {"://a/", URL_ERROR_NO_SCHEME},
    {"http", URL_ERROR_NO_SCHEME},
    {"http:", URL_ERROR_NO_SCHEME},
    {"http:a", URL_ERROR_NO_SCHEME},
    {"http:/a", URL_ERROR_NO_SCHEME},
    {"javascript:alert(1)", URL_ERROR_NO_SCHEME},
    {"file:///etc/passwd", URL_ERROR_SCHEME},
    {"ftp://a/", URL_ERROR_SCHEME},
    {"gopher://a/", URL_ERROR_SCHEME},
    {"httpx://a/", URL_ERROR_SCHEME},
    {"http+tcp://a/", URL_ERROR_SCHEME},
    {"1http://a/", URL_ERROR_SCHEME},
    {"http://", URL_ERROR_NO_HOST},
    {"http:///x", URL_ERROR_NO_HOST},
    {"http://?x", URL_ERROR_NO_HOST},
    {"http://#x", URL_ERROR_NO_HOST},
    {"http://:80/", URL_ERROR_NO_HOST},
    {"https:////a/", URL_ERROR_NO_HOST},
    {"http://a@b/", URL_ERROR_USERINFO},
    {"http://a:b@c/", URL_ERROR_USERINFO},
    {"http://@a/", URL_ERROR_USERINFO},
    {"http://good.example@evil.example/", URL_ERROR_USERINFO},
    {"http://a@b@c/", URL_ERROR_USERINFO},
    {"http://a:80@b:81/", URL_ERROR_USERINFO},
    {"http://good.example%2F@evil.example/", URL_ERROR_USERINFO},
    {"http://good.example%2F.evil.example/", URL_ERROR_HOST_PERCENT},
    {"http://%61/", URL_ERROR_HOST_PERCENT},
    {"http://a%00.b/", URL_ERROR_HOST_PERCENT},
    {"http://a%/", URL_ERROR_HOST_PERCENT},
    {"http://a,b/", URL_ERROR_HOST_CHARACTER},
    {"http://a;b/", URL_ERROR_HOST_CHARACTER},
    {"http://$(x)/", URL_ERROR_HOST_CHARACTER},
    {"http://a|b/", URL_ERROR_HOST_CHARACTER},
    {"http://a]/", URL_ERROR_HOST_CHARACTER},
    {"http://a[::1]/", URL_ERROR_HOST_CHARACTER},
    {"http://.a/", URL_ERROR_HOST_LABEL},
    {"http://a..b/", URL_ERROR_HOST_LABEL},
    {"http://./", URL_ERROR_HOST_LABEL},
    {"http://a../", URL_ERROR_HOST_LABEL},
    {"http://" HOST63 "a/", URL_ERROR_HOST_TOO_LONG},
    {"http://" HOST253 "a/", URL_ERROR_HOST_TOO_LONG},
    {"http://" HOST253 "." HOST63 "/", URL_ERROR_HOST_TOO_LONG},
    {"http://127.1/", URL_ERROR_IPV4},
    {"http://2130706433/", URL_ERROR_IPV4},
    {"http://0x7f000001/", URL_ERROR_IPV4},
    {"http://0x/", URL_ERROR_IPV4},
    {"http://0x7f.0.0.1/", URL_ERROR_IPV4},
    {"http://0177.0.0.1/", URL_ERROR_IPV4},
    {"http://127.0.0.01/", URL_ERROR_IPV4},
    {"http://127.0.0.256/", URL_ERROR_IPV4},
    {"http://1.2.3/", URL_ERROR_IPV4},
    {"http://1.2.3.4.5/", URL_ERROR_IPV4},
    {"http://127.0.0.1./", URL_ERROR_IPV4},
    {"http://a.1/", URL_ERROR_IPV4},
    {"http://a.0XfF/", URL_ERROR_IPV4},
    {"http://2001:db8::1/", URL_ERROR_IPV4},
    {"http://[]/", URL_ERROR_IPV6},
    {"http://[", URL_ERROR_IPV6},
    {"http://[::1/", URL_ERROR_IPV6},
    {"http://[:::1]/", URL_ERROR_IPV6},
    {"http://[::g]/", URL_ERROR_IPV6},
    {"http://[127.0.0.1]/", URL_ERROR_IPV6},
    {"http://[::1]x/", URL_ERROR_IPV6},
    {"http://[::1].a/", URL_ERROR_IPV6},
    {"http://[1:2:3:4:5:6:7:8:9]/", URL_ERROR_IPV6},
    {"http://[v1.a]/", URL_ERROR_IPV6},
    {"http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/", URL_ERROR_IPV6},
    {"http://[fe80::1%eth0]/", URL_ERROR_IPV6_ZONE},
    {"http://[fe80::1%]/", URL_ERROR_IPV6_ZONE},
    {"http://[fe80::1%2]/", URL_ERROR_IPV6_ZONE},
    {"http://[fe80::1%25]/", URL_ERROR_IPV6_ZONE},
    {"http://[fe80::1%25%65th0]/", URL_ERROR_IPV6_ZONE},
    {"http://[fe80::1%25eth0%25eth1]/", URL_ERROR_IPV6_ZONE},
    {"http://[fe80::1%25a/b]/", URL_ERROR_IPV6},
    {"http://[fe80::1%25a:b]/", URL_ERROR_IPV6_ZONE},
    {"http://[fe80::1%25sixteen-letters.]/", URL_ERROR_IPV6_ZONE},
    {"http://[2001:db8::1%25eth0]/", URL_ERROR_IPV6_ZONE},
    {"http://[fe80::g%25eth0]/", URL_ERROR_IPV6},
    {"http://[%25eth0]/", URL_ERROR_IPV6},
    {"http://127.0.0.1%25eth0/", URL_ERROR_HOST_PERCENT},
    {"http://::1/", URL_ERROR_NO_HOST},
    {"http://fe80::1/", URL_ERROR_PORT},
    {"http://a:/", URL_ERROR_PORT},
    {"http://a:b/", URL_ERROR_PORT},
    {"http://a:80:81/", URL_ERROR_PORT},
    {"http://a:+80/", URL_ERROR_PORT},
    {"http://a:-1/", URL_ERROR_PORT},
    {"http://a:8_0/", URL_ERROR_PORT},
    {"http://a:0x50/", URL_ERROR_PORT},
    {"http://[::1]:/", URL_ERROR_PORT},
    {"http://a:0/", URL_ERROR_PORT_RANGE},
    {"http://a:65536/", URL_ERROR_PORT_RANGE},
    {"http://a:99999999999999999999999/", URL_ERROR_PORT_RANGE},
    {"http://a:4294967376/", URL_ERROR_PORT_RANGE},
    {"http://a/%", URL_ERROR_PERCENT},
    {"http://a/%4", URL_ERROR_PERCENT},
    {"http://a/%zz", URL_ERROR_PERCENT},
    {"http://a/?%u0041", URL_ERROR_PERCENT},
    {"http+unix://", URL_ERROR_SOCKET_PATH},
    {"http+unix:///tmp/s.sock", URL_ERROR_SOCKET_PATH},
    {"http+unix://%2Ftmp%00x/", URL_ERROR_SOCKET_PATH},
    {"http+unix://%2Ftmp:80/", URL_ERROR_SOCKET_PATH},
    {"http+unix://%2Gtmp/", URL_ERROR_PERCENT},
    {"http+unix://a@%2Ftmp/", URL_ERROR_USERINFO},
    {"http+unix://" HOST63 HOST63 "/", URL_ERROR_SOCKET_PATH},
};

// Each of these has fooled a program; the reason is what the user reads.
START_TEST(r38_url_hostile_ones_are_refused) {
    const size_t count = sizeof hostile_urls / sizeof hostile_urls[0];
    ck_assert_uint_ge(count, 60);
    for (size_t i = 0; i < count; i++) {
        struct url url;
        struct url before;
        memset(&url, 0x5a, sizeof url);
        memset(&before, 0x5a, sizeof before);
        enum url_error error;
        int rc = url_parse(&url, bytes_of(hostile_urls[i].text), &error);
        ck_assert_msg(rc == -EINVAL && error == hostile_urls[i].error, "%s: %s",
                      hostile_urls[i].text, url_error_text(error));
        ck_assert_mem_eq(&url, &before, sizeof url);
    }
}
END_TEST

// NUL cannot be written in a C string, so it is tested apart; so is the length.
START_TEST(url_bytes_are_counted) {
    struct url url;
    enum url_error error;
    ck_assert_int_eq(url_parse(&url, (struct http_bytes){"http://a\0.b/", 12}, &error), -EINVAL);
    ck_assert_int_eq(error, URL_ERROR_CONTROL);
    static char text[URL_MAX + 1];
    memset(text, 'x', sizeof text);
    memcpy(text, "http://a/", 9);
    ck_assert_int_eq(url_parse(&url, (struct http_bytes){text, URL_MAX}, NULL), 0);
    ck_assert_int_eq(url_parse(&url, (struct http_bytes){text, URL_MAX + 1}, &error), -EINVAL);
    ck_assert_int_eq(error, URL_ERROR_TOO_LONG);
    ck_assert_int_eq(url_parse(&url, (struct http_bytes){text, URL_MAX + 1}, NULL), -EINVAL);
}
END_TEST

// The one line that the command prints.
START_TEST(url_errors_have_texts) {
    for (unsigned i = 0; i < URL_ERROR_COUNT; i++) {
        ck_assert_ptr_nonnull(url_error_text((enum url_error)i));
    }
    ck_assert_str_eq(url_error_text(URL_ERROR_PORT_RANGE), "port out of range (1-65535)");
}
END_TEST

// The path that is connected to is the decoded one.
START_TEST(url_socket_path_is_decoded) {
    struct url url;
    char buf[URL_SOCKET_MAX + 1];
    ck_assert_int_eq(url_parse(&url, bytes_of("http+unix://%2Ftmp%2fs%25.sock/x"), NULL), 0);
    ck_assert_int_eq(url_socket_write(&url, buf, sizeof buf), 12);
    ck_assert_str_eq(buf, "/tmp/s%.sock");
    ck_assert_int_eq(url_socket_write(&url, buf, 13), 12);
    ck_assert_int_eq(url_socket_write(&url, buf, 12), -EMSGSIZE);
    ck_assert_int_eq(url_socket_write(&url, buf, 0), -EMSGSIZE);

    char text[256];
    int len = snprintf(text, sizeof text, "http+unix://%0*d/", URL_SOCKET_MAX, 0);
    ck_assert_int_eq(url_parse(&url, (struct http_bytes){text, (size_t)len}, NULL), 0);
    ck_assert_int_eq(url_socket_write(&url, buf, sizeof buf), URL_SOCKET_MAX);
    len = snprintf(text, sizeof text, "http+unix://%0*d/", URL_SOCKET_MAX + 1, 0);
    ck_assert_int_eq(url_parse(&url, (struct http_bytes){text, (size_t)len}, NULL), -EINVAL);
}
END_TEST

// Writers must say when they did not write all, and stay inside their buffer.
START_TEST(url_writers_keep_to_the_buffer) {
    struct url url;
    char buf[16];
    ck_assert_int_eq(url_parse(&url, bytes_of("http://[::1]:8080/ab?c"), NULL), 0);
    for (size_t cap = 0; cap < 10; cap++) {
        memset(buf, '#', sizeof buf);
        ck_assert_int_eq(url_host_write(&url, buf, cap), -EMSGSIZE);
        ck_assert_int_eq(buf[cap], '#');
    }
    ck_assert_int_eq(url_host_write(&url, buf, 10), 10);
    ck_assert_mem_eq(buf, "[::1]:8080", 10);
    ck_assert_int_eq(url_target_write(&url, buf, 4), -EMSGSIZE);
    ck_assert_int_eq(url_target_write(&url, buf, 5), 5);
    ck_assert_mem_eq(buf, "/ab?c", 5);
}
END_TEST

// Credentials go where this says yes (RELIABILITY.md B26).
START_TEST(url_origin_is_scheme_host_port) {
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } rows[] = {
        {"http://a/", "http://A:80/x?y", true},
        {"https://a/", "https://a:443/", true},
        {"http://a/", "https://a/", false},
        {"http://a/", "http://a:81/", false},
        {"http://a/", "http://b/", false},
        {"http://a/", "http://a./", false},
        {"http://a:443/", "https://a/", false},
        {"http://[fe80::1%25eth0]/", "http://[FE80::1%25eth0]:80/x", true},
        {"http://[fe80::1%25eth0]/", "http://[fe80::1%25ETH0]/", false},
        {"http://[fe80::1%25eth0]/", "http://[fe80::1]/", false},
        {"http+unix://%2Fa/", "http+unix://%2Fa/b", true},
        {"http+unix://%2Fa/", "http+unix://%2Fb/", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct url a;
        struct url b;
        ck_assert_int_eq(url_parse(&a, bytes_of(rows[i].a), NULL), 0);
        ck_assert_int_eq(url_parse(&b, bytes_of(rows[i].b), NULL), 0);
        ck_assert_msg(url_same_origin(&a, &b) == rows[i].same, "%s %s", rows[i].a, rows[i].b);
    }
}
END_TEST

// Host fields and CONNECT targets follow the same rules.
START_TEST(url_authority_is_checked) {
    ck_assert_int_eq(url_authority_check(bytes_of(""), false, NULL), 0);
    ck_assert_int_eq(url_authority_check(bytes_of("a:"), false, NULL), 0);
    ck_assert_int_eq(url_authority_check(bytes_of("[::1]"), false, NULL), 0);
    ck_assert_int_eq(url_authority_check(bytes_of("a:1"), true, NULL), 0);
    enum url_error error;
    ck_assert_int_eq(url_authority_check(bytes_of("a"), true, &error), -EINVAL);
    ck_assert_int_eq(error, URL_ERROR_PORT);
    ck_assert_int_eq(url_authority_check(bytes_of(""), true, &error), -EINVAL);
    ck_assert_int_eq(error, URL_ERROR_NO_HOST);
    ck_assert_int_eq(url_authority_check(bytes_of("a/b"), false, &error), -EINVAL);
    ck_assert_int_eq(error, URL_ERROR_HOST_CHARACTER);
    ck_assert_int_eq(url_authority_check(bytes_of("u@a"), false, &error), -EINVAL);
    ck_assert_int_eq(url_authority_check(bytes_of("a:0"), false, &error), -EINVAL);
    ck_assert_int_eq(error, URL_ERROR_PORT_RANGE);
}
END_TEST

FIXTURE_MAIN("http/url", url_good_ones_are_taken_apart, r38_url_hostile_ones_are_refused,
             url_bytes_are_counted, url_errors_have_texts, url_socket_path_is_decoded,
             url_writers_keep_to_the_buffer, url_origin_is_scheme_host_port,
             url_authority_is_checked)
