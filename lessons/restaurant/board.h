// SPDX-License-Identifier: MIT
/* board.h – what went on at each table of some restaurants, minute by minute, and its pictures.
 *
 * Holds      one record per restaurant and the figures of its evening.
 * Invariant  a minute is one second of the virtual clock.
 * Called by  03_restaurant.c.
 * Why        the evening is played in no time and recorded; what is shown is the record, so the picture
 *            can be animated at any pace, or printed whole.
 */
#ifndef BOARD_H
#define BOARD_H

#include "../common/lesson.h"

enum {
    BOARD_TABLES = 5,
    BOARD_EVENING = 240, // minutes
    BOARD_MINUTE_MS = 1000,
    BOARD_EVENING_MS = BOARD_EVENING * BOARD_MINUTE_MS,
    BOARD_WAGE = 15, // an hour of a waiter
};

/* What a table is doing. */
enum board_state {
    BOARD_EMPTY,
    BOARD_WAITS,   // for a waiter
    BOARD_WAITER,  // a waiter works there
    BOARD_KITCHEN, // waits for the kitchen
    BOARD_EATS,
};

struct board {
    const char *name;
    unsigned waiters;
    int64_t began_ms;
    unsigned char minutes[BOARD_TABLES][BOARD_EVENING]; // enum board_state
    unsigned served[BOARD_EVENING];                     // guests who have paid, up to that minute
    unsigned parties;                                   // that were seated
};

/* Begins an evening. */
void board_open(struct board *board, const char *name, unsigned waiters);

/* Records what a table does from now on. */
void board_set(struct board *board, int table, enum board_state state);

/* Records that a party was seated, if it was. */
void board_seat(struct board *board, bool seated);

/* Records that guests have paid. */
void board_pay(struct board *board, unsigned guests);

/* Shows the evenings: as a film where standard output is a terminal that is large enough, else as
 * timelines; then the figures. Returns 0. */
int board_show(const struct board *boards, size_t count);

#endif
