// SPDX-License-Identifier: MIT
/* test_race.c – whole races of the command, against the stand-in and against bad servers.
 *
 * Holds      races, and servers in children.
 * Invariant  every race ends by itself, within a second or two.
 * Called by  the test runner.
 * Why        what a user meets is the command, not its parts: exit codes, lines, JSON.
 * Quirks     latencies are a few milliseconds, and no assertion depends on how long anything takes.
 */
#define FIXTURE_LIMIT 30
#include "juggle_runner.h"

#include <sys/resource.h>

// The main job: every model makes every request, and says what it cost.
START_TEST(all_models_make_all_requests) {
    struct served served = serve("--latency 2ms");
    int code = juggle_at(served.port, "race http://127.0.0.1:%d/ -n 60 -c 6 -r 2 --json "
                                      "-m sync,threads,processes,coroutines,multicore,floor "
                                      "--sync-requests 1000");
    ck_assert_msg(code == EXIT_GOOD, "%d: %s%s", code, err, out);
    ck_assert_str_eq(err, "");
    ck_assert_uint_eq(count_in_out("\n      \"requests_ok\": 120,"), 6);
    ck_assert_uint_eq(count_in_out("\n      \"requests_failed_total\": 0,"), 6);
    ck_assert_uint_eq(count_in_out("\n      \"requests_aborted\": 0,"), 6);
    ck_assert_uint_eq(count_in_out("\n          \"requests_ok\": 60,"), 12);
    ck_assert_uint_ge(count_in_out("\n      \"in_flight_peak\": 6,"), 2);
    ck_assert_uint_eq(count_in_out("\"samples\": 120,"), 6);
    ck_assert_uint_eq(count_in_out("\"memory_bytes\": null"), 0);
    ck_assert_uint_eq(count_in_out("\"processes\": 7,"), 1);
    ck_assert_uint_eq(count_in_out("\"threads\": 7\n"), 2);
    ck_assert_uint_eq(count_in_out("\"extrapolated\": true"), 0);
    ck_assert_uint_eq(count_in_out("\"expected_body_bytes\": 700\n"), 1);
    ck_assert_uint_eq(count_in_out("\"code\": 0,"), 1);
    ck_assert_int_eq(stop(served), EXIT_GOOD);
    // Two probes; per model six held requests and twice sixty; sync holds one.
    ck_assert_ptr_nonnull(strstr(out, "served 753 requests on "));
}
END_TEST

// sync is reckoned from a few requests, and everywhere marked as such.
START_TEST(sync_is_extrapolated_visibly) {
    setenv("LC_ALL", "C", 1);
    struct served served = serve("--latency 40ms");
    ck_assert_int_eq(juggle_at(served.port, "race http://127.0.0.1:%d/ -n 5k -c 5 -r 3 -m sync "
                                            "--sync-requests 2 --color never"),
                     EXIT_GOOD);
    ck_assert_ptr_nonnull(strstr(out, " s+"));
    ck_assert_ptr_nonnull(strstr(out, "+ from 1"));
    ck_assert_ptr_nonnull(strstr(out, " real requests, not run in full"));
    ck_assert_int_eq(juggle_at(served.port, "race http://127.0.0.1:%d/ -n 5k -c 5 -r 3 -m sync "
                                            "--sync-requests 2 --json"),
                     EXIT_GOOD);
    ck_assert_uint_eq(count_in_out("\"extrapolated\": true"), 1);
    ck_assert_uint_eq(count_in_out("\"complete\": true"), 1);
    stop(served);
}
END_TEST

// The table in a pipe: no escape sequence, no progress, a verdict.
START_TEST(table_is_plain_in_a_pipe) {
    struct served served = serve("--latency 1ms");
    ck_assert_int_eq(
        juggle_at(served.port, "race http://127.0.0.1:%d/ -n 40 -c 4 -r 1 -m threads,coroutines"),
        EXIT_GOOD);
    ck_assert_str_eq(err, "");
    ck_assert_ptr_null(strchr(out, '\033'));
    ck_assert_ptr_nonnull(strstr(out, "same work for everyone: 40 requests, 4 in flight"));
    ck_assert_ptr_nonnull(strstr(out, "\n  model "));
    ck_assert_ptr_nonnull(strstr(out, "\n  threads "));
    ck_assert_ptr_nonnull(strstr(out, "\n  coroutines "));
    ck_assert_ptr_nonnull(strstr(out, ".\n")); // the verdict: a sentence, whoever won
    stop(served);
}
END_TEST

