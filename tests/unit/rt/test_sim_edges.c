// SPDX-License-Identifier: MIT
/* test_sim_edges.c – the rims of the simulated network: what is no such socket, addresses that are odd,
 * queues that are full, cables cut at awkward moments, memory that is refused.
 */
#include "wire.h"
#include "world.h"

#include "rt/sim_net.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>

static struct backend *here(void) {
    return backend_current();
}

static struct sim_net *net(void) {
    return sim_net_of(sched_current()->loop);
}

// Sockets of the wrong kind.

static intptr_t send_bytes(int fd, struct op_address *to, const void *bytes, size_t size) {
    struct iovec iov[2] = {{NULL, 0}, {(void *)(uintptr_t)bytes, size}};
    struct op op = {.kind = OP_SEND, .fd = fd, .socket = true, .iov = iov, .iov_count = 2};
    op.peer = to;
    return op_run(&op);
}

static intptr_t receive_bytes(int fd, void *buffer, size_t size) {
    struct iovec iov[2] = {{NULL, 0}, {buffer, size}};
    struct op op = {.kind = OP_RECEIVE, .fd = fd, .socket = true, .iov = iov, .iov_count = 2};
    return op_run(&op);
}

static bool seed_is_odd(void) {
    return loop_random(sched_current()->loop) % 2 == 1;
}

static void kinds_body(void *arg) {
    struct op_address address = wire_inet(0);
    struct op_address any = wire_inet(0);
    char byte;
    int fds[2];
    (void)arg;
    int listener = wire_listen(&address, seed_is_odd() ? -1 : 1000000); // as many as there may be
    wire_pair(fds);
    int datagrams = ops()->datagram_open(here(), &any, false);
    expect(wire_connect_fd(listener, &address) == -EISCONN);
    expect(send_bytes(fds[0], &address, "x", 1) == -ENOTCONN);
    expect(receive_bytes(fds[0], &byte, 1) == -ENOTCONN);
    expect(ops()->datagram_connect(here(), fds[0], &address) == -EINVAL);
    expect(ops()->datagram_connect(here(), SIM_FD_FIRST + 999, &address) == -EBADF);
    expect(ops()->local_address(here(), SIM_FD_FIRST + 999, &address) == -EBADF);
    expect(ops()->shutdown_write(here(), SIM_FD_FIRST + 999) == -EBADF);
    expect(ops()->idle_ok(here(), SIM_FD_FIRST + 999) == 0);
    expect(ops()->idle_ok(here(), listener) == 0);
    expect(wire_read(fds[0], &byte, 0) == 0); // nothing asked for, nothing waited for
    struct op poll = {.kind = OP_POLL, .fd = listener, .events = JG_READABLE | JG_WRITABLE};
    int client = wire_connect(&address);
    expect(op_run(&poll) == JG_READABLE); // somebody to accept; nothing to write, ever
    poll = (struct op){.kind = OP_POLL, .fd = fds[0], .events = JG_WRITABLE};
    expect(ops()->shutdown_write(here(), fds[0]) == 0);
    expect(op_run(&poll) == JG_WRITABLE); // it would not wait: it would fail
    wire_close(client);
    wire_close(listener);
    wire_close(datagrams);
    wire_close_pair(fds);
}

static void real_body(void *arg) {
    (void)arg;
    expect(net() == NULL);
}

// A mistake that the kernel refuses would work in the simulation, and be found only in earnest.
START_TEST(each_socket_does_what_it_is_for) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        world_run("sim", seed, kinds_body, NULL);
    }
    ck_assert_ptr_null(net()); // without a loop there is no such network
    world_run("epoll", 0, real_body, NULL);
}
END_TEST

// Addresses.

static int listen_at(struct op_address *address) {
    return ops()->listen(here(), address, 1);
}

static void odd_addresses_body(void *arg) {
    struct op_address address = wire_inet6(80);
    struct sockaddr_in6 *in6 = &address.in6;
    (void)arg;
    int six = wire_listen(&address, 1);
    struct op_address four = wire_inet(80);
    int both = wire_listen(&four, 1); // the other family's port is its own
    expect(listen_at(&address) == -EADDRINUSE);
    in6->sin6_addr = in6addr_any;
    expect(listen_at(&address) == -EADDRINUSE); // the wildcard is in its way
    int client = wire_connect(&address);        // and means the loopback
    expect(client >= 0);
    in6->sin6_addr.s6_addr[0] = 0x20;
    expect(wire_connect(&address) == -ENETUNREACH);
    expect(listen_at(&address) == -EADDRNOTAVAIL);
    address.len = sizeof(struct sockaddr_in6) - 1;
    expect(listen_at(&address) == -EINVAL);
    expect(ops()->datagram_open(here(), &address, false) == -EINVAL);
    int fresh = ops()->socket_open(here(), AF_INET);
    expect(wire_connect_fd(fresh, &address) == -EAFNOSUPPORT);
    four.len = 1;
    expect(wire_connect_fd(fresh, &four) == -EAFNOSUPPORT);
    struct op_address name = wire_unix("one");
    struct op_address longer = wire_unix("one more");
    struct op_address other = wire_unix("two");
    int named = wire_listen(&name, 1);
    expect(wire_connect(&longer) == -ECONNREFUSED);
    expect(wire_connect(&other) == -ECONNREFUSED);
    const int fds[] = {six, both, client, fresh, named};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        wire_close(fds[i]);
    }
}

