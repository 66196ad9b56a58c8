// SPDX-License-Identifier: MIT
/* test_lines.c – reading up to a delimiter.
 *
 * Holds      nothing between tests.
 * Invariant  what is read and what stays readable are together the bytes that were sent.
 * Called by  ctest, on epoll, sim and without a loop.
 * Why        line protocols are what most servers begin with.
 */
// Backends: epoll sim blocking
#include "api/api.h"

enum { CAP = 16 };

static void send_text(jg_stream *stream, const char *text) {
    ck_assert_int_eq(jg_write(stream, text, strlen(text)), (ssize_t)strlen(text));
}

static void expect_line(jg_stream *stream, const char *line) {
    char buf[CAP];
    ck_assert_int_eq(jg_read_until(stream, '\n', buf, CAP), (ssize_t)strlen(line));
    ck_assert_int_eq(memcmp(buf, line, strlen(line)), 0);
}

static intptr_t lines_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    open_pair(pair);
    send_text(pair[0], "one\n\nthree\nwhat is left");
    ck_assert_int_eq(jg_stream_shutdown(pair[0]), 0);
    expect_line(pair[1], "one\n");
    expect_line(pair[1], "\n");
    expect_line(pair[1], "three\n");
    expect_line(pair[1], "what is left");
    expect_line(pair[1], "");
    close_pair(pair);
    return 0;
}

// Lines would run together, an empty one be taken for the end, or the last one be lost.
START_TEST(lines_come_one_by_one) {
    run_body(lines_body);
}
END_TEST

static intptr_t long_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    char buf[64];
    open_pair(pair);
    send_text(pair[0], "0123456789abcdef\nnext\n");
    ck_assert_int_eq(jg_read_until(pair[1], '\n', buf, CAP), -EMSGSIZE);
    ck_assert_int_eq(jg_read_until(pair[1], '\n', buf, CAP + 1), CAP + 1); // it stayed
    expect_line(pair[1], "next\n");
    close_pair(pair);
    return 0;
}

// A line longer than the caller's room would be cut in two, or grow without a limit.
START_TEST(a_line_beyond_the_room_stays_readable) {
    run_body(long_body);
}
END_TEST

static intptr_t limit_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    char buf[CAP];
    open_pair(pair);
    send_text(pair[0], "half a ");
    ssize_t got = 0;
    JG_TIMEOUT(5, got) {
        got = jg_read_until(pair[1], '\n', buf, CAP);
    }
    ck_assert_int_eq(got, -ETIMEDOUT);
    send_text(pair[0], "line\n");
    expect_line(pair[1], "half a line\n");
    close_pair(pair);
    return 0;
}

// R4: half a line that was read when the limit struck would be lost.
START_TEST(r04_half_a_line_is_not_lost) {
    run_body(limit_body);
}
END_TEST

struct reader {
    jg_stream *stream;
    ssize_t got;
};

static intptr_t read_line(void *arg) {
    struct reader *reader = arg;
    char buf[CAP];
    reader->got = jg_read_until(reader->stream, '\n', buf, CAP);
    return 0;
}

static intptr_t busy_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    open_pair(pair);
    struct reader reader = {.stream = pair[1]};
    jg_task *task = jg_spawn(read_line, &reader);
    jg_sleep(1);
    char buf[CAP];
    ck_assert_int_eq(jg_read_until(pair[1], '\n', buf, CAP), -EBUSY);
    jg_stream_close(pair[1]);
    ck_assert_int_eq(jg_join(task), 0);
    ck_assert_int_eq(reader.got, -EBADF);
    jg_stream_close(pair[0]);
    return 0;
}

// X2, X3: a second reader would steal half of the first one's line; a close would leave it waiting.
START_TEST(x03_second_reader_of_lines_is_busy) {
    needs_loop();
    run_body(busy_body);
}
END_TEST

static intptr_t cancelled_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    char buf[CAP];
    open_pair(pair);
    send_text(pair[0], "one\ntwo\n");
    expect_line(pair[1], "one\n");
    jg_cancel(jg_self());
    ck_assert_int_eq(jg_read_until(pair[1], '\n', buf, CAP), -ECANCELED);
    jg_uncancel(jg_self());
    expect_line(pair[1], "two\n");
    close_pair(pair);
    return 0;
}

// A loop over lines that are all there already would never notice that it is to stop.
START_TEST(s04_a_cancel_is_seen_between_lines) {
    needs_loop();
    run_body(cancelled_body);
}
END_TEST

FIXTURE_MAIN("api/lines", lines_come_one_by_one, a_line_beyond_the_room_stays_readable,
             r04_half_a_line_is_not_lost, x03_second_reader_of_lines_is_busy,
             s04_a_cancel_is_seen_between_lines)
