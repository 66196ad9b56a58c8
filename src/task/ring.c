// SPDX-License-Identifier: MIT
/* ring.c – waits that could never end, as they would wait for who waits.
 *
 * Holds      nothing: those found are linked through their own records, which are cut before the answer.
 * Invariant  a task is marked only if it cannot end before the one asked about has gone on, whatever is
 *            cancelled and whatever limit strikes.
 * Called by  future.c, many.c, before a wait that no cancel ends.
 * Why        such a wait is a bug that no cancel gets a program out of: so it is refused, by who would
 *            close the ring. Looked for upward, from who is about to wait to those who wait for him: as a
 *            rule one path, where down from the one waited for would be all that he waits for.
 *            docs/decisions/rings.md.
 */
#include "task/task.h"

/* Links a task behind the last one, if it is not linked yet. The last is linked to itself. Returns the
 * last. */
static struct jg_task_record *mark(struct jg_task_record *last, struct jg_task_record *task) {
    if (task->marked != NULL) {
        return last;
    }
    last->marked = task;
    task->marked = task;
    return task;
}

/* The same for one that cannot go on, and so never says that it is ready. */
static struct jg_task_record *mark_stuck(struct jg_task_record *last, struct jg_task_record *task) {
    while (task != NULL) {
        last = mark(last, task);
        task = task->ready != NULL ? future_bound(task->ready->first) : NULL;
    }
    return last;
}

/* Those who cannot end before this one has. */
static struct jg_task_record *mark_waiting(struct jg_task_record *last,
                                           const struct jg_task_record *task) {
    for (const jg_watch *watch = task->future.first; watch != NULL; watch = watch->next) {
        struct jg_task_record *waiter = future_bound(watch);
        last = mark_stuck(last, waiter != NULL ? waiter : many_bound(watch));
    }
    const jg_group *group = task->group;
    if (group != NULL) {
        bool stuck = group->waiter != NULL;
        last = stuck ? mark_stuck(last, group->scope.task) : mark(last, group->scope.task);
    }
    return last;
}

static void mark_all(struct jg_task_record *self) {
    struct jg_task_record *last = mark_stuck(self, self);
    const struct jg_task_record *task = self;
    for (;;) {
        last = mark_waiting(last, task);
        if (task->marked == task) {
            return;
        }
        task = task->marked;
    }
}

/* Whether it has a group with tasks in it: below one of its scopes is another's, before its own or behind. */
static bool has_members(const struct jg_task_record *task) {
    const jg_scope *inside = NULL;
    const jg_scope *scope = task->innermost;
    while (scope->first_child == inside && (inside == NULL || inside->next == NULL)) {
        if (scope == &task->root) {
            return false;
        }
        inside = scope;
        scope = scope->parent;
    }
    return true;
}

/* Whether the task might be one of those: it waits for others, or has to before it ends. Most that somebody
 * waits for do not: a look at all who wait for him would be for nothing. */
static bool may_be_held_up(const struct jg_task_record *task) {
    const struct wait *wait = task->coro.parked;
    bool bound = wait != NULL && (future_binds(wait) || many_binds(wait));
    return bound || has_members(task);
}

bool ring_closes(struct jg_task_record *self, jg_future *future) {
    if (!future->of_task || future->done || !may_be_held_up(future_task(future))) {
        return false;
    }
    if (self->marked == NULL) {
        mark_all(self);
    }
    return future_task(future)->marked != NULL;
}

void ring_clear(struct jg_task_record *self) {
    struct jg_task_record *task = self;
    while (task != NULL) {
        struct jg_task_record *next = task->marked != task ? task->marked : NULL;
        task->marked = NULL;
        task = next;
    }
}

bool ring_look(struct jg_task_record *self, jg_future *future) {
    bool may_wait = (self->coro.attention & ~(uint32_t)ATTENTION_CANCEL) == 0;
    bool closes = may_wait && ring_closes(self, future);
    ring_clear(self);
    return closes;
}
