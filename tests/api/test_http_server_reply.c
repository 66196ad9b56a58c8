// SPDX-License-Identifier: MIT
/* test_http_server_reply.c – replies of every kind, refusals, and handlers that fail.
 *
 * Holds      one handler that does what the path asks for.
 * Invariant  none.
 * Called by  the test runner, on epoll and on many seeds of sim.
 * Why        whatever a handler does, a peer must be able to tell where the reply ends, and whether
 *            it got all of it.
 * Quirks     none.
 */
#include "fixtures/http_raw.h"

static int times_called;
static char reported[512];

static void keep_report(const jg_error *error) {
    snprintf(reported, sizeof(reported), "%s: %s (%s)", jg_error_name(error->code), error->text,
             error->cause != NULL ? error->cause->text : "");
}

static int status_reply(jg_http_exchange *x, const char *query) {
    return jg_http_reply(x, atoi(query), "text/plain", "body", 4);
}

static int chunked_reply(jg_http_exchange *x) {
    ck_assert_int_eq(jg_http_reply_header(x, "X-Own", "1"), 0);
    ck_assert_int_eq(jg_http_reply_begin(x, 200, "text/plain"), 0);
    ck_assert_int_eq(jg_http_reply_begin(x, 200, NULL), -EALREADY);
    ck_assert_int_eq(jg_http_reply(x, 200, NULL, "", 0), -EALREADY);
    ck_assert_int_eq(jg_http_reply_header(x, "X-Own", "1"), -EALREADY);
    ck_assert_int_eq(jg_http_reply_write(x, "hello ", 6), 0);
    ck_assert_int_eq(jg_http_reply_write(x, "", 0), 0);
    ck_assert_int_eq(jg_http_reply_write(x, "all of you", 10), 0);
    ck_assert_int_eq(jg_http_reply_end(x), 0);
    ck_assert_int_eq(jg_http_reply_end(x), -EALREADY);
    ck_assert_int_eq(jg_http_reply_write(x, "x", 1), -EALREADY);
    return 0;
}

