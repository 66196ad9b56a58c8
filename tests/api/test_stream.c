// SPDX-License-Identifier: MIT
/* test_stream.c – streams between tasks: closed while used, two readers, and cancels.
 *
 * Holds      nothing between tests.
 * Invariant  no byte is lost or comes twice, whoever is cancelled.
 * Called by  ctest, on epoll and sim.
 * Why        SEMANTICS X2, X3; RELIABILITY R4 and R13.
 */
#define FIXTURE_LIMIT 20
#include "api/api.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct reading {
    bool began;
    jg_stream *stream;
    char buffer[64];
    ssize_t got;
};

static intptr_t read_once(void *arg) {
    struct reading *reading = arg;
    reading->began = true;
    reading->got = jg_read(reading->stream, reading->buffer, sizeof(reading->buffer));
    return 0;
}

static intptr_t read_exactly(void *arg) {
    struct reading *reading = arg;
    reading->got = jg_read_exact(reading->stream, reading->buffer, 10);
    return 0;
}

static intptr_t fill(void *arg) {
    struct reading *reading = arg;
    char *data;
    reading->got = jg_stream_fill(reading->stream, 1000, &data);
    return 0;
}

/* Spawns the task and lets it come to its wait. */
static jg_task *spawn_and_wait(jg_fn *fn, void *arg) {
    jg_task *task = jg_spawn(fn, arg);
    jg_sleep(1);
    return task;
}

// X2.

static intptr_t close_body(void *arg) {
    (void)arg;
    jg_fn *const ways[] = {read_once, read_exactly, fill};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        jg_stream *pair[2];
        open_pair(pair);
        struct reading reading = {.stream = pair[0]};
        jg_task *task = spawn_and_wait(ways[i], &reading);
        ck_assert(!jg_done(task));
        int64_t closed_ns = jg_now();
        jg_stream_close(pair[0]);
        ck_assert_int_eq(jg_join(task), 0);
        ck_assert_int_eq(reading.got, -EBADF);
        ck_assert(!on_backend("sim") || jg_now() == closed_ns); // at once
        jg_stream_close(pair[1]);
    }
    return 0;
}

// A task that waits on a stream would wait for ever once it is closed, or come back to freed memory.
START_TEST(x02_close_wakes_the_reader) {
    run_body(close_body);
}
END_TEST

static char flood[1 << 20];

static intptr_t write_flood(void *arg) {
    return jg_write(arg, flood, sizeof(flood));
}

static intptr_t close_writer_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    open_pair(pair);
    jg_task *task = spawn_and_wait(write_flood, pair[0]);
    ck_assert(!jg_done(task));
    jg_stream_close(pair[0]);
    ck_assert_int_eq(jg_join(task), -EBADF);
    jg_stream_close(pair[1]);
    return 0;
}

// The same for a task that waits for room to write.
START_TEST(x02_close_wakes_the_writer) {
    run_body(close_writer_body);
}
END_TEST

static intptr_t late_close_body(void *arg) {
    (void)arg;
    jg_fn *const ways[] = {read_once, read_exactly, fill};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        jg_stream *pair[2];
        open_pair(pair);
        struct reading reading = {.stream = pair[0]};
        jg_task *task = spawn_and_wait(ways[i], &reading);
        ck_assert_int_eq(jg_write(pair[1], "0123456789", 10), 10);
        jg_stream_close(pair[0]); // perhaps after the bytes have come, and before the reader runs
        ck_assert_int_eq(jg_join(task), 0);
        bool some = i != 1 && reading.got > 0; // whatever had come
        bool all = i == 1 && reading.got == 10;
        ck_assert_msg(reading.got == -EBADF || some || all, "got %zd", reading.got);
        jg_stream_close(pair[1]);
    }
    return 0;
}

// Bytes and a close in one tick would leak the buffer, or hand out one that is freed.
START_TEST(x02_close_in_the_tick_of_the_bytes) {
    run_body(late_close_body);
}
END_TEST

