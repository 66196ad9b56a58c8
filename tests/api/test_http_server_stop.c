// SPDX-License-Identifier: MIT
/* test_http_server_stop.c – how a server ends, and what does not end it.
 *
 * Holds      handlers that wait for the test.
 * Invariant  when jg_http_serve returns, no connection is open and no handler runs.
 * Called by  the test runner, on epoll and on many seeds of sim.
 * Why        a server is stopped while requests are under way: that is when things are lost.
 * Quirks     none.
 */
#include "fixtures/http_raw.h"

static jg_future let_go;   // what handlers wait for
static jg_event handling;  // a handler has begun
static int handler_result; // what its wait came to

static int wait_then_reply(jg_http_exchange *x, void *arg) {
    (void)arg;
    if (strcmp(jg_http_path(x), "/now") == 0) {
        return jg_http_reply(x, 200, NULL, "now", 3);
    }
    jg_event_set(&handling);
    handler_result = (int)jg_future_wait(&let_go);
    return handler_result < 0 ? handler_result : jg_http_reply(x, 200, NULL, "late", 4);
}

#define NOW "GET /now HTTP/1.1\r\nHost: a\r\n\r\n"
#define NOW_REPLY RAW_OK "Content-Length: 3\r\n\r\nnow"

static void forget(void) {
    let_go = (jg_future){0};
    handling = (jg_event){0};
    handler_result = 1;
}

/* Three connections: in a handler, idle after a reply, and in the middle of a head. */
static void open_three(const struct raw_server *server, jg_stream *out_streams[3]) {
    for (int i = 0; i < 3; i++) {
        out_streams[i] = raw_connect(server);
    }
    raw_send(out_streams[0], RAW_GET);
    raw_send(out_streams[1], NOW);
    raw_expect(out_streams[1], NOW_REPLY);
    raw_send(out_streams[2], "GET / HT");
    ck_assert_int_eq(jg_event_wait(&handling), 0);
    raw_pause();
}

static void close_three(jg_stream *streams[3]) {
    for (int i = 0; i < 3; i++) {
        jg_stream_close(streams[i]);
    }
}

static void expect_nothing(jg_stream *stream) {
    char byte;
    ssize_t got = jg_read(stream, &byte, 1);
    ck_assert(got == 0 || got == -ECONNRESET);
}

static intptr_t at_once_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    jg_stream *streams[3];
    forget();
    raw_start(&server, wait_then_reply);
    open_three(&server, streams);
    raw_stop(&server);
    ck_assert_int_eq(handler_result, -ECANCELED);
    for (int i = 0; i < 3; i++) {
        expect_nothing(streams[i]);
    }
    close_three(streams);
    ck_assert_uint_eq(server.stats.connections, 3);
    ck_assert_uint_eq(server.stats.requests, 2);
    ck_assert_uint_eq(server.stats.rejected, 0);
    return 0;
}

// A cancelled server would go on, or return with handlers still running.
START_TEST(cancel_ends_all_at_once) {
    raw_run(at_once_body);
}
END_TEST

static intptr_t grace_body(void *arg) {
    (void)arg;
    struct raw_server server = {.options = {.grace_ms = -1}};
    jg_stream *streams[3];
    forget();
    raw_start(&server, wait_then_reply);
    open_three(&server, streams);
    jg_cancel(server.task);
    expect_nothing(streams[1]); // the idle end at once
    expect_nothing(streams[2]);
    ck_assert(!jg_done(server.task));
    jg_future_set(&let_go, 0);
    raw_expect(streams[0], RAW_OK RAW_CLOSE "Content-Length: 4\r\n\r\nlate");
    expect_nothing(streams[0]);
    raw_stop(&server);
    ck_assert_int_eq(handler_result, 0);
    close_three(streams);
    return 0;
}

// Requests under way would be cut although there was time.
START_TEST(grace_lets_requests_finish) {
    raw_run(grace_body);
}
END_TEST

static intptr_t grace_over_body(void *arg) {
    (void)arg;
    struct raw_server server = {.options = {.grace_ms = raw_on_sim() ? 5000 : 5}};
    jg_stream *streams[3];
    forget();
    raw_start(&server, wait_then_reply);
    open_three(&server, streams);
    int64_t begin_ns = jg_now();
    raw_stop(&server);
    int64_t took_ms = (jg_now() - begin_ns) / JG_MS;
    ck_assert_int_ge(took_ms, server.options.grace_ms);
    ck_assert_int_eq(handler_result, -ECANCELED);
    ck_assert(!raw_on_sim() || took_ms < server.options.grace_ms + 300);
    close_three(streams);
    return 0;
}

// One handler that does not end would keep a stopped server for ever.
START_TEST(grace_is_over_in_time) {
    raw_run(grace_over_body);
}
END_TEST

static intptr_t closed_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    jg_stream *streams[3];
    forget();
    raw_start(&server, wait_then_reply);
    open_three(&server, streams);
    jg_listener_close(server.listener);
    ck_assert_int_eq(jg_join(server.task), -EBADF);
    ck_assert_int_eq(handler_result, -ECANCELED);
    ck_assert_uint_eq(server.stats.open, 0);
    close_three(streams);
    return 0;
}

// Closing the listener, which is how programs stop a server, would not end it.
START_TEST(closing_the_listener_ends_it) {
    raw_run(closed_body);
}
END_TEST

