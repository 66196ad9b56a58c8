// SPDX-License-Identifier: MIT
/* board.c – see board.h. */
#include "board.h"

#include "picture.h"

#include <string.h>

/* The minute of the evening, kept within it. */
static size_t minute_now(const struct board *board) {
    int64_t minute = (lesson_ms() - board->began_ms) / BOARD_MINUTE_MS;
    return minute < BOARD_EVENING ? (size_t)minute : BOARD_EVENING;
}

void board_open(struct board *board, const char *name, unsigned waiters) {
    *board = (struct board){.name = name, .waiters = waiters, .began_ms = lesson_ms()};
}

void board_set(struct board *board, int table, enum board_state state) {
    size_t from = minute_now(board);
    memset(&board->minutes[table][from], (int)state, BOARD_EVENING - from);
}

void board_seat(struct board *board, bool seated) {
    board->parties += seated;
}

void board_pay(struct board *board, unsigned guests) {
    for (size_t minute = minute_now(board); minute < BOARD_EVENING; minute++) {
        board->served[minute] += guests;
    }
}

static unsigned count_minutes(const struct board *board, enum board_state state) {
    unsigned count = 0;
    for (int table = 0; table < BOARD_TABLES; table++) {
        for (int minute = 0; minute < BOARD_EVENING; minute++) {
            count += board->minutes[table][minute] == state;
        }
    }
    return count;
}

static void print_figures(const struct board *board) {
    unsigned served = board->served[BOARD_EVENING - 1];
    unsigned paid_for = board->waiters * BOARD_EVENING;
    double wages = (double)paid_for / 60 * BOARD_WAGE;
    printf("%-32s %6u %6.1f min %7.0f %% %6.0f %9.2f\n", board->name, served,
           (double)count_minutes(board, BOARD_WAITS) / board->parties,
           100.0 - 100.0 * count_minutes(board, BOARD_WAITER) / paid_for, wages,
           served > 0 ? wages / served : wages);
}

int board_show(const struct board *boards, size_t count) {
    picture_show(boards, count);
    printf("\n%-32s %6s %10s %9s %6s %9s\n", "", "guests", "waiting", "waiters", "", "wages");
    printf("%-32s %6s %10s %9s %6s %9s\n", "", "served", "per party", "idle", "wages", "per guest");
    for (size_t i = 0; i < count; i++) {
        print_figures(&boards[i]);
    }
    return 0;
}
