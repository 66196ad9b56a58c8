// SPDX-License-Identifier: MIT
/* task.h – what a task is to the rooms around it.
 *
 * Holds      struct jg_task_record, at the top of the task's own stack; struct task_loop, a loop and its
 *            tasks.
 * Invariant  a record lives until the task has ended and its handle is given up, whichever is later.
 *            While it runs, `innermost` is the newest open scope, `root` the outermost.
 * Called by  the files of this room; exec, io, net, os, http see only task_current and the errors; obs
 *            walks the tasks.
 * Why        jg_cancel is a cancel of the task's root scope: cancelling, deadlines and groups are one
 *            mechanism, scope.c.
 */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include "base/clock.h"
#include "base/list.h"
#include "rt/loop.h"
#include "rt/sched.h"
#include "task/future.h"

#include <juggle/error.h>
#include <juggle/group.h>
#include <juggle/run.h>
#include <juggle/scope.h>
#include <juggle/task.h>
#include <stdio.h>
#include <string.h>

struct error_record;

struct jg_task_record {
    struct coro coro;    // first: the engine room knows only this
    jg_scope root;       // the task's own cancel requests; parent: its group's scope
    jg_scope *innermost; // NULL in a thread's stand-in that has not opened a scope yet
    union {
        jg_fn *fn; // until it is called; the record has no cache line to spare
        struct jg_task_record
            *marked; // then: the next in a walk up a chain of waits, see ring.c; NULL: in none
    };
    void *arg;
    jg_future future;           // its completion: done, and the word it came to
    jg_group *group;            // whose live count it is in, or NULL
    struct list siblings;       // in the loop's `tasks`, then, while held, in `ended`
    struct error_record *error; // its newest failure, or NULL
    jg_drop_fn *drop_arg;
    jg_drop_fn *drop_result;
    jg_future *ready;      // whom jg_started tells; NULL: nobody, or it has
    struct locals *locals; // its values of task-local variables, shared with others; NULL: none
    const char *site;      // where it was spawned: function, NUL, "file.c:12"
    uint16_t generation;   // of its handle, odd; 0 as soon as it is nobody's
    uint16_t held;         // the same while somebody has the handle; else HELD_...
    intptr_t
        spawn_error; // why its newest spawn returned NULL; last: a free stack's node lies there
};

_Static_assert(
    offsetof(struct jg_task_record, spawn_error) + sizeof(intptr_t) ==
        sizeof(struct jg_task_record),
    "a handle used too late is told by the generation, which a free stack's node must not overwrite");

_Static_assert(sizeof(struct jg_task_record) <= CORO_RECORD_SIZE,
               "a stand-in must have room for a task");

/* A loop and the tasks on it. */
struct task_loop {
    struct loop loop; // first: tasks find it through their coro
    struct list tasks;
    struct list ended; // tasks that have, and whose handle is still out
    size_t live;
    uint64_t generations; // from task_first_generation on, one for each task
    struct jg_task_record *main;
    bool watches;      // it is one of those for which faults are watched
    bool closing;      // main has ended: no more spawns
    bool done;         // all have
    jg_scope *cancels; // worklist of scopes whose cancel has yet to spread
    bool spreading;
};

/* Makes a thread's or a loop's zeroed stand-in a task without end. Slow path of task_current. */
struct jg_task_record *task_adopt(struct jg_task_record *task);

/* The running task, or this thread's stand-in; never the loop's own coroutine in a way that matters:
 * that one cannot suspend. */
static inline struct jg_task_record *task_current(void) {
    struct jg_task_record *task = (struct jg_task_record *)(void *)sched_current();
    return likely(task->innermost != NULL) ? task : task_adopt(task);
}

/* Where a task was spawned, "file.c:12". Found out when asked: few ask, and every spawn would pay. */
static inline const char *task_place(const char *site) {
    return site + strlen(site) + 1;
}

static inline struct task_loop *task_loop_of(const struct jg_task_record *task) {
    return (struct task_loop *)(void *)task->coro.loop;
}

/* This thread's loop, which the running task is of; NULL without one. Known sooner than by way of the
 * task. */
static inline struct task_loop *task_loop_here(void) {
    return (struct task_loop *)(void *)sched_here;
}

/* A handle is the record's address with the task's generation above it: as soon as it is nobody's, a record
 * is the next task's, and a handle used too late must not be taken for that one's. */
enum {
    HANDLE_GENERATION_SHIFT = STACK_ADDRESS_BITS,
};

/* What `held` is where nobody may end the handle; no generation is the same. */
enum {
    HELD_BY_NOBODY = 0,
    HELD_IN_JOIN = 2,
};

