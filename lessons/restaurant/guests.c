// SPDX-License-Identifier: MIT
/* guests.c – see guests.h. */
#include "guests.h"

static struct party parties[BOARD_TABLES][GUESTS_PARTIES];

static struct party draw(void) {
    return (struct party){.guests = (unsigned)lesson_random(1, 4),
                          .comes_after = lesson_random(1, 6),
                          .orders = lesson_random(1, 3),
                          .cooks = lesson_random(8, 20),
                          .is_served = lesson_random(1, 2),
                          .eats = lesson_random(15, 30),
                          .pays = lesson_random(1, 2)};
}

void guests_draw(void) {
    for (int table = 0; table < BOARD_TABLES; table++) {
        for (int i = 0; i < GUESTS_PARTIES; i++) {
            parties[table][i] = draw();
        }
    }
}

const struct party *guests_at(int table, int index) {
    return &parties[table][index];
}
