// SPDX-License-Identifier: MIT
/* test_queue_store.c – the memory of a queue, against a model; and a queue without memory.
 *
 * Holds      nothing between tests.
 * Invariant  see queue_store.h.
 * Called by  ctest.
 * Why        growing in the middle of a ring, and sinking in a heap, go wrong at sizes nobody tries by hand.
 */
#include "fixtures/fixture.h"

#include "base/mem.h"
#include "sync/queue_store.h"

#include <errno.h>
#include <stdlib.h>

enum { STEPS = 4000, MOST = 300, KINDS = 7 };

/* Items that are there, in the order they came. */
struct model {
    intptr_t items[MOST];
    size_t count;
};

/* Equal in all but a few bits, so that ties are common. */
static int by_kind(intptr_t a, intptr_t b) {
    return (int)(a % KINDS) - (int)(b % KINDS);
}

static size_t expected_index(const struct model *model, jg_queue_order order) {
    size_t best = order == JG_LIFO ? model->count - 1 : 0;
    for (size_t i = 1; order == JG_PRIORITY && i < model->count; i++) {
        best = by_kind(model->items[i], model->items[best]) < 0 ? i : best;
    }
    return best;
}

static void model_remove(struct model *model, size_t index) {
    model->count--;
    for (size_t i = index; i < model->count; i++) {
        model->items[i] = model->items[i + 1];
    }
}

static void compare(jg_queue_order order, uint64_t seed) {
    const jg_queue_options options = {.order = order, .compare = by_kind};
    struct model model = {.count = 0};
    jg_queue queue;
    jg_queue_init(&queue, &options);
    srandom((unsigned)seed);
    for (int step = 0; step < STEPS; step++) {
        // Mostly up in one half of the time, mostly down in the other.
        bool up = random() % 100 < (step / 500 % 2 == 0 ? 65 : 35);
        if (model.count == 0 || (up && model.count < MOST)) {
            intptr_t item = random() % 100000;
            ck_assert_int_eq(store_push(&queue, item), 0);
            model.items[model.count++] = item;
        } else {
            size_t index = expected_index(&model, order);
            ck_assert_int_eq(store_pop(&queue), model.items[index]);
            model_remove(&model, index);
        }
        ck_assert_uint_eq(queue.count, model.count);
    }
    jg_queue_fini(&queue);
}

// An item would come out twice, never, or out of turn.
START_TEST(agrees_with_a_model) {
    for (uint64_t i = 0; i < 20; i++) {
        compare(JG_FIFO, fixture_seed() + i);
        compare(JG_LIFO, fixture_seed() + i);
        compare(JG_PRIORITY, fixture_seed() + i);
    }
}
END_TEST

static void without_memory(jg_queue_order order) {
    const jg_queue_options options = {.order = order};
    jg_queue queue;
    intptr_t item;
    int rc;
    size_t put = 0;
    jg_queue_init(&queue, &options);
    mem_fail_nth(1, 1);
    ck_assert_int_eq(jg_queue_try_put(&queue, 1), -ENOMEM);
    mem_fail_nth(2, 1); // enough for the first items
    while ((rc = jg_queue_put(&queue, (intptr_t)put)) == 0) {
        put++;
    }
    ck_assert_int_eq(rc, -ENOMEM);
    ck_assert_uint_gt(put, 0);
    ck_assert_uint_eq(jg_queue_count(&queue), put); // nothing is lost
    ck_assert_uint_eq(jg_queue_unfinished(&queue), put);
    ck_assert_int_eq(jg_queue_get(&queue, &item), 0);
    ck_assert_int_eq(jg_queue_put(&queue, 7), 0); // a place that was free needs no memory
    mem_fail_nth(0, 0);
    ck_assert_int_eq(jg_queue_put(&queue, 8), 0); // and now there is more
    jg_queue_fini(&queue);
}

// Without memory a put would lose its item, or those that are there.
START_TEST(put_without_memory) {
    without_memory(JG_FIFO);
    without_memory(JG_LIFO);
    without_memory(JG_PRIORITY);
}
END_TEST

FIXTURE_MAIN("unit/sync/queue_store", agrees_with_a_model, put_without_memory)
