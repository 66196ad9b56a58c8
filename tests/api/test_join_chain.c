// SPDX-License-Identifier: MIT
/* test_join_chain.c – a cancel on its way along tasks that join each other.
 *
 * Holds      the ring under test.
 * Invariant  every task ends, in time linear in their number.
 * Called by  ctest, on epoll and sim.
 * Why        who joins passes a cancel on: in a chain it has an end to come to, in a ring it has none.
 */
#include "api/api.h"

#include <stdlib.h>

static intptr_t sleep_long(void *arg) {
    (void)arg;
    return jg_sleep(10000);
}

static intptr_t join_it(void *task) {
    return jg_join(task);
}

enum { CHAIN = 20000, CHAIN_SIM = 1000 }; // sim draws each step by lot among all

static intptr_t chain_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn(sleep_long, NULL);
    for (int i = 0; i < (on_backend("sim") ? CHAIN_SIM : CHAIN); i++) {
        task = jg_spawn(join_it, task);
    }
    jg_sleep(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    return 0;
}

// A cancel that runs down a long chain of joins would overflow the stack of whoever asked.
START_TEST(cancel_runs_down_a_chain_of_joins) {
    run_once(chain_body, NULL);
}
END_TEST

enum { RING = 3 };

static struct ring {
    jg_task *tasks[RING];
    int told;  // whose join was the first to fail; -1: none yet
    bool late; // the last one joins when the cancel has come
} ring;

static intptr_t join_next(void *place) {
    int own = (int)((jg_task **)place - ring.tasks);
    if (ring.late && own == RING - 1) {
        JG_SHIELD {
            jg_sleep(5);
        }
    }
    intptr_t word = jg_join(ring.tasks[(own + 1) % RING]);
    ring.told = ring.told < 0 ? own : ring.told;
    return word;
}

static intptr_t join_ring_body(void *whom) {
    ring.told = -1;
    for (int i = 0; i < RING; i++) {
        ring.tasks[i] = jg_spawn(join_next, &ring.tasks[i]);
    }
    jg_sleep(1);
    for (int i = 0; i < RING; i++) {
        if (whom == NULL || *(int *)whom == i) {
            jg_cancel(ring.tasks[i]);
        }
    }
    while (ring.told < 0) {
        jg_sleep(1);
    }
    // The one that was told is joined by the others in turn; whom it was to join nobody has.
    ck_assert_int_eq(jg_join(ring.tasks[(ring.told + 1) % RING]), -EDEADLK);
    return 0;
}

// A ring of joins would outlive every cancel, and its loop.
START_TEST(a_ring_of_joins_ends_when_cancelled) {
    needs_loop();
    for (int late = 0; late < 2; late++) {
        ring.late = late == 1;
        for (int whom = 0; whom < RING; whom++) {
            run_body_with(join_ring_body, &whom, "ring\0" JG_HERE);
        }
        run_body(join_ring_body);
    }
}
END_TEST

static intptr_t chain_in_group_body(void *arg) {
    (void)arg;
    int length = on_backend("sim") ? CHAIN_SIM : CHAIN;
    JG_GROUP(group) {
        const jg_spawn_options options = {.group = group};
        jg_task *task = jg_spawn_with(sleep_long, NULL, &options);
        for (int i = 0; i < length; i++) {
            task = jg_spawn_with(join_it, task, &options);
        }
        jg_detach(task);
        jg_sleep(1);
        jg_group_cancel(group);
    }
    return 0;
}

static intptr_t join_at(void *place) {
    return jg_join(*(jg_task **)place);
}

static intptr_t join_later_body(void *arg) {
    (void)arg;
    int length = on_backend("sim") ? CHAIN_SIM : CHAIN;
    jg_task **tasks = calloc((size_t)length + 1, sizeof(jg_task *));
    JG_GROUP(group) {
        const jg_spawn_options options = {.group = group};
        for (int i = 0; i < length; i++) {
            tasks[i] = jg_spawn_with(join_at, &tasks[i + 1], &options);
        }
        tasks[length] = jg_spawn_with(sleep_long, NULL, &options);
        jg_detach(tasks[0]);
        jg_sleep(1);
        jg_group_cancel(group); // reaches the newest first
    }
    free(tasks);
    return 0;
}

// Looking for a ring would take a time that grows with the square of a chain's length.
START_TEST(a_chain_of_joins_is_cancelled_from_either_end) {
    needs_loop();
    run_once(chain_in_group_body, NULL);
    run_once(join_later_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/join_chain", cancel_runs_down_a_chain_of_joins,
             a_ring_of_joins_ends_when_cancelled, a_chain_of_joins_is_cancelled_from_either_end)
