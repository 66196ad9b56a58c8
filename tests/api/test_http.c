// SPDX-License-Identifier: MIT
/* test_http.c – the HTTP client and the HTTP server together.
 *
 * Holds      a server that echoes, and counts how often each request was executed.
 * Invariant  client and server share one loop.
 * Called by  ctest, on epoll and on several seeds of sim.
 * Why        each is tested against bytes; here against the other's idea of them.
 */
#include "http_client_steps.h"

#include <unistd.h>

enum { REQUESTS_MOST = 4096 };

struct house {
    jg_listener *listener;
    jg_http_server_options options;
    char url[160];
    jg_http_client *client;
    int executed[REQUESTS_MOST];
    int next;
    int failed;
};

/* Says the method, and the body it was sent; counts by the number in the path. */
static int echo(jg_http_exchange *exchange, void *arg) {
    struct house *house = arg;
    int number = atoi(jg_http_path(exchange) + 1);
    ck_assert_int_lt(number, REQUESTS_MOST);
    house->executed[number]++;
    const char *body;
    ssize_t size = jg_http_request_body(exchange, &body);
    if (size < 0) {
        return (int)size;
    }
    int rc = jg_http_reply_header(exchange, "X-Method", jg_http_method(exchange));
    if (rc < 0 || number % 3 > 0) {
        return rc < 0 ? rc : jg_http_reply(exchange, 200, "text/plain", body, (size_t)size);
    }
    rc = jg_http_reply_begin(exchange, 200, "text/plain");
    for (ssize_t at = 0; at < size && rc == 0; at += 1000) {
        ssize_t left = size - at;
        rc = jg_http_reply_write(exchange, body + at, left < 1000 ? (size_t)left : 1000);
    }
    return rc < 0 ? rc : jg_http_reply_end(exchange);
}

static intptr_t serve(void *arg) {
    struct house *house = arg;
    int rc = jg_http_serve(house->listener, echo, house, &house->options, NULL);
    return rc == -ECANCELED ? 0 : rc;
}

/* Runs `body` in a loop with the server, over TCP or a Unix socket. */
static void with_house(jg_fn *body, struct house *house, const char *path) {
    int rc = path != NULL ? jg_unix_listen(path, &house->listener)
                          : jg_tcp_listen(NULL, 0, &house->listener);
    ck_assert_int_eq(rc, 0);
    if (path == NULL) {
        snprintf(house->url, sizeof house->url, "http://127.0.0.1:%d",
                 jg_listener_port(house->listener));
    } else {
        snprintf(house->url, sizeof house->url, "http+unix://%%2Ftmp%%2F%s",
                 strrchr(path, '/') + 1);
    }
    house->client = client_open(NULL);
    jg_task *server = jg_spawn(serve, house);
    ck_assert_int_eq(body(house), 0);
    jg_http_client_close(house->client);
    jg_cancel(server);
    ck_assert_int_eq(jg_join(server), 0);
    jg_listener_close(house->listener);
}

static void url_of(const struct house *house, int number, char *url, size_t cap) {
    snprintf(url, cap, "%s/%d", house->url, number);
}

// Everything once.

static ssize_t give(void *arg, void *buf, size_t cap) {
    size_t *left = arg;
    size_t count = *left < cap ? *left : cap;
    count = count < 777 ? count : 777;
    memset(buf, 'z', count);
    *left -= count;
    return (ssize_t)count;
}

static void exchange_one(struct house *house, const char *method, size_t size, bool chunked) {
    char url[192];
    url_of(house, house->next++, url, sizeof url);
    char *body = malloc(size + 1);
    memset(body, 'z', size);
    size_t left = size;
    jg_http_request request = {.method = method, .url = url};
    if (chunked) {
        request.source = give;
        request.source_arg = &left;
    } else {
        request.body = body;
        request.body_size = size;
    }
    jg_http_response *response = send_ok(house->client, &request);
    const char *data;
    ck_assert_int_eq(jg_http_status(response), 200);
    ck_assert_str_eq(jg_http_response_header(response, "X-Method"), method);
    ck_assert_int_eq(jg_http_body(response, &data), (ssize_t)size);
    ck_assert_mem_eq(data, body, size);
    jg_http_response_close(response);
    free(body);
}

