// SPDX-License-Identifier: MIT
/* standin.c – see standin.h.
 *
 * Holds      the paths, and the bodies of the answers.
 * Invariant  every body is valid JSON of the form the real service has.
 * Called by  see standin.h.
 * Why        see standin.h.
 * Quirks     a size too small for a whole document is filled up with blanks, which JSON allows.
 */
#include "standin.h"

#include "work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char json_type[] = "application/json";

static const char players_body[] =
    "{\"pc\":{\"label\":\"PC\",\"count\":14523,\"peak24\":21894},"
    "\"ps3\":{\"label\":\"PS3\",\"count\":3310,\"peak24\":5127},"
    "\"ps4\":{\"label\":\"PS4\",\"count\":28846,\"peak24\":41230},"
    "\"xbox\":{\"label\":\"XBOX360\",\"count\":2174,\"peak24\":3689},"
    "\"xone\":{\"label\":\"XBOXONE\",\"count\":17035,\"peak24\":25411}}";

static const char ip_text[] = "127.0.0.1";
static const char ipify_body[] = "{\"ip\":\"127.0.0.1\"}";
static const char ip_api_body[] =
    "{\"status\":\"success\",\"country\":\"Loopback\",\"countryCode\":\"LO\",\"city\":\"localhost\","
    "\"isp\":\"juggle\",\"query\":\"127.0.0.1\"}";

/* Writes a JSON document of exactly `size` bytes into `body`, which has room for a NUL more. */
static void fill_stats(char *body, size_t size) {
    static const char head[] =
        "{\"server\":\"stand-in\",\"players\":{\"online\":65888,\"peak24\":97351},\"padding\":\"";
    static const char tail[] = "\"}";
    memset(body, ' ', size);
    body[size] = '\0';
    if (size >= sizeof(head) + sizeof(tail) - 2) {
        memcpy(body, head, sizeof(head) - 1);
        memset(body + sizeof(head) - 1, 'x', size - (sizeof(head) + sizeof(tail) - 2));
        memcpy(body + size - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
    } else if (size >= 2) {
        body[0] = '{';
        body[size - 1] = '}';
    } else if (size == 1) {
        body[0] = '0';
    }
}

int standin_open(struct standin *standin) {
    standin->body = malloc(standin->settings.size_bytes + 1);
    if (standin->body == NULL) {
        return -ENOMEM;
    }
    fill_stats(standin->body, standin->settings.size_bytes);
    uint64_t cpu_ns = standin->settings.cpu_ns;
    standin->work_steps = cpu_ns == 0 ? 0 : work_steps_for(cpu_ns);
    return 0;
}

void standin_close(struct standin *standin) {
    free(standin->body);
    standin->body = NULL;
}

/* Finds which answer a path asks for; STANDIN_PATHS for none. */
static enum standin_path find_path(const char *path) {
    static const struct {
        const char *path;
        enum standin_path answer;
    } paths[] = {
        {"/", STANDIN_STATS},
        {"/stats", STANDIN_STATS},
        {"/ipify", STANDIN_IPIFY},
        {"/api/onlinePlayers", STANDIN_PLAYERS},
        {"/ip-api/json", STANDIN_IP_API},
    };
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (strcmp(path, paths[i].path) == 0) {
            return paths[i].answer;
        }
    }
    return STANDIN_PATHS;
}

/* Whether it is this request's turn to fail. */
static bool must_fail(struct standin *standin) {
    uint64_t ppm = standin->settings.errors_ppm;
    uint64_t before = standin->seen;
    standin->seen++;
    return standin->seen * ppm / 1000000 > before * ppm / 1000000;
}

static int reply_json(jg_http_exchange *exchange, int status, const char *body) {
    return jg_http_reply(exchange, status, json_type, body, strlen(body));
}

static int reply_good(const struct standin *standin, jg_http_exchange *exchange,
                      enum standin_path path) {
    switch (path) {
    case STANDIN_PLAYERS:
        return reply_json(exchange, 200, players_body);
    case STANDIN_IPIFY:
        if (strstr(jg_http_query(exchange), "format=json") == NULL) {
            return jg_http_reply(exchange, 200, "text/plain", ip_text, strlen(ip_text));
        }
        return reply_json(exchange, 200, ipify_body);
    case STANDIN_IP_API:
        return reply_json(exchange, 200, ip_api_body);
    default:
        return jg_http_reply(exchange, 200, json_type, standin->body, standin->settings.size_bytes);
    }
}

static int answer(jg_http_exchange *exchange, void *arg) {
    struct standin *standin = arg;
    const char *method = jg_http_method(exchange);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        jg_http_reply_header(exchange, "Allow", "GET, HEAD");
        return reply_json(exchange, 405, "{\"error\":\"method not allowed\"}");
    }
    enum standin_path path = find_path(jg_http_path(exchange));
    if (path == STANDIN_PATHS) {
        return reply_json(exchange, 404, "{\"error\":\"not found\"}");
    }
    int64_t due_ns = jg_now() + (int64_t)standin->settings.latency_ns[path];
    bool fails = must_fail(standin);
    work_do(standin->work_steps);
    if (standin->settings.latency_ns[path] > 0) {
        int rc = jg_sleep_until(due_ns);
        if (rc < 0) {
            return rc;
        }
    }
    if (fails) {
        standin->failed++;
        return reply_json(exchange, 503, "{\"error\":\"failed on purpose\"}");
    }
    return reply_good(standin, exchange, path);
}

int standin_serve(struct standin *standin, jg_listener *listener) {
    const jg_http_server_options options = {.connections = 100000, .idle_ms = 300000};
    return jg_http_serve(listener, answer, standin, &options, &standin->stats);
}
