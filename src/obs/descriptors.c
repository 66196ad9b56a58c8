// SPDX-License-Identifier: MIT
/* descriptors.c – see descriptors.h.
 *
 * Holds      nothing beyond struct descriptors.
 * Invariant  see descriptors.h.
 * Called by  the backend's callers, instead of the backend's own functions.
 * Why        see descriptors.h.
 * Quirks     without memory for its origin a descriptor is not followed.
 */
#include "obs/descriptors.h"

#include "base/mem.h"
#include "obs/debug.h"
#include "obs/watch.h"

#include <stdio.h>
#include <string.h>

static struct descriptors *of(struct backend *backend) {
    return &watch_of(backend->loop)->debug->descriptors;
}

static bool grow(struct descriptors *descriptors, size_t fd) {
    size_t count = descriptors->count < 64 ? 64 : descriptors->count;
    while (count <= fd) {
        count *= 2;
    }
    struct descriptor *table = mem_resize(descriptors->table, count * sizeof(*table));
    if (table == NULL) {
        return false;
    }
    memset(table + descriptors->count, 0, (count - descriptors->count) * sizeof(*table));
    descriptors->table = table;
    descriptors->count = count;
    return true;
}

void descriptors_add(struct descriptors *descriptors, int fd, const struct coro *opener,
                     const char *how) {
    size_t index = (size_t)fd;
    if (fd < 0 || (index >= descriptors->count && !grow(descriptors, index))) {
        return;
    }
    struct descriptor *descriptor = &descriptors->table[index];
    const struct jg_task *task = (const struct jg_task *)(const void *)opener;
    *descriptor = (struct descriptor){.open = true, .how = how};
    snprintf(descriptor->task, sizeof(descriptor->task), "%s", opener->name);
    snprintf(descriptor->spawned, sizeof(descriptor->spawned), "%s",
             opener->stack.base != NULL ? task_place(task->site) : "");
}

static int opened(struct backend *backend, int fd, const char *how) {
    descriptors_add(of(backend), fd, sched_current(), how);
    return fd;
}

static int open_socket(struct backend *backend, int family) {
    return opened(backend, of(backend)->real->socket_open(backend, family), "socket");
}

static int open_pair(struct backend *backend, int out_fds[2]) {
    int rc = of(backend)->real->socket_pair(backend, out_fds);
    if (rc == 0) {
        opened(backend, out_fds[0], "socket pair");
        opened(backend, out_fds[1], "socket pair");
    }
    return rc;
}

static int open_listener(struct backend *backend, const struct op_address *address, int backlog) {
    return opened(backend, of(backend)->real->listen(backend, address, backlog), "listener");
}

static int adopt(struct backend *backend, int fd) {
    int rc = of(backend)->real->adopt(backend, fd);
    if (rc >= 0) {
        opened(backend, fd, "adopted");
    }
    return rc;
}

static bool submit(struct backend *backend, struct op *op) {
    bool complete = of(backend)->real->submit(backend, op);
    if (complete && op->kind == OP_ACCEPT && op->wait.result >= 0) {
        opened(backend, (int)op->wait.result, "accepted");
    }
    return complete;
}

static void close_fd(struct backend *backend, int fd) {
    struct descriptors *descriptors = of(backend);
    if (fd >= 0 && (size_t)fd < descriptors->count) {
        descriptors->table[fd].open = false;
    }
    descriptors->real->close_fd(backend, fd);
}

void descriptors_begin(struct descriptors *descriptors, struct backend *backend) {
    descriptors->real = backend->ops;
    descriptors->ops = *backend->ops;
    descriptors->ops.socket_open = open_socket;
    descriptors->ops.socket_pair = open_pair;
    descriptors->ops.listen = open_listener;
    descriptors->ops.adopt = adopt;
    descriptors->ops.submit = submit;
    descriptors->ops.close_fd = close_fd;
    backend->ops = &descriptors->ops;
}

static void report(size_t fd, const struct descriptor *descriptor) {
    char text[512];
    snprintf(text, sizeof(text),
             "juggle: descriptor %zu (%s, by task %s spawned at %s) is open as the loop closes\n",
             fd, descriptor->how, descriptor->task, descriptor->spawned);
    debug_report(JG_DEBUG_FD_LEAK, descriptor->task, descriptor->spawned, 0, text);
}

void descriptors_end(struct descriptors *descriptors, struct backend *backend) {
    backend->ops = descriptors->real;
    for (size_t fd = 0; fd < descriptors->count; fd++) {
        if (descriptors->table[fd].open) {
            report(fd, &descriptors->table[fd]);
        }
    }
    mem_free(descriptors->table);
}
