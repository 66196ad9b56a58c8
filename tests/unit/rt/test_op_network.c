// SPDX-License-Identifier: MIT
/* test_op_network.c – what travels between sockets, on every backend: bytes in order, ends, resets.
 */
// Backends: epoll blocking sim
#include "wire.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Each test runs on both: a pair of Unix sockets and a TCP connection. */
static void (*const pair_kinds[])(int fds[2]) = {wire_pair, wire_tcp_pair};

enum { PAIR_KINDS = 2 };

// Ends.

static void end_with_bytes_body(void *arg) {
    void (*make)(int *) = *(void (*const *)(int *))arg;
    char buffer[200];
    for (int parked_first = 0; parked_first < 2; parked_first++) {
        int fds[2];
        struct job job;
        struct reading reading;
        make(fds);
        if (parked_first) { // so that epoll knows the socket, and bytes and end come as one event
            start_reading(&job, &reading, fds[0]);
        }
        ck_assert_int_eq(wire_write_all(fds[1], "the last words", 14), 14);
        wire_close(fds[1]);
        size_t got = 0;
        if (parked_first) {
            job_join(&job);
            ck_assert_int_ge(reading.result, 1);
            got = (size_t)reading.result;
            memcpy(buffer, reading.buffer, got);
        }
        intptr_t rest = wire_read_all(fds[0], buffer + got, sizeof(buffer) - got);
        ck_assert_int_eq(rest, (intptr_t)(14 - got));
        ck_assert_int_eq(memcmp(buffer, "the last words", 14), 0);
        ck_assert_int_eq(wire_read(fds[0], buffer, sizeof(buffer)), 0); // it stays the end
        wire_close(fds[0]);
    }
}

// The end of a stream that came with its last bytes would never be seen: the reader hangs.
START_TEST(an_end_that_comes_with_bytes_is_seen) {
    for (int i = 0; i < PAIR_KINDS; i++) {
        world_each(end_with_bytes_body, (void *)(uintptr_t)&pair_kinds[i]);
    }
}
END_TEST

static void late_end_body(void *arg) {
    void (*make)(int *) = *(void (*const *)(int *))arg;
    int fds[2];
    char buffer[64];
    struct job job;
    struct reading reading;
    make(fds);
    start_reading(&job, &reading, fds[0]);
    ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
    job_join(&job); // a short read: the socket counts as drained
    ck_assert_int_eq(reading.result, 1);
    start_reading(&job, &reading, fds[0]);
    let_time_pass();
    wire_close(fds[1]);
    job_join(&job);
    ck_assert_int_eq(reading.result, 0);
    ck_assert_int_eq(wire_read(fds[0], buffer, sizeof(buffer)), 0);
    wire_close(fds[0]);
}

// The end of a stream that comes alone, while the reader waits, would not wake it.
START_TEST(an_end_on_its_own_wakes_the_reader) {
    for (int i = 0; i < PAIR_KINDS; i++) {
        world_each(late_end_body, (void *)(uintptr_t)&pair_kinds[i]);
    }
}
END_TEST

static void half_close_body(void *arg) {
    void (*make)(int *) = *(void (*const *)(int *))arg;
    int fds[2];
    char got[8];
    make(fds);
    ck_assert_int_eq(wire_write_all(fds[0], "ask", 3), 3);
    ck_assert_int_eq(ops()->shutdown_write(backend_current(), fds[0]), 0);
    ck_assert_int_eq(wire_write(fds[0], "more", 4), -EPIPE);
    ck_assert_int_eq(wire_read_all(fds[1], got, sizeof(got)), 3);
    ck_assert_int_eq(wire_write_all(fds[1], "answer", 6), 6);
    wire_close(fds[1]);
    ck_assert_int_eq(wire_read_all(fds[0], got, sizeof(got)), 6);
    ck_assert_int_eq(memcmp(got, "answer", 6), 0);
    wire_close(fds[0]);
}

// Closing one direction would close the other too, or not tell the peer.
START_TEST(half_a_close_leaves_the_other_direction) {
    for (int i = 0; i < PAIR_KINDS; i++) {
        world_each(half_close_body, (void *)(uintptr_t)&pair_kinds[i]);
    }
}
END_TEST

static void reset_body(void *arg) {
    void (*make)(int *) = *(void (*const *)(int *))arg;
    int fds[2];
    char byte;
    make(fds);
    ck_assert_int_ge(wire_write(fds[0], "unread", 6), 1);
    ck_assert_int_eq(wire_simple(OP_POLL, fds[1]), JG_READABLE); // they have arrived
    wire_close(fds[1]); // with bytes unread: a reset, not an end
    ck_assert_int_eq(wire_read(fds[0], &byte, 1), -ECONNRESET);
    intptr_t rc = wire_write(fds[0], "x", 1);
    ck_assert_msg(rc == -EPIPE || rc == -ECONNRESET, "write after a reset: %d", (int)rc);
    wire_close(fds[0]);
}

