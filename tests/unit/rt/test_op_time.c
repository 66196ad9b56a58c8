// SPDX-License-Identifier: MIT
/* test_op_time.c – time limits, and waking from threads and signal handlers, on every backend.
 */
// Backends: epoll blocking sim
#include "wire.h"
#include "world.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void early_body(void *arg) {
    (void)arg;
    struct coro *self = sched_current();
    const int64_t durations_ns[] = {1, 999, 1000, 100000, 999999, 1000000, 1000001, 5000000};
    for (size_t i = 0; i < sizeof(durations_ns) / sizeof(durations_ns[0]); i++) {
        int64_t begin_ns = loop_now_ns();
        if (self->loop != NULL) {
            loop_pause(self, durations_ns[i]);
        } else {
            int fds[2];
            char byte;
            wire_pair(fds);
            self->deadline_ns = begin_ns + durations_ns[i];
            ck_assert_int_eq(wire_read(fds[0], &byte, 1), -ECANCELED);
            self->deadline_ns = JG_NEVER;
            wire_close_pair(fds);
        }
        ck_assert_int_ge(loop_now_ns() - begin_ns, durations_ns[i]);
        if (on_backend("sim")) {
            ck_assert_int_eq(loop_now_ns() - begin_ns, durations_ns[i]);
        }
    }
}

// A time limit would strike before its time.
START_TEST(no_wait_ends_early) {
    world_each(early_body, NULL);
}
END_TEST

static int64_t cpu_time_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * JG_S + used.tv_nsec;
}

/* Runs an op that cannot complete, with a deadline. Fails when it ends early or keeps busy. */
static void wait_in_vain(struct op *op) {
    struct coro *self = sched_current();
    int64_t begin_ns = clock_now_ns();
    int64_t cpu_ns = cpu_time_ns();
    self->deadline_ns = begin_ns + 50 * JG_MS;
    ck_assert_int_eq(op_run(op), -ECANCELED);
    ck_assert_int_ge(clock_now_ns(), self->deadline_ns);
    ck_assert_int_lt(cpu_time_ns() - cpu_ns, 20 * JG_MS);
    self->deadline_ns = JG_NEVER;
}

// A thread would burn its core while it waits with a time limit.
START_TEST(waiting_with_a_limit_costs_no_cpu) {
    if (!on_backend("blocking")) {
        fixture_skip("only the blocking backend waits by itself");
    }
    int fds[2];
    char byte;
    int64_t armed_ns[2] = {0, 0};
    struct iovec iov = {&byte, 1};
    wire_pair(fds);
    struct op reading = {
        .kind = OP_READ, .fd = fds[0], .socket = true, .iov = &iov, .iov_count = 1};
    struct op polling = {.kind = OP_POLL, .fd = fds[0], .events = JG_READABLE};
    reading.armed_ns = armed_ns;
    polling.armed_ns = armed_ns;
    wait_in_vain(&reading);
    wait_in_vain(&polling);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0); // adopted from somebody else
    wait_in_vain(&reading);
    wait_in_vain(&polling);
    wire_close_pair(fds);
}
END_TEST

static void write_pipe(int fd, char *bytes, size_t size) {
    struct iovec iov[2] = {{bytes, 0}, {bytes, size}};
    struct op op = {.kind = OP_WRITE, .fd = fd, .iov = iov, .iov_count = 2};
    intptr_t put;
    size_t sum = 0;
    do {
        put = op_run(&op);
        sum += put > 0 ? (size_t)put : 0;
    } while (put > 0);
    ck_assert_int_eq(put, -ECANCELED);
    ck_assert_uint_ge(sum, 4096); // what fitted was written
    ck_assert_uint_lt(sum, 3 * size);
}

