// SPDX-License-Identifier: MIT
/* 01_sync_and_async.c – three waits, one after another, then overlapped.
 *
 * Watch the totals: one after another, the waits add up; overlapped, the longest decides. Nothing works
 * harder for that: there is one core, one thread, and nothing to do but wait.
 */
#include "common/lesson.h"

struct job {
    const char *name;
    int64_t wait_ms;
    int64_t began_ms;
    int64_t ended_ms;
};

static struct job jobs[] = {
    {.name = "kettle", .wait_ms = 300},
    {.name = "eggs", .wait_ms = 200},
    {.name = "toast", .wait_ms = 100},
};
enum { JOBS = sizeof(jobs) / sizeof(jobs[0]) };

static intptr_t do_job(void *arg) {
    struct job *job = arg;
    job->began_ms = lesson_ms();
    int rc = jg_sleep(job->wait_ms); // stands for anything that takes its time by itself
    job->ended_ms = lesson_ms();
    return rc;
}

static intptr_t synchronous(void) {
    intptr_t rc = 0;
    for (int i = 0; i < JOBS && rc == 0; i++) {
        rc = do_job(&jobs[i]); // returns when the job is done; the next has to wait for that
    }
    return rc;
}

static intptr_t asynchronous(void) {
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        for (int i = 0; i < JOBS && rc == 0; i++) {
            rc = jg_group_spawn(group, do_job, &jobs[i]); // returns at once: a task has begun
        }
    } // leaving the block waits for all of them
    return rc;
}

/* One line per job; a column is 20 ms. */
static void draw(const char *how, int64_t from_ms) {
    printf("%s: %.1f s\n", how, (double)(lesson_ms() - from_ms) / 1000);
    for (int i = 0; i < JOBS; i++) {
        int before = (int)(jobs[i].began_ms - from_ms + 5) / 20;
        int length = (int)(jobs[i].ended_ms - jobs[i].began_ms + 5) / 20;
        printf("  %-6s |%*s%.*s\n", jobs[i].name, before, "", length, "===============");
    }
}

static intptr_t lesson(void *arg) {
    (void)arg;
    int64_t from_ms = lesson_ms();
    intptr_t rc = synchronous();
    draw("one after another", from_ms);
    if (rc == 0) {
        from_ms = lesson_ms();
        rc = asynchronous();
        draw("overlapped", from_ms);
    }
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main(argc, argv, lesson);
}
