// SPDX-License-Identifier: MIT
/* chan.c – jg_chan and jg_select.
 *
 * Holds      struct select, one wait with a place in the queue of each of its cases' channels.
 * Invariant  senders wait only while the buffer is full, receivers only while it is empty; both wait on
 *            one channel only if all of them belong to one select. A select that is woken stands in no
 *            queue. Nobody waits on a closed channel.
 * Called by  user code.
 * Why        a send or a recv that waits is a select of one case: one way to wait, one undo. Who comes
 *            second copies the element and wakes the first, so a message costs one switch.
 */
#include "base/list.h"
#include "rt/loop.h"
#include "sync/waitq.h"

#include <juggle/chan.h>
#include <string.h>

struct select {
    struct wait wait; // first
    jg_case *cases;
    size_t count;
};

void jg_chan_init(jg_chan *chan, size_t element_size, void *buffer, size_t capacity) {
    *chan = (jg_chan){.buffer = buffer, .element_size = element_size, .capacity = capacity};
}

static inline void copy(void *to, const void *from, size_t size) {
    if (likely(size == sizeof(uint64_t))) {
        __builtin_memcpy(to, from, sizeof(uint64_t)); // a word: no call
    } else if (size > 0) {
        memcpy(to, from, size);
    }
}

static void leave_queues(const struct select *select) {
    for (size_t i = 0; i < select->count; i++) {
        if (select->cases[i].place.queue != NULL) {
            waitq_remove(&select->cases[i].place);
        }
    }
}

/* The longest waiting case of a queue, or NULL. */
static inline jg_case *first_case(const jg_waitq *queue) {
    return queue->first == NULL ? NULL : container_of(queue->first, jg_case, place);
}

/* The case is done: its select wakes, and knows which it was. */
static inline void settle(jg_case *done, int rc) {
    struct select *select = done->select;
    done->rc = rc;
    if (likely(select->count == 1)) {
        waitq_remove(&done->place);
        wake(&select->wait, 0);
    } else {
        leave_queues(select);
        wake(&select->wait, done - select->cases);
    }
}

static char *slot(const jg_chan *chan, size_t offset) {
    size_t index = chan->head + offset;
    index = index < chan->capacity ? index : index - chan->capacity;
    return chan->buffer + index * chan->element_size;
}

static void append(jg_chan *chan, const void *element) {
    copy(slot(chan, chan->count), element, chan->element_size);
    chan->count++;
}

static inline int send_now(jg_chan *chan, const void *element) {
    jg_case *receiver = first_case(&chan->receivers);
    if (likely(receiver != NULL)) {
        copy(receiver->element, element, chan->element_size);
        settle(receiver, 1);
        return 0;
    }
    if (unlikely(chan->closed)) {
        return -EPIPE;
    }
    if (chan->count == chan->capacity) {
        return -EAGAIN;
    }
    append(chan, element);
    return 0;
}

/* Takes the oldest of the buffer; who waits to send moves up. */
static int recv_buffered(jg_chan *chan, void *out_element) {
    copy(out_element, slot(chan, 0), chan->element_size);
    chan->head = chan->head + 1 == chan->capacity ? 0 : chan->head + 1;
    chan->count--;
    jg_case *sender = first_case(&chan->senders);
    if (sender != NULL) {
        append(chan, sender->element);
        settle(sender, 0);
    }
    return 1;
}

static inline int recv_now(jg_chan *chan, void *out_element) {
    if (chan->count > 0) {
        return recv_buffered(chan, out_element);
    }
    jg_case *sender = first_case(&chan->senders);
    if (likely(sender != NULL)) {
        copy(out_element, sender->element, chan->element_size);
        settle(sender, 0);
        return 1;
    }
    return chan->closed ? 0 : -EAGAIN;
}

static void undo_select(struct wait *wait) {
    leave_queues((struct select *)(void *)wait);
    wake(wait, -ECANCELED);
}

static inline void enter_queue(struct select *select, jg_case *one) {
    one->select = select;
    waitq_append(one->sends ? &one->chan->senders : &one->chan->receivers, &one->place);
}

static inline intptr_t park_select(struct select *select) {
    intptr_t result = park(&select->wait);
    if (unlikely(select->wait.coro->loop == NULL)) {
        leave_queues(select); // nobody could wake us: still in them
    }
    return result;
}

