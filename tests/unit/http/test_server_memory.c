// SPDX-License-Identifier: MIT
/* test_server_memory.c – a server that runs out of memory at any moment.
 *
 * Holds      one scenario: a server, one connection, a request that makes it allocate all it can.
 * Invariant  whichever allocation fails, the server or its connection ends in order, nothing is
 *            lost, and once there is memory again the next request is served.
 * Called by  the test runner, on epoll and sim.
 * Why        error paths are run, not believed.
 * Quirks     the allocation that fails may be the client's, or the simulated network's.
 */
// Backends: epoll sim
#include "fixtures/http_raw.h"

#include "base/mem.h"

enum {
    SWEEP = 150,  // more allocations than the scenario makes
    SETTLED = 20, // of the last runs, in which nothing can have failed
    HEADERS = 40, // more than fit the exchange
};

static char request[24 * 1024];
static int handled;

static int handle(jg_http_exchange *x, void *arg) {
    (void)arg;
    const char *body;
    ssize_t size = jg_http_request_body(x, &body);
    if (size < 0) {
        return (int)size;
    }
    ck_assert_int_eq(size, 3);
    ck_assert_str_eq(body, "abc");
    ck_assert_str_eq(jg_http_request_header(x, "h39"), "39");
    int rc = jg_http_reply_header(x, "X-Own", "1");
    if (rc < 0) {
        ck_assert_int_eq(rc, -ENOMEM);
        return rc;
    }
    handled++;
    return jg_http_reply(x, 200, NULL, body, (size_t)size);
}

static void write_request(void) {
    int at = snprintf(request, sizeof(request),
                      "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                      "Transfer-Encoding: chunked\r\n");
    // More than one read-ahead buffer holds.
    at += snprintf(request + at, sizeof(request) - (size_t)at, "Long: %*d\r\n", 17000, 1);
    for (int i = 0; i < HEADERS; i++) {
        at += snprintf(request + at, sizeof(request) - (size_t)at, "H%d: %d\r\n", i, i);
    }
    snprintf(request + at, sizeof(request) - (size_t)at, "\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n");
}

/* Whether the answer is the whole reply. */
static bool answered(jg_stream *stream) {
    char answer[1024];
    raw_read_to_end(stream, answer, sizeof(answer));
    raw_cut_dates(answer);
    return strcmp(answer, RAW_OK RAW_CLOSE "Content-Length: 3\r\nX-Own: 1\r\n\r\nabc") == 0;
}

/* Ends the listener with the server: whoever waits in its backlog is told. */
static intptr_t serve_and_close(void *arg) {
    struct raw_server *server = arg;
    int rc = (int)raw_serve(server);
    mem_fail_nth(0, 0);
    if (rc != -ECANCELED) {
        ck_assert_int_eq(rc, -ENOMEM);
        jg_listener_close(server->listener);
        server->listener = NULL;
    }
    return 0;
}

static void ignore_report(const jg_error *error) {
    ck_assert_int_eq(error->code, -ENOMEM);
}

static bool run_once(uint64_t nth, bool from_then_on) {
    struct raw_server server = {.handler = handle, .options = {.head_most = 32768}};
    ck_assert_int_eq(jg_tcp_listen("127.0.0.1", 0, &server.listener), 0);
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, request);
    mem_fail_nth(nth, from_then_on);
    server.task = jg_spawn(serve_and_close, &server);
    if (server.task != NULL && from_then_on) {
        raw_pause();
        mem_fail_nth(0, 0);
    }
    bool whole = server.task != NULL && answered(stream);
    mem_fail_nth(0, 0);
    jg_stream_close(stream);
    if (server.task != NULL && server.listener != NULL) {
        stream = raw_connect(&server);
        raw_send(stream, request);
        ck_assert(answered(stream)); // there is memory again
        jg_stream_close(stream);
    }
    if (server.task != NULL) {
        jg_cancel(server.task);
        jg_join(server.task);
    }
    ck_assert_uint_eq(server.stats.open, 0);
    jg_listener_close(server.listener);
    return whole;
}

static intptr_t sweep_body(void *arg) {
    (void)arg;
    int failed = 0;
    for (uint64_t nth = 1; nth <= SWEEP; nth++) {
        bool whole = run_once(nth, false);
        failed += !whole;
        ck_assert_msg(whole || nth <= SWEEP - SETTLED, "allocation %d still matters", (int)nth);
        run_once(nth, true);
    }
    ck_assert_int_gt(failed, 4);
    return 0;
}

// A moment without memory would end the server, leak a connection, or leave a peer waiting.
START_TEST(any_allocation_may_fail) {
    jg_error_on_unretrieved(ignore_report);
    write_request();
    ck_assert_int_eq(jg_run(sweep_body, NULL), 0);
    jg_error_on_unretrieved(NULL);
}
END_TEST

FIXTURE_MAIN("unit/http/server_memory", any_allocation_may_fail)
