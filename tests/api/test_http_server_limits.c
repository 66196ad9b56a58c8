// SPDX-License-Identifier: MIT
/* test_http_server_limits.c – slow peers, silent peers, too many peers: what each costs them.
 *
 * Holds      nothing.
 * Invariant  a limit strikes at its time, give or take what the simulated network takes.
 * Called by  the test runner, on sim only.
 * Why        every limit here is seconds long: the virtual clock makes them microseconds, and
 *            exact.
 * Quirks     the network takes up to 20 ms, now and then.
 */
// Backends: sim
#include "fixtures/http_raw.h"

enum {
    HEADER_MS = 10000, // the defaults
    IDLE_MS = 30000,
    WRITE_MS = 30000,
    SLACK_MS = 300,
};

static int hello(jg_http_exchange *x, void *arg) {
    (void)arg;
    return jg_http_reply(x, 200, NULL, "hello", 5);
}

#define HELLO RAW_OK "Content-Length: 5\r\n\r\nhello"
#define TIMEOUT_408(text, size)                                                                    \
    "HTTP/1.1 408 Request Timeout\r\n" RAW_SERVER RAW_TEXT RAW_CLOSE "Content-Length: " size       \
    "\r\n\r\n" text "\n"
#define HEAD_408 TIMEOUT_408("request not complete in time", "29")
#define BODY_408 TIMEOUT_408("request body not complete in time", "34")

/* The connection must end `limit_ms` after `since_ns`, with this answer. */
static void ends_with(jg_stream *stream, int64_t since_ns, int64_t limit_ms, const char *wanted) {
    char answer[1024];
    raw_read_to_end(stream, answer, sizeof(answer));
    int64_t took_ms = (jg_now() - since_ns) / JG_MS;
    raw_cut_dates(answer);
    ck_assert_str_eq(answer, wanted);
    ck_assert_msg(took_ms >= limit_ms - SLACK_MS && took_ms <= limit_ms + SLACK_MS,
                  "ended after %d ms, not %d", (int)took_ms, (int)limit_ms);
    jg_stream_close(stream);
}

static intptr_t head_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, hello);
    // A new connection that says nothing is no request: there is nothing to answer.
    int64_t begin_ns = jg_now();
    ends_with(raw_connect(&server), begin_ns, HEADER_MS, "");
    // One that says a little at a time.
    begin_ns = jg_now();
    jg_stream *stream = raw_connect(&server);
    for (int i = 0; i < 9; i++) {
        raw_send_bytes(stream, &RAW_GET[i], 1);
        jg_sleep(1000);
    }
    ends_with(stream, begin_ns, HEADER_MS, HEAD_408);
    // A later request of a connection has its own time, from its first byte on.
    stream = raw_connect(&server);
    raw_send(stream, RAW_GET);
    raw_expect(stream, HELLO);
    jg_sleep(IDLE_MS - 1000);
    begin_ns = jg_now();
    raw_send(stream, "G");
    ends_with(stream, begin_ns, HEADER_MS, HEAD_408);
    // Half a request behind a whole one counts as begun.
    stream = raw_connect(&server);
    raw_send(stream, RAW_GET "GET");
    raw_expect(stream, HELLO);
    begin_ns = jg_now();
    ends_with(stream, begin_ns, HEADER_MS, HEAD_408);
    raw_stop(&server);
    return 0;
}

// A peer that sends its head byte by byte would keep its connection for ever.
START_TEST(r29_heads_have_their_time) {
    raw_run(head_body);
}
END_TEST

static intptr_t idle_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, hello);
    jg_stream *stream = raw_connect(&server);
    for (int i = 0; i < 20; i++) {
        raw_send(stream, RAW_GET);
        raw_expect(stream, HELLO);
        jg_sleep(IDLE_MS - 1000 - i * 1000);
    }
    raw_send(stream, RAW_GET);
    raw_expect(stream, HELLO);
    int64_t begin_ns = jg_now();
    ends_with(stream, begin_ns, IDLE_MS, "");
    raw_stop(&server);
    return 0;
}

