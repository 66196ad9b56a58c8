// SPDX-License-Identifier: MIT
/* scenarios_chan.h – scenarios of channels, selects, conditions and barriers.
 *
 * Holds      relay, bazaar, mailbox, lockstep.
 * Invariant  see scenarios.h.
 * Called by  scenarios.h.
 * Why        see scenarios.h.
 */
#ifndef SIM_SCENARIOS_CHAN_H
#define SIM_SCENARIOS_CHAN_H

#include "fixtures/fixture.h"

#include <juggle.h>

#define SCENARIOS_CHAN(X)                                                                          \
    X(relay, NULL)                                                                                 \
    X(bazaar, NULL)                                                                                \
    X(mailbox, NULL)                                                                               \
    X(lockstep, NULL)

// relay: numbers pass from stage to stage, in order; whoever leaves closes both doors behind it.

enum { STAGES = 3, RELAYED = 8 };

struct relay {
    jg_chan chans[STAGES + 1];
    int places[2];
    int stage;
    int sent;
    int in_hand; // taken by a stage and not given on, when it left
    int64_t last;
    int received;
};

static intptr_t relay_source(void *arg) {
    struct relay *relay = arg;
    for (int number = 1; number <= RELAYED; number++) {
        if (jg_chan_send(&relay->chans[0], &number) < 0) {
            break;
        }
        relay->sent++;
    }
    jg_chan_close(&relay->chans[0]);
    return 0;
}

static intptr_t relay_stage(void *arg) {
    struct relay *relay = arg;
    int stage = relay->stage++;
    int number;
    while (jg_chan_recv(&relay->chans[stage], &number) == 1) {
        if (jg_chan_send(&relay->chans[stage + 1], &number) < 0) {
            relay->in_hand++;
            break;
        }
    }
    jg_chan_close(&relay->chans[stage]);
    jg_chan_close(&relay->chans[stage + 1]);
    return 0;
}

static intptr_t relay_sink(void *arg) {
    struct relay *relay = arg;
    int number;
    while (jg_chan_recv(&relay->chans[STAGES], &number) == 1) {
        ck_assert_int_gt(number, relay->last);
        relay->last = number;
        relay->received++;
        jg_sleep(number % 2);
    }
    jg_chan_close(&relay->chans[STAGES]);
    return 0;
}

static intptr_t relay_run(void *arg) {
    struct relay relay = {.sent = 0};
    int number;
    (void)arg;
    for (int i = 0; i <= STAGES; i++) {
        jg_chan_init(&relay.chans[i], sizeof(int), i == 1 ? relay.places : NULL, i == 1 ? 2 : 0);
    }
    JG_GROUP(group) {
        jg_group_spawn(group, relay_source, &relay);
        for (int i = 0; i < STAGES; i++) {
            jg_group_spawn(group, relay_stage, &relay);
        }
        jg_group_spawn(group, relay_sink, &relay);
        jg_sleep(100); // neighbours that never began close nothing
        jg_group_cancel(group);
    }
    int left = 0;
    while (jg_chan_try_recv(&relay.chans[1], &number) == 1) {
        left++;
    }
    ck_assert_int_eq(relay.sent, relay.received + relay.in_hand + left);
    ck_assert(scenario_disturbed || relay.received == RELAYED);
    return 0;
}

// bazaar: some offer on every channel at once, some ask, some do both; some are in a hurry.

enum { STALLS = 3, TRADERS = 6, DEALS = 5 };

struct bazaar {
    jg_chan stalls[STALLS];
    int places[1];
    int traders;
    int sold;
    int bought;
    int64_t sum; // sold less bought
};

static intptr_t bazaar_trade(void *arg) {
    struct bazaar *bazaar = arg;
    int self = bazaar->traders++;
    for (int i = 0; i < DEALS; i++) {
        int offers[STALLS];
        int got = 0;
        int which = 0;
        jg_case cases[2 * STALLS];
        for (int stall = 0; stall < STALLS; stall++) {
            offers[stall] = 100 * self + 10 * i + stall;
            cases[stall] = jg_case_send(&bazaar->stalls[stall], &offers[stall]);
            cases[STALLS + stall] = jg_case_recv(&bazaar->stalls[stall], &got);
        }
        bool asks_only = self % 3 == 1;
        JG_TIMEOUT(1 + self, which) {
            which = jg_select(asks_only ? cases + STALLS : cases,
                              self % 3 == 2 ? 2 * STALLS : STALLS);
        }
        which += asks_only && which >= 0 ? STALLS : 0;
        if (which >= 0 && which < STALLS && cases[which].rc == 0) {
            bazaar->sold++;
            bazaar->sum += offers[which];
        } else if (which >= STALLS && cases[which].rc == 1) {
            bazaar->bought++;
            bazaar->sum -= got;
        } else {
            ck_assert_int_eq(got, 0);
        }
        jg_yield();
    }
    return 0;
}

static intptr_t bazaar_run(void *arg) {
    struct bazaar bazaar = {.sold = 0};
    int left;
    (void)arg;
    for (int i = 0; i < STALLS; i++) {
        jg_chan_init(&bazaar.stalls[i], sizeof(int), i == 0 ? bazaar.places : NULL, i == 0);
    }
    JG_GROUP(group) {
        for (int i = 0; i < TRADERS; i++) {
            jg_group_spawn(group, bazaar_trade, &bazaar);
        }
        jg_sleep(2);
        jg_chan_close(&bazaar.stalls[1]);
    }
    while (jg_chan_try_recv(&bazaar.stalls[0], &left) == 1) {
        bazaar.bought++;
        bazaar.sum -= left;
    }
    ck_assert(scenario_disturbed || bazaar.sold > 0);
    ck_assert_int_eq(bazaar.sold, bazaar.bought);
    ck_assert_int_eq(bazaar.sum, 0);
    for (int i = 0; i < STALLS; i++) {
        ck_assert_int_eq(jg_chan_try_send(&bazaar.stalls[i], &left),
                         i == 0 ? 0 : (i == 1 ? -EPIPE : -EAGAIN)); // no trace of anybody
    }
    return 0;
}

