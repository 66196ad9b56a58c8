// SPDX-License-Identifier: MIT
/* scenarios_http.h – scenarios of the HTTP client and server.
 *
 * Holds      reuse, cut, chunks, upload, abandon, pool, grace.
 * Invariant  see scenarios.h. Besides: an answer that is given as whole is whole, and is the one that was
 *            asked for.
 * Called by  scenarios.h.
 * Why        see scenarios.h.
 */
#ifndef SIM_SCENARIOS_HTTP_H
#define SIM_SCENARIOS_HTTP_H

#include "fixtures/fixture.h"

#include <juggle.h>
#include <juggle/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A server at http://web/ and a client. */
struct web {
    jg_http_handler *handler;
    jg_http_server_options server_options;
    jg_http_client_options client_options;
    jg_listener *listener;
    jg_http_client *client;
    jg_http_server_stats stats;
    bool serving;
    int next;     // number of the next asker
    int answered; // rightly
    int failed;
    int wrong;
};

static intptr_t web_serve(void *arg) {
    struct web *web = arg;
    web->serving = true;
    jg_http_serve(web->listener, web->handler, web, &web->server_options, &web->stats);
    return 0;
}

/* Runs the body beside the server. What the pool or the server holds is gone afterwards. */
static intptr_t web_run(struct web *web, void (*body)(struct web *web)) {
    intptr_t rc = jg_tcp_listen("web", 80, &web->listener);
    if (rc < 0) {
        return rc;
    }
    rc = jg_http_client_open(&web->client_options, &web->client);
    if (rc == 0) {
        JG_GROUP(group) {
            jg_group_spawn(group, web_serve, web);
            body(web);
            jg_group_cancel(group);
        }
        jg_http_client_close(web->client);
    }
    jg_listener_close(web->listener);
    ck_assert_uint_eq(web->stats.open, 0);
    ck_assert_int_eq(web->wrong, 0);
    return rc;
}

/* GETs a path that answers with itself. Returns whether it did. */
static bool web_ask(struct web *web, const char *path) {
    char url[64];
    const char *body;
    jg_http_response *response;
    snprintf(url, sizeof(url), "http://web%s", path);
    if (jg_http_get(web->client, url, &response) < 0) {
        web->failed++;
        return false;
    }
    ssize_t size = jg_http_body(response, &body);
    bool whole = size >= 0 && jg_http_status(response) == 200; // else it is the server's refusal
    bool right = whole && size == (ssize_t)strlen(path) && memcmp(body, path, strlen(path)) == 0;
    web->wrong += whole && !right;
    web->answered += right;
    web->failed += !whole;
    jg_http_response_close(response);
    return right;
}

static int web_echo_path(jg_http_exchange *exchange, void *arg) {
    const char *path = jg_http_path(exchange);
    (void)arg;
    return jg_http_reply(exchange, 200, NULL, path, strlen(path));
}

static void web_crowd(struct web *web, jg_fn *asker, int count) {
    JG_GROUP(crowd) {
        for (int i = 0; i < count; i++) {
            jg_group_spawn(crowd, asker, web);
        }
    }
}

// reuse: a few connections serve many requests, each with its own answer.

static intptr_t reuse_ask(void *arg) {
    struct web *web = arg;
    int number = web->next++;
    for (int i = 0; i < 2; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/%d-%d", number, i);
        web_ask(web, path);
    }
    return 0;
}

static void reuse_body(struct web *web) {
    web_crowd(web, reuse_ask, 3);
    ck_assert(scenario_disturbed || web->answered == 6);
    ck_assert(scenario_disturbed || web->stats.connections <= 2);
}

static intptr_t reuse_run(void *arg) {
    struct web web = {.handler = web_echo_path, .client_options = {.connections = 2}};
    (void)arg;
    return web_run(&web, reuse_body);
}

// cut: a server that closes in the middle of its answer, at one byte after the other.

