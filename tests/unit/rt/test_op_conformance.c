// SPDX-License-Identifier: MIT
/* test_op_conformance.c – the contract of op.h between an operation and a backend, on every
 * backend: completing once, cancelling, one at a time, closing. The same for memory, time and what
 * travels is in the other test_op_*.c files.
 */
// Backends: epoll blocking sim
#include "wire.h"
#include "world.h"

#include <errno.h>
#include <unistd.h>

// Completing.

static void wait_body(void *arg) {
    (void)arg;
    int fds[2];
    struct job job;
    struct reading reading;
    wire_pair(fds);
    start_reading(&job, &reading, fds[0]);
    ck_assert_int_eq(wire_write_all(fds[1], "ball", 4), 4);
    job_join(&job);
    ck_assert_int_ge(reading.result, 1);
    ck_assert_int_eq(memcmp(reading.buffer, "ball", (size_t)reading.result), 0);
    wire_close_pair(fds);
}

// A read that waits would never be woken, or be woken without its bytes.
START_TEST(a_read_waits_for_its_bytes) {
    world_each(wait_body, NULL);
}
END_TEST

static void many_body(void *arg) {
    (void)arg;
    enum { ROUNDS = 200 };
    int fds[2];
    wire_pair(fds);
    for (int i = 0; i < ROUNDS; i++) {
        char sent = (char)i;
        char got = 0;
        ck_assert_int_eq(wire_write(fds[1], &sent, 1), 1);
        ck_assert_int_eq(wire_read(fds[0], &got, 1), 1);
        ck_assert_int_eq(got, sent);
    }
    wire_close_pair(fds);
}

// A result would be delivered twice, or to the op after the next.
START_TEST(each_op_completes_once) {
    world_each(many_body, NULL);
}
END_TEST

static void poll_body(void *arg) {
    (void)arg;
    int fds[2];
    struct job job;
    struct reading polling = {.kind = OP_POLL};
    wire_pair(fds);
    polling.fd = fds[0];
    job_start(&job, read_once, &polling);
    let_run();
    ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
    job_join(&job);
    ck_assert_int_eq(polling.result, JG_READABLE);
    char byte = 0;
    ck_assert_int_eq(wire_read(fds[0], &byte, 1), 1); // it was not consumed
    ck_assert_int_eq(byte, 'x');
    wire_close_pair(fds);
}

// Polling would eat bytes, or not see them.
START_TEST(poll_sees_bytes_and_leaves_them) {
    world_each(poll_body, NULL);
}
END_TEST

static void closed_body(void *arg) {
    (void)arg;
    int fds[2];
    char byte;
    wire_pair(fds);
    wire_close_pair(fds);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(wire_read(fds[i], &byte, 1), -EBADF);
        ck_assert_int_eq(wire_write(fds[i], "x", 1), -EBADF);
        ck_assert_int_eq(wire_accept(fds[i]), -EBADF);
        ck_assert_int_eq(wire_simple(OP_POLL, fds[i]), -EBADF);
    }
    ck_assert_int_eq(wire_read(-1, &byte, 1), -EBADF);
    ck_assert_int_eq(wire_read(INT32_MAX, &byte, 1), -EBADF);
}

// An op on a number that is no descriptor would wait for ever, or cost a table of two billion rows.
START_TEST(a_closed_descriptor_is_an_error_at_once) {
    world_each(closed_body, NULL);
}
END_TEST

// Cancelling.

static void cancel_body(void *arg) {
    (void)arg;
    int fds[2];
    struct job job;
    struct reading reading;
    char got[4];
    wire_pair(fds);
    start_reading(&job, &reading, fds[0]);
    interrupt(job.coro);
    job_join(&job);
    ck_assert_int_eq(reading.result, -ECANCELED);
    ck_assert(untouched(&reading));
    // What comes later is the next reader's, and no byte of it lands in the old buffer.
    ck_assert_int_eq(wire_write_all(fds[1], "ball", 4), 4);
    ck_assert_int_eq(wire_read_all(fds[0], got, 4), 4);
    ck_assert_int_eq(memcmp(got, "ball", 4), 0);
    ck_assert(untouched(&reading));
    wire_close_pair(fds);
}

