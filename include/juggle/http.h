// SPDX-License-Identifier: MIT
/* juggle/http.h – HTTP/1.1, client and server.
 *
 * Holds      a client keeps connections for reuse; a server keeps nothing between connections.
 * Invariant  strict grammar both ways (RFC 9110, 9112); a message that breaks it ends its connection.
 *            Every limit has a default, and none is "unlimited" by accident.
 * Why        the same client calls block a thread or park a task, whichever they run on: a program
 *            can be compared with itself.
 *
 * URLs: http://host[:port]/path?query, and http+unix://%2Fpath%2Fof%2Fsocket/path for Unix sockets.
 */
#ifndef JUGGLE_HTTP_H
#define JUGGLE_HTTP_H

#include <juggle/base.h>
#include <juggle/stream.h>

JG_BEGIN_DECLS

/* One header line. */
typedef struct jg_http_header {
    const char *name;  /* "Content-Type" */
    const char *value; /* "text/plain" */
} jg_http_header;

/* ---- Client ---- */

/* A client: the connections it keeps, and its limits. */
typedef struct jg_http_client jg_http_client;

/* An answer: its head, and what of its body is still to be read. By one task at a time: while one waits,
 * another that reads gets -EBUSY, and closing it is a named abort. */
typedef struct jg_http_response jg_http_response;

/* How a client behaves. All zero is the default, given in brackets. Times: -1 takes a limit away. */
typedef struct jg_http_client_options {
    size_t connections;            /* open at most, in all [64]; further requests wait their turn */
    size_t connections_per_origin; /* to one scheme, host and port [8] */
    int64_t connect_ms;            /* to be connected [10,000] */
    int64_t first_byte_ms;         /* from the request sent to the answer's first byte [30,000] */
    int64_t idle_ms;               /* between two pieces of an answer or a long request [30,000] */
    int64_t total_ms;              /* from the call to the answer's end [300,000] */
    int64_t keep_ms;               /* an unused connection is kept [15,000] */
    int64_t age_ms;                /* any connection is used [600,000] */
    size_t head_most;              /* bytes of all header blocks of one answer [64 KiB, the most] */
    size_t body_most;              /* bytes jg_http_body gathers [64 MiB] */
    const char *user_agent;        /* ["juggle/" JG_VERSION]; "" sends none. Copied */
    bool no_keep_alive;            /* one request per connection */
} jg_http_client_options;

/* Makes a client. Options may be NULL.
 *
 * Returns  0; -EINVAL for an option out of range, -ENOMEM.
 * Owns     gives the client: jg_http_client_close it, on a loop before the loop ends.
 * Threads  belongs to the loop or thread it was made on; all tasks of a loop may share it. */
JG_API int jg_http_client_open(const jg_http_client_options *options, jg_http_client **out_client);

/* Closes the connections that are kept, and frees. No request of it may be under way and no response
 * open. Takes it: the client is gone after the call. NULL is allowed. */
JG_API void jg_http_client_close(jg_http_client *client);

/* Gives the next piece of a request body. Returns bytes put into `buf`, 0 at the end, or a negative
 * error, which fails the request with it. May suspend. */
typedef ssize_t jg_http_source_fn(void *arg, void *buf, size_t cap);

/* A request. All zero but the URL is a GET. */
typedef struct jg_http_request {
    const char *method;            /* NULL: GET */
    const char *url;               /* where to, as above; its fragment is not sent */
    const jg_http_header *headers; /* besides those the client sends itself: Host, Content-Length,
                                      Transfer-Encoding, Connection and its kin, which are -EINVAL;
                                      User-Agent replaces the client's */
    size_t header_count;           /* how many */
    const void *body;              /* sent with Content-Length; NULL: none */
    size_t body_size;              /* its bytes */
    jg_http_source_fn *source;     /* instead of `body`: sent chunked */
    void *source_arg;              /* goes to `source` */
} jg_http_request;

/* Sends a request and reads the head of the answer; its body is then read with jg_http_read or
 * jg_http_body. Takes a kept connection if there is one; a kept connection that turns out dead before
 * the first byte of an answer is replaced once, for methods that may be repeated (GET, HEAD, OPTIONS,
 * PUT, DELETE, TRACE), and for others if nothing of the request had been sent.
 *
 * Returns  0, whatever the status; -EINVAL for a bad URL, method or header, -EPROTONOSUPPORT for https
 *          (nothing was sent); the errors of connecting; -EPROTO for an answer that is not HTTP, -EPIPE
 *          when the connection ended before the answer did, -ECONNRESET when it broke; -EMSGSIZE beyond
 *          a limit; -ETIMEDOUT for a time limit of the client; -ECANCELED; -ENOMEM; -EDEADLK without a
 *          loop when open responses hold all the connections. After an error the connection is closed.
 *          The detail says what exactly, and to whom.
 * Owns     gives the response: jg_http_response_close it. */
