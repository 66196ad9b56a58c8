// SPDX-License-Identifier: MIT
/* test_udp.c – datagrams and addresses.
 *
 * Holds      nothing between tests.
 * Invariant  the simulated network loses datagrams: whoever waits for one asks again.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a datagram arrives whole, once, or not at all, and every backend says the same of it.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/api.h"
#include "fixtures/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static jg_address loopback(int port) {
    jg_address address;
    ck_assert_int_eq(jg_address_make(NULL, port, &address), 0);
    return address;
}

static jg_udp *open_at(const jg_address *address) {
    jg_udp *udp = NULL;
    ck_assert_int_eq(jg_udp_open(address, NULL, &udp), 0);
    return udp;
}

static jg_udp *open_loopback(jg_address *out_address) {
    const jg_address any_port = loopback(0);
    jg_udp *udp = open_at(&any_port);
    ck_assert_int_eq(jg_udp_address(udp, out_address), 0);
    ck_assert_int_gt(jg_address_port(out_address), 0);
    return udp;
}

/* Sends until the receiver has one, as any may be lost. Returns its size, or an error. */
static ssize_t pass(jg_udp *from, const jg_address *to, const void *bytes, size_t size, jg_udp *at,
                    void *buf, size_t cap, jg_address *out_from, bool *out_truncated) {
    ssize_t got = -ETIMEDOUT;
    for (int tries = 0; tries < 50 && got == -ETIMEDOUT; tries++) {
        ssize_t put = jg_udp_send(from, to, bytes, size);
        if (put < 0) {
            return put;
        }
        ck_assert_int_eq(put, (ssize_t)size);
        JG_TIMEOUT(200, got) {
            got = jg_udp_recv(at, buf, cap, out_from, out_truncated);
        }
    }
    return got;
}

// Addresses.

static void expect_text(const char *text, const char *expected, int port) {
    jg_address address;
    char out[JG_ADDRESS_TEXT];
    ck_assert_msg(jg_address_parse(text, &address) == 0, "%s", text);
    ck_assert_int_eq(jg_address_format(&address, out, sizeof(out)), (int)strlen(expected));
    ck_assert_str_eq(out, expected);
    ck_assert_int_eq(jg_address_port(&address), port);
    jg_address again;
    ck_assert_int_eq(jg_address_parse(out, &again), 0);
    ck_assert(jg_address_equal(&address, &again));
}

// What one program prints another could not read.
START_TEST(addresses_are_read_and_written) {
    expect_text("127.0.0.1:80", "127.0.0.1:80", 80);
    expect_text("0.0.0.0:0", "0.0.0.0:0", 0);
    expect_text("255.255.255.255:65535", "255.255.255.255:65535", 65535);
    expect_text("localhost:53", "127.0.0.1:53", 53);
    expect_text("[::1]:80", "[::1]:80", 80);
    expect_text("[2001:DB8:0:0::7]:1", "[2001:db8::7]:1", 1);
    expect_text("[::ffff:1.2.3.4]:9", "[::ffff:1.2.3.4]:9", 9);
    expect_text("[FE80::1%lo]:9", "[fe80::1%lo]:9", 9);
    expect_text("[fe80::1%1]:9", "[fe80::1%lo]:9",
                9); // the first interface is the loopback everywhere
    expect_text("[ff02::1%4294967295]:9", "[ff02::1%4294967295]:9", 9);
    expect_text("[fe80::1]:9", "[fe80::1]:9", 9);
    static const char *const bad[] = {"",
                                      ":",
                                      ":80",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:65536",
                                      "::1:80",
                                      "[::1]",
                                      "[::1]80",
                                      "[127.0.0.1]:1",
                                      "127.0.0.1:1 ",
                                      "127.0.0.1:-1",
                                      "[::1%lo]:1",
                                      "[%lo]:1",
                                      "[fe80::1%]:1",
                                      "[fe80::1%lo%lo]:1x",
                                      "lo%lo:1",
                                      "1.2.3.4%lo:1",
                                      "[]:80",
                                      "[::1:80",
                                      "1.2.3.4:0x",
                                      "[::1]:",
                                      "a b:1",
                                      "1.2.3.4:99999999999"};
    jg_address address;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(jg_address_parse(bad[i], &address) == -EINVAL, "%s", bad[i]);
    }
    ck_assert_int_eq(jg_address_parse("example.com:80", &address), -ENOENT);
    char small[12];
    address = loopback(80);
    ck_assert_int_eq(jg_address_format(&address, small, sizeof(small)), -ENOSPC);
    const jg_address none = {{0}};
    ck_assert_int_eq(jg_address_format(&none, small, sizeof(small)), -EINVAL);
    ck_assert_int_eq(jg_address_port(&none), 0);
    ck_assert(jg_address_equal(&none, &none) && !jg_address_equal(&none, &address));
}
END_TEST

