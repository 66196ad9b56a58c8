// SPDX-License-Identifier: MIT
/* test_board.c – tickets, gates and results shared by processes.
 *
 * Holds      workers as processes that meet on a board.
 * Invariant  none.
 * Called by  the test runner.
 * Why        if a request can be lost or counted twice here, no report is true.
 * Quirks     none.
 */
#include "fixtures/fixture.h"

#include "cli/board.h"
#include "cli/interrupt.h"
#include "cli/work.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 8, REQUESTS = 20000 };

static struct board *board;

static pid_t start(void (*body)(void)) {
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        body();
        _exit(0);
    }
    return pid;
}

static void join(pid_t pid) {
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static uint64_t total(void) {
    return board->ok + board->failed_total + board->in_flight;
}

static void take_all(void) {
    board_raise(&board->arrived, WORKERS);
    board_await(&board->go, 1, -1);
    for (uint64_t i = 0; board_take(board, REQUESTS); i++) {
        if (i % 10 == 0) {
            board_fail(board, BOARD_TIMEOUT);
        } else {
            board_succeed(board, i, 7);
        }
    }
}

// Every request must be made exactly once, by whichever worker.
START_TEST(tickets_are_taken_once) {
    pid_t workers[WORKERS];
    board = board_open();
    ck_assert_ptr_nonnull(board);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = start(take_all);
    }
    ck_assert(board_await(&board->arrived, WORKERS, 4000));
    board_ready(board);
    board_go(board);
    for (int i = 0; i < WORKERS; i++) {
        join(workers[i]);
    }
    board_end(board);
    ck_assert_uint_eq(board->ok + board->failed_total, REQUESTS);
    ck_assert_uint_eq(board->failed[BOARD_TIMEOUT], board->failed_total);
    ck_assert_uint_eq(board->in_flight, 0);
    ck_assert_uint_ge(board->in_flight_peak, 1);
    ck_assert_uint_le(board->in_flight_peak, WORKERS);
    ck_assert_uint_eq(board->bytes, 7 * board->ok);
    ck_assert_uint_eq(hist_count(&board->latency), board->ok);
    ck_assert_int_le(board->ready_ns, board->go_ns);
    ck_assert_int_lt(board->go_ns, board->end_ns);
    board_close(board);
}
END_TEST

static void take_and_hang(void) {
    for (int i = 0; i < 3; i++) {
        ck_assert(board_take(board, REQUESTS));
    }
    board_raise(&board->arrived, 1);
    for (;;) {
        pause();
    }
}

// What a killed worker had in flight must stay visible, so that issued = ok + failed + aborted.
START_TEST(killed_worker_leaves_its_requests_in_flight) {
    board = board_open();
    pid_t pid = start(take_and_hang);
    ck_assert(board_await(&board->arrived, 1, 4000));
    kill(pid, SIGKILL);
    join(pid);
    ck_assert_uint_eq(board->in_flight, 3);
    ck_assert_uint_eq(total(), board->tickets);
    board_close(board);
}
END_TEST

static void wait_at_go(void) {
    board_raise(&board->arrived, 1);
    board_await(&board->go, 1, -1);
    _exit(board_take(board, REQUESTS) ? 1 : 0);
}

static void wait_at_release(void) {
    board_raise(&board->arrived, 1);
    board_await(&board->release, 1, -1);
}

// ^C must free whoever waits at a gate, and let nobody begin another request.
START_TEST(stop_opens_the_gates) {
    int status = 1;
    board = board_open();
    pid_t at_go = start(wait_at_go);
    pid_t at_release = start(wait_at_release);
    ck_assert(board_await(&board->arrived, 2, 4000));
    board_stop(board);
    ck_assert_int_eq(waitpid(at_go, &status, 0), at_go);
    ck_assert_int_eq(status, 0);
    join(at_release);
    ck_assert(!board_take(board, REQUESTS));
    ck_assert_uint_eq(board->tickets, 0);
    board_close(board);
}
END_TEST

// A leader whose worker died before arriving must get control back.
START_TEST(await_gives_up_in_time) {
    board = board_open();
    ck_assert(!board_await(&board->arrived, 1, 0));
    ck_assert(!board_await(&board->arrived, 1, 20));
    board_raise(&board->arrived, 1);
    ck_assert(board_await(&board->arrived, 1, 0));
    board_close(board);
}
END_TEST

