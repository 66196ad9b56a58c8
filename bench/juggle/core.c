// SPDX-License-Identifier: MIT
/* core.c – juggle: a yield, a task spawned and joined, a message, a lock, a byte through a socket, a
 *          descriptor's life, and crowds that sleep or are cancelled.
 *
 * Holds      nothing between passes.
 * Invariant  every task spawned is joined inside the pass that spawned it.
 * Called by  run.py, `juggle_core yield|spawn_join|chan|chan_buffered|queue|lock|byte|open_close WIDTH`,
 *            `juggle_core sleepers COUNT MS` and `juggle_core cancel COUNT`.
 * Why        through <juggle.h> only, with default options: guarded stacks of the default size,
 *            cancellation and error origins included, as every user gets them.
 * Quirks     sleepers are joined by their group, as the Go peer joins its by a WaitGroup. Linked twice:
 *            unobserved_core is this with a library that has no hooks for debug mode and traces.
 */
#include "common/measure.h"

#include <errno.h>
#include <juggle.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES_BUFFERED = 64 };

static intptr_t yield_many(void *arg) {
    for (uint64_t left = *(const uint64_t *)arg; left > 0; left--) {
        jg_yield();
    }
    return 0;
}

static intptr_t return_at_once(void *arg) {
    (void)arg;
    return 0;
}

static intptr_t sleep_once(void *arg) {
    return jg_sleep(*(const int64_t *)arg);
}

/* Spawns `width` tasks running fn(arg) and joins them in order. */
static void spawn_and_join(jg_task **tasks, uint64_t width, jg_fn *fn, void *arg) {
    for (uint64_t i = 0; i < width; i++) {
        tasks[i] = jg_spawn(fn, arg);
    }
    for (uint64_t i = 0; i < width; i++) {
        intptr_t rc = jg_join(tasks[i]);
        if (rc < 0) {
            measure_die("jg_join", (int)-rc);
        }
    }
}

static jg_task **tasks_alloc(uint64_t width) {
    jg_task **tasks = calloc(width, sizeof(jg_task *));
    if (tasks == NULL) {
        measure_die("no memory", ENOMEM);
    }
    return tasks;
}

static void pass_yield(uint64_t width, uint64_t count) {
    jg_task **tasks = tasks_alloc(width);
    uint64_t each = count / width;
    spawn_and_join(tasks, width, yield_many, &each);
    free(tasks);
}

static void pass_spawn_join(uint64_t width, uint64_t count) {
    jg_task **tasks = tasks_alloc(width);
    for (uint64_t done = 0; done < count; done += width) {
        spawn_and_join(tasks, width, return_at_once, NULL);
    }
    free(tasks);
}

static void pass_sleepers(uint64_t width, uint64_t sleep_ms) {
    int64_t duration_ms = (int64_t)sleep_ms;
    intptr_t result = 0;
    JG_GROUP(group, result) {
        for (uint64_t i = 0; i < width; i++) {
            int rc = jg_group_spawn(group, sleep_once, &duration_ms);
            if (rc < 0) {
                measure_die("jg_group_spawn", -rc);
            }
        }
    }
    if (result < 0) {
        measure_die("a sleeper failed", (int)-result);
    }
}

/* Sends the numbers from 1 to `count`; the receiver adds them up: each came once. */
struct messages {
    jg_chan chan;
    jg_queue queue;
    uint64_t count;
};

static void check_sum(uint64_t sum, uint64_t count) {
    if (sum != count * (count + 1) / 2) {
        measure_die("a message was lost or came twice", 0);
    }
}

static intptr_t send_all(void *arg) {
    struct messages *messages = arg;
    for (uint64_t number = 1; number <= messages->count; number++) {
        jg_chan_send(&messages->chan, &number);
    }
    return 0;
}

static void pass_messages(uint64_t *buffer, size_t capacity, uint64_t count) {
    struct messages messages = {.count = count};
    uint64_t sum = 0;
    uint64_t number;
    jg_chan_init(&messages.chan, sizeof(number), buffer, capacity);
    jg_task *sender = jg_spawn(send_all, &messages);
    for (uint64_t left = count; left > 0; left--) {
        jg_chan_recv(&messages.chan, &number);
        sum += number;
    }
    jg_join(sender);
    check_sum(sum, count);
}

static void pass_chan(uint64_t width, uint64_t count) {
    (void)width;
    pass_messages(NULL, 0, count);
}

static void pass_chan_buffered(uint64_t width, uint64_t count) {
    uint64_t buffer[MESSAGES_BUFFERED];
    (void)width;
    pass_messages(buffer, MESSAGES_BUFFERED, count);
}

