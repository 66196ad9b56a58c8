// SPDX-License-Identifier: MIT
/* test_connect_race.c – connecting to a name with several addresses: the first that answers is taken.
 *
 * Holds      a street: a name with an address of its own and those of two more hosts.
 * Invariant  each run closes what it opened; the world tells if the library did not.
 * Called by  ctest.
 * Why        RELIABILITY R25, B19: what is lost in such a race is lost once in a thousand times, and where
 *            nobody looks.
 */
// Backends: sim
#define FIXTURE_LIMIT 60
#include "api/api.h"

#include <stdio.h>

enum { HOSTS = 3, PORT = 80, QUIET_MS = 300000 };

static const char *const hosts[HOSTS] = {"street", "lane", "yard"};

/* A guest book of who listens. */
struct street {
    jg_listener *listeners[HOSTS]; // NULL: nobody listens there
    int came;
    int left;
};

struct door {
    struct street *street;
    jg_listener *listener;
};

static intptr_t keep_door(void *arg) {
    const struct door *door = arg;
    jg_stream *guest;
    char text[1];
    while (jg_accept(door->listener, &guest) == 0) {
        door->street->came++;
        jg_read(guest, text, 1); // until it leaves
        jg_stream_close(guest);
        door->street->left++;
    }
    return 0;
}

static int open_door(struct street *street, int index) {
    return jg_tcp_listen(hosts[index], PORT, &street->listeners[index]);
}

static void make_street(void) {
    ck_assert_int_eq(jg_sim_host_add(hosts[0], hosts[1]), 0);
    ck_assert_int_eq(jg_sim_host_add(hosts[0], hosts[2]), 0);
}

/* Runs `visit` while all doors that are open are kept. Returns what it came to. */
static intptr_t with_keepers(struct street *street, intptr_t (*visit)(struct street *street)) {
    struct door doors[HOSTS];
    intptr_t rc = 0;
    JG_GROUP(keepers) {
        for (int i = 0; i < HOSTS; i++) {
            doors[i] = (struct door){street, street->listeners[i]};
            if (street->listeners[i] != NULL) {
                jg_group_spawn(keepers, keep_door, &doors[i]);
            }
        }
        rc = visit(street);
        jg_group_cancel(keepers);
    }
    for (int i = 0; i < HOSTS; i++) {
        jg_listener_close(street->listeners[i]);
    }
    return rc;
}

/* Connects, and sees that exactly one of the connections is kept, and the others end. */
static intptr_t visit_once(struct street *street) {
    jg_stream *stream = NULL;
    int rc = jg_tcp_connect("street", PORT, &stream);
    if (rc == 0) {
        ck_assert_ptr_nonnull(stream);
        jg_sleep(QUIET_MS);
        ck_assert_int_eq(street->came - street->left, 1);
        jg_stream_close(stream);
    }
    jg_sleep(QUIET_MS);
    ck_assert_int_eq(street->came, street->left);
    return rc;
}

static int64_t connect_ms; // how long the last timed visit took to connect

static intptr_t visit_timed(struct street *street) {
    (void)street;
    jg_stream *stream = NULL;
    int64_t before = jg_now();
    int rc = jg_tcp_connect("street", PORT, &stream);
    connect_ms = (jg_now() - before) / JG_MS;
    jg_stream_close(stream);
    return rc;
}

static intptr_t first_is_dead(void *arg) {
    struct street street = {.came = 0};
    (void)arg;
    make_street();
    jg_sim_host_cut("street");
    ck_assert_int_eq(open_door(&street, 0), 0);
    ck_assert_int_eq(open_door(&street, 1), 0);
    ck_assert_int_eq(with_keepers(&street, visit_timed), 0);
    ck_assert_int_ge(connect_ms, 250);
    ck_assert_int_le(connect_ms, 350);
    return 0;
}

// A dead first address would cost the whole deadline.
START_TEST(r25_dead_first_address_costs_a_moment) {
    run_body(first_is_dead);
}
END_TEST

