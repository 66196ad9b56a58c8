// SPDX-License-Identifier: MIT
/* test_http_client.c – what goes out and what comes back when all is well.
 *
 * Holds      nothing.
 * Invariant  every test runs the same body in a loop, in the simulation and without a loop.
 * Called by  ctest, once per backend.
 * Why        the client must be the same whoever waits, or a comparison compares two clients.
 */
// Backends: epoll sim blocking
#include "http_client_steps.h"

// Answers.

static void answer_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    jg_http_response *response = get_ok(client, peer->url);
    ck_assert_int_eq(jg_http_status(response), 404);
    ck_assert_uint_eq(jg_http_response_header_count(response), 4);
    ck_assert_str_eq(jg_http_response_header(response, "content-TYPE"), "text/plain");
    ck_assert_str_eq(jg_http_response_header(response, "x-twice"), "one");
    ck_assert_ptr_null(jg_http_response_header(response, "x-none"));
    ck_assert_str_eq(jg_http_response_header_at(response, 2).name, "X-Twice");
    ck_assert_str_eq(jg_http_response_header_at(response, 2).value, "");
    ck_assert_ptr_null(jg_http_response_header_at(response, 4).name);
    ck_assert(!jg_http_response_reused(response));
    const char *first = NULL;
    const char *second = NULL;
    ck_assert_int_eq(jg_http_body(response, &first), 4);
    ck_assert_int_eq(jg_http_body(response, &second), 4);
    ck_assert_ptr_eq(first, second);
    ck_assert_str_eq(first, "gone");
    char byte;
    ck_assert_int_eq(jg_http_read(response, &byte, 1), 0);
    jg_http_response_close(response);
    jg_http_client_close(client);
}

// A program would act on another status, header or body than was sent.
START_TEST(answer_has_status_headers_and_body) {
    static const struct peer_reply reply = {
        .bytes = "HTTP/1.1 404 Not Found\r\nContent-Type:  text/plain \r\n"
                 "X-Twice: one\r\nX-Twice:\r\nContent-Length: 4\r\n\r\n"
                 "gone"};
    peer_run(&reply, 1, answer_body, NULL);
}
END_TEST

static void no_body_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    static const char *const methods[] = {"HEAD", "GET", "GET", "HEAD", "GET"};
    for (size_t i = 0; i < COUNT_OF(methods) - 1; i++) {
        jg_http_response *response = send_ok(
            client, &(jg_http_request){.method = methods[i], .url = peer->url});
        expect_body(response, "");
        jg_http_response_close(response);
    }
    ck_assert(expect_get(client, peer, "hello"));
    ck_assert_int_eq(peer->accepted, 1);
    jg_http_client_close(client);
}

// The client would wait for a body that never comes, or read the next answer as one.
START_TEST(head_204_and_304_have_no_body) {
    static const struct peer_reply replies[] = {
        {.bytes = OK_HEAD "Content-Length: 1000000\r\n\r\n"},
        {.bytes = "HTTP/1.1 204 No Content\r\n\r\n"},
        {.bytes = "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n"},
        {.bytes = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"},
        {.bytes = HELLO},
    };
    peer_run(replies, COUNT_OF(replies), no_body_body, NULL);
}
END_TEST

static void hello_four_times_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    ck_assert(!expect_get(client, peer, "hello"));
    for (int i = 0; i < 3; i++) {
        ck_assert(expect_get(client, peer, "hello"));
    }
    ck_assert_int_eq(peer->accepted, 1);
    jg_http_client_close(client);
}

// Chunks, however they are cut, would change the body, or end the connection.
START_TEST(chunks_in_any_pieces_are_one_body) {
    static const char chunked[] = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
                                          "1;name=\"value\"\r\nh\r\n003\r\nell\r\n1\r\no\r\n"
                                          "0\r\nTrailer: dropped\r\n\r\n";
    for (size_t slice = 1; slice < 40; slice += slice < 8 ? 1 : 7) {
        const struct peer_reply reply = {.bytes = chunked, .slice = slice};
        peer_run(&reply, 1, hello_four_times_body, NULL);
    }
}
END_TEST

// An answer that comes in pieces would be cut, or would cost its connection.
START_TEST(length_in_any_pieces_is_one_body) {
    for (size_t slice = 1; slice < 12; slice++) {
        const struct peer_reply reply = {.bytes = HELLO, .slice = slice};
        peer_run(&reply, 1, hello_four_times_body, NULL);
    }
}
END_TEST

