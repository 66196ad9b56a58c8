// SPDX-License-Identifier: MIT
/* 14_time_limit.c – the race with random delays and a limit of 0.1 s; late is never.
 *
 * Watch what the limit does: whoever has not answered when it strikes is cancelled, as if by hand, and the
 * block turns that into -ETIMEDOUT. The limit stands around the code, not in the call: what is called
 * inside need not know of it. Try other delays with --seed.
 */
#include "common/lesson.h"

struct service {
    const char *name;
    const char *path;
    const char *field;
    const char *url;
    int64_t delay_ms; // before it is asked
    char ip[64];
};

static struct service services[] = {
    {.name = "ipify", .path = "/ipify?format=json", .field = "ip"},
    {.name = "ip-api", .path = "/ip-api/json", .field = "query"},
};
static jg_http_client *client;

static intptr_t fetch_ip(void *arg) {
    struct service *service = arg;
    jg_http_response *response;
    const char *body;
    int rc = jg_sleep(service->delay_ms);
    rc = rc < 0 ? rc : jg_http_get(client, service->url, &response);
    if (rc == 0) {
        rc = lesson_expect_ok(response);
        rc = rc < 0 ? rc : (int)jg_http_body(response, &body);
        rc = rc < 0 ? rc : lesson_field(body, service->field, service->ip, sizeof(service->ip));
        jg_http_response_close(response);
    }
    return rc < 0 ? jg_fail(rc, "%s: %s", service->name, jg_error_detail(rc)) : 0;
}

static intptr_t race(int64_t limit_ms) {
    intptr_t rc = 0;
    intptr_t inside = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(services[i].ip, sizeof(services[i].ip), "not available");
    }
    JG_TIMEOUT(limit_ms, rc) {
        JG_GROUP(group, rc) {
            jg_group_spawn(group, fetch_ip, &services[0]);
            jg_group_spawn(group, fetch_ip, &services[1]);
        }
        inside = rc;
    }
    bool struck = rc != inside; // a limit of the client's own is -ETIMEDOUT inside already
    say("limit %.1f s: %s; ipify: %s, ip-api: %s", (double)limit_ms / 1000,
        struck   ? "it struck"
        : rc < 0 ? "a failure"
                 : "in time",
        services[0].ip, services[1].ip);
    return struck ? jg_fail(rc, "not all have answered within %g s", (double)limit_ms / 1000) : rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        services[i].url = lesson_url(i, services[i].path);
        services[i].delay_ms = lesson_random(0, 100);
        say("%s is asked after %d ms", services[i].name, (int)services[i].delay_ms);
    }
    intptr_t rc = jg_http_client_open(&lesson_limits, &client);
    if (rc == 0) {
        rc = race(100);
        rc = rc < 0 && rc != -ETIMEDOUT ? rc : race(5000);
        jg_http_client_close(client);
    }
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_CALLS | LESSON_RANDOM);
}
