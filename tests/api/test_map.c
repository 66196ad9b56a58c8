// SPDX-License-Identifier: MIT
/* test_map.c – one function over many items: the same in every mode.
 *
 * Holds      nothing between tests.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a mode that differed in anything but speed would make the comparison a lie.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/worker_steps.h"

static const jg_map_mode modes[] = {JG_MAP_INLINE, JG_MAP_THREADS, JG_MAP_PROCESSES,
                                    JG_MAP_COROUTINES};
enum { MODES = 4, ITEMS = 50 };

struct item {
    int n;
    int64_t square;
};

static void fill(struct item *items) {
    for (int i = 0; i < ITEMS; i++) {
        items[i] = (struct item){.n = i};
    }
}

static intptr_t square_item(void *arg) {
    struct item *item = arg;
    int rc = jg_sleep(1);
    item->square = (int64_t)item->n * item->n;
    return rc < 0 ? rc : item->n + 1;
}

static intptr_t words_body(void *arg) {
    struct item items[ITEMS];
    intptr_t words[ITEMS];
    (void)arg;
    for (int mode = 0; mode < MODES; mode++) {
        fill(items);
        ck_assert_int_eq(
            jg_map(modes[mode], square_item, items, sizeof(items[0]), ITEMS, words, NULL), 0);
        for (int i = 0; i < ITEMS; i++) {
            ck_assert_int_eq(words[i], i + 1);
            ck_assert_int_eq(items[i].square, i * i);
        }
        ck_assert_int_eq(jg_map(modes[mode], square_item, items, sizeof(items[0]), 0, words, NULL),
                         0);
    }
    return 0;
}

// In some mode a word would be lost, or out of order, or what the function wrote not be there.
START_TEST(every_mode_does_the_same) {
    run_once(words_body, NULL);
}
END_TEST

static intptr_t fail_some(void *arg) {
    struct item *item = arg;
    return item->n % 10 == 3 ? jg_fail(-EPROTO, "bad item %d", item->n) : item->n;
}

static intptr_t collect_body(void *arg) {
    static const jg_map_options collect = {.limit = 3, .collect_errors = true};
    struct item items[ITEMS];
    intptr_t words[ITEMS];
    (void)arg;
    for (int mode = 0; mode < MODES; mode++) {
        fill(items);
        ck_assert_int_eq(
            jg_map(modes[mode], fail_some, items, sizeof(items[0]), ITEMS, words, &collect), 5);
        for (int i = 0; i < ITEMS; i++) {
            ck_assert_int_eq(words[i], i % 10 == 3 ? -EPROTO : i);
        }
    }
    jg_error_clear();
    return 0;
}

// One bad item would hide the answers of the others.
START_TEST(errors_are_collected) {
    run_once(collect_body, NULL);
}
END_TEST

static intptr_t stop_body(void *arg) {
    static const jg_map_options two = {.limit = 2};
    struct item items[ITEMS];
    intptr_t words[ITEMS];
    (void)arg;
    for (int mode = 0; mode < MODES; mode++) {
        fill(items);
        ck_assert_int_eq(
            jg_map(modes[mode], fail_some, items, sizeof(items[0]), ITEMS, words, &two), -EPROTO);
        ck_assert_ptr_nonnull(strstr(jg_error_detail(-EPROTO), "bad item "));
        if (modes[mode] == JG_MAP_INLINE) {
            ck_assert_int_eq(words[3], -EPROTO);
            ck_assert_int_eq(words[4], -ECANCELED); // was not run
        }
    }
    jg_error_clear();
    return 0;
}

// A failure would be passed over, or not say what it was.
START_TEST(first_failure_stops_the_rest) {
    run_once(stop_body, NULL);
}
END_TEST

static atomic_int under_way;
static atomic_int most_under_way;

static intptr_t count_under_way(void *arg) {
    int now = atomic_fetch_add(&under_way, 1) + 1;
    int most = atomic_load(&most_under_way);
    (void)arg;
    while (now > most && !atomic_compare_exchange_weak(&most_under_way, &most, now)) {}
    int rc = jg_sleep(1);
    atomic_fetch_sub(&under_way, 1);
    return rc;
}

static intptr_t limit_body(void *arg) {
    static const jg_map_options three = {.limit = 3};
    struct item items[ITEMS];
    (void)arg;
    for (int mode = 0; mode < MODES; mode++) {
        if (modes[mode] == JG_MAP_PROCESSES) {
            continue; // each would count for itself
        }
        atomic_store(&most_under_way, 0);
        ck_assert_int_eq(
            jg_map(modes[mode], count_under_way, items, sizeof(items[0]), ITEMS, NULL, &three), 0);
        ck_assert_int_le(atomic_load(&most_under_way), 3);
        ck_assert(modes[mode] != JG_MAP_COROUTINES || atomic_load(&most_under_way) == 3);
    }
    return 0;
}

// More items than allowed would be under way.
START_TEST(limit_holds) {
    run_once(limit_body, NULL);
}
END_TEST

static intptr_t die(void *arg) {
    const struct item *item = arg;
    if (item->n == 7) {
        _exit(9);
    }
    return item->n;
}

static intptr_t death_body(void *arg) {
    static const jg_map_options collect = {.collect_errors = true};
    struct item items[ITEMS];
    intptr_t words[ITEMS];
    (void)arg;
    fill(items);
    ck_assert_int_eq(jg_map(JG_MAP_PROCESSES, die, items, sizeof(items[0]), ITEMS, words, &collect),
                     1);
    ck_assert_int_eq(words[7], -EOWNERDEAD);
    ck_assert_int_eq(words[8], 8);
    jg_error_clear();
    return 0;
}

// A worker that dies of one item would take others with it.
START_TEST(death_is_one_item_s_error) {
    run_once(death_body, NULL);
}
END_TEST

static intptr_t sleep_item(void *arg) {
    (void)arg;
    return jg_sleep(200);
}

static intptr_t cancel_body(void *arg) {
    static const jg_map_options options = {.limit = 2, .collect_errors = true};
    struct item items[ITEMS];
    (void)arg;
    for (int mode = 0; mode < MODES; mode++) {
        intptr_t rc = 0;
        JG_TIMEOUT(20, rc) {
            rc = jg_map(modes[mode], sleep_item, items, sizeof(items[0]), ITEMS, NULL, &options);
        }
        ck_assert_int_eq(rc, -ETIMEDOUT);
    }
    return 0;
}

// A limit would not hold, or only after all items.
START_TEST(deadline_stops_it) {
    needs_loop();
    run_once(cancel_body, NULL);
}
END_TEST

static intptr_t limited_alone_body(void *arg) {
    struct item items[ITEMS];
    (void)arg;
    intptr_t rc = 0;
    JG_TIMEOUT(20, rc) {
        rc = jg_map(JG_MAP_COROUTINES, sleep_item, items, sizeof(items[0]), ITEMS, NULL, NULL);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    return 0;
}

// Without a loop, the loop made for the call would not know the caller's deadline.
START_TEST(deadline_reaches_the_loop_made_for_it) {
    run_once(limited_alone_body, NULL);
}
END_TEST

static intptr_t leave_thread(void *arg) {
    const struct item *item = arg;
    if (item->n % 10 == 3) {
        pthread_exit(arg);
    }
    return item->n;
}

static intptr_t left_body(void *arg) {
    static const jg_map_options collect = {.limit = 2, .collect_errors = true};
    struct item items[ITEMS];
    intptr_t words[ITEMS];
    (void)arg;
    fill(items);
    ck_assert_int_eq(
        jg_map(JG_MAP_THREADS, leave_thread, items, sizeof(items[0]), ITEMS, words, &collect),
        5); // more than there are lanes
    for (int i = 0; i < ITEMS; i++) {
        ck_assert_int_eq(words[i], i % 10 == 3 ? -EOWNERDEAD : i);
    }
    ck_assert_int_eq(
        jg_map(JG_MAP_THREADS, leave_thread, items, sizeof(items[0]), ITEMS, NULL, NULL),
        -EOWNERDEAD);
    jg_error_clear();
    return 0;
}

// An item that leaves its thread would hang the map, or take the items after it along.
START_TEST(thread_that_is_left_is_one_item_s_error) {
    run_once(left_body, NULL);
}
END_TEST

static intptr_t compute_for_long(void *arg) {
    struct item *item = arg;
    item->square = 1;                                   // begun
    while (item->n == 0 && jg_now() < jg_deadline()) {} // no call that would notice
    return 0;
}

static intptr_t late_inline_body(void *arg) {
    struct item items[ITEMS];
    intptr_t words[ITEMS];
    intptr_t rc = 0;
    (void)arg;
    fill(items);
    JG_TIMEOUT(10, rc) {
        rc = jg_map(JG_MAP_INLINE, compute_for_long, items, sizeof(items[0]), ITEMS, words, NULL);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(words[0], 0);
    ck_assert_int_eq(words[1], -ECANCELED);
    ck_assert_int_eq(items[1].square, 0);
    return 0;
}

// One after another without a loop, items would be begun though the deadline is over.
START_TEST(deadline_stops_it_without_a_loop) {
    if (!on_backend("blocking")) {
        fixture_skip("in a loop the deadline strikes while an item lets it go on");
    }
    run_once(late_inline_body, NULL);
}
END_TEST

static intptr_t never(void *item) {
    (void)item;
    ck_abort_msg("run");
}

static intptr_t refused_body(void *arg) {
    (void)arg;
    for (jg_map_mode mode = JG_MAP_INLINE; mode <= JG_MAP_COROUTINES; mode++) {
        intptr_t words[2] = {7, 7};
        char items[2];
        JG_NO_SUSPEND {
            ck_assert_int_eq(jg_map(mode, never, items, 1, 2, words, NULL), -EDEADLK);
        }
        ck_assert(words[0] == -ECANCELED && words[1] == -ECANCELED);
        words[0] = 7;
        jg_cancel(jg_self());
        ck_assert_int_eq(jg_map(mode, never, items, 1, 2, words, NULL), -ECANCELED);
        jg_uncancel(jg_self());
        ck_assert_int_eq(words[0], -ECANCELED);
    }
    return 0;
}

// Whoever looks through the words after a cancel would take what was there before for results.
START_TEST(refused_items_say_so) {
    run_body(refused_body);
}
END_TEST

static intptr_t unknown_mode_body(void *arg) {
    static const jg_map_mode unknown[] = {(jg_map_mode)4, (jg_map_mode)9, (jg_map_mode)-1};
    char items[1];
    (void)arg;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        for (size_t count = 0; count <= 1; count++) {
            ck_assert_int_eq(jg_fail(-EINVAL, "an older one"), -EINVAL);
            ck_assert_int_eq(jg_map(unknown[i], never, items, 1, count, NULL, NULL), -EINVAL);
            ck_assert_str_eq(jg_error_detail(-EINVAL), "EINVAL: Invalid argument");
        }
    }
    return 0;
}

// A mistake would be found only once there is something to do.
START_TEST(unknown_mode_is_refused_for_no_items_too) {
    run_once(unknown_mode_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/map", every_mode_does_the_same, errors_are_collected,
             first_failure_stops_the_rest, limit_holds, death_is_one_item_s_error,
             deadline_stops_it, deadline_reaches_the_loop_made_for_it,
             thread_that_is_left_is_one_item_s_error, deadline_stops_it_without_a_loop,
             refused_items_say_so, unknown_mode_is_refused_for_no_items_too)
