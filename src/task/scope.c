// SPDX-License-Identifier: MIT
/* scope.c – deadlines, cancels and shields, in one tree.
 *
 * Holds      the tree: a scope's children are the task's next scope inside it, or the root scopes of
 *            the tasks of a group.
 * Invariant  effective = cancelled itself, or (no shield and the parent is effective). The
 *            coroutine's attention bit equals its innermost scope's `effective`, but for the edge
 *            rule, where a delivery clears it.
 * Called by  tasks (open, close), timers (a deadline strikes), task.c and group.c (requests).
 * Why        a cancel marks the scopes below it once and interrupts who is parked there; suspending
 *            calls read one bit. Opening and closing a scope is O(1).
 * Quirks     the walk is a loop, not a recursion, and an undo that cancels another task queues it:
 *            a chain of a million joins needs no deep stack. Without a loop no timer fires: there the
 *            blocking backend looks at coro.deadline_ns and counts a refusal.
 */
#include "task/task.h"

#include "base/clock.h"

struct jg_task_record *task_adopt(struct jg_task_record *task) {
    task->innermost = &task->root;
    task->root.deadline_ns = JG_NEVER;
    task->root.task = task;
    task->future.of_task = true;
    task->site = "\0";
    task->held = HELD_IN_JOIN; // nobody else may
    return task;
}

static void link_below(jg_scope *scope, jg_scope *parent) {
    scope->parent = parent;
    scope->next = parent->first_child;
    if (scope->next != NULL) {
        scope->next->prev = scope;
    }
    parent->first_child = scope;
}

static void unlink_scope(jg_scope *scope) {
    if (scope->prev != NULL) {
        scope->prev->next = scope->next;
    } else if (scope->parent != NULL) {
        scope->parent->first_child = scope->next;
    }
    if (scope->next != NULL) {
        scope->next->prev = scope->prev;
    }
}

static bool cancelled_itself(const jg_scope *scope) {
    return scope->requests > 0 || scope->expired || scope->due;
}

static bool should_be_effective(const jg_scope *scope) {
    return cancelled_itself(scope) ||
           (!scope->shield && scope->parent != NULL && scope->parent->effective);
}

/* Whether a cancel stands: the code the task is in sees it, or a shield keeps it from that. */
static bool cancel_stands(const struct jg_task_record *task) {
    const jg_scope *scope = task->innermost;
    while (!scope->effective && scope != &task->root) {
        scope = scope->parent;
    }
    return scope->effective;
}

/* Refusals have been counted. */
__attribute__((cold, noinline)) static void mind_refusals(struct jg_task_record *task,
                                                          uint32_t bit) {
    bool stands = cancel_stands(task);
    if (!stands || (task->coro.attention & ATTENTION_CANCEL) != bit) {
        sched_cancel_turns(&task->coro, stands, bit != 0);
    }
}

static inline void set_attention(struct jg_task_record *task, uint32_t bit) {
    struct coro *coro = &task->coro;
    if (unlikely(coro->refused_in_row != 0)) {
        mind_refusals(task, bit);
    }
    coro->attention = (coro->attention & ~(uint32_t)ATTENTION_CANCEL) | bit;
}

/* Makes the coroutine see what its innermost scope says. */
static void show(struct jg_task_record *task) {
    bool used_up = task->coro.edge && task->coro.delivered;
    set_attention(task, task->innermost->effective && !used_up ? ATTENTION_CANCEL : 0);
}

/* What is behind the task's shields has changed; its code does not see it. */
static void mind_shield(struct jg_task_record *task) {
    set_attention(task, task->coro.attention & ATTENTION_CANCEL);
}

/* A cancel has reached the code the task is in. */
static void hit(struct jg_task_record *task) {
    set_attention(task, ATTENTION_CANCEL);
    task->coro.delivered = false;
    interrupt(&task->coro);
}

/* The next scope in pre-order below `top`, leaving out what is under `scope` unless `descend`. */
static jg_scope *next_below(const jg_scope *top, jg_scope *scope, bool descend) {
    if (descend && scope->first_child != NULL) {
        return scope->first_child;
    }
    while (scope != top) {
        if (scope->next != NULL) {
            return scope->next;
        }
        scope = scope->parent;
    }
    return NULL;
}

/* The outermost shield between a scope of a task and the code it is in, or NULL. */
static jg_scope *shield_inside(const jg_scope *scope) {
    jg_scope *shield = NULL;
    for (jg_scope *inner = scope->task->innermost; inner != scope; inner = inner->parent) {
        shield = inner->shield ? inner : shield;
    }
    return shield;
}

