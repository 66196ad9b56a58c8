// SPDX-License-Identifier: MIT
/* coro.h – a coroutine: a stack, and where on it to go on.
 *
 * Holds      struct coro, the first member of every record that runs: a task's, the loop's own, a
 *            thread's stand-in. A task's record sits at the top of its own stack.
 * Invariant  exactly one coroutine of a loop runs; every other is ready, parked, or not begun.
 * Called by  sched.c (switching), task (making and ending); obs looks.
 * Why        record and stack in one place: a parked task costs one page, a spawn no allocation.
 */
#ifndef RT_CORO_H
#define RT_CORO_H

#include "rt/sanitize.h"
#include "rt/stack.h"
#include "rt/switch.h"

#include <juggle/base.h>

struct loop;
struct wait;

/* Why the next suspend must be refused; bits of coro.attention. */
enum {
    ATTENTION_CANCEL = 1,     // a cancel stands: -ECANCELED
    ATTENTION_NO_SUSPEND = 2, // this code must not suspend: -EDEADLK
    ATTENTION_FORKED = 4,     // a copy in a forked child; its loop stayed behind: -ECHILD
};

struct coro {
    void *sp;          // while it does not run
    struct coro *next; // in the ready ring
    struct coro *prev;
    struct wait *parked;     // what it waits for, until woken
    struct loop *loop;       // NULL: a thread without a loop
    int64_t deadline_ns;     // nearest deadline that holds; the blocking backend minds it
    uint32_t attention;      // written by scopes; read at every suspend
    uint32_t refused;        // suspends refused so far
    uint32_t refused_in_row; // by the cancel that stands, since a wait was let through; see sched.c
    uint32_t spin_limit;     // how many of those make a spin
    int shield_budget;       // what the loop's budget and round were when a shield was entered
    uint32_t shield_round;   // its low bits
    bool spin_named : 1;     // by a report, under the cancel that stands
    bool edge : 1;           // a refusal uses the cancel up
    bool delivered : 1;      // the cancel that stands was seen: some suspend returned -ECANCELED
    bool told;             // woken with a cancel, not run since: one that comes now is seen with it
    uint16_t explained;    // the errno of the failure on record (task/error.c); 0: no, or outdated
    int errno_kept;        // while it does not run
    struct stack stack;    // base NULL: the thread's own
    const char *name;      // for people
    struct jg_lock *locks; // held; see sync/lock.c
    void *observed;        // what the loop's observer knows of it; NULL: nothing
    struct sanitize_fiber sanitize;
};

/* Room for the record of a thread or a loop, which is made before anyone knows what a task is: the
 * task room lays its own struct, starting with a coro, over it. Zero bytes are valid there. */
#define CORO_RECORD_SIZE 512

union coro_record {
    struct coro coro;
    char bytes[CORO_RECORD_SIZE];
};

/* Makes a coroutine on a stack taken from the loop's pool, which will call `entry(record)` when first
 * switched to. The record has `record_size` bytes at the stack's top, zeroed; its first member is the
 * coro, which is returned. */
struct coro *coro_make(struct loop *loop, struct stack stack, size_t record_size,
                       void (*entry)(void *record));

/* Changes the name of one that runs: a watchdog may be reading it. */
static inline void coro_rename(struct coro *coro, const char *name) {
    __atomic_store_n(&coro->name, name, __ATOMIC_RELAXED);
}

/* Gives the stack back. The caller may run on it if it switches away for good next. */
void coro_free(struct coro *coro);

/* Leaves `from`, which must be the running one, for `to`. Returns when someone switches back: `from`
 * again, without having been kept in a register meanwhile. */
static inline struct coro *coro_switch(struct coro *from, struct coro *to) {
    sanitize_leave(&from->sanitize, &to->sanitize, 0);
    struct coro *self = rt_switch(&from->sp, to->sp, to);
    sanitize_arrive(&self->sanitize);
    return self;
}

/* Leaves for good. */
static inline void coro_switch_last(struct coro *from, struct coro *to) {
    sanitize_leave(&from->sanitize, &to->sanitize, 1);
    rt_switch_last(to->sp, to);
}

#endif
