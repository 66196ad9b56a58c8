// SPDX-License-Identifier: MIT
/* xchan.c – jg_xchan: a bounded channel between threads.
 *
 * Holds      the buffer's indices and two queues of those who wait, whose records are on their stacks.
 * Invariant  all under the lock: receivers wait only while the buffer is empty and no sender waits;
 *            senders only while it is full and no receiver waits. Who takes a waiter out of its queue
 *            has moved its element: from then on only the delivery is missing, and no cancel undoes it.
 * Called by  user code.
 * Why        hand-over under one lock: an element is in the buffer or in exactly one pair of hands. The
 *            lock is never held while anything waits; a waiter is reached through its loop's inbox.
 */
#include "base/list.h"
#include "exec/home.h"
#include "rt/sched.h"

#include <juggle/many.h>
#include <string.h>
#include <time.h>

/* One wait, on the waiter's stack. */
struct xwait {
    struct wait wait;
    jg_call call;
    jg_loop *home; // NULL: a thread without a loop
    jg_xchan *chan;
    struct xqueue *queue; // that it is in; NULL once it is over
    struct xwait *next;
    struct xwait *prev;
    void *element; // to be sent, or the place for one
    int result;
};

/* The two ends of a queue, as they lie in the channel. */
struct xqueue {
    struct xwait *first;
    struct xwait *last;
};

_Static_assert(offsetof(jg_xchan, last_sender) - offsetof(jg_xchan, first_sender) == sizeof(void *),
               "a queue is two pointers");

static struct xqueue *senders(jg_xchan *chan) {
    return (struct xqueue *)(void *)&chan->first_sender;
}

static struct xqueue *receivers(jg_xchan *chan) {
    return (struct xqueue *)(void *)&chan->first_receiver;
}

static void enqueue(struct xqueue *queue, struct xwait *waiting) {
    waiting->queue = queue;
    waiting->prev = queue->last;
    if (queue->last != NULL) {
        queue->last->next = waiting;
    } else {
        queue->first = waiting;
    }
    queue->last = waiting;
}

static void dequeue(struct xwait *waiting) {
    struct xqueue *queue = waiting->queue;
    if (waiting->prev != NULL) {
        waiting->prev->next = waiting->next;
    } else {
        queue->first = waiting->next;
    }
    if (waiting->next != NULL) {
        waiting->next->prev = waiting->prev;
    } else {
        queue->last = waiting->prev;
    }
    waiting->queue = NULL;
}

/* Under the lock: the wait is over. Returns the waiter if it has to be sent home, which may be done
 * after the lock is let go of; one without a loop may be gone by then. */
static struct xwait *end_wait(struct xwait *waiting, int result) {
    jg_xchan *chan = waiting->chan;
    dequeue(waiting);
    waiting->result = result;
    if (waiting->home != NULL) {
        return waiting;
    }
    pthread_cond_broadcast(&chan->over);
    return NULL;
}

static void send_home(struct xwait *waiting) {
    if (waiting != NULL) {
        inbox_send(waiting->home, &waiting->call);
    }
}

// Moving elements. All under the lock.

static char *place(const jg_xchan *chan, size_t index) {
    return chan->buffer + index % chan->capacity * chan->element_size;
}

static void push(jg_xchan *chan, const void *element) {
    memcpy(place(chan, chan->head + chan->count), element, chan->element_size);
    chan->count++;
}

static void pop(jg_xchan *chan, void *out_element) {
    memcpy(out_element, place(chan, chan->head), chan->element_size);
    chan->head = (chan->head + 1) % chan->capacity;
    chan->count--;
}

/* Returns 0, -EPIPE, or -EAGAIN: it has to wait. */
static int send_now(jg_xchan *chan, const void *element, struct xwait **out_over) {
    struct xwait *receiver = receivers(chan)->first;
    if (chan->closed) {
        return -EPIPE;
    }
    if (receiver != NULL) {
        memcpy(receiver->element, element, chan->element_size);
        *out_over = end_wait(receiver, 1);
        return 0;
    }
    if (chan->count == chan->capacity) {
        return -EAGAIN;
    }
    push(chan, element);
    return 0;
}

/* Returns 1, 0 at the end, or -EAGAIN: it has to wait. */
static int receive_now(jg_xchan *chan, void *out_element, struct xwait **out_over) {
    struct xwait *sender = senders(chan)->first;
    if (chan->count > 0) {
        pop(chan, out_element);
        if (sender != NULL) {
            push(chan, sender->element);
            *out_over = end_wait(sender, 0);
        }
        return 1;
    }
    if (sender != NULL) {
        memcpy(out_element, sender->element, chan->element_size);
        *out_over = end_wait(sender, 0);
        return 1;
    }
    return chan->closed ? 0 : -EAGAIN;
}

