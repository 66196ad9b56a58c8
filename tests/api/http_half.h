// SPDX-License-Identifier: MIT
/* http_half.h – HTTP exchanges left half done, on both sides.
 *
 * Holds      a server in a task, with a client and bare peers: whoever reads more of a body would wait.
 * Invariant  nothing more comes until half_close: handlers keep their exchanges until then.
 * Called by  the tests that try every wait.
 * Why        a read or a reply needs an exchange or an answer under way.
 */
#ifndef TESTS_HTTP_HALF_H
#define TESTS_HTTP_HALF_H

#include "api/api.h"

#include <juggle/http.h>
#include <stdio.h>

enum { ASKED = 4, BEGUN = 2 }; // exchanges: asked for a body, answering

__attribute__((unused)) static struct half {
    jg_http_client *client;
    jg_http_response *answers[BEGUN]; // the body is to come
    jg_listener *listener;
    jg_task *server;
    jg_event over;
    jg_stream *peers[ASKED];
    jg_http_exchange *asked[ASKED]; // the body is to come, nothing is answered yet
    jg_http_exchange *begun[BEGUN]; // the answer's body is to come
    int asked_count;
    int begun_count;
} half;

static inline int half_handle(jg_http_exchange *exchange, void *arg) {
    (void)arg;
    if (strcmp(jg_http_path(exchange), "/begun") == 0) {
        half.begun[half.begun_count++] = exchange;
        jg_http_reply_begin(exchange, 200, NULL);
    } else {
        half.asked[half.asked_count++] = exchange;
    }
    return jg_event_wait(&half.over);
}

static inline intptr_t half_serve(void *listener) {
    return jg_http_serve(listener, half_handle, NULL, NULL, NULL);
}

static inline void half_open(void) {
    static const char ask[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    char url[64];
    half = (struct half){.asked_count = 0};
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &half.listener), 0);
    half.server = jg_spawn(half_serve, half.listener);
    ck_assert_int_eq(jg_http_client_open(NULL, &half.client), 0);
    int port = jg_listener_port(half.listener);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/begun", port);
    for (int i = 0; i < BEGUN; i++) {
        const jg_http_request request = {.url = url};
        ck_assert_int_eq(jg_http_send(half.client, &request, &half.answers[i]), 0);
    }
    for (int i = 0; i < ASKED; i++) {
        ck_assert_int_eq(jg_tcp_connect(NULL, port, &half.peers[i]), 0);
        ck_assert_int_eq(jg_write(half.peers[i], ask, strlen(ask)), (ssize_t)strlen(ask));
    }
    while (half.asked_count < ASKED || half.begun_count < BEGUN) {
        jg_sleep(1);
    }
}

static inline void half_close(void) {
    for (int i = 0; i < BEGUN; i++) {
        jg_http_response_close(half.answers[i]);
    }
    for (int i = 0; i < ASKED; i++) {
        jg_stream_close(half.peers[i]);
    }
    jg_http_client_close(half.client);
    jg_event_set(&half.over);
    jg_cancel(half.server);
    ck_assert_int_eq(jg_join(half.server), -ECANCELED);
    jg_listener_close(half.listener);
}

#endif
