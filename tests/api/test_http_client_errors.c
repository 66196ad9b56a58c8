// SPDX-License-Identifier: MIT
/* test_http_client_errors.c – answers that must be refused, limits, and what may not be sent.
 *
 * Holds      the invalid answers, one row each.
 * Invariant  every test runs the same body in a loop, in the simulation and without a loop.
 * Called by  ctest, once per backend.
 * Why        what an attacker or a broken server sends must end in an error that says what was wrong,
 *            and never in an answer that was not given.
 */
// Backends: epoll sim blocking
#include "http_client_steps.h"

#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"

// What was cut off. R26.

struct cut {
    const char *bytes;
    size_t size;
};

static void cut_body(struct peer *peer) {
    const struct cut *cut = peer->arg;
    jg_http_client *client = client_open(NULL);
    expect_get_error(client, peer, -EPIPE, cut->size == 0 ? "without an answer" : NULL);
    peer_await(&peer->ended, 1);
    jg_http_client_close(client);
}

static void cut_everywhere(const char *bytes) {
    for (size_t size = 0; size < strlen(bytes); size++) {
        struct cut cut = {bytes, size};
        const struct peer_reply reply = {
            .bytes = size == 0 ? NULL : bytes, .size = size, .after = PEER_CLOSE};
        peer_run_seed(&reply, 1, cut_body, &cut, fixture_seed() + size);
    }
}

// Half an answer would count as a whole one.
START_TEST(r26_answer_with_length_cut_anywhere_is_an_error) {
    cut_everywhere("HTTP/1.1 100 Continue\r\n\r\n" OK_HEAD "X: y\r\nContent-Length: 12\r\n\r\n"
                   "twelve bytes");
}
END_TEST

// The same for chunks, whose end is further away than it looks.
START_TEST(r26_chunked_answer_cut_anywhere_is_an_error) {
    cut_everywhere(CHUNKED "6;ext=1\r\ntwelve\r\n6\r\n bytes\r\n0\r\nTrailer: t\r\n\r\n");
}
END_TEST

// What breaks the rules. R33, R36.

