// SPDX-License-Identifier: MIT
/* test_connect_routes.c – connecting where the kernel has no way, says no, or says nothing.
 *
 * Holds      a network of its own for each test: a namespace with a loopback and three routes.
 * Invariant  nothing leaves this process: what is sent to DEAD is dropped, as nobody has that address.
 * Called by  ctest, on epoll and without a loop. Skipped where user namespaces are not allowed.
 * Why        RELIABILITY R24. That an address is dead must be told from its being refused or unreachable.
 * Quirks     a limit is seconds long, so that a twentieth of it is more than a busy machine is late by;
 *            of many refusals the median counts.
 */
// Backends: epoll blocking
#define FIXTURE_LIMIT 20
#include "fixtures/measure.h"

#include "api/api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <juggle/http.h>
#include <net/if.h>
#include <net/route.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PORT = 80,
    TRIES = 21,
    REFUSED_MS = 50,
    LIMIT_MS = 4000,
    LATE_MS = LIMIT_MS * 5 / 100,
};

static const char OWN[] = "10.8.0.1";         // ours, and nobody listens
static const char DEAD[] = "10.9.0.1";        // has a route, and no answer
static const char UNREACHABLE[] = "10.7.0.1"; // has a route that refuses
static const char UNROUTED[] = "192.0.2.1";   // has none

static struct sockaddr address_of(const char *number) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } address = {.in = {.sin_family = AF_INET}};
    inet_pton(AF_INET, number, &address.in.sin_addr);
    return address.any;
}

static void set_up_loopback(int fd) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    struct ifreq own = {.ifr_name = "lo:1", .ifr_addr = address_of(OWN)};
    ck_assert_int_eq(ioctl(fd, SIOCSIFADDR, &own), 0);
    own.ifr_netmask = address_of("255.255.255.255");
    ck_assert_int_eq(ioctl(fd, SIOCSIFNETMASK, &own), 0);
}

static void add_route(int fd, const char *host, unsigned short flags) {
    char loopback[] = "lo";
    struct rtentry route = {.rt_dst = address_of(host),
                            .rt_genmask = address_of("255.255.255.255"),
                            .rt_flags = (unsigned short)(RTF_UP | RTF_HOST | flags),
                            .rt_dev = loopback};
    ck_assert_int_eq(ioctl(fd, SIOCADDRT, &route), 0);
}

/* Gives this process a network of its own. */
static void enter_network(void) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        fixture_skip("no namespaces of one's own here");
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    set_up_loopback(fd);
    add_route(fd, DEAD, 0);
    add_route(fd, UNREACHABLE, RTF_REJECT);
    close(fd);
}

/* Gives the loopback a link-local address: those of a real link would need one. The kernel looks first, soon,
 * whether anybody else has it. */
static void add_link_local(const char *number) {
    struct {
        struct in6_addr host;
        uint32_t prefix_len;
        int index;
    } request = {.prefix_len = 64, .index = (int)if_nametoindex("lo")}; // the kernel's in6_ifreq
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_scope_id = (uint32_t)request.index};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET6, number, &request.host);
    own.sin6_addr = request.host;
    if (fd < 0 || ioctl(fd, SIOCSIFADDR, &request) != 0) {
        fixture_skip("no IPv6 here");
    }
    while (bind(fd, (const struct sockaddr *)(const void *)&own, sizeof(own)) != 0) {
        ck_assert_int_eq(errno, EADDRNOTAVAIL);
        sched_yield();
    }
    close(fd);
}

static int connect_to(const char *host) {
    jg_stream *stream = NULL;
    int rc = jg_tcp_connect(host, PORT, &stream);
    ck_assert_ptr_null(stream);
    return rc;
}

static intptr_t each_says_no(void *arg) {
    static const struct {
        const char *host;
        int error;
    } cases[] = {{OWN, -ECONNREFUSED}, {UNREACHABLE, -EHOSTUNREACH}, {UNROUTED, -ENETUNREACH}};
    (void)arg;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(connect_to(cases[i].host), cases[i].error);
        ck_assert_ptr_nonnull(strstr(jg_error_detail(cases[i].error), cases[i].host));
    }
    return 0;
}

// A host that is gone, one without a route and one that refuses would be told as the same.
START_TEST(r24_each_refusal_has_its_code) {
    enter_network();
    run_once(each_says_no, NULL);
}
END_TEST

