// SPDX-License-Identifier: MIT
/* sched.c – the ready queue and the switch from task to task.
 *
 * Holds      which coroutine runs on this thread.
 * Invariant  a coroutine is in the ready queue at most once; the running one is not in it.
 * Called by  see sched.h.
 * Why        park switches straight to the next ready task, without going back through a scheduler's
 *            stack. The loop is a coroutine like the others and gets its turn when the queue is
 *            empty or the budget used up: then it looks for completions.
 */
#include "rt/sched.h"

#include "base/clock.h"
#include "rt/loop.h"

#include <juggle/task.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

enum {
    SPIN_REPORT = 1000,    // refusals in a row that make a spin
    CHILD_STACK_GAP = 256, // left free below the loop's saved context
};

__thread struct coro *sched_running;
static __thread union coro_record thread_record;

struct coro *sched_adopt_thread(void) {
    thread_record.coro.deadline_ns = JG_NEVER;
    thread_record.coro.name = "thread";
    sched_running = &thread_record.coro;
    return sched_running;
}

static void push_ready(struct loop *loop, struct coro *coro) {
    coro->next = NULL;
    if (loop->ready_first == NULL) {
        loop->ready_first = coro;
    } else {
        loop->ready_last->next = coro;
    }
    loop->ready_last = coro;
}

/* The next to run: the head of the queue, or the loop when it is empty or the budget used up. */
static inline struct coro *pop_next(struct loop *loop) {
    struct coro *next = loop->ready_first;
    if (unlikely(--loop->budget <= 0 || next == NULL)) {
        return &loop->self.coro;
    }
    loop->ready_first = next->next;
    return next;
}

/* errno belongs to the thread; each task finds it as it left it (X1). */
static inline void switch_to(struct coro *self, struct coro *next) {
    int *place = self->loop->errno_place;
    int kept = *place;
    sched_running = next;
    coro_switch(self, next);
    *place = kept;
}

/* A wait nobody can end, as this thread has no loop: only a deadline is left. Out of line: its locals
 * would cost every switch a stack canary. */
__attribute__((cold, noinline)) static intptr_t park_without_loop(struct coro *self) {
    if (self->deadline_ns == JG_NEVER) {
        return -EDEADLK;
    }
    struct timespec until = {self->deadline_ns / JG_S, self->deadline_ns % JG_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {}
    self->refused++; // the scopes see by it that the deadline struck inside
    return -ECANCELED;
}

intptr_t park(struct wait *wait) {
    struct coro *self = sched_current();
    struct loop *loop = self->loop;
    wait->coro = self;
    if (unlikely(loop == NULL)) {
        return park_without_loop(self);
    }
    must(self != &loop->self.coro && self->parked == NULL);
    self->parked = wait;
    self->refused_in_row = 0;
    switch_to(self, pop_next(loop));
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

void wake(struct wait *wait, intptr_t result) {
    struct coro *coro = wait->coro;
    must(coro->parked == wait);
    if (unlikely(coro->loop != sched_current()->loop)) {
        check_misuse("task %s is woken from another thread; only that of its loop may", coro->name);
    }
    coro->parked = NULL;
    wait->result = result;
    if (result == -ECANCELED && (coro->attention & ATTENTION_CANCEL)) {
        deliver(coro);
    }
    push_ready(coro->loop, coro);
}

void interrupt(struct coro *coro) {
    struct wait *wait = coro->parked;
    if (wait != NULL && wait->undo != NULL) {
        wait->undo(wait);
    }
}

void sched_ready(struct coro *coro) {
    push_ready(coro->loop, coro);
}

void sched_run_now(struct coro *next) {
    struct coro *self = sched_running;
    struct loop *loop = self->loop;
    self->next = loop->ready_first;
    if (loop->ready_first == NULL) {
        loop->ready_last = self;
    }
    loop->ready_first = self;
    switch_to(self, next);
}

/* Inline: the hottest path of all. */
static inline void yield_now(struct coro *self, struct loop *loop) {
    struct coro *next = loop->ready_first;
    if (next == NULL) {
        if (--loop->budget > 0) {
            return; // alone, and the loop need not look yet
        }
        push_ready(loop, self);
        switch_to(self, &loop->self.coro);
        return;
    }
    self->next = NULL;
    loop->ready_last->next = self;
    loop->ready_last = self;
    if (unlikely(--loop->budget <= 0)) {
        switch_to(self, &loop->self.coro);
        return;
    }
    loop->ready_first = next->next;
    switch_to(self, next);
}

void sched_yield_now(struct coro *self) {
    yield_now(self, self->loop);
}

__attribute__((cold, noinline)) static int yield_without_loop(struct coro *self) {
    if (self->deadline_ns != JG_NEVER && self->deadline_ns <= clock_now_ns()) {
        return sched_refuse(self);
    }
    sched_yield();
    return 0;
}

int jg_yield(void) {
    struct coro *self = sched_current();
    int rc = suspend_check(self);
    if (unlikely(rc < 0)) {
        return rc;
    }
    if (unlikely(self->loop == NULL)) {
        return yield_without_loop(self);
    }
    self->refused_in_row = 0;
    yield_now(self, self->loop);
    return 0;
}

struct coro *sched_take_next(struct loop *loop) {
    sched_running = pop_next(loop);
    return sched_running;
}

/* Level-triggered cancelling turns `while (jg_read(…) != 0)` into a spin. Name it once, and from then
 * on let the others run in between. */
static void mind_spin(struct coro *self) {
    if (++self->refused_in_row < SPIN_REPORT || self->loop == NULL) {
        return;
    }
    if (self->refused_in_row == SPIN_REPORT) {
        fprintf(stderr,
                "juggle: task %s ignores -ECANCELED: %d suspends refused in a row; it is slowed "
                "down\n",
                self->name, SPIN_REPORT);
    }
    uint32_t in_row = self->refused_in_row;
    loop_pause(self, JG_MS);
    self->refused_in_row = in_row; // this wait was ours, not one that was let through
}

int sched_refuse(struct coro *self) {
    if (self->attention & ATTENTION_FORKED) {
        return -ECHILD;
    }
    if (self->attention & ATTENTION_NO_SUSPEND) {
        return -EDEADLK;
    }
    deliver(self);
    mind_spin(self);
    return -ECANCELED;
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
    sched_running = NULL;
    if (loop != NULL && self != &loop->self.coro) {
        // A task's stack is small. The thread's own is free below where the loop was left, and the
        // loop of this copy never goes on.
        uintptr_t below = (uintptr_t)loop->self.coro.sp - CHILD_STACK_GAP - sizeof(struct new_life);
        struct new_life *life = (struct new_life *)(below & ~(uintptr_t)63);
        *life = (struct new_life){
            .coro = {.sanitize = loop->self.coro.sanitize}, .entry = entry, .arg = arg};
        life->coro.sp = rt_switch_prepare(life, begin_anew, life);
        coro_switch_last(self, &life->coro);
    }
    entry(arg);
    check_misuse("a forked child came back");
}
