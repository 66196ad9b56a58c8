// SPDX-License-Identifier: MIT
/* test_exec_limits.c – threads, processes, loops and lookups where descriptors, memory or processes end.
 *
 * Holds      nothing between tests.
 * Invariant  after each refusal the lowest free descriptor is what it was, and the fixture's audit finds
 *            no descriptor, no child, no block.
 * Called by  ctest, on epoll, and without a loop.
 * Why        RELIABILITY R8, SEMANTICS X7. A limit is met in the middle of something: each of them is
 *            moved step by step until all goes well.
 */
// Backends: epoll blocking
#define FIXTURE_LIMIT 30
#include "api/process_pool_steps.h"
#include "fixtures/limits.h"

#include <sys/prctl.h>

enum { LOOPS = 3, JOBS = 4, ITEMS = 4 };

static intptr_t nothing(void *arg) {
    (void)arg;
    return 0;
}

static intptr_t use_executor(void) {
    jg_job jobs[JOBS] = {{.state = 0}};
    jg_executor *pool;
    intptr_t rc = jg_executor_open(NULL, &pool);
    if (rc < 0) {
        return rc;
    }
    for (int i = 0; i < JOBS && rc == 0; i++) {
        rc = jg_executor_submit(pool, &jobs[i], square, (void *)(intptr_t)i);
        ck_assert(rc < 0 || jg_job_wait(&jobs[i]) == i * i);
    }
    ck_assert_int_eq(jg_executor_close(pool), 0);
    return rc;
}

static intptr_t use_to_thread(void) {
    return jg_to_thread(nothing, NULL);
}

static intptr_t use_process_pool(void) {
    const jg_process_pool_options two = {.processes = 2};
    jg_process_pool *pool;
    intptr_t rc = jg_process_pool_open(&two, &pool);
    if (rc == 0) {
        rc = run_int(pool, square_int, 3);
        ck_assert(rc < 0 || rc == 9);
        ck_assert_int_eq(jg_process_pool_close(pool), 0);
    }
    return rc < 0 ? rc : 0;
}

static intptr_t use_run_many(void) {
    const jg_run_many_options epoll = {.run.backend = "epoll"};
    return jg_run_many(LOOPS, nothing, NULL, 0, &epoll);
}

static intptr_t use_map(jg_map_mode mode) {
    int items[ITEMS] = {0};
    const jg_map_options two = {.limit = 2};
    return jg_map(mode, nothing, items, sizeof(items[0]), ITEMS, NULL, &two);
}

static intptr_t use_map_threads(void) {
    return use_map(JG_MAP_THREADS);
}

static intptr_t use_map_processes(void) {
    return use_map(JG_MAP_PROCESSES);
}

static intptr_t use_lookup(void) {
    jg_stream *stream;
    intptr_t rc = jg_tcp_connect("127.1", 1, &stream); // a name to us; nobody listens there
    return rc == -ECONNREFUSED ? 0 : rc;
}

static const struct {
    const char *name;
    intptr_t (*fn)(void);
} uses[] = {
    {"executor", use_executor},
    {"to_thread", use_to_thread},
    {"process_pool", use_process_pool},
    {"run_many", use_run_many},
    {"map_threads", use_map_threads},
    {"map_processes", use_map_processes},
    {"lookup", use_lookup},
};

enum { USES = sizeof(uses) / sizeof(uses[0]) };

static int lowest_free(void) {
    int fd = dup(0);
    close(fd);
    return fd;
}

/* Uses it with so much room; what goes wrong is one of these, and leaves nothing open. */
static bool use_at(int use, int step, int refusal, int other) {
    intptr_t rc = uses[use].fn();
    jg_error_clear();
    ck_assert_msg(rc == 0 || rc == refusal || rc == other, "%s came to %d at step %d",
                  uses[use].name, (int)rc, step);
    return rc == 0;
}

static intptr_t descriptors_body(void *arg) {
    (void)arg;
    for (int use = 0; use < USES; use++) {
        int lowest = lowest_free();
        bool well = false;
        for (int room = 0; !well; room++) {
            ck_assert_int_lt(room, 64);
            rlim_t before = leave_descriptors(room);
            well = use_at(use, room, -EMFILE, -EMFILE);
            set_descriptors(before);
            ck_assert_int_eq(lowest_free(), lowest);
        }
    }
    return 0;
}

// Without descriptors one would be left open, a job wait for ever, or the reason be another.
START_TEST(x07_where_descriptors_end) {
    run_once(descriptors_body, NULL);
}
END_TEST

