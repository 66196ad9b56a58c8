// SPDX-License-Identifier: MIT
/* test_refused.c – what the kernel refuses: no descriptors left, no room for a watch, a call it does not
 * know, one it breaks off.
 */
// Backends: epoll blocking
#include "fixtures/limits.h"
#include "fixtures/refuse.h"
#include "wire.h"
#include "world.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

// No descriptors.

static void full_body(void *arg) {
    struct op_address address = wire_inet(0);
    int fds[2] = {-7, -7};
    (void)arg;
    struct backend *backend = backend_current();
    rlim_t before = leave_descriptors(0);
    expect(ops()->socket_open(backend, AF_INET) == -EMFILE);
    expect(ops()->socket_pair(backend, fds) == -EMFILE);
    expect(fds[0] == -7 && fds[1] == -7);
    expect(ops()->listen(backend, &address, 1) == -EMFILE);
    expect(ops()->datagram_open(backend, &address, false) == -EMFILE);
    set_descriptors(before);
    wire_pair(fds);
    wire_close_pair(fds);
}

// At the limit of descriptors a socket would be the number -1. X7.
START_TEST(x07_no_descriptor_left_is_an_error) {
    world_each(full_body, NULL);
}
END_TEST

static void no_descriptor_body(void *arg) {
    struct backend *backend = backend_current();
    struct op_address address;
    (void)arg;
    int path = open("/", O_PATH | O_CLOEXEC);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int closed = dup(STDIN_FILENO);
    close(closed);
    expect(ops()->adopt(backend, closed) == -EBADF);
    expect(on_backend("blocking") || ops()->adopt(backend, path) == -EBADF); // knows no flags
    expect(ops()->local_address(backend, closed, &address) == -EBADF);
    expect(ops()->local_address(backend, file, &address) == -ENOTSOCK);
    expect(ops()->shutdown_write(backend, closed) == -EBADF);
    expect(ops()->idle_ok(backend, closed) == 0);
    close(path);
    close(file);
}

// A descriptor that is none would be taken for one that works.
START_TEST(what_is_no_descriptor_is_refused) {
    world_each(no_descriptor_body, NULL);
}
END_TEST

static void listen_body(void *arg) {
    struct op_address address = wire_inet(0);
    (void)arg;
    refuse(SYS_listen, EADDRINUSE); // somebody else bound to it listens meanwhile
    expect(ops()->listen(backend_current(), &address, 1) == -EADDRINUSE);
}

// A port that is lost between bind and listen would leave its descriptor open.
START_TEST(r14_a_listen_that_fails_closes_its_socket) {
    world_each(listen_body, NULL);
}
END_TEST

// No memory for a watch.

static void watch_body(void *arg) {
    int fds[2];
    char byte;
    (void)arg;
    wire_pair(fds);
    refuse(SYS_epoll_ctl, ENOSPC); // fs.epoll.max_user_watches is reached
    expect(wire_read(fds[0], &byte, 1) == -ENOSPC);
    expect(wire_simple(OP_POLL, fds[0]) == -ENOSPC);
    expect(backend_current()->pending == 0);
    expect(wire_write(fds[1], "x", 1) == 1);
    expect(wire_read(fds[0], &byte, 1) == 1); // what need not wait goes on
    wire_close_pair(fds);
}

// A wait that the kernel does not watch would never end.
START_TEST(r14_a_wait_that_cannot_be_watched_is_an_error) {
    needs_loop();
    world_each(watch_body, NULL);
}
END_TEST

// A loop whose wake-up is not watched would sleep through every post.
START_TEST(a_loop_that_cannot_be_woken_does_not_open) {
    struct loop loop;
    const struct loop_options options = {.stack_size = WORLD_STACK};
    needs_loop();
    refuse(SYS_epoll_ctl, ENOSPC);
    ck_assert_int_eq(loop_open(&loop, &options), -ENOSPC);
    ck_assert_ptr_null(sched_current()->loop);
}
END_TEST

// Calls a kernel does not know.

static void pause_body(void *arg) {
    int64_t before = clock_now_ns();
    (void)arg;
    loop_pause(sched_current(), 3 * JG_MS + 1);
    expect(clock_now_ns() - before > 3 * JG_MS);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int number) {
    (void)number;
    alarms = alarms + 1;
}

