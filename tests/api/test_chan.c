// SPDX-License-Identifier: MIT
/* test_chan.c – SEMANTICS S49: channels.
 *
 * Holds      nothing between tests.
 * Invariant  an element whose send returned 0 is received once, or lies in the buffer; one whose send
 *            failed is received by nobody.
 * Called by  ctest, on epoll and sim.
 * Why        both sides of a rendezvous may be cancelled, and the two must agree on whether it took place.
 */
#include "api/api.h"

enum { UNSET = 77 };

struct side {
    jg_chan *chan;
    int64_t after_ms;
    int value; // sent or received
    int rc;
    int next; // a suspend after it
};

static intptr_t send_one(void *arg) {
    struct side *side = arg;
    jg_sleep(side->after_ms);
    side->rc = jg_chan_send(side->chan, &side->value);
    side->next = jg_yield();
    return 0;
}

static intptr_t recv_one(void *arg) {
    struct side *side = arg;
    jg_sleep(side->after_ms);
    side->rc = jg_chan_recv(side->chan, &side->value);
    side->next = jg_yield();
    return 0;
}

/* Starts a task that sends or receives; when it returns the task waits. */
static jg_task *begin(jg_fn *fn, struct side *side) {
    side->rc = UNSET;
    side->next = UNSET;
    jg_task *task = jg_spawn(fn, side);
    jg_sleep(1);
    return task;
}

static intptr_t meeting_body(void *arg) {
    jg_chan chan;
    int got = 0;
    (void)arg;
    jg_chan_init(&chan, sizeof(int), NULL, 0);
    struct side sender = {.chan = &chan, .value = 5};
    struct side receiver = {.chan = &chan};
    jg_task *task = begin(send_one, &sender);
    ck_assert_int_eq(sender.rc, UNSET); // nobody has it yet
    ck_assert_uint_eq(jg_chan_count(&chan), 0);
    ck_assert_int_eq(jg_chan_recv(&chan, &got), 1);
    ck_assert_int_eq(got, 5);
    jg_join(task);
    ck_assert_int_eq(sender.rc, 0);

    task = begin(recv_one, &receiver);
    got = 6;
    ck_assert_int_eq(jg_chan_send(&chan, &got), 0);
    jg_join(task);
    ck_assert_int_eq(receiver.rc, 1);
    ck_assert_int_eq(receiver.value, 6);
    return 0;
}

// Without a buffer a send would return before somebody has the element.
START_TEST(s49_sender_and_receiver_meet) {
    run_body(meeting_body);
}
END_TEST

static intptr_t cancelled_send_body(void *arg) {
    jg_chan chan;
    int got = 0;
    (void)arg;
    jg_chan_init(&chan, sizeof(int), NULL, 0);
    struct side first = {.chan = &chan, .value = 1};
    struct side second = {.chan = &chan, .value = 2};
    jg_task *tasks[2] = {begin(send_one, &first), begin(send_one, &second)};
    jg_cancel(tasks[0]);
    ck_assert_int_eq(jg_chan_recv(&chan, &got), 1);
    ck_assert_int_eq(got, 2);
    jg_join(tasks[0]);
    jg_join(tasks[1]);
    ck_assert_int_eq(first.rc, -ECANCELED);
    ck_assert_int_eq(second.rc, 0);
    ck_assert_int_eq(jg_chan_try_recv(&chan, &got), -EAGAIN);
    return 0;
}

// The receiver would get an element whose sender was told that it was not sent.
START_TEST(s49_cancelled_rendezvous_delivered_nothing) {
    run_body(cancelled_send_body);
}
END_TEST

static intptr_t same_tick_body(void *arg) {
    jg_chan chan;
    int got = 0;
    (void)arg;
    jg_chan_init(&chan, sizeof(int), NULL, 0);
    struct side sender = {.chan = &chan, .value = 3};
    struct side receiver = {.chan = &chan};
    jg_task *task = begin(send_one, &sender);
    ck_assert_int_eq(jg_chan_try_recv(&chan, &got), 1);
    jg_cancel(task); // it took place: completion wins
    jg_join(task);
    ck_assert_int_eq(sender.rc, 0);
    ck_assert_int_eq(sender.next, -ECANCELED);

    task = begin(recv_one, &receiver);
    ck_assert_int_eq(jg_chan_try_send(&chan, &got), 0);
    jg_cancel(task);
    jg_join(task);
    ck_assert_int_eq(receiver.rc, 1);
    ck_assert_int_eq(receiver.value, 3);
    ck_assert_int_eq(receiver.next, -ECANCELED);
    return 0;
}