// A peer that threw our bytes away would look like one that read them all.
START_TEST(closing_with_bytes_unread_is_a_reset) {
    for (int i = 0; i < PAIR_KINDS; i++) {
        world_each(reset_body, (void *)(uintptr_t)&pair_kinds[i]);
    }
}
END_TEST

static void write_to_closed_body(void *arg) {
    void (*make)(int *) = *(void (*const *)(int *))arg;
    int fds[2];
    intptr_t rc = 0;
    make(fds);
    wire_close(fds[1]);
    for (int i = 0; i < 1000 && rc >= 0; i++) {
        rc = wire_write(fds[0], "x", 1);
        let_time_pass();
    }
    ck_assert_msg(rc == -EPIPE || rc == -ECONNRESET, "write to a closed peer: %d", (int)rc);
    ck_assert_int_eq(wire_write(fds[0], "x", 1), -EPIPE);
    wire_close(fds[0]);
}

// Writing to a peer that is gone would kill the program by SIGPIPE, or go on for ever. R20.
START_TEST(r20_writing_to_a_closed_peer_is_an_error_and_no_signal) {
    for (int i = 0; i < PAIR_KINDS; i++) {
        world_each(write_to_closed_body, (void *)(uintptr_t)&pair_kinds[i]);
    }
}
END_TEST

static void idle_body(void *arg) {
    void (*make)(int *) = *(void (*const *)(int *))arg;
    int fds[2];
    make(fds);
    ck_assert_int_eq(ops()->idle_ok(backend_current(), fds[0]), 1);
    ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
    ck_assert_int_eq(wire_simple(OP_POLL, fds[0]), JG_READABLE); // it has arrived
    ck_assert_int_eq(ops()->idle_ok(backend_current(), fds[0]), 0);
    ck_assert_int_eq(ops()->idle_ok(backend_current(), fds[1]), 1);
    wire_close(fds[0]);
    ck_assert_int_eq(wire_simple(OP_POLL, fds[1]), JG_READABLE);
    ck_assert_int_eq(ops()->idle_ok(backend_current(), fds[1]), 0);
    wire_close(fds[1]);
}

// A pool would reuse a connection that is closed or has bytes nobody asked for.
START_TEST(idle_ok_sees_bytes_and_ends) {
    for (int i = 0; i < PAIR_KINDS; i++) {
        world_each(idle_body, (void *)(uintptr_t)&pair_kinds[i]);
    }
}
END_TEST

// Bytes.

enum { LARGE = 1024 * 1024 };

struct flow {
    int fd;
    uint32_t seed;
    uint32_t sum; // of what came or went
    size_t size;
    size_t piece;
};

static uint32_t mix(uint32_t sum, const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        sum = (sum ^ bytes[i]) * UINT32_C(16777619);
    }
    return sum;
}

static void send_flow(void *arg) {
    struct flow *flow = arg;
    unsigned char *block = malloc(flow->piece);
    uint32_t state = flow->seed;
    for (size_t sent = 0; sent < flow->size;) {
        size_t size = flow->size - sent < flow->piece ? flow->size - sent : flow->piece;
        for (size_t i = 0; i < size; i++) {
            state = state * UINT32_C(1664525) + UINT32_C(1013904223);
            block[i] = (unsigned char)(state >> 24);
        }
        expect(wire_write_all(flow->fd, (char *)block, size) == (intptr_t)size);
        flow->sum = mix(flow->sum, block, size);
        sent += size;
    }
    ck_assert_int_eq(ops()->shutdown_write(backend_current(), flow->fd), 0);
    free(block);
}

static void receive_flow(void *arg) {
    struct flow *flow = arg;
    unsigned char *block = malloc(flow->piece);
    intptr_t got;
    while ((got = wire_read(flow->fd, block, flow->piece)) > 0) {
        flow->sum = mix(flow->sum, block, (size_t)got);
        flow->size += (size_t)got;
    }
    ck_assert_int_eq(got, 0);
    free(block);
}

/* Sends `size` bytes both ways at once. */
static void exchange(void (*make)(int *), size_t size, size_t piece) {
    int fds[2];
    struct job jobs[4];
    make(fds);
    struct flow flows[4] = {{.fd = fds[0], .seed = 1, .size = size, .piece = piece},
                            {.fd = fds[1], .seed = 2, .size = size, .piece = piece},
                            {.fd = fds[0], .piece = piece},
                            {.fd = fds[1], .piece = piece}};
    for (int i = 0; i < 4; i++) {
        job_start(&jobs[i], i < 2 ? send_flow : receive_flow, &flows[i]);
    }
    for (int i = 0; i < 4; i++) {
        job_join(&jobs[i]);
    }
    ck_assert_uint_eq(flows[3].size, size);
    ck_assert_uint_eq(flows[2].size, size);
    ck_assert_uint_eq(flows[3].sum, flows[0].sum);
    ck_assert_uint_eq(flows[2].sum, flows[1].sum);
    wire_close_pair(fds);
}

