// SPDX-License-Identifier: MIT
/* test_http_busy.c – HTTP bodies and replies that two tasks want at once.
 *
 * Holds      nothing between tests.
 * Invariant  the second is told, and the first loses nothing.
 * Called by  ctest, on epoll and sim.
 * Why        the second would move the buffer that the first reads into, or take the connection away.
 */
#include "api/http_half.h"

static intptr_t read_answer(void *answer) {
    char buf[8];
    return jg_http_read(answer, buf, sizeof(buf));
}

static intptr_t gather_answer(void *answer) {
    const char *text;
    return jg_http_body(answer, &text);
}

static intptr_t answers_body(void *arg) {
    const char *text;
    char buf[8];
    (void)arg;
    half_open();
    jg_task *reader = jg_spawn(read_answer, half.answers[0]);
    jg_task *gatherer = jg_spawn(gather_answer, half.answers[1]);
    jg_sleep(1);
    for (int i = 0; i < BEGUN; i++) {
        ck_assert_int_eq(jg_http_read(half.answers[i], buf, sizeof(buf)), -EBUSY);
        ck_assert_int_eq(jg_http_body(half.answers[i], &text), -EBUSY);
    }
    for (int i = 0; i < BEGUN; i++) {
        ck_assert_int_eq(jg_http_reply_write(half.begun[i], "word", 4), 0);
        ck_assert_int_eq(jg_http_reply_end(half.begun[i]), 0);
    }
    ck_assert_int_gt(jg_join(reader), 0);
    ck_assert_int_eq(jg_join(gatherer), 4);
    ck_assert_int_eq(jg_http_body(half.answers[1], &text), 4);
    ck_assert_str_eq(text, "word");
    half_close();
    return 0;
}

// Two tasks that share an answer by mistake would read each other's memory.
START_TEST(an_answer_is_read_by_one_task_at_a_time) {
    run_body(answers_body);
}
END_TEST

static intptr_t read_request(void *exchange) {
    char buf[8];
    return jg_http_request_read(exchange, buf, sizeof(buf));
}

static intptr_t gather_request(void *exchange) {
    const char *text;
    return jg_http_request_body(exchange, &text);
}

static intptr_t exchanges_body(void *arg) {
    const char *text;
    char buf[8];
    (void)arg;
    half_open();
    jg_task *reader = jg_spawn(read_request, half.asked[0]);
    jg_task *gatherer = jg_spawn(gather_request, half.asked[1]);
    jg_sleep(1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_http_request_read(half.asked[i], buf, sizeof(buf)), -EBUSY);
        ck_assert_int_eq(jg_http_request_body(half.asked[i], &text), -EBUSY);
        ck_assert_int_eq(jg_http_reply(half.asked[i], 200, NULL, "x", 1), -EBUSY);
        ck_assert_int_eq(jg_http_reply_begin(half.asked[i], 200, NULL), -EBUSY);
    }
    for (int i = 0; i < ASKED; i++) { // whose exchange is whose, chance decides
        ck_assert_int_eq(jg_write(half.peers[i], "words", 5), 5);
    }
    ck_assert_int_gt(jg_join(reader), 0);
    ck_assert_int_eq(jg_join(gatherer), 5);
    ck_assert_int_eq(jg_http_request_body(half.asked[1], &text), 5);
    ck_assert_str_eq(text, "words");
    ck_assert_int_eq(jg_http_reply(half.asked[1], 200, NULL, "x", 1), 0);
    half_close();
    return 0;
}

// A handler that lets two tasks at its request would end the server in a message about a bug.
START_TEST(an_exchange_is_used_by_one_task_at_a_time) {
    run_body(exchanges_body);
}
END_TEST

static intptr_t close_under_reader(void *arg) {
    (void)arg;
    half_open();
    jg_detach(jg_spawn(read_answer, half.answers[0]));
    jg_sleep(1);
    jg_http_response_close(half.answers[0]);
    return 0;
}

static intptr_t leave_reader_behind(void *arg) {
    (void)arg;
    half_open();
    jg_detach(jg_spawn(read_request, half.asked[0]));
    jg_sleep(1);
    jg_event_set(&half.over);
    return jg_sleep(1000);
}

static void run_misuse(void *body) {
    jg_run(*(jg_fn **)body, NULL);
}

// Who still reads would go on in memory that is gone.
START_TEST(what_is_taken_from_a_reader_is_named) {
    fixture_expect_abort(run_misuse, &(jg_fn *){close_under_reader},
                         "an HTTP response is closed while a task waits for more of it");
    fixture_expect_abort(run_misuse, &(jg_fn *){leave_reader_behind},
                         "an HTTP handler has returned while another task waits with its exchange");
}
END_TEST

FIXTURE_MAIN("api/http_busy", an_answer_is_read_by_one_task_at_a_time,
             an_exchange_is_used_by_one_task_at_a_time, what_is_taken_from_a_reader_is_named)