static const struct bad {
    const char *bytes;
    int error;
    const char *text; // in the detail
} bad_answers[] = {
    {"garbage\r\n\r\n", -EPROTO, "not HTTP"},
    {"HTP/1.1 200 OK\r\n\r\n", -EPROTO, NULL},
    {"HTTP/2.0 200 OK\r\n\r\n", -EPROTO, NULL},
    {"HTTP/1.1 20 OK\r\n\r\n", -EPROTO, NULL},
    {"HTTP/1.1 2000 OK\r\n\r\n", -EPROTO, NULL},
    {"HTTP/1.1  200 OK\r\n\r\n", -EPROTO, NULL},
    {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", -EPROTO, "LF"},
    {"HTTP/1.1 200 OK\rX\r\n\r\n", -EPROTO, NULL},
    {OK_HEAD "Content-Length 5\r\n\r\nhello", -EPROTO, NULL},
    {OK_HEAD "Content-Length : 5\r\n\r\nhello", -EPROTO, NULL},
    {OK_HEAD ": empty\r\n\r\n", -EPROTO, NULL},
    {OK_HEAD "Bad Name: x\r\n\r\n", -EPROTO, NULL},
    {OK_HEAD "X: a\001b\r\n\r\n", -EPROTO, NULL},
    {OK_HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", -EPROTO, "more than once"},
    {OK_HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", -EPROTO, NULL},
    {OK_HEAD "Content-Length: 5, 5\r\n\r\nhello", -EPROTO, NULL},
    {OK_HEAD "Content-Length: +5\r\n\r\nhello", -EPROTO, "Content-Length"},
    {OK_HEAD "Content-Length: -5\r\n\r\nhello", -EPROTO, NULL},
    {OK_HEAD "Content-Length: 0x5\r\n\r\nhello", -EPROTO, NULL},
    {OK_HEAD "Content-Length: 5 5\r\n\r\nhello", -EPROTO, NULL},
    {OK_HEAD "Content-Length:\r\n\r\nhello", -EPROTO, NULL},
    {OK_HEAD "Content-Length: 99999999999999999999\r\n\r\nhello", -EPROTO, NULL},
    {OK_HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     -EPROTO, "Transfer-Encoding"},
    {OK_HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", -EPROTO, NULL},
    {OK_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", -EPROTO,
     NULL},
    {OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", -EPROTO, NULL},
    {OK_HEAD "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", -EPROTO, NULL},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", -EPROTO, NULL},
    {CHUNKED "x\r\nhello\r\n0\r\n\r\n", -EPROTO, "chunk size"},
    {CHUNKED "\r\nhello\r\n0\r\n\r\n", -EPROTO, NULL},
    {CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", -EPROTO, NULL},
    {CHUNKED "-5\r\nhello\r\n0\r\n\r\n", -EPROTO, NULL},
    {CHUNKED "5 \r\nhello\r\n0\r\n\r\n", -EPROTO, NULL},
    {CHUNKED "5\nhello\r\n0\r\n\r\n", -EPROTO, NULL},
    {CHUNKED "5\r\nhelloX\r\n0\r\n\r\n", -EPROTO, "chunk"},
    {CHUNKED "5\r\nhello0\r\n\r\n", -EPROTO, NULL},
    {CHUNKED "10000000000000000\r\nhello\r\n0\r\n\r\n", -EPROTO, NULL},
    {CHUNKED "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", -EPROTO, NULL},
    {CHUNKED "5\r\nhello\r\n0\r\nBad Trailer\r\n\r\n", -EPROTO, "trailer"},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", -EPROTO,
     "101"},
    {FOUR(FOUR("HTTP/1.1 100 Continue\r\n\r\n")) "HTTP/1.1 100 Continue\r\n\r\n" HELLO, -EMSGSIZE,
     "interim"},
};

static void bad_body(struct peer *peer) {
    const struct bad *bad = peer->arg;
    jg_http_client *client = client_open(NULL);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "http://127.0.0.1:%d: bad ", peer->port);
    expect_get_error(client, peer, bad->error, bad->text);
    ck_assert_msg(strncmp(jg_error_detail(bad->error), wanted, strlen(wanted)) == 0, "detail: %s",
                  jg_error_detail(bad->error));
    peer_await(&peer->ended, 1); // though it wanted to keep it
    ck_assert(!expect_get(client, peer, "good"));
    jg_http_client_close(client);
}

// An answer that two programs could read in two ways would be taken for one of them.
START_TEST(r33_invalid_answers_are_refused_and_end_the_connection) {
    ck_assert_uint_ge(COUNT_OF(bad_answers), 26);
    for (size_t i = 0; i < COUNT_OF(bad_answers); i++) {
        for (size_t slice = 0; slice < 5; slice += 3) {
            struct peer_reply replies[] = {
                {.bytes = bad_answers[i].bytes, .after = PEER_HANG, .slice = slice},
                {.bytes = OK_HEAD "Content-Length: 4\r\n\r\ngood"}};
            peer_run_seed(replies, 2, bad_body, (void *)(uintptr_t)&bad_answers[i],
                          fixture_seed() + i);
        }
    }
}
END_TEST

static void nul_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    expect_get_error(client, peer, -EPROTO, NULL);
    jg_http_client_close(client);
}

// A NUL in a value would end it early for every C program.
START_TEST(nul_in_a_head_is_refused) {
    static const char bytes[] = OK_HEAD "X: a\0b\r\nContent-Length: 0\r\n\r\n";
    const struct peer_reply reply = {.bytes = bytes, .size = sizeof bytes - 1};
    peer_run(&reply, 1, nul_body, NULL);
}
END_TEST

// Limits. R36.

static void head_limit_body(struct peer *peer) {
    const size_t *most = peer->arg;
    jg_http_client *client = client_open(&(jg_http_client_options){.head_most = *most});
    expect_get_error(client, peer, -EMSGSIZE, "head too large");
    peer_await(&peer->ended, 1);
    jg_http_client_close(client);
}

// Endless headers would fill the memory.
START_TEST(r36_head_has_a_limit_over_all_its_blocks) {
    size_t size = 8 << 20;
    char *endless = malloc(size);
    memset(endless, 'a', size);
    memcpy(endless, OK_HEAD "X: ", sizeof OK_HEAD "X: " - 1);
    size_t most = 0;
    const struct peer_reply reply = {.bytes = endless, .size = size, .after = PEER_HANG};
    peer_run(&reply, 1, head_limit_body, &most);
    free(endless);

    static const struct peer_reply blocks = {
        .bytes = FOUR("HTTP/1.1 103 Early Hints\r\nLink: </some.css>; rel=preload\r\n\r\n") HELLO};
    most = 200;
    peer_run(&blocks, 1, head_limit_body, &most);
}
END_TEST

static void body_limit_body(struct peer *peer) {
    jg_http_client *client = client_open(&(jg_http_client_options){.body_most = 4});
    expect_get_error(client, peer, -EMSGSIZE, "exceeds 4 bytes (body_most)");
    jg_http_client_close(client);
    client = client_open(&(jg_http_client_options){.body_most = 5});
    expect_get(client, peer, "hello");
    jg_http_response *response = NULL;
    jg_http_client_close(client);
    client = client_open(&(jg_http_client_options){.body_most = 1});
    response = ask(client, peer); // streaming knows no limit
    char piece[8];
    ssize_t done = 0;
    for (ssize_t got; (got = jg_http_read(response, piece + done, 8 - (size_t)done)) > 0;) {
        done += got;
    }
    ck_assert_int_eq(done, 5);
    jg_http_response_close(response);
    jg_http_client_close(client);
}

// A body that somebody asks to have in memory could be of any size.
START_TEST(gathered_body_has_a_limit) {
    static const struct peer_reply replies[] = {
        {.bytes = HELLO},
        {.bytes = CHUNKED "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", .slice = 1},
        {.bytes = OK_HEAD "\r\nhello", .after = PEER_CLOSE, .slice = 2},
    };
    for (size_t i = 0; i < COUNT_OF(replies); i++) {
        peer_run(&replies[i], 1, body_limit_body, NULL);
    }
}
END_TEST

static void torn_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    jg_http_response *response = ask(client, peer);
    char piece[8];
    while (jg_http_read(response, piece, sizeof(piece)) > 0) {}
    jg_fail(-EPIPE, "of before");
    ck_assert_int_eq(jg_http_read(response, piece, sizeof(piece)), -EPIPE);
    ck_assert_str_ne(jg_error_detail(-EPIPE), "of before");
    jg_http_response_close(response);
    jg_http_client_close(client);
}

// Whoever reads on after a body was cut off would be told of something else, or that all is well.
START_TEST(torn_body_stays_torn) {
    static const struct peer_reply reply = {.bytes = OK_HEAD "Content-Length: 9\r\n\r\nhello",
                                            .after = PEER_CLOSE};
    peer_run(&reply, 1, torn_body, NULL);
}
END_TEST

// What may not be sent. R38.

static ssize_t endless_source(void *arg, void *buf, size_t cap) {
    size_t *left = arg;
    size_t count = *left < cap ? *left : cap;
    memset(buf, 'x', count);
    *left -= count;
    return (ssize_t)count;
}

static void reject_headers(jg_http_client *client, const struct peer *peer) {
    static const jg_http_header bad_headers[] = {
        {"X", "a\r\nEvil: yes"},
        {"X", "a\nb"},
        {"X", "a\001"},
        {"X", "a\rb"},
        {"X\r\nEvil", "yes"},
        {"", "x"},
        {"a b", "x"},
        {"a:b", "x"},
        {"Host", "other"},
        {"content-length", "7"},
        {"Connection", "x"},
        {"Transfer-Encoding", "chunked"},
        {"Expect", "100-c"},
        {"Upgrade", "h2c"},
        {"TE", "trailers"},
        {NULL, "x"},
        {"X", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(bad_headers); i++) {
        const jg_http_request request = {
            .url = peer->url, .headers = &bad_headers[i], .header_count = 1};
        expect_error(client, &request, -EINVAL, "header");
    }
}

static void reject_methods(jg_http_client *client, const struct peer *peer) {
    static const char *const bad_methods[] = {
        "", "GE T", "GET\r\nX: y", "G\001T", "CONNECT", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"};
    for (size_t i = 0; i < COUNT_OF(bad_methods); i++) {
        const jg_http_request request = {.url = peer->url, .method = bad_methods[i]};
        expect_error(client, &request, -EINVAL, "method");
    }
    const jg_http_request trace = {
        .url = peer->url, .method = "TRACE", .body = "x", .body_size = 1};
    expect_error(client, &trace, -EINVAL, "TRACE");
    jg_http_request both = {.url = peer->url, .body = "x", .body_size = 1};
    both.source = endless_source;
    expect_error(client, &both, -EINVAL, "either");
    const jg_http_request no_body = {.url = peer->url, .method = "POST", .body_size = 1};
    expect_error(client, &no_body, -EINVAL, "NULL");
}

static void reject_urls(jg_http_client *client, const struct peer *peer) {
    static const char *const bad_paths[] = {"a b",  "a\r\nX: y", "a\nb", "%",
                                            "\x7f", "\xc3\xa4",  "<",    "a\\b"};
    for (size_t i = 0; i < COUNT_OF(bad_paths); i++) {
        char url[200];
        snprintf(url, sizeof url, "%s%s", peer->url, bad_paths[i]);
        expect_error(client, &(jg_http_request){.url = url}, -EINVAL, "bad URL: ");
    }
    static const char *const bad_urls[] = {"",
                                           "127.0.0.1",
                                           "ftp://127.0.0.1/",
                                           "http://",
                                           "http://127.0.0.1:0/",
                                           "http://127.0.0.1:65536/",
                                           "http://user@127.0.0.1/",
                                           "http://127.0.0.1%2Fx/",
                                           "http://127.1/",
                                           "http://[::1/",
                                           "http://[fe80::1%eth0]/"};
    for (size_t i = 0; i < COUNT_OF(bad_urls); i++) {
        expect_error(client, &(jg_http_request){.url = bad_urls[i]}, -EINVAL, "bad URL: ");
    }
    expect_error(client, &(jg_http_request){.url = "https://127.0.0.1/"}, -EPROTONOSUPPORT,
                 "https");
}

static void rejected_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    reject_headers(client, peer);
    reject_methods(client, peer);
    reject_urls(client, peer);
    ck_assert_int_eq(peer->accepted, 0);
    jg_http_client_close(client);
}

// A line end in a value would let its author add headers, or whole requests.
START_TEST(r38_nothing_is_sent_of_a_request_that_may_not_be) {
    static const struct peer_reply reply = {.bytes = HELLO};
    peer_run_seed(&reply, 1, rejected_body, NULL, fixture_seed());
}
END_TEST

// Options out of range would mean something else than they say.
START_TEST(bad_options_are_refused) {
    static const jg_http_client_options bad[] = {
        {.connect_ms = -2}, {.total_ms = INT64_MIN}, {.keep_ms = -7},
        {.head_most = 63},  {.head_most = 65537},    {.user_agent = "a\r\nb"},
        {.idle_ms = -1000}, {.age_ms = -2},          {.first_byte_ms = -3},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        jg_http_client *client = NULL;
        ck_assert_int_eq(jg_http_client_open(&bad[i], &client), -EINVAL);
        ck_assert_ptr_null(client);
    }
    jg_http_client_close(NULL);
    jg_http_response_close(NULL);
    jg_error_clear();
}
END_TEST

// Uploads that end early.

static void early_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    size_t left = 64 << 20;
    const jg_http_request post = {
        .url = peer->url, .method = "POST", .source = endless_source, .source_arg = &left};
    jg_http_response *response = NULL;
    int rc = jg_http_send(client, &post, &response);
    // The reset may overtake the answer.
    ck_assert_msg(rc == 0 || rc == -ECONNRESET || rc == -EPIPE, "%s", jg_error_detail(rc));
    if (rc == 0) {
        const char *data;
        ck_assert_int_eq(jg_http_status(response), 413);
        ssize_t size = jg_http_body(response, &data); // or the rest of it
        ck_assert(size == 3 || size == -ECONNRESET || size == -EPIPE);
        jg_http_response_close(response);
    }
    ck_assert_uint_gt(left, 0);
    ck_assert_int_eq(peer->requests, 1);
    expect_get(client, peer, "hello");
    ck_assert_int_eq(peer->accepted, 2);
    jg_http_client_close(client);
}

// A refused upload would be an error without its reason, or be sent to its end.
START_TEST(answer_before_the_request_is_read_ends_the_upload) {
    static const struct peer_reply replies[] = {
        {.bytes = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig",
         .early = true,
         .after = PEER_CLOSE},
        {.bytes = HELLO}};
    peer_run_seed(replies, 2, early_body, NULL, fixture_seed());
}
END_TEST

static void early_and_patient_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    static char body[4 << 20];
    size_t left = (size_t)1 << 40;
    const jg_http_request posts[] = {
        {.url = peer->url, .method = "POST", .source = endless_source, .source_arg = &left},
        {.url = peer->url, .method = "POST", .body = body, .body_size = sizeof(body)}};
    for (int i = 0; i < 2; i++) {
        jg_http_response *response = NULL;
        int rc = 0;
        JG_TIMEOUT(5000, rc) {
            rc = jg_http_send(client, &posts[i], &response);
        }
        ck_assert_msg(rc == 0, "%s", jg_error_detail(rc));
        const char *data;
        ck_assert_int_eq(jg_http_status(response), 413);
        ck_assert_int_eq(jg_http_body(response, &data), 3);
        jg_http_response_close(response);
    }
    ck_assert_int_eq(peer->accepted,
                     2); // a request that was not sent to its end spoils its connection
    jg_http_client_close(client);
}

// A server that answers early and neither reads nor closes would be sent to until a time limit.
START_TEST(answer_while_the_request_is_sent_ends_the_upload) {
    needs_loop(); // without one nobody listens meanwhile
    static const struct peer_reply replies[] = {
        {.bytes = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig",
         .early = true,
         .after = PEER_DEAF},
        {.bytes = "HTTP/1.1 100 Continue\r\n\r\n"
                  "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig",
         .early = true,
         .after = PEER_DEAF}};
    peer_run(replies, 2, early_and_patient_body, NULL);
}
END_TEST

static ssize_t failing_source(void *arg, void *buf, size_t cap) {
    (void)arg;
    (void)buf;
    (void)cap;
    return -EXDEV;
}

static ssize_t lying_source(void *arg, void *buf, size_t cap) {
    (void)arg;
    (void)buf;
    return (ssize_t)cap + 1;
}

static void source_fails_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    jg_http_request post = {.url = peer->url, .method = "POST", .source = failing_source};
    expect_error(client, &post, -EXDEV, NULL);
    post.source = lying_source;
    expect_error(client, &post, -EINVAL, "source");
    peer_await(&peer->ended, 2);
    ck_assert_int_eq(peer->requests, 0);
    jg_http_client_close(client);
}

// Half a body would be taken for a whole one by the server.
START_TEST(failing_source_fails_the_request) {
    static const struct peer_reply reply = {.bytes = HELLO};
    peer_run(&reply, 1, source_fails_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/http_client_errors", r26_answer_with_length_cut_anywhere_is_an_error,
             r26_chunked_answer_cut_anywhere_is_an_error,
             r33_invalid_answers_are_refused_and_end_the_connection, nul_in_a_head_is_refused,
             r36_head_has_a_limit_over_all_its_blocks, gathered_body_has_a_limit,
             torn_body_stays_torn, r38_nothing_is_sent_of_a_request_that_may_not_be,
             bad_options_are_refused, answer_before_the_request_is_read_ends_the_upload,
             answer_while_the_request_is_sent_ends_the_upload, failing_source_fails_the_request)
