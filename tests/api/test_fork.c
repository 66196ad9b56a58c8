// SPDX-License-Identifier: MIT
/* test_fork.c – SEMANTICS X6, RELIABILITY R11: fork() in the middle of everything.
 *
 * Holds      nothing between tests.
 * Invariant  whatever the child does, the parent's operations complete, each once.
 * Called by  ctest, on epoll and sim.
 * Why        child and parent share the loop's descriptors: a child that used them would take the
 *            parent's events away.
 */
#define FIXTURE_LIMIT 30
#include "api/api.h"

#include <juggle/debug.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(JUGGLE_SANITIZE_THREAD)
/* Each child would wait a second at its end for other threads to race. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "atexit_sleep_ms=0";
}
#endif

#if defined(JUGGLE_SANITIZE_ADDRESS)
static const bool leaks_are_looked_for =
    true; // at exit(), also in a child, where nothing was freed
#else
static const bool leaks_are_looked_for = false;
#endif

enum { PAIRS = 50, SLEEPERS = 50, FORKS = 1000 / API_SLOWED };

static intptr_t sleep_long(void *arg) {
    (void)arg;
    return jg_sleep(60000);
}

static intptr_t give(void *word) {
    return (intptr_t)word;
}

static int wait_status(pid_t child) {
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* Forks; the child runs `fn(arg)` and exits with what it returns. */
static pid_t fork_child(int (*fn)(void *), void *arg) {
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        _exit(fn(arg));
    }
    return child;
}

// What a forked copy may do.

struct surroundings {
    jg_task *task;
    jg_stream *stream;
    jg_lock lock;
    jg_sem sem;
    jg_event event;
    jg_future future;
    jg_worker *worker;
    jg_process *process;
};

static int group_in_child(void) {
    int rc = 7;
    JG_GROUP(group, rc) {
        if (jg_group_spawn(group, give, NULL) != -ECHILD) {
            return 1;
        }
    }
    return rc == 7 ? 0 : 2; // closes without waiting for anybody
}

static void note(void *arg, intptr_t result) {
    (void)arg;
    (void)result;
}

static intptr_t next_in_child(jg_future *future) {
    intptr_t rc = 0;
    JG_AS_COMPLETED(it, &future, 1, -1, rc) {}
    return rc;
}

static intptr_t start_in_child(void) {
    jg_group group;
    jg_group_open(&group);
    intptr_t rc = jg_group_start(&group, give, NULL);
    jg_group_close(&group, 0);
    return rc;
}

/* Each call a forked copy of a task may try. Returns the number of the first that goes wrong. */
static int call_everything(void *arg) {
    struct surroundings *around = arg;
    char byte;
    jg_future *futures[] = {&around->future, jg_task_future(around->task)};
    jg_done_callback callback = {0};
    const intptr_t answers[] = {
        jg_sleep(1),
        jg_yield(),
        jg_sleep_until(0),
        jg_join(around->task),
        jg_read(around->stream, &byte, 1),
        jg_read_exact(around->stream, &byte, 0),
        jg_write(around->stream, "x", 1),
        jg_write(around->stream, "", 0),
        jg_lock_acquire(&around->lock),
        jg_sem_acquire(&around->sem),
        jg_event_wait(&around->event),
        jg_future_wait(&around->future),
        jg_future_wait(futures[1]),
        jg_wait_for(&around->future, 5),
        jg_gather(futures, 2, NULL, JG_FAIL_FIRST),
        jg_wait(futures, 2, JG_FIRST_COMPLETED, 5),
        jg_wait(futures, 2, JG_FIRST_COMPLETED, 0),
        next_in_child(&around->future),
        jg_future_add_done_callback(futures[1], &callback, note, NULL),
        start_in_child(),
        jg_worker_join(around->worker),
        jg_spawn(give, NULL) == NULL ? jg_join(NULL) : 0,
        jg_run(give, NULL),
        jg_sim_explore(give, NULL, NULL, 1, 0, NULL),
        jg_process_kill(around->process),
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i] != -ECHILD) {
            return 100 + (int)i;
        }
    }
    return group_in_child();
}

static intptr_t refusals_body(void *arg) {
    (void)arg;
    struct surroundings around = {.task = jg_spawn(sleep_long, NULL)};
    jg_stream *other;
    ck_assert_int_eq(jg_stream_pair(&around.stream, &other), 0);
    ck_assert_int_eq(jg_worker_start(JG_WORKER_THREAD, give, (void *)5, NULL, &around.worker), 0);
    const char *argv[] = {"sleep", "60", NULL};
    const jg_process_options options = {.argv = argv};
    ck_assert_int_eq(jg_process_spawn(&options, &around.process), 0);
    jg_yield();
    ck_assert_int_eq(wait_status(fork_child(call_everything, &around)), 0);
    jg_process_close(around.process);
    jg_cancel(around.task);
    ck_assert_int_eq(jg_join(around.task), -ECANCELED);
    ck_assert_int_eq(jg_worker_join(around.worker), 5);
    jg_stream_close(around.stream);
    jg_stream_close(other);
    return 0;
}