// Unused connections would be kept for ever, or used ones cut.
START_TEST(idle_connections_end) {
    raw_run(idle_body);
}
END_TEST

static intptr_t no_limit_body(void *arg) {
    (void)arg;
    struct raw_server server = {.options = {.idle_ms = -1, .header_ms = -1, .write_ms = -1}};
    raw_start(&server, hello);
    jg_stream *stream = raw_connect(&server);
    jg_sleep(3600 * 1000);
    raw_send(stream, RAW_GET);
    raw_expect(stream, HELLO);
    jg_sleep(3600 * 1000);
    raw_send(stream, "GET / HTTP/1.1\r\n");
    jg_sleep(3600 * 1000);
    raw_send(stream, "Host: a\r\n\r\n");
    raw_expect(stream, HELLO);
    jg_stream_close(stream);
    raw_stop(&server);
    return 0;
}

// A limit that was taken away would strike.
START_TEST(limits_can_be_taken_away) {
    raw_run(no_limit_body);
}
END_TEST

static int body_result;

static int read_body(jg_http_exchange *x, void *arg) {
    (void)arg;
    const char *body;
    ssize_t size = jg_http_request_body(x, &body);
    body_result = (int)size;
    if (size < 0) {
        // The limit was the read's alone: the handler may still wait.
        ck_assert_int_eq(jg_sleep(10), 0);
        return (int)size;
    }
    return jg_http_reply(x, 200, NULL, body, (size_t)size);
}

#define POST "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"

static intptr_t stalled_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, read_body);
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, POST);
    for (int i = 0; i < 5; i++) {
        jg_sleep(IDLE_MS - 1000);
        raw_send(stream, "x");
    }
    raw_expect(stream, RAW_OK "Content-Length: 5\r\n\r\nxxxxx");
    raw_send(stream, POST "xx");
    int64_t begin_ns = jg_now();
    ends_with(stream, begin_ns, IDLE_MS, BODY_408);
    ck_assert_int_eq(body_result, -ETIMEDOUT);
    raw_stop(&server);
    return 0;
}

static int cancels;

/* Does not want to wait longer than 100 ms at a time. */
static int read_impatiently(jg_http_exchange *x, void *arg) {
    (void)arg;
    const char *body;
    ssize_t size = -ETIMEDOUT;
    while (size == -ETIMEDOUT) {
        JG_TIMEOUT(100, size) {
            size = jg_http_request_body(x, &body);
        }
        cancels += size == -ETIMEDOUT;
    }
    return size < 0 ? (int)size : jg_http_reply(x, 200, NULL, body, (size_t)size);
}

static intptr_t impatient_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    cancels = 0;
    raw_start(&server, read_impatiently);
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    static const char rest[] = "3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
    for (size_t i = 0; i < sizeof(rest) - 1; i++) {
        raw_send_bytes(stream, &rest[i], 1);
        jg_sleep(150);
    }
    raw_expect(stream, RAW_OK "Content-Length: 5\r\n\r\nabcde");
    ck_assert_int_ge(cancels, (int)sizeof(rest) / 2);
    jg_stream_close(stream);
    raw_stop(&server);
    return 0;
}

// A handler with a time limit of its own would lose the bytes that had come.
START_TEST(cancelled_reads_can_go_on) {
    raw_run(impatient_body);
}
END_TEST

// A body that stops coming would hold its handler for ever.
START_TEST(stalled_bodies_end) {
    raw_run(stalled_body);
}
END_TEST

enum { LARGE = 1000000 };
static char large[LARGE];
static int write_result;
static int64_t write_took_ms;