/* Tries everything that must be refused, then replies. */
static int refused_reply(jg_http_exchange *x) {
    static const char *const bad[][2] = {
        {"X-A", "a\r\nX-B: b"},
        {"X-A", "a\nb"},
        {"X-A", "a\rb"},
        {"X-A", "a\x01"},
        {"X A", "a"},
        {"X-A:", "a"},
        {"", "a"},
        {"X-A\r\nX-B", "b"},
        {"Content-Length", "3"},
        {"content-length", "1"},
        {"Transfer-Encoding", "chunked"},
        {"Connection", "keep-alive"},
        {"Connection", "upgrade"},
        {"Keep-Alive", "1"},
        {"Date", "now"},
        {"Server", "me"},
        {"Trailer", "X-A"},
        {"Upgrade", "h2c"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(jg_http_reply_header(x, bad[i][0], bad[i][1]), -EINVAL);
    }
    char long_type[300];
    memset(long_type, 'a', sizeof(long_type));
    long_type[sizeof(long_type) - 1] = '\0';
    ck_assert_int_eq(jg_http_reply(x, 200, "text/plain\r\nX: y", "", 0), -EINVAL);
    ck_assert_int_eq(jg_http_reply(x, 200, long_type, "", 0), -EINVAL);
    ck_assert_int_eq(jg_http_reply(x, 199, NULL, "", 0), -EINVAL);
    ck_assert_int_eq(jg_http_reply(x, 1000, NULL, "", 0), -EINVAL);
    ck_assert_int_eq(jg_http_reply(x, -200, NULL, "", 0), -EINVAL);
    ck_assert_int_eq(jg_http_reply_begin(x, 101, NULL), -EINVAL);
    ck_assert_int_eq(jg_http_reply_write(x, "x", 1), -EINVAL);
    ck_assert_int_eq(jg_http_reply_end(x), -EINVAL);
    ck_assert_int_eq(jg_http_reply_header(x, "Content-Type", "a/b"), 0);
    ck_assert_int_eq(jg_http_reply_header(x, "X-Two", " 1 "), 0);
    ck_assert_int_eq(jg_http_reply_header(x, "x-two", "2"), 0);
    return jg_http_reply(x, 299, "c/d", "x", 1);
}

static int begin_and_fail(jg_http_exchange *x) {
    ck_assert_int_eq(jg_http_reply_begin(x, 200, NULL), 0);
    ck_assert_int_eq(jg_http_reply_write(x, "half", 4), 0);
    return -EIO;
}

static int begin_without_body(jg_http_exchange *x) {
    ck_assert_int_eq(jg_http_reply_begin(x, 204, NULL), 0);
    ck_assert_int_eq(jg_http_reply_write(x, "not sent", 8), 0);
    return jg_http_reply_end(x);
}

static int handle(jg_http_exchange *x, void *arg) {
    (void)arg;
    times_called++;
    const char *path = jg_http_path(x);
    const char *body;
    if (strcmp(path, "/status") == 0) {
        return status_reply(x, jg_http_query(x));
    }
    if (strcmp(path, "/chunked") == 0) {
        return chunked_reply(x);
    }
    if (strcmp(path, "/refused") == 0) {
        return refused_reply(x);
    }
    if (strcmp(path, "/close") == 0) {
        ck_assert_int_eq(jg_http_reply_header(x, "connection", "Close"), 0);
    }
    if (strcmp(path, "/fail") == 0) {
        ck_assert_int_eq(jg_http_reply_header(x, "X-Own", "of the reply that never was"), 0);
        return (int)jg_fail(-ENOENT, "no such thing");
    }
    if (strcmp(path, "/fail-half") == 0) {
        return begin_and_fail(x);
    }
    if (strcmp(path, "/no-content") == 0) {
        return begin_without_body(x);
    }
    if (strcmp(path, "/silent") == 0) {
        return 0;
    }
    if (strcmp(path, "/begin") == 0) {
        return jg_http_reply_begin(x, 200, NULL);
    }
    if (strcmp(path, "/body") == 0) {
        ssize_t size = jg_http_request_body(x, &body);
        ck_assert(size >= 0 || jg_http_request_body(x, &body) == size);
        return size < 0 ? (int)size : jg_http_reply(x, 200, NULL, body, (size_t)size);
    }
    return jg_http_reply(x, 200, NULL, "ok", 2);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_OK RAW_OK "Content-Length: 2\r\n\r\nok"

static intptr_t status_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, handle);
    raw_check(&server, GET("/status?404"),
              "HTTP/1.1 404 Not Found\r\n" RAW_SERVER RAW_TEXT "Content-Length: 4\r\n\r\nbody");
    raw_check(&server, GET("/status?999"),
              "HTTP/1.1 999 \r\n" RAW_SERVER RAW_TEXT "Content-Length: 4\r\n\r\nbody");
    raw_check(&server, GET("/status?204") GET("/"),
              "HTTP/1.1 204 No Content\r\n" RAW_SERVER RAW_TEXT "\r\n" OK_OK);
    raw_check(&server, GET("/status?304") GET("/"),
              "HTTP/1.1 304 Not Modified\r\n" RAW_SERVER RAW_TEXT "\r\n" OK_OK);
    raw_check(&server, GET("/status?205") GET("/"),
              "HTTP/1.1 205 Reset Content\r\n" RAW_SERVER RAW_TEXT
              "Content-Length: 0\r\n\r\n" OK_OK);
    raw_check(&server, GET("/close") GET("/"), RAW_OK RAW_CLOSE "Content-Length: 2\r\n\r\nok");
    raw_check(&server, GET("/refused"),
              "HTTP/1.1 299 \r\n" RAW_SERVER "Content-Type: c/d\r\nContent-Length: 1\r\n"
              "X-Two: 1\r\nx-two: 2\r\n\r\nx");
    raw_stop(&server);
    return 0;
}

// A peer would wait for a body that does not come, or read one that is not there.
START_TEST(statuses_frame_their_bodies) {
    raw_run(status_body);
}
END_TEST

