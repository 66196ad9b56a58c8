// SPDX-License-Identifier: MIT
/* board.c – see board.h.
 *
 * Holds      the operations on a board.
 * Invariant  see board.h.
 * Called by  see board.h.
 * Why        futexes, as pthread barriers and condition variables cannot tell that a process that
 *            was to come has died.
 * Quirks     a count that somebody died without raising never wakes its waiter: leaders wait in
 *            short pieces and look for dead workers in between.
 */
#include "board.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

const char *board_cause_text(enum board_cause cause) {
    static const char *const texts[BOARD_CAUSES] = {
        [BOARD_CONNECT] = "could not connect",
        [BOARD_CLOSED] = "connection closed before the answer was complete",
        [BOARD_TIMEOUT] = "no complete answer in time",
        [BOARD_PROTOCOL] = "answer is not valid HTTP",
        [BOARD_SIZE] = "answer larger than the client takes",
        [BOARD_STATUS] = "status other than 2xx",
        [BOARD_LENGTH] = "body of another length than expected",
        [BOARD_LOCAL] = "this machine ran out of descriptors, ports or memory",
        [BOARD_OTHER] = "other errors",
    };
    return texts[cause];
}

const char *board_cause_key(enum board_cause cause) {
    static const char *const keys[BOARD_CAUSES] = {
        [BOARD_CONNECT] = "connect",   [BOARD_CLOSED] = "closed", [BOARD_TIMEOUT] = "timeout",
        [BOARD_PROTOCOL] = "protocol", [BOARD_SIZE] = "size",     [BOARD_STATUS] = "status",
        [BOARD_LENGTH] = "length",     [BOARD_LOCAL] = "local",   [BOARD_OTHER] = "other",
    };
    return keys[cause];
}

struct board *board_open(void) {
    void *memory = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void board_close(struct board *board) {
    munmap(board, sizeof(*board));
}

int64_t board_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void board_raise(_Atomic uint32_t *word, uint32_t wake_at) {
    if (atomic_fetch_add(word, 1) + 1 >= wake_at) {
        syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
}

bool board_await(_Atomic uint32_t *word, uint32_t least, int limit_ms) {
    const int64_t end_ns = board_now_ns() + limit_ms * INT64_C(1000000);
    uint32_t seen = atomic_load(word);
    while (seen < least) {
        int64_t left_ns = end_ns - board_now_ns();
        if (limit_ms >= 0 && left_ns <= 0) {
            return false;
        }
        const struct timespec limit = {
            .tv_sec = left_ns / 1000000000,
            .tv_nsec = left_ns % 1000000000,
        };
        syscall(SYS_futex, word, FUTEX_WAIT, seen, limit_ms < 0 ? NULL : &limit, NULL, 0);
        seen = atomic_load(word);
    }
    return true;
}

void board_stop(struct board *board) {
    atomic_store(&board->stop, 1);
    board_raise(&board->go, 1);
    board_raise(&board->release, 1);
}

static void raise_to(_Atomic uint64_t *mark, uint64_t value) {
    uint64_t seen = atomic_load(mark);
    while (seen < value && !atomic_compare_exchange_weak(mark, &seen, value)) {}
}

bool board_take(struct board *board, uint64_t requests) {
    if (atomic_load(&board->stop) != 0 || atomic_fetch_add(&board->tickets, 1) >= requests) {
        return false;
    }
    raise_to(&board->in_flight_peak, atomic_fetch_add(&board->in_flight, 1) + 1);
    return true;
}

void board_succeed(struct board *board, uint64_t latency_ns, uint64_t body_bytes) {
    hist_record(&board->latency, latency_ns);
    atomic_fetch_add(&board->bytes, body_bytes);
    atomic_fetch_add(&board->ok, 1);
    atomic_fetch_sub(&board->in_flight, 1);
}

void board_fail(struct board *board, enum board_cause cause) {
    atomic_fetch_add(&board->failed[cause], 1);
    atomic_fetch_add(&board->failed_total, 1);
    atomic_fetch_sub(&board->in_flight, 1);
}

static void explain(struct board *board, enum board_cause cause, const char *format,
                    va_list arguments) {
    if (atomic_exchange(&board->failure_claimed, 1) != 0) {
        return;
    }
    vsnprintf(board->failure, sizeof(board->failure), format, arguments);
    board->failure_cause = cause;
    atomic_store(&board->failure_written, 1);
}

void board_explain(struct board *board, enum board_cause cause, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    explain(board, cause, format, arguments);
    va_end(arguments);
}

void board_give_up(struct board *board, int error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    explain(board, BOARD_CAUSES, format, arguments);
    va_end(arguments);
    atomic_store(&board->error, error);
    board_stop(board);
}

const char *board_explanation(const struct board *board) {
    return atomic_load(&board->failure_written) != 0 ? board->failure : "";
}

enum board_cause board_explained_cause(const struct board *board) {
    return atomic_load(&board->failure_written) != 0 ? board->failure_cause : BOARD_CAUSES;
}

void board_ready(struct board *board) {
    atomic_store(&board->ready_ns, board_now_ns());
}

void board_go(struct board *board) {
    cost_add_thread(&board->until_go);
    atomic_store(&board->go_ns, board_now_ns());
    board_raise(&board->go, 1);
}

void board_end(struct board *board) {
    atomic_store(&board->end_ns, board_now_ns());
}
