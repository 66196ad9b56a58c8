// SPDX-License-Identifier: MIT
/* test_sync.c – SEMANTICS S44 to S46 and S48: lock, semaphore and event.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed; what needs an order of arrival makes it with
 *            sleeps of different lengths.
 * Called by  ctest, on epoll and sim.
 * Why        a permit or a lock lost to a cancel is the classic bug of asynchronous runtimes.
 */
#include "api/api.h"

enum { NAMES = 8 };

/* What tasks write as they come by. */
struct record {
    jg_lock lock;
    jg_sem sem;
    jg_event event;
    char order[NAMES + 1];
    size_t count;
};

static void note(struct record *record, char name) {
    ck_assert_uint_lt(record->count, NAMES);
    record->order[record->count++] = name;
}

struct waiter {
    struct record *record;
    char name;
    int64_t after_ms;
    int rc;
    int next;
};

static intptr_t take_lock(void *arg) {
    struct waiter *waiter = arg;
    jg_sleep(waiter->after_ms);
    waiter->rc = jg_lock_acquire(&waiter->record->lock);
    if (waiter->rc == 0 || waiter->rc == -EOWNERDEAD) {
        note(waiter->record, waiter->name);
        waiter->next = jg_yield();
        jg_lock_release(&waiter->record->lock);
    }
    return 0;
}

static intptr_t s44_order_body(void *arg) {
    (void)arg;
    struct record record = {.count = 0};
    struct waiter waiters[3] = {{.record = &record, .name = 'a', .after_ms = 1},
                                {.record = &record, .name = 'b', .after_ms = 2},
                                {.record = &record, .name = 'c', .after_ms = 3}};
    ck_assert_int_eq(jg_lock_acquire(&record.lock), 0);
    JG_GROUP(group) {
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(group, take_lock, &waiters[i]);
        }
        jg_sleep(10);
        ck_assert_int_eq(jg_lock_release(&record.lock), 0);
        ck_assert_int_eq(jg_lock_try(&record.lock), -EBUSY); // handed over already
        ck_assert_int_eq(jg_lock_acquire(&record.lock), 0);  // behind all who waited
        note(&record, 'm');
        jg_lock_release(&record.lock);
    }
    ck_assert_str_eq(record.order, "abcm");
    return 0;
}

// A newcomer, or the one who just released it, would take the lock from those who wait.
START_TEST(s44_lock_is_handed_over_in_order) {
    run_body(s44_order_body);
}
END_TEST

static intptr_t s44_cancel_body(void *arg) {
    (void)arg;
    struct record record = {.count = 0};
    struct waiter a = {.record = &record, .name = 'a'};
    struct waiter b = {.record = &record, .name = 'b', .after_ms = 2};
    jg_lock_acquire(&record.lock);
    jg_task *first = jg_spawn(take_lock, &a);
    jg_task *second = jg_spawn(take_lock, &b);
    jg_sleep(10);
    jg_cancel(first);
    jg_lock_release(&record.lock);
    jg_join(first);
    ck_assert_int_eq(jg_join(second), 0);
    ck_assert_int_eq(a.rc, -ECANCELED);
    ck_assert_str_eq(record.order, "b");
    return 0;
}

// A cancelled waiter would be given the lock, and nobody would ever release it.
START_TEST(s44_cancelled_waiter_is_skipped) {
    run_body(s44_cancel_body);
}
END_TEST

static intptr_t s44_same_tick_body(void *arg) {
    (void)arg;
    struct record record = {.count = 0};
    struct waiter a = {.record = &record, .name = 'a'};
    struct waiter b = {.record = &record, .name = 'b', .after_ms = 2};
    jg_lock_acquire(&record.lock);
    jg_task *first = jg_spawn(take_lock, &a);
    jg_task *second = jg_spawn(take_lock, &b);
    jg_sleep(10);
    jg_lock_release(&record.lock);
    jg_cancel(first); // the lock is its own by now: completion wins
    jg_join(first);
    ck_assert_int_eq(jg_join(second), 0);
    ck_assert_int_eq(a.rc, 0);
    ck_assert_int_eq(a.next, -ECANCELED);
    ck_assert_str_eq(record.order, "ab");
    return 0;
}

// A lock handed over in the tick of a cancel would be held by nobody for ever.
START_TEST(s44_cancelled_in_the_tick_of_the_hand_over) {
    run_body(s44_same_tick_body);
}
END_TEST

static intptr_t hold_and_end(void *arg) {
    return jg_lock_acquire(arg);
}

static intptr_t release_others(void *arg) {
    return jg_lock_release(arg);
}

