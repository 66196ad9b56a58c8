// SPDX-License-Identifier: MIT
/* test_debug_ring.c – debug mode names rings that are not refused, as a cancel could end them.
 *
 * Holds      the tasks of the ring at hand.
 * Invariant  a ring is told once, with all who are stuck; never one that somebody could end.
 * Called by  ctest, on epoll and sim.
 * Why        a ring in a busy server is a hang that nobody hears of; a report of one that is none is worse.
 */
#include "api/debug_steps.h"
#include "api/executor_gate.h"

static jg_task *knot[3];

static intptr_t gather_next(void *place) {
    jg_future *futures[] = {jg_task_future(*(jg_task **)place), jg_task_future(*(jg_task **)place)};
    return jg_gather(futures, 2, NULL, JG_FAIL_FIRST);
}

static intptr_t await_next(void *place) {
    jg_future *futures[] = {jg_task_future(*(jg_task **)place)};
    return jg_wait(futures, 1, JG_ALL_COMPLETED, -1);
}

static intptr_t serve_next(void *place) {
    return jg_future_wait(jg_task_future(*(jg_task **)place));
}

static intptr_t start_next(void *place) {
    JG_GROUP(group) {
        return jg_group_start_at(group, serve_next, place, "service\0here");
    }
    return 0;
}

static intptr_t knot_body(void *arg) {
    static const char *const sites[] = {"gatherer\0here", "waiter\0here", "starter\0here"};
    static jg_fn *const fns[] = {gather_next, await_next, start_next};
    (void)arg;
    for (int i = 0; i < 3; i++) {
        knot[i] = jg_spawn_at(fns[i], &knot[(i + 1) % 3], NULL, sites[i]);
    }
    return jg_join(knot[0]);
}

static void knot_victim(void *arg) {
    const jg_debug_options options = {.slow_ms = 60000, .abort_on_deadlock = true};
    const jg_run_options run = {.debug = true};
    (void)arg;
    jg_debug_set(&options);
    jg_run_at(knot_body, NULL, &run, "host\0host.c:1");
}

// A ring through a gather, a wait, a start or a group would be a hang without a reason.
START_TEST(a_deadlock_names_a_ring_through_waits_for_several) {
    fixture_expect_abort(knot_victim, NULL,
                         "gatherer #2 -> waiter #3 -> starter #4 -> service #5 -> gatherer #2");
    fixture_expect_abort(knot_victim, NULL, "waits for futures, which is up to waiter #3,");
    fixture_expect_abort(knot_victim, NULL, "waits for future, which is up to service #5");
}
END_TEST

static int count_rings(void) {
    int count = 0;
    for (int i = 0; i < atomic_load(&heard_count); i++) {
        count += heard[i].kind == JG_DEBUG_RING;
    }
    return count;
}

static void tie_knot(void) {
    static jg_fn *const fns[] = {gather_next, await_next, start_next};
    for (int i = 0; i < 3; i++) {
        knot[i] = jg_spawn_at(fns[i], &knot[(i + 1) % 3], NULL, "knotted\0here");
    }
}

static void untie_knot(void) {
    jg_cancel(knot[1]);
    for (int i = 0; i < 3; i++) {
        jg_wait_for(jg_task_future(knot[i]), -1);
        jg_detach(knot[i]);
    }
}

static intptr_t busy_body(void *arg) {
    (void)arg;
    for (int round = 1; round <= 2; round++) {
        tie_knot();
        for (int i = 0; i < 20; i++) {
            jg_sleep(1);
        }
        ck_assert_int_eq(count_rings(), round);
        untie_knot();
    }
    return 0;
}

// In a server that goes on with others, tasks that wait for each other would hang and nobody hear of it;
// or, of several with one name, know which.
START_TEST(a_ring_in_a_busy_loop_is_told_once) {
    ck_assert_int_eq(run_debugged(busy_body, NULL, &patient), 0);
    const struct heard *report = find(JG_DEBUG_RING);
    expect_text(report->text,
                "juggle: tasks wait for each other, and only a cancel could end it\n");
    expect_text(report->text,
                "knotted #2 -> knotted #3 -> knotted #4 -> service #5 -> knotted #2\n");
    expect_text(report->text,
                "knotted #4 (spawned at here) waits for future, which is up to service #5\n");
    ck_assert_ptr_null(find(JG_DEBUG_DEADLOCK));
}
END_TEST

// Where one of several is enough.

