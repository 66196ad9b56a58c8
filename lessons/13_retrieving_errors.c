// SPDX-License-Identifier: MIT
/* 13_retrieving_errors.c – the same three, and nobody asks what came of them.
 *
 * Watch the report: a task that fails and is never joined is reported once, on standard error, with what
 * failed and where it was spawned: an error cannot get lost. Whoever joins the task, or asks its future,
 * has seen the error, and no report is made.
 */
#include "common/lesson.h"

struct service {
    const char *name;
    const char *path;
    const char *url;
    jg_http_client *client;
};

static intptr_t ask(void *arg) {
    const struct service *service = arg;
    jg_http_response *response;
    int rc = jg_http_get(service->client, service->url, &response);
    if (rc < 0) {
        return rc; // not handled here: whoever joins this task gets it
    }
    say("%s answered with status %d", service->name, jg_http_status(response));
    rc = lesson_expect_ok(response);
    jg_http_response_close(response);
    return rc;
}

/* Lets each task run alone, and looks at nothing. */
static void forget(struct service *services) {
    for (int i = 0; i < 3; i++) {
        jg_detach(jg_spawn(ask, &services[i]));
    }
    jg_sleep(1000);
}

static intptr_t look(struct service *services) {
    jg_task *tasks[3];
    jg_future *futures[3];
    for (int i = 0; i < 3; i++) {
        tasks[i] = jg_spawn(ask, &services[i]);
        futures[i] = jg_task_future(tasks[i]);
    }
    intptr_t rc = jg_gather(futures, 3, NULL, JG_COLLECT_ERRORS);
    for (int i = 0; i < 3; i++) {
        intptr_t one = jg_join(tasks[i]);
        say("%s: %s", services[i].name, one < 0 ? jg_error_detail(one) : "good");
        rc = rc == 0 && i != 1 ? one : rc; // the broken one is meant to fail
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    struct service services[] = {{.name = "ipify", .path = "/ipify?format=json"},
                                 {.name = "broken", .url = "http://no-such-host.invalid/"},
                                 {.name = "ip-api", .path = "/ip-api/json"}};
    services[0].url = lesson_url(0, services[0].path);
    services[2].url = lesson_url(1, services[2].path);
    jg_http_client *client;
    intptr_t rc = jg_http_client_open(&lesson_limits, &client);
    for (int i = 0; i < 3; i++) {
        services[i].client = client;
    }
    if (rc == 0) {
        forget(services);
        rc = look(services);
        jg_http_client_close(client);
    }
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_CALLS);
}
