// SPDX-License-Identifier: MIT
/* future.c – jg_future, and waiting for one.
 *
 * Holds      the word, and who is to be told of it.
 * Invariant  the word never changes once it is there. Before it is, the list has those who wait; after,
 *            those who still hold on to the future (many.c).
 * Called by  user code; see future.h.
 * Why        those who wait are woken, never called: nothing of theirs runs inside set.
 */
#include "task/future.h"

#include "base/clock.h"
#include "rt/observe.h"
#include "task/task.h"

void future_unwatch(jg_watch *watch) {
    jg_future *future = watch->future;
    if (future == NULL) {
        return;
    }
    if (watch->prev != NULL) {
        watch->prev->next = watch->next;
    } else {
        future->first = watch->next;
    }
    if (watch->next != NULL) {
        watch->next->prev = watch->prev;
    } else {
        future->last = watch->prev;
    }
    watch->future = NULL;
}

void future_forget(jg_future *future) {
    while (future->first != NULL) {
        future_unwatch(future->first);
    }
}

__attribute__((cold, noinline)) void future_tell_owed(jg_future *future, const struct coro *coro,
                                                      const jg_done_callback *callback) {
    if (!future->of_task && future->owner == NULL) {
        future->owed = true;
        observe(&coro->loop->sched, owed, future, coro, callback);
    }
}

__attribute__((cold, noinline)) void future_tell_unowed(jg_future *future,
                                                        const jg_done_callback *callback) {
    struct sched *here = sched_here;
    future->owed = callback != NULL; // to others it may be
    if (here != NULL) {              // else the loop of then is over, with who looked on
        observe(here, unowed, future, callback);
    }
}

/* The same of a failure that nobody was given: a future with what stands behind one has to be ended. */
__attribute__((cold, noinline)) static void owe_failure(jg_future *future) {
    struct sched *here = sched_here;
    if (here == NULL || observer_of(here) == NULL || future->seen || future->result == -ECANCELED) {
        return;
    }
    future->owed = true;
    observe(here, failed, future, future->error);
}

static void settle(jg_future *future, intptr_t result) {
    future->result = result;
    future->done = true;
    future_fire(future);
}

static inline int check_no_tasks(const jg_future *future) {
    if (future->owner != NULL) {
        return -EPERM;
    }
    return future->done ? -EALREADY : 0;
}

static int check_open(const jg_future *future) {
    return future->of_task ? -EPERM : check_no_tasks(future);
}

/* A task's, or debug mode knows of it. Apart, and both in one test, so that the usual way is no longer. */
__attribute__((cold, noinline)) static int set_unusual(jg_future *future, intptr_t result) {
    int rc = check_open(future);
    if (rc == 0) {
        future_owe_no_more(future, NULL);
        settle(future, result);
    }
    return (int)error_bare(rc);
}

int jg_future_set(jg_future *future, intptr_t result) {
    if (unlikely(future->of_task || future_owed(future))) {
        return set_unusual(future, result);
    }
    int rc = check_no_tasks(future);
    if (rc == 0) {
        settle(future, result);
    }
    return (int)error_bare(rc);
}

int jg_future_fail(jg_future *future, intptr_t code) {
    int rc = jg_failed(code) ? check_open(future) : -EINVAL;
    if (rc == 0) {
        future_owe_no_more(future, NULL);
        future_settle(future, code, error_share(task_current(), code));
    }
    return (int)error_bare(rc);
}

__attribute__((cold, noinline)) static void check_unawaited(const jg_future *future) {
    if (future->first != NULL) {
        check_misuse("a future was ended that somebody waits for");
    }
}

void jg_future_fini(jg_future *future) {
    if (!future->done) {
        check_unawaited(future);
    }
    future_owe_no_more(future, NULL);
    future_forget(future);
    struct error_record *error = future->error;
    future->error = NULL;
    bool failed = jg_failed(future->result) && future->result != -ECANCELED;
    if (failed && !future->seen && !future->of_task) {
        future->seen = true;
        error_report(error != NULL ? error : error_of_word(future->result));
    } else {
        error_free(error);
    }
}

