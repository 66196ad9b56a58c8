// SPDX-License-Identifier: MIT
/* test_cond.c – SEMANTICS S47: conditions.
 *
 * Holds      nothing between tests.
 * Invariant  a wait that gave the lock up returns with the lock held, whatever it returns.
 * Called by  ctest, on epoll and sim.
 * Why        a notification lost to a cancel leaves somebody asleep beside a full queue.
 */
#include "api/api.h"

enum { WAITERS = 3, UNSET = 1 };

struct shared {
    jg_lock lock;
    jg_cond cond;
    int ready;
    int woken;
    int order[WAITERS];
};

struct waiter {
    struct shared *shared;
    int number;
    int rc;       // of the wait
    int released; // of the release after it
};

/* Waits once, and says how it went. Takes the lock in the order of its number. */
static intptr_t wait_once(void *arg) {
    struct waiter *waiter = arg;
    struct shared *shared = waiter->shared;
    jg_sleep(waiter->number);
    ck_assert_int_eq(jg_lock_acquire(&shared->lock), 0);
    waiter->rc = jg_cond_wait(&shared->cond, &shared->lock);
    if (waiter->rc == 0) {
        shared->order[shared->woken++] = waiter->number;
    }
    waiter->released = jg_lock_release(&shared->lock);
    return 0;
}

/* Starts the waiters; when it returns all of them wait. */
static void start(struct shared *shared, struct waiter *waiters, jg_task **tasks) {
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){shared, i, UNSET, UNSET};
        tasks[i] = jg_spawn(wait_once, &waiters[i]);
    }
    jg_sleep(2 * WAITERS);
    ck_assert(!jg_lock_is_held(&shared->lock));
}

static void join_all(jg_task **tasks) {
    for (int i = 0; i < WAITERS; i++) {
        jg_join(tasks[i]);
    }
}

static intptr_t order_body(void *arg) {
    struct shared shared = {.ready = 0};
    struct waiter waiters[WAITERS];
    jg_task *tasks[WAITERS];
    (void)arg;
    start(&shared, waiters, tasks);
    jg_cond_notify(&shared.cond, 0);
    jg_sleep(1);
    ck_assert_int_eq(shared.woken, 0);
    jg_cond_notify(&shared.cond, 1);
    jg_sleep(1);
    ck_assert_int_eq(shared.woken, 1);
    jg_lock_acquire(&shared.lock);
    jg_cond_notify_all(&shared.cond);
    jg_sleep(1);
    ck_assert_int_eq(shared.woken, 1); // the lock is not theirs yet
    jg_lock_release(&shared.lock);
    join_all(tasks);
    for (int i = 0; i < WAITERS; i++) {
        ck_assert_int_eq(shared.order[i], i);
        ck_assert_int_eq(waiters[i].rc, 0);
        ck_assert_int_eq(waiters[i].released, 0);
    }
    return 0;
}

// The wrong waiter would be notified, or one would go on without the lock.
START_TEST(s47_notified_in_order_and_with_the_lock) {
    run_body(order_body);
}
END_TEST

static intptr_t retake_body(void *arg) {
    struct shared shared = {.ready = 0};
    struct waiter waiters[WAITERS];
    jg_task *tasks[WAITERS];
    (void)arg;
    start(&shared, waiters, tasks);
    jg_lock_acquire(&shared.lock);
    jg_cancel(tasks[0]);
    jg_sleep(3);
    ck_assert_int_eq(waiters[0].rc, UNSET); // it waits for the lock, though the cancel stands
    jg_lock_release(&shared.lock);
    jg_join(tasks[0]);
    ck_assert_int_eq(waiters[0].rc, -ECANCELED);
    ck_assert_int_eq(waiters[0].released, 0);
    ck_assert_int_eq(waiters[1].rc, UNSET); // nobody was notified
    jg_cond_notify_all(&shared.cond);
    jg_join(tasks[1]);
    jg_join(tasks[2]);
    ck_assert_int_eq(shared.woken, 2);
    return 0;
}

// The caller would release a lock that another task holds.
START_TEST(s47_cancelled_wait_takes_the_lock_again) {
    run_body(retake_body);
}
END_TEST

