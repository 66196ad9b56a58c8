// SPDX-License-Identifier: MIT
/* test_signal.c – signals as something to wait for.
 *
 * Holds      nothing between tests.
 * Invariant  after each test every signal has the action it had before.
 * Called by  ctest, on epoll, on sim, and without a loop; under the thread sanitizer too.
 * Why        RELIABILITY R21. A handler runs anywhere, on any thread, at any point.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/api.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t both = JG_SIGNAL(SIGUSR1) | JG_SIGNAL(SIGUSR2);

static void raise_in_process(int number) {
    ck_assert_int_eq(kill(getpid(), number), 0);
}

static bool has_default_action(int number) {
    struct sigaction present;
    ck_assert_int_eq(sigaction(number, NULL, &present), 0);
    return present.sa_handler == SIG_DFL;
}

// Taking.

static intptr_t take_body(void *arg) {
    jg_signals signals;
    (void)arg;
    ck_assert_int_eq(jg_signals_open(&signals, both), 0);
    ck_assert(!has_default_action(SIGUSR1));
    raise(SIGUSR2);
    raise(SIGUSR1);
    ck_assert_int_eq(jg_signals_next(&signals), SIGUSR1);
    ck_assert_int_eq(jg_signals_next(&signals), SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR1); // counts as one
    ck_assert_int_eq(jg_signals_next(&signals), SIGUSR1);
    intptr_t rc = 0;
    JG_TIMEOUT(5, rc) {
        rc = jg_signals_next(&signals);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    raise(SIGUSR2); // after a wait that was cut short
    ck_assert_int_eq(jg_signals_next(&signals), SIGUSR2);
    jg_signals_close(&signals);
    ck_assert(has_default_action(SIGUSR1) && has_default_action(SIGUSR2));
    return 0;
}

// A signal would be lost, told twice, or kill the program.
START_TEST(signals_are_taken_one_by_one) {
    run_once(take_body, NULL);
}
END_TEST

/* Returns when the first thread is asleep in the kernel, as who waits is. */
static void await_first_thread_asleep(void) {
    char path[64];
    char state = 'R';
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)getpid());
    while (state != 'S') {
        FILE *file = fopen(path, "r");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(fscanf(file, "%*d %*s %c", &state), 1);
        fclose(file);
    }
}

static void *raise_when_asleep(void *arg) {
    await_first_thread_asleep();
    raise_in_process((int)(intptr_t)arg);
    return NULL;
}

static intptr_t wait_body(void *arg) {
    (void)arg;
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        jg_signals keep; // from before the thread raises it, or it might come too early
        ck_assert_int_eq(jg_signals_open(&keep, both), 0);
        ck_assert_int_eq(
            pthread_create(&thread, NULL, raise_when_asleep, (void *)(intptr_t)SIGUSR1), 0);
        ck_assert_int_eq(jg_signals_next(&keep), SIGUSR1);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        jg_signals_close(&keep);
    }
    return 0;
}

// A loop that sleeps, or a thread that blocks, would not hear of a signal on another thread.
START_TEST(a_signal_wakes_who_waits) {
    run_once(wait_body, NULL);
}
END_TEST

static intptr_t raise_soon(void *arg) {
    (void)arg;
    raise(SIGUSR2);
    return 0;
}

static intptr_t one_shot_body(void *arg) {
    jg_call call = {.fn = NULL};
    (void)arg;
    ck_assert_int_eq(jg_call_soon(&call, raise_soon, NULL),
                     0); // in the next round: we wait by then
    ck_assert_int_eq(jg_signal_wait(both), SIGUSR2);
    ck_assert(has_default_action(SIGUSR2));
    return 0;
}

// Waiting for a single signal would need a watch.
START_TEST(one_signal_is_waited_for_in_one_call) {
    needs_loop();
    run_once(one_shot_body, NULL);
}
END_TEST

