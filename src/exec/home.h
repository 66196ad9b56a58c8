// SPDX-License-Identifier: MIT
/* home.h – the loop a piece of work comes back to from another thread.
 *
 * Holds      nothing.
 * Invariant  between leaving and sending home the loop's inbox is there, whatever becomes of the loop.
 * Called by  job.c, xchan.c.
 * Why        work that is under way must find where to go, and a simulated loop must know that
 *            something will come: it neither jumps ahead in time nor calls it a deadlock.
 */
#ifndef EXEC_HOME_H
#define EXEC_HOME_H

#include "rt/loop.h"

/* Work leaves its loop. Returns where to send it. Loop thread. */
static inline jg_loop *home_leave(struct loop *loop) {
    loop->external++;
    inbox_hold(loop->handle);
    return loop->handle;
}

/* It has come back: first thing in its `deliver`. Loop thread. */
static inline void home_back(void) {
    sched_current()->loop->external--;
}

/* It will not come back: nobody is going to send it. Loop thread. */
static inline void home_give_up(jg_loop *home) {
    home_back();
    inbox_drop(home);
}

#endif
