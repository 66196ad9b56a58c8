// SPDX-License-Identifier: MIT
/* test_http_server.c – what the HTTP server answers, byte for byte.
 *
 * Holds      handlers that show what they were given, and clients that send bytes.
 * Invariant  none.
 * Called by  the test runner, on epoll and on many seeds of sim.
 * Why        framing and order are the contract with peers we did not write.
 * Quirks     none.
 */
#include "fixtures/http_raw.h"

#include <unistd.h>

/* Answers with the body it was sent, or "hello" without one. */
static int echo(jg_http_exchange *x, void *arg) {
    (void)arg;
    const char *body;
    ssize_t size = jg_http_request_body(x, &body);
    if (size < 0) {
        return (int)size;
    }
    return size > 0 ? jg_http_reply(x, 200, "text/plain", body, (size_t)size)
                    : jg_http_reply(x, 200, "text/plain", "hello", 5);
}

#define HELLO RAW_OK RAW_TEXT "Content-Length: 5\r\n\r\nhello"
#define HELLO_CLOSE RAW_OK RAW_TEXT RAW_CLOSE "Content-Length: 5\r\n\r\nhello"
#define HELLO_KEEP RAW_OK RAW_TEXT "Connection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"

static intptr_t plain_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, echo);
    raw_check(&server, RAW_GET, HELLO);
    raw_check(&server, "\r\n" RAW_GET, HELLO);
    raw_check(&server, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
              RAW_OK RAW_TEXT "Content-Length: 5\r\n\r\n");
    raw_check(&server, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
              RAW_OK RAW_TEXT "Content-Length: 3\r\n\r\nabc");
    raw_check(&server,
              "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
              "1\r\na\r\n002;x=y\r\nbc\r\n0\r\nTrailer: x\r\n\r\n",
              RAW_OK RAW_TEXT "Content-Length: 3\r\n\r\nabc");
    raw_stop(&server);
    ck_assert_uint_eq(server.stats.requests, 5);
    ck_assert_uint_eq(server.stats.connections, 5);
    ck_assert_uint_eq(server.stats.rejected, 0);
    return 0;
}

// A client could not read the simplest of replies.
START_TEST(answers_are_framed) {
    raw_run(plain_body);
}
END_TEST

static intptr_t keep_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, echo);
    jg_stream *stream = raw_connect(&server);
    for (int i = 0; i < 3; i++) {
        raw_send(stream, RAW_GET);
        raw_expect(stream, HELLO);
    }
    raw_send(stream, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    raw_expect(stream, HELLO_CLOSE);
    raw_expect_end(stream);
    jg_stream_close(stream);

    stream = raw_connect(&server);
    raw_send(stream, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    raw_expect(stream, HELLO_KEEP);
    raw_send(stream, "GET / HTTP/1.0\r\n\r\n");
    raw_expect(stream, HELLO_CLOSE);
    raw_expect_end(stream);
    jg_stream_close(stream);
    raw_stop(&server);
    ck_assert_uint_eq(server.stats.connections, 2);
    ck_assert_uint_eq(server.stats.requests, 6);
    return 0;
}

// Connections would be dropped that can be kept, or kept that the peer believes dropped.
START_TEST(connections_are_kept_as_asked) {
    raw_run(keep_body);
}
END_TEST

/* Shows the request as it sees it. */
static int show(jg_http_exchange *x, void *arg) {
    (void)arg;
    char text[1024];
    const char *header = jg_http_request_header(x, "x-test");
    int size = snprintf(text, sizeof(text), "%s|%s|%s|%s|%zu", jg_http_method(x), jg_http_path(x),
                        jg_http_query(x), header != NULL ? header : "-",
                        jg_http_request_header_count(x));
    return jg_http_reply(x, 200, NULL, text, (size_t)size);
}

static void shows(const struct raw_server *server, const char *request, const char *wanted) {
    char *answer = raw_ask(server, request);
    const char *body = strstr(answer, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    ck_assert_str_eq(body + 4, wanted);
    free(answer);
}

static intptr_t parts_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, show);
    shows(&server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET|/||-|1");
    shows(&server, "BREW /a%20b?c=d&e?f HTTP/1.1\r\nHost: a\r\nX-TEST:  v w \r\n\r\n",
          "BREW|/a%20b|c=d&e?f|v w|2");
    shows(&server, "GET /? HTTP/1.1\r\nX-Test:\r\nHost: a\r\nX-Test: 2\r\n\r\n", "GET|/|||3");
    shows(&server, "GET http://b:80/p?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET|/p|q|-|1");
    shows(&server, "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "GET|/||-|1");
    shows(&server, "GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET|/|q|-|1");
    shows(&server, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS|*||-|1");
    raw_stop(&server);
    return 0;
}

// A handler would be told another request than was sent.
START_TEST(requests_are_taken_apart) {
    raw_run(parts_body);
}
END_TEST

static int check_many(jg_http_exchange *x, void *arg) {
    (void)arg;
    size_t count = jg_http_request_header_count(x);
    for (size_t i = 1; i < count; i++) {
        char name[24];
        snprintf(name, sizeof(name), "H%zu", i);
        jg_http_header header = jg_http_request_header_at(x, i);
        ck_assert_str_eq(header.name, name);
        ck_assert_str_eq(header.value, name + 1);
        ck_assert_str_eq(jg_http_request_header(x, name), name + 1);
    }
    char text[16];
    int size = snprintf(text, sizeof(text), "%zu", count);
    return jg_http_reply(x, 200, NULL, text, (size_t)size);
}

static intptr_t many_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, check_many);
    static const int counts[] = {1, 23, 24, 25, 60, 99};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        char request[4096];
        char wanted[16];
        int at = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int h = 1; h <= counts[i]; h++) {
            at += snprintf(request + at, sizeof(request) - (size_t)at, "H%d: %d\r\n", h, h);
        }
        snprintf(request + at, sizeof(request) - (size_t)at, "\r\n");
        snprintf(wanted, sizeof(wanted), "%d", counts[i] + 1);
        shows(&server, request, wanted);
    }
    raw_stop(&server);
    return 0;
}

