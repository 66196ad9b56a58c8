// SPDX-License-Identifier: MIT
/* test_nested.c – cancels, limits, groups and gathers inside one another, where two reasons meet.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed; what needs no task holds without a loop too.
 * Called by  ctest.
 * Why        each part does what it should alone; programs put them together.
 */
// Backends: epoll sim blocking
#include "api/crew.h"

#include <juggle/executor.h>
#include <semaphore.h>

// Gathers.

static intptr_t gathered;

static intptr_t gather_crew(void *arg) {
    struct crew *crew = arg;
    gathered = jg_gather(crew->futures, crew->count, NULL, JG_COLLECT_ERRORS);
    return gathered;
}

static intptr_t twice_body(void *arg) {
    struct crew crew = {.count = 0};
    (void)arg;
    hire(&crew, work, 60000, 1);
    crew.futures[crew.count++] = crew.futures[0]; // the same again
    jg_task *gatherer = jg_spawn(gather_crew, &crew);
    jg_sleep(1);
    jg_cancel(gatherer);
    ck_assert_int_eq(jg_join(gatherer), -ECANCELED);
    ck_assert_int_eq(crew.jobs[0].got, -ECANCELED); // cancelled, and only once
    ck_assert_int_eq(jg_join(crew.tasks[0]), -ECANCELED);
    return 0;
}

// A task that is gathered twice would be cancelled twice, or spoil the queue of who is to be cancelled.
START_TEST(s34_gathered_twice_cancelled_once) {
    needs_loop();
    run_body(twice_body);
}
END_TEST

static intptr_t work_on(void *arg) {
    struct job *job = arg;
    job->got = jg_sleep(job->after_ms);
    jg_uncancel(jg_self()); // it has something to finish
    return job->word;
}

static intptr_t stubborn_body(void *arg) {
    struct crew crew = {.count = 0};
    (void)arg;
    hire(&crew, work_on, 60000, 1);
    hire(&crew, work_on, 60000, 2);
    jg_task *gatherer = jg_spawn(gather_crew, &crew);
    jg_sleep(1);
    jg_cancel(gatherer);
    ck_assert_int_eq(jg_join(gatherer),
                     -ECANCELED);  // it saw no cancel, so it counts as cancelled (S6)
    ck_assert_int_eq(gathered, 0); // but its gather came to its end
    ck_assert_int_eq(crew.jobs[0].got, -ECANCELED);
    ck_assert_int_eq(jg_join(crew.tasks[0]), 1);
    ck_assert_int_eq(jg_join(crew.tasks[1]), 2);
    return 0;
}

// Words of tasks that finish in spite of a cancel would be thrown away.
START_TEST(s34_words_in_spite_of_a_cancel) {
    needs_loop();
    run_body(stubborn_body);
}
END_TEST

