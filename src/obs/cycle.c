// SPDX-License-Identifier: MIT
/* cycle.c – rings of tasks that wait for each other.
 *
 * Holds      nothing: the walk's state is in the watch's records.
 * Invariant  each ring is printed once: every task is entered once.
 * Called by  debug.c, for a deadlock.
 * Why        a depth-first walk along "could be ended by"; who is met again while the walk is still in
 *            him closes a ring. A loop, not a recursion: chains may be long.
 */
#include "obs/tree.h"

enum { UNSEEN, INSIDE, LEFT };

static const struct wait *wait_of(const struct watch_task *record) {
    return record->task->coro.parked;
}

/* The next whom this one waits for, of those not looked at yet. */
static struct coro *next_edge(struct watch_task *record) {
    const struct wait *wait = wait_of(record);
    if (wait == NULL || wait->kind == NULL || wait->kind->next_holder == NULL) {
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

static void walk(struct watch_task *record, FILE *out) {
    record->from = NULL;
    record->mark = INSIDE;
    while (record != NULL) {
        struct coro *holder = next_edge(record);
        struct watch_task *next = holder != NULL ? watch_record(holder) : NULL;
        if (holder == NULL) {
            record->mark = LEFT;
            record = record->from;
        } else if (next != NULL && next->mark == UNSEEN) {
            next->from = record;
            next->mark = INSIDE;
            record = next;
        } else if (next != NULL && next->mark == INSIDE) {
            print_ring(record, next, out);
            for (; record != NULL; record = record->from) {
                record->mark = LEFT; // one ring per walk is enough to look for the reason
            }
        }
    }
}

void tree_print_cycles(struct watch *watch, FILE *out) {
    for (struct list *node = watch->tasks.next; node != &watch->tasks; node = node->next) {
        struct watch_task *record = container_of(node, struct watch_task, all);
        record->mark = UNSEEN;
        record->cursor = NULL;
    }
    for (struct list *node = watch->tasks.next; node != &watch->tasks; node = node->next) {
        struct watch_task *record = container_of(node, struct watch_task, all);
        if (record->mark == UNSEEN) {
            walk(record, out);
        }
    }
}
