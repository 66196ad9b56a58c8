// SPDX-License-Identifier: MIT
/* 08_http_calls.c – three GETs of the online-players service, one after another, then together.
 *
 * Watch the totals: the service takes its time for each answer, and nearly all of it is waiting. Three
 * together take as long as one. The function that fetches is the same; only who waits for whom differs.
 */
#include "common/lesson.h"

struct call {
    int number;
    const char *url;
    jg_http_client *client;
};

static intptr_t fetch(void *arg) {
    const struct call *call = arg;
    jg_http_response *response;
    int64_t from_ms = lesson_ms();
    int rc = jg_http_get(call->client, call->url, &response);
    if (rc < 0) {
        return rc;
    }
    rc = lesson_expect_ok(response);
    if (rc == 0) {
        const char *server = jg_http_response_header(response, "Server");
        say("call %d: Server: %s, after %.2f s", call->number, server != NULL ? server : "(none)",
            (double)(lesson_ms() - from_ms) / 1000);
    }
    jg_http_response_close(response);
    return rc;
}

static intptr_t one_after_another(struct call *calls) {
    intptr_t rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = fetch(&calls[i]);
    }
    return rc;
}

static intptr_t together(struct call *calls) {
    intptr_t rc = 0;
    JG_GROUP(group, rc) { // the first failure cancels the others, and is the group's result
        for (int i = 0; i < 3 && rc == 0; i++) {
            rc = jg_group_spawn(group, fetch, &calls[i]);
        }
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    const char *url = lesson_url(0, "/api/onlinePlayers?output=json");
    jg_http_client *client;
    intptr_t rc = jg_http_client_open(&lesson_limits, &client);
    if (rc < 0) {
        return rc;
    }
    struct call calls[] = {{1, url, client}, {2, url, client}, {3, url, client}};
    int64_t from_ms = lesson_ms();
    rc = one_after_another(calls);
    int64_t sync_ms = lesson_ms() - from_ms;
    from_ms = lesson_ms();
    rc = rc < 0 ? rc : together(calls);
    if (rc == 0) {
        printf("one after another %.2f s, together %.2f s\n", (double)sync_ms / 1000,
               (double)(lesson_ms() - from_ms) / 1000);
    }
    jg_http_client_close(client);
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_CALLS);
}
