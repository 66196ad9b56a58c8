// SPDX-License-Identifier: MIT
/* many.c – waiting for many futures: gather, wait, as_completed.
 *
 * Holds      per future one node, its watch; nodes of settled futures in a list, in the order of
 *            settling.
 * Invariant  a node keeps the word itself: a task whose future it watched may be joined, and its record
 *            gone, before the waiter runs. The watch stays linked, so that the future, if it is still
 *            there, can be told that its failure was seen.
 * Called by  user code.
 * Why        the three differ in when they have enough, in what a cancel does, and in how words are
 *            handed over. All else is this file's first half.
 */
#include "base/mem.h"
#include "task/task.h"

#include <juggle/wait.h>
#include <string.h>

enum { FEW = sizeof(((jg_many *)NULL)->few) / sizeof(jg_many_node) };

/* Whether what is there is what the waiter waits for. */
static bool has_enough(const jg_many *many) {
    if (many->pending == 0 || (many->when == JG_FIRST_COMPLETED && many->first != NULL)) {
        return true;
    }
    return many->when == JG_FIRST_EXCEPTION && many->failed != NULL;
}

/* Takes the word of a future that has settled, and stays linked to it. */
static void note_settled(jg_many_node *node, jg_future *future) {
    jg_many *many = node->many;
    intptr_t result = future->result;
    node->result = result;
    node->settled = true;
    *(many->first != NULL ? &many->last->next : &many->first) = node;
    many->last = node;
    many->settled++;
    if (jg_failed(result)) {
        bool cancelled = result == -ECANCELED;
        many->any_cancelled = many->any_cancelled || cancelled;
        if (many->failed == NULL && (!cancelled || many->cancel_fails)) {
            many->failed = node;
        }
    }
    future_watch(future, &node->watch);
}

static void fire_many(jg_watch *watch, jg_future *future) {
    jg_many_node *node = container_of(watch, jg_many_node, watch);
    jg_many *many = node->many;
    many->pending--;
    note_settled(node, future);
    if (many->waiter != NULL && has_enough(many)) {
        struct wait *waiter = many->waiter;
        many->waiter = NULL;
        wake(waiter, many->passed_on && many->any_cancelled ? -ECANCELED : 0);
    }
}

/* Of those whose waiter leaves them pending. */
__attribute__((cold, noinline)) static void owe_pending(const jg_many *many,
                                                        const struct coro *self) {
    for (size_t i = 0; many->nodes != NULL && i < many->count; i++) {
        const jg_many_node *node = &many->nodes[i];
        if (!node->settled && node->watch.future != NULL) {
            future_owe(node->watch.future, self, NULL);
        }
    }
}

static void many_close(jg_many *many) {
    if (unlikely(many->pending > 0) && is_observed(sched_current())) {
        owe_pending(many, sched_current());
    }
    for (size_t i = 0; many->nodes != NULL && i < many->count; i++) {
        future_unwatch(&many->nodes[i].watch);
    }
    if (many->nodes != many->few) {
        mem_free(many->nodes);
    }
    many->nodes = NULL;
}

/* Watches the futures, each of which only once if `once`. */
static void watch_all(jg_many *many, jg_future *const *futures) {
    for (size_t i = 0; i < many->count; i++) {
        jg_future *future = futures[i];
        jg_many_node *node = &many->nodes[i];
        if (many->once && future->counted) {
            continue;
        }
        future->counted = true;
        node->many = many;
        node->watch.fire = fire_many;
        if (future->done) {
            note_settled(node, future);
        } else {
            many->pending++;
            future_watch(future, &node->watch);
        }
    }
    for (size_t i = 0; i < many->count; i++) {
        futures[i]->counted = false;
    }
}

/* Opens a wait whose count and rules are filled in. Returns 0, -EDEADLK, -ECHILD, -ENOMEM; to be closed
 * anyway. */