// Waiting.

static void arrive(jg_call *call) {
    struct xwait *waiting = container_of(call, struct xwait, call);
    home_back();
    wake(&waiting->wait, waiting->result);
}

static void undo_wait(struct wait *wait) {
    struct xwait *waiting = container_of(wait, struct xwait, wait);
    pthread_mutex_lock(&waiting->chan->lock);
    bool queued = waiting->queue != NULL;
    if (queued) {
        dequeue(waiting);
    }
    pthread_mutex_unlock(&waiting->chan->lock);
    if (queued) { // else it is on its way: completion wins
        home_give_up(waiting->home);
        wake(wait, -ECANCELED);
    }
}

/* Without a loop; the lock is held, and on return no longer. */
static int block(struct coro *self, jg_xchan *chan, struct xwait *waiting) {
    const struct timespec until = {self->deadline_ns / JG_S, self->deadline_ns % JG_S};
    int rc = 0;
    while (waiting->queue != NULL && rc == 0) {
        rc = self->deadline_ns == JG_NEVER
                 ? pthread_cond_wait(&chan->over, &chan->lock)
                 : pthread_cond_clockwait(&chan->over, &chan->lock, CLOCK_MONOTONIC, &until);
    }
    bool too_late = waiting->queue != NULL;
    if (too_late) {
        dequeue(waiting);
    }
    pthread_mutex_unlock(&chan->lock);
    return too_late ? sched_refuse(self) : (int)error_bare(waiting->result);
}

/* Waits in the queue; the lock is held, and on return no longer. */
static int wait_in(jg_xchan *chan, struct xqueue *queue, void *element) {
    struct coro *self = sched_current();
    struct xwait waiting = {.wait = {.undo = undo_wait, .kind = WAIT_KIND("channel")},
                            .call = {.deliver = arrive},
                            .chan = chan,
                            .element = element};
    if (self->loop != NULL) {
        waiting.home = home_leave(self->loop);
    }
    enqueue(queue, &waiting);
    if (self->loop == NULL) {
        return block(self, chan, &waiting);
    }
    pthread_mutex_unlock(&chan->lock);
    return (int)park(&waiting.wait);
}

// What users call.

void jg_xchan_init(jg_xchan *chan, size_t element_size, void *buffer, size_t capacity) {
    *chan = (jg_xchan){.lock = PTHREAD_MUTEX_INITIALIZER,
                       .over = PTHREAD_COND_INITIALIZER,
                       .buffer = buffer,
                       .element_size = element_size,
                       .capacity = capacity};
}

int jg_xchan_try_send(jg_xchan *chan, const void *element) {
    struct xwait *over = NULL;
    pthread_mutex_lock(&chan->lock);
    int rc = send_now(chan, element, &over);
    pthread_mutex_unlock(&chan->lock);
    send_home(over);
    return (int)error_bare(rc);
}

int jg_xchan_try_recv(jg_xchan *chan, void *out_element) {
    struct xwait *over = NULL;
    pthread_mutex_lock(&chan->lock);
    int rc = receive_now(chan, out_element, &over);
    pthread_mutex_unlock(&chan->lock);
    send_home(over);
    return (int)error_bare(rc);
}

int jg_xchan_send(jg_xchan *chan, const void *element) {
    struct xwait *over = NULL;
    int rc = suspend_check(sched_current());
    if (rc < 0) {
        return rc;
    }
    pthread_mutex_lock(&chan->lock);
    rc = send_now(chan, element, &over);
    if (rc == -EAGAIN) {
        return wait_in(chan, senders(chan), (void *)(uintptr_t)element);
    }
    pthread_mutex_unlock(&chan->lock);
    send_home(over);
    return (int)error_bare(rc);
}

int jg_xchan_recv(jg_xchan *chan, void *out_element) {
    struct xwait *over = NULL;
    int rc = suspend_check(sched_current());
    if (rc < 0) {
        return rc;
    }
    pthread_mutex_lock(&chan->lock);
    rc = receive_now(chan, out_element, &over);
    if (rc == -EAGAIN) {
        return wait_in(chan, receivers(chan), out_element);
    }
    pthread_mutex_unlock(&chan->lock);
    send_home(over);
    return (int)error_bare(rc);
}

void jg_xchan_close(jg_xchan *chan) {
    pthread_mutex_lock(&chan->lock);
    chan->closed = true;
    while (senders(chan)->first != NULL) {
        send_home(end_wait(senders(chan)->first, -EPIPE));
    }
    while (receivers(chan)->first != NULL) {
        send_home(end_wait(receivers(chan)->first, 0));
    }
    pthread_mutex_unlock(&chan->lock);
}