// An element handed over in the tick of a cancel would be lost, or sent again.
START_TEST(s49_cancelled_in_the_tick_of_the_rendezvous) {
    run_body(same_tick_body);
}
END_TEST

static intptr_t buffer_body(void *arg) {
    int places[2];
    jg_chan chan;
    int got = 0;
    int one = 1;
    int two = 2;
    (void)arg;
    jg_chan_init(&chan, sizeof(int), places, 2);
    ck_assert_int_eq(jg_chan_send(&chan, &one), 0);
    ck_assert_int_eq(jg_chan_send(&chan, &two), 0);
    ck_assert_uint_eq(jg_chan_count(&chan), 2);
    ck_assert_int_eq(jg_chan_try_send(&chan, &one), -EAGAIN);
    struct side third = {.chan = &chan, .value = 3};
    struct side fourth = {.chan = &chan, .value = 4};
    jg_task *tasks[2] = {begin(send_one, &third), begin(send_one, &fourth)};
    for (int i = 1; i <= 4; i++) {
        ck_assert_int_eq(jg_chan_recv(&chan, &got), 1);
        ck_assert_int_eq(got, i);
    }
    jg_join(tasks[0]);
    jg_join(tasks[1]);
    ck_assert_int_eq(third.rc, 0);
    ck_assert_int_eq(fourth.rc, 0);
    ck_assert_int_eq(jg_chan_try_recv(&chan, &got), -EAGAIN);
    return 0;
}

// A sender that waited would be overtaken, or its element lost, when a place becomes free.
START_TEST(s49_buffer_keeps_the_order) {
    run_body(buffer_body);
}
END_TEST

static intptr_t close_body(void *arg) {
    int places[1];
    jg_chan chan;
    int got = 0;
    int one = 1;
    (void)arg;
    jg_chan_init(&chan, sizeof(int), places, 1);
    ck_assert_int_eq(jg_chan_send(&chan, &one), 0);
    struct side late = {.chan = &chan, .value = 2};
    jg_task *task = begin(send_one, &late);
    ck_assert(!jg_chan_is_closed(&chan));
    jg_chan_close(&chan);
    jg_chan_close(&chan);
    ck_assert(jg_chan_is_closed(&chan));
    jg_join(task);
    ck_assert_int_eq(late.rc, -EPIPE);
    ck_assert_int_eq(jg_chan_send(&chan, &one), -EPIPE);
    ck_assert_int_eq(jg_chan_try_send(&chan, &one), -EPIPE);
    ck_assert_int_eq(jg_chan_recv(&chan, &got), 1); // first what is in the buffer
    ck_assert_int_eq(got, 1);
    ck_assert_int_eq(jg_chan_recv(&chan, &got), 0); // then the end
    ck_assert_int_eq(jg_chan_try_recv(&chan, &got), 0);

    jg_chan_init(&chan, sizeof(int), NULL, 0);
    struct side receivers[2] = {{.chan = &chan}, {.chan = &chan}};
    jg_task *tasks[2] = {begin(recv_one, &receivers[0]), begin(recv_one, &receivers[1])};
    jg_chan_close(&chan);
    jg_cancel(tasks[0]); // the end has come to it
    for (int i = 0; i < 2; i++) {
        jg_join(tasks[i]);
        ck_assert_int_eq(receivers[i].rc, 0);
    }
    return 0;
}

// The buffer would be lost at a close, or who waits would wait for ever.
START_TEST(s49_close_drains_then_ends) {
    run_body(close_body);
}
END_TEST

static intptr_t leaving_receiver(void *arg) {
    jg_chan *chan = arg;
    int got;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(jg_chan_recv(chan, &got), 1);
    }
    jg_chan_close(chan); // enough
    return 0;
}

static intptr_t no_receivers_body(void *arg) {
    jg_chan chan;
    int sent = 0;
    (void)arg;
    jg_chan_init(&chan, sizeof(int), NULL, 0);
    jg_task *task = jg_spawn(leaving_receiver, &chan);
    int rc;
    while ((rc = jg_chan_send(&chan, &sent)) == 0) {
        sent++;
    }
    ck_assert_int_eq(rc, -EPIPE);
    ck_assert_int_eq(sent, 3);
    return jg_join(task);
}

