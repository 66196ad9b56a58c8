// SPDX-License-Identifier: MIT
/* test_select.c – SEMANTICS S49: waiting for several channels at once.
 *
 * Holds      nothing between tests.
 * Invariant  a select does exactly one of its cases, or none if it fails, and leaves no trace in the
 *            channels of the others.
 * Called by  ctest, on epoll and sim.
 * Why        a record left behind in one channel would be written to after its stack is gone.
 */
#include "api/api.h"

enum { UNSET = 77 };

struct pair {
    jg_chan a;
    jg_chan b;
    int rc;
    int case_rc;
    int got_a;
    int got_b;
};

static void init_pair(struct pair *pair) {
    *pair = (struct pair){.rc = UNSET, .case_rc = UNSET};
    jg_chan_init(&pair->a, sizeof(int), NULL, 0);
    jg_chan_init(&pair->b, sizeof(int), NULL, 0);
}

static intptr_t select_either(void *arg) {
    struct pair *pair = arg;
    jg_case cases[] = {jg_case_recv(&pair->a, &pair->got_a), jg_case_recv(&pair->b, &pair->got_b)};
    pair->rc = jg_select(cases, 2);
    pair->case_rc = pair->rc < 0 ? UNSET : cases[pair->rc].rc;
    return 0;
}

static intptr_t send_seven(void *arg) {
    const int seven = 7;
    return jg_chan_send(arg, &seven);
}

static intptr_t ready_body(void *arg) {
    struct pair pair;
    int got = 0;
    const int eight = 8;
    (void)arg;
    init_pair(&pair);
    jg_case cases[] = {jg_case_recv(&pair.a, &got), jg_case_send(&pair.b, &eight)};
    ck_assert_int_eq(jg_select(cases, 0), -EINVAL);
    ck_assert_int_eq(jg_select_try(cases, 0), -EINVAL);
    ck_assert_int_eq(jg_select_try(cases, 2), -EAGAIN);
    jg_task *sender = jg_spawn(send_seven, &pair.a);
    jg_sleep(1);
    ck_assert_int_eq(jg_select_try(cases, 2), 0);
    ck_assert_int_eq(cases[0].rc, 1);
    ck_assert_int_eq(got, 7);
    ck_assert_int_eq(jg_join(sender), 0);

    jg_task *receiver = jg_spawn(select_either, &pair);
    jg_sleep(1);
    ck_assert_int_eq(jg_select(cases, 2), 1); // the receiver waits in b, and its other case in a
    ck_assert_int_eq(cases[1].rc, 0);
    jg_join(receiver);
    ck_assert_int_eq(pair.rc, 1);
    ck_assert_int_eq(pair.got_b, 8);

    jg_case off[] = {jg_case_recv(NULL, &got), jg_case_send(NULL, &eight)};
    ck_assert_int_eq(jg_select_try(off, 2), -EAGAIN);
    return 0;
}

// A select would miss a case that is ready, or wait although it has a default.
START_TEST(s49_select_does_what_is_ready) {
    run_body(ready_body);
}
END_TEST

static intptr_t waiting_body(void *arg) {
    struct pair pair;
    const int nine = 9;
    (void)arg;
    for (int round = 0; round < 2; round++) {
        init_pair(&pair);
        jg_chan *chosen = round == 0 ? &pair.a : &pair.b;
        jg_chan *other = round == 0 ? &pair.b : &pair.a;
        jg_task *task = jg_spawn(select_either, &pair);
        jg_sleep(1);
        ck_assert_int_eq(pair.rc, UNSET);
        ck_assert_int_eq(jg_chan_try_send(chosen, &nine), 0);
        ck_assert_int_eq(jg_chan_try_send(other, &nine), -EAGAIN); // it has left that queue at once
        ck_assert_int_eq(jg_chan_try_send(chosen, &nine), -EAGAIN);
        jg_cancel(task); // too late
        jg_join(task);
        ck_assert_int_eq(pair.rc, round);
        ck_assert_int_eq(pair.case_rc, 1);
        ck_assert_int_eq(pair.got_a + pair.got_b, 9);
    }
    return 0;
}

