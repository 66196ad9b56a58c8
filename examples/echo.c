// SPDX-License-Identifier: MIT
/* echo.c PORT – sends back what it gets, line by line, to any number of peers at once.
 *
 * A peer that is quiet for 30 s is dropped.
 */
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>

static intptr_t echo(jg_stream *peer, void *arg) {
    (void)arg;
    char line[512];
    ssize_t got = 1;
    while (got > 0) {
        JG_TIMEOUT(30000, got) {
            got = jg_read_until(peer, '\n', line, sizeof(line));
        }
        if (got > 0) {
            got = jg_write(peer, line, (size_t)got);
        }
    }
    return 0; // how a peer ends is its own affair
}

static intptr_t program(void *arg) {
    const int *port = arg;
    jg_listener *listener;
    int rc = jg_tcp_listen("127.0.0.1", *port, &listener);
    if (rc < 0) {
        fprintf(stderr, "echo: %s\n", jg_error_detail(rc));
        return rc;
    }
    printf("listening on port %d\n", jg_listener_port(listener));
    fflush(stdout);
    rc = jg_serve(listener, echo, NULL, NULL);
    jg_listener_close(listener);
    return rc;
}

int main(int argc, char **argv) {
    char *end = "";
    int port = argc > 1 ? (int)strtol(argv[1], &end, 10) : 0;
    if (argc > 2 || *end != '\0') {
        fprintf(stderr, "usage: %s [PORT]\n", argv[0]);
        return 2;
    }
    return jg_run(program, &port) < 0;
}
