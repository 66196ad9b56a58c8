// SPDX-License-Identifier: MIT
/* test_ring.c – tasks that wait for each other in a ring.
 *
 * Holds      the tasks of the ring under test.
 * Invariant  every body ends: a ring that is left standing is a test that hangs.
 * Called by  ctest, on epoll and sim.
 * Why        a ring no cancel could end has to be refused, and one that something may yet end must not be.
 */
#include "api/api.h"

// Ways to wait for a task.

typedef intptr_t wait_fn(jg_task *task);

static intptr_t by_join(jg_task *task) {
    return jg_join(task);
}

static intptr_t by_wait_for(jg_task *task) {
    return jg_wait_for(jg_task_future(task), -1);
}

static intptr_t by_wait_for_a_while(jg_task *task) {
    return jg_wait_for(jg_task_future(task), 1);
}

static intptr_t by_collecting(jg_task *task) {
    jg_future done = {.done = true, .result = 0};
    jg_future *futures[] = {&done, jg_task_future(task), jg_task_future(task)};
    intptr_t words[3];
    intptr_t rc = jg_gather(futures, 3, words, JG_COLLECT_ERRORS);
    return rc == 0 ? words[1] : rc;
}

static intptr_t by_future_wait(jg_task *task) {
    return jg_future_wait(jg_task_future(task));
}

static intptr_t by_shield(jg_task *task) {
    return jg_shield(jg_task_future(task));
}

static intptr_t by_gather(jg_task *task) {
    jg_future *futures[] = {jg_task_future(task)};
    intptr_t word = 0;
    intptr_t rc = jg_gather(futures, 1, &word, JG_FAIL_FIRST);
    return rc == 0 ? word : rc;
}

static intptr_t by_wait_all(jg_task *task) {
    jg_future *futures[] = {jg_task_future(task)};
    ssize_t rc = jg_wait(futures, 1, JG_ALL_COMPLETED, -1);
    return rc < 0 ? rc : jg_future_result(futures[0]);
}

static intptr_t by_as_completed(jg_task *task) {
    jg_future *futures[] = {jg_task_future(task)};
    intptr_t rc = 0;
    JG_AS_COMPLETED(each, futures, 1, -1, rc) {
        return each.result;
    }
    return rc;
}

// A ring.

enum { RING = 4, REFUSED = 100 };

static struct ring {
    jg_task *tasks[RING];
    wait_fn *waits[RING]; // how each waits for the next
    bool joined[RING];    // somebody took the handle
    int size;
    int ended;
    int refused; // waits that were -EDEADLK
} ring;

/* Gives the word it waited for; another one for a refusal, so that that of another is not taken for its. */
static intptr_t wait_for_next(void *place) {
    int own = (int)((jg_task **)place - ring.tasks);
    int next = (own + 1) % ring.size;
    intptr_t word = ring.waits[own](ring.tasks[next]);
    ring.joined[next] = ring.waits[own] == by_join && word != -EDEADLK;
    ring.refused += word == -EDEADLK;
    ring.ended++;
    return word == -EDEADLK ? REFUSED : word;
}

static void start_ring(int size) {
    ring.size = size;
    ring.ended = 0;
    ring.refused = 0;
    for (int i = 0; i < size; i++) {
        ring.tasks[i] = jg_spawn(wait_for_next, &ring.tasks[i]);
    }
}

static void end_ring(void) {
    while (ring.ended < ring.size) {
        jg_sleep(1);
    }
    jg_sleep(1);
    for (int i = 0; i < ring.size; i++) {
        if (!ring.joined[i]) {
            (void)jg_future_result(jg_task_future(ring.tasks[i])); // a limit's, and seen
            jg_detach(ring.tasks[i]);
        }
    }
}

// Those that are refused.

static wait_fn *const bound[] = {by_join, by_wait_for, by_wait_for_a_while, by_collecting};
enum { BOUND = sizeof(bound) / sizeof(bound[0]) };

static intptr_t bound_ring_body(void *arg) {
    (void)arg;
    for (int size = 2; size <= RING; size++) {
        for (int way = 0; way < BOUND * BOUND; way++) {
            for (int i = 0; i < size; i++) {
                ring.waits[i] = bound[i == 0 ? way / BOUND : way % BOUND];
            }
            start_ring(size);
            end_ring();
            ck_assert_int_eq(ring.refused, 1);
        }
    }
    return 0;
}

// A ring of waits that outlive every cancel would outlive its program's will to end as well.
START_TEST(s50h_who_closes_a_ring_is_told) {
    run_body(bound_ring_body);
}
END_TEST

// Groups.

static struct kin {
    jg_task *owner;
    jg_task *between; // waits for the owner; NULL: nobody does
    wait_fn *wait;
    bool early; // the member waits before the owner does
    bool first; // it was there before the owner's inner scope was
    bool between_waits;
    int refused;
} kin;