JG_API JG_SUSPENDS int jg_http_send(jg_http_client *client, const jg_http_request *request,
                                    jg_http_response **out_response);

/* GETs a URL, body and all. As jg_http_send, then jg_http_body. */
JG_API JG_SUSPENDS int jg_http_get(jg_http_client *client, const char *url,
                                   jg_http_response **out_response);

/* Returns the status, 100..999. */
JG_API int jg_http_status(const jg_http_response *response);

/* Finds a header by name, whatever its case. Returns its value, the first if there are several, or
 * NULL. Valid until the response is closed. */
JG_API const char *jg_http_response_header(const jg_http_response *response, const char *name);

/* Counts the headers, and returns the index-th; names as they came. Both NULL beyond the last. Valid
 * until the response is closed. */
JG_API size_t jg_http_response_header_count(const jg_http_response *response);
JG_API jg_http_header jg_http_response_header_at(const jg_http_response *response, size_t index);

/* Reads the next piece of the body. Returns bytes, 1..cap; 0 at its end; -EPIPE when it was cut off;
 * other errors as jg_http_send. An error ends the body for good, but for -ECANCELED: then no byte is
 * lost, and it may be read on. */
JG_API JG_SUSPENDS ssize_t jg_http_read(jg_http_response *response, void *buf, size_t cap);

/* Reads the rest of the body into memory. A call that was cancelled may be repeated; once it is there,
 * as after jg_http_get, it gives the same at once, whatever is cancelled.
 *
 * Returns  its size; -EMSGSIZE beyond `body_most`; errors as jg_http_read.
 * Owns     the data is the response's; a zero byte follows it. */
JG_API JG_SUSPENDS ssize_t jg_http_body(jg_http_response *response, const char **out_data);

/* Whether the answer came over a connection that had served before. */
JG_API bool jg_http_response_reused(const jg_http_response *response);

/* Ends the response, and closes its connection unless the body has come to its end: then the
 * connection was given back already, for the next request. Takes it: the response and its data are
 * gone after the call. NULL is allowed. Never waits. */
JG_API void jg_http_response_close(jg_http_response *response);

/* ---- Server ---- */

/* One request, and the reply to it; the handler's until it returns. Tasks may hand it around, but while one
 * waits in a call with it, another that reads or replies gets -EBUSY; and when the handler returns, none
 * may wait. */
typedef struct jg_http_exchange jg_http_exchange;

/* Answers one request. Runs in the connection's task, so it may wait; requests of one connection
 * are answered one after another. If it returns 0 without having replied, the server sends 500; an
 * error it returns is reported (unless it is the connection's own) and ends the connection, with a
 * 4xx or 5xx if no reply was begun: that of what the request's body failed with, else 500. */
typedef int jg_http_handler(jg_http_exchange *exchange, void *arg);

/* How a server behaves. All zero is the default, given in brackets. Times: -1 takes one away. */
typedef struct jg_http_server_options {
    size_t connections; /* at most; further ones wait in the backlog [10,000] */
    int64_t header_ms;  /* for a request's head, from its first byte on or, if it is the first, from
                           the connection's start [10,000]: 408, or a silent end if nothing came */
    int64_t idle_ms;    /* between requests, and between pieces of a body [30,000] */
    int64_t write_ms;   /* for a peer to take a write, or 128 KiB of it [30,000] */
    int64_t grace_ms;   /* for requests under way when the server is stopped [0: none] */
    size_t head_most;   /* bytes of a request's head, up to 64 KiB [16 KiB]: 431 */
    size_t target_most; /* bytes of its target, up to 64 KiB [8 KiB]: 414 */
    size_t fields_most; /* headers [100]: 431 */
    size_t body_most;   /* bytes jg_http_request_body gathers [1 MiB]: 413 */
    const char *name;   /* the Server header, up to 128 bytes ["juggle/" JG_VERSION]; "" sends
                           none. Kept */
} jg_http_server_options;

/* What a server has done; updated as it goes, exact when it has returned. */
typedef struct jg_http_server_stats {
    uint64_t connections; /* accepted */
    uint64_t requests;    /* whose head was read whole */
    uint64_t rejected;    /* answered by the server itself: bad requests, handlers that failed */
    uint64_t bytes_in;    /* that came, heads and bodies */
    uint64_t bytes_out;   /* that were sent, of whatever kind */
    size_t open;          /* connections now */
} jg_http_server_stats;

