// SPDX-License-Identifier: MIT
/* test_trace_write.c – the file made of a trace, byte for byte.
 *
 * Holds      one small trace, of three tasks.
 * Invariant  no loop runs: what is written depends on the trace alone.
 * Called by  ctest.
 * Why        Perfetto and `juggle trace` read the file: a wrong byte, and neither shows anything.
 */
#include "base/mem.h"
#include "fixtures/fixture.h"
#include "obs/trace.h"
#include "rt/sched.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { HOST = 1, GUEST = 2, READER = 3, ORIGIN_NS = 1000000000, END_NS = ORIGIN_NS + 3000000 };

static const struct wait_kind join = {.what = "join"};
static const struct wait_kind sleeping = {.what = "sleep"};
static const struct wait_kind reading = {.what = "read"};

static struct trace_task tasks[] = {
    [HOST] = {"host", "a.c:1", 0},
    [GUEST] = {"guest\t\"2\" \\ <&> \xc3\xa9", "b\\c.c:2", HOST},
    [READER] = {"reader", "a.c:3", HOST},
};

#define AT(ns) .at_ns = ORIGIN_NS + (ns)

/* The host starts two and waits for the guest, which sleeps, cancels the reader and ends. */
static struct trace_block block = {
    .count = 19,
    .events =
        {
            {AT(0), .what = TRACE_SPAWNED, .task = HOST},
            {AT(0), .what = TRACE_RUNS, .task = HOST, .step = 1},
            {AT(500), .what = TRACE_SPAWNED, .task = GUEST, .step = 1},
            {AT(1000), .what = TRACE_SPAWNED, .task = READER, .step = 1},
            {AT(2000), .what = TRACE_WAITS, .task = HOST, .step = 1, .kind = &join, .other = GUEST},
            {AT(2000), .what = TRACE_RUNS, .task = GUEST, .step = 2},
            {AT(3001), .what = TRACE_WAITS, .task = GUEST, .step = 2, .kind = &sleeping},
            {AT(3001), .what = TRACE_RUNS, .task = READER, .step = 3},
            {AT(4000), .what = TRACE_WAITS, .task = READER, .step = 3, .kind = &reading,
             .detail = "fd \"7\""},
            {AT(2000000), .what = TRACE_WOKEN, .task = GUEST, .step = 3, .cause = TRACE_BY_TIMER},
            {AT(2000000), .what = TRACE_RUNS, .task = GUEST, .step = 4},
            {AT(2000500), .what = TRACE_WOKEN, .task = READER, .step = 4, .other = GUEST,
             .cause = TRACE_BY_TASK, .cancelled = true, .result = -ECANCELED},
            {AT(2000750), .what = TRACE_WOKEN, .task = HOST, .step = 4, .other = GUEST,
             .cause = TRACE_BY_TASK},
            {AT(2001000), .what = TRACE_ENDED, .task = GUEST, .step = 4, .result = 7},
            {AT(2001000), .what = TRACE_RUNS, .task = READER, .step = 5},
            {AT(2001001), .what = TRACE_ENDED, .task = READER, .step = 5, .result = -ECANCELED},
            {AT(2001001), .what = TRACE_RUNS, .task = HOST, .step = 6},
            {AT(2500000), .what = TRACE_YIELDS, .task = HOST, .step = 6},
            {AT(2500000), .what = TRACE_RUNS, .task = HOST, .step = 7},
        },
};

static const struct trace small = {
    .origin_ns = ORIGIN_NS, .first = &block, .last = &block, .tasks = tasks, .task_count = 4};

#define HEAD "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"writer\":\"juggle\"},\"traceEvents\":["
#define TAIL "\n]}\n"
#define PART(number, backend, dropped)                                                             \
    "\n{\"ph\":\"M\",\"pid\":" number                                                              \
    ",\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":\"loop " number " (" backend          \
    ")\",\"backend\":\"" backend "\",\"dropped\":" dropped "}}"

static char path[64];
static char text[65536];

static const char *new_file(void) {
    snprintf(path, sizeof(path), "/tmp/juggle-trace-write-%d.json", (int)getpid());
    ck_assert_int_eq(trace_write_empty(path), 0);
    return path;
}

