// SPDX-License-Identifier: MIT
/* test_queue.c – SEMANTICS S49: queues.
 *
 * Holds      nothing between tests.
 * Invariant  an item that was put is got once, or dropped by the queue.
 * Called by  ctest, on epoll and sim.
 * Why        an item lost between a put and a cancelled get is work that is never done, and a join that
 *            never ends.
 */
#include "api/api.h"

enum { UNSET = 77 };

struct party {
    jg_queue *queue;
    intptr_t item;
    int rc;
    int next; // a suspend after it
};

static intptr_t put_one(void *arg) {
    struct party *party = arg;
    party->rc = jg_queue_put(party->queue, party->item);
    party->next = jg_yield();
    return 0;
}

static intptr_t get_one(void *arg) {
    struct party *party = arg;
    party->rc = jg_queue_get(party->queue, &party->item);
    party->next = jg_yield();
    return 0;
}

static intptr_t join_one(void *arg) {
    struct party *party = arg;
    party->rc = jg_queue_join(party->queue);
    return 0;
}

/* Starts a task that puts, gets or joins; when it returns the task waits, or has ended. */
static jg_task *begin(jg_fn *fn, struct party *party, jg_queue *queue, intptr_t item) {
    *party = (struct party){queue, item, UNSET, UNSET};
    jg_task *task = jg_spawn(fn, party);
    jg_sleep(1);
    return task;
}

static void put_all(jg_queue *queue, const intptr_t *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(jg_queue_put(queue, items[i]), 0);
    }
}

static void expect_all(jg_queue *queue, const intptr_t *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        intptr_t item = UNSET;
        ck_assert_int_eq(jg_queue_get(queue, &item), 0);
        ck_assert_int_eq(item, items[i]);
    }
    intptr_t item = UNSET;
    ck_assert_int_eq(jg_queue_try_get(queue, &item), -EAGAIN);
    ck_assert_int_eq(item, UNSET);
}

static int by_tens(intptr_t a, intptr_t b) {
    return (int)(a / 10 - b / 10);
}

static intptr_t order_body(void *arg) {
    static const intptr_t items[] = {31, 12, 25, 11, 32, 10, 24, -5};
    static const intptr_t reversed[] = {-5, 24, 10, 32, 11, 25, 12, 31};
    static const intptr_t sorted[] = {-5, 10, 11, 12, 24, 25, 31, 32};
    static const intptr_t in_tens[] = {-5, 12, 11, 10, 25, 24, 31, 32}; // oldest first among equals
    static const struct {
        jg_queue_options options;
        const intptr_t *expected;
    } kinds[] = {{{.order = JG_FIFO}, items},
                 {{.order = JG_LIFO}, reversed},
                 {{.order = JG_PRIORITY}, sorted},
                 {{.order = JG_PRIORITY, .compare = by_tens}, in_tens}};
    (void)arg;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        jg_queue queue;
        jg_queue_init(&queue, &kinds[i].options);
        put_all(&queue, items, 8);
        ck_assert_uint_eq(jg_queue_count(&queue), 8);
        expect_all(&queue, kinds[i].expected, 8);
        jg_queue_fini(&queue);
    }
    jg_queue zero = {.options = {.order = JG_FIFO}};
    put_all(&zero, items, 8);
    expect_all(&zero, items, 8);
    jg_queue_fini(&zero);
    return 0;
}

// Items would come out in another order than the queue was made for.
START_TEST(s49_orders) {
    run_body(order_body);
}
END_TEST

static intptr_t full_body(void *arg) {
    static const intptr_t expected[] = {2, 3, 4, 5};
    static const jg_queue_options options = {.capacity = 2};
    jg_queue queue;
    struct party parties[3];
    jg_task *tasks[3];
    intptr_t item;
    (void)arg;
    jg_queue_init(&queue, &options);
    ck_assert(!jg_queue_is_full(&queue));
    put_all(&queue, (const intptr_t[]){1, 2}, 2);
    ck_assert(jg_queue_is_full(&queue));
    ck_assert_int_eq(jg_queue_try_put(&queue, 9), -EAGAIN);
    for (int i = 0; i < 3; i++) {
        tasks[i] = begin(put_one, &parties[i], &queue, 3 + i);
        ck_assert_int_eq(parties[i].rc, UNSET);
    }
    ck_assert_uint_eq(jg_queue_unfinished(&queue), 2);
    ck_assert_int_eq(jg_queue_try_get(&queue, &item), 0);
    ck_assert_int_eq(jg_queue_try_put(&queue, 9), -EAGAIN); // the place is the first putter's
    ck_assert_int_eq(item, 1);
    expect_all(&queue, expected, 4);
    for (int i = 0; i < 3; i++) {
        jg_join(tasks[i]);
        ck_assert_int_eq(parties[i].rc, 0);
    }
    jg_queue_fini(&queue);
    return 0;
}

