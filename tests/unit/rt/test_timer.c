// SPDX-License-Identifier: MIT
/* test_timer.c – the timer heap against a sorted list, and its promises one by one.
 */
#define FIXTURE_LIMIT 30
#include "fixtures/fixture.h"

#include "base/list.h"
#include "base/mem.h"
#include "rt/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TIMERS = 200 };

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
enum { STEPS = 100000 };
#else
enum { STEPS = 1000000 };
#endif

/* What the heap should be: armed timers sorted by (when_ns, seq). */
struct model {
    struct timers timers;
    jg_timer all[TIMERS];
    struct timer_slot sorted[TIMERS];
    size_t count;
    uint64_t seq;
    int64_t now_ns;
    uint64_t newest_due; // while firing: what was armed later has to wait
    uint64_t random;
    uint64_t fired;
};

static struct model model; // the fire functions are given only the timer

static uint64_t next_random(void) {
    model.random ^= model.random << 13;
    model.random ^= model.random >> 7;
    model.random ^= model.random << 17;
    return model.random;
}

static void model_arm(jg_timer *timer, int64_t when_ns) {
    when_ns = when_ns < model.timers.fired_ns ? model.timers.fired_ns : when_ns;
    size_t at = model.count;
    while (at > 0 && model.sorted[at - 1].when_ns > when_ns) {
        at--;
    }
    memmove(&model.sorted[at + 1], &model.sorted[at], (model.count - at) * sizeof(model.sorted[0]));
    model.sorted[at] = (struct timer_slot){when_ns, ++model.seq, timer};
    model.count++;
}

static void model_disarm(const jg_timer *timer) {
    size_t at = 0;
    while (at < model.count && model.sorted[at].timer != timer) {
        at++;
    }
    if (at < model.count) {
        model.count--;
        memmove(&model.sorted[at], &model.sorted[at + 1],
                (model.count - at) * sizeof(model.sorted[0]));
    }
}

/* libcheck writes a note to a file at every assertion, also those that hold: too slow for millions. */
#define expect(condition) ((condition) ? (void)0 : ck_abort_msg("%s does not hold", #condition))

static void compare(void) {
    expect(model.timers.count == model.count);
    int64_t next = model.count == 0 ? JG_NEVER : model.sorted[0].when_ns;
    expect(timers_next(&model.timers) == next);
}

static void on_fire(jg_timer *timer);

static int64_t random_time(void) {
    uint64_t choice = next_random();
    int64_t spread = (int64_t)(choice >> 8);
    switch (choice % 8) {
    case 0:
        return model.now_ns; // at once
    case 1:
        return model.now_ns - spread % 1000; // gone by
    case 2:
        return (model.now_ns / 64 + 1) * 64; // the same for many
    case 3:
        return INT64_C(1) << 62;
    case 4:
        return spread; // anywhere up to 2^56
    default:
        return model.now_ns + spread % 500;
    }
}

static void arm_some(jg_timer *timer) {
    if (timer->index == 0) {
        int64_t when_ns = random_time();
        model_arm(timer, when_ns);
        expect(timer_arm(&model.timers, timer, when_ns, on_fire) == 0);
    }
}

static void disarm_some(jg_timer *timer) {
    model_disarm(timer);
    timer_disarm(&model.timers, timer);
    expect(timer->index == 0);
}

static void on_fire(jg_timer *timer) {
    expect(model.count > 0);
    expect(timer == model.sorted[0].timer);
    expect(model.sorted[0].when_ns <= model.now_ns);
    expect(model.sorted[0].seq <= model.newest_due);
    expect(timer->index == 0);
    model_disarm(timer);
    model.fired++;
    jg_timer *other = &model.all[next_random() % TIMERS];
    switch (next_random() % 8) {
    case 0:
        arm_some(timer);
        break;
    case 1:
        disarm_some(other);
        break;
    case 2:
        disarm_some(other);
        arm_some(other);
        break;
    default:
        break;
    }
}

static void fire_some(void) {
    model.now_ns += (int64_t)(next_random() % 64);
    model.newest_due = model.seq;
    timers_fire(&model.timers, model.now_ns);
    // Whoever is still due was armed during the call.
    expect(model.count == 0 || model.sorted[0].when_ns > model.now_ns ||
           model.sorted[0].seq > model.newest_due);
}

