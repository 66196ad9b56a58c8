// SPDX-License-Identifier: MIT
/* 05_context_switch.c – two tasks, four lines: where control changes hands.
 *
 * Watch the order: first, second, and not "first, first again". At its sleep the first hands the core to
 * the second, which hands it on to the loop; each gets it back, below its sleep, when its time has come.
 */
#include "common/lesson.h"

static intptr_t first(void *arg) {
    (void)arg;
    say("first: I run, and now I wait");
    int rc = jg_sleep(100); // the context switch: from here on somebody else runs
    say("first: I run again");
    return rc;
}

static intptr_t second(void *arg) {
    (void)arg;
    say("second: I run while the first waits");
    int rc = jg_sleep(100);
    say("second: and I run again, too");
    return rc;
}

static intptr_t lesson(void *arg) {
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, first, arg);
        jg_group_spawn(group, second, arg);
    }
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main(argc, argv, lesson);
}
