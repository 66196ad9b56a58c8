// SPDX-License-Identifier: MIT
/* test_origin.c – failures elsewhere: whose they are, who asked for that, and that none is lost.
 *
 * Holds      what was reported; a gate.
 * Invariant  no test leans on how fast a thread is.
 * Called by  ctest, on epoll, sim and blocking.
 * Why        "task jg-pool failed" names a thread of ours: nobody would find the job.
 */
// Backends: epoll sim blocking
#include "api/executor_gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static intptr_t break_down(void *arg) {
    (void)arg;
    return jg_fail(-EPROTO, "broken");
}

static intptr_t fail_bare(void *arg) {
    (void)arg;
    return -EPROTO;
}

static intptr_t fail_in_worker(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    return -EPROTO;
}

enum { IN_TASK = __LINE__ + 7 };

static intptr_t fail_in_task(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    const jg_run_options options = {.backend = "epoll"};
    return jg_run_with(break_down, NULL, &options);
}

/* It is the newest failure's task, and this file's line that asked for it, or one of its next. */
static void expect_from(const char *name, int line, intptr_t rc) {
    ck_assert_int_eq(rc, -EPROTO);
    ck_assert_ptr_nonnull(jg_error_last());
    ck_assert_str_eq(jg_error_last()->task, name);
    const char *place = strstr(jg_error_last()->spawned, "test_origin.c:");
    ck_assert_msg(place != NULL, "spawned at %s", jg_error_last()->spawned);
    int there = atoi(place + strlen("test_origin.c:"));
    ck_assert_msg(there >= line && there <= line + 2, "%d instead of %d", there, line);
    jg_error_clear();
}

static intptr_t origins_body(void *arg) {
    const jg_process_pool_options few = {.processes = 1};
    const jg_run_many_options looped = {.run = {.backend = "epoll"}};
    jg_process_pool *pool;
    jg_worker *worker;
    char item = 0;
    (void)arg;
    ck_assert_int_eq(jg_process_pool_open(&few, &pool), 0);
    expect_from("fail_in_worker", __LINE__, jg_process_pool_run(pool, fail_in_worker, "", 0, NULL));
    expect_from("break_down", IN_TASK, jg_process_pool_run(pool, fail_in_task, "", 0, NULL));
    jg_process_pool_close(pool);
    expect_from("break_down", __LINE__, jg_executor_run(NULL, break_down, NULL));
    expect_from("fail_bare", __LINE__, jg_executor_run(NULL, fail_bare, NULL));
    jg_job job = {.state = 0};
    int line = __LINE__ + 1;
    ck_assert_int_eq(jg_executor_submit(NULL, &job, break_down, NULL), 0);
    expect_from("break_down", line, jg_job_wait(&job));
    if (jg_running()) {
        expect_from("break_down", __LINE__, jg_to_thread(break_down, NULL));
    }
    expect_from("break_down", __LINE__,
                jg_map(JG_MAP_THREADS, break_down, &item, 1, 1, NULL, NULL));
    expect_from("break_down", __LINE__,
                jg_map(JG_MAP_PROCESSES, break_down, &item, 1, 1, NULL, NULL));
    expect_from("break_down", __LINE__,
                jg_map(JG_MAP_COROUTINES, break_down, &item, 1, 1, NULL, NULL));
    expect_from("break_down", __LINE__, jg_run_many(1, break_down, NULL, 0, &looped));
    line = __LINE__ + 1;
    ck_assert_int_eq(jg_worker_start(JG_WORKER_THREAD, break_down, NULL, NULL, &worker), 0);
    expect_from("break_down", line, jg_worker_join(worker));
    line = __LINE__ + 1;
    ck_assert_int_eq(jg_worker_start(JG_WORKER_PROCESS, fail_bare, NULL, NULL, &worker), 0);
    expect_from("fail_bare", line, jg_worker_join(worker));
    return 0;
}

// Who reads of a failure on a thread or in a process would not know which function it was, nor who called it.
START_TEST(a_failure_elsewhere_names_function_and_place) {
    run_once(origins_body, NULL);
}
END_TEST

// Reports.

static atomic_int reports;
static char reported[256];

static void keep_report(const jg_error *error) {
    snprintf(reported, sizeof(reported), "%s: %s", error->task, error->text);
    atomic_fetch_add(&reports, 1);
}

static intptr_t pass_and_fail(void *arg) {
    pass_gate(arg);
    return arg != NULL ? -ECANCELED : jg_fail(-EIO, "too late");
}

