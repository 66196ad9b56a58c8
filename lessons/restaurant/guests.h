// SPDX-License-Identifier: MIT
/* guests.h – who comes, and how long each of their wishes takes.
 *
 * Holds      the parties of one evening, the same in every restaurant.
 * Called by  03_restaurant.c.
 */
#ifndef GUESTS_H
#define GUESTS_H

#include "board.h"

enum { GUESTS_PARTIES = 12 }; // per table; more than an evening can hold

/* One party; times in minutes. */
struct party {
    unsigned guests;
    int64_t comes_after; // the last one has left
    int64_t orders;
    int64_t cooks;
    int64_t is_served;
    int64_t eats;
    int64_t pays;
};

/* Draws all parties; --seed decides. */
void guests_draw(void);

/* Returns the index-th party that comes to a table. */
const struct party *guests_at(int table, int index);

#endif