// A forked copy of a task would run its parent's loop, or crash, instead of being told.
START_TEST(x06_calls_in_a_forked_child_are_refused) {
    run_once(refusals_body, NULL);
}
END_TEST

static intptr_t fork_and_return(void *arg) {
    pid_t *child = arg;
    *child = fork();
    if (*child != 0) {
        return *child;
    }
    JG_GROUP(group) {
        return 3; // from the copy of the task, out of an open block
    }
    return 4;
}

static intptr_t returning_body(void *arg) {
    (void)arg;
    int rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, sleep_long, NULL);
        pid_t child = 0;
        jg_task *task = jg_spawn(fork_and_return, &child);
        ck_assert_int_eq(jg_join(task), child);
        ck_assert_int_eq(wait_status(child), 0);
        jg_group_cancel(group);
    }
    return rc;
}

// A child that returns from the copy of its task would go on with a loop that is not its own.
START_TEST(x06_child_may_return_from_its_task) {
    run_once(returning_body, NULL);
}
END_TEST

static int run_true(void *arg) {
    (void)arg;
    execl("/bin/true", "true", (char *)NULL);
    return 9;
}

static intptr_t exec_body(void *arg) {
    return wait_status(fork_child(run_true, arg));
}

// A child could not run another program.
START_TEST(x06_child_may_exec) {
    run_once(exec_body, NULL);
}
END_TEST

// R11: with a hundred operations in flight.

struct traffic {
    jg_stream *near[PAIRS];
    jg_stream *far[PAIRS];
    int reads_done;
    int sleeps_done;
    int64_t wake_ns;
};

struct reader {
    struct traffic *traffic;
    int number;
};

static intptr_t read_one(void *arg) {
    struct reader *reader = arg;
    char byte = 0;
    ssize_t got = jg_read(reader->traffic->near[reader->number], &byte, 1);
    ck_assert_int_eq(got, 1);
    ck_assert_int_eq(byte, reader->number);
    reader->traffic->reads_done++;
    return 0;
}

static intptr_t sleep_once(void *arg) {
    struct traffic *traffic = arg;
    ck_assert_int_eq(jg_sleep_until(traffic->wake_ns), 0);
    traffic->sleeps_done++;
    return 0;
}

static void exit_handler(void) {
    jg_sleep(1); // refused, and not fatal
}

static int live_as(void *arg) {
    struct traffic *traffic = arg;
    char byte;
    switch (getpid() % 4) {
    case 0:
        return 0;
    case 1:
        return jg_sleep(1000) == -ECHILD && jg_yield() == -ECHILD ? 0 : 1;
    case 2:
        atexit(exit_handler);
        if (leaks_are_looked_for) {
            return 0;
        }
        exit(0);
    default:
        jg_write(traffic->far[0], "x", 1);
        jg_read(traffic->near[0], &byte, 1);
        jg_stream_close(traffic->near[1]);
        return 0;
    }
}

static intptr_t answer_worker(void *arg) {
    return jg_sleep(0) == 0 ? (intptr_t)arg : -EPROTO;
}

static void fork_often(struct traffic *traffic) {
    for (int i = 0; i < FORKS; i++) {
        if (i % 10 == 0) {
            jg_worker *worker;
            ck_assert_int_eq(jg_worker_start(JG_WORKER_PROCESS, answer_worker, (void *)(intptr_t)i,
                                             NULL, &worker),
                             0);
            ck_assert_int_eq(jg_worker_join(worker), i);
        } else {
            int status = wait_status(fork_child(live_as, traffic));
            ck_assert_msg(status == 0, "child %d ended with wait status 0x%x", i, (unsigned)status);
        }
    }
}

static void start_traffic(struct traffic *traffic, jg_group *group, struct reader *readers) {
    for (int i = 0; i < PAIRS; i++) {
        ck_assert_int_eq(jg_stream_pair(&traffic->near[i], &traffic->far[i]), 0);
        readers[i] = (struct reader){traffic, i};
        jg_group_spawn(group, read_one, &readers[i]);
    }
    for (int i = 0; i < SLEEPERS; i++) {
        jg_group_spawn(group, sleep_once, traffic);
    }
}

