// SPDX-License-Identifier: MIT
/* test_op_memory.c – operations and memory, on every backend: provided buffers, refused allocations.
 */
// Backends: epoll blocking sim
#include "wire.h"
#include "world.h"

#include <errno.h>

static long blocks_in_use(void) {
    return mem_live() - (long)sched_current()->loop->buffer_count;
}

enum provided_end {
    END_BY_CANCEL,
    END_BY_BYTES,
    END_BY_STREAM,
};

static void read_provided(void *arg) {
    struct reading *reading = arg;
    struct iovec iov = {NULL, 0};
    struct op op = {
        .kind = OP_READ, .fd = reading->fd, .socket = true, .iov = &iov, .iov_count = 1};
    reading->result = op_run(&op);
    if (reading->result > 0) {
        ck_assert_ptr_nonnull(iov.iov_base);
        memcpy(reading->buffer, iov.iov_base, (size_t)reading->result);
        op_buffer_give(sched_current()->loop, iov.iov_base);
    } else {
        ck_assert_ptr_null(iov.iov_base);
    }
}

/* One provided read that ends in the given way. Returns what it came to, and what is in use while it
 * waits. */
static intptr_t read_provided_until(int fds[2], enum provided_end end, struct reading *reading,
                                    long *out_blocks) {
    struct job job;
    *reading = (struct reading){.kind = OP_READ, .fd = fds[0]};
    job_start(&job, read_provided, reading);
    let_run();
    *out_blocks = blocks_in_use();
    if (end == END_BY_CANCEL) {
        interrupt(job.coro);
    } else if (end == END_BY_BYTES) {
        ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
    } else {
        ck_assert_int_eq(ops()->shutdown_write(backend_current(), fds[1]), 0);
    }
    job_join(&job);
    return reading->result;
}

static void provided_body(void *arg) {
    (void)arg;
    int fds[2];
    struct reading reading;
    wire_pair(fds);
    long waiting;
    // The first round also grows the loop's tables.
    ck_assert_int_eq(read_provided_until(fds, END_BY_BYTES, &reading, &waiting), 1);
    long before = blocks_in_use();
    ck_assert_int_eq(read_provided_until(fds, END_BY_CANCEL, &reading, &waiting), -ECANCELED);
    ck_assert_int_eq(waiting, before);
    ck_assert_int_eq(blocks_in_use(), before);
    ck_assert_int_eq(read_provided_until(fds, END_BY_BYTES, &reading, &waiting), 1);
    ck_assert_int_eq(reading.buffer[0], 'x');
    ck_assert_int_eq(waiting, before);
    ck_assert_int_eq(blocks_in_use(), before);
    ck_assert_int_eq(read_provided_until(fds, END_BY_STREAM, &reading, &waiting), 0);
    ck_assert_int_eq(waiting, before);
    ck_assert_int_eq(blocks_in_use(), before);
    wire_close_pair(fds);
}

// Ten thousand idle streams would hold ten thousand buffers, or leak them.
START_TEST(a_provided_buffer_is_held_only_with_bytes_in_it) {
    needs_loop();
    world_each(provided_body, NULL);
}
END_TEST

static void no_memory_body(void *arg) {
    (void)arg;
    int fds[2];
    struct job job;
    struct reading reading = {.kind = OP_READ};
    wire_pair(fds);
    reading.fd = fds[0];
    ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
    let_time_pass();
    job_start(&job, read_provided, &reading);
    struct loop *loop = sched_current()->loop;
    ck_assert_uint_eq(loop->buffer_count, 0);
    mem_fail_nth(1, 1);
    job_join(&job);
    mem_fail_nth(0, 0);
    ck_assert_int_eq(reading.result, -ENOMEM);
    char byte = 0;
    ck_assert_int_eq(wire_read(fds[0], &byte, 1), 1); // the byte waited
    ck_assert_int_eq(byte, 'x');
    wire_close_pair(fds);
}

// Without memory for a buffer a read would lose its bytes or the program its life.
START_TEST(without_memory_a_provided_read_fails_and_loses_nothing) {
    needs_loop();
    world_each(no_memory_body, NULL);
}
END_TEST

static void sweep_scenario(void) {
    struct op_address address = wire_inet(0);
    int listener = ops()->listen(backend_current(), &address, 4);
    int rc = listener < 0 ? listener : ops()->local_address(backend_current(), listener, &address);
    int client = ops()->socket_open(backend_current(), AF_INET);
    if (rc == 0 && client >= 0 && wire_connect_fd(client, &address) == 0) {
        int server = wire_accept(listener);
        char byte;
        if (server >= 0 && wire_write(client, "x", 1) == 1) {
            intptr_t got = wire_read(server, &byte, 1);
            ck_assert(got == 1 || got == -ENOMEM);
        }
        if (server >= 0) {
            wire_close(server);
        }
    }
    if (client >= 0) {
        wire_close(client);
    }
    if (listener >= 0) {
        wire_close(listener);
    }
}

static void sweep_body(void *arg) {
    mem_fail_nth(*(const uint64_t *)arg, 0);
    sweep_scenario();
    mem_fail_nth(1, 1);
    sweep_scenario();
    mem_fail_nth(0, 0);
    sweep_scenario();
}

// A refused allocation anywhere on the way would crash, hang or leak.
START_TEST(every_refused_allocation_is_an_error_and_leaks_nothing) {
    for (uint64_t n = 1; n <= 20; n++) { // each time with the tables of a fresh loop
        world_each(sweep_body, &n);
    }
}
END_TEST

FIXTURE_MAIN("rt/op_memory", a_provided_buffer_is_held_only_with_bytes_in_it,
             without_memory_a_provided_read_fails_and_loses_nothing,
             every_refused_allocation_is_an_error_and_leaks_nothing)
