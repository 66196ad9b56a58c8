// SPDX-License-Identifier: MIT
/* timer.h – what happens when a point in time has come.
 *
 * Holds      one 4-ary heap per loop, keyed by (when_ns, seq).
 * Invariant  armed ⇔ timer->index != 0; slots[1] is the next to fire; equal times fire in the order
 *            they were armed.
 * Called by  sleep and scopes (arm, disarm), loop.c (fire, each turn).
 * Why        heap, not wheel: most timers are disarmed early and n is small; keys lie in the heap's
 *            own array, so sifting does not touch a page per sleeping task.
 */
#ifndef RT_TIMER_H
#define RT_TIMER_H

#include <juggle/scope.h>

struct timer_slot {
    int64_t when_ns;
    uint64_t seq;
    jg_timer *timer;
};

struct timers {
    struct timer_slot *slots; // slot 0 is unused
    uint32_t count;
    uint32_t cap;
    uint64_t seq;
    int64_t fired_ns; // the newest time timers_fire was given
};

void timers_init(struct timers *timers);

/* Frees the heap; no timer may be armed. */
void timers_fini(struct timers *timers);

/* Arms a timer that is not armed; a time already gone by counts as the newest turn's, so that nobody
 * overtakes those who are due. Returns 0 or -ENOMEM. */
int timer_arm(struct timers *timers, jg_timer *timer, int64_t when_ns,
              void (*fire)(jg_timer *timer));

/* Disarms; does nothing when it is not armed. */
void timer_disarm(struct timers *timers, jg_timer *timer);

/* The next point in time, JG_NEVER without timers. */
static inline int64_t timers_next(const struct timers *timers) {
    return timers->count == 0 ? JG_NEVER : timers->slots[1].when_ns;
}

/* Fires all that are due at `now_ns` and were armed before the call: a timer that arms itself again
 * for now waits for the next turn. */
void timers_fire(struct timers *timers, int64_t now_ns);

#endif