static intptr_t limit_body(void *arg) {
    intptr_t rc = 0;
    (void)arg;
    JG_TIMEOUT(10, rc) {
        rc = jg_signal_wait(both);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert(has_default_action(SIGUSR1));
    return 0;
}

// A wait that is cut short would leave its handler behind.
START_TEST(a_wait_for_a_signal_has_a_limit) {
    run_once(limit_body, NULL);
}
END_TEST

// Misuse.

static intptr_t refused_body(void *arg) {
    static const int never[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,  SIGFPE,
                                SIGILL,  SIGTRAP, SIGSYS,  SIGABRT, 32};
    jg_signals signals;
    (void)arg;
    ck_assert_int_eq(jg_signals_open(&signals, 0), -EINVAL);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        uint64_t set = JG_SIGNAL(SIGUSR1) | JG_SIGNAL(never[i]);
        ck_assert_int_eq(jg_signals_open(&signals, set), -EINVAL);
        ck_assert_int_eq(jg_signal_wait(set), -EINVAL);
    }
    ck_assert(has_default_action(SIGUSR1));
    return 0;
}

static intptr_t highest_body(void *arg) {
    jg_signals signals;
    (void)arg;
    ck_assert_int_eq(jg_signals_open(&signals, JG_SIGNAL(SIGRTMAX) | JG_SIGNAL(SIGCHLD)), 0);
    ck_assert_int_eq(raise(SIGRTMAX), 0);
    ck_assert_int_eq(jg_signals_next(&signals), SIGRTMAX);
    jg_signals_close(&signals);
    return 0;
}

// A signal that cannot be handled would be waited for in vain, or a fault run for ever.
START_TEST(some_signals_cannot_be_watched) {
    run_once(refused_body, NULL);
}
END_TEST

// The last of 64 signals would fall off the end of a set or a table.
START_TEST(the_highest_signal_can_be_watched) {
    fixture_skip_emulated("qemu-user keeps the two highest signals: raise() says EINVAL");
    run_once(highest_body, NULL);
}
END_TEST

// Several watches.

struct listening {
    jg_signals signals;
    int heard[3];
    int count;
    bool ready;
};

static intptr_t listen_all(void *arg) {
    struct listening *listening = arg;
    int number;
    listening->ready = true;
    while ((number = jg_signals_next(&listening->signals)) > 0) {
        ck_assert_int_lt(listening->count, 3);
        listening->heard[listening->count++] = number;
    }
    return number;
}

static intptr_t several_body(void *arg) {
    enum { WATCHES = 3 };
    struct listening each[WATCHES] = {{.count = 0}};
    jg_task *tasks[WATCHES];
    const jg_spawn_options at_once = {.eager = true};
    (void)arg;
    for (int i = 0; i < WATCHES; i++) {
        uint64_t set = i == 2 ? JG_SIGNAL(SIGUSR2) : both;
        ck_assert_int_eq(jg_signals_open(&each[i].signals, set), 0);
        tasks[i] = jg_spawn_with(listen_all, &each[i], &at_once);
    }
    raise(SIGUSR1);
    jg_sleep(1);
    raise(SIGUSR2);
    jg_sleep(1);
    jg_signals_close(&each[1].signals);
    ck_assert_int_eq(jg_join(tasks[1]), -EBADF);
    raise(SIGUSR1);
    jg_sleep(1);
    jg_signals_close(&each[0].signals);
    ck_assert(has_default_action(SIGUSR1) && !has_default_action(SIGUSR2));
    jg_signals_close(&each[2].signals);
    ck_assert_int_eq(jg_join(tasks[0]), -EBADF);
    ck_assert_int_eq(jg_join(tasks[2]), -EBADF);
    ck_assert_int_eq(each[0].count, 3);
    ck_assert_int_eq(each[1].count, 2);
    ck_assert_int_eq(each[2].count, 1);
    ck_assert_int_eq(each[2].heard[0], SIGUSR2);
    jg_error_clear();
    return 0;
}

// One watch would take a signal from another, or take the action back while another still watches.
START_TEST(every_watch_hears_every_signal) {
    needs_loop();
    run_once(several_body, NULL);
}
END_TEST

static intptr_t hear_one(void *arg) {
    jg_signals *signals = arg;
    return jg_signals_next(signals);
}

