// SPDX-License-Identifier: MIT
/* task.c – starting, ending, joining and cancelling tasks.
 *
 * Holds      nothing beyond the records.
 * Invariant  a record is freed exactly once: by the task itself when it ends without a handle, else
 *            by the join or detach that ends the handle.
 * Called by  user code; group.c and run.c (task_start).
 * Why        the record is the top of the task's own stack: the last task to end is the next to
 *            start, on warm memory.
 */
#include "task/task.h"

#include "base/clock.h"
#include "rt/observe.h"
#include "sync/lock.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    REFUSAL_CODES = 8, // more than there are reasons to refuse a spawn
};

/* S6: a cancel that nobody saw before the function returned still counts, but hides no failure. */
static bool ended_cancelled(const struct jg_task_record *task, intptr_t result) {
    bool unseen = (task->coro.attention & ATTENTION_CANCEL) && !task->coro.delivered;
    return result == -ECANCELED || (unseen && !jg_failed(result));
}

_Noreturn void task_end_forked(intptr_t word) {
    _exit(jg_failed(word) ? 1 : 0);
}

/* After a function of the user's that was called when the task's own had returned: what it left with the
 * task goes the way of what that one left. */
static void called_late(struct jg_task_record *task) {
    mind_fork(sched_current(), 0);
    if (task->locals != NULL) {
        locals_end(task);
    }
    if (task->coro.locks != NULL) {
        lock_owner_ends(&task->coro);
    }
    if (task->innermost != &task->root) {
        scope_left_open(task);
    }
}

static void drop_result(struct jg_task_record *task, intptr_t result) {
    if (task->drop_result != NULL && !jg_failed(result)) {
        call_drop(task->drop_result, (void *)result);
        called_late(task);
    }
}

/* Gives up all that a task which has ended, and whose handle is gone, holds but its stack. */
static inline void empty(struct jg_task_record *task) {
    must(task->future.done);
    task->generation = 0;
    task->held = HELD_BY_NOBODY;
    list_remove(&task->siblings);
    if (unlikely(task->future.first != NULL)) {
        future_forget(&task->future);
    }
    if (unlikely(task->error != NULL)) {
        error_free(task->error);
    }
}

void task_free(struct jg_task_record *task) {
    empty(task);
    coro_free(&task->coro);
}

/* Nobody has the handle: what it came to is dropped, and a failure is reported. */
static void settle_unheld(struct jg_task_record *task) {
    intptr_t result = task->future.result;
    bool lost = task->group == NULL && !task->future.seen;
    if (lost && jg_failed(result) && result != -ECANCELED) {
        error_report(error_take_for(task, result));
        called_late(task);
    }
    drop_result(task, result);
    empty(task);
}

void task_settle_ended(struct task_loop *loop) {
    while (!list_empty(&loop->ended)) {
        struct jg_task_record *task = container_of(loop->ended.next, struct jg_task_record,
                                                   siblings);
        task->held = HELD_BY_NOBODY;
        settle_unheld(task);
        coro_free(&task->coro);
    }
}

void task_cancel_strays(struct task_loop *loop) {
    loop->closing = true;
    observe(&loop->loop.sched, closing);
    for (struct list *node = loop->tasks.next; node != &loop->tasks; node = node->next) {
        task_cancel(container_of(node, struct jg_task_record, siblings));
    }
}

static void finish(struct jg_task_record *task, intptr_t result) {
    struct task_loop *loop = task_loop_of(task);
    if (unlikely(task->locals != NULL)) {
        locals_end(task);
        mind_fork(&task->coro, 0);
    }
    if (ended_cancelled(task, result)) {
        drop_result(task, result);
        result = -ECANCELED;
    }
    task->future.result = result;
    task->future.done = true;
    if (unlikely(task->coro.locks != NULL)) {
        lock_owner_ends(&task->coro);
    }
    scope_root_close(task);
    list_remove(&task->siblings);
    if (task->held == task->generation) { // else whoever joins it is about to end the handle
        list_append(&loop->ended, &task->siblings);
    }
    loop->live--;
    if (task->group != NULL) {
        group_task_ended(task->group, task);
    }
    if (task == loop->main) {
        task_cancel_strays(loop);
    }
    loop->done = loop->live == 0;
    future_fire(&task->future);
}

