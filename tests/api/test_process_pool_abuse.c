// SPDX-License-Identifier: MIT
/* test_process_pool_abuse.c – what jobs, users and programs do to the processes of a pool.
 *
 * Holds      a page shared with the workers, through which they report.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        RELIABILITY R23. A job may close, execute, stop, fork or write whatever it likes; a program may
 *            ignore signals, close its standard descriptors, or die. The pool heeds only its own jobs.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/process_pool_steps.h"
#include "fixtures/limits.h"

static void with_pool(jg_fn *body, size_t processes) {
    shared = shared_page();
    jg_process_pool *pool = open_pool(processes);
    run_once(body, pool);
    munmap(shared, 4096);
}

/* The job ends its worker like this; the next one is served. */
static void check_end(jg_process_pool *pool, jg_process_pool_fn *fn, int arg, intptr_t rc,
                      const char *says) {
    ck_assert_int_eq(run_int(pool, fn, arg), rc);
    ck_assert_msg(strstr(jg_error_detail(rc), says) != NULL, "says %s", jg_error_detail(rc));
    jg_error_clear();
    ck_assert_int_eq(run_int(pool, square_int, 5), 25);
}

/* Into its socket: nothing that makes sense (0); what looks like an answer, and more (1). */
static intptr_t write_into_socket(const void *in, size_t in_size, jg_worker_output *out) {
    const char nonsense[64] = {0};
    const struct {
        int kind;
        int no_error;
        size_t size;
        intptr_t word;
        char more[8];
    } forged = {.kind = 2, .word = 7};
    bool forge = int_of(in, in_size) != 0;
    (void)out;
    ssize_t put = forge ? write(3, &forged, sizeof(forged)) : write(3, nonsense, sizeof(nonsense));
    pause();
    return put;
}

