// SPDX-License-Identifier: MIT
/* test_process_pool_death.c – workers of a process pool that die, hang, or babble.
 *
 * Holds      a page shared with the workers, through which they report.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        RELIABILITY R23. A worker may do anything. None of it may reach the program, or the jobs of
 *            others.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/process_pool_steps.h"

#include <dirent.h>
#include <spawn.h>

static const char *const deaths[] = {"exited with status 3", "killed by signal 11",
                                     "killed by signal 9", "killed by signal 15"};

static intptr_t deaths_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    (void)arg;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(run_int(pool, die, i), -EOWNERDEAD);
        ck_assert_ptr_nonnull(strstr(jg_error_detail(-EOWNERDEAD), deaths[i]));
        ck_assert_int_eq(run_int(pool, square_int, i), i * i); // replaced
    }
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// R23. A job that kills its worker would hang, or take the pool with it, or hide how it died.
START_TEST(r23_death_is_the_job_s_error) {
    run_once(deaths_body, NULL);
}
END_TEST

/* Leaves a child behind, forked (0) or a program (1), and dies. */
static intptr_t die_as_parent(const void *in, size_t in_size, jg_worker_output *out) {
    char *const argv[] = {"sleep", "60", NULL};
    pid_t child;
    (void)out;
    if (int_of(in, in_size) != 0) {
        if (posix_spawnp(&child, argv[0], NULL, NULL, argv, environ) != 0) {
            return -ENOENT;
        }
    } else if ((child = fork()) == 0) {
        alarm(60);
        pause();
        _exit(0);
    }
    atomic_store(shared, child);
    raise(SIGKILL);
    return 0;
}

static intptr_t orphan_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    (void)arg;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(run_int(pool, die_as_parent, i), -EOWNERDEAD);
        ck_assert_int_eq(kill(atomic_load(shared), SIGKILL), 0); // it was there all the time
        ck_assert_int_eq(run_int(pool, square_int, 5), 25);
    }
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// R23. A worker's death would be noticed only when the children of its job end, too.
START_TEST(r23_death_is_noticed_beside_a_living_grandchild) {
    shared = shared_page();
    run_once(orphan_body, NULL);
    munmap(shared, 4096);
}
END_TEST

static intptr_t cancel_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    (void)arg;
    atomic_store(shared, 0);
    jg_task *task = jg_spawn(hang_in_task, pool);
    while (atomic_load(shared) == 0) {
        jg_sleep(1);
    }
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    ck_assert_int_eq(run_int(pool, square_int, 5), 25);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// R23. A cancelled job would leave its worker running, or the pool without one.
START_TEST(r23_cancel_ends_a_hanging_worker) {
    needs_loop();
    shared = shared_page();
    run_once(cancel_body, NULL);
    munmap(shared, 4096);
}
END_TEST

static int64_t real_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * JG_S + now.tv_nsec;
}

static intptr_t stubborn_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    intptr_t rc = 0;
    (void)arg;
    ck_assert_int_eq(run_int(pool, square_int, 5), 25);
    int64_t before = real_ns();
    JG_TIMEOUT(200, rc) {
        rc = run_int(pool, hang, 1);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_ge(real_ns() - before, 2 * JG_S); // SIGTERM was ignored
    ck_assert_int_eq(run_int(pool, square_int, 5), 25);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// R23. A worker that ignores SIGTERM would never end, or be killed without a chance.
START_TEST(r23_stubborn_worker_is_killed_after_two_seconds) {
    shared = shared_page();
    run_once(stubborn_body, NULL);
    munmap(shared, 4096);
}
END_TEST

static intptr_t babble(const void *in, size_t in_size, jg_worker_output *out) {
    static char piece[1 << 20];
    for (int i = 0; i < int_of(in, in_size); i++) {
        if (jg_worker_output_write(out, piece, sizeof(piece)) < 0) {
            return -EPIPE;
        }
    }
    return 0;
}

static long resident_pages(void) {
    long size = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(file, "%ld %ld", &size, &resident), 2);
    fclose(file);
    return resident;
}

static intptr_t babble_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    int megabytes = 100;
    jg_bytes bytes;
    (void)arg;
    ck_assert_int_eq(run_int(pool, square_int, 5), 25);
    long before = resident_pages();
    ck_assert_int_eq(jg_process_pool_run(pool, babble, &megabytes, sizeof(megabytes), &bytes),
                     -EMSGSIZE);
    ck_assert_ptr_null(bytes.data);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EMSGSIZE), "handed back more than"));
    if (!sanitized) {
        ck_assert_int_le(resident_pages() - before, 8 * 1024 * 1024 / 4096);
    }
    jg_error_clear();
    ck_assert_int_eq(run_int(pool, square_int, 5), 25);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// R23. A worker that babbles would fill the program's memory.
START_TEST(r23_output_is_bounded) {
    run_once(babble_body, NULL);
}
END_TEST

static intptr_t count_fds(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    intptr_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count - 3; // ".", "..", and the directory itself
}

static intptr_t fds_body(void *arg) {
    (void)arg;
    int extra = open("/dev/null", O_RDONLY);
    jg_process_pool *pool = open_pool(2);
    ck_assert_int_eq(run_int(pool, count_fds, 0), 4);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    close(extra);
    return 0;
}

// R23. A worker would keep the program's files and sockets open.
START_TEST(r23_worker_sees_its_socket_alone) {
    run_once(fds_body, NULL);
}
END_TEST

static intptr_t own_id(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    return getpid();
}

static intptr_t idle_death_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    (void)arg;
    pid_t first = (pid_t)run_int(pool, own_id, 0);
    kill(first, SIGKILL);
    await_state(first, 'Z');
    ck_assert_int_ne(run_int(pool, own_id, 0), first);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// A worker killed while it had nothing to do would fail the next job.
START_TEST(death_of_an_idle_worker_goes_unnoticed) {
    run_once(idle_death_body, NULL);
}
END_TEST

struct many {
    jg_process_pool *pool;
    int n;
};

static intptr_t run_square(void *arg) {
    const struct many *one = arg;
    return run_int(one->pool, one->n % 10 == 9 ? die : square_int, one->n % 10 == 9 ? 0 : one->n);
}

static intptr_t many_body(void *arg) {
    enum { JOBS = 60 };
    struct many jobs[JOBS];
    jg_task *tasks[JOBS];
    jg_process_pool *pool = open_pool(3);
    (void)arg;
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct many){pool, i};
        tasks[i] = jg_spawn(run_square, &jobs[i]);
    }
    for (int i = 0; i < JOBS; i++) {
        ck_assert_int_eq(jg_join(tasks[i]), i % 10 == 9 ? -EOWNERDEAD : i * i);
    }
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// With more jobs than workers one would be lost, or a death would fail the jobs of others.
START_TEST(one_death_leaves_the_others_alone) {
    needs_loop();
    run_once(many_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/process_pool_death", r23_death_is_the_job_s_error,
             r23_death_is_noticed_beside_a_living_grandchild, r23_cancel_ends_a_hanging_worker,
             r23_stubborn_worker_is_killed_after_two_seconds, r23_output_is_bounded,
             r23_worker_sees_its_socket_alone, death_of_an_idle_worker_goes_unnoticed,
             one_death_leaves_the_others_alone)
