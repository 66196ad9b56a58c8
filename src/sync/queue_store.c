// SPDX-License-Identifier: MIT
/* queue_store.c – see queue_store.h.
 *
 * Holds      a ring of words, taken from its head (JG_FIFO) or its tail (JG_LIFO); or a binary heap of
 *            words with their number of arrival (JG_PRIORITY).
 * Invariant  count <= room. In the heap no entry goes before its parent.
 * Called by  see queue_store.h.
 * Why        the number of arrival makes the heap stable: equal items come out in the order they went in.
 */
#include "sync/queue_store.h"

#include "base/check.h"
#include "base/mem.h"
#include "rt/sched.h"

#include <string.h>

enum { FIRST_ROOM = 8 };

struct entry {
    intptr_t item;
    uint64_t arrival;
};

static size_t item_size(const jg_queue *queue) {
    return queue->options.order == JG_PRIORITY ? sizeof(struct entry) : sizeof(intptr_t);
}

/* Moves the items to twice the room, the oldest first. */
static int grow(jg_queue *queue) {
    size_t size = item_size(queue);
    size_t room = queue->room == 0 ? FIRST_ROOM : queue->room * 2;
    char *items = mem_alloc(room * size);
    if (items == NULL) {
        return -ENOMEM;
    }
    if (queue->count > 0) {
        const char *from = queue->items;
        size_t upper = queue->room - queue->head; // from the head to the end of the ring
        memcpy(items, from + queue->head * size, upper * size);
        memcpy(items + upper * size, from, queue->head * size);
    }
    mem_free(queue->items);
    queue->items = items;
    queue->room = room;
    queue->head = 0;
    return 0;
}

static intptr_t *ring_at(const jg_queue *queue, size_t offset) {
    return (intptr_t *)queue->items + ((queue->head + offset) & (queue->room - 1));
}

static bool goes_before(const jg_queue *queue, const struct entry *a, const struct entry *b) {
    int order = queue->options.compare != NULL ? queue->options.compare(a->item, b->item)
                                               : (a->item > b->item) - (a->item < b->item);
    return order != 0 ? order < 0 : a->arrival < b->arrival;
}

static void heap_push(jg_queue *queue, intptr_t item) {
    struct entry *heap = queue->items;
    const struct entry entry = {item, queue->sequence++};
    size_t at = queue->count;
    while (at > 0 && goes_before(queue, &entry, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = entry;
}

/* Takes the root; the last entry sinks from there to its place. `count` is what remains. */
static intptr_t heap_pop(jg_queue *queue, size_t count) {
    struct entry *heap = queue->items;
    const intptr_t item = heap[0].item;
    const struct entry last = heap[count];
    size_t at = 0;
    for (size_t child = 1; child < count; child = 2 * at + 1) {
        child += child + 1 < count && goes_before(queue, &heap[child + 1], &heap[child]);
        if (!goes_before(queue, &heap[child], &last)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return item;
}

/* Around what compares items, which is where the memory is not in order. */
static bool compare_begin(jg_queue *queue) {
    queue->comparing = queue->options.compare != NULL;
    return queue->comparing && no_suspend_enter(sched_current());
}

static void compare_end(jg_queue *queue, bool before) {
    if (queue->comparing) {
        queue->comparing = false;
        no_suspend_leave(sched_current(), before);
    }
}

static void check_comparing(const jg_queue *queue) {
    if (unlikely(queue->comparing)) {
        check_misuse("a queue's compare function puts into the queue, or takes from it");
    }
}

int store_push(jg_queue *queue, intptr_t item) {
    check_comparing(queue);
    if (queue->count == queue->room && grow(queue) < 0) {
        return -ENOMEM;
    }
    if (queue->options.order == JG_PRIORITY) {
        bool before = compare_begin(queue);
        heap_push(queue, item);
        compare_end(queue, before);
    } else {
        *ring_at(queue, queue->count) = item;
    }
    queue->count++;
    return 0;
}

intptr_t store_pop(jg_queue *queue) {
    check_comparing(queue);
    must(queue->count > 0);
    queue->count--;
    if (queue->options.order == JG_PRIORITY) {
        bool before = compare_begin(queue);
        intptr_t item = heap_pop(queue, queue->count);
        compare_end(queue, before);
        return item;
    }
    if (queue->options.order == JG_LIFO) {
        return *ring_at(queue, queue->count);
    }
    intptr_t item = *ring_at(queue, 0);
    queue->head = (queue->head + 1) & (queue->room - 1);
    return item;
}

void store_free(jg_queue *queue) {
    must(queue->count == 0);
    mem_free(queue->items);
    queue->items = NULL;
    queue->room = 0;
    queue->head = 0;
}
