// SPDX-License-Identifier: MIT
/* test_fd.c – SEMANTICS X2, X3: waiting for descriptors that belong to somebody else.
 *
 * Holds      nothing between tests.
 * Invariant  the descriptor is read and written by plain calls only; juggle just waits.
 * Called by  ctest; a simulated world has no real descriptors.
 * Why        whoever brings a library's sockets along reads and closes them without telling us.
 */
// Backends: epoll blocking sim
#include "api/api.h"

#include <fcntl.h>
#include <unistd.h>

static void needs_descriptors(void) {
    if (on_backend("sim")) {
        fixture_skip("a simulated world has no real descriptors");
    }
}

static void open_pipe(int fds[2]) {
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static void close_pipe(const int fds[2]) {
    close(fds[0]);
    close(fds[1]);
}

static intptr_t put_later(void *arg) {
    jg_sleep(1);
    ck_assert_int_eq(write(*(int *)arg, "abc", 3), 3);
    return 0;
}

static intptr_t wait_for_input(void *arg) {
    return jg_wait_fd(*(int *)arg, JG_READABLE);
}

// Without a loop.

static intptr_t ready_body(void *arg) {
    (void)arg;
    int fds[2];
    char bytes[3];
    open_pipe(fds);
    ck_assert_int_eq(jg_wait_fd(fds[1], JG_WRITABLE), JG_WRITABLE);
    ck_assert_int_eq(jg_wait_fd(fds[1], JG_WRITABLE | JG_READABLE), JG_WRITABLE);
    ck_assert_int_eq(write(fds[1], "abc", 3), 3);
    for (int i = 0; i < 3; i++) { // consumed in part: still ready
        ck_assert_int_eq(jg_wait_fd(fds[0], JG_READABLE), JG_READABLE);
        ck_assert_int_eq(read(fds[0], bytes, 1), 1);
    }
    int rc = 0;
    JG_TIMEOUT(2, rc) {
        rc = jg_wait_fd(fds[0], JG_READABLE);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    close(fds[1]);
    ck_assert_int_eq(jg_wait_fd(fds[0], JG_READABLE), JG_READABLE); // the end is news, too
    close(fds[0]);
    return 0;
}

// A descriptor that is ready would make the caller wait, or one that is not would not.
START_TEST(readiness_is_a_level) {
    needs_descriptors();
    run_body(ready_body);
}
END_TEST

static intptr_t refused_body(void *arg) {
    (void)arg;
    int fds[2];
    open_pipe(fds);
    ck_assert_int_eq(jg_wait_fd(fds[0], 0), -EINVAL);
    ck_assert_int_eq(jg_wait_fd(fds[0], 4 | JG_READABLE), -EINVAL);
    ck_assert_int_eq(jg_wait_fd(-1, JG_READABLE), -EBADF);
    close_pipe(fds);
    ck_assert_int_eq(jg_wait_fd(fds[0], JG_READABLE), -EBADF);
    jg_fd_closing(-1);
    jg_fd_closing(fds[0]);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(jg_wait_fd(file, JG_READABLE), JG_READABLE); // cannot be polled: always ready
    close(file);
    return 0;
}

// A wrong argument would wait for ever.
START_TEST(what_cannot_be_waited_for_is_refused) {
    needs_descriptors();
    run_body(refused_body);
}
END_TEST

static intptr_t simulated_body(void *arg) {
    (void)arg;
    int fds[2];
    open_pipe(fds);
    ck_assert_int_eq(jg_wait_fd(fds[1], JG_WRITABLE), -EOPNOTSUPP);
    jg_fd_closing(fds[1]);
    close_pipe(fds);
    return 0;
}

// A simulation would look at the real world, and not replay.
START_TEST(a_simulated_world_has_none) {
    if (!on_backend("sim")) {
        fixture_skip("only a simulated world");
    }
    run_body(simulated_body);
}
END_TEST

// In a loop.

static intptr_t arrives_body(void *arg) {
    (void)arg;
    int fds[2];
    char bytes[3];
    open_pipe(fds);
    for (int i = 0; i < 20; i++) {
        jg_task *putter = jg_spawn(put_later, &fds[1]);
        ck_assert_int_eq(jg_wait_fd(fds[0], JG_READABLE), JG_READABLE);
        ck_assert_int_eq(read(fds[0], bytes, 3), 3);
        ck_assert_int_eq(jg_join(putter), 0);
    }
    close_pipe(fds);
    return 0;
}

// News would not arrive while the waiter sleeps, or only the first time.
START_TEST(it_waits_until_something_comes) {
    needs_loop();
    needs_descriptors();
    run_body(arrives_body);
}
END_TEST

static intptr_t busy_body(void *arg) {
    (void)arg;
    int fds[2];
    open_pipe(fds);
    jg_task *first = jg_spawn(wait_for_input, &fds[0]);
    jg_sleep(1);
    ck_assert_int_eq(jg_wait_fd(fds[0], JG_READABLE), -EBUSY);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    ck_assert_int_eq(jg_join(first), JG_READABLE); // the first was not disturbed
    close_pipe(fds);
    return 0;
}

// A second waiter would take the place of the first, who then sleeps for ever.
START_TEST(x03_a_second_waiter_is_refused) {
    needs_loop();
    needs_descriptors();
    run_body(busy_body);
}
END_TEST

static intptr_t closing_body(void *arg) {
    (void)arg;
    int fds[2];
    open_pipe(fds);
    jg_task *waiter = jg_spawn(wait_for_input, &fds[0]);
    jg_sleep(1);
    jg_fd_closing(fds[0]);
    ck_assert_int_eq(jg_join(waiter), -EBADF);
    close_pipe(fds);
    return 0;
}

// Whoever waits for a descriptor that is closed would wait for ever.
START_TEST(x02_closing_wakes_who_waits) {
    needs_loop();
    needs_descriptors();
    run_body(closing_body);
}
END_TEST

static intptr_t reused_body(void *arg) {
    (void)arg;
    int old[2];
    int young[2];
    int where = 0;
    open_pipe(old);
    where = old[0];
    jg_task *first = jg_spawn(wait_for_input, &where);
    jg_sleep(1);
    open_pipe(young);
    ck_assert_int_eq(dup3(young[0], where, O_CLOEXEC), where); // closes the old one, untold
    ck_assert_int_eq(write(young[1], "x", 1), 1);
    jg_sleep(2);
    ck_assert(!jg_done(first));                                    // not its descriptor's news
    ck_assert_int_eq(jg_wait_fd(where, JG_READABLE), JG_READABLE); // somebody looks: it comes out
    char byte;
    ck_assert_int_eq(read(where, &byte, 1), 1);
    jg_task *second = jg_spawn(wait_for_input, &where);
    ck_assert_int_eq(jg_join(first), -EBADF);
    jg_task *putter = jg_spawn(put_later, &young[1]);
    ck_assert_int_eq(jg_join(second), JG_READABLE);
    ck_assert_int_eq(jg_join(putter), 0);
    close(where);
    close(old[1]);
    close_pipe(young);
    return 0;
}

// A number given out again would wake for its predecessor, or never, as it counts as watched.
START_TEST(x02_a_reused_number_is_another_descriptor) {
    needs_loop();
    needs_descriptors();
    run_body(reused_body);
}
END_TEST

static intptr_t cancelled_body(void *arg) {
    (void)arg;
    int fds[2];
    char byte;
    open_pipe(fds);
    jg_task *waiter = jg_spawn(wait_for_input, &fds[0]);
    jg_sleep(1);
    jg_cancel(waiter);
    ck_assert_int_eq(jg_join(waiter), -ECANCELED);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    ck_assert_int_eq(jg_wait_fd(fds[0], JG_READABLE), JG_READABLE);
    ck_assert_int_eq(read(fds[0], &byte, 1), 1);
    close_pipe(fds);
    return 0;
}

// A cancelled wait would keep the descriptor busy.
START_TEST(a_cancelled_wait_leaves_nothing) {
    needs_loop();
    needs_descriptors();
    run_body(cancelled_body);
}
END_TEST

FIXTURE_MAIN("api/fd", readiness_is_a_level, what_cannot_be_waited_for_is_refused,
             a_simulated_world_has_none, it_waits_until_something_comes,
             x03_a_second_waiter_is_refused, x02_closing_wakes_who_waits,
             x02_a_reused_number_is_another_descriptor, a_cancelled_wait_leaves_nothing)
