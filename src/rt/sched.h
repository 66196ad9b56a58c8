// SPDX-License-Identifier: MIT
/* sched.h – park and wake: the only way a task stops running, and the only way it goes on.
 *
 * Holds      struct wait, the record of one wait, on the waiter's stack.
 * Invariant  a parked coroutine is woken exactly once per park. Before that it may be interrupted;
 *            then its undo either leaves the queue and wakes it with -ECANCELED, or sees to it that
 *            the wake still comes. After the wake nothing can take the result away: completion wins.
 * Called by  every room above: a blocking operation is "fill in the record, name the undo, park".
 * Why        one way to sleep, which knows how to be cancelled: no feature needs cancel code.
 */
#ifndef RT_SCHED_H
#define RT_SCHED_H

#include "base/check.h"
#include "rt/coro.h"

struct wait {
    struct coro *coro;               // who waits; set by park
    void (*undo)(struct wait *wait); // NULL: cannot be interrupted
    intptr_t result;                 // what the wake brought
    const struct wait_kind *kind;    // for people; NULL: nothing is known
};

/* Of the holders of a wait. */
enum wait_needs {
    NEEDS_EACH,
    NEEDS_ONE,
    NEEDS_ANYBODY, // one of them, or somebody who is not known
};

/* What a kind of wait is to people. Static; nothing but reports looks into it. */
struct wait_kind {
    const char *what; // "sleep", "read"
    // Who could end the wait: the coroutine after `before`, the first for NULL; NULL when there are no
    // more. No function: nobody in particular.
    struct coro *(*next_holder)(const struct wait *wait, const struct coro *before);
    // What of those it takes. No function: each has to do his part.
    enum wait_needs (*needs)(const struct wait *wait);
    // Writes which one it is, "fd 7", at most `size` bytes with the NUL. No function: nothing to add.
    void (*detail)(const struct wait *wait, char *out_text, size_t size);
};

/* A kind with nothing but a name, where it is used: `.kind = WAIT_KIND("sleep")`. The asm keeps clang 14
 * from computing the address as part of a constant: it then leaves the struct empty. */
#define WAIT_KIND(text)                                                                            \
    ({                                                                                             \
        static const struct wait_kind kind_ = {.what = (text)};                                    \
        const struct wait_kind *at_ = &kind_;                                                      \
        __asm__("" : "+r"(at_));                                                                   \
        at_;                                                                                       \
    })

static inline const char *wait_name(const struct wait *wait) {
    return wait->kind != NULL ? wait->kind->what : "something";
}

struct observer;

/* Who runs on a loop's thread and who could: the first member of struct loop, apart from it so that
 * what follows can be inline. */
struct sched {
    struct coro *running; // head of the ring of all that can run, next one first
    int budget;           // resumes left before the loop looks for completions; below 0: none
    int budget_full;      // what each turn starts with; 0 under sim, which chooses every step, and
                          // while somebody observes, who sees every one
    int *errno_place;     // of this thread: asked for once, as asking is a call
    struct observer *observer; // NULL: nobody looks on; see observe.h
};

/* This thread's loop; NULL without one. */
extern __thread struct sched *sched_here __attribute__((tls_model("initial-exec")));

/* Makes this the thread's loop, NULL for none; also after its observer has changed. */
void sched_enter(struct sched *here);

/* This thread's stand-in. Slow path of sched_current. */
struct coro *sched_stand_in(void);

/* The running coroutine: a task, the loop itself (in callbacks), or a stand-in for the thread. */
static inline struct coro *sched_current(void) {
    struct sched *here = sched_here;
    return likely(here != NULL) ? here->running : sched_stand_in();
}

/* Counts a refusal and returns its code. Slow path of suspend_check. */
int sched_refuse(struct coro *self);

/* The running coroutine met a failure of which nobody has more to say: if it is an error, the text of an
 * older one with the same code is not its reason, and is outdated. For calls that record nothing of their
 * own; a wait that was refused, or is woken with an error, has done so by itself. */
