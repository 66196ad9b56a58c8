// SPDX-License-Identifier: MIT
/* connect_steps.h – a name whose first address is a dead end, and the way around it.
 *
 * Holds      nothing.
 * Invariant  each step checks what it says and ends the test if it is not so.
 * Called by  the tests of connecting by name.
 * Why        any name may have one, "localhost" too.
 */
#ifndef TESTS_CONNECT_STEPS_H
#define TESTS_CONNECT_STEPS_H

#include "fixtures/measure.h"

#include "api/api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRIES = 5 };

// A port of 127.0.0.1 somebody listens at; connecting needs no accept.
static inline jg_listener *listen_at(const char *host) {
    jg_listener *listener = NULL;
    ck_assert_int_eq(jg_tcp_listen(host, 0, &listener), 0);
    return listener;
}

/* Two listeners at one port, the first of which does not answer: its queue is full. */
struct dead_end {
    jg_listener *alive;
    int dead_fd;
    int queued_fd;
};

/* Takes the alive one's port at another address. Returns whether it is free there. */
static inline bool try_dead_end(struct dead_end *end, jg_listener *alive, const char *dead) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)jg_listener_port(alive))};
    inet_pton(AF_INET, dead, &address.sin_addr);
    const struct sockaddr *where = (const struct sockaddr *)(const void *)&address;
    *end = (struct dead_end){alive, socket(AF_INET, SOCK_STREAM, 0),
                             socket(AF_INET, SOCK_STREAM, 0)};
    if (bind(end->dead_fd, where, sizeof(address)) != 0) {
        ck_assert_int_eq(errno, EADDRINUSE);
        return false;
    }
    ck_assert_int_eq(listen(end->dead_fd, 0), 0);
    ck_assert_int_eq(connect(end->queued_fd, where, sizeof(address)), 0);
    return true;
}

static inline void close_dead_end(const struct dead_end *end) {
    jg_listener_close(end->alive);
    close(end->queued_fd);
    close(end->dead_fd);
}

/* Whatever else this machine does has ports, too: at the dead address it may have this one. */
static inline void open_dead_end(struct dead_end *end, jg_listener *(*listen_alive)(void),
                                 const char *dead) {
    while (!try_dead_end(end, listen_alive(), dead)) {
        close_dead_end(end);
    }
}

/* Connects to a name whose first address is a dead end, and whose second is not. Returns how long it took.
 */
static inline int64_t get_around(const struct dead_end *end, const char *name) {
    jg_stream *stream = NULL;
    intptr_t rc = 0;
    int port = jg_listener_port(end->alive);
    int64_t before = jg_now();
    JG_TIMEOUT(on_backend("blocking") ? 100 : 15000, rc) {
        rc = jg_tcp_connect(name, port, &stream);
    }
    if (on_backend("blocking")) {
        ck_assert_int_eq(rc, -ETIMEDOUT);
    } else {
        ck_assert_int_eq(rc, 0);
    }
    jg_stream_close(stream);
    return jg_now() - before;
}

/* The dead end costs the next address its delay, and little more. */
static inline void check_way_around(const struct dead_end *end, const char *name) {
    int64_t took_ns[TRIES];
    if (on_backend("blocking")) {
        get_around(end, name);
        return;
    }
    for (int i = 0; i < TRIES; i++) {
        took_ns[i] = get_around(end, name);
        ck_assert_int_ge(took_ns[i], 250 * JG_MS);
    }
    int64_t median_ns = measure_percentile(took_ns, TRIES, 50);
    ck_assert(!MEASURE_PLAIN || median_ns <= 350 * JG_MS);
}

#endif
