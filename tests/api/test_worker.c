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
#include "api/api.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

#if defined(JUGGLE_SANITIZE_THREAD)
/* TSan misses that a lock taken before a fork is let go of in the child, and that threads stay behind;
 * and each child would wait a second at its end for other threads to race. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "atexit_sleep_ms=0:report_mutex_bugs=0:report_thread_leaks=0";
}
#endif

/* The sanitizers' heaps keep locks of their own, which other threads may hold at a fork for ever. */
static void needs_plain_heap(void) {
    if (sanitized) {
        fixture_skip("the sanitizers' heaps do not survive a fork with busy threads");
    }
}

static const jg_worker_kind kinds[] = {JG_WORKER_THREAD, JG_WORKER_PROCESS};

static void *shared_page(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(page != MAP_FAILED);
    return page;
}

static jg_worker *start(jg_worker_kind kind, jg_fn *fn, void *arg) {
    jg_worker *worker = NULL;
    ck_assert_int_eq(jg_worker_start(kind, fn, arg, NULL, &worker), 0);
    return worker;
}

static intptr_t square(void *arg) {
    intptr_t n = (intptr_t)arg;
    return n * n;
}

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
        ck_assert_str_eq(error->task, "jg-worker");

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

static intptr_t sleep_long(void *arg) {
    (void)arg;
    return jg_sleep(60 * 1000);
}

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

static intptr_t leave_early(void *arg) {
    _exit((int)(intptr_t)arg);
}

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

enum { MANY = 1000 / API_SLOWED };

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
START_TEST(cancel_does_not_cut_a_join_short) {
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
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    jg_worker *worker = start(JG_WORKER_PROCESS, wait_for_flag, flag);
    int highest = dup(0);
    close(highest);
    const struct rlimit full = {(rlim_t)highest, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &full), 0);
    jg_task *task = jg_spawn(raise_flag, flag);
    ck_assert_int_eq(jg_worker_join(worker), 7);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
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

static intptr_t use_stack(void *arg) {
    (void)arg;
    volatile char room[2 * 1024 * 1024];
    for (size_t i = 0; i < sizeof(room); i += 1024) {
        room[i] = 1;
    }
    return room[sizeof(room) - 1024];
}

static intptr_t use_stack_body(void *arg) {
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_worker_join(start(kinds[i], use_stack, arg)), 1);
    }
    return 0;
}

// A process started from a task would have to live on that task's small stack.
START_TEST(process_has_a_full_stack) {
    run_body(use_stack_body);
}
END_TEST

// What a fork shares.

static void on_signal(int number) {
    (void)number;
}

static intptr_t report_mask(void *arg) {
    (void)arg;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, SIGTERM) | sigismember(&mask, SIGSEGV) << 1;
}

static intptr_t signals_body(void *arg) {
    ck_assert_int_eq(report_mask(NULL), 1); // as the test has set it up
    ck_assert_int_eq(jg_worker_join(start(JG_WORKER_THREAD, report_mask, arg)), 1);
    ck_assert_int_eq(jg_worker_join(start(JG_WORKER_PROCESS, report_mask, arg)), 0);
    ck_assert_int_eq(report_mask(NULL), 1);
    jg_worker *worker = start(JG_WORKER_PROCESS, sleep_long, arg);
    ck_assert_int_eq(jg_worker_kill(worker, SIGTERM), 0);
    ck_assert_int_eq(jg_worker_join(worker), -EOWNERDEAD);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EOWNERDEAD), "signal 15 (Terminated)"));
    jg_error_clear();
    return 0;
}

// A worker process would run its parent's signal handlers, or could not be stopped at all.
START_TEST(signals_are_reset_in_a_process) {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    signal(SIGTERM, on_signal);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    run_body(signals_body);
}
END_TEST

static intptr_t report_default_mask(void *arg) {
    pthread_sigmask(SIG_SETMASK, &(sigset_t){0}, NULL);
    jg_worker *worker = start(JG_WORKER_THREAD, report_mask, arg);
    return jg_worker_join(worker) == 1 ? 0 : -EPROTO;
}

// A handler of the program would run on a worker's thread.
START_TEST(threads_block_signals) {
    run_body(report_default_mask);
}
END_TEST

