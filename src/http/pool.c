// SPDX-License-Identifier: MIT
/* pool.c – see pool.h.
 *
 * Holds      nothing beyond the structs.
 * Invariant  connections of an origin <= slots of it that are held + idle ones <= limits.per_origin:
 *            one is opened only by who holds a slot and found none idle.
 * Called by  see pool.h.
 * Why        a list of origins, searched from the one used last: most programs talk to a few, and an
 *            origin without connections, waiters and cached URLs is freed.
 * Quirks     the connection used last is taken first, so that the rest can grow old and be closed.
 *            Without a loop there is no timer: old ones are closed when another is released.
 *            Within a millisecond of its last use a connection is taken unseen, to save the call.
 */
#include "http/pool.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/writer.h"

#include <errno.h>

enum {
    UNSEEN_NS = 1000 * 1000, // see Quirks
    NUMBERS_SIZE = 32,       // more than brackets, colon, port and NULs take
};

void pool_init(struct pool *pool, const struct pool_limits *limits) {
    *pool = (struct pool){.place = place_here(), .loop = sched_current()->loop, .limits = *limits};
    jg_sem_init(&pool->slots, limits->connections);
    list_init(&pool->origins);
    list_init(&pool->idle);
}

void pool_fini(struct pool *pool) {
    while (!list_empty(&pool->idle)) {
        pool_discard(container_of(pool->idle.next, struct connection, in_pool));
    }
    if (pool->loop != NULL) {
        timer_disarm(&pool->loop->timers, &pool->sweep);
    }
    must(pool->open == 0 && list_empty(&pool->origins));
    must(pool->slots.permits == pool->limits.connections);
}

// Origins.

/* The key of a URL; `path` has room for a socket's path. */
static struct pool_key key_of(const struct url *url, char path[URL_SOCKET_MAX + 1]) {
    struct pool_key key = {url->scheme, url->port, url->host, url->zone};
    if (url->scheme == URL_HTTP_UNIX) {
        ssize_t len = url_socket_write(url, path, URL_SOCKET_MAX + 1);
        must(len > 0);
        key.host = (struct http_bytes){path, (size_t)len};
    }
    return key;
}

/* `a` is an origin's. */
static bool key_equal(const struct pool_key *a, const struct pool_key *b) {
    if (a->scheme != b->scheme || a->port != b->port || a->host.len != b->host.len) {
        return false;
    }
    return a->scheme == URL_HTTP_UNIX
               ? memcmp(a->host.data, b->host.data, a->host.len) == 0
               : chars_equal_nocase(a->host, b->host) && chars_equal(a->zone, b->zone);
}

static struct origin *find(struct pool *pool, const struct pool_key *key) {
    for (struct list *node = pool->origins.next; node != &pool->origins; node = node->next) {
        struct origin *origin = container_of(node, struct origin, siblings);
        if (key_equal(&origin->key, key)) {
            return origin;
        }
    }
    return NULL;
}

/* Copies the host, in lower case, with its zone and a NUL behind it. Returns how many bytes that took. */
static size_t host_copy(struct pool_key *key, char *text) {
    for (size_t i = 0; i < key->host.len; i++) {
        char c = key->host.data[i];
        text[i] = key->scheme == URL_HTTP_UNIX ? c : chars_lower(c);
    }
    size_t len = key->host.len;
    if (key->zone.len > 0) {
        text[len++] = '%';
        memcpy(text + len, key->zone.data, key->zone.len);
        key->zone.data = text + len;
        len += key->zone.len;
    }
    text[len] = '\0';
    key->host.data = text;
    return len + 1;
}