static int many_open(jg_many *many, jg_future *const *futures) {
    size_t count = many->count;
    for (size_t i = 0; i < count; i++) {
        int rc = future_check(futures[i]);
        if (rc < 0) {
            return (int)error_bare(rc);
        }
    }
    many->nodes = many->few;
    if (count > FEW) {
        many->nodes = mem_alloc_zero(count * sizeof(jg_many_node));
        if (many->nodes == NULL) {
            return (int)jg_fail(-ENOMEM, "no memory to wait for %zu futures", count);
        }
    }
    watch_all(many, futures);
    return 0;
}

/* One wait for many, on the waiter's stack. */
struct many_wait {
    struct wait wait;
    jg_many *many;
};

static void undo_leave(struct wait *wait) {
    ((struct many_wait *)(void *)wait)->many->waiter = NULL;
    wake(wait, -ECANCELED);
}

/* Cancels all that is pending; from now on only the end of all is enough. */
static void cancel_all(jg_many *many) {
    many->when = JG_ALL_COMPLETED;
    many->passed_on = true;
    for (size_t i = 0; i < many->count; i++) {
        if (!many->nodes[i].settled) {
            jg_future_cancel(many->nodes[i].watch.future);
        }
    }
}

/* Whether nothing but the end of all makes the waiter go on. jg_wait leaves when cancelled. */
static bool needs_all(const jg_many *many) {
    return many->when == JG_ALL_COMPLETED && !many->once;
}

struct jg_task_record *many_bound(const jg_watch *watch) {
    if (watch->fire != fire_many) {
        return NULL;
    }
    const jg_many *many = container_of(watch, jg_many_node, watch)->many;
    const struct wait *waiter = many->waiter;
    return waiter != NULL && needs_all(many) ? (struct jg_task_record *)(void *)waiter->coro : NULL;
}

/* Whether one of those pending cannot end before `self` goes on, who needs all. */
static bool closes_ring(struct jg_task_record *self, const jg_many *many) {
    bool closes = false;
    if (!ring_wanted(self)) {
        return false;
    }
    for (size_t i = 0; i < many->count && !closes; i++) {
        const jg_many_node *node = &many->nodes[i];
        closes = !node->settled && ring_closes(self, node->watch.future);
    }
    ring_clear(self);
    return closes;
}

/* What a failure would have ended needs all from now on, of whom one may wait for us. */
static void undo_cancel_all(struct wait *wait) {
    jg_many *many = ((struct many_wait *)(void *)wait)->many;
    struct jg_task_record *self = (struct jg_task_record *)(void *)wait->coro;
    bool needed = needs_all(many);
    wait->undo = NULL;
    cancel_all(many);
    if (!needed && many->waiter != NULL && closes_ring(self, many)) {
        many->waiter = NULL;
        wake(wait, -EDEADLK);
    }
}

/* The first node of this wait that watches the task; most tasks are watched by few. */
static const jg_many_node *node_of(const jg_many *many, const struct jg_task_record *task) {
    for (const jg_watch *watch = task->future.first; watch != NULL; watch = watch->next) {
        if (watch->fire == fire_many) {
            const jg_many_node *node = container_of(watch, jg_many_node, watch);
            if (node->many == many) {
                return node;
            }
        }
    }
    return NULL;
}

/* Whose end this node waits for; NULL: it does for none, or for that of another node's as well. */
static struct jg_task_record *task_of(const jg_many_node *node) {
    if (node->many == NULL || node->settled || !node->watch.future->of_task) {
        return NULL;
    }
    struct jg_task_record *task = future_task(node->watch.future);
    return node_of(node->many, task) == node ? task : NULL;
}

/* The tasks among the futures that are pending, each once. */
static struct coro *next_holder(const struct wait *wait, const struct coro *before) {
    const jg_many *many = ((const struct many_wait *)(const void *)wait)->many;
    const struct jg_task_record *last = (const struct jg_task_record *)(const void *)before;
    size_t i = last == NULL ? 0 : (size_t)(node_of(many, last) - many->nodes) + 1;
    for (; i < many->count; i++) {
        struct jg_task_record *task = task_of(&many->nodes[i]);
        if (task != NULL) {
            return &task->coro;
        }
    }
    return NULL;
}