// A cancelled read would keep the buffer, or swallow what comes after it.
START_TEST(x04_cancelled_read_leaves_buffer_and_bytes) {
    needs_loop();
    world_each(cancel_body, NULL);
}
END_TEST

/* A callback of the loop, which runs after completions were looked for and before who was woken. */
struct strike {
    jg_timer timer;
    struct job *job;
    struct wait over;
};

static void strike_now(jg_timer *timer) {
    struct strike *strike = (struct strike *)(void *)timer;
    if (strike->job->coro != NULL) {
        interrupt(strike->job->coro);
    }
    wake(&strike->over, 0);
}

static void strike_in_turn(struct job *job) {
    struct strike strike = {.job = job, .over = {.kind = WAIT_KIND("strike")}};
    struct coro *self = sched_current();
    ck_assert_int_eq(timer_arm(&self->loop->timers, &strike.timer, loop_now_ns(), strike_now), 0);
    park(&strike.over);
}

static void same_turn_body(void *arg) {
    (void)arg;
    int fds[2];
    struct job job;
    struct reading reading;
    char rest[4];
    wire_pair(fds);
    start_reading(&job, &reading, fds[0]);
    ck_assert_int_eq(wire_write_all(fds[1], "ball", 4), 4);
    strike_in_turn(&job);
    job_join(&job);
    size_t taken = reading.result > 0 ? (size_t)reading.result : 0;
    ck_assert(taken > 0 || reading.result == -ECANCELED);
    ck_assert(taken > 0 || untouched(&reading));
    if (on_backend("epoll")) {
        ck_assert_uint_eq(taken, 4); // the bytes had come: completion wins
    }
    ck_assert_int_eq(wire_read_all(fds[0], rest, 4 - taken), (intptr_t)(4 - taken));
    ck_assert_int_eq(memcmp(reading.buffer, "ball", taken), 0);
    ck_assert_int_eq(memcmp(rest, &"ball"[taken], 4 - taken), 0);
    wire_close_pair(fds);
}

// Bytes that came in the turn of the cancel would be lost.
START_TEST(completion_and_cancel_in_one_turn_lose_nothing) {
    needs_loop();
    world_each(same_turn_body, NULL);
}
END_TEST

static void late_cancel_body(void *arg) {
    (void)arg;
    int fds[2];
    struct job job;
    struct reading reading;
    wire_pair(fds);
    start_reading(&job, &reading, fds[0]);
    ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
    let_time_pass();
    ck_assert(job.done);
    ck_assert_int_eq(reading.result, 1);
    wire_close_pair(fds);
}

// A read that has completed would still be somewhere in the backend.
START_TEST(a_completed_op_is_nowhere_any_more) {
    needs_loop();
    world_each(late_cancel_body, NULL);
}
END_TEST

static void cancel_each_kind_body(void *arg) {
    (void)arg;
    struct op_address address = wire_inet(0);
    struct job job;
    struct reading accepting = {.kind = OP_ACCEPT, .fd = wire_listen(&address, 4)};
    int fds[2];
    wire_pair(fds);
    struct reading polling = {.kind = OP_POLL, .fd = fds[0]};
    struct reading *both[] = {&accepting, &polling};
    for (int i = 0; i < 2; i++) {
        job_start(&job, read_once, both[i]);
        let_run();
        interrupt(job.coro);
        job_join(&job);
        ck_assert_int_eq(both[i]->result, -ECANCELED);
    }
    // The listener and the socket serve the next as if nothing had been.
    int client = wire_connect(&address);
    int server = wire_accept(accepting.fd);
    ck_assert_int_ge(client, 0);
    ck_assert_int_ge(server, 0);
    wire_close(client);
    wire_close(server);
    wire_close(accepting.fd);
    wire_close_pair(fds);
}

