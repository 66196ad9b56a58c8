// SPDX-License-Identifier: MIT
/* 12_handling_errors.c – three services, one of which does not exist; each failure is its task's own.
 *
 * Watch the other two: a failure that is handled inside its task is no failure of the group, so nobody
 * else is cancelled. An error is a negative number; jg_error_detail has the words to it.
 */
#include "common/lesson.h"

struct service {
    const char *name;
    const char *path;
    const char *field;
    const char *url;
    jg_http_client *client;
    bool answered;
    char said[200]; // the address, or why there is none
};

static intptr_t fetch_ip(struct service *service) {
    jg_http_response *response;
    const char *body;
    int rc = jg_http_get(service->client, service->url, &response);
    if (rc < 0) {
        return rc;
    }
    rc = lesson_expect_ok(response);
    rc = rc < 0 ? rc : (int)jg_http_body(response, &body);
    rc = rc < 0 ? rc : lesson_field(body, service->field, service->said, sizeof(service->said));
    jg_http_response_close(response);
    return rc;
}

static intptr_t ask(void *arg) {
    struct service *service = arg;
    intptr_t rc = fetch_ip(service);
    service->answered = rc >= 0;
    if (rc == -ECANCELED) {
        return rc; // not ours to handle: somebody wants this task to end
    }
    if (rc < 0) {
        snprintf(service->said, sizeof(service->said), "%s", jg_error_detail(rc));
    }
    printf("%s: %s\n", service->name, service->said);
    return 0; // handled
}

static intptr_t lesson(void *arg) {
    (void)arg;
    struct service services[] = {
        {.name = "ipify", .path = "/ipify?format=json", .field = "ip"},
        {.name = "broken", .url = "http://no-such-host.invalid/", .field = "ip"},
        {.name = "ip-api", .path = "/ip-api/json", .field = "query"},
    };
    services[0].url = lesson_url(0, services[0].path);
    services[2].url = lesson_url(1, services[2].path);
    jg_http_client *client;
    intptr_t rc = jg_http_client_open(&lesson_limits, &client);
    if (rc < 0) {
        return rc;
    }
    JG_GROUP(group, rc) {
        for (int i = 0; i < 3 && rc == 0; i++) {
            services[i].client = client;
            rc = jg_group_spawn(group, ask, &services[i]);
        }
    }
    jg_http_client_close(client);
    struct service *exists = services[0].answered ? &services[2] : &services[0];
    return rc < 0 || exists->answered ? rc : jg_fail(-EPROTO, "%s: %s", exists->name, exists->said);
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_CALLS);
}
