// SPDX-License-Identifier: MIT
/* 04e_thinking_asynchronously.c – breakfast: what has to wait for what, and what does not.
 *
 * Watch the total: 0.6 s instead of 1.3 s. Do not ask "what comes next?" but "what does this need?". Tea
 * needs water, sandwiches need toast and eggs; nothing else needs anything. Each need is a future, each
 * job a task that first waits for its needs. The longest chain of needs is how long it takes.
 */
#include "common/lesson.h"

enum { NEEDS_MOST = 2 };

struct job {
    const char *name;
    int64_t takes_ms;
    int needs[NEEDS_MOST]; // places in the list below, counted from 1; 0: none
};

static struct job jobs[] = {
    {.name = "boil water", .takes_ms = 300},
    {.name = "boil eggs", .takes_ms = 400},
    {.name = "toast bread", .takes_ms = 100},
    {.name = "make tea", .takes_ms = 200, .needs = {1}},
    {.name = "make sandwiches", .takes_ms = 200, .needs = {2, 3}},
    {.name = "set the table", .takes_ms = 100},
};
enum { JOBS = sizeof(jobs) / sizeof(jobs[0]) };

static jg_future done[JOBS];

static intptr_t do_job(void *arg) {
    struct job *job = arg;
    for (int i = 0; i < NEEDS_MOST && job->needs[i] != 0; i++) {
        intptr_t rc = jg_future_wait(&done[job->needs[i] - 1]);
        if (rc < 0) {
            return rc;
        }
    }
    say("%s", job->name);
    int rc = jg_sleep(job->takes_ms);
    return rc < 0 ? rc : jg_future_set(&done[job - jobs], 0);
}

static intptr_t lesson(void *arg) {
    (void)arg;
    intptr_t rc = 0;
    int64_t alone_ms = 0;
    JG_GROUP(group, rc) {
        for (int i = 0; i < JOBS && rc == 0; i++) {
            alone_ms += jobs[i].takes_ms;
            rc = jg_group_spawn(group, do_job, &jobs[i]); // the order does not matter
        }
    }
    say("breakfast; one after another it would be ready at %.2f s", (double)alone_ms / 1000);
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main(argc, argv, lesson);
}