static intptr_t traffic_body(void *arg) {
    (void)arg;
    static struct reader readers[PAIRS];
    static struct traffic traffic;
    traffic = (struct traffic){.wake_ns = jg_now() + 30 * JG_S};
    if (!on_backend("sim")) {
        traffic.wake_ns = jg_now() + 50 * JG_MS; // long past when the forking is over
    }
    int rc = 0;
    JG_GROUP(group, rc) {
        start_traffic(&traffic, group, readers);
        jg_sleep(1);
        fork_often(&traffic);
        ck_assert_int_eq(traffic.reads_done, 0);
        for (int i = 0; i < PAIRS; i++) {
            char byte = (char)i;
            ck_assert_int_eq(jg_write(traffic.far[i], &byte, 1), 1);
        }
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(traffic.reads_done, PAIRS);
    ck_assert_int_eq(traffic.sleeps_done, SLEEPERS);
    for (int i = 0; i < PAIRS; i++) {
        jg_stream_close(traffic.near[i]);
        jg_stream_close(traffic.far[i]);
    }
    return 0;
}

// A fork would take operations away from the parent, complete them twice, or hang.
START_TEST(r11_forks_with_operations_in_flight) {
    run_once(traffic_body, NULL);
}
END_TEST

static intptr_t hold_on(void *arg) {
    (void)arg;
    return jg_sleep(60000);
}

static intptr_t stale_read(void *arg) {
    char byte;
    return jg_read(arg, &byte, 1);
}

/* A number closed here and given out again, while a child keeps the old socket open: its events go on
 * coming to the loop. */
static intptr_t stale_body(void *arg) {
    jg_stream *old[2];
    jg_stream *new[2];
    jg_worker *worker;
    ck_assert_int_eq(jg_stream_pair(&old[0], &old[1]), 0);
    jg_task *first = jg_spawn(stale_read, old[0]);
    jg_sleep(1);
    ck_assert_int_eq(jg_worker_start(JG_WORKER_PROCESS, hold_on, arg, NULL, &worker), 0);
    int number = jg_stream_fd(old[0]);
    jg_stream_close(old[0]);
    ck_assert_int_eq(jg_join(first), -EBADF);
    ck_assert_int_eq(jg_stream_pair(&new[0], &new[1]), 0);
    ck_assert_int_eq(jg_stream_fd(new[0]), number);
    jg_task *second = jg_spawn(stale_read, new[0]);
    jg_sleep(1);
    ck_assert_int_eq(jg_write(old[1], "old", 3), 3); // the child's copy becomes readable
    jg_sleep(2);
    ck_assert(!jg_done(second));
    ck_assert_int_eq(jg_write(new[1], "n", 1), 1);
    ck_assert_int_eq(jg_join(second), 1);
    ck_assert_int_eq(jg_worker_kill(worker, SIGKILL), 0);
    ck_assert_int_eq(jg_worker_join(worker), -EOWNERDEAD);
    jg_error_clear();
    jg_stream_close(old[1]);
    jg_stream_close(new[0]);
    jg_stream_close(new[1]);
    return 0;
}

// A descriptor's number that is used again would wake for its predecessor.
START_TEST(x02_reused_number_while_a_child_holds_the_old_one) {
    if (on_backend("sim")) {
        fixture_skip("simulated sockets stay in the process that made them");
    }
    run_once(stale_body, NULL);
}
END_TEST

// Debug mode's own thread.

static atomic_int reports;
static atomic_int begun;

static void count_report(const jg_debug_report *report) {
    (void)report;
    atomic_fetch_add(&reports, 1);
}

static intptr_t hold_up_until_reported(void *arg) {
    int before = atomic_load(&reports);
    while (atomic_load(&reports) == before) {}
    return (intptr_t)arg;
}

static void *hold_up_loops(void *over) {
    atomic_store(&begun, 1);
    do {
        jg_run(hold_up_until_reported, NULL);
    } while (atomic_load((atomic_int *)over) == 0);
    return NULL;
}

static int hold_up_in_child(void *arg) {
    alarm(10);
    return (int)jg_run(hold_up_until_reported, arg);
}

/* A process in which no loop has run yet; it forks while its first ones are held up, and reported. */
static int fork_from_the_first_moment(void *arg) {
    const jg_debug_options options = {.slow_ms = 1};
    atomic_int over = 0;
    pthread_t thread;
    setenv("JUGGLE_DEBUG", "1", 1);
    jg_debug_set(&options);
    jg_debug_on_report(count_report);
    int failed = pthread_create(&thread, NULL, hold_up_loops, &over);
    while (failed == 0 && atomic_load(&begun) == 0) {}
    for (int i = 0; i < *(int *)arg * 500; i++) {
        atomic_load(&begun); // in each process a little later
    }
    for (int i = 0; failed == 0 && i < 2; i++) {
        failed = wait_status(fork_child(hold_up_in_child, NULL));
    }
    atomic_store(&over, 1);
    pthread_join(thread, NULL);
    return failed != 0;
}

// A child forked while another thread's first loop opened had no watchdog, or waited for ever for its lock.
START_TEST(r11_child_has_a_watchdog_of_its_own) {
#if defined(JUGGLE_SANITIZE_THREAD)
    fixture_skip("ThreadSanitizer allows no thread in a child of a process with threads");
#elif defined(JUGGLE_SANITIZE_ADDRESS)
    fixture_skip("AddressSanitizer's allocator leaves a child the locks that other threads held");
#endif
    fixture_skip_emulated("qemu-user aborts where a child forked beside threads starts one");
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(wait_status(fork_child(fork_from_the_first_moment, &i)), 0);
    }
}
END_TEST

FIXTURE_MAIN("api/fork", x06_calls_in_a_forked_child_are_refused,
             x06_child_may_return_from_its_task, x06_child_may_exec,
             r11_forks_with_operations_in_flight, x02_reused_number_while_a_child_holds_the_old_one,
             r11_child_has_a_watchdog_of_its_own)