static intptr_t chunked_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, handle);
    raw_check(&server, GET("/chunked") GET("/"),
              RAW_OK RAW_TEXT "Transfer-Encoding: chunked\r\nX-Own: 1\r\n\r\n"
                              "6\r\nhello \r\na\r\nall of you\r\n0\r\n\r\n" OK_OK);
    raw_check(&server, "HEAD /chunked HTTP/1.1\r\nHost: a\r\n\r\n" GET("/"),
              RAW_OK RAW_TEXT "Transfer-Encoding: chunked\r\nX-Own: 1\r\n\r\n" OK_OK);
    raw_check(&server, "GET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
              RAW_OK RAW_TEXT RAW_CLOSE "X-Own: 1\r\n\r\nhello all of you");
    raw_check(&server, GET("/no-content") GET("/"),
              "HTTP/1.1 204 No Content\r\n" RAW_SERVER "\r\n" OK_OK);
    raw_check(&server, GET("/begin") GET("/"),
              RAW_OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" OK_OK);
    raw_stop(&server);
    return 0;
}

// Replies of unknown size would be unreadable, or end the connection of those who know chunks.
START_TEST(replies_of_unknown_size) {
    raw_run(chunked_body);
}
END_TEST

#define REFUSED(status, text, size)                                                                \
    "HTTP/1.1 " status "\r\n" RAW_SERVER RAW_TEXT RAW_CLOSE "Content-Length: " size                \
    "\r\n\r\n" text "\n"

static intptr_t failing_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    jg_error_on_unretrieved(keep_report);
    raw_start(&server, handle);
    raw_check(&server, GET("/fail") GET("/"),
              REFUSED("500 Internal Server Error", "the handler failed", "19"));
    ck_assert_str_eq(reported, "ENOENT: handler of GET /fail failed (no such thing)");
    reported[0] = '\0';
    raw_check(&server, GET("/silent") GET("/"),
              REFUSED("500 Internal Server Error", "the handler did not reply", "26"));
    raw_check(&server, GET("/status?77"),
              REFUSED("500 Internal Server Error", "the handler failed", "19"));
    ck_assert_str_eq(reported, "EINVAL: handler of GET /status failed ()");
    raw_check(&server, GET("/fail-half") GET("/"),
              RAW_OK "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    ck_assert_str_eq(reported, "EIO: handler of GET /fail-half failed ()");
    raw_check(&server, GET("/"), OK_OK); // the server is none the worse for it
    raw_stop(&server);
    ck_assert_uint_eq(server.stats.rejected, 3);
    jg_error_on_unretrieved(NULL);
    return 0;
}

// A handler that fails would leave its peer waiting, or a cut reply looking whole.
START_TEST(failing_handlers_end_their_connection) {
    raw_run(failing_body);
}
END_TEST

/* Of a request that is refused: how the answer begins, that it is the only one, and that no handler
 * saw it. */
static void check_refused(struct raw_server *server, const char *request, size_t size,
                          const char *wanted) {
    uint64_t rejected = server->stats.rejected;
    times_called = 0;
    char *answer = raw_ask_bytes(server, request, size);
    char begin[32];
    snprintf(begin, sizeof(begin), "HTTP/1.1 %s ", wanted);
    ck_assert_msg(strncmp(answer, begin, strlen(begin)) == 0, "%.60s: %s, not %s", request, answer,
                  wanted);
    ck_assert_ptr_nonnull(strstr(answer, RAW_CLOSE));
    ck_assert_ptr_null(strstr(answer + 1, "HTTP/1.1 "));
    ck_assert_int_eq(times_called, 0);
    ck_assert_uint_eq(server->stats.rejected, rejected + 1);
    free(answer);
}

#define H "Host: a\r\n"