/* What a task comes to; a cancel before its first step keeps it from running at all. */
static intptr_t result_of(struct jg_task_record *task) {
    jg_fn *fn = task->fn;
    task->marked = NULL; // in its place
    if (unlikely(task->coro.attention != 0)) {
        task->coro.delivered = true;
        if (task->drop_arg != NULL) {
            call_drop(task->drop_arg, task->arg);
            mind_fork(&task->coro, 0);
        }
        return -ECANCELED;
    }
    intptr_t result = fn(task->arg);
    mind_fork(&task->coro, result);
    return result;
}

/* The bottom of every task's stack. */
static void run_task(void *record) {
    struct jg_task_record *task = record;
    struct coro *self = &task->coro;
    sanitize_arrive(&self->sanitize);
    finish(task, result_of(task));
    bool held = task->held != HELD_BY_NOBODY;
    if (!held) {
        settle_unheld(task);
    }
    struct coro *next = sched_leave(self);
    if (!held) {
        coro_free(self); // nobody else's until the switch
    }
    coro_switch_last(self, next);
}

/* For the caller it is memory that lacks; which limit to raise is in the text. */
__attribute__((cold)) static intptr_t tell_mapping_limit(void) {
    return jg_fail(-ENOMEM,
                   "no guard for the stack of another task: its two mappings are more than "
                   "vm.max_map_count allows");
}

static jg_task *refuse(struct jg_task_record *spawner, const jg_spawn_options *options, void *arg,
                       int code) {
    if (options != NULL) {
        call_drop(options->drop_arg, arg);
    }
    // last: dropping may spawn, or fail
    spawner->spawn_error = code == -EAGAIN ? tell_mapping_limit() : error_bare(code);
    return NULL;
}

/* Whether a task may be started now. */
static int admit(const struct coro *spawner, const struct task_loop *loop, const jg_group *group) {
    if (unlikely(spawner->attention & ATTENTION_FORKED)) {
        return -ECHILD; // the loop that would run it stayed with the parent
    }
    if (group == NULL) {
        return loop->closing ? -ECANCELED : 0;
    }
    if (group->closed) { // who opened it may be gone: nothing else is read
        return -ECANCELED;
    }
    if (unlikely(group->scope.task->coro.loop != &loop->loop)) {
        if (loop_left_behind(group->scope.task->coro.loop)) {
            return -ECHILD; // a copy, of its parent's
        }
        check_misuse("a task is spawned into a group of another loop or thread");
    }
    return group->aborting ? -ECANCELED : 0;
}

/* Takes the stack for a task. Returns 0; -EINVAL for a size no stack has; what stack_take says. */
static inline int take_stack(struct loop *loop, size_t wished_bytes, struct stack *out_stack) {
    size_t size = loop->stack_size;
    if (unlikely(wished_bytes != 0)) {
        size = stack_round(wished_bytes);
        if (size == 0) {
            return -EINVAL;
        }
    }
    return stack_take(&loop->stacks, size, out_stack);
}

/* Somebody looks on, or the task is to run at once. */
__attribute__((noinline)) static void begin_unusual(struct coro *coro, bool eager) {
    observe(&coro->loop->sched, spawned, coro);
    if (eager && !(sched_current()->attention & ATTENTION_NO_SUSPEND)) {
        sched_run_now(coro);
    } else {
        sched_ready(&coro->loop->sched, coro);
    }
}

