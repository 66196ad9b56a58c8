// SPDX-License-Identifier: MIT
/* test_blocking_sync.c – locks, queues and channels without a loop: what can be done at once is done, and
 *                        a wait that nobody could end is an error.
 *
 * Holds      nothing between tests.
 * Invariant  no wait outlives its limit, and none leaves a place in a queue behind.
 * Called by  ctest, as "blocking" only.
 * Why        a thread without a loop is alone: nobody else may touch these objects.
 */
// Backends: blocking
#define FIXTURE_LIMIT 20
#include "api/api.h"

/* Runs the call within 3 ms and says what came of it. */
#define WITHIN_LIMIT(call)                                                                         \
    ({                                                                                             \
        int rc_ = 0;                                                                               \
        JG_TIMEOUT(3, rc_) {                                                                       \
            rc_ = (call);                                                                          \
        }                                                                                          \
        rc_;                                                                                       \
    })

// A wait for a notification would last for ever, or cost the lock.
START_TEST(s47_condition_without_a_loop) {
    jg_lock lock = {.owner = NULL};
    jg_cond cond = {.waiters = {.first = NULL}};
    ck_assert_int_eq(jg_cond_wait(&cond, &lock), -EPERM);
    ck_assert_int_eq(jg_lock_acquire(&lock), 0);
    ck_assert_int_eq(jg_cond_wait(&cond, &lock), -EDEADLK);
    ck_assert_int_eq(WITHIN_LIMIT(jg_cond_wait(&cond, &lock)), -ETIMEDOUT);
    ck_assert(jg_lock_is_held(&lock));
    jg_cond_notify_all(&cond); // nobody is left in there
    ck_assert_int_eq(jg_lock_release(&lock), 0);
}
END_TEST

// A wait for other tasks would last for ever, or be counted after it ended.
START_TEST(s48_barrier_without_a_loop) {
    jg_barrier barrier;
    jg_barrier_init(&barrier, 2);
    ck_assert_int_eq(jg_barrier_wait(&barrier), -EDEADLK);
    ck_assert_int_eq(WITHIN_LIMIT(jg_barrier_wait(&barrier)), -ETIMEDOUT);
    ck_assert_uint_eq(jg_barrier_waiting(&barrier), 0);
    jg_barrier_init(&barrier, 1);
    ck_assert_int_eq(jg_barrier_wait(&barrier), 0);
}
END_TEST

// A queue would not work in a thread of its own, or block it for ever.
START_TEST(s49_queue_without_a_loop) {
    const jg_queue_options options = {.capacity = 1};
    jg_queue queue;
    intptr_t item = 0;
    jg_queue_init(&queue, &options);
    ck_assert_int_eq(jg_queue_get(&queue, &item), -EDEADLK);
    ck_assert_int_eq(WITHIN_LIMIT(jg_queue_get(&queue, &item)), -ETIMEDOUT);
    ck_assert_int_eq(jg_queue_put(&queue, 1), 0);
    ck_assert_int_eq(jg_queue_put(&queue, 2), -EDEADLK);
    ck_assert_int_eq(WITHIN_LIMIT(jg_queue_put(&queue, 2)), -ETIMEDOUT);
    ck_assert_int_eq(jg_queue_join(&queue), -EDEADLK);
    ck_assert_int_eq(jg_queue_get(&queue, &item), 0);
    ck_assert_int_eq(item, 1);
    ck_assert_uint_eq(jg_queue_count(&queue), 0); // the second put left nothing behind
    ck_assert_int_eq(jg_queue_task_done(&queue), 0);
    ck_assert_int_eq(jg_queue_join(&queue), 0);
    jg_queue_fini(&queue);
}
END_TEST

// A channel would block its thread for ever, or write to a stack that is gone.
START_TEST(s49_channel_without_a_loop) {
    int places[1];
    int value = 5;
    int got = 0;
    jg_chan meeting;
    jg_chan buffered;
    jg_chan_init(&meeting, sizeof(int), NULL, 0);
    jg_chan_init(&buffered, sizeof(int), places, 1);
    ck_assert_int_eq(jg_chan_send(&meeting, &value), -EDEADLK);
    ck_assert_int_eq(jg_chan_recv(&meeting, &got), -EDEADLK);
    ck_assert_int_eq(WITHIN_LIMIT(jg_chan_send(&meeting, &value)), -ETIMEDOUT);
    ck_assert_int_eq(jg_chan_try_recv(&meeting, &got), -EAGAIN); // the sends left nothing behind
    ck_assert_int_eq(jg_chan_send(&buffered, &value), 0);
    jg_case cases[] = {jg_case_recv(&meeting, &got), jg_case_recv(&buffered, &got)};
    ck_assert_int_eq(jg_select(cases, 2), 1);
    ck_assert_int_eq(got, 5);
    ck_assert_int_eq(jg_select(cases, 2), -EDEADLK);
    ck_assert_int_eq(WITHIN_LIMIT(jg_select(cases, 2)), -ETIMEDOUT);
    ck_assert_int_eq(jg_chan_try_send(&meeting, &value), -EAGAIN);
    jg_chan_close(&meeting);
    jg_chan_close(&buffered);
    int chosen[2] = {0, 0};
    for (int i = 0; i < 10; i++) { // both are at their end: each in turn
        chosen[jg_select(cases, 2)]++;
    }
    ck_assert_int_eq(chosen[0], chosen[1]);
}
END_TEST

FIXTURE_MAIN("api/blocking_sync", s47_condition_without_a_loop, s48_barrier_without_a_loop,
             s49_queue_without_a_loop, s49_channel_without_a_loop)
