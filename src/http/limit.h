// SPDX-License-Identifier: MIT
/* limit.h – a time limit that is set for every wait and strikes almost never.
 *
 * Holds      struct limit: one timer, which stays armed from open to close, and the scope of the
 *            wait it limits now.
 * Invariant  the timer is armed at or before deadline_ns. It fires early, looks, and is armed
 *            again.
 * Called by  the server, once per connection. Calls timers and scopes.
 * Why        a scope's own deadline arms and disarms a timer per wait. Here a wait that ends in
 *            time costs a store: a busy connection touches the timer heap once per idle time.
 * Quirks     one wait at a time: whoever lets tasks in asks `begun` first.
 */
#ifndef HTTP_LIMIT_H
#define HTTP_LIMIT_H

#include "rt/timer.h"

#include <juggle/scope.h>

struct loop;

struct limit {
    jg_timer timer;
    struct loop *loop;
    int64_t deadline_ns; // JG_NEVER: no wait is limited now
    jg_scope scope;      // around the wait
    bool struck;         // the limit has cancelled it
    bool begun;          // a wait is under way
};

/* Prepares the limit for the running task, which must be one of a loop. Returns 0 or -ENOMEM. */
int limit_open(struct limit *limit);

/* Takes its timer away. No wait may be under way. */
void limit_close(struct limit *limit);

/* Begins a wait that may last `span_ms` from `now_ns` on; a negative span is no limit. */
void limit_begin(struct limit *limit, int64_t now_ns, int64_t span_ms);

/* Sets the span of the wait under way anew. */
void limit_renew(struct limit *limit, int64_t now_ns, int64_t span_ms);

/* Ends the wait that came to `result`.
 *
 * Returns  -ETIMEDOUT for -ECANCELED when it was the limit that struck; else `result`. */
intptr_t limit_end(struct limit *limit, intptr_t result);

#endif
