// SPDX-License-Identifier: MIT
/* http_client_steps.h – the steps that tests of the HTTP client are made of.
 *
 * Holds      nothing.
 * Invariant  each checks what it says and ends the test if it is not so.
 * Called by  the tests of the HTTP client.
 * Why        a test then reads as what it is about.
 */
#ifndef TESTS_HTTP_CLIENT_STEPS_H
#define TESTS_HTTP_CLIENT_STEPS_H

#include "http_peer.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define HELLO OK_HEAD "Content-Length: 5\r\n\r\nhello"
#define FOUR(text) text text text text

static inline jg_http_client *client_open(const jg_http_client_options *options) {
    jg_http_client *client = NULL;
    ck_assert_int_eq(jg_http_client_open(options, &client), 0);
    return client;
}

static inline jg_http_response *send_ok(jg_http_client *client, const jg_http_request *request) {
    jg_http_response *response = NULL;
    int rc = jg_http_send(client, request, &response);
    ck_assert_msg(rc == 0, "%s: %s", request->url, jg_error_detail(rc));
    return response;
}

/* Sends a GET; its body is not read. */
static inline jg_http_response *ask(jg_http_client *client, const struct peer *peer) {
    return send_ok(client, &(jg_http_request){.url = peer->url});
}

static inline jg_http_response *get_ok(jg_http_client *client, const char *url) {
    jg_http_response *response = NULL;
    int rc = jg_http_get(client, url, &response);
    ck_assert_msg(rc == 0, "GET %s: %s", url, jg_error_detail(rc));
    return response;
}

static inline void expect_body(jg_http_response *response, const char *wanted) {
    const char *data = NULL;
    ssize_t size = jg_http_body(response, &data);
    ck_assert_msg(size == (ssize_t)strlen(wanted), "body: %zd bytes, not %zu", size,
                  strlen(wanted));
    ck_assert_str_eq(data, wanted);
}

/* GETs the peer's root and expects this body; returns whether the connection had served before. */
static inline bool expect_get(jg_http_client *client, const struct peer *peer, const char *wanted) {
    jg_http_response *response = get_ok(client, peer->url);
    expect_body(response, wanted);
    bool reused = jg_http_response_reused(response);
    jg_http_response_close(response);
    return reused;
}

/* Reads what is left, so that the connection may be used again, and closes. */
static inline void finish(jg_http_response *response) {
    const char *data;
    ck_assert_int_ge(jg_http_body(response, &data), 0);
    jg_http_response_close(response);
}

/* Sends, and expects this error, with `text` in its detail (NULL: any). */
static inline void expect_error(jg_http_client *client, const jg_http_request *request, int error,
                                const char *text) {
    jg_http_response *response = NULL;
    jg_error_clear();
    int rc = jg_http_send(client, request, &response);
    const char *data;
    if (rc == 0) {
        ssize_t size = jg_http_body(response, &data);
        rc = size < 0 ? (int)size : 0;
        jg_http_response_close(response);
    }
    ck_assert_msg(rc == error, "%s instead of %s: %s", jg_error_name(rc), jg_error_name(error),
                  jg_error_detail(rc));
    ck_assert_msg(text == NULL || strstr(jg_error_detail(rc), text) != NULL, "no \"%s\" in \"%s\"",
                  text, jg_error_detail(rc));
}

/* The same for a GET of the peer's root. */
static inline void expect_get_error(jg_http_client *client, const struct peer *peer, int error,
                                    const char *text) {
    expect_error(client, &(jg_http_request){.url = peer->url}, error, text);
}

#endif