// A slip in an interface's name would be told as a slip in the address.
START_TEST(an_interface_that_is_not_there_is_named) {
    static const char *const hosts[] = {"fe80::1%nowhere", "fe80::1%4294967296",
                                        "fe80::1%0",       "fe80::1%1x",
                                        "fe80::1%lo%lo",   "fe80::1%a-name-too-long-for-one"};
    jg_address address;
    jg_stream *stream;
    jg_listener *listener;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        ck_assert_int_eq(jg_address_make(hosts[i], 80, &address), -ENODEV);
        ck_assert_ptr_nonnull(strstr(jg_error_detail(-ENODEV), hosts[i]));
        ck_assert_ptr_nonnull(strstr(jg_error_detail(-ENODEV), "no such interface"));
        ck_assert_int_eq(jg_resolve(hosts[i], 80, &address, 1), -ENODEV);
        ck_assert_int_eq(jg_tcp_listen(hosts[i], 80, &listener), -ENODEV);
        ck_assert_int_eq(jg_tcp_connect(hosts[i], 80, &stream), -ENODEV);
        ck_assert_ptr_nonnull(strstr(jg_error_detail(-ENODEV), hosts[i]));
    }
    rlim_t before = leave_descriptors(0);
    int by_name = jg_address_make("fe80::1%lo", 80, &address);
    int by_number = jg_address_make("fe80::1%1", 80, &address);
    set_descriptors(before);
    ck_assert_int_eq(by_name, -EMFILE);
    ck_assert_int_eq(by_number, 0);
    jg_error_clear();
}
END_TEST

static intptr_t resolve_body(void *arg) {
    jg_address found[4];
    (void)arg;
    ck_assert_int_eq(jg_resolve("10.1.2.3", 7, found, 4), 1);
    ck_assert_int_eq(jg_address_port(&found[0]), 7);
    ck_assert_int_ge(jg_resolve("localhost", 8, found, 4), 1);
    ck_assert_int_eq(jg_address_port(&found[0]), 8);
    ck_assert_int_eq(jg_resolve("no such name", 8, found, 4), -EINVAL);
    ck_assert_int_eq(jg_resolve("localhost", 70000, found, 4), -EINVAL);
    ck_assert_int_eq(jg_resolve("localhost", 8, found, 0), -EINVAL);
    if (on_backend("sim")) {
        ck_assert_int_eq(jg_resolve("server", 9, found, 4), 1);
        ck_assert_int_eq(jg_resolve("nobody.invalid", 9, found, 4), -ENOENT);
    }
    jg_error_clear();
    return 0;
}

// A name could not be turned into an address to send to.
START_TEST(hosts_are_looked_up) {
    run_once(resolve_body, NULL);
}
END_TEST

// Passing.

static void exchange(jg_address (*make)(int port)) {
    const jg_address any_port = make(0);
    jg_address address[2];
    jg_address from;
    bool truncated = true;
    char text[32];
    jg_udp *udp[2];
    for (int i = 0; i < 2; i++) {
        udp[i] = open_at(&any_port);
        ck_assert_int_eq(jg_udp_address(udp[i], &address[i]), 0);
    }
    ck_assert(!jg_address_equal(&address[0], &address[1]));
    for (int i = 0; i < 4; i++) {
        int to = i % 2;
        ck_assert_int_eq(pass(udp[1 - to], &address[to], "juggle", 6, udp[to], text, sizeof(text),
                              &from, &truncated),
                         6);
        ck_assert_int_eq(memcmp(text, "juggle", 6), 0);
        ck_assert(jg_address_equal(&from, &address[1 - to]));
        ck_assert(!truncated);
    }
    jg_udp_close(udp[0]);
    jg_udp_close(udp[1]);
}

static jg_address loopback6(int port) {
    jg_address address;
    ck_assert_int_eq(jg_address_make("::1", port, &address), 0);
    return address;
}

static intptr_t exchange_body(void *arg) {
    (void)arg;
    exchange(loopback);
    exchange(loopback6);
    return 0;
}

// A datagram would come with the wrong bytes, or from nobody in particular.
START_TEST(datagrams_tell_who_sent_them) {
    run_body(exchange_body);
}
END_TEST