/* Notifies one and cancels it in the same tick, in either order. */
static intptr_t same_tick(bool cancel_first) {
    struct shared shared = {.ready = 0};
    struct waiter waiters[WAITERS];
    jg_task *tasks[WAITERS];
    start(&shared, waiters, tasks);
    if (cancel_first) {
        jg_cancel(tasks[0]);
    }
    jg_cond_notify(&shared.cond, 1);
    if (!cancel_first) {
        jg_cancel(tasks[0]);
    }
    jg_join(tasks[0]);
    jg_join(tasks[1]);
    ck_assert_int_eq(waiters[0].rc, -ECANCELED);
    ck_assert_int_eq(waiters[0].released, 0);
    ck_assert_int_eq(waiters[1].rc, 0); // the notification is its own now
    jg_sleep(1);
    ck_assert_int_eq(waiters[2].rc, UNSET);
    jg_cond_notify(&shared.cond, 5);
    jg_join(tasks[2]);
    return 0;
}

static intptr_t same_tick_body(void *arg) {
    (void)arg;
    intptr_t rc = same_tick(false);
    return rc < 0 ? rc : same_tick(true);
}

// A notification would be lost with the waiter it came to (CPython 3.12, State Threads).
START_TEST(s47_notification_of_a_cancelled_waiter_goes_on) {
    run_body(same_tick_body);
}
END_TEST

static intptr_t late_cancel_body(void *arg) {
    struct shared shared = {.ready = 0};
    struct waiter waiters[WAITERS];
    jg_task *tasks[WAITERS];
    (void)arg;
    start(&shared, waiters, tasks);
    jg_lock_acquire(&shared.lock);
    jg_cond_notify(&shared.cond, 1);
    jg_sleep(1);
    jg_cancel(tasks[0]); // notified some time ago, and still without the lock
    jg_sleep(1);
    ck_assert_int_eq(waiters[0].rc, UNSET);
    jg_lock_release(&shared.lock);
    jg_join(tasks[0]);
    jg_join(tasks[1]);
    ck_assert_int_eq(waiters[0].rc, -ECANCELED);
    ck_assert_int_eq(waiters[1].rc, 0);
    jg_cond_notify(&shared.cond, 1);
    jg_join(tasks[2]);
    return 0;
}

// A cancel that comes between the notification and the lock would lose the notification.
START_TEST(s47_cancelled_between_notification_and_lock) {
    run_body(late_cancel_body);
}
END_TEST