static intptr_t put_all(void *arg) {
    struct messages *messages = arg;
    for (uint64_t number = 1; number <= messages->count; number++) {
        jg_queue_put(&messages->queue, (intptr_t)number);
    }
    return 0;
}

static void pass_queue(uint64_t width, uint64_t count) {
    const jg_queue_options options = {.capacity = MESSAGES_BUFFERED};
    struct messages messages = {.count = count};
    uint64_t sum = 0;
    intptr_t number;
    (void)width;
    jg_queue_init(&messages.queue, &options);
    jg_task *putter = jg_spawn(put_all, &messages);
    for (uint64_t left = count; left > 0; left--) {
        jg_queue_get(&messages.queue, &number);
        sum += (uint64_t)number;
    }
    jg_join(putter);
    jg_queue_fini(&messages.queue);
    check_sum(sum, count);
}

static void pass_lock(uint64_t width, uint64_t count) {
    jg_lock lock = {0};
    (void)width;
    for (uint64_t left = count; left > 0; left--) {
        if (jg_lock_acquire(&lock) < 0 || jg_lock_release(&lock) < 0) {
            measure_die("the lock was not free", 0);
        }
    }
}

/* Answers every byte; ends when the other end of the stream is closed. */
static intptr_t answer_all(void *stream) {
    char byte;
    while (jg_read(stream, &byte, 1) == 1) {
        jg_write(stream, &byte, 1);
    }
    return 0;
}

/* A byte from one task to another that waits for it, and back: the loop asks the kernel each time. */
static void pass_byte(uint64_t width, uint64_t count) {
    jg_stream *near;
    jg_stream *far;
    char byte = 'x';
    (void)width;
    int rc = jg_stream_pair(&near, &far);
    if (rc < 0) {
        measure_die("jg_stream_pair", -rc);
    }
    jg_task *other = jg_spawn(answer_all, far);
    for (uint64_t sent = 0; sent < count; sent += 2) {
        if (jg_write(near, &byte, 1) < 0 || jg_read(near, &byte, 1) != 1) {
            measure_die("a byte was lost", 0);
        }
    }
    jg_stream_close(near);
    jg_join(other);
    jg_stream_close(far);
}

/* Two descriptors that are opened and closed. */
static void pass_open_close(uint64_t width, uint64_t count) {
    (void)width;
    for (uint64_t left = count; left > 0; left--) {
        jg_stream *near;
        jg_stream *far;
        int rc = jg_stream_pair(&near, &far);
        if (rc < 0) {
            measure_die("jg_stream_pair", -rc);
        }
        jg_stream_close(near);
        jg_stream_close(far);
    }
}

static intptr_t wait_for_event(void *event) {
    return jg_event_wait(event);
}

/* CPU ns per task from the cancel of `width` that wait until the last of them has ended. */
static void run_cancel(uint64_t width) {
    jg_event never = {0};
    struct measure start = {0, 0};
    JG_GROUP(group) {
        for (uint64_t i = 0; i < width; i++) {
            int rc = jg_group_spawn(group, wait_for_event, &never);
            if (rc < 0) {
                measure_die("jg_group_spawn", -rc);
            }
        }
        jg_yield();
        start = measure_now();
        jg_group_cancel(group);
    }
    struct measure end = measure_now();
    measure_print((double)(end.cpu_ns - start.cpu_ns) / (double)width, width, start, end);
}

struct arguments {
    int argc;
    char **argv;
};

static intptr_t program(void *arg) {
    static const struct measure_bench benches[] = {
        {"yield", pass_yield},       {"spawn_join", pass_spawn_join},
        {"chan", pass_chan},         {"chan_buffered", pass_chan_buffered},
        {"queue", pass_queue},       {"lock", pass_lock},
        {"byte", pass_byte},         {"open_close", pass_open_close},
        {"sleepers", pass_sleepers}, {NULL, NULL},
    };
    const struct arguments *arguments = arg;
    if (arguments->argc > 1 && strcmp(arguments->argv[1], "cancel") == 0) {
        run_cancel(measure_arg(arguments->argc, arguments->argv, 2, 1));
        return 0;
    }
    return measure_main(arguments->argc, arguments->argv, benches);
}

int main(int argc, char **argv) {
    struct arguments arguments = {argc, argv};
    intptr_t rc = jg_run(program, &arguments);
    if (rc < 0) {
        measure_die("jg_run", (int)-rc);
    }
    return (int)rc;
}
