// SPDX-License-Identifier: MIT
/* sched.c – the ring of ready tasks and the switch from one to the next.
 *
 * Holds      which coroutine runs on this thread.
 * Invariant  a coroutine is in the ring exactly while it runs or could; who runs is its head. The loop's
 *            own coroutine is in it only while it runs.
 * Called by  see sched.h.
 * Why        park switches straight to the next ready task, without going back through a scheduler's
 *            stack. The loop is a coroutine like the others and gets its turn when the ring is empty
 *            or the budget used up: then it looks for completions. A ring, so that a yield only moves
 *            its head: docs/decisions/switching.md.
 */
#include "rt/sched.h"

#include "base/clock.h"
#include "rt/blocking.h"
#include "rt/loop.h"
#include "rt/observe.h"

#include <juggle/task.h>
#include <sched.h>
#include <stdio.h>

enum {
    SPIN_REPORT = 1000, // refusals in a row that make a spin, and one for each that is under way
    SPIN_UNDER_WAY_MOST = 1000 * 1000,
    CHILD_STACK_GAP = 256, // left free below the loop's saved context
};

__thread struct sched *sched_here;
/* The same, but NULL while it has an observer: with one comparison a wake knows that it is on the loop's
 * thread, and that nobody wishes to hear of it. */
static __thread struct sched *sched_unseen;
static __thread union coro_record thread_record;

void sched_enter(struct sched *here) {
    sched_here = here;
    sched_unseen = here != NULL && observer_of(here) == NULL ? here : NULL;
}

struct coro *sched_stand_in(void) {
    struct coro *self = &thread_record.coro;
    if (unlikely(self->name == NULL)) {
        self->deadline_ns = JG_NEVER;
        self->name = "thread";
    }
    return self;
}

static inline struct coro *loop_of(struct sched *here) {
    return &((struct loop *)(void *)here)->self.coro;
}

/* errno belongs to the thread; each task finds it as it left it (X1). Nothing is carried over the
 * switch in a register, so that the caller has none to save. */
static inline void switch_to(struct sched *here, struct coro *self, struct coro *next) {
    self->errno_kept = *here->errno_place;
    here->running = next;
    self = coro_switch(self, next);
    *self->loop->sched.errno_place = self->errno_kept;
}

/* Makes the loop the head, in front of `next`, which is its tail as well if it is alone. Rare, and out
 * of line: the way from task to task has to be short. It calls nothing, so that its callers need not
 * save what they hold in registers. */
__attribute__((noinline)) static struct coro *insert_loop(struct sched *here, struct coro *next) {
    struct coro *loop = loop_of(here);
    here->running = next;
    sched_ready(here, loop);
    return loop;
}

/* Takes the running task out of the ring. Returns whose turn it is then: its next, or the loop when
 * there is none or the budget is used up. */
static inline struct coro *remove_running(struct sched *here, struct coro *self) {
    struct coro *next = self->next;
    struct coro *tail = self->prev;
    must(self != loop_of(here));
    if (unlikely(next == self)) {
        struct coro *loop = loop_of(here);
        loop->next = loop;
        loop->prev = loop;
        return loop;
    }
    next->prev = tail;
    tail->next = next;
    return unlikely(--here->budget < 0) ? insert_loop(here, next) : next;
}

void error_outdate_of(struct coro *coro, intptr_t code) {
    if (coro->explained == -code) {
        coro->explained = 0;
    }
}

void error_outdate(intptr_t code) {
    error_outdate_of(sched_current(), code);
}

/* A wait nobody can end, as this thread has no loop: only a deadline is left. Out of line: its locals
 * would cost every switch a stack canary. */
__attribute__((cold, noinline)) static intptr_t park_without_loop(struct coro *self) {
    if (self->deadline_ns == JG_NEVER) {
        return error_bare(-EDEADLK);
    }
    blocking_sleep_until(self->deadline_ns);
    self->refused++; // the scopes see by it that the deadline struck inside
    return error_bare(-ECANCELED);
}

intptr_t park(struct wait *wait) {
    struct sched *here = sched_here;
    if (unlikely(here == NULL)) {
        wait->coro = sched_stand_in();
        return park_without_loop(wait->coro);
    }
    struct coro *self = here->running;
    must(self->parked == NULL);
    wait->coro = self;
    self->parked = wait;
    switch_to(here, self, remove_running(here, self));
    wait->coro->told = false;
    return wait->result;
}