// A sender would wait for ever for a receiver that has left.
START_TEST(s49_sender_learns_that_the_receiver_left) {
    run_body(no_receivers_body);
}
END_TEST

struct wide {
    char text[23];
};

static intptr_t sizes_body(void *arg) {
    static const char letters[] = "abcdefghijklmnopqrstuv";
    struct wide places[3];
    struct wide wide;
    jg_chan chan;
    (void)arg;
    jg_chan_init(&chan, sizeof(struct wide), places, 3);
    for (int round = 0; round < 7; round++) { // around the ring
        memcpy(wide.text, letters, sizeof(letters));
        wide.text[0] = (char)('0' + round);
        ck_assert_int_eq(jg_chan_send(&chan, &wide), 0);
        memset(&wide, 0, sizeof(wide));
        ck_assert_int_eq(jg_chan_recv(&chan, &wide), 1);
        ck_assert_int_eq(wide.text[0], '0' + round);
        ck_assert_str_eq(wide.text + 1, letters + 1);
    }
    intptr_t words[2];
    intptr_t word = 7;
    jg_chan_init(&chan, sizeof(word), words, 2);
    ck_assert_int_eq(jg_chan_send(&chan, &word), 0);
    words[1] = 5; // the place behind it is not touched
    word = 0;
    ck_assert_int_eq(jg_chan_recv(&chan, &word), 1);
    ck_assert_int_eq(word, 7);
    ck_assert_int_eq(words[1], 5);
    jg_chan signal = {0}; // elements of no size
    struct side receiver = {.chan = &signal, .value = 9};
    jg_task *task = begin(recv_one, &receiver);
    ck_assert_int_eq(jg_chan_send(&signal, NULL), 0);
    jg_join(task);
    ck_assert_int_eq(receiver.rc, 1);
    ck_assert_int_eq(receiver.value, 9);
    return 0;
}

// Elements would be torn, or more copied than there is.
START_TEST(s49_elements_of_any_size) {
    run_body(sizes_body);
}
END_TEST

enum { TASKS = 12, EACH = 10 };

struct traffic {
    jg_chan chan;
    int places[3];
    int sent;
    int received;
    int64_t sum; // sent less received
};

static intptr_t traffic_send(void *arg) {
    struct traffic *traffic = arg;
    for (int i = 1; i <= EACH; i++) {
        if (jg_chan_send(&traffic->chan, &i) == 0) {
            traffic->sent++;
            traffic->sum += i;
        }
        jg_yield();
    }
    return 0;
}

static intptr_t traffic_recv(void *arg) {
    struct traffic *traffic = arg;
    int value;
    while (jg_chan_recv(&traffic->chan, &value) == 1) {
        traffic->received++;
        traffic->sum -= value;
    }
    return 0;
}

static intptr_t conserved(size_t capacity) {
    struct traffic traffic = {.sent = 0};
    jg_task *tasks[TASKS];
    int value;
    jg_chan_init(&traffic.chan, sizeof(int), traffic.places, capacity);
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = jg_spawn(i % 2 == 0 ? traffic_send : traffic_recv, &traffic);
    }
    for (int i = 0; i < 40; i++) {
        jg_yield();
        if (i % 5 == 4) {
            jg_cancel(tasks[i / 5]);
        }
    }
    jg_sleep(5);
    jg_chan_close(&traffic.chan);
    for (int i = 0; i < TASKS; i++) {
        jg_join(tasks[i]);
    }
    while (jg_chan_recv(&traffic.chan, &value) == 1) {
        traffic.received++;
        traffic.sum -= value;
    }
    ck_assert_int_gt(traffic.sent, 0);
    ck_assert_int_eq(traffic.sent, traffic.received);
    ck_assert_int_eq(traffic.sum, 0);
    return 0;
}

static intptr_t conserved_body(void *arg) {
    (void)arg;
    conserved(0);
    return conserved(3);
}

// Among many senders and receivers, some cancelled, an element would be lost or doubled.
START_TEST(r01_elements_are_conserved) {
    run_body(conserved_body);
}
END_TEST

FIXTURE_MAIN("api/chan", s49_sender_and_receiver_meet, s49_cancelled_rendezvous_delivered_nothing,
             s49_cancelled_in_the_tick_of_the_rendezvous, s49_buffer_keeps_the_order,
             s49_close_drains_then_ends, s49_sender_learns_that_the_receiver_left,
             s49_elements_of_any_size, r01_elements_are_conserved)
