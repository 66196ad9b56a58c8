// SPDX-License-Identifier: MIT
/* scenarios_sync.h – scenarios of locks, permits, events and futures.
 *
 * Holds      permits, locks, heirs, gate, words, buffer, post.
 * Invariant  see scenarios.h.
 * Called by  scenarios.h.
 * Why        see scenarios.h.
 */
#ifndef SIM_SCENARIOS_SYNC_H
#define SIM_SCENARIOS_SYNC_H

#include "fixtures/fixture.h"

#include <juggle.h>
#include <string.h>

// permits: more tasks than permits, some of which give up.

struct permits {
    jg_sem sem;
    size_t inside;
    int64_t limits_ms[5];
    size_t next;
};

enum { PERMITS = 2 };

static intptr_t permits_use(void *arg) {
    struct permits *shared = arg;
    int64_t limit_ms = shared->limits_ms[shared->next++ % 5];
    int rc = 0;
    JG_TIMEOUT(limit_ms, rc) {
        rc = jg_sem_acquire(&shared->sem);
        if (rc == 0) {
            shared->inside++;
            ck_assert_uint_le(shared->inside, PERMITS);
            jg_sleep(2);
            shared->inside--;
            jg_sem_release(&shared->sem);
        }
    }
    return 0;
}

static intptr_t permits_run(void *arg) {
    struct permits shared = {.limits_ms = {1, 2, 3, 4, 100}};
    (void)arg;
    jg_sem_init(&shared.sem, PERMITS);
    JG_GROUP(group) {
        for (int i = 0; i < 8; i++) {
            jg_group_spawn(group, permits_use, &shared);
        }
    }
    ck_assert_uint_eq(shared.inside, 0);
    for (int i = 0; i < PERMITS; i++) {
        ck_assert_int_eq(jg_sem_try(&shared.sem), 0);
    }
    ck_assert_int_eq(jg_sem_try(&shared.sem), -EAGAIN);
    return 0;
}

// locks: two locks, taken in order, around an update that is torn in two.

struct locks {
    jg_lock first;
    jg_lock second;
    int counter;
    int added;
};

static intptr_t locks_add(void *arg) {
    struct locks *shared = arg;
    for (int i = 0; i < 3; i++) {
        if (jg_lock_acquire(&shared->first) < 0) {
            return 0;
        }
        if (jg_lock_acquire(&shared->second) == 0) {
            int seen = shared->counter;
            jg_sleep(1); // whoever came in now would be overwritten
            shared->counter = seen + 1;
            shared->added++;
            ck_assert_int_eq(jg_lock_release(&shared->second), 0);
        }
        ck_assert_int_eq(jg_lock_release(&shared->first), 0);
        jg_yield();
    }
    return 0;
}

static intptr_t locks_run(void *arg) {
    struct locks shared = {.counter = 0};
    (void)arg;
    JG_GROUP(group) {
        for (int i = 0; i < 4; i++) {
            jg_group_spawn(group, locks_add, &shared);
        }
    }
    ck_assert_int_eq(shared.counter, shared.added);
    ck_assert(scenario_disturbed || shared.added == 12);
    ck_assert_int_eq(jg_lock_try(&shared.first), 0);
    ck_assert_int_eq(jg_lock_try(&shared.second), 0);
    ck_assert_int_eq(jg_lock_release(&shared.first), 0);
    ck_assert_int_eq(jg_lock_release(&shared.second), 0);
    return 0;
}

// heirs: every owner ends without unlocking; each next one is told.

struct heirs {
    jg_lock lock;
    int owners;
    int told;
};

static intptr_t heirs_take(void *arg) {
    struct heirs *shared = arg;
    int rc = jg_lock_acquire(&shared->lock);
    if (rc == 0 || rc == -EOWNERDEAD) {
        shared->told += rc == -EOWNERDEAD;
        shared->owners++;
        jg_sleep(1);
    }
    return 0;
}

static intptr_t heirs_run(void *arg) {
    struct heirs shared = {.owners = 0};
    (void)arg;
    JG_GROUP(group) {
        for (int i = 0; i < 5; i++) {
            jg_group_spawn(group, heirs_take, &shared);
        }
    }
    ck_assert(scenario_disturbed || shared.owners == 5);
    int rc = jg_lock_try(&shared.lock);
    ck_assert_int_eq(rc, shared.owners > 0 ? -EOWNERDEAD : 0);
    ck_assert_int_eq(shared.told, shared.owners > 0 ? shared.owners - 1 : 0);
    ck_assert_int_eq(jg_lock_release(&shared.lock), 0);
    return 0;
}

// gate: an event set and cleared again; everybody who began ends in one of the known ways.

struct gate {
    jg_event event;
    int began;
    int passed;
    int gave_up;
};

static intptr_t gate_pass(void *arg) {
    struct gate *gate = arg;
    int rc = 0;
    gate->began++;
    JG_TIMEOUT(3, rc) {
        rc = jg_event_wait(&gate->event);
    }
    gate->passed += rc == 0;
    gate->gave_up += rc < 0;
    return 0;
}

static intptr_t gate_swing(void *arg) {
    struct gate *gate = arg;
    for (int i = 0; i < 3; i++) {
        jg_sleep(1);
        jg_event_set(&gate->event);
        jg_event_clear(&gate->event);
    }
    return 0;
}

static intptr_t gate_run(void *arg) {
    struct gate gate = {.began = 0};
    (void)arg;
    JG_GROUP(group) {
        jg_group_spawn(group, gate_swing, &gate);
        for (int i = 0; i < 6; i++) {
            jg_group_spawn(group, gate_pass, &gate);
            jg_yield();
        }
    }
    ck_assert_int_eq(gate.began, gate.passed + gate.gave_up);
    ck_assert(scenario_disturbed || (gate.began == 6 && gate.passed > 0));
    return 0;
}

