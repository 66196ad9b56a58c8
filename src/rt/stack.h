// SPDX-License-Identifier: MIT
/* stack.h – stacks for coroutines: reserved in bulk, guarded each, reused last in first out.
 *
 * Holds      per loop and size class: mappings that stacks are cut from, and a list of free stacks.
 * Invariant  below every stack that is handed out lie STACK_GUARD bytes that cannot be touched.
 * Called by  coro.c (take, give), loop.c (trim when idle), fault.c (whose guard was hit).
 * Why        one mapping for thousands of stacks: the kernel allows 65,530 mappings, not a million.
 *            See docs/decisions/stacks.md.
 */
#ifndef RT_STACK_H
#define RT_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STACK_GUARD ((size_t)64 * 1024)
#define STACK_MIN ((size_t)16 * 1024)
#define STACK_MAX ((size_t)1024 * 1024 * 1024)
#define STACK_CLASSES 17

/* One stack: usable bytes [base, base + size). Two words, handed by value. */
struct stack {
    char *base;
    size_t size;
};

struct stack_region;
struct stack_free;

/* Free stacks without a page: nothing can be noted on them, so they are listed here. */
struct stack_cold {
    char **bases;
    size_t count;
    size_t cap;
};

struct stack_pool {
    struct stack_free *hot[STACK_CLASSES];       // free, pages still there: the reserve
    struct stack_free *surplus[STACK_CLASSES];   // the same, beyond the reserve: to be cooled
    struct stack_cold cold[STACK_CLASSES];       // free, pages given back
    struct stack_region *regions[STACK_CLASSES]; // newest first; only the newest has stacks to cut
    size_t hot_count;
    size_t surplus_count;
    size_t mapped_count; // stacks cut in all
    size_t region_count;
};

/* How guards are made: found out once per process. */
enum stack_guard_kind {
    STACK_GUARD_UNKNOWN,
    STACK_GUARD_LIGHT,    // MADV_GUARD_INSTALL: no mapping of its own
    STACK_GUARD_MPROTECT, // two mappings per stack, up to a budget
};

void stack_pool_init(struct stack_pool *pool);

/* Unmaps everything; no stack of it may be in use. */
void stack_pool_fini(struct stack_pool *pool);

/* Rounds a wished size up to a class. Returns 0 or -EINVAL when it is above STACK_MAX. */
int stack_round(size_t wished_bytes, size_t *out_size);

/* Hands out a stack of a rounded size. Returns 0; -ENOMEM; -EAGAIN at the mapping limit. */
int stack_take(struct stack_pool *pool, size_t size_bytes, struct stack *out_stack);

/* Takes a stack back. The caller may still be running on it: only its top bytes are written, where
 * the coroutine's record was. */
void stack_give(struct stack_pool *pool, struct stack stack);

/* Gives the pages of freed stacks beyond a reserve back to the kernel, at most `most` of them. */
void stack_trim(struct stack_pool *pool, unsigned most);

/* Whether the address lies in the guard below this stack. */
bool stack_guards(struct stack stack, const void *address);

/* Test hook: use this kind from now on; STACK_GUARD_UNKNOWN probes again. */
void stack_force_guard(enum stack_guard_kind kind);

#endif
