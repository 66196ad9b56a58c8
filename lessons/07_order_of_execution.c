// SPDX-License-Identifier: MIT
/* 07_order_of_execution.c – nine jobs with random delays, in order, and in order of delay.
 *
 * Watch the numbers: called one after another, the jobs end in the order of the calls. Spawned together,
 * they end in the order of their delays; only what waits for something else is in a fixed order. A
 * program must not count on more order than it asks for. Try other delays with --seed.
 */
#include "common/lesson.h"

enum { JOBS = 9 };

struct job {
    int number;
    int64_t delay_ms;
};

static intptr_t do_job(void *arg) {
    const struct job *job = arg;
    int rc = jg_sleep(job->delay_ms);
    printf("  job %d (%2d ms)\n", job->number, (int)job->delay_ms);
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    struct job jobs[JOBS];
    intptr_t rc = 0;
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){i + 1, lesson_random(1, 90)};
    }
    printf("one after another:\n");
    int64_t from_ms = lesson_ms();
    for (int i = 0; i < JOBS && rc == 0; i++) {
        rc = do_job(&jobs[i]);
    }
    printf("took %d ms; at the same time:\n", (int)(lesson_ms() - from_ms));
    from_ms = lesson_ms();
    JG_GROUP(group, rc) {
        for (int i = 0; i < JOBS && rc == 0; i++) {
            rc = jg_group_spawn(group, do_job, &jobs[i]);
        }
    }
    printf("took %d ms\n", (int)(lesson_ms() - from_ms));
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_RANDOM);
}
