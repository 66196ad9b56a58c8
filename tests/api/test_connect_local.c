// SPDX-License-Identifier: MIT
/* test_connect_local.c – connecting to this machine by its names.
 *
 * Holds      a resolver of its own, that counts who asks and knows no name.
 * Invariant  each test sees its lookup threads end before it ends.
 * Called by  ctest, on epoll and without a loop.
 * Why        RFC 6761: "localhost" and what is below it is nobody else's business.
 */
// Backends: epoll blocking
#define FIXTURE_LIMIT 20
#include "fixtures/refuse.h"

#include "api/connect_steps.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int asked; // how often the resolver was called

/* Instead of the C library's. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out_all) {
    (void)name;
    (void)service;
    (void)hints;
    (void)out_all;
    atomic_fetch_add(&asked, 1);
    return EAI_NONAME;
}

static jg_listener *listen_at_ipv6(void) {
    jg_listener *listener = NULL;
    int rc = jg_tcp_listen("::1", 0, &listener);
    if (rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT) {
        fixture_skip("this machine has no ::1");
    }
    ck_assert_int_eq(rc, 0);
    return listener;
}

/* Binds a port (0: any) of a loopback without listening: who connects there is refused, and nobody else on
 * this machine can have it. Returns -1 when somebody has. */
static int hold_port(const char *host, int port) {
    jg_address address;
    ck_assert_int_eq(jg_address_make(host, port, &address), 0);
    const struct sockaddr *where = (const struct sockaddr *)(const void *)&address;
    int fd = socket(where->sa_family, SOCK_STREAM, 0);
    if (bind(fd, where, sizeof(address)) != 0) {
        ck_assert_int_eq(errno, EADDRINUSE);
        close(fd);
        return -1;
    }
    return fd;
}

static int port_of(int fd) {
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)(void *)&address, &size), 0);
    return ntohs(address.sin_port);
}

/* A listener at ::1 whose port is held at 127.0.0.1. */
static jg_listener *listen_at_ipv6_alone(int *out_held) {
    for (;;) {
        jg_listener *listener = listen_at_ipv6();
        *out_held = hold_port("127.0.0.1", jg_listener_port(listener));
        if (*out_held >= 0) {
            return listener;
        }
        jg_listener_close(listener);
    }
}

/* Holds one port at both. */
static int hold_both(int out_held[2]) {
    for (;;) {
        out_held[0] = hold_port("127.0.0.1", 0);
        out_held[1] = hold_port("::1", port_of(out_held[0]));
        if (out_held[1] >= 0) {
            return port_of(out_held[0]);
        }
        close(out_held[0]);
    }
}

static const char *const own_names[] = {NULL, "localhost", "LocalHost.", "a.b.localhost",
                                        "a.LOCALHOST."};

static intptr_t local_ipv6(void *arg) {
    (void)arg;
    char expected[200];
    int held[2];
    jg_stream *stream = NULL;
    jg_listener *listener = listen_at_ipv6_alone(held);
    int port = jg_listener_port(listener);
    for (size_t i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++) {
        ck_assert_int_eq(jg_tcp_connect(own_names[i], port, &stream), 0);
        jg_stream_close(stream);
    }
    jg_listener_close(listener);
    close(held[0]);
    port = hold_both(held);
    ck_assert_int_eq(jg_tcp_connect("localhost", port, &stream), -ECONNREFUSED);
    snprintf(expected, sizeof(expected),
             "cannot connect to localhost port %d: 127.0.0.1:%d (Connection refused), "
             "[::1]:%d (Connection refused)",
             port, port, port);
    ck_assert_str_eq(jg_error_last()->text, expected);
    ck_assert_int_eq(atomic_load(&asked), 0);
    close(held[0]);
    close(held[1]);
    return 0;
}

// "localhost" would mean 127.0.0.1 alone.
START_TEST(localhost_is_both_loopbacks) {
    run_once(local_ipv6, NULL);
}
END_TEST

static intptr_t near_names(void *arg) {
    static const char *const others[] = {"localhosts", "alocalhost", "localhost.example",
                                         ".localhost", "localhost.."};
    const int count = sizeof(others) / sizeof(others[0]);
    jg_address found[4];
    jg_stream *stream = NULL;
    (void)arg;
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(jg_tcp_connect(others[i], 80, &stream), -ENOENT);
        ck_assert_int_eq(atomic_load(&asked), i + 1);
    }
    ck_assert_int_eq(jg_tcp_connect("not a name.localhost", 80, &stream), -EINVAL);
    for (size_t i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++) {
        ck_assert_int_eq(jg_resolve(own_names[i], 80, found, 4), 2);
        ck_assert_int_eq(jg_resolve(own_names[i], 80, found, 1), 1);
    }
    ck_assert_int_eq(atomic_load(&asked), count);
    return 0;
}

// RFC 6761. A resolver would be asked for this machine's names, or another's name be taken for one.
START_TEST(localhost_asks_no_resolver) {
    run_once(near_names, NULL);
}
END_TEST

static intptr_t around_a_dead_loopback(void *arg) {
    struct dead_end end;
    (void)arg;
    open_dead_end(&end, listen_at_ipv6, "127.0.0.1");
    check_way_around(&end, "localhost");
    close_dead_end(&end);
    return 0;
}

// A firewall on one loopback address would cost who asks for "localhost" the whole deadline.
START_TEST(r25_dead_loopback_is_got_around) {
    run_once(around_a_dead_loopback, NULL);
}
END_TEST

static intptr_t one_without_descriptor(void *arg) {
    const struct refused no_ipv4 = {
        .call = SYS_socket, .error = EMFILE, .minds = true, .value = AF_INET};
    int held[2];
    jg_stream *stream = NULL;
    (void)arg;
    jg_listener_close(listen_at_ipv6()); // skips the test without one
    int port = hold_both(held);
    refuse_with(&no_ipv4);
    ck_assert_int_eq(jg_tcp_connect("localhost", port, &stream), -EMFILE);
    ck_assert_ptr_nonnull(strstr(jg_error_last()->text, "(Too many open files), "));
    ck_assert_ptr_nonnull(strstr(jg_error_last()->text, "(Connection refused)"));
    close(held[0]);
    close(held[1]);
    return 0;
}

// Whoever is short of descriptors would be told that nobody listens, and not try again.
START_TEST(r25_shortage_comes_before_a_refusal) {
    run_once(one_without_descriptor, NULL);
}
END_TEST

FIXTURE_MAIN("api/connect_local", localhost_is_both_loopbacks, localhost_asks_no_resolver,
             r25_dead_loopback_is_got_around, r25_shortage_comes_before_a_refusal)