static intptr_t wait_as_member(void *arg) {
    (void)arg;
    jg_sleep(kin.early ? 0 : 2);
    while (kin.between != NULL && !kin.between_waits) {
        jg_yield();
    }
    intptr_t word = kin.wait(kin.between != NULL ? kin.between : kin.owner);
    kin.refused += word == -EDEADLK;
    return 0;
}

static intptr_t own_a_group(void *arg) {
    (void)arg;
    intptr_t rc = 0;
    JG_GROUP(outer, rc) {
        jg_yield();
        if (kin.first) {
            jg_group_spawn(outer, wait_as_member, NULL);
        }
        JG_GROUP(inner) {
            if (!kin.first) {
                jg_group_spawn(outer, wait_as_member, NULL);
            }
            jg_sleep(kin.early ? 2 : 0);
        }
    }
    return rc < 0 ? rc : 7;
}

static intptr_t wait_between(void *arg) {
    (void)arg;
    kin.between_waits = true;
    return by_wait_for(kin.owner);
}

static intptr_t group_body(void *arg) {
    (void)arg;
    for (int way = 0; way < 8 * BOUND; way++) {
        kin = (struct kin){.wait = bound[way / 8], .early = way % 2 == 1, .first = way % 8 >= 4};
        kin.owner = jg_spawn(own_a_group, NULL);
        if (way % 4 >= 2) {
            kin.between = jg_spawn(wait_between, NULL);
            ck_assert_int_eq(by_future_wait(kin.between), 7);
            jg_detach(kin.between); // refused: it is still ours
        }
        ck_assert_int_eq(by_future_wait(kin.owner), 7);
        ck_assert_int_eq(jg_join(kin.owner), 7); // the member's was refused
        ck_assert_int_eq(kin.refused, 1);
    }
    return 0;
}

// A group waits for its tasks whatever is cancelled: one that waits for its owner would never let it end.
START_TEST(a_member_cannot_wait_for_its_owner) {
    run_body(group_body);
}
END_TEST

static jg_task *owners[2];
static int refused_members;

static intptr_t wait_across(void *place) {
    intptr_t word = by_wait_for(*(jg_task **)place);
    refused_members += word == -EDEADLK;
    return 0;
}

static intptr_t own_across(void *other) {
    JG_GROUP(group) {
        jg_group_spawn(group, wait_across, other);
    }
    return 0;
}

static intptr_t across_body(void *arg) {
    (void)arg;
    refused_members = 0;
    for (int i = 0; i < 2; i++) {
        owners[i] = jg_spawn(own_across, &owners[1 - i]);
    }
    ck_assert_int_eq(jg_join(jg_spawn(wait_across, &owners[0])), 0); // from outside it may
    jg_sleep(5);
    jg_detach(owners[0]);
    jg_detach(owners[1]);
    ck_assert_int_eq(refused_members, 1);
    return 0;
}

// Two groups whose tasks each wait for the other's owner would both stay.
START_TEST(a_ring_through_two_groups_is_found) {
    run_body(across_body);
}
END_TEST

// Being ready.

static struct service {
    jg_task *starter;
    jg_task *between;
    wait_fn *wait;
    bool ready_first;
} service;

static intptr_t start_up(void *arg) {
    (void)arg;
    if (service.ready_first) {
        jg_started(1);
        jg_yield();
    }
    intptr_t word = service.wait(service.between != NULL ? service.between : service.starter);
    if (!service.ready_first) {
        ck_assert_int_eq(word, -EDEADLK);
        jg_started(2);
    }
    return word == 5 ? 0 : word;
}

static intptr_t start_it(void *group) {
    ck_assert_int_gt(jg_group_start((jg_group *)group, start_up, NULL), 0);
    return 5;
}

static intptr_t join_starter(void *arg) {
    (void)arg;
    return by_wait_for(service.starter);
}

static intptr_t start_body(void *arg) {
    (void)arg;
    for (int way = 0; way < 4 * BOUND; way++) {
        intptr_t rc = 0;
        service = (struct service){.wait = bound[way / 4], .ready_first = way % 2 == 1};
        service.wait = service.wait == by_join ? by_wait_for : service.wait;
        JG_GROUP(group, rc) {
            service.starter = jg_spawn(start_it, group);
            if (way % 4 >= 2) {
                service.between = jg_spawn(join_starter, NULL);
            }
            by_future_wait(service.starter);
        }
        ck_assert_int_eq(rc, service.ready_first ? 0 : -EDEADLK);
        ck_assert_int_eq(jg_join(service.starter), 5);
        if (service.between != NULL) {
            jg_join(service.between);
        }
    }
    return 0;
}

// Who starts a service that waits for him before it is ready would wait for ever; afterwards he is free.
START_TEST(a_service_cannot_wait_for_who_waits_for_it) {
    run_body(start_body);
}
END_TEST

// Those that are not refused.