static intptr_t memory_body(void *arg) {
    enum { STEP = 512 * 1024 };
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    (void)arg;
    for (int use = 0; use < USES; use++) {
        int lowest = lowest_free();
        bool well = false;
        for (int step = 1; !well; step++) {
            ck_assert_int_lt(step, 1024);
            limit_address_space((size_t)step * STEP);
            well = use_at(use, step, -ENOMEM, -EAGAIN);
            ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
            ck_assert_int_eq(lowest_free(), lowest);
        }
    }
    return 0;
}

// Without memory for a stack or a mapping it would crash, or some of what was started be left behind.
START_TEST(x07_where_memory_ends) {
    if (sanitized) {
        fixture_skip("a sanitizer's shadow needs all of the address space");
    }
    run_once(memory_body, NULL);
}
END_TEST

/* The rest of the test has no right to exceed its limits. */
static void become_nobody(void) {
    if (geteuid() == 0 && setuid(65534) != 0) {
        fixture_skip("cannot become a user who minds limits");
    }
    prctl(PR_SET_DUMPABLE, 1); // the audit looks into /proc/self
}

static intptr_t processes_body(void *arg) {
    struct rlimit before;
    (void)arg;
    getrlimit(RLIMIT_NPROC, &before);
    const struct rlimit none = {0, before.rlim_max};
    for (int use = 0; use < USES; use++) {
        bool in_place = on_backend("blocking") &&
                        (uses[use].fn == use_to_thread || uses[use].fn == use_lookup);
        int lowest = lowest_free();
        setrlimit(RLIMIT_NPROC, &none);
        ck_assert_msg(use_at(use, 0, -EAGAIN, -EAGAIN) == in_place, "%s", uses[use].name);
        setrlimit(RLIMIT_NPROC, &before);
        ck_assert_int_eq(lowest_free(), lowest);
    }
    return 0;
}

// At the limit of processes, which counts threads, likewise.
START_TEST(x07_where_processes_end) {
    become_nobody();
    run_once(processes_body, NULL);
}
END_TEST

static intptr_t refused_fork_body(void *arg) {
    struct rlimit before;
    jg_process_pool *pool = open_pool(2);
    (void)arg;
    pid_t server = (pid_t)run_int(pool, parent_id, 0);
    getrlimit(RLIMIT_NPROC, &before);
    const struct rlimit none = {0, before.rlim_max};
    ck_assert_int_eq(prlimit(server, RLIMIT_NPROC, &none, NULL), 0);
    if (on_backend("epoll")) {
        atomic_store(shared, 0);
        jg_task *lingering = jg_spawn(linger_in_task, pool);
        while (atomic_load(shared) == 0) {
            jg_sleep(1);
        }
        jg_task *waiting = jg_spawn(square_in_task, pool); // the second worker cannot be forked
        jg_sleep(20);
        ck_assert(!jg_done(waiting));
        atomic_store(shared, 2);
        ck_assert_int_eq(jg_join(lingering), 5);
        ck_assert_int_eq(jg_join(waiting), 16);
    }
    ck_assert_int_eq(run_int(pool, die, 0), -EOWNERDEAD);
    ck_assert_int_eq(run_int(pool, square_int, 4), -EAGAIN); // nor a first one
    ck_assert_int_eq(prlimit(server, RLIMIT_NPROC, &before, NULL), 0);
    ck_assert_int_eq(run_int(pool, square_int, 4), 16);
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// A worker that the server cannot fork would fail a job that another could do, or take a place for ever.
START_TEST(fork_that_the_server_is_refused) {
    become_nobody();
    shared = shared_page();
    run_once(refused_fork_body, NULL);
    munmap(shared, 4096);
}
END_TEST

static intptr_t many_lanes_body(void *arg) {
    enum { MANY_ITEMS = 1100 }; // more than a pool's queue has room for by default
    static char items[MANY_ITEMS];
    const jg_map_options all = {.limit = MANY_ITEMS};
    (void)arg;
    rlim_t before = leave_descriptors(16);
    ck_assert_int_eq(jg_map(JG_MAP_PROCESSES, nothing, items, 1, MANY_ITEMS, NULL, &all), 0);
    set_descriptors(before);
    return 0;
}

// With fewer processes than allowed a map's own lanes would be too many for its queue.
START_TEST(map_with_few_processes_for_many_lanes) {
    run_once(many_lanes_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/exec_limits", x07_where_descriptors_end, x07_where_memory_ends,
             x07_where_processes_end, fork_that_the_server_is_refused,
             map_with_few_processes_for_many_lanes)