// A full queue would take more than it may, or a newcomer overtake those who wait for a place.
START_TEST(s49_full_queue_makes_putters_wait_in_turn) {
    run_body(full_body);
}
END_TEST

static intptr_t get_cancel_body(void *arg) {
    jg_queue queue = {.shut = false};
    struct party first;
    struct party second;
    (void)arg;
    jg_task *tasks[2] = {begin(get_one, &first, &queue, 0), begin(get_one, &second, &queue, 0)};
    ck_assert_int_eq(jg_queue_put(&queue, 1), 0);
    jg_cancel(tasks[0]); // the item is its own: completion wins
    jg_join(tasks[0]);
    ck_assert_int_eq(first.rc, 0);
    ck_assert_int_eq(first.item, 1);
    ck_assert_int_eq(first.next, -ECANCELED);

    jg_task *third = begin(get_one, &first, &queue, 0);
    jg_cancel(tasks[1]); // and this one comes before the item
    ck_assert_int_eq(jg_queue_put(&queue, 2), 0);
    jg_join(tasks[1]);
    jg_join(third);
    ck_assert_int_eq(second.rc, -ECANCELED);
    ck_assert_int_eq(second.item, 0);
    ck_assert_int_eq(first.item, 2);
    ck_assert_uint_eq(jg_queue_count(&queue), 0);
    jg_queue_fini(&queue);
    return 0;
}

// An item that comes in the tick of a cancel would be lost.
START_TEST(s49_get_cancelled_in_the_tick_of_a_put) {
    run_body(get_cancel_body);
}
END_TEST

static intptr_t put_cancel_body(void *arg) {
    static const jg_queue_options options = {.capacity = 1};
    jg_queue queue;
    struct party first;
    struct party second;
    intptr_t item;
    (void)arg;
    jg_queue_init(&queue, &options);
    ck_assert_int_eq(jg_queue_put(&queue, 1), 0);
    jg_task *tasks[2] = {begin(put_one, &first, &queue, 2), begin(put_one, &second, &queue, 3)};
    jg_cancel(tasks[0]);
    ck_assert_int_eq(jg_queue_get(&queue, &item), 0); // lets the second in
    jg_cancel(tasks[1]);
    jg_join(tasks[0]);
    jg_join(tasks[1]);
    ck_assert_int_eq(first.rc, -ECANCELED);
    ck_assert_int_eq(second.rc, 0);
    ck_assert_int_eq(second.next, -ECANCELED);
    expect_all(&queue, (const intptr_t[]){3}, 1);
    jg_queue_fini(&queue);
    return 0;
}

// An item whose put was cancelled would be in the queue all the same, or one that is in it put again.
START_TEST(s49_put_cancelled_before_and_after_it_got_in) {
    run_body(put_cancel_body);
}
END_TEST

