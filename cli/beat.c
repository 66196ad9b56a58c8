// SPDX-License-Identifier: MIT
/* beat.c – see beat.h.
 *
 * Holds      nothing.
 * Invariant  see beat.h.
 * Called by  see beat.h; preflight.c asks whether priorities may be had.
 * Why        see beat.h.
 * Quirks     what the thread starts after it got its priority does not inherit it.
 */
#include "beat.h"

#include "worker.h"

#include <juggle.h>

#include <errno.h>
#include <sched.h>
#include <string.h>

enum { PRIORITY = 1 }; /* the lowest real-time priority is above all others */

int beat_may_be_realtime(void) {
    const struct sched_param wanted = {.sched_priority = PRIORITY};
    const struct sched_param usual = {.sched_priority = 0};
    if (sched_setscheduler(0, SCHED_FIFO, &wanted) < 0) {
        return -errno;
    }
    return sched_setscheduler(0, SCHED_OTHER, &usual) < 0 ? -errno : 0;
}

static int become_realtime(struct board *board) {
    const struct sched_param wanted = {.sched_priority = PRIORITY};
    if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &wanted) == 0) {
        return 0;
    }
    int error = -errno;
    board_give_up(board, error, "no real-time priority: %s", strerror(-error));
    return error;
}

intptr_t beat_run(void *arg) {
    const struct worker *worker = arg;
    struct board *board = worker->board;
    const int64_t every_ns = (int64_t)worker->plan->beat_ns;
    if (worker->plan->beat_realtime && become_realtime(board) < 0) {
        return 0;
    }
    int64_t due_ns = board_now_ns() + every_ns;
    for (bool goes_on = true; goes_on;) {
        // Cancelled, it may have waited for its turn until the very end: that counts, too.
        goes_on = jg_sleep_until(due_ns) == 0 && atomic_load(&board->beat_over) == 0;
        int64_t now_ns = board_now_ns();
        for (; due_ns <= now_ns; due_ns += every_ns) {
            hist_record(&board->late, (uint64_t)(now_ns - due_ns));
        }
    }
    return 0;
}