/* A cancel has come to a scope: the task has to see it, now or when it leaves the shield that keeps it
 * away, whatever is seen inside of that meanwhile. */
static void make_unseen(const jg_scope *scope, bool seen_already) {
    jg_scope *shield = shield_inside(scope);
    if (shield != NULL) {
        shield->withheld = true;
    } else if (!seen_already) {
        scope->task->coro.delivered = false;
    }
}

static void spread_one(jg_scope *top) {
    bool changed = true;
    for (jg_scope *scope = top; scope != NULL; scope = next_below(top, scope, changed)) {
        bool effective = should_be_effective(scope);
        changed = effective != scope->effective;
        scope->effective = effective;
        // Once for each task; not when the same refusal will tell of it, too.
        if (changed && effective && (scope == top || scope == &scope->task->root)) {
            make_unseen(scope, scope->task->coro.told);
        }
        if (!changed && scope->shield) {
            mind_shield(scope->task);
        }
        if (!changed || scope != scope->task->innermost) {
            continue;
        }
        if (effective) {
            hit(scope->task);
        } else {
            show(scope->task);
        }
    }
}

/* Brings the tree below `top` up to date after its own state changed. */
static void spread(jg_scope *top) {
    struct task_loop *loop = task_loop_of(top->task);
    if (loop == NULL) {
        spread_one(top);
        return;
    }
    if (!top->queued) {
        top->queued = true;
        top->next_cancel = loop->cancels;
        loop->cancels = top;
    }
    if (loop->spreading) {
        return; // an undo further up cancels this task: whoever spreads will come to it
    }
    loop->spreading = true;
    while (loop->cancels != NULL) {
        jg_scope *scope = loop->cancels;
        loop->cancels = scope->next_cancel;
        scope->queued = false;
        spread_one(scope);
    }
    loop->spreading = false;
}

/* Brings a new reason to stop into a scope. Under the edge rule each is delivered once, also where the
 * scope was effective before and the tree does not change; behind a shield, when that is left. Those of
 * one tick are one. */
static void spread_reason(jg_scope *scope, bool was_effective) {
    struct jg_task_record *task = scope->task;
    spread(scope);
    if (!was_effective || !task->coro.edge) {
        return;
    }
    make_unseen(scope, task->coro.told);
    if (shield_inside(scope) == NULL && !task->coro.told) {
        hit(task);
    }
}

static void deadline_strikes(jg_timer *timer) {
    jg_scope *scope = container_of(timer, jg_scope, timer);
    scope->expired = true;
    spread_reason(scope, scope->effective);
}

/* Without memory for the timer the code inside is stopped at once, and the close says why: a wait must not
 * become endless. */
static void arm(jg_scope *scope) {
    struct loop *loop = scope->task->coro.loop;
    if (loop == NULL || scope->deadline_ns == JG_NEVER) {
        return;
    }
    if (timer_arm(&loop->timers, &scope->timer, scope->deadline_ns, deadline_strikes) < 0) {
        scope->due = true;
        scope->timeless = true;
        scope->deadline_ns = loop_now_ns();
    }
}

int64_t scope_nearest_deadline(const jg_scope *scope) {
    int64_t nearest = JG_NEVER;
    for (; scope != NULL; scope = scope->parent) {
        nearest = scope->deadline_ns < nearest ? scope->deadline_ns : nearest;
        if (scope->shield) {
            break;
        }
    }
    return nearest;
}

void scope_root_link(struct jg_task_record *task, jg_scope *parent) {
    link_below(&task->root, parent);
    task->root.effective = parent->effective;
    show(task);
}

void scope_root_unlink(struct jg_task_record *task) {
    unlink_scope(&task->root);
    task->root.parent = NULL;
}

void scope_left_open(const struct jg_task_record *task) {
    check_misuse("task %s ended inside a scope or group it had opened", task->coro.name);
}

void jg_scope_open(jg_scope *scope, int64_t deadline_ns, bool shield) {
    struct jg_task_record *task = task_current();
    *scope = (jg_scope){.task = task,
                        .deadline_ns = deadline_ns,
                        .refused_before = task->coro.refused,
                        .shield = shield};
    link_below(scope, task->innermost);
    task->innermost = scope;
    if (deadline_ns != JG_NEVER) {
        scope->due = deadline_ns <= loop_now_ns();
        if (!scope->due) {
            arm(scope);
        }
    }
    scope->effective = should_be_effective(scope);
    if (scope->due) {
        task->coro.delivered = false;
    }
    show(task);
    if (task->coro.loop == NULL) {
        task->coro.deadline_ns = scope_nearest_deadline(scope);
    }
}

