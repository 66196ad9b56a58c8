// SPDX-License-Identifier: MIT
/* sim_server.h – a server in the simulated network, and a client that talks to it.
 *
 * Holds      nothing.
 * Invariant  what is opened is closed, however the client fares.
 * Called by  tests of the simulated world.
 * Why        one copy.
 */
#ifndef TESTS_SIM_SERVER_H
#define TESTS_SIM_SERVER_H

#include "fixtures/fixture.h"

#include <juggle.h>
#include <juggle/sim.h>
#include <string.h>

enum { PORT = 80 };

static inline intptr_t echo_once(void *arg) {
    jg_stream *stream;
    char text[8];
    int rc = jg_accept(arg, &stream);
    if (rc < 0) {
        return rc;
    }
    ssize_t got;
    while ((got = jg_read(stream, text, sizeof(text))) > 0 &&
           jg_write(stream, text, (size_t)got) > 0) {}
    jg_stream_close(stream);
    return 0;
}

/* A server at "server", with a task that echoes one connection; `client` gets the stream. */
static inline intptr_t with_server(intptr_t (*client)(jg_stream *stream)) {
    jg_listener *listener;
    jg_stream *stream;
    intptr_t rc = jg_tcp_listen("server", PORT, &listener);
    ck_assert_int_eq(rc, 0);
    JG_GROUP(group) {
        jg_group_spawn(group, echo_once, listener);
        rc = jg_tcp_connect("Server", PORT, &stream);
        if (rc == 0) {
            rc = client(stream);
            jg_stream_close(stream);
        }
        jg_group_cancel(group);
    }
    jg_listener_close(listener);
    return rc;
}

static inline intptr_t ask_hello(jg_stream *stream) {
    char text[5];
    ssize_t rc = jg_write(stream, "hello", 5);
    rc = rc < 0 ? rc : jg_read_exact(stream, text, 5);
    ck_assert(rc < 0 || memcmp(text, "hello", 5) == 0);
    return rc < 0 ? rc : 0;
}

#endif
