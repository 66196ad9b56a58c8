// SPDX-License-Identifier: MIT
/* http_peer.h – a server made by hand, that answers with exactly the bytes a test gives it.
 *
 * Holds      struct peer: what it answers, and what it has seen.
 * Invariant  request i, counted over all connections, gets answer i; the last answer is repeated.
 * Called by  the tests of the HTTP client.
 * Why        a real server would never send what a client must refuse. On the backends with a loop it
 *            lives in the same loop as the client; for the blocking one, in a thread with its own.
 */
#ifndef TESTS_HTTP_PEER_H
#define TESTS_HTTP_PEER_H

#include "api.h"

#include <juggle/http.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum peer_after {
    PEER_KEEP,  // wait for the next request
    PEER_CLOSE, // close the connection
    PEER_HANG,  // do nothing more until the client ends it
    PEER_DEAF,  // nor read
};

struct peer_reply {
    const char *bytes; // NULL: none at all
    size_t size;       // 0: up to the NUL
    enum peer_after after;
    size_t slice;      // bytes per write, each a moment after the other; 0: all at once
    int slice_ms;      // between two of them
    int delay_ms;      // before the first byte
    const char *later; // sent `later_ms` after the answer
    int later_ms;
    bool early; // answered and closed when the head of the request is there
};

struct peer {
    const struct peer_reply *replies;
    size_t reply_count;
    const char *path; // of a Unix socket; NULL: TCP
    int port;
    char url[128]; // of its root, with a slash at the end
    void *arg;     // the test's own
    jg_listener *listener;
    jg_group *group;
    atomic_int accepted;
    atomic_int requests;
    atomic_int ended; // connections
    atomic_int done;  // answers given, `later` included
    pthread_mutex_t lock;
    size_t last_size; // of the last request, head and body
    char *last;
};

enum { PEER_REQUEST_MOST = 4 << 20 };

static inline void peer_remember(struct peer *peer, const char *data, size_t size) {
    pthread_mutex_lock(&peer->lock);
    peer->last = realloc(peer->last, size + 1);
    memcpy(peer->last, data, size);
    peer->last[size] = '\0';
    peer->last_size = size;
    pthread_mutex_unlock(&peer->lock);
}

/* The size of the request at the front of `data`; 0 while it is not complete. */
static inline size_t peer_request_size(const char *data, size_t held, bool head_only) {
    const char *end = memmem(data, held, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end + 4 - data);
    const char *length = memmem(data, head, "\r\nContent-Length: ", 18);
    if (head_only) {
        return held;
    }
    if (length != NULL) {
        size_t size = head + strtoul(length + 18, NULL, 10);
        return size <= held ? size : 0;
    }
    if (memmem(data, head, "\r\nTransfer-Encoding: chunked", 28) != NULL) {
        bool whole = held >= head + 5 && memcmp(data + held - 5, "0\r\n\r\n", 5) == 0;
        return whole ? held : 0;
    }
    return head;
}

static inline bool peer_read_request(struct peer *peer, jg_stream *stream, bool head_only) {
    char *data;
    size_t held = jg_stream_peek(stream, &data);
    size_t size = held > 0 ? peer_request_size(data, held, head_only) : 0;
    while (size == 0) {
        ssize_t got = jg_stream_fill(stream, PEER_REQUEST_MOST, &data);
        if (got <= 0) {
            return false;
        }
        size = peer_request_size(data, (size_t)got, head_only);
    }
    peer_remember(peer, data, size);
    jg_stream_take(stream, size);
    return true;
}

static inline bool peer_write(jg_stream *stream, const struct peer_reply *reply) {
    size_t size = reply->size != 0 || reply->bytes == NULL ? reply->size : strlen(reply->bytes);
    size_t slice = reply->slice != 0 ? reply->slice : size;
    if (reply->delay_ms > 0 && jg_sleep(reply->delay_ms) < 0) {
        return false;
    }
    for (size_t done = 0; done < size; done += slice) {
        size_t count = size - done < slice ? size - done : slice;
        if (jg_write(stream, reply->bytes + done, count) < 0 || jg_sleep(reply->slice_ms) < 0) {
            return false;
        }
    }
    if (reply->later != NULL) {
        return jg_sleep(reply->later_ms) == 0 &&
               jg_write(stream, reply->later, strlen(reply->later)) >= 0;
    }
    return true;
}

struct peer_connection {
    struct peer *peer;
    jg_stream *stream;
};

static inline void peer_wait_for_end(jg_stream *stream) {
    char byte;
    while (jg_read(stream, &byte, 1) > 0) {}
}

static inline void peer_converse(struct peer *peer, jg_stream *stream) {
    for (;;) {
        size_t next = (size_t)atomic_load(&peer->requests);
        bool early = next < peer->reply_count && peer->replies[next].early;
        if (!peer_read_request(peer, stream, early)) {
            return;
        }
        size_t index = (size_t)atomic_fetch_add(&peer->requests, 1);
        index = index < peer->reply_count ? index : peer->reply_count - 1;
        const struct peer_reply *reply = &peer->replies[index];
        if (!peer_write(stream, reply)) {
            return;
        }
        atomic_fetch_add(&peer->done, 1);
        if (reply->after == PEER_HANG) {
            peer_wait_for_end(stream);
        }
        while (reply->after == PEER_DEAF && jg_sleep(1000) == 0) {}
        if (reply->after != PEER_KEEP) {
            return;
        }
    }
}

