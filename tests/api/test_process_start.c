// SPDX-License-Identifier: MIT
/* test_process_start.c – programs: what keeps them from running, and what they are given to start with.
 *
 * Holds      nothing between tests.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim (where most needs pipes), and without a loop.
 * Why        RELIABILITY R23: what leaks into a program stays open, or blocked, as long as it runs.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/process_steps.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

// What keeps it from running.

static void expect_failure(const jg_process_options *options, int code, const char *text) {
    jg_process *process = NULL;
    ck_assert_int_eq(jg_process_spawn(options, &process), code);
    ck_assert_ptr_null(process);
    ck_assert_msg(strstr(jg_error_detail(code), text) != NULL, "detail: %s", jg_error_detail(code));
}

static void expect_no_program(const char *const *argv, const char *cwd, int code,
                              const char *text) {
    const jg_process_options options = {.argv = argv, .cwd = cwd};
    expect_failure(&options, code, text);
}

static intptr_t failures_body(void *arg) {
    const char *unknown[] = {"no-such-program-here", NULL};
    const char *missing[] = {"/no/such/file", NULL};
    const char *directory[] = {"/etc", NULL};
    const char *data[] = {arg, NULL};
    const char *fine[] = {"true", NULL};
    const char *nothing[] = {NULL};
    expect_no_program(unknown, NULL, -ENOENT, "cannot run no-such-program-here: No such file");
    expect_no_program(missing, NULL, -ENOENT, "cannot run /no/such/file");
    expect_no_program(directory, NULL, -EACCES, "cannot run /etc: Permission denied");
    expect_no_program(data, NULL, -ENOEXEC, "Exec format error");
    expect_no_program(fine, "/no/such/place", -ENOENT, "cannot run true in /no/such/place");
    expect_no_program(fine, "/etc/passwd", -ENOTDIR, "in /etc/passwd: Not a directory");
    expect_no_program(nothing, NULL, -EINVAL, "without a program");
    expect_no_program(NULL, NULL, -EINVAL, "without a program");
    jg_process_options options = {.argv = fine, .out = {.kind = JG_STDIO_FD, .fd = 9999}};
    expect_failure(&options, -EBADF, "descriptor 1 of true: Bad file descriptor");
    options.out.kind = JG_STDIO_OUT;
    expect_failure(&options, -EINVAL, "descriptor 1");
    options.out.kind = (jg_stdio_kind)77;
    expect_failure(&options, -EINVAL, "descriptor 1");
    jg_error_clear();
    return 0;
}

// A program that cannot be run would be started, and its failure look like the program's own.
START_TEST(what_keeps_a_program_from_running_is_told) {
    char path[] = "/tmp/juggle-XXXXXX";
    fixture_skip_emulated(
        "qemu-user forks where vfork was asked for, and cannot report the failure");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "no program\n", 11), 11);
    ck_assert_int_eq(fchmod(fd, 0700), 0);
    close(fd);
    run_once(failures_body, path);
    unlink(path);
}
END_TEST

// What a program gets.

static void expect_output(const jg_process_options *options, const char *expected) {
    jg_process_output output = {0};
    ck_assert_int_eq(jg_process_run(options, NULL, 0, 0, &output), 0);
    ck_assert_str_eq(output.out, expected);
    jg_process_output_free(&output);
}

static intptr_t place_body(void *arg) {
    const char *const env[] = {"BALLS=ten thousand", "PATH=/bin:/usr/bin", NULL};
    const char *relative[] = {"./true", NULL};
    (void)arg;
    jg_process_options options = shell("pwd; echo $BALLS $HOME");
    options.cwd = "/usr/bin";
    options.env = env;
    expect_output(&options, "/usr/bin\nten thousand\n");
    options.argv = relative; // found in the new directory
    expect_output(&options, "");
    setenv("BALLS", "three", 1);
    options = shell("echo $BALLS");
    expect_output(&options, "three\n");
    unsetenv("BALLS");
    return 0;
}

// A program would run in the wrong place, or with the wrong environment.
START_TEST(directory_and_environment_are_as_asked) {
    needs_pipes();
    run_once(place_body, NULL);
}
END_TEST

static intptr_t descriptors_body(void *arg) {
    const char *argv[] = {"ls", "/proc/self/fd", NULL};
    const jg_process_options options = {.argv = argv};
    (void)arg;
    expect_output(&options, "0\n1\n2\n3\n"); // 3 is ls's own
    return 0;
}

// A program would hold our sockets and files open, or read them.
START_TEST(r23_a_program_sees_three_descriptors_only) {
    needs_pipes();
    int loose[20];
    for (int i = 0; i < 20; i++) { // as a careless library would: without O_CLOEXEC
        loose[i] = open("/dev/null", O_RDONLY);
    }
    run_once(descriptors_body, NULL);
    for (int i = 0; i < 20; i++) {
        close(loose[i]);
    }
}
END_TEST

static unsigned long long mask_in(const char *status, const char *name) {
    const char *line = strstr(status, name);
    ck_assert_ptr_nonnull(line);
    return strtoull(line + strlen(name), NULL, 16);
}

static intptr_t signals_body(void *arg) {
    const char *argv[] = {"cat", "/proc/self/status", NULL};
    const jg_process_options options = {.argv = argv};
    jg_process_output output;
    (void)arg;
    ck_assert_int_eq(jg_process_run(&options, NULL, 0, 0, &output), 0);
    ck_assert_uint_eq(mask_in(output.out, "SigBlk:"), 0);
    // Without the two that are the C library's own.
    ck_assert_uint_eq(mask_in(output.out, "SigIgn:") & ~0x180000000ULL, 0);
    jg_process_output_free(&output);
    return 0;
}

// A program would not die of SIGPIPE or SIGTERM because we do not.
START_TEST(a_program_starts_with_default_signals) {
    needs_pipes();
    fixture_skip_emulated("qemu-user has signal handlers of its own");
    sigset_t some;
    sigset_t before;
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    run_once(signals_body, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
END_TEST

static intptr_t kinds_body(void *arg) {
    int fd = *(int *)arg;
    jg_process_options options = shell("cat; echo out; echo err >&2");
    jg_process_output output = {0};
    options.in.kind = JG_STDIO_NULL;
    options.err.kind = JG_STDIO_OUT;
    expect_output(&options, "out\nerr\n");
    options.out = (jg_stdio){JG_STDIO_FD, fd};
    options.err = (jg_stdio){JG_STDIO_NULL, 0};
    ck_assert_int_eq(jg_process_run(&options, NULL, 0, 0, &output), 0);
    ck_assert_ptr_null(output.out);
    ck_assert_ptr_null(output.err);
    jg_process_output_free(&output);
    return 0;
}

// Output would go to the wrong place.
START_TEST(descriptors_are_wired_as_asked) {
    needs_pipes();
    char path[] = "/tmp/juggle-XXXXXX";
    char text[16] = {0};
    int fd = mkstemp(path);
    run_once(kinds_body, &fd);
    ck_assert_int_eq(pread(fd, text, sizeof(text) - 1, 0), 4);
    ck_assert_str_eq(text, "out\n");
    close(fd);
    unlink(path);
}
END_TEST

// Shortage.

static intptr_t shortage_body(void *arg) {
    struct rlimit before;
    int failed = 0;
    (void)arg;
    getrlimit(RLIMIT_NOFILE, &before);
    int first = dup(0);
    close(first);
    for (int room = 0; room < 12; room++) {
        const jg_process_options options = shell("echo enough");
        const struct rlimit short_of = {(rlim_t)(first + room), before.rlim_max};
        jg_process_output output;
        setrlimit(RLIMIT_NOFILE, &short_of);
        int rc = jg_process_run(&options, NULL, 0, 0, &output);
        setrlimit(RLIMIT_NOFILE, &before);
        failed += rc == -EMFILE;
        if (rc == 0) {
            ck_assert_str_eq(output.out, "enough\n");
            ck_assert_int_eq(output.status.exit_code, 0);
            jg_process_output_free(&output);
        } else {
            ck_assert_int_eq(rc, -EMFILE);
        }
    }
    ck_assert_int_ge(failed, 5);
    ck_assert_int_lt(failed, 12);
    jg_error_clear();
    return 0;
}

// Out of descriptors at some point of the start, others would leak, or a program would be left over.
START_TEST(r23_a_start_short_of_descriptors_leaves_nothing) {
    needs_pipes();
    run_once(shortage_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/process_start", what_keeps_a_program_from_running_is_told,
             directory_and_environment_are_as_asked, r23_a_program_sees_three_descriptors_only,
             a_program_starts_with_default_signals, descriptors_are_wired_as_asked,
             r23_a_start_short_of_descriptors_leaves_nothing)
