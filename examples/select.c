// SPDX-License-Identifier: MIT
// select.c – one task listens to two clocks at once, until one stops or it has had enough.
#include <err.h>
#include <juggle.h>
#include <stdio.h>

struct clock {
    jg_chan ticks;
    int64_t every_ms;
    int count;
};

static intptr_t tick(void *arg) {
    struct clock *clock = arg;
    for (int i = 1; i <= clock->count; i++) {
        jg_sleep(clock->every_ms);
        if (jg_chan_send(&clock->ticks, &i) < 0) {
            break; // nobody listens any more
        }
    }
    jg_chan_close(&clock->ticks);
    return 0;
}

static void listen(struct clock *slow, struct clock *fast) {
    int tick;
    jg_case cases[] = {jg_case_recv(&slow->ticks, &tick), jg_case_recv(&fast->ticks, &tick)};
    int which = 0;
    JG_TIMEOUT(400, which) {
        while ((which = jg_select(cases, 2)) >= 0) {
            const char *name = which == 0 ? "slow" : "fast";
            if (cases[which].rc == 0) {
                printf("%s has stopped\n", name);
                cases[which] = jg_case_recv(NULL, &tick); // never ready again
            } else {
                printf("%s: %d\n", name, tick);
            }
        }
    }
    printf("%s\n", which == -ETIMEDOUT ? "enough" : "cancelled");
}

static intptr_t program(void *arg) {
    struct clock slow = {.every_ms = 100, .count = 100};
    struct clock fast = {.every_ms = 30, .count = 5};
    (void)arg;
    jg_chan_init(&slow.ticks, sizeof(int), NULL, 0);
    jg_chan_init(&fast.ticks, sizeof(int), NULL, 0);
    JG_GROUP(group) {
        jg_group_spawn(group, tick, &slow);
        jg_group_spawn(group, tick, &fast);
        listen(&slow, &fast);
        jg_chan_close(&slow.ticks);
    }
    return 0;
}

int main(void) {
    int rc = (int)jg_run(program, NULL);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return rc < 0;
}
