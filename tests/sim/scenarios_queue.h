// SPDX-License-Identifier: MIT
/* scenarios_queue.h – scenarios of queues.
 *
 * Holds      workers, triage, eviction.
 * Invariant  see scenarios.h.
 * Called by  scenarios.h.
 * Why        see scenarios.h.
 */
#ifndef SIM_SCENARIOS_QUEUE_H
#define SIM_SCENARIOS_QUEUE_H

#include "fixtures/fixture.h"

#include <juggle.h>

#define SCENARIOS_QUEUE(X)                                                                         \
    X(workers, NULL)                                                                               \
    X(triage, NULL)                                                                                \
    X(eviction, NULL)

/* A queue, and what became of the items, which are single bits or small numbers. */
struct counted_queue {
    jg_queue queue;
    int64_t put;
    int64_t got;
};

static int64_t queue_dropped;

static void queue_drop(void *item) {
    queue_dropped += (intptr_t)item;
}

static void queue_begin(struct counted_queue *shared, jg_queue_order order, size_t capacity) {
    const jg_queue_options options = {.order = order, .capacity = capacity, .drop = queue_drop};
    *shared = (struct counted_queue){.put = 0};
    jg_queue_init(&shared->queue, &options);
    queue_dropped = 0;
}

static void queue_end(struct counted_queue *shared) {
    jg_queue_fini(&shared->queue);
    ck_assert_int_eq(shared->put, shared->got + queue_dropped);
}

// workers: a bounded queue, workers that report each item, and a join before the shutdown.

enum { WORKS = 12 };

static intptr_t workers_put(void *arg) {
    struct counted_queue *shared = arg;
    for (intptr_t item = 1; item <= WORKS; item++) {
        if (jg_queue_put(&shared->queue, item) < 0) {
            break;
        }
        shared->put += item;
    }
    int rc = 0;
    JG_TIMEOUT(100, rc) {
        rc = jg_queue_join(&shared->queue);
    }
    ck_assert(rc < 0 || jg_queue_unfinished(&shared->queue) == 0);
    ck_assert(scenario_disturbed || rc == 0);
    jg_queue_shutdown(&shared->queue, rc < 0);
    return 0;
}

static intptr_t workers_get(void *arg) {
    struct counted_queue *shared = arg;
    intptr_t item;
    int rc = 0;
    for (int tries = 0; tries < 60 && (rc == 0 || rc == -ETIMEDOUT); tries++) {
        JG_TIMEOUT(3, rc) {
            rc = jg_queue_get(&shared->queue, &item);
        }
        if (rc == 0) {
            shared->got += item;
            jg_sleep(item % 4);
            ck_assert_int_eq(jg_queue_task_done(&shared->queue), 0);
        }
    }
    return 0;
}

static intptr_t workers_run(void *arg) {
    struct counted_queue shared;
    (void)arg;
    queue_begin(&shared, JG_FIFO, 2);
    JG_GROUP(group) {
        jg_group_spawn(group, workers_put, &shared);
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(group, workers_get, &shared);
        }
        jg_sleep(300); // who waits for a putter that never began is not waited for
        jg_queue_shutdown(&shared.queue, true);
    }
    ck_assert(scenario_disturbed || shared.got == WORKS * (WORKS + 1) / 2);
    queue_end(&shared);
    return 0;
}

// triage: by priority and last in first out, without limit; what is got is never before its turn.

struct triage {
    struct counted_queue urgent;
    struct counted_queue stack;
    int putters;
};

static intptr_t triage_put(void *arg) {
    struct triage *triage = arg;
    intptr_t items[2] = {1 + triage->putters++, 0};
    for (int i = 0; i < 6; i++) {
        intptr_t item = items[0] * 37 % 11 + 1;
        items[0]++;
        if (jg_queue_put(&triage->urgent.queue, item) == 0) {
            triage->urgent.put += item;
        }
        if (jg_queue_try_put(&triage->stack.queue, item) == 0) {
            triage->stack.put += item;
        }
        jg_sleep(item % 2);
    }
    return 0;
}

static intptr_t triage_get(void *arg) {
    struct triage *triage = arg;
    for (int i = 0; i < 9; i++) {
        intptr_t item;
        intptr_t next;
        int rc = 0;
        JG_TIMEOUT(2, rc) {
            rc = jg_queue_get(&triage->urgent.queue, &item);
        }
        triage->urgent.got += rc == 0 ? item : 0;
        if (rc == 0 && jg_queue_try_get(&triage->urgent.queue, &next) == 0) {
            triage->urgent.got += next;
        }
        if (jg_queue_try_get(&triage->stack.queue, &item) == 0) {
            triage->stack.got += item;
        }
    }
    return 0;
}

static intptr_t triage_run(void *arg) {
    struct triage triage = {.putters = 0};
    intptr_t before = 0;
    intptr_t item;
    (void)arg;
    queue_begin(&triage.urgent, JG_PRIORITY, 0);
    queue_begin(&triage.stack, JG_LIFO, 0);
    JG_GROUP(group) {
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(group, triage_put, &triage);
        }
        jg_group_spawn(group, triage_get, &triage);
    }
    ck_assert(scenario_disturbed || triage.urgent.put > 0);
    while (jg_queue_try_get(&triage.urgent.queue, &item) == 0) {
        ck_assert_int_ge(item, before);
        before = item;
        triage.urgent.got += item;
    }
    queue_end(&triage.urgent);
    queue_end(&triage.stack);
    return 0;
}

// eviction: a queue is shut at once while all wait in it, on both sides.

struct eviction {
    struct counted_queue queue;
    int inside;
};

static intptr_t eviction_put(void *arg) {
    struct eviction *eviction = arg;
    eviction->inside++;
    for (intptr_t item = 1; jg_queue_put(&eviction->queue.queue, item) == 0; item++) {
        eviction->queue.put += item;
    }
    eviction->inside--;
    return 0;
}

static intptr_t eviction_get(void *arg) {
    struct eviction *eviction = arg;
    intptr_t item;
    eviction->inside++;
    for (int i = 0; i < 3 && jg_queue_get(&eviction->queue.queue, &item) == 0; i++) {
        eviction->queue.got += item;
        jg_sleep(1);
        jg_queue_task_done(&eviction->queue.queue);
    }
    eviction->inside--;
    return 0;
}

static intptr_t eviction_join(void *arg) {
    struct eviction *eviction = arg;
    int rc = 0;
    eviction->inside++;
    JG_TIMEOUT(100, rc) {
        rc = jg_queue_join(&eviction->queue.queue);
    }
    ck_assert(rc != -ETIMEDOUT || scenario_disturbed);
    eviction->inside--;
    return 0;
}

static intptr_t eviction_run(void *arg) {
    struct eviction eviction = {.inside = 0};
    (void)arg;
    queue_begin(&eviction.queue, JG_FIFO, 2);
    JG_GROUP(group) {
        for (int i = 0; i < 2; i++) {
            jg_group_spawn(group, eviction_put, &eviction);
            jg_group_spawn(group, eviction_get, &eviction);
        }
        jg_group_spawn(group, eviction_join, &eviction);
        jg_sleep(20);
        jg_queue_shutdown(&eviction.queue.queue, true);
        ck_assert_uint_eq(jg_queue_count(&eviction.queue.queue), 0);
    }
    ck_assert_int_eq(eviction.inside, 0);
    queue_end(&eviction.queue);
    return 0;
}

#endif