static wait_fn *const free_ways[] = {by_future_wait, by_shield, by_wait_all, by_as_completed};
enum { FREE = sizeof(free_ways) / sizeof(free_ways[0]) };

static intptr_t free_ring_body(void *arg) {
    (void)arg;
    for (int way = 0; way < FREE * BOUND; way++) {
        for (int whom = 0; whom < 3; whom++) {
            ring.waits[0] = free_ways[way / BOUND];
            ring.waits[1] = bound[way % BOUND];
            ring.waits[2] = by_wait_for;
            start_ring(3);
            jg_sleep(1);
            if (ring.waits[1] != by_wait_for_a_while) { // whose limit runs round, and ends it all
                jg_sleep(5);
                ck_assert_int_eq(ring.ended, 0);
                jg_cancel(ring.tasks[whom]);
            }
            end_ring();
            ck_assert_int_eq(ring.refused, 0);
        }
    }
    return 0;
}

// A wait that a cancel ends would be refused where somebody was to come and end it.
START_TEST(a_ring_that_a_cancel_ends_is_none) {
    run_body(free_ring_body);
}
END_TEST

static jg_task *pair[2];
static intptr_t gathered;

static intptr_t gather_pair(void *arg) {
    jg_future *futures[] = {jg_task_future(pair[0]), jg_task_future(pair[1])};
    (void)arg;
    gathered = jg_gather(futures, 2, NULL, JG_FAIL_FIRST);
    return 3;
}

static intptr_t wait_for_gatherer(void *gatherer) {
    return by_wait_for(*(jg_task **)gatherer);
}

static intptr_t fail_later(void *arg) {
    (void)arg;
    jg_sleep(2);
    return -EIO;
}

static intptr_t failing_pair_body(void *arg) {
    static jg_task *gatherer;
    (void)arg;
    pair[0] = jg_spawn(wait_for_gatherer, &gatherer);
    pair[1] = jg_spawn(fail_later, NULL);
    gatherer = jg_spawn(gather_pair, NULL);
    ck_assert_int_eq(jg_join(pair[0]), 3);
    ck_assert_int_eq(gathered, -EIO);
    ck_assert_int_eq(jg_join(gatherer), 3);
    ck_assert_int_eq(jg_join(pair[1]), -EIO);
    return 0;
}

// One who waits for whoever gathers it would be refused, though another's failure lets both go on.
START_TEST(a_failure_may_end_a_ring_through_a_gather) {
    run_body(failing_pair_body);
}
END_TEST

static intptr_t gather_ring_body(void *arg) {
    (void)arg;
    for (int way = 0; way < 2 * BOUND; way++) {
        for (int whom = 0; whom < RING; whom++) {
            for (int i = 0; i < RING; i++) {
                ring.waits[i] = i % 2 == 0 ? by_gather : way < BOUND ? bound[way] : by_gather;
            }
            start_ring(RING);
            jg_sleep(1);
            if (whom == RING - 1) {
                for (int i = 0; i < RING; i++) {
                    jg_cancel(ring.tasks[i]);
                }
            } else {
                jg_cancel(ring.tasks[whom]);
            }
            end_ring();
            ck_assert_int_le(ring.refused, 1);
        }
    }
    return 0;
}

// A cancelled gather waits for the end of all: in a ring that would be the end of all cancelling.
START_TEST(a_ring_of_gathers_ends_when_cancelled) {
    run_body(gather_ring_body);
}
END_TEST

static intptr_t gather_late(void *place) {
    JG_SHIELD {
        jg_sleep(3);
    }
    return wait_for_next(place);
}

static intptr_t late_ring_body(void *arg) {
    (void)arg;
    for (int way = 0; way < 3; way++) {
        ring = (struct ring){.size = 2, .waits = {way == 0 ? by_gather : by_wait_for, by_gather}};
        ring.waits[1] = way == 2 ? by_wait_for : by_gather;
        ring.tasks[0] = jg_spawn(wait_for_next, &ring.tasks[0]);
        ring.tasks[1] = jg_spawn(gather_late, &ring.tasks[1]);
        jg_sleep(1);
        jg_cancel(ring.tasks[0]); // who passes it on to the one that is not waiting yet
        end_ring();
        ck_assert_int_eq(ring.refused, 1);
    }
    return 0;
}

// One who closes the ring after the cancel has come would not hear of it again.
START_TEST(a_ring_closed_after_the_cancel_is_found) {
    run_body(late_ring_body);
}
END_TEST

FIXTURE_MAIN("api/ring", s50h_who_closes_a_ring_is_told, a_member_cannot_wait_for_its_owner,
             a_ring_through_two_groups_is_found, a_service_cannot_wait_for_who_waits_for_it,
             a_ring_that_a_cancel_ends_is_none, a_failure_may_end_a_ring_through_a_gather,
             a_ring_of_gathers_ends_when_cancelled, a_ring_closed_after_the_cancel_is_found)
