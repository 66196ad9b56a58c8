// SPDX-License-Identifier: MIT
/* worker.c – starting and joining workers of either kind.
 *
 * Holds      nothing: each worker's record is its own.
 * Invariant  a worker is joined once, by the process that started it.
 * Called by  user code.
 * Why        see juggle/worker.h.
 */
#include "exec/worker.h"

#include "base/mem.h"
#include "rt/observe.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

static int start(jg_worker_kind kind, jg_fn *fn, void *arg, const jg_worker_options *options,
                 jg_worker **out_worker, const char *site) {
    static const jg_worker_options no_options;
    if (kind != JG_WORKER_THREAD && kind != JG_WORKER_PROCESS) {
        return -EINVAL;
    }
    struct jg_worker *worker = mem_alloc_zero(sizeof(*worker));
    if (worker == NULL) {
        return -ENOMEM;
    }
    worker->kind = kind;
    worker->fn = fn;
    worker->arg = arg;
    worker->site = site;
    worker->owner = getpid();
    int rc = kind == JG_WORKER_THREAD
                 ? worker_thread_start(worker, options != NULL ? options : &no_options)
                 : worker_process_start(worker);
    if (rc < 0) {
        mem_free(worker);
        return rc;
    }
    bool process = kind == JG_WORKER_PROCESS;
    observe_opened(worker, process ? "worker process" : "worker thread", process ? worker->pid : -1,
                   site);
    *out_worker = worker;
    return 0;
}

int jg_worker_start_at(jg_worker_kind kind, jg_fn *fn, void *arg, const jg_worker_options *options,
                       jg_worker **out_worker, const char *site) {
    int rc = start(kind, fn, arg, options, out_worker, site);
    return rc == 0 ? 0
                   : (int)jg_fail(rc, "cannot start a worker %s: %s",
                                  kind == JG_WORKER_PROCESS ? "process" : "thread",
                                  strerrordesc_np(-rc));
}

intptr_t jg_worker_join(jg_worker *worker) {
    struct coro *self = sched_current();
    if (worker->owner != getpid()) {
        return error_bare(-ECHILD);
    }
    if (self->attention & ~(uint32_t)ATTENTION_CANCEL) {
        return sched_refuse(self);
    }
    if (atomic_exchange(&worker->joined, true)) {
        check_misuse("join of a worker that is being joined already");
    }
    if (worker->kind == JG_WORKER_THREAD && worker_thread_join_begin(worker) < 0) {
        atomic_store(&worker->joined, false);
        return error_bare(-EDEADLK);
    }
    intptr_t word = worker->kind == JG_WORKER_THREAD ? worker_thread_join(worker)
                                                     : worker_process_join(worker);
    observe_closed(worker);
    mem_free(worker);
    return word;
}

int jg_worker_kill(jg_worker *worker, int signal_number) {
    if (worker->owner != getpid()) {
        return (int)error_bare(-ECHILD);
    }
    return (int)error_bare(worker->kind == JG_WORKER_THREAD
                               ? -EOPNOTSUPP
                               : worker_process_kill(worker, signal_number));
}

pid_t jg_worker_id(const jg_worker *worker) {
    if (worker->kind == JG_WORKER_PROCESS) {
        return worker->pid;
    }
    pid_t tid;
    while ((tid = atomic_load_explicit(&worker->tid, memory_order_relaxed)) == 0) {
        sched_yield(); // started, but it has not run yet
    }
    return tid;
}
