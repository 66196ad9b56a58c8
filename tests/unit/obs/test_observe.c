// SPDX-License-Identifier: MIT
/* test_observe.c – debug mode and traces where memory, threads or the disk are short, and with more than
 *                  one loop.
 *
 * Holds      nothing between tests.
 * Invariant  whoever looks on may fail, and says so; what is looked at goes on.
 * Called by  ctest.
 * Why        debug mode is switched on when something is wrong already.
 */
#include "base/mem.h"
#include "fixtures/fixture.h"
#include "obs/symbol.h"

#include <errno.h>
#include <juggle.h>
#include <juggle/debug.h>
#include <juggle/trace.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static intptr_t nap(void *arg) {
    (void)arg;
    return jg_sleep(1);
}

static intptr_t naps_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn(nap, NULL);
    intptr_t rc = jg_yield();
    return task == NULL ? -ENOMEM : (intptr_t)(jg_join(task) + rc);
}

/* Runs it with the n-th allocation and all after it refused. Returns whether it came that far. */
static bool run_short_of_memory(jg_fn *body, const jg_run_options *options, uint64_t n) {
    mem_fail_nth(n, 1);
    intptr_t rc = jg_run_with(body, NULL, options);
    bool reached = mem_refuse() != 0;
    mem_fail_nth(0, 0);
    ck_assert_msg(rc == 0 || rc == -ENOMEM, "came to %d with allocation %d refused", (int)rc,
                  (int)n);
    return reached;
}

// Debug mode that begins without memory would crash, or keep what it had.
START_TEST(debug_mode_without_memory_is_enomem) {
    const jg_run_options debug = {.backend = "sim", .seed = 1, .debug = true};
    uint64_t n = 1;
    while (run_short_of_memory(naps_body, &debug, n)) {
        n++;
    }
    ck_assert_uint_gt(n, 4);
}
END_TEST

static int reports;

static void count_report(const jg_debug_report *report) {
    reports += report->kind == JG_DEBUG_FUTURE_LEAK;
}

static void never_called(void *arg, intptr_t word) {
    (void)arg;
    (void)word;
}

static intptr_t promise_body(void *arg) {
    static jg_future futures[2];
    static jg_done_callback callback;
    intptr_t rc = 0;
    (void)arg;
    memset(futures, 0, sizeof(futures));
    memset(&callback, 0, sizeof(callback));
    if (jg_sleep(1) < 0) { // now there is room for the timer of a limit
        return -ENOMEM;
    }
    JG_TIMEOUT(1, rc) {
        rc = jg_future_wait(&futures[0]);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    return jg_future_add_done_callback(&futures[1], &callback, never_called, NULL);
}

/* With the n-th allocation refused, and no other. Returns how many promises were reported, or -ENOMEM. */
static int count_promises(uint64_t n) {
    const jg_run_options debug = {.backend = "sim", .seed = 1, .debug = true};
    reports = 0;
    mem_fail_nth(n, 0);
    intptr_t rc = jg_run_with(promise_body, NULL, &debug);
    mem_fail_nth(0, 0);
    ck_assert(rc == 0 || rc == -ENOMEM);
    return rc == 0 ? reports : (int)rc;
}

// Where a promise cannot be noted the run would fail for being looked at, or the other notes be lost too.
START_TEST(a_promise_without_memory_for_its_note_is_passed_over) {
    enum { ALLOCATIONS_MOST = 100 };
    int passed_over = 0;
    jg_debug_on_report(count_report);
    for (uint64_t n = 1; n < ALLOCATIONS_MOST; n++) {
        passed_over += count_promises(n) == 1;
    }
    ck_assert_int_eq(count_promises(ALLOCATIONS_MOST), 2); // there are not that many
    jg_debug_on_report(NULL);
    ck_assert_int_eq(passed_over, 2);
}
END_TEST

static char path[64];

static intptr_t traced_body(void *arg) {
    int rc = jg_trace_start(path, NULL);
    if (rc < 0) {
        ck_assert_int_eq(jg_trace_stop(), -EINVAL);
        return rc;
    }
    naps_body(arg);
    rc = jg_trace_stop();
    return rc;
}

static void name_file(void) {
    snprintf(path, sizeof(path), "/tmp/juggle-observe-%d.json", (int)getpid());
}

// A trace that begins, or is written, without memory would crash, or never end.
START_TEST(a_trace_without_memory_is_enomem) {
    const jg_run_options sim = {.backend = "sim", .seed = 1};
    uint64_t n = 1;
    name_file();
    while (run_short_of_memory(traced_body, &sim, n)) {
        n++;
    }
    ck_assert_uint_gt(n, 4);
    unlink(path);
}
END_TEST

static void run_without_threads(void *arg) {
    const struct rlimit none = {0, 1000};
    const jg_run_options debug = {.debug = true};
    if ((geteuid() == 0 && setuid(65534) != 0) || setrlimit(RLIMIT_NPROC, &none) != 0) {
        fputs("cannot be limited", stderr);
    }
    for (int i = 0; i < 2; i++) {
        fprintf(stderr, "came to %d\n", (int)jg_run_with(naps_body, arg, &debug));
    }
    abort();
}

// At the limit of processes a program would end for being looked at.
START_TEST(without_a_thread_debug_mode_goes_on) {
    fixture_skip_emulated("qemu-user has threads of its own");
    fixture_expect_abort(run_without_threads, NULL,
                         "juggle: no thread to look out for stalls: Resource temporarily "
                         "unavailable; none is reported\ncame to 0\ncame to 0\n");
}
END_TEST

static void run_traced_to_a_full_disk(void *arg) {
    setenv("JUGGLE_TRACE", "/dev/full", 1);
    fprintf(stderr, "came to %d\n", (int)jg_run(naps_body, arg));
    abort();
}

// A trace that was not written would be missed only when it is needed.
START_TEST(a_full_disk_is_said) {
    fixture_expect_abort(run_traced_to_a_full_disk, NULL,
                         "juggle: cannot write the trace /dev/full: No space left on device\n"
                         "came to 0\n");
    ck_assert_int_eq(jg_trace_start("/dev/full", NULL), -ENOSPC);
}
END_TEST

// The same for a file that goes away meanwhile.
START_TEST(a_file_that_has_gone_is_an_error_of_stop) {
    name_file();
    ck_assert_int_eq(jg_trace_start(path, NULL), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(jg_run(naps_body, NULL), 0);
    ck_assert_int_eq(jg_trace_stop(), -ENOENT);
}
END_TEST

static void *run_on_thread(void *arg) {
    const jg_run_options debug = {.debug = true};
    ck_assert_int_eq(jg_run_with(arg != NULL ? traced_body : naps_body, arg, &debug), 0);
    return NULL;
}

static size_t count_loops(void) {
    static char text[1 << 20];
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    ck_assert_str_eq(text + strlen(text) - 3, "]}\n");
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, "\"process_name\"")) != NULL; at++) {
        count++;
    }
    return count;
}

