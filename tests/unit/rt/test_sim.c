// SPDX-License-Identifier: MIT
/* test_sim.c – what only the simulated backend promises: replay by seed, a clock that jumps, a network
 * with all the ways to go wrong.
 */
#include "wire.h"
#include "world.h"

#include "base/clock.h"
#include "base/list.h"
#include "rt/sim_net.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

// Replay.

struct trace {
    uint64_t hash;
    size_t cancelled; // reads that were cancelled and came to -ECANCELED
    size_t completed; // and to their bytes
    size_t short_reads;
    size_t short_writes;
};

static void note(struct trace *trace, intptr_t what) {
    trace->hash = (trace->hash ^ (uint64_t)what) * UINT64_C(1099511628211);
    trace->hash = (trace->hash ^ (uint64_t)loop_now_ns()) * UINT64_C(1099511628211);
}

struct peer {
    struct trace *trace;
    int fd;
    int id;
};

static void chatter(void *arg) {
    struct peer *peer = arg;
    char buffer[100] = {0};
    for (int i = 0; i < 20; i++) {
        intptr_t put = wire_write(peer->fd, buffer, sizeof(buffer));
        peer->trace->short_writes += put < 100;
        note(peer->trace, put * 4 + peer->id);
    }
    ck_assert_int_eq(ops()->shutdown_write(backend_current(), peer->fd), 0);
    intptr_t got;
    while ((got = wire_read(peer->fd, buffer, sizeof(buffer))) > 0) {
        peer->trace->short_reads += got < 100;
        note(peer->trace, got * 4 + peer->id);
    }
}

static void read_and_be_cancelled(void *arg) {
    struct peer *peer = arg;
    char byte;
    intptr_t got = wire_read(peer->fd, &byte, 1);
    peer->trace->cancelled += got == -ECANCELED;
    peer->trace->completed += got == 1;
    note(peer->trace, got);
}

static void scenario(void *arg) {
    struct trace *trace = arg;
    int fds[2][2];
    struct job jobs[4];
    struct peer peers[4];
    for (int i = 0; i < 4; i++) {
        if (i % 2 == 0) {
            wire_tcp_pair(fds[i / 2]);
        }
        peers[i] = (struct peer){trace, fds[i / 2][i % 2], i};
        job_start(&jobs[i], chatter, &peers[i]);
    }
    for (int i = 0; i < 4; i++) {
        job_join(&jobs[i]);
    }
    wire_close_pair(fds[0]);
    wire_close_pair(fds[1]);
    wire_pair(fds[0]);
    peers[0].fd = fds[0][0];
    job_start(&jobs[0], read_and_be_cancelled, &peers[0]);
    let_run();
    ck_assert_int_eq(wire_write(fds[0][1], "x", 1), 1);
    if (!jobs[0].done) {
        interrupt(jobs[0].coro);
    }
    job_join(&jobs[0]);
    wire_close_pair(fds[0]);
}

static struct trace run_scenario(uint64_t seed) {
    struct trace trace = {.hash = UINT64_C(14695981039346656037)};
    world_run("sim", seed, scenario, &trace);
    return trace;
}

// A failing seed could not be replayed.
START_TEST(a_seed_replays_exactly) {
    uint64_t base = fixture_seed();
    size_t same = 0;
    for (uint64_t seed = base; seed < base + 50; seed++) {
        uint64_t hash = run_scenario(seed).hash;
        ck_assert_uint_eq(run_scenario(seed).hash, hash);
        same += run_scenario(seed + 1).hash == hash;
    }
    ck_assert_uint_eq(same, 0);
}
END_TEST

// Seeds would all tell the same story, and races stay unfound.
START_TEST(seeds_cover_what_can_happen) {
    struct trace sum = {0};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct trace trace = run_scenario(seed);
        sum.cancelled += trace.cancelled;
        sum.completed += trace.completed;
        sum.short_reads += trace.short_reads;
        sum.short_writes += trace.short_writes;
    }
    ck_assert_uint_ge(sum.cancelled, 30);
    ck_assert_uint_ge(sum.completed, 30);
    ck_assert_uint_ge(sum.short_reads, 300);
    ck_assert_uint_ge(sum.short_writes, 300);
}
END_TEST