static const char cut_text[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n12345678";

enum { CUT_SIZE = sizeof(cut_text) - 1, CUT_STEP = 11, CUTS = CUT_SIZE / CUT_STEP + 2 };

static intptr_t cut_serve(void *arg) {
    jg_listener *listener = arg;
    for (size_t size = 0; size < CUT_SIZE + CUT_STEP; size += CUT_STEP) {
        jg_stream *stream;
        char request[64];
        if (jg_accept(listener, &stream) < 0) {
            return 0;
        }
        jg_read(stream, request, sizeof(request));
        jg_write(stream, cut_text, size < CUT_SIZE ? size : CUT_SIZE);
        jg_stream_close(stream);
    }
    return 0;
}

static int cut_ask(jg_http_client *client, int *out_whole) {
    jg_http_response *response;
    const char *body;
    int rc = jg_http_get(client, "http://cutter/", &response);
    if (rc < 0) {
        return rc;
    }
    ssize_t size = jg_http_body(response, &body);
    ck_assert(size < 0 || (size == 8 && memcmp(body, "12345678", 8) == 0));
    *out_whole += size == 8;
    jg_http_response_close(response);
    return size < 0 ? (int)size : 0;
}

static intptr_t cut_run(void *arg) {
    jg_listener *listener;
    jg_http_client *client;
    const jg_http_client_options options = {.first_byte_ms = 1000};
    int whole = 0;
    (void)arg;
    int rc = jg_tcp_listen("cutter", 80, &listener);
    if (rc < 0) {
        return rc;
    }
    rc = jg_http_client_open(&options, &client);
    if (rc == 0) {
        JG_GROUP(group) {
            jg_group_spawn(group, cut_serve, listener);
            for (int i = 0; i < CUTS; i++) {
                cut_ask(client, &whole);
            }
            jg_group_cancel(group);
        }
        jg_http_client_close(client);
    }
    jg_listener_close(listener);
    // An unread request makes the end a reset, which may overtake the last bytes.
    ck_assert_int_le(whole, 1);
    return rc;
}

// chunks: a body of unknown size, read by somebody who keeps giving up and coming back.

enum { CHUNKS = 12, CHUNK_SIZE = 40 };

static int chunks_reply(jg_http_exchange *exchange, void *arg) {
    unsigned char chunk[CHUNK_SIZE];
    (void)arg;
    int rc = jg_http_reply_begin(exchange, 200, NULL);
    for (int i = 0; i < CHUNKS && rc == 0; i++) {
        for (int k = 0; k < CHUNK_SIZE; k++) {
            chunk[k] = (unsigned char)(i * CHUNK_SIZE + k);
        }
        rc = jg_http_reply_write(exchange, chunk, sizeof(chunk));
        jg_sleep(i % 3);
    }
    return rc < 0 ? rc : jg_http_reply_end(exchange);
}

static void chunks_read(struct web *web, jg_http_response *response) {
    unsigned char piece[30];
    int sum = 0;
    ssize_t got = 1;
    if (jg_http_status(response) != 200) {
        return; // the server's refusal
    }
    for (int tries = 0; got != 0 && tries < 100; tries++) {
        JG_TIMEOUT(1, got) {
            got = jg_http_read(response, piece, sizeof(piece));
        }
        for (ssize_t i = 0; i < got; i++) {
            web->wrong += piece[i] != (unsigned char)sum++;
        }
        if (got < 0 && got != -ETIMEDOUT) {
            return;
        }
    }
    web->wrong += got == 0 && sum != CHUNKS * CHUNK_SIZE;
    web->answered += got == 0;
}

static void chunks_body(struct web *web) {
    jg_http_response *response;
    const jg_http_request request = {.url = "http://web/"};
    for (int i = 0; i < 2; i++) {
        if (jg_http_send(web->client, &request, &response) == 0) {
            chunks_read(web, response);
            jg_http_response_close(response);
        }
    }
    ck_assert(scenario_disturbed || web->answered == 2);
}

static intptr_t chunks_run(void *arg) {
    struct web web = {.handler = chunks_reply};
    (void)arg;
    return web_run(&web, chunks_body);
}

// upload: a body of unknown size goes the other way, and the server tells how much of it came.

enum { UPLOAD_SIZE = 500 };

static ssize_t upload_source(void *arg, void *buf, size_t cap) {
    int *given = arg;
    size_t size = 0;
    int rc = jg_sleep(*given % 2);
    if (rc < 0) {
        return rc;
    }
    for (; size < cap && size < 77 && *given < UPLOAD_SIZE; size++) {
        ((unsigned char *)buf)[size] = (unsigned char)(*given)++;
    }
    return (ssize_t)size;
}

static int upload_take(jg_http_exchange *exchange, void *arg) {
    struct web *web = arg;
    unsigned char piece[64];
    char text[16];
    int sum = 0;
    ssize_t got;
    while ((got = jg_http_request_read(exchange, piece, sizeof(piece))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            web->wrong += piece[i] != (unsigned char)sum++;
        }
    }
    if (got < 0) {
        return (int)got;
    }
    snprintf(text, sizeof(text), "%d", sum);
    return jg_http_reply(exchange, 200, NULL, text, strlen(text));
}

static intptr_t upload_send(void *arg) {
    struct web *web = arg;
    int given = 0;
    jg_http_response *response;
    const char *body;
    const jg_http_request request = {
        .method = "POST", .url = "http://web/", .source = upload_source, .source_arg = &given};
    if (jg_http_send(web->client, &request, &response) < 0) {
        return 0;
    }
    if (jg_http_status(response) == 200 && jg_http_body(response, &body) >= 0) {
        web->wrong += atoi(body) != UPLOAD_SIZE;
        web->answered++;
    }
    jg_http_response_close(response);
    return 0;
}

static void upload_body(struct web *web) {
    web_crowd(web, upload_send, 2);
    ck_assert(scenario_disturbed || web->answered == 2);
}

static intptr_t upload_run(void *arg) {
    struct web web = {.handler = upload_take};
    (void)arg;
    return web_run(&web, upload_body);
}

// abandon: answers that are closed half-read leave nothing behind for the next.

static int abandon_reply(jg_http_exchange *exchange, void *arg) {
    static const char block[3000];
    return strcmp(jg_http_path(exchange), "/big") == 0
               ? jg_http_reply(exchange, 200, NULL, block, sizeof(block))
               : web_echo_path(exchange, arg);
}

static intptr_t abandon_ask(void *arg) {
    struct web *web = arg;
    const jg_http_request big = {.url = "http://web/big"};
    jg_http_response *response;
    char piece[10];
    if (jg_http_send(web->client, &big, &response) == 0) {
        jg_http_read(response, piece, sizeof(piece));
        jg_http_response_close(response);
    }
    web_ask(web, "/small");
    return 0;
}

static void abandon_body(struct web *web) {
    web_crowd(web, abandon_ask, 3);
    ck_assert(scenario_disturbed || web->answered == 3);
}

static intptr_t abandon_run(void *arg) {
    struct web web = {.handler = abandon_reply, .client_options = {.connections = 2}};
    (void)arg;
    return web_run(&web, abandon_body);
}

// pool: more askers than connections, and little patience; no place in the pool is lost. R31.

static int pool_reply(jg_http_exchange *exchange, void *arg) {
    jg_sleep(1);
    return web_echo_path(exchange, arg);
}

static intptr_t pool_ask(void *arg) {
    struct web *web = arg;
    int64_t limit_ms = 1 + 2 * web->next++;
    int rc = 0;
    JG_TIMEOUT(limit_ms, rc) {
        web_ask(web, "/impatient");
    }
    return 0;
}

static void pool_body(struct web *web) {
    web_crowd(web, pool_ask, 5);
    web->answered = 0;
    web_ask(web, "/after");
    ck_assert(scenario_disturbed || web->answered == 1);
}

static intptr_t pool_run(void *arg) {
    struct web web = {.handler = pool_reply, .client_options = {.connections = 1}};
    (void)arg;
    return web_run(&web, pool_body);
}

// grace: a server that is stopped under load finishes what it has begun, or cuts it off visibly.

static intptr_t grace_ask(void *arg) {
    web_ask(arg, "/last");
    return 0;
}

static void grace_body(struct web *web) {
    JG_GROUP(crowd) {
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(crowd, grace_ask, web);
        }
        jg_sleep(2);
        if (web->serving) {
            jg_listener_close(web->listener);
            web->listener = NULL;
        }
    }
}

static intptr_t grace_run(void *arg) {
    struct web web = {.handler = pool_reply,
                      .server_options = {.grace_ms = 3},
                      .client_options = {.first_byte_ms = 50, .connect_ms = 50}};
    (void)arg;
    return web_run(&web, grace_body);
}

#define SCENARIOS_HTTP(X)                                                                          \
    X(reuse, NULL)                                                                                 \
    X(cut, NULL)                                                                                   \
    X(chunks, NULL)                                                                                \
    X(upload, NULL)                                                                                \
    X(abandon, NULL)                                                                               \
    X(pool, NULL)                                                                                  \
    X(grace, NULL)

#endif