static intptr_t closed_when_full_body(void *arg) {
    (void)arg;
    struct raw_server server = {.options = {.connections = 1}};
    int rc = 0;
    forget();
    raw_start(&server, wait_then_reply);
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, NOW);
    raw_expect(stream, NOW_REPLY);
    raw_pause();
    jg_listener_close(server.listener); // the server waits for a place, not for a connection
    JG_TIMEOUT(1000, rc) {
        rc = (int)jg_join(server.task); // not only when the peer, who is idle, goes away
    }
    ck_assert_int_eq(rc, -EBADF);
    jg_stream_close(stream);
    return 0;
}

// A server at its limit would use a listener that is gone, or hear of it when the next peer leaves.
START_TEST(closing_the_listener_of_a_full_server) {
    raw_run(closed_when_full_body);
}
END_TEST

static intptr_t unborn_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    forget();
    raw_start(&server, wait_then_reply);
    jg_stream *streams[8];
    for (int i = 0; i < 8; i++) {
        streams[i] = raw_connect(&server);
        raw_send(streams[i], NOW);
        if (i % 3 == 0) {
            jg_yield();
        }
    }
    raw_stop(&server); // some connections are not accepted, some have not begun
    for (int i = 0; i < 8; i++) {
        jg_stream_close(streams[i]);
    }
    return 0;
}

// A connection whose task never ran would be leaked.
START_TEST(cancel_before_connections_begin) {
    raw_run(unborn_body);
}
END_TEST

static intptr_t deadline_body(void *arg) {
    (void)arg;
    struct raw_server server = {.handler = wait_then_reply};
    int rc = 0;
    ck_assert_int_eq(jg_tcp_listen("127.0.0.1", 0, &server.listener), 0);
    JG_TIMEOUT(20, rc) {
        rc = (int)raw_serve(&server);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    jg_listener_close(server.listener);
    return 0;
}

// A server could not be run for a time.
START_TEST(deadlines_end_it) {
    raw_run(deadline_body);
}
END_TEST

static char large[500000];

static int reply_large(jg_http_exchange *x, void *arg) {
    (void)arg;
    const char *body;
    ssize_t size = jg_http_request_body(x, &body);
    if (size < 0) {
        return (int)size;
    }
    return jg_http_reply(x, 200, NULL, large, sizeof(large));
}

/* Leaves in the middle of the reply, with bytes unread: a reset. */
static void leave_early(const struct raw_server *server) {
    char some[100];
    jg_stream *stream = raw_connect(server);
    raw_send(stream, RAW_GET RAW_GET);
    ck_assert_int_gt(jg_read(stream, some, sizeof(some)), 0);
    jg_stream_close(stream);
}

/* Leaves in the middle of its request's body, with a reply unread: a reset. */
static void leave_half_said(const struct raw_server *server) {
    char some[10];
    jg_stream *stream = raw_connect(server);
    raw_send(stream, RAW_GET "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx");
    ck_assert_int_gt(jg_read(stream, some, sizeof(some)), 0);
    raw_pause();
    jg_stream_close(stream);
}

static int reports;

static void count_report(const jg_error *error) {
    (void)error;
    reports++;
}

static intptr_t leaving_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    reports = 0;
    jg_error_on_unretrieved(count_report);
    raw_start(&server, reply_large);
    for (int i = 0; i < 5; i++) {
        leave_early(&server);
        leave_half_said(&server);
        jg_stream_close(raw_connect(&server));
    }
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    raw_expect(stream, RAW_OK "Content-Length: 500000\r\n\r\n");
    jg_stream_close(stream);
    raw_stop(&server);
    ck_assert_int_eq(reports, 0); // that peers leave is no failure of the handler
    jg_error_on_unretrieved(NULL);
    return 0;
}

// One peer that leaves would end the server for all, or fill the log.
START_TEST(peers_that_leave_do_not_end_it) {
    raw_run(leaving_body);
}
END_TEST

static intptr_t options_body(void *arg) {
    (void)arg;
    static const jg_http_server_options bad[] = {
        {.head_most = 65537},
        {.target_most = 65536},
        {.fields_most = 65536},
        {.name = "a\r\nX: y"},
        {.name = "0123456789012345678901234567890123456789012345678901234567890123456789"
                 "012345678901234567890123456789012345678901234567890123456789"},
    };
    jg_listener *listener = NULL;
    ck_assert_int_eq(jg_tcp_listen("127.0.0.1", 0, &listener), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(jg_http_serve(listener, wait_then_reply, NULL, &bad[i], NULL), -EINVAL);
    }
    jg_cancel(jg_self());
    ck_assert_int_eq(jg_http_serve(listener, wait_then_reply, NULL, NULL, NULL), -ECANCELED);
    jg_uncancel(jg_self());
    jg_listener_close(listener);
    return 0;
}

// Nonsense would be served with; a cancelled task would serve.
START_TEST(bad_options_are_refused) {
    raw_run(options_body);
}
END_TEST

// A program without a loop would hang.
START_TEST(without_a_loop) {
    jg_listener *listener = NULL;
    ck_assert_int_eq(jg_tcp_listen("127.0.0.1", 0, &listener), 0);
    ck_assert_int_eq(jg_http_serve(listener, wait_then_reply, NULL, NULL, NULL), -ENXIO);
    jg_listener_close(listener);
}
END_TEST

FIXTURE_MAIN("api/http_server_stop", cancel_ends_all_at_once, grace_lets_requests_finish,
             grace_is_over_in_time, closing_the_listener_ends_it,
             closing_the_listener_of_a_full_server, cancel_before_connections_begin,
             deadlines_end_it, peers_that_leave_do_not_end_it, bad_options_are_refused,
             without_a_loop)
