// SPDX-License-Identifier: MIT
/* test_worker.c – threads and forked processes that hand back a word.
 *
 * Holds      what the workers report through: memory shared with processes.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        what breaks here breaks the race: a worker that is lost, doubled, or never joined.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/worker_steps.h"
#include "fixtures/limits.h"

static intptr_t words_body(void *arg) {
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        for (intptr_t n = 0; n < 5; n++) {
            ck_assert_int_eq(jg_worker_join(start(kinds[i], square, (void *)n)), n * n);
        }
        ck_assert_int_eq(jg_worker_join(start(kinds[i], square, (void *)3000000000)),
                         INT64_C(9000000000000000000));
    }
    return 0;
}

// A worker's result would be lost or mangled on its way to the joiner.
START_TEST(word_comes_back) {
    run_body(words_body);
}
END_TEST

static intptr_t fail_with_text(void *arg) {
    return jg_fail(-EPROTO, "bad reply from %s", (const char *)arg);
}

static intptr_t fail_bare(void *arg) {
    (void)arg;
    jg_fail(-EIO, "got over it");
    return -ENOENT;
}

static intptr_t errors_body(void *arg) {
    for (size_t i = 0; i < 2; i++) {
        static char host[] = "example.org";
        ck_assert_int_eq(jg_worker_join(start(kinds[i], fail_with_text, host)), -EPROTO);
        ck_assert_str_eq(jg_error_detail(-EPROTO), "bad reply from example.org");
        const jg_error *error = jg_error_last();
        ck_assert_int_eq(error->code, -EPROTO);
        ck_assert_ptr_nonnull(strstr(error->where, "test_worker.c:"));
        ck_assert_str_eq(error->task, "fn"); // as whoever starts it calls the function

        ck_assert_int_eq(jg_worker_join(start(kinds[i], fail_bare, arg)), -ENOENT);
        ck_assert_str_eq(jg_error_detail(-ENOENT), "ENOENT: No such file or directory");
        ck_assert_int_eq(jg_error_last()->code, -ENOENT);
    }
    jg_error_clear();
    return 0;
}

// The reason of a worker's failure would stay behind in its thread or process.
START_TEST(error_comes_back_with_its_detail) {
    run_body(errors_body);
}
END_TEST

static intptr_t kill_body(void *arg) {
    char wanted[100];
    jg_worker *worker = start(JG_WORKER_PROCESS, sleep_long, arg);
    snprintf(wanted, sizeof(wanted), "worker process %d was killed by signal 9 (Killed)",
             (int)jg_worker_id(worker));
    ck_assert_int_eq(jg_worker_kill(worker, SIGKILL), 0);
    ck_assert_int_eq(jg_worker_join(worker), -EOWNERDEAD);
    ck_assert_str_eq(jg_error_detail(-EOWNERDEAD), wanted);
    jg_error_clear();
    return 0;
}

// A killed worker would hang its joiner, or count as a success.
START_TEST(killed_process_is_reported) {
    run_body(kill_body);
}
END_TEST

static intptr_t crash(void *arg) {
    (void)arg;
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    abort();
}

static intptr_t status_body(void *arg) {
    (void)arg;
    for (intptr_t status = 0; status < 4; status++) {
        ck_assert_int_eq(jg_worker_join(start(JG_WORKER_PROCESS, leave_early, (void *)status)),
                         -EOWNERDEAD);
        char wanted[40];
        snprintf(wanted, sizeof(wanted), " exited with status %d", (int)status);
        ck_assert_ptr_nonnull(strstr(jg_error_detail(-EOWNERDEAD), wanted));
    }
    ck_assert_int_eq(jg_worker_join(start(JG_WORKER_PROCESS, crash, NULL)), -EOWNERDEAD);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EOWNERDEAD), "by signal 6 (Aborted)"));
    jg_error_clear();
    return 0;
}

// A worker that leaves by exit() would look as if it had handed back 0, even with status 0.
START_TEST(exit_status_is_reported) {
    run_body(status_body);
}
END_TEST

static intptr_t leave_thread(void *arg) {
    pthread_exit(arg);
}

static intptr_t thread_exit_body(void *arg) {
    ck_assert_int_eq(jg_worker_join(start(JG_WORKER_THREAD, leave_thread, arg)), -EOWNERDEAD);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EOWNERDEAD), "left without handing back a word"));
    jg_error_clear();
    return 0;
}

// A thread that leaves by pthread_exit would hang its joiner.
START_TEST(thread_that_leaves_is_reported) {
    run_body(thread_exit_body);
}
END_TEST

static intptr_t leave_from_task(void *arg) {
    return jg_run(leave_thread, arg);
}

static void lose_a_loop(void *arg) {
    jg_worker_join(start(JG_WORKER_THREAD, leave_from_task, arg));
}

// A thread left in a task would leave its loop behind, on a stack that is gone, for others to look at.
START_TEST(task_that_leaves_its_thread_is_named) {
    needs_loop();
    if (sanitized) {
        fixture_skip("the sanitizers do not follow a thread that leaves from a task's stack");
    }
    fixture_expect_abort(lose_a_loop, NULL, "left by pthread_exit in a task");
}
END_TEST

struct job {
    jg_worker_kind kind;
    intptr_t n;
};

static intptr_t join_one(void *arg) {
    const struct job *job = arg;
    intptr_t word = jg_worker_join(start(job->kind, square, (void *)job->n));
    return word == job->n * job->n ? 0 : -EPROTO;
}

static intptr_t many_in_tasks(const jg_worker_kind *kind) {
    static struct job jobs[MANY];
    intptr_t rc = 0;
    JG_GROUP(g, rc) {
        for (int i = 0; i < MANY; i++) {
            jobs[i] = (struct job){*kind, i};
            ck_assert_int_eq(jg_group_spawn(g, join_one, &jobs[i]), 0);
        }
    }
    return rc;
}

/* All are started before the first is joined. */
static intptr_t many_in_turn(const jg_worker_kind *kind) {
    static jg_worker *workers[MANY];
    for (intptr_t i = 0; i < MANY; i++) {
        workers[i] = start(*kind, square, (void *)i);
    }
    for (intptr_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(jg_worker_join(workers[i]), i * i);
    }
    return 0;
}

