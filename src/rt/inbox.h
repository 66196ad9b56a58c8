// SPDX-License-Identifier: MIT
/* inbox.h – how other threads and signal handlers reach a loop, and what of it outlives it.
 *
 * Holds      struct jg_loop, the counted handle: a queue of calls the senders own, whether the loop
 *            sleeps, and the descriptor that wakes it.
 * Invariant  a call that was posted is made once, on the loop's thread, in the order posted; the kernel
 *            is asked for a wake-up only when the loop sleeps. Who posts has a share in the handle, or
 *            keeps the loop from closing: so neither queue nor descriptor goes away under a post.
 * Called by  exec (finished work), task (jg_post), os/signal.c; call.c collects, each turn; backends
 *            watch the descriptor.
 * Why        push first, then look whether it sleeps; the loop says it sleeps, then looks again: one
 *            of the two always sees the other. A closed queue refuses: post and close cannot miss each
 *            other either.
 */
#ifndef RT_INBOX_H
#define RT_INBOX_H

#include "base/check.h"
#include "base/mpsc.h"

#include <juggle/loop.h>

struct jg_loop {
    atomic_uint shares;  // the loop's own, and those of who may still post
    atomic_uint held;    // shares of users: something may come at any time
    atomic_uint sending; // who is inside inbox_send
    struct mpsc queue;   // closed with the loop
    atomic_bool sleeping;
    int wakeup_fd;  // an eventfd, readable once somebody has woken the loop
    uint32_t forks; // this process had seen when it was made
};

/* Makes a handle with one share. Returns 0, -ENOMEM, -EMFILE. */
int inbox_open(jg_loop **out_loop);

/* Takes a share, gives one up: the last one frees it. Any thread. */
void inbox_hold(jg_loop *loop);
void inbox_drop(jg_loop *loop);

/* Whether a user holds a share: something may come at any time. */
static inline bool inbox_held(jg_loop *loop) {
    return atomic_load_explicit(&loop->held, memory_order_relaxed) > 0;
}

/* Posts a call, whose `deliver` is set. Any thread, signal handlers.
 *
 * Returns 0; -ESHUTDOWN when the loop is closed, -ECHILD when it stayed behind in a fork.
 * Owns: keeps `call` until it is delivered. */
int inbox_post(jg_loop *loop, jg_call *call);

/* Posts a call and gives up the sender's share. Any thread. Returns and owns as inbox_post. */
int inbox_send(jg_loop *loop, jg_call *call);

/* The loop has closed its queue: waits until nobody is in the middle of a send, and gives its own share
 * up. What was sent and delivered leaves no share behind. */
void inbox_close(jg_loop *loop);

/* Takes what has come, oldest first, linked by `next`. Loop thread. */
static inline jg_link *inbox_take(jg_loop *loop) {
    return likely(mpsc_empty(&loop->queue)) ? NULL : mpsc_drain(&loop->queue);
}

/* Says that the loop is about to sleep. Returns false when something has come: do not sleep. */
bool inbox_sleep(jg_loop *loop);

/* Says that it is awake. */
void inbox_awake(jg_loop *loop);

/* Makes the wake-up descriptor unreadable again. */
void inbox_calm(jg_loop *loop);

/* Whether the handle is a copy, in a forked child. Any thread. */
bool inbox_is_copy(const jg_loop *loop);

/* In a forked child: every handle made before is a copy of one that stayed behind. */
void inbox_forked(void);

#endif
