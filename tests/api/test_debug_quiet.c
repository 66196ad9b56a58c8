// SPDX-License-Identifier: MIT
/* test_debug_quiet.c – debug mode says nothing of a loop that waits for somebody who will come.
 *
 * Holds      how many reports there were.
 * Invariant  a deadlock is reported only where nobody could end it.
 * Called by  ctest, on epoll and sim.
 * Why        a tool that cries wolf is switched off.
 */
#include "api/api.h"

#include <fcntl.h>
#include <juggle/debug.h>
#include <juggle/executor.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static atomic_int reports;

static void count_report(const jg_debug_report *report) {
    (void)report;
    atomic_fetch_add(&reports, 1);
}

/* Long enough for the loop to fall asleep before. */
static void take_a_while(void) {
    clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 3 * JG_MS}, NULL);
}

static void quietly(jg_fn *body) {
    const jg_run_options debug = {.debug = true};
    const jg_debug_options patient = {.slow_ms = 60000};
    jg_debug_set(&patient);
    jg_debug_on_report(count_report);
    ck_assert_int_eq(jg_run_with(body, NULL, &debug), 0);
    ck_assert_int_eq(atomic_load(&reports), 0);
}

static intptr_t be_slow(void *arg) {
    (void)arg;
    take_a_while();
    return 0;
}

static intptr_t owed_body(void *arg) {
    return jg_to_thread(be_slow, arg);
}

// Whoever waits for a thread would be told that nobody can come.
START_TEST(a_thread_that_owes_an_answer_is_no_deadlock) {
    quietly(owed_body);
}
END_TEST

struct posting {
    jg_loop *loop;
    jg_call call;
    jg_event event;
};

static intptr_t set_event(void *event) {
    jg_event_set(event);
    return 0;
}

static void *post_later(void *arg) {
    struct posting *posting = arg;
    take_a_while();
    ck_assert_int_eq(jg_post(posting->loop, &posting->call, set_event, &posting->event), 0);
    return NULL;
}

static intptr_t held_body(void *arg) {
    struct posting posting = {.loop = jg_loop_current()};
    pthread_t thread;
    (void)arg;
    jg_loop_hold(posting.loop); // somebody has the handle
    ck_assert_int_eq(pthread_create(&thread, NULL, post_later, &posting), 0);
    intptr_t rc = jg_event_wait(&posting.event);
    pthread_join(thread, NULL);
    jg_loop_drop(posting.loop);
    return rc;
}

// The same for who has a handle to post with.
START_TEST(a_handle_that_is_held_is_no_deadlock) {
    quietly(held_body);
}
END_TEST

static void *write_later(void *fd) {
    take_a_while();
    ck_assert_int_eq(write(*(int *)fd, "x", 1), 1);
    return NULL;
}

static intptr_t awaited_body(void *arg) {
    int fds[2];
    pthread_t thread;
    (void)arg;
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_later, &fds[1]), 0);
    int ready = jg_wait_fd(fds[0], JG_READABLE);
    pthread_join(thread, NULL);
    close(fds[0]);
    close(fds[1]);
    return ready == JG_READABLE ? 0 : ready;
}

// The same for whatever is behind a descriptor.
START_TEST(a_descriptor_that_is_awaited_is_no_deadlock) {
    if (!on_backend("epoll")) {
        fixture_skip("in the simulation there is nothing behind a pipe");
    }
    quietly(awaited_body);
}
END_TEST

FIXTURE_MAIN("api/debug_quiet", a_thread_that_owes_an_answer_is_no_deadlock,
             a_handle_that_is_held_is_no_deadlock, a_descriptor_that_is_awaited_is_no_deadlock)