// A timer would fire early, late, twice, never, or in the wrong order. R5.
START_TEST(r05_a_million_random_steps_match_a_sorted_list) {
    model.random = fixture_seed() | 1;
    timers_init(&model.timers);
    for (int i = 0; i < STEPS; i++) {
        jg_timer *timer = &model.all[next_random() % TIMERS];
        uint64_t choice = next_random() % 8;
        if (choice < 4) {
            arm_some(timer);
        } else if (choice < 6) {
            disarm_some(timer);
        } else {
            fire_some();
        }
        compare();
    }
    ck_assert_uint_gt(model.fired, STEPS / 10);
    for (int i = 0; i < TIMERS; i++) {
        disarm_some(&model.all[i]);
    }
    timers_fini(&model.timers);
}
END_TEST

static int order[1000];
static int order_count;
static jg_timer queue[1000];

static void note_order(jg_timer *timer) {
    order[order_count++] = (int)(timer - queue);
}

// Equal deadlines would strike in any order, as in asyncio. S50b.
START_TEST(equal_times_fire_in_the_order_armed) {
    struct timers timers;
    timers_init(&timers);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(timer_arm(&timers, &queue[i], 5000, note_order), 0);
    }
    for (int i = 0; i < 1000; i += 3) {
        timer_disarm(&timers, &queue[i]); // holes in the middle of the heap
    }
    timers_fire(&timers, 4999);
    ck_assert_int_eq(order_count, 0);
    timers_fire(&timers, 5000);
    ck_assert_int_eq(order_count, 666);
    for (int i = 0; i < order_count; i++) {
        ck_assert_int_eq(order[i], i / 2 * 3 + i % 2 + 1);
    }
    timers_fini(&timers);
}
END_TEST

static struct timers turning;
static int again_count;
static int other_count;

static void arm_again(jg_timer *timer) {
    again_count++;
    ck_assert_int_eq(timer_arm(&turning, timer, 0, arm_again), 0);
}

static void count_other(jg_timer *timer) {
    (void)timer;
    other_count++;
}

// A timer that arms itself for now would keep the loop from everything else. R5.
START_TEST(r05_arming_again_for_now_waits_a_turn) {
    jg_timer again = {0};
    jg_timer other = {0};
    timers_init(&turning);
    ck_assert_int_eq(timer_arm(&turning, &again, 0, arm_again), 0);
    for (int turn = 1; turn <= 100; turn++) {
        ck_assert_int_eq(timer_arm(&turning, &other, 0, count_other), 0);
        timers_fire(&turning, 1000);
        ck_assert_int_eq(again_count, turn);
        ck_assert_int_eq(other_count, turn);
    }
    timer_disarm(&turning, &again);
    timers_fini(&turning);
}
END_TEST

// Without memory a timer would count as armed.
START_TEST(refused_memory_leaves_a_timer_unarmed) {
    struct timers timers;
    jg_timer timer = {0};
    timers_init(&timers);
    mem_fail_nth(1, 0);
    ck_assert_int_eq(timer_arm(&timers, &timer, 1, count_other), -ENOMEM);
    ck_assert_uint_eq(timer.index, 0);
    ck_assert_int_eq(timers_next(&timers), JG_NEVER);
    ck_assert_int_eq(timer_arm(&timers, &timer, 1, count_other), 0);
    timer_disarm(&timers, &timer);
    timer_disarm(&timers, &timer); // not armed: nothing happens
    timers_fini(&timers);
}
END_TEST

static void arm_twice(void *arg) {
    struct timers timers;
    jg_timer timer = {0};
    (void)arg;
    timers_init(&timers);
    if (timer_arm(&timers, &timer, 1, count_other) == 0) {
        timer_arm(&timers, &timer, 2, count_other);
    }
}

// A timer armed twice would be in the heap twice and corrupt it.
START_TEST(arming_twice_is_a_bug) {
    fixture_expect_abort(arm_twice, NULL, "timer->index == 0");
}
END_TEST

FIXTURE_MAIN("rt/timer", r05_a_million_random_steps_match_a_sorted_list,
             equal_times_fire_in_the_order_armed, r05_arming_again_for_now_waits_a_turn,
             refused_memory_leaves_a_timer_unarmed, arming_twice_is_a_bug)