/* Writes label and line; `url` has the lower-case host. */
static void texts_write(struct origin *origin, const struct url *url, char *text, size_t cap) {
    struct writer w = {.buf = text, .cap = cap};
    char host[URL_HOST_MAX + NUMBERS_SIZE];
    ssize_t len = url_host_write(url, host, sizeof host);
    must(len > 0);
    struct http_bytes authority = {host, (size_t)len};
    bool local = url->scheme == URL_HTTP_UNIX;
    origin->label = text;
    writer_add(&w, bytes_of(local ? "http+unix://" : "http://"));
    writer_add(&w, local ? origin->key.host : authority);
    writer_add(&w, (struct http_bytes){"", 1});
    origin->line.data = text + w.len;
    writer_add(&w, bytes_of(" HTTP/1.1\r\nHost: "));
    writer_add(&w, authority);
    writer_add(&w, bytes_of("\r\n"));
    must(writer_end(&w) > 0);
    origin->line.len = (size_t)(text + w.len - origin->line.data);
}

static struct origin *make(struct pool *pool, const struct url *url, const struct pool_key *key) {
    const size_t fixed = sizeof("http+unix://") + sizeof(" HTTP/1.1\r\nHost: localhost\r\n");
    size_t size = key->host.len * 3 + key->zone.len + fixed + (size_t)2 * NUMBERS_SIZE;
    struct origin *origin = mem_alloc(sizeof(*origin) + size);
    if (origin == NULL) {
        return NULL;
    }
    *origin = (struct origin){.pool = pool, .key = *key};
    list_init(&origin->idle);
    jg_sem_init(&origin->slots, pool->limits.per_origin);
    size_t used = host_copy(&origin->key, origin->text);
    struct url own = *url;
    if (url->scheme != URL_HTTP_UNIX) {
        own.host = origin->key.host;
    }
    texts_write(origin, &own, origin->text + used, size - used);
    return origin;
}

int pool_origin(struct pool *pool, const struct url *url, struct origin **out_origin) {
    char path[URL_SOCKET_MAX + 1];
    struct pool_key key = key_of(url, path);
    struct origin *origin = find(pool, &key);
    if (origin != NULL) {
        list_remove(&origin->siblings);
    } else {
        origin = make(pool, url, &key);
    }
    if (origin == NULL) {
        return -ENOMEM;
    }
    list_append(pool->origins.next, &origin->siblings);
    origin->refs++;
    *out_origin = origin;
    return 0;
}

void origin_drop(struct origin *origin) {
    must(origin->refs > 0);
    if (--origin->refs > 0) {
        return;
    }
    must(list_empty(&origin->idle) && origin->slots.permits == origin->pool->limits.per_origin);
    list_remove(&origin->siblings);
    mem_free(origin);
}

// Slots.

bool pool_try_admit(struct origin *origin) {
    if (jg_sem_try(&origin->slots) < 0) {
        return false;
    }
    if (jg_sem_try(&origin->pool->slots) < 0) {
        jg_sem_release(&origin->slots);
        return false;
    }
    return true;
}

int pool_admit(struct origin *origin) {
    if (origin->pool->loop == NULL) {
        return pool_try_admit(origin) ? 0 : -EDEADLK;
    }
    int rc = jg_sem_acquire(&origin->slots);
    if (rc < 0) {
        return rc;
    }
    rc = jg_sem_acquire(&origin->pool->slots);
    if (rc < 0) {
        jg_sem_release(&origin->slots);
    }
    return rc;
}

void pool_leave(struct origin *origin) {
    jg_sem_release(&origin->pool->slots);
    jg_sem_release(&origin->slots);
}

// Connections.

static bool too_old(int64_t since_ns, int64_t now_ns, int64_t limit_ms) {
    return limit_ms >= 0 && now_ns >= clock_add_ms(since_ns, limit_ms);
}

static void leave_idle(struct connection *connection) {
    list_remove(&connection->in_origin);
    list_remove(&connection->in_pool);
}

void pool_discard(struct connection *connection) {
    struct origin *origin = connection->origin;
    leave_idle(connection);
    jg_stream_close(connection->stream);
    mem_free(connection);
    origin->pool->open--;
    origin_drop(origin);
}