static intptr_t first_refuses(void *arg) {
    struct street street = {.came = 0};
    (void)arg;
    make_street();
    ck_assert_int_eq(open_door(&street, 2), 0);
    ck_assert_int_eq(with_keepers(&street, visit_timed), 0);
    ck_assert_int_lt(connect_ms, 100); // three times 20 at most
    return 0;
}

// An address that says at once that nobody is there would cost the delay all the same.
START_TEST(r25_address_that_refuses_costs_no_delay) {
    run_body(first_refuses);
}
END_TEST

static intptr_t let_both_answer(void *arg) {
    (void)arg;
    jg_sleep(300);
    return jg_sim_advance(500); // the answers of both, and the time for the third, are due at once
}

static intptr_t visit_both(struct street *street) {
    intptr_t rc = 0;
    JG_GROUP(group) {
        jg_group_spawn(group, let_both_answer, NULL);
        rc = visit_once(street);
    }
    return rc;
}

static intptr_t both_at_once(void *arg) {
    struct street street = {.came = 0};
    make_street();
    ck_assert_int_eq(open_door(&street, 0), 0);
    ck_assert_int_eq(open_door(&street, 1), 0);
    ck_assert_int_eq(with_keepers(&street, visit_both), 0);
    *(int *)arg += street.came > 1;
    return 0;
}

// B19. The second winner would be kept open, or handed out in place of the first, which leaks.
START_TEST(r25_both_answer_at_once_and_one_is_kept) {
    int both = 0;
    for (uint64_t i = 0; i < 8 * API_SEEDS; i++) {
        const jg_sim_options far = {
            .seed = fixture_seed() + i, .latency_min_us = 400000, .latency_max_us = 400000};
        ck_assert_int_eq(jg_sim_run(both_at_once, &both, &far), 0);
    }
    ck_assert_int_gt(both, 0); // it has been met
}
END_TEST

static intptr_t all_fail(void *arg) {
    struct street street = {.came = 0};
    (void)arg;
    make_street();
    jg_sim_host_cut("lane");
    ck_assert_int_eq(with_keepers(&street, visit_timed), -ECONNREFUSED);
    ck_assert_int_ge(connect_ms, 60000); // it waits for the slowest answer
    ck_assert_str_eq(jg_error_last()->text,
                     "cannot connect to street port 80: 127.1.0.1:80 (Connection refused), "
                     "127.1.0.2:80 (Connection timed out), 127.1.0.3:80 (Connection refused)");
    return 0;
}

// Whoever reads the error would search at the wrong host.
START_TEST(r25_error_names_every_address) {
    run_body(all_fail);
}
END_TEST

static intptr_t sixteen_fail(void *arg) {
    char name[16];
    char last[32];
    jg_stream *stream;
    (void)arg;
    for (int i = 1; i < 16; i++) {
        snprintf(name, sizeof(name), "host%d", i);
        ck_assert_int_eq(jg_sim_host_add("many", name), 0);
    }
    ck_assert_int_eq(jg_sim_host_add("many", "host1"), -ENOSPC);
    ck_assert_int_eq(jg_sim_host_add("localhost", "host1"), -EINVAL);
    ck_assert_int_eq(jg_sim_host_add("many", NULL), -EINVAL);
    ck_assert_int_eq(jg_sim_host_add("", "host1"), -EINVAL);
    ck_assert_int_eq(jg_sim_host_add("many", "a.invalid"), -ENOENT);
    ck_assert_int_eq(jg_tcp_connect("many", PORT, &stream), -ECONNREFUSED);
    const char *text = jg_error_detail(-ECONNREFUSED);
    for (int i = 1; i <= 16; i++) {
        snprintf(last, sizeof(last), "127.1.0.%d:80 (", i);
        ck_assert_ptr_nonnull(strstr(text, last));
    }
    return 0;
}

// A long list would be cut.
START_TEST(r25_error_names_sixteen_addresses) {
    run_once(sixteen_fail, NULL);
}
END_TEST