// A server would listen where it cannot, or a client reach another than it asked for.
START_TEST(odd_addresses_are_told_apart) {
    for (uint64_t seed = 1; seed <= 10; seed++) {
        world_run("sim", seed, odd_addresses_body, NULL);
    }
}
END_TEST

// Datagrams.

static int open_datagrams(struct op_address *address) {
    int fd = ops()->datagram_open(here(), address, false);
    expect(fd >= 0);
    expect(ops()->local_address(here(), fd, address) == 0);
    return fd;
}

static int received(int fd) {
    static char buffer[65536];
    int count = 0;
    struct op poll = {.kind = OP_POLL, .fd = fd, .events = JG_READABLE};
    let_time_pass();
    while (sim_datagram_readable(sim_net_find(net(), fd)) && op_run(&poll) == JG_READABLE) {
        expect(receive_bytes(fd, buffer, sizeof(buffer)) > 0);
        count++;
    }
    return count;
}

static void datagrams_body(void *arg) {
    static char large[65508];
    struct op_address to = wire_inet(0);
    struct op_address from = wire_inet(0);
    struct op_address six = wire_inet6(0);
    six.in6.sin6_addr = in6addr_any;
    (void)arg;
    int receiver = open_datagrams(&to);
    int sender = open_datagrams(&from);
    int wildcard = open_datagrams(&six);
    expect(send_bytes(sender, NULL, "x", 1) == -EDESTADDRREQ);
    expect(send_bytes(sender, &six, "x", 1) == -EAFNOSUPPORT);
    expect(send_bytes(sender, &to, large, sizeof(large)) == -EMSGSIZE);
    struct op_address far = wire_inet(9);
    far.in.sin_addr.s_addr = htonl(0x08080808);
    expect(ops()->datagram_connect(here(), sender, &far) == -ENETUNREACH);
    for (int i = 0; i < 60; i++) { // the queue takes three of these
        expect(send_bytes(sender, &to, large, sizeof(large) - 1) == (intptr_t)sizeof(large) - 1);
    }
    int count = received(receiver);
    expect(count >= 1 && count <= 3);
    expect(ops()->datagram_connect(here(), wildcard, &six) == 0); // to itself, as the loopback
    for (int i = 0; i < 60; i++) {
        expect(send_bytes(wildcard, NULL, "ball", 4) == 4);
    }
    expect(received(wildcard) > 30);
    wire_close(receiver);
    wire_close(sender);
    wire_close(wildcard);
}

// What does not fit would be queued without end, or be an error the kernel does not give.
START_TEST(datagrams_that_do_not_fit_are_dropped) {
    for (uint64_t seed = 1; seed <= 10; seed++) {
        world_run("sim", seed, datagrams_body, NULL);
    }
}
END_TEST

static struct op_address port_of_host(uint8_t host, uint16_t port) {
    struct op_address address = wire_inet(port);
    address.in.sin_addr.s_addr = htonl(0x7f000000 + host);
    return address;
}

static void strangers_body(void *arg) {
    struct op_address known = port_of_host(1, 5000);
    struct op_address others[] = {port_of_host(2, 5000), port_of_host(1, 5001)};
    struct op_address own = port_of_host(1, 6000);
    (void)arg;
    int receiver = open_datagrams(&own);
    int friend = open_datagrams(&known);
    expect(ops()->datagram_connect(here(), receiver, &known) == 0);
    for (int i = 0; i < 2; i++) {
        int stranger = open_datagrams(&others[i]);
        for (int tries = 0; tries < 20; tries++) {
            expect(send_bytes(stranger, &own, "x", 1) == 1);
        }
        wire_close(stranger);
    }
    expect(received(receiver) == 0);
    for (int tries = 0; tries < 60; tries++) {
        expect(send_bytes(friend, &own, "x", 1) == 1);
    }
    expect(received(receiver) > 20);
    wire_close(receiver);
    wire_close(friend);
}

// A socket that is connected would take what strangers send.
START_TEST(a_connected_socket_hears_one_peer_only) {
    world_run("sim", 1, strangers_body, NULL);
}
END_TEST