static const char *read_file(const char *name) {
    FILE *file = fopen(name, "re");
    ck_assert_msg(file != NULL, "%s: %s", name, strerror(errno));
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* The file made of a trace. */
static const char *written(const struct trace *trace) {
    ck_assert_int_eq(trace_write(new_file(), trace, 1, "sim", END_NS), 0);
    read_file(path);
    unlink(path);
    return text;
}

// What Perfetto and the command draw from, in one trace: a start, a wait, a wake, a cancel, an end, names
// that need escapes, and nanoseconds that microseconds must not lose. The pictures made of it are kept beside
// the expected file; see tests/e2e/cli_trace.py.
START_TEST(a_small_trace_byte_for_byte) {
    static char expected[sizeof(text)];
    strcpy(expected, read_file("tests/fixtures/trace/small.json"));
    ck_assert_int_eq(trace_write(new_file(), &small, 1, "sim", END_NS), 0);
    ck_assert_msg(strcmp(read_file(path), expected) == 0,
                  "not as in tests/fixtures/trace/small.json; what was written is left in %s",
                  path);
    unlink(path);
}
END_TEST

// A quote or a control character of a name would end the file for whoever reads it.
START_TEST(names_are_escaped) {
    const char *file = written(&small);
    ck_assert_ptr_nonnull(strstr(file, "\"name\":\"guest\\u0009\\\"2\\\" \\\\ <&> \xc3\xa9\""));
    ck_assert_ptr_nonnull(strstr(file, "\"spawned\":\"b\\\\c.c:2\""));
    ck_assert_ptr_nonnull(strstr(file, "\"which\":\"fd \\\"7\\\"\""));
}
END_TEST

// Times of whole microseconds would make runs of no length.
START_TEST(times_are_microseconds_with_the_nanoseconds) {
    const char *file = written(&small);
    ck_assert_ptr_nonnull(strstr(file, "\"ts\":2.000,\"dur\":1.001,"));
    ck_assert_ptr_nonnull(strstr(file, "\"ts\":2001.000,\"dur\":0.001,"));
    ck_assert_ptr_nonnull(strstr(file, "\"ts\":3.001,\"dur\":1996.999,"));
}
END_TEST

// What goes on when the trace ends would be missing, and with it what a program hangs in.
START_TEST(what_goes_on_lasts_until_the_end) {
    struct trace_block cut = block;
    struct trace trace = small;
    trace.first = &cut;
    cut.count = 9;
    ck_assert_ptr_nonnull(strstr(written(&trace),
                                 "\"name\":\"read\",\"cat\":\"wait\",\"ts\":4.000,\"dur\":"
                                 "2996.000,\"args\":{\"step\":3,\"which\":\"fd \\\"7\\\"\"}}"));
}
END_TEST

// A program without tasks, or a trace without room, gives a file all the same; and each loop appends.
START_TEST(empty_traces_are_whole_files) {
    const struct trace none = {.dropped = 12};
    ck_assert_str_eq(read_file(new_file()), HEAD TAIL);
    ck_assert_int_eq(trace_write(path, &none, 1, "epoll", 5), 0);
    ck_assert_str_eq(read_file(path), HEAD PART("1", "epoll", "12") TAIL);
    ck_assert_int_eq(trace_write(path, &none, 2, "sim", 5), 0);
    ck_assert_str_eq(read_file(path),
                     HEAD PART("1", "epoll", "12") "," PART("2", "sim", "12") TAIL);
    unlink(path);
}
END_TEST

// The first loop's part must survive that there is no memory for the second's.
START_TEST(without_memory_the_file_stays_as_it_is) {
    new_file();
    mem_fail_nth(1, 1);
    int rc = trace_write(path, &small, 1, "sim", END_NS);
    mem_fail_nth(0, 0);
    ck_assert_int_eq(rc, -ENOMEM);
    ck_assert_str_eq(read_file(path), HEAD TAIL);
    unlink(path);
}
END_TEST

// A trace that was lost must not be taken for one that was written.
START_TEST(errors_of_writing_are_told) {
    ck_assert_int_eq(trace_write_empty("/nowhere/t.json"), -ENOENT);
    ck_assert_int_eq(trace_write("/nowhere/t.json", &small, 1, "sim", END_NS), -ENOENT);
    ck_assert_int_eq(trace_write_empty("/dev/full"), -ENOSPC);
    ck_assert_int_eq(trace_write("/dev/full", &small, 1, "sim", END_NS), -ENOSPC);
    ck_assert_int_eq(truncate(new_file(), 0), 0);
    ck_assert_int_eq(trace_write(path, &small, 1, "sim", END_NS), -EINVAL);
    unlink(path);
}
END_TEST

// The same for a disk that becomes full on the way, after some of it has been written.
START_TEST(a_disk_that_fills_is_told_as_such) {
    struct trace_block twice = block;
    struct trace trace = small;
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit most = {5000, before.rlim_max};
    trace.first = &twice;
    twice.next = &block;
    new_file();
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
    int rc = trace_write(path, &trace, 1, "sim", END_NS);
    setrlimit(RLIMIT_FSIZE, &before); // coverage is written when the test ends
    unlink(path);
    ck_assert_int_eq(rc, -EFBIG);
}
END_TEST

FIXTURE_MAIN("unit/obs/trace_write", a_small_trace_byte_for_byte, names_are_escaped,
             times_are_microseconds_with_the_nanoseconds, what_goes_on_lasts_until_the_end,
             empty_traces_are_whole_files, without_memory_the_file_stays_as_it_is,
             errors_of_writing_are_told, a_disk_that_fills_is_told_as_such)
