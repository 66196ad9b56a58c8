// SPDX-License-Identifier: MIT
/* test_worker_process.c – what a worker process inherits, and what it leaves alone.
 *
 * Holds      what signal handlers and noisy threads report through.
 * Invariant  the fixture's audit after each test: no descriptor, no child, no block is left.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a fork copies more than anybody thinks of: stacks, signals, buffered output, locks.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/worker_steps.h"

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

FIXTURE_MAIN("api/worker_process", process_has_a_full_stack, signals_are_reset_in_a_process,
             threads_block_signals, x12_output_is_written_once, process_reaped_by_somebody_else,
             forked_copy_of_a_worker_is_refused, r21_processes_end_in_a_rain_of_signals,
             workers_start_workers, process_starts_while_threads_are_busy)
