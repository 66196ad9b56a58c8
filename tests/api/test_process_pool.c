// SPDX-License-Identifier: MIT
/* test_process_pool.c – functions in processes of their own: bytes, queueing, forks, closing.
 *
 * Holds      a page shared with the workers, through which they report.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a worker may do anything: crash, hang, babble. None of it may reach the program.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/process_pool_steps.h"
#include "fixtures/limits.h"

#include <sys/wait.h>

// Bytes and words.

static intptr_t echo(const void *in, size_t in_size, jg_worker_output *out) {
    size_t half = in_size / 2;
    jg_worker_output_write(out, in, half);
    jg_worker_output_write(out, (const char *)in + half, in_size - half);
    return (intptr_t)in_size;
}

static void check_echo(jg_process_pool *pool, size_t size) {
    char *data = malloc(size + 1);
    jg_bytes bytes;
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)(i * 31 + i / 257);
    }
    ck_assert_int_eq(jg_process_pool_run(pool, echo, data, size, &bytes), (intptr_t)size);
    ck_assert_uint_eq(bytes.size, size);
    ck_assert((bytes.data == NULL) == (size == 0));
    ck_assert_int_eq(size > 0 ? memcmp(bytes.data, data, size) : 0, 0);
    jg_bytes_free(&bytes);
    free(data);
}

static intptr_t bytes_body(void *arg) {
    static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 200000, 3000000};
    jg_process_pool *pool = open_pool(2);
    (void)arg;
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(run_int(pool, square_int, i), i * i);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_echo(pool, sizes[i]);
    }
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// What goes in or comes out would be cut, doubled or mangled at the edges of the buffers.
START_TEST(bytes_go_in_and_come_out) {
    run_once(bytes_body, NULL);
}
END_TEST

static intptr_t fail_with_text(const void *in, size_t in_size, jg_worker_output *out) {
    jg_worker_output_write(out, "partial", 7);
    return jg_fail(-EPROTO, "bad item %d", int_of(in, in_size));
}

static intptr_t errors_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    jg_bytes bytes;
    int seven = 7;
    (void)arg;
    ck_assert_int_eq(jg_process_pool_run(pool, fail_with_text, &seven, sizeof(seven), &bytes),
                     -EPROTO);
    ck_assert_str_eq(jg_error_detail(-EPROTO), "bad item 7");
    ck_assert_uint_eq(bytes.size, 7);
    jg_bytes_free(&bytes);
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// The reason of a failure would stay behind in the worker.
START_TEST(error_comes_back_with_its_detail) {
    run_once(errors_body, NULL);
}
END_TEST

// The queue, forks, loops.

static intptr_t queue_body(void *arg) {
    const jg_process_pool_options options = {.processes = 1, .queue = 1};
    jg_process_pool *pool;
    (void)arg;
    ck_assert_int_eq(jg_process_pool_open(&options, &pool), 0);
    atomic_store(shared, 0);
    jg_task *running = jg_spawn(hang_in_task, pool);
    while (atomic_load(shared) == 0) {
        jg_sleep(1);
    }
    const jg_spawn_options eager = {.eager = true};
    jg_task *waiting = jg_spawn_with(hang_in_task, pool, &eager);
    jg_fail(-EBUSY, "of something else");
    ck_assert_int_eq(run_int(pool, square_int, 1), -EBUSY);
    ck_assert_ptr_null(strstr(jg_error_detail(-EBUSY), "of something else"));
    jg_cancel(waiting);
    ck_assert_int_eq(jg_join(waiting), -ECANCELED);
    waiting = jg_spawn_with(hang_in_task, pool, &eager);
    intptr_t rc = 0;
    JG_TIMEOUT(5, rc) {
        rc = jg_process_pool_close(pool); // hurried: the busy one is killed
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(jg_join(waiting), -ESHUTDOWN);
    ck_assert_int_eq(jg_join(running), -EOWNERDEAD);
    jg_error_clear();
    return 0;
}

// The queue would be without bound, or a close would leave somebody waiting in it.
START_TEST(queue_is_bounded_and_closed) {
    needs_loop();
    shared = shared_page();
    run_once(queue_body, NULL);
    munmap(shared, 4096);
}
END_TEST

static intptr_t use_forked(void *arg) {
    bool refused = run_int(arg, square_int, 1) == -ECHILD && jg_process_pool_close(arg) == -ECHILD;
    return refused ? 1 : -EPROTO;
}

static intptr_t fork_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    (void)arg;
    ck_assert_int_eq(jg_worker_join(start(JG_WORKER_PROCESS, use_forked, pool)), 1);
    ck_assert_int_eq(run_int(pool, square_int, 6), 36);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// A forked copy would talk to the workers of its parent.
START_TEST(forked_copy_is_refused) {
    run_once(fork_body, NULL);
}
END_TEST

static intptr_t no_more_body(void *arg) {
    jg_process_pool *pool = open_pool(2);
    (void)arg;
    atomic_store(shared, 0);
    set_descriptors(3);
    ck_assert_int_eq(run_int(pool, square_int, 1), -EMFILE); // there is none at all
    set_descriptors(256);
    jg_task *lingering = jg_spawn(linger_in_task, pool);
    while (atomic_load(shared) == 0) {
        jg_sleep(1);
    }
    set_descriptors(3);
    const jg_spawn_options eager = {.eager = true};
    jg_task *waiting = jg_spawn_with(square_in_task, pool, &eager);
    set_descriptors(256);
    ck_assert(!jg_done(waiting));
    atomic_store(shared, 2);
    ck_assert_int_eq(jg_join(lingering), 5);
    ck_assert_int_eq(jg_join(waiting), 16);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// Where no further worker is to be had a job would fail, though another worker could do it a moment later.
START_TEST(job_waits_for_a_worker_there_is) {
    needs_loop();
    shared = shared_page();
    run_once(no_more_body, NULL);
    munmap(shared, 4096);
}
END_TEST

static intptr_t use_early_body(void *arg) {
    jg_process_pool *pool = arg;
    ck_assert_int_eq(jg_to_thread(square, (void *)3), 9); // threads exist by now
    ck_assert_int_eq(run_int(pool, square_int, 6), 36);
    ck_assert_int_eq(run_int(pool, die, 2), -EOWNERDEAD);
    ck_assert_int_eq(run_int(pool, square_int, 7), 49);
    jg_error_clear();
    return 0;
}

// A pool opened before the loop could not be used in it, or after it.
START_TEST(pool_outlives_a_loop) {
    jg_process_pool *pool = open_pool(1);
    run_once(use_early_body, pool);
    run_once(use_early_body, pool);
    ck_assert_int_eq(run_int(pool, square_int, 8), 64);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
}
END_TEST

static intptr_t fork_and_return(const void *in, size_t in_size, jg_worker_output *out) {
    (void)out;
    pid_t pid = fork();
    if (pid > 0) {
        waitpid(pid, NULL, 0);
    }
    return pid > 0 ? int_of(in, in_size) : 99;
}

static intptr_t forking_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    (void)arg;
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(run_int(pool, fork_and_return, i), i);
    }
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// The child's word was taken for the job's, and the job's for that of the next one.
START_TEST(a_forked_child_of_a_job_does_not_answer) {
    run_once(forking_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/process_pool", bytes_go_in_and_come_out, error_comes_back_with_its_detail,
             queue_is_bounded_and_closed, job_waits_for_a_worker_there_is, forked_copy_is_refused,
             pool_outlives_a_loop, a_forked_child_of_a_job_does_not_answer)