/* What it takes; of a future that is no task's nobody knows who settles it. */
static enum wait_needs needs(const struct wait *wait) {
    const jg_many *many = ((const struct many_wait *)(const void *)wait)->many;
    if (many->when == JG_ALL_COMPLETED) {
        return NEEDS_EACH;
    }
    for (size_t i = 0; i < many->count; i++) {
        const jg_many_node *node = &many->nodes[i];
        if (node->many != NULL && !node->settled && !node->watch.future->of_task) {
            return NEEDS_ANYBODY;
        }
    }
    return NEEDS_ONE;
}

static const struct wait_kind many_kind = {
    .what = "futures", .next_holder = next_holder, .needs = needs};

bool many_binds(const struct wait *wait) {
    return wait->kind == &many_kind &&
           needs_all(((const struct many_wait *)(const void *)wait)->many);
}

/* Without a loop: blocks for those that other threads settle, one after the other. Returns 0 when there is
 * enough, or nobody else to block for. */
__attribute__((cold, noinline)) static intptr_t block_for_owners(struct coro *self, jg_many *many,
                                                                 bool pass_on) {
    int64_t deadline_ns = self->deadline_ns;
    for (size_t i = 0; i < many->count && !has_enough(many); i++) {
        jg_future *future = many->nodes[i].watch.future;
        if (future == NULL || future->done || future->owner == NULL) {
            continue;
        }
        int rc = future->owner->block(future, deadline_ns);
        if (rc == -ETIMEDOUT) {
            rc = sched_refuse(self); // the scopes see by it that the deadline struck inside
            if (pass_on) {
                cancel_all(many);
                deadline_ns = JG_NEVER;
                rc = future->done ? 0 : future->owner->block(future, deadline_ns);
            }
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Waits until there is enough. A cancel of the caller ends the wait, or is passed on to all. */
static intptr_t many_wait(jg_many *many, bool pass_on) {
    struct coro *self = sched_current();
    struct many_wait waiting = {
        .wait = {.undo = pass_on ? undo_cancel_all : undo_leave, .kind = &many_kind}, .many = many};
    if (has_enough(many)) {
        return 0;
    }
    bool asked = unlikely(self->attention != 0);
    if (asked) {
        if (!pass_on || (self->attention & ~(uint32_t)ATTENTION_CANCEL)) {
            return sched_refuse(self);
        }
        waiting.wait.undo = NULL;
        cancel_all(many);
        if (has_enough(many)) {
            return sched_refuse(self);
        }
    }
    if (needs_all(many) && closes_ring((struct jg_task_record *)(void *)self, many)) {
        return error_bare(-EDEADLK);
    }
    if (unlikely(self->loop == NULL)) {
        intptr_t rc = block_for_owners(self, many, pass_on);
        if (rc < 0 || has_enough(many)) {
            return error_bare(rc);
        }
    }
    many->waiter = &waiting.wait;
    intptr_t rc = park(&waiting.wait);
    many->waiter = NULL;
    if (unlikely(self->loop == NULL) && pass_on && rc == -ECANCELED) {
        cancel_all(many); // nobody ran our undo
    }
    return asked ? sched_passed_on(self, rc) : rc;
}

/* The caller has been given this word. */
static void mark_seen(jg_many_node *node) {
    if (node->watch.future != NULL) {
        future_see(node->watch.future);
    }
}

/* The same, and what stands behind a failure is the caller's as well, if it is still to be had; never what
 * stood behind another. */
static intptr_t take_word(jg_many_node *node) {
    if (unlikely(jg_failed(node->result))) {
        jg_future *future = node->watch.future;
        error_keep(task_current(), future != NULL ? future_error(future) : NULL);
    }
    return node->result;
}

static intptr_t gather_outcome(jg_many *many, intptr_t rc) {
    if (!has_enough(many)) {
        return rc; // it could not wait
    }
    if (many->cancel_fails) {
        return many->failed != NULL ? take_word(many->failed) : 0;
    }
    return many->passed_on && many->any_cancelled ? error_bare(-ECANCELED) : 0;
}

static void hand_over(jg_many *many, intptr_t *out_results) {
    for (size_t i = 0; i < many->count; i++) {
        mark_seen(&many->nodes[i]);
        if (out_results != NULL) {
            out_results[i] = many->nodes[i].result;
        }
    }
}

intptr_t jg_gather(jg_future *const *futures, size_t count, intptr_t *out_results,
                   jg_gather_mode mode) {
    if (mode != JG_FAIL_FIRST && mode != JG_COLLECT_ERRORS) {
        return error_bare(-EINVAL);
    }
    bool collect = mode == JG_COLLECT_ERRORS;
    jg_many many = {.count = count,
                    .when = collect ? JG_ALL_COMPLETED : JG_FIRST_EXCEPTION,
                    .cancel_fails = !collect};
    intptr_t rc = many_open(&many, futures);
    if (rc == 0) {
        rc = gather_outcome(&many, many_wait(&many, true));
    }
    if (rc == 0) {
        hand_over(&many, out_results);
    }
    many_close(&many);
    return rc;
}

/* The part of jg_wait that may take time. */
static intptr_t wait_limited(jg_many *many, int64_t timeout_ms) {
    if (has_enough(many)) {
        return 0;
    }
    if (timeout_ms == 0) {
        return jg_yield();
    }
    jg_scope scope;
    jg_scope_open(&scope, deadline_after_ms(timeout_ms), false);
    return jg_scope_close(&scope, many_wait(many, false));
}

ssize_t jg_wait(jg_future *const *futures, size_t count, jg_return_when when, int64_t timeout_ms) {
    jg_many many = {.count = count, .when = when, .once = true};
    bool known = when == JG_ALL_COMPLETED || when == JG_FIRST_COMPLETED ||
                 when == JG_FIRST_EXCEPTION;
    if (count == 0 || !known) {
        return error_bare(-EINVAL);
    }
    intptr_t rc = many_open(&many, futures);
    if (rc == 0) {
        rc = wait_limited(&many, timeout_ms);
        rc = rc < 0 && rc != -ETIMEDOUT ? rc : (intptr_t)many.settled;
    }
    many_close(&many);
    return rc;
}

int jg_as_completed_open(jg_as_completed *iterator, jg_future *const *futures, size_t count,
                         int64_t timeout_ms) {
    iterator->deadline_ns = deadline_after_ms(timeout_ms);
    iterator->block.entered = true;
    iterator->many = (jg_many){.count = count, .when = JG_FIRST_COMPLETED, .once = true};
    iterator->rc = many_open(&iterator->many, futures);
    return (int)iterator->rc;
}

bool jg_as_completed_next(jg_as_completed *iterator) {
    jg_many *many = &iterator->many;
    if (iterator->rc == 0 && !has_enough(many)) {
        jg_scope scope;
        jg_scope_open(&scope, iterator->deadline_ns, false);
        iterator->rc = jg_scope_close(&scope, many_wait(many, false));
    }
    jg_many_node *node = many->first;
    if (iterator->rc < 0 || node == NULL) {
        return false;
    }
    many->first = node->next;
    iterator->index = (size_t)(node - many->nodes);
    iterator->future = node->watch.future;
    iterator->result = take_word(node);
    mark_seen(node);
    return true;
}

intptr_t jg_as_completed_close(jg_as_completed *iterator) {
    many_close(&iterator->many);
    return iterator->rc;
}

bool jg_as_completed_step(jg_as_completed *iterator) {
    if (!iterator->block.entered) {
        jg_as_completed_open(iterator, iterator->futures, iterator->many.count,
                             iterator->timeout_ms);
    }
    return jg_as_completed_next(iterator);
}

void jg_as_completed_leave(jg_as_completed *iterator) {
    must(iterator->block.entered);
    block_store(&iterator->block, jg_as_completed_close(iterator));
}
