// SPDX-License-Identifier: MIT
/* debug.h – debug mode of one loop.
 *
 * Holds      struct debug: what the watchdog looks at, the futures that are owed to somebody, the
 *            settings.
 * Invariant  exists from the loop's opening to its close, where debug mode is on.
 * Called by  watch.c.
 * Why        see juggle/debug.h.
 */
#ifndef OBS_DEBUG_H
#define OBS_DEBUG_H

#include "obs/futures.h"
#include "obs/watchdog.h"

#include <juggle/debug.h>

struct watch;

struct debug {
    struct watchdog watchdog;
    struct futures futures;
    bool abort_on_deadlock;
    uint32_t quiet_step; // the step at which the present silence was reported
    uint32_t rings_step; // the step at which rings were looked for
};

/* Whether the environment asks for debug mode. */
bool debug_wanted(void);

/* Switches debug mode on for a loop. Returns 0 or -ENOMEM. */
int debug_begin(struct loop *loop);

/* Around a fork: its lock is held, so that the child finds it free. */
void debug_fork_begins(void);
void debug_fork_is_over(void);
void debug_forked(void); // in the child, before it is over

/* What the watch tells; see struct observer_ops. */
void debug_runs(struct debug *debug, const struct coro *coro);
void debug_sleeps(struct watch *watch, bool quiet);
void debug_spins(const struct coro *coro, int refusals);
void debug_deadlock(struct watch *watch);
void debug_closing(struct watch *watch);
void debug_left_open(const char *what);
void debug_loop_closes(struct watch *watch); // frees it

/* Hands a report to whoever is told. `text` may be NULL: there was no memory for it. */
void debug_report(jg_debug_kind kind, const char *task, const char *spawned, int64_t duration_ns,
                  const char *text);

#endif