// Loops on several threads would mix their lines, or lose one's.
START_TEST(loops_at_the_same_time_have_parts_of_their_own) {
    enum { LOOPS = 4 };
    pthread_t threads[LOOPS];
    name_file();
    ck_assert_int_eq(jg_trace_start(path, NULL), 0);
    for (int i = 0; i < LOOPS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_on_thread, NULL), 0);
    }
    for (int i = 0; i < LOOPS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_int_eq(jg_trace_stop(), 0);
    ck_assert_uint_eq(count_loops(), LOOPS);
}
END_TEST

static void *stop_on_thread(void *arg) {
    *(int *)arg = jg_trace_stop();
    return NULL;
}

static intptr_t stopped_body(void *arg) {
    pthread_t thread;
    naps_body(NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_on_thread, arg), 0);
    pthread_join(thread, NULL);
    return naps_body(NULL);
}

// The loop would write into the file of the next trace, or to one that is closed.
START_TEST(a_stop_on_another_thread_leaves_an_open_loop_out) {
    int rc = 1;
    name_file();
    ck_assert_int_eq(jg_trace_start(path, NULL), 0);
    ck_assert_int_eq(jg_run(stopped_body, &rc), 0);
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(count_loops(), 0);
}
END_TEST

// Names of functions are read from files that may be anything.
START_TEST(addresses_have_names) {
    int local = 0;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    ck_assert(symbol_is_code((const void *)(uintptr_t)naps_body));
    ck_assert(!symbol_is_code(&local));
    ck_assert(!symbol_is_code(NULL));
    symbol_print((const char *)(uintptr_t)naps_body + 1, out);
    symbol_print(&local, out);
    fclose(out);
    ck_assert_msg(strstr(text, "naps_body+0x1 (") != NULL, "printed: %s", text);
    mem_free_libc(text);
}
END_TEST

FIXTURE_MAIN("unit/obs/observe", debug_mode_without_memory_is_enomem,
             a_promise_without_memory_for_its_note_is_passed_over, a_trace_without_memory_is_enomem,
             without_a_thread_debug_mode_goes_on, a_full_disk_is_said,
             a_file_that_has_gone_is_an_error_of_stop,
             loops_at_the_same_time_have_parts_of_their_own,
             a_stop_on_another_thread_leaves_an_open_loop_out, addresses_have_names)
