// SPDX-License-Identifier: MIT
/* test_mpsc.c – the queue that many threads and signal handlers push to.
 */
#define FIXTURE_LIMIT 20
#include "fixtures/fixture.h"

#include "base/mpsc.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#define expect(condition) ((condition) ? (void)0 : ck_abort_msg("%s does not hold", #condition))

struct item {
    jg_link node; // first
    int pusher;
    int number;
};

// Items would come out in another order than they went in.
START_TEST(what_goes_in_first_comes_out_first) {
    struct mpsc queue = {NULL};
    struct item items[10];
    ck_assert(mpsc_empty(&queue));
    ck_assert_ptr_null(mpsc_drain(&queue));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) {
            items[i].number = i;
            ck_assert(mpsc_push(&queue, &items[i].node));
        }
        ck_assert(!mpsc_empty(&queue));
        jg_link *node = mpsc_drain(&queue);
        ck_assert(mpsc_empty(&queue));
        for (int i = 0; i < 10; i++) {
            ck_assert_ptr_eq(node, &items[i].node);
            node = node->next;
        }
        ck_assert_ptr_null(node);
    }
}
END_TEST

enum { PUSHERS = 4, EACH = 50000 };

struct pusher {
    struct mpsc *queue;
    struct item *items;
    int name;
};

static void *push_all(void *arg) {
    struct pusher *pusher = arg;
    for (int i = 0; i < EACH; i++) {
        pusher->items[i].pusher = pusher->name;
        pusher->items[i].number = i;
        expect(mpsc_push(pusher->queue, &pusher->items[i].node));
    }
    return NULL;
}

/* Takes until `count` items have come; each pusher's come in its own order. */
static void drain_all(struct mpsc *queue, int *next, int count) {
    int taken = 0;
    while (taken < count) {
        jg_link *node = mpsc_drain(queue);
        if (node == NULL) {
            sched_yield();
        }
        for (; node != NULL; node = node->next) {
            const struct item *item = (const struct item *)(void *)node;
            expect(item->number == next[item->pusher]);
            next[item->pusher]++;
            taken++;
        }
    }
    expect(taken == count);
}

// Items of several threads would be lost, doubled, or overtake each other.
START_TEST(many_pushers_lose_nothing) {
    struct mpsc queue = {NULL};
    struct pusher pushers[PUSHERS];
    pthread_t threads[PUSHERS];
    int next[PUSHERS] = {0};
    for (int i = 0; i < PUSHERS; i++) {
        pushers[i] = (struct pusher){&queue, calloc(EACH, sizeof(struct item)), i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, push_all, &pushers[i]), 0);
    }
    drain_all(&queue, next, PUSHERS * EACH);
    for (int i = 0; i < PUSHERS; i++) {
        pthread_join(threads[i], NULL);
        free(pushers[i].items);
        ck_assert_int_eq(next[i], EACH);
    }
    ck_assert(mpsc_empty(&queue));
}
END_TEST

enum { SIGNALS = 200 };

static struct mpsc signal_queue;
static struct item signal_items[SIGNALS];
static volatile sig_atomic_t signals_seen;

static void push_from_signal(int number) {
    (void)number;
    if (signals_seen < SIGNALS) {
        signal_items[signals_seen] = (struct item){.number = signals_seen};
        signals_seen += mpsc_push(&signal_queue, &signal_items[signals_seen].node);
    }
}

// A push from a signal handler in the middle of a drain or a push would break the list.
START_TEST(signal_handlers_push_at_any_moment) {
    struct item own = {.pusher = 1};
    int from_signals = 0;
    int own_count = 0;
    struct sigaction action = {.sa_handler = push_from_signal};
    const struct itimerval often = {.it_value = {.tv_usec = 50}, .it_interval = {.tv_usec = 50}};
    const struct itimerval off = {.it_value = {.tv_usec = 0}};
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (int round = 0; from_signals < SIGNALS; round++) {
        expect(mpsc_push(&signal_queue, &own.node));
        for (jg_link *node = mpsc_drain(&signal_queue); node != NULL; node = node->next) {
            const struct item *item = (const struct item *)(void *)node;
            expect(item->pusher == 1 || item->number == from_signals);
            from_signals += item->pusher == 0;
            own_count += item->pusher == 1;
        }
        expect(own_count == round + 1);
    }
    ck_assert_int_eq(setitimer(ITIMER_REAL, &off, NULL), 0);
    signal(SIGALRM, SIG_DFL);
}
END_TEST

FIXTURE_MAIN("base/mpsc", what_goes_in_first_comes_out_first, many_pushers_lose_nothing,
             signal_handlers_push_at_any_moment)
