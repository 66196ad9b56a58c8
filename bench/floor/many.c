// SPDX-License-Identifier: MIT
/* many.c – the floor under a number of loops: bare threads, each on a core of its own.
 *
 * Holds      nothing between rounds.
 * Invariant  thread i stays on the i-th core it may use, as the loops of juggle/many.c do.
 * Called by  run.py, `floor_many THREADS`. Prints the speed-up.
 * Why        this is all that the cores of the machine have to give.
 * Quirks     none.
 */
#include "common/measure.h"
#include "common/spread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

struct worker {
    pthread_t thread;
    struct spread_share *share;
};

static int no_turn(void) {
    return 0;
}

static void *compute(void *arg) {
    struct worker *worker = arg;
    spread_compute(worker->share, no_turn);
    return NULL;
}

/* The i-th processor this program may use; they are taken in turn when there are fewer. */
static size_t processor(size_t index) {
    cpu_set_t may;
    if (sched_getaffinity(0, sizeof may, &may) < 0) {
        measure_die("sched_getaffinity", errno);
    }
    size_t left = index % (size_t)CPU_COUNT(&may);
    for (size_t cpu = 0;; cpu++) {
        if (CPU_ISSET(cpu, &may) && left-- == 0) {
            return cpu;
        }
    }
}

static void start(struct worker *worker, size_t index) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor(index), &one);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    int error = pthread_attr_setaffinity_np(&attributes, sizeof one, &one);
    error = error ? error : pthread_create(&worker->thread, &attributes, compute, worker);
    if (error != 0) {
        measure_die("pthread_create", error);
    }
    pthread_attr_destroy(&attributes);
}

static void run_threads(struct spread_share *shares, size_t count) {
    struct worker *workers = calloc(count, sizeof *workers);
    if (workers == NULL) {
        measure_die("no memory", 0);
    }
    for (size_t i = 0; i < count; i++) {
        workers[i].share = &shares[i];
        start(&workers[i], i);
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    free(workers);
}

int main(int argc, char **argv) {
    return spread_main(argc, argv, run_threads);
}
