// SPDX-License-Identifier: MIT
/* hello.c – two tasks take turns on one core.
 *
 * The order of the lines shows where control changed hands.
 */
#include <err.h>
#include <juggle.h>
#include <stdio.h>

static intptr_t greet(void *name) {
    for (int i = 1; i <= 3; i++) {
        printf("%s %d\n", (char *)name, i);
        jg_sleep(10);
    }
    return 0;
}

static intptr_t program(void *unused) {
    (void)unused;
    int rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, greet, "ann");
        jg_group_spawn(group, greet, "bob");
    }
    return rc;
}

int main(void) {
    int rc = (int)jg_run(program, NULL);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return rc < 0;
}