intptr_t park_checked(struct wait *wait) {
    int rc = suspend_check(sched_current());
    return rc < 0 ? rc : park(wait);
}

/* The cancel that stands is being seen. Under asyncio's edge rule that uses it up. */
static void deliver(struct coro *coro) {
    coro->delivered = true;
    coro->refused++;
    if (coro->edge) {
        coro->attention &= ~(uint32_t)ATTENTION_CANCEL;
    }
}

/* The wait ends with an error. What stands behind it is recorded after the wake, if anything does. Apart, and
 * last, so that the usual way has no registers to save. */
__attribute__((cold, noinline)) static void make_ready_failed(struct sched *here, struct coro *coro,
                                                              intptr_t result) {
    error_outdate_of(coro, result);
    if (result == -ECANCELED && (coro->attention & ATTENTION_CANCEL)) {
        coro->told = true;
        deliver(coro);
    }
    sched_ready(here, coro);
}

/* The rest of a wake. */
static inline void make_ready(struct sched *here, struct coro *coro, intptr_t result) {
    coro->parked = NULL;
    if (unlikely(result < 0)) {
        make_ready_failed(here, coro, result);
    } else {
        sched_ready(here, coro);
    }
}

/* One of an observed loop, or a copy that stayed behind in a fork and never goes on, or another thread's:
 * then a misuse. */
__attribute__((cold, noinline)) static void wake_seen(struct sched *here, struct wait *wait) {
    if (here != sched_here) {
        if (loop_left_behind(wait->coro->loop)) {
            return;
        }
        check_misuse("task %s is woken from another thread; only that of its loop may",
                     wait->coro->name);
    }
    observe(here, woken, wait);
    make_ready(here, wait->coro, wait->result);
}

void wake(struct wait *wait, intptr_t result) {
    struct coro *coro = wait->coro;
    struct sched *here = sched_unseen;
    struct sched *known = here; // at once: not to be exchanged for coro->loop as its equal
    __asm__("" : "+r"(known));
    must(coro->parked == wait);
    wait->result = result;
    if (likely((struct sched *)(void *)coro->loop == here)) {
        make_ready(known, coro, result);
    } else {
        wake_seen((struct sched *)(void *)coro->loop, wait);
    }
}

void interrupt(struct coro *coro) {
    struct wait *wait = coro->parked;
    if (wait != NULL && wait->undo != NULL) {
        wait->undo(wait);
    }
}

void sched_run_now(struct coro *next) {
    struct sched *here = sched_here;
    struct coro *self = here->running;
    must(self != loop_of(here));
    sched_ready(here, next); // the tail of a ring is just before its head
    observe(here, stops);
    observe(here, resumes, next);
    switch_to(here, self, next);
}

/* Inline: the hottest path of all. */
static inline void yield_now(struct sched *here, struct coro *self) {
    struct coro *next = self->next;
    if (unlikely(--here->budget < 0)) {
        switch_to(here, self, insert_loop(here, next));
    } else if (next != self) { // else alone, and the loop need not look yet
        switch_to(here, self, next);
    }
}

void sched_yield_now(struct coro *self) {
    yield_now(sched_here, self);
}

__attribute__((cold, noinline)) static int yield_without_loop(void) {
    struct coro *self = sched_stand_in();
    int rc = suspend_check(self);
    if (rc < 0) {
        return rc;
    }
    if (self->deadline_ns != JG_NEVER && self->deadline_ns <= clock_now_ns()) {
        return sched_refuse(self);
    }
    sched_yield();
    return 0;
}

int jg_yield(void) {
    struct sched *here = sched_here;
    if (unlikely(here == NULL)) {
        return yield_without_loop();
    }
    struct coro *self = here->running;
    if (unlikely(self->attention != 0)) {
        return sched_refuse(self);
    }
    yield_now(here, self);
    return 0;
}

__attribute__((cold, noinline)) static struct coro *leave_seen(struct sched *here,
                                                               struct coro *self) {
    here->running = remove_running(here, self);
    observe(here, ended, self);
    return here->running;
}

struct coro *sched_leave(struct coro *self) {
    struct sched *here = sched_here;
    if (unlikely(observer_of(here) != NULL)) {
        return leave_seen(here, self);
    }
    struct coro *next = remove_running(here, self);
    here->running = next;
    return next;
}

void sched_report_spin(const struct coro *coro, int refusals) {
    fprintf(stderr,
            "juggle: task %s ignores -ECANCELED: %d suspends refused in a row; it is slowed down\n",
            coro->name, refusals);
}

