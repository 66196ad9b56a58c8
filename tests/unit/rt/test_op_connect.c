// SPDX-License-Identifier: MIT
/* test_op_connect.c – connecting, listening and accepting, on every backend.
 */
// Backends: epoll blocking sim
#include "wire.h"
#include "world.h"

#include <errno.h>

static void refused_body(void *arg) {
    struct op_address address = *(const struct op_address *)arg;
    int fd = wire_listen(&address, 1);
    wire_close(fd);
    ck_assert_int_eq(wire_connect(&address), -ECONNREFUSED);
    fd = wire_listen(&address, 1); // the address is free again
    wire_close(fd);
}

// Connecting where nobody listens would hang or crash.
START_TEST(r24_connecting_to_nobody_is_refused) {
    struct op_address address = wire_inet(0);
    world_each(refused_body, &address);
    address = wire_inet6(0);
    world_each(refused_body, &address);
    address = wire_unix("juggle-test-refused");
    world_each(refused_body, &address);
}
END_TEST

struct client {
    const struct op_address *address;
    int fd;
    char name;
};

static void connect_and_say(void *arg) {
    struct client *client = arg;
    client->fd = wire_connect(client->address);
    ck_assert_int_ge(client->fd, 0);
    ck_assert_int_eq(wire_write(client->fd, &client->name, 1), 1);
}

static void queue_body(void *arg) {
    enum { CLIENTS = 5 };
    struct op_address address = *(const struct op_address *)arg;
    struct client clients[CLIENTS];
    struct job jobs[CLIENTS];
    bool seen[CLIENTS] = {false};
    int listener = wire_listen(&address, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.address = &address, .name = (char)i};
        job_start(&jobs[i], connect_and_say, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        unsigned char name = 0;
        int server = wire_accept(listener);
        ck_assert_int_ge(server, 0);
        ck_assert_int_eq(wire_read(server, &name, 1), 1);
        ck_assert(name < CLIENTS && !seen[name]);
        seen[name] = true;
        wire_close(server);
    }
    for (int i = 0; i < CLIENTS; i++) {
        job_join(&jobs[i]);
        wire_close(clients[i].fd);
    }
    wire_close(listener);
}

// A connection would be lost between connect and accept, or handed out twice.
START_TEST(each_connection_is_accepted_once) {
    struct op_address address = wire_inet(0);
    world_each(queue_body, &address);
    address = wire_inet6(0);
    world_each(queue_body, &address);
    address = wire_unix("juggle-test-queue");
    world_each(queue_body, &address);
}
END_TEST

static void ports_body(void *arg) {
    (void)arg;
    struct op_address one = wire_inet(0);
    struct op_address other = wire_inet(0);
    int first = wire_listen(&one, 1);
    int second = wire_listen(&other, 1);
    ck_assert_uint_ne(ntohs(one.in.sin_port), 0);
    ck_assert_uint_ne(ntohs(one.in.sin_port), ntohs(other.in.sin_port));
    ck_assert_int_eq(ops()->listen(backend_current(), &one, 1), -EADDRINUSE);
    wire_close(first);
    wire_close(second);
}

// Port 0 would not pick a port, or the one that is taken.
START_TEST(port_zero_picks_a_free_port) {
    world_each(ports_body, NULL);
}
END_TEST

static void abandoned_body(void *arg) {
    (void)arg;
    struct op_address address = wire_inet(0);
    char byte;
    int listener = wire_listen(&address, 4);
    int client = wire_connect(&address);
    ck_assert_int_ge(client, 0);
    wire_close(listener);
    intptr_t rc = wire_read(client, &byte, 1);
    ck_assert_msg(rc == -ECONNRESET || rc == 0, "read after the listener closed: %d", (int)rc);
    wire_close(client);
}

// Clients that nobody accepted would wait for ever when the listener closes.
START_TEST(closing_a_listener_ends_who_was_not_accepted) {
    world_each(abandoned_body, NULL);
}
END_TEST

static void unconnected_body(void *arg) {
    (void)arg;
    char byte = 'x';
    struct op_address address = wire_inet(0);
    struct op_address other = wire_inet6(0);
    int fd = ops()->socket_open(backend_current(), AF_INET);
    int listener = wire_listen(&address, 1);
    int fds[2];
    ck_assert_int_eq(wire_read(fd, &byte, 1), -ENOTCONN);
    ck_assert_int_lt(wire_write(fd, &byte, 1), 0);
    ck_assert_int_eq(ops()->shutdown_write(backend_current(), fd), -ENOTCONN);
    ck_assert_int_lt(wire_accept(fd), 0);
    ck_assert_int_lt(wire_connect_fd(fd, &other), 0); // of another family
    ck_assert_int_eq(wire_connect_fd(fd, &address), 0);
    ck_assert_int_eq(wire_connect_fd(fd, &address), 0); // it is connected already
    wire_pair(fds);
    ck_assert_int_eq(wire_write(fds[0], &byte, 0), 0); // nothing to do is done at once
    wire_close_pair(fds);
    wire_close(fd);
    wire_close(listener);
}

// Misuse of a socket would hang instead of being an error.
START_TEST(a_socket_that_is_not_connected_says_so) {
    world_each(unconnected_body, NULL);
}
END_TEST

struct connecting {
    const struct op_address *address;
    int result;
};

static void connect_late(void *arg) {
    struct connecting *connecting = arg;
    connecting->result = wire_connect(connecting->address);
}

static void cancel_connect_body(void *arg) {
    (void)arg;
    struct op_address address = wire_inet(0);
    int listener = wire_listen(&address, 0);
    int first = wire_connect(&address); // the queue is full: the next has to wait
    struct connecting connecting = {.address = &address};
    struct job job;
    job_start(&job, connect_late, &connecting);
    let_run();
    interrupt(job.coro);
    job_join(&job);
    ck_assert_int_eq(connecting.result, -ECANCELED);
    int server = wire_accept(listener);
    ck_assert_int_ge(server, 0);
    wire_close(server);
    wire_close(first);
    wire_close(listener);
}

// A connect that takes for ever could not be given up.
START_TEST(a_connect_can_be_cancelled) {
    needs_loop();
    world_each(cancel_connect_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/op_connect", r24_connecting_to_nobody_is_refused, each_connection_is_accepted_once,
             port_zero_picks_a_free_port, closing_a_listener_ends_who_was_not_accepted,
             a_socket_that_is_not_connected_says_so, a_connect_can_be_cancelled)
