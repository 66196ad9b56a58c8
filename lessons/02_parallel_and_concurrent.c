// SPDX-License-Identifier: MIT
/* 02_parallel_and_concurrent.c – the same work by processes, by threads and by tasks.
 *
 * Watch who does it: processes and threads may be on several cores at the same moment, that is
 * parallelism. Tasks share one thread, and take turns whenever one waits, that is concurrency. The work
 * here is waiting, so all three take equally long; what they cost differs (lesson 17).
 */
#include "common/lesson.h"

#include <sched.h>
#include <unistd.h>

struct piece {
    pid_t process;
    pid_t thread;
    int core;
    int64_t began_ms;
    int64_t ended_ms;
};

static intptr_t work(void *arg) { // the same function, whoever runs it
    struct piece *piece = arg;
    piece->began_ms = lesson_ms();
    piece->process = getpid();
    piece->thread = gettid();
    piece->core = sched_getcpu();
    int rc = jg_sleep(100); // in a task it parks, elsewhere it blocks
    piece->ended_ms = lesson_ms();
    return rc;
}

static intptr_t show(const char *name, jg_map_mode mode) {
    struct piece pieces[3] = {{0}};
    const jg_map_options options = {.limit = 3};
    int64_t from_ms = lesson_ms();
    intptr_t rc = jg_map(mode, work, pieces, sizeof(pieces[0]), 3, NULL, &options);
    printf("%s: %.1f s\n", name, (double)(lesson_ms() - from_ms) / 1000);
    for (int i = 0; i < 3 && rc == 0; i++) {
        const struct piece *piece = &pieces[i];
        printf("  piece %d: %s, %s, core %d, from %.1f to %.1f s\n", i + 1,
               piece->process == getpid() ? "the lesson's process" : "a process of its own",
               piece->thread == gettid() ? "the lesson's thread" : "a thread of its own",
               piece->core, (double)(piece->began_ms - from_ms) / 1000,
               (double)(piece->ended_ms - from_ms) / 1000);
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    intptr_t rc = show("one after another", JG_MAP_INLINE);
    rc = rc < 0 ? rc : show("processes", JG_MAP_PROCESSES);
    rc = rc < 0 ? rc : show("threads", JG_MAP_THREADS);
    return rc < 0 ? rc : show("tasks", JG_MAP_COROUTINES);
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_REAL);
}
