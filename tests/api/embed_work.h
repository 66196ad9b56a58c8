// SPDX-License-Identifier: MIT
/* embed_work.h – work for a loop that lives inside another: sleeps, sockets, calls and posts.
 *
 * Holds      struct work, and the tasks, call and thread that do it.
 * Invariant  `left` counts what has yet to end; the outer loop may stop when it is 0.
 * Called by  test_embed.c, test_embed_uv.c.
 * Why        every outer loop has to bring the same work to its end.
 */
#ifndef TESTS_API_EMBED_WORK_H
#define TESTS_API_EMBED_WORK_H

#include "api/api.h"

#include <pthread.h>
#include <unistd.h>

enum { WORK_LINES = 50 };

struct work {
    jg_loop *loop;
    int left;
    jg_stream *ends[2];
    jg_call later;
    jg_call post;
    pthread_t thread;
    jg_future posted;
    int64_t slept_ns;
};

static intptr_t work_sleep(void *arg) {
    struct work *work = arg;
    int64_t begin_ns = jg_now();
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(jg_sleep(3), 0);
    }
    work->slept_ns = jg_now() - begin_ns;
    work->left--;
    return 0;
}

static intptr_t work_echo(void *arg) {
    struct work *work = arg;
    char byte;
    while (jg_read(work->ends[1], &byte, 1) == 1) {
        ck_assert_int_eq(jg_write(work->ends[1], &byte, 1), 1);
    }
    jg_stream_close(work->ends[1]);
    work->left--;
    return 0;
}

static intptr_t work_ask(void *arg) {
    struct work *work = arg;
    for (int i = 0; i < WORK_LINES; i++) {
        char byte = (char)i;
        ck_assert_int_eq(jg_write(work->ends[0], &byte, 1), 1);
        ck_assert_int_eq(jg_read(work->ends[0], &byte, 1), 1);
        ck_assert_int_eq(byte, i);
    }
    jg_stream_close(work->ends[0]);
    work->left--;
    return 0;
}

static intptr_t work_call(void *arg) {
    ((struct work *)arg)->left--;
    return 0;
}

static intptr_t work_posted(void *arg) {
    return jg_future_set(&((struct work *)arg)->posted, 5);
}

/* Posts when the loop has most probably nothing else to do: only the descriptor can tell of it. */
static void *work_post(void *arg) {
    struct work *work = arg;
    usleep(30000); // not to be right, but to meet the loop asleep
    int rc = jg_post(work->loop, &work->post, work_posted, work);
    jg_loop_drop(work->loop);
    return (void *)(intptr_t)rc;
}

static intptr_t work_wait(void *arg) {
    struct work *work = arg;
    ck_assert_int_eq(jg_future_wait(&work->posted), 5);
    work->left--;
    return 0;
}

/* Starts it, from outside the loop's turns. */
static inline void work_start(struct work *work, jg_loop *loop) {
    *work = (struct work){.loop = jg_loop_hold(loop), .left = 5};
    ck_assert_int_eq(jg_stream_pair(&work->ends[0], &work->ends[1]), 0);
    jg_detach(jg_spawn(work_sleep, work));
    jg_detach(jg_spawn(work_echo, work));
    jg_detach(jg_spawn(work_ask, work));
    jg_detach(jg_spawn(work_wait, work));
    ck_assert_int_eq(jg_call_later(&work->later, 10, work_call, work), 0);
    ck_assert_int_eq(pthread_create(&work->thread, NULL, work_post, work), 0);
}

static inline void work_check(struct work *work) {
    void *rc;
    ck_assert_int_eq(pthread_join(work->thread, &rc), 0);
    ck_assert_ptr_null(rc);
    ck_assert_int_eq(work->left, 0);
    ck_assert_int_ge(work->slept_ns, 15 * JG_MS);
}

#endif