static void refusal_body(void *arg) {
    struct op_address gone = wire_inet(0);
    struct op_address from = wire_inet(0);
    char byte;
    (void)arg;
    wire_close(open_datagrams(&gone));
    int fd = open_datagrams(&from);
    expect(send_bytes(fd, &gone, "x", 1) == 1); // not connected: never told
    let_time_pass();
    expect(ops()->datagram_connect(here(), fd, &gone) == 0);
    intptr_t rc = 1;
    for (int i = 0; i < 60 && rc == 1; i++) { // one may be lost on its way
        rc = send_bytes(fd, NULL, "x", 1);
        let_time_pass();
    }
    expect(rc == -ECONNREFUSED); // told once, by a send
    rc = 1;
    for (int i = 0; i < 60 && rc == 1 && !sim_datagram_readable(sim_net_find(net(), fd)); i++) {
        rc = send_bytes(fd, NULL, "x", 1);
        let_time_pass();
    }
    expect(receive_bytes(fd, &byte, 1) == -ECONNREFUSED); // or by a receive
    wire_close(fd);
}

// A client whose server is down would never know.
START_TEST(a_refused_datagram_is_told_to_who_is_connected) {
    for (uint64_t seed = 1; seed <= 10; seed++) {
        world_run("sim", seed, refusal_body, NULL);
    }
}
END_TEST

// Cables.

static void cut_body(void *arg) {
    struct sim_host *server;
    struct sim_host *bystander;
    struct op_address address;
    char buffer[8];
    (void)arg;
    expect(sim_host_resolve(net(), "server", 80, &address, 1) == 1);
    expect(sim_host_find(net(), "SERVER", &server) == 0); // made by its first mention
    expect(sim_host_find(net(), "bystander", &bystander) == 0);
    expect(server != bystander);
    int listener = wire_listen(&address, 4);
    int client = wire_connect(&address);
    struct op_address datagrams = address;
    int receiver = open_datagrams(&datagrams);
    struct op_address local = wire_inet(0);
    int sender = open_datagrams(&local);
    expect(wire_write_all(client, "hello", 5) == 5); // to one that nobody has accepted
    sim_host_cut(net(), server, true);
    for (int i = 0; i < 30; i++) {
        expect(send_bytes(sender, &datagrams, "x", 1) == 1);
        expect(send_bytes(receiver, &local, "x", 1) == 1);
    }
    expect(received(receiver) == 0 && received(sender) == 0);
    expect(wire_write_all(client, "!", 1) == 1);
    sim_host_cut(net(), bystander, false);
    sim_host_cut(net(), server, false); // also what waits in the listener's queue arrives
    let_time_pass();
    int accepted = wire_accept(listener);
    expect(wire_read_all(accepted, buffer, 6) == 6);
    expect(memcmp(buffer, "hello!", 6) == 0);
    wire_close(accepted);
    wire_close(client);
    wire_close(listener);
    wire_close(receiver);
    wire_close(sender);
}

// A cable that is cut would let datagrams through, or lose the bytes of who was not accepted yet.
START_TEST(a_cut_cable_holds_all_back) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_run("sim", seed, cut_body, NULL);
    }
}
END_TEST

// Faults and memory.

static void faults_body(void *arg) {
    int fds[2];
    (void)arg;
    wire_pair(fds);
    expect(wire_write(fds[0], "x", 1) == -EIO); // the first that is planned
    expect(wire_write(fds[0], "x", 1) == 1);
    wire_close_pair(fds);
}

// Of two faults planned for one operation the later would hide the other.
START_TEST(the_first_of_two_faults_counts) {
    struct sim_fault faults[] = {{.kind = OP_WRITE, .nth = 1, .error = -EIO},
                                 {.any = true, .nth = 1, .error = -ENOBUFS}};
    struct sim_weather weather = {.faults = faults, .fault_count = 2};
    const struct loop_options options = {.sim = true,
                                         .seed = 1,
                                         .stack_size = WORLD_STACK,
                                         .weather = &weather,
                                         .on_stuck = world_stuck};
    struct loop loop;
    struct job job;
    ck_assert_int_eq(loop_open(&loop, &options), 0);
    ck_assert_int_eq(job_make(&loop, &job, faults_body, NULL), 0);
    sched_ready(&job.coro->loop->sched, job.coro);
    loop_run(&loop, &job.done);
    world_close(&loop);
}
END_TEST

