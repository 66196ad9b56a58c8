// SPDX-License-Identifier: MIT
/* futures.c – see futures.h.
 *
 * Holds      nothing beyond struct futures.
 * Invariant  see futures.h.
 * Called by  see futures.h.
 * Why        see futures.h. A list, looked through: it is short.
 */
#include "obs/futures.h"

#include "base/mem.h"
#include "obs/debug.h"

#include <stdio.h>

struct owed {
    struct list all;
    const jg_future *future;          // an address, no more
    const jg_done_callback *callback; // another; NULL for one who waited
    struct origin who;
    char call[48];  // the function that is to be called
    char place[64]; // and where that was asked for
};

void futures_begin(struct futures *futures) {
    list_init(&futures->owed);
    futures->count = 0;
    futures->closing = false;
}

/* The note before `after`, which is that after the newest: the list's head. NULL: there is none. */
static struct owed *note_before(const struct futures *futures, const struct list *after) {
    return after->prev != &futures->owed ? container_of(after->prev, struct owed, all) : NULL;
}

static struct owed *newest_of(const struct futures *futures, const jg_future *future) {
    struct owed *owed = note_before(futures, &futures->owed);
    while (owed != NULL && owed->future != future) {
        owed = note_before(futures, &owed->all);
    }
    return owed;
}

static struct owed *find(const struct futures *futures, const jg_future *future,
                         const jg_done_callback *callback) {
    struct owed *owed = newest_of(futures, future);
    while (owed != NULL && (owed->future != future || owed->callback != callback)) {
        owed = note_before(futures, &owed->all);
    }
    return owed;
}

static void drop(struct futures *futures, struct owed *owed) {
    list_remove(&owed->all);
    mem_free(owed);
    futures->count--;
}

static struct owed *add(struct futures *futures, const jg_future *future,
                        const jg_done_callback *callback) {
    struct owed *owed = futures->count < FUTURES_MOST ? mem_alloc(sizeof(*owed)) : NULL;
    if (owed != NULL) {
        owed->future = future;
        owed->callback = callback;
        list_append(&futures->owed, &owed->all);
        futures->count++;
    }
    return owed;
}

void futures_owed(struct futures *futures, const jg_future *future, const struct coro *coro,
                  const jg_done_callback *callback) {
    if (futures->closing) {
        futures_unowed(futures, future, NULL);
        return;
    }
    struct owed *owed = find(futures, future, callback);
    owed = owed != NULL ? owed : add(futures, future, callback);
    if (owed == NULL) {
        return;
    }
    list_remove(&owed->all);
    list_append(&futures->owed, &owed->all); // the newest now
    origin_write(coro, &owed->who);
    if (callback != NULL) {
        snprintf(owed->call, sizeof(owed->call), "%s", callback->site);
        snprintf(owed->place, sizeof(owed->place), "%s", task_place(callback->site));
    }
}

void futures_unowed(struct futures *futures, const jg_future *future,
                    const jg_done_callback *callback) {
    struct owed *owed;
    while ((owed = callback != NULL ? find(futures, future, callback)
                                    : newest_of(futures, future)) != NULL) {
        drop(futures, owed);
    }
}

void futures_closing(struct futures *futures) {
    futures->closing = true;
}

static void report(const struct owed *owed) {
    char text[512];
    const struct origin *who = &owed->who;
    int size = snprintf(text, sizeof(text),
                        "juggle: future %p is pending as the loop closes: task %s (spawned at %s) ",
                        (const void *)owed->future, who->task, who->spawned);
    if (owed->callback != NULL) {
        snprintf(text + size, sizeof(text) - (size_t)size, "has %s (%s) called when it is set\n",
                 owed->call, owed->place);
    } else {
        snprintf(text + size, sizeof(text) - (size_t)size, "has waited for it\n");
    }
    debug_report(JG_DEBUG_FUTURE_LEAK, who->task, who->spawned, 0, text);
}

void futures_end(struct futures *futures) {
    while (!list_empty(&futures->owed)) {
        const struct owed *first = container_of(futures->owed.next, struct owed, all);
        const jg_future *future = first->future;
        struct owed told = *newest_of(futures, future);
        futures_unowed(futures, future, NULL); // first: who hears of it may settle it
        report(&told);
    }
}
