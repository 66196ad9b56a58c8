// SPDX-License-Identifier: MIT
/* test_op_poll.c – waiting for readiness, of either side or both, on every backend.
 */
// Backends: epoll blocking sim
#include "wire.h"

struct polling {
    int fd;
    int events;
    intptr_t result;
};

static void poll_once(void *arg) {
    struct polling *polling = arg;
    struct op op = {.kind = OP_POLL, .fd = polling->fd, .events = polling->events};
    polling->result = op_run(&op);
}

static intptr_t poll_for(int fd, int events) {
    struct polling polling = {.fd = fd, .events = events};
    poll_once(&polling);
    return polling.result;
}

enum { BOTH = JG_READABLE | JG_WRITABLE };

static void levels_body(void *arg) {
    (void)arg;
    int fds[2];
    char bytes[4];
    wire_pair(fds);
    ck_assert_int_eq(poll_for(fds[0], JG_WRITABLE), JG_WRITABLE);
    ck_assert_int_eq(poll_for(fds[0], BOTH), JG_WRITABLE);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(wire_write(fds[1], "a", 1), 1);
    }
    let_time_pass();
    ck_assert_int_eq(poll_for(fds[0], JG_READABLE), JG_READABLE);
    ck_assert_int_eq(poll_for(fds[0], BOTH), BOTH);
    ck_assert_int_eq(wire_read(fds[0], bytes, 1), 1);
    let_time_pass();
    ck_assert_int_eq(poll_for(fds[0], JG_READABLE), JG_READABLE); // some is left
    wire_close(fds[1]);
    let_time_pass();
    ck_assert_int_eq(poll_for(fds[0], BOTH), BOTH); // the end, and nobody to write to
    wire_close(fds[0]);
}

// Readiness would be an edge, seen once: the rest of the bytes would lie there unread.
START_TEST(readiness_is_a_level) {
    world_each(levels_body, NULL);
}
END_TEST

static intptr_t fill_up(int fd) {
    static char block[64 * 1024];
    struct iovec iov = {block, sizeof(block)};
    struct op op = {.kind = OP_WRITE, .fd = fd, .socket = true, .iov = &iov, .iov_count = 1};
    return op_run(&op);
}

static void fill_all(void *arg) {
    struct polling *filling = arg;
    do {
        filling->result = fill_up(filling->fd);
    } while (filling->result > 0);
}

static void drain(int fd) {
    static char sink[64 * 1024];
    while (poll_for(fd, JG_READABLE) == JG_READABLE && wire_read(fd, sink, sizeof(sink)) > 0) {
        let_time_pass();
        struct polling more = {.fd = fd, .events = JG_READABLE};
        struct job job;
        job_start(&job, poll_once, &more);
        let_time_pass();
        bool empty = !job.done;
        while (!job.done) {
            interrupt(job.coro);
            let_time_pass();
        }
        job_join(&job);
        if (empty) {
            return;
        }
    }
}

/* Writes until nothing more fits and nobody waits to write. */
static void make_full(int fd) {
    struct polling filling = {.fd = fd};
    struct job job;
    job_start(&job, fill_all, &filling);
    let_time_pass();
    while (!job.done) {
        interrupt(job.coro);
        let_time_pass();
    }
    job_join(&job);
    ck_assert_int_eq(filling.result, -ECANCELED);
}

static void room_body(void *arg) {
    (void)arg;
    int fds[2];
    struct job job;
    wire_pair(fds);
    make_full(fds[0]);
    struct polling polling = {.fd = fds[0], .events = JG_WRITABLE};
    job_start(&job, poll_once, &polling);
    let_time_pass();
    ck_assert(!job.done);
    drain(fds[1]);
    job_join(&job);
    ck_assert_int_eq(polling.result, JG_WRITABLE);
    wire_close_pair(fds);
}

// Who waits for room would not be told, or be told before there is any.
START_TEST(a_poll_waits_for_room) {
    needs_loop();
    world_each(room_body, NULL);
}
END_TEST

static void both_body(void *arg) {
    (void)arg;
    int fds[2];
    struct job job;
    wire_pair(fds);
    for (int i = 0; i < 2; i++) {
        make_full(fds[0]);
        struct polling polling = {.fd = fds[0], .events = BOTH};
        job_start(&job, poll_once, &polling);
        let_time_pass();
        ck_assert(!job.done);
        ck_assert_int_eq(poll_for(fds[0], JG_READABLE), -EBUSY); // it waits at both sides
        ck_assert_int_eq(poll_for(fds[0], JG_WRITABLE), -EBUSY);
        ck_assert_int_eq(fill_up(fds[0]), -EBUSY);
        if (i == 0) {
            ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
        } else {
            drain(fds[1]);
        }
        job_join(&job);
        ck_assert_int_eq(polling.result, i == 0 ? JG_READABLE : JG_WRITABLE);
        char byte = 0;
        if (i == 0) { // both sides are free again
            ck_assert_int_eq(wire_read(fds[0], &byte, 1), 1);
        }
    }
    wire_close_pair(fds);
}

// A wait for both would miss one of them, or leave the other side taken.
START_TEST(a_poll_may_wait_at_both_sides) {
    needs_loop();
    world_each(both_body, NULL);
}
END_TEST

static void end_body(void *arg) {
    (void)arg;
    int fds[2];
    struct job job;
    wire_pair(fds);
    make_full(fds[0]);
    struct polling polling = {.fd = fds[0], .events = BOTH};
    job_start(&job, poll_once, &polling);
    let_time_pass();
    while (!job.done) {
        interrupt(job.coro);
        let_time_pass();
    }
    job_join(&job);
    ck_assert_int_eq(polling.result, -ECANCELED);
    job_start(&job, poll_once, &polling);
    let_time_pass();
    ops()->forget(backend_current(), fds[0]);
    job_join(&job);
    ck_assert_int_eq(polling.result, -EBADF);
    job_start(&job, poll_once, &polling);
    let_time_pass();
    wire_close(fds[0]);
    job_join(&job);
    ck_assert_int_eq(polling.result, -EBADF);
    wire_close(fds[1]);
}

// A cancel or close would complete it twice, once for each side, or leave it waiting.
START_TEST(a_poll_at_both_sides_ends_once) {
    needs_loop();
    world_each(end_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/op_poll", readiness_is_a_level, a_poll_waits_for_room,
             a_poll_may_wait_at_both_sides, a_poll_at_both_sides_ends_once)
