// SPDX-License-Identifier: MIT
/* timer.c – the heap behind sleeps and deadlines.
 *
 * Holds      see timer.h.
 * Invariant  heap order on (when_ns, seq); slots[i].timer->index == i for all i in 1..count.
 * Called by  see timer.h. Calls only the fire functions.
 * Why        four children per node: half the levels of a binary heap, and siblings share two cache
 *            lines.
 */
#include "rt/timer.h"

#include "base/check.h"
#include "base/mem.h"

enum { FIRST_CAP = 64 };

void timers_init(struct timers *timers) {
    *timers = (struct timers){0};
}

void timers_fini(struct timers *timers) {
    must(timers->count == 0);
    mem_free(timers->slots);
    timers_init(timers);
}

static bool before(const struct timer_slot *a, const struct timer_slot *b) {
    return a->when_ns != b->when_ns ? a->when_ns < b->when_ns : a->seq < b->seq;
}

static void put(struct timers *timers, uint32_t index, struct timer_slot slot) {
    timers->slots[index] = slot;
    slot.timer->index = index;
}

static uint32_t parent_of(uint32_t index) {
    return (index + 2) / 4;
}

static void sift_up(struct timers *timers, uint32_t index, struct timer_slot slot) {
    while (index > 1 && before(&slot, &timers->slots[parent_of(index)])) {
        put(timers, index, timers->slots[parent_of(index)]);
        index = parent_of(index);
    }
    put(timers, index, slot);
}

static uint32_t least_child(const struct timers *timers, uint32_t index) {
    uint32_t least = index * 4 - 2;
    uint32_t end = least + 4 <= timers->count + 1 ? least + 4 : timers->count + 1;
    for (uint32_t child = least + 1; child < end; child++) {
        if (before(&timers->slots[child], &timers->slots[least])) {
            least = child;
        }
    }
    return least;
}

static void sift_down(struct timers *timers, uint32_t index, struct timer_slot slot) {
    while (index * 4 - 2 <= timers->count) {
        uint32_t child = least_child(timers, index);
        if (!before(&timers->slots[child], &slot)) {
            break;
        }
        put(timers, index, timers->slots[child]);
        index = child;
    }
    put(timers, index, slot);
}

static int grow(struct timers *timers) {
    uint32_t cap = timers->cap == 0 ? FIRST_CAP : timers->cap * 2;
    struct timer_slot *slots = mem_resize(timers->slots, cap * sizeof(*slots));
    if (slots == NULL) {
        return -ENOMEM;
    }
    timers->slots = slots;
    timers->cap = cap;
    return 0;
}

int timer_arm(struct timers *timers, jg_timer *timer, int64_t when_ns,
              void (*fire)(jg_timer *timer)) {
    must(timer->index == 0);
    if (unlikely(timers->count + 2 > timers->cap) && grow(timers) < 0) {
        return -ENOMEM;
    }
    when_ns = when_ns < timers->fired_ns ? timers->fired_ns : when_ns;
    timer->when_ns = when_ns;
    timer->seq = ++timers->seq;
    timer->fire = fire;
    timers->count++;
    sift_up(timers, timers->count, (struct timer_slot){when_ns, timer->seq, timer});
    return 0;
}

void timer_disarm(struct timers *timers, jg_timer *timer) {
    uint32_t index = timer->index;
    if (index == 0) {
        return;
    }
    must(index <= timers->count && timers->slots[index].timer == timer);
    timer->index = 0;
    struct timer_slot last = timers->slots[timers->count];
    timers->count--;
    if (last.timer == timer) {
        return;
    }
    if (index > 1 && before(&last, &timers->slots[parent_of(index)])) {
        sift_up(timers, index, last);
    } else {
        sift_down(timers, index, last);
    }
}

void timers_fire(struct timers *timers, int64_t now_ns) {
    uint64_t armed_before = timers->seq;
    timers->fired_ns = now_ns;
    while (timers->count > 0 && timers->slots[1].when_ns <= now_ns &&
           timers->slots[1].seq <= armed_before) {
        jg_timer *timer = timers->slots[1].timer;
        timer_disarm(timers, timer);
        timer->fire(timer);
    }
}
