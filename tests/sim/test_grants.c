// SPDX-License-Identifier: MIT
/* test_grants.c – what is handed to somebody who is being cancelled, in 20,000 orders per primitive.
 *
 * Holds      the contest being played: main has the only prize, two wait for it, one of them is cancelled
 *            about when the prize is given.
 * Invariant  the other one gets it, without time passing; nobody has it twice; in the end it is there.
 * Called by  ctest.
 * Why        RELIABILITY R1 and R3: the races that CPython's Condition and Semaphore lost for years.
 */
#define FIXTURE_LIMIT 60
#include "sim/scenarios.h"

#include <juggle/sim.h>

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
enum { GRANT_SEEDS = 1000, TIE_SEEDS = 1000 };
#else
enum { GRANT_SEEDS = 20000, TIE_SEEDS = 10000 };
#endif

struct prize {
    int (*take)(struct prize *prize); // waits for it
    void (*give)(struct prize *prize);
    jg_lock lock;
    jg_sem sem;
    jg_cond cond;
    jg_chan chan;
    int tokens;
    char slot;
    int inside; // how many have it
};

struct contender {
    struct prize *prize;
    bool won;
};

static unsigned cancelled_won; // the one that was cancelled had it nevertheless
static unsigned cancelled_lost;

static intptr_t contend(void *arg) {
    struct contender *self = arg;
    if (self->prize->take(self->prize) < 0) {
        return 0;
    }
    self->won = true;
    ck_assert_int_eq(++self->prize->inside, 1);
    jg_yield();
    self->prize->inside--;
    self->prize->give(self->prize);
    return 0;
}

/* Gives the prize away and cancels the task, in some order, with or without others between. */
static void give_and_cancel(struct prize *prize, jg_task *victim) {
    uint64_t choice = jg_sim_random() >> 8;
    bool give_first = choice & 1;
    prize->inside--;
    if (give_first) {
        prize->give(prize);
    } else {
        jg_cancel(victim);
    }
    if (choice & 2) {
        jg_yield();
    }
    if (give_first) {
        jg_cancel(victim);
    } else {
        prize->give(prize);
    }
}

static void play_contest(struct prize *prize) {
    struct contender contenders[2] = {{.prize = prize}, {.prize = prize}};
    size_t victim = jg_sim_random() >> 8 & 1;
    int rc = prize->take(prize);
    ck_assert_int_eq(rc, 0);
    prize->inside++;
    jg_task *tasks[2] = {jg_spawn(contend, &contenders[0]), jg_spawn(contend, &contenders[1])};
    jg_sleep(1);
    int64_t before = jg_now();
    give_and_cancel(prize, tasks[victim]);
    jg_join(tasks[0]);
    jg_join(tasks[1]);
    ck_assert(contenders[1 - victim].won);
    ck_assert_int_eq(jg_now(), before);
    JG_TIMEOUT(10, rc) {
        rc = prize->take(prize);
    }
    ck_assert_int_eq(rc, 0);
    prize->give(prize);
    cancelled_won += contenders[victim].won;
    cancelled_lost += !contenders[victim].won;
}

static void play_seeds(const char *name, jg_fn *run) {
    const struct scenario scenario = {name, run, NULL};
    uint64_t count = scenario_seeds(GRANT_SEEDS, 500);
    for (uint64_t i = 0; i < count; i++) {
        ck_assert_int_eq(scenario_play(&scenario, fixture_seed() + i, NULL, NULL), 0);
    }
    ck_assert_uint_gt(cancelled_won, count / 100);
    ck_assert_uint_gt(cancelled_lost, count / 100);
}

// Lock.

static int take_lock(struct prize *prize) {
    return jg_lock_acquire(&prize->lock);
}

static void give_lock(struct prize *prize) {
    ck_assert_int_eq(jg_lock_release(&prize->lock), 0);
}

static intptr_t contest_lock(void *arg) {
    struct prize prize = {.take = take_lock, .give = give_lock};
    (void)arg;
    play_contest(&prize);
    return 0;
}

// A lock handed to a task that is cancelled before it runs would stay locked.
START_TEST(r01_lock_granted_and_cancelled) {
    play_seeds("lock\0", contest_lock);
}
END_TEST

// Semaphore.

static int take_permit(struct prize *prize) {
    return jg_sem_acquire(&prize->sem);
}

static void give_permit(struct prize *prize) {
    jg_sem_release(&prize->sem);
}

static intptr_t contest_permit(void *arg) {
    struct prize prize = {.take = take_permit, .give = give_permit};
    (void)arg;
    jg_sem_init(&prize.sem, 1);
    play_contest(&prize);
    return 0;
}

// A permit would be lost with the task it was handed to.
START_TEST(r01_permit_granted_and_cancelled) {
    play_seeds("permit\0", contest_permit);
}
END_TEST

// Condition: a token, guarded by a lock.

static int take_token(struct prize *prize) {
    int rc = jg_lock_acquire(&prize->lock);
    if (rc < 0) {
        return rc;
    }
    while (rc == 0 && prize->tokens == 0) {
        rc = jg_cond_wait(&prize->cond, &prize->lock);
    }
    prize->tokens -= rc == 0;
    ck_assert_int_eq(jg_lock_release(&prize->lock), 0);
    return rc;
}

static void give_token(struct prize *prize) {
    JG_SHIELD {
        ck_assert_int_eq(jg_lock_acquire(&prize->lock), 0);
        prize->tokens++;
        jg_cond_notify(&prize->cond, 1);
        ck_assert_int_eq(jg_lock_release(&prize->lock), 0);
    }
}

static intptr_t contest_token(void *arg) {
    struct prize prize = {.take = take_token, .give = give_token, .tokens = 1};
    (void)arg;
    play_contest(&prize);
    return 0;
}

// A notification would be lost with the task it woke.
START_TEST(r01_notified_and_cancelled) {
    play_seeds("token\0", contest_token);
}
END_TEST

// Channel.

static int take_item(struct prize *prize) {
    char item;
    int rc = jg_chan_recv(&prize->chan, &item);
    return rc == 1 ? 0 : rc;
}

static void give_item(struct prize *prize) {
    ck_assert_int_eq(jg_chan_try_send(&prize->chan, "x"), 0);
}

static intptr_t contest_item(void *arg) {
    struct prize prize = {.take = take_item, .give = give_item};
    (void)arg;
    jg_chan_init(&prize.chan, 1, &prize.slot, 1);
    give_item(&prize);
    play_contest(&prize);
    return 0;
}

// An item would be lost with the task it was handed to.
START_TEST(r01_item_granted_and_cancelled) {
    play_seeds("item\0", contest_item);
}
END_TEST

// Deadlines.

static void play_ties(const struct scenario *scenario) {
    for (uint64_t i = 0; i < scenario_seeds(TIE_SEEDS, 500); i++) {
        ck_assert_int_eq(scenario_play(scenario, fixture_seed() + i, NULL, NULL), 0);
    }
}

// A result and a deadline in one tick would both count, or neither, or the wrong scope would report.
START_TEST(r03_deadline_and_completion_in_one_tick) {
    play_ties(&scenario_ties);
}
END_TEST

// Two deadlines in one tick would both report, or a limit would report a cancel from outside as its own.
START_TEST(r03_nested_deadlines_in_one_tick) {
    play_ties(&scenario_limits);
}
END_TEST

FIXTURE_MAIN("sim/grants", r01_lock_granted_and_cancelled, r01_permit_granted_and_cancelled,
             r01_notified_and_cancelled, r01_item_granted_and_cancelled,
             r03_deadline_and_completion_in_one_tick, r03_nested_deadlines_in_one_tick)
