// SPDX-License-Identifier: MIT
/* test_process.c – programs: how they end, on their own or because they are told to.
 *
 * Holds      nothing between tests.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim (without pipes), and without a loop.
 * Why        RELIABILITY R23.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/process_steps.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

// Ends.

static void expect_end(const char *line, int exit_code, int signal_number) {
    const jg_process_options options = shell(line);
    jg_process_status status = {0};
    JG_PROCESS(process);
    ck_assert_int_eq(jg_process_spawn(&options, &process), 0);
    ck_assert_int_gt(jg_process_id(process), 1);
    for (int i = 0; i < 2; i++) { // it stays said
        ck_assert_int_eq(jg_process_wait(process, &status), 0);
        ck_assert_int_eq(status.exit_code, exit_code);
        ck_assert_int_eq(status.signal, signal_number);
    }
    ck_assert_int_eq(jg_process_wait(process, NULL), 0);
    ck_assert_int_eq(jg_process_kill(process), -ESRCH);
}

static intptr_t ends_body(void *arg) {
    (void)arg;
    expect_end("exit 0", 0, 0);
    expect_end("exit 3", 3, 0);
    expect_end("exit 255", 255, 0);
    expect_end("kill -9 $$", -1, SIGKILL);
    expect_end("ulimit -c 0; kill -SEGV $$", -1, SIGSEGV);
    expect_end("kill -TERM $$", -1, SIGTERM);
    return 0;
}

// A program that was killed would look like one that failed, or like one that went well.
START_TEST(r23_the_status_is_exact) {
    run_once(ends_body, NULL);
}
END_TEST

// Waiting.

static intptr_t impatient_body(void *arg) {
    const jg_process_options options = shell("exec sleep 60");
    jg_process_status status;
    intptr_t rc = 0;
    (void)arg;
    JG_PROCESS(process);
    ck_assert_int_eq(jg_process_spawn(&options, &process), 0);
    JG_TIMEOUT(20, rc) {
        rc = jg_process_wait(process, NULL);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(jg_process_signal(process, 0), 0); // it runs on
    ck_assert_int_eq(jg_process_signal(process, 12345), -EINVAL);
    ck_assert_int_eq(jg_process_terminate(process), 0);
    ck_assert_int_eq(jg_process_wait(process, &status), 0);
    ck_assert_int_eq(status.signal, SIGTERM);
    return 0;
}

// A wait would not mind its deadline, or take the program with it.
START_TEST(a_wait_is_cut_short_and_the_program_is_not) {
    run_once(impatient_body, NULL);
}
END_TEST

struct watching {
    jg_process *process;
    int ended;
};

static intptr_t watch(void *arg) {
    struct watching *watching = arg;
    jg_process_status status = {0};
    int rc = jg_process_wait(watching->process, &status);
    watching->ended += rc == 0 && status.signal == SIGKILL;
    return rc;
}

static intptr_t watchers_body(void *arg) {
    const jg_process_options options = shell("exec sleep 60");
    struct watching watching = {.ended = 0};
    (void)arg;
    ck_assert_int_eq(jg_process_spawn(&options, &watching.process), 0);
    JG_GROUP(group) {
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(jg_group_spawn(group, watch, &watching), 0);
        }
        jg_task *cancelled = jg_spawn(watch, &watching);
        jg_yield();
        jg_cancel(cancelled);
        ck_assert_int_eq(jg_join(cancelled), -ECANCELED);
        ck_assert_int_eq(jg_process_kill(watching.process), 0);
    }
    ck_assert_int_eq(watching.ended, 5);
    jg_process_close(watching.process);
    return 0;
}

// Only one of several waiters would learn of the end.
START_TEST(several_tasks_wait_for_one_program) {
    needs_loop();
    run_once(watchers_body, NULL);
}
END_TEST

static intptr_t close_under_body(void *arg) {
    const jg_process_options options = shell("exec sleep 60");
    struct watching watching = {.ended = 0};
    (void)arg;
    ck_assert_int_eq(jg_process_spawn(&options, &watching.process), 0);
    const jg_spawn_options at_once = {.eager = true};
    jg_task *task = jg_spawn_with(watch, &watching, &at_once);
    jg_process_close(watching.process);
    ck_assert_int_eq(jg_join(task), 0);
    return 0;
}

// Closing a process that somebody waits for would free what the waiter looks at.
START_TEST(closing_wakes_who_waits) {
    needs_loop();
    run_once(close_under_body, NULL);
}
END_TEST

static intptr_t stolen_body(void *arg) {
    const jg_process_options options = shell("exit 5");
    jg_process_status status = {.exit_code = 77};
    (void)arg;
    JG_PROCESS(process);
    ck_assert_int_eq(jg_process_spawn(&options, &process), 0);
    ck_assert_int_eq(waitpid(jg_process_id(process), NULL, 0), jg_process_id(process));
    ck_assert_int_eq(jg_process_wait(process, &status), -ECHILD);
    ck_assert_int_eq(status.exit_code, 77);
    ck_assert_int_eq(jg_process_wait(process, &status), -ECHILD);
    ck_assert_int_eq(jg_process_terminate(process), -ESRCH);
    return 0;
}

// A status that somebody else took would be made up, or waited for for ever.
START_TEST(a_status_taken_by_somebody_else_is_an_error) {
    run_once(stolen_body, NULL);
}
END_TEST

// Closing.

static int64_t time_close(const char *line, int64_t grace_ms) {
    jg_process_options options = shell(line);
    jg_process *process = NULL;
    char ready;
    options.grace_ms = grace_ms;
    options.err.kind = JG_STDIO_PIPE;
    ck_assert_int_eq(jg_process_spawn(&options, &process), 0);
    ck_assert_int_eq(jg_read(jg_process_err(process), &ready, 1), 1);
    int64_t before_ns = jg_now();
    jg_process_close(process);
    return jg_now() - before_ns;
}

static intptr_t grace_body(void *arg) {
    const char *stubborn = "trap '' TERM; echo >&2; while :; do sleep 0.01; done";
    (void)arg;
    ck_assert_int_ge(time_close(stubborn, 100), 100 * JG_MS);
    ck_assert_int_lt(time_close("echo >&2; exec sleep 60", 10000), 5 * JG_S);
    ck_assert_int_lt(time_close(stubborn, -1), 5 * JG_S);
    jg_process_close(NULL);
    return 0;
}

// A program that ignores SIGTERM would outlive us, or one that obeys would be kept waiting.
START_TEST(r23_closing_asks_then_kills) {
    needs_pipes();
    run_once(grace_body, NULL);
}
END_TEST

static intptr_t cancelled_close_body(void *arg) {
    const jg_process_options options = shell("exec sleep 60");
    (void)arg;
    JG_PROCESS(process);
    ck_assert_int_eq(jg_process_spawn(&options, &process), 0);
    jg_cancel(jg_self());
    ck_assert_int_eq(jg_process_wait(process, NULL), -ECANCELED);
    return 0; // closed here, with the cancel standing
}

// A cancelled task would leave its program behind.
START_TEST(a_cancel_does_not_keep_a_program_alive) {
    needs_loop();
    ck_assert_int_eq(jg_run(cancelled_close_body, NULL), 0);
}
END_TEST

static intptr_t group_body(void *arg) {
    jg_process_options options = shell("sleep 60 & sleep 60 & echo >&2; wait");
    char bytes[8];
    (void)arg;
    options.err.kind = JG_STDIO_PIPE;
    options.own_group = true;
    JG_PROCESS(process);
    ck_assert_int_eq(jg_process_spawn(&options, &process), 0);
    ck_assert_int_eq(jg_read(jg_process_err(process), bytes, 1), 1);
    ck_assert_int_eq(jg_process_kill(process), 0);
    ck_assert_int_eq(jg_read(jg_process_err(process), bytes, 1), 0); // nobody holds the pipe
    return 0;
}

// Children of a program that is stopped would run on.
START_TEST(a_group_gets_signals_as_a_whole) {
    needs_pipes();
    run_once(group_body, NULL);
}
END_TEST

// Many.

enum { MANY = 1000 / API_SLOWED };

static intptr_t start_and_wait(void *arg) {
    int code = (int)(intptr_t)arg % 256;
    char line[32];
    const char *argv[] = {"sh", "-c", line, NULL};
    const jg_process_options options = {.argv = argv};
    jg_process_status status = {0};
    snprintf(line, sizeof(line), "exit %d", code);
    JG_PROCESS(process);
    int rc = jg_process_spawn(&options, &process);
    rc = rc < 0 ? rc : jg_process_wait(process, &status);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(status.exit_code, code);
    return 0;
}

static intptr_t many_body(void *arg) {
    (void)arg;
    for (intptr_t i = 0; i < MANY;) {
        JG_GROUP(group) {
            for (int k = 0; k < 100 && i < MANY; k++, i++) {
                ck_assert_int_eq(jg_group_spawn(group, start_and_wait, (void *)i), 0);
            }
        }
    }
    return 0;
}

// Of a hundred programs that end at once, one would be told another's status, or never its own.
START_TEST(r21_a_thousand_programs_each_with_its_own_status) {
    needs_loop();
    run_once(many_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/process", r23_the_status_is_exact, a_wait_is_cut_short_and_the_program_is_not,
             several_tasks_wait_for_one_program, closing_wakes_who_waits,
             a_status_taken_by_somebody_else_is_an_error, r23_closing_asks_then_kills,
             a_cancel_does_not_keep_a_program_alive, a_group_gets_signals_as_a_whole,
             r21_a_thousand_programs_each_with_its_own_status)
