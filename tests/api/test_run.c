// SPDX-License-Identifier: MIT
/* test_run.c – SEMANTICS S50: the loop, from the first task to the last.
 *
 * Holds      what the error reporter was told.
 * Invariant  each case holds on epoll and sim, but where the order of ready tasks is the case.
 * Called by  ctest, on epoll and sim.
 * Why        these are the promises a program makes use of before it does anything else.
 */
#include "api/api.h"

#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int reports;
static char reported[64];

static void count_report(const jg_error *error) {
    reports++;
    snprintf(reported, sizeof(reported), "%s: %s", error->task, error->text);
}

static intptr_t fail_at_once(void *arg) {
    (void)arg;
    return jg_fail(-EPROTO, "a bad reply");
}

static intptr_t sleep_long(void *arg) {
    int rc = jg_sleep(60000);
    if (arg != NULL) {
        *(int *)arg = rc;
    }
    return rc;
}

static void count_drop(void *word) {
    ++*(int *)word;
}

static intptr_t give(void *word) {
    return (intptr_t)word;
}

static intptr_t s50d_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    ck_assert_int_eq(jg_future_result(&future), -EAGAIN);
    ck_assert_int_eq(jg_future_set(&future, 42), 0);
    ck_assert_int_eq(jg_future_set(&future, 43), -EALREADY);
    ck_assert(!jg_future_cancel(&future));
    ck_assert_int_eq(jg_future_wait(&future), 42);
    ck_assert(jg_future_done(&future));
    ck_assert(!jg_future_cancelled(&future));
    jg_future gone = {0};
    ck_assert(jg_future_cancel(&gone));
    ck_assert_int_eq(jg_future_wait(&gone), -ECANCELED);
    ck_assert(jg_future_cancelled(&gone));
    ck_assert_int_eq(jg_future_set(&gone, 1), -EALREADY);
    return 0;
}

// A future's word would change after somebody has seen it.
START_TEST(s50d_future_is_set_once) {
    run_body(s50d_body);
}
END_TEST

static intptr_t wait_future(void *future) {
    return jg_future_wait(future);
}

static intptr_t future_waiters_body(void *arg) {
    (void)arg;
    jg_future future = {0};
    jg_task *tasks[4];
    for (int i = 0; i < 4; i++) {
        tasks[i] = jg_spawn(wait_future, &future);
    }
    jg_sleep(1);
    jg_cancel(tasks[2]);
    jg_future_set(&future, -EIO); // an error is a word like any other
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(jg_join(tasks[i]), i == 2 ? -ECANCELED : -EIO);
    }
    return 0;
}

// One of those who wait would be forgotten, or a cancelled waiter would take the future with it.
START_TEST(future_wakes_all_who_wait) {
    run_body(future_waiters_body);
}
END_TEST

static intptr_t s50e_body(void *arg) {
    (void)arg;
    reports = 0;
    jg_detach(jg_spawn(fail_at_once, NULL));
    jg_sleep(1);
    ck_assert_int_eq(reports, 1);
    ck_assert_str_eq(reported, "fail_at_once: a bad reply");
    ck_assert_int_eq(jg_join(jg_spawn(fail_at_once, NULL)), -EPROTO);
    jg_task *cancelled = jg_spawn(sleep_long, NULL);
    jg_sleep(1);
    jg_cancel(cancelled);
    jg_detach(cancelled);
    jg_sleep(1);
    jg_task *late = jg_spawn(fail_at_once, NULL);
    jg_sleep(1);
    ck_assert_int_eq(reports, 1);
    jg_detach(late); // it has failed already
    ck_assert_int_eq(reports, 2);
    return 0;
}

// A failure nobody looked at would vanish, or one that was looked at would be reported.
START_TEST(s50e_unretrieved_failure_is_reported_once) {
    jg_error_on_unretrieved(count_report);
    run_body(s50e_body);
    ck_assert_int_eq(reports, 2); // nor again when the loop ends
}
END_TEST

