// SPDX-License-Identifier: MIT
/* server.c – accepting connections, and stopping.
 *
 * Holds      struct server, on the heap, from jg_http_serve's start to its end.
 * Invariant  when jg_http_serve returns, no connection of it is open and no task of it alive.
 * Called by  user code.
 * Why        the group waits for the connections' tasks; none of them fails it, since each keeps
 *            its failure to itself. Each runs in a shield, so that a cancel of the server reaches
 *            them when the server says so: the idle at once, the busy when their grace is over.
 */
#include "http/server.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/listener.h"
#include "rt/loop.h"
#include "task/task.h"

#include <string.h>

static void or_default(size_t *value, size_t otherwise) {
    *value = *value != 0 ? *value : otherwise;
}

static void or_default_ms(int64_t *value, int64_t otherwise) {
    *value = *value != 0 ? *value : otherwise;
}

static int resolve_options(jg_http_server_options *options) {
    or_default(&options->connections, 10000);
    or_default(&options->head_most, HTTP_REQUEST_HEAD_MAX);
    or_default(&options->target_most, HTTP_TARGET_MAX);
    or_default(&options->fields_most, HTTP_REQUEST_FIELDS_MAX);
    or_default(&options->body_most, (size_t)1 << 20);
    or_default_ms(&options->header_ms, 10000);
    or_default_ms(&options->idle_ms, 30000);
    or_default_ms(&options->write_ms, 30000);
    options->name = options->name != NULL ? options->name : "juggle/" JG_VERSION;
    bool sizes_fit = options->head_most <= HTTP_RESPONSE_HEAD_MAX &&
                     options->target_most <= UINT16_MAX && options->fields_most <= UINT16_MAX;
    struct http_bytes name = bytes_of(options->name);
    return sizes_fit && name.len <= SERVER_NAME_MOST && chars_all(name, CHARS_TEXT) ? 0 : -EINVAL;
}

/* Writes the line that stays, and leaves the date to the first who asks. */
static void begin_lines(struct server *server) {
    const char *name = server->options.name;
    char *end = server->lines;
    if (name[0] != '\0') {
        end = stpcpy(stpcpy(stpcpy(end, "Server: "), name), "\r\n");
    }
    end = stpcpy(end, "Date: ");
    server->lines_size = (size_t)(end - server->lines) + DATE_SIZE + 2;
    server->lines_until_ns = INT64_MIN;
}

static void write_date(struct server *server, int64_t now_ns) {
    struct timespec wall = {now_ns / JG_S, now_ns % JG_S};
    if (!sched_current()->loop->sim) { // a simulated world begins in 1970
        clock_gettime(CLOCK_REALTIME, &wall);
    }
    char *date = server->lines + server->lines_size - DATE_SIZE - 2;
    date_write(date, wall.tv_sec);
    memcpy(date + DATE_SIZE, "\r\n", 2);
    server->lines_until_ns = clock_add(now_ns, JG_S - wall.tv_nsec);
}

struct http_bytes server_lines(struct server *server, int64_t now_ns) {
    if (unlikely(now_ns >= server->lines_until_ns)) {
        write_date(server, now_ns);
    }
    return (struct http_bytes){server->lines, server->lines_size};
}

static int make_server(const jg_http_server_options *options, struct server **out_server) {
    struct server *server = mem_alloc_zero(sizeof(*server));
    if (server == NULL) {
        return -ENOMEM;
    }
    if (options != NULL) {
        server->options = *options;
    }
    int rc = resolve_options(&server->options);
    if (rc < 0) {
        mem_free(server);
        return rc;
    }
    server->stats = &server->own_stats;
    list_init(&server->connections);
    jg_sem_init(&server->places, server->options.connections);
    begin_lines(server);
    *out_server = server;
    return 0;
}

static void cancel_connections(struct server *server, bool busy_too) {
    struct list *head = &server->connections;
    for (struct list *node = head->next; node != head; node = node->next) {
        struct server_connection *c = container_of(node, struct server_connection, node);
        if (c->begun && (busy_too || !c->busy)) {
            jg_scope_cancel(&c->scope);
        }
    }
}

/* Lets requests under way finish within the grace, then cancels what is left. */
static void stop(struct server *server) {
    int64_t grace_ms = server->options.grace_ms;
    server->stopping = true;
    cancel_connections(server, grace_ms == 0);
    if (grace_ms == 0 || list_empty(&server->connections)) {
        return;
    }
    int64_t until_ns = grace_ms < 0 ? JG_NEVER : clock_add_ms(loop_now_ns(), grace_ms);
    jg_scope grace;
    jg_scope_open(&grace, JG_NEVER, true);
    jg_scope limit;
    jg_scope_open(&limit, until_ns, false);
    int rc = jg_event_wait(&server->empty);
    jg_scope_close(&limit, rc);
    jg_scope_close(&grace, 0);
    cancel_connections(server, true);
}

int jg_http_serve(jg_listener *listener, jg_http_handler *handler, void *arg,
                  const jg_http_server_options *options, jg_http_server_stats *stats) {
    if (sched_current()->loop == NULL) {
        return (int)error_bare(-ENXIO);
    }
    struct server *server;
    int rc = make_server(options, &server);
    if (rc < 0) {
        return (int)error_bare(rc);
    }
    server->handler = handler;
    server->arg = arg;
    server->stats = stats != NULL ? stats : &server->own_stats;
    *server->stats = (jg_http_server_stats){0};
    listener_hold(listener);
    jg_group_open(&server->group);
    rc = listener_accept_all(listener, &server->places, server_connection_start, server);
    stop(server);
    jg_group_close(&server->group, 0);
    listener_release(listener);
    must(list_empty(&server->connections));
    mem_free(server);
    return rc;
}
