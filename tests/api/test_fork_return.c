// SPDX-License-Identifier: MIT
/* test_fork_return.c – SEMANTICS X6: children that return from the function in which they were forked.
 *
 * Holds      a page shared with the children, on which everybody counts.
 * Invariant  the fixture's audit after each test: no child, no descriptor, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        behind each function of the user's stands code of ours that would go on with a loop, a pool
 *            or a worker that is the parent's.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/worker_steps.h"

#include <juggle/debug.h>
#include <sys/wait.h>

struct counts {
    atomic_int children; // that returned
    atomic_int steps;    // of the other task, or items, whoever does them
};

static struct counts *counts;

static void share_counts(void) {
    counts = shared_page();
    atomic_store(&counts->children, 0);
    atomic_store(&counts->steps, 0);
}

/* Forks. The parent waits for its child's end, the child goes back to whoever called. */
static int fork_child(void) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        atomic_fetch_add(&counts->children, 1);
        return 0;
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

static void fork_and_return(void) {
    int status = fork_child();
    if (status != 0) {
        ck_abort_msg("the child ended with %d", status);
    }
}

static intptr_t fork_in(void *arg) {
    fork_and_return();
    return (intptr_t)arg;
}

static void fork_in_drop(void *word) {
    (void)word;
    fork_and_return();
}

static void fork_in_report(const jg_error *error) {
    (void)error;
    fork_and_return();
}

static intptr_t fail_in(void *arg) {
    return jg_fail(-EPROTO, "%s", (const char *)arg);
}

// What the loop calls.

static intptr_t word_of(void *arg) {
    return (intptr_t)arg;
}

static const jg_spawn_options dropping = {.drop_arg = fork_in_drop, .drop_result = fork_in_drop};
static const jg_local forking = {.drop = fork_in_drop};

static intptr_t set_local(void *arg) {
    return jg_local_set(&forking, arg);
}

static void spawn_dropped_word(void) {
    jg_detach(jg_spawn_with(word_of, counts, &dropping));
}

static void spawn_dropped_arg(void) {
    jg_task *task = jg_spawn_with(word_of, counts, &dropping);
    jg_cancel(task);
    jg_detach(task);
}

static void spawn_failing(void) {
    jg_detach(jg_spawn(fail_in, "task"));
}

static void spawn_with_local(void) {
    jg_detach(jg_spawn(set_local, counts));
}

static void call_forking(void) {
    static jg_call call;
    ck_assert_int_eq(jg_call_later(&call, 1, fork_in, NULL), 0);
}

static void call_failing(void) {
    static jg_call call;
    ck_assert_int_eq(jg_call_soon(&call, fail_in, "call"), 0);
}

static void note_and_fork(void *arg, intptr_t result) {
    (void)arg;
    (void)result;
    fork_and_return();
}

static void call_when_done(void) {
    static jg_done_callback callback;
    jg_task *task = jg_spawn(word_of, NULL);
    ck_assert_int_eq(
        jg_future_add_done_callback(jg_task_future(task), &callback, note_and_fork, NULL), 0);
    jg_detach(task);
}

static intptr_t step_on(void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++) {
        jg_sleep(5);
        atomic_fetch_add(&counts->steps, 1);
    }
    return 0;
}

static intptr_t loop_body(void *begin) {
    jg_task *other = jg_spawn(step_on, NULL);
    (*(void (**)(void))begin)();
    return jg_join(other);
}

// A child went on with its copy of the loop: it ran the other tasks, and took the parent's events.
START_TEST(x06_child_may_return_from_what_the_loop_calls) {
    static void (*const begins[])(void) = {spawn_dropped_word, spawn_dropped_arg, spawn_failing,
                                           spawn_with_local,   call_forking,      call_failing,
                                           call_when_done};
    needs_loop();
    jg_error_on_unretrieved(fork_in_report);
    share_counts();
    for (int i = 0; i < (int)(sizeof(begins) / sizeof(begins[0])); i++) {
        void (*begin)(void) = begins[i];
        run_once(loop_body, &begin);
        ck_assert_int_eq(atomic_load(&counts->children), i + 1);
        ck_assert_int_eq(atomic_load(&counts->steps), 3 * (i + 1));
    }
    munmap(counts, 4096);
}
END_TEST

// What debug mode calls.

static void fork_in_debug_report(const jg_debug_report *report) {
    (void)report;
    fork_and_return();
    atomic_fetch_add(&counts->steps, 1);
}

static void ignore_word(void *arg, intptr_t word) {
    (void)arg;
    (void)word;
}