struct order {
    char *text;
    char name;
    int fd;
};

static void note_arrival(void *arg) {
    struct order *order = arg;
    char byte;
    ck_assert_int_eq(wire_read(order->fd, &byte, 1), 1);
    strncat(order->text, &order->name, 1);
}

static void order_body(void *arg) {
    enum { READERS = 3 };
    char *text = arg;
    int fds[READERS][2];
    struct job jobs[READERS];
    struct order orders[READERS];
    for (int i = 0; i < READERS; i++) {
        wire_pair(fds[i]);
        orders[i] = (struct order){text, (char)('a' + i), fds[i][0]};
        job_start(&jobs[i], note_arrival, &orders[i]);
    }
    for (int i = 0; i < READERS; i++) {
        ck_assert_int_eq(wire_write(fds[i][1], "x", 1), 1);
    }
    for (int i = 0; i < READERS; i++) {
        job_join(&jobs[i]);
        wire_close_pair(fds[i]);
    }
}

// Completions would come in one order only.
START_TEST(completions_come_in_every_order) {
    const char *const orders[] = {"abc", "acb", "bac", "bca", "cab", "cba"};
    unsigned counts[6] = {0};
    for (uint64_t seed = 1; seed <= 200; seed++) {
        char text[8] = "";
        world_run("sim", seed, order_body, text);
        for (size_t i = 0; i < 6; i++) {
            counts[i] += strcmp(text, orders[i]) == 0;
        }
    }
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_ge(counts[i], 5);
    }
}
END_TEST

// The clock.

static void clock_body(void *arg) {
    (void)arg;
    struct coro *self = sched_current();
    ck_assert_int_eq(loop_now_ns(), JG_S);
    for (int i = 0; i < 1000; i++) {
        sched_yield_now(self);
    }
    ck_assert_int_eq(loop_now_ns(), JG_S); // somebody could run all the time
    loop_pause(self, 86400 * JG_S);
    ck_assert_int_eq(loop_now_ns(), 86401 * JG_S);
    loop_pause(self, SIM_NET_END_NS - JG_S - loop_now_ns());
    ck_assert_int_eq(loop_now_ns(), SIM_NET_END_NS - JG_S);
    int fds[2];
    char byte;
    wire_pair(fds); // and the network still works there
    ck_assert_int_eq(wire_write(fds[0], "x", 1), 1);
    ck_assert_int_eq(wire_read(fds[1], &byte, 1), 1);
    wire_close_pair(fds);
}

// Virtual time would pass by itself, stop short, or take real time. R7.
START_TEST(r07_the_clock_jumps_and_only_when_nobody_can_run) {
    int64_t begin_ns = clock_now_ns();
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_run("sim", seed, clock_body, NULL);
    }
    ck_assert_int_lt(clock_now_ns() - begin_ns, 2 * JG_S);
}
END_TEST

struct owed {
    jg_call item;
    struct loop *loop;
    struct wait wait;
    jg_timer limit;
    atomic_bool struck;
    bool outlasts; // the work takes longer than the limit
};

static void owed_arrives(jg_call *item) {
    struct owed *owed = (struct owed *)(void *)item;
    owed->loop->external--;
    wake(&owed->wait, 0);
}

static void strike(jg_timer *timer) {
    struct owed *owed = container_of(timer, struct owed, limit);
    atomic_store(&owed->struck, true);
}

/* Work that is over only once the loop has gone to sleep, or once the limit has struck. */
static void *pay_later(void *arg) {
    struct owed *owed = arg;
    atomic_bool *awaited = owed->outlasts ? &owed->struck : &owed->loop->handle->sleeping;
    while (!atomic_load(awaited)) {
        sched_yield();
    }
    inbox_post(owed->loop->handle, &owed->item);
    return NULL;
}

