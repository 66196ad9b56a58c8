// SPDX-License-Identifier: MIT
/* executor_gate.h – jobs that are held on their threads until a test opens the gate.
 *
 * Holds      the gate, and how often arguments and words were dropped.
 * Invariant  no test leans on how fast a thread is: it waits for what the thread reports.
 * Called by  test_executor.c, test_executor_close.c, test_debug_ring.c.
 * Why        what a pool does while all of its threads are busy has to be seen in peace.
 */
#ifndef TESTS_API_EXECUTOR_GATE_H
#define TESTS_API_EXECUTOR_GATE_H

#include "api/worker_steps.h"

static inline jg_executor *open_pool(size_t threads, size_t queue) {
    const jg_executor_options options = {.threads = threads, .queue = queue};
    jg_executor *pool = NULL;
    ck_assert_int_eq(jg_executor_open(&options, &pool), 0);
    return pool;
}

/* A job that says it runs, and waits to be let go. */
struct gate {
    atomic_int running;
    atomic_int open;
    atomic_int dropped_args;
    atomic_int dropped_words;
};

static struct gate gate;

static inline void reset_gate(void) {
    atomic_store(&gate.running, 0);
    atomic_store(&gate.open, 0);
    atomic_store(&gate.dropped_args, 0);
    atomic_store(&gate.dropped_words, 0);
}

static inline void breathe(void) {
    if (jg_running()) {
        jg_yield();
    } else {
        sched_yield();
    }
}

static inline void await_running(int count) {
    while (atomic_load(&gate.running) < count) {
        breathe();
    }
}

static inline intptr_t pass_gate(void *arg) {
    atomic_fetch_add(&gate.running, 1);
    while (atomic_load(&gate.open) == 0) {
        sched_yield();
    }
    return (intptr_t)arg;
}

/* A pool of one thread, which `running` keeps busy until the gate opens; its word is 1. */
static inline jg_executor *open_busy_pool(size_t queue, jg_job *running) {
    reset_gate();
    jg_executor *pool = open_pool(1, queue);
    ck_assert_int_eq(jg_executor_submit(pool, running, pass_gate, (void *)1), 0);
    await_running(1);
    return pool;
}

static inline void drop_arg(void *arg) {
    (void)arg;
    atomic_fetch_add(&gate.dropped_args, 1);
}

static inline void drop_word(void *word) {
    (void)word;
    atomic_fetch_add(&gate.dropped_words, 1);
}

static inline void open_gate(void) {
    atomic_store(&gate.open, 1);
}

static inline intptr_t fail_or_square(void *arg) {
    intptr_t n = (intptr_t)arg;
    return n % 5 == 4 ? jg_fail(-EPROTO, "job %d", (int)n) : n * n;
}

#endif
