// SPDX-License-Identifier: MIT
/* observe.h – how a loop tells an observer what its tasks do.
 *
 * Holds      struct observer, the base of whoever looks on; where the loop calls it.
 * Invariant  an observed loop resumes one task per round, as under sim: every start and stop passes
 *            through loop_run. The observer runs on the loop's thread, and neither suspends nor wakes.
 *            It is told of an end when the task has left the ring, and its stack is still there.
 * Called by  loop.c, sched.c, task; implemented by obs, which a lower room reaches only through here.
 * Why        without an observer nothing is recorded, and yielding and waking have not one instruction
 *            more: the hooks are where the code has left the usual way for another reason already. A
 *            spawn, an end, a turn and a handle's life have branches that are never taken.
 *            tests/e2e/instructions.py counts, `./run bench instructions` compares with no hooks at all.
 * Quirks     observe_open and observe_forget are what a room above defines for this one.
 */
#ifndef RT_OBSERVE_H
#define RT_OBSERVE_H

#include "rt/loop.h"
#include "rt/sched.h"

#include <stdatomic.h>

struct error_record;
struct jg_done_callback;
struct jg_future;

struct observer_ops {
    // A coroutine was made; the running one made it. It is ready, or resumes next.
    void (*spawned)(struct observer *observer, struct coro *coro);
    void (*resumes)(struct observer *observer, struct coro *coro);
    // The one that resumed last runs no longer: parked, ready again, or ended just before.
    void (*stops)(struct observer *observer);
    // The wait is over, its result is in it; the running coroutine ended it, see also loop->stage.
    void (*woken)(struct observer *observer, const struct wait *wait);
    void (*ended)(struct observer *observer, struct coro *coro);
    // A pending future is owed to somebody whom no wait shows: `coro` waited for it and has left, or asks
    // for the callback, unless that is NULL. It is not any more: the callback was removed, or for NULL,
    // nothing is known of the future, as it was settled or ended.
    void (*owed)(struct observer *observer, const struct jg_future *future, const struct coro *coro,
                 const struct jg_done_callback *callback);
    void (*unowed)(struct observer *observer, const struct jg_future *future,
                   const struct jg_done_callback *callback);
    // A future has failed, and nobody was given that yet; `unowed` when somebody is, or when it has ended.
    void (*failed)(struct observer *observer, const struct jg_future *future,
                   struct error_record *error);
    // The kernel is asked now, and may keep the loop. `quiet`: only somebody unknown could end that.
    void (*sleeps)(struct observer *observer, bool quiet);
    void (*awake)(struct observer *observer);
    // A coroutine ignores its cancel: `refusals` suspends in a row were refused.
    void (*spins)(struct observer *observer, const struct coro *coro, int refusals);
    // Nothing can ever happen again, and the program is about to abort.
    void (*stuck)(struct observer *observer);
    // The first task has ended: those alive are about to be cancelled.
    void (*closing)(struct observer *observer);
    // See observe_opened.
    void (*opened)(struct observer *observer, const void *thing, const char *what, int number,
                   const char *how);
    // All tasks have ended, and this, "a watch on signals", was left open; it has just been closed.
    void (*left_open)(struct observer *observer, const char *what);
    // All tasks have ended. Takes the observer away.
    void (*closes)(struct observer *observer);
};

struct observer {
    const struct observer_ops *ops;
};

/* Lets whoever wishes to (`debug`, the environment, a trace that is on) observe a loop just opened.
 * Returns 0 or -ENOMEM. Defined in obs. */
int observe_open(struct loop *loop, bool debug);

/* How many handles are followed from their opening to their close, and the end of one. Defined in obs. */
extern atomic_size_t observe_followed;
void observe_forget(const void *thing);

/* Attaches an observer to an open loop, takes it away again. Loop thread. */
void observe_attach(struct loop *loop, struct observer *observer);
void observe_detach(struct loop *loop);

/* Whether there are hooks. Only a second library has none, which bench/ makes: the difference is what
 * debug mode and traces cost where nobody looks on. */
#ifdef JUGGLE_UNOBSERVED
enum { OBSERVABLE = 0 };
#else
enum { OBSERVABLE = 1 };
#endif

/* Who looks on; NULL: nobody. */
static inline struct observer *observer_of(const struct sched *here) {
    return OBSERVABLE ? here->observer : NULL;
}

/* Whether somebody looks on what a coroutine does. */
static inline bool is_observed(const struct coro *coro) {
    return OBSERVABLE && coro->loop != NULL && observer_of(&coro->loop->sched) != NULL;
}

/* Calls `ops->what(observer, ...)` if there is one; `here` is the loop's struct sched. */
#define observe(here, what, ...)                                                                   \
    ({                                                                                             \
        struct observer *observer_ = observer_of(here);                                            \
        if (unlikely(observer_ != NULL)) {                                                         \
            observer_->ops->what(observer_, ##__VA_ARGS__);                                        \
        }                                                                                          \
    })

/* A handle was opened that somebody has to close: "descriptor" 7, "accepted". On whatever loop this is;
 * `what` is static. A negative number is none. */
static inline void observe_opened(const void *thing, const char *what, int number,
                                  const char *how) {
    struct sched *here = sched_here;
    if (here != NULL) {
        observe(here, opened, thing, what, number, how);
    }
}

/* It was closed, on whatever thread. */
static inline void observe_closed(const void *thing) {
    if (OBSERVABLE && unlikely(atomic_load_explicit(&observe_followed, memory_order_relaxed) > 0)) {
        observe_forget(thing);
    }
}

#endif
