// SPDX-License-Identifier: MIT
/* worker_thread.c – a function on a thread of its own.
 *
 * Holds      beyond the worker's record, which one's thread this is; the lock over who joins whom.
 * Invariant  `ending` goes from NULL to "ended" exactly once; a joiner that put its own record there
 *            before is told through its loop's inbox. Joiner and thread both swap, so neither can
 *            miss the other.
 * Called by  worker.c.
 * Why        a task waits through the inbox while its loop goes on; then pthread_join, which has only
 *            the thread's last steps to wait for. It also sees to it that the thread is through with
 *            the loop's inbox before the loop can be closed.
 * Quirks     a thread that leaves by pthread_exit runs its clean-up handlers: that is how its joiner
 *            learns of it.
 */
#include "exec/worker.h"

#include "base/list.h"
#include "exec/thread.h"

#include <stdio.h>
#include <unistd.h>

static __thread struct jg_worker *runs_here;
static pthread_mutex_t joins = PTHREAD_MUTEX_INITIALIZER; // over every `joiner`

static char ended; // its address, in `ending`: the thread has handed back all it will

/* One task's wait for the end, on its stack. */
struct end_wait {
    jg_call item; // first
    struct wait wait;
    struct loop *loop;
};

static void end_arrives(jg_call *item) {
    wake(&container_of(item, struct end_wait, item)->wait, 0);
}

/* The thread's last step, whichever way it ends. */
static void tell_end(void *arg) {
    struct jg_worker *worker = arg;
    if (unlikely(worker->owner != getpid())) {
        task_end_forked(worker->word); // a copy of the thread, in a child its function forked
    }
    if (worker->word == -EOWNERDEAD) {
        thread_check_left();
    }
    struct end_wait *waiting = atomic_exchange(&worker->ending, &ended);
    if (waiting != NULL) {
        must(inbox_post(waiting->loop->handle, &waiting->item) == 0);
    }
}

static void *run_thread(void *arg) {
    struct jg_worker *worker = arg;
    atomic_store_explicit(&worker->tid, gettid(), memory_order_relaxed);
    pthread_setname_np(pthread_self(), worker->name);
    struct jg_task_record *self = task_current();
    self->coro.name = worker->site;
    self->site = worker->site;
    runs_here = worker;
    worker->word = -EOWNERDEAD;
    pthread_cleanup_push(tell_end, worker);
    intptr_t word = worker->fn(worker->arg);
    if (jg_failed(word)) {
        worker->error = error_take_for(self, word);
    }
    worker->word = word;
    pthread_cleanup_pop(1);
    return NULL;
}

int worker_thread_start(struct jg_worker *worker, const jg_worker_options *options) {
    snprintf(worker->name, sizeof(worker->name), "%s",
             options->name != NULL ? options->name : "jg-worker");
    return thread_start(options->stack_size, false, run_thread, worker, &worker->thread);
}

/* The lock's copy in a child may be one that another thread held. */
static void after_fork_in_child(void) {
    joins = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

/* As early as the library: a fork that has begun runs no handler that comes later. */
__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

/* A worker is joined once, so those who wait for this one are a chain; and a join is not cut short: who is
 * in the chain can end no sooner than this one. */
int worker_thread_join_begin(struct jg_worker *worker) {
    bool ring = false;
    pthread_mutex_lock(&joins);
    for (const struct jg_worker *each = runs_here; each != NULL; each = each->joiner) {
        ring = ring || each == worker;
    }
    if (!ring) {
        worker->joiner = runs_here;
    }
    pthread_mutex_unlock(&joins);
    return ring ? -EDEADLK : 0;
}

/* Lets the loop go on until the thread has told its end. */
static void wait_in_loop(struct jg_worker *worker, struct loop *loop) {
    struct end_wait waiting = {.item = {.deliver = end_arrives},
                               .wait = {.kind = WAIT_KIND("worker thread")},
                               .loop = loop};
    void *expected = NULL;
    loop->external++;
    if (atomic_compare_exchange_strong(&worker->ending, &expected, &waiting)) {
        park(&waiting.wait);
    }
    loop->external--;
}

intptr_t worker_thread_join(struct jg_worker *worker) {
    struct jg_task_record *self = task_current();
    if (self->coro.loop != NULL) {
        wait_in_loop(worker, self->coro.loop);
    }
    must(pthread_join(worker->thread, NULL) == 0);
    if (worker->word == -EOWNERDEAD && worker->error == NULL) {
        return jg_fail(-EOWNERDEAD, "worker thread %d left without handing back a word",
                       (int)jg_worker_id(worker));
    }
    if (jg_failed(worker->word)) {
        error_keep(self, worker->error);
    }
    return worker->word;
}
