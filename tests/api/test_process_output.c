// SPDX-License-Identifier: MIT
/* test_process_output.c – programs: what is said to them, and what they say.
 *
 * Holds      nothing between tests.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim (without pipes), and without a loop.
 * Why        RELIABILITY R23: two that write to each other and do not read stop each other.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/process_steps.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static intptr_t cat_body(void *arg) {
    (void)arg;
    const char *argv[] = {"cat", NULL};
    const jg_process_options options = {
        .argv = argv, .in = {JG_STDIO_PIPE, 0}, .out = {JG_STDIO_PIPE, 0}};
    char text[6];
    JG_PROCESS(cat);
    ck_assert_int_eq(jg_process_spawn(&options, &cat), 0);
    ck_assert_ptr_null(jg_process_err(cat));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(jg_write(jg_process_in(cat), "juggle", 6), 6);
        ck_assert_int_eq(jg_read_exact(jg_process_out(cat), text, 6), 6);
        ck_assert_int_eq(memcmp(text, "juggle", 6), 0);
    }
    jg_process_close_in(cat);
    ck_assert_ptr_null(jg_process_in(cat));
    jg_process_close_in(cat);
    ck_assert_int_eq(jg_read(jg_process_out(cat), text, 6), 0);
    jg_process_status status;
    ck_assert_int_eq(jg_process_wait(cat, &status), 0);
    ck_assert_int_eq(status.exit_code, 0);
    return 0;
}

// One could not talk with a program, or not tell it that all is said.
START_TEST(a_program_is_spoken_with) {
    needs_pipes();
    run_once(cat_body, NULL);
}
END_TEST

static jg_process_output run_shell(const char *line, const void *input, size_t size) {
    const jg_process_options options = shell(line);
    jg_process_output output = {0};
    ck_assert_int_eq(jg_process_run(&options, input, size, 0, &output), 0);
    return output;
}

enum { MEGABYTE = 1 << 20 };

static intptr_t communicate_body(void *arg) {
    (void)arg;
    char *input = malloc(MEGABYTE);
    for (int i = 0; i < MEGABYTE; i++) {
        input[i] = (char)(i * 31 >> 3);
    }
    jg_process_output output = run_shell("tee /dev/stderr", input, MEGABYTE);
    ck_assert_uint_eq(output.out_size, MEGABYTE);
    ck_assert_uint_eq(output.err_size, MEGABYTE);
    ck_assert_int_eq(memcmp(output.out, input, MEGABYTE), 0);
    ck_assert_int_eq(memcmp(output.err, input, MEGABYTE), 0);
    ck_assert_int_eq(output.status.exit_code, 0);
    jg_process_output_free(&output);
    free(input);

    output = run_shell("echo said; exit 7", NULL, 0);
    ck_assert_str_eq(output.out, "said\n");
    ck_assert_str_eq(output.err, "");
    ck_assert_int_eq(output.status.exit_code, 7);
    jg_process_output_free(&output);
    return 0;
}

// A program that writes while it is written to would stop, and we with it.
START_TEST(communicating_does_not_deadlock) {
    needs_pipes();
    run_once(communicate_body, NULL);
}
END_TEST

static intptr_t deaf_body(void *arg) {
    static char input[MEGABYTE];
    (void)arg;
    jg_process_output output = run_shell("exec <&-; exec >&-; exec 2>&-; exit 4", input, MEGABYTE);
    ck_assert_int_eq(output.status.exit_code, 4);
    jg_process_output_free(&output);
    output = run_shell("head -c 10 >/dev/null; kill -9 $$", input, MEGABYTE);
    ck_assert_int_eq(output.status.signal, SIGKILL);
    jg_process_output_free(&output);
    return 0;
}

// A program that closes its pipes early would be an error, a hang, or our death by SIGPIPE.
START_TEST(r23_pipes_closed_early_are_no_error) {
    needs_pipes();
    run_once(deaf_body, NULL);
}
END_TEST

static intptr_t limit_body(void *arg) {
    const jg_process_options options = shell(arg);
    jg_process_output output = {.out_size = 99};
    ck_assert_int_eq(jg_process_run(&options, NULL, 0, 100000, &output), -EMSGSIZE);
    ck_assert_uint_eq(output.out_size, 99);
    return 0;
}

// A program that writes without end would fill our memory.
START_TEST(r23_output_has_a_limit) {
    needs_pipes();
    run_once(limit_body, (void *)(uintptr_t) "exec yes");
    run_once(limit_body, (void *)(uintptr_t) "exec yes >&2");
}
END_TEST

static intptr_t flood_body(void *arg) {
    const char *argv[] = {"head", "-c", "100000000", "/dev/zero", NULL};
    const jg_process_options options = {.argv = argv, .out = {JG_STDIO_PIPE, 0}};
    static char block[65536];
    struct rusage before;
    struct rusage after;
    int64_t sum = 0;
    ssize_t got;
    (void)arg;
    JG_PROCESS(process);
    getrusage(RUSAGE_SELF, &before);
    ck_assert_int_eq(jg_process_spawn(&options, &process), 0);
    while ((got = jg_read(jg_process_out(process), block, sizeof(block))) > 0) {
        sum += got;
    }
    getrusage(RUSAGE_SELF, &after);
    ck_assert_int_eq(got, 0);
    ck_assert_int_eq(sum, 100000000);
    ck_assert_int_le(after.ru_maxrss - before.ru_maxrss, 8 * 1024); // KiB
    return 0;
}

// Output that is read as it comes would pile up in memory all the same.
START_TEST(r23_a_flood_of_output_takes_no_memory) {
    needs_pipes();
    run_once(flood_body, NULL);
}
END_TEST

static intptr_t held_body(void *arg) {
    const char *argv[] = {"printf", "first second", NULL};
    const jg_process_options options = {.argv = argv, .out = {JG_STDIO_PIPE, 0}};
    char *data;
    jg_process_output output;
    (void)arg;
    JG_PROCESS(process);
    ck_assert_int_eq(jg_process_spawn(&options, &process), 0);
    ck_assert_int_eq(jg_stream_fill(jg_process_out(process), 100, &data), 12);
    jg_stream_take(jg_process_out(process), 6);
    ck_assert_int_eq(jg_process_communicate(process, NULL, 0, 0, &output), 0);
    ck_assert_str_eq(output.out, "second");
    ck_assert_ptr_null(output.err);
    jg_process_output_free(&output);
    return 0;
}

// What was read ahead of communicating would be lost, or waited for.
START_TEST(what_is_read_ahead_is_part_of_the_output) {
    needs_pipes();
    run_once(held_body, NULL);
}
END_TEST

static intptr_t slow_communicate_body(void *arg) {
    const jg_process_options options = shell("echo x; sleep 60");
    jg_process_output output;
    intptr_t rc = 0;
    (void)arg;
    JG_TIMEOUT(50, rc) {
        rc = jg_process_run(&options, NULL, 0, 0, &output);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    return 0;
}

// A deadline would not reach a program that says nothing, or leave it running.
START_TEST(a_deadline_ends_communicating) {
    needs_pipes();
    run_once(slow_communicate_body, NULL);
}
END_TEST

// A daemon has no descriptors 0 to 2: our pipes would be in the way of the program's.
START_TEST(our_own_standard_descriptors_may_be_closed) {
    needs_pipes();
    int kept[2];
    for (int i = 0; i < 2; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    run_once(communicate_body, NULL);
    for (int i = 0; i < 2; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
}
END_TEST

static intptr_t sim_body(void *arg) {
    jg_process_options options = shell("exit 0");
    jg_process *process;
    (void)arg;
    options.out.kind = JG_STDIO_PIPE;
    ck_assert_int_eq(jg_process_spawn(&options, &process), -EOPNOTSUPP);
    jg_error_clear();
    return 0;
}

// A simulated program would wait for a real pipe, which its loop does not know.
START_TEST(a_simulated_loop_refuses_pipes) {
    if (!on_backend("sim")) {
        fixture_skip("for the simulation");
    }
    run_once(sim_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/process_output", a_program_is_spoken_with, communicating_does_not_deadlock,
             r23_a_flood_of_output_takes_no_memory, r23_pipes_closed_early_are_no_error,
             r23_output_has_a_limit, what_is_read_ahead_is_part_of_the_output,
             a_deadline_ends_communicating, our_own_standard_descriptors_may_be_closed,
             a_simulated_loop_refuses_pipes)
