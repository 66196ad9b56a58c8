// SPDX-License-Identifier: MIT
/* queue.c – jg_queue: who puts, who gets, who waits.
 *
 * Holds      struct carrier, one wait with the item it brings or is brought.
 * Invariant  getters wait only while the queue is empty and not shut, putters only while it is full and
 *            not shut.
 * Called by  user code.
 * Why        a put hands its item to the longest getter, a get lets the longest putter's item in: what
 *            was handed over is its new owner's before that runs, so no cancel loses it.
 */
#include "sync/queue_store.h"
#include "sync/waitq.h"

#include <juggle/queue.h>

struct carrier {
    struct waiter waiter; // first
    intptr_t item;
};

static struct carrier *take_carrier(jg_waitq *queue) {
    return (struct carrier *)(void *)waitq_take(queue);
}

static int carrier_wait(jg_waitq *queue, struct carrier *carrier, const struct wait_kind *kind) {
    carrier->waiter.wait.undo = waitq_undo;
    carrier->waiter.wait.kind = kind;
    return (int)waitq_park(queue, &carrier->waiter);
}

void jg_queue_init(jg_queue *queue, const jg_queue_options *options) {
    *queue = (jg_queue){.shut = false};
    if (options != NULL) {
        queue->options = *options;
    }
}

static void count_done(jg_queue *queue) {
    if (queue->unfinished > 0 && --queue->unfinished == 0) {
        waitq_wake_all(&queue->joiners, 0);
    }
}

static void drop_items(jg_queue *queue) {
    while (queue->count > 0) {
        intptr_t item = store_pop(queue);
        call_drop(queue->options.drop, (void *)item);
        count_done(queue);
    }
}

void jg_queue_fini(jg_queue *queue) {
    if (!waitq_empty(&queue->getters) || !waitq_empty(&queue->putters) ||
        !waitq_empty(&queue->joiners)) {
        check_misuse("a queue is ended while tasks wait in it");
    }
    queue->shut = true; // a drop function that puts would never come to an end
    drop_items(queue);
    store_free(queue);
    *queue = (jg_queue){.shut = false};
}

bool jg_queue_is_full(const jg_queue *queue) {
    return queue->options.capacity > 0 && queue->count >= queue->options.capacity;
}

static int put_now(jg_queue *queue, intptr_t item) {
    if (queue->shut) {
        return -EPIPE;
    }
    struct carrier *getter = take_carrier(&queue->getters);
    if (getter != NULL) {
        getter->item = item;
        wake(&getter->waiter.wait, 0);
    } else if (jg_queue_is_full(queue)) {
        return -EAGAIN;
    } else if (store_push(queue, item) < 0) {
        return -ENOMEM;
    }
    queue->unfinished++;
    return 0;
}

int jg_queue_try_put(jg_queue *queue, intptr_t item) {
    return (int)error_bare(put_now(queue, item));
}

int jg_queue_put(jg_queue *queue, intptr_t item) {
    int rc = suspend_check(sched_current());
    if (rc < 0) {
        return rc;
    }
    rc = put_now(queue, item);
    if (rc != -EAGAIN) {
        return (int)error_bare(rc);
    }
    struct carrier putter = {.item = item};
    return carrier_wait(&queue->putters, &putter, WAIT_KIND("queue put"));
}

/* A place is free: the longest putter's item goes in. */
static void let_in(jg_queue *queue) {
    struct carrier *putter = take_carrier(&queue->putters);
    if (putter == NULL) {
        return;
    }
    int rc = store_push(queue, putter->item);
    must(rc == 0); // there is the place of the item just taken
    queue->unfinished++;
    wake(&putter->waiter.wait, 0);
}

static int get_now(jg_queue *queue, intptr_t *out_item) {
    if (queue->count == 0) {
        return queue->shut ? -EPIPE : -EAGAIN;
    }
    *out_item = store_pop(queue);
    let_in(queue);
    return 0;
}

int jg_queue_try_get(jg_queue *queue, intptr_t *out_item) {
    return (int)error_bare(get_now(queue, out_item));
}

int jg_queue_get(jg_queue *queue, intptr_t *out_item) {
    int rc = suspend_check(sched_current());
    if (rc < 0) {
        return rc;
    }
    rc = get_now(queue, out_item);
    if (rc != -EAGAIN) {
        return (int)error_bare(rc);
    }
    struct carrier getter = {.item = 0};
    rc = carrier_wait(&queue->getters, &getter, WAIT_KIND("queue get"));
    if (rc == 0) {
        *out_item = getter.item;
    }
    return rc;
}

int jg_queue_task_done(jg_queue *queue) {
    if (queue->unfinished == 0) {
        return (int)error_bare(-EINVAL);
    }
    count_done(queue);
    return 0;
}

int jg_queue_join(jg_queue *queue) {
    int rc = suspend_check(sched_current());
    if (rc < 0 || queue->unfinished == 0) {
        return rc;
    }
    return (int)waitq_wait(&queue->joiners, WAIT_KIND("queue join"));
}

void jg_queue_shutdown(jg_queue *queue, bool immediate) {
    queue->shut = true;
    waitq_wake_all(&queue->getters, -EPIPE);
    waitq_wake_all(&queue->putters, -EPIPE);
    if (immediate) {
        drop_items(queue);
    }
}

size_t jg_queue_count(const jg_queue *queue) {
    return queue->count;
}

size_t jg_queue_unfinished(const jg_queue *queue) {
    return queue->unfinished;
}
