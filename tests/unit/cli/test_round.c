// SPDX-License-Identifier: MIT
/* test_round.c – a round seen from outside, with models made for the test.
 *
 * Holds      models that behave well, die, hang, leave children behind.
 * Invariant  none.
 * Called by  the test runner.
 * Why        whatever a measured child does, the report must come out, and nothing may be left.
 * Quirks     none.
 */
#include "fixtures/fixture.h"

#include "cli/interrupt.h"
#include "cli/round.h"
#include "cli/worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct hist latency;
static struct hist late;
static struct round_figures figures;
static struct progress quiet;

static void run_round(int (*run)(const struct model_plan *, struct board *), uint64_t requests,
                      bool hold) {
    const struct model model = {.name = "made-up", .run = run};
    const struct model_plan plan = {.requests = requests, .concurrency = 1, .hold = hold};
    const struct round_setup setup = {
        .model = &model, .plan = &plan, .progress = &quiet, .label = "test"};
    signal(SIGINT, SIG_DFL); // a shell that runs us in the background may have it ignored
    interrupt_begin();
    ck_assert_int_eq(round_run(&setup, &latency, &late, &figures), 0);
    interrupt_end();
}

static void check_balance(void) {
    ck_assert_uint_eq(figures.issued, figures.ok + figures.failed_total + figures.aborted);
}

/* Makes all requests of the plan: every fourth fails, the others take 5 ms each on paper. */
static void make_requests(const struct model_plan *plan, struct board *board) {
    for (uint64_t i = 0; board_take(board, plan->requests); i++) {
        if (i % 4 == 3) {
            board_explain(board, BOARD_STATUS, "number %d", (int)i);
            board_fail(board, BOARD_STATUS);
        } else {
            board_succeed(board, 5000000, 10);
        }
    }
}

static int behave(const struct model_plan *plan, struct board *board) {
    board_raise(&board->arrived, 1);
    board_ready(board);
    board_go(board);
    make_requests(plan, board);
    board_end(board);
    return 0;
}

// The plain case: every figure of the board reaches the report.
START_TEST(figures_come_out) {
    run_round(behave, 100, false);
    ck_assert(figures.complete);
    ck_assert_int_eq(figures.error, 0);
    ck_assert_uint_eq(figures.ok, 75);
    ck_assert_uint_eq(figures.failed[BOARD_STATUS], 25);
    ck_assert_uint_eq(figures.failed_total, 25);
    ck_assert_uint_eq(figures.aborted, 0);
    ck_assert_uint_eq(figures.bytes, 750);
    ck_assert_uint_eq(figures.workers, 1);
    ck_assert_str_eq(figures.text, "number 3");
    ck_assert_int_eq(figures.text_cause, BOARD_STATUS);
    ck_assert_uint_gt(figures.wall_ns, 0);
    ck_assert_uint_gt(figures.create_ns, 0);
    ck_assert(!figures.memory_known);
    ck_assert_uint_eq(hist_count(&latency), 75);
    ck_assert_uint_eq(hist_max(&latency), 5000000);
    check_balance();
}
END_TEST

static int hold_memory(const struct model_plan *plan, struct board *board) {
    enum { SIZE = 8 << 20 };
    board_ready(board);
    board_go(board);
    char *block = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(block, 1, SIZE);
    board_raise(&board->plateau, 1);
    board_await(&board->release, 1, -1);
    munmap(block, SIZE);
    return behave(plan, board);
}

// Memory is read while the workers hold, not before and not after.
START_TEST(memory_is_read_at_the_plateau) {
    run_round(hold_memory, 1, true);
    ck_assert(figures.complete);
    ck_assert(figures.memory_known);
    ck_assert_uint_eq(figures.memory.processes, 1);
    ck_assert_uint_ge(figures.memory.pss_bytes, 8 << 20);
}
END_TEST

static int die(const struct model_plan *plan, struct board *board) {
    (void)plan;
    board_ready(board);
    board_go(board);
    board_take(board, 10);
    board_succeed(board, 1, 1);
    board_take(board, 10);
    raise(SIGKILL);
    return 0;
}

