// SPDX-License-Identifier: MIT
/* futures.h – which futures of a loop are pending and owed to somebody whom no wait shows, or have failed
 *            unseen.
 *
 * Holds      per such future who waited for it last, and who asked for each callback, or a share in the
 *            failure, while debug mode is on.
 * Invariant  a future's memory is never looked at: it is its owner's, who may have given it up. Where
 *            another one comes to lie there, what is noted is about that.
 * Called by  debug.c.
 * Why        who is parked shows by the wait. Only one that was left, and one with nothing but a callback,
 *            could be forgotten by everybody: these are few, and found where they are left. The same with a
 *            failure: whoever waits for it as it comes is given it.
 * Quirks     FUTURES_MOST notes at a time, and those that memory is found for; others are not followed.
 */
#ifndef OBS_FUTURES_H
#define OBS_FUTURES_H

#include "base/list.h"
#include "obs/watch.h"

#include <juggle/future.h>

enum { FUTURES_MOST = 256 };

struct futures {
    struct list owed; // notes, in the order of noting
    int count;
    bool closing; // the first task has ended: who was waiting then has been reported itself
};

void futures_begin(struct futures *futures);

/* See struct observer_ops. */
void futures_owed(struct futures *futures, const jg_future *future, const struct coro *coro,
                  const jg_done_callback *callback);
void futures_failed(struct futures *futures, const jg_future *future, struct error_record *error);
void futures_unowed(struct futures *futures, const jg_future *future,
                    const jg_done_callback *callback);

/* From now on none is owed to anybody: who leaves a future now was cancelled with it. */
void futures_closing(struct futures *futures);

/* Reports the futures that are left, each once: by its newest note. */
void futures_end(struct futures *futures);

#endif
