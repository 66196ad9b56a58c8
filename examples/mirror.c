// SPDX-License-Identifier: MIT
// mirror.c – `mirror PORT`: an HTTP server that answers with what it understood of each request.
#include <juggle.h>
#include <juggle/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int answer(jg_http_exchange *x, void *arg) {
    (void)arg;
    const char *body;
    ssize_t size = jg_http_request_body(x, &body);
    if (size < 0) {
        return (int)size; // the peer is told why, and sent away
    }
    char head[256];
    snprintf(head, sizeof(head), "%s %.200s\n%zd bytes\n", jg_http_method(x), jg_http_path(x),
             size);
    int rc = jg_http_reply_begin(x, 200, "text/plain");
    rc = rc < 0 ? rc : jg_http_reply_write(x, head, strlen(head));
    rc = rc < 0 ? rc : jg_http_reply_write(x, body, (size_t)size);
    return rc < 0 ? rc : jg_http_reply_end(x);
}

static intptr_t program(void *arg) {
    const int *port = arg;
    jg_listener *listener;
    int rc = jg_tcp_listen("127.0.0.1", *port, &listener);
    if (rc < 0) {
        fprintf(stderr, "mirror: %s\n", jg_error_detail(rc));
        return rc;
    }
    printf("listening on port %d\n", jg_listener_port(listener));
    fflush(stdout);
    return jg_http_serve(listener, answer, NULL, NULL, NULL);
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
