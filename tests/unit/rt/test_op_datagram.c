// SPDX-License-Identifier: MIT
/* test_op_datagram.c – the contract of op.h for datagrams, on every backend. What travels is tested in
 * tests/api/test_udp.c.
 */
// Backends: epoll blocking sim
#include "wire.h"
#include "world.h"

#include <errno.h>

static int open_datagram(struct op_address *address) {
    *address = wire_inet(0);
    int fd = ops()->datagram_open(backend_current(), address, false);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ops()->local_address(backend_current(), fd, address), 0);
    return fd;
}

static intptr_t send_to(int fd, struct op_address *to, const char *text) {
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
    struct op op = {.kind = OP_SEND, .fd = fd, .socket = true, .iov = &iov, .iov_count = 1};
    op.peer = to;
    return op_run(&op);
}

struct receiving {
    int fd;
    intptr_t result;
    char buffer[64];
};

static void receive(void *arg) {
    struct receiving *receiving = arg;
    struct iovec iov[2] = {{receiving->buffer, 2}, {receiving->buffer + 2, 62}};
    struct op op = {
        .kind = OP_RECEIVE, .fd = receiving->fd, .socket = true, .iov = iov, .iov_count = 2};
    memset(receiving->buffer, '?', sizeof(receiving->buffer));
    receiving->result = op_run(&op);
}

static void start_receiving(struct job *job, struct receiving *receiving, int fd) {
    *receiving = (struct receiving){.fd = fd};
    job_start(job, receive, receiving);
    let_run();
}

static void cancel_body(void *arg) {
    struct op_address here;
    struct op_address there;
    struct receiving receiving;
    struct job job;
    (void)arg;
    int fd = open_datagram(&here);
    int sender = open_datagram(&there);
    start_receiving(&job, &receiving, fd);
    interrupt(job.coro);
    job_join(&job);
    ck_assert_int_eq(receiving.result, -ECANCELED);
    for (int i = 0; i < 20; i++) { // one of them will arrive
        ck_assert_int_eq(send_to(sender, &here, "ball"), 4);
    }
    let_time_pass();
    ck_assert_int_eq(receiving.buffer[0], '?');
    receive(&receiving);
    ck_assert_int_eq(receiving.result, 4);
    ck_assert_int_eq(memcmp(receiving.buffer, "ball?", 5), 0);
    wire_close(fd);
    wire_close(sender);
}

// A cancelled receive would write into its buffer later, or take a datagram with it.
START_TEST(a_cancelled_receive_touches_nothing) {
    needs_loop();
    world_each(cancel_body, NULL);
}
END_TEST

static void one_at_a_time_body(void *arg) {
    struct op_address here;
    struct receiving receiving;
    struct receiving second;
    struct job job;
    (void)arg;
    int fd = open_datagram(&here);
    start_receiving(&job, &receiving, fd);
    second.fd = fd;
    receive(&second);
    ck_assert_int_eq(second.result, -EBUSY);
    wire_close(fd);
    job_join(&job);
    ck_assert_int_eq(receiving.result, -EBADF);
    receive(&second);
    ck_assert_int_eq(second.result, -EBADF);
    ck_assert_int_eq(send_to(fd, &here, "x"), -EBADF);
}

// Two receivers would take each other's place, and one on a closed socket never be woken.
START_TEST(one_receives_at_a_time_and_close_ends_it) {
    needs_loop();
    world_each(one_at_a_time_body, NULL);
}
END_TEST

static void poll_body(void *arg) {
    struct op_address here;
    struct receiving receiving;
    (void)arg;
    int fd = open_datagram(&here);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(send_to(fd, &here, "to oneself"), 10);
    }
    ck_assert_int_eq(wire_simple(OP_POLL, fd), JG_READABLE);
    receiving.fd = fd;
    receive(&receiving);
    ck_assert_int_eq(receiving.result, 10);
    ck_assert_int_eq(memcmp(receiving.buffer, "to oneself", 10), 0);
    wire_close(fd);
}

// Polling would not see a datagram, or eat it.
START_TEST(poll_sees_datagrams) {
    world_each(poll_body, NULL);
}
END_TEST

static void streams_body(void *arg) {
    int fds[2];
    struct op_address nowhere = wire_inet(1);
    (void)arg;
    wire_pair(fds);
    ck_assert_int_lt(ops()->datagram_connect(backend_current(), fds[0], &nowhere), 0);
    ck_assert_int_eq(ops()->datagram_connect(backend_current(), -1, &nowhere), -EBADF);
    wire_close_pair(fds);
}

// A stream would be turned into something else.
START_TEST(only_datagram_sockets_take_a_peer) {
    world_each(streams_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/op_datagram", a_cancelled_receive_touches_nothing,
             one_receives_at_a_time_and_close_ends_it, poll_sees_datagrams,
             only_datagram_sockets_take_a_peer)
