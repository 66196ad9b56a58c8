// SPDX-License-Identifier: MIT
/* test_trace.c – what a trace says, and when its file is whole.
 *
 * Holds      the text of the newest file.
 * Invariant  under sim a trace is the same byte for byte each time.
 * Called by  ctest, on epoll and sim.
 * Why        a picture that shows another order than the one there was is worse than none.
 */
#include "api/api.h"

#include <juggle/trace.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char text[65536];
static char path[64];

static const char *trace_path(void) {
    snprintf(path, sizeof(path), "/tmp/juggle-trace-%d.json", (int)getpid());
    return path;
}

static void read_back(void) {
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    unlink(path);
    text[size] = '\0';
    ck_assert_str_eq(text + size - 3, "]}\n");
}

static void expect(const char *part) {
    ck_assert_msg(strstr(text, part) != NULL, "expected %s in: %s", part, text);
}

static jg_lock lock;

static intptr_t hold(void *arg) {
    (void)arg;
    jg_lock_acquire(&lock);
    jg_sleep(on_backend("sim") ? 2 : 100); // in real time, well after the other has come
    jg_lock_release(&lock);
    return 0;
}

static intptr_t wait_behind(void *arg) {
    (void)arg;
    jg_sleep(1);
    jg_lock_acquire(&lock);
    jg_lock_release(&lock);
    return 7;
}

static intptr_t pair_body(void *arg) {
    (void)arg;
    jg_task *holder = jg_spawn_at(hold, NULL, NULL, "holder\0a.c:1");
    jg_task *waiter = jg_spawn_at(wait_behind, NULL, NULL, "waiter\0a.c:2");
    jg_join(holder);
    jg_join(waiter);
    return 0;
}

static void trace_pair(void) {
    ck_assert_int_eq(jg_trace_start(trace_path(), NULL), 0);
    ck_assert_int_eq(jg_run_at(pair_body, NULL, NULL, "first\0a.c:3"), 0);
    ck_assert_int_eq(jg_trace_stop(), 0);
    read_back();
}

// Who waited for what, up to whom, and who woke it: the three facts every picture is made of.
START_TEST(waits_and_wakes_are_recorded) {
    trace_pair();
    expect(
        "\"name\":\"thread_name\",\"args\":{\"name\":\"holder\",\"spawned\":\"a.c:1\",\"spawner\":1,");
    expect("\"tid\":3,\"name\":\"lock\",\"cat\":\"wait\"");
    expect("\"up_to\":2,\"woken_in\":");
    expect("\"by\":\"task\",\"waker\":2}}");
    expect("\"tid\":2,\"name\":\"sleep\",\"cat\":\"wait\"");
    expect("\"by\":\"timer\"}}");
    expect("\"ends\":7}}");
    expect("\"ph\":\"s\"");
    expect("\"bp\":\"e\"}");
}
END_TEST

static const char expected[] =
    "{\"ph\":\"X\",\"pid\":1,\"tid\":3,\"name\":\"lock\",\"cat\":\"wait\",\"ts\":1000.000,"
    "\"dur\":1000.000,\"args\":{\"step\":4,\"up_to\":2,\"woken_in\":5,\"by\":\"task\",\"waker\":2}},\n";

// A guide whose pictures change from build to build could not be checked.
START_TEST(under_sim_a_trace_repeats_exactly) {
    static char before[sizeof(text)];
    if (!on_backend("sim")) {
        fixture_skip("real time differs each time");
    }
    setenv("JUGGLE_SEED", "1", 1);
    trace_pair();
    memcpy(before, text, sizeof(text));
    trace_pair();
    ck_assert_str_eq(text, before);
    expect(expected);
}
END_TEST

static intptr_t middle_body(void *arg) {
    jg_task *task = jg_spawn_at(wait_behind, NULL, NULL, "waiter\0a.c:2");
    (void)arg;
    jg_yield();
    ck_assert_int_eq(jg_trace_start(trace_path(), NULL), 0);
    ck_assert_int_eq(jg_trace_start(trace_path(), NULL), -EBUSY);
    jg_join(task);
    ck_assert_int_eq(jg_trace_stop(), 0);
    ck_assert_int_eq(jg_trace_stop(), -EINVAL);
    read_back();
    expect("\"name\":\"waiter\"");
    jg_yield();
    return 0;
}

