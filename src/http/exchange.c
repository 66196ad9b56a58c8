// SPDX-License-Identifier: MIT
/* exchange.c – one request and the head of its answer: find a connection, send, listen.
 *
 * Holds      what the time limits are called.
 * Invariant  from the first wait to the last one scope is open, with the one deadline that comes
 *            first; `limit` says which that is. Whatever fails, slots and connection are given back.
 * Called by  client.c. Calls pool, request_write.c, response.c.
 * Why        one timer per exchange: with a kept connection it is armed once, for the first byte;
 *            it is moved only when something takes longer than a moment.
 * Quirks     a connection that has served before may be closed by the peer just as we send. Nothing
 *            of an answer came then, and a request that may be repeated is sent again, once, on a
 *            new connection. One that may not is sent again only if not a byte of it had gone.
 *            An answer to a long request is heard while it is being sent: a task listens. Without a loop
 *            there is none, and it is read only when all is sent or the sending fails.
 */
#include "http/client_priv.h"

#include "base/check.h"
#include "base/clock.h"

#include <juggle/group.h>

#include <errno.h>

enum { BODY_SHORT = 16 * 1024 }; // a body that the kernel takes at once, read or not

// What was being waited for, and the option that sets the limit.
static const struct limit_text {
    const char *what;
    const char *option;
} limit_texts[LIMIT_COUNT] = {
    [LIMIT_CONNECT] = {"no connection", "connect_ms"},
    [LIMIT_FIRST_BYTE] = {"no first byte of an answer", "first_byte_ms"},
    [LIMIT_IDLE] = {"nothing moved", "idle_ms"},
    [LIMIT_TOTAL] = {"the whole was not done", "total_ms"},
};

// Time limits.

int64_t client_limit_point(const jg_http_client *client, enum client_limit which, int64_t now_ns,
                           int64_t total_ns, enum client_limit *out_limit) {
    int64_t limit_ms = client->limits_ms[which];
    int64_t when_ns = limit_ms < 0 ? JG_NEVER : clock_add_ms(now_ns, limit_ms);
    *out_limit = when_ns < total_ns ? which : LIMIT_TOTAL;
    return when_ns < total_ns ? when_ns : total_ns;
}

int client_limit_fail(const jg_http_client *client, const char *label, enum client_limit limit) {
    const struct limit_text *text = &limit_texts[limit];
    return (int)jg_fail(-ETIMEDOUT, "%s: %s within %lld ms (%s)", label, text->what,
                        (long long)client->limits_ms[limit], text->option);
}

void exchange_limit(struct exchange *x, enum client_limit which) {
    int64_t when_ns = client_limit_point(x->client, which, loop_now_ns(), x->total_ns, &x->limit);
    jg_scope_reschedule(&x->scope, when_ns); // one that has struck stays struck
}

// Connecting.

static int connect_new(struct exchange *x) {
    exchange_limit(x, LIMIT_CONNECT);
    int rc = pool_connect(x->target.origin, &x->connection);
    if (rc == 0) {
        exchange_limit(x, LIMIT_FIRST_BYTE);
    }
    return rc;
}

/* Waits for its turn, then takes a connection that is idle or makes one. */
static int find_connection(struct exchange *x) {
    struct origin *origin = x->target.origin;
    if (!x->admitted) {
        int rc = pool_admit(origin);
        if (rc == -EDEADLK) {
            return (int)jg_fail(rc, "%s: all connections are held by responses of this thread",
                                origin->label);
        }
        if (rc < 0) {
            return rc;
        }
        x->admitted = true;
        x->connection = pool_take_idle(origin, loop_now_ns());
    }
    if (x->connection == NULL) {
        return connect_new(x);
    }
    exchange_limit(x, LIMIT_FIRST_BYTE);
    return 0;
}

// The head of the answer.

