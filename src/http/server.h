// SPDX-License-Identifier: MIT
/* server.h – what the server_*.c files share: a server, its connections, one exchange.
 *
 * Holds      struct server, for as long as jg_http_serve runs; struct server_connection, one per
 *            open connection; struct jg_http_exchange, one request and its reply, on the connection
 *            task's stack.
 * Invariant  a connection is in its server's list, counted in stats.open and holds one of its
 *            places exactly as long as it exists. At most one reply is sent per request.
 * Called by  server.c (accepts, stops), server_connection.c (one connection's life),
 *            server_exchange.c (the request), server_reply.c (the reply).
 * Why        a connection that waits has a task parked in a read and no buffer: a request's head is
 *            copied out of the stream's before the handler runs, so that a handler may wait, read
 *            the body and still look at the head. The copy, and everything down to the read, fits
 *            in the stack's first page.
 * Quirks     heads above TEXT_INLINE bytes, or of more than FIELDS_INLINE fields, are allocated.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/list.h"
#include "http/date.h"
#include "http/headers.h"
#include "http/limit.h"
#include "http/parse.h"
#include "rt/loop.h"

#include <juggle/group.h>
#include <juggle/http.h>
#include <juggle/sync.h>

enum {
    SERVER_NAME_MOST = 128, // bytes of the Server header
    SERVER_LINES_MOST = SERVER_NAME_MOST + DATE_SIZE + 32,
    TEXT_INLINE = 512,
    FIELDS_INLINE = 24,
    DRAIN_MOST = 64 * 1024, // bytes of a body nobody read that are worth a kept connection
};

struct server {
    jg_http_handler *handler;
    void *arg;
    jg_http_server_options options; // none of them 0 for "default" any more
    jg_http_server_stats *stats;    // the caller's, or the next
    jg_http_server_stats own_stats;
    jg_group group;          // the connections' tasks
    struct list connections; // newest last
    jg_sem places;           // how many more connections there may be
    jg_event empty;          // set when the last connection ends
    bool stopping;           // requests under way are the last

    // "Server: …\r\nDate: …\r\n", written anew once a second.
    int64_t lines_until_ns; // on the loop's clock
    size_t lines_size;
    char lines[SERVER_LINES_MOST];
};

struct server_connection {
    struct list node;
    struct server *server;
    jg_stream *stream;
    struct limit limit;
    jg_scope scope;   // a shield: only the server cancels what runs inside
    uint64_t seen_in; // bytes already in the statistics
    uint64_t seen_out;
    uint32_t requests; // heads read
    bool begun;        // `scope` is open
    bool busy;         // a handler runs
    bool linger;       // the peer may still be sending: let it see the reply before the end
};

enum server_reply {
    REPLY_NONE,
    REPLY_BEGUN, // its head was sent, pieces follow
    REPLY_ENDED, // nothing follows, whether it could be sent or not
};

struct jg_http_exchange {
    struct server_connection *connection;
    struct http_head head;
    struct http_body body;
    char *text;       // the head: `inline_text`, or allocated; spans of `head` lie in it
    const char *path; // inside `text`, but for the "/" that an absolute target may lack
    const char *query;
    struct headers headers; // added to the reply
    char *gathered;         // the body, as far as jg_http_request_body has read it; or NULL
    size_t gathered_size;
    size_t gathered_cap;
    int body_error;  // what reading the body failed with, or 0
    int write_error; // what sending failed with, or 0
    uint8_t reply;   // enum server_reply
    bool keep;       // the connection may carry another exchange
    bool close;      // the handler, or what happened, wants the connection closed
    bool chunked;    // the reply that was begun
    bool bodyless;   // the reply has no body, whatever is written
    bool read_begun; // the handler has asked for the body
    struct http_field fields[FIELDS_INLINE];
    char inline_text[TEXT_INLINE];
};

/* Whether the exchange is of this thread's loop, see place_check, and no task waits with it: -EBUSY. */
static inline int exchange_check(const struct jg_http_exchange *x) {
    const struct limit *limit = &x->connection->limit;
    int rc = place_check(sched_current(), limit->loop->number, "an HTTP exchange");
    return rc == 0 && unlikely(limit->begun) ? (int)error_bare(-EBUSY) : rc;
}

// server.c

/* The lines every reply has, as of `now_ns`. Valid until the next call. */
struct http_bytes server_lines(struct server *server, int64_t now_ns);

// server_connection.c

/* Makes a connection of the struct server and starts its task. Takes the stream and the place.
 *
 * Returns  0; -ENOMEM, -EAGAIN, and the connection is closed. */
int server_connection_start(void *server, jg_stream *stream);

// server_exchange.c

/* Prepares an exchange whose head is about to be read. */
void server_exchange_init(struct jg_http_exchange *exchange, struct server_connection *connection);

/* Takes over the complete head at `data`, copying it. Returns 0 or -ENOMEM. */
int server_exchange_take(struct jg_http_exchange *exchange, const char *data);

/* Frees what an exchange has allocated. */
void server_exchange_fini(struct jg_http_exchange *exchange);

/* Reads and drops what is left of the body. Returns whether that brought its end in sight. */
JG_SUSPENDS bool server_exchange_drain(struct jg_http_exchange *exchange);

/* Whether the rest of the body is worth waiting for, if the connection could be kept for it. */
bool server_exchange_drainable(const struct jg_http_exchange *exchange);

// server_reply.c

/* Answers in the server's own name and has the connection closed. No reply may have been begun. */
JG_SUSPENDS void server_reply_refuse(struct jg_http_exchange *exchange, int status,
                                     const char *text);

/* Sends the interim response that asks for the body. Returns 0 or a negative error. */
JG_SUSPENDS int server_reply_continue(struct jg_http_exchange *exchange);

// server_status.c

/* The reason phrase of a status, "" for one nobody knows. */
const char *server_status_text(int status);

#endif
