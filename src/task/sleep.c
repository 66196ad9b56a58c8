// SPDX-License-Identifier: MIT
/* sleep.c – waiting for nothing but time.
 *
 * Holds      the record of one sleep, on the sleeper's stack.
 * Invariant  the timer is armed exactly while the task is parked on it.
 * Called by  user code.
 * Why        without a loop the thread sleeps, no longer than its deadline.
 */
#include "base/clock.h"
#include "rt/blocking.h"
#include "task/task.h"

struct sleep {
    struct wait wait;
    jg_timer timer;
};

static void sleep_over(jg_timer *timer) {
    wake(&container_of(timer, struct sleep, timer)->wait, 0);
}

static void undo_sleep(struct wait *wait) {
    timer_disarm(&wait->coro->loop->timers, &((struct sleep *)(void *)wait)->timer);
    wake(wait, -ECANCELED);
}

static int sleep_without_loop(struct coro *self, int64_t when_ns) {
    bool cut_short = self->deadline_ns < when_ns;
    int64_t until_ns = cut_short ? self->deadline_ns : when_ns;
    if (until_ns == JG_NEVER) {
        return (int)error_bare(-EDEADLK);
    }
    blocking_sleep_until(until_ns);
    return cut_short ? sched_refuse(self) : 0;
}

int jg_sleep_until(int64_t when_ns) {
    struct coro *self = sched_current();
    int rc = suspend_check(self);
    if (rc < 0) {
        return rc;
    }
    if (self->loop == NULL) {
        return sleep_without_loop(self, when_ns);
    }
    struct sleep sleep = {.wait = {.undo = undo_sleep, .kind = WAIT_KIND("sleep")}};
    if (timer_arm(&self->loop->timers, &sleep.timer, when_ns, sleep_over) < 0) {
        return (int)jg_fail(-ENOMEM, "no memory for a timer");
    }
    return (int)park(&sleep.wait);
}

int jg_sleep(int64_t duration_ms) {
    return duration_ms <= 0 ? jg_yield() : jg_sleep_until(clock_add_ms(loop_now_ns(), duration_ms));
}

int64_t jg_now(void) {
    return loop_now_ns();
}