static int refused(const struct exchange *x) {
    enum http_error error = (enum http_error)x->head.error;
    return (int)jg_fail(parse_error_errno(error), "%s: bad answer: %s", x->target.origin->label,
                        parse_error_text(error));
}

/* The stream ended, or failed, before the head was complete. */
static int head_cut_off(const struct exchange *x, int rc) {
    const char *label = x->target.origin->label;
    if (rc == -ECANCELED) {
        return rc;
    }
    if (rc == 0 || rc == -ENODATA) {
        return (int)jg_fail(-EPIPE, "%s: connection closed %s", label,
                            x->heard ? "inside the head of an answer" : "without an answer");
    }
    return (int)jg_fail(rc, "%s: reading the head of an answer: %s", label, strerrordesc_np(-rc));
}

/* Waits for more of the head than `held` bytes. */
static int head_more(struct exchange *x, size_t held) {
    if (x->heard) {
        exchange_limit(x, LIMIT_IDLE);
    }
    char *data;
    ssize_t got = jg_stream_fill(x->connection->stream, HTTP_RESPONSE_HEAD_MAX, &data);
    x->heard = x->heard || got > (ssize_t)held;
    return got > 0 ? 0 : head_cut_off(x, (int)got);
}

/* Reads up to the end of the final head, which is left in the stream's buffer. */
static int head_read(struct exchange *x) {
    jg_stream *stream = x->connection->stream;
    struct http_head *head = &x->head;
    parse_response_init(head, NULL, 0);
    head->size_max = (uint32_t)x->client->head_most;
    for (;;) {
        char *data;
        size_t held = jg_stream_peek(stream, &data);
        ssize_t size = held > 0 ? parse_head(head, data, held) : 0;
        int rc = size < 0 ? refused(x) : size == 0 ? head_more(x, held) : 0;
        if (rc < 0) {
            return rc;
        }
        if (size == 0) {
            continue;
        }
        if (!parse_is_interim(head)) {
            break;
        }
        if (parse_interim_next(head) < 0) {
            return refused(x);
        }
        jg_stream_take(stream, (size_t)size);
    }
    if (head->status == 101) {
        return (int)jg_fail(-EPROTO, "%s: bad answer: 101 without having been asked",
                            x->target.origin->label);
    }
    return 0;
}

// The whole.

static bool cut_off(int rc) {
    return rc == -EPIPE || rc == -ECONNRESET;
}

static bool sent_any(const struct exchange *x) {
    return jg_stream_sent(x->connection->stream) != x->sent_before;
}

static int send_failed(const struct exchange *x, int rc) {
    if (rc == -ECANCELED || rc == -ENOMEM || x->source_failed) {
        return rc; // says enough, or has a text already
    }
    return (int)jg_fail(rc, "%s: sending the request: %s", x->target.origin->label,
                        strerrordesc_np(-rc));
}

/* Whether the sending failed by itself, and no answer can explain it. */
static bool fails_alone(const struct exchange *x, int sent) {
    return sent < 0 && (!cut_off(sent) || x->source_failed || !sent_any(x));
}

/* What the exchange comes to: `sent` is what the sending did, `rc` the listening. */
static int conclude(struct exchange *x, int sent, int rc) {
    if (sent < 0 && sent != -ECANCELED && rc < 0 && rc != -ECANCELED && !x->heard) {
        return send_failed(x, sent);
    }
    if (sent < 0 || x->client->no_keep_alive) {
        x->head.flags |= HTTP_FLAG_CLOSE;
    }
    return rc;
}

/* A task that listens while the request is still being sent. */
struct listening {
    struct exchange *x;
    jg_group group;
    bool answered;
};

static intptr_t hear(void *arg) {
    struct listening *listening = arg;
    int rc = head_read(listening->x);
    if (rc == 0) {
        listening->answered = true;
        jg_group_cancel(&listening->group); // whoever has answered need not read the rest
    }
    return rc;
}