static intptr_t gone_body(void *arg) {
    struct crew crew = {.count = 0};
    intptr_t rc = 0;
    int seen = 0;
    (void)arg;
    hire(&crew, work_badly, 1, -EIO);
    hire(&crew, work_badly, 1, -EPIPE);
    jg_sleep(5);
    JG_AS_COMPLETED(it, crew.futures, 2, -1, rc) {
        if (seen++ == 0) {
            ck_assert_int_eq(jg_join(crew.tasks[1 - it.index]), it.index == 0 ? -EPIPE : -EIO);
            jg_error_clear();
            continue;
        }
        ck_assert_int_eq(it.result, it.index == 0 ? -EIO : -EPIPE); // its word outlives it
        ck_assert_ptr_null(it.future);
        ck_assert_ptr_null(jg_error_last()); // what stood behind it went to who joined it
        ck_assert_int_eq(jg_join(crew.tasks[1 - it.index]), it.index == 0 ? -EPIPE : -EIO);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(seen, 2);
    return 0;
}

// A failed task that is gone by its turn would be asked for its reason.
START_TEST(s35_failure_of_a_task_that_is_gone) {
    needs_loop();
    run_body(gone_body);
}
END_TEST

// Scopes.

struct edgy {
    int first;
    int second;
    int third;
};

static intptr_t wait_twice_inside(void *arg) {
    struct edgy *edgy = arg;
    intptr_t rc = 0;
    JG_TIMEOUT(60000, rc) {
        JG_TIMEOUT(50000) {
            edgy->first = jg_sleep(40000);
            edgy->second = jg_sleep(40000);
            edgy->third = jg_sleep(1);
        }
    }
    return 0;
}

static intptr_t edge_body(void *arg) {
    const jg_spawn_options edge = {.edge = true};
    struct edgy edgy = {1, 1, 1};
    (void)arg;
    jg_task *task = jg_spawn_with(wait_twice_inside, &edgy, &edge);
    jg_sleep(1);
    jg_cancel(task);
    jg_sleep(1);
    ck_assert_int_eq(edgy.first, -ECANCELED);
    jg_cancel(task); // the scopes are cancelled already; this request is a new one
    jg_join(task);
    ck_assert_int_eq(edgy.second, -ECANCELED);
    ck_assert_int_eq(edgy.third, 0); // delivered once each
    return 0;
}

// Under the edge rule a second cancel would not reach a task that waits inside scopes.
START_TEST(s04_edge_cancel_reaches_inner_scopes) {
    needs_loop();
    run_body(edge_body);
}
END_TEST

static intptr_t see_both_as_one(void *arg) {
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    ck_assert_int_eq(jg_cancelling(jg_self()), 2);
    ck_assert_int_eq(jg_yield(), 0);
    *(bool *)arg = true;
    int rc = 0;
    while (rc == 0) {
        rc = jg_yield();
    }
    ck_assert_int_eq(rc, -ECANCELED); // a third, later, is another one
    ck_assert_int_eq(jg_cancelling(jg_self()), 3);
    ck_assert_int_eq(jg_sleep(1), 0);
    return 1;
}

static intptr_t s03_edge_body(void *arg) {
    (void)arg;
    bool seen = false;
    jg_task *task = jg_spawn_with(see_both_as_one, &seen, (&(jg_spawn_options){.edge = true}));
    jg_sleep(1);
    ck_assert(jg_cancel(task));
    ck_assert(jg_cancel(task));
    while (!seen) {
        jg_yield();
    }
    ck_assert(jg_cancel(task));
    ck_assert_int_eq(jg_join(task), 1);
    return 0;
}

static intptr_t see_both_scopes_as_one(void *arg) {
    jg_scope *scopes = arg;
    jg_scope_open(&scopes[0], JG_NEVER, false);
    jg_scope_open(&scopes[1], JG_NEVER, false);
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&scopes[1], -ECANCELED), -ECANCELED); // the outer one asks, too
    ck_assert_int_eq(jg_yield(), 0); // and the same refusal has told of it
    ck_assert_int_eq(jg_scope_close(&scopes[0], -ECANCELED), 0);
    return 1;
}

static intptr_t s03_scopes_body(void *arg) {
    for (int inner_first = 0; inner_first < 2; inner_first++) {
        jg_scope scopes[2];
        jg_task *task = jg_spawn_with(see_both_scopes_as_one, scopes,
                                      (&(jg_spawn_options){.edge = true}));
        jg_sleep(1);
        jg_scope_cancel(&scopes[inner_first]);
        jg_scope_cancel(&scopes[1 - inner_first]);
        ck_assert_int_eq(jg_join(task), 1);
    }
    (void)arg;
    return 0;
}

// Which of two scopes is cancelled first in a tick would decide how often the task sees it.
START_TEST(s03_edge_sees_two_scopes_as_one) {
    needs_loop();
    run_body(s03_scopes_body);
}
END_TEST

// Under the edge rule two cancels in one tick would be delivered twice, or a later one not at all.
START_TEST(s03_edge_sees_two_cancels_as_one) {
    needs_loop();
    run_body(s03_edge_body);
}
END_TEST

