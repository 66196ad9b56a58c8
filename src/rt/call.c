// SPDX-License-Identifier: MIT
/* call.c – see call.h.
 *
 * Holds      nothing of its own.
 * Invariant  see call.h.
 * Called by  see call.h.
 * Why        whoever looks for a call first moves the inbox into the ring: then it is in a ring, or it
 *            has not been posted yet.
 */
#include "rt/call.h"

#include "base/check.h"
#include "base/list.h"
#include "rt/loop.h"

static void ring_init(jg_link *ring) {
    *ring = (jg_link){ring, ring};
}

static void append(jg_link *ring, jg_link *link) {
    *link = (jg_link){.next = ring, .prev = ring->prev};
    ring->prev->next = link;
    ring->prev = link;
}

static void leave(jg_call *call) {
    call->link.prev->next = call->link.next;
    call->link.next->prev = call->link.prev;
    __atomic_store_n(&call->loop, NULL, __ATOMIC_RELAXED);
}

static void enter(struct loop *loop, jg_link *ring, jg_call *call) {
    append(ring, &call->link);
    __atomic_store_n(&call->loop, loop, __ATOMIC_RELAXED);
}

void calls_init(struct calls *calls) {
    ring_init(&calls->ready);
    ring_init(&calls->timed);
}

void call_make_ready(struct loop *loop, jg_call *call) {
    if (!calls_due(&loop->calls)) {
        loop_turn_soon(loop);
    }
    enter(loop, &loop->calls.ready, call);
}

static void come_due(jg_timer *timer) {
    jg_call *call = container_of(timer, jg_call, timer);
    leave(call);
    call->deliver(call);
}

int call_make_timed(struct loop *loop, jg_call *call, int64_t when_ns) {
    int rc = timer_arm(&loop->timers, &call->timer, when_ns, come_due);
    if (rc == 0) {
        enter(loop, &loop->calls.timed, call);
    }
    return rc;
}

static void enter_all(struct loop *loop, jg_link *link) {
    while (link != NULL) {
        jg_link *next = link->next;
        call_make_ready(loop, container_of(link, jg_call, link));
        link = next;
    }
}

bool call_take_back(struct loop *loop, jg_call *call) {
    if (loop != NULL) {
        enter_all(loop, inbox_take(loop->handle));
    }
    const void *owner = __atomic_load_n(&call->loop, __ATOMIC_RELAXED);
    if (owner == NULL) {
        return false;
    }
    if (owner != loop) {
        if (loop_left_behind(owner)) {
            return false; // a copy, in a forked child: it is never made
        }
        check_misuse("a call is cancelled on another thread than that of the loop that has it");
    }
    leave(call);
    timer_disarm(&loop->timers, &call->timer);
    return true;
}

/* Moves what is due to a ring of its own. */
static void begin_round(struct loop *loop, jg_link *round) {
    jg_link *ready = &loop->calls.ready;
    *round = *ready;
    round->next->prev = round;
    round->prev->next = round;
    ring_init(ready);
}

void calls_round(struct loop *loop) {
    jg_link round;
    enter_all(loop, inbox_take(loop->handle));
    if (likely(!calls_due(&loop->calls))) {
        return;
    }
    begin_round(loop, &round);
    while (round.next != &round) {
        jg_call *call = container_of(round.next, jg_call, link);
        leave(call);
        call->deliver(call);
    }
}

void calls_close(struct loop *loop) {
    struct calls *calls = &loop->calls;
    enter_all(loop, mpsc_close(&loop->handle->queue));
    do {
        calls_round(loop); // what the last ones settle may have to be called for
    } while (calls_due(calls));
    while (calls->timed.next != &calls->timed) {
        jg_call *call = container_of(calls->timed.next, jg_call, link);
        leave(call);
        timer_disarm(&loop->timers, &call->timer);
        call_release(call);
    }
}