static intptr_t refused_body(void *arg) {
    jg_queue queue = {.shut = false};
    intptr_t item = UNSET;
    int rc = 0;
    (void)arg;
    JG_TIMEOUT(2, rc) {
        rc = jg_queue_get(&queue, &item);
        ck_assert_int_eq(jg_queue_put(&queue, 1), -ECANCELED); // though there is room
        ck_assert_int_eq(jg_queue_try_put(&queue, 1), 0);
        ck_assert_int_eq(jg_queue_get(&queue, &item), -ECANCELED); // though there is an item
        ck_assert_int_eq(jg_queue_join(&queue), -ECANCELED);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(item, UNSET);
    expect_all(&queue, (const intptr_t[]){1}, 1);
    jg_queue_fini(&queue);
    return 0;
}

// A call that is refused would have done its work all the same.
START_TEST(s49_refused_calls_do_nothing) {
    run_body(refused_body);
}
END_TEST

static intptr_t graceful_body(void *arg) {
    static const jg_queue_options options = {.capacity = 2};
    jg_queue queue;
    struct party putter;
    struct party getter;
    struct party joiner;
    intptr_t item;
    (void)arg;
    jg_queue_init(&queue, &options);
    put_all(&queue, (const intptr_t[]){1, 2}, 2);
    jg_task *putting = begin(put_one, &putter, &queue, 3);
    jg_task *joining = begin(join_one, &joiner, &queue, 0);
    jg_queue_shutdown(&queue, false);
    jg_join(putting);
    ck_assert_int_eq(putter.rc, -EPIPE);
    ck_assert_int_eq(jg_queue_put(&queue, 4), -EPIPE);
    ck_assert_int_eq(jg_queue_try_put(&queue, 4), -EPIPE);
    for (intptr_t i = 1; i <= 2; i++) {
        ck_assert_int_eq(joiner.rc, UNSET); // it wants the items dealt with
        ck_assert_int_eq(jg_queue_get(&queue, &item), 0);
        ck_assert_int_eq(item, i);
        ck_assert_int_eq(jg_queue_task_done(&queue), 0);
    }
    ck_assert_int_eq(jg_queue_get(&queue, &item), -EPIPE);
    ck_assert_int_eq(jg_queue_try_get(&queue, &item), -EPIPE);
    jg_join(joining);
    ck_assert_int_eq(joiner.rc, 0);
    jg_queue_fini(&queue);

    jg_task *getting = begin(get_one, &getter, &queue, UNSET);
    jg_queue_shutdown(&queue, false);
    jg_join(getting);
    ck_assert_int_eq(getter.rc, -EPIPE);
    ck_assert_int_eq(getter.item, UNSET);
    jg_queue_fini(&queue);
    return 0;
}

// A shutdown would lose what is in the queue, or leave somebody waiting.
START_TEST(s49_shutdown_drains) {
    run_body(graceful_body);
}
END_TEST

static intptr_t dropped;

static void count_dropped(void *item) {
    dropped += (intptr_t)item;
}

static intptr_t immediate_body(void *arg) {
    static const jg_queue_options options = {.capacity = 3, .drop = count_dropped};
    jg_queue queue;
    struct party putter;
    struct party joiner;
    intptr_t item;
    (void)arg;
    dropped = 0;
    jg_queue_init(&queue, &options);
    put_all(&queue, (const intptr_t[]){1, 2, 4}, 3);
    jg_task *putting = begin(put_one, &putter, &queue, 8);
    jg_task *joining = begin(join_one, &joiner, &queue, 0);
    jg_queue_shutdown(&queue, true);
    jg_join(putting);
    jg_join(joining);
    ck_assert_int_eq(putter.rc, -EPIPE);
    ck_assert_int_eq(joiner.rc, 0);
    ck_assert_int_eq(dropped, 7); // and not what never got in
    ck_assert_uint_eq(jg_queue_count(&queue), 0);
    ck_assert_int_eq(jg_queue_get(&queue, &item), -EPIPE);
    jg_queue_fini(&queue);

    jg_queue_init(&queue, &options);
    put_all(&queue, (const intptr_t[]){16, 32}, 2);
    ck_assert_int_eq(jg_queue_get(&queue, &item), 0);
    joining = begin(join_one, &joiner, &queue, 0);
    jg_queue_shutdown(&queue, false);
    jg_queue_shutdown(&queue, true); // no more patience
    jg_sleep(1);
    ck_assert_int_eq(dropped, 7 + 32);
    ck_assert_int_eq(joiner.rc, UNSET); // one is still being worked on
    ck_assert_int_eq(jg_queue_task_done(&queue), 0);
    jg_join(joining);
    ck_assert_int_eq(joiner.rc, 0);
    jg_queue_fini(&queue);
    return 0;
}

// Items would leak, or a join wait for items that nobody will get.
START_TEST(s49_immediate_shutdown_drops) {
    run_body(immediate_body);
}
END_TEST

static intptr_t join_body(void *arg) {
    jg_queue queue = {.shut = false};
    struct party joiner;
    intptr_t item;
    (void)arg;
    ck_assert_int_eq(jg_queue_task_done(&queue), -EINVAL);
    ck_assert_int_eq(jg_queue_join(&queue), 0); // nothing to wait for
    put_all(&queue, (const intptr_t[]){1, 2}, 2);
    jg_task *task = begin(join_one, &joiner, &queue, 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_queue_get(&queue, &item), 0);
        jg_sleep(1);
        ck_assert_int_eq(joiner.rc, UNSET);
        ck_assert_int_eq(jg_queue_task_done(&queue), 0);
    }
    ck_assert_int_eq(jg_queue_task_done(&queue), -EINVAL); // once too often
    ck_assert_int_eq(jg_queue_try_put(&queue, 3), 0);      // what comes later is not waited for
    jg_join(task);
    ck_assert_int_eq(joiner.rc, 0);
    ck_assert_uint_eq(jg_queue_unfinished(&queue), 1);
    task = begin(join_one, &joiner, &queue, 0);
    jg_cancel(task);
    jg_join(task);
    ck_assert_int_eq(joiner.rc, -ECANCELED);
    jg_queue_fini(&queue);
    return 0;
}

// A join would end too early or never, or a count run below zero.
START_TEST(s49_join_and_task_done) {
    run_body(join_body);
}
END_TEST