bool jg_future_cancel(jg_future *future) {
    if (future->of_task) {
        return task_cancel(future_task(future));
    }
    if (future->done) {
        return false;
    }
    if (future->owner != NULL) {
        return future->owner->cancel(future);
    }
    future_owe_no_more(future, NULL);
    settle(future, -ECANCELED);
    return true;
}

void future_settle(jg_future *future, intptr_t result, struct error_record *error) {
    must(!future->done);
    future->error = error;
    settle(future, result);
    if (unlikely(error != NULL)) {
        owe_failure(future);
    }
}

struct error_record *future_error(jg_future *future) {
    future_see(future);
    return future->of_task ? error_share(future_task(future), future->result)
                           : error_ref(future->error);
}

/* One wait for one future, on the waiter's stack. */
struct future_wait {
    struct wait wait;
    jg_watch watch;
    jg_future *victim; // cancelled in the waiter's place, or NULL
};

/* The record may be gone by the time the waiter runs: it is given now, after the wake, which outdates others.
 * Apart, so that the usual way has no registers to save. */
__attribute__((noinline)) static void fire_failed(struct future_wait *waiting, jg_future *future) {
    struct jg_task_record *waiter = (struct jg_task_record *)(void *)waiting->wait.coro;
    wake(&waiting->wait, future->result);
    error_keep(waiter, future_error(future));
}

static void fire_wait(jg_watch *watch, jg_future *future) {
    struct future_wait *waiting = container_of(watch, struct future_wait, watch);
    if (unlikely(jg_failed(future->result))) {
        fire_failed(waiting, future);
    } else {
        wake(&waiting->wait, future->result);
    }
}

static void undo_leave(struct wait *wait) {
    jg_watch *watch = &((struct future_wait *)(void *)wait)->watch;
    future_owe(watch->future, wait->coro, NULL);
    future_unwatch(watch);
    wake(wait, -ECANCELED);
}

/* The task behind the future; of one that a task is to settle, that one, who is the victim. */
static struct coro *next_holder(const struct wait *wait, const struct coro *before) {
    const struct future_wait *waiting = (const struct future_wait *)(const void *)wait;
    jg_future *future = waiting->victim != NULL ? waiting->victim : waiting->watch.future;
    return before == NULL && future != NULL && future->of_task ? &future_task(future)->coro : NULL;
}

static const struct wait_kind task_wait = {.what = "join", .next_holder = next_holder};
static const struct wait_kind plain_wait = {.what = "future", .next_holder = next_holder};

static const struct wait_kind *kind_of(const jg_future *future) {
    return future->of_task ? &task_wait : future->owner == NULL ? &plain_wait : future->owner->wait;
}

/* The waiter is asked to stop: so is what it waits for, whose answer is the waiter's result. */
static void undo_pass_on(struct wait *wait) {
    struct future_wait *waiting = (struct future_wait *)(void *)wait;
    wait->undo = NULL;
    jg_future_cancel(waiting->victim);
}

/* Asked to stop before the wait began. Returns 0 when it is to begin nevertheless. */
__attribute__((cold, noinline)) static intptr_t asked_before(struct coro *self, jg_future *future,
                                                             jg_future *victim) {
    if (victim == NULL || (self->attention & ~(uint32_t)ATTENTION_CANCEL)) {
        return sched_refuse(self);
    }
    jg_future_cancel(victim);
    return future->done ? sched_refuse(self) : 0;
}

static intptr_t read_settled(jg_future *future);

/* Without a loop: blocks until its owner has settled it. */
static intptr_t block(struct coro *self, jg_future *future, jg_future *victim) {
    int rc = self->attention != 0 ? sched_refuse(self)
                                  : future->owner->block(future, self->deadline_ns);
    if (rc == -ETIMEDOUT) {
        if (victim == NULL || jg_future_cancel(victim)) {
            return sched_refuse(self); // the scopes see by it that the deadline struck inside
        }
        rc = future->owner->block(future, JG_NEVER);
    }
    return rc < 0 ? error_bare(rc) : read_settled(future);
}