static intptr_t everything_body(void *arg) {
    struct house *house = arg;
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "QUERY"};
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        for (size_t size = 0; size < 100000; size = size * 37 + 1) {
            exchange_one(house, methods[i], size, false);
            exchange_one(house, methods[i], size, true);
        }
    }
    char url[192];
    for (int i = 0; i < 3; i++) {
        url_of(house, house->next++, url, sizeof url);
        jg_http_response *response = send_ok(house->client,
                                             &(jg_http_request){.method = "HEAD", .url = url});
        expect_body(response, "");
        ck_assert_str_eq(jg_http_response_header(response, "X-Method"), "HEAD");
        ck_assert(jg_http_response_reused(response));
        jg_http_response_close(response);
    }
    return 0;
}

static intptr_t over_tcp(void *arg) {
    (void)arg;
    struct house house = {.next = 0};
    with_house(everything_body, &house, NULL);
    return 0;
}

static intptr_t over_unix(void *arg) {
    (void)arg;
    struct house house = {.next = 0};
    char path[64];
    snprintf(path, sizeof path, "/tmp/juggle-test-%d.sock", (int)getpid());
    with_house(everything_body, &house, path);
    return 0;
}

// One of the two would be wrong about what the other sends.
START_TEST(every_method_and_framing_goes_both_ways) {
    run_body(over_tcp);
    run_once(over_unix, NULL);
}
END_TEST

// Many at once.

static intptr_t ask_ten(void *arg) {
    struct house *house = arg;
    for (int i = 0; i < 10; i++) {
        exchange_one(house, i % 2 == 0 ? "GET" : "POST", (size_t)i * 50, i % 3 == 0);
    }
    return 0;
}

static intptr_t crowd_body(void *arg) {
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        for (int i = 0; i < 50; i++) {
            ck_assert_int_eq(jg_group_spawn(group, ask_ten, arg), 0);
        }
    }
    return rc;
}

static intptr_t crowd(void *arg) {
    (void)arg;
    struct house house = {.next = 0};
    with_house(crowd_body, &house, NULL);
    ck_assert_int_eq(house.next, 500);
    for (int i = 0; i < house.next; i++) {
        ck_assert_int_eq(house.executed[i], 1);
    }
    return 0;
}

// Answers would be mixed up between tasks.
START_TEST(many_tasks_share_a_client) {
    run_body(crowd);
}
END_TEST

// A server that hangs up on idle connections. R30: ten thousand of each method, in all worlds together.

enum { TASKS = 8, EACH = 10000 * 2 / TASKS / API_SEEDS };

static void nap(int number) {
    // Around the moment at which the server gives an idle connection up.
    ck_assert_int_eq(jg_sleep_until(jg_now() + 4 * JG_MS + number * 7919 % 2000 * 1000), 0);
}

static void try_one(struct house *house, const char *method) {
    char url[192];
    int number = house->next++;
    url_of(house, number, url, sizeof url);
    jg_http_response *response;
    int rc = jg_http_send(house->client, &(jg_http_request){.method = method, .url = url},
                          &response);
    if (rc == 0) {
        // 408: the beginning of the request came in the very moment the server gave up.
        ck_assert_int_eq(jg_http_status(response), house->executed[number] > 0 ? 200 : 408);
        finish(response);
    } else {
        ck_assert_msg(strcmp(method, "POST") == 0 && (rc == -EPIPE || rc == -ECONNRESET), "%s: %s",
                      method, jg_error_detail(rc));
        house->failed++;
    }
    ck_assert_int_le(house->executed[number], strcmp(method, "POST") == 0 ? 1 : 2);
    nap(number);
}

static intptr_t try_many(void *arg) {
    for (int i = 0; i < EACH; i++) {
        try_one(arg, i % 2 == 0 ? "GET" : "POST");
    }
    return 0;
}

static intptr_t hang_ups_body(void *arg) {
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        for (int i = 0; i < TASKS; i++) {
            ck_assert_int_eq(jg_group_spawn(group, try_many, arg), 0);
        }
    }
    return rc;
}

static intptr_t hang_ups(void *arg) {
    (void)arg;
    struct house house = {.options = {.idle_ms = 5}};
    with_house(hang_ups_body, &house, NULL);
    ck_assert_int_eq(house.next, TASKS * EACH);
    return 0;
}

// Programs would see errors nobody is to blame for, or pay twice.
START_TEST(r30_hang_ups_fail_no_get_and_repeat_no_post) {
    run_body(hang_ups);
}
END_TEST

FIXTURE_MAIN("api/http", every_method_and_framing_goes_both_ways, many_tasks_share_a_client,
             r30_hang_ups_fail_no_get_and_repeat_no_post)