// Headers beyond those that fit the exchange's own memory would be lost.
START_TEST(all_headers_are_found) {
    raw_run(many_body);
}
END_TEST

#define POST_9 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfirst-one"
#define CHUNKS                                                                                     \
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nseco\r\n2\r\nnd\r\n0\r\n\r\n"

static const char pipelined[] = POST_9 CHUNKS RAW_GET RAW_GET;
static const char pipelined_answer[] = RAW_OK RAW_TEXT
    "Content-Length: 9\r\n\r\nfirst-one" RAW_OK RAW_TEXT
    "Content-Length: 6\r\n\r\nsecond" HELLO HELLO;

static void check_split(const struct raw_server *server, size_t split) {
    char answer[4096];
    jg_stream *stream = raw_connect(server);
    raw_send_bytes(stream, pipelined, split);
    raw_pause();
    raw_send_bytes(stream, pipelined + split, sizeof(pipelined) - 1 - split);
    ck_assert_int_eq(jg_stream_shutdown(stream), 0);
    raw_read_to_end(stream, answer, sizeof(answer));
    raw_cut_dates(answer);
    ck_assert_str_eq(answer, pipelined_answer);
    jg_stream_close(stream);
}

static intptr_t pipeline_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, echo);
    for (size_t split = 1; split < sizeof(pipelined) - 1; split++) {
        check_split(&server, split);
    }
    jg_stream *stream = raw_connect(&server);
    for (size_t i = 0; i < sizeof(pipelined) - 1; i++) {
        raw_send_bytes(stream, &pipelined[i], 1);
        raw_pause();
    }
    ck_assert_int_eq(jg_stream_shutdown(stream), 0);
    char answer[4096];
    raw_read_to_end(stream, answer, sizeof(answer));
    raw_cut_dates(answer);
    ck_assert_str_eq(answer, pipelined_answer);
    jg_stream_close(stream);
    raw_stop(&server);
    return 0;
}

// How bytes are cut into packets would change what they mean.
START_TEST(pipelined_requests_split_anywhere) {
    raw_run(pipeline_body);
}
END_TEST

static int refuse_to_read(jg_http_exchange *x, void *arg) {
    (void)arg;
    return jg_http_reply(x, 200, NULL, "no", 2);
}

#define NO RAW_OK "Content-Length: 2\r\n\r\nno"
#define NO_CLOSE RAW_OK RAW_CLOSE "Content-Length: 2\r\n\r\nno"

/* A body of unknown size that turns out to be too much ends the connection. */
static void check_endless(const struct raw_server *server) {
    static char request[128 * 1024];
    int at = snprintf(request, sizeof(request),
                      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "11170\r\n%70000d\r\n0\r\n\r\n" RAW_GET,
                      0);
    ck_assert_int_lt(at, (int)sizeof(request));
    raw_check(server, request, NO);
}

static intptr_t unread_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, refuse_to_read);
    raw_check(&server, POST_9 CHUNKS RAW_GET, NO NO NO);
    // More than is worth reading: the reply says that the connection ends.
    raw_check(&server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\nabc" RAW_GET,
              NO_CLOSE);
    // Bad framing in what nobody reads still ends the connection.
    raw_check(&server,
              "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" RAW_GET, NO);
    raw_check(&server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\ncut", NO);
    check_endless(&server);
    raw_stop(&server);
    return 0;
}