static inline intptr_t peer_serve_one(void *arg) {
    struct peer_connection *connection = arg;
    peer_converse(connection->peer, connection->stream);
    jg_stream_close(connection->stream);
    atomic_fetch_add(&connection->peer->ended, 1);
    free(connection);
    return 0;
}

static inline void peer_drop_one(void *arg) {
    struct peer_connection *connection = arg;
    jg_stream_close(connection->stream);
    free(connection);
}

static inline intptr_t peer_accept(void *arg) {
    struct peer *peer = arg;
    jg_stream *stream;
    while (jg_accept(peer->listener, &stream) == 0) {
        atomic_fetch_add(&peer->accepted, 1);
        struct peer_connection *connection = malloc(sizeof(*connection));
        *connection = (struct peer_connection){peer, stream};
        const jg_spawn_options options = {.group = peer->group, .drop_arg = peer_drop_one};
        jg_detach(jg_spawn_with(peer_serve_one, connection, &options));
    }
    return 0;
}

static inline void peer_listen(struct peer *peer) {
    int rc = peer->path != NULL ? jg_unix_listen(peer->path, &peer->listener)
                                : jg_tcp_listen("127.0.0.1", 0, &peer->listener);
    ck_assert_int_eq(rc, 0);
    peer->port = jg_listener_port(peer->listener);
    snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%d/", peer->port);
}

typedef void peer_body(struct peer *peer);

struct peer_run {
    struct peer *peer;
    peer_body *body; // NULL: serve until `stop_fd` ends
    int ready_fd;
    int stop_fd;
};

static inline intptr_t peer_in_loop(void *arg) {
    struct peer_run *run = arg;
    peer_listen(run->peer);
    JG_GROUP(group) {
        run->peer->group = group;
        ck_assert_int_eq(jg_group_spawn(group, peer_accept, run->peer), 0);
        if (run->body != NULL) {
            run->body(run->peer);
        } else {
            jg_stream *stop;
            char byte = 0;
            ck_assert_int_eq(write(run->ready_fd, &byte, 1), 1);
            ck_assert_int_eq(jg_stream_open_fd(run->stop_fd, &stop), 0);
            ck_assert_int_eq(jg_read(stop, &byte, 1), 0);
            jg_stream_close(stop);
        }
        jg_group_cancel(group);
    }
    jg_listener_close(run->peer->listener);
    return 0;
}

static inline void *peer_thread(void *arg) {
    ck_assert_int_eq(jg_run_with(peer_in_loop, arg, &(jg_run_options){.backend = "epoll"}), 0);
    return NULL;
}

static inline void peer_beside(struct peer *peer, peer_body *body) {
    int ready[2];
    int stop[2];
    char byte;
    pthread_t thread;
    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(stop), 0);
    struct peer_run run = {.peer = peer, .ready_fd = ready[1], .stop_fd = stop[0]};
    ck_assert_int_eq(pthread_create(&thread, NULL, peer_thread, &run), 0);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    body(peer);
    close(stop[1]);
    pthread_join(thread, NULL);
    close(ready[0]);
    close(ready[1]);
}

/* Runs `body` with a peer that answers so, on the backend under test, with this seed. */
static inline void peer_run_seed(const struct peer_reply *replies, size_t count, peer_body *body,
                                 void *arg, uint64_t seed) {
    struct peer peer = {
        .replies = replies, .reply_count = count, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct peer_run run = {.peer = &peer, .body = body};
    if (on_backend("blocking")) {
        peer_beside(&peer, body);
    } else {
        ck_assert_int_eq(jg_run_with(peer_in_loop, &run, &(jg_run_options){.seed = seed}), 0);
    }
    jg_error_clear(); // without a loop the thread keeps its newest failure to its end
    free(peer.last);
}

/* The same with the seeds of this run: one, or several under sim. */
static inline void peer_run(const struct peer_reply *replies, size_t count, peer_body *body,
                            void *arg) {
    for (uint64_t i = 0; i < (on_backend("sim") ? API_SEEDS / 5 : 1); i++) {
        peer_run_seed(replies, count, body, arg, fixture_seed() + i);
    }
}

/* Whether the last request contains `text`. */
static inline bool peer_heard(struct peer *peer, const char *text) {
    pthread_mutex_lock(&peer->lock);
    bool found = peer->last != NULL && strstr(peer->last, text) != NULL;
    pthread_mutex_unlock(&peer->lock);
    return found;
}

/* Waits until a counter of the peer's has reached `value`. */
static inline void peer_await(const atomic_int *counter, int value) {
    while (atomic_load(counter) < value) {
        ck_assert_int_eq(jg_sleep(1), 0);
    }
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
