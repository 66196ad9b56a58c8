// SPDX-License-Identifier: MIT
/* 09_creating_concurrency.c – three fetches with a delay each, taken as they finish.
 *
 * Watch the order of the answers: that of the delays, not that of the calls. JG_AS_COMPLETED hands each
 * answer over as soon as it is there, so that the first can be used while the others are still waited for.
 */
#include "common/lesson.h"

struct call {
    int number;
    int64_t delay_ms;
    const char *url;
    jg_http_client *client;
    char online[16];
};

static intptr_t fetch(void *arg) {
    struct call *call = arg;
    jg_http_response *response;
    const char *body;
    int rc = jg_sleep(call->delay_ms);
    rc = rc < 0 ? rc : jg_http_get(call->client, call->url, &response);
    if (rc < 0) {
        return rc;
    }
    rc = lesson_expect_ok(response);
    rc = rc < 0 ? rc : (int)jg_http_body(response, &body);
    rc = rc < 0 ? rc : lesson_field(body, "count", call->online, sizeof(call->online));
    jg_http_response_close(response);
    return rc;
}

static intptr_t fetch_all(struct call *calls) {
    jg_task *tasks[3];
    jg_future *futures[3];
    intptr_t rc = 0;
    for (int i = 0; i < 3; i++) {
        say("call %d will wait %.2f s first", calls[i].number, (double)calls[i].delay_ms / 1000);
        tasks[i] = jg_spawn(fetch, &calls[i]);
        futures[i] = jg_task_future(tasks[i]);
    }
    JG_AS_COMPLETED(next, futures, 3, -1, rc) {
        if (next.result >= 0) {
            say("call %d: %s players online", calls[next.index].number, calls[next.index].online);
        }
    }
    for (int i = 0; i < 3; i++) {
        intptr_t one = jg_join(tasks[i]); // a handle is given back, and an error seen
        rc = rc < 0 ? rc : one;
    }
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    struct call calls[3];
    jg_http_client *client;
    const char *url = lesson_url(0, "/api/onlinePlayers?output=json");
    intptr_t rc = jg_http_client_open(&lesson_limits, &client);
    for (int i = 0; i < 3 && rc == 0; i++) {
        calls[i] = (struct call){i + 1, lesson_random(2000, 5000), url, client, ""};
    }
    if (rc == 0) {
        rc = fetch_all(calls);
        jg_http_client_close(client);
    }
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_CALLS | LESSON_RANDOM);
}
