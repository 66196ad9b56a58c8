// SPDX-License-Identifier: MIT
/* core.c – juggle: a yield, a task spawned and joined, and a million sleepers.
 *
 * Holds      nothing between passes.
 * Invariant  every task spawned is joined inside the pass that spawned it.
 * Called by  run.py, `juggle_core yield|spawn_join WIDTH` and `juggle_core sleepers COUNT MS`.
 * Why        through <juggle.h> only, with default options: guarded stacks of the default size,
 *            cancellation and error origins included, as every user gets them.
 * Quirks     sleepers are joined by their group, as the Go peer joins its by a WaitGroup.
 */
#include "common/measure.h"

#include <errno.h>
#include <juggle.h>
#include <stdlib.h>

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

struct arguments {
    int argc;
    char **argv;
};

static intptr_t program(void *arg) {
    static const struct measure_bench benches[] = {
        {"yield", pass_yield},
        {"spawn_join", pass_spawn_join},
        {"sleepers", pass_sleepers},
        {NULL, NULL},
    };
    const struct arguments *arguments = arg;
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