static intptr_t s45_body(void *arg) {
    (void)arg;
    jg_lock lock = {0};
    ck_assert_int_eq(jg_lock_release(&lock), -EPERM);
    ck_assert_int_eq(jg_lock_acquire(&lock), 0);
    ck_assert_int_eq(jg_lock_acquire(&lock), -EDEADLK);
    ck_assert_int_eq(jg_lock_try(&lock), -EDEADLK);
    ck_assert_int_eq(jg_join(jg_spawn(release_others, &lock)), -EPERM);
    ck_assert_int_eq(jg_lock_release(&lock), 0);

    ck_assert_int_eq(jg_join(jg_spawn(hold_and_end, &lock)), 0);
    ck_assert_int_eq(jg_lock_acquire(&lock), -EOWNERDEAD); // it is ours, in whatever state
    ck_assert_int_eq(jg_lock_release(&lock), 0);
    ck_assert_int_eq(jg_lock_acquire(&lock), 0);
    ck_assert_int_eq(jg_lock_release(&lock), 0);
    return 0;
}

// Misuse of a lock would go unseen, or a task that ends would take the lock with it.
START_TEST(s45_misuse_and_dead_owner) {
    run_body(s45_body);
}
END_TEST

static intptr_t hold_then_end(void *arg) {
    int rc = jg_lock_acquire(arg);
    jg_sleep(5);
    return rc;
}

static intptr_t s45_waiting_body(void *arg) {
    (void)arg;
    struct record record = {.count = 0};
    struct waiter a = {.record = &record, .name = 'a', .after_ms = 1};
    JG_GROUP(group) {
        jg_group_spawn(group, hold_then_end, &record.lock);
        jg_group_spawn(group, take_lock, &a);
    }
    ck_assert_int_eq(a.rc, -EOWNERDEAD);
    return 0;
}

// Those who wait for a lock whose owner has ended would wait for ever.
START_TEST(s45_waiters_hear_of_a_dead_owner) {
    run_body(s45_waiting_body);
}
END_TEST

static intptr_t take_permit(void *arg) {
    struct waiter *waiter = arg;
    jg_sleep(waiter->after_ms);
    waiter->rc = jg_sem_acquire(&waiter->record->sem);
    if (waiter->rc == 0) {
        note(waiter->record, waiter->name);
        waiter->next = jg_yield();
        jg_sem_release(&waiter->record->sem);
    }
    return 0;
}

static intptr_t s46_body(void *arg) {
    (void)arg;
    struct record record = {.count = 0};
    struct waiter a = {.record = &record, .name = 'a'};
    struct waiter b = {.record = &record, .name = 'b', .after_ms = 2};
    jg_task *first = jg_spawn(take_permit, &a);
    jg_task *second = jg_spawn(take_permit, &b);
    jg_sleep(10);
    jg_sem_release(&record.sem);
    ck_assert_int_eq(jg_sem_try(&record.sem), -EAGAIN); // given already: no newcomer takes it
    jg_cancel(first);
    jg_join(first);
    ck_assert_int_eq(jg_join(second), 0);
    ck_assert_str_eq(record.order, "ab");
    ck_assert_int_eq(a.next, -ECANCELED); // completion wins; the cancel stays pending
    ck_assert_int_eq(jg_sem_try(&record.sem), 0);
    ck_assert_int_eq(jg_sem_try(&record.sem), -EAGAIN);
    return 0;
}

// A permit would be lost with a cancelled waiter, or taken by a newcomer.
START_TEST(s46_semaphore_keeps_its_permits) {
    run_body(s46_body);
}
END_TEST

static intptr_t s46_bounded_body(void *arg) {
    jg_sem sem;
    (void)arg;
    jg_sem_init_bounded(&sem, 2);
    ck_assert_int_eq(jg_sem_release(&sem), -EOVERFLOW);
    ck_assert_uint_eq(jg_sem_permits(&sem), 2);
    ck_assert_int_eq(jg_sem_acquire(&sem), 0);
    ck_assert_int_eq(jg_sem_release(&sem), 0);
    ck_assert_int_eq(jg_sem_release(&sem), -EOVERFLOW);
    jg_sem_init_bounded(&sem, 0);
    ck_assert_int_eq(jg_sem_release(&sem), -EOVERFLOW);
    jg_sem_init(&sem, 0);
    ck_assert_int_eq(jg_sem_release(&sem), 0); // no bound
    jg_sem_init(&sem, SIZE_MAX);
    ck_assert_int_eq(jg_sem_release(&sem), -EOVERFLOW);
    return 0;
}