// Requests that fail must show, by cause, and in the exit code.
START_TEST(failures_are_counted_by_cause) {
    struct served served = serve("--latency 1ms --errors 10%");
    ck_assert_int_eq(juggle_at(served.port, "race http://127.0.0.1:%d/ -n 100 -c 5 -r 1 --json "
                                            "-m threads,processes,coroutines"),
                     EXIT_FAILED);
    ck_assert_uint_eq(count_in_out("\n        \"status\": 10,"), 3);
    ck_assert_uint_eq(count_in_out("\"first_failure\": \"status 503\""), 3);
    ck_assert_uint_eq(count_in_out("\"code\": 1,"), 1);
    ck_assert_int_eq(juggle_at(served.port, "race http://127.0.0.1:%d/nowhere -n 100 -c 5 -r 1 "
                                            "-m threads,coroutines"),
                     EXIT_FAILED);
    ck_assert_uint_eq(count_in_out("100 of 100 requests failed: status other than 2xx"), 2);
    ck_assert_uint_eq(count_in_out("no answers"), 2);
    ck_assert_uint_eq(count_in_out("nan"), 0);
    stop(served);
}
END_TEST

static _Noreturn void answer_badly(int listener, const char *answer) {
    for (;;) {
        char request[4096];
        int fd = accept(listener, NULL, NULL);
        if (fd < 0 || read(fd, request, sizeof(request)) < 0 ||
            write(fd, answer, strlen(answer)) < 0) {
            _exit(1);
        }
        close(fd);
    }
}

