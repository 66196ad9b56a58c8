// SPDX-License-Identifier: MIT
/* core.c – the floor under a stack switch: what the processor itself takes.
 *
 * Holds      one stack and one saved stack pointer per context, and a ring of them.
 * Invariant  a context that is not running has its six callee-saved registers and its resume
 *            address on its own stack, and nothing else is saved.
 * Called by  run.py, `floor_core yield|spawn_join WIDTH`.
 * Why        the least a switch between stacks can do under the C calling convention. No scheduler,
 *            no queue, no cancellation, no guard pages, no floating-point control words: a runtime
 *            that comes close is limited by the processor, not by itself.
 * Quirks     the switch ends in a popped `jmp`, not `ret`: the return predictor would miss every
 *            time. spawn_join enters a context on a warm stack and leaves it again: two switches
 *            and the eight stores of a first frame. x86-64 only.
 */
#include "common/measure.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define STACK_BYTES 16384

struct context {
    void *sp;
    struct context *next;
    uint64_t switches_left;
    char *stack;
};

/* Saves the running context in *save_sp and continues the one saved in *load_sp. */
void floor_switch(void **save_sp, void *const *load_sp);

__asm__(".text\n"
        ".globl floor_switch\n"
        ".type floor_switch, @function\n"
        "floor_switch:\n"
        "    endbr64\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq (%rsi), %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    popq %rcx\n"
        "    jmp *%rcx\n"
        ".size floor_switch, . - floor_switch\n");

// The context that is running, and the stack pointer of main() while it is not.
static struct context *running;
static void *main_sp;

/* Lays out a first frame so that the next switch to `c` enters `entry` on an aligned stack. */
static void context_prepare(struct context *c, void (*entry)(void)) {
    void **top = (void **)(void *)(c->stack + STACK_BYTES);
    *--top = NULL; // the return address of entry, which never returns
    *--top = (void *)entry;
    for (int i = 0; i < 6; i++) {
        *--top = NULL;
    }
    c->sp = top;
}

static struct context *ring_make(uint64_t width) {
    struct context *ring = calloc(width, sizeof *ring);
    if (ring == NULL) {
        measure_die("no memory for the contexts", ENOMEM);
    }
    for (uint64_t i = 0; i < width; i++) {
        ring[i].next = &ring[(i + 1) % width];
        // 64 bytes of colour per stack: equal offsets would put all stack tops in one cache set.
        ring[i].stack = aligned_alloc(64, STACK_BYTES + 64 * 64);
        if (ring[i].stack == NULL) {
            measure_die("no memory for a stack", ENOMEM);
        }
        ring[i].stack += i % 64 * 64;
    }
    return ring;
}

static void ring_free(struct context *ring, uint64_t width) {
    for (uint64_t i = 0; i < width; i++) {
        free(ring[i].stack - i % 64 * 64);
    }
    free(ring);
}

/* Switches to the next in the ring until its share is used up. */
static void ring_member(void) {
    struct context *self = running;
    while (self->switches_left > 0) {
        self->switches_left--;
        running = self->next;
        floor_switch(&self->sp, &self->next->sp);
        // Whoever comes back here set `running` to us.
    }
    floor_switch(&self->sp, &main_sp);
    __builtin_unreachable();
}

static void pass_yield(uint64_t width, uint64_t count) {
    struct context *ring = ring_make(width);
    for (uint64_t i = 0; i < width; i++) {
        context_prepare(&ring[i], ring_member);
        ring[i].switches_left = count / width;
    }
    // The first member is the first to finish, and by then every other has used up its share too.
    running = ring;
    floor_switch(&main_sp, &ring->sp);
    ring_free(ring, width);
}

static void member_once(void) {
    floor_switch(&running->sp, &main_sp);
    __builtin_unreachable();
}

static void pass_spawn_join(uint64_t width, uint64_t count) {
    struct context *ring = ring_make(width);
    struct context *c = ring;
    for (uint64_t i = 0; i < count; i++, c = c->next) {
        context_prepare(c, member_once);
        running = c;
        floor_switch(&main_sp, &c->sp);
    }
    ring_free(ring, width);
}

int main(int argc, char **argv) {
    static const struct measure_bench benches[] = {
        {"yield", pass_yield},
        {"spawn_join", pass_spawn_join},
        {NULL, NULL},
    };
    return measure_main(argc, argv, benches);
}