void error_outdate(intptr_t code) __attribute__((cold));

/* The same for one that is parked, and is to return the error though another result wakes it. */
void error_outdate_of(struct coro *coro, intptr_t code) __attribute__((cold));

/* The same of a result that may be one, which is returned. */
static inline intptr_t error_bare(intptr_t result) {
    if (unlikely(result < 0)) {
        error_outdate(result);
    }
    return result;
}

/* Ends a call that went on while a cancel stood, and passed it on: -ECANCELED counts as a refusal, anything
 * else as a wait that was let through. Returns the result. May pause: everything else comes before. */
intptr_t sched_passed_on(struct coro *self, intptr_t result);

/* Where refusals have been counted: from now on a cancel stands, or none does, as it was left or taken back;
 * one that stands is seen, or is behind a shield. */
void sched_cancel_turns(struct coro *coro, bool stands, bool seen);

/* Opens every suspending call: whether `self` may wait at all.
 *
 * Returns 0; -ECANCELED while a cancel stands; -EDEADLK where suspending is not possible; -ECHILD in
 * a forked child. */
static inline int suspend_check(struct coro *self) {
    return likely(self->attention == 0) ? 0 : sched_refuse(self);
}

/* Whether this is a forked child's copy of a task, whose loop and open files are the parent's. */
static inline bool sched_stranded(void) {
    return (sched_current()->attention & ATTENTION_FORKED) != 0;
}

/* Around a function of the user's that is called in the middle of something: what would suspend there is
 * -EDEADLK, as in JG_NO_SUSPEND. The word that `enter` returns is for the matching `leave`. */
static inline bool no_suspend_enter(struct coro *self) {
    bool before = (self->attention & ATTENTION_NO_SUSPEND) != 0;
    self->attention |= ATTENTION_NO_SUSPEND;
    return before;
}

static inline void no_suspend_leave(struct coro *self, bool before) {
    if (!before) { // else it may be a loop's, which the function has closed
        self->attention &= ~(uint32_t)ATTENTION_NO_SUSPEND;
    }
}

/* Calls a drop function so; NULL: none. */
void call_drop(jg_drop_fn *drop, void *word);

/* Parks the running coroutine until wake(wait). Asks nobody: suspend_check comes before.
 *
 * Returns  the result of the wake. Without a loop nobody can wake it: sleeps until the deadline and
 *          returns -ECANCELED, or -EDEADLK at once without one. */
intptr_t park(struct wait *wait);

/* suspend_check, then park. */
intptr_t park_checked(struct wait *wait);

/* Makes the parked coroutine ready with this result. Loop thread only. */
void wake(struct wait *wait, intptr_t result);

/* Runs the undo of what the coroutine is parked on, if it is parked and can be interrupted. */
void interrupt(struct coro *coro);

/* Puts a coroutine at the end of its loop's ready ring: behind all who are in it, just before the head. */
static inline void sched_ready(struct sched *here, struct coro *coro) {
    struct coro *head = here->running;
    struct coro *tail = head->prev;
    coro->next = head;
    coro->prev = tail;
    tail->next = coro;
    head->prev = coro;
}

/* Runs `next`, which is not in the ready ring, at once; the running task goes on when it suspends. */
void sched_run_now(struct coro *next);

/* Lets the others run; minds no cancel. */
void sched_yield_now(struct coro *self);

/* Takes the running task, which ends, out of the ready ring. Returns the one that counts as running from
 * now on: switch there, for good. */
struct coro *sched_leave(struct coro *self);

/* Says on stderr that a coroutine ignores its cancel. */
void sched_report_spin(const struct coro *coro, int refusals);

/* In a forked child: forgets the loop, which stayed with the parent, and goes on with `entry(arg)`,
 * which must not return, on the thread's own stack. From now on calls block, and a loop of its own may
 * be opened. */
_Noreturn void sched_after_fork(void (*entry)(void *arg), void *arg);

#endif