static intptr_t fini_body(void *arg) {
    static const jg_queue_options options = {.order = JG_PRIORITY, .drop = count_dropped};
    jg_queue queue;
    (void)arg;
    dropped = 0;
    jg_queue_init(&queue, &options);
    put_all(&queue, (const intptr_t[]){1, 2, 4}, 3);
    jg_queue_fini(&queue);
    ck_assert_int_eq(dropped, 7);
    ck_assert_uint_eq(jg_queue_count(&queue), 0);
    put_all(&queue, (const intptr_t[]){8}, 1); // as new, without a drop function
    jg_queue_fini(&queue);
    jg_queue_fini(&queue);
    ck_assert_int_eq(dropped, 7);
    return 0;
}

// What was never got would leak at the end of its queue.
START_TEST(s49_end_of_the_queue_drops) {
    run_body(fini_body);
}
END_TEST

/* Ends a queue in which a getter (0), a putter (1) or a joiner (2) waits. */
static intptr_t end_under_waiter(void *who) {
    jg_fn *const waits[] = {get_one, put_one, join_one};
    jg_queue queue;
    struct party party;
    jg_queue_init(&queue, NULL);
    queue.options.capacity = 1;
    if (who != NULL) {
        put_all(&queue, (const intptr_t[]){1}, 1);
    }
    begin(waits[(uintptr_t)who], &party, &queue, 2);
    jg_queue_fini(&queue);
    return 0;
}

static void run_end_under_waiter(void *who) {
    jg_run(end_under_waiter, who);
}

// A task would be left in a queue that is gone.
START_TEST(s49_ended_under_a_waiter) {
    for (uintptr_t who = 0; who < 3; who++) {
        fixture_expect_abort(run_end_under_waiter, (void *)who,
                             "a queue is ended while tasks wait in it");
    }
}
END_TEST

enum { WORKERS = 5, ITEMS = 40 };

struct works {
    jg_queue queue;
    int64_t put;
    int64_t got;
    bool seen[WORKERS * ITEMS + 1];
};

struct producer {
    struct works *works;
    int first;
};

static intptr_t produce(void *arg) {
    struct producer *producer = arg;
    for (int i = 0; i < ITEMS; i++) {
        if (jg_queue_put(&producer->works->queue, producer->first + i) < 0) {
            break;
        }
        producer->works->put++;
    }
    return 0;
}

static intptr_t consume(void *arg) {
    struct works *works = arg;
    intptr_t item;
    while (jg_queue_get(&works->queue, &item) == 0) {
        ck_assert(!works->seen[item]);
        works->seen[item] = true;
        works->got++;
        ck_assert_int_eq(jg_queue_task_done(&works->queue), 0);
        jg_yield();
    }
    return 0;
}

static void conserve(jg_queue_order order) {
    const jg_queue_options options = {.order = order, .capacity = 3};
    struct works works = {.put = 0};
    struct producer producers[WORKERS];
    jg_task *producing[WORKERS];
    jg_task *consuming[WORKERS];
    intptr_t item;
    jg_queue_init(&works.queue, &options);
    for (int i = 0; i < WORKERS; i++) {
        producers[i] = (struct producer){&works, 1 + i * ITEMS};
        producing[i] = jg_spawn(produce, &producers[i]);
        consuming[i] = jg_spawn(consume, &works);
    }
    for (int i = 0; i < 4; i++) {
        for (int yields = 0; yields < 5; yields++) {
            jg_yield();
        }
        jg_cancel(i % 2 == 0 ? producing[i] : consuming[i]);
    }
    for (int i = 0; i < WORKERS; i++) {
        jg_join(producing[i]);
    }
    ck_assert_int_eq(jg_queue_join(&works.queue), 0);
    jg_queue_shutdown(&works.queue, false);
    for (int i = 0; i < WORKERS; i++) {
        jg_join(consuming[i]);
    }
    while (jg_queue_try_get(&works.queue, &item) == 0) {
        works.got++;
    }
    ck_assert_int_ge(works.put, (WORKERS - 2) * ITEMS);
    ck_assert_int_eq(works.put, works.got);
    jg_queue_fini(&works.queue);
}

static intptr_t conserved_body(void *arg) {
    (void)arg;
    conserve(JG_FIFO);
    conserve(JG_LIFO);
    conserve(JG_PRIORITY);
    return 0;
}

// Among many putters and getters, some cancelled, an item would be lost or got twice.
START_TEST(r01_items_are_conserved) {
    run_body(conserved_body);
}
END_TEST

FIXTURE_MAIN("api/queue", s49_orders, s49_full_queue_makes_putters_wait_in_turn,
             s49_get_cancelled_in_the_tick_of_a_put, s49_put_cancelled_before_and_after_it_got_in,
             s49_refused_calls_do_nothing, s49_shutdown_drains, s49_immediate_shutdown_drops,
             s49_join_and_task_done, s49_end_of_the_queue_drops, s49_ended_under_a_waiter,
             r01_items_are_conserved)