static void report_spin(const struct coro *self) {
    struct observer *observer = observer_of(&self->loop->sched);
    int refusals = (int)self->refused_in_row;
    if (observer != NULL) {
        observer->ops->spins(observer, self, refusals);
    } else {
        sched_report_spin(self, refusals);
    }
}

/* Clean-up may pass the cancel on to all that is under way, one after the other: each answers for itself. */
static uint32_t spin_limit(const struct loop *loop) {
    size_t under_way = loop->stacks.mapped_count + loop->external;
    return under_way < SPIN_UNDER_WAY_MOST ? SPIN_REPORT + (uint32_t)under_way
                                           : SPIN_REPORT + SPIN_UNDER_WAY_MOST;
}

/* Level-triggered cancelling turns `while (jg_read(…) != 0)` into a spin. Name it once, and from then
 * on let the others run in between. */
static void mind_spin(struct coro *self) {
    const struct loop *loop = self->loop;
    if (loop == NULL || self->edge || (self->attention & ~(uint32_t)ATTENTION_CANCEL)) {
        return;
    }
    if (++self->refused_in_row == SPIN_REPORT) {
        self->spin_limit = spin_limit(loop);
    }
    if (self->refused_in_row < SPIN_REPORT || self->refused_in_row < self->spin_limit) {
        return;
    }
    if (!self->spin_named) {
        self->spin_named = true;
        report_spin(self);
    }
    loop_pause(self, JG_MS);
}

/* The next refusal is the first of a row. One who was named stays counted, to be minded when this cancel is
 * over. */
static void let_through(struct coro *coro) {
    coro->refused_in_row = coro->spin_named;
}

void sched_cancel_turns(struct coro *coro, bool stands, bool seen) {
    const struct loop *loop = coro->loop;
    if (!stands) {
        coro->spin_named = false;
        let_through(coro);
    } else if (!seen) {
        coro->shield_round = (uint32_t)loop->rounds;
        coro->shield_budget = loop->sched.budget;
    } else if (coro->shield_round != (uint32_t)loop->rounds ||
               coro->shield_budget != loop->sched.budget) {
        let_through(coro); // behind the shield it let others run
    }
}

__attribute__((cold, noinline)) intptr_t sched_passed_on(struct coro *self, intptr_t result) {
    if (result == -ECANCELED) {
        mind_spin(self);
    } else {
        let_through(self);
    }
    return result;
}

__attribute__((cold, noinline)) int sched_refuse(struct coro *self) {
    if (self->attention & (ATTENTION_FORKED | ATTENTION_NO_SUSPEND)) {
        return (int)error_bare(self->attention & ATTENTION_FORKED ? -ECHILD : -EDEADLK);
    }
    deliver(self);
    error_outdate_of(self, -ECANCELED);
    mind_spin(self);
    return -ECANCELED;
}

void call_drop(jg_drop_fn *drop, void *word) {
    if (drop == NULL) {
        return;
    }
    struct coro *self = sched_current();
    bool before = no_suspend_enter(self);
    drop(word);
    no_suspend_leave(self, before);
}

struct new_life {
    struct coro coro;
    void (*entry)(void *arg);
    void *arg;
};

static void begin_anew(void *record) {
    struct new_life *life = record;
    sanitize_forked();
    sanitize_arrive(&life->coro.sanitize);
    life->entry(life->arg);
    check_misuse("a forked child came back");
}

void sched_after_fork(void (*entry)(void *arg), void *arg) {
    struct coro *self = sched_current();
    struct loop *loop = self->loop;
    thread_record = (union coro_record){0};
    sched_enter(NULL);
    if (loop != NULL && self != &loop->self.coro) {
        // A task's stack is small. The thread's own is free below where the loop was left, and the
        // loop of this copy never goes on.
        uintptr_t below = (uintptr_t)loop->self.coro.sp - CHILD_STACK_GAP - sizeof(struct new_life);
        struct new_life *life = (struct new_life *)(below & ~(uintptr_t)63);
        *life = (struct new_life){
            .coro = {.sanitize = loop->self.coro.sanitize}, .entry = entry, .arg = arg};
        life->coro.sp = rt_switch_prepare(life, begin_anew, rt_switch_modes());
        coro_switch_last(self, &life->coro);
    }
    entry(arg);
    check_misuse("a forked child came back");
}
