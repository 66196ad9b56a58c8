// SPDX-License-Identifier: MIT
/* process_pool_steps.h – what the tests of process pools share.
 *
 * Holds      a page shared with the workers, through which they report.
 * Invariant  what runs in a worker leaves only by its word, its bytes, that page, or its death.
 * Called by  test_process_pool*.c, test_exec_limits.c.
 * Why        one copy.
 */
#ifndef TESTS_API_PROCESS_POOL_STEPS_H
#define TESTS_API_PROCESS_POOL_STEPS_H

#include "api/worker_steps.h"

static inline jg_process_pool *open_pool(size_t processes) {
    const jg_process_pool_options options = {.processes = processes};
    jg_process_pool *pool = NULL;
    ck_assert_int_eq(jg_process_pool_open(&options, &pool), 0);
    return pool;
}

static inline intptr_t run_int(jg_process_pool *pool, jg_process_pool_fn *fn, int value) {
    return jg_process_pool_run(pool, fn, &value, sizeof(value), NULL);
}

static inline int int_of(const void *in, size_t in_size) {
    int value = -1;
    memcpy(&value, in, in_size < sizeof(value) ? in_size : sizeof(value));
    return value;
}

static inline intptr_t square_int(const void *in, size_t in_size, jg_worker_output *out) {
    (void)out;
    return (intptr_t)int_of(in, in_size) * int_of(in, in_size);
}

static inline intptr_t die(const void *in, size_t in_size, jg_worker_output *out) {
    const struct rlimit no_core = {0, 0};
    (void)out;
    setrlimit(RLIMIT_CORE, &no_core);
    switch (int_of(in, in_size)) {
    case 0:
        _exit(3);
    case 1:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        return 0;
    case 2:
        kill(getpid(), SIGKILL);
        return 0;
    default:
        close(3); // its socket
        return pause();
    }
}

__attribute__((unused)) static atomic_int *shared; // with the workers

static inline intptr_t hang(const void *in, size_t in_size, jg_worker_output *out) {
    (void)out;
    if (int_of(in, in_size) != 0) {
        signal(SIGTERM, SIG_IGN);
    }
    atomic_store(shared, 1);
    while (atomic_load(shared) != 0) {
        pause();
    }
    return 0;
}

static inline intptr_t hang_in_task(void *arg) {
    return run_int(arg, hang, 0);
}

/* Stays until `shared` is changed once more. */
static inline intptr_t linger(const void *in, size_t in_size, jg_worker_output *out) {
    (void)out;
    atomic_store(shared, 1);
    while (atomic_load(shared) == 1) {
        sched_yield();
    }
    return int_of(in, in_size);
}

static inline intptr_t linger_in_task(void *pool) {
    return run_int(pool, linger, 5);
}

static inline intptr_t square_in_task(void *pool) {
    return run_int(pool, square_int, 4);
}

static inline intptr_t parent_id(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    return getppid();
}

/* Waits until a process is in this state, as ps names it: 'T' is stopped, 'Z' has ended. */
static inline void await_state(pid_t pid, char wanted) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    for (char state = '?'; state != wanted;) {
        FILE *file = fopen(path, "r");
        if (file == NULL || fscanf(file, "%*d %*s %c", &state) != 1) {
            state = 'Z'; // or reaped already
        }
        if (file != NULL) {
            fclose(file);
        }
    }
}

/* Stops a fork server, or a worker, once it waits for what it is told next. */
static inline void stop_process(pid_t pid) {
    await_state(pid, 'S');
    kill(pid, SIGSTOP);
    await_state(pid, 'T');
}

#endif