static int write_pieces(jg_http_exchange *x, void *arg) {
    (void)arg;
    int rc = jg_http_reply_begin(x, 200, NULL);
    for (int i = 0; i < 100 && rc == 0; i++) {
        rc = jg_http_reply_write(x, large, LARGE);
    }
    // What could not be sent stays unsent.
    ck_assert_int_eq(jg_http_reply_write(x, "more", 4), rc);
    ck_assert_int_eq(jg_http_reply_end(x), rc);
    write_result = rc;
    return 0;
}

static int write_large(jg_http_exchange *x, void *arg) {
    (void)arg;
    int64_t begin_ns = jg_now();
    write_result = jg_http_reply(x, 200, NULL, large, LARGE);
    write_took_ms = (jg_now() - begin_ns) / JG_MS;
    if (write_result < 0) {
        ck_assert_int_eq(jg_sleep(10), 0);
    }
    return write_result;
}

static intptr_t unread_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, write_large);
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, RAW_GET);
    while (server.stats.open > 0 || server.stats.connections == 0) {
        jg_sleep(100);
    }
    ck_assert_int_eq(write_result, -ETIMEDOUT);
    ck_assert_int_ge(write_took_ms, WRITE_MS - SLACK_MS);
    ck_assert_int_le(write_took_ms, WRITE_MS + SLACK_MS);
    char *answer = malloc(LARGE + 1024);
    ck_assert_ptr_nonnull(answer);
    ck_assert_uint_lt(raw_read_to_end(stream, answer, LARGE + 1024), LARGE);
    jg_stream_close(stream);
    free(answer);
    raw_stop(&server);
    return 0;
}

static intptr_t unread_pieces_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, write_pieces);
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, RAW_GET RAW_GET);
    while (server.stats.open > 0 || server.stats.connections == 0) {
        jg_sleep(100);
    }
    ck_assert_int_eq(write_result, -ETIMEDOUT);
    ck_assert_uint_eq(server.stats.requests, 1);
    jg_stream_close(stream);
    raw_stop(&server);
    return 0;
}

// A handler that does not look would write on for ever, or into the next reply.
START_TEST(failed_writes_stay_failed) {
    raw_run(unread_pieces_body);
}
END_TEST

// A peer that never reads would hold its handler for ever.
START_TEST(r28_peers_that_do_not_read_end) {
    raw_run(unread_body);
}
END_TEST

/* Reads everything, so much at a time, with a pause after each. Returns bytes. */
static size_t read_slowly(jg_stream *stream, size_t step, int64_t pause_ms) {
    char *piece = malloc(step);
    ck_assert_ptr_nonnull(piece);
    size_t size = 0;
    ssize_t got;
    while ((got = jg_read_exact(stream, piece, step)) > 0) {
        size += (size_t)got;
        jg_sleep(pause_ms);
    }
    while ((got = jg_read(stream, piece, step)) > 0) {
        size += (size_t)got;
    }
    free(piece);
    return size;
}

static intptr_t slow_reader_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, write_large);
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    ck_assert_uint_gt(read_slowly(stream, 32 * 1024, 5000), LARGE);
    ck_assert_int_eq(write_result, 0);
    ck_assert_int_gt(write_took_ms, 2 * WRITE_MS);
    jg_stream_close(stream);

    stream = raw_connect(&server);
    raw_send(stream, RAW_GET);
    ck_assert_uint_lt(read_slowly(stream, 1024, 1000), LARGE);
    ck_assert_int_eq(write_result, -ETIMEDOUT);
    jg_stream_close(stream);
    raw_stop(&server);
    return 0;
}

// A slow line would be cut in the middle of a large reply, or a trickle keep its handler for ever.
START_TEST(slow_readers_get_their_time) {
    raw_run(slow_reader_body);
}
END_TEST

