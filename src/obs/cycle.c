// SPDX-License-Identifier: MIT
/* cycle.c – rings of tasks that wait for each other.
 *
 * Holds      nothing: who is stuck is in the watch's records.
 * Invariant  a task is stuck if it waits without a limit, and of those whom it needs each one is stuck, or of
 *            those of whom one is enough all are. Of whom nothing is known is not stuck.
 * Called by  debug.c, for a deadlock, and for a ring in a loop that has other work.
 * Why        all who wait for tasks are taken for stuck, and who is not is struck out until nothing changes:
 *            the rest are all that are stuck. Each of them waits for another one, so that whoever goes from
 *            one to the first of these comes round to a ring.
 * Quirks     passes go forward and back by turns: a chain is struck out by one or two, whichever way it lies.
 *            When PASSES_MOST are not enough nothing is said.
 */
#include "obs/tree.h"

enum {
    PASSES_MOST = 100,
    LINES_MOST = 500, // of waits in one report
    WALK_TOLD = -1,
};

static const struct wait *wait_of(const struct watch_task *record) {
    return record->task->coro.parked;
}

static enum wait_needs needs_of(const struct wait *wait) {
    return wait->kind->needs != NULL ? wait->kind->needs(wait) : NEEDS_EACH;
}

/* Whether a deadline is yet to strike. */
static bool limited(const struct watch_task *record) {
    const jg_scope *scope = record->task->innermost;
    while (scope->timer.index == 0 && !scope->shield && scope->parent != NULL) {
        scope = scope->parent;
    }
    return scope->timer.index != 0;
}

/* Of all who wait, those who are to be looked at. In a deadlock nobody comes whom we do not know. */
static bool may_be_stuck(const struct watch_task *record, enum rings which) {
    const struct wait *wait = wait_of(record);
    if (wait == NULL || wait->kind == NULL || wait->kind->next_holder == NULL) {
        return false;
    }
    return which == RINGS_ALL || (needs_of(wait) != NEEDS_ANYBODY && !limited(record));
}

static bool is_stuck(const struct watch_task *record, enum rings which) {
    const struct wait *wait = wait_of(record);
    const struct coro *holder = NULL;
    bool one_is_enough = which == RINGS_NEW && needs_of(wait) == NEEDS_ONE;
    while ((holder = wait->kind->next_holder(wait, holder)) != NULL) {
        const struct watch_task *other = watch_record(holder);
        bool stuck = other != NULL && other->stuck;
        if (stuck != one_is_enough) {
            return stuck;
        }
    }
    return one_is_enough;
}

/* Strikes out who is not stuck. Returns whether there was anybody. */
static bool strike_out(struct watch *watch, enum rings which, bool back) {
    bool found = false;
    struct list *node = &watch->tasks;
    while ((node = back ? node->prev : node->next) != &watch->tasks) {
        struct watch_task *record = container_of(node, struct watch_task, all);
        if (record->stuck && !is_stuck(record, which)) {
            record->stuck = false;
            found = true;
        }
    }
    return found;
}

/* Finds out who is stuck. Returns whether that is known, and there may be somebody. */
static bool find_stuck(struct watch *watch, enum rings which) {
    bool any = false;
    for (struct list *node = watch->tasks.next; node != &watch->tasks; node = node->next) {
        struct watch_task *record = container_of(node, struct watch_task, all);
        record->walk = which == RINGS_NEW && record->told ? WALK_TOLD : 0;
        record->stuck = may_be_stuck(record, which);
        any = any || record->stuck;
    }
    for (int pass = 0; any && pass < PASSES_MOST; pass++) {
        if (!strike_out(watch, which, pass % 2 != 0)) {
            return true;
        }
    }
    return false;
}

/* The first of the stuck for whom this one waits; who is stuck has one. */
static struct watch_task *next_stuck(const struct watch_task *record) {
    const struct wait *wait = wait_of(record);
    const struct coro *holder = NULL;
    struct watch_task *other;
    do {
        holder = wait->kind->next_holder(wait, holder);
        other = watch_record(holder);
    } while (other == NULL || !other->stuck);
    return other;
}

static void print_ring(const struct watch_task *first, FILE *out) {
    const struct watch_task *at = first;
    fputs("a ring, each waiting for the next: ", out);
    do {
        tree_print_name(&at->task->coro, out);
        fputs(" -> ", out);
        at = next_stuck(at);
    } while (at != first);
    tree_print_name(&first->task->coro, out);
    fputc('\n', out);
}

/* Of all who are stuck, be it behind a ring. */
static void print_waits(struct watch *watch, FILE *out) {
    int lines = 0;
    for (struct list *node = watch->tasks.next; node != &watch->tasks; node = node->next) {
        struct watch_task *record = container_of(node, struct watch_task, all);
        if (!record->stuck || record->told) {
            continue;
        }
        record->told = true;
        if (lines++ < LINES_MOST) {
            fputs("  ", out);
            tree_print_name(&record->task->coro, out);
            fprintf(out, " (spawned at %s) waits for ", task_place(record->task->site));
            tree_print_wait(wait_of(record), out);
            fputc('\n', out);
        }
    }
    if (lines > LINES_MOST) {
        fprintf(out, "  ... and %d more\n", lines - LINES_MOST);
    }
}

bool tree_print_rings(struct watch *watch, enum rings which, FILE *out) {
    bool found = false;
    int walk = 0;
    if (!find_stuck(watch, which)) {
        return false;
    }
    for (struct list *node = watch->tasks.next; node != &watch->tasks; node = node->next) {
        struct watch_task *at = container_of(node, struct watch_task, all);
        if (!at->stuck || at->walk != 0) {
            continue;
        }
        for (walk++; at->walk == 0; at = next_stuck(at)) {
            at->walk = walk;
        }
        if (at->walk == walk) {
            found = true;
            if (out != NULL) {
                print_ring(at, out);
            }
        }
    }
    if (which == RINGS_NEW && found && out != NULL) {
        print_waits(watch, out);
    }
    return found;
}
