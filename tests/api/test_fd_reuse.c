// SPDX-License-Identifier: MIT
/* test_fd_reuse.c – descriptors that are closed while somebody waits, and whose numbers are given out again.
 *
 * Holds      nothing between tests.
 * Invariant  every number is used again in the next step: the kernel gives out the lowest.
 * Called by  ctest, on epoll only: numbers and copies are the kernel's.
 * Why        RELIABILITY R13. An event for the owner before is delivered once in a thousand times.
 */
// Backends: epoll
#define FIXTURE_LIMIT 120
#include "fixtures/measure.h"

#include "api/api.h"

#include <fcntl.h>
#include <unistd.h>

enum {
    REUSED = 100000 / (API_SLOWED * API_SLOWED),
    COPIES = 64, // open files that outlive their stream, with something to read
    IDLE_MS = 500,
    IDLE_PERCENT = 5,
};

struct old {
    jg_stream *stream;
    int result;
};

static intptr_t read_old(void *arg) {
    struct old *old = arg;
    char byte;
    old->result = (int)jg_read(old->stream, &byte, 1);
    return 0;
}

static int wrong; // checks that failed

/* As ck_assert, which tells its parent of each call: half a million would take seconds. */
static void check(bool right) {
    wrong += !right;
}

/* Closes a stream that a task reads, leaving a copy of its descriptor behind in which there is something
 * to read. Returns the copy. */
static int close_under_reader(void) {
    jg_stream *pair[2];
    check(jg_stream_pair(&pair[0], &pair[1]) == 0);
    struct old old = {.stream = pair[0]};
    jg_task *task = jg_spawn(read_old, &old);
    check(jg_yield() == 0);
    int copy = fcntl(jg_stream_fd(pair[0]), F_DUPFD_CLOEXEC, 0);
    check(jg_write(pair[1], "old", 3) == 3); // an event of the kernel's that nobody has seen
    close_pair(pair);
    check(jg_join(task) == 0);
    check(old.result == -EBADF);
    return copy;
}

/* A pair of the same numbers, whose reader gets its own bytes. */
static void use_again(void) {
    jg_stream *pair[2];
    check(jg_stream_pair(&pair[0], &pair[1]) == 0);
    struct old fresh = {.stream = pair[0]};
    jg_task *task = jg_spawn(read_old, &fresh);
    check(jg_yield() == 0);
    check(fresh.result == 0); // it waits still, whatever became of the old one
    check(jg_write(pair[1], "new", 3) == 3);
    check(jg_join(task) == 0);
    check(fresh.result == 1);
    close_pair(pair);
}

static intptr_t wait_for_number(void *arg) {
    return jg_wait_fd(*(const int *)arg, JG_READABLE);
}

/* The same with a pipe that is closed behind the loop's back. */
static void close_behind_its_back(void) {
    int fds[2];
    check(pipe2(fds, O_CLOEXEC) == 0);
    const int number = fds[0];
    jg_task *stale = jg_spawn(wait_for_number, &fds[0]);
    check(jg_yield() == 0);
    close(fds[0]);
    close(fds[1]);
    check(pipe2(fds, O_CLOEXEC) == 0);
    check(fds[0] == number);
    jg_task *fresh = jg_spawn(wait_for_number, &fds[0]);
    check(jg_join(stale) == -EBADF);
    check(write(fds[1], "x", 1) == 1);
    check(jg_join(fresh) == JG_READABLE);
    close(fds[0]);
    close(fds[1]);
}

/* With all those copies open and ready, the loop must sleep. */
static void check_idle(void) {
    int64_t before_ns = measure_ns(CLOCK_PROCESS_CPUTIME_ID);
    ck_assert_int_eq(jg_sleep(IDLE_MS), 0);
    int64_t took_ns = measure_ns(CLOCK_PROCESS_CPUTIME_ID) - before_ns;
    ck_assert_int_lt(took_ns, IDLE_MS * JG_MS * IDLE_PERCENT / 100);
}

static intptr_t reuse_body(void *arg) {
    int copies[COPIES];
    (void)arg;
    for (int i = 0; i < COPIES; i++) {
        copies[i] = close_under_reader();
    }
    for (int i = 0; i < REUSED; i++) {
        if (i % 2 == 0) {
            int copy = close_under_reader();
            use_again();
            close(copy);
        } else {
            close_behind_its_back();
        }
    }
    ck_assert_int_eq(wrong, 0);
    check_idle();
    for (int i = 0; i < COPIES; i++) {
        close(copies[i]);
    }
    return 0;
}

// An event of a descriptor that is gone would wake whoever has its number now, or keep the loop busy.
START_TEST(r13_a_hundred_thousand_numbers_used_again) {
    run_once(reuse_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/fd_reuse", r13_a_hundred_thousand_numbers_used_again)
