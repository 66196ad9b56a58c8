// SPDX-License-Identifier: MIT
/* test_target.c – URLs split into parts, and whose machine they lead to.
 *
 * Holds      URLs, good and bad.
 * Invariant  none.
 * Called by  the test runner.
 * Why        a load sent to another machine by mistake is an attack.
 * Quirks     only numeric hosts and localhost are resolved: no name server is asked.
 */
#include "fixtures/fixture.h"

#include "cli/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static struct target target;
static char error[TARGET_ERROR_SIZE];

static void check_parts(const char *url, const char *host, unsigned port, const char *path) {
    ck_assert_msg(target_parse(url, &target, error) == 0, "%s: %s", url, error);
    ck_assert_str_eq(target.host, host);
    ck_assert_uint_eq(target.port, port);
    ck_assert_str_eq(target.path, path);
    ck_assert_ptr_eq(target.url, url);
}

// A part that is split wrongly sends the requests somewhere else.
START_TEST(urls_are_split) {
    check_parts("http://127.0.0.1:8080/stats?x=1#part", "127.0.0.1", 8080, "/stats?x=1");
    ck_assert_str_eq(target.authority, "127.0.0.1:8080");
    check_parts("http://localhost", "localhost", 80, "/");
    check_parts("http://[::1]:81/", "::1", 81, "/");
    ck_assert_str_eq(target.authority, "[::1]:81");
    check_parts("http://[::1]", "::1", 80, "/");
    check_parts("http://h?q", "h", 80, "/?q");
    check_parts("http://h#f", "h", 80, "/");
    check_parts("http+unix://%2Frun%2Fa%20b.sock/x", "/run/a b.sock", 0, "/x");
    const struct sockaddr_un *address = (const struct sockaddr_un *)&target.address;
    ck_assert_str_eq(address->sun_path, "/run/a b.sock");
    ck_assert(target.is_unix && target.is_local);
    ck_assert_str_eq(target.authority, "localhost");
}
END_TEST

// Each of these must be refused in one line, not taken for something near it.
START_TEST(bad_urls_are_refused) {
    static const char *const urls[] = {
        "ftp://h/",
        "https://h/",
        "http://",
        "http:///x",
        "http://:80/",
        "http://h:/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:8k/",
        "http://h:80x/",
        "http://h:-1/",
        "http://[::1/",
        "http://[::1]x/",
        "http://u@h/",
        "http://u:p@h/",
        "http://h/a b",
        "http://h/\n",
        "http://h\x7f/",
        "http://caf\xc3\xa9/",
        "http+unix:///x",
        "http+unix://%2/",
        "http+unix://%00a/",
        "http+unix://%zz/",
        "",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        error[0] = '\0';
        ck_assert_msg(target_parse(urls[i], &target, error) == -EINVAL, "%s", urls[i]);
        ck_assert_msg(strncmp(error, "URL: ", 5) == 0 && strchr(error, '\n') == NULL, "%s", error);
    }
}
END_TEST

// A URL longer than there is room for must be refused, never cut.
START_TEST(long_urls_are_refused) {
    char url[8192 + 2];
    memset(url, 'a', sizeof(url));
    memcpy(url, "http://h/", 9);
    url[sizeof(url) - 1] = '\0';
    ck_assert_int_eq(target_parse(url, &target, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "longer than 8192 bytes"));
    url[8192] = '\0';
    ck_assert_int_eq(target_parse(url, &target, error), 0);
    ck_assert_uint_eq(strlen(target.path), 8192 - 8);
    memcpy(url, "http://", 7);
    url[8] = 'a';
    url[400] = '\0';
    ck_assert_int_eq(target_parse(url, &target, error), -EINVAL);
    memcpy(url, "http+unix://", 12);
    url[140] = '\0';
    ck_assert_int_eq(target_parse(url, &target, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "bad socket path (as in http+unix://%2Ftmp%2Fname.sock/)"));
}
END_TEST

static bool is_local(const char *url) {
    ck_assert_int_eq(target_parse(url, &target, error), 0);
    ck_assert_msg(target_resolve(&target, error) == 0, "%s: %s", url, error);
    return target.is_local;
}

// Only the own machine may be loaded without being asked.
START_TEST(local_means_loopback) {
    ck_assert(is_local("http://127.0.0.1:8080/"));
    const struct sockaddr_in *address = (const struct sockaddr_in *)&target.address;
    ck_assert_int_eq(ntohs(address->sin_port), 8080);
    ck_assert(is_local("http://127.9.9.9/"));
    ck_assert(is_local("http://[::1]/"));
    ck_assert(is_local("http://[::ffff:127.0.0.1]/"));
    ck_assert(is_local("http+unix://%2Ftmp%2Fs/"));
    ck_assert(!is_local("http://192.0.2.1/"));
    ck_assert(!is_local("http://[2001:db8::1]/"));
    ck_assert(!is_local("http://[::ffff:192.0.2.1]/"));
    ck_assert(!is_local("http://0.0.0.0/"));
}
END_TEST

// A host that does not exist is one clear line.
START_TEST(unknown_hosts_are_named) {
    ck_assert_int_eq(target_parse("http://999.1.1.1.invalid/", &target, error), 0);
    ck_assert_int_eq(target_resolve(&target, error), -EHOSTUNREACH);
    ck_assert_msg(strncmp(error, "host 999.1.1.1.invalid: ", 24) == 0, "%s", error);
}
END_TEST

FIXTURE_MAIN("cli/target", urls_are_split, bad_urls_are_refused, long_urls_are_refused,
             local_means_loopback, unknown_hosts_are_named)
