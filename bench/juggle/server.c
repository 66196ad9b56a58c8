// SPDX-License-Identifier: MIT
/* server.c – juggle's HTTP server answering every request with the body given.
 *
 * Holds      nothing.
 * Invariant  prints {"port": N} once it listens.
 * Called by  run.py, `juggle_server BODY`, which ends it with SIGTERM.
 * Why        through the public headers only, with the default options: what nginx's `return 200`
 *            and net/http's handler do, as a user of the library writes it.
 * Quirks     one core, one loop.
 */
#include "common/measure.h"

#include <juggle.h>
#include <juggle/http.h>
#include <stdio.h>
#include <string.h>

struct answer {
    const char *body;
    size_t body_bytes;
};

static int reply(jg_http_exchange *exchange, void *arg) {
    const struct answer *answer = arg;
    return jg_http_reply(exchange, 200, "application/json", answer->body, answer->body_bytes);
}

static intptr_t program(void *arg) {
    jg_listener *listener = NULL;
    int rc = jg_tcp_listen("127.0.0.1", 0, &listener);
    if (rc < 0) {
        measure_die("jg_tcp_listen", -rc);
    }
    printf("{\"port\": %d}\n", jg_listener_port(listener));
    fflush(stdout);
    rc = jg_http_serve(listener, reply, arg, NULL, NULL);
    jg_listener_close(listener);
    return rc;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s BODY\n", argv[0]);
        return 2;
    }
    struct answer answer = {argv[1], strlen(argv[1])};
    intptr_t rc = jg_run(program, &answer);
    measure_die("jg_http_serve", rc < 0 ? (int)-rc : 0);
}