static intptr_t shared_body(void *arg) {
    jg_signals signals;
    const jg_spawn_options at_once = {.eager = true};
    (void)arg;
    ck_assert_int_eq(jg_signals_open(&signals, both), 0);
    jg_task *first = jg_spawn_with(hear_one, &signals, &at_once);
    jg_task *second = jg_spawn_with(hear_one, &signals, &at_once);
    jg_task *third = jg_spawn_with(hear_one, &signals, &at_once);
    raise(SIGUSR1);
    raise(SIGUSR2);
    ck_assert_int_eq(jg_join(first), SIGUSR1);
    jg_cancel(third);
    ck_assert_int_eq(jg_join(second), SIGUSR2);
    ck_assert_int_eq(jg_join(third), -ECANCELED);
    jg_signals_close(&signals);
    return 0;
}

// Of two tasks at one watch, one would wait on with a signal pending.
START_TEST(tasks_share_a_watch) {
    needs_loop();
    run_once(shared_body, NULL);
}
END_TEST

static intptr_t cancel_in_tick_body(void *arg) {
    jg_signals signals;
    const jg_spawn_options at_once = {.eager = true};
    (void)arg;
    ck_assert_int_eq(jg_signals_open(&signals, both), 0);
    jg_task *task = jg_spawn_with(hear_one, &signals, &at_once);
    raise(SIGUSR1);
    jg_cancel(task); // before the loop has looked: the signal was not taken
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    ck_assert_int_eq(jg_signals_next(&signals), SIGUSR1);
    jg_signals_close(&signals);
    return 0;
}

// A cancel in the tick of a signal would lose it.
START_TEST(s07_a_cancelled_wait_takes_no_signal) {
    needs_loop();
    run_once(cancel_in_tick_body, NULL);
}
END_TEST

// Actions.

static atomic_int handled;

static void on_signal(int number) {
    (void)number;
    handled++;
}

static intptr_t restore_body(void *arg) {
    jg_signals signals;
    (void)arg;
    struct sigaction own = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &own, NULL);
    signal(SIGUSR2, SIG_IGN);
    handled = 0;
    ck_assert_int_eq(jg_signals_open(&signals, both), 0);
    raise(SIGUSR1);
    ck_assert_int_eq(handled, 0);
    jg_signals_close(&signals); // with a signal that nobody took
    raise(SIGUSR1);
    raise(SIGUSR2);
    ck_assert_int_eq(handled, 1);

    ck_assert_int_eq(jg_signals_open(&signals, both), 0);
    signal(SIGUSR2, on_signal); // somebody else's, meanwhile
    jg_signals_close(&signals);
    raise(SIGUSR2);
    ck_assert_int_eq(handled, 2);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    return 0;
}

// The program's own handler would be gone after a watch, or one set meanwhile be overwritten.
START_TEST(the_action_of_before_comes_back) {
    run_once(restore_body, NULL);
}
END_TEST

static intptr_t fork_body(void *arg) {
    jg_signals signals;
    (void)arg;
    ck_assert_int_eq(jg_signals_open(&signals, both), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool ok = has_default_action(SIGUSR1) && has_default_action(SIGUSR2) &&
                  jg_signals_next(&signals) == -ECHILD;
        jg_signals_close(&signals);
        _exit(ok ? 0 : 1);
    }
    int status = 1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    raise(SIGUSR1); // here it is watched as before
    ck_assert_int_eq(jg_signals_next(&signals), SIGUSR1);
    jg_signals_close(&signals);
    return 0;
}

// A forked child could not be stopped by a signal that its parent watches, or would wake the parent.
START_TEST(x06_a_forked_child_has_the_actions_of_before) {
    run_once(fork_body, NULL);
}
END_TEST

static void use_elsewhere(void *arg) {
    jg_signals_next(arg);
}

static intptr_t elsewhere_body(void *arg) {
    jg_signals *signals = arg;
    use_elsewhere(signals);
    return 0;
}

static void open_then_use_in_loop(void *arg) {
    jg_signals signals;
    (void)arg;
    jg_signals_open(&signals, both);
    jg_run(elsewhere_body, &signals);
}

// A watch used in another loop would wake tasks from the wrong thread.
START_TEST(a_watch_stays_where_it_was_opened) {
    needs_loop();
    fixture_expect_abort(open_then_use_in_loop, NULL, "a watch on signals is used outside");
}
END_TEST

// Storms.