static intptr_t reuse_body(void *arg) {
    (void)arg;
    jg_stream *old[2];
    jg_stream *new[2];
    int rounds = on_backend("sim") ? 20 : 2000 / API_SLOWED;
    for (int i = 0; i < rounds; i++) {
        open_pair(old);
        struct reading first = {.stream = old[0]};
        jg_task *reader = jg_spawn(read_once, &first);
        while (!first.began) {
            jg_yield();
        }
        ck_assert_int_eq(jg_write(old[1], "old", 3), 3); // the event is on its way
        int number = jg_stream_fd(old[0]);
        jg_stream_close(old[0]);
        open_pair(new);
        ck_assert_int_eq(jg_stream_fd(new[0]), number);
        struct reading second = {.stream = new[0]};
        jg_task *next = jg_spawn(read_once, &second);
        jg_yield();
        jg_yield();
        ck_assert(!jg_done(next)); // nothing has come for it
        ck_assert_int_eq(jg_write(new[1], "n", 1), 1);
        ck_assert_int_eq(jg_join(next), 0);
        ck_assert_int_eq(second.got, 1);
        ck_assert_int_eq(second.buffer[0], 'n');
        ck_assert_int_eq(jg_join(reader), 0);
        ck_assert_msg(first.got == -EBADF || memcmp(first.buffer, "old", (size_t)first.got) == 0,
                      "got %zd", first.got);
        jg_stream_close(old[1]);
        close_pair(new);
    }
    return 0;
}

// A descriptor's number that is used again would wake for its predecessor.
START_TEST(x02_reused_number_is_not_woken) {
    run_once(reuse_body, NULL);
}
END_TEST

// X3.

static intptr_t second_reader_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    char byte;
    open_pair(pair);
    struct reading reading = {.stream = pair[0]};
    jg_task *task = spawn_and_wait(read_once, &reading);
    ck_assert_int_eq(jg_read(pair[0], &byte, 1), -EBUSY);
    ck_assert_int_eq(jg_write(pair[0], "there", 5), 5); // the other direction is free
    ck_assert_int_eq(jg_write(pair[1], "abc", 3), 3);
    ck_assert_int_eq(jg_join(task), 0);
    ck_assert_int_gt(reading.got, 0);
    ck_assert_mem_eq(reading.buffer, "abc", (size_t)reading.got);
    close_pair(pair);
    return 0;
}

// Two readers of one stream would get each other's bytes, or one of them would never wake.
START_TEST(x03_second_reader_is_busy) {
    run_body(second_reader_body);
}
END_TEST

static intptr_t negative_body(void *arg) {
    jg_stream *pair[2];
    struct iovec piece = {(void *)(uintptr_t) "x", 1};
    (void)arg;
    open_pair(pair);
    ck_assert_int_eq(jg_writev(pair[0], &piece, -1), -EINVAL);
    ck_assert_int_eq(jg_writev(pair[0], &piece, 1), 1);
    close_pair(pair);
    return 0;
}

// A count gone wrong would look like a write that was done.
START_TEST(a_negative_count_of_pieces_is_refused) {
    run_body(negative_body);
}
END_TEST

static intptr_t second_writer_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    open_pair(pair);
    jg_task *task = spawn_and_wait(write_flood, pair[0]);
    ck_assert_int_eq(jg_write(pair[0], "x", 1), -EBUSY);
    static char sunk[sizeof(flood)];
    ck_assert_int_eq(jg_read_exact(pair[1], sunk, sizeof(sunk)), sizeof(sunk));
    ck_assert_int_eq(jg_join(task), sizeof(flood));
    ck_assert_int_eq(jg_write(pair[0], "x", 1), 1); // a busy write breaks nothing
    close_pair(pair);
    return 0;
}

// Two writers would mix their bytes, and the first would be called broken for it.
START_TEST(x03_second_writer_is_busy) {
    run_body(second_writer_body);
}
END_TEST

static intptr_t fill_up(void *arg) {
    char *data;
    return jg_stream_fill(arg, 64, &data);
}

static intptr_t reader_of_held_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    char *data;
    char bytes[8] = {0};
    open_pair(pair);
    ck_assert_int_eq(jg_write(pair[1], "abc", 3), 3);
    while (jg_stream_peek(pair[0], &data) < 3) {
        ck_assert_int_gt(jg_stream_fill(pair[0], 64, &data), 0);
    }
    jg_task *task = spawn_and_wait(fill_up, pair[0]);
    ck_assert_int_eq(jg_read(pair[0], bytes, sizeof(bytes)), -EBUSY);
    ck_assert_int_eq(jg_read_exact(pair[0], bytes, 3), -EBUSY);
    ck_assert_int_eq(jg_stream_fill(pair[0], 64, &data), -EBUSY);
    ck_assert_int_eq(jg_write(pair[1], "def", 3), 3);
    ck_assert_int_gt(jg_join(task), 3);
    ck_assert_int_eq(jg_read_exact(pair[0], bytes, 6), 6);
    ck_assert_str_eq(bytes, "abcdef");
    close_pair(pair);
    return 0;
}