/* A signal every `every_us`, so that one also comes while the call under test waits; 0: no more. */
static void ring_alarms(int every_us) {
    const struct sigaction action = {.sa_handler = count_alarm};
    const struct itimerval timer = {.it_value = {.tv_usec = every_us},
                                    .it_interval = {.tv_usec = every_us}};
    alarms = 0;
    expect(sigaction(SIGALRM, &action, NULL) == 0);
    expect(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void long_limit_body(void *arg) {
    struct backend *backend = backend_current();
    (void)arg;
    ring_alarms(2000);
    expect(ops()->reap(backend, 60LL * 24 * 3600 * JG_S) == 0);
    expect(alarms > 0); // nothing else could end it: it did wait
    ring_alarms(0);
}

// Before Linux 5.11 the loop would end with an error, timers go off early, or a wait of weeks, in
// milliseconds more than an int holds, be none.
START_TEST(without_nanoseconds_a_loop_waits_in_milliseconds) {
    needs_loop();
    refuse(SYS_epoll_pwait2, ENOSYS);
    world_each(pause_body, NULL);
    world_each(long_limit_body, NULL);
}
END_TEST

// The same in a container whose filter is older than the call.
START_TEST(a_filtered_call_is_like_one_unknown) {
    needs_loop();
    refuse(SYS_epoll_pwait2, EPERM);
    world_each(pause_body, NULL);
}
END_TEST

// Calls that a signal breaks off.

static void interrupted_body(void *arg) {
    int64_t before = clock_now_ns();
    (void)arg;
    ring_alarms(500);
    loop_pause(sched_current(), 5 * JG_MS);
    ring_alarms(0);
    expect(clock_now_ns() - before >= 5 * JG_MS);
}

// A program with an interval timer would see its timers go off early, or its loop end.
START_TEST(r14_signals_do_not_shorten_a_wait_in_the_loop) {
    needs_loop();
    world_each(interrupted_body, NULL);
}
END_TEST

static int knocks_at; // writes there, a few signals later

static void write_later(int number) {
    (void)number;
    alarms = alarms + 1;
    if (alarms == 4) {
        ssize_t put = write(knocks_at, "x", 1);
        (void)put;
    }
}

/* Reads one byte that a signal handler writes while the read waits. */
static void read_through_signals(int fd, int writer, bool socket) {
    char byte = 0;
    struct iovec iov = {&byte, 1};
    struct op op = {.kind = OP_READ, .fd = fd, .socket = socket, .iov = &iov, .iov_count = 1};
    const struct sigaction action = {.sa_handler = write_later};
    knocks_at = writer;
    ring_alarms(1000);
    expect(sigaction(SIGALRM, &action, NULL) == 0);
    expect(op_run(&op) == 1);
    expect(byte == 'x');
    ring_alarms(0);
}

static void needs_no_loop(void) {
    if (!on_backend("blocking")) {
        fixture_skip("a loop waits in one place only");
    }
}

// A signal would end a read with nothing, in a thread that has no loop.
START_TEST(r14_signals_do_not_end_a_blocking_call) {
    int fds[2];
    int pipes[2];
    needs_no_loop();
    wire_pair(fds);
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    struct coro *self = sched_current();
    for (int limited = 0; limited < 2; limited++) {
        self->deadline_ns = limited ? clock_now_ns() + 3600 * JG_S : JG_NEVER;
        read_through_signals(fds[0], fds[1], true);      // breaks off the read itself
        read_through_signals(pipes[0], pipes[1], false); // and poll
    }
    self->deadline_ns = JG_NEVER;
    wire_close_pair(fds);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

// A thread's wait would end early, and be taken for one whose limit struck.
START_TEST(signals_do_not_shorten_a_wait_without_a_loop) {
    needs_no_loop();
    struct coro *self = sched_current();
    struct wait wait = {.kind = WAIT_KIND("nothing")};
    int64_t until_ns = clock_now_ns() + 5 * JG_MS;
    self->deadline_ns = until_ns;
    ring_alarms(500);
    ck_assert_int_eq(park_checked(&wait), -ECANCELED);
    ring_alarms(0);
    ck_assert_int_ge(clock_now_ns(), until_ns);
    self->deadline_ns = JG_NEVER;
}
END_TEST

// Without a loop.

// A socket whose limit of its own goes off too early would end a read before its time.
START_TEST(a_short_armed_limit_does_not_end_a_long_wait) {
    int fds[2];
    int64_t armed_ns[2] = {0, 0};
    char byte;
    needs_no_loop();
    wire_pair(fds);
    struct coro *self = sched_current();
    struct iovec iov = {&byte, 1};
    struct op op = {.kind = OP_READ,
                    .fd = fds[0],
                    .socket = true,
                    .iov = &iov,
                    .iov_count = 1,
                    .armed_ns = armed_ns};
    self->deadline_ns = clock_now_ns() + 14 * JG_MS;
    ck_assert_int_eq(op_run(&op), -ECANCELED);
    int64_t armed_before = armed_ns[0];
    self->deadline_ns = clock_now_ns() + 70 * JG_MS; // near enough: not armed anew
    const struct sigaction action = {.sa_handler = write_later};
    knocks_at = fds[1];
    ring_alarms(30000); // after the armed limit, but for the machine's whims
    alarms = 3;
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    intptr_t got = op_run(&op);
    ring_alarms(0);
    ck_assert(got == 1 || got == -ECANCELED); // a machine may be as slow as that
    ck_assert_int_eq(armed_ns[0], armed_before);
    self->deadline_ns = JG_NEVER;
    wire_close_pair(fds);
}
END_TEST

// A connect whose limit struck, tried again, would fail, although it is still under way.
START_TEST(a_connect_under_way_is_waited_for_again) {
    enum { MOST = 16 };
    struct op_address address = wire_inet(0);
    int fds[MOST];
    needs_no_loop();
    int listener = wire_listen(&address, 0);
    struct coro *self = sched_current();
    int rc = 0;
    int count = 0;
    while (rc == 0 && count < MOST) { // until the queue is full, and one is not answered
        fds[count] = ops()->socket_open(backend_current(), AF_INET);
        self->deadline_ns = clock_now_ns() + 20 * JG_MS;
        rc = wire_connect_fd(fds[count++], &address);
    }
    ck_assert_int_eq(rc, -ECANCELED);
    self->deadline_ns = clock_now_ns() + 20 * JG_MS;
    ck_assert_int_eq(wire_connect_fd(fds[count - 1], &address), -ECANCELED);
    self->deadline_ns = JG_NEVER;
    for (int i = 0; i < count; i++) {
        wire_close(fds[i]);
    }
    wire_close(listener);
}
END_TEST

// A signal that the program holds back, and is to have later, would be taken away from it.
START_TEST(r20_a_broken_pipe_leaves_the_programs_own_signal) {
    int pipes[2];
    sigset_t pipe_signal;
    sigset_t waiting;
    needs_no_loop();
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &pipe_signal, NULL), 0);
    raise(SIGPIPE); // by somebody else, for another reason
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    close(pipes[0]);
    struct iovec iov = {"x", 1};
    struct op write = {.kind = OP_WRITE, .fd = pipes[1], .iov = &iov, .iov_count = 1};
    ck_assert_int_eq(op_run(&write), -EPIPE);
    sigpending(&waiting);
    ck_assert_int_eq(sigismember(&waiting, SIGPIPE), 1);
    close(pipes[1]);
}
END_TEST

// Errors of what stands behind a deadline would be taken for the deadline.
START_TEST(a_wait_with_a_deadline_tells_the_kernels_errors) {
    int pipes[2];
    char byte;
    needs_no_loop();
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    struct coro *self = sched_current();
    self->deadline_ns = clock_now_ns() + 3600 * JG_S;
    ck_assert_int_eq(wire_read(pipes[0], &byte, 1), -ENOTSOCK); // has no limit to be armed
    struct iovec nothing[2] = {{NULL, 0}, {NULL, 0}};
    struct op write = {.kind = OP_WRITE, .fd = pipes[1], .iov = nothing, .iov_count = 2};
    ck_assert_int_eq(op_run(&write), 0);
    struct op poll = {.kind = OP_POLL, .fd = pipes[1], .socket = true, .events = JG_WRITABLE};
    ck_assert_int_eq(op_run(&poll), JG_WRITABLE);
    refuse(SYS_ppoll, ENOMEM);
    struct iovec iov = {&byte, 1};
    struct op read = {.kind = OP_READ, .fd = pipes[0], .iov = &iov, .iov_count = 1};
    ck_assert_int_eq(op_run(&read), -ENOMEM);
    self->deadline_ns = JG_NEVER;
    ck_assert_int_eq(op_run(&read), -ENOMEM);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

FIXTURE_MAIN("rt/refused", r14_a_listen_that_fails_closes_its_socket,
             a_connect_under_way_is_waited_for_again,
             r20_a_broken_pipe_leaves_the_programs_own_signal, x07_no_descriptor_left_is_an_error,
             what_is_no_descriptor_is_refused, r14_a_wait_that_cannot_be_watched_is_an_error,
             a_loop_that_cannot_be_woken_does_not_open,
             without_nanoseconds_a_loop_waits_in_milliseconds, a_filtered_call_is_like_one_unknown,
             r14_signals_do_not_shorten_a_wait_in_the_loop, r14_signals_do_not_end_a_blocking_call,
             signals_do_not_shorten_a_wait_without_a_loop,
             a_short_armed_limit_does_not_end_a_long_wait,
             a_wait_with_a_deadline_tells_the_kernels_errors)