typedef intptr_t wait_fn(jg_future *const *futures);

static intptr_t wait_completed(jg_future *const *futures) {
    return jg_wait(futures, 2, JG_FIRST_COMPLETED, -1);
}

static intptr_t wait_exception(jg_future *const *futures) {
    return jg_wait(futures, 2, JG_FIRST_EXCEPTION, -1);
}

static intptr_t gather(jg_future *const *futures) {
    return jg_gather(futures, 2, NULL, JG_FAIL_FIRST);
}

static intptr_t as_completed(jg_future *const *futures) {
    intptr_t rc = 0;
    JG_AS_COMPLETED(done, futures, 2, -1, rc) {
        return done.result;
    }
    return rc;
}

static wait_fn *const ways[] = {wait_completed, wait_exception, gather, as_completed};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

/* Waits for the two others. */
static intptr_t lead(void *way) {
    jg_future *futures[] = {jg_task_future(knot[1]), jg_task_future(knot[2])};
    return (*(wait_fn *const *)way)(futures);
}

static intptr_t await_leader(void *arg) {
    (void)arg;
    return jg_future_wait(jg_task_future(knot[0]));
}

static void sleep_turns(int turns) {
    for (int i = 0; i < turns; i++) {
        jg_sleep(1);
    }
}

static void tie_led(wait_fn *const *way, jg_fn *other, void *arg) {
    knot[0] = jg_spawn_at(lead, (void *)(uintptr_t)way, NULL, "leader\0here");
    knot[1] = jg_spawn_at(await_leader, NULL, NULL, "follower\0here");
    knot[2] = jg_spawn_at(other, arg, NULL, "other\0here");
}

static void end_all(void) {
    open_gate();
    for (int i = 0; i < 3; i++) {
        jg_cancel(knot[i]);
    }
    for (int i = 0; i < 3; i++) {
        jg_join(knot[i]);
    }
}

static intptr_t led_body(void *arg) {
    (void)arg;
    for (int i = 0; i < WAYS; i++) {
        tie_led(&ways[i], await_leader, NULL);
        jg_task *behind = jg_spawn_at(await_leader, NULL, NULL, "behind\0here");
        sleep_turns(10);
        ck_assert_int_eq(count_rings(), i + 1);
        jg_cancel(behind);
        jg_join(behind);
        end_all();
    }
    return 0;
}

// Tasks of whom one is enough, but who all wait for the one that needs them, would hang unheard.
START_TEST(a_ring_through_all_of_several_is_told) {
    ck_assert_int_eq(run_debugged(led_body, NULL, &patient), 0);
    const char *text = find(JG_DEBUG_RING)->text;
    expect_text(text, "a ring, each waiting for the next: leader #2 -> follower #3 -> leader #2\n");
    expect_text(
        text,
        "leader #2 (spawned at here) waits for futures, which is up to follower #3, other #4\n");
    expect_text(text, "other #4 (spawned at here) waits for join, which is up to leader #2\n");
    expect_text(text, "behind #5 (spawned at here) waits for join, which is up to leader #2\n");
}
END_TEST

// Of the others one is not stuck.

static jg_lock kept;
static jg_future promised;
static jg_event event;

static intptr_t work(void *arg) {
    return jg_to_thread(pass_gate, arg);
}

static intptr_t await_event(void *arg) {
    (void)arg;
    return jg_event_wait(&event);
}

static intptr_t await_promise(void *arg) {
    (void)arg;
    return jg_future_wait(&promised);
}

static intptr_t take_lock(void *arg) {
    (void)arg;
    return jg_lock_acquire(&kept); // of one who will be through with it
}

static intptr_t await_leader_a_while(void *arg) {
    intptr_t rc = 0;
    JG_TIMEOUT(60000, rc) {
        JG_TIMEOUT(120000) {
            rc = await_leader(arg);
        }
    }
    return rc;
}

static intptr_t await_two(void *arg) {
    jg_future *futures[] = {jg_task_future(knot[0]), &promised};
    (void)arg;
    return jg_wait(futures, 2, JG_FIRST_EXCEPTION, -1);
}

static intptr_t own_group(void *arg) {
    JG_GROUP(group) {
        jg_group_spawn(group, sleep_long, arg);
    }
    return 0;
}

static jg_fn *const free_ones[] = {sleep_long,    work,      await_event,
                                   await_promise, take_lock, await_leader_a_while,
                                   await_two,     own_group};