// A second reader would take what is held, and with it the memory the first one's bytes come to.
START_TEST(x03_second_reader_of_held_bytes_is_busy) {
    run_body(reader_of_held_body);
}
END_TEST

// R4.

static intptr_t cancelled_read_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    char rest[16] = {0};
    open_pair(pair);
    struct reading reading = {.stream = pair[0]};
    jg_task *task = jg_spawn(read_exactly, &reading);
    ck_assert_int_eq(jg_write(pair[1], "0123", 4), 4);
    jg_sleep(10);
    ck_assert(!jg_done(task));
    jg_cancel(task);
    jg_join(task);
    ck_assert_int_eq(reading.got, -ECANCELED);
    ck_assert_int_eq(jg_write(pair[1], "456789", 6), 6);
    ck_assert_int_eq(jg_read_exact(pair[0], rest, 10), 10);
    ck_assert_str_eq(rest, "0123456789");
    close_pair(pair);
    return 0;
}

// A read cut short would lose the bytes that had come.
START_TEST(r04_cancelled_read_loses_no_byte) {
    run_body(cancelled_read_body);
}
END_TEST

static intptr_t read_much(void *arg) {
    static char room[sizeof(flood)];
    return jg_read_exact(arg, room, sizeof(room));
}

static intptr_t torn_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    char byte;
    char *data;
    open_pair(pair);
    jg_task *task = jg_spawn(read_much, pair[0]);
    ck_assert_int_eq(jg_write(pair[1], flood, 100000), 100000);
    while (jg_stream_received(pair[0]) < 100000) {
        jg_sleep(1);
    }
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED); // too much to be kept
    ck_assert_int_eq(jg_read(pair[0], &byte, 1), -EPIPE);
    ck_assert_int_eq(jg_stream_fill(pair[0], 1000, &data), -EPIPE);
    ck_assert(!jg_stream_idle_ok(pair[0]));
    ck_assert_int_eq(jg_write(pair[0], "x", 1), 1);
    close_pair(pair);
    return 0;
}

// Whoever reads on after a long read was cut short would read behind a gap.
START_TEST(r04_long_read_cut_short_ends_reading) {
    run_body(torn_body);
}
END_TEST

static intptr_t cancelled_write_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    open_pair(pair);
    jg_task *task = jg_spawn(write_flood, pair[0]);
    while (jg_stream_sent(pair[0]) == 0) {
        jg_sleep(1);
    }
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    uint64_t sent = jg_stream_sent(pair[0]);
    ck_assert_uint_gt(sent, 0);
    ck_assert_uint_lt(sent, sizeof(flood));
    ck_assert_int_eq(jg_write(pair[0], "x", 1), -EPIPE);
    ck_assert(!jg_stream_idle_ok(pair[0]));
    ck_assert_int_eq(jg_stream_shutdown(pair[0]), 0);
    char sink[4096];
    ssize_t got;
    while ((got = jg_read(pair[1], sink, sizeof(sink))) > 0) {}
    ck_assert_int_eq(got, 0);
    ck_assert_uint_eq(jg_stream_received(pair[1]), sent);
    close_pair(pair);
    return 0;
}

// A write cut short would be followed by bytes that belong elsewhere.
START_TEST(r04_cancelled_write_breaks_the_stream) {
    run_body(cancelled_write_body);
}
END_TEST

// S7 with bytes.

static intptr_t bytes_win_body(void *arg) {
    (void)arg;
    jg_stream *pair[2];
    open_pair(pair);
    struct reading reading = {.stream = pair[0]};
    jg_task *task = spawn_and_wait(read_once, &reading);
    ck_assert_int_eq(jg_write(pair[1], "abc", 3), 3);
    jg_yield(); // they may have been taken by now, or not
    jg_cancel(task);
    jg_join(task);
    if (reading.got < 0) {
        ck_assert_int_eq(reading.got, -ECANCELED);
        reading.got = 0;
    }
    size_t rest = 3 - (size_t)reading.got;
    ck_assert_int_eq(jg_read_exact(pair[0], reading.buffer + reading.got, rest), (ssize_t)rest);
    ck_assert_mem_eq(reading.buffer, "abc", 3);
    close_pair(pair);
    return 0;
}

