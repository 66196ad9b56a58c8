// SPDX-License-Identifier: MIT
/* mem.h – the one door to the heap.
 *
 * Holds      a count of live blocks and, for tests, which allocation to refuse.
 * Invariant  every block that comes out goes back through mem_free; live counts them.
 * Called by  every room. Nothing else in src/ calls malloc.
 * Why        one door can be made to fail on demand, so that every error path is run, not believed.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/check.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* All return NULL when there is no memory, or when the test's hook says so. */
void *mem_alloc(size_t size) __attribute__((malloc, warn_unused_result));
void *mem_alloc_zero(size_t size) __attribute__((malloc, warn_unused_result));
void *mem_resize(void *block, size_t size) __attribute__((warn_unused_result));

/* NULL is allowed. */
void mem_free(void *block);

/* Frees what libc allocated, not this door: the text of open_memstream. NULL is allowed. */
void mem_free_libc(void *block);

/* Counts blocks that are out. Any thread. */
long mem_live(void);

/* Test hook: refuses the n-th request from now (1 is the next), and with `from_then_on` all after it;
 * 0 refuses none. Also asked by the stack pool. Any thread. */
void mem_fail_nth(uint64_t n, int from_then_on);

/* Requests left until the refused one; 0: never. Private. */
extern atomic_ullong mem_fail_at;
int mem_refuse_armed(void);

/* Returns -ENOMEM when the hook refuses this request, else 0; counts it. For doors that do not use
 * malloc. */
static inline int mem_refuse(void) {
    return likely(atomic_load_explicit(&mem_fail_at, memory_order_relaxed) == 0)
               ? 0
               : mem_refuse_armed();
}

#endif