/* Waits for the first of the cases; none is ready. Returns its index, or the error of the wait. */
static int wait_for_any(jg_case *cases, size_t count) {
    struct select select = {.wait = {.undo = undo_select, .kind = WAIT_KIND("channel")},
                            .cases = cases,
                            .count = count};
    for (size_t i = 0; i < count; i++) {
        cases[i].place.queue = NULL;
        if (cases[i].chan != NULL) {
            enter_queue(&select, &cases[i]);
        }
    }
    return (int)park_select(&select);
}

/* A select of one case. Out of line, and the same for both sides: a send that need not wait has no record
 * to guard with a canary, and the processor's stack of return addresses fits whoever goes on after the
 * switch. Nothing is set that is not read. */
__attribute__((noinline)) static int wait_for_one(jg_chan *chan, void *element, bool sends) {
    struct select select;
    jg_case only;
    only.chan = chan;
    only.sends = sends;
    only.element = element;
    select.wait.undo = undo_select;
    select.wait.kind = WAIT_KIND("channel");
    select.cases = &only;
    select.count = 1;
    enter_queue(&select, &only);
    intptr_t rc = park_select(&select);
    return unlikely(rc < 0) ? (int)rc : only.rc;
}

int jg_chan_try_send(jg_chan *chan, const void *element) {
    return (int)error_bare(send_now(chan, element));
}

int jg_chan_try_recv(jg_chan *chan, void *out_element) {
    return (int)error_bare(recv_now(chan, out_element));
}

int jg_chan_send(jg_chan *chan, const void *element) {
    int rc = suspend_check(sched_current());
    if (unlikely(rc < 0)) {
        return rc;
    }
    rc = send_now(chan, element);
    if (likely(rc == 0)) {
        return 0;
    }
    return rc == -EAGAIN ? wait_for_one(chan, (void *)element, true) : (int)error_bare(rc);
}

int jg_chan_recv(jg_chan *chan, void *out_element) {
    int rc = suspend_check(sched_current());
    if (unlikely(rc < 0)) {
        return rc;
    }
    rc = recv_now(chan, out_element); // 1, 0 at the end, or -EAGAIN
    return rc != -EAGAIN ? rc : wait_for_one(chan, out_element, false);
}

void jg_chan_close(jg_chan *chan) {
    chan->closed = true;
    while (!waitq_empty(&chan->senders)) {
        jg_case *sender = first_case(&chan->senders);
        error_outdate_of(((const struct select *)sender->select)->wait.coro, -EPIPE);
        settle(sender, -EPIPE);
    }
    while (!waitq_empty(&chan->receivers)) {
        settle(first_case(&chan->receivers), 0);
    }
}

bool jg_chan_is_closed(const jg_chan *chan) {
    return chan->closed;
}

size_t jg_chan_count(const jg_chan *chan) {
    return chan->count;
}

static bool is_ready(const jg_case *one) {
    const jg_chan *chan = one->chan;
    if (chan == NULL) {
        return false;
    }
    if (chan->closed) {
        return true;
    }
    return one->sends ? chan->count < chan->capacity || !waitq_empty(&chan->receivers)
                      : chan->count > 0 || !waitq_empty(&chan->senders);
}

/* A number below `limit`, from the loop's seed; without a loop each in turn. */
static size_t draw(size_t limit) {
    static __thread uint64_t turns;
    struct loop *loop = sched_current()->loop;
    return (loop != NULL ? loop_random(loop) : turns++) % limit;
}

/* Carries one out of those that are ready. Returns its index; -EINVAL without any case, -EAGAIN. */
static int select_now(jg_case *cases, size_t count) {
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        ready += is_ready(&cases[i]);
    }
    if (ready == 0) {
        return count == 0 ? -EINVAL : -EAGAIN;
    }
    size_t skip = ready == 1 ? 0 : draw(ready);
    size_t at = 0;
    while (!is_ready(&cases[at]) || skip-- > 0) {
        at++;
    }
    jg_case *chosen = &cases[at];
    chosen->rc = chosen->sends ? send_now(chosen->chan, chosen->element)
                               : recv_now(chosen->chan, chosen->element);
    error_bare(chosen->rc);
    return (int)at;
}

int jg_select_try(jg_case *cases, size_t count) {
    return (int)error_bare(select_now(cases, count));
}

int jg_select(jg_case *cases, size_t count) {
    int rc = suspend_check(sched_current());
    if (rc < 0) {
        return rc;
    }
    rc = select_now(cases, count);
    return rc == -EAGAIN ? wait_for_any(cases, count) : (int)error_bare(rc);
}