static void race_bad_server(const char *answer, const char *cause) {
    char expected[64];
    int port = 0;
    int listener = listen_anywhere(&port);
    pid_t pid = fork();
    if (pid == 0) {
        answer_badly(listener, answer);
    }
    close(listener);
    ck_assert_int_eq(juggle_at(port, "race http://127.0.0.1:%d/ -n 10 -c 1 -r 1 --json "
                                     "-m threads,coroutines"),
                     EXIT_FAILED);
    snprintf(expected, sizeof(expected), "\n        \"%s\": 10", cause);
    ck_assert_msg(count_in_out(expected) == 2, "not all %s: %s", cause, out);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

// Garbage and truncated answers must never count as success.
START_TEST(bad_answers_never_succeed) {
    race_bad_server("\x01\x02 garbage \x1b[2J\r\n\r\n", "protocol");
    race_bad_server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "closed");
    race_bad_server("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "status");
}
END_TEST

// Nobody there: one line and code 4, before anything is started.
START_TEST(unreachable_targets_are_named) {
    int port = 0;
    close(listen_anywhere(&port));
    ck_assert_int_eq(juggle_at(port, "race http://127.0.0.1:%d/"), EXIT_UNREACHABLE);
    check_one_line(err);
    ck_assert_str_eq(out, "");
    ck_assert_ptr_nonnull(strstr(err, "juggle race: unreachable: "));
    ck_assert_int_eq(juggle("race http://no-such-host.invalid/"), EXIT_UNREACHABLE);
    check_one_line(err);
    int listener = listen_anywhere(&port);
    ck_assert_int_eq(juggle_at(port, "race http://127.0.0.1:%d/ -T 50ms"), EXIT_UNREACHABLE);
    check_one_line(err);
    close(listener);
}
END_TEST

// Each wrong setting is one line and code 2.
START_TEST(wrong_settings_are_refused) {
    static const char *const lines[] = {
        "race",
        "race ftp://127.0.0.1/",
        "race http://127.0.0.1:99999/",
        "race http://192.0.2.1/",
        "race http://127.0.0.1/ -n 0",
        "race http://127.0.0.1/ -c 1e30",
        "race --work mixed:1ms",
        "race http://127.0.0.1/ --work gpu",
        "race http://127.0.0.1/ --work cpu:0",
        "race http://127.0.0.1/ --work cpu:1h",
        "race http://127.0.0.1/ --work io:1ms",
        "race http://127.0.0.1/ --models fork",
        "race http://127.0.0.1/ --models floor --work mixed",
        "serve --port 65536",
        "serve --pin 4711",
        "serve --latency 100",
        "demo extra",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        int code = juggle(lines[i]);
        ck_assert_msg(code == EXIT_USAGE, "%s gave %d", lines[i], code);
        check_one_line(err);
        ck_assert_str_eq(out, "");
    }
}
END_TEST

// More connections than descriptors: refused at once, with the number that would do.
START_TEST(limits_are_checked_before) {
    const struct rlimit few = {.rlim_cur = 128, .rlim_max = 256};
    struct served served = serve("--latency 100ms");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    ck_assert_int_eq(juggle_at(served.port, "race http://127.0.0.1:%d/ -n 10k -c 500"),
                     EXIT_LOCAL_LIMIT);
    ck_assert_str_eq(err, "juggle race: -c 500 needs too many open files: the hard limit of open "
                          "files (ulimit -Hn) is 256, enough for -c 192\n");
    ck_assert_int_eq(juggle_at(served.port, "race http://127.0.0.1:%d/ -n 150 -c 150 -r 1 "
                                            "-m coroutines --json"),
                     EXIT_GOOD);
    ck_assert_uint_eq(count_in_out("\"in_flight_peak\": 150,"), 2);
    stop(served);
}
END_TEST

// A full disk or a missing folder must not end in code 0.
START_TEST(lost_reports_are_errors) {
    struct served served = serve("--latency 0");
    const char *full = "race http://127.0.0.1:%d/ -n 5 -c 1 -r 1 -m threads -o /dev/full";
    ck_assert_int_eq(juggle_at(served.port, full), EXIT_FAILED);
    ck_assert_str_eq(err, "juggle race: cannot write to /dev/full: No space left on device\n");
    ck_assert_int_eq(juggle_at(served.port, "race http://127.0.0.1:%d/ -o /no/such/folder/x"),
                     EXIT_USAGE);
    check_one_line(err);
    char line[128];
    snprintf(line, sizeof(line), "race http://127.0.0.1:%d/ -n 5 -c 1 -r 1 -m threads",
             served.port);
    ck_assert_int_eq(finish(start(line, open("/dev/full", O_WRONLY | O_CLOEXEC))), EXIT_FAILED);
    check_one_line(err);
    stop(served);
}
END_TEST

/* Waits until standard output of the run holds `text`. */
static void await_output(const struct run *run, const char *text) {
    do {
        ssize_t length = pread(run->out_fd, out, CAUGHT_SIZE - 1, 0);
        out[length < 0 ? 0 : length] = '\0';
        sched_yield();
    } while (strstr(out, text) == NULL);
}

// ^C once gives the partial report, marked, and the code of an interrupt.
START_TEST(interrupt_reports_what_there_is) {
    static const int signals[] = {SIGINT, SIGTERM};
    static const int codes[] = {EXIT_INTERRUPTED, EXIT_TERMINATED};
    struct served served = serve("--latency 5ms");
    for (int i = 0; i < 2; i++) {
        char line[128];
        snprintf(line, sizeof(line),
                 "race http://127.0.0.1:%d/ -n 1G -c 5 -r 9 -m threads,processes,coroutines",
                 served.port);
        struct run run = start(line, memfd_create("out", MFD_CLOEXEC));
        await_output(&run, "in flight");
        kill(run.pid, signals[i]);
        ck_assert_int_eq(finish(run), codes[i]);
        ck_assert_ptr_nonnull(strstr(out, "Interrupted: this is what was measured until then."));
        ck_assert_ptr_nonnull(strstr(out, "\n  coroutines "));
    }
    stop(served);
}
END_TEST

/* The newest process of the group that the race's leader leads: a worker. */
static pid_t find_worker(pid_t race) {
    char command[160];
    char line[64] = "";
    snprintf(command, sizeof(command),
             "for l in $(cat /proc/%d/task/%d/children); do "
             "cat /proc/$l/task/$l/children; done 2>/dev/null",
             (int)race, (int)race);
    FILE *found = popen(command, "re");
    ck_assert_ptr_nonnull(found);
    if (fgets(line, sizeof(line), found) == NULL) {
        line[0] = '\0';
    }
    pclose(found);
    return atoi(line);
}

// A worker that is killed is counted and reported, and the run goes on.
START_TEST(killed_worker_is_reported) {
    char line[160];
    pid_t worker = 0;
    struct served served = serve("--latency 20ms");
    snprintf(line, sizeof(line), "race http://127.0.0.1:%d/ -n 400 -c 8 -r 1 -m processes --json",
             served.port);
    if (access("/proc/self/task/self/children", R_OK) != 0 &&
        access("/proc/thread-self/children", R_OK) != 0) {
        stop(served);
        fixture_skip("the kernel does not list children (CONFIG_PROC_CHILDREN)");
    }
    struct run run = start(line, memfd_create("out", MFD_CLOEXEC));
    while (worker == 0) {
        worker = find_worker(run.pid);
    }
    ck_assert_int_eq(kill(worker, SIGKILL), 0);
    ck_assert_int_eq(finish(run), EXIT_FAILED);
    ck_assert_msg(count_in_out("\n      \"workers_died\": 1,") == 1, "%s", out);
    ck_assert_uint_eq(count_in_out("\"complete\": true"), 1);
    stop(served);
}
END_TEST

// A server that dies in the middle: failures, not a hang and not success.
START_TEST(dying_server_ends_the_race) {
    char line[160];
    struct served served = serve("--latency 20ms");
    snprintf(line, sizeof(line),
             "race http://127.0.0.1:%d/ -n 2k -c 8 -r 1 -T 2s "
             "-m threads,coroutines",
             served.port);
    struct run run = start(line, memfd_create("out", MFD_CLOEXEC));
    await_output(&run, "in flight");
    stop(served);
    ck_assert_int_eq(finish(run), EXIT_FAILED);
    ck_assert_ptr_nonnull(strstr(out, "requests failed: could not connect"));
}
END_TEST

// Computing instead of requests needs no server at all.
START_TEST(computing_needs_no_server) {
    ck_assert_int_eq(juggle("race -n 20 -c 4 -r 1 --work cpu:200us --json"), EXIT_GOOD);
    ck_assert_uint_eq(count_in_out("\"url\": null"), 1);
    ck_assert_uint_eq(count_in_out("\n      \"requests_ok\": 20,"), 4);
    ck_assert_uint_eq(count_in_out("\"work\": \"cpu\""), 1);
    ck_assert_int_eq(juggle("race -n 20 -c 4 -r 1 --work cpu:1500us -m threads"), EXIT_GOOD);
    ck_assert_ptr_nonnull(strstr(out, "same work for everyone: 20 times 1500us of computing, 4 at "
                                      "once, results checked; 1 round each\n"));
}
END_TEST

// The demo needs nothing and leaves nothing.
START_TEST(demo_runs_by_itself) {
    ck_assert_int_eq(juggle("demo -n 20 -c 10 -r 1 -l 3ms --json"), EXIT_GOOD);
    ck_assert_uint_eq(count_in_out("\"name\": "), 4);
    ck_assert_uint_eq(count_in_out("\n      \"requests_ok\": 20,"), 4); // no more than sync makes
    ck_assert_int_eq(juggle("demo -n 100 -c 10 -r 1 -l 3ms"), EXIT_GOOD);
    ck_assert_ptr_nonnull(strstr(out, "stand-in server  http://127.0.0.1:"));
    ck_assert_ptr_nonnull(strstr(out, "Next: juggle serve"));
}
END_TEST

FIXTURE_MAIN("cli/race", all_models_make_all_requests, sync_is_extrapolated_visibly,
             table_is_plain_in_a_pipe, failures_are_counted_by_cause, bad_answers_never_succeed,
             unreachable_targets_are_named, wrong_settings_are_refused, limits_are_checked_before,
             lost_reports_are_errors, interrupt_reports_what_there_is, killed_worker_is_reported,
             dying_server_ends_the_race, computing_needs_no_server, demo_runs_by_itself)
