// SPDX-License-Identifier: MIT
/* event.c – jg_event: a flag that tasks can wait for.
 *
 * Holds      the flag and who waits.
 * Invariant  set implies no waiters.
 * Called by  user code.
 * Why        set wakes at once all who wait now: clearing it in the same tick takes nothing back.
 */
#include "sync/waitq.h"

#include <juggle/sync.h>

void jg_event_set(jg_event *event) {
    event->set = true;
    waitq_wake_all(&event->waiters, 0);
}

void jg_event_clear(jg_event *event) {
    event->set = false;
}

bool jg_event_is_set(const jg_event *event) {
    return event->set;
}

int jg_event_wait(jg_event *event) {
    int rc = suspend_check(sched_current());
    if (rc < 0 || event->set) {
        return rc;
    }
    return (int)waitq_wait(&event->waiters, WAIT_KIND("event"));
}
