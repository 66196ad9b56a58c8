// SPDX-License-Identifier: MIT
/* client.c – jg_http_client: opening, closing, and sending a request.
 *
 * Holds      struct jg_http_client.
 * Invariant  `last` holds a URL that parsed, with a reference to its origin.
 * Called by  user code. Calls exchange.c.
 * Why        a URL is taken apart once as long as the same one is asked for: programs that make
 *            thousands of requests mostly ask one or a few.
 */
#include "http/client_priv.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>

enum {
    CONNECTIONS = 64,
    CONNECTIONS_PER_ORIGIN = 8,
    CONNECT_MS = 10 * 1000,
    FIRST_BYTE_MS = 30 * 1000,
    IDLE_MS = 30 * 1000,
    TOTAL_MS = 300 * 1000,
    KEEP_MS = 15 * 1000,
    AGE_MS = 600 * 1000,
    BODY_MOST = 64 << 20,
    HEAD_LEAST = 64, // a limit below this is a mistake
};

static const char close_field[] = "Connection: close\r\n";
static const char agent_start[] = "User-Agent: ";

// Opening and closing.

/* A size: 0 is the default. */
static size_t size_or(size_t given, size_t otherwise) {
    return given != 0 ? given : otherwise;
}

/* A time limit: 0 is the default, -1 is none. */
static int64_t limit_or(int64_t given_ms, int64_t otherwise_ms) {
    return given_ms != 0 ? given_ms : otherwise_ms;
}

static bool times_ok(const jg_http_client_options *options) {
    return options->connect_ms >= -1 && options->first_byte_ms >= -1 && options->idle_ms >= -1 &&
           options->total_ms >= -1 && options->keep_ms >= -1 && options->age_ms >= -1;
}

static int check_options(const jg_http_client_options *options) {
    if (!times_ok(options)) {
        return (int)jg_fail(-EINVAL, "a time limit of a client is neither -1 nor a number of ms");
    }
    if (options->head_most > HTTP_RESPONSE_HEAD_MAX ||
        (options->head_most != 0 && options->head_most < HEAD_LEAST)) {
        return (int)jg_fail(-EINVAL, "head_most of a client is not between %d and %d", HEAD_LEAST,
                            HTTP_RESPONSE_HEAD_MAX);
    }
    if (options->user_agent != NULL && !chars_all(bytes_of(options->user_agent), CHARS_TEXT)) {
        return (int)jg_fail(-EINVAL, "user_agent of a client has a line end or control byte in it");
    }
    return 0;
}

static void set_options(jg_http_client *client, const jg_http_client_options *options) {
    const struct pool_limits limits = {
        .connections = size_or(options->connections, CONNECTIONS),
        .per_origin = size_or(options->connections_per_origin, CONNECTIONS_PER_ORIGIN),
        .keep_ms = limit_or(options->keep_ms, KEEP_MS),
        .age_ms = limit_or(options->age_ms, AGE_MS),
    };
    pool_init(&client->pool, &limits);
    client->limits_ms[LIMIT_CONNECT] = limit_or(options->connect_ms, CONNECT_MS);
    client->limits_ms[LIMIT_FIRST_BYTE] = limit_or(options->first_byte_ms, FIRST_BYTE_MS);
    client->limits_ms[LIMIT_IDLE] = limit_or(options->idle_ms, IDLE_MS);
    client->limits_ms[LIMIT_TOTAL] = limit_or(options->total_ms, TOTAL_MS);
    client->head_most = size_or(options->head_most, HTTP_RESPONSE_HEAD_MAX);
    client->body_most = size_or(options->body_most, BODY_MOST);
    client->no_keep_alive = options->no_keep_alive;
}

/* Writes the field lines that are the same in every request. */
static void set_fields(jg_http_client *client, struct http_bytes agent) {
    char *end = client->text;
    client->agent.data = end;
    if (agent.len > 0) {
        end = stpcpy(end, agent_start);
        end = (char *)mempcpy(end, agent.data, agent.len);
        end = stpcpy(end, "\r\n");
    }
    client->agent.len = (size_t)(end - client->agent.data);
    client->own_fields.data = end;
    client->own_fields.len = client->no_keep_alive ? sizeof close_field - 1 : 0;
    memcpy(end, close_field, client->own_fields.len);
}