// HTTP/1.0 servers that do keep connections would be charged a new one per request.
START_TEST(http_1_0_with_keep_alive_is_reused) {
    static const struct peer_reply reply = {
        .bytes = "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello"};
    peer_run(&reply, 1, hello_four_times_body, NULL);
}
END_TEST

static void never_reused_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    for (int i = 0; i < 3; i++) {
        ck_assert(!expect_get(client, peer, "hello"));
    }
    ck_assert_int_eq(peer->accepted, 3);
    peer_await(&peer->ended, 3);
    jg_http_client_close(client);
}

// The client would send on a connection its peer has said it closes, or wait for one to close.
START_TEST(connections_that_end_are_not_reused) {
    static const struct peer_reply replies[] = {
        {.bytes = OK_HEAD "Connection: x, Close\r\nContent-Length: 5\r\n\r\nhello",
         .after = PEER_HANG},
        {.bytes = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", .after = PEER_HANG},
        {.bytes = OK_HEAD "\r\nhello", .after = PEER_CLOSE},
        {.bytes = "HTTP/1.0 200\r\n\r\nhello", .after = PEER_CLOSE, .slice = 3},
    };
    for (size_t i = 0; i < COUNT_OF(replies); i++) {
        peer_run(&replies[i], 1, never_reused_body, NULL);
    }
}
END_TEST

static void excess_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    for (int i = 0; i < 4; i++) {
        ck_assert(!expect_get(client, peer, "hello"));
        // What is still on its way when the next request goes out, nobody could tell from its answer.
        ck_assert_int_eq(jg_sleep(50), 0);
    }
    jg_http_response_close(get_ok(client, peer->url));
    peer_await(&peer->ended, 4);
    jg_http_client_close(client);
}

// Bytes behind an answer would become the answer to somebody else's request. R33.
START_TEST(r33_bytes_behind_an_answer_end_its_connection) {
    static const struct peer_reply replies[] = {
        {.bytes = HELLO "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", .after = PEER_HANG},
        {.bytes = HELLO "x", .after = PEER_HANG},
        {.bytes = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP",
         .after = PEER_HANG},
        {.bytes = HELLO "\r\n", .after = PEER_HANG},
    };
    peer_run(replies, COUNT_OF(replies), excess_body, NULL);
}
END_TEST

static void interim_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    expect_get(client, peer, "hello");
    ck_assert(expect_get(client, peer, "hello"));
    ck_assert(expect_get(client, peer, "hello"));
    jg_http_client_close(client);
}

#define EARLY_HINTS "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"

// A 100 or 103 would be taken for the answer.
START_TEST(interim_answers_are_skipped) {
    static const struct peer_reply replies[] = {
        {.bytes = "HTTP/1.1 100 Continue\r\n\r\n" HELLO},
        {.bytes = EARLY_HINTS "HTTP/1.1 100\r\n\r\n" HELLO, .slice = 5},
        {.bytes = FOUR(FOUR(EARLY_HINTS)) HELLO},
    };
    peer_run(replies, COUNT_OF(replies), interim_body, NULL);
}
END_TEST

// Bodies.

enum { LARGE = 3 * 1024 * 1024 + 17 };

static char *large_make(void) {
    char *data = malloc(LARGE);
    uint32_t state = 1;
    for (size_t i = 0; i < LARGE; i++) {
        state = state * 1664525 + 1013904223;
        data[i] = (char)(state >> 24);
    }
    return data;
}

struct large {
    const char *data;
    size_t read_size;
};

static void large_get_body(struct peer *peer) {
    const struct large *large = peer->arg;
    jg_http_client *client = client_open(NULL);
    for (int i = 0; i < 2; i++) {
        jg_http_response *response = ask(client, peer);
        char *piece = malloc(large->read_size);
        size_t done = 0;
        ssize_t got;
        while ((got = jg_http_read(response, piece, large->read_size)) > 0) {
            ck_assert_uint_le(done + (size_t)got, LARGE);
            ck_assert_mem_eq(piece, large->data + done, (size_t)got);
            done += (size_t)got;
        }
        ck_assert_int_eq(got, 0);
        ck_assert_uint_eq(done, LARGE);
        ck_assert_int_eq(jg_http_response_reused(response), i > 0);
        jg_http_response_close(response);
        free(piece);
    }
    jg_http_response *response = get_ok(client, peer->url);
    const char *whole;
    ck_assert_int_eq(jg_http_body(response, &whole), LARGE);
    ck_assert_mem_eq(whole, large->data, LARGE);
    ck_assert_int_eq(whole[LARGE], 0);
    jg_http_response_close(response);
    jg_http_client_close(client);
}