static intptr_t print_child(void *arg) {
    printf("child %s", (const char *)arg);
    fputs("child error\n", stderr);
    return 0;
}

static intptr_t print_body(void *arg) {
    (void)arg;
    static char name[] = "one\n";
    printf("parent ");
    ck_assert_int_eq(jg_worker_join(start(JG_WORKER_PROCESS, print_child, name)), 0);
    printf("goes on\n");
    return 0;
}

static int redirect(int fd, const char *name) {
    int file = memfd_create(name, MFD_CLOEXEC);
    ck_assert_int_ge(file, 0);
    int saved = dup(fd);
    dup2(file, fd);
    close(file);
    return saved;
}

/* X12. Output that the parent has not written yet would come out twice, or what a worker wrote would be
 * lost. */
START_TEST(x12_output_is_written_once) {
    char text[200] = {0};
    fflush(stdout);
    int saved_out = redirect(STDOUT_FILENO, "stdout");
    int saved_err = redirect(STDERR_FILENO, "stderr");
    run_once(print_body, NULL);
    fflush(stdout);
    ck_assert_int_gt(pread(STDOUT_FILENO, text, sizeof(text) - 1, 0), 0);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_out);
    close(saved_err);
    ck_assert_str_eq(text, "child one\nparent goes on\n");
}
END_TEST

static intptr_t reaped_body(void *arg) {
    jg_worker *worker = start(JG_WORKER_PROCESS, sleep_long, arg);
    jg_worker_kill(worker, SIGKILL);
    ck_assert_int_eq(waitpid(jg_worker_id(worker), NULL, 0), jg_worker_id(worker));
    ck_assert_int_eq(jg_worker_join(worker), -EOWNERDEAD);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-EOWNERDEAD), "somebody else reaped it"));
    worker = start(JG_WORKER_PROCESS, square, (void *)4);
    ck_assert_int_eq(waitpid(jg_worker_id(worker), NULL, 0), jg_worker_id(worker));
    ck_assert_int_eq(jg_worker_join(worker), 16); // it had handed its word back
    jg_error_clear();
    return 0;
}

// A program that reaps all children itself would hang a join.
START_TEST(process_reaped_by_somebody_else) {
    run_body(reaped_body);
}
END_TEST

static intptr_t join_parents_worker(void *arg) {
    return jg_worker_join(arg);
}

static intptr_t copies_body(void *arg) {
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        jg_worker *worker = start(kinds[i], square, (void *)3);
        jg_worker *copy = start(JG_WORKER_PROCESS, join_parents_worker, worker);
        ck_assert_int_eq(jg_worker_join(copy), -ECHILD);
        ck_assert_int_eq(jg_worker_join(worker), 9);
    }
    jg_error_clear();
    return 0;
}

// A forked copy of a handle would hang on a thread that does not exist there.
START_TEST(forked_copy_of_a_worker_is_refused) {
    run_body(copies_body);
}
END_TEST

static intptr_t start_grandchild(void *arg) {
    intptr_t sum = 0;
    for (size_t i = 0; i < 2; i++) {
        jg_worker *worker;
        int rc = jg_worker_start(kinds[i], square, arg, NULL, &worker);
        sum += rc < 0 ? rc : jg_worker_join(worker);
    }
    return sum;
}

static intptr_t nested_body(void *arg) {
    (void)arg;
    jg_worker *workers[20];
    for (intptr_t i = 0; i < 20; i++) {
        workers[i] = start(kinds[i % 2], start_grandchild, (void *)i);
    }
    for (intptr_t i = 0; i < 20; i++) {
        ck_assert_int_eq(jg_worker_join(workers[i]), 2 * i * i);
    }
    return 0;
}

// Workers of workers would write their words over each other's.
START_TEST(workers_start_workers) {
    needs_plain_heap();
    fixture_skip_emulated("qemu-user aborts or hangs after a fork while threads start");
    run_body(nested_body);
}
END_TEST

static volatile sig_atomic_t rain;

static void count_drop(int number) {
    (void)number;
    rain = rain + 1;
}