// A killed leader takes no result with it, and what it had in flight is counted as aborted.
START_TEST(killed_leader_is_reported) {
    run_round(die, 10, false);
    ck_assert(!figures.complete);
    ck_assert_uint_eq(figures.ok, 1);
    ck_assert_uint_eq(figures.aborted, 1);
    ck_assert_str_eq(figures.text, "the made-up model ended by signal 9");
    ck_assert_uint_gt(figures.wall_ns, 0);
    check_balance();
}
END_TEST

/* A process of 20 ms of CPU time, that then waits for ever. */
static void compute_and_wait(struct board *board) {
    struct cost_usage used = {.cpu_user_ns = 0};
    while (used.cpu_user_ns + used.cpu_sys_ns < 20000000) {
        work_do(1000);
        cost_of_thread(&used);
    }
    board_raise(&board->held, 3);
    for (;;) {
        pause();
    }
}

static int die_before_workers(const struct model_plan *plan, struct board *board) {
    board_ready(board);
    board_go(board);
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            compute_and_wait(board);
        }
    }
    board_await(&board->held, 3, -1);
    return die(plan, board);
}

// Workers whose leader was killed cost what they cost: without them the report would say nothing.
START_TEST(orphans_are_paid_for) {
    run_round(die_before_workers, 10, false);
    ck_assert(!figures.complete);
    ck_assert_uint_ge(figures.run.cpu_user_ns + figures.run.cpu_sys_ns, 60000000);
}
END_TEST

static int die_before_go(const struct model_plan *plan, struct board *board) {
    (void)plan;
    board_ready(board);
    raise(SIGKILL);
    return 0;
}

// What ended before it began took no time that could be told.
START_TEST(no_figures_without_a_go) {
    run_round(die_before_go, 10, false);
    ck_assert_uint_eq(figures.create_ns, 0);
    ck_assert_uint_eq(figures.wall_ns, 0);
    ck_assert_uint_eq(figures.run.cpu_user_ns + figures.run.cpu_sys_ns, 0);
}
END_TEST

static void pass_go(const struct worker *worker) {
    board_ready(worker->board);
    board_go(worker->board);
}

static int compute(const struct model_plan *plan, struct board *board) {
    const struct model_plan computing = {
        .requests = plan->requests,
        .concurrency = 1,
        .work = MODEL_WORK_CPU,
        .computing = {.steps = 10, .result = work_do(plan->requests == 3 ? 10 : 9)},
    };
    struct worker worker = {.plan = &computing, .board = board, .await_go = pass_go};
    worker_run(&worker);
    board_end(board);
    return 0;
}

// A model that did not do its computing must not look quick.
START_TEST(wrong_results_are_failures) {
    run_round(compute, 3, false);
    ck_assert_uint_eq(figures.ok, 3);
    run_round(compute, 4, false);
    ck_assert_uint_eq(figures.ok, 0);
    ck_assert_uint_eq(figures.failed[BOARD_OTHER], 4);
    ck_assert_str_eq(figures.text, "the computing came to another result");
    check_balance();
}
END_TEST

static int refuse(const struct model_plan *plan, struct board *board) {
    (void)plan;
    board_explain(board, BOARD_CAUSES, "only 0 of 1 could be started");
    return -EAGAIN;
}

// A model that cannot be set up must be told from one that failed.
START_TEST(refusal_is_an_error) {
    run_round(refuse, 10, false);
    ck_assert_int_eq(figures.error, -EAGAIN);
    ck_assert(!figures.complete);
    ck_assert_uint_eq(figures.wall_ns, 0);
    ck_assert_str_eq(figures.text, "only 0 of 1 could be started");
}
END_TEST

static int store_error(const struct model_plan *plan, struct board *board) {
    board_ready(board);
    board_go(board);
    board_explain(board, BOARD_CAUSES, "only 62 of %u could be started", (unsigned)plan->requests);
    atomic_store(&board->error, -EAGAIN);
    board_end(board);
    return 0;
}

// What a worker stored must survive a leader that ended well, or a hopeless race goes on and on.
START_TEST(stored_error_is_kept) {
    run_round(store_error, 500, false);
    ck_assert_int_eq(figures.error, -EAGAIN);
    ck_assert_str_eq(figures.text, "only 62 of 500 could be started");
}
END_TEST

