// SPDX-License-Identifier: MIT
/* 11_cancel.c – the same race; the loser is told to stop.
 *
 * Watch the states: the loser is pending, is asked to stop, and is cancelled once it has: its wait for the
 * answer failed with -ECANCELED, and it tidied up on its way out. Nothing is left, and nobody warns.
 */
#include "common/lesson.h"

struct service {
    const char *name;
    const char *path;
    const char *field;
    const char *url;
    char ip[64];
};

static struct service services[] = {
    {.name = "ipify", .path = "/ipify?format=json", .field = "ip", .ip = "no answer"},
    {.name = "ip-api", .path = "/ip-api/json", .field = "query", .ip = "no answer"},
};
static jg_http_client *client;

static intptr_t fetch_ip(void *arg) {
    struct service *service = arg;
    jg_http_response *response;
    const char *body;
    int rc = jg_http_get(client, service->url, &response);
    if (rc < 0) {
        return rc; // also when cancelled: the client has closed the connection already
    }
    rc = lesson_expect_ok(response);
    rc = rc < 0 ? rc : (int)jg_http_body(response, &body);
    rc = rc < 0 ? rc : lesson_field(body, service->field, service->ip, sizeof(service->ip));
    jg_http_response_close(response);
    return rc;
}

static const char *state(const jg_task *task) {
    return !jg_done(task) ? "pending" : jg_cancelled(task) ? "cancelled" : "done";
}

static intptr_t race(void) {
    jg_task *tasks[2];
    jg_future *futures[2];
    for (int i = 0; i < 2; i++) {
        services[i].url = lesson_url((size_t)i, services[i].path);
        tasks[i] = jg_spawn(fetch_ip, &services[i]);
        futures[i] = jg_task_future(tasks[i]);
    }
    intptr_t rc = jg_wait(futures, 2, JG_FIRST_COMPLETED, -1);
    for (int i = 0; i < 2; i++) {
        say("%s is %s: %s", services[i].name, state(tasks[i]), services[i].ip);
    }
    for (int i = 0; i < 2; i++) {
        if (jg_cancel(tasks[i])) { // false: it has ended already
            jg_wait(&futures[i], 1, JG_ALL_COMPLETED, -1);
            say("%s was asked to stop, and is %s", services[i].name, state(tasks[i]));
            jg_detach(tasks[i]); // it is over, and its word is -ECANCELED
        } else {
            intptr_t one = jg_join(tasks[i]);
            rc = rc < 0 ? rc : one;
        }
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    intptr_t rc = jg_http_client_open(&lesson_limits, &client);
    if (rc == 0) {
        rc = race();
        jg_http_client_close(client);
    }
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_CALLS);
}
