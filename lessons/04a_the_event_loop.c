// SPDX-License-Identifier: MIT
/* 04a_the_event_loop.c – a queue of what is ready, a list of what is due, and somebody who minds both.
 *
 * Watch the order: nothing runs where it is queued. It runs when whoever runs now has returned to the
 * loop; then it is the next in line, and what is not due yet comes last, in the order of its time.
 */
#include "common/lesson.h"

static intptr_t ring(void *text) { // the loop calls this; it does not wait, so it needs no task
    say("%s", (const char *)text);
    return 0;
}

static intptr_t walk(void *name) { // a task: it may wait
    say("%s sets out", (const char *)name);
    int rc = jg_sleep(150); // back to the loop, until 150 ms have passed
    say("%s arrives", (const char *)name);
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    jg_call late = {0}; // records of ours: the loop keeps them until it has made the call
    jg_call early = {0};
    jg_call next = {0};
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        jg_call_later(&late, 200, ring, "the bell for 200 ms");
        jg_call_later(&early, 100, ring, "the bell for 100 ms");
        jg_call_soon(&next, ring, "the bell for now");
        jg_group_spawn(group, walk, "ann");
        jg_group_spawn(group, walk, "bob");
        say("all is queued, and nothing has happened yet");
        rc = jg_sleep(250); // now the loop gets its turn
    }
    say("over");
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main(argc, argv, lesson);
}