// Bytes that come in the tick of a cancel would be lost.
START_TEST(s07_bytes_and_cancel_in_one_tick) {
    run_body(bytes_win_body);
}
END_TEST

struct accepting {
    jg_listener *listener;
    jg_stream *stream;
    int rc;
};

static intptr_t accept_once(void *arg) {
    struct accepting *accepting = arg;
    accepting->rc = jg_accept(accepting->listener, &accepting->stream);
    return 0;
}

static intptr_t accept_wins_body(void *arg) {
    (void)arg;
    struct accepting accepting = {.rc = 1};
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &accepting.listener), 0);
    jg_task *task = spawn_and_wait(accept_once, &accepting);
    jg_stream *client;
    ck_assert_int_eq(jg_tcp_connect("127.0.0.1", jg_listener_port(accepting.listener), &client), 0);
    jg_cancel(task);
    jg_join(task); // cancelled, and yet it may have accepted
    if (accepting.rc < 0) {
        ck_assert_int_eq(accepting.rc, -ECANCELED);
        ck_assert_int_eq(jg_accept(accepting.listener, &accepting.stream), 0); // still in the queue
    }
    ck_assert_int_eq(jg_write(client, "hi", 2), 2);
    char text[2];
    ck_assert_int_eq(jg_read_exact(accepting.stream, text, 2), 2);
    jg_stream_close(client);
    jg_stream_close(accepting.stream);
    jg_listener_close(accepting.listener);
    return 0;
}

// A connection accepted in the tick of a cancel would be lost, and leak.
START_TEST(s07_accept_and_cancel_in_one_tick) {
    run_body(accept_wins_body);
}
END_TEST

static intptr_t close_listener_body(void *arg) {
    (void)arg;
    struct accepting accepting = {.rc = 1};
    jg_stream *none = NULL;
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &accepting.listener), 0);
    jg_task *task = spawn_and_wait(accept_once, &accepting);
    ck_assert_int_eq(jg_accept(accepting.listener, &none), -EBUSY);
    ck_assert_ptr_null(none);
    ck_assert(!jg_done(task)); // the first was not disturbed
    jg_listener_close(accepting.listener);
    jg_join(task);
    ck_assert_int_eq(accepting.rc, -EBADF);
    return 0;
}

// Whoever waits for a connection would wait for ever once the listener is closed.
START_TEST(x02_close_wakes_who_accepts) {
    run_body(close_listener_body);
}
END_TEST

static intptr_t empty_body(void *arg) {
    jg_stream *pair[2];
    char byte;
    open_pair(pair);
    ck_assert_int_eq(jg_write(pair[0], "", 0), 0);
    ck_assert_int_eq(jg_read_exact(pair[1], &byte, 0), 0);
    JG_TIMEOUT(0) {
        ck_assert_int_eq(jg_write(pair[0], "", 0), -ECANCELED);
        ck_assert_int_eq(jg_read_exact(pair[1], &byte, 0), -ECANCELED);
    }
    close_pair(pair);
    return (intptr_t)arg;
}

// A loop that moves nothing would never hear that it was cancelled.
START_TEST(moving_no_bytes_sees_a_cancel) {
    needs_loop();
    run_body(empty_body);
}
END_TEST

FIXTURE_MAIN("api/stream", x02_close_wakes_the_reader, x02_close_wakes_the_writer,
             x02_close_in_the_tick_of_the_bytes, x02_reused_number_is_not_woken,
             a_negative_count_of_pieces_is_refused, x03_second_reader_is_busy,
             x03_second_writer_is_busy, x03_second_reader_of_held_bytes_is_busy,
             r04_cancelled_read_loses_no_byte, r04_long_read_cut_short_ends_reading,
             r04_cancelled_write_breaks_the_stream, s07_bytes_and_cancel_in_one_tick,
             s07_accept_and_cancel_in_one_tick, x02_close_wakes_who_accepts,
             moving_no_bytes_sees_a_cancel)