static intptr_t rain_body(void *arg) {
    static jg_worker *workers[MANY / 2];
    for (intptr_t i = 0; i < MANY / 2; i++) {
        workers[i] = start(JG_WORKER_PROCESS, i % 2 == 0 ? square : leave_early, (void *)(i % 100));
    }
    for (intptr_t i = 0; i < MANY / 2; i++) {
        intptr_t word = jg_worker_join(workers[i]);
        if (i % 2 == 0) {
            ck_assert_int_eq(word, (i % 100) * (i % 100));
            continue;
        }
        char wanted[40];
        snprintf(wanted, sizeof(wanted), " exited with status %d", (int)(i % 100));
        ck_assert_int_eq(word, -EOWNERDEAD);
        ck_assert_ptr_nonnull(strstr(jg_error_detail(word), wanted));
    }
    jg_error_clear();
    return (intptr_t)arg;
}

/* R21. In a rain of signals a process's end would be missed, doubled, or taken for another's. */
START_TEST(r21_processes_end_in_a_rain_of_signals) {
    const struct itimerval every_300_us = {{0, 300}, {0, 300}};
    const struct itimerval dry = {{0, 0}, {0, 0}};
    struct sigaction counting = {
        .sa_handler = count_drop}; // without SA_RESTART: calls are cut short
    sigemptyset(&counting.sa_mask);
    ck_assert_int_eq(sigaction(SIGALRM, &counting, NULL), 0);
    ck_assert_int_eq(sigaction(SIGCHLD, &counting, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &every_300_us, NULL), 0);
    run_once(rain_body, NULL);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &dry, NULL), 0);
    ck_assert_int_gt(rain, 10);
}
END_TEST

static atomic_bool stop_noise;

static intptr_t nothing(void *arg) {
    (void)arg;
    return 0;
}

static intptr_t run_nothing(void) {
    return jg_run_with(nothing, NULL, &(jg_run_options){.backend = "epoll"});
}

/* Holds what locks there are, again and again: heap, stdio, and those of starting a loop. */
static intptr_t make_noise(void *arg) {
    FILE *file = arg;
    while (!atomic_load(&stop_noise)) {
        char *block = malloc(1000);
        fprintf(file, "%p", (void *)block);
        free(block);
        run_nothing();
    }
    return 0;
}

static intptr_t use_everything(void *arg) {
    char *block = malloc(100000);
    bool good = block != NULL && run_nothing() == 0;
    free(block);
    printf("%s", "");
    return good ? start_grandchild(arg) : -EPROTO;
}

static intptr_t noise_body(void *arg) {
    jg_worker *noise[2];
    atomic_store(&stop_noise, false);
    for (size_t i = 0; i < 2; i++) {
        noise[i] = start(JG_WORKER_THREAD, make_noise, arg);
    }
    for (intptr_t i = 0; i < 50; i++) {
        ck_assert_int_eq(jg_worker_join(start(JG_WORKER_PROCESS, use_everything, (void *)i)),
                         2 * i * i);
    }
    atomic_store(&stop_noise, true);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_worker_join(noise[i]), 0);
    }
    return 0;
}

// A process forked while other threads hold locks would wait for them for ever.
START_TEST(process_starts_while_threads_are_busy) {
    needs_plain_heap();
    fixture_skip_emulated("qemu-user aborts or hangs after a fork while threads start");
    FILE *null = fopen("/dev/null", "w");
    run_once(noise_body, null);
    fclose(null);
}
END_TEST

FIXTURE_MAIN("api/worker", word_comes_back, error_comes_back_with_its_detail,
             killed_process_is_reported, exit_status_is_reported, thread_that_leaves_is_reported,
             thousand_threads_are_joined, thousand_processes_are_joined,
             join_lets_other_tasks_go_on, worker_that_ended_before_is_joined,
             worker_blocks_and_runs_loops_of_its_own, worker_is_joined_from_another_thread,
             cancel_does_not_cut_a_join_short, standing_cancel_does_not_refuse_a_join,
             second_join_is_a_named_abort, limit_of_processes_is_eagain, join_needs_no_descriptor,
             stack_sizes_out_of_range, process_has_a_full_stack, signals_are_reset_in_a_process,
             threads_block_signals, x12_output_is_written_once, process_reaped_by_somebody_else,
             forked_copy_of_a_worker_is_refused, r21_processes_end_in_a_rain_of_signals,
             workers_start_workers, process_starts_while_threads_are_busy)