/* Sends, and listens at the same time. */
static int converse_both(struct exchange *x) {
    struct listening listening = {.x = x};
    jg_group *group = &listening.group;
    jg_group_open(group);
    int rc = jg_group_spawn(group, hear, &listening);
    int sent = rc < 0 ? rc : request_send(x);
    bool alone = rc == 0 && !listening.answered && sent != -ECANCELED && fails_alone(x, sent);
    if (sent == -ECANCELED) {
        jg_group_cancel(group); // also if only the source was
    }
    rc = alone ? send_failed(x, sent) : rc;
    rc = (int)jg_group_close(group, rc);
    if (rc == 0 && !listening.answered) {
        if (sent < 0) {
            return sent;
        }
        rc = head_read(x); // somebody cancelled the task that listened, and nobody else
    }
    return alone ? rc : conclude(x, sent, rc);
}

/* Sends and listens. A peer may answer, and close, before it has read all we send: then its answer counts,
 * and the connection does not. */
static int converse(struct exchange *x) {
    bool is_long = x->request->source != NULL || x->request->body_size > BODY_SHORT;
    x->sent_before = jg_stream_sent(x->connection->stream);
    if (is_long && sched_current()->loop != NULL) {
        return converse_both(x);
    }
    int sent = request_send(x);
    if (fails_alone(x, sent)) {
        return send_failed(x, sent);
    }
    return conclude(x, sent, head_read(x));
}

static bool is_idempotent(enum http_method method) {
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_PUT ||
           method == HTTP_DELETE || method == HTTP_OPTIONS || method == HTTP_TRACE;
}

/* Whether a failure means no more than that a kept connection was dead. */
static bool may_retry(const struct exchange *x, int rc) {
    if (!cut_off(rc) || x->heard || x->source_called || !x->connection->reused) {
        return false;
    }
    return is_idempotent(x->method_id) || !sent_any(x);
}

static int send_and_listen(struct exchange *x) {
    int rc = x->connection != NULL ? 0 : find_connection(x);
    if (rc < 0) {
        return rc;
    }
    rc = converse(x);
    if (rc < 0 && may_retry(x, rc)) {
        pool_discard(x->connection);
        x->connection = NULL;
        rc = connect_new(x);
        rc = rc < 0 ? rc : converse(x);
    }
    return rc;
}

/* Gives back what a failed exchange holds. */
static void give_up(struct exchange *x) {
    if (x->connection != NULL) {
        pool_release(x->connection, false);
    } else if (x->admitted) {
        pool_leave(x->target.origin);
    }
}

/* Takes what can be had without waiting, and opens the scope with the deadline that then holds. */
static void begin(struct exchange *x) {
    int64_t now_ns = loop_now_ns();
    const int64_t total_ms = x->client->limits_ms[LIMIT_TOTAL];
    x->total_ns = total_ms < 0 ? JG_NEVER : clock_add_ms(now_ns, total_ms);
    int64_t when_ns = x->total_ns;
    x->limit = LIMIT_TOTAL;
    x->admitted = pool_try_admit(x->target.origin);
    if (x->admitted) {
        x->connection = pool_take_idle(x->target.origin, now_ns);
    }
    if (x->connection != NULL) {
        when_ns = client_limit_point(x->client, LIMIT_FIRST_BYTE, now_ns, x->total_ns, &x->limit);
    }
    jg_scope_open(&x->scope, when_ns, false);
}

int exchange_run(struct exchange *x, jg_http_response **out_response) {
    begin(x);
    int rc = send_and_listen(x);
    int closed = (int)jg_scope_close(&x->scope, rc);
    if (rc == -ECANCELED && closed == -ETIMEDOUT) {
        closed = client_limit_fail(x->client, x->target.origin->label, x->limit);
    }
    closed = closed < 0 ? closed : response_make(x, out_response);
    if (closed < 0) {
        give_up(x);
    }
    return closed;
}