static intptr_t many_body(void *arg) {
    const jg_worker_kind *kind = arg;
    intptr_t rc = many_in_turn(kind);
    return rc == 0 && jg_running() ? many_in_tasks(kind) : rc;
}

// A thousand workers would lose one, leave a zombie, or run out of descriptors.
START_TEST(thousand_threads_are_joined) {
    jg_worker_kind kind = JG_WORKER_THREAD;
    run_once(many_body, &kind);
}
END_TEST

START_TEST(thousand_processes_are_joined) {
    jg_worker_kind kind = JG_WORKER_PROCESS;
    run_once(many_body, &kind);
}
END_TEST

static intptr_t wait_for_flag(void *arg) {
    atomic_int *flag = arg;
    while (atomic_load(flag) == 0) {
        sched_yield();
    }
    return 7;
}

static intptr_t raise_flag(void *arg) {
    for (int i = 0; i < 10; i++) {
        jg_yield();
    }
    atomic_store((atomic_int *)arg, 1);
    return 0;
}

static intptr_t other_tasks_body(void *arg) {
    (void)arg;
    atomic_int *flag = shared_page();
    for (size_t i = 0; i < 2; i++) {
        atomic_store(flag, 0);
        jg_worker *worker = start(kinds[i], wait_for_flag, flag);
        jg_task *task = jg_spawn(raise_flag, flag);
        ck_assert_int_eq(jg_worker_join(worker), 7); // never ends if the other task cannot run
        ck_assert_int_eq(jg_join(task), 0);
    }
    munmap(flag, 4096);
    return 0;
}

// Joining a worker would stop the whole loop.
START_TEST(join_lets_other_tasks_go_on) {
    needs_loop();
    run_body(other_tasks_body);
}
END_TEST

static void await_thread_gone(pid_t tid) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d", (int)tid);
    while (access(path, F_OK) == 0) {
        sched_yield();
    }
}