static intptr_t leave_all(void *arg) {
    static jg_future never;
    static jg_done_callback callback;
    (void)arg;
    jg_detach(jg_spawn(sleep_long, NULL));
    (void)!jg_spawn(word_of, NULL);
    jg_sleep(1); // by then one has ended
    return jg_future_add_done_callback(&never, &callback, ignore_word, NULL);
}

static intptr_t stall(void *arg) {
    (void)arg;
    while (atomic_load(&counts->steps) == 0) {}
    return 0;
}

static void run_reporting(jg_fn *body, int64_t slow_ms) {
    const jg_debug_options options = {.slow_ms = slow_ms};
    const jg_run_options run = {.debug = true};
    share_counts();
    jg_debug_set(&options);
    jg_debug_on_report(fork_in_debug_report);
    ck_assert_int_eq(jg_run_with(body, NULL, &run), 0);
    jg_debug_on_report(NULL);
}

// A child closed its copy of the loop as well, and went on with what comes after; or stayed for ever, as a
// watchdog of its own.
START_TEST(x06_child_may_return_from_a_report) {
    needs_loop();
    run_reporting(leave_all, 60000);
    ck_assert_int_eq(atomic_load(&counts->children), 3);
    munmap(counts, 4096);
    run_reporting(stall, 5);
    ck_assert_int_ge(atomic_load(&counts->children), 1);
    munmap(counts, 4096);
}
END_TEST

// What threads call.

static intptr_t fork_in_drop_on_thread(void *gate) {
    while (atomic_load((atomic_int *)gate) == 0) {
        sched_yield();
    }
    return 1;
}

static intptr_t job_body(void *arg) {
    static atomic_int gate;
    const jg_executor_options one = {.threads = 1};
    jg_executor *pool = NULL;
    jg_job job = {.drop_result = fork_in_drop, .abandon = true};
    (void)arg;
    atomic_store(&gate, 0);
    ck_assert_int_eq(jg_executor_open(&one, &pool), 0);
    ck_assert_int_eq(jg_executor_run(pool, fork_in, (void *)7), 7);
    ck_assert_int_eq(jg_executor_submit(pool, &job, fork_in_drop_on_thread, &gate), 0);
    for (jg_executor_stats stats = {.queued = 1}; stats.queued > 0;) {
        jg_executor_stats_get(pool, &stats);
    }
    ck_assert(jg_job_cancel(&job)); // it runs, and what it comes to is dropped there
    atomic_store(&gate, 1);
    ck_assert_int_eq(jg_executor_close(pool), 0);
    ck_assert_int_eq(atomic_load(&counts->children), 2);
    return 0;
}

// A child stayed for ever, as a thread of a pool that is the parent's.
START_TEST(x06_child_may_return_from_a_job) {
    share_counts();
    run_once(job_body, NULL);
    munmap(counts, 4096);
}
END_TEST

static intptr_t worker_body(void *arg) {
    (void)arg;
    for (int i = 0; i < (int)(sizeof(kinds) / sizeof(kinds[0])); i++) {
        ck_assert_int_eq(jg_worker_join(start(kinds[i], fork_in, (void *)7)), 7);
        ck_assert_int_eq(atomic_load(&counts->children), i + 1);
    }
    return 0;
}

// A child aborted as its thread's end was told to nobody, or answered for a process that is its parent.
START_TEST(x06_child_may_return_from_a_worker) {
    share_counts();
    run_once(worker_body, NULL);
    munmap(counts, 4096);
}
END_TEST

static intptr_t do_item(void *item) {
    atomic_fetch_add(&counts->steps, 1);
    // No assertion here: in a worker the file they are told to is closed, and its number another's.
    return *(int *)item == 1 && fork_child() != 0 ? -ECHILD : 0;
}

static intptr_t map_body(void *mode) {
    int items[] = {0, 1, 2, 3};
    const jg_map_options options = {.limit = 1};
    ck_assert_int_eq(
        jg_map(*(jg_map_mode *)mode, do_item, items, sizeof(items[0]), 4, NULL, &options), 0);
    ck_assert_int_eq(atomic_load(&counts->children), 1);
    ck_assert_int_eq(atomic_load(&counts->steps), 4);
    return 0;
}

// A child did all the items that were left as well.
START_TEST(x06_child_may_return_from_an_item) {
    static jg_map_mode modes[] = {JG_MAP_THREADS, JG_MAP_PROCESSES, JG_MAP_COROUTINES};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        share_counts();
        run_once(map_body, &modes[i]);
        munmap(counts, 4096);
    }
}
END_TEST

FIXTURE_MAIN("api/fork_return", x06_child_may_return_from_what_the_loop_calls,
             x06_child_may_return_from_a_report, x06_child_may_return_from_a_job,
             x06_child_may_return_from_a_worker, x06_child_may_return_from_an_item)