/* Whether an idle connection may serve again. */
static bool is_fit(const struct connection *connection, int64_t now_ns) {
    const struct pool *pool = connection->origin->pool;
    if (too_old(connection->idle_ns, now_ns, pool->limits.keep_ms) ||
        too_old(connection->opened_ns, now_ns, pool->limits.age_ms)) {
        return false;
    }
    bool unseen = now_ns - connection->idle_ns < UNSEEN_NS;
    return unseen || jg_stream_idle_ok(connection->stream);
}

struct connection *pool_take_idle(struct origin *origin, int64_t now_ns) {
    while (!list_empty(&origin->idle)) {
        struct connection *connection = container_of(origin->idle.prev, struct connection,
                                                     in_origin);
        if (is_fit(connection, now_ns)) {
            leave_idle(connection);
            return connection;
        }
        pool_discard(connection); // the caller refers to the origin: it stays
    }
    return NULL;
}

static int stream_open(const struct origin *origin, jg_stream **out_stream) {
    const struct pool_key *key = &origin->key;
    return key->scheme == URL_HTTP_UNIX ? jg_unix_connect(key->host.data, out_stream)
                                        : jg_tcp_connect(key->host.data, key->port, out_stream);
}

int pool_connect(struct origin *origin, struct connection **out_connection) {
    struct pool *pool = origin->pool;
    struct connection *connection = mem_alloc_zero(sizeof(*connection));
    if (connection == NULL) {
        return -ENOMEM;
    }
    if (pool->open == pool->limits.connections) {
        must(!list_empty(&pool->idle)); // as we hold a slot, at least one is not in use
        pool_discard(container_of(pool->idle.next, struct connection, in_pool));
    }
    pool->open++;
    int rc = stream_open(origin, &connection->stream);
    if (rc < 0) {
        pool->open--;
        mem_free(connection);
        return rc;
    }
    connection->origin = origin;
    origin->refs++;
    list_init(&connection->in_origin);
    list_init(&connection->in_pool);
    connection->opened_ns = loop_now_ns();
    *out_connection = connection;
    return 0;
}

/* Closes what has been idle for too long. */
static void close_old(struct pool *pool, int64_t now_ns) {
    while (!list_empty(&pool->idle)) {
        struct connection *oldest = container_of(pool->idle.next, struct connection, in_pool);
        if (!too_old(oldest->idle_ns, now_ns, pool->limits.keep_ms)) {
            return;
        }
        pool_discard(oldest);
    }
}

static void sweep_strikes(jg_timer *timer);

/* Sees to it that the oldest is looked at in time. */
static void sweep_arm(struct pool *pool) {
    if (pool->loop == NULL || pool->limits.keep_ms < 0 || pool->sweep.index != 0 ||
        list_empty(&pool->idle)) {
        return;
    }
    const struct connection *oldest = container_of(pool->idle.next, struct connection, in_pool);
    int64_t when_ns = clock_add_ms(oldest->idle_ns, pool->limits.keep_ms);
    // Without memory for the timer nothing is lost: the next release tries again.
    (void)timer_arm(&pool->loop->timers, &pool->sweep, when_ns, sweep_strikes);
}

static void sweep_strikes(jg_timer *timer) {
    struct pool *pool = container_of(timer, struct pool, sweep);
    close_old(pool, loop_now_ns());
    sweep_arm(pool);
}

void pool_release(struct connection *connection, bool keep) {
    struct origin *origin = connection->origin;
    struct pool *pool = origin->pool;
    if (!keep) {
        pool_leave(origin);
        pool_discard(connection);
        return;
    }
    connection->reused = true;
    connection->idle_ns = loop_now_ns();
    list_append(&origin->idle, &connection->in_origin);
    list_append(&pool->idle, &connection->in_pool);
    pool_leave(origin);
    if (pool->loop == NULL) {
        close_old(pool, connection->idle_ns);
    } else {
        sweep_arm(pool);
    }
}