static intptr_t see_each_outside_its_shields(void *arg) {
    jg_scope *scopes = arg;
    jg_scope_open(&scopes[0], JG_NEVER, false);
    jg_scope_open(&scopes[1], JG_NEVER, true);
    jg_scope_open(&scopes[2], JG_NEVER, true);
    ck_assert_int_eq(jg_sleep(10000), -ECANCELED); // that of the inner shield
    ck_assert_int_eq(jg_scope_close(&scopes[2], -ECANCELED), 0);
    ck_assert_int_eq(jg_yield(), 0); // the outer shield keeps the other away
    ck_assert_int_eq(jg_scope_close(&scopes[1], 3), 3);
    ck_assert_int_eq(jg_yield(), -ECANCELED);
    ck_assert_int_eq(jg_yield(), 0);
    ck_assert_int_eq(jg_scope_close(&scopes[0], -ECANCELED), 0);
    return 1;
}

static intptr_t shielded_edge_body(void *arg) {
    for (int inner_first = 0; inner_first < 2; inner_first++) {
        jg_scope scopes[3];
        jg_task *task = jg_spawn_with(see_each_outside_its_shields, scopes,
                                      (&(jg_spawn_options){.edge = true}));
        jg_sleep(1);
        jg_scope_cancel(&scopes[inner_first ? 2 : 0]);
        jg_scope_cancel(&scopes[inner_first ? 0 : 2]);
        ck_assert_int_eq(jg_join(task), 1);
    }
    (void)arg;
    return 0;
}

// A cancel that a shield kept away would be forgotten over one seen inside: a limit would never strike.
START_TEST(s04_edge_cancel_waits_for_the_shield_to_end) {
    needs_loop();
    run_body(shielded_edge_body);
}
END_TEST

static intptr_t asked_body(void *arg) {
    jg_scope outer;
    jg_scope inner;
    (void)arg;
    jg_scope_open(&outer, JG_NEVER, false);
    jg_scope_open(&inner, jg_now() + 60000 * JG_MS, false);
    jg_scope_cancel(&outer);
    ck_assert_int_eq(jg_sleep(1), -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&inner, -ECANCELED), -ECANCELED); // it was not the inner one
    ck_assert_int_eq(jg_scope_close(&outer, -ECANCELED), 0);
    return jg_sleep(0);
}

// An inner scope would take the outer one's cancel for its own, with a loop or without.
START_TEST(s18_outer_cancel_passes_through) {
    run_body(asked_body);
}
END_TEST

// Groups.

static intptr_t fail_at_the_start(void *arg) {
    (void)arg;
    return jg_fail(-EPROTO, "they speak another language");
}

static intptr_t own_word_body(void *arg) {
    intptr_t rc = 0;
    (void)arg;
    JG_GROUP(group, rc) {
        ck_assert_int_eq(jg_group_start(group, fail_at_the_start, NULL), -EPROTO);
        ck_assert_str_eq(jg_error_last()->text, "they speak another language");
    }
    ck_assert_int_eq(rc, 0);
    return 0;
}

// A service that fails with -EPROTO would look like one that never said it was ready.
START_TEST(s43_failing_with_eproto_keeps_its_reason) {
    needs_loop();
    run_body(own_word_body);
}
END_TEST

static intptr_t given_up_body(void *arg) {
    jg_group group;
    struct job member = {.after_ms = 60000};
    (void)arg;
    jg_group_open(&group);
    jg_group_spawn(&group, work, &member);
    jg_sleep(1);
    ck_assert_int_eq(jg_group_close(&group, -ECANCELED),
                     -ECANCELED); // nobody asked the group to end
    ck_assert_int_eq(member.got, -ECANCELED);
    return 0;
}

// A body that gives up by itself would look like a group that was cancelled on purpose.
START_TEST(s40_body_that_gives_up) {
    needs_loop();
    run_body(given_up_body);
}
END_TEST

static int tidied;

static intptr_t tidy_up(void *arg) {
    (void)arg;
    tidied++;
    return 0;
}

static intptr_t stray(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_sleep(60000), -ECANCELED); // the loop closes
    JG_SHIELD {
        ck_assert_ptr_null(jg_spawn(tidy_up, NULL)); // nobody would wait for it
        JG_GROUP(group) {
            ck_assert_int_eq(jg_group_spawn(group, tidy_up, NULL), 0);
        }
    }
    ck_assert_int_eq(jg_join(NULL), -ECANCELED); // why there was none
    return 0;
}

