// SPDX-License-Identifier: MIT
/* mem.c – malloc behind one door.
 *
 * Holds      the count of live blocks and the refusal hook, both atomic.
 * Invariant  mem_fail_at == 0: never refuses, and the hook costs one relaxed load.
 * Called by  every room.
 * Why        libc's malloc is good enough: nothing on a hot path allocates.
 */
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

static atomic_long live;
atomic_ullong mem_fail_at;     // 0: never; else requests left until the refused one
static atomic_int fail_always; // once reached, refuse all

void mem_fail_nth(uint64_t n, int from_then_on) {
    atomic_store(&fail_always, from_then_on);
    atomic_store(&mem_fail_at, n);
}

int mem_refuse_armed(void) {
    unsigned long long left = atomic_load_explicit(&mem_fail_at, memory_order_relaxed);
    if (left > 1) {
        atomic_store_explicit(&mem_fail_at, left - 1, memory_order_relaxed);
        return 0;
    }
    if (!atomic_load_explicit(&fail_always, memory_order_relaxed)) {
        atomic_store_explicit(&mem_fail_at, 0, memory_order_relaxed);
    }
    return -ENOMEM;
}

static void *counted(void *block) {
    if (block != NULL) {
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    }
    return block;
}

void *mem_alloc(size_t size) {
    return mem_refuse() ? NULL : counted(malloc(size));
}

void *mem_alloc_zero(size_t size) {
    return mem_refuse() ? NULL : counted(calloc(1, size));
}

void *mem_resize(void *block, size_t size) {
    if (mem_refuse()) {
        return NULL;
    }
    return block == NULL ? counted(malloc(size)) : realloc(block, size);
}

void mem_free(void *block) {
    if (block != NULL) {
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    }
    free(block);
}

void mem_free_libc(void *block) {
    free(block);
}

long mem_live(void) {
    return atomic_load_explicit(&live, memory_order_relaxed);
}