static intptr_t refusals_body(void *arg) {
    struct shared shared = {.ready = 0};
    int rc = 0;
    (void)arg;
    ck_assert_int_eq(jg_cond_wait(&shared.cond, &shared.lock), -EPERM);
    ck_assert(!jg_lock_is_held(&shared.lock));
    jg_lock_acquire(&shared.lock);
    JG_TIMEOUT(3, rc) {
        rc = jg_cond_wait(&shared.cond, &shared.lock);
        ck_assert(jg_lock_is_held(&shared.lock));
        ck_assert_int_eq(jg_cond_wait(&shared.cond, &shared.lock), -ECANCELED); // still stands
        ck_assert(jg_lock_is_held(&shared.lock));
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(jg_lock_release(&shared.lock), 0);
    jg_cond_notify_all(&shared.cond); // nobody is left in there
    return 0;
}

// A wait without the lock, or one that is refused, would take the lock away.
START_TEST(s47_refused_waits_leave_the_lock_alone) {
    run_body(refusals_body);
}
END_TEST

static intptr_t notify_and_end(void *arg) {
    struct shared *shared = arg;
    jg_lock_acquire(&shared->lock);
    jg_cond_notify(&shared->cond, 1);
    return 0; // with the lock
}

static intptr_t dead_owner_body(void *arg) {
    struct shared shared = {.ready = 0};
    struct waiter waiters[WAITERS];
    jg_task *tasks[WAITERS];
    (void)arg;
    start(&shared, waiters, tasks);
    jg_join(jg_spawn(notify_and_end, &shared));
    jg_join(tasks[0]);
    ck_assert_int_eq(waiters[0].rc, -EOWNERDEAD);
    ck_assert_int_eq(waiters[0].released, 0);
    jg_cond_notify_all(&shared.cond);
    jg_join(tasks[1]);
    jg_join(tasks[2]);
    ck_assert_int_eq(shared.woken, 2);
    return 0;
}

// A waiter would not learn that what the lock guards may be torn.
START_TEST(s47_the_notifier_dies_with_the_lock) {
    run_body(dead_owner_body);
}
END_TEST

static bool is_ready(void *arg) {
    return ((struct shared *)arg)->ready > 0;
}

static intptr_t consume(void *arg) {
    struct shared *shared = arg;
    ck_assert_int_eq(jg_lock_acquire(&shared->lock), 0);
    ck_assert_int_eq(jg_cond_wait_for(&shared->cond, &shared->lock, is_ready, shared), 0);
    shared->ready--;
    shared->woken++;
    return jg_lock_release(&shared->lock);
}

static intptr_t wait_for_body(void *arg) {
    struct shared shared = {.ready = 0};
    intptr_t rc = 0;
    (void)arg;
    ck_assert_int_eq(jg_cond_wait_for(&shared.cond, &shared.lock, is_ready, &shared), -EPERM);
    JG_GROUP(group, rc) {
        for (int i = 0; i < 4; i++) {
            jg_group_spawn(group, consume, &shared);
        }
        for (int i = 0; i < 4; i++) {
            jg_sleep(1);
            shared.ready++;
            jg_cond_notify_all(&shared.cond); // three of them wait on
        }
    }
    ck_assert_int_eq(shared.woken, 4);
    return rc;
}

// A waiter would go on although what it waits for does not hold.
START_TEST(s47_wait_for_looks_again) {
    run_body(wait_for_body);
}
END_TEST

static intptr_t withdrawn_body(void *arg) {
    struct shared shared = {.ready = 0};
    struct waiter waiter = {&shared, 0, UNSET, UNSET};
    (void)arg;
    jg_task *task = jg_spawn(wait_once, &waiter);
    jg_sleep(1);
    jg_lock_acquire(&shared.lock);
    jg_cancel(task); // it leaves the condition, and waits for the lock
    jg_uncancel(task);
    jg_lock_release(&shared.lock);
    ck_assert_int_eq(jg_join(task), 0); // the cancel was taken back; its wait is over all the same
    ck_assert_int_eq(waiter.rc, -ECANCELED);
    ck_assert_int_eq(waiter.released, 0);
    return 0;
}

// A wait that a cancel broke off would look notified once the cancel is taken back.
START_TEST(s47_cancel_taken_back_before_the_lock_came) {
    run_body(withdrawn_body);
}
END_TEST

static intptr_t edge_body(void *arg) {
    struct shared shared = {.ready = 0};
    struct waiter waiter = {&shared, 0, UNSET, UNSET};
    const jg_spawn_options edge = {.edge = true};
    (void)arg;
    jg_task *task = jg_spawn_with(wait_once, &waiter, &edge);
    jg_sleep(1);
    jg_lock_acquire(&shared.lock);
    jg_cancel(task);
    jg_sleep(1);
    jg_lock_release(&shared.lock);
    ck_assert_int_eq(jg_join(task), 0);
    ck_assert_int_eq(waiter.rc, -ECANCELED);
    ck_assert_int_eq(waiter.released, 0);
    return 0;
}

// Under asyncio's edge rule the cancel would be delivered twice, or never.
START_TEST(s47_edge_rule_delivers_once) {
    run_body(edge_body);
}
END_TEST

FIXTURE_MAIN("api/cond", s47_notified_in_order_and_with_the_lock,
             s47_cancelled_wait_takes_the_lock_again,
             s47_notification_of_a_cancelled_waiter_goes_on,
             s47_cancelled_between_notification_and_lock, s47_refused_waits_leave_the_lock_alone,
             s47_the_notifier_dies_with_the_lock, s47_wait_for_looks_again,
             s47_cancel_taken_back_before_the_lock_came, s47_edge_rule_delivers_once)
