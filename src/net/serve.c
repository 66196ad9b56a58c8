// SPDX-License-Identifier: MIT
/* serve.c – accepting for as long as a server runs.
 *
 * Holds      per connection a record on the heap, for as long as its task lives.
 * Invariant  a place is taken before a connection is accepted and given back when its task ends; what
 *            was accepted is handled and closed, or closed unhandled.
 * Called by  user code; http's server (listener_accept_all).
 * Why        a limit on connections, patience with shortages and a task for each are the same for
 *            every protocol.
 */
#include "base/mem.h"
#include "net/listener.h"
#include "task/task.h"

#include <juggle/serve.h>
#include <juggle/sync.h>

enum {
    RETRY_MS = 20,             // between two tries to accept while memory is short
    CONNECTIONS_USUAL = 10000, // at a time
};

struct serving {
    jg_serve_fn *handler;
    void *arg;
    jg_sem places;
    jg_group group;
};

struct connection {
    struct serving *serving;
    jg_stream *stream;
};

/* Shortages, and errors of the connection that was to be accepted (accept(2)): the next may succeed. */
static bool passes(int rc) {
    switch (-rc) {
    case ENOMEM:
    case EAGAIN:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    default:
        return false;
    }
}

/* After a failed accept: waits a little if the next may succeed. Returns 0 to try again; -ECANCELED; or
 * the error itself when it is for good. */
static int pause_after(int rc) {
    if (!passes(rc)) {
        return rc;
    }
    rc = jg_sleep(RETRY_MS);
    return rc == -ENOMEM ? jg_yield() : rc;
}

static int accept_one(jg_listener *listener, jg_sem *places, listener_start *start, void *arg) {
    jg_stream *stream;
    int rc = listener_place(listener, places);
    if (rc < 0) {
        return rc;
    }
    rc = jg_accept(listener, &stream);
    if (rc < 0) {
        jg_sem_release(places);
        return rc;
    }
    return start(arg, stream);
}

int listener_accept_all(jg_listener *listener, jg_sem *places, listener_start *start, void *arg) {
    int rc = 0;
    while (rc >= 0) {
        rc = accept_one(listener, places, start, arg);
        rc = rc < 0 ? pause_after(rc) : rc;
    }
    return rc;
}

/* The connection is over, handled or not. */
static void end_connection(void *arg) {
    struct connection *connection = arg;
    jg_stream_close(connection->stream);
    jg_sem_release(&connection->serving->places);
    mem_free(connection);
}

static intptr_t handle(void *arg) {
    struct connection *connection = arg;
    struct serving *serving = connection->serving;
    intptr_t word = serving->handler(connection->stream, serving->arg);
    mind_fork(sched_current(), word);
    if (jg_failed(word) && word != -ECANCELED) {
        error_report(error_take_for(task_current(), word));
    }
    end_connection(connection);
    return 0; // one connection's failure is not the server's
}

/* Starts a task for the stream. */
static int start(void *arg, jg_stream *stream) {
    struct serving *serving = arg;
    struct connection *connection = mem_alloc(sizeof(*connection));
    if (connection == NULL) {
        jg_stream_close(stream);
        jg_sem_release(&serving->places);
        return -ENOMEM;
    }
    *connection = (struct connection){.serving = serving, .stream = stream};
    const jg_spawn_options options = {
        .name = "connection", .group = &serving->group, .drop_arg = end_connection};
    return task_started(task_start(handle, connection, &options, "handle\0" JG_HERE, false));
}

int jg_serve(jg_listener *listener, jg_serve_fn *handler, void *arg,
             const jg_serve_options *options) {
    if (sched_current()->loop == NULL) {
        return (int)error_bare(-ENXIO);
    }
    size_t connections = options != NULL ? options->connections : 0;
    struct serving serving = {.handler = handler, .arg = arg};
    jg_sem_init(&serving.places, connections != 0 ? connections : CONNECTIONS_USUAL);
    listener_hold(listener);
    jg_group_open(&serving.group);
    int rc = listener_accept_all(listener, &serving.places, start, &serving);
    jg_group_wait(&serving.group);
    jg_group_close(&serving.group, 0);
    listener_release(listener);
    return rc;
}
