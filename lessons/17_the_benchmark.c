// SPDX-License-Identifier: MIT
/* 17_the_benchmark.c – the same requests one after another, by processes, by threads, by tasks.
 *
 * Watch two columns: with ten under way at once, all but the first take the same time. What differs is
 * what they cost. This is the idea in one page; `juggle race URL` does it properly, with thousands of
 * requests, memory, switches and latencies, and is what to quote (`./run demo` for a start).
 */
#include "common/lesson.h"

#include <stdlib.h>

enum { AT_ONCE = 10 };

struct call {
    char url[256]; // in the item itself: a process works on a copy of it
    intptr_t status;
};

static intptr_t fetch(void *arg) { // the same function under every model: rule one of a fair race
    struct call *call = arg;
    jg_http_client *client;
    jg_http_response *response;
    int rc = jg_http_client_open(&lesson_limits, &client);
    if (rc < 0) {
        return rc;
    }
    rc = jg_http_get(client, call->url, &response);
    if (rc == 0) {
        rc = lesson_expect_ok(response);
        call->status = jg_http_status(response);
        jg_http_response_close(response);
    }
    jg_http_client_close(client);
    return rc;
}

static intptr_t measure(const char *name, jg_map_mode mode, struct call *calls, size_t count) {
    const jg_map_options options = {.limit = AT_ONCE};
    double cpu_s = lesson_cpu_s();
    int64_t from_ms = lesson_ms();
    intptr_t rc = jg_map(mode, fetch, calls, sizeof(*calls), count, NULL, &options);
    if (rc == 0) {
        printf("%-18s %6.2f s %8.1f ms\n", name, (double)(lesson_ms() - from_ms) / 1000,
               (lesson_cpu_s() - cpu_s) * 1000);
        fflush(stdout);
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    size_t count = lesson_count(20);
    struct call *calls = calloc(count, sizeof(*calls));
    if (calls == NULL) {
        return -ENOMEM;
    }
    const char *url = lesson_url(0, "/stats");
    for (size_t i = 0; i < count; i++) {
        snprintf(calls[i].url, sizeof(calls[i].url), "%s", url);
    }
    printf("%zu requests       time       CPU\n", count);
    intptr_t rc = measure("one after another", JG_MAP_INLINE, calls, count);
    rc = rc < 0 ? rc : measure("processes", JG_MAP_PROCESSES, calls, count);
    rc = rc < 0 ? rc : measure("threads", JG_MAP_THREADS, calls, count);
    rc = rc < 0 ? rc : measure("tasks", JG_MAP_COROUTINES, calls, count);
    free(calls);
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_CALLS | LESSON_REAL | LESSON_COUNT);
}