static intptr_t sizes_body(void *arg) {
    jg_address address;
    jg_address from;
    char *large = calloc(1, 65508);
    char buf[10];
    bool truncated = false;
    (void)arg;
    jg_udp *receiver = open_loopback(&address);
    jg_udp *sender = open_at(NULL);
    ck_assert_int_eq(
        pass(sender, &address, "0123456789abc", 13, receiver, buf, 10, &from, &truncated), 10);
    ck_assert(truncated);
    ck_assert_int_eq(memcmp(buf, "0123456789", 10), 0);
    ck_assert_int_eq(pass(sender, &address, "", 0, receiver, buf, 10, NULL, &truncated), 0);
    ck_assert(!truncated);
    ck_assert_int_eq(pass(sender, &address, large, 65507, receiver, buf, 10, NULL, NULL), 10);
    ck_assert_int_eq(jg_udp_send(sender, &address, large, 65508), -EMSGSIZE);
    ck_assert_int_eq(jg_udp_send(sender, NULL, "x", 1), -EDESTADDRREQ);
    const jg_address none = {{0}};
    ck_assert_int_eq(jg_udp_send(sender, &none, "x", 1), -EINVAL);
    ck_assert_int_eq(jg_udp_connect(sender, &none), -EINVAL);
    jg_udp_close(sender);
    jg_udp_close(receiver);
    jg_udp_close(NULL);
    free(large);
    return 0;
}

// What was cut off would not be noticed, or an empty datagram be taken for an end.
START_TEST(sizes_are_minded) {
    run_body(sizes_body);
}
END_TEST