jg_task *task_start(jg_fn *fn, void *arg, const jg_spawn_options *options, const char *site,
                    bool held) {
    struct task_loop *loop = task_loop_here();
    if (unlikely(loop == NULL)) {
        return refuse(task_current(), options, arg, -ENXIO);
    }
    struct jg_task_record *spawner = task_current();
    jg_group *group = options != NULL ? options->group : NULL;
    struct stack stack;
    int rc = admit(&spawner->coro, loop, group);
    if (likely(rc == 0)) {
        rc = take_stack(&loop->loop, options != NULL ? options->stack_size : 0, &stack);
    }
    if (unlikely(rc < 0)) {
        return refuse(spawner, options, arg, rc);
    }
    struct coro *coro = coro_make(&loop->loop, stack, sizeof(struct jg_task_record), run_task);
    struct jg_task_record *task = (struct jg_task_record *)(void *)coro;
    coro->name = site;
    task->site = site;
    task->fn = fn;
    task->arg = arg;
    task->group = group;
    task->future.of_task = true;
    if (options != NULL) {
        coro->name = options->name != NULL ? options->name : site;
        coro->edge = options->edge;
        task->drop_arg = options->drop_arg;
        task->drop_result = options->drop_result;
    }
    if (unlikely(spawner->locals != NULL)) {
        task->locals = locals_ref(spawner->locals);
    }
    task->generation = (uint16_t)(loop->generations++ << 1 | 1);
    task->held = held ? task->generation : HELD_BY_NOBODY;
    jg_task *handle = task_handle(task); // an eager one may be gone by the return
    scope_root_open(task, group != NULL ? &group->scope : NULL);
    if (group != NULL) {
        group->live++;
    }
    list_append(&loop->tasks, &task->siblings);
    loop->live++;
    bool eager = options != NULL && options->eager;
    if (likely(((uintptr_t)observer_of(&loop->loop.sched) | eager) == 0)) { // one test for both
        sched_ready(&loop->loop.sched, coro);
    } else {
        begin_unusual(coro, eager);
    }
    return handle;
}

jg_task *jg_spawn_at(jg_fn *fn, void *arg, const jg_spawn_options *options, const char *site) {
    return task_start(fn, arg, options, site, true);
}

int task_elsewhere(const struct jg_task_record *task, const char *what) {
    if (!loop_left_behind(task->coro.loop)) {
        check_misuse("%s task %s on another thread than that of its loop", what, task->coro.name);
    }
    return (int)error_bare(-ECHILD);
}

/* Whether an address can be read: the kernel is asked to, as a signal mask, for a request that it then
 * refuses as there is no such. That needs no descriptor, and no filter of system calls leaves it out. */
static bool is_readable(const void *address) {
    const int no_request = -1;
    const size_t mask_bytes = 8;
    long rc = syscall(SYS_rt_sigprocmask, no_request, address, NULL, mask_bytes);
    return rc == 0 || errno != EFAULT;
}

/* On a thread without a loop the record's memory may be gone with the task's. */
__attribute__((cold)) static void check_there(const jg_task *handle, const char *what) {
    const struct jg_task_record *task = handle_record(handle);
    if (!is_readable(&task->generation) || task->generation != handle_generation(handle)) {
        check_misuse("%s a task that has ended, or whose loop is closed", what);
    }
}

struct jg_task_record *handle_task(const jg_task *handle, const char *what) {
    uint16_t generation = handle_generation(handle);
    if (sched_here == NULL && generation != 0) {
        check_there(handle, what);
    }
    struct jg_task_record *task = handle_record(handle);
    if (task->generation != generation) {
        check_misuse("%s a task that has ended and is nobody's any more", what);
    }
    return task;
}

/* A handle is about to be given up. Returns 0; -ECHILD when its task stayed behind in a fork. */
static inline int check_held(const struct jg_task_record *self, const jg_task *handle,
                             const char *what) {
    const struct jg_task_record *task = handle_record(handle);
    if (unlikely(task->held != handle_generation(handle))) {
        check_misuse("%s a task that was joined or detached before", what);
    }
    return likely(task->coro.loop == self->coro.loop) ? 0 : task_elsewhere(task, what);
}

/* What stands for tasks that could not be started: a future per code, failed with it. */
static jg_future *refused_future(intptr_t code) {
    static __thread jg_future refused[REFUSAL_CODES];
    jg_future *future = refused;
    while (future->done && future->result != code && future < &refused[REFUSAL_CODES - 1]) {
        future++;
    }
    future->done = true;
    future->result = code;
    return future;
}

static intptr_t refusal(const struct jg_task_record *spawner) {
    return spawner->spawn_error != 0 ? spawner->spawn_error : -EINVAL;
}

