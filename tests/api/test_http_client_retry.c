// SPDX-License-Identifier: MIT
/* test_http_client_retry.c – connections that die: which request is sent once more, and which never.
 *
 * Holds      nothing between tests.
 * Invariant  every test runs the same body in a loop, in the simulation and without a loop.
 * Called by  ctest, once per backend.
 * Why        RELIABILITY R30: a request sent twice may be executed twice; one not sent again fails for no
 *            reason of its own.
 */
// Backends: epoll sim blocking
#include "http_client_steps.h"

// Connections that die. R30.

/* A server that answers once, and closes the connection at the next request. */
static const struct peer_reply hangs_up[] = {
    {.bytes = HELLO}, {.bytes = NULL, .after = PEER_CLOSE}, {.bytes = HELLO}};

static void retried_body(struct peer *peer) {
    const char *method = peer->arg;
    jg_http_client *client = client_open(NULL);
    expect_get(client, peer, "hello");
    jg_http_response *response = send_ok(client,
                                         &(jg_http_request){.url = peer->url, .method = method});
    ck_assert(!jg_http_response_reused(response));
    finish(response);
    ck_assert_int_eq(peer->requests, 3);
    ck_assert_int_eq(peer->accepted, 2);
    jg_http_client_close(client);
}

// Every keep-alive client would see errors whenever a server closes an idle connection.
START_TEST(r30_dead_kept_connection_is_replaced_once) {
    static const char *const methods[] = {"GET", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        peer_run(hangs_up, 3, retried_body, (void *)(uintptr_t)methods[i]);
    }
}
END_TEST

static void not_retried_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    expect_get(client, peer, "hello");
    const jg_http_request post = {.url = peer->url, .method = "POST", .body = "x", .body_size = 1};
    expect_error(client, &post, -EPIPE, "without an answer");
    ck_assert_int_eq(peer->requests, 2);
    ck_assert_int_eq(peer->accepted, 1);
    expect_get(client, peer, "hello");
    jg_http_client_close(client);
}

// A POST would be executed twice.
START_TEST(r30_post_is_never_repeated) {
    peer_run(hangs_up, 3, not_retried_body, NULL);
}
END_TEST

static void once_only_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    expect_get(client, peer, "hello");
    expect_get_error(client, peer, -EPIPE, "without an answer");
    ck_assert_int_eq(peer->requests, 3);
    expect_get_error(client, peer, -EPIPE, "without an answer");
    ck_assert_int_eq(peer->requests, 4); // a new connection is not to blame
    jg_http_client_close(client);
}

// A server that closes every connection would be asked for ever.
START_TEST(r30_retry_happens_once_and_only_for_a_kept_connection) {
    peer_run(hangs_up, 2, once_only_body, NULL); // the last reply is repeated
}
END_TEST

static void after_first_byte_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    expect_get(client, peer, "hello");
    expect_get_error(client, peer, -EPIPE, "inside the head");
    ck_assert_int_eq(peer->requests, 2);
    jg_http_client_close(client);
}

// A request whose answer had begun was executed: it must not be again.
START_TEST(no_retry_after_the_first_byte) {
    static const struct peer_reply replies[] = {{.bytes = HELLO},
                                                {.bytes = "H", .after = PEER_CLOSE}};
    peer_run(replies, 2, after_first_byte_body, NULL);
}
END_TEST

static intptr_t refused_body(void *arg) {
    (void)arg;
    jg_listener *listener;
    struct peer peer = {.port = 0};
    ck_assert_int_eq(jg_tcp_listen("127.0.0.1", 0, &listener), 0);
    snprintf(peer.url, sizeof peer.url, "http://127.0.0.1:%d/", jg_listener_port(listener));
    jg_listener_close(listener);
    jg_http_client *client = client_open(NULL);
    expect_get_error(client, &peer, -ECONNREFUSED, "cannot connect to 127.0.0.1 port");
    expect_get_error(client, &peer, -ECONNREFUSED, "cannot connect to 127.0.0.1 port");
    jg_http_client_close(client);
    jg_error_clear();
    return 0;
}

// A server that is down would look like something else.
START_TEST(r24_refused_connection_says_so) {
    run_body(refused_body);
}
END_TEST

FIXTURE_MAIN("api/http_client_retry", r30_dead_kept_connection_is_replaced_once,
             r30_post_is_never_repeated, r30_retry_happens_once_and_only_for_a_kept_connection,
             no_retry_after_the_first_byte, r24_refused_connection_says_so)
