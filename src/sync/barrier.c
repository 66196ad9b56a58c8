// SPDX-License-Identifier: MIT
/* barrier.c – jg_barrier: tasks that wait for each other.
 *
 * Holds      who waits, and their number.
 * Invariant  waiting is the length of the queue, below `parties`; broken implies that nobody waits.
 * Called by  user code.
 * Why        the last to come wakes the others, each with its number: the barrier is free for the next
 *            round at once, and no state is needed between rounds.
 */
#include "sync/waitq.h"

#include <juggle/sync.h>

void jg_barrier_init(jg_barrier *barrier, size_t parties) {
    *barrier = (jg_barrier){.parties = parties};
}

static void undo_wait(struct wait *wait) {
    struct waiter *waiter = (struct waiter *)(void *)wait;
    container_of(waiter->place.queue, jg_barrier, waiters)->waiting--;
    waitq_undo(wait);
}

static int wait_for_others(jg_barrier *barrier) {
    struct waiter waiter = {.wait = {.undo = undo_wait, .kind = WAIT_KIND("barrier")}};
    barrier->waiting++;
    intptr_t rc = waitq_park(&barrier->waiters, &waiter);
    if (unlikely(waiter.wait.coro->loop == NULL)) {
        barrier->waiting--;
    }
    return (int)rc;
}

int jg_barrier_wait(jg_barrier *barrier) {
    int rc = suspend_check(sched_current());
    if (rc < 0) {
        return rc;
    }
    if (barrier->broken || barrier->parties == 0) {
        return (int)error_bare(barrier->broken ? -EPIPE : -EINVAL);
    }
    if (barrier->waiting + 1 < barrier->parties) {
        return wait_for_others(barrier);
    }
    for (int number = 0; waitq_wake_one(&barrier->waiters, number) != NULL; number++) {}
    barrier->waiting = 0;
    return (int)(barrier->parties - 1);
}

void jg_barrier_abort(jg_barrier *barrier) {
    jg_barrier_reset(barrier);
    barrier->broken = true;
}

void jg_barrier_reset(jg_barrier *barrier) {
    waitq_wake_all(&barrier->waiters, -EPIPE);
    barrier->waiting = 0;
    barrier->broken = false;
}

size_t jg_barrier_waiting(const jg_barrier *barrier) {
    return barrier->waiting;
}

bool jg_barrier_is_broken(const jg_barrier *barrier) {
    return barrier->broken;
}