static intptr_t ended_body(void *arg) {
    (void)arg;
    jg_worker *thread = start(JG_WORKER_THREAD, square, (void *)5);
    await_thread_gone(jg_worker_id(thread));
    ck_assert_int_eq(jg_worker_kill(thread, SIGTERM), -EOPNOTSUPP);
    ck_assert_int_eq(jg_worker_join(thread), 25);

    jg_worker *process = start(JG_WORKER_PROCESS, square, (void *)6);
    while (jg_worker_kill(process, 0) == 0) {
        sched_yield();
    }
    ck_assert_int_eq(jg_worker_kill(process, SIGTERM), -ESRCH);
    ck_assert_int_eq(jg_worker_join(process), 36);
    return 0;
}

// The end of a worker that nobody was waiting for yet would be missed.
START_TEST(worker_that_ended_before_is_joined) {
    run_body(ended_body);
}
END_TEST

static intptr_t child_of_loop(void *arg) {
    int *count = arg;
    jg_sleep(1);
    (*count)++;
    return 0;
}

static intptr_t inner_body(void *arg) {
    int count = 0;
    (void)arg;
    JG_GROUP(g) {
        for (int i = 0; i < 10; i++) {
            jg_group_spawn(g, child_of_loop, &count);
        }
    }
    return count;
}

static intptr_t run_loop(void *arg) {
    if (jg_running() || strcmp(jg_backend(), "blocking") != 0) {
        return -EPROTO;
    }
    jg_sleep(1);
    const jg_run_options options = {.backend = "epoll"};
    intptr_t twice = jg_run_with(inner_body, arg, &options);
    return twice < 0 ? twice : twice + jg_run_with(inner_body, arg, &options);
}

static intptr_t loops_body(void *arg) {
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_worker_join(start(kinds[i], run_loop, arg)), 20);
    }
    return 0;
}

// A worker could not block, or could not run a loop of its own, when it was started from a task.
START_TEST(worker_blocks_and_runs_loops_of_its_own) {
    run_body(loops_body);
}
END_TEST

static intptr_t join_in_task(void *arg) {
    return jg_worker_join(arg);
}

static intptr_t join_in_other_loop(void *arg) {
    return jg_run(join_in_task, arg);
}

static intptr_t elsewhere_body(void *arg) {
    (void)arg;
    const bool loop = jg_running();
    for (size_t i = 0; i < 2; i++) {
        jg_worker *worker = start(kinds[i], square, (void *)8);
        jg_fn *join = loop ? join_in_other_loop : join_in_task;
        ck_assert_int_eq(jg_worker_join(start(JG_WORKER_THREAD, join, worker)), 64);
    }
    return 0;
}

// A worker could only be joined by the thread that started it.
START_TEST(worker_is_joined_from_another_thread) {
    run_body(elsewhere_body);
}
END_TEST

struct patient {
    jg_worker *worker;
    intptr_t word;
    int after;
    bool joining;
};

static intptr_t join_patiently(void *arg) {
    struct patient *patient = arg;
    patient->joining = true;
    patient->word = jg_worker_join(patient->worker);
    patient->after = jg_yield();
    return 0;
}

static intptr_t cancel_body(void *arg) {
    (void)arg;
    atomic_int *flag = shared_page();
    for (size_t i = 0; i < 2; i++) {
        atomic_store(flag, 0);
        struct patient patient = {.worker = start(kinds[i], wait_for_flag, flag)};
        jg_task *task = jg_spawn(join_patiently, &patient);
        while (!patient.joining) {
            jg_yield();
        }
        jg_cancel(task);
        for (int turn = 0; turn < 5; turn++) {
            jg_yield();
        }
        ck_assert(!jg_done(task));
        atomic_store(flag, 1);
        jg_join(task);
        ck_assert_int_eq(patient.word, 7);
        ck_assert_int_eq(patient.after, -ECANCELED);
    }
    munmap(flag, 4096);
    return 0;
}

// Cancelling the joiner would lose a worker that still uses the joiner's memory.
START_TEST(s50l_cancel_waits_for_what_runs) {
    needs_loop();
    run_body(cancel_body);
}
END_TEST

static intptr_t join_when_cancelled(void *arg) {
    (void)arg;
    jg_cancel(jg_self());
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_worker_join(start(kinds[i], square, (void *)9)), 81);
    }
    jg_uncancel(jg_self());
    return 0;
}