static intptr_t all_dead(void *arg) {
    intptr_t rc = 0;
    jg_stream *stream;
    (void)arg;
    make_street();
    for (int i = 0; i < HOSTS; i++) {
        jg_sim_host_cut(hosts[i]);
    }
    int64_t before = jg_now();
    JG_TIMEOUT(600, rc) {
        rc = jg_tcp_connect("street", PORT, &stream);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_ge(jg_now() - before, 600 * JG_MS);
    ck_assert_int_le(jg_now() - before, 630 * JG_MS);
    return 0;
}

// R24. Attempts under way would outlive the caller's limit.
START_TEST(r24_limit_ends_every_attempt) {
    run_body(all_dead);
}
END_TEST

/* Each host is, as the seed has it, cut off, without a listener, or alive. */
static intptr_t any_street(void *arg) {
    struct street street = {.came = 0};
    (void)arg;
    int rc = 0;
    for (int i = 0; i < HOSTS; i++) {
        if (i > 0) {
            rc = rc < 0 ? rc : jg_sim_host_add(hosts[0], hosts[i]);
        }
        uint64_t fate = jg_sim_random() % 4;
        if (fate == 0) {
            jg_sim_host_cut(hosts[i]);
        } else if (fate > 1) {
            rc = rc < 0 ? rc : open_door(&street, i);
        }
    }
    intptr_t got = with_keepers(&street, rc < 0 ? visit_timed : visit_once);
    ck_assert(got == 0 || got == -ECONNREFUSED || got == -ETIMEDOUT || got == -ENOMEM ||
              got == -ECANCELED);
    return 0;
}

// B19. A loser, or a second winner, would be left open once in a while.
START_TEST(r25_ten_thousand_races_leak_nothing) {
    jg_sim_report report;
    uint64_t seeds = sanitized ? 500 : 10000;
    int rc = jg_sim_explore(any_street, NULL, NULL, seeds, 0, &report);
    if (rc != 0) {
        jg_sim_report_print(&report, stderr);
    }
    ck_assert_int_eq(rc, 0);
}
END_TEST

static intptr_t swept_street(void *arg) {
    struct street street = {.came = 0};
    jg_stream *stream = NULL;
    (void)arg;
    int rc = jg_sim_host_add(hosts[0], hosts[1]);
    rc = rc < 0 ? rc : jg_sim_host_add(hosts[0], hosts[2]);
    rc = rc < 0 ? rc : jg_sim_host_cut(hosts[jg_sim_random() % HOSTS]);
    rc = rc < 0 ? rc : open_door(&street, 0);
    rc = rc < 0 ? rc : open_door(&street, 1);
    rc = rc < 0 ? rc : jg_tcp_connect("street", PORT, &stream);
    ck_assert_int_eq(rc == 0, stream != NULL);
    jg_stream_close(stream);
    for (int i = 0; i < HOSTS; i++) {
        jg_listener_close(street.listeners[i]);
    }
    return rc;
}

// A cancel, or memory refused, at some point would leave an attempt or its connection behind.
START_TEST(r25_cancel_and_shortage_at_every_point) {
    jg_sim_report report;
    const unsigned sweeps = JG_SIM_SWEEP_CANCEL | JG_SIM_SWEEP_ALLOC;
    int rc = jg_sim_explore(swept_street, NULL, NULL, sanitized ? 10 : 100, sweeps, &report);
    if (rc != 0) {
        jg_sim_report_print(&report, stderr);
    }
    ck_assert_int_eq(rc, 0);
}
END_TEST

FIXTURE_MAIN("api/connect_race", r25_dead_first_address_costs_a_moment,
             r25_address_that_refuses_costs_no_delay, r25_both_answer_at_once_and_one_is_kept,
             r25_error_names_every_address, r25_error_names_sixteen_addresses,
             r24_limit_ends_every_attempt, r25_ten_thousand_races_leak_nothing,
             r25_cancel_and_shortage_at_every_point)
