// SPDX-License-Identifier: MIT
/* limit.c – see limit.h.
 *
 * Holds      nothing of its own.
 * Invariant  between open and close the timer has a place in the heap, so arming it again never
 *            fails.
 * Called by  see limit.h.
 * Why        see limit.h.
 */
#include "http/limit.h"

#include "base/clock.h"
#include "rt/loop.h"
#include "task/task.h"

/* The timer's time has come, which need not be the limit's. */
static void look(jg_timer *timer) {
    struct limit *limit = container_of(timer, struct limit, timer);
    struct timers *timers = &limit->loop->timers;
    if (limit->deadline_ns <= timers->fired_ns) {
        limit->deadline_ns = JG_NEVER;
        limit->struck = true;
        jg_scope_cancel(&limit->scope);
    }
    int rc = timer_arm(timers, timer, limit->deadline_ns, look);
    must(rc == 0); // it has just given up its place
}

int limit_open(struct limit *limit) {
    struct loop *loop = task_current()->coro.loop;
    must(loop != NULL);
    *limit = (struct limit){.loop = loop, .deadline_ns = JG_NEVER};
    return timer_arm(&loop->timers, &limit->timer, JG_NEVER, look);
}

void limit_close(struct limit *limit) {
    timer_disarm(&limit->loop->timers, &limit->timer);
}

void limit_renew(struct limit *limit, int64_t now_ns, int64_t span_ms) {
    int64_t deadline_ns = span_ms < 0 ? JG_NEVER : clock_add_ms(now_ns, span_ms);
    limit->deadline_ns = deadline_ns;
    if (unlikely(deadline_ns < limit->timer.when_ns)) {
        timer_disarm(&limit->loop->timers, &limit->timer);
        int rc = timer_arm(&limit->loop->timers, &limit->timer, deadline_ns, look);
        must(rc == 0);
    }
}

void limit_begin(struct limit *limit, int64_t now_ns, int64_t span_ms) {
    must(!limit->begun);
    limit->begun = true;
    limit->struck = false;
    jg_scope_open(&limit->scope, JG_NEVER, false);
    limit_renew(limit, now_ns, span_ms);
}

intptr_t limit_end(struct limit *limit, intptr_t result) {
    limit->deadline_ns = JG_NEVER;
    limit->begun = false;
    intptr_t outside = jg_scope_close(&limit->scope, result);
    bool ours = limit->struck && result == -ECANCELED && outside != -ECANCELED;
    return ours ? -ETIMEDOUT : outside;
}
