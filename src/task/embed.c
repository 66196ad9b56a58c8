// SPDX-License-Identifier: MIT
/* embed.c – a loop that lives inside another one: opened, turned step by step, closed.
 *
 * Holds      the loop and its tasks, on the heap from open to close.
 * Invariant  between steps the loop's own coroutine runs: the outer loop's code on this thread.
 * Called by  user code.
 * Why        the same open, turn and close as jg_run's; only who waits differs.
 */
#include "base/mem.h"
#include "sync/lock.h"
#include "task/task.h"

#include <juggle/loop.h>
#include <limits.h>

int jg_loop_open(const jg_run_options *options, jg_loop **out_loop) {
    static const jg_run_options no_options;
    struct loop_options loop_options;
    options = options != NULL ? options : &no_options;
    int rc = task_loop_options(options, &loop_options);
    if (rc < 0 || loop_options.sim) {
        return rc < 0 ? rc : (int)error_bare(-EOPNOTSUPP);
    }
    struct task_loop *loop = mem_alloc(sizeof(*loop));
    if (loop == NULL) {
        return (int)error_bare(-ENOMEM);
    }
    rc = task_loop_open(loop, &loop_options, !options->no_fault_report);
    if (rc < 0) {
        mem_free(loop);
        return (int)error_bare(rc);
    }
    // Asleep until its first step: a post has to show at the descriptor.
    must(inbox_sleep(loop->loop.handle));
    *out_loop = loop->loop.handle;
    return 0;
}

/* The open loop behind a handle. Any other thread's is a misuse. */
static int find_own(jg_loop *handle, struct task_loop **out_loop) {
    const struct coro *self = sched_current();
    if (unlikely(inbox_is_copy(handle))) {
        return (int)error_bare(-ECHILD);
    }
    if (unlikely(mpsc_closed(&handle->queue))) {
        return (int)error_bare(-ESHUTDOWN);
    }
    if (unlikely(self->loop == NULL || self->loop->handle != handle)) {
        check_misuse("a loop is used on another thread than its own");
    }
    *out_loop = (struct task_loop *)(void *)self->loop;
    return 0;
}

/* The same, for what turns it: not from inside a turn. */
static int find_to_turn(jg_loop *handle, struct task_loop **out_loop) {
    int rc = find_own(handle, out_loop);
    return rc == 0 && (*out_loop)->loop.turning ? (int)error_bare(-EDEADLK) : rc;
}

int jg_loop_fd(jg_loop *handle) {
    struct task_loop *loop;
    int rc = find_own(handle, &loop);
    struct backend *backend = rc < 0 ? NULL : loop->loop.backend;
    return rc < 0 ? rc : backend->ops->pollable(backend);
}

int jg_loop_timeout(jg_loop *handle) {
    struct task_loop *loop;
    int rc = find_own(handle, &loop);
    if (rc < 0) {
        return rc;
    }
    int64_t idle_ns = loop_sleep_ns(&loop->loop, loop_idle_ns(&loop->loop, loop_now_ns()));
    if (idle_ns <= 0) {
        return (int)idle_ns;
    }
    int64_t idle_ms = (idle_ns - 1) / JG_MS + 1; // never early
    return idle_ms > INT_MAX ? INT_MAX : (int)idle_ms;
}

int jg_loop_step(jg_loop *handle) {
    struct task_loop *loop;
    int rc = find_to_turn(handle, &loop);
    if (rc < 0) {
        return rc;
    }
    loop_step(&loop->loop);
    return loop->live > INT_MAX ? INT_MAX : (int)loop->live;
}

/* The code outside of tasks ends, as a task does: it may have left no scope open, and holds no lock. */
static void end_outside(struct jg_task_record *outside) {
    if (unlikely(outside->innermost != &outside->root)) {
        check_misuse("a loop is closed inside a scope or group opened outside of its tasks");
    }
    lock_owner_ends(&outside->coro);
}

int jg_loop_close(jg_loop *handle) {
    struct task_loop *loop;
    int rc = find_to_turn(handle, &loop);
    if (rc < 0) {
        return rc;
    }
    end_outside(task_current());
    inbox_awake(handle);
    task_cancel_strays(loop);
    loop->done = loop->live == 0;
    loop_run(&loop->loop, &loop->done);
    task_loop_close(loop);
    mem_free(loop);
    return 0;
}
