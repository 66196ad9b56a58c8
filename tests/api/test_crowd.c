// SPDX-License-Identifier: MIT
/* test_crowd.c – hazard X10: a crowd that sleeps, or waits for one thing, is cancelled at once.
 *
 * Holds      nothing between tests.
 * Invariant  leaving a queue takes the same time wherever one stands in it, and the heap of timers nearly.
 * Called by  ctest, on epoll: the simulation counts the ready tasks at every step.
 * Why        a queue that is searched makes a cancel quadratic: at 100,000 waiters, minutes.
 * Quirks     a crowd of a quarter is timed beside it, as CPU; the bound lies between four times and sixteen.
 */
// Backends: epoll
#define FIXTURE_LIMIT 60
#include "api/api.h"
#include "fixtures/guards.h"

#include <time.h>

// A fourfold crowd takes four times as long, and up to twice that where it does not fit the caches: sixteen
// times is quadratic.
enum { CROWD = 100000 / API_SLOWED, QUARTER = CROWD / 4, GROWTH_MOST = 12, ROUNDS = 3 };

struct crowd {
    jg_lock lock;
    jg_cond cond;
    jg_sem sem;
    jg_barrier barrier;
    jg_queue queue;
    jg_chan chan;
    jg_event event;
    jg_future future;
    jg_fn *wait;
    int waiting;
    int cancelled;
};

static intptr_t wait_time(void *arg) {
    (void)arg;
    return jg_sleep(600000);
}

static intptr_t wait_event(void *arg) {
    return jg_event_wait(&((struct crowd *)arg)->event);
}

static intptr_t wait_future(void *arg) {
    return jg_future_wait(&((struct crowd *)arg)->future);
}

static intptr_t wait_lock(void *arg) {
    return jg_lock_acquire(&((struct crowd *)arg)->lock);
}

static intptr_t wait_sem(void *arg) {
    return jg_sem_acquire(&((struct crowd *)arg)->sem);
}

static intptr_t wait_barrier(void *arg) {
    return jg_barrier_wait(&((struct crowd *)arg)->barrier);
}

static intptr_t wait_queue(void *arg) {
    intptr_t item;
    return jg_queue_get(&((struct crowd *)arg)->queue, &item);
}

static intptr_t wait_select(void *arg) {
    struct crowd *crowd = arg;
    jg_case cases[] = {jg_case_recv(&crowd->chan, NULL), jg_case_send(NULL, NULL),
                       jg_case_recv(&crowd->chan, NULL)};
    return jg_select(cases, 3);
}

static intptr_t wait_cond(void *arg) {
    struct crowd *crowd = arg;
    jg_lock own = {.owner = NULL};
    jg_lock_acquire(&own);
    intptr_t rc = jg_cond_wait(&crowd->cond, &own);
    jg_lock_release(&own);
    return rc;
}

static intptr_t wait_in_crowd(void *arg) {
    struct crowd *crowd = arg;
    crowd->waiting++;
    intptr_t rc = crowd->wait(crowd);
    crowd->cancelled += rc == -ECANCELED;
    return 0;
}

static int64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * JG_S + now.tv_nsec;
}

/* CPU from the cancel of `count` waiters to the end of the last. */
static int64_t cancel_crowd(jg_fn *wait, int count) {
    struct crowd crowd = {.wait = wait};
    int64_t start_ns = 0;
    jg_barrier_init(&crowd.barrier, SIZE_MAX);
    ck_assert_int_eq(jg_lock_acquire(&crowd.lock), 0);
    JG_GROUP(group) {
        for (int i = 0; i < count; i++) {
            ck_assert_int_eq(jg_group_spawn(group, wait_in_crowd, &crowd), 0);
        }
        while (crowd.waiting < count) {
            jg_yield();
        }
        start_ns = cpu_ns();
        jg_group_cancel(group);
    }
    int64_t took_ns = cpu_ns() - start_ns;
    ck_assert_int_eq(crowd.cancelled, count);
    ck_assert_uint_eq(jg_barrier_waiting(&crowd.barrier), 0);
    ck_assert_int_eq(jg_chan_try_send(&crowd.chan, NULL), -EAGAIN);
    jg_queue_fini(&crowd.queue); // nobody is left in there
    ck_assert_int_eq(jg_lock_release(&crowd.lock), 0);
    return took_ns;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static intptr_t crowd_body(void *arg) {
    static jg_fn *const waits[] = {wait_time, wait_event,   wait_future, wait_lock,  wait_cond,
                                   wait_sem,  wait_barrier, wait_queue,  wait_select};
    (void)arg;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        int64_t quarter_ns = INT64_MAX;
        int64_t all_ns = INT64_MAX;
        // The least of several, in turn: what a busy machine adds to one of them is not ours.
        for (int round = 0; round < ROUNDS; round++) {
            quarter_ns = least(quarter_ns, cancel_crowd(waits[i], QUARTER));
            all_ns = least(all_ns, cancel_crowd(waits[i], CROWD));
        }
        ck_assert_msg(all_ns < quarter_ns * GROWTH_MOST, "wait %zu: %lld ns, and a quarter %lld ns",
                      i, (long long)all_ns, (long long)quarter_ns);
    }
    return 0;
}

// A hundred thousand waiters cancelled at once would take minutes.
START_TEST(x10_a_crowd_is_cancelled_in_linear_time) {
    needs_light_guards();
    run_once(crowd_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/crowd", x10_a_crowd_is_cancelled_in_linear_time)
