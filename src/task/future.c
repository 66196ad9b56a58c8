// SPDX-License-Identifier: MIT
/* future.c – jg_future.
 *
 * Holds      the word, and who waits for it.
 * Invariant  done implies no waiters; the word never changes once it is there.
 * Called by  user code.
 * Why        waiters are woken, never called: nothing of theirs runs inside set.
 */
#include "sync/waitq.h"
#include "task/task.h"

#include <juggle/future.h>

static void settle(jg_future *future, intptr_t result, bool cancelled) {
    future->done = true;
    future->cancelled = cancelled;
    future->result = result;
    waitq_wake_all(&future->waiters, result);
}

int jg_future_set(jg_future *future, intptr_t result) {
    if (future->done) {
        return -EALREADY;
    }
    settle(future, result, false);
    return 0;
}

bool jg_future_cancel(jg_future *future) {
    if (future->done) {
        return false;
    }
    settle(future, -ECANCELED, true);
    return true;
}

intptr_t jg_future_wait(jg_future *future) {
    if (future->done) {
        return future->result; // there already: nothing to wait for, nothing to lose
    }
    int rc = suspend_check(sched_current());
    return rc < 0 ? rc : waitq_wait(&future->waiters, WAIT_KIND("future"));
}

intptr_t jg_future_result(const jg_future *future) {
    return future->done ? future->result : -EAGAIN;
}

bool jg_future_done(const jg_future *future) {
    return future->done;
}

bool jg_future_cancelled(const jg_future *future) {
    return future->cancelled;
}