/* Puts a head in front of `data`, and chunks of `chunk` bytes if that is not 0. */
static char *large_answer(const char *data, size_t chunk, size_t *out_size) {
    size_t cap = LARGE + 1024 + (chunk == 0 ? 0 : (LARGE / chunk + 1) * 16);
    char *text = malloc(cap);
    size_t size = (size_t)(chunk == 0
                               ? sprintf(text, OK_HEAD "Content-Length: %d\r\n\r\n", LARGE)
                               : sprintf(text, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"));
    for (size_t done = 0; done < LARGE;) {
        size_t count = chunk == 0 || LARGE - done < chunk ? LARGE - done : chunk;
        size += (size_t)(chunk == 0 ? 0 : sprintf(text + size, "%zx\r\n", count));
        memcpy(text + size, data + done, count);
        size += count;
        done += count;
        size += (size_t)(chunk == 0 ? 0 : sprintf(text + size, "\r\n"));
    }
    size += (size_t)(chunk == 0 ? 0 : sprintf(text + size, "0\r\n\r\n"));
    *out_size = size;
    return text;
}

// A large body would be cut, shuffled, or lose what was read ahead.
START_TEST(large_bodies_arrive_whole) {
    static const size_t chunks[] = {0, 100000, 3001};
    static const size_t reads[] = {5000, 64 * 1024, 700};
    char *data = large_make();
    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        struct peer_reply reply = {.bytes = NULL};
        char *answer = large_answer(data, chunks[i], &reply.size);
        reply.bytes = answer;
        struct large large = {data, reads[i]};
        peer_run_seed(&reply, 1, large_get_body, &large, fixture_seed());
        free(answer);
    }
    free(data);
}
END_TEST

static void unread_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    jg_http_response *response = ask(client, peer);
    char some[10];
    ck_assert_int_gt(jg_http_read(response, some, sizeof some), 0);
    jg_http_response_close(response);
    ck_assert(!expect_get(client, peer, "hello"));
    ck_assert_int_eq(peer->accepted, 2);
    jg_http_client_close(client);
}

// The rest of a body nobody read would become the next answer.
START_TEST(closing_an_unread_response_closes_its_connection) {
    char *data = large_make();
    struct peer_reply replies[] = {{.bytes = NULL}, {.bytes = HELLO}};
    char *answer = large_answer(data, 0, &replies[0].size);
    replies[0].bytes = answer;
    peer_run_seed(replies, 2, unread_body, NULL, fixture_seed());
    free(answer);
    free(data);
}
END_TEST

// Requests.

static void request_bytes_body(struct peer *peer) {
    char url[160];
    char wanted[512];
    snprintf(url, sizeof url, "http://LOCALHOST:%d/a%%20b/?q=[1]#part", peer->port);
    jg_http_client *client = client_open(NULL);
    jg_http_response_close(get_ok(client, url));
    snprintf(wanted, sizeof wanted,
             "GET /a%%20b/?q=[1] HTTP/1.1\r\nHost: localhost:%d\r\nUser-Agent: juggle/" JG_VERSION
             "\r\n\r\n",
             peer->port);
    ck_assert_str_eq(peer->last, wanted);
    jg_http_client_close(client);

    client = client_open(&(jg_http_client_options){.user_agent = "", .no_keep_alive = true});
    const jg_http_header headers[] = {{"Accept", " */* "}, {"x-Empty", ""}};
    snprintf(url, sizeof url, "http://127.0.0.1:%d?x", peer->port);
    finish(send_ok(client, &(jg_http_request){.method = "POST",
                                              .url = url,
                                              .headers = headers,
                                              .header_count = 2,
                                              .body = "a\0b",
                                              .body_size = 3}));
    size_t head = (size_t)snprintf(wanted, sizeof wanted,
                                   "POST /?x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\n"
                                   "x-Empty: \r\nConnection: close\r\nContent-Length: 3\r\n\r\n",
                                   peer->port);
    ck_assert_uint_eq(peer->last_size, head + 3);
    ck_assert_mem_eq(peer->last, wanted, head);
    ck_assert_mem_eq(peer->last + head, "a\0b", 3);
    jg_http_client_close(client);
    peer_await(&peer->ended, 2);
}

// Servers would see another request than the program made.
START_TEST(request_is_sent_to_the_byte) {
    static const struct peer_reply reply = {.bytes = HELLO};
    peer_run(&reply, 1, request_bytes_body, NULL);
}
END_TEST

