// SPDX-License-Identifier: MIT
/* sync.h – the part of fuzz_api.c with locks, semaphores, queues, channels, calls and local values.
 *
 * Holds      nothing; see world.h.
 * Invariant  one owner per lock; every permit, item, call and value is accounted for at the end.
 * Called by  fuzz_api.c.
 * Why        what is handed over in the tick of a cancel is lost or given twice by the smallest slip.
 */
#ifndef FUZZ_API_SYNC_H
#define FUZZ_API_SYNC_H

#include "world.h"

static void lock_own(const struct frame *frame, unsigned k) {
    expect(world.lock_owner[k] == 0 && jg_lock_is_held(&world.locks[k]));
    world.lock_owner[k] = frame->ordinal + 1;
}

static bool never(void *arg) {
    (void)arg;
    return (next_byte() & 3) == 3;
}

/* Inside the lock: waits for the condition, or does what comes. */
static void lock_hold(struct frame *frame, unsigned k, uint8_t how) {
    struct frame inside = frame_inside(frame);
    inside.flat = true;
    lock_own(frame, k);
    if (how & 8) {
        expect(jg_lock_try(&world.locks[k]) == -EDEADLK);
    }
    if (how & 4) {
        world.lock_owner[k] = 0;
        jg_cond *cond = &world.conds[how & 1];
        intptr_t rc = how & 0x10 ? jg_cond_wait_for(cond, &world.locks[k], never, NULL)
                                 : jg_cond_wait(cond, &world.locks[k]);
        allow(frame, rc, -EOWNERDEAD, 0, 0);
        lock_own(frame, k);
    }
    interpret(&inside);
    expect(world.lock_owner[k] == frame->ordinal + 1);
    world.lock_owner[k] = 0;
    expect(jg_lock_release(&world.locks[k]) == 0);
}

static void do_lock(struct frame *frame) {
    unsigned k = next_byte() % 2;
    uint8_t how = next_byte();
    if (frame->flat || frame->depth >= DEPTH) {
        return;
    }
    int rc = how & 2 ? jg_lock_try(&world.locks[k]) : jg_lock_acquire(&world.locks[k]);
    allow(frame, rc, -EOWNERDEAD, how & 2 ? -EBUSY : 0, 0);
    if (rc == 0 || rc == -EOWNERDEAD) {
        lock_hold(frame, k, how);
    } else {
        expect(jg_lock_release(&world.locks[k]) == -EPERM);
        allow(frame, jg_cond_wait(&world.conds[0], &world.locks[k]), -EPERM, 0, 0);
    }
}

static void do_notify(struct frame *frame) {
    uint8_t how = next_byte();
    (void)frame;
    if (how & 2) {
        jg_cond_notify_all(&world.conds[how & 1]);
    } else {
        jg_cond_notify(&world.conds[how & 1], how & 4 ? SIZE_MAX : how >> 3);
    }
}

static void do_sem(struct frame *frame) {
    uint8_t how = next_byte();
    unsigned k = how & 1;
    jg_sem *sem = &world.sems[k];
    if (how & 2) {
        int rc = jg_sem_release(sem);
        expect(rc == 0 || (rc == -EOVERFLOW && k == 1));
        world.permits[k] += rc == 0;
        return;
    }
    int rc = how & 4 ? jg_sem_try(sem) : jg_sem_acquire(sem);
    allow(frame, rc, how & 4 ? -EAGAIN : 0, 0, 0);
    world.permits[k] -= rc == 0;
}

static void do_event(struct frame *frame) {
    uint8_t how = next_byte() % 4;
    if (how == 0) {
        jg_event_set(&world.event);
    } else if (how == 1) {
        jg_event_clear(&world.event);
    } else {
        allow(frame, jg_event_wait(&world.event), 0, 0, 0);
    }
}

static void do_barrier(struct frame *frame) {
    uint8_t how = next_byte() % 8;
    if (how == 0) {
        jg_barrier_abort(&world.barrier);
    } else if (how < 3) {
        jg_barrier_reset(&world.barrier);
    } else {
        intptr_t rc = allow(frame, jg_barrier_wait(&world.barrier), -EPIPE, 0, 0);
        expect(rc < 3);
    }
}

static void sync_act(struct frame *frame) {
    static void (*const acts[])(struct frame *) = {do_lock, do_lock, do_lock,  do_notify, do_notify,
                                                   do_sem,  do_sem,  do_event, do_barrier};
    acts[next_byte() % (sizeof acts / sizeof acts[0])](frame);
}

// Queues.

static void on_item_dropped(void *item) {
    item_take((uintptr_t)item);
}

static void queue_put(struct frame *frame, jg_queue *queue, bool try) {
    unsigned item = item_offer();
    if (item == 0) {
        return;
    }
    int rc = try ? jg_queue_try_put(queue, item) : jg_queue_put(queue, item);
    allow(frame, rc, -EPIPE, try ? -EAGAIN : 0, 0);
    if (rc < 0) {
        item_keep(item);
    }
}

static void queue_get(struct frame *frame, jg_queue *queue, bool try) {
    intptr_t item = -1;
    int rc = try ? jg_queue_try_get(queue, &item) : jg_queue_get(queue, &item);
    allow(frame, rc, -EPIPE, try ? -EAGAIN : 0, 0);
    if (rc == 0) {
        item_take((uintptr_t)item);
    } else {
        expect(item == -1);
    }
}