static intptr_t refused_at_once(void *arg) {
    static const char *const hosts[] = {OWN, UNREACHABLE, UNROUTED};
    int64_t took_ns[TRIES];
    (void)arg;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        for (int try = 0; try < TRIES; try++) {
            int64_t before = jg_now();
            ck_assert_int_lt(connect_to(hosts[i]), 0);
            took_ns[try] = jg_now() - before;
        }
        ck_assert_int_le(measure_percentile(took_ns, TRIES, 50), REFUSED_MS * JG_MS);
    }
    return 0;
}

// Whoever is told no would wait for it.
START_TEST(r24_a_refusal_takes_no_time) {
    enter_network();
    run_once(refused_at_once, NULL);
}
END_TEST

static intptr_t in_zone(void *arg) {
    (void)arg;
    jg_listener *listener;
    jg_stream *stream;
    jg_udp *udp;
    jg_address address;
    char text[JG_ADDRESS_TEXT];
    ck_assert_int_eq(jg_tcp_listen("fe80::7%lo", 0, &listener), 0);
    ck_assert_int_eq(jg_tcp_connect("fe80::7%lo", jg_listener_port(listener), &stream), 0);
    jg_stream_close(stream);
    jg_listener_close(listener);
    ck_assert_int_eq(jg_tcp_connect("fe80::7", PORT, &stream), -EINVAL); // of which link?
    ck_assert_int_eq(jg_tcp_connect("fe80::7%lo", PORT, &stream), -ECONNREFUSED);
    ck_assert_int_eq(jg_address_make("fe80::7%lo", 0, &address), 0);
    ck_assert_int_eq(jg_udp_open(&address, NULL, &udp), 0);
    ck_assert_int_eq(jg_udp_address(udp, &address), 0);
    ck_assert_int_gt(jg_address_format(&address, text, sizeof(text)), 0);
    ck_assert_int_eq(strncmp(text, "[fe80::7%lo]:", strlen("[fe80::7%lo]:")), 0);
    jg_udp_close(udp);
    jg_error_clear();
    return 0;
}

// A link-local address, which says nothing without its interface, could not be used at all.
START_TEST(an_address_of_a_link_is_used_with_its_interface) {
    enter_network();
    add_link_local("fe80::7");
    run_once(in_zone, NULL);
}
END_TEST

static char asked[256]; // the head of the request

/* Answers one request. */
static void *answer_one(void *listening) {
    static const char reply[] = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    int fd = accept(*(int *)listening, NULL, NULL);
    size_t len = 0;
    while (strstr(asked, "\r\n\r\n") == NULL) {
        ssize_t got = read(fd, asked + len, sizeof(asked) - 1 - len);
        ck_assert_int_gt(got, 0);
        len += (size_t)got;
    }
    ck_assert_int_eq(write(fd, reply, sizeof(reply) - 1), sizeof(reply) - 1);
    close(fd);
    return NULL;
}

static int listen_in_zone(int *out_port) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_scope_id = if_nametoindex("lo")};
    struct sockaddr *where = (struct sockaddr *)(void *)&address;
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    inet_pton(AF_INET6, "fe80::7", &address.sin6_addr);
    ck_assert_int_eq(bind(fd, where, size), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, where, &size), 0);
    *out_port = ntohs(address.sin6_port);
    return fd;
}

static intptr_t url_in_zone(void *arg) {
    char text[64];
    pthread_t thread;
    jg_http_client *client;
    jg_http_response *response;
    (void)arg;
    int port;
    int fd = listen_in_zone(&port);
    ck_assert_int_eq(pthread_create(&thread, NULL, answer_one, &fd), 0);
    ck_assert_int_eq(jg_http_client_open(NULL, &client), 0);
    snprintf(text, sizeof(text), "http://[FE80::7%%25lo]:%d/", port);
    ck_assert_int_eq(jg_http_get(client, text, &response), 0);
    ck_assert_int_eq(jg_http_status(response), 204);
    jg_http_response_close(response);
    pthread_join(thread, NULL);
    close(fd);
    snprintf(text, sizeof(text), "\r\nHost: [fe80::7]:%d\r\n", port);
    ck_assert_msg(strstr(asked, text) != NULL, "%s", asked);
    ck_assert_int_eq(jg_http_get(client, "http://[fe80::7%25LO]/", &response), -ENODEV);
    jg_http_client_close(client);
    jg_error_clear();
    return 0;
}

