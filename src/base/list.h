// SPDX-License-Identifier: MIT
/* list.h – doubly linked list of nodes that live inside other structs.
 *
 * Holds      nothing: the nodes are the caller's.
 * Invariant  a list head is a node of its own ring; a node outside any list points at itself or is
 *            zero.
 * Called by  waitq, task, io.
 * Why        a wait's record is on the waiter's stack: it brings its own link, so queueing never
 *            allocates and leaving from the middle is O(1).
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

/* The struct around a member. */
#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *head) {
    head->next = head;
    head->prev = head;
}

static inline bool list_empty(const struct list *head) {
    return head->next == head;
}

static inline void list_append(struct list *head, struct list *node) {
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_remove(struct list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node;
    node->prev = node;
}

#endif
