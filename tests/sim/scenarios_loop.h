// SPDX-License-Identifier: MIT
/* scenarios_loop.h – scenarios of calls and posts among tasks.
 *
 * Holds      ticks, postbox, second_thoughts.
 * Invariant  see scenarios.h. No record is left queued when its scenario returns.
 * Called by  scenarios.h.
 * Why        see scenarios.h.
 */
#ifndef SIM_SCENARIOS_LOOP_H
#define SIM_SCENARIOS_LOOP_H

#include "fixtures/fixture.h"

#include <juggle.h>
#include <string.h>

#define SCENARIOS_LOOP(X)                                                                          \
    X(ticks, NULL)                                                                                 \
    X(postbox, NULL)                                                                               \
    X(second_thoughts, NULL)

/* Clean-up that takes its time, also in a cancelled task. */
static void loop_tidy_up(void) {
    JG_SHIELD {
        for (int i = 0; i < 4; i++) {
            jg_sleep(1);
        }
    }
}

// ticks: a call that queues itself anew wakes tasks at each of its ticks.

enum { TICKS = 6 };

struct ticks {
    jg_call call;
    jg_event tick;
    int made;
    int seen;
    int64_t last_ns;
};

static intptr_t ticks_tick(void *arg) {
    struct ticks *shared = arg;
    ck_assert_int_ge(jg_now() - shared->last_ns, 2 * JG_MS); // never early
    shared->last_ns = jg_now();
    jg_event_set(&shared->tick);
    jg_event_clear(&shared->tick); // who waits now is woken all the same
    if (++shared->made < TICKS) {
        (void)jg_call_later(&shared->call, 2, ticks_tick, shared); // -ENOMEM: no more ticks
    }
    return 0;
}

static intptr_t ticks_watch(void *arg) {
    struct ticks *shared = arg;
    for (int i = 0; i < TICKS; i++) {
        int rc = 0;
        int before = shared->made;
        JG_TIMEOUT(50, rc) {
            rc = jg_event_wait(&shared->tick);
        }
        ck_assert(rc != 0 || shared->made > before);
        shared->seen += rc == 0;
    }
    loop_tidy_up();
    return 0;
}

static intptr_t ticks_run(void *arg) {
    struct ticks shared = {.last_ns = jg_now()};
    (void)arg;
    int rc = jg_call_later(&shared.call, 2, ticks_tick, &shared);
    ck_assert(rc == 0 || rc == -ENOMEM);
    JG_GROUP(group) {
        jg_group_spawn(group, ticks_watch, &shared);
        jg_group_spawn(group, ticks_watch, &shared);
    }
    jg_call_cancel(&shared.call);
    ck_assert(!jg_call_queued(&shared.call));
    ck_assert_int_le(shared.seen, 2 * TICKS);
    ck_assert(scenario_disturbed || shared.made == TICKS);
    return 0;
}

// postbox: letters posted to the loop are handed out in order, each once, to whoever waits.

enum { POSTS_EACH = 4, POST_WRITERS = 3 };

struct postbox {
    jg_call letters[POST_WRITERS][POSTS_EACH];
    jg_sem arrived;
    int writers;
    int posted;
    int made;
    int taken;
};

static intptr_t postbox_deliver(void *arg) {
    struct postbox *box = arg;
    box->made++;
    jg_sem_release(&box->arrived);
    return 0;
}

static intptr_t postbox_write(void *arg) {
    struct postbox *box = arg;
    jg_call *letters = box->letters[box->writers++];
    for (int i = 0; i < POSTS_EACH; i++) {
        ck_assert_int_eq(jg_post(jg_loop_current(), &letters[i], postbox_deliver, box), 0);
        ck_assert_int_eq(jg_post(jg_loop_current(), &letters[i], postbox_deliver, box), -EALREADY);
        box->posted++;
        if (i % 2 == 0) {
            jg_yield();
        }
    }
    return 0;
}