static intptr_t linger_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, hello);
    // After a refusal the server listens for two seconds, no longer.
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, "BAD\r\n\r\n");
    jg_sleep(1500);
    ck_assert_uint_eq(server.stats.open, 1);
    raw_send(stream, "more that nobody wants");
    jg_sleep(1000);
    ck_assert_uint_eq(server.stats.open, 0);
    char answer[1024];
    raw_read_to_end(stream, answer, sizeof(answer));
    ck_assert_ptr_nonnull(strstr(answer, "400 Bad Request"));
    jg_stream_close(stream);
    // Nor does it read without end.
    stream = raw_connect(&server);
    raw_send(stream, "BAD\r\n\r\n");
    while (jg_write(stream, large, LARGE) == LARGE) {}
    jg_sleep(100);
    ck_assert_uint_eq(server.stats.open, 0);
    ck_assert_uint_le(server.stats.bytes_in, 4 * LARGE);
    jg_stream_close(stream);
    raw_stop(&server);
    return 0;
}

// A reset would overtake the refusal, or a peer that goes on sending keep its connection.
START_TEST(refused_peers_see_the_refusal) {
    raw_run(linger_body);
}
END_TEST

static intptr_t crowd_body(void *arg) {
    (void)arg;
    struct raw_server server = {.options = {.connections = 2}};
    raw_start(&server, hello);
    jg_stream *streams[3];
    for (int i = 0; i < 3; i++) {
        streams[i] = raw_connect(&server);
        raw_send(streams[i], RAW_GET);
        jg_sleep(100);
    }
    raw_expect(streams[0], HELLO);
    raw_expect(streams[1], HELLO);
    jg_sleep(1000);
    ck_assert_uint_eq(server.stats.connections, 2);
    ck_assert_uint_eq(server.stats.requests, 2);
    jg_stream_close(streams[0]);
    raw_expect(streams[2], HELLO);
    ck_assert_uint_eq(server.stats.connections, 3);
    ck_assert_uint_eq(server.stats.open, 2);
    jg_stream_close(streams[1]);
    jg_stream_close(streams[2]);
    raw_stop(&server);
    return 0;
}

// Connections beyond the limit would be taken, or lost.
START_TEST(connections_beyond_the_limit_wait) {
    raw_run(crowd_body);
}
END_TEST

enum { SLOW = 500 };

static intptr_t send_slowly(void *arg) {
    struct raw_server *server = arg;
    jg_stream *stream = raw_connect(server);
    int64_t begin_ns = jg_now();
    for (int i = 0; i < 9; i++) {
        raw_send_bytes(stream, &RAW_GET[i], 1);
        jg_sleep(1000);
    }
    ends_with(stream, begin_ns, HEADER_MS, HEAD_408);
    return 0;
}

static intptr_t slow_crowd_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, hello);
    JG_GROUP(g) {
        for (int i = 0; i < SLOW; i++) {
            ck_assert_int_eq(jg_group_spawn(g, send_slowly, &server), 0);
        }
        jg_stream *stream = raw_connect(&server);
        for (int i = 0; i < 12; i++) {
            int64_t begin_ns = jg_now();
            raw_send(stream, RAW_GET);
            raw_expect(stream, HELLO);
            ck_assert_int_le((jg_now() - begin_ns) / JG_MS, SLACK_MS);
            jg_sleep(1000);
        }
        jg_stream_close(stream);
    }
    ck_assert_uint_eq(server.stats.rejected, SLOW);
    raw_stop(&server);
    return 0;
}

// A few hundred slow peers would take the server from everybody else.
START_TEST(r29_slow_peers_do_not_slow_others) {
    raw_run_seeds(slow_crowd_body, 2);
}
END_TEST

FIXTURE_MAIN("api/http_server_limits", r29_heads_have_their_time, idle_connections_end,
             limits_can_be_taken_away, stalled_bodies_end, cancelled_reads_can_go_on,
             r28_peers_that_do_not_read_end, failed_writes_stay_failed, slow_readers_get_their_time,
             refused_peers_see_the_refusal, connections_beyond_the_limit_wait,
             r29_slow_peers_do_not_slow_others)
