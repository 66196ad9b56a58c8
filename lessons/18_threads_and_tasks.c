// SPDX-License-Identifier: MIT
/* 18_threads_and_tasks.c – one counter, four who count: with threads, and with tasks.
 *
 * Watch what is lost: threads may be interrupted anywhere, also between reading and writing, so every
 * shared word needs a lock. Tasks change hands only where they suspend: between two suspends nobody else
 * runs, and nothing is lost. But a suspend between reading and writing opens the same gap, and then tasks
 * need a lock as well. jg_sim_explore finds such gaps (docs/testing-with-sim.md).
 */
#include "common/lesson.h"

#include <pthread.h>
#include <sched.h>

enum { COUNTERS = 4 };

static size_t rounds; // of each
static volatile size_t total;
static bool locked;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; // blocks its thread
static jg_lock lock;                                      // parks its task

static intptr_t count(void *arg) {
    (void)arg;
    for (size_t i = 0; i < rounds; i++) {
        if (locked) {
            pthread_mutex_lock(&mutex);
        }
        size_t seen = total;
        sched_yield(); // only makes it likelier that another thread runs right here
        total = seen + 1;
        if (locked) {
            pthread_mutex_unlock(&mutex);
        }
    }
    return 0;
}

static intptr_t count_and_suspend(void *arg) {
    (void)arg;
    int rc = 0;
    for (size_t i = 0; i < rounds && rc == 0; i++) {
        rc = locked ? jg_lock_acquire(&lock) : 0;
        size_t seen = total;
        rc = rc < 0 ? rc : jg_yield(); // others run here, and write
        total = seen + 1;
        if (locked) {
            jg_lock_release(&lock);
        }
    }
    return rc;
}

static intptr_t show(const char *name, jg_map_mode mode, jg_fn *counter, bool with_lock) {
    char items[COUNTERS] = {0}; // jg_map hands each its item; the counters need none
    total = 0;
    locked = with_lock;
    intptr_t rc = jg_map(mode, counter, items, 1, COUNTERS, NULL, NULL);
    printf("%-30s counted %4zu of %zu%s\n", name, total, COUNTERS * rounds,
           total < COUNTERS * rounds ? ": some were lost" : "");
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    rounds = lesson_count(2000);
    intptr_t rc = show("threads", JG_MAP_THREADS, count, false);
    rc = rc < 0 ? rc : show("threads with a lock", JG_MAP_THREADS, count, true);
    rc = rc < 0 ? rc : show("tasks", JG_MAP_COROUTINES, count, false);
    rc = rc < 0 ? rc : show("tasks, across a suspend", JG_MAP_COROUTINES, count_and_suspend, false);
    return rc < 0
               ? rc
               : show("tasks, with a lock across it", JG_MAP_COROUTINES, count_and_suspend, true);
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_REAL | LESSON_COUNT);
}