static intptr_t postbox_take(void *arg) {
    struct postbox *box = arg;
    for (int i = 0; i < POSTS_EACH; i++) {
        int rc = 0;
        JG_TIMEOUT(20, rc) {
            rc = jg_sem_acquire(&box->arrived);
        }
        box->taken += rc == 0;
        ck_assert_int_le(box->taken, box->made);
    }
    return 0;
}

static intptr_t postbox_run(void *arg) {
    struct postbox box = {.posted = 0};
    (void)arg;
    JG_GROUP(group) {
        for (int i = 0; i < POST_WRITERS; i++) {
            jg_group_spawn(group, postbox_take, &box);
            jg_group_spawn(group, postbox_write, &box);
        }
    }
    int taken_back = 0;
    for (int i = 0; i < POST_WRITERS * POSTS_EACH; i++) {
        taken_back += jg_call_cancel(&box.letters[i / POSTS_EACH][i % POSTS_EACH]);
    }
    ck_assert_int_eq(box.made + taken_back, box.posted);
    while (jg_sem_try(&box.arrived) == 0) {
        box.taken++;
    }
    ck_assert_int_eq(box.taken, box.made);
    ck_assert(scenario_disturbed || box.taken == POST_WRITERS * POSTS_EACH);
    return 0;
}

// second_thoughts: calls are queued in every way, and many are taken back, also by other calls.

enum { THOUGHTS = 6 };

struct second_thoughts {
    jg_call calls[THOUGHTS];
    jg_call sweeper;
    int accepted;
    int made;
    int taken_back;
};

static intptr_t second_thoughts_make(void *arg) {
    ((struct second_thoughts *)arg)->made++;
    return 0;
}

static intptr_t second_thoughts_sweep(void *arg) {
    struct second_thoughts *shared = arg;
    for (int i = 0; i < THOUGHTS; i += 2) {
        shared->taken_back += jg_call_cancel(&shared->calls[i]);
    }
    return 0;
}

static void second_thoughts_queue(struct second_thoughts *shared, int way, jg_call *call) {
    int rc = -EALREADY;
    if (way == 0) {
        rc = jg_call_soon(call, second_thoughts_make, shared);
    } else if (way == 1) {
        rc = jg_call_later(call, 1, second_thoughts_make, shared);
    } else if (way == 2) {
        rc = jg_post(jg_loop_current(), call, second_thoughts_make, shared);
    } else {
        rc = jg_call_soon(&shared->sweeper, second_thoughts_sweep, shared);
        ck_assert(rc == 0 || rc == -EALREADY);
        return;
    }
    ck_assert(rc == 0 || rc == -EALREADY || rc == -ENOMEM);
    shared->accepted += rc == 0;
}

static intptr_t second_thoughts_think(void *arg) {
    struct second_thoughts *shared = arg;
    for (int i = 0; i < 3 * THOUGHTS; i++) {
        second_thoughts_queue(shared, i % 4, &shared->calls[i % THOUGHTS]);
        if (i % 5 == 4) {
            shared->taken_back += jg_call_cancel(&shared->calls[(i + 1) % THOUGHTS]);
        }
        if (i % 3 == 2) {
            jg_sleep(i % 2);
        }
    }
    loop_tidy_up();
    return 0;
}

static intptr_t second_thoughts_run(void *arg) {
    struct second_thoughts shared = {.accepted = 0};
    (void)arg;
    JG_GROUP(group) {
        jg_group_spawn(group, second_thoughts_think, &shared);
        jg_group_spawn(group, second_thoughts_think, &shared);
    }
    jg_call_cancel(&shared.sweeper);
    for (int i = 0; i < THOUGHTS; i++) {
        shared.taken_back += jg_call_cancel(&shared.calls[i]);
    }
    ck_assert_int_eq(shared.made + shared.taken_back, shared.accepted);
    ck_assert(scenario_disturbed || shared.accepted > 0);
    return 0;
}

#endif
