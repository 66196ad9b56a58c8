// SPDX-License-Identifier: MIT
/* test_exec_memory.c – executors, process pools, map and many loops with each allocation refused in turn.
 */
// Backends: epoll blocking
#define FIXTURE_LIMIT 30
#include "fixtures/fixture.h"

#include "base/mem.h"

#include <juggle.h>
#include <string.h>

#if defined(JUGGLE_SANITIZE_THREAD)
/* TSan misses that a lock taken before a fork is let go of in the child. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "atexit_sleep_ms=0:report_mutex_bugs=0:report_thread_leaks=0";
}
#endif

static intptr_t square(void *arg) {
    int64_t *n = arg;
    *n = *n * *n;
    return 0;
}

static intptr_t use_executor(void) {
    jg_executor *pool;
    int64_t n = 7;
    intptr_t rc = jg_executor_open(NULL, &pool);
    if (rc == 0) {
        rc = jg_executor_run(pool, square, &n);
        ck_assert_int_eq(jg_executor_close(pool), 0);
    }
    ck_assert(rc != 0 || n == 49);
    return rc;
}

static intptr_t echo(const void *in, size_t in_size, jg_worker_output *out) {
    return jg_worker_output_write(out, in, in_size);
}

static intptr_t use_processes(void) {
    static char data[100000];
    jg_process_pool *pool;
    jg_bytes bytes = {NULL, 0};
    intptr_t rc = jg_process_pool_open(NULL, &pool);
    if (rc == 0) {
        rc = jg_process_pool_run(pool, echo, data, sizeof(data), &bytes);
        ck_assert(rc != 0 || bytes.size == sizeof(data));
        jg_bytes_free(&bytes);
        ck_assert_int_eq(jg_process_pool_close(pool), 0);
    }
    return rc;
}

static intptr_t use_map(jg_map_mode mode) {
    int64_t items[] = {1, 2, 3, 4, 5};
    const jg_map_options one = {.limit = 1}; // with more lanes, fewer could do it as well
    return jg_map(mode, square, items, sizeof(items[0]), 5, NULL, &one);
}

static intptr_t use_map_threads(void) {
    return use_map(JG_MAP_THREADS);
}

static intptr_t use_map_processes(void) {
    return use_map(JG_MAP_PROCESSES);
}

static intptr_t use_map_tasks(void) {
    return use_map(JG_MAP_COROUTINES);
}

static intptr_t use_many(void) {
    int64_t numbers[] = {3, 4};
    const jg_run_many_options epoll = {.run.backend = "epoll"};
    return jg_run_many(2, square, numbers, sizeof(numbers[0]), &epoll);
}

/* Refuses the first allocation, then the second, until one run needs no more. */
static void refuse_each(intptr_t (*use)(void)) {
    intptr_t rc = -ENOMEM;
    int n = 0;
    while (rc < 0) {
        mem_fail_nth((uint64_t)++n, 0);
        rc = use();
        mem_fail_nth(0, 0);
        ck_assert_msg(rc == 0 || rc == -ENOMEM, "came to %d at %d", (int)rc, n);
        ck_assert_int_lt(n, 200);
    }
    ck_assert_int_ge(n, 2);
    jg_error_clear();
}

static intptr_t refuse_all(void *arg) {
    (void)arg;
    refuse_each(use_executor);
    refuse_each(use_processes);
    refuse_each(use_map_threads);
    refuse_each(use_map_processes);
    refuse_each(use_map_tasks);
    refuse_each(use_many);
    return 0;
}

// Without memory at some point a thread or a process would be left behind, or a job wait for ever.
START_TEST(refused_memory_leaves_nothing) {
    if (strcmp(fixture_backend(), "blocking") == 0) {
        refuse_all(NULL);
    } else {
        ck_assert_int_eq(jg_run(refuse_all, NULL), 0);
    }
}
END_TEST

FIXTURE_MAIN("exec/exec_memory", refused_memory_leaves_nothing)