/* Gives up a job that runs, or leaves it to a loop that ends. */
static void abandon(jg_executor *pool, jg_job *job, void *arg) {
    *job = (jg_job){.abandon = true};
    int before = atomic_load(&gate.running);
    ck_assert_int_eq(jg_executor_submit(pool, job, pass_and_fail, arg), 0);
    await_running(before + 1);
}

static intptr_t abandoned_body(void *arg) {
    (void)arg;
    jg_job job;
    jg_executor *pool = open_pool(1, 0);
    for (int i = 0; i < 2; i++) { // the second job says that it was cancelled
        reset_gate();
        abandon(pool, &job, i == 0 ? NULL : pool);
        ck_assert(jg_job_cancel(&job));
        ck_assert_int_eq(jg_job_wait(&job), -ECANCELED);
        open_gate();
        ck_assert_int_eq(jg_executor_run(pool, square, (void *)2), 4); // it is through with that
        ck_assert_int_eq(atomic_load(&reports), 1);
    }
    ck_assert_str_eq(reported, "pass_and_fail: too late");
    return jg_executor_close(pool);
}

// A job that somebody gave up, and that then fails, would do so unheard.
START_TEST(the_failure_of_an_abandoned_job_is_reported) {
    jg_error_on_unretrieved(keep_report);
    run_once(abandoned_body, NULL);
    jg_error_on_unretrieved(NULL);
    ck_assert_int_eq(atomic_load(&reports), 1);
}
END_TEST

struct left {
    jg_executor *pool;
    jg_job job;
};

static intptr_t leave_job(void *arg) {
    struct left *left = arg;
    abandon(left->pool, &left->job, NULL);
    return 0;
}

// The failure of a job whose loop has ended meanwhile would go nowhere.
START_TEST(the_failure_of_a_job_without_a_loop_left_is_reported) {
    needs_loop();
    struct left left = {.pool = open_pool(1, 0)};
    reset_gate();
    jg_error_on_unretrieved(keep_report);
    run_once(leave_job, &left);
    open_gate();
    ck_assert_int_eq(jg_executor_close(left.pool), 0);
    jg_error_on_unretrieved(NULL);
    ck_assert_int_eq(atomic_load(&reports), 1);
    ck_assert_int_eq(jg_future_result(&left.job.future), -ECANCELED);
}
END_TEST

/* What is said of an unread failure of a job. */
static void hear_unread(intptr_t (*submit)(jg_job *job), char *out_text, size_t size_bytes) {
    int heard = memfd_create("stderr", MFD_CLOEXEC);
    int saved = dup(STDERR_FILENO);
    ck_assert_int_ge(heard, 0);
    dup2(heard, STDERR_FILENO);
    jg_job job = {.state = 0};
    ck_assert_int_eq(submit(&job), 0);
    jg_future *future = &job.future;
    ck_assert_int_eq(jg_wait(&future, 1, JG_ALL_COMPLETED, -1), 1);
    jg_future_fini(&job.future);
    dup2(saved, STDERR_FILENO);
    ssize_t got = pread(heard, out_text, size_bytes - 1, 0);
    out_text[got < 0 ? 0 : got] = '\0';
    close(heard);
    close(saved);
}

static intptr_t submit_named(jg_job *job) {
    return jg_executor_submit(NULL, job, break_down, NULL);
}

static intptr_t submit_from_nowhere(jg_job *job) {
    return jg_executor_submit_at(NULL, job, break_down, NULL, "break_down\0");
}

static intptr_t words_body(void *arg) {
    char heard[512];
    (void)arg;
    hear_unread(submit_named, heard, sizeof(heard));
    ck_assert_msg(strstr(heard, "juggle: job break_down (submitted at ") == heard &&
                      strstr(heard, ") failed and nobody looked: EPROTO: broken (") != NULL,
                  "heard: %s", heard);
    hear_unread(submit_from_nowhere, heard, sizeof(heard));
    ck_assert_msg(strstr(heard, " break_down failed and nobody looked: EPROTO: broken (") != NULL,
                  "heard: %s", heard);
    return 0;
}

// The report of a job would speak of a task, "spawned at" nowhere.
START_TEST(a_job_is_reported_as_one) {
    run_once(words_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/origin", a_failure_elsewhere_names_function_and_place,
             the_failure_of_an_abandoned_job_is_reported,
             the_failure_of_a_job_without_a_loop_left_is_reported, a_job_is_reported_as_one)
