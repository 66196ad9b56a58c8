// SPDX-License-Identifier: MIT
/* exec.c – juggle: a function on a thread, or in a process, of a pool, and back.
 *
 * Holds      nothing between passes.
 * Invariant  every job is waited for inside the pass that submitted it.
 * Called by  run.py, `juggle_exec thread_pool|process_pool WIDTH`.
 * Why        through <juggle.h> only, with default options, as every user gets them; the job does
 *            nothing, so what is left is the way there and back.
 */
#include "common/measure.h"

#include <errno.h>
#include <juggle.h>
#include <stdlib.h>

static intptr_t do_nothing(void *arg) {
    (void)arg;
    return 0;
}

static intptr_t to_thread_many(void *arg) {
    for (uint64_t left = *(const uint64_t *)arg; left > 0; left--) {
        intptr_t rc = jg_to_thread(do_nothing, NULL);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* `width` tasks, each with one job under way, until `count` have been done. */
static void run_tasks(jg_fn *fn, uint64_t width, uint64_t count, const char *what) {
    uint64_t each = count / width;
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        for (uint64_t i = 0; i < width; i++) {
            jg_group_spawn(group, fn, &each);
        }
    }
    if (rc < 0) {
        measure_die(what, (int)-rc);
    }
}

static void pass_thread_pool(uint64_t width, uint64_t count) {
    run_tasks(to_thread_many, width, count, "jg_to_thread");
}

static jg_process_pool *processes;

static intptr_t hand_back(const void *in, size_t in_size, jg_worker_output *out) {
    return jg_worker_output_write(out, in, in_size);
}

static intptr_t to_process_many(void *arg) {
    for (uint64_t left = *(const uint64_t *)arg; left > 0; left--) {
        jg_bytes bytes;
        intptr_t rc = jg_process_pool_run(processes, hand_back, &left, sizeof left, &bytes);
        if (rc < 0 || bytes.size != sizeof left) {
            return rc < 0 ? rc : -EPROTO;
        }
        jg_bytes_free(&bytes);
    }
    return 0;
}

static void pass_process_pool(uint64_t width, uint64_t count) {
    run_tasks(to_process_many, width, count, "jg_process_pool_run");
}

struct arguments {
    int argc;
    char **argv;
};

static intptr_t program(void *arg) {
    static const struct measure_bench benches[] = {
        {"thread_pool", pass_thread_pool},
        {"process_pool", pass_process_pool},
        {NULL, NULL},
    };
    const struct arguments *arguments = arg;
    int code = measure_main(arguments->argc, arguments->argv, benches);
    jg_process_pool_close(processes);
    return code;
}

int main(int argc, char **argv) {
    struct arguments arguments = {argc, argv};
    intptr_t rc = jg_process_pool_open(NULL, &processes);
    if (rc == 0) {
        rc = jg_run(program, &arguments);
    }
    if (rc < 0) {
        measure_die("jg_run", (int)-rc);
    }
    return (int)rc;
}
