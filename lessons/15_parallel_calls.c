// SPDX-License-Identifier: MIT
/* 15_parallel_calls.c – N processes, one request each, each writing the Date of its answer to a file.
 *
 * Watch the join: a worker is over when it has been joined, and not when it was started; a program that
 * forgets this measures how fast it can start processes, and loses their errors. In a process there is no
 * loop, so the same calls block. Compare the CPU time with lesson 16, which does the same with tasks.
 */
#include "common/lesson.h"

enum { AT_ONCE = 100 };

struct call {
    const char *url;
    char path[LESSON_PATH];
};

static int write_date(const char *path, const char *date) {
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return (int)jg_fail(-errno, "cannot write %s", path);
    }
    int rc = fprintf(file, "%s\n", date) < 0 ? -EIO : 0;
    return fclose(file) == 0 ? rc : -EIO;
}

static intptr_t fetch(void *arg) {
    const struct call *call = arg;
    jg_http_client *client;
    jg_http_response *response;
    // A process shares nothing, so it has a client of its own.
    int rc = jg_http_client_open(&lesson_limits, &client);
    rc = rc < 0 ? rc : jg_http_get(client, call->url, &response);
    if (rc < 0) {
        return rc; // the process ends, and its connections with it
    }
    const char *date = jg_http_response_header(response, "Date");
    rc = lesson_expect_ok(response);
    rc = rc < 0 ? rc : write_date(call->path, date != NULL ? date : "no date");
    jg_http_response_close(response);
    jg_http_client_close(client);
    return rc;
}

static intptr_t run_batch(struct call *call, size_t from, size_t to) {
    jg_worker *workers[AT_ONCE];
    size_t started = 0;
    intptr_t rc = 0;
    for (size_t i = from; i < to && rc == 0; i++) {
        lesson_file(i, call->path); // the process is a copy of us, `call` and all
        rc = jg_worker_start(JG_WORKER_PROCESS, fetch, call, NULL, &workers[started]);
        started += rc == 0;
    }
    for (size_t i = 0; i < started; i++) {
        intptr_t one = jg_worker_join(workers[i]); // waits, and tells what came of it
        rc = rc < 0 ? rc : one;
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    size_t count = lesson_count(20);
    struct call call = {.url = lesson_url(0, "/api/onlinePlayers?output=json")};
    intptr_t rc = 0;
    for (size_t from = 0; from < count && rc == 0; from += AT_ONCE) {
        rc = run_batch(&call, from, count - from < AT_ONCE ? count : from + AT_ONCE);
    }
    if (rc == 0) {
        printf("%zu processes started and joined, %zu files written\n", count, lesson_files(count));
        printf("%.2f s, %.0f ms of CPU time\n", (double)lesson_ms() / 1000, lesson_cpu_s() * 1000);
    }
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_CALLS | LESSON_REAL | LESSON_COUNT);
}