static void agent_and_length_body(struct peer *peer) {
    jg_http_client *client = client_open(&(jg_http_client_options){.user_agent = " test/1 "});
    jg_http_response_close(get_ok(client, peer->url));
    ck_assert(peer_heard(peer, "\r\nUser-Agent: test/1\r\n"));
    char *long_value = malloc(5001);
    memset(long_value, 'v', 5000);
    long_value[5000] = '\0';
    const jg_http_header headers[] = {{"user-agent", "mine"}, {"X-Long", long_value}};
    finish(send_ok(client,
                   &(jg_http_request){
                       .method = "PUT", .url = peer->url, .headers = headers, .header_count = 2}));
    ck_assert(!peer_heard(peer, "test/1"));
    ck_assert(peer_heard(peer, "\r\nuser-agent: mine\r\n"));
    ck_assert(peer_heard(peer, "\r\nContent-Length: 0\r\n"));
    ck_assert(peer_heard(peer, long_value));
    free(long_value);
    jg_http_client_close(client);
}

// A request's own User-Agent would be doubled, an empty PUT hang, a long head be cut.
START_TEST(agent_empty_body_and_long_head) {
    static const struct peer_reply reply = {.bytes = HELLO};
    peer_run(&reply, 1, agent_and_length_body, NULL);
}
END_TEST

struct source {
    const char *data;
    size_t size;
    size_t given;
    size_t piece;
};

static ssize_t source_next(void *arg, void *buf, size_t cap) {
    struct source *source = arg;
    size_t left = source->size - source->given;
    size_t count = left < source->piece ? left : source->piece;
    count = count < cap ? count : cap;
    memcpy(buf, source->data + source->given, count);
    source->given += count;
    if (jg_running()) {
        ck_assert_int_eq(jg_yield(), 0); // a source may wait
    }
    return (ssize_t)count;
}

/* Decodes the chunks of the last request over themselves. Returns the size of the body. */
static size_t unchunk(char *body) {
    char *from = body;
    char *to = body;
    for (;;) {
        size_t size = strtoul(from, &from, 16);
        ck_assert_mem_eq(from, "\r\n", 2);
        if (size == 0) {
            return (size_t)(to - body);
        }
        memmove(to, from + 2, size);
        to += size;
        ck_assert_mem_eq(from + 2 + size, "\r\n", 2);
        from += 2 + size + 2;
    }
}

static void upload_body(struct peer *peer) {
    struct large *large = peer->arg;
    jg_http_client *client = client_open(NULL);
    struct source source = {large->data, LARGE, 0, large->read_size};
    const jg_http_request chunked = {
        .method = "POST", .url = peer->url, .source = source_next, .source_arg = &source};
    finish(send_ok(client, &chunked));
    char *body = strstr(peer->last, "\r\n\r\n") + 4;
    ck_assert(peer_heard(peer, "\r\nTransfer-Encoding: chunked\r\n"));
    ck_assert_uint_eq(unchunk(body), LARGE);
    ck_assert_mem_eq(body, large->data, LARGE);

    const jg_http_request whole = {
        .method = "PUT", .url = peer->url, .body = large->data, .body_size = LARGE};
    finish(send_ok(client, &whole));
    body = strstr(peer->last, "\r\n\r\n") + 4;
    ck_assert_uint_eq(peer->last_size - (size_t)(body - peer->last), LARGE);
    ck_assert_mem_eq(body, large->data, LARGE);

    struct source empty = {.data = ""};
    const jg_http_request none = {
        .method = "POST", .url = peer->url, .source = source_next, .source_arg = &empty};
    finish(send_ok(client, &none));
    ck_assert_uint_eq(unchunk(strstr(peer->last, "\r\n\r\n") + 4), 0);
    ck_assert_int_eq(peer->accepted, 1);
    jg_http_client_close(client);
}

// What is uploaded would arrive damaged.
START_TEST(bodies_are_sent_whole) {
    static const struct peer_reply reply = {.bytes = HELLO};
    char *data = large_make();
    struct large large = {data, 10000};
    peer_run_seed(&reply, 1, upload_body, &large, fixture_seed());
    large.read_size = 1 << 20;
    peer_run_seed(&reply, 1, upload_body, &large, fixture_seed());
    free(data);
}
END_TEST

FIXTURE_MAIN("api/http_client", answer_has_status_headers_and_body, head_204_and_304_have_no_body,
             chunks_in_any_pieces_are_one_body, length_in_any_pieces_is_one_body,
             http_1_0_with_keep_alive_is_reused, connections_that_end_are_not_reused,
             r33_bytes_behind_an_answer_end_its_connection, interim_answers_are_skipped,
             large_bodies_arrive_whole, closing_an_unread_response_closes_its_connection,
             request_is_sent_to_the_byte, agent_empty_body_and_long_head, bodies_are_sent_whole)