static inline jg_task *task_handle(const struct jg_task_record *task) {
    uintptr_t generation = (uintptr_t)task->generation << HANDLE_GENERATION_SHIFT;
    return (jg_task *)((uintptr_t)task | generation);
}

static inline uint16_t handle_generation(const jg_task *handle) {
    return (uint16_t)((uintptr_t)handle >> HANDLE_GENERATION_SHIFT);
}

/* The record it was made of, which may be another task's by now. */
static inline struct jg_task_record *handle_record(const jg_task *handle) {
    const int width = 64 - HANDLE_GENERATION_SHIFT;
    return (struct jg_task_record *)(((uintptr_t)handle << width) >> width);
}

/* The task of a handle that is used for `what`: a task that is not there any more is a named abort. */
struct jg_task_record *handle_task(const jg_task *handle, const char *what);

/* Where a loop's generations begin: apart from those of the loop before, which had the same addresses. */
static inline uint64_t task_first_generation(const struct task_loop *loop) {
    return loop->loop.number * 12345;
}

/* The task whose completion this is. */
static inline struct jg_task_record *future_task(jg_future *future) {
    return container_of(future, struct jg_task_record, future);
}

/* Whether the caller may wait for it: -EDEADLK when it is the caller's own completion, -ECHILD when it is a
 * task's or an owner's who stayed behind in a fork. A task of another loop cannot be waited for: a named
 * abort. */
int task_elsewhere(const struct jg_task_record *task, const char *what) __attribute__((cold));

static inline int future_check(jg_future *future) {
    if (!future->of_task) {
        return likely(future->owner == NULL) ? 0 : future->owner->check(future);
    }
    const struct jg_task_record *self = task_current();
    const struct jg_task_record *task = future_task(future);
    if (unlikely(task->coro.loop != self->coro.loop)) {
        return task_elsewhere(task, "wait for");
    }
    return task == self ? -EDEADLK : 0;
}

/* The deadline of a wait with a limit; negative: none. */
static inline int64_t deadline_after_ms(int64_t timeout_ms) {
    return timeout_ms < 0 ? JG_NEVER : clock_add_ms(loop_now_ns(), timeout_ms);
}

/* Opens a new task's root scope, below its group's if `parent` is not NULL; closes it when the task ends,
 * who may have left no other open. A root without a parent is in no tree. scope.c */
void scope_root_link(struct jg_task_record *task, jg_scope *parent);
void scope_root_unlink(struct jg_task_record *task);
_Noreturn void scope_left_open(const struct jg_task_record *task) __attribute__((cold));

static inline void scope_root_open(struct jg_task_record *task, jg_scope *parent) {
    task->root.deadline_ns = JG_NEVER;
    task->root.task = task;
    task->innermost = &task->root;
    if (parent != NULL) {
        scope_root_link(task, parent);
    }
}

static inline void scope_root_close(struct jg_task_record *task) {
    if (unlikely(task->innermost != &task->root)) {
        scope_left_open(task);
    }
    if (task->root.parent != NULL) {
        scope_root_unlink(task);
    }
}

/* One more cancel request on a scope, and one taken back. scope.c */
void scope_request(jg_scope *scope);
int scope_withdraw(jg_scope *scope);

/* The nearest deadline from here outward, up to a shield; JG_NEVER. scope.c */
int64_t scope_nearest_deadline(const jg_scope *scope);

/* How many cancels and deadlines ask code in this scope to stop. scope.c */
int scope_cancelling(const jg_scope *innermost);

/* Whether something outside this scope asks the task to stop. scope.c */
bool scope_asked_outside(const jg_scope *scope);

/* Opens a loop with room for tasks on this thread, and closes it, once no task of it is alive. run.c */
int task_loop_open(struct task_loop *loop, const struct loop_options *options, bool watch_faults);
void task_loop_close(struct task_loop *loop);

/* One more cancel request for a task. Returns false when it has ended. task.c */
bool task_cancel(struct jg_task_record *task);

/* Ends a task that has ended, and whose handle is gone. task.c */
void task_free(struct jg_task_record *task);

/* From now on no task may be started outside a group; cancels all there are. task.c */
void task_cancel_strays(struct task_loop *loop);

/* A loop's options, from the caller's and the environment. run.c */
int task_loop_options(const jg_run_options *options, struct loop_options *out_options);

/* jg_run, with options of the engine room. run.c */
intptr_t task_run(jg_fn *fn, void *arg, const struct loop_options *options, bool watch_faults,
                  const char *site);

/* The stack size of tasks that ask for none: `wished` rounded, 0 for the default. 0 or -EINVAL. */
int task_stack_size(size_t wished, size_t *out_size);