/* Serves connections of a listener until it is cancelled or the listener is closed. Then idle
 * connections are closed, requests under way have `grace_ms` to finish, and what is left is
 * cancelled; all are awaited. `options` and `stats` may be NULL; both are kept until it returns, like
 * `arg`.
 *
 * Returns  -ECANCELED; -EBADF when the listener was closed; -EINVAL for options out of range;
 *          -ENXIO without a loop; -ENOMEM; other errors of accepting. */
JG_API JG_SUSPENDS int jg_http_serve(jg_listener *listener, jg_http_handler *handler, void *arg,
                                     const jg_http_server_options *options,
                                     jg_http_server_stats *stats);

/* The request: method ("GET"), path without query ("/stats", not decoded; "*" as it comes), query
 * ("output=json", "" if none). Valid until the handler returns. */
JG_API const char *jg_http_method(const jg_http_exchange *exchange);
JG_API const char *jg_http_path(const jg_http_exchange *exchange);
JG_API const char *jg_http_query(const jg_http_exchange *exchange);

/* Finds a header of the request by name, whatever its case: its value, the first if there are
 * several; NULL if there is none. Valid until the handler returns. */
JG_API const char *jg_http_request_header(const jg_http_exchange *exchange, const char *name);

/* Counts the headers of the request, and returns the index-th; names as they came. */
JG_API size_t jg_http_request_header_count(const jg_http_exchange *exchange);
JG_API jg_http_header jg_http_request_header_at(const jg_http_exchange *exchange, size_t index);

/* Reads the next piece of the request's body. A client that waits to be asked for it (Expect:
 * 100-continue) is asked by the first call. What is not read is dropped, or ends the connection if
 * it is much.
 *
 * Returns  bytes, 1..cap (>= 1); 0 at the body's end; -EPROTO, -EMSGSIZE for framing that breaks
 *          the grammar or a limit; -EPIPE when it was cut off; -ETIMEDOUT; -ECANCELED; errors of
 *          the stream. An error ends the body for good, but for -ECANCELED: then no byte is lost. */
JG_API JG_SUSPENDS ssize_t jg_http_request_read(jg_http_exchange *exchange, void *buf, size_t cap);

/* Reads the rest of the request's body into memory; asked again, gives the same.
 *
 * Returns  its size; -EMSGSIZE beyond `body_most`; -ENOMEM; errors as jg_http_request_read.
 * Owns     the data is the exchange's, until the handler returns; a zero byte follows it. */
JG_API JG_SUSPENDS ssize_t jg_http_request_body(jg_http_exchange *exchange, const char **out_data);

/* Adds a header to the reply; before it is begun. "Connection: close" ends the connection after the
 * reply. The server's own (Content-Length, Transfer-Encoding, Connection otherwise, Keep-Alive,
 * Date, Server, Trailer, Upgrade) are refused.
 *
 * Returns  0; -EINVAL for those and for what may not stand in a header; -EMSGSIZE beyond 64 KiB;
 *          -ENOMEM; -EALREADY. */
JG_API int jg_http_reply_header(jg_http_exchange *exchange, const char *name, const char *value);

/* Sends the whole reply. `type` is its Content-Type, up to 256 bytes; NULL for none. To a HEAD
 * request, and with 204, 205 and 304, the body is not sent.
 *
 * Returns  0; -EALREADY when one was begun; -EINVAL for a status outside 200..999 or a bad type:
 *          then nothing was sent; errors of writing; -ETIMEDOUT when the peer does not take it;
 *          -ECANCELED. */
JG_API JG_SUSPENDS int jg_http_reply(jg_http_exchange *exchange, int status, const char *type,
                                     const void *body, size_t body_size);

/* Begins a reply whose size is not known, goes on with it, and ends it: chunked, or for an HTTP/1.0
 * peer up to the connection's end. Each call sends at once. A handler that returns 0 ends it too;
 * one that returns an error leaves it visibly cut off.
 *
 * Returns  as jg_http_reply; -EINVAL when none was begun. */
JG_API JG_SUSPENDS int jg_http_reply_begin(jg_http_exchange *exchange, int status,
                                           const char *type);
JG_API JG_SUSPENDS int jg_http_reply_write(jg_http_exchange *exchange, const void *data,
                                           size_t size);
JG_API JG_SUSPENDS int jg_http_reply_end(jg_http_exchange *exchange);

JG_END_DECLS

#endif