// Two senders would both be told that the one receiver took their element.
START_TEST(s49_select_takes_one_of_many) {
    run_body(waiting_body);
}
END_TEST

static intptr_t cancel_body(void *arg) {
    struct pair pair;
    const int nine = 9;
    int rc = 0;
    (void)arg;
    init_pair(&pair);
    jg_task *task = jg_spawn(select_either, &pair);
    jg_sleep(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_chan_try_send(&pair.a, &nine), -EAGAIN);
    ck_assert_int_eq(jg_chan_try_send(&pair.b, &nine), -EAGAIN);
    jg_join(task);
    ck_assert_int_eq(pair.rc, -ECANCELED);
    jg_case cases[] = {jg_case_recv(NULL, &pair.got_a), jg_case_send(&pair.b, &nine)};
    JG_TIMEOUT(2, rc) {
        rc = jg_select(cases, 2);
        ck_assert_int_eq(jg_select(cases, 2), -ECANCELED); // the cancel stands
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(jg_chan_try_recv(&pair.b, &pair.got_b), -EAGAIN);
    return 0;
}

// A cancelled select would have sent or received something, or could still do so.
START_TEST(s49_cancelled_select_did_nothing) {
    run_body(cancel_body);
}
END_TEST

static intptr_t closed_body(void *arg) {
    struct pair pair;
    const int nine = 9;
    (void)arg;
    init_pair(&pair);
    jg_task *task = jg_spawn(select_either, &pair);
    jg_sleep(1);
    jg_chan_close(&pair.b);
    jg_join(task);
    ck_assert_int_eq(pair.rc, 1);
    ck_assert_int_eq(pair.case_rc, 0);
    jg_case cases[] = {jg_case_recv(&pair.a, &pair.got_a), jg_case_send(&pair.b, &nine)};
    ck_assert_int_eq(jg_select(cases, 2), 1);
    ck_assert_int_eq(cases[1].rc, -EPIPE);
    return 0;
}

// A select would wait for ever for a channel that is closed.
START_TEST(s49_closed_channel_is_ready) {
    run_body(closed_body);
}
END_TEST

static intptr_t fair_body(void *arg) {
    enum { ROUNDS = 3000, CASES = 3 };
    jg_chan chans[CASES];
    int places[CASES][1];
    int chosen[CASES] = {0};
    int got;
    (void)arg;
    jg_case cases[CASES + 1];
    for (int i = 0; i < CASES; i++) {
        jg_chan_init(&chans[i], sizeof(int), places[i], 1);
        ck_assert_int_eq(jg_chan_try_send(&chans[i], &i), 0);
        cases[i] = jg_case_recv(&chans[i], &got);
    }
    cases[CASES] = jg_case_recv(NULL, &got);
    for (int i = 0; i < ROUNDS; i++) {
        int which = jg_select(cases, CASES + 1);
        ck_assert_int_eq(got, which);
        chosen[which]++;
        ck_assert_int_eq(jg_chan_try_send(&chans[which], &which), 0); // all are ready again
    }
    for (int i = 0; i < CASES; i++) {
        ck_assert_int_gt(chosen[i], ROUNDS / CASES / 2);
    }
    return 0;
}

// A channel that is always ready would starve those behind it.
START_TEST(s49_select_is_fair) {
    run_body(fair_body);
}
END_TEST

struct trade {
    jg_chan *chan;
    int mine;
    int theirs;
    int which;
};

/* Sends its own number or receives the other's, on one channel. */
static intptr_t trade(void *arg) {
    struct trade *party = arg;
    jg_case cases[] = {jg_case_send(party->chan, &party->mine),
                       jg_case_recv(party->chan, &party->theirs)};
    party->which = jg_select(cases, 2);
    return 0;
}

static intptr_t trade_body(void *arg) {
    jg_chan chan;
    (void)arg;
    jg_chan_init(&chan, sizeof(int), NULL, 0);
    struct trade parties[2] = {{&chan, 1, 0, UNSET}, {&chan, 2, 0, UNSET}};
    jg_task *tasks[2] = {jg_spawn(trade, &parties[0]), jg_spawn(trade, &parties[1])};
    jg_join(tasks[0]);
    jg_join(tasks[1]);
    ck_assert_int_eq(parties[0].which + parties[1].which, 1); // one sent, the other received
    int receiver = parties[0].which == 1 ? 0 : 1;
    ck_assert_int_eq(parties[receiver].theirs, parties[1 - receiver].mine);
    ck_assert_int_eq(parties[1 - receiver].theirs, 0);

    jg_task *alone = jg_spawn(trade, &parties[0]); // never with itself
    jg_sleep(1);
    ck_assert(!jg_done(alone));
    jg_cancel(alone);
    jg_join(alone);
    ck_assert_int_eq(parties[0].which, -ECANCELED);
    return 0;
}

// A select would meet itself, or two that stand on both sides would not meet.
START_TEST(s49_selects_meet_on_one_channel) {
    run_body(trade_body);
}
END_TEST

enum { TASKS = 9, EACH = 12 };

struct traffic {
    jg_chan chans[3];
    int places[2];
    int sent;
    int received;
    int64_t sum;
};

/* Sends and receives by turns on whatever channel is ready. */
static intptr_t mingle(void *arg) {
    struct traffic *traffic = arg;
    int out = 0;
    int in = 0;
    for (int i = 0; i < EACH; i++) {
        jg_case cases[] = {
            jg_case_send(&traffic->chans[0], &out), jg_case_recv(&traffic->chans[1], &in),
            jg_case_recv(&traffic->chans[0], &in),  jg_case_send(&traffic->chans[2], &out),
            jg_case_recv(&traffic->chans[2], &in),  jg_case_send(&traffic->chans[1], &out)};
        out++;
        int which = jg_select(cases, 6);
        if (which >= 0 && cases[which].rc == (cases[which].sends ? 0 : 1)) {
            traffic->sent += cases[which].sends;
            traffic->received += !cases[which].sends;
            traffic->sum += cases[which].sends ? out : -in;
        }
        jg_yield();
    }
    return 0;
}

static intptr_t conserved_body(void *arg) {
    struct traffic traffic = {.sent = 0};
    jg_task *tasks[TASKS];
    int value;
    (void)arg;
    for (int i = 0; i < 3; i++) {
        jg_chan_init(&traffic.chans[i], sizeof(int), traffic.places, i == 1 ? 2 : 0);
    }
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = jg_spawn(mingle, &traffic);
    }
    for (int i = 0; i < 30; i++) {
        jg_yield();
        if (i % 10 == 9) {
            jg_cancel(tasks[i / 10]);
        }
    }
    jg_sleep(5);
    for (int i = 0; i < 3; i++) {
        jg_chan_close(&traffic.chans[i]);
    }
    for (int i = 0; i < TASKS; i++) {
        jg_join(tasks[i]);
    }
    while (jg_chan_recv(&traffic.chans[1], &value) == 1) {
        traffic.received++;
        traffic.sum -= value;
    }
    ck_assert_int_gt(traffic.sent, 0);
    ck_assert_int_eq(traffic.sent, traffic.received);
    ck_assert_int_eq(traffic.sum, 0);
    return 0;
}

// Among many selects, some cancelled, an element would be lost or doubled.
START_TEST(r01_selected_elements_are_conserved) {
    run_body(conserved_body);
}
END_TEST

FIXTURE_MAIN("api/select", s49_select_does_what_is_ready, s49_select_takes_one_of_many,
             s49_cancelled_select_did_nothing, s49_closed_channel_is_ready, s49_select_is_fair,
             s49_selects_meet_on_one_channel, r01_selected_elements_are_conserved)