// RFC 6874. A page of a link's neighbour could not be had; or the neighbour be told our interface's name.
START_TEST(a_url_of_a_link_is_fetched_through_its_interface) {
    enter_network();
    add_link_local("fe80::7");
    run_once(url_in_zone, NULL);
}
END_TEST

static intptr_t nobody_answers(void *arg) {
    int rc = 0;
    int64_t before = jg_now();
    JG_TIMEOUT(LIMIT_MS, rc) {
        rc = connect_to(arg);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_ge(jg_now() - before, LIMIT_MS * JG_MS);
    ck_assert_int_le(jg_now() - before, (LIMIT_MS + LATE_MS) * JG_MS);
    return 0;
}

// Packets that are dropped would hold up whoever connects as long as the kernel sends them again.
START_TEST(r24_limit_ends_a_connect_that_nobody_answers) {
    enter_network();
    run_once(nobody_answers, (void *)(uintptr_t)DEAD);
}
END_TEST

/* Listens, and lets the queue be full from then on. Returns the listening descriptor. */
static int listen_and_fill(const struct sockaddr *address, socklen_t size, int *out_queued) {
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, address, size), 0);
    ck_assert_int_eq(listen(fd, 0), 0);
    *out_queued = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(*out_queued, address, size), 0);
    return fd;
}

// A listener that is too busy would be told as one that is not there.
START_TEST(r24_limit_ends_a_connect_that_finds_a_full_queue) {
    enter_network();
    int queued;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } address = {.any = address_of(OWN)};
    address.in.sin_port = htons(PORT);
    int fd = listen_and_fill(&address.any, sizeof(address.in), &queued);
    run_once(nobody_answers, (void *)(uintptr_t)OWN);
    close(queued);
    close(fd);
}
END_TEST

static intptr_t full_unix_queue(void *arg) {
    jg_stream *stream = NULL;
    int rc = 0;
    JG_TIMEOUT(50, rc) {
        rc = jg_unix_connect(arg, &stream);
    }
    ck_assert_int_eq(rc, on_backend("blocking") ? -ETIMEDOUT : -ECONNREFUSED);
    return 0;
}

// A Unix socket cannot be waited for in a loop. A thread waits for it, and its limit is no refusal.
START_TEST(r24_full_queue_of_a_unix_socket) {
    int queued;
    char name[32];
    union {
        struct sockaddr any;
        struct sockaddr_un un;
    } address = {.un = {.sun_family = AF_UNIX}};
    int size = snprintf(name, sizeof(name), "@juggle-full-%d", (int)getpid());
    memcpy(address.un.sun_path + 1, name + 1, (size_t)size - 1);
    int fd = listen_and_fill(&address.any, (socklen_t)(sizeof(sa_family_t) + (size_t)size),
                             &queued);
    run_once(full_unix_queue, name);
    close(queued);
    close(fd);
}
END_TEST

/* Leaves the kernel no other port to give out. */
static void set_port_range(int port) {
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "w");
    if (file == NULL || fprintf(file, "%d %d\n", port, port) < 0 || fclose(file) != 0) {
        fixture_skip("the range of ports cannot be set here");
    }
}

static intptr_t meet_oneself(void *arg) {
    static const char *const hosts[] = {"127.0.0.1", "0.0.0.0", OWN};
    (void)arg;
    for (int i = 0; i < (int)(sizeof(hosts) / sizeof(hosts[0])); i++) {
        jg_stream *stream = NULL;
        jg_listener *listener = NULL;
        set_port_range(40000 + i);
        ck_assert_int_eq(jg_tcp_connect(hosts[i], 40000 + i, &stream), -ECONNREFUSED);
        ck_assert_ptr_null(stream);
        ck_assert_int_eq(jg_tcp_listen(hosts[i], 40000 + i, &listener), 0); // it is free
        jg_listener_close(listener);
    }
    return 0;
}

// Waiting for a server to come up, a program would sooner or later talk to itself, and keep the port.
START_TEST(r24_nobody_connects_to_himself) {
    enter_network();
    run_once(meet_oneself, NULL);
}
END_TEST

FIXTURE_MAIN("api/connect_routes", r24_each_refusal_has_its_code, r24_a_refusal_takes_no_time,
             an_address_of_a_link_is_used_with_its_interface,
             a_url_of_a_link_is_fetched_through_its_interface,
             r24_limit_ends_a_connect_that_nobody_answers,
             r24_limit_ends_a_connect_that_finds_a_full_queue, r24_full_queue_of_a_unix_socket,
             r24_nobody_connects_to_himself)