static intptr_t nonsense_body(void *pool) {
    check_end(pool, write_into_socket, 0, -EPROTO, "written into its socket");
    check_end(pool, write_into_socket, 1, -EPROTO, "written into its socket");
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// What a job writes into the socket would be taken for its answer, and its answer for that of the next.
START_TEST(r23_writing_into_the_socket_is_an_error) {
    with_pool(nonsense_body, 1);
}
END_TEST

static intptr_t execute(const void *in, size_t in_size, jg_worker_output *out) {
    char *const argv[] = {"true", NULL};
    (void)in;
    (void)in_size;
    (void)out;
    execvp(argv[0], argv);
    return -ENOENT;
}

static intptr_t close_everything(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    return close_range(0, ~0U, 0);
}

static intptr_t interrupt(const void *in, size_t in_size, jg_worker_output *out) {
    (void)out;
    raise(SIGINT);
    return int_of(in, in_size);
}

static intptr_t other_ends_body(void *pool) {
    check_end(pool, execute, 0, -EOWNERDEAD, "worker process"); // ended by itself, or by us
    check_end(pool, close_everything, 0, -EOWNERDEAD, "worker process");
    ck_assert_int_eq(run_int(pool, interrupt, 6), 6);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// A worker that becomes another program, or closes its descriptors, would never answer; ^C would end it.
START_TEST(r23_executing_closing_and_interrupting) {
    with_pool(other_ends_body, 1);
}
END_TEST

static intptr_t stop_itself(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    atomic_fetch_add(shared, 1);
    return raise(SIGSTOP);
}

static intptr_t stop_in_task(void *pool) {
    return run_int(pool, stop_itself, 0);
}

static intptr_t stop_with_limit(void *pool) {
    intptr_t rc = 0;
    JG_TIMEOUT(200, rc) {
        rc = run_int(pool, stop_itself, 0);
    }
    return rc;
}

static intptr_t stopped_body(void *pool) {
    if (on_backend("blocking")) {
        ck_assert_int_eq(stop_with_limit(pool), -ETIMEDOUT);
    } else {
        jg_task *cancelled = jg_spawn(stop_in_task, pool);
        jg_task *late = jg_spawn(stop_with_limit, pool);
        while (atomic_load(shared) < 2) {
            jg_sleep(1);
        }
        jg_cancel(cancelled);
        ck_assert_int_eq(jg_join(cancelled), -ECANCELED);
        ck_assert_int_eq(jg_join(late), -ETIMEDOUT);
    }
    ck_assert_int_eq(run_int(pool, square_int, 5), 25);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// A worker that is stopped, and hears no SIGTERM, would hold up a cancel or a deadline for ever.
START_TEST(r23_stopped_worker_is_ended) {
    with_pool(stopped_body, 2);
}
END_TEST

static intptr_t own_id(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    return getpid();
}

static intptr_t stopped_idle_body(void *pool) {
    pid_t worker = (pid_t)run_int(pool, own_id, 0);
    stop_process(worker);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    await_state(worker, 'Z');
    return 0;
}

// A close would wait for a worker that is stopped, or leave it behind.
START_TEST(close_ends_a_stopped_worker) {
    with_pool(stopped_idle_body, 1);
}
END_TEST

static intptr_t write_as_child(const void *in, size_t in_size, jg_worker_output *out) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        _exit(jg_worker_output_write(out, in, in_size) == -ECHILD ? 7 : 0);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static intptr_t child_body(void *pool) {
    ck_assert_int_eq(run_int(pool, write_as_child, 0), 7);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// What a forked child of a job hands back would be lost without a word.
START_TEST(forked_child_hands_nothing_back) {
    with_pool(child_body, 1);
}
END_TEST

static intptr_t exact_end_body(void *pool) {
    check_end(pool, die, 0, -EOWNERDEAD, "exited with status 3");
    check_end(pool, die, 2, -EOWNERDEAD, "killed by signal 9");
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// A program that ignores SIGCHLD would not learn how its workers end.
START_TEST(ends_are_exact_though_sigchld_is_ignored) {
    shared = shared_page();
    signal(SIGCHLD, SIG_IGN);
    jg_process_pool *pool = open_pool(1);
    signal(SIGCHLD, SIG_DFL);
    run_once(exact_end_body, pool);
    munmap(shared, 4096);
}
END_TEST

/* Leaves a child behind that holds on to whatever the worker has. */
static intptr_t leave_child(const void *in, size_t in_size, jg_worker_output *out) {
    pid_t child = fork();
    (void)in;
    (void)in_size;
    (void)out;
    if (child == 0) {
        alarm(60);
        pause();
        _exit(0);
    }
    atomic_store(shared, child);
    raise(SIGKILL);
    return 0;
}

static intptr_t low_body(void *pool) {
    pid_t server = (pid_t)run_int(pool, parent_id, 0);
    check_end(pool, leave_child, 0, -EOWNERDEAD, "killed by signal 9");
    ck_assert_int_eq(kill(atomic_load(shared), SIGKILL), 0);
    kill(server, SIGKILL);
    await_state(server, 'Z');
    ck_assert_int_eq(run_int(pool, square_int, 5), -EOWNERDEAD);
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// Without standard descriptors the pool's own would be taken for those, and stay open in every process.
START_TEST(standard_descriptors_may_be_closed) {
    int kept[3];
    for (int fd = 0; fd < 3; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        close(fd);
    }
    with_pool(low_body, 1);
    for (int fd = 0; fd < 3; fd++) {
        dup2(kept[fd], fd);
        close(kept[fd]);
    }
}
END_TEST

struct program {
    atomic_int server;
    atomic_int worker;
    atomic_int child;
    atomic_int gone;
    atomic_int rc;
};

static struct program *program;

static intptr_t outlive(const void *in, size_t in_size, jg_worker_output *out) {
    static char piece[100000];
    int rc = 0;
    (void)in;
    (void)in_size;
    atomic_store(&program->server, getppid());
    atomic_store(&program->worker, getpid());
    while (atomic_load(&program->gone) == 0) {
        sched_yield();
    }
    for (int i = 0; i < 100 && rc == 0; i++) {
        rc = jg_worker_output_write(out, piece, sizeof(piece));
    }
    atomic_store(&program->rc, rc);
    return 0;
}

static void be_program(void) {
    jg_process_pool *pool = open_pool(1);
    pid_t child = fork();
    if (child == 0) { // it has a copy of what the program talks to the server by
        alarm(60);
        pause();
        _exit(0);
    }
    atomic_store(&program->child, child);
    run_int(pool, outlive, 0);
}

// A pool would go on without its program, as long as any child of that holds on to its descriptors.
START_TEST(pool_ends_with_the_program) {
    program = shared_page();
    pid_t pid = fork();
    if (pid == 0) {
        be_program();
        _exit(0);
    }
    while (atomic_load(&program->worker) == 0) {
        sched_yield();
    }
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    atomic_store(&program->gone, 1);
    await_state(atomic_load(&program->server), 'Z');
    await_state(atomic_load(&program->worker), 'Z');
    ck_assert_int_eq(atomic_load(&program->rc), -EPIPE);
    kill(atomic_load(&program->child), SIGKILL);
    munmap(program, 4096);
}
END_TEST

FIXTURE_MAIN("api/process_pool_abuse", r23_writing_into_the_socket_is_an_error,
             r23_executing_closing_and_interrupting, r23_stopped_worker_is_ended,
             close_ends_a_stopped_worker, forked_child_hands_nothing_back,
             ends_are_exact_though_sigchld_is_ignored, standard_descriptors_may_be_closed,
             pool_ends_with_the_program)