/* The seed of a simulation: `wished`, or for 0 $JUGGLE_SEED, then 1. 0, or -EINVAL for what is no number. */
int task_seed(uint64_t wished, uint64_t *out_seed);

/* Names every task and what it waits for, and aborts. run.c */
void task_report_stuck(struct loop *loop);

/* Gives the caller's variable of a block, if there is one, this result. block.c */
void block_store(const jg_block *block, intptr_t result);

/* Task-local values. local.c */
struct locals *locals_ref(struct locals *locals); // one more share; NULL is allowed
void locals_drop(struct locals *locals);          // one share less; NULL is allowed
void locals_end(struct jg_task_record *task);     // the task has none from now on

/* Frees what the thread's stand-in holds when the thread ends. thread.c */
void thread_mind_end(struct jg_task_record *stand_in);

/* Whether others may be unable to end before this task has: if not, no wait of its closes a ring. */
static inline bool ring_wanted(const struct jg_task_record *self) {
    return ((uintptr_t)self->future.first | (uintptr_t)self->group) != 0;
}

/* Whether a wait of `self` that only the settling of this pending future ends would never end, as it is a
 * task's which cannot end before `self` goes on. Leaves marks on tasks, which help to ask for others and
 * are to be taken off before anybody else asks. ring.c */
bool ring_closes(struct jg_task_record *self, jg_future *future);
void ring_clear(struct jg_task_record *self);

/* The same for one alone, of the running task; not where it may not wait anyway. */
bool ring_look(struct jg_task_record *self, jg_future *future);

static inline bool ring_closed_by(struct jg_task_record *self, jg_future *future) {
    return unlikely(ring_wanted(self)) && ring_look(self, future);
}

/* A task of the group has ended. group.c */
void group_task_ended(jg_group *group, struct jg_task_record *task);

/* A function of the user's returned in a forked copy of whoever called it, where there is nothing to go on
 * with: ends the process, with 0 or, for an error, 1. */
_Noreturn void task_end_forked(intptr_t word);

/* After every such function the loop calls. */
static inline void mind_fork(const struct coro *self, intptr_t word) {
    if (unlikely(self->attention & ATTENTION_FORKED)) {
        task_end_forked(word);
    }
}

/* Starts a task in the group, or alone; see jg_spawn_at. `held` is whether a handle is wanted. NULL when
 * it could not: task_started says why. */
jg_task *task_start(jg_fn *fn, void *arg, const jg_spawn_options *options, const char *site,
                    bool held);

/* What came of a task_start: 0, or why it returned NULL. */
static inline int task_started(const jg_task *handle) {
    return handle != NULL ? 0 : (int)task_current()->spawn_error;
}

/* A failure without pointers, to cross into another process. */
struct error_text {
    intptr_t code;
    char text[256];
    char where[64];
    char task[48];
    char spawned[64];
};

/* Queues a call whose record is not in use for the loop's next round, also while it makes its last. call.c */
void call_queue(struct loop *loop, jg_call *call, jg_fn *fn, void *arg, const char *site);

/* Settles tasks whose handles nobody gave up before the loop's end: what they hold is dropped, their
 * failures are reported. */
void task_settle_ended(struct task_loop *loop);

/* Failures. error.c */
struct error_record *error_take(struct jg_task_record *task); // the record, no longer the task's
struct error_record *error_take_for(struct jg_task_record *task,
                                    intptr_t code); // made up if it has none
void error_keep(struct jg_task_record *task,
                struct error_record *record); // takes; replaces the newest
struct error_record *error_share(struct jg_task_record *task, intptr_t code); // the task keeps it
struct error_record *error_ref(struct error_record *record); // one more share; NULL is allowed
void error_free(struct error_record *record);                // one share less
intptr_t error_apart(jg_fn *fn, void *arg); // calls it as a task of its own would: see error.c
const jg_error *error_public(const struct error_record *record);
struct error_record *error_of_word(intptr_t code);  // somebody's, of whom nothing is known; or NULL
void error_report(struct error_record *record);     // nobody retrieved it; takes it
void error_print(const jg_error *error, FILE *out); // the same, as a line of text

/* Failures that come together: puts a record, which it takes, behind the last. Returns how many failures
 * that were, those that came with it too; NULL is one for which there was no memory. Once all are there,
 * the first's words are made to tell of the others. */
size_t error_append(struct error_record **first, struct error_record **last,
                    struct error_record *record);
void error_sum_up(struct error_record *first);

/* A failure as text, and a record made of one; NULL without memory. Causes are left out. What happened in
 * no task over there happened in what was started at `site`. */
void error_write(const struct error_record *record, struct error_text *out_text);
struct error_record *error_read(const struct error_text *text, const char *site);

#endif