/* Fails each allocation of a step in turn, until it goes through; nothing may be left of the tries. */
#define TRY_WITHOUT_MEMORY(step)                                                                   \
    ({                                                                                             \
        intptr_t rc_ = -ENOMEM;                                                                    \
        for (uint64_t nth_ = 1; rc_ == -ENOMEM; nth_++) {                                          \
            long before_ = mem_live();                                                             \
            mem_fail_nth(nth_, 0);                                                                 \
            rc_ = (step);                                                                          \
            mem_fail_nth(0, 0);                                                                    \
            expect(rc_ != -ENOMEM || mem_live() == before_ || nth_ > 1);                           \
        }                                                                                          \
        rc_;                                                                                       \
    })

static void memory_body(void *arg) {
    struct op_address address = wire_inet(0);
    struct op_address datagrams = wire_inet(0);
    struct sim_host *host;
    int pairs[7][2];
    (void)arg;
    for (int i = 0; i < 7; i++) { // also where the tables grow
        expect(TRY_WITHOUT_MEMORY(ops()->socket_pair(here(), pairs[i])) == 0);
    }
    int listener = (int)TRY_WITHOUT_MEMORY(ops()->listen(here(), &address, 4));
    expect(ops()->local_address(here(), listener, &address) == 0);
    int client = wire_connect(&address);
    mem_fail_nth(1, 0);
    expect(wire_accept(listener) == -ENOMEM); // the table of 16 is full
    mem_fail_nth(0, 0);
    int server = wire_accept(listener); // it waited in the queue
    expect(server >= 0);
    int sender = (int)TRY_WITHOUT_MEMORY(ops()->datagram_open(here(), &datagrams, false));
    expect(ops()->local_address(here(), sender, &datagrams) == 0);
    expect(TRY_WITHOUT_MEMORY(sim_host_find(net(), "server", &host)) == 0);
    expect(TRY_WITHOUT_MEMORY(wire_write(client, "x", 1)) == 1);
    intptr_t rc = 0;
    mem_fail_nth(1, 1);
    for (int i = 0; i < 60 && rc != -ENOMEM; i++) { // one that is lost needs no memory
        rc = send_bytes(sender, &datagrams, "x", 1);
    }
    mem_fail_nth(0, 0);
    expect(rc == -ENOMEM);
    for (int i = 0; i < 7; i++) {
        wire_close_pair(pairs[i]);
    }
    const int fds[] = {listener, client, server, sender};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        wire_close(fds[i]);
    }
}

static void many_sockets_body(void *arg) {
    enum { COUNT = 40 };
    int fds[COUNT];
    (void)arg;
    for (int i = 0; i < COUNT; i++) { // the two events of one of them lie at the end of the heap
        fds[i] = (int)TRY_WITHOUT_MEMORY(ops()->socket_open(here(), AF_INET));
        expect(fds[i] >= 0);
    }
    for (int i = 0; i < COUNT; i++) {
        wire_close(fds[i]);
    }
}

// Without memory half a socket would stay in the network.
START_TEST(refused_memory_leaves_the_network_whole) {
    world_run("sim", 1, memory_body, NULL);
    world_run("sim", 1, many_sockets_body, NULL);
}
END_TEST

static volatile sig_atomic_t drops;

static void count_drop(int number) {
    (void)number;
    drops = drops + 1;
}

static void rain_body(void *arg) {
    const struct sigaction action = {.sa_handler = count_drop};
    const struct itimerval often = {{.tv_usec = 300}, {.tv_usec = 300}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    struct loop *loop = sched_current()->loop;
    (void)arg;
    expect(sigaction(SIGALRM, &action, NULL) == 0);
    expect(setitimer(ITIMER_REAL, &often, NULL) == 0);
    loop->external++; // a thread owes something: time is real
    loop_pause(sched_current(), 5 * JG_MS);
    loop->external--;
    expect(setitimer(ITIMER_REAL, &never, NULL) == 0);
    expect(drops > 0);
}

// While signals rain, the clock would stand still, and every limit be endless.
START_TEST(time_passes_in_a_rain_of_signals) {
    world_run("sim", 1, rain_body, NULL);
}
END_TEST

static void pollable_body(void *arg) {
    (void)arg;
    int fd = ops()->pollable(here());
    expect(fd >= 0 && fd < SIM_FD_FIRST); // a real one, which a post makes readable
    expect(fd == sched_current()->loop->handle->wakeup_fd);
}

// Whoever waits for a simulated loop in a real one would wait at a number that is none.
START_TEST(the_loops_descriptor_is_a_real_one) {
    world_run("sim", 1, pollable_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/sim_edges", time_passes_in_a_rain_of_signals,
             a_connected_socket_hears_one_peer_only, each_socket_does_what_it_is_for,
             odd_addresses_are_told_apart, datagrams_that_do_not_fit_are_dropped,
             a_refused_datagram_is_told_to_who_is_connected, a_cut_cable_holds_all_back,
             the_first_of_two_faults_counts, refused_memory_leaves_the_network_whole,
             the_loops_descriptor_is_a_real_one)
