// SPDX-License-Identifier: MIT
/* 03_restaurant.c – an evening with one waiter for all tables, one per table, and one who stays.
 *
 * Watch the figures: who minds all tables serves about as many as five waiters, for a fifth of their wages,
 * as guests mostly wait for the kitchen, or eat. A thread that blocks is the waiter who stays.
 */
#include "restaurant/guests.h"

struct table {
    struct board *board; // where we note what goes on
    int number;
    jg_sem *waiters;
    bool stays; // a waiter who has come stays until the table has paid
    bool has_waiter;
};

static int spend(struct table *table, enum board_state state, int64_t minutes) {
    board_set(table->board, table->number, state);
    return jg_sleep(minutes * BOARD_MINUTE_MS);
}

static int need_waiter(struct table *table, int64_t minutes, bool leaves) {
    if (!table->has_waiter) {
        board_set(table->board, table->number, BOARD_WAITS);
        table->has_waiter = jg_sem_acquire(table->waiters) == 0; // first come, first served
    }
    int rc = spend(table, BOARD_WAITER, minutes);
    if (leaves && table->has_waiter) {
        table->has_waiter = jg_sem_release(table->waiters) != 0;
    }
    return rc;
}

static intptr_t serve_table(void *arg) {
    struct table *table = arg;
    int rc = 0;
    for (int i = 0; i < GUESTS_PARTIES && rc == 0; i++) {
        const struct party *party = guests_at(table->number, i);
        rc = spend(table, BOARD_EMPTY, party->comes_after);
        board_seat(table->board, rc == 0);
        rc = rc < 0 ? rc : need_waiter(table, party->orders, !table->stays);
        rc = rc < 0 ? rc : spend(table, BOARD_KITCHEN, party->cooks);
        rc = rc < 0 ? rc : need_waiter(table, party->is_served, !table->stays);
        rc = rc < 0 ? rc : spend(table, BOARD_EATS, party->eats);
        rc = rc < 0 ? rc : need_waiter(table, party->pays, true);
        board_pay(table->board, rc == 0 ? party->guests : 0);
    }
    return rc;
}

static intptr_t play(struct board *board, const char *name, unsigned count, bool stays) {
    struct table tables[BOARD_TABLES];
    jg_sem waiters;
    intptr_t rc = 0;
    jg_sem_init(&waiters, count);
    board_open(board, name, count);
    JG_TIMEOUT(BOARD_EVENING_MS, rc) { // then the house closes
        JG_GROUP(group, rc) {
            for (int i = 0; i < BOARD_TABLES; i++) {
                tables[i] = (struct table){board, i, &waiters, stays, false};
                jg_group_spawn(group, serve_table, &tables[i]);
            }
        }
    }
    return rc == -ETIMEDOUT ? 0 : rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    static struct board boards[3];
    guests_draw();
    intptr_t rc = play(&boards[0], "one waiter minds all tables", 1, false);
    rc = rc < 0 ? rc : play(&boards[1], "a waiter for each table", BOARD_TABLES, false);
    rc = rc < 0 ? rc : play(&boards[2], "one waiter, who stays at a table", 1, true);
    return rc < 0 ? rc : board_show(boards, 3);
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_VIRTUAL | LESSON_RANDOM);
}
