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

#include <stdio.h>

static struct descriptors *of(struct backend *backend) {
    return &watch_of(backend->loop)->debug->descriptors;
}

static struct descriptor **bucket_of(const struct descriptors *descriptors, int fd) {
    return &descriptors->buckets[(size_t)fd & (descriptors->bucket_count - 1)];
}

/* Keeps about one per bucket. Returns false without memory for the first. */
static bool make_room(struct descriptors *descriptors) {
    struct descriptors wider = *descriptors;
    if (descriptors->count < descriptors->bucket_count) {
        return true;
    }
    wider.bucket_count = descriptors->bucket_count == 0 ? 64 : 2 * descriptors->bucket_count;
    wider.buckets = mem_alloc_zero(wider.bucket_count * sizeof(*wider.buckets));
    if (wider.buckets == NULL) {
        return descriptors->bucket_count > 0; // chains grow instead
    }
    for (size_t i = 0; i < descriptors->bucket_count; i++) {
        struct descriptor *next;
        for (struct descriptor *at = descriptors->buckets[i]; at != NULL; at = next) {
            struct descriptor **bucket = bucket_of(&wider, at->fd);
            next = at->next;
            at->next = *bucket;
            *bucket = at;
        }
    }
    mem_free(descriptors->buckets);
    descriptors->buckets = wider.buckets;
    descriptors->bucket_count = wider.bucket_count;
    return true;
}

static void forget(struct descriptors *descriptors, int fd) {
    if (descriptors->bucket_count == 0) {
        return;
    }
    struct descriptor **link = bucket_of(descriptors, fd);
    while (*link != NULL && (*link)->fd != fd) {
        link = &(*link)->next;
    }
    struct descriptor *found = *link;
    if (found != NULL) {
        *link = found->next;
        descriptors->count--;
        mem_free(found);
    }
}

void descriptors_add(struct descriptors *descriptors, int fd, const struct coro *opener,
                     const char *how) {
    if (fd < 0) {
        return;
    }
    forget(descriptors, fd); // closed behind our back
    struct descriptor *added = make_room(descriptors) ? mem_alloc(sizeof(*added)) : NULL;
    if (added == NULL) {
        return;
    }
    struct descriptor **bucket = bucket_of(descriptors, fd);
    *added = (struct descriptor){.next = *bucket, .fd = fd, .how = how};
    origin_write(opener, &added->opener);
    *bucket = added;
    descriptors->count++;
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
    forget(descriptors, fd);
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

static void report(const struct descriptor *descriptor) {
    char text[512];
    const struct origin *opener = &descriptor->opener;
    snprintf(text, sizeof(text),
             "juggle: descriptor %d (%s, by task %s spawned at %s) is open as the loop closes\n",
             descriptor->fd, descriptor->how, opener->task, opener->spawned);
    debug_report(JG_DEBUG_FD_LEAK, opener->task, opener->spawned, 0, text);
}

void descriptors_end(struct descriptors *descriptors, struct backend *backend) {
    backend->ops = descriptors->real;
    for (size_t i = 0; i < descriptors->bucket_count; i++) {
        while (descriptors->buckets[i] != NULL) {
            struct descriptor *open = descriptors->buckets[i];
            descriptors->buckets[i] = open->next;
            report(open);
            mem_free(open);
        }
    }
    mem_free(descriptors->buckets);
}
