// SPDX-License-Identifier: MIT
/* test_run_many.c – loops on many threads, and channels between them.
 *
 * Holds      nothing between tests.
 * Invariant  the fixture's audit after each test: no descriptor, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        what crosses threads is where things get lost: an element, a wake-up, an error.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/worker_steps.h"

static jg_run_many_options options_for_backend(void) {
    return (jg_run_many_options){.run.backend = on_backend("sim") ? "sim" : "epoll"};
}

// Loops.

static intptr_t own_loop(void *arg) {
    int *n = arg;
    ck_assert(jg_running());
    jg_sleep(1);
    *n += 1;
    return *n;
}

static intptr_t words_body(void *arg) {
    int numbers[4] = {10, 20, 30, 40};
    intptr_t words[4];
    jg_run_many_options options = options_for_backend();
    (void)arg;
    options.out_words = words;
    options.pin = true;
    ck_assert_int_eq(jg_run_many(4, own_loop, numbers, sizeof(numbers[0]), &options), 0);
    const size_t vast = SIZE_MAX / 8 + 1; // times any record: nothing, to who does not look
    ck_assert_int_eq(jg_run_many(vast, own_loop, numbers, 0, NULL), -ENOMEM);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(words[i], (i + 1) * 10 + 1);
        ck_assert_int_eq(numbers[i], words[i]);
    }
    return 0;
}

// A loop would not run, or not on its own argument.
START_TEST(every_loop_runs) {
    run_once(words_body, NULL);
}
END_TEST

static intptr_t end_at_once(void *arg) {
    (void)arg;
    return 0;
}

static intptr_t brief_body(void *arg) {
    const jg_run_many_options options = options_for_backend();
    (void)arg;
    for (int i = 0; i < 200 / API_SLOWED; i++) {
        ck_assert_int_eq(jg_run_many(4, end_at_once, NULL, 0, &options), 0);
    }
    return 0;
}

// A loop that has ended lends its thread to the next: that would count as a shortage of threads.
START_TEST(loops_may_end_while_others_start) {
    run_once(brief_body, NULL);
}
END_TEST

static intptr_t fail_or_sleep(void *arg) {
    const int *n = arg;
    return *n == 2 ? jg_fail(-EPROTO, "loop %d", *n) : jg_sleep_until(JG_NEVER);
}

static intptr_t failure_body(void *arg) {
    int numbers[4] = {0, 1, 2, 3};
    intptr_t words[4];
    jg_run_many_options options = options_for_backend();
    (void)arg;
    options.out_words = words;
    ck_assert_int_eq(jg_run_many(4, fail_or_sleep, numbers, sizeof(numbers[0]), &options), -EPROTO);
    ck_assert_str_eq(jg_error_detail(-EPROTO), "loop 2");
    ck_assert_int_eq(words[0], -ECANCELED);
    ck_assert_int_eq(words[2], -EPROTO);
    jg_error_clear();
    return 0;
}

// One loop's failure would leave the others running for ever.
START_TEST(failure_stops_the_others) {
    if (on_backend("sim")) {
        fixture_skip("a simulated loop where nothing can happen is a deadlock");
    }
    run_once(failure_body, NULL);
}
END_TEST

static intptr_t sleep_for_ever(void *arg) {
    (void)arg;
    return jg_sleep_until(JG_NEVER);
}

static intptr_t cancelled_body(void *arg) {
    jg_run_many_options options = options_for_backend();
    intptr_t rc = 0;
    (void)arg;
    JG_TIMEOUT(20, rc) {
        rc = jg_run_many(2, sleep_for_ever, NULL, 0, &options);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    return 0;
}

// A cancel would not reach the loops.
START_TEST(cancel_reaches_every_loop) {
    if (on_backend("sim")) {
        fixture_skip("a simulated loop where nothing can happen is a deadlock");
    }
    run_once(cancelled_body, NULL);
}
END_TEST

static intptr_t leave_thread(void *arg) {
    pthread_exit(arg);
}

static void lose_a_loop(void *arg) {
    const jg_run_many_options options = options_for_backend();
    jg_run_many(2, leave_thread, arg, 0, &options);
}

// A loop whose thread is left would hang the call, and the watchdog would look at a stack that is gone.
START_TEST(task_that_leaves_its_thread_is_named) {
    if (sanitized) {
        fixture_skip("the sanitizers do not follow a thread that leaves from a task's stack");
    }
    fixture_expect_abort(lose_a_loop, NULL, "left by pthread_exit in a task");
}
END_TEST

// Channels.

enum { PER_SENDER = 2000 / API_SLOWED, SIDES = 2 };

struct traffic {
    jg_xchan *chan;
    bool sends;
    int64_t sum;
    int64_t count;
};

static atomic_int senders_left;

static intptr_t send_many(void *arg) {
    struct traffic *traffic = arg;
    for (int i = 1; i <= PER_SENDER; i++) {
        int rc = jg_xchan_send(traffic->chan, &i);
        if (rc < 0) {
            return rc;
        }
        traffic->sum += i;
        traffic->count++;
    }
    if (atomic_fetch_sub(&senders_left, 1) == 1) {
        jg_xchan_close(traffic->chan);
    }
    return 0;
}

static intptr_t receive_many(void *arg) {
    struct traffic *traffic = arg;
    int value;
    int rc;
    while ((rc = jg_xchan_recv(traffic->chan, &value)) == 1) {
        traffic->sum += value;
        traffic->count++;
    }
    return rc;
}

static intptr_t either_side(void *arg) {
    const struct traffic *traffic = arg;
    return traffic->sends ? send_many(arg) : receive_many(arg);
}

static void check_traffic(const struct traffic *sides) {
    int64_t balance = 0;
    int64_t received = 0;
    for (int i = 0; i < 2 * SIDES; i++) {
        balance += sides[i].sends ? sides[i].sum : -sides[i].sum;
        received += sides[i].sends ? 0 : sides[i].count;
    }
    ck_assert_int_eq(balance, 0);
    ck_assert_int_eq(received, SIDES * PER_SENDER);
}

static void run_traffic(size_t capacity, bool loops) {
    char buffer[64 * sizeof(int)];
    jg_xchan chan;
    struct traffic sides[2 * SIDES];
    jg_run_many_options options = options_for_backend();
    jg_xchan_init(&chan, sizeof(int), capacity > 0 ? buffer : NULL, capacity);
    atomic_store(&senders_left, SIDES);
    for (int i = 0; i < 2 * SIDES; i++) {
        sides[i] = (struct traffic){.chan = &chan, .sends = i % 2 == 0};
    }
    if (loops) {
        ck_assert_int_eq(jg_run_many(2 * SIDES, either_side, sides, sizeof(sides[0]), &options), 0);
    } else {
        const jg_map_options all = {.limit = 2 * SIDES};
        ck_assert_int_eq(
            jg_map(JG_MAP_THREADS, either_side, sides, sizeof(sides[0]), 2 * SIDES, NULL, &all), 0);
    }
    check_traffic(sides);
}

static intptr_t traffic_body(void *arg) {
    static const size_t capacities[] = {0, 1, 64};
    (void)arg;
    for (size_t i = 0; i < 3; i++) {
        run_traffic(capacities[i], true);
        run_traffic(capacities[i], false);
    }
    return 0;
}

// Between loops, or plain threads, an element would be lost, doubled, or a wake-up missed.
START_TEST(everything_sent_is_received_once) {
    run_once(traffic_body, NULL);
}
END_TEST

static intptr_t send_cut_short(void *arg) {
    struct traffic *traffic = arg;
    for (int i = 1; i <= PER_SENDER; i++) {
        int rc = 0;
        JG_TIMEOUT(i % 3, rc) {
            rc = jg_xchan_send(traffic->chan, &i);
        }
        if (rc == 0) {
            traffic->sum += i;
            traffic->count++;
        } else if (rc != -ETIMEDOUT) {
            return rc;
        }
    }
    jg_xchan_close(traffic->chan);
    return 0;
}

static intptr_t receive_cut_short(void *arg) {
    struct traffic *traffic = arg;
    for (int i = 0;; i++) {
        int value;
        int rc = 0;
        JG_TIMEOUT(i % 2, rc) {
            rc = jg_xchan_recv(traffic->chan, &value);
        }
        if (rc == 1) {
            traffic->sum += value;
            traffic->count++;
        } else if (rc == 0) {
            return 0;
        }
    }
}

static intptr_t cut_either(void *arg) {
    const struct traffic *traffic = arg;
    return traffic->sends ? send_cut_short(arg) : receive_cut_short(arg);
}

static intptr_t cut_body(void *arg) {
    jg_xchan chan;
    jg_run_many_options options = options_for_backend();
    (void)arg;
    jg_xchan_init(&chan, sizeof(int), NULL, 0);
    struct traffic sides[2] = {{.chan = &chan, .sends = true}, {.chan = &chan}};
    ck_assert_int_eq(jg_run_many(2, cut_either, sides, sizeof(sides[0]), &options), 0);
    ck_assert_int_eq(sides[0].sum, sides[1].sum);
    ck_assert_int_eq(sides[0].count, sides[1].count);
    return 0;
}

// A cancel that meets a hand-over from another thread would lose the element, or report it as not sent.
START_TEST(cancel_loses_nothing) {
    run_once(cut_body, NULL);
}
END_TEST

static intptr_t close_body(void *arg) {
    int buffer[2];
    int value = 5;
    jg_xchan chan;
    (void)arg;
    jg_xchan_init(&chan, sizeof(int), buffer, 2);
    ck_assert_int_eq(jg_xchan_try_recv(&chan, &value), -EAGAIN);
    ck_assert_int_eq(jg_xchan_send(&chan, &value), 0);
    ck_assert_int_eq(jg_xchan_try_send(&chan, &value), 0);
    ck_assert_int_eq(jg_xchan_try_send(&chan, &value), -EAGAIN);
    int rc = 0;
    JG_TIMEOUT(2, rc) {
        rc = jg_xchan_send(&chan, &value);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    jg_xchan_close(&chan);
    jg_xchan_close(&chan);
    ck_assert_int_eq(jg_xchan_send(&chan, &value), -EPIPE);
    value = 0;
    ck_assert_int_eq(jg_xchan_recv(&chan, &value), 1);
    ck_assert_int_eq(value, 5);
    ck_assert_int_eq(jg_xchan_try_recv(&chan, &value), 1);
    ck_assert_int_eq(jg_xchan_recv(&chan, &value), 0);
    return 0;
}

// A closed channel would lose what is in it, or keep taking more.
START_TEST(close_ends_both_sides) {
    run_body(close_body);
}
END_TEST

FIXTURE_MAIN("api/run_many", every_loop_runs, loops_may_end_while_others_start,
             failure_stops_the_others, cancel_reaches_every_loop,
             task_that_leaves_its_thread_is_named, everything_sent_is_received_once,
             cancel_loses_nothing, close_ends_both_sides)