// mailbox: a box by lock and conditions; a notification that is lost leaves somebody asleep.

enum { BOX = 1, LETTERS = 6, LATE_MS = 1000 };

struct mailbox {
    jg_lock lock;
    jg_cond filled;
    jg_cond emptied;
    int letters;
    int put;
    int got;
    int late;
    bool closed;
};

/* Waits, with the lock held, for a letter, or a place, no longer than `limit_ms`. Returns whether. */
static bool mailbox_wait(struct mailbox *box, bool for_letter, int64_t limit_ms) {
    int rc = 0;
    JG_TIMEOUT(limit_ms, rc) {
        while (rc == 0 && !box->closed && box->letters == (for_letter ? 0 : BOX)) {
            rc = jg_cond_wait(for_letter ? &box->filled : &box->emptied, &box->lock);
        }
    }
    ck_assert(jg_lock_is_held(&box->lock));
    box->late += rc == -ETIMEDOUT && limit_ms == LATE_MS;
    return rc == 0 && box->letters != (for_letter ? 0 : BOX);
}

static intptr_t mailbox_write(void *arg) {
    struct mailbox *box = arg;
    for (int i = 0; i < LETTERS; i++) {
        if (jg_lock_acquire(&box->lock) < 0) {
            break;
        }
        if (mailbox_wait(box, false, LATE_MS)) {
            box->letters++;
            box->put++;
            jg_cond_notify(&box->filled, 1);
            jg_sleep(
                i %
                3); // with the lock: the limit of who was notified may strike before it has that
        }
        ck_assert_int_eq(jg_lock_release(&box->lock), 0);
    }
    return 0;
}

static void mailbox_read(struct mailbox *box, int tries, int64_t limit_ms) {
    for (; tries > 0 && !(box->closed && box->letters == 0); tries--) {
        if (jg_lock_acquire(&box->lock) < 0) {
            break;
        }
        if (mailbox_wait(box, true, limit_ms)) {
            jg_yield(); // with the lock
            box->letters--;
            box->got++;
            jg_cond_notify(&box->emptied, 1);
        }
        ck_assert_int_eq(jg_lock_release(&box->lock), 0);
    }
}

static intptr_t mailbox_read_patiently(void *arg) {
    mailbox_read(arg, 3 * LETTERS, LATE_MS);
    return 0;
}

static intptr_t mailbox_read_in_a_hurry(void *arg) {
    mailbox_read(arg, 1, 1);
    return 0;
}

static intptr_t mailbox_run(void *arg) {
    struct mailbox box = {.put = 0};
    (void)arg;
    JG_GROUP(readers) {
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(readers, mailbox_read_in_a_hurry, &box);
        }
        jg_group_spawn(readers, mailbox_read_patiently, &box);
        JG_GROUP(writers) {
            jg_group_spawn(writers, mailbox_write, &box);
            jg_group_spawn(writers, mailbox_write, &box);
        }
        box.closed = true;
        jg_cond_notify_all(&box.filled);
    }
    ck_assert_int_eq(box.put, box.got + box.letters);
    ck_assert(scenario_disturbed || (box.late == 0 && box.got == 2 * LETTERS));
    ck_assert(!jg_lock_is_held(&box.lock));
    return 0;
}

// lockstep: rounds behind a barrier; who leaves breaks it, and nobody is ever a round ahead.

enum { MARCHERS = 3, STEPS = 4 };

struct lockstep {
    jg_barrier barrier;
    int steps; // taken by all together
    int stumbled;
};

static intptr_t lockstep_march(void *arg) {
    struct lockstep *march = arg;
    for (int step = 0; step < STEPS; step++) {
        int rc = 0;
        jg_sleep(march->steps % 3);
        march->steps++;
        JG_TIMEOUT(50, rc) {
            rc = jg_barrier_wait(&march->barrier);
        }
        if (rc < 0) {
            march->stumbled++;
            JG_SHIELD {
                for (int i = 0; i < 4; i++) {
                    jg_yield(); // the others do not know yet
                }
            }
            jg_barrier_abort(&march->barrier);
            return 0;
        }
        ck_assert_int_ge(march->steps, (step + 1) * MARCHERS);
        ck_assert_int_le(march->steps, (step + 2) * MARCHERS);
    }
    return 0;
}

static intptr_t lockstep_run(void *arg) {
    struct lockstep march = {.steps = 0};
    (void)arg;
    jg_barrier_init(&march.barrier, MARCHERS);
    JG_GROUP(group) {
        for (int i = 0; i < MARCHERS; i++) {
            jg_group_spawn(group, lockstep_march, &march);
        }
    }
    ck_assert_uint_eq(jg_barrier_waiting(&march.barrier), 0);
    ck_assert(scenario_disturbed || (march.steps == MARCHERS * STEPS && march.stumbled == 0));
    ck_assert_int_eq(jg_barrier_is_broken(&march.barrier), march.stumbled > 0);
    return 0;
}

#endif
