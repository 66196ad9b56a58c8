// SPDX-License-Identifier: MIT
/* 04c_futures.c – a word that is not there yet, and those who wait for it.
 *
 * Watch the readers: both wait for one word, and both get it; who asks when it is there gets it at once.
 * A task is a future too: its word is what its function returns.
 */
#include "common/lesson.h"

static jg_future weather; // zero bytes: pending

static intptr_t read_paper(void *name) {
    say("%s: no paper yet, waiting", (const char *)name);
    intptr_t degrees = jg_future_wait(&weather); // parks this task until somebody sets the word
    if (jg_failed(degrees)) {
        return degrees;
    }
    say("%s: %d degrees", (const char *)name, (int)degrees);
    return 0;
}

static intptr_t print_paper(void *arg) {
    (void)arg;
    int rc = jg_sleep(200);
    if (rc == 0) {
        say("the paper is printed");
        rc = jg_future_set(&weather, 21); // wakes all who wait; they run once this task has ended
        say("the printer goes home");
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, read_paper, "ann");
        jg_group_spawn(group, read_paper, "bob");
        jg_group_spawn(group, print_paper, NULL);
    }
    if (rc == 0) {
        say("cleo, later: %d degrees, without waiting", (int)jg_future_wait(&weather));
        say("a second word is refused: %s", jg_error_name(jg_future_set(&weather, 99)));
    }
    jg_future_fini(&weather);
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main(argc, argv, lesson);
}