static intptr_t leave_a_stray(void *arg) {
    ck_assert_int_eq(jg_join(NULL), -EINVAL); // no spawn was refused
    ck_assert_int_eq(jg_future_result(jg_task_future(NULL)), -EINVAL);
    jg_detach(NULL);
    jg_detach(jg_spawn(stray, arg));
    return jg_sleep(1);
}

// Cleaning up with several hands would be impossible once a loop closes.
START_TEST(s50k_a_closing_loop_still_takes_a_groups_tasks) {
    needs_loop();
    tidied = 0;
    run_once(leave_a_stray, NULL);
    ck_assert_int_eq(tidied, 1);
}
END_TEST

// Callbacks.

static void note_word(void *arg, intptr_t word) {
    *(intptr_t *)arg = word;
}

static intptr_t queued_body(void *arg) {
    jg_future future = {0};
    jg_done_callback callback = {0};
    intptr_t word = 0;
    (void)arg;
    jg_future_set(&future, 7);
    ck_assert_int_eq(jg_future_add_done_callback(&future, &callback, note_word, &word), 0);
    ck_assert_int_eq(word, 0); // in the next round
    ck_assert_int_eq(jg_future_add_done_callback(&future, &callback, note_word, &word), -EALREADY);
    jg_sleep(1);
    ck_assert_int_eq(word, 7);
    ck_assert_int_eq(jg_future_add_done_callback(&future, &callback, note_word, &word), 0);
    ck_assert(jg_future_remove_done_callback(&callback));
    jg_future_fini(&future);
    return 0;
}

// A callback about to be called would be overwritten by another.
START_TEST(s50d_callback_whose_call_is_queued_is_taken) {
    needs_loop();
    run_body(queued_body);
}
END_TEST

// Jobs of other threads.

static sem_t go_on;

static intptr_t hold_up(void *arg) {
    (void)arg;
    while (sem_wait(&go_on) != 0) {}
    return 5;
}

static intptr_t never_begun(void *arg) {
    (void)arg;
    ck_abort_msg("a job ran that was cancelled in the queue");
}

static intptr_t jobs_body(void *arg) {
    const jg_executor_options one = {.threads = 1};
    jg_executor *executor;
    jg_job running = {0};
    jg_job queued = {0};
    intptr_t rc = 0;
    (void)arg;
    sem_init(&go_on, 0, 0);
    ck_assert_int_eq(jg_executor_open(&one, &executor), 0);
    ck_assert_int_eq(jg_executor_submit(executor, &running, hold_up, NULL), 0);
    ck_assert_int_eq(jg_executor_submit(executor, &queued, never_begun, NULL), 0);
    ck_assert_int_eq(jg_future_set(&queued.future, 1), -EPERM); // its executor's to set
    jg_cancel(jg_self());
    ck_assert_int_eq(jg_future_wait(&running.future), -ECANCELED);
    jg_uncancel(jg_self());
    jg_future *both[] = {&queued.future, &queued.future};
    JG_TIMEOUT(5, rc) {
        rc = jg_gather(both, 2, NULL, JG_FAIL_FIRST);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT); // taken out of the queue, and not waited for
    ck_assert(jg_future_cancelled(&queued.future));
    sem_post(&go_on);
    ck_assert_int_eq(jg_job_wait(&running), 5);
    jg_future_fini(&queued.future);
    return jg_executor_close(executor);
}

// A wait for a job would hang past its limit, or end the job of another.
START_TEST(limits_reach_jobs_in_the_queue) {
    run_once(jobs_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/nested", s34_gathered_twice_cancelled_once, s34_words_in_spite_of_a_cancel,
             s35_failure_of_a_task_that_is_gone, s04_edge_cancel_reaches_inner_scopes,
             s03_edge_sees_two_cancels_as_one, s03_edge_sees_two_scopes_as_one,
             s04_edge_cancel_waits_for_the_shield_to_end, s18_outer_cancel_passes_through,
             s43_failing_with_eproto_keeps_its_reason, s40_body_that_gives_up,
             s50k_a_closing_loop_still_takes_a_groups_tasks,
             s50d_callback_whose_call_is_queued_is_taken, limits_reach_jobs_in_the_queue)
