// SPDX-License-Identifier: MIT
/* first.c – a task that waits, and one that waits for it: the program that asyncio's manual begins with. */
#include <err.h>
#include <juggle.h>
#include <stdio.h>
#include <string.h>

static intptr_t fetch(void *url) {
    int rc = jg_sleep(100);
    return rc < 0 ? rc : (intptr_t)strlen(url);
}

static intptr_t program(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn(fetch, "http://example.net/");
    printf("the task runs\n");
    printf("%d\n", (int)jg_join(task));
    return 0;
}

int main(void) {
    int rc = (int)jg_run(program, NULL);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return rc < 0;
}
