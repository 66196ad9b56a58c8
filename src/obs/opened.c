// SPDX-License-Identifier: MIT
/* opened.c – see opened.h.
 *
 * Holds      the table, by the handle's address, and all of it in the order of opening.
 * Invariant  see opened.h.
 * Called by  see opened.h.
 * Why        see opened.h.
 * Quirks     without memory for its record a thing is not followed.
 */
#include "obs/opened.h"

#include "base/list.h"
#include "base/mem.h"
#include "obs/debug.h"

#include <pthread.h>
#include <stdio.h>

struct opened {
    struct opened *next; // in its bucket
    struct list all;
    const void *thing;
    uint64_t place;   // the loop it was opened on
    const char *what; // "descriptor"
    int number;       // negative: none
    char how[64];     // "accepted"
    struct origin opener;
};

atomic_size_t observe_followed; // how many are in the table; changed under the lock

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list all = {&all, &all};
static struct opened **buckets;
static size_t bucket_count; // 0, or a power of two

void opened_fork_begins(void) {
    pthread_mutex_lock(&lock);
}

void opened_fork_is_over(void) {
    pthread_mutex_unlock(&lock);
}

// The table. All under the lock.

static struct opened **bucket_of(struct opened **table, size_t count, const void *thing) {
    size_t mixed = (size_t)(uintptr_t)thing * UINT64_C(0x9e3779b97f4a7c15);
    return &table[(mixed >> 32) & (count - 1)];
}

/* Keeps about one per bucket. Returns false without memory for the first. */
static bool make_room(void) {
    if (atomic_load(&observe_followed) < bucket_count) {
        return true;
    }
    size_t wider_count = bucket_count == 0 ? 64 : 2 * bucket_count;
    struct opened **wider = mem_alloc_zero(wider_count * sizeof(struct opened *));
    if (wider == NULL) {
        return bucket_count > 0; // chains grow instead
    }
    for (struct list *node = all.next; node != &all; node = node->next) {
        struct opened *each = container_of(node, struct opened, all);
        struct opened **bucket = bucket_of(wider, wider_count, each->thing);
        each->next = *bucket;
        *bucket = each;
    }
    mem_free(buckets);
    buckets = wider;
    bucket_count = wider_count;
    return true;
}

static void drop_if_empty(void) {
    if (atomic_load(&observe_followed) == 0) {
        mem_free(buckets);
        buckets = NULL;
        bucket_count = 0;
    }
}

static void forget(const void *thing) {
    if (bucket_count == 0) {
        return;
    }
    struct opened **link = bucket_of(buckets, bucket_count, thing);
    while (*link != NULL && (*link)->thing != thing) {
        link = &(*link)->next;
    }
    struct opened *found = *link;
    if (found == NULL) {
        return;
    }
    *link = found->next;
    list_remove(&found->all);
    mem_free(found);
    atomic_fetch_sub(&observe_followed, 1);
    drop_if_empty();
}

static void add(const struct opened *record) {
    struct opened *added = make_room() ? mem_alloc(sizeof(*added)) : NULL;
    if (added == NULL) {
        drop_if_empty();
        return;
    }
    struct opened **bucket = bucket_of(buckets, bucket_count, record->thing);
    *added = *record;
    added->next = *bucket;
    *bucket = added;
    list_append(&all, &added->all);
    atomic_fetch_add(&observe_followed, 1);
}

// Opening, closing, reporting.

void opened_add(const struct watch *watch, const void *thing, const char *what, int number,
                const char *how) {
    struct opened record = {
        .thing = thing, .place = watch->loop->loop.number, .what = what, .number = number};
    snprintf(record.how, sizeof(record.how), "%s", how);
    origin_write(sched_current(), &record.opener);
    pthread_mutex_lock(&lock);
    add(&record);
    pthread_mutex_unlock(&lock);
}

void observe_forget(const void *thing) {
    pthread_mutex_lock(&lock);
    forget(thing);
    pthread_mutex_unlock(&lock);
}

static void report(const struct opened *open) {
    char text[512];
    char which[16] = "";
    const struct origin *opener = &open->opener;
    if (open->number >= 0) {
        snprintf(which, sizeof(which), " %d", open->number);
    }
    snprintf(text, sizeof(text),
             "juggle: %s%s (%s, by task %s spawned at %s) is left behind as the loop closes\n",
             open->what, which, open->how, opener->task, opener->spawned);
    debug_report(JG_DEBUG_FD_LEAK, opener->task, opener->spawned, 0, text);
}

/* Takes the first that was opened there. Returns false when there is none. */
static bool take_first(uint64_t place, struct opened *out_open) {
    bool found = false;
    pthread_mutex_lock(&lock);
    for (struct list *node = all.next; node != &all && !found; node = node->next) {
        const struct opened *each = container_of(node, struct opened, all);
        found = each->place == place;
        if (found) {
            *out_open = *each;
        }
    }
    if (found) {
        forget(out_open->thing);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void opened_report(const struct watch *watch) {
    struct opened open;
    while (take_first(watch->loop->loop.number, &open)) {
        report(&open); // without the lock: who is told may open and close
    }
}
