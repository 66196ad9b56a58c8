// SPDX-License-Identifier: MIT
/* test_server_wire.c – the parser's table of doubtful requests, sent to the whole server.
 *
 * Holds      nothing; the table is cases_request.h.
 * Invariant  the server answers as many requests as the parser sees, then refuses or ends.
 * Called by  the test runner, on epoll and sim.
 * Why        a strict parser is of no use to a server that reads its result in another way.
 * Quirks     CONNECT is well-formed for the parser and refused by the server. Whether a body is
 *            asked for depends on when it comes.
 */
// Backends: epoll sim
#include "fixtures/http_raw.h"

#include "cases_request.h"

static unsigned handled;

static int handle(jg_http_exchange *x, void *arg) {
    (void)arg;
    char piece[16];
    ssize_t got = 1;
    while (got > 0) {
        got = jg_http_request_read(x, piece, sizeof(piece));
    }
    if (got < 0) {
        return (int)got;
    }
    handled++;
    return jg_http_reply(x, 200, NULL, NULL, 0);
}

static unsigned count(const char *text, const char *what) {
    unsigned found = 0;
    for (; (text = strstr(text, what)) != NULL; text++) {
        found++;
    }
    return found;
}

static void check_case(const struct raw_server *server, const struct wire_case *row) {
    handled = 0;
    char *answer = raw_ask_bytes(server, row->bytes, row->len);
    bool connect = strncmp(row->bytes, "CONNECT ", 8) == 0 && row->error == HTTP_ERROR_NONE;
    ck_assert_msg(handled == (connect ? 0 : row->messages), "%s: %u requests", row->name, handled);
    ck_assert_msg(count(answer, "HTTP/1.1 200 ") == handled, "%s: %s", row->name, answer);
    char refusal[32];
    snprintf(refusal, sizeof(refusal), "HTTP/1.1 %d ",
             connect ? 501 : parse_error_status(row->error));
    bool refused = connect || row->error != HTTP_ERROR_NONE;
    unsigned replies = count(answer, "HTTP/1.1 ") - count(answer, "HTTP/1.1 100 ");
    ck_assert_msg(replies == handled + refused, "%s: %s", row->name, answer);
    ck_assert_msg(!refused || count(answer, refusal) == 1, "%s: %s, not %s", row->name, answer,
                  refusal);
    ck_assert_msg(!refused || count(answer, RAW_CLOSE) == 1, "%s: %s", row->name, answer);
    free(answer);
}

static intptr_t cases_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    raw_start(&server, handle);
    for (size_t i = 0; i < sizeof(request_cases) / sizeof(request_cases[0]); i++) {
        check_case(&server, &request_cases[i]);
    }
    raw_stop(&server);
    return 0;
}

// A request would be smuggled past whoever stands before the server.
START_TEST(r34_requests_are_counted_as_the_parser_does) {
    raw_run(cases_body);
}
END_TEST

FIXTURE_MAIN("unit/http/server_wire", r34_requests_are_counted_as_the_parser_does)
