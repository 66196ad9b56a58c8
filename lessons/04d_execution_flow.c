// SPDX-License-Identifier: MIT
/* 04d_execution_flow.c – the way through a program that waits, step by step.
 *
 * Watch the numbers: 1, 2, 3 … is the order in which lines run. Between a wait and the line below it
 * others run; between two waits nobody does. Every place where that can happen is a call marked
 * JG_SUSPENDS in the headers.
 */
#include "common/lesson.h"

static int step;

static void mark(const char *who, const char *what) {
    printf("%2d  %-8s %s\n", ++step, who, what);
}

static int fetch(const char *who) {
    mark(who, "  in fetch: asks, and waits");
    int rc = jg_sleep(50); // <- the only line of fetch at which others may run
    mark(who, "  in fetch: has the answer");
    return rc;
}

static intptr_t child(void *name) {
    mark(name, "begins");
    int rc = fetch(name); // it waits, so whoever calls it waits: nothing here marks that
    mark(name, "ends");
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    mark("lesson", "begins");
    jg_task *first = jg_spawn(child, "first");
    mark("lesson", "has spawned the first: it has not begun");
    jg_task *second = jg_spawn(child, "second");
    mark("lesson", "has spawned the second, and waits for both");
    intptr_t rc = jg_join(first);
    mark("lesson", "has the first");
    intptr_t rc2 = jg_join(second); // it has ended by now: this returns at once
    mark("lesson", "has the second, and ends");
    return rc < 0 ? rc : rc2;
}

int main(int argc, char **argv) {
    return lesson_main(argc, argv, lesson);
}
