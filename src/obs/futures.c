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
    const jg_future *future; // an address, no more
    struct origin who;
    char call[48];  // the function that is to be called; "" for one who waited
    char place[64]; // and where that was asked for
};

void futures_begin(struct futures *futures) {
    list_init(&futures->owed);
    futures->count = 0;
    futures->closing = false;
}

static struct owed *find(const struct futures *futures, const jg_future *future) {
    for (const struct list *node = futures->owed.next; node != &futures->owed; node = node->next) {
        struct owed *owed = container_of(node, struct owed, all);
        if (owed->future == future) {
            return owed;
        }
    }
    return NULL;
}

static void drop(struct futures *futures, struct owed *owed) {
    list_remove(&owed->all);
    mem_free(owed);
    futures->count--;
}

static struct owed *add(struct futures *futures, const jg_future *future) {
    struct owed *owed = futures->count < FUTURES_MOST ? mem_alloc(sizeof(*owed)) : NULL;
    if (owed != NULL) {
        owed->future = future;
        list_append(&futures->owed, &owed->all);
        futures->count++;
    }
    return owed;
}

void futures_owed(struct futures *futures, const jg_future *future, const struct coro *coro,
                  const char *call) {
    if (futures->closing) {
        futures_unowed(futures, future);
        return;
    }
    struct owed *owed = find(futures, future);
    owed = owed != NULL ? owed : add(futures, future);
    if (owed != NULL) {
        origin_write(coro, &owed->who);
        snprintf(owed->call, sizeof(owed->call), "%s", call != NULL ? call : "");
        snprintf(owed->place, sizeof(owed->place), "%s", call != NULL ? task_place(call) : "");
    }
}

void futures_unowed(struct futures *futures, const jg_future *future) {
    struct owed *owed = find(futures, future);
    if (owed != NULL) {
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
    if (owed->call[0] != '\0') {
        snprintf(text + size, sizeof(text) - (size_t)size, "has %s (%s) called when it is set\n",
                 owed->call, owed->place);
    } else {
        snprintf(text + size, sizeof(text) - (size_t)size, "has waited for it\n");
    }
    debug_report(JG_DEBUG_FUTURE_LEAK, who->task, who->spawned, 0, text);
}

void futures_end(struct futures *futures) {
    while (!list_empty(&futures->owed)) {
        struct owed *owed = container_of(futures->owed.next, struct owed, all);
        struct owed told = *owed;
        drop(futures, owed); // first: who hears of it may settle it
        report(&told);
    }
}
