// SPDX-License-Identifier: MIT
/* sim_pipe.c – see sim_pipe.h.
 *
 * Holds      nothing of its own.
 * Invariant  cap is 0 or a power of two.
 * Called by  see sim_pipe.h.
 * Why        it starts small: ten thousand simulated connections should not cost a gigabyte.
 */
#include "rt/sim_pipe.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

enum { FIRST_CAP = 1024 };

void sim_pipe_fini(struct sim_pipe *pipe) {
    mem_free(pipe->bytes);
    *pipe = (struct sim_pipe){0};
}

/* Copies out without taking: the part up to the ring's end, then the rest. */
static void copy_out(const struct sim_pipe *pipe, char *to, size_t size) {
    size_t straight = pipe->cap - pipe->start < size ? pipe->cap - pipe->start : size;
    if (size > 0) {
        memcpy(to, pipe->bytes + pipe->start, straight);
        memcpy(to + straight, pipe->bytes, size - straight);
    }
}

int sim_pipe_reserve(struct sim_pipe *pipe, size_t size) {
    must(size <= sim_pipe_room(pipe));
    if (pipe->size + size <= pipe->cap) {
        return 0;
    }
    size_t cap = pipe->cap == 0 ? FIRST_CAP : pipe->cap;
    while (cap < pipe->size + size) {
        cap *= 2;
    }
    char *bytes = mem_alloc(cap);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    copy_out(pipe, bytes, pipe->size);
    mem_free(pipe->bytes);
    pipe->bytes = bytes;
    pipe->cap = cap;
    pipe->start = 0;
    return 0;
}

void sim_pipe_put(struct sim_pipe *pipe, const void *from, size_t size) {
    must(pipe->size + size <= pipe->cap);
    size_t end = (pipe->start + pipe->size) & (pipe->cap - 1);
    size_t straight = pipe->cap - end < size ? pipe->cap - end : size;
    if (size > 0) {
        memcpy(pipe->bytes + end, from, straight);
        memcpy(pipe->bytes, (const char *)from + straight, size - straight);
    }
    pipe->size += size;
}

void sim_pipe_take(struct sim_pipe *pipe, void *to, size_t size) {
    must(size > 0 && size <= pipe->arrived);
    copy_out(pipe, to, size);
    pipe->start = (pipe->start + size) & (pipe->cap - 1);
    pipe->size -= size;
    pipe->arrived -= size;
}

void sim_pipe_cut(struct sim_pipe *pipe) {
    pipe->size = pipe->arrived;
}
