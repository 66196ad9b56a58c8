// SPDX-License-Identifier: MIT
/* test_join_chain.c – a cancel on its way along tasks that join each other.
 *
 * Holds      nothing between tests.
 * Invariant  every task ends, in time linear in their number.
 * Called by  ctest, on epoll and sim.
 * Why        who joins passes a cancel on, and looks for a ring before: neither may cost the length of the
 *            chain at each of its tasks. Rings: test_ring.c.
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

enum { LAYERS = 40, WIDTH = 3 };

static jg_task *layers[LAYERS + 1][WIDTH];

static intptr_t collect_layer(void *next) {
    jg_future *futures[WIDTH];
    for (int i = 0; i < WIDTH; i++) {
        futures[i] = jg_task_future(((jg_task **)next)[i]);
    }
    return jg_gather(futures, WIDTH, NULL, JG_COLLECT_ERRORS);
}

static intptr_t collect_last(void *arg) {
    (void)arg;
    jg_sleep(2); // by then all others wait
    return jg_wait_for(jg_task_future(layers[LAYERS][0]), -1);
}

static intptr_t sleep_a_little(void *arg) {
    (void)arg;
    return jg_sleep(4);
}

static intptr_t layers_body(void *arg) {
    (void)arg;
    layers[LAYERS][0] = jg_spawn(join_it,
                                 jg_spawn(sleep_a_little, NULL)); // who waits may be in a ring
    for (int i = 0; i < WIDTH; i++) {
        layers[LAYERS - 1][i] = jg_spawn(collect_last, NULL);
    }
    for (int layer = 0; layer < LAYERS - 1; layer++) {
        for (int i = 0; i < WIDTH; i++) {
            layers[layer][i] = jg_spawn(collect_layer, layers[layer + 1]);
        }
    }
    jg_sleep(10);
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int i = 0; i < WIDTH; i++) {
            ck_assert_int_eq(jg_join(layers[layer][i]), 0);
        }
    }
    return jg_join(layers[LAYERS][0]);
}

// Walking every way through tasks that all wait for several would take longer than the world lasts.
START_TEST(many_ways_are_walked_once) {
    needs_loop();
    run_body(layers_body);
}
END_TEST

static intptr_t gather_it(void *task) {
    jg_future *futures[] = {jg_task_future(task)};
    return jg_gather(futures, 1, NULL, JG_FAIL_FIRST);
}

static intptr_t gather_chain_body(void *arg) {
    int length = on_backend("sim") ? CHAIN_SIM : CHAIN;
    jg_task **tasks = calloc((size_t)length, sizeof(jg_task *));
    (void)arg;
    tasks[0] = jg_spawn(sleep_long, NULL);
    for (int i = 1; i < length; i++) {
        tasks[i] = jg_spawn(gather_it, tasks[i - 1]);
    }
    jg_sleep(1);
    jg_cancel(tasks[length - 1]);
    for (int i = 0; i < length; i++) {
        ck_assert_int_eq(jg_join(tasks[i]), -ECANCELED);
    }
    free(tasks);
    return 0;
}

// A cancel that runs down a long chain of gathers would look up the whole of it at each.
START_TEST(cancel_runs_down_a_chain_of_gathers) {
    needs_loop();
    run_once(gather_chain_body, NULL);
}
END_TEST

static jg_task *awaited;

static intptr_t wait_for_it(void *arg) {
    (void)arg;
    return jg_future_wait(jg_task_future(awaited));
}

static intptr_t yield_with_a_limit(void *arg) {
    intptr_t rc = 0;
    JG_TIMEOUT(60000, rc) {
        rc = jg_yield();
    }
    return rc < 0 ? rc : (intptr_t)arg;
}

static intptr_t join_many(void *arg) {
    const jg_spawn_options at_once = {.eager = true};
    while (jg_yield() == 0 && awaited == NULL) {}
    for (intptr_t i = 0; i < (intptr_t)arg; i++) {
        ck_assert_int_eq(jg_join(jg_spawn_with(yield_with_a_limit, (void *)3, &at_once)), 3);
    }
    return 5;
}

static intptr_t awaited_body(void *arg) {
    intptr_t many = on_backend("sim") ? CHAIN_SIM : CHAIN;
    jg_task **waiting = calloc((size_t)many, sizeof(jg_task *));
    (void)arg;
    awaited = NULL;
    jg_task *task = jg_spawn(join_many, (void *)many);
    for (intptr_t i = 0; i < many; i++) {
        waiting[i] = jg_spawn(wait_for_it, NULL);
    }
    awaited = task;
    for (intptr_t i = 0; i < many; i++) {
        ck_assert_int_eq(jg_join(waiting[i]), 5);
    }
    free(waiting);
    return jg_join(task) == 5 ? 0 : -EPROTO;
}

// Each join of a task that many wait for would look through all of these, to find nothing.
START_TEST(many_joins_of_one_whom_many_wait_for) {
    needs_loop();
    run_body(awaited_body);
}
END_TEST

FIXTURE_MAIN("api/join_chain", cancel_runs_down_a_chain_of_joins,
             a_chain_of_joins_is_cancelled_from_either_end, many_ways_are_walked_once,
             cancel_runs_down_a_chain_of_gathers, many_joins_of_one_whom_many_wait_for)
