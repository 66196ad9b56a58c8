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
    struct error_record *failure;     // a share in it; NULL: it is pending
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
    error_free(owed->failure);
    mem_free(owed);
    futures->count--;
}

static struct owed *add(struct futures *futures, const jg_future *future,
                        const jg_done_callback *callback) {
    struct owed *owed = futures->count < FUTURES_MOST ? mem_alloc(sizeof(*owed)) : NULL;
    if (owed != NULL) {
        owed->future = future;
        owed->callback = callback;
        owed->failure = NULL;
        list_append(&futures->owed, &owed->all);
        futures->count++;
    }
    return owed;
}

/* The note of that, the newest now, empty but for what it is about; NULL when there can be none. */
static struct owed *note(struct futures *futures, const jg_future *future,
                         const jg_done_callback *callback) {
    struct owed *owed = find(futures, future, callback);
    owed = owed != NULL ? owed : add(futures, future, callback);
    if (owed != NULL) {
        list_remove(&owed->all);
        list_append(&futures->owed, &owed->all);
        error_free(owed->failure); // of another future, which lay there before
        owed->failure = NULL;
    }
    return owed;
}

void futures_owed(struct futures *futures, const jg_future *future, const struct coro *coro,
                  const jg_done_callback *callback) {
    if (futures->closing) {
        futures_unowed(futures, future, NULL);
        return;
    }
    struct owed *owed = note(futures, future, callback);
    if (owed == NULL) {
        return;
    }
    origin_write(coro, &owed->who);
    if (callback != NULL) {
        snprintf(owed->call, sizeof(owed->call), "%s", callback->site);
        snprintf(owed->place, sizeof(owed->place), "%s", task_place(callback->site));
    }
}

void futures_failed(struct futures *futures, const jg_future *future, struct error_record *error) {
    struct owed *owed = note(futures, future, NULL);
    if (owed != NULL) {
        const jg_error *failure = error_public(error);
        owed->failure = error_ref(error);
        snprintf(owed->who.task, sizeof(owed->who.task), "%s", failure->task);
        snprintf(owed->who.spawned, sizeof(owed->who.spawned), "%s", failure->spawned);
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

static void report_failed(const struct owed *owed) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out != NULL) {
        fprintf(out, "juggle: future %p was not ended when the loop closed: ",
                (const void *)owed->future);
        error_print(error_public(owed->failure), out);
        fclose(out);
    }
    debug_report(JG_DEBUG_FUTURE_LEAK, owed->who.task, owed->who.spawned, 0, text);
    mem_free_libc(text);
}

static void report_pending(const struct owed *owed) {
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
        error_ref(told.failure);
        futures_unowed(futures, future, NULL); // first: who hears of it may settle it
        if (told.failure != NULL) {
            report_failed(&told);
        } else {
            report_pending(&told);
        }
        error_free(told.failure);
    }
}