// A permit that was never taken would be given back, and let one too many in.
START_TEST(s46_bounded_semaphore_refuses_one_too_many) {
    run_body(s46_bounded_body);
}
END_TEST

static intptr_t s44_deep_body(void *arg) {
    enum { LOCKS = 5 };
    jg_lock locks[LOCKS] = {{.owner = NULL}};
    static const int order[LOCKS] = {2, 0, 4, 3, 1}; // neither the first in nor the last in
    (void)arg;
    for (int i = 0; i < LOCKS; i++) {
        ck_assert(!jg_lock_is_held(&locks[i]));
        ck_assert_int_eq(jg_lock_acquire(&locks[i]), 0);
        ck_assert(jg_lock_is_held(&locks[i]));
    }
    for (int i = 0; i < LOCKS; i++) {
        ck_assert_int_eq(jg_lock_release(&locks[order[i]]), 0);
        ck_assert_int_eq(jg_lock_release(&locks[order[i]]), -EPERM);
        ck_assert_int_eq(jg_lock_try(&locks[order[0]]), i == 0 ? 0 : -EDEADLK);
    }
    return jg_lock_release(&locks[order[0]]);
}

// A lock released out of turn would take another one with it.
START_TEST(s44_locks_are_released_in_any_order) {
    run_body(s44_deep_body);
}
END_TEST

static intptr_t wait_for_event(void *arg) {
    struct waiter *waiter = arg;
    waiter->rc = jg_event_wait(&waiter->record->event);
    return waiter->rc;
}

static intptr_t s48_body(void *arg) {
    (void)arg;
    struct record record = {.count = 0};
    struct waiter waiters[3] = {{.record = &record}, {.record = &record}, {.record = &record}};
    jg_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        waiters[i].rc = -1;
        tasks[i] = jg_spawn(wait_for_event, &waiters[i]);
    }
    jg_sleep(5);
    jg_event_set(&record.event);
    ck_assert(jg_event_is_set(&record.event));
    ck_assert_int_eq(jg_event_wait(&record.event), 0);
    jg_event_clear(&record.event);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(jg_join(tasks[i]), 0);
    }
    int rc = 0;
    JG_TIMEOUT(5, rc) {
        rc = jg_event_wait(&record.event);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    return 0;
}

// Those who waited for an event would miss it if it is cleared at once.
START_TEST(s48_event_set_and_cleared_in_one_tick) {
    run_body(s48_body);
}
END_TEST

enum { WORKERS = 40, PERMITS = 3 };

struct conservation {
    jg_sem sem;
    int inside;
    int most;
};

static intptr_t come_and_go(void *arg) {
    struct conservation *shared = arg;
    for (int i = 0; i < 5; i++) {
        int rc = jg_sem_acquire(&shared->sem);
        if (rc < 0) {
            return rc;
        }
        shared->inside++;
        shared->most = shared->inside > shared->most ? shared->inside : shared->most;
        ck_assert_int_le(shared->inside, PERMITS);
        jg_yield();
        shared->inside--;
        jg_sem_release(&shared->sem);
    }
    return 0;
}

static intptr_t conservation_body(void *arg) {
    (void)arg;
    struct conservation shared = {.inside = 0};
    jg_task *tasks[WORKERS];
    jg_sem_init(&shared.sem, PERMITS);
    for (int i = 0; i < WORKERS; i++) {
        tasks[i] = jg_spawn(come_and_go, &shared);
    }
    for (int i = 0; i < WORKERS; i++) {
        jg_yield();
        if (i % 3 == 0) {
            jg_cancel(tasks[i]);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        jg_join(tasks[i]);
    }
    for (int i = 0; i < PERMITS; i++) {
        ck_assert_int_eq(jg_sem_try(&shared.sem), 0);
    }
    ck_assert_int_eq(jg_sem_try(&shared.sem), -EAGAIN);
    return 0;
}

// Random cancels would leak permits, or let too many in.
START_TEST(r01_permits_are_conserved) {
    run_body(conservation_body);
}
END_TEST

FIXTURE_MAIN("api/sync", s44_lock_is_handed_over_in_order, s44_cancelled_waiter_is_skipped,
             s44_cancelled_in_the_tick_of_the_hand_over, s45_misuse_and_dead_owner,
             s45_waiters_hear_of_a_dead_owner, s46_semaphore_keeps_its_permits,
             s46_bounded_semaphore_refuses_one_too_many, s44_locks_are_released_in_any_order,
             s48_event_set_and_cleared_in_one_tick, r01_permits_are_conserved)
