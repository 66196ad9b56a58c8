// SPDX-License-Identifier: MIT
/* test_embed_uv.c – a loop that lives inside libuv's.
 *
 * Holds      nothing between tests.
 * Invariant  libuv waits, for its own handles and for ours.
 * Called by  ctest, on epoll, where libuv is installed.
 * Why        a main loop that others wrote asks for what ours does not think of.
 */
// Backends: epoll
// Wants: libuv
#ifdef TEST_HAS_LIBUV

#include "api/embed_work.h"

#include <uv.h>

struct guest {
    jg_loop *loop;
    uv_poll_t poll;       // of our descriptor
    uv_timer_t timer;     // of our timeout
    uv_prepare_t prepare; // asks for it, right before libuv waits
    uv_check_t check;     // turns the loop, right after
    int *left;
};

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)poll;
    (void)status;
    (void)events; // the check that follows does the turn
}

static void on_timer(uv_timer_t *timer) {
    (void)timer;
}

static void before_wait(uv_prepare_t *prepare) {
    struct guest *guest = prepare->data;
    int timeout_ms = jg_loop_timeout(guest->loop);
    if (timeout_ms >= 0) {
        uv_timer_start(&guest->timer, on_timer, (uint64_t)timeout_ms, 0);
    } else {
        uv_timer_stop(&guest->timer);
    }
}

static void after_wait(uv_check_t *check) {
    struct guest *guest = check->data;
    ck_assert_int_ge(jg_loop_step(guest->loop), 0);
    if (*guest->left == 0) {
        uv_close((uv_handle_t *)&guest->poll, NULL);
        uv_close((uv_handle_t *)&guest->timer, NULL);
        uv_close((uv_handle_t *)&guest->prepare, NULL);
        uv_close((uv_handle_t *)&guest->check, NULL);
    }
}

static void move_in(struct guest *guest, uv_loop_t *host, jg_loop *loop, int *left) {
    *guest = (struct guest){.loop = loop, .left = left};
    ck_assert_int_eq(uv_poll_init(host, &guest->poll, jg_loop_fd(loop)), 0);
    ck_assert_int_eq(uv_timer_init(host, &guest->timer), 0);
    ck_assert_int_eq(uv_prepare_init(host, &guest->prepare), 0);
    ck_assert_int_eq(uv_check_init(host, &guest->check), 0);
    guest->prepare.data = guest;
    guest->check.data = guest;
    ck_assert_int_eq(uv_poll_start(&guest->poll, UV_READABLE, on_poll), 0);
    ck_assert_int_eq(uv_prepare_start(&guest->prepare, before_wait), 0);
    ck_assert_int_eq(uv_check_start(&guest->check, after_wait), 0);
}

static int ticks;

static void on_tick(uv_timer_t *timer) {
    if (++ticks == 5) {
        uv_close((uv_handle_t *)timer, NULL);
    }
}

// Sleeps, sockets, calls or posts would not come to their end inside libuv, or libuv's timers not.
START_TEST(libuv_turns_it) {
    struct work work;
    struct guest guest;
    uv_loop_t host;
    uv_timer_t own;
    jg_loop *loop;
    ck_assert_int_eq(uv_loop_init(&host), 0);
    ck_assert_int_eq(uv_timer_init(&host, &own), 0);
    ck_assert_int_eq(uv_timer_start(&own, on_tick, 1, 2), 0);
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    work_start(&work, loop);
    move_in(&guest, &host, loop, &work.left);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    work_check(&work);
    ck_assert_int_eq(ticks, 5);
    ck_assert_int_eq(jg_loop_close(loop), 0);
    ck_assert_int_eq(uv_loop_close(&host), 0);
    uv_library_shutdown();
}
END_TEST

#else

#include "api/api.h"

// Only a report: there is nobody to live with.
START_TEST(libuv_turns_it) {
    fixture_skip("libuv is not installed (libuv1-dev)");
}
END_TEST

#endif

FIXTURE_MAIN("api/embed_uv", libuv_turns_it)
