// SPDX-License-Identifier: MIT
/* slot.c – see slot.h.
 *
 * Holds      the newest sheet, from which slots are cut, under a lock.
 * Invariant  a slot is cut once and not used again; a sheet lives until the last slot cut from it has
 *            been given back. So a forked child's copy of the bookkeeping can simply be forgotten.
 * Called by  see slot.h.
 * Why        no free list: workers end soon, and a sheet's memory is touched only where it is used.
 * Quirks     a fork must find the lock free, or its copy in the child would be locked for ever.
 */
#include "exec/slot.h"

#include "base/mem.h"

#include <pthread.h>
#include <sys/mman.h>

enum { SLOTS = 64 };

struct slot_sheet {
    struct slot *slots; // shared with the children
    unsigned cut;       // slots handed out so far
    unsigned live;      // of those, not given back
};

static pthread_mutex_t sheet_lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot_sheet *newest;

static void before_fork(void) {
    pthread_mutex_lock(&sheet_lock);
}

static void after_fork_in_parent(void) {
    pthread_mutex_unlock(&sheet_lock);
}

/* What is left of the sheet is the parent's to cut. */
static void after_fork_in_child(void) {
    newest = NULL;
    pthread_mutex_unlock(&sheet_lock);
}

/* As early as the library: a fork that has begun runs no handler that comes later. */
__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static int open_sheet(struct slot_sheet **out_sheet) {
    struct slot_sheet *sheet = mem_alloc(sizeof(*sheet));
    if (sheet == NULL) {
        return -ENOMEM;
    }
    void *slots = mmap(NULL, SLOTS * sizeof(struct slot), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slots == MAP_FAILED) {
        mem_free(sheet);
        return -ENOMEM;
    }
    *sheet = (struct slot_sheet){.slots = slots};
    *out_sheet = sheet;
    return 0;
}

static int take(struct slot **out_slot) {
    if (newest == NULL || newest->cut == SLOTS) {
        int rc = open_sheet(&newest);
        if (rc < 0) {
            return rc;
        }
    }
    struct slot *slot = &newest->slots[newest->cut++];
    newest->live++;
    slot->sheet = newest;
    *out_slot = slot;
    return 0;
}

int slot_take(struct slot **out_slot) {
    pthread_mutex_lock(&sheet_lock);
    int rc = take(out_slot);
    pthread_mutex_unlock(&sheet_lock);
    return rc;
}

static void give(struct slot_sheet *sheet) {
    must(sheet->live > 0);
    if (--sheet->live > 0) {
        return;
    }
    if (newest == sheet) {
        newest = NULL;
    }
    munmap(sheet->slots, SLOTS * sizeof(struct slot));
    mem_free(sheet);
}

void slot_give(struct slot *slot) {
    pthread_mutex_lock(&sheet_lock);
    give(slot->sheet);
    pthread_mutex_unlock(&sheet_lock);
}
