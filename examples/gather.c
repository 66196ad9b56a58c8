// SPDX-License-Identifier: MIT
/* gather.c – waiting for many at once: all of them, in the order given, or one by one as they finish.
 *
 * Three kitchens cook at the same time, so dinner takes as long as its slowest dish.
 */
#include <err.h>
#include <juggle.h>
#include <stdio.h>

struct dish {
    const char *name;
    int64_t minutes; // milliseconds, for the impatient
};

static intptr_t cook(void *arg) {
    const struct dish *dish = arg;
    int rc = jg_sleep(dish->minutes);
    return rc < 0 ? rc : dish->minutes;
}

static intptr_t dinner(void *unused) {
    (void)unused;
    struct dish dishes[] = {{"soup", 30}, {"roast", 90}, {"salad", 10}};
    enum { COUNT = sizeof(dishes) / sizeof(dishes[0]) };
    jg_task *cooks[COUNT];
    jg_future *ready[COUNT];
    intptr_t minutes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        cooks[i] = jg_spawn(cook, &dishes[i]);
        ready[i] = jg_task_future(cooks[i]);
    }
    intptr_t rc = 0;
    JG_AS_COMPLETED(it, ready, COUNT, 1000, rc) {
        printf("%s is ready\n", dishes[it.index].name);
    }
    if (rc == 0) {
        rc = jg_gather(ready, COUNT, minutes, JG_FAIL_FIRST); // all are: returns at once
    }
    for (int i = 0; i < COUNT; i++) {
        jg_join(cooks[i]);
    }
    if (rc < 0) {
        fprintf(stderr, "dinner: %s\n", jg_error_detail(rc));
        return rc;
    }
    printf("%s took %ld, %s %ld, %s %ld\n", dishes[0].name, (long)minutes[0], dishes[1].name,
           (long)minutes[1], dishes[2].name, (long)minutes[2]);
    return 0;
}

int main(void) {
    int rc = (int)jg_run(dinner, NULL);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return rc < 0;
}