// words: futures that are set, cancelled, or waited for in vain.

struct words {
    jg_future futures[3];
    intptr_t wrong;
};

static intptr_t words_wait(void *arg) {
    struct words *words = arg;
    for (int i = 0; i < 3; i++) {
        intptr_t rc = 0;
        JG_TIMEOUT(4, rc) {
            rc = jg_future_wait(&words->futures[i]);
        }
        bool known = rc == i + 1 || rc == -ETIMEDOUT || rc == -ECANCELED;
        words->wrong += !known && rc != -ENOMEM;
    }
    return 0;
}

static intptr_t words_set(void *arg) {
    struct words *words = arg;
    jg_sleep(1);
    jg_future_set(&words->futures[0], 1);
    jg_sleep(3); // in the tick in which the limit of a waiter strikes
    jg_future_set(&words->futures[1], 2);
    jg_future_cancel(&words->futures[2]);
    return 0;
}

static intptr_t words_run(void *arg) {
    struct words words = {.wrong = 0};
    (void)arg;
    JG_GROUP(group) {
        for (int i = 0; i < 4; i++) {
            jg_group_spawn(group, words_wait, &words);
        }
        jg_group_spawn(group, words_set, &words);
    }
    ck_assert_int_eq(words.wrong, 0);
    for (int i = 0; i < 3; i++) {
        jg_future_fini(&words.futures[i]); // who was to set it may have been cancelled
    }
    return 0;
}

// buffer: producers and consumers around a few places.

enum { PLACES = 3, ITEMS = 20 };

struct buffer {
    jg_sem free;
    jg_sem full;
    int items;
    int produced;
    int consumed;
};

static intptr_t buffer_produce(void *arg) {
    struct buffer *buffer = arg;
    for (int i = 0; i < ITEMS; i++) {
        if (jg_sem_acquire(&buffer->free) < 0) {
            break;
        }
        buffer->items++;
        buffer->produced++;
        ck_assert_int_le(buffer->items, PLACES);
        jg_sem_release(&buffer->full);
    }
    return 0;
}

static intptr_t buffer_consume(void *arg) {
    struct buffer *buffer = arg;
    int rc = 0;
    while (rc == 0) {
        JG_TIMEOUT(5, rc) {
            rc = jg_sem_acquire(&buffer->full);
        }
        if (rc == 0) {
            ck_assert_int_gt(buffer->items, 0);
            buffer->items--;
            buffer->consumed++;
            jg_sem_release(&buffer->free);
        }
    }
    return 0;
}

static intptr_t buffer_run(void *arg) {
    struct buffer buffer = {.items = 0};
    (void)arg;
    jg_sem_init(&buffer.free, PLACES);
    JG_GROUP(group) {
        for (int i = 0; i < 2; i++) {
            jg_group_spawn(group, buffer_consume, &buffer);
            jg_group_spawn(group, buffer_produce, &buffer);
        }
        jg_sleep(100); // those who produce for nobody are not waited for
        jg_group_cancel(group);
    }
    ck_assert_int_eq(buffer.produced, buffer.consumed + buffer.items);
    ck_assert(scenario_disturbed || buffer.consumed == 2 * ITEMS);
    int free = 0;
    while (jg_sem_try(&buffer.free) == 0) {
        free++;
    }
    ck_assert_int_eq(free + buffer.items, PLACES);
    return 0;
}

// post: one item at a time goes from hand to hand, by lock and event; it is never lost or doubled.

struct post {
    jg_lock lock;
    jg_event filled;
    int in_box;
    int sent;
    int received;
};

static intptr_t post_send(void *arg) {
    struct post *post = arg;
    for (int i = 0; i < 5; i++) {
        if (jg_lock_acquire(&post->lock) < 0) {
            return 0;
        }
        if (post->in_box == 0 && jg_yield() == 0) {
            post->in_box = 1;
            post->sent++;
            jg_event_set(&post->filled);
        }
        jg_lock_release(&post->lock);
        jg_sleep(1);
    }
    return 0;
}

static intptr_t post_receive(void *arg) {
    struct post *post = arg;
    for (int i = 0; i < 8; i++) {
        int rc = 0;
        JG_TIMEOUT(2, rc) {
            rc = jg_event_wait(&post->filled);
            rc = rc < 0 ? rc : jg_lock_acquire(&post->lock);
        }
        if (rc < 0) {
            continue;
        }
        if (post->in_box > 0) {
            jg_yield();
            post->in_box--;
            post->received++;
            jg_event_clear(&post->filled);
        }
        jg_lock_release(&post->lock);
    }
    return 0;
}

static intptr_t post_run(void *arg) {
    struct post post = {.sent = 0};
    (void)arg;
    JG_GROUP(group) {
        jg_group_spawn(group, post_send, &post);
        jg_group_spawn(group, post_receive, &post);
        jg_group_spawn(group, post_receive, &post);
    }
    ck_assert_int_eq(post.sent, post.received + post.in_box);
    ck_assert(scenario_disturbed || post.received > 0);
    ck_assert_int_eq(jg_lock_try(&post.lock), 0);
    ck_assert_int_eq(jg_lock_release(&post.lock), 0);
    return 0;
}

#define SCENARIOS_SYNC(X)                                                                          \
    X(permits, NULL)                                                                               \
    X(locks, NULL)                                                                                 \
    X(heirs, NULL)                                                                                 \
    X(gate, NULL)                                                                                  \
    X(words, NULL)                                                                                 \
    X(buffer, NULL)                                                                                \
    X(post, NULL)

#endif
