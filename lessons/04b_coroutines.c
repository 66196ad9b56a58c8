// SPDX-License-Identifier: MIT
/* 04b_coroutines.c – functions that stop halfway, and go on where they stopped.
 *
 * Watch the local variables: each task has a stack of its own, so `sum` is still there after every pause,
 * also in the middle of a call inside a call. A plain function could only return, and forget.
 */
#include "common/lesson.h"

struct counter {
    const char *name;
    int step;
};

/* Pauses two calls deep; the caller does not notice. */
static int add_slowly(int sum, int number) {
    int rc = jg_yield(); // lets the others run
    return rc < 0 ? rc : sum + number;
}

static intptr_t count(void *arg) {
    const struct counter *counter = arg;
    int sum = 0;
    for (int i = 1; i <= 3; i++) {
        sum = add_slowly(sum, i * counter->step);
        if (sum < 0) {
            return sum; // cancelled: nothing to tidy up
        }
        printf("%s is at %d\n", counter->name, sum);
    }
    return sum;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    struct counter counters[] = {{"ones", 1}, {"tens", 10}, {"hundreds", 100}};
    jg_task *tasks[3];
    intptr_t total = 0;
    for (int i = 0; i < 3; i++) {
        tasks[i] = jg_spawn(count, &counters[i]);
    }
    for (int i = 0; i < 3; i++) {
        intptr_t sum = jg_join(tasks[i]); // every handle is joined, also after an error
        total = total < 0 || sum < 0 ? (total < 0 ? total : sum) : total + sum;
    }
    if (total >= 0) {
        printf("together they have counted to %d\n", (int)total);
    }
    return total;
}

int main(int argc, char **argv) {
    return lesson_main(argc, argv, lesson);
}