// A worker could not be joined during clean-up, when a cancel stands.
START_TEST(standing_cancel_does_not_refuse_a_join) {
    run_body(join_when_cancelled);
}
END_TEST

static intptr_t join_twice(void *arg) {
    jg_worker *worker = start(JG_WORKER_THREAD, sleep_long, arg);
    jg_spawn(join_in_task, worker);
    jg_spawn(join_in_task, worker);
    return jg_sleep(60 * 1000);
}

static void run_join_twice(void *arg) {
    jg_run(join_twice, arg);
}

// Two joins of one worker would use its memory after the first has freed it.
START_TEST(second_join_is_a_named_abort) {
    needs_loop();
    fixture_expect_abort(run_join_twice, NULL, "join of a worker that is being joined already");
}
END_TEST

// Limits.

static intptr_t start_at_limit(void *arg) {
    jg_worker *worker;
    for (size_t i = 0; i < 2; i++) {
        int rc = jg_worker_start(kinds[i], square, arg, NULL, &worker);
        if (rc != -EAGAIN) {
            return rc == 0 ? -EPROTO : rc;
        }
    }
    const struct rlimit back = {1000, 1000};
    return setrlimit(RLIMIT_NPROC, &back);
}

/* Runs as a user that has no right to exceed its limits. */
static void become_limited(void *arg) {
    const struct rlimit none = {0, 1000};
    if ((geteuid() == 0 && setuid(65534) != 0) || setrlimit(RLIMIT_NPROC, &none) != 0) {
        fputs("cannot be limited", stderr);
        abort();
    }
    intptr_t rc = on_backend("blocking") ? start_at_limit(arg) : jg_run(start_at_limit, arg);
    fprintf(stderr, "came to %d", (int)rc);
    abort();
}

// At the limit of processes a start would crash, or leave half a worker.
START_TEST(limit_of_processes_is_eagain) {
    fixture_expect_abort(become_limited, NULL, "came to 0");
}
END_TEST

static intptr_t join_without_descriptors(void *arg) {
    (void)arg;
    atomic_int *flag = shared_page();
    jg_worker *worker = start(JG_WORKER_PROCESS, wait_for_flag, flag);
    rlim_t before = leave_descriptors(0);
    jg_task *task = jg_spawn(raise_flag, flag);
    ck_assert_int_eq(jg_worker_join(worker), 7);
    set_descriptors(before);
    ck_assert_int_eq(jg_join(task), 0);
    munmap(flag, 4096);
    return 0;
}

// Without a free descriptor a process could not be joined, or would stop the loop.
START_TEST(join_needs_no_descriptor) {
    needs_loop();
    run_body(join_without_descriptors);
}
END_TEST

static intptr_t stack_body(void *arg) {
    const jg_worker_options tiny = {.stack_size = 1, .name = "a name longer than fifteen"};
    const jg_worker_options vast = {.stack_size = SIZE_MAX - 1};
    jg_worker *worker = NULL;
    ck_assert_int_eq(jg_worker_start(JG_WORKER_THREAD, square, arg, &tiny, &worker), 0);
    ck_assert_int_eq(jg_worker_join(worker), 0);
    ck_assert_int_eq(jg_worker_start(JG_WORKER_THREAD, square, arg, &vast, &worker), -ENOMEM);
    ck_assert_int_eq(jg_worker_start((jg_worker_kind)7, square, arg, NULL, &worker), -EINVAL);
    return 0;
}

// A stack size out of range would crash instead of being refused.
START_TEST(stack_sizes_out_of_range) {
    run_body(stack_body);
}
END_TEST

FIXTURE_MAIN("api/worker", word_comes_back, error_comes_back_with_its_detail,
             killed_process_is_reported, exit_status_is_reported, thread_that_leaves_is_reported,
             task_that_leaves_its_thread_is_named, thousand_threads_are_joined,
             thousand_processes_are_joined, join_lets_other_tasks_go_on,
             worker_that_ended_before_is_joined, worker_blocks_and_runs_loops_of_its_own,
             worker_is_joined_from_another_thread, s50l_cancel_waits_for_what_runs,
             standing_cancel_does_not_refuse_a_join, second_join_is_a_named_abort,
             limit_of_processes_is_eagain, join_needs_no_descriptor, stack_sizes_out_of_range)