bool jg_scope_expired(const jg_scope *scope) {
    if (scope->expired) {
        return true;
    }
    // Passed from the start, or no loop whose timer could have struck: it counts once a suspend was
    // refused for it.
    bool refused = scope->task->coro.refused != scope->refused_before;
    bool untimed = scope->due || scope->task->coro.loop == NULL;
    return refused && untimed && scope->deadline_ns <= loop_now_ns();
}

bool scope_asked_outside(const jg_scope *scope) {
    if (scope->shield) {
        return false;
    }
    if (scope->task->coro.loop != NULL) {
        return scope->parent->effective;
    }
    for (scope = scope->parent; scope != NULL; scope = scope->parent) {
        if (scope->requests > 0 || jg_scope_expired(scope)) {
            return true;
        }
        if (scope->shield) {
            return false;
        }
    }
    return false;
}

intptr_t jg_scope_close(jg_scope *scope, intptr_t result) {
    struct jg_task_record *task = scope->task;
    if (unlikely(&task->coro != sched_current())) {
        check_misuse("a scope of task %s was closed outside of it, in %s", task->coro.name,
                     sched_current()->name);
    }
    if (unlikely(task->innermost != scope)) {
        check_misuse("a scope was closed that is not the newest of task %s", task->coro.name);
    }
    bool outside = scope_asked_outside(scope);
    bool expired = jg_scope_expired(scope);
    if (task->coro.loop != NULL) {
        timer_disarm(&task->coro.loop->timers, &scope->timer);
    }
    unlink_scope(scope);
    task->innermost = scope->parent;
    if (scope->withheld) {
        task->coro.delivered = false;
    }
    show(task);
    if (task->coro.loop == NULL) {
        task->coro.deadline_ns = scope_nearest_deadline(task->innermost);
    }
    if (result != -ECANCELED || outside) {
        return result;
    }
    if (expired) {
        return scope->timeless ? jg_fail(-ENOMEM, "no memory for a timer") : error_bare(-ETIMEDOUT);
    }
    return scope->requests > 0 ? 0 : result;
}

/* The tree is its loop's, or without one its thread's: nobody else may touch it. Returns false for a copy in
 * a forked child, where nobody is left to be asked. */
static bool check_thread(const jg_scope *scope, const char *what) {
    const struct coro *owner = &scope->task->coro;
    const struct sched *loop = (const struct sched *)(const void *)owner->loop;
    bool here = loop != NULL ? loop == sched_here : owner == sched_stand_in();
    if (unlikely(!here) && !loop_left_behind(owner->loop)) {
        check_misuse("%s %s on another thread than that of its loop", what, owner->name);
    }
    return here;
}

void scope_request(jg_scope *scope) {
    if (check_thread(scope, "cancel of task")) {
        scope->requests++;
        spread_reason(scope, scope->effective);
    }
}

int scope_withdraw(jg_scope *scope) {
    bool here = check_thread(scope, "uncancel of task");
    if (here && scope->requests > 0 && --scope->requests == 0) {
        spread(scope);
    }
    return scope->requests;
}

void jg_scope_cancel(jg_scope *scope) {
    scope_request(scope);
}

int jg_scope_reschedule(jg_scope *scope, int64_t deadline_ns) {
    struct jg_task_record *task = scope->task;
    if (!check_thread(scope, "reschedule in task")) {
        return (int)error_bare(-ECHILD);
    }
    if (jg_scope_expired(scope)) {
        return (int)error_bare(-EINVAL);
    }
    if (task->coro.loop != NULL) {
        timer_disarm(&task->coro.loop->timers, &scope->timer);
    }
    scope->deadline_ns = deadline_ns;
    scope->timeless = false;
    scope->due = deadline_ns <= loop_now_ns();
    if (!scope->due) {
        arm(scope);
    }
    if (scope->due) {
        spread_reason(scope, scope->effective);
    } else {
        spread(scope);
    }
    if (task->coro.loop == NULL) {
        task->coro.deadline_ns = scope_nearest_deadline(task->innermost);
    }
    return scope->timeless ? (int)jg_fail(-ENOMEM, "no memory for a timer") : 0;
}

int64_t jg_deadline(void) {
    return scope_nearest_deadline(task_current()->innermost);
}

int scope_cancelling(const jg_scope *innermost) {
    int count = 0;
    for (const jg_scope *scope = innermost; scope != NULL; scope = scope->parent) {
        bool root = scope == &scope->task->root;
        count += root ? scope->requests : scope->requests > 0;
        count += jg_scope_expired(scope);
        if (scope->shield) {
            break;
        }
    }
    return count;
}