static intptr_t forget_handles(void *arg) {
    (void)jg_spawn(fail_at_once, NULL);
    (void)jg_spawn_with(give, arg, (&(jg_spawn_options){.drop_result = count_drop}));
    jg_sleep(1);
    return 0;
}

// A handle nobody gave up would take its failure, its value and its memory with it.
START_TEST(s50e_forgotten_handles_are_settled_at_the_end) {
    int dropped = 0;
    reports = 0;
    jg_error_on_unretrieved(count_report);
    ck_assert_int_eq(jg_run(forget_handles, &dropped), 0);
    jg_error_on_unretrieved(NULL);
    ck_assert_int_eq(reports, 1);
    ck_assert_int_eq(dropped, 1);
}
END_TEST

struct letters {
    char text[16];
    size_t count;
};

struct writer {
    struct letters *letters;
    char letter;
};

static intptr_t write_letters(void *arg) {
    const struct writer *writer = arg;
    for (int i = 0; i < 3; i++) {
        writer->letters->text[writer->letters->count++] = writer->letter;
        jg_yield();
    }
    return 0;
}

static intptr_t s50g_body(void *arg) {
    (void)arg;
    struct letters letters = {.count = 0};
    struct writer a = {&letters, 'a'};
    struct writer b = {&letters, 'b'};
    JG_GROUP(group) {
        jg_group_spawn(group, write_letters, &a);
        jg_group_spawn(group, write_letters, &b);
    }
    ck_assert_str_eq(letters.text, "ababab");
    return 0;
}

// One task would run twice before another ran once.
START_TEST(s50g_yield_alternates) {
    run_in_order(s50g_body);
}
END_TEST

static intptr_t sleep_in_order(void *arg) {
    const struct writer *writer = arg;
    jg_sleep_until(1000 * JG_S); // all for the same moment
    writer->letters->text[writer->letters->count++] = writer->letter;
    return 0;
}

static intptr_t s50b_body(void *arg) {
    (void)arg;
    struct letters letters = {.count = 0};
    struct writer writers[8];
    JG_GROUP(group) {
        for (int i = 0; i < 8; i++) {
            writers[i] = (struct writer){&letters, (char)('0' + i)};
            jg_group_spawn(group, sleep_in_order, &writers[i]);
            jg_sleep(1); // so that they fall asleep in this order
        }
    }
    ck_assert_uint_eq(letters.count, 8);
    return 0;
}

// A sleeper would be lost among others with the same deadline.
START_TEST(s50b_equal_deadlines_all_wake) {
    if (!on_backend("sim")) {
        fixture_skip("needs a clock that jumps");
    }
    run_body(s50b_body);
}
END_TEST

static intptr_t join_itself(void *arg) {
    jg_task **self = arg;
    while (*self == NULL) {
        jg_yield();
    }
    return jg_join(*self);
}

static intptr_t s50h_join_body(void *arg) {
    (void)arg;
    jg_task *task = NULL;
    jg_task *spawned = jg_spawn(join_itself, &task);
    task = spawned;
    ck_assert_int_eq(jg_join(spawned), -EDEADLK);
    return 0;
}

// A task that joins itself would wait for ever.
START_TEST(s50h_waiting_for_oneself) {
    run_body(s50h_join_body);
}
END_TEST

static intptr_t count_up(void *arg) {
    ++*(int *)arg;
    jg_yield();
    ++*(int *)arg;
    return 0;
}

static intptr_t s50j_body(void *arg) {
    (void)arg;
    int steps = 0;
    jg_task *task = jg_spawn_with(count_up, &steps, (&(jg_spawn_options){.eager = true}));
    ck_assert_int_ge(steps, 1); // under sim it may have gone on before us
    ck_assert_int_eq(jg_join(task), 0);
    ck_assert_int_eq(steps, 2);
    task = jg_spawn_with(give, (void *)9, (&(jg_spawn_options){.eager = true}));
    ck_assert(jg_done(task));
    ck_assert_int_eq(jg_join(task), 9);
    return 0;
}

