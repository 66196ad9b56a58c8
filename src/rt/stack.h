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

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STACK_GUARD ((size_t)64 * 1024)
#define STACK_MIN ((size_t)16 * 1024)
#define STACK_ADDRESS_BITS 48 // the kernel gives out higher addresses only to who asks for them
#define STACK_MAX ((size_t)1024 * 1024 * 1024)
#define STACK_CLASSES 17
#define STACK_HOT_MOST ((size_t)1024) // freed stacks per loop that keep their pages

/* One stack: usable bytes [base, base + size). Two words, handed by value. */
struct stack {
    char *base;
    size_t size;
};

struct stack_region;

/* Lies in the topmost bytes of a free stack, the page that was touched anyway. */
struct stack_free {
    struct stack_free *next;
};

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

/* A wished size rounded up to a class; 0 when it is above STACK_MAX. */
size_t stack_round(size_t wished_bytes);

/* The rare halves of stack_take and stack_give: puts a stack into the reserve, or one beside it. */
int stack_refill(struct stack_pool *pool, size_t size_bytes);
void stack_give_surplus(struct stack_pool *pool, struct stack stack);

static inline size_t stack_class(size_t size_bytes) {
    return (unsigned)__builtin_ctzll(size_bytes) - (unsigned)__builtin_ctzll(STACK_MIN);
}

static inline void stack_push(struct stack_free **list, struct stack stack) {
    char *top = stack.base + stack.size;
    struct stack_free *node = (struct stack_free *)(void *)(top - sizeof(*node));
    node->next = *list;
    *list = node;
}

/* Takes the newest of a list of free stacks, which is not empty. */
static inline struct stack stack_pop(struct stack_free **list, size_t size_bytes) {
    struct stack_free *node = *list;
    *list = node->next;
    return (struct stack){(char *)(node + 1) - size_bytes, size_bytes};
}

/* Hands out a stack of a rounded size. Returns 0; -ENOMEM; -EAGAIN at the mapping limit, which task.c tells
 * apart from the other by its text alone. */
static inline int stack_take(struct stack_pool *pool, size_t size_bytes, struct stack *out_stack) {
    struct stack_free **hot = &pool->hot[stack_class(size_bytes)];
    int rc = likely(*hot != NULL) ? mem_refuse() : stack_refill(pool, size_bytes);
    if (unlikely(rc != 0)) {
        return rc;
    }
    *out_stack = stack_pop(hot, size_bytes);
    pool->hot_count--;
    return 0;
}

/* Takes a stack back. The caller may still be running on it: only its top bytes are written, where
 * the coroutine's record was. */
static inline void stack_give(struct stack_pool *pool, struct stack stack) {
    if (unlikely(pool->hot_count >= STACK_HOT_MOST)) {
        stack_give_surplus(pool, stack);
        return;
    }
    stack_push(&pool->hot[stack_class(stack.size)], stack);
    pool->hot_count++;
}

/* Gives the pages of freed stacks beyond a reserve back to the kernel, at most `most` of them. Returns
 * whether more could be given; without memory to note it down, none can. */
bool stack_trim(struct stack_pool *pool, unsigned most);

/* Whether the address lies in a stack of this pool, in use or not. */
bool stack_pool_holds(const struct stack_pool *pool, const void *address);

/* Whether the address lies in the guard below this stack. */
bool stack_guards(struct stack stack, const void *address);

/* Whether the address lay in a stack of a loop that was closed lately, and no other's lies there now. Any
 * thread; signal-safe. */
bool stack_was_here(const void *address);

/* Test hook: use this kind from now on; STACK_GUARD_UNKNOWN probes again. */
void stack_force_guard(enum stack_guard_kind kind);

#endif
