// SPDX-License-Identifier: MIT
/* world.h – runs a test's body on the backend under test, and jobs beside it.
 *
 * Holds      struct job, one piece of work running beside the test's body: a coroutine of the loop,
 *            or a thread where there is no loop.
 * Invariant  when world_each returns, nothing of the loop is left: no pending op, no block of memory.
 * Called by  the tests of this directory.
 * Why        the engine room is tested without the task room: what fails here is the engine's.
 */
#ifndef WORLD_H
#define WORLD_H

#include "fixtures/fixture.h"

#include "base/mem.h"
#include "rt/loop.h"
#include "rt/sched.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
enum { SEEDS = 20, SLOWED = 10 };
#else
enum { SEEDS = 100, SLOWED = 1 };
#endif

enum { WORLD_STACK = 256 * 1024 };

/* libcheck writes a note to a file at every assertion, also those that hold: too slow for millions. */
#define expect(condition) ((condition) ? (void)0 : ck_abort_msg("%s does not hold", #condition))

static inline bool on_backend(const char *name) {
    const char *under_test = fixture_backend();
    return strcmp(under_test[0] == '\0' ? "epoll" : under_test, name) == 0;
}

struct job {
    void (*fn)(void *arg);
    void *arg;
    bool done;
    struct coro *coro; // in a loop, until done
    struct wait *joiner;
    pthread_t thread; // without one
};

struct job_record {
    struct coro coro;
    struct job *job;
};

static void job_run(void *record) {
    struct job_record *self = (struct job_record *)record;
    sanitize_arrive(&self->coro.sanitize);
    struct job *job = self->job;
    job->fn(job->arg);
    job->done = true;
    job->coro = NULL;
    if (job->joiner != NULL) {
        wake(job->joiner, 0);
    }
    struct coro *next = sched_leave(&self->coro);
    coro_free(&self->coro);
    coro_switch_last(&self->coro, next);
}

static void *job_thread(void *arg) {
    struct job *job = (struct job *)arg;
    job->fn(job->arg);
    return NULL;
}

/* Makes the job's coroutine, which somebody has to make ready. Returns what stack_take says. */
static inline int job_make(struct loop *loop, struct job *job, void (*fn)(void *arg), void *arg) {
    *job = (struct job){.fn = fn, .arg = arg};
    struct stack stack;
    int rc = stack_take(&loop->stacks, WORLD_STACK, &stack);
    if (rc == 0) {
        job->coro = coro_make(loop, stack, sizeof(struct job_record), job_run);
        ((struct job_record *)(void *)job->coro)->job = job;
        job->coro->name = "job";
    }
    return rc;
}

static inline void job_start(struct job *job, void (*fn)(void *arg), void *arg) {
    struct loop *loop = sched_current()->loop;
    if (loop != NULL) {
        ck_assert_int_eq(job_make(loop, job, fn, arg), 0);
        sched_ready(&loop->sched, job->coro);
        return;
    }
    *job = (struct job){.fn = fn, .arg = arg};
    ck_assert_int_eq(pthread_create(&job->thread, NULL, job_thread, job), 0);
}

static inline void job_join(struct job *job) {
    if (sched_current()->loop == NULL) {
        ck_assert_int_eq(pthread_join(job->thread, NULL), 0);
        job->done = true;
        return;
    }
    if (!job->done) {
        struct wait wait = {.kind = WAIT_KIND("job")};
        job->joiner = &wait;
        park(&wait);
    }
}

/* Lets the loop turn: whoever can run now has run. Without a loop, does nothing. */
static inline void let_run(void) {
    struct coro *self = sched_current();
    for (int i = 0; i < 3 && self->loop != NULL; i++) {
        loop_pause(self, 1);
    }
}

/* Lets time pass, real or virtual: whatever was on its way has arrived. */
static inline void let_time_pass(void) {
    struct coro *self = sched_current();
    if (self->loop != NULL) {
        loop_pause(self, self->loop->sim ? 10 * JG_S : 2 * JG_MS);
    }
}

static void world_stuck(struct loop *loop) {
    (void)loop;
    ck_abort_msg("the loop is stuck: nothing can ever happen again");
}

static inline void world_open(struct loop *loop, const char *backend, uint64_t seed) {
    const struct loop_options options = {.sim = strcmp(backend, "sim") == 0,
                                         .seed = seed,
                                         .stack_size = WORLD_STACK,
                                         .on_stuck = world_stuck};
    ck_assert_int_eq(loop_open(loop, &options), 0);
}

static inline void world_close(struct loop *loop) {
    ck_assert_uint_eq(loop->backend->pending, 0);
    loop_close(loop);
}

/* Runs a body as a coroutine of a fresh loop. */
static inline void world_run(const char *backend, uint64_t seed, void (*body)(void *), void *arg) {
    struct loop loop;
    struct job main_job;
    long blocks = mem_live();
    world_open(&loop, backend, seed);
    ck_assert_int_eq(job_make(&loop, &main_job, body, arg), 0);
    sched_ready(&main_job.coro->loop->sched, main_job.coro);
    loop_run(&loop, &main_job.done);
    world_close(&loop);
    ck_assert_int_eq(mem_live(), blocks);
}

/* Runs a body on the backend under test: once on epoll and blocking, with many seeds on sim. */
static inline void world_each(void (*body)(void *arg), void *arg) {
    if (on_backend("blocking")) {
        body(arg);
        return;
    }
    uint64_t seed = on_backend("sim") ? fixture_seed() : 0;
    for (int i = 0; i < (on_backend("sim") ? SEEDS : 1); i++) {
        world_run(on_backend("sim") ? "sim" : "epoll", seed + (uint64_t)i, body, arg);
    }
}

/* Ends the test as skipped where no op is ever pending. */
static inline void needs_loop(void) {
    if (on_backend("blocking")) {
        fixture_skip("without a loop no operation is ever pending");
    }
}

#endif