// An eager task would not have begun when the spawn returns.
START_TEST(s50j_eager_start) {
    run_body(s50j_body);
}
END_TEST

static intptr_t stray(void *arg) {
    int rc = jg_sleep(60000);
    JG_SHIELD {
        ck_assert_int_eq(jg_sleep(5), 0); // its clean-up has all the time it needs
    }
    *(int *)arg = rc;
    return rc;
}

static intptr_t leave_strays(void *arg) {
    for (int i = 0; i < 2; i++) {
        jg_detach(jg_spawn(stray, &((int *)arg)[i]));
    }
    (void)jg_spawn(stray, &((int *)arg)[2]); // a handle nobody gave up is a stray like any other
    jg_sleep(1);
    return 11;
}

// Tasks still alive when the first one returns would be torn off, or keep the program alive.
START_TEST(s50k_strays_are_cancelled_and_awaited) {
    for (uint64_t seed = 0; seed < API_SEEDS; seed++) {
        const jg_run_options options = {.seed = fixture_seed() + seed};
        int rcs[3] = {0};
        ck_assert_int_eq(jg_run_with(leave_strays, rcs, &options), 11);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(rcs[i], -ECANCELED);
        }
    }
}
END_TEST

static intptr_t run_inside(void *arg) {
    (void)arg;
    ck_assert(jg_running());
    return jg_run(give, NULL);
}

// A second loop inside the first would take its thread away.
START_TEST(run_inside_run_is_refused) {
    ck_assert(!jg_running());
    ck_assert_int_eq(jg_run(run_inside, NULL), -EBUSY);
    ck_assert(!jg_running());
    const jg_run_options unknown = {.backend = "kqueue"};
    ck_assert_int_eq(jg_run_with(give, NULL, &unknown), -EINVAL);
    const jg_run_options huge = {.stack_size = SIZE_MAX};
    ck_assert_int_eq(jg_run_with(give, NULL, &huge), -EINVAL);
}
END_TEST

// A mistyped seed would run as another one: the failure it was to repeat does not come.
START_TEST(a_seed_that_is_no_number_is_refused) {
    static const char *const bad[] = {"seven", "7x", "-1", " 7", "99999999999999999999999"};
    const jg_run_options sim = {.backend = "sim"};
    const jg_run_options epoll = {.backend = "epoll"};
    const jg_run_options given = {.backend = "sim", .seed = 3};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setenv("JUGGLE_SEED", bad[i], 1);
        ck_assert_int_eq(jg_run_with(give, (void *)7, &sim), -EINVAL);
        ck_assert_int_eq(jg_run_with(give, (void *)7, &given), 7);
        ck_assert_int_eq(jg_run_with(give, (void *)7, &epoll), 7); // draws no lots
    }
    setenv("JUGGLE_SEED", "0x1f", 1);
    ck_assert_int_eq(jg_run_with(give, (void *)7, &sim), 7);
    unsetenv("JUGGLE_SEED");
}
END_TEST

static intptr_t backend_is(void *name) {
    return strcmp(jg_backend(), name) == 0;
}

// A variable that is set to nothing would be a bad name, or a bad seed.
START_TEST(empty_variables_are_as_unset) {
    const jg_run_options sim = {.backend = "sim"};
    setenv("JUGGLE_BACKEND", "", 1);
    setenv("JUGGLE_SEED", "", 1);
    ck_assert_int_eq(jg_run(backend_is, "epoll"), 1);
    ck_assert_int_eq(jg_run_with(backend_is, "sim", &sim), 1);
}
END_TEST

