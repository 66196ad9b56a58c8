// SPDX-License-Identifier: MIT
/* 16_concurrent_calls.c – N tasks doing what the N processes of lesson 15 do, files included.
 *
 * Watch the CPU time: as many requests are under way at once, in one process on one core. Files cannot be
 * waited for as sockets can, so jg_file_* has threads do that part while the loop goes on.
 */
#include "common/lesson.h"

#include <fcntl.h>
#include <juggle/file.h>
#include <string.h>

enum { AT_ONCE = 100 };

static const char *url;
static jg_http_client *client;
static jg_sem places; // AT_ONCE of them: thousands of open files and connections help nobody

static int write_date(size_t number, const char *date) {
    char path[LESSON_PATH];
    jg_file *file;
    lesson_file(number, path);
    int rc = jg_file_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &file);
    if (rc < 0) {
        return rc;
    }
    ssize_t written = jg_file_write(file, date, strlen(date));
    rc = jg_file_close(file);
    return written < 0 ? (int)written : rc;
}

static intptr_t fetch(size_t number) {
    jg_http_response *response;
    int rc = jg_http_get(client, url, &response);
    if (rc < 0) {
        return rc;
    }
    const char *date = jg_http_response_header(response, "Date");
    rc = lesson_expect_ok(response);
    rc = rc < 0 ? rc : write_date(number, date != NULL ? date : "no date");
    jg_http_response_close(response);
    return rc;
}

static intptr_t fetch_in_turn(void *number) {
    intptr_t rc = jg_sem_acquire(&places);
    if (rc == 0) {
        rc = fetch((size_t)number);
        jg_sem_release(&places);
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    size_t count = lesson_count(20);
    url = lesson_url(0, "/api/onlinePlayers?output=json");
    jg_http_client_options options = lesson_limits;
    options.connections = options.connections_per_origin = AT_ONCE;
    jg_sem_init(&places, AT_ONCE);
    intptr_t rc = jg_http_client_open(&options, &client);
    if (rc < 0) {
        return rc;
    }
    JG_GROUP(group, rc) {
        for (size_t i = 0; i < count && rc == 0; i++) {
            rc = jg_group_spawn(group, fetch_in_turn, (void *)i); // a number fits into the argument
        }
    }
    jg_http_client_close(client);
    if (rc == 0) {
        printf("%zu tasks, %zu files written\n", count, lesson_files(count));
        printf("%.2f s, %.0f ms of CPU time\n", (double)lesson_ms() / 1000, lesson_cpu_s() * 1000);
    }
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_CALLS | LESSON_COUNT);
}