// A trace of a server's bad minute cannot begin before the server does.
START_TEST(a_trace_may_begin_and_end_inside_a_loop) {
    run_once(middle_body, NULL);
}
END_TEST

// Two loops of one process belong in one file, and the file is whole after each.
START_TEST(loops_follow_each_other_in_the_file) {
    ck_assert_int_eq(jg_trace_start(trace_path(), NULL), 0);
    ck_assert_int_eq(jg_run(pair_body, NULL), 0);
    ck_assert_int_eq(jg_run(pair_body, NULL), 0);
    ck_assert_int_eq(jg_trace_stop(), 0);
    read_back();
    expect("{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_name\"");
    expect("{\"ph\":\"M\",\"pid\":2,\"tid\":0,\"name\":\"process_name\"");
}
END_TEST

// A trace without a bound would eat the memory of whatever it looks at.
START_TEST(what_is_too_much_is_counted) {
    const jg_trace_options few = {.events_most = 5};
    ck_assert_int_eq(jg_trace_start(trace_path(), &few), 0);
    ck_assert_int_eq(jg_run(pair_body, NULL), 0);
    ck_assert_int_eq(jg_trace_stop(), 0);
    read_back();
    ck_assert_ptr_null(strstr(text, "\"dropped\":0"));
    expect("\"dropped\":");
}
END_TEST

// A trace that goes nowhere has to say so at once, not at the end.
START_TEST(a_file_that_cannot_be_made_is_an_error) {
    char long_path[8192];
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    ck_assert_int_eq(jg_trace_start("/nowhere/at/all.json", NULL), -ENOENT);
    ck_assert_int_eq(jg_trace_start(long_path, NULL), -ENAMETOOLONG);
    ck_assert_int_eq(jg_trace_stop(), -EINVAL);
}
END_TEST

// JUGGLE_TRACE is for programs nobody wants to build anew.
START_TEST(the_environment_switches_it_on) {
    char wished[64];
    trace_path();
    snprintf(wished, sizeof(wished), "/tmp/juggle-trace-%%p.json");
    setenv("JUGGLE_TRACE", wished, 1);
    ck_assert_int_eq(jg_run(pair_body, NULL), 0);
    read_back();
    expect("\"name\":\"holder\"");
}
END_TEST

static atomic_bool enough;

static intptr_t nothing(void *arg) {
    (void)arg;
    return 0;
}

static void *run_loops(void *arg) {
    while (!atomic_load(&enough)) {
        (void)jg_run(nothing, arg);
    }
    return NULL;
}

static intptr_t run_in_child(void *arg) {
    alarm(2);
    return jg_run(nothing, arg);
}

// A process forked while another thread writes its part would wait for ever to open a loop.
START_TEST(a_fork_meets_no_lock) {
    if (sanitized) {
        fixture_skip("a fork does find locks: those of gcc 12's AddressSanitizer, in malloc");
    }
    pthread_t thread;
    ck_assert_int_eq(jg_trace_start(trace_path(), NULL), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_loops, NULL), 0);
    for (int i = 0; i < 30; i++) {
        jg_worker *worker;
        ck_assert_int_eq(jg_worker_start(JG_WORKER_PROCESS, run_in_child, NULL, NULL, &worker), 0);
        ck_assert_int_eq(jg_worker_join(worker), 0);
    }
    atomic_store(&enough, true);
    pthread_join(thread, NULL);
    ck_assert_int_eq(jg_trace_stop(), 0);
    unlink(path);
}
END_TEST

FIXTURE_MAIN("api/trace", waits_and_wakes_are_recorded, under_sim_a_trace_repeats_exactly,
             a_trace_may_begin_and_end_inside_a_loop, loops_follow_each_other_in_the_file,
             what_is_too_much_is_counted, a_file_that_cannot_be_made_is_an_error,
             the_environment_switches_it_on, a_fork_meets_no_lock)
