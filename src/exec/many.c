// SPDX-License-Identifier: MIT
/* many.c – jg_run_many: a loop per thread.
 *
 * Holds      per call a struct many and a record per loop, on the heap until all loops are over.
 * Invariant  a loop's first task is cancelled only between its start and its end, on its own thread: a
 *            call posted to a loop that is ending finds `task` NULL.
 * Called by  user code.
 * Why        the loops are jobs of an executor made for the call: starting threads, joining them and
 *            carrying errors over is done there.
 */
#include "base/list.h"
#include "base/mem.h"
#include "exec/pool.h"

#include <juggle/many.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

struct many_loop {
    jg_job job;
    jg_call cancel;
    struct many *many;
    jg_loop *loop; // under the lock: to post to, while the first task runs
    jg_task *task; // the loop's own; NULL when it has ended
    void *arg;
    size_t index;
};

struct many {
    jg_fn *fn;
    const char *site; // of the call
    const jg_run_many_options *options;
    struct many_loop *loops;
    size_t count;
    pthread_mutex_t lock;
    bool stopping; // under the lock: all are to end
    bool failed;   // likewise: one has
};

// Stopping.

static void cancel_first_task(jg_call *call) {
    struct many_loop *loop = container_of(call, struct many_loop, cancel);
    if (loop->task != NULL) {
        jg_cancel(loop->task);
    }
}

/* Under the lock. */
static void cancel_all(struct many *many) {
    many->stopping = true;
    for (size_t i = 0; i < many->count; i++) {
        struct many_loop *loop = &many->loops[i];
        if (loop->loop != NULL && loop->cancel.deliver == NULL) {
            loop->cancel.deliver = cancel_first_task;
            inbox_post(loop->loop, &loop->cancel);
        }
    }
}

static void stop(void *arg) {
    struct many *many = arg;
    pthread_mutex_lock(&many->lock);
    cancel_all(many);
    pthread_mutex_unlock(&many->lock);
}

// On a loop's thread.

/* Stays on the index-th of the processors the program may use, if that can be. */
static void pin(size_t index) {
    cpu_set_t usable;
    cpu_set_t one;
    if (sched_getaffinity(0, sizeof(usable), &usable) != 0) {
        return;
    }
    size_t skip = index % (size_t)CPU_COUNT(&usable);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &usable) || skip-- > 0) {
        cpu++;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
}

/* The loop's first task. */
static intptr_t run_first(void *arg) {
    struct many_loop *loop = arg;
    struct many *many = loop->many;
    struct loop *own = sched_current()->loop;
    loop->task = jg_self();
    pthread_mutex_lock(&many->lock);
    loop->loop = own->handle;
    bool stopping = many->stopping;
    pthread_mutex_unlock(&many->lock);
    intptr_t word = stopping ? -ECANCELED : many->fn(loop->arg);
    loop->task = NULL;
    pthread_mutex_lock(&many->lock);
    loop->loop = NULL; // the loop is open until we return: nobody posts to a closed one
    pthread_mutex_unlock(&many->lock);
    return word;
}

/* Returns the failure if it is the first. */
static intptr_t note_failure(struct many *many, intptr_t word) {
    pthread_mutex_lock(&many->lock);
    bool first = !many->failed && !many->stopping;
    many->failed = true;
    cancel_all(many);
    pthread_mutex_unlock(&many->lock);
    return first ? word : 0;
}

static intptr_t run_loop(void *arg) {
    struct many_loop *loop = arg;
    struct many *many = loop->many;
    if (many->options->pin) {
        pin(loop->index);
    }
    intptr_t word = jg_run_at(run_first, loop, &many->options->run, many->site);
    if (many->options->out_words != NULL) {
        many->options->out_words[loop->index] = word;
    }
    return jg_failed(word) ? note_failure(many, word) : 0;
}

// On the caller's.

/* Every loop needs a thread: one may wait for another. */
static int start_one(jg_executor *pool, struct many_loop *loop) {
    jg_executor_stats before;
    jg_executor_stats after;
    jg_executor_stats_get(pool, &before);
    int rc = jg_executor_submit_at(pool, &loop->job, run_loop, loop, loop->many->site);
    jg_executor_stats_get(pool, &after);
    if (rc == 0 && after.threads == before.threads && jg_job_cancel(&loop->job)) {
        return -EAGAIN; // it would have waited for the thread of another
    }
    return rc;
}

static intptr_t run_all(struct many *many, jg_executor *pool) {
    size_t begun = 0;
    intptr_t result = 0;
    int refused = 0;
    while (begun < many->count && refused == 0) {
        refused = start_one(pool, &many->loops[begun]);
        begun += refused == 0;
    }
    if (refused < 0) {
        stop(many);
    }
    for (size_t i = 0; i < begun; i++) {
        intptr_t rc = job_await(&many->loops[i].job, stop, many);
        result = result == 0 ? rc : result;
    }
    return refused == 0 ? result
                        : jg_fail(refused, "cannot start loop %zu of %zu: %s", begun + 1,
                                  many->count, strerrordesc_np(-refused));
}

static intptr_t run_on_threads(struct many *many) {
    const jg_executor_options options = {.threads = many->count, .idle_ms = -1, .name = "jg-loop"};
    jg_executor *pool;
    intptr_t result = jg_executor_open(&options, &pool);
    if (result == 0) {
        result = run_all(many, pool);
        jg_executor_close(pool);
    }
    return result;
}

intptr_t jg_run_many_at(size_t loops, jg_fn *fn, void *args, size_t arg_size,
                        const jg_run_many_options *options, const char *site) {
    static const jg_run_many_options no_options;
    int refused = suspend_check(sched_current());
    if (refused < 0) {
        return refused;
    }
    size_t count = loops != 0 ? loops : pool_processors();
    if (count > SIZE_MAX / sizeof(struct many_loop)) {
        return jg_fail(-ENOMEM, "no memory for %zu loops", count);
    }
    struct many many = {.fn = fn,
                        .site = site,
                        .options = options != NULL ? options : &no_options,
                        .loops = mem_alloc_zero(count * sizeof(struct many_loop)),
                        .count = count,
                        .lock = PTHREAD_MUTEX_INITIALIZER};
    if (many.loops == NULL) {
        return jg_fail(-ENOMEM, "no memory for %zu loops", count);
    }
    for (size_t i = 0; i < count; i++) {
        many.loops[i].many = &many;
        many.loops[i].arg = (char *)args + i * arg_size;
        many.loops[i].index = i;
        if (many.options->out_words != NULL) {
            many.options->out_words[i] = -ECANCELED;
        }
    }
    intptr_t result = run_on_threads(&many);
    mem_free(many.loops);
    return result;
}