static void queue_act(struct frame *frame) {
    uint8_t how = next_byte();
    jg_queue *queue = &world.queues[next_byte() % FEW];
    switch (how % 8) {
    case 0:
    case 1:
    case 2:
        queue_put(frame, queue, how & 0x40);
        break;
    case 3:
    case 4:
        queue_get(frame, queue, how & 0x40);
        break;
    case 5:
        expect(jg_queue_task_done(queue) == 0 || jg_queue_unfinished(queue) == 0);
        break;
    case 6:
        allow(frame, jg_queue_join(queue), 0, 0, 0);
        break;
    default:
        if (how > 0xe0) {
            jg_queue_shutdown(queue, how & 8);
        }
    }
    expect(jg_queue_count(queue) <= ITEMS);
}

// Channels.

static void chan_select(struct frame *frame, uint8_t how) {
    jg_case cases[4];
    uint32_t sent[4] = {0};
    uint32_t got[4] = {0};
    size_t count = how >> 6;
    for (size_t i = 0; i < count; i++) {
        uint8_t what = next_byte();
        jg_chan *chan = what % 8 == 7 ? NULL : &world.chans[(what >> 1) % FEW];
        if (what & 1) {
            sent[i] = item_offer();
        }
        cases[i] = sent[i] != 0 ? jg_case_send(chan, &sent[i]) : jg_case_recv(chan, &got[i]);
    }
    bool try = how & 0x20;
    int rc = try ? jg_select_try(cases, count) : jg_select(cases, count);
    allow(frame, rc, try ? -EAGAIN : 0, count == 0 ? -EINVAL : 0, 0);
    for (size_t i = 0; i < count; i++) {
        bool chosen = rc == (int)i;
        expect(!chosen || cases[i].rc == -EPIPE || cases[i].rc >= 0);
        if (sent[i] != 0 && !(chosen && cases[i].rc == 0)) {
            item_keep(sent[i]);
        } else if (sent[i] == 0 && chosen && cases[i].rc == 1) {
            item_take(got[i]);
        }
    }
}

static void chan_send(struct frame *frame, jg_chan *chan, bool try) {
    uint32_t item = item_offer();
    if (item == 0) {
        return;
    }
    int rc = try ? jg_chan_try_send(chan, &item) : jg_chan_send(chan, &item);
    allow(frame, rc, -EPIPE, try ? -EAGAIN : 0, 0);
    if (rc < 0) {
        item_keep(item);
    }
}

static void chan_recv(struct frame *frame, jg_chan *chan, bool try) {
    uint32_t item = 0;
    int rc = try ? jg_chan_try_recv(chan, &item) : jg_chan_recv(chan, &item);
    allow(frame, rc, try ? -EAGAIN : 0, 0, 0);
    expect(rc <= 1 && (rc == 1) == (item != 0));
    if (rc == 1) {
        item_take(item);
    }
}

static void chan_act(struct frame *frame) {
    uint8_t how = next_byte();
    jg_chan *chan = &world.chans[next_byte() % FEW];
    switch (how % 8) {
    case 0:
    case 1:
        chan_send(frame, chan, how & 0x40);
        break;
    case 2:
    case 3:
        chan_recv(frame, chan, how & 0x40);
        break;
    case 7:
        if (how > 0xd0) {
            jg_chan_close(chan);
        }
        break;
    default:
        chan_select(frame, how);
    }
}

// Calls of the loop, local values, errors.

static intptr_t on_call(void *arg) {
    jg_call *call = arg;
    world.calls_made++;
    expect(jg_yield() == -EDEADLK && jg_sleep(5) == -EDEADLK);
    if (!world.closing && world.at < world.size && next_byte() % 4 == 0) {
        world.calls_accepted += jg_call_soon(call, on_call, call) == 0;
    }
    return 0;
}

static void do_call(struct frame *frame) {
    static const int64_t delays[] = {INT64_MIN, -1, 0, 1, 5, 20, 1000, 60000};
    jg_call *call = &world.calls[next_byte() % FEW];
    uint8_t how = next_byte();
    (void)frame;
    if (how % 4 == 0) {
        world.calls_accepted -= jg_call_cancel(call);
        return;
    }
    bool queued = jg_call_queued(call);
    int rc = how % 4 == 1   ? jg_call_soon(call, on_call, call)
             : how % 4 == 2 ? jg_call_later(call, delays[(how >> 2) % 8], on_call, call)
                            : jg_post(jg_loop_current(), call, on_call, call);
    expect(rc == (queued ? -EALREADY : 0) || (rc == -ENOMEM && world.short_of_memory) ||
           rc == -ESHUTDOWN);
    world.calls_accepted += rc == 0;
}

static void on_value_dropped(void *value) {
    expect(value != NULL);
    world.values_dropped++;
}

static jg_local locals[2] = {{.name = "one", .drop = on_value_dropped},
                             {.name = "two", .drop = on_value_dropped}};

static void do_local(struct frame *frame) {
    uint8_t how = next_byte();
    jg_local *local = &locals[how & 1];
    (void)frame;
    if (how & 2) {
        int rc = jg_local_unset(local);
        expect(rc == 0 ? jg_local_get(local) == NULL : rc == -ENOMEM && world.short_of_memory);
        return;
    }
    void *value = &world.items[how];
    void *before = jg_local_get(local);
    int rc = jg_local_set(local, value);
    expect(rc == 0 || (rc == -ENOMEM && world.short_of_memory));
    expect(jg_local_get(local) == (rc == 0 ? value : before));
    world.values_set += rc == 0;
}

static void do_fail(struct frame *frame) {
    (void)frame;
    expect(jg_fail_because(-EIO, "after %u", next_byte()) == -EIO);
    expect(jg_error_detail(-EIO)[0] != '\0');
    if (next_byte() & 1) {
        jg_error_clear();
    }
}

static void calls_act(struct frame *frame) {
    static void (*const acts[])(struct frame *) = {do_call, do_call, do_local, do_fail};
    acts[next_byte() % (sizeof acts / sizeof acts[0])](frame);
}

#endif