static int interrupt_parent(const struct model_plan *plan, struct board *board) {
    board_ready(board);
    board_go(board);
    make_requests(plan, board);
    kill(getppid(), SIGINT);
    while (atomic_load(&board->stop) == 0) {
        sched_yield();
    }
    board_end(board);
    return 0;
}

// ^C once: the round is asked to stop, and what it did until then is reported.
START_TEST(interrupt_stops_gently) {
    run_round(interrupt_parent, 8, false);
    ck_assert_int_eq(interrupt_signal(), SIGINT);
    ck_assert(figures.complete);
    ck_assert_uint_eq(figures.ok, 6);
}
END_TEST

static int ignore_stop(const struct model_plan *plan, struct board *board) {
    board_ready(board);
    board_go(board);
    make_requests(plan, board);
    board_take(board, UINT64_MAX);
    kill(getppid(), SIGTERM);
    while (pause() != 0) {}
    return 0;
}

// A round that does not stop when asked must not keep the user waiting: half a second at most.
START_TEST(interrupt_kills_what_does_not_stop) {
    int64_t begin_ns = board_now_ns();
    run_round(ignore_stop, 8, false);
    ck_assert_int_le(board_now_ns() - begin_ns, 1500000000);
    ck_assert_int_eq(interrupt_signal(), SIGTERM);
    ck_assert(!figures.complete);
    ck_assert_uint_eq(figures.ok, 6);
    ck_assert_uint_eq(figures.aborted, 1);
    ck_assert_str_eq(figures.text, "number 3");
    check_balance();
}
END_TEST

static int leave_children(const struct model_plan *plan, struct board *board) {
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            board_raise(&board->arrived, 3);
            for (;;) {
                pause();
            }
        }
    }
    board_await(&board->arrived, 3, -1);
    board_take(board, plan->requests);
    board_succeed(board, (uint64_t)getpid(), 0);
    return 0;
}

// A leader that leaves children behind must not leave them to the user.
START_TEST(no_process_is_left) {
    struct cost_memory memory;
    run_round(leave_children, 1, false);
    pid_t group = (pid_t)hist_max(&latency);
    ck_assert_int_gt(group, 0);
    ck_assert_int_eq(cost_memory_of_group(group, &memory), -ESRCH);
}
END_TEST

static int count_cores(const struct model_plan *plan, struct board *board) {
    cpu_set_t set;
    sched_getaffinity(0, sizeof(set), &set);
    board_ready(board);
    board_go(board);
    board_take(board, plan->requests);
    board_succeed(board, (uint64_t)CPU_COUNT(&set), 0);
    board_end(board);
    return 0;
}

// --cores 1 must really keep the client on one core.
START_TEST(cores_are_limited) {
    const struct model model = {.name = "made-up", .run = count_cores};
    const struct model_plan plan = {.requests = 1, .concurrency = 1};
    const struct round_setup setup = {
        .model = &model, .plan = &plan, .cores = 1, .progress = &quiet, .label = "test"};
    ck_assert_int_eq(round_run(&setup, &latency, &late, &figures), 0);
    ck_assert_uint_eq(hist_max(&latency), 1);
}
END_TEST

static int check_signals(const struct model_plan *plan, struct board *board) {
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    bool is_own_group = getpgrp() == getpid();
    bool is_open = !sigismember(&set, SIGINT) && !sigismember(&set, SIGTERM);
    board_take(board, plan->requests);
    board_succeed(board, is_own_group && is_open, 0);
    return 0;
}

// A ^C of the terminal must reach the parent only; a kill must reach the child.
START_TEST(child_has_its_own_group_and_signals) {
    run_round(check_signals, 1, false);
    ck_assert_uint_eq(hist_max(&latency), 1);
}
END_TEST

FIXTURE_MAIN("cli/round", figures_come_out, memory_is_read_at_the_plateau,
             killed_leader_is_reported, orphans_are_paid_for, no_figures_without_a_go,
             wrong_results_are_failures, refusal_is_an_error, stored_error_is_kept,
             interrupt_stops_gently, interrupt_kills_what_does_not_stop, no_process_is_left,
             cores_are_limited, child_has_its_own_group_and_signals)
