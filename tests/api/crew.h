// SPDX-License-Identifier: MIT
/* crew.h – tasks that end when they are told, and their futures.
 *
 * Holds      nothing between tests.
 * Invariant  a crew that is dismissed leaves nothing.
 * Called by  tests of waiting for many.
 * Why        one copy.
 */
#ifndef TESTS_CREW_H
#define TESTS_CREW_H

#include "api/api.h"

enum { MANY = 20 }; // more than fit into a frame

struct job {
    int64_t after_ms;
    intptr_t word;
    intptr_t got; // from its sleep
};

static inline intptr_t work(void *arg) {
    struct job *job = arg;
    job->got = jg_sleep(job->after_ms);
    return job->got < 0 ? job->got : job->word;
}

static inline intptr_t work_badly(void *arg) {
    struct job *job = arg;
    job->got = jg_sleep(job->after_ms);
    return job->got < 0 ? job->got : jg_fail(job->word, "job %d failed", (int)-job->word);
}

/* Tasks and their futures, side by side. */
struct crew {
    struct job jobs[MANY];
    jg_task *tasks[MANY];
    jg_future *futures[MANY];
    size_t count;
};

static inline void hire(struct crew *crew, jg_fn *fn, int64_t after_ms, intptr_t word) {
    size_t i = crew->count++;
    crew->jobs[i] = (struct job){.after_ms = after_ms, .word = word, .got = 1};
    crew->tasks[i] = jg_spawn(fn, &crew->jobs[i]);
    crew->futures[i] = jg_task_future(crew->tasks[i]);
}

static inline void dismiss(struct crew *crew) {
    for (size_t i = 0; i < crew->count; i++) {
        jg_cancel(crew->tasks[i]);
        jg_join(crew->tasks[i]);
    }
    crew->count = 0;
}

#endif
