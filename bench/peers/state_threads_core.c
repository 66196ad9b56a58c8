// SPDX-License-Identifier: MIT
/* state_threads_core.c – State Threads 1.9: a yield, a thread created and joined, a lock.
 *
 * Holds      nothing.
 * Invariant  every thread created is joined inside the pass that created it.
 * Called by  run.py, `state_threads_core yield|spawn_join|lock WIDTH`.
 * Why        the C library closest to juggle in kind: stackful, one core, cooperative.
 * Quirks     1.9 has no yield call; st_sleep(0) is its documented way to let others run, and it
 *            goes through the timer heap and a poll of the event system. It has no channels. Default
 *            stacks (128 KiB, unguarded pages reused from a free list).
 */
#include "common/measure.h"

#include <errno.h>
#include <st.h>
#include <stdlib.h>

static void *yield_many(void *arg) {
    for (uint64_t left = *(const uint64_t *)arg; left > 0; left--) {
        st_sleep(0);
    }
    return NULL;
}

static void *return_at_once(void *arg) {
    return arg;
}

/* Creates `width` joinable threads running fn(arg) and joins them in order. */
static void create_and_join(st_thread_t *threads, uint64_t width, void *(*fn)(void *), void *arg) {
    for (uint64_t i = 0; i < width; i++) {
        threads[i] = st_thread_create(fn, arg, 1, 0);
        if (threads[i] == NULL) {
            measure_die("st_thread_create", errno);
        }
    }
    for (uint64_t i = 0; i < width; i++) {
        if (st_thread_join(threads[i], NULL) < 0) {
            measure_die("st_thread_join", errno);
        }
    }
}

static st_thread_t *threads_alloc(uint64_t width) {
    st_thread_t *threads = calloc(width, sizeof *threads);
    if (threads == NULL) {
        measure_die("no memory", ENOMEM);
    }
    return threads;
}

static void pass_yield(uint64_t width, uint64_t count) {
    st_thread_t *threads = threads_alloc(width);
    uint64_t each = count / width;
    create_and_join(threads, width, yield_many, &each);
    free(threads);
}

static void pass_spawn_join(uint64_t width, uint64_t count) {
    st_thread_t *threads = threads_alloc(width);
    for (uint64_t done = 0; done < count; done += width) {
        create_and_join(threads, width, return_at_once, NULL);
    }
    free(threads);
}

static void pass_lock(uint64_t width, uint64_t count) {
    st_mutex_t lock = st_mutex_new();
    (void)width;
    for (uint64_t left = count; left > 0; left--) {
        if (st_mutex_lock(lock) < 0 || st_mutex_unlock(lock) < 0) {
            measure_die("st_mutex_lock", errno);
        }
    }
    st_mutex_destroy(lock);
}

int main(int argc, char **argv) {
    static const struct measure_bench benches[] = {
        {"yield", pass_yield},
        {"spawn_join", pass_spawn_join},
        {"lock", pass_lock},
        {NULL, NULL},
    };
    // The default is select; epoll is the fair choice.
    if (st_set_eventsys(ST_EVENTSYS_ALT) < 0 || st_init() < 0) {
        measure_die("st_init", errno);
    }
    return measure_main(argc, argv, benches);
}