/* Without a loop, and without an owner nobody could settle it: only a deadline can end the wait. */
__attribute__((cold, noinline)) static intptr_t await_without_loop(jg_future *future,
                                                                   jg_future *victim) {
    struct coro *self = sched_current();
    if (future->owner != NULL) {
        return block(self, future, victim);
    }
    intptr_t result = self->attention != 0 ? asked_before(self, future, victim) : 0;
    if (result == 0) {
        struct wait wait = {0};
        result = park(&wait);
        if (victim != NULL && result == -ECANCELED) {
            jg_future_cancel(victim);
        }
    }
    return result;
}

struct jg_task_record *future_bound(const jg_watch *watch) {
    if (watch->fire != fire_wait) {
        return NULL;
    }
    const struct future_wait *waiting = container_of(watch, struct future_wait, watch);
    return waiting->victim != NULL ? (struct jg_task_record *)(void *)waiting->wait.coro : NULL;
}

bool future_binds(const struct wait *wait) {
    bool ours = wait->kind == &task_wait || wait->kind == &plain_wait;
    return ours && ((const struct future_wait *)(const void *)wait)->victim != NULL;
}

/* Waits with that undo. */
static inline intptr_t await_with(void (*undo)(struct wait *wait), jg_future *future,
                                  jg_future *victim) {
    struct future_wait waiting; // hot: what is not needed is not written
    waiting.wait.undo = undo;
    waiting.wait.kind = kind_of(future);
    waiting.watch.fire = fire_wait;
    waiting.victim = victim;
    future_watch(future, &waiting.watch);
    return park(&waiting.wait);
}

__attribute__((cold, noinline)) static intptr_t await_asked(struct coro *self, jg_future *future,
                                                            jg_future *victim) {
    intptr_t rc = asked_before(self, future, victim);
    return rc != 0 ? rc : sched_passed_on(self, await_with(NULL, future, victim));
}

intptr_t future_await(jg_future *future, jg_future *victim) {
    struct sched *here = sched_here;
    if (unlikely(here == NULL)) {
        return await_without_loop(future, victim);
    }
    struct coro *self = here->running;
    if (unlikely(self->attention != 0)) {
        return await_asked(self, future, victim);
    }
    return await_with(victim != NULL ? undo_pass_on : undo_leave, future, victim);
}

/* The word of a settled future, and to the caller what stands behind it: nothing, rather than what stood
 * behind another failure. */
static intptr_t read_settled(jg_future *future) {
    if (unlikely(jg_failed(future->result))) {
        error_keep(task_current(), future_error(future));
    }
    return future->result;
}

intptr_t jg_future_wait(jg_future *future) {
    if (future->done) {
        return read_settled(future); // there already: nothing to wait for, nothing to lose
    }
    int rc = future_check(future);
    return rc < 0 ? error_bare(rc) : future_await(future, NULL);
}

intptr_t jg_shield(jg_future *future) {
    return jg_future_wait(future);
}

intptr_t jg_wait_for(jg_future *future, int64_t timeout_ms) {
    if (future->done) {
        return read_settled(future);
    }
    int rc = future_check(future);
    rc = rc == 0 && ring_closed_by(task_current(), future) ? -EDEADLK : rc;
    if (rc < 0) {
        return error_bare(rc);
    }
    jg_scope scope;
    jg_scope_open(&scope, deadline_after_ms(timeout_ms), false);
    return jg_scope_close(&scope, future_await(future, future));
}

intptr_t jg_future_result(jg_future *future) {
    return future->done ? read_settled(future) : error_bare(-EAGAIN);
}

const jg_error *jg_future_exception(jg_future *future) {
    if (!future->done || !jg_failed(future->result)) {
        return NULL;
    }
    struct error_record *error = future_error(future);
    error_free(error); // the future, or its task, has a share of its own
    return error != NULL ? error_public(error) : NULL;
}

bool jg_future_done(const jg_future *future) {
    return future->done;
}

bool jg_future_cancelled(const jg_future *future) {
    return future->done && future->result == -ECANCELED;
}