static void work_beside_limit(bool outlasts, int64_t limit_ns) {
    struct loop *loop = sched_current()->loop;
    struct owed owed = {.item = {.deliver = owed_arrives}, .loop = loop, .outlasts = outlasts};
    pthread_t thread;
    int64_t begin_ns = loop_now_ns();
    ck_assert_int_eq(timer_arm(&loop->timers, &owed.limit, begin_ns + limit_ns, strike), 0);
    loop->external++;
    ck_assert_int_eq(pthread_create(&thread, NULL, pay_later, &owed), 0);
    park(&owed.wait);
    timer_disarm(&loop->timers, &owed.limit);
    pthread_join(thread, NULL);
    ck_assert_int_eq(atomic_load(&owed.struck), outlasts);
    ck_assert_int_eq(loop_now_ns() - begin_ns, outlasts ? limit_ns : 0);
}

static void owed_body(void *arg) {
    (void)arg;
    work_beside_limit(false, 3600 * JG_S);
    work_beside_limit(true, JG_MS);
}

// Work in a real thread would run into a virtual time limit, or block one for ever.
START_TEST(while_a_thread_owes_something_time_is_real) {
    world_run("sim", 1, owed_body, NULL);
}
END_TEST

static void report_stuck(struct loop *loop) {
    (void)loop;
    check_misuse("stuck, as it should be");
}

static void park_for_ever(void *arg) {
    (void)arg;
    struct wait wait = {.kind = WAIT_KIND("nothing")};
    park(&wait);
}

static void run_stuck(void *arg) {
    (void)arg;
    struct loop loop;
    struct job job;
    world_open(&loop, "sim", 1);
    loop.on_stuck = report_stuck;
    ck_assert_int_eq(job_make(&loop, &job, park_for_ever, NULL), 0);
    sched_ready(&job.coro->loop->sched, job.coro);
    loop_run(&loop, &job.done);
}

// A deadlock would hang the test instead of being named.
START_TEST(a_deadlock_is_told) {
    fixture_expect_abort(run_stuck, NULL, "stuck, as it should be");
}
END_TEST

// The network.

static void backlog_body(void *arg) {
    (void)arg;
    struct op_address address = wire_inet(0);
    int listener = wire_listen(&address, 1);
    int clients[3];
    for (int i = 0; i < 2; i++) { // Linux keeps one more than the backlog
        clients[i] = wire_connect(&address);
        ck_assert_int_ge(clients[i], 0);
    }
    int64_t begin_ns = loop_now_ns();
    ck_assert_int_eq(wire_connect(&address), -ETIMEDOUT);
    ck_assert_int_ge(loop_now_ns() - begin_ns, 63 * JG_S);
    int server = wire_accept(listener);
    clients[2] = wire_connect(&address); // there is room again
    ck_assert_int_ge(clients[2], 0);
    for (int i = 0; i < 3; i++) {
        wire_close(clients[i]);
    }
    wire_close(server);
    wire_close(listener);
}

// A full queue would take everybody, or refuse where TCP tries again.
START_TEST(r24_a_full_backlog_makes_connects_time_out) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_run("sim", seed, backlog_body, NULL);
    }
}
END_TEST

static void late_accept(void *arg) {
    int *fds = arg;
    loop_pause(sched_current(), 5 * JG_S / 2);
    fds[1] = wire_accept(fds[0]);
}

static void retry_body(void *arg) {
    (void)arg;
    struct op_address address = wire_inet(0);
    struct job job;
    int fds[2] = {wire_listen(&address, 0), -1};
    int first = wire_connect(&address);
    job_start(&job, late_accept, fds);
    int second = wire_connect(&address);
    ck_assert_int_ge(second, 0);
    ck_assert_int_ge(loop_now_ns(), 4 * JG_S); // tries at 0, 1, 3 s after the start at 1 s
    job_join(&job);
    int third = wire_accept(fds[0]);
    wire_close(first);
    wire_close(second);
    wire_close(third);
    wire_close(fds[0]);
    wire_close(fds[1]);
}

// A connect that found the queue full would not be tried again.
START_TEST(a_connect_is_tried_again) {
    world_run("sim", 1, retry_body, NULL);
}
END_TEST

