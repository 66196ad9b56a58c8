// SPDX-License-Identifier: MIT
/* pool.h – which connections are open, to whom, and who may have one.
 *
 * Holds      struct pool, its origins (struct origin: one scheme, host and port), their connections
 *            (struct connection), and the slots that bound how many are in use.
 * Invariant  a task holds one slot of its origin and one of the pool from pool_admit to pool_leave or
 *            pool_release. Connections of an origin, idle ones included, never outnumber its slots;
 *            connections of the pool never outnumber the pool's.
 * Called by  exchange.c (takes and connects), response.c (releases), client.c (opens and closes).
 * Why        slots are semaphores: first come, first served, handed over at the release, so that no
 *            newcomer overtakes and no cancel loses one. Connections need no queue of their own: who
 *            has a slot takes an idle one or makes one.
 */
#ifndef HTTP_POOL_H
#define HTTP_POOL_H

#include "base/list.h"
#include "http/url.h"
#include "rt/loop.h"

#include <juggle/stream.h>
#include <juggle/sync.h>

struct pool_limits {
    size_t connections; // open at most, in all
    size_t per_origin;
    int64_t keep_ms; // how long an idle one is kept; -1: for ever
    int64_t age_ms;  // how long any is used; -1: for ever
};

struct pool {
    uint64_t place;    // it belongs to; see place_here
    struct loop *loop; // of that place; NULL: a thread without one
    struct pool_limits limits;
    jg_sem slots;        // those of `limits.connections` that nobody holds
    size_t open;         // connections, idle ones and those being made included
    struct list origins; // used last comes first
    struct list idle;    // connections, idle for longest first
    jg_timer sweep;      // when the first of them has been idle for too long; only in a loop
};

/* All that requests must have in common to share a connection. */
struct pool_key {
    enum url_scheme scheme;
    uint16_t port;          // 0 for a Unix socket
    struct http_bytes host; // lower case; for a Unix socket its path, decoded
    struct http_bytes zone; // see struct url
};

struct origin {
    struct list siblings; // pool.origins
    struct pool *pool;
    struct pool_key key;    // its host ends in NUL, or in "%eth0" and NUL if it has a zone
    size_t refs;            // connections, tasks and cached URLs that point here
    jg_sem slots;           // those of `limits.per_origin` that nobody holds
    struct list idle;       // connections, idle for longest first
    const char *label;      // for people: "http://127.0.0.1:8080"
    struct http_bytes line; // " HTTP/1.1", line end, Host field: the same in every request
    char text[];            // what the above point to
};

struct connection {
    jg_stream *stream;
    struct origin *origin;
    struct list in_origin; // origin.idle
    struct list in_pool;   // pool.idle
    int64_t opened_ns;
    int64_t idle_ns; // idle since
    bool reused;     // has served before
};

/* Makes an empty pool for the current loop or thread. */
void pool_init(struct pool *pool, const struct pool_limits *limits);

/* Closes the idle connections. No slot and no reference may be held. */
void pool_fini(struct pool *pool);

/* Finds or makes the origin of a URL that is http or http+unix.
 *
 * Returns  0; -ENOMEM. Owns: gives a reference, for origin_drop. */
int pool_origin(struct pool *pool, const struct url *url, struct origin **out_origin);

/* Gives a reference back; an origin nobody refers to is freed. */
void origin_drop(struct origin *origin);

/* Takes the slots for one connection if they are free and nobody waits for them. */
bool pool_try_admit(struct origin *origin);

/* Takes them, waiting behind all who came before.
 *
 * Returns  0; -ECANCELED; -EDEADLK without a loop, where nobody could ever give one back. */
int pool_admit(struct origin *origin);

/* Gives the slots back: to whoever has waited longest. */
void pool_leave(struct origin *origin);

/* Takes the connection that became idle last, if it is still fit; those that are not are closed.
 * Returns NULL when there is none. The caller has the slots. */
struct connection *pool_take_idle(struct origin *origin, int64_t now_ns);

/* Opens a connection; if there are too many, the one that has been idle for longest is closed first.
 * The caller has the slots, also after a failure.
 *
 * Returns  0; the errors of connecting; -ENOMEM; -ECANCELED. */
int pool_connect(struct origin *origin, struct connection **out_connection);

/* Closes the connection; the caller keeps its slots. */
void pool_discard(struct connection *connection);

/* Ends the use of a connection: keeps it for others or closes it, and gives the slots back. */
void pool_release(struct connection *connection, bool keep);

#endif