static intptr_t refused_body(void *arg) {
    jg_address nobody;
    char buf[8];
    (void)arg;
    jg_udp_close(open_loopback(&nobody)); // a port that was free a moment ago
    jg_udp *udp = open_at(NULL);
    ck_assert_int_eq(jg_udp_connect(udp, &nobody), 0);
    ck_assert_int_eq(pass(udp, NULL, "hello", 5, udp, buf, sizeof(buf), NULL, NULL), -ECONNREFUSED);
    intptr_t rc = 0;
    JG_TIMEOUT(20, rc) { // told once
        rc = jg_udp_recv(udp, buf, sizeof(buf), NULL, NULL);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    jg_udp_close(udp);
    return 0;
}

// A client whose server is down would wait for its whole time limit.
START_TEST(that_nobody_is_there_is_told) {
    run_body(refused_body);
}
END_TEST

static intptr_t connected_body(void *arg) {
    jg_address mine;
    jg_address friends;
    jg_address strangers;
    char buf[8];
    (void)arg;
    jg_udp *udp = open_loopback(&mine);
    jg_udp *friend = open_loopback(&friends);
    jg_udp *stranger = open_loopback(&strangers);
    ck_assert_int_eq(jg_udp_connect(udp, &friends), 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(jg_udp_send(stranger, &mine, "spam", 4), 4);
    }
    ck_assert_int_eq(pass(friend, &mine, "hi", 2, udp, buf, sizeof(buf), NULL, NULL), 2);
    ck_assert_int_eq(pass(udp, NULL, "back", 4, friend, buf, sizeof(buf), NULL, NULL), 4);
    jg_udp_close(udp);
    jg_udp_close(friend);
    jg_udp_close(stranger);
    return 0;
}

// A stranger's datagram would pass for the peer's.
START_TEST(a_connected_socket_hears_its_peer_alone) {
    run_body(connected_body);
}
END_TEST

static intptr_t addresses_body(void *arg) {
    jg_address taken;
    jg_udp *other = NULL;
    (void)arg;
    jg_udp *udp = open_loopback(&taken);
    ck_assert_int_eq(jg_udp_open(&taken, NULL, &other), -EADDRINUSE);
    ck_assert_ptr_null(other);
    jg_address far;
    ck_assert_int_eq(jg_address_parse("192.0.2.1:9", &far), 0);
    ck_assert_int_eq(jg_udp_open(&far, NULL, &other), -EADDRNOTAVAIL);
    const jg_address none = {{0}};
    ck_assert_int_eq(jg_udp_open(&none, NULL, &other), -EINVAL);
    jg_udp_close(udp);
    ck_assert_int_eq(jg_udp_open(&taken, NULL, &udp), 0); // free again
    jg_udp_close(udp);
    return 0;
}

// Two programs would get each other's datagrams.
START_TEST(an_address_is_taken_once) {
    run_body(addresses_body);
}
END_TEST

static intptr_t options_body(void *arg) {
    jg_address everybody;
    jg_address shared;
    jg_udp *udp;
    (void)arg;
    ck_assert_int_eq(jg_address_parse("255.255.255.255:9", &everybody), 0);
    udp = open_at(NULL);
    ck_assert_int_ge(jg_udp_fd(udp), 0);
    ck_assert_int_eq(jg_udp_send(udp, &everybody, "x", 1), -EACCES);
    jg_udp_close(udp);
    const jg_udp_options options = {.broadcast = true, .reuse_port = true};
    ck_assert_int_eq(jg_udp_open(NULL, &options, &udp), 0);
    ssize_t put = jg_udp_send(udp, &everybody, "x", 1);
    ck_assert(put == 1 || put == -ENETUNREACH); // there may be no network to shout into
    ck_assert_int_eq(jg_udp_address(udp, &shared), 0);
    jg_udp *second;
    ck_assert_int_eq(jg_udp_open(&shared, &options, &second), 0);
    jg_udp_close(second);
    jg_udp_close(udp);
    return 0;
}

// Broadcasts would go out unasked, or not at all.
START_TEST(options_are_as_asked) {
    if (on_backend("sim")) {
        fixture_skip("the simulated network has no broadcast");
    }
    run_once(options_body, NULL);
}
END_TEST

// Waiting.

static intptr_t receive_one(void *arg) {
    char buf[8];
    return jg_udp_recv(arg, buf, sizeof(buf), NULL, NULL);
}

static intptr_t waiting_body(void *arg) {
    const jg_spawn_options at_once = {.eager = true};
    jg_address address;
    char buf[8];
    (void)arg;
    jg_udp *udp = open_loopback(&address);
    jg_udp *sender = open_at(NULL);
    jg_task *task = jg_spawn_with(receive_one, udp, &at_once);
    ck_assert_int_eq(jg_udp_recv(udp, buf, sizeof(buf), NULL, NULL), -EBUSY);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    ck_assert_int_eq(pass(sender, &address, "later", 5, udp, buf, sizeof(buf), NULL, NULL), 5);
    task = jg_spawn_with(receive_one, udp, &at_once);
    jg_udp_close(udp);
    ck_assert_int_eq(jg_join(task), -EBADF);
    jg_udp_close(sender);
    jg_error_clear();
    return 0;
}

// A cancelled receive would take a datagram along, or one on a closed socket hang.
START_TEST(a_waiting_receive_is_cancelled_and_closed) {
    needs_loop();
    run_body(waiting_body);
}
END_TEST

static intptr_t shortage_body(void *arg) {
    jg_udp *udp = NULL;
    (void)arg;
    rlim_t before = leave_descriptors(0);
    jg_fail(-EMFILE, "of something else");
    int rc = jg_udp_open(NULL, NULL, &udp);
    set_descriptors(before);
    ck_assert_int_eq(rc, on_backend("sim") ? 0 : -EMFILE);
    ck_assert(rc == 0 || strcmp(jg_error_detail(rc),
                                "cannot open a datagram socket: Too many open files") == 0);
    jg_udp_close(udp);
    return 0;
}

// Out of descriptors, a socket would be opened that is none.
START_TEST(a_socket_needs_a_descriptor) {
    run_once(shortage_body, NULL);
}
END_TEST

// Weather.

struct weather {
    bool lost;
    bool overtaken;
};

static intptr_t weather_body(void *arg) {
    struct weather *weather = arg;
    enum { COUNT = 100 };
    bool seen[COUNT] = {false};
    jg_address address;
    jg_udp *receiver = open_loopback(&address);
    jg_udp *sender = open_at(NULL);
    for (unsigned char i = 0; i < COUNT; i++) {
        ck_assert_int_eq(jg_udp_send(sender, &address, &i, 1), 1);
    }
    int last = -1;
    int count = 0;
    for (intptr_t rc = 0; rc >= 0;) {
        unsigned char number = 0;
        JG_TIMEOUT(1000, rc) {
            rc = jg_udp_recv(receiver, &number, 1, NULL, NULL);
        }
        if (rc >= 0) {
            ck_assert(!seen[number]); // none comes twice
            seen[number] = true;
            weather->overtaken = weather->overtaken || number < last;
            last = number;
            count++;
        }
    }
    weather->lost = weather->lost || count < COUNT;
    ck_assert_int_gt(count, COUNT / 2);
    jg_udp_close(sender);
    jg_udp_close(receiver);
    return 0;
}

// A program that cannot bear lost or reordered datagrams would pass its tests.
START_TEST(the_simulated_network_loses_and_reorders) {
    struct weather weather = {false, false};
    if (!on_backend("sim")) {
        fixture_skip("for the simulation");
    }
    run_body_with(weather_body, &weather, "weather\0");
    ck_assert(weather.lost && weather.overtaken);
}
END_TEST

FIXTURE_MAIN("api/udp", addresses_are_read_and_written, an_interface_that_is_not_there_is_named,
             hosts_are_looked_up, datagrams_tell_who_sent_them, sizes_are_minded,
             that_nobody_is_there_is_told, a_connected_socket_hears_its_peer_alone,
             an_address_is_taken_once, options_are_as_asked,
             a_waiting_receive_is_cancelled_and_closed, a_socket_needs_a_descriptor,
             the_simulated_network_loses_and_reorders)