static void explain_self(void) {
    for (int i = 0; i < 1000; i++) {
        board_explain(board, getpid() % BOARD_CAUSES, "%d: %0100d", (int)getpid(), (int)getpid());
    }
}

// The first failure is quoted in the report; a torn mixture of two would mislead.
START_TEST(first_explanation_wins_whole) {
    pid_t workers[WORKERS];
    char expected[BOARD_TEXT_SIZE];
    board = board_open();
    ck_assert_str_eq(board_explanation(board), "");
    ck_assert_int_eq(board_explained_cause(board), BOARD_CAUSES);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = start(explain_self);
    }
    for (int i = 0; i < WORKERS; i++) {
        join(workers[i]);
    }
    int pid = atoi(board_explanation(board));
    snprintf(expected, sizeof(expected), "%d: %0100d", pid, pid);
    ck_assert_str_eq(board_explanation(board), expected);
    ck_assert_int_eq(board_explained_cause(board), pid % BOARD_CAUSES);
    board_close(board);
}
END_TEST

// A cause without words would print "(null)".
START_TEST(causes_have_words) {
    for (enum board_cause cause = 0; cause < BOARD_CAUSES; cause++) {
        ck_assert_ptr_nonnull(board_cause_text(cause));
        ck_assert_ptr_nonnull(board_cause_key(cause));
    }
}
END_TEST

// A signal must be seen whenever it comes, before or during the wait, and be counted.
START_TEST(interrupts_are_events) {
    signal(SIGINT, SIG_DFL); // a shell that runs us in the background may have it ignored
    interrupt_begin();
    ck_assert_int_eq(interrupt_wait(0), 0);
    ck_assert_int_eq(interrupt_signal(), 0);
    raise(SIGTERM);
    ck_assert_int_eq(interrupt_wait(0), SIGTERM);
    raise(SIGINT);
    ck_assert_int_eq(interrupt_wait(1000), SIGINT);
    ck_assert_uint_eq(interrupt_count(), 2);
    ck_assert_int_eq(interrupt_signal(), SIGTERM);
    pid_t pid = start(interrupt_end);
    ck_assert_int_eq(interrupt_wait(4000), SIGCHLD);
    ck_assert_uint_eq(interrupt_count(), 2);
    join(pid);
    interrupt_end();
}
END_TEST

// Whoever runs the command with a signal ignored wants it to go on; its children, too.
START_TEST(ignored_signals_stay_ignored) {
    signal(SIGINT, SIG_IGN);
    interrupt_begin();
    raise(SIGINT);
    ck_assert_int_eq(interrupt_wait(0), 0);
    raise(SIGTERM);
    ck_assert_int_eq(interrupt_wait(0), SIGTERM);
    ck_assert_uint_eq(interrupt_count(), 1);
    interrupt_end();
    raise(SIGINT); // would kill
}
END_TEST

static void die_by_interrupt(void) {
    interrupt_end();
    raise(SIGINT);
}

// A child that inherited blocked signals could not be stopped by anybody.
START_TEST(children_can_be_interrupted) {
    int status = 0;
    signal(SIGINT, SIG_DFL);
    interrupt_begin();
    pid_t pid = start(die_by_interrupt);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    interrupt_end();
}
END_TEST

// Twice the work must be twice the steps, whatever the machine's speed is.
START_TEST(work_is_proportional) {
    struct work one = work_for(1000000);
    struct work ten = work_for(10000000);
    ck_assert_uint_gt(one.steps, 0);
    ck_assert_uint_ge(ten.steps, 5 * one.steps);
    ck_assert_uint_eq(work_for(0).steps, 0);
    ck_assert_uint_eq(work_do(ten.steps), ten.result);
    ck_assert_uint_ne(work_do(ten.steps - 1), ten.result);
}
END_TEST

FIXTURE_MAIN("cli/board", tickets_are_taken_once, killed_worker_leaves_its_requests_in_flight,
             stop_opens_the_gates, await_gives_up_in_time, first_explanation_wins_whole,
             causes_have_words, interrupts_are_events, ignored_signals_stay_ignored,
             children_can_be_interrupted, work_is_proportional)
