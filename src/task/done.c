// SPDX-License-Identifier: MIT
/* done.c – calls that are made when a future has settled.
 *
 * Holds      nothing: a callback's state is in its record.
 * Invariant  a record in use is in its future's list, or in the loop's queue of calls; never in both.
 * Called by  user code.
 * Why        a watch that queues a call: settling runs nothing, and the loop's own queue keeps the order.
 * Quirks     what one of the loop's last calls settles is called for as well, so those end with what they
 *            ask for; a future that settles later has nobody left to make the call.
 */
#include "task/task.h"

static intptr_t call_back(void *record) {
    const jg_done_callback *callback = record; // free by now: its owner may use it again inside
    callback->fn(callback->arg, callback->result);
    return 0;
}

static void fire_callback(jg_watch *watch, jg_future *future) {
    jg_done_callback *callback = container_of(watch, jg_done_callback, watch);
    if (unlikely(callback->place != place_here())) {
        if (place_left_behind(callback->place)) {
            return; // a copy, in a forked child: the call is its parent's to make
        }
        check_misuse("a future is settled where the loop does not run that is to call %s",
                     callback->site);
    }
    callback->result = future->result;
    call_queue(sched_current()->loop, &callback->call, call_back, callback, callback->site);
}

int jg_future_add_done_callback_at(jg_future *future, jg_done_callback *callback, jg_done_fn *fn,
                                   void *arg, const char *site) {
    if (callback->watch.future != NULL || jg_call_queued(&callback->call)) {
        return (int)error_bare(-EALREADY);
    }
    const struct coro *self = sched_current();
    if (self->loop == NULL) {
        return (int)error_bare(-ENXIO);
    }
    if (unlikely(self->attention & ATTENTION_FORKED)) {
        return (int)error_bare(-ECHILD); // the loop that would make the call stayed with the parent
    }
    if (unlikely(future_check(future) == -ECHILD)) { // its own it may be
        return (int)error_bare(-ECHILD);
    }
    callback->fn = fn;
    callback->arg = arg;
    callback->site = site;
    callback->place = place_of(self);
    callback->watch.fire = fire_callback;
    if (unlikely(mpsc_closed(&self->loop->handle->queue))) {
        return (int)error_bare(
            -ESHUTDOWN); // it makes its last calls: none may ask for more without end
    }
    if (future->done) {
        fire_callback(&callback->watch, future);
        return 0;
    }
    future_watch(future, &callback->watch);
    future_owe(future, self, callback);
    return 0;
}

bool jg_future_remove_done_callback(jg_done_callback *callback) {
    jg_future *future = callback->watch.future;
    if (future != NULL) {
        future_unwatch(&callback->watch);
        future_owe_no_more(future, callback);
        return true;
    }
    return jg_call_cancel(&callback->call);
}
