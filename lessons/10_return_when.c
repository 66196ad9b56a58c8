// SPDX-License-Identifier: MIT
/* 10_return_when.c – two services are asked for our address; the first answer is enough.
 *
 * Watch how many are done when jg_wait returns: one with FIRST_COMPLETED; with FIRST_EXCEPTION those that
 * ended before the first failure, or all if none fails; with ALL_COMPLETED all. It cancels nothing: what
 * still runs is ours to wait for, or to cancel (lesson 11).
 */
#include "common/lesson.h"

struct service {
    const char *name;
    const char *path;
    const char *field; // of the answer
    const char *url;
    char ip[64];
};

static struct service services[] = {
    {.name = "ipify", .path = "/ipify?format=json", .field = "ip"},
    {.name = "ip-api", .path = "/ip-api/json", .field = "query"},
    {.name = "broken", .url = "http://no-such-host.invalid/"},
};
enum { GOOD = 2, ALL = 3 };

static jg_http_client *client;

static intptr_t fetch_ip(void *arg) {
    struct service *service = arg;
    jg_http_response *response;
    const char *body;
    int rc = jg_http_get(client, service->url, &response);
    if (rc < 0) {
        return rc;
    }
    rc = lesson_expect_ok(response);
    rc = rc < 0 ? rc : (int)jg_http_body(response, &body);
    rc = rc < 0 ? rc : lesson_field(body, service->field, service->ip, sizeof(service->ip));
    jg_http_response_close(response);
    return rc;
}

static intptr_t race(const char *name, jg_return_when when, int count) {
    jg_task *tasks[ALL];
    jg_future *futures[ALL];
    for (int i = 0; i < count; i++) {
        tasks[i] = jg_spawn(fetch_ip, &services[i]);
        futures[i] = jg_task_future(tasks[i]);
    }
    ssize_t done = jg_wait(futures, (size_t)count, when, -1);
    say("%s of %d: %d done", name, count, (int)done);
    intptr_t rc = done < 0 ? done : 0;
    for (int i = 0; i < count; i++) {
        bool was_done = jg_done(tasks[i]);
        intptr_t one = jg_join(tasks[i]); // waits for those that still run
        const char *said = !was_done ? "is not done yet" : one < 0 ? "failed" : services[i].ip;
        printf("        %s: %s\n", services[i].name, said);
        rc = rc == 0 && i < GOOD ? one : rc; // the broken one is meant to fail
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    for (size_t i = 0; i < GOOD; i++) {
        services[i].url = lesson_url(i, services[i].path);
    }
    intptr_t rc = jg_http_client_open(&lesson_limits, &client);
    if (rc == 0) {
        rc = race("FIRST_COMPLETED", JG_FIRST_COMPLETED, GOOD);
        rc = rc < 0 ? rc : race("FIRST_EXCEPTION", JG_FIRST_EXCEPTION, ALL);
        rc = rc < 0 ? rc : race("ALL_COMPLETED", JG_ALL_COMPLETED, GOOD);
        jg_http_client_close(client);
    }
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_CALLS);
}
