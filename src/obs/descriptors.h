// SPDX-License-Identifier: MIT
/* descriptors.h – which descriptors a loop has open, and who opened them.
 *
 * Holds      per descriptor its origin, while debug mode is on.
 * Invariant  between begin and end the backend's table of functions is ours, and passes every call on.
 * Called by  debug.c.
 * Why        every descriptor of a loop is opened and closed through its backend: changing the table
 *            sees them all, and costs nothing where nobody asks.
 */
#ifndef OBS_DESCRIPTORS_H
#define OBS_DESCRIPTORS_H

#include "obs/watch.h"
#include "rt/op.h"

struct descriptor {
    struct descriptor *next; // in its bucket
    int fd;
    const char *how; // "accepted"
    struct origin opener;
};

struct descriptors {
    struct backend_ops ops; // ours
    const struct backend_ops *real;
    struct descriptor **buckets; // by number: those of the simulated world begin at a million
    size_t bucket_count;         // 0, or a power of two
    size_t count;
};

void descriptors_begin(struct descriptors *descriptors, struct backend *backend);

/* Reports those that are open, and gives the backend its own table back. */
void descriptors_end(struct descriptors *descriptors, struct backend *backend);

/* A descriptor that came in another way than through the table. */
void descriptors_add(struct descriptors *descriptors, int fd, const struct coro *opener,
                     const char *how);

#endif
