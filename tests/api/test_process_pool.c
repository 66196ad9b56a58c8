// SPDX-License-Identifier: MIT
/* test_process_pool.c – functions in processes of their own: bytes, deaths, hangs, closing.
 *
 * Holds      a page shared with the workers, through which they report.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a worker may do anything: crash, hang, babble. None of it may reach the program.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/worker_steps.h"

#include <dirent.h>
#include <sys/wait.h>

static jg_process_pool *open_pool(size_t processes) {
    const jg_process_pool_options options = {.processes = processes};
    jg_process_pool *pool = NULL;
    ck_assert_int_eq(jg_process_pool_open(&options, &pool), 0);
    return pool;
}

static intptr_t run_int(jg_process_pool *pool, jg_process_pool_fn *fn, int value) {
    return jg_process_pool_run(pool, fn, &value, sizeof(value), NULL);
}

static int int_of(const void *in, size_t in_size) {
    int value = -1;
    memcpy(&value, in, in_size < sizeof(value) ? in_size : sizeof(value));
    return value;
}

// Bytes and words.

static intptr_t square_int(const void *in, size_t in_size, jg_worker_output *out) {
    (void)out;
    return (intptr_t)int_of(in, in_size) * int_of(in, in_size);
}

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

// R23.

static intptr_t die(const void *in, size_t in_size, jg_worker_output *out) {
    const struct rlimit no_core = {0, 0};
    (void)out;
    setrlimit(RLIMIT_CORE, &no_core);
    switch (int_of(in, in_size)) {
    case 0:
        _exit(3);
    case 1:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        return 0;
    case 2:
        kill(getpid(), SIGKILL);
        return 0;
    default:
        close(3); // its socket
        return pause();
    }
}

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

static atomic_int *shared; // with the workers

static intptr_t hang(const void *in, size_t in_size, jg_worker_output *out) {
    (void)out;
    if (int_of(in, in_size) != 0) {
        signal(SIGTERM, SIG_IGN);
    }
    atomic_store(shared, 1);
    while (atomic_load(shared) != 0) {
        pause();
    }
    return 0;
}

static intptr_t hang_in_task(void *arg) {
    return run_int(arg, hang, 0);
}

static intptr_t cancel_body(void *arg) {
    jg_process_pool *pool = open_pool(1);
    (void)arg;
    atomic_store(shared, 0);
    jg_task *task = jg_spawn(hang_in_task, pool);
    while (atomic_load(shared) == 0) {
        jg_yield();
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
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)first);
    for (bool gone = false; !gone;) { // a zombie, or on its way there
        char state = 'R';
        FILE *file = fopen(path, "r");
        gone = file == NULL || fscanf(file, "%*d %*s %c", &state) != 1 || state == 'Z';
        if (file != NULL) {
            fclose(file);
        }
    }
    ck_assert_int_ne(run_int(pool, own_id, 0), first);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// A worker killed while it had nothing to do would fail the next job.
START_TEST(death_of_an_idle_worker_goes_unnoticed) {
    run_once(idle_death_body, NULL);
}
END_TEST

// Many.

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

static intptr_t queue_body(void *arg) {
    const jg_process_pool_options options = {.processes = 1, .queue = 1};
    jg_process_pool *pool;
    (void)arg;
    ck_assert_int_eq(jg_process_pool_open(&options, &pool), 0);
    atomic_store(shared, 0);
    jg_task *running = jg_spawn(hang_in_task, pool);
    while (atomic_load(shared) == 0) {
        jg_yield();
    }
    const jg_spawn_options eager = {.eager = true};
    jg_task *waiting = jg_spawn_with(hang_in_task, pool, &eager);
    ck_assert_int_eq(run_int(pool, square_int, 1), -EBUSY);
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

static void limit_descriptors(rlim_t most) {
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static intptr_t linger(const void *in, size_t in_size, jg_worker_output *out) {
    (void)out;
    atomic_store(shared, 1);
    while (atomic_load(shared) == 1) {
        sched_yield();
    }
    return int_of(in, in_size);
}

static intptr_t linger_in_task(void *pool) {
    return run_int(pool, linger, 5);
}

static intptr_t square_in_task(void *pool) {
    return run_int(pool, square_int, 4);
}

static intptr_t no_more_body(void *arg) {
    jg_process_pool *pool = open_pool(2);
    (void)arg;
    atomic_store(shared, 0);
    limit_descriptors(3);
    ck_assert_int_eq(run_int(pool, square_int, 1), -EMFILE); // there is none at all
    limit_descriptors(256);
    jg_task *lingering = jg_spawn(linger_in_task, pool);
    while (atomic_load(shared) == 0) {
        jg_yield();
    }
    limit_descriptors(3);
    const jg_spawn_options eager = {.eager = true};
    jg_task *waiting = jg_spawn_with(square_in_task, pool, &eager);
    limit_descriptors(256);
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
             r23_death_is_the_job_s_error, r23_cancel_ends_a_hanging_worker,
             r23_stubborn_worker_is_killed_after_two_seconds, r23_output_is_bounded,
             r23_worker_sees_its_socket_alone, death_of_an_idle_worker_goes_unnoticed,
             one_death_leaves_the_others_alone, queue_is_bounded_and_closed,
             job_waits_for_a_worker_there_is, forked_copy_is_refused, pool_outlives_a_loop,
             a_forked_child_of_a_job_does_not_answer)
