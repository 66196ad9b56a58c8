// SPDX-License-Identifier: MIT
// pipeline.c – three workers share a bounded queue of numbers; the squares go through a channel.
#include <err.h>
#include <juggle.h>
#include <stdio.h>

enum { WORKERS = 3, NUMBERS = 12 };
struct pipeline {
    jg_queue numbers;
    jg_chan squares;
    int64_t places[4];
};

static intptr_t work(void *arg) {
    struct pipeline *pipeline = arg;
    intptr_t number;
    while (jg_queue_get(&pipeline->numbers, &number) == 0) {
        jg_sleep(number % 3 * 10); // as if it were hard
        int64_t square = number * number;
        if (jg_chan_send(&pipeline->squares, &square) < 0) {
            break;
        }
        jg_queue_task_done(&pipeline->numbers);
    }
    return 0;
}

static intptr_t feed(void *arg) {
    struct pipeline *pipeline = arg;
    for (intptr_t number = 1; number <= NUMBERS; number++) {
        jg_queue_put(&pipeline->numbers, number); // waits while four are in there
    }
    jg_queue_join(&pipeline->numbers); // every one has been dealt with
    jg_queue_shutdown(&pipeline->numbers, false);
    jg_chan_close(&pipeline->squares);
    return 0;
}

static intptr_t program(void *arg) {
    const jg_queue_options options = {.capacity = 4};
    struct pipeline pipeline;
    int64_t square;
    (void)arg;
    jg_queue_init(&pipeline.numbers, &options);
    jg_chan_init(&pipeline.squares, sizeof(square), pipeline.places, 4);
    JG_GROUP(group) {
        jg_group_spawn(group, feed, &pipeline);
        for (int i = 0; i < WORKERS; i++) {
            jg_group_spawn(group, work, &pipeline);
        }
        while (jg_chan_recv(&pipeline.squares, &square) > 0) {
            printf("%lld\n", (long long)square);
        }
    }
    jg_queue_fini(&pipeline.numbers);
    return 0;
}

int main(void) {
    int rc = (int)jg_run(program, NULL);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return rc < 0;
}
