// SPDX-License-Identifier: MIT
/* test_debug_futures.c – debug mode: futures that nobody sets, and failures that nobody reads.
 *
 * Holds      a few futures and a job that are left so.
 * Invariant  each is told once; what somebody knows of, never.
 * Called by  ctest, on epoll and sim.
 * Why        a promise somebody forgot is found by the name of who relied on it, or never.
 */
#include "api/debug_steps.h"

#include <stdlib.h>

static jg_future owed[3];

static intptr_t wait_with_limit(void *future) {
    intptr_t rc = 0;
    JG_TIMEOUT(1, rc) {
        rc = jg_future_wait(future);
    }
    return rc == -ETIMEDOUT ? 0 : -EPROTO;
}

static intptr_t impatient_body(void *arg) {
    return jg_join(jg_spawn_at(wait_with_limit, arg, NULL, "impatient\0impatient.c:4"));
}

// A future that everybody has given up, and nobody sets, is a promise somebody forgot.
START_TEST(a_future_that_was_waited_for_and_never_set_is_named) {
    ck_assert_int_eq(run_debugged(impatient_body, &owed[0], &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 1);
    const struct heard *leak = find(JG_DEBUG_FUTURE_LEAK);
    ck_assert_ptr_nonnull(leak);
    ck_assert_str_eq(leak->task, "impatient");
    ck_assert_str_eq(leak->spawned, "impatient.c:4");
    expect_text(leak->text, "is pending as the loop closes: task impatient (spawned at "
                            "impatient.c:4) has waited for it\n");
}
END_TEST

static intptr_t heap_body(void *arg) {
    jg_future *future = calloc(1, sizeof(*future));
    (void)arg;
    ck_assert_ptr_nonnull(future);
    intptr_t rc = impatient_body(future);
    free(future);
    return rc;
}

// Its memory is its owner's: debug mode would read what is freed.
START_TEST(a_leaked_future_may_be_gone) {
    ck_assert_int_eq(run_debugged(heap_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 1);
    ck_assert_ptr_nonnull(find(JG_DEBUG_FUTURE_LEAK));
}
END_TEST

static void note_word(void *arg, intptr_t word) {
    *(intptr_t *)arg = word;
}

static intptr_t call_never_body(void *callback) {
    static intptr_t word;
    return jg_future_add_done_callback(&owed[0], callback, note_word, &word);
}

// Whoever asked to be called would wait for ever without being parked anywhere.
START_TEST(a_callback_that_is_never_called_is_named) {
    static jg_done_callback callback;
    ck_assert_int_eq(run_debugged(call_never_body, &callback, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 1);
    ck_assert_str_eq(find(JG_DEBUG_FUTURE_LEAK)->task, "first");
    expect_text(find(JG_DEBUG_FUTURE_LEAK)->text, " has note_word (");
    expect_text(find(JG_DEBUG_FUTURE_LEAK)->text, "test_debug_futures.c:");
}
END_TEST

static void note_other(void *arg, intptr_t word) {
    note_word(arg, -word);
}

static intptr_t removed_body(void *arg) {
    static jg_done_callback kept;
    static jg_done_callback removed[2];
    (void)arg;
    ck_assert_int_eq(impatient_body(&owed[0]), 0);
    ck_assert_int_eq(jg_future_add_done_callback(&owed[1], &kept, note_other, NULL), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_future_add_done_callback(&owed[i], &removed[i], note_word, NULL), 0);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert(jg_future_remove_done_callback(&removed[i]));
    }
    return 0;
}

// Who took his callback back would be blamed for what others are owed.
START_TEST(a_callback_that_was_removed_is_not_named) {
    ck_assert_int_eq(run_debugged(removed_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 2);
    ck_assert_str_eq(heard[0].task, "impatient");
    expect_text(heard[0].text, "has waited for it");
    ck_assert_str_eq(heard[1].task, "first");
    expect_text(heard[1].text, " has note_other (");
}
END_TEST

static intptr_t first_of_body(void *arg) {
    jg_future *both[] = {&owed[0], &owed[1]};
    jg_future *rest[] = {&owed[2]};
    (void)arg;
    jg_future_set(&owed[0], 1);
    ck_assert_int_eq(jg_wait(both, 2, JG_FIRST_COMPLETED, -1), 1);
    JG_AS_COMPLETED(done, rest, 1, 1) {
        ck_abort_msg("nobody has set it");
    }
    return 0;
}

// The same for those that a wait for many leaves.
START_TEST(what_a_wait_for_many_left_is_named) {
    ck_assert_int_eq(run_debugged(first_of_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 2);
    ck_assert_int_eq(heard[0].kind, JG_DEBUG_FUTURE_LEAK);
    ck_assert_int_eq(heard[1].kind, JG_DEBUG_FUTURE_LEAK);
}
END_TEST

static intptr_t wait_on(void *future) {
    return jg_future_wait(future);
}

static intptr_t stay_body(void *arg) {
    ck_assert_int_eq(impatient_body(arg), 0);
    jg_detach(jg_spawn_at(wait_on, arg, NULL, "stray\0stray.c:1"));
    return jg_sleep(1);
}

// One fault told twice would be looked for twice.
START_TEST(a_future_that_a_task_still_waits_for_is_the_tasks_leak) {
    ck_assert_int_eq(run_debugged(stay_body, &owed[0], &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 1);
    expect_text(find(JG_DEBUG_TASK_LEAK)->text, "waiting for future");
}
END_TEST

static void forget_one(int way) {
    static jg_done_callback callback;
    jg_future future = {.done = false};
    ck_assert_int_eq(impatient_body(&future), 0);
    ck_assert_int_eq(call_never_body(&callback), 0);
    ck_assert(jg_future_remove_done_callback(&callback));
    ck_assert_int_eq(impatient_body(&future), 0);
    if (way == 0) {
        ck_assert_int_eq(jg_future_set(&future, 1), 0);
        ck_assert_int_eq(jg_future_set(&future, 1), -EALREADY);
    } else if (way == 1) {
        ck_assert_int_eq(jg_future_fail(&future, -EPROTO), 0);
        jg_future_result(&future);
    } else if (way == 2) {
        ck_assert(jg_future_cancel(&future));
    }
    jg_future_fini(&future);
}

static intptr_t forget_body(void *arg) {
    static jg_done_callback callback;
    jg_future called = {.done = false};
    static intptr_t word;
    (void)arg;
    for (int way = 0; way < 4; way++) {
        forget_one(way);
    }
    ck_assert_int_eq(jg_future_add_done_callback(&called, &callback, note_word, &word), 0);
    ck_assert_int_eq(jg_future_set(&called, 3), 0);
    jg_sleep(1);
    ck_assert_int_eq(word, 3);
    return 0;
}

// A future that was set late, failed, cancelled or ended is nobody's leak.
START_TEST(a_future_that_is_settled_or_ended_is_no_leak) {
    ck_assert_int_eq(run_debugged(forget_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 0);
}
END_TEST

// Failures.

static jg_job lost;

static intptr_t break_down(void *arg) {
    (void)arg;
    return jg_fail(-EPROTO, "broken");
}

static void submit_lost(jg_job *job) {
    ck_assert_int_eq(jg_executor_submit(NULL, job, break_down, NULL), 0);
    while (!jg_future_done(&job->future)) {
        jg_sleep(1);
    }
}

static intptr_t lose_body(void *arg) {
    static jg_done_callback callback;
    static intptr_t word;
    (void)arg;
    submit_lost(&lost);
    ck_assert_int_eq(jg_future_fail(&owed[0], jg_fail(-EIO, "no disk")), 0);
    ck_assert(!jg_future_cancelled(&owed[0])); // nor does this count as looking
    return jg_future_add_done_callback(&owed[0], &callback, note_word, &word);
}

static atomic_int unread;

static void count_unread(const jg_error *error) {
    (void)error;
    atomic_fetch_add(&unread, 1);
}

// A job that fails, and of which nobody wants to know, would fail unheard: its record is its owner's.
START_TEST(a_failure_that_nobody_read_is_named) {
    ck_assert_int_eq(run_debugged(lose_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 2);
    ck_assert_int_eq(heard[0].kind, JG_DEBUG_FUTURE_LEAK);
    ck_assert_str_eq(heard[0].task, "break_down");
    expect_text(heard[0].spawned, "test_debug_futures.c:");
    expect_text(heard[0].text,
                " was not ended when the loop closed: job break_down (submitted at ");
    expect_text(heard[0].text, ") failed and nobody looked: EPROTO: broken (");
    ck_assert_str_eq(heard[1].task, "first");
    expect_text(heard[1].text, "failed and nobody looked: EIO: no disk (");
    jg_error_on_unretrieved(count_unread);
    jg_future_fini(&lost.future);
    jg_future_fini(&owed[0]);
    ck_assert_int_eq(atomic_load(&unread), 2);
}
END_TEST

/* Every way to learn of a failure, or to say that it does not matter. */
static void learn_of(jg_job *job, int way) {
    jg_future *future = &job->future;
    intptr_t word;
    if (way == 0) {
        ck_assert_int_eq(jg_job_wait(job), -EPROTO);
    } else if (way == 1) {
        ck_assert_int_eq(jg_future_result(future), -EPROTO);
    } else if (way == 2) {
        ck_assert_str_eq(jg_future_exception(future)->text, "broken");
    } else if (way == 3) {
        ck_assert_int_eq(jg_gather(&future, 1, &word, JG_COLLECT_ERRORS), 0);
    } else if (way == 4) {
        JG_AS_COMPLETED(done, &future, 1, -1) {
            ck_assert_int_eq(done.result, -EPROTO);
        }
    } else if (way == 5) {
        submit_lost(job); // the record is used again, which ends the first
        ck_assert_int_eq(jg_future_result(future), -EPROTO);
    }
}

static intptr_t read_body(void *arg) {
    (void)arg;
    for (int way = 0; way < 7; way++) {
        jg_job job = {.state = 0};
        submit_lost(&job);
        learn_of(&job, way);
        jg_future_fini(&job.future);
    }
    jg_job job = {.state = 0};
    ck_assert_int_eq(jg_executor_submit(NULL, &job, break_down, NULL), 0);
    ck_assert_int_eq(jg_job_wait(&job), -EPROTO); // waited for before it failed
    ck_assert_int_eq(jg_executor_run(NULL, break_down, NULL), -EPROTO);
    return 0;
}

// What somebody has read would be told of, and blamed on nobody.
START_TEST(a_failure_that_was_read_is_no_leak) {
    jg_error_on_unretrieved(count_unread);
    ck_assert_int_eq(run_debugged(read_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 0);
    ck_assert_int_eq(atomic_load(&unread), 2); // used again; ended
}
END_TEST

static intptr_t crowd_body(void *arg) {
    enum { CROWD = 300 };
    static jg_future crowd[CROWD];
    jg_future *all[CROWD];
    (void)arg;
    for (int i = 0; i < CROWD; i++) {
        all[i] = &crowd[i];
    }
    ck_assert_int_eq(jg_wait(all, CROWD, JG_ALL_COMPLETED, 1), 0);
    for (int i = 0; i < CROWD - 2; i++) {
        jg_future_set(all[i], 1);
    }
    return 0;
}

// Futures dropped by the thousand would fill memory; what is past the limit is passed over.
START_TEST(past_the_limit_futures_are_not_followed) {
    ck_assert_int_eq(run_debugged(crowd_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 0);
}
END_TEST

FIXTURE_MAIN("api/debug_futures", a_future_that_was_waited_for_and_never_set_is_named,
             a_leaked_future_may_be_gone, a_callback_that_is_never_called_is_named,
             a_callback_that_was_removed_is_not_named, what_a_wait_for_many_left_is_named,
             a_future_that_a_task_still_waits_for_is_the_tasks_leak,
             a_future_that_is_settled_or_ended_is_no_leak, a_failure_that_nobody_read_is_named,
             a_failure_that_was_read_is_no_leak, past_the_limit_futures_are_not_followed)
