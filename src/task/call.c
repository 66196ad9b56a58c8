// SPDX-License-Identifier: MIT
/* call.c – calls that are no tasks, and a loop's handle, as users know them.
 *
 * Holds      nothing: a call's state is in its record.
 * Invariant  while a call is made, the loop's own record bears its name, and is as before afterwards.
 * Called by  user code; run_call by the loop.
 * Why        the loop's record is a task's, only that it cannot suspend: failures, scopes and
 *            jg_self work in a call as they do in a task.
 */
#include "base/clock.h"
#include "task/task.h"

#include <juggle/loop.h>
#include <string.h>

/* `around` is the scope the call was made in: that of who turns an embedded loop. */
static void settle_call(struct jg_task_record *self, const jg_scope *around, intptr_t word) {
    mind_fork(&self->coro, word);
    if (unlikely(self->innermost != around)) {
        check_misuse("call %s left a scope open", self->coro.name);
    }
    if (unlikely(jg_failed(word) && word != -ECANCELED)) {
        error_report(error_take_for(self, word));
        mind_fork(&self->coro, 0);
    } else {
        error_free(error_take(self));
    }
}

static void run_call(jg_call *call) {
    struct jg_task_record *self = task_current();
    const char *name = self->coro.name;
    const char *site = self->site;
    jg_fn *fn = call->fn;
    void *arg = call->arg;
    coro_rename(&self->coro, call->site);
    self->site = call->site;
    call_release(call); // from here on it may be queued again
    const jg_scope *around = self->innermost;
    settle_call(self, around, fn(arg));
    coro_rename(&self->coro, name);
    self->site = site;
}

static bool claim(jg_call *call, jg_fn *fn, void *arg, const char *site) {
    if (!call_claim(call)) {
        return false;
    }
    call->deliver = run_call;
    call->fn = fn;
    call->arg = arg;
    call->site = site;
    return true;
}

/* Whether this thread has a loop that takes calls. */
static int find_loop(struct loop **out_loop) {
    const struct coro *self = sched_current();
    if (self->loop == NULL) {
        return (int)error_bare(-ENXIO);
    }
    if (unlikely(self->attention & ATTENTION_FORKED)) {
        return (int)error_bare(-ECHILD);
    }
    *out_loop = self->loop;
    return unlikely(mpsc_closed(&self->loop->handle->queue)) ? (int)error_bare(-ESHUTDOWN) : 0;
}

void call_queue(struct loop *loop, jg_call *call, jg_fn *fn, void *arg, const char *site) {
    must(claim(call, fn, arg, site));
    call_make_ready(loop, call);
}

int jg_call_soon_at(jg_call *call, jg_fn *fn, void *arg, const char *site) {
    struct loop *loop;
    int rc = find_loop(&loop);
    if (rc < 0) {
        return rc;
    }
    if (!claim(call, fn, arg, site)) {
        return (int)error_bare(-EALREADY);
    }
    call_make_ready(loop, call);
    return 0;
}

int jg_call_when_at(jg_call *call, int64_t when_ns, jg_fn *fn, void *arg, const char *site) {
    struct loop *loop;
    int rc = find_loop(&loop);
    if (rc < 0) {
        return rc;
    }
    if (when_ns <= loop_now_ns()) {
        return jg_call_soon_at(call, fn, arg, site);
    }
    if (!claim(call, fn, arg, site)) {
        return (int)error_bare(-EALREADY);
    }
    rc = call_make_timed(loop, call, when_ns);
    if (rc < 0) {
        call_release(call);
    }
    return (int)error_bare(rc);
}

int jg_call_later_at(jg_call *call, int64_t delay_ms, jg_fn *fn, void *arg, const char *site) {
    return delay_ms <= 0
               ? jg_call_soon_at(call, fn, arg, site)
               : jg_call_when_at(call, clock_add_ms(loop_now_ns(), delay_ms), fn, arg, site);
}

bool jg_call_cancel(jg_call *call) {
    if (!jg_call_queued(call) || !call_take_back(sched_current()->loop, call)) {
        return false;
    }
    call_release(call);
    return true;
}

bool jg_call_queued(const jg_call *call) {
    return __atomic_load_n(&call->claimed, __ATOMIC_ACQUIRE) != 0;
}

jg_loop *jg_loop_current(void) {
    const struct loop *loop = sched_current()->loop;
    return loop != NULL ? loop->handle : NULL;
}

jg_loop *jg_loop_hold(jg_loop *loop) {
    inbox_hold(loop);
    atomic_fetch_add_explicit(&loop->held, 1, memory_order_relaxed);
    return loop;
}

void jg_loop_drop(jg_loop *loop) {
    if (loop != NULL) {
        atomic_fetch_sub_explicit(&loop->held, 1, memory_order_relaxed);
        inbox_drop(loop);
    }
}

int jg_post_at(jg_loop *loop, jg_call *call, jg_fn *fn, void *arg, const char *site) {
    if (!claim(call, fn, arg, site)) {
        return (int)error_bare(-EALREADY);
    }
    int rc = inbox_post(loop, call);
    if (rc < 0) {
        call_release(call);
    }
    return (int)error_bare(rc);
}