// Spawning without a loop would crash instead of saying why.
START_TEST(spawn_without_a_loop) {
    ck_assert_ptr_null(jg_spawn(give, NULL));
    ck_assert_int_eq(jg_join(NULL), -ENXIO);
    jg_group group;
    jg_group_open(&group);
    ck_assert_int_eq(jg_group_spawn(&group, give, NULL), -ENXIO);
    ck_assert_int_eq(jg_group_close(&group, 0), 0);
}
END_TEST

static intptr_t x09_child(void *arg) {
    int mode = (int)(intptr_t)arg;
    volatile double third = 3;
    fesetround(mode);
    double mine = 1 / third; // the unit that divides need not be the one fegetround asks
    for (int i = 0; i < 10; i++) {
        if (i % 2 == 0) {
            jg_yield();
        } else {
            jg_sleep(1);
        }
        if (fegetround() != mode || 1 / third != mine) {
            return -EINVAL;
        }
    }
    return 0;
}

static intptr_t x09_body(void *arg) {
    (void)arg;
    int rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, x09_child, (void *)(intptr_t)FE_UPWARD);
        jg_group_spawn(group, x09_child, (void *)(intptr_t)FE_DOWNWARD);
        jg_group_spawn(group, x09_child, (void *)(intptr_t)FE_TONEAREST);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
    return 0;
}

// One task's rounding mode would change another's results.
START_TEST(x09_rounding_mode_is_per_task) {
    run_body(x09_body);
}
END_TEST

enum { SLEEPERS = 20000, SLEEPERS_SIM = 500 };

static intptr_t count_clean_up(void *arg) {
    int rc = jg_sleep(600000);
    ++*(int *)arg;
    return rc;
}

static intptr_t x10_body(void *arg) {
    (void)arg;
    int cleaned = 0;
    int count = on_backend("sim") ? SLEEPERS_SIM : SLEEPERS;
    int rc = 0;
    JG_GROUP(group, rc) {
        for (int i = 0; i < count; i++) {
            ck_assert_int_eq(jg_group_spawn(group, count_clean_up, &cleaned), 0);
        }
        jg_sleep(1);
        jg_group_cancel(group);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(cleaned, count);
    return 0;
}

// Cancelling very many sleepers at once would skip some of their clean-ups.
START_TEST(x10_many_sleepers_cancelled_at_once) {
    run_once(x10_body, NULL);
}
END_TEST

static intptr_t print_at_the_end(void *arg) {
    int rc = jg_sleep(60000);
    printf("a stray, ");
    (void)arg;
    return rc;
}

static intptr_t print_something(void *arg) {
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
    printf("the first task, ");
    jg_detach(jg_spawn(print_at_the_end, arg));
    return jg_sleep(1);
}

static void run_and_exit(int fd) {
    dup2(fd, STDOUT_FILENO);
    intptr_t rc = jg_run(print_something, NULL);
    printf("and the program");
    exit(rc == 0 ? 0 : 1);
}

// Buffered output would be lost when the runtime ends.
START_TEST(x12_buffered_output_survives) {
    int fds[2];
    int status = -1;
    char text[64] = {0};
    ck_assert_int_eq(pipe(fds), 0);
    fflush(stdout);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        run_and_exit(fds[1]);
    }
    close(fds[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_gt(read(fds[0], text, sizeof(text) - 1), 0);
    close(fds[0]);
    ck_assert_str_eq(text, "the first task, a stray, and the program");
}
END_TEST

FIXTURE_MAIN("api/run", s50b_equal_deadlines_all_wake, s50d_future_is_set_once,
             future_wakes_all_who_wait, s50e_unretrieved_failure_is_reported_once,
             s50e_forgotten_handles_are_settled_at_the_end, s50g_yield_alternates,
             s50h_waiting_for_oneself, s50j_eager_start, s50k_strays_are_cancelled_and_awaited,
             run_inside_run_is_refused, a_seed_that_is_no_number_is_refused,
             empty_variables_are_as_unset, spawn_without_a_loop, x09_rounding_mode_is_per_task,
             x10_many_sleepers_cancelled_at_once, x12_buffered_output_survives)