static const char *const refusals[][2] = {
    {"400", "GET / HTTP/1.1\r\n\r\n"},
    {"400", "GET / HTTP/1.1\r\n" H H "\r\n"},
    {"400", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {"400", "GET / HTTP/1.1\n" H "\n"},
    {"400", "GET  / HTTP/1.1\r\n" H "\r\n"},
    {"400", "\x16\x03\x01\x02\r\n\r\n"},
    {"400", "GET /\r\n\r\n"},
    {"400", "GET / HTTP/1.1\r\n" H "A : b\r\n\r\n"},
    {"400", "GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n"},
    {"400", "GET / HTTP/1.1\r\n" H "A: b\x01\r\n\r\n"},
    {"400", "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"},
    {"400", "POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\na"},
    {"400",
     "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"400", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"400", "GET / HTTP/1.1\r\nHost: a\r\nX: cut"},
    {"501", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {"501", "AVERYVERYVERYVERYVERYVERYLONGMETHOD / HTTP/1.1\r\n" H "\r\n"},
    {"501", "CONNECT a:80 HTTP/1.1\r\n" H "\r\n"},
    {"417", "GET / HTTP/1.1\r\n" H "Expect: miracles\r\n\r\n"},
    {"505", "GET / HTTP/2.0\r\n" H "\r\n"},
    {"505", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
};

static void check_long(struct raw_server *server, const char *begin, size_t fill, const char *end,
                       const char *wanted) {
    size_t size = strlen(begin) + fill + strlen(end);
    char *request = malloc(size + 1);
    ck_assert_ptr_nonnull(request);
    snprintf(request, size + 1, "%s%*s%s", begin, (int)fill, "", end);
    memset(request + strlen(begin), 'a', fill);
    check_refused(server, request, size, wanted);
    free(request);
}

static intptr_t refusal_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, handle);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        check_refused(&server, refusals[i][1], strlen(refusals[i][1]), refusals[i][0]);
    }
    static const char with_nul[] = "GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n";
    check_refused(&server, with_nul, sizeof(with_nul) - 1, "400");
    check_long(&server, "GET /", 8192, " HTTP/1.1\r\n" H "\r\n", "414");
    check_long(&server, "GET / HTTP/1.1\r\n" H "A: ", 16384, "\r\n\r\n", "431");
    check_long(&server, "GET / HTTP/1.1\r\n" H "A: ", 200000, "\r\n\r\n", "431");
    char many[2048];
    int at = snprintf(many, sizeof(many), "GET / HTTP/1.1\r\n" H);
    for (int i = 0; i < 100; i++) {
        at += snprintf(many + at, sizeof(many) - (size_t)at, "A: b\r\n");
    }
    snprintf(many + at, sizeof(many) - (size_t)at, "\r\n");
    check_refused(&server, many, strlen(many), "431");
    raw_stop(&server);
    return 0;
}

// What two servers could read in two ways would be read in one of them.
START_TEST(r34_bad_requests_are_refused) {
    raw_run(refusal_body);
}
END_TEST

static intptr_t bad_body_body(void *arg) {
    (void)arg;
    struct raw_server server = {.options = {.body_most = 10, .name = ""}};
    jg_error_on_unretrieved(keep_report);
    reported[0] = '\0';
    raw_start(&server, handle);
    static const char *const cases[][2] = {
        {"HTTP/1.1 413 ", "Content-Length: 11\r\n\r\n01234567890"},
        {"HTTP/1.1 413 ", "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n"},
        {"HTTP/1.1 413 ", "Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"},
        {"HTTP/1.1 400 ", "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"},
        {"HTTP/1.1 400 ", "Transfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n"},
        {"HTTP/1.1 400 ", "Content-Length: 5\r\n\r\ncut"},
        {"HTTP/1.1 400 ", "Transfer-Encoding: chunked\r\n\r\n5\r\ncut"},
        {"HTTP/1.1 200 ", "Content-Length: 10\r\n\r\n0123456789"},
        {"HTTP/1.1 200 ", "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char request[256];
        snprintf(request, sizeof(request), "PUT /body HTTP/1.1\r\nHost: a\r\n%s", cases[i][1]);
        char *answer = raw_ask(&server, request);
        ck_assert_msg(strncmp(answer, cases[i][0], strlen(cases[i][0])) == 0, "%s: %s", request,
                      answer);
        ck_assert_ptr_null(strstr(answer, "Server:"));
        ck_assert(cases[i][0][9] == '2' || strstr(answer, RAW_CLOSE) != NULL);
        free(answer);
    }
    raw_stop(&server);
    ck_assert_str_eq(reported, ""); // the peer's doing, not the handler's
    jg_error_on_unretrieved(NULL);
    return 0;
}

// A body that is bad or too large would be the handler's problem.
START_TEST(bad_bodies_are_answered) {
    raw_run(bad_body_body);
}
END_TEST

enum { LARGE = 1000000 };
static char large[LARGE];

static int send_large(jg_http_exchange *x, void *arg) {
    (void)arg;
    if (strcmp(jg_http_path(x), "/chunked") != 0) {
        return jg_http_reply(x, 200, NULL, large, LARGE);
    }
    int rc = jg_http_reply_begin(x, 200, NULL);
    return rc < 0 ? rc : jg_http_reply_write(x, large, LARGE);
}

static size_t skip_head(const char *answer) {
    const char *end = strstr(answer, "\r\n\r\n");
    ck_assert_ptr_nonnull(end);
    return (size_t)(end + 4 - answer);
}

/* Takes the chunks apart, in place. Returns the size of what was in them. */
static size_t join_chunks(char *data, size_t size) {
    size_t joined = 0;
    size_t at = 0;
    for (;;) {
        ck_assert_uint_lt(at, size);
        char *line_end;
        size_t chunk = strtoul(data + at, &line_end, 16);
        at = (size_t)(line_end - data) + 2;
        memmove(data + joined, data + at, chunk);
        joined += chunk;
        at += chunk + 2;
        if (chunk == 0) {
            ck_assert_uint_eq(at, size);
            return joined;
        }
    }
}

static void check_large(struct raw_server *server, const char *request, bool chunked) {
    enum { CAP = LARGE + 4096 };
    char *answer = malloc(CAP);
    ck_assert_ptr_nonnull(answer);
    jg_stream *stream = raw_connect(server);
    raw_send(stream, request);
    ck_assert_int_eq(jg_stream_shutdown(stream), 0);
    raw_pause();
    size_t size = raw_read_to_end(stream, answer, CAP);
    ck_assert_uint_eq(size, jg_stream_received(stream));
    size_t at = skip_head(answer);
    size_t body_size = chunked ? join_chunks(answer + at, size - at) : size - at;
    ck_assert_uint_eq(body_size, LARGE);
    ck_assert_int_eq(memcmp(answer + at, large, LARGE), 0);
    jg_stream_close(stream);
    free(answer);
}

static intptr_t large_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    for (size_t i = 0; i < LARGE; i++) {
        large[i] = (char)(i * 7 + i / 251);
    }
    raw_start(&server, send_large);
    check_large(&server, GET("/"), false);
    check_large(&server, GET("/chunked"), true);
    raw_stop(&server);
    return 0;
}

// Replies larger than a socket takes at once would arrive damaged.
START_TEST(large_replies_arrive_whole) {
    raw_run(large_body);
}
END_TEST

static intptr_t count_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    uint64_t sent = 0;
    uint64_t received = 0;
    char answer[4096];
    raw_start(&server, handle);
    for (int i = 0; i < 4; i++) {
        jg_stream *stream = raw_connect(&server);
        raw_send(stream, GET("/chunked"));
        raw_send(stream, i % 2 == 0 ? GET("/") : "BAD\r\n\r\n");
        ck_assert_int_eq(jg_stream_shutdown(stream), 0);
        raw_read_to_end(stream, answer, sizeof(answer));
        sent += jg_stream_sent(stream);
        received += jg_stream_received(stream);
        jg_stream_close(stream);
    }
    while (server.stats.open > 0) {
        raw_pause(); // what it was sent last may still be on its way
    }
    raw_stop(&server);
    ck_assert_uint_eq(server.stats.connections, 4);
    ck_assert_uint_eq(server.stats.requests, 6);
    ck_assert_uint_eq(server.stats.rejected, 2);
    ck_assert_uint_eq(server.stats.bytes_in, sent);
    ck_assert_uint_eq(server.stats.bytes_out, received);
    return 0;
}

// Whoever compares client and server would find them in disagreement.
START_TEST(statistics_are_exact) {
    raw_run(count_body);
}
END_TEST

FIXTURE_MAIN("api/http_server_reply", statuses_frame_their_bodies, replies_of_unknown_size,
             failing_handlers_end_their_connection, r34_bad_requests_are_refused,
             bad_bodies_are_answered, large_replies_arrive_whole, statistics_are_exact)