// Cancelling an accept or a poll would leave the descriptor busy, or lose a connection.
START_TEST(accept_and_poll_can_be_cancelled) {
    needs_loop();
    world_each(cancel_each_kind_body, NULL);
}
END_TEST

static void refused_body(void *arg) {
    (void)arg;
    int fds[2];
    char byte = '?';
    struct coro *self = sched_current();
    wire_pair(fds);
    ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
    self->attention = ATTENTION_CANCEL;
    ck_assert_int_eq(wire_read(fds[0], &byte, 1), -ECANCELED);
    ck_assert_int_eq(wire_write(fds[0], "y", 1), -ECANCELED);
    self->attention = 0;
    ck_assert_int_eq(byte, '?');
    ck_assert_int_eq(wire_read(fds[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 'x');
    let_time_pass();
    ck_assert_int_eq(ops()->idle_ok(backend_current(), fds[1]), 1); // 'y' was never sent
    wire_close_pair(fds);
}

// While a cancel stands an op would still do something.
START_TEST(a_standing_cancel_refuses_before_anything_is_done) {
    world_each(refused_body, NULL);
}
END_TEST

// One at a time; closing.

static void busy_body(void *arg) {
    (void)arg;
    int fds[2];
    struct job job;
    struct reading reading;
    char byte;
    wire_pair(fds);
    start_reading(&job, &reading, fds[0]);
    ck_assert_int_eq(wire_read(fds[0], &byte, 1), -EBUSY);
    ck_assert_int_eq(wire_simple(OP_POLL, fds[0]), -EBUSY);
    ck_assert_int_eq(wire_write(fds[0], "y", 1), 1); // the other direction is free
    ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
    job_join(&job);
    ck_assert_int_eq(reading.result, 1); // the first was not disturbed
    wire_close_pair(fds);
}

// A second reader would take the place of the first, who then sleeps for ever.
START_TEST(a_second_reader_is_refused) {
    needs_loop();
    world_each(busy_body, NULL);
}
END_TEST

static void busy_writer_body(void *arg) {
    (void)arg;
    static char sink[64 * 1024];
    int fds[2];
    struct job job;
    wire_pair(fds);
    struct flood flood = {.fd = fds[0]};
    job_start(&job, write_flood, &flood);
    let_time_pass();
    ck_assert(!job.done && job.coro->parked != NULL); // nobody reads: it waits
    ck_assert_int_eq(wire_write(fds[0], "y", 1), -EBUSY);
    size_t before = flood.sent;
    ck_assert_int_gt(wire_read(fds[1], sink, sizeof(sink)), 0);
    while (flood.sent == before) {
        ck_assert_int_gt(wire_read(fds[1], sink, sizeof(sink)), 0);
        let_time_pass();
    }
    while (!job.done) { // completion wins: what was under way may still be written
        interrupt(job.coro);
        let_time_pass();
    }
    job_join(&job);
    ck_assert_int_eq(flood.result, -ECANCELED);
    wire_close_pair(fds);
}

// A writer would not wait for a slow reader, or never be woken by it.
START_TEST(a_writer_waits_for_room) {
    needs_loop();
    world_each(busy_writer_body, NULL);
}
END_TEST

static void close_wakes_body(void *arg) {
    (void)arg;
    struct op_address address = wire_inet(0);
    struct job jobs[3];
    int fds[2];
    wire_pair(fds);
    struct reading accepting = {.kind = OP_ACCEPT, .fd = wire_listen(&address, 4)};
    struct reading reading;
    struct flood flood = {.fd = fds[0]};
    start_reading(&jobs[0], &reading, fds[0]);
    job_start(&jobs[1], write_flood, &flood);
    job_start(&jobs[2], read_once, &accepting);
    let_time_pass();
    wire_close(fds[0]);
    wire_close(accepting.fd);
    for (int i = 0; i < 3; i++) {
        job_join(&jobs[i]);
    }
    ck_assert_int_eq(reading.result, -EBADF);
    ck_assert_int_eq(flood.result, -EBADF);
    ck_assert_int_eq(accepting.result, -EBADF);
    wire_close(fds[1]);
}

// Whoever waits on a descriptor that another task closes would wait for ever. X2.
START_TEST(closing_wakes_who_waits) {
    needs_loop();
    world_each(close_wakes_body, NULL);
}
END_TEST

static void reuse_body(void *arg) {
    (void)arg;
    int old[2];
    int new[2];
    struct job job;
    struct reading reading;
    wire_pair(old);
    start_reading(&job, &reading, old[0]);
    int alive = on_backend("epoll") ? dup(old[0]) : -1; // keeps the old registration in the epoll
    ck_assert_int_ge(wire_write(old[1], "old", 3), 1);
    wire_close(old[0]);
    job_join(&job);
    ck_assert(reading.result == -EBADF || memcmp(reading.buffer, "old", 1) == 0);
    wire_pair(new);
    ck_assert_int_eq(new[0], old[0]);
    start_reading(&job, &reading, new[0]);
    wire_close(old[1]);
    let_time_pass();
    ck_assert(!job.done);
    ck_assert_int_eq(wire_write_all(new[1], "new", 3), 3);
    job_join(&job);
    ck_assert_int_ge(reading.result, 1);
    ck_assert_int_eq(memcmp(reading.buffer, "new", (size_t)reading.result), 0);
    wire_close_pair(new);
    if (alive >= 0) {
        close(alive);
    }
}

// A descriptor's number, given out again, would wake for what happens to its predecessor. X2.
START_TEST(r13_a_reused_number_does_not_wake_for_its_predecessor) {
    needs_loop();
    world_each(reuse_body, NULL);
}
END_TEST

static void behind_body(void *arg) {
    (void)arg;
    int old[2];
    int new[2];
    struct job jobs[2];
    struct reading stale;
    struct reading fresh;
    wire_pair(old);
    start_reading(&jobs[0], &stale, old[0]); // known to the backend, and waited for
    close(old[0]);                           // by somebody who does not know the backend
    wire_pair(new);
    ck_assert_int_eq(new[0], old[0]);
    job_join(&jobs[0]);
    ck_assert_int_eq(stale.result, -EBADF);
    start_reading(&jobs[1], &fresh, new[0]);
    ck_assert_int_eq(wire_write(new[1], "x", 1), 1);
    job_join(&jobs[1]);
    ck_assert_int_eq(fresh.result, 1);
    // Adopted again without having been closed.
    ck_assert_int_eq(ops()->adopt(backend_current(), new[0]), 0);
    start_reading(&jobs[1], &fresh, new[0]);
    ck_assert_int_eq(wire_write(new[1], "y", 1), 1);
    job_join(&jobs[1]);
    ck_assert_int_eq(fresh.result, 1);
    wire_close_pair(new);
    wire_close(old[1]);
}

// Where somebody closed a descriptor without telling us, its number would be deaf for ever. B4.
START_TEST(r13_a_number_closed_behind_our_back_is_known_anew) {
    if (!on_backend("epoll")) {
        fixture_skip("only epoll keeps notes about numbers that others can close");
    }
    world_each(behind_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/op_conformance", a_read_waits_for_its_bytes, each_op_completes_once,
             poll_sees_bytes_and_leaves_them, a_closed_descriptor_is_an_error_at_once,
             x04_cancelled_read_leaves_buffer_and_bytes,
             completion_and_cancel_in_one_turn_lose_nothing, a_completed_op_is_nowhere_any_more,
             accept_and_poll_can_be_cancelled, a_standing_cancel_refuses_before_anything_is_done,
             a_second_reader_is_refused, a_writer_waits_for_room, closing_wakes_who_waits,
             r13_a_reused_number_does_not_wake_for_its_predecessor,
             r13_a_number_closed_behind_our_back_is_known_anew)
