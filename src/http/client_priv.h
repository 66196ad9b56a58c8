// SPDX-License-Identifier: MIT
/* client_priv.h – what the files of the client share.
 *
 * Holds      struct jg_http_client, struct jg_http_response, and struct exchange: one request on its
 *            way, on the stack of the task that sends it.
 * Invariant  client->busy counts exchanges and responses; the client cannot be closed before it is 0.
 *            A response has its connection until the body has come to its end or it has failed.
 * Called by  client.c (the public calls), exchange.c (connect, send, read the head),
 *            request_write.c (what is sent), response.c (what came).
 * Why        a task that waits for its answer holds a connection and its own stack, and nothing else:
 *            the response is allocated when its head is there and its size known.
 */
#ifndef HTTP_CLIENT_PRIV_H
#define HTTP_CLIENT_PRIV_H

#include "http/parse.h"
#include "http/pool.h"

#include <juggle/error.h>
#include <juggle/http.h>
#include <juggle/scope.h>

/* The time limits, in the order of their names in limit_texts (exchange.c). */
enum client_limit {
    LIMIT_CONNECT,
    LIMIT_FIRST_BYTE,
    LIMIT_IDLE,
    LIMIT_TOTAL,
    LIMIT_COUNT,
};

/* The URL asked for last, taken apart. */
struct last_url {
    char *text; // a copy
    size_t len;
    size_t cap;
    struct origin *origin;  // a reference; NULL: nothing here
    struct http_bytes path; // in `text`, or the literal "/"
    struct http_bytes query;
};

/* Bytes to write a request's head into; see request_write.c. */
enum { SCRATCH_SIZE = 1024 };

struct jg_http_client {
    struct pool pool;
    int64_t limits_ms[LIMIT_COUNT]; // -1: none
    size_t head_most;
    size_t body_most;
    bool no_keep_alive;
    size_t busy;
    struct last_url last;
    char *scratch; // SCRATCH_SIZE bytes, or NULL while a request uses them
    jg_http_response *spares;
    unsigned spare_count;
    struct http_bytes own_fields; // field lines that go with every request
    struct http_bytes agent;      // the User-Agent line, for requests that bring none
    char text[];                  // what those two point to
};

struct jg_http_response {
    jg_http_client *client;
    jg_http_response *next_spare;
    struct connection *connection; // NULL: given back
    struct origin *origin;         // a reference, for messages
    struct http_head head;         // its fields lie in `store`
    struct http_body body;
    int64_t total_ns; // when the whole exchange must be over
    int error;        // sticky: what the body ended with
    bool reused;
    bool read_from; // a task waits for more of the body
    bool indexed;   // names and values end in NUL
    bool gathered;  // the body lies in memory as a whole: jg_http_body is done
    char *text;     // the head, in `store`
    char *ahead;    // payload that came with the head, in `store`
    size_t ahead_at;
    size_t ahead_len;
    char *data; // what jg_http_body gathers: in `store`, or in a block of its own
    size_t data_len;
    size_t data_cap; // 0: in `store`
    size_t store_size;
    _Alignas(8) char store[]; // fields, head, payload
};

/* A URL to ask for, as the pool and the request need it. */
struct target {
    struct origin *origin; // a reference
    struct http_bytes path;
    struct http_bytes query;
};

struct exchange {
    jg_http_client *client;
    const jg_http_request *request;
    const char *method;
    struct target target;
    struct connection *connection; // NULL before there is one, and after it was given away
    int64_t total_ns;              // when it must be over
    uint64_t sent_before;          // by the connection, before this request
    enum http_method method_id;
    enum client_limit limit; // what the scope's deadline stands for
    bool admitted;           // the slots were taken; they go with the connection, once there is one
    bool heard;              // something came back
    bool source_called; // the request's source has given some of the body: it cannot be sent again
    bool source_failed; // and ended the request
    jg_scope scope;
    struct http_head head;
};

/* Sends the request and reads the head of its answer. exchange.c
 *
 * Returns as jg_http_send. Owns: gives the response. */
int exchange_run(struct exchange *x, jg_http_response **out_response);

/* The point in time at which `which` is reached, counted from `now_ns`, or `total_ns` if that comes
 * first; `out_limit` is which of them it is. exchange.c */
int64_t client_limit_point(const jg_http_client *client, enum client_limit which, int64_t now_ns,
                           int64_t total_ns, enum client_limit *out_limit);

/* Records that a time limit was reached. Returns -ETIMEDOUT. exchange.c */
int client_limit_fail(const jg_http_client *client, const char *label, enum client_limit limit);

/* Moves the exchange's deadline on. exchange.c */
void exchange_limit(struct exchange *x, enum client_limit which);

/* Checks all of a request but its URL. Returns 0 or -EINVAL. request_write.c */
int request_check(const jg_http_request *request, enum http_method method);

/* Sends it, body and all. Returns 0; the errors of writing; what the source returned.
 * request_write.c */
int request_send(struct exchange *x);

/* Makes the response of an exchange whose head is complete, with all that came with it. On success
 * the connection is the response's, or the pool's again. Returns 0 or -ENOMEM. response.c */
int response_make(struct exchange *x, jg_http_response **out_response);

/* jg_http_body, but for the data: completion wins over a cancel that stands. Returns 0 or as it.
 * response.c */
int response_gather(jg_http_response *response);

/* Frees the responses kept for reuse. response.c */
void response_free_spares(jg_http_client *client);

#endif
