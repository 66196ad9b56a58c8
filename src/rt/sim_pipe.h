// SPDX-License-Identifier: MIT
/* sim_pipe.h – the bytes on their way to one simulated socket.
 *
 * Holds      a ring that grows up to SIM_WINDOW bytes; the oldest `arrived` of its bytes are there,
 *            the rest is still travelling.
 * Invariant  arrived <= size <= cap <= SIM_WINDOW; bytes come out in the order they went in.
 * Called by  sim_socket.c.
 * Why        window and travel in one place: a sender waits when the ring is full, a receiver when
 *            nothing has arrived.
 */
#ifndef RT_SIM_PIPE_H
#define RT_SIM_PIPE_H

#include <stddef.h>

#define SIM_WINDOW ((size_t)64 * 1024)

/* Zero bytes are an empty pipe. */
struct sim_pipe {
    char *bytes;
    size_t cap;
    size_t start;
    size_t size;
    size_t arrived;
};

void sim_pipe_fini(struct sim_pipe *pipe);

/* Makes room for `size` more bytes, at most SIM_WINDOW in all. Returns 0 or -ENOMEM. */
int sim_pipe_reserve(struct sim_pipe *pipe, size_t size);

/* Appends bytes for which there is room; they travel. */
void sim_pipe_put(struct sim_pipe *pipe, const void *from, size_t size);

/* Takes bytes that have arrived. */
void sim_pipe_take(struct sim_pipe *pipe, void *to, size_t size);

/* Forgets the bytes that have not arrived. */
void sim_pipe_cut(struct sim_pipe *pipe);

static inline size_t sim_pipe_room(const struct sim_pipe *pipe) {
    return SIM_WINDOW - pipe->size;
}

static inline size_t sim_pipe_travelling(const struct sim_pipe *pipe) {
    return pipe->size - pipe->arrived;
}

#endif