// A large write to a pipe that nobody reads would outlast its time limit, for ever.
START_TEST(a_limit_holds_for_pipes_too) {
    if (!on_backend("blocking")) {
        fixture_skip("in a loop pipes are non-blocking");
    }
    enum { SIZE = 256 * 1024 };
    int fds[2];
    char *bytes = calloc(1, SIZE);
    struct coro *self = sched_current();
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    self->deadline_ns = clock_now_ns() + 20 * JG_MS;
    write_pipe(fds[1], bytes, SIZE);
    ck_assert_int_ge(clock_now_ns(), self->deadline_ns);
    self->deadline_ns = JG_NEVER;
    free(bytes);
    wire_close_pair(fds);
}
END_TEST

struct note {
    jg_call item;
    struct loop *loop;
    struct wait wait;
    atomic_int delivered;
};

static void note_arrives(jg_call *item) {
    struct note *note = (struct note *)(void *)item;
    note->loop->external--;
    atomic_fetch_add(&note->delivered, 1);
    wake(&note->wait, 7);
}

static void *post_from_thread(void *arg) {
    struct note *note = arg;
    inbox_post(note->loop->handle, &note->item);
    return NULL;
}

static void thread_wakes_body(void *arg) {
    (void)arg;
    struct loop *loop = sched_current()->loop;
    for (int i = 0; i < 20; i++) {
        struct note note = {.item = {.deliver = note_arrives}, .loop = loop};
        pthread_t thread;
        loop->external++;
        ck_assert_int_eq(pthread_create(&thread, NULL, post_from_thread, &note), 0);
        ck_assert_int_eq(park(&note.wait), 7);
        pthread_join(thread, NULL);
        ck_assert_int_eq(atomic_load(&note.delivered), 1);
    }
}

// A loop asleep in the kernel would not hear another thread.
START_TEST(another_thread_wakes_a_sleeping_loop) {
    needs_loop();
    world_each(thread_wakes_body, NULL);
}
END_TEST

static struct note *note_of_signal;

static void post_from_signal(int number) {
    (void)number;
    inbox_post(note_of_signal->loop->handle, &note_of_signal->item);
}

static void signal_wakes_body(void *arg) {
    (void)arg;
    struct loop *loop = sched_current()->loop;
    struct note note = {.item = {.deliver = note_arrives}, .loop = loop};
    note_of_signal = &note;
    struct sigaction action = {.sa_handler = post_from_signal};
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    loop->external++;
    const struct itimerval soon = {.it_value = {.tv_usec = 500}};
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    ck_assert_int_eq(park(&note.wait), 7);
    signal(SIGALRM, SIG_DFL);
}

// A signal handler could not reach the loop it interrupts.
START_TEST(a_signal_handler_wakes_a_sleeping_loop) {
    needs_loop();
    world_each(signal_wakes_body, NULL);
}
END_TEST

static void ignore_signal(int number) {
    (void)number;
}

static void write_later(void *arg) {
    const int *fds = arg;
    ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
}

static void interrupted_body(void *arg) {
    (void)arg;
    int fds[2];
    char byte = 0;
    struct job job;
    struct sigaction action = {.sa_handler = ignore_signal}; // no SA_RESTART
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    const struct itimerval often = {.it_value = {.tv_usec = 200}, .it_interval = {.tv_usec = 200}};
    const struct itimerval off = {.it_value = {.tv_usec = 0}};
    wire_pair(fds);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (int i = 0; i < 50; i++) {
        job_start(&job, write_later, fds);
        ck_assert_int_eq(wire_read(fds[0], &byte, 1), 1);
        job_join(&job);
    }
    ck_assert_int_eq(setitimer(ITIMER_REAL, &off, NULL), 0);
    signal(SIGALRM, SIG_DFL);
    wire_close_pair(fds);
}

// A signal in the middle of a wait would come out as a failed read.
START_TEST(signals_do_not_show) {
    world_each(interrupted_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/op_time", no_wait_ends_early, waiting_with_a_limit_costs_no_cpu,
             a_limit_holds_for_pipes_too, another_thread_wakes_a_sleeping_loop,
             a_signal_handler_wakes_a_sleeping_loop, signals_do_not_show)