/* The word of a task that was refused. All there may be to tell of it is which memory lacked. */
__attribute__((cold, noinline)) static intptr_t join_refused(const struct jg_task_record *spawner) {
    intptr_t code = refusal(spawner);
    return code == -ENOMEM ? code : error_bare(code);
}

/* Where no task could be the caller's. */
__attribute__((cold, noinline)) static intptr_t join_outside(const jg_task *handle) {
    if (handle == NULL) {
        return join_refused(task_current());
    }
    const struct jg_task_record *task = handle_task(handle, "join of");
    return &task->coro == sched_current() ? error_bare(-EDEADLK) : task_elsewhere(task, "join of");
}

intptr_t jg_join(jg_task *handle) {
    if (unlikely(sched_here == NULL)) {
        return join_outside(handle);
    }
    struct jg_task_record *self = task_current();
    if (unlikely(handle == NULL)) {
        return join_refused(self);
    }
    if (unlikely(handle_record(handle) == self)) {
        handle_task(handle, "join of"); // not one that was here before
        return error_bare(-EDEADLK);
    }
    struct jg_task_record *task = handle_record(handle);
    int rc = check_held(self, handle, "join of");
    if (unlikely(rc < 0)) {
        return rc;
    }
    intptr_t result = task->future.result;
    if (!task->future.done) {
        if (ring_closed_by(self, &task->future)) {
            return error_bare(-EDEADLK);
        }
        task->held = HELD_IN_JOIN;
        result = future_await(&task->future, &task->future);
        if (unlikely(!task->future.done)) {
            task->held = task->generation;
            return result; // it could not wait: the handle is still the caller's
        }
    } else if (unlikely(jg_failed(result))) {
        error_keep(self, future_error(&task->future));
    }
    task_free(task);
    return result;
}

void jg_detach(jg_task *handle) {
    if (handle == NULL) {
        return;
    }
    struct jg_task_record *task = likely(sched_here != NULL) ? handle_record(handle)
                                                             : handle_task(handle, "detach of");
    if (check_held(task_current(), handle, "detach of") < 0) {
        return;
    }
    task->held = HELD_BY_NOBODY;
    if (task->future.done) {
        settle_unheld(task);
        coro_free(&task->coro);
    }
}

bool task_cancel(struct jg_task_record *task) {
    if (task->future.done) {
        return false;
    }
    scope_request(&task->root);
    return true;
}

bool jg_cancel(jg_task *handle) {
    return handle != NULL && task_cancel(handle_task(handle, "cancel of"));
}

int jg_uncancel(jg_task *handle) {
    if (handle == NULL) {
        return 0;
    }
    struct jg_task_record *task = handle_task(handle, "uncancel of");
    return task->future.done ? 0 : scope_withdraw(&task->root);
}

int jg_cancelling(const jg_task *handle) {
    return handle != NULL ? scope_cancelling(handle_task(handle, "look at")->innermost) : 0;
}

bool jg_done(const jg_task *handle) {
    return handle == NULL || handle_task(handle, "look at")->future.done;
}

bool jg_cancelled(const jg_task *handle) {
    return handle != NULL ? jg_future_cancelled(&handle_task(handle, "look at")->future)
                          : refusal(task_current()) == -ECANCELED;
}

jg_future *jg_task_future(jg_task *handle) {
    return handle != NULL ? &handle_task(handle, "look at")->future
                          : refused_future(refusal(task_current()));
}

jg_task *jg_self(void) {
    return task_handle(task_current());
}

const char *jg_task_name(const jg_task *handle) {
    return handle != NULL ? handle_task(handle, "look at")->coro.name : "refused";
}

void jg_task_rename(jg_task *handle, const char *name) {
    if (handle != NULL) {
        coro_rename(&handle_task(handle, "rename of")->coro, name);
    }
}

size_t jg_all_tasks(jg_task **out_tasks, size_t room) {
    const struct task_loop *loop = task_loop_of(task_current());
    size_t count = 0;
    if (loop == NULL) {
        return 0;
    }
    for (const struct list *node = loop->tasks.next; node != &loop->tasks; node = node->next) {
        if (count < room) {
            out_tasks[count] = task_handle(container_of(node, struct jg_task_record, siblings));
        }
        count++;
    }
    return count;
}
