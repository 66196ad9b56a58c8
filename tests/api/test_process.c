// SPDX-License-Identifier: MIT
/* test_process.c – programs: what they get, what they say, how they end.
 *
 * Holds      nothing between tests.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim (without pipes), and without a loop.
 * Why        RELIABILITY R23.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/api.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Options for a line of shell. */
static jg_process_options shell(const char *line) {
    static const char *argv[2][4];
    static int turn;
    const char **own = argv[turn++ % 2];
    own[0] = "sh";
    own[1] = "-c";
    own[2] = line;
    return (jg_process_options){.argv = own};
}

static void needs_pipes(void) {
    if (on_backend("sim")) {
        fixture_skip("a simulated loop has no real pipes");
    }
}

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

// Streams.

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

FIXTURE_MAIN("api/process", r23_the_status_is_exact, what_keeps_a_program_from_running_is_told,
             a_program_is_spoken_with, communicating_does_not_deadlock,
             r23_a_flood_of_output_takes_no_memory, r23_pipes_closed_early_are_no_error,
             r23_output_has_a_limit, what_is_read_ahead_is_part_of_the_output,
             a_deadline_ends_communicating, directory_and_environment_are_as_asked,
             r23_a_program_sees_three_descriptors_only, a_program_starts_with_default_signals,
             descriptors_are_wired_as_asked, our_own_standard_descriptors_may_be_closed,
             a_wait_is_cut_short_and_the_program_is_not, several_tasks_wait_for_one_program,
             closing_wakes_who_waits, a_status_taken_by_somebody_else_is_an_error,
             r23_closing_asks_then_kills, a_cancel_does_not_keep_a_program_alive,
             a_group_gets_signals_as_a_whole, r23_a_start_short_of_descriptors_leaves_nothing,
             a_simulated_loop_refuses_pipes, r21_a_thousand_programs_each_with_its_own_status)
