// SPDX-License-Identifier: MIT
/* cycle.c – rings of tasks that wait for each other.
 *
 * Holds      nothing: the walk's state is in the watch's records.
 * Invariant  each ring is printed once: every task is entered once.
 * Called by  debug.c, for a deadlock, and for a ring in a loop that has other work.
 * Why        a depth-first walk along "could be ended by"; who is met again while the walk is still in
 *            him closes a ring. A loop, not a recursion: chains may be long.
 */
#include "obs/tree.h"

enum { UNSEEN, INSIDE, LEFT };

static const struct wait *wait_of(const struct watch_task *record) {
    return record->task->coro.parked;
}

/* Whether this wait, if it is in a ring, has no other end: neither a limit, nor somebody outside. */
static bool lasts(const struct watch *watch, const struct watch_task *record) {
    const struct wait *wait = wait_of(record);
    int64_t deadline_ns = scope_nearest_deadline(record->task->innermost);
    bool limited = deadline_ns != JG_NEVER && deadline_ns > watch_now_ns(watch);
    return !limited && (wait->kind->others_end == NULL || !wait->kind->others_end(wait));
}

/* The next whom this one waits for, of those not looked at yet. */
static struct coro *next_edge(const struct watch *watch, struct watch_task *record,
                              enum rings which) {
    const struct wait *wait = wait_of(record);
    if (wait == NULL || wait->kind == NULL || wait->kind->next_holder == NULL) {
        return NULL;
    }
    if (which == RINGS_NEW && record->cursor == NULL && (record->told || !lasts(watch, record))) {
        return NULL;
    }
    struct coro *next = wait->kind->next_holder(wait, record->cursor);
    record->cursor = next != NULL ? next : record->cursor;
    return next;
}

static void print_ring(struct watch_task *last, const struct watch_task *first, FILE *out) {
    fprintf(out, "a ring, each waiting for the next: %s", first->task->coro.name);
    // The records are linked from the last back to the first: turn the links round to print forward.
    struct watch_task *after = NULL;
    for (struct watch_task *at = last; at != first; at = after->from) {
        at->cursor = after != NULL ? &after->task->coro : NULL;
        after = at;
    }
    for (; after != NULL; after = after->cursor != NULL ? watch_record(after->cursor) : NULL) {
        fprintf(out, " -> %s", after->task->coro.name);
    }
    fprintf(out, " -> %s\n", first->task->coro.name);
}

/* Prints the ring that ends with this one, unless `out` is NULL. */
static void tell(struct watch_task *last, const struct watch_task *first, enum rings which,
                 FILE *out) {
    if (out == NULL) {
        return;
    }
    print_ring(last, first, out);
    for (struct watch_task *at = last; which == RINGS_NEW; at = at->from) {
        at->told = true;
        fprintf(out, "  %s (spawned at %s) waits for ", at->task->coro.name,
                task_place(at->task->site));
        tree_print_wait(wait_of(at), out);
        fputc('\n', out);
        if (at == first) {
            return;
        }
    }
}

static bool walk(const struct watch *watch, struct watch_task *record, enum rings which,
                 FILE *out) {
    bool found = false;
    record->from = NULL;
    record->mark = INSIDE;
    while (record != NULL) {
        struct coro *holder = next_edge(watch, record, which);
        struct watch_task *next = holder != NULL ? watch_record(holder) : NULL;
        if (holder == NULL) {
            record->mark = LEFT;
            record = record->from;
        } else if (next != NULL && next->mark == UNSEEN) {
            next->from = record;
            next->mark = INSIDE;
            record = next;
        } else if (next != NULL && next->mark == INSIDE) {
            tell(record, next, which, out);
            found = true;
            for (; record != NULL; record = record->from) {
                record->mark = LEFT; // one ring per walk is enough to look for the reason
            }
        }
    }
    return found;
}

bool tree_print_rings(struct watch *watch, enum rings which, FILE *out) {
    bool found = false;
    for (struct list *node = watch->tasks.next; node != &watch->tasks; node = node->next) {
        struct watch_task *record = container_of(node, struct watch_task, all);
        record->mark = UNSEEN;
        record->cursor = NULL;
    }
    for (struct list *node = watch->tasks.next; node != &watch->tasks; node = node->next) {
        struct watch_task *record = container_of(node, struct watch_task, all);
        if (record->mark == UNSEEN) {
            found = walk(watch, record, which, out) || found;
        }
    }
    return found;
}