static void addresses_body(void *arg) {
    (void)arg;
    struct op_address far = wire_inet(80);
    far.in.sin_addr.s_addr = htonl(0x08080808);
    ck_assert_int_eq(wire_connect(&far), -ENETUNREACH);
    ck_assert_int_eq(ops()->listen(backend_current(), &far, 1), -EADDRNOTAVAIL);
    ck_assert_int_eq(ops()->socket_open(backend_current(), AF_PACKET), -EAFNOSUPPORT);

    struct op_address every = wire_inet(8080);
    every.in.sin_addr.s_addr = htonl(INADDR_ANY);
    int listener = wire_listen(&every, 4);
    struct op_address one = wire_inet(8080);
    ck_assert_int_eq(ops()->listen(backend_current(), &one, 1), -EADDRINUSE);
    int client = wire_connect(&one);
    ck_assert_int_ge(client, 0);
    struct op_address own = {.len = 0};
    ck_assert_int_eq(ops()->local_address(backend_current(), client, &own), 0);
    ck_assert_int_eq(own.any.sa_family, AF_INET);
    wire_close(client);
    wire_close(listener);

    struct op_address path = {.len = sizeof(struct sockaddr_un)};
    struct sockaddr_un *un = &path.un;
    un->sun_family = AF_UNIX;
    strcpy(un->sun_path, "/nowhere/at/all");
    ck_assert_int_eq(wire_connect(&path), -ENOENT);
    listener = wire_listen(&path, 0);
    path.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(un->sun_path));
    client = wire_connect(&path); // the same name without its final NUL
    ck_assert_int_ge(client, 0);
    ck_assert_int_eq(wire_connect(&path), -ECONNREFUSED); // a full queue, as the kernel has it
    wire_close(client);
    wire_close(listener);
}

// Addresses would mean something else than in the kernel.
START_TEST(addresses_mean_what_they_mean_in_the_kernel) {
    world_run("sim", 1, addresses_body, NULL);
}
END_TEST

static void foreign_body(void *arg) {
    (void)arg;
    char byte;
    int fds[2];
    wire_pair(fds);
    ck_assert_int_ge(fds[0], 1 << 20);
    ck_assert_int_eq(wire_read(STDIN_FILENO, &byte, 1), -EOPNOTSUPP);
    ck_assert_int_eq(ops()->adopt(backend_current(), STDIN_FILENO), -EOPNOTSUPP);
    ck_assert_int_eq(ops()->adopt(backend_current(), fds[0]), 0);
    wire_close(STDIN_FILENO); // not ours to close
    ck_assert_int_eq(wire_accept(fds[0]), -EINVAL);
    wire_close_pair(fds);
}

// The simulation would read, or close, a real descriptor.
START_TEST(real_descriptors_are_left_alone) {
    world_run("sim", 1, foreign_body, NULL);
}
END_TEST

static void crowd_body(void *arg) {
    (void)arg;
    enum { PAIRS = 5000 };
    int(*fds)[2] = malloc(PAIRS * sizeof(*fds));
    char byte;
    for (int i = 0; i < PAIRS; i++) {
        wire_pair(fds[i]);
        ck_assert_int_eq(wire_write(fds[i][0], "x", 1), 1);
    }
    for (int i = 0; i < PAIRS; i++) {
        ck_assert_int_eq(wire_read(fds[i][1], &byte, 1), 1);
        wire_close_pair(fds[i]);
    }
    free(fds);
}

// Many connections would cost time by their square.
START_TEST(ten_thousand_sockets_are_no_trouble) {
    world_run("sim", 1, crowd_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/sim", a_seed_replays_exactly, seeds_cover_what_can_happen,
             completions_come_in_every_order, r07_the_clock_jumps_and_only_when_nobody_can_run,
             while_a_thread_owes_something_time_is_real, a_deadlock_is_told,
             r24_a_full_backlog_makes_connects_time_out, a_connect_is_tried_again,
             addresses_mean_what_they_mean_in_the_kernel, real_descriptors_are_left_alone,
             ten_thousand_sockets_are_no_trouble)