static intptr_t free_body(void *arg) {
    (void)arg;
    jg_lock_acquire(&kept);
    for (size_t i = 0; i < WAYS * sizeof(free_ones) / sizeof(free_ones[0]); i++) {
        reset_gate();
        tie_led(&ways[i % WAYS], free_ones[i / WAYS], NULL);
        sleep_turns(4);
        ck_assert_int_eq(count_rings(), 0);
        end_all();
    }
    return jg_lock_release(&kept);
}

// Whoever may yet be helped is no hang: a tool that cries wolf is switched off.
START_TEST(a_ring_with_a_way_out_is_not_told) {
    ck_assert_int_eq(run_debugged(free_body, NULL, &patient), 0);
    ck_assert_int_eq(count_rings(), 0);
}
END_TEST

static intptr_t await_next_a_while(void *place) {
    jg_future *futures[] = {jg_task_future(*(jg_task **)place)};
    return jg_wait(futures, 1, JG_ALL_COMPLETED, 20);
}

static intptr_t first_of_next(void *place) {
    jg_future settled_by_us = {.done = false};
    jg_future *futures[] = {jg_task_future(*(jg_task **)place), &settled_by_us};
    return jg_wait(futures, 2, JG_FIRST_COMPLETED, -1);
}

static intptr_t patient_body(void *arg) {
    static jg_fn *const fns[] = {await_next_a_while, first_of_next};
    (void)arg;
    for (int i = 0; i < 2; i++) {
        knot[0] = jg_spawn(fns[i], &knot[1]);
        knot[1] = jg_spawn(serve_next, &knot[0]);
        sleep_turns(10);
        jg_cancel(knot[0]);
        jg_join(knot[0]);
        jg_join(knot[1]);
    }
    return 0;
}

// The same for a limit, or somebody unknown, in the ring itself.
START_TEST(a_ring_that_ends_by_itself_is_not_told) {
    ck_assert_int_eq(run_debugged(patient_body, NULL, &patient), 0);
    ck_assert_int_eq(count_rings(), 0);
}
END_TEST

static intptr_t last_body(void *arg) {
    (void)arg;
    tie_led(&ways[1], await_event, NULL); // that could fail, and end the wait
    sleep_turns(5);
    ck_assert_int_eq(count_rings(), 0);
    jg_event_set(&event);
    sleep_turns(5);
    ck_assert_int_eq(count_rings(), 1);
    end_all();
    return 0;
}

// A ring is there from when the last who could have helped has ended, not only from when it was closed.
START_TEST(a_ring_is_told_when_the_last_way_out_is_gone) {
    ck_assert_int_eq(run_debugged(last_body, NULL, &patient), 0);
}
END_TEST

enum { CHAIN = 300 };

static jg_task *chain[CHAIN];

/* The first waits for the last, that for the second, and so on. */
static intptr_t await_across(void *place) {
    size_t index = (size_t)((jg_task **)place - chain);
    bool low = index < CHAIN / 2;
    size_t next = low ? CHAIN - 1 - index : CHAIN - index;
    return index == CHAIN / 2 ? jg_event_wait(&event) : jg_future_wait(jg_task_future(chain[next]));
}

static intptr_t chain_body(void *arg) {
    (void)arg;
    for (int i = 0; i < CHAIN; i++) {
        chain[i] = jg_spawn(await_across, &chain[i]);
    }
    tie_led(&ways[0], await_leader, NULL);
    sleep_turns(40);
    ck_assert_int_eq(count_rings(), 0); // it is not known yet who is stuck
    jg_event_set(&event);
    sleep_turns(40);
    ck_assert_int_eq(count_rings(), 1);
    for (int i = 0; i < CHAIN; i++) {
        ck_assert_int_eq(jg_join(chain[i]), 0);
    }
    end_all();
    return 0;
}

// Waits that are a labour to see through would be taken for a ring, or take the loop's time.
START_TEST(a_tangle_that_is_no_ring_is_not_told) {
    ck_assert_int_eq(run_debugged(chain_body, NULL, &patient), 0);
}
END_TEST

FIXTURE_MAIN("api/debug_ring", a_deadlock_names_a_ring_through_waits_for_several,
             a_ring_in_a_busy_loop_is_told_once, a_ring_through_all_of_several_is_told,
             a_ring_with_a_way_out_is_not_told, a_ring_that_ends_by_itself_is_not_told,
             a_ring_is_told_when_the_last_way_out_is_gone, a_tangle_that_is_no_ring_is_not_told)