int jg_http_client_open(const jg_http_client_options *options, jg_http_client **out_client) {
    static const jg_http_client_options none;
    options = options != NULL ? options : &none;
    int rc = check_options(options);
    if (rc < 0) {
        return rc;
    }
    const char *name = options->user_agent != NULL ? options->user_agent : "juggle/" JG_VERSION;
    struct http_bytes agent = chars_trim(bytes_of(name));
    size_t size = sizeof agent_start + agent.len + sizeof "\r\n" + sizeof close_field;
    jg_http_client *client = mem_alloc_zero(sizeof(*client) + size);
    if (client == NULL) {
        return (int)jg_fail(-ENOMEM, "no memory for an HTTP client");
    }
    set_options(client, options);
    set_fields(client, agent);
    *out_client = client;
    return 0;
}

static int check_place(const jg_http_client *client) {
    return place_check(sched_current(), client->pool.place, "an HTTP client");
}

static void forget_last(struct last_url *last) {
    if (last->origin != NULL) {
        origin_drop(last->origin);
        last->origin = NULL;
    }
}

void jg_http_client_close(jg_http_client *client) {
    if (client == NULL) {
        return;
    }
    (void)check_place(client); // a forked child's copy is its own to close
    if (client->busy > 0) {
        check_misuse("an HTTP client was closed with %zu requests or responses of it still open",
                     client->busy);
    }
    forget_last(&client->last);
    pool_fini(&client->pool);
    response_free_spares(client);
    mem_free(client->last.text);
    mem_free(client->scratch);
    mem_free(client);
}

// URLs.

/* `bytes`, which lie in `from`, at the same place in `to`. */
static struct http_bytes moved(struct http_bytes bytes, const char *from, size_t len,
                               const char *to) {
    bool inside = bytes.data >= from && bytes.data < from + len;
    return inside ? (struct http_bytes){to + (bytes.data - from), bytes.len} : bytes;
}

/* Remembers a URL. It is an economy: without memory for it nothing is remembered. */
static void remember(jg_http_client *client, const char *text, size_t len,
                     const struct target *target) {
    struct last_url *last = &client->last;
    forget_last(last);
    if (len + 1 > last->cap) {
        char *bigger = mem_resize(last->text, len + 1);
        if (bigger == NULL) {
            return;
        }
        last->text = bigger;
        last->cap = len + 1;
    }
    memcpy(last->text, text, len + 1);
    last->len = len;
    last->path = moved(target->path, text, len, last->text);
    last->query = moved(target->query, text, len, last->text);
    last->origin = target->origin;
    last->origin->refs++;
}

static int parse_target(jg_http_client *client, const char *text, size_t len,
                        struct target *target) {
    struct url url;
    enum url_error error;
    if (url_parse(&url, (struct http_bytes){text, len}, &error) < 0) {
        return (int)jg_fail(-EINVAL, "bad URL: %s", url_error_text(error));
    }
    if (url.scheme == URL_HTTPS) {
        return (int)jg_fail(-EPROTONOSUPPORT, "https is not supported");
    }
    int rc = pool_origin(&client->pool, &url, &target->origin);
    if (rc < 0) {
        return rc;
    }
    target->path = url.path;
    target->query = url.query;
    remember(client, text, len, target);
    return 0;
}

/* Takes the URL apart, whose text must live as long as the target. */
static int target_open(jg_http_client *client, const char *text, struct target *target) {
    const struct last_url *last = &client->last;
    size_t len = strlen(text);
    if (last->origin == NULL || len != last->len || memcmp(text, last->text, len) != 0) {
        return parse_target(client, text, len, target);
    }
    target->origin = last->origin;
    target->origin->refs++;
    target->path = moved(last->path, last->text, len, text);
    target->query = moved(last->query, last->text, len, text);
    return 0;
}

// Sending.

int jg_http_send(jg_http_client *client, const jg_http_request *request,
                 jg_http_response **out_response) {
    int rc = check_place(client);
    rc = rc < 0 ? rc : suspend_check(sched_current());
    if (rc < 0) {
        return rc;
    }
    struct exchange x;
    x.client = client;
    x.request = request;
    x.method = request->method != NULL ? request->method : "GET";
    x.method_id = parse_method(bytes_of(x.method));
    x.connection = NULL;
    x.heard = x.source_called = x.source_failed = false;
    rc = request_check(request, x.method_id);
    if (rc < 0) {
        return rc;
    }
    rc = target_open(client, request->url, &x.target);
    if (rc < 0) {
        return rc;
    }
    client->busy++;
    rc = exchange_run(&x, out_response);
    client->busy--;
    origin_drop(x.target.origin);
    return rc;
}

int jg_http_get(jg_http_client *client, const char *url, jg_http_response **out_response) {
    const jg_http_request request = {.url = url};
    jg_http_response *response;
    int rc = jg_http_send(client, &request, &response);
    if (rc < 0) {
        return rc;
    }
    rc = response_gather(response);
    if (rc < 0) {
        jg_http_response_close(response);
        return rc;
    }
    *out_response = response;
    return 0;
}
