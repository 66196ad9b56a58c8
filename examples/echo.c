// SPDX-License-Identifier: MIT
/* echo.c PORT – sends back what it gets, to any number of peers at once.
 *
 * A peer that is quiet for 30 s is dropped.
 */
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>

static intptr_t serve(void *peer) {
    char buf[512];
    ssize_t got = 1;
    while (got > 0) {
        JG_TIMEOUT(30000, got) {
            got = jg_read(peer, buf, sizeof(buf));
        }
        if (got > 0) {
            got = jg_write(peer, buf, (size_t)got);
        }
    }
    jg_stream_close(peer);
    return 0; // how a peer ends is its own affair
}

static intptr_t program(void *port) {
    jg_listener *listener;
    int rc = jg_tcp_listen("127.0.0.1", atoi(port), &listener);
    if (rc < 0) {
        fprintf(stderr, "echo: %s\n", jg_error_detail(rc));
        return rc;
    }
    printf("listening on port %d\n", jg_listener_port(listener));
    fflush(stdout);
    JG_GROUP(peers) {
        for (;;) {
            jg_stream *peer;
            rc = jg_accept(listener, &peer);
            if (rc < 0) {
                break;
            }
            if (jg_group_spawn(peers, serve, peer) < 0) {
                jg_stream_close(peer); // no memory for one more: it may try again
            }
        }
    }
    jg_listener_close(listener);
    return rc;
}

int main(int argc, char **argv) {
    return jg_run(program, argc > 1 ? argv[1] : "0") < 0;
}