// A body nobody read would be taken for the next request.
START_TEST(unread_bodies_are_dropped) {
    raw_run(unread_body);
}
END_TEST

#define EXPECT "Expect: 100-continue\r\n"

static intptr_t expect_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, echo);
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, "PUT / HTTP/1.1\r\nHost: a\r\n" EXPECT "Content-Length: 3\r\n\r\n");
    raw_expect(stream, "HTTP/1.1 100 Continue\r\n\r\n");
    raw_send(stream, "abc" RAW_GET);
    raw_expect(stream, RAW_OK RAW_TEXT "Content-Length: 3\r\n\r\nabc");
    raw_expect(stream, HELLO);
    jg_stream_close(stream);
    // Without a body to wait for, none is asked for; and not by the old version.
    raw_check(&server, "PUT / HTTP/1.1\r\nHost: a\r\n" EXPECT "\r\n", HELLO);
    raw_check(&server, "PUT / HTTP/1.0\r\n" EXPECT "Content-Length: 3\r\n\r\nabc",
              RAW_OK RAW_TEXT RAW_CLOSE "Content-Length: 3\r\n\r\nabc");
    raw_stop(&server);

    raw_start(&server, refuse_to_read);
    stream = raw_connect(&server);
    raw_send(stream, "PUT / HTTP/1.1\r\nHost: a\r\n" EXPECT "Content-Length: 3\r\n\r\n");
    raw_expect(stream, NO_CLOSE);
    raw_expect_end(stream);
    jg_stream_close(stream);
    raw_stop(&server);
    return 0;
}

// A client that waits to be asked would wait for ever, or be asked for what nobody wants.
START_TEST(bodies_are_asked_for) {
    raw_run(expect_body);
}
END_TEST

/* Reads the body in small pieces, and says how it went. */
static int read_pieces(jg_http_exchange *x, void *arg) {
    (void)arg;
    char all[256];
    size_t size = 0;
    ssize_t got;
    while ((got = jg_http_request_read(x, all + size, 3)) > 0) {
        ck_assert_int_le(got, 3);
        size += (size_t)got;
    }
    if (got < 0) {
        ck_assert_int_eq(jg_http_request_read(x, all, 1), got);
        return (int)got;
    }
    ck_assert_int_eq(jg_http_request_read(x, all, 1), 0);
    const char *rest;
    ck_assert_int_eq(jg_http_request_body(x, &rest), 0);
    ck_assert_str_eq(rest, "");
    return jg_http_reply(x, 200, NULL, all, size);
}

static intptr_t pieces_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, read_pieces);
    raw_check(&server, POST_9 CHUNKS,
              RAW_OK "Content-Length: 9\r\n\r\nfirst-one" RAW_OK "Content-Length: 6\r\n\r\nsecond");
    raw_check(&server,
              "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
              "a\r\n0123456789\r\n1;e\r\na\r\n0\r\n\r\n",
              RAW_OK "Content-Length: 11\r\n\r\n0123456789a");
    char *answer = raw_ask(&server,
                           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "2\r\nab\r\nx\r\n");
    ck_assert_int_eq(strncmp(answer, "HTTP/1.1 400 ", 13), 0);
    free(answer);
    raw_stop(&server);
    return 0;
}

// A body read piece by piece would lose or repeat bytes at the seams.
START_TEST(bodies_are_read_in_pieces) {
    raw_run(pieces_body);
}
END_TEST

static intptr_t unix_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    char name[64];
    snprintf(name, sizeof(name), "@juggle-test-%d", (int)getpid());
    ck_assert_int_eq(jg_unix_listen(name, &server.listener), 0);
    raw_start(&server, echo);
    jg_stream *stream = NULL;
    ck_assert_int_eq(jg_unix_connect(name, &stream), 0);
    raw_send(stream, RAW_GET);
    raw_expect(stream, HELLO);
    jg_stream_close(stream);
    raw_stop(&server);
    return 0;
}

// Unix sockets would need a server of their own.
START_TEST(unix_sockets_are_served) {
    raw_run(unix_body);
}
END_TEST

FIXTURE_MAIN("api/http_server", answers_are_framed, connections_are_kept_as_asked,
             requests_are_taken_apart, all_headers_are_found, pipelined_requests_split_anywhere,
             unread_bodies_are_dropped, bodies_are_asked_for, bodies_are_read_in_pieces,
             unix_sockets_are_served)
