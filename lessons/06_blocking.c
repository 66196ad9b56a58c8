// SPDX-License-Identifier: MIT
/* 06_blocking.c – tasks that wait let others run; a task that blocks stops them all.
 *
 * Watch the third task: beside two that wait, it starts at once and ticks on. Beside one that blocks (a
 * library's call, a long computation) it stands still, as does everything else on this loop. Debug mode,
 * switched on here as by JUGGLE_DEBUG=1, names the culprit while it happens. The cure: run what blocks
 * on a thread with jg_to_thread.
 */
#include "common/lesson.h"

#include <stdlib.h>

static intptr_t wait_politely(void *name) {
    say("%s starts", (const char *)name);
    int rc = jg_sleep(300); // others run meanwhile
    say("%s ends", (const char *)name);
    return rc;
}

static intptr_t call_something_that_blocks(void *name) {
    say("%s starts, and blocks", (const char *)name);
    lesson_block(300); // as sleep(3), a slow disk, or a big loop: nobody else runs
    say("%s ends", (const char *)name);
    return 0;
}

static intptr_t tick(void *arg) {
    (void)arg;
    int rc = 0;
    for (int i = 1; i <= 3 && rc == 0; i++) {
        say("  third: tick %d", i);
        rc = jg_sleep(100);
    }
    return rc;
}

static intptr_t run_three(jg_fn *first) {
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, first, "first");
        jg_group_spawn(group, wait_politely, "second");
        jg_group_spawn(group, tick, NULL);
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    printf("two that wait, and a third:\n");
    intptr_t rc = run_three(wait_politely);
    printf("one of them blocks:\n");
    return rc < 0 ? rc : run_three(call_something_that_blocks);
}

int main(int argc, char **argv) {
    setenv("JUGGLE_DEBUG", "1", 0); // reports, on standard error, tasks that run for 100 ms on end
    return lesson_main(argc, argv, lesson);
}