enum { STORM = 10000 / API_SLOWED, STORM_THREADS = 2 };

struct storm {
    atomic_bool over;
    pthread_t target;
};

static void *rain(void *arg) {
    struct storm *storm = arg;
    static const int numbers[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGWINCH, SIGCHLD};
    for (int i = 0; i < STORM / STORM_THREADS; i++) {
        int number = numbers[i % 5];
        if (i % 2 == 0) {
            kill(getpid(), number);
        } else {
            pthread_kill(storm->target, number);
        }
    }
    return NULL;
}

static const uint64_t storm_set = JG_SIGNAL(SIGUSR1) | JG_SIGNAL(SIGUSR2) | JG_SIGNAL(SIGHUP) |
                                  JG_SIGNAL(SIGWINCH) | JG_SIGNAL(SIGCHLD);

/* Opens and closes watches while signals pour down. */
static intptr_t come_and_go(void *arg) {
    struct storm *storm = arg;
    int heard = 0;
    while (!storm->over) {
        jg_signals signals;
        ck_assert_int_eq(jg_signals_open(&signals, storm_set), 0);
        intptr_t rc = 0;
        JG_TIMEOUT(1, rc) {
            rc = jg_signals_next(&signals);
        }
        heard += rc > 0;
        jg_signals_close(&signals);
        jg_yield();
    }
    return heard;
}

static intptr_t run_loop_of_its_own(void *arg) {
    const jg_run_options options = {.backend = "epoll"};
    return jg_run_with(come_and_go, arg, &options);
}

enum { CHILDREN = 1000 / API_SLOWED, AT_ONCE = 50 };

static intptr_t start_children(void *arg) {
    atomic_int *right = arg;
    for (int i = 0; i < CHILDREN / AT_ONCE; i++) {
        const char *argv[] = {"sh", "-c", i % 2 == 0 ? "exit 7" : "kill -9 $$", NULL};
        const jg_process_options options = {.argv = argv};
        jg_process_status status = {0};
        JG_PROCESS(process);
        ck_assert_int_eq(jg_process_spawn(&options, &process), 0);
        ck_assert_int_eq(jg_process_wait(process, &status), 0);
        *right += i % 2 == 0 ? status.exit_code == 7 : status.signal == SIGKILL;
    }
    return 0;
}

static intptr_t storm_body(void *arg) {
    struct storm storm = {.target = pthread_self()};
    pthread_t threads[STORM_THREADS];
    atomic_int right = 0;
    jg_signals signals;
    jg_worker *other;
    (void)arg;
    ck_assert_int_eq(jg_signals_open(&signals, storm_set), 0); // keeps the storm from killing us
    ck_assert_int_eq(jg_worker_start(JG_WORKER_THREAD, run_loop_of_its_own, &storm, NULL, &other),
                     0);
    for (int i = 0; i < STORM_THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, rain, &storm), 0);
    }
    JG_GROUP(group) {
        for (int i = 0; i < AT_ONCE; i++) {
            ck_assert_int_eq(jg_group_spawn(group, start_children, &right), 0);
        }
    }
    for (int i = 0; i < STORM_THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    storm.over = true;
    ck_assert_int_ge(jg_worker_join(other), 0);
    ck_assert_int_gt(jg_signals_next(&signals), 0);
    jg_signals_close(&signals);
    ck_assert_int_eq(right, CHILDREN / AT_ONCE * AT_ONCE);
    return 0;
}

// In a storm of signals a child's end would be lost, told twice, or a watch be used after its end.
START_TEST(r21_ten_thousand_signals_and_a_thousand_children) {
    needs_loop();
    run_once(storm_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/signal", signals_are_taken_one_by_one, a_signal_wakes_who_waits,
             one_signal_is_waited_for_in_one_call, a_wait_for_a_signal_has_a_limit,
             some_signals_cannot_be_watched, the_highest_signal_can_be_watched,
             every_watch_hears_every_signal, tasks_share_a_watch,
             s07_a_cancelled_wait_takes_no_signal, the_action_of_before_comes_back,
             x06_a_forked_child_has_the_actions_of_before, a_watch_stays_where_it_was_opened,
             r21_ten_thousand_signals_and_a_thousand_children)