static void large_body(void *arg) {
    size_t size = on_backend("sim") ? LARGE / 8 : LARGE;
    exchange(*(void (*const *)(int *))arg, size, 100000);
}

// Bytes would be lost, doubled or out of order when both sides have to wait.
START_TEST(a_megabyte_each_way_arrives_whole) {
    for (int i = 0; i < PAIR_KINDS; i++) {
        world_each(large_body, (void *)(uintptr_t)&pair_kinds[i]);
    }
}
END_TEST

static void single_body(void *arg) {
    exchange(*(void (*const *)(int *))arg, on_backend("sim") ? 200 : 2000, 1);
}

// A byte at a time would not work, or differ from many. R16.
START_TEST(r16_bytes_one_by_one_arrive_whole) {
    for (int i = 0; i < PAIR_KINDS; i++) {
        world_each(single_body, (void *)(uintptr_t)&pair_kinds[i]);
    }
}
END_TEST

static void pieces_body(void *arg) {
    (void)arg;
    int fds[2];
    char got[11];
    wire_pair(fds);
    char text[] = "hello world";
    struct iovec iov[4] = {{text, 5}, {text, 0}, {text + 5, 1}, {text + 6, 5}};
    struct op op = {.kind = OP_WRITE, .fd = fds[0], .socket = true, .iov = iov, .iov_count = 4};
    intptr_t put = op_run(&op);
    ck_assert_int_ge(put, 1);
    ck_assert_int_eq(wire_write_all(fds[0], text + put, 11 - (size_t)put), 11 - put);
    ck_assert_int_eq(wire_read_all(fds[1], got, 11), 11);
    ck_assert_int_eq(memcmp(got, text, 11), 0);
    wire_close_pair(fds);
}

// Several pieces in one write would come out mixed.
START_TEST(a_write_of_pieces_keeps_their_order) {
    world_each(pieces_body, NULL);
}
END_TEST

// Waiting for room.

static void full_body(void *arg) {
    void (*make)(int *) = *(void (*const *)(int *))arg;
    for (int way = 0; way < 2; way++) {
        int fds[2];
        struct job job;
        make(fds);
        struct flood flood = {.fd = fds[0]};
        job_start(&job, write_flood, &flood);
        let_time_pass(); // it waits for room now
        if (way == 0) {
            wire_close(fds[1]);
        } else {
            ck_assert_int_eq(ops()->shutdown_write(backend_current(), fds[0]), 0);
        }
        job_join(&job);
        ck_assert_msg(flood.result == -EPIPE || (way == 0 && flood.result == -ECONNRESET),
                      "a writer that waited got %d", (int)flood.result);
        if (way != 0) {
            wire_close(fds[1]);
        }
        wire_close(fds[0]);
    }
}

// A writer that waits for room would not learn that nobody will make any.
START_TEST(a_waiting_writer_learns_that_it_is_over) {
    needs_loop(); // a blocked thread cannot be told apart from one that is about to block
    for (int i = 0; i < PAIR_KINDS; i++) {
        world_each(full_body, (void *)(uintptr_t)&pair_kinds[i]);
    }
}
END_TEST

// Other descriptors.

static void pipe_body(void *arg) {
    (void)arg;
    int fds[2];
    char got[4];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC | (on_backend("blocking") ? 0 : O_NONBLOCK)), 0);
    struct iovec out = {(void *)(uintptr_t) "ball", 4};
    struct iovec in = {got, sizeof(got)};
    struct op put = {.kind = OP_WRITE, .fd = fds[1], .iov = &out, .iov_count = 1};
    struct op take = {.kind = OP_READ, .fd = fds[0], .iov = &in, .iov_count = 1};
    struct op after = put;
    bool sim = on_backend("sim");
    ck_assert_int_eq(op_run(&put), sim ? -EOPNOTSUPP : 4);
    ck_assert_int_eq(op_run(&take), sim ? -EOPNOTSUPP : 4);
    ck_assert_int_eq(ops()->adopt(backend_current(), fds[1]), sim ? -EOPNOTSUPP : 0);
    close(fds[0]);
    ck_assert_int_eq(op_run(&after), sim ? -EOPNOTSUPP : -EPIPE);
    if (sim) {
        close(fds[1]);
    } else {
        wire_close(fds[1]);
    }
}

// A pipe whose reader is gone would kill the program; the simulation would touch the real world.
START_TEST(pipes_work_where_descriptors_are_real) {
    world_each(pipe_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/op_network", an_end_that_comes_with_bytes_is_seen,
             an_end_on_its_own_wakes_the_reader, half_a_close_leaves_the_other_direction,
             closing_with_bytes_unread_is_a_reset,
             r20_writing_to_a_closed_peer_is_an_error_and_no_signal, idle_ok_sees_bytes_and_ends,
             a_megabyte_each_way_arrives_whole, r16_bytes_one_by_one_arrive_whole,
             a_write_of_pieces_keeps_their_order, a_waiting_writer_learns_that_it_is_over,
             pipes_work_where_descriptors_are_real)
