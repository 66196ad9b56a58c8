// SPDX-License-Identifier: MIT
/* core.c – the floor under a stack switch: what the processor itself takes.
 *
 * Holds      a ring of contexts: a stack and a saved stack pointer each.
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

// The contexts in the order they run, the one that runs now, and main() while it does not.
static struct context *ring;
static uint64_t ring_width;
static uint64_t position;
static void *main_sp;

// What each member of the ring is to do in this pass.
static uint64_t switches_each;

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

/* 64 bytes of colour per stack: equal offsets would put all stack tops in the same cache sets. */
static size_t colour_bytes(uint64_t index) {
    return index % 64 * 64;
}

static void ring_make(uint64_t width) {
    ring = calloc(width, sizeof *ring);
    ring_width = width;
    position = 0;
    if (ring == NULL) {
        measure_die("no memory for the contexts", ENOMEM);
    }
    for (uint64_t i = 0; i < width; i++) {
        char *memory = aligned_alloc(64, STACK_BYTES + 64 * 64);
        if (memory == NULL) {
            measure_die("no memory for a stack", ENOMEM);
        }
        ring[i].stack = memory + colour_bytes(i);
    }
}

static void ring_free(void) {
    for (uint64_t i = 0; i < ring_width; i++) {
        free(ring[i].stack - colour_bytes(i));
    }
    free(ring);
}

static uint64_t next_position(void) {
    return position + 1 == ring_width ? 0 : position + 1;
}

/* Switches to the next in the ring until its share is used up. */
static void ring_member(void) {
    for (uint64_t left = switches_each; left > 0; left--) {
        struct context *self = &ring[position];
        position = next_position();
        floor_switch(&self->sp, &ring[position].sp);
    }
    // The first member is the first to end, and by then all others have used up their shares too.
    floor_switch(&ring[position].sp, &main_sp);
    __builtin_unreachable();
}

static void pass_yield(uint64_t width, uint64_t count) {
    ring_make(width);
    switches_each = count / width;
    for (uint64_t i = 0; i < width; i++) {
        context_prepare(&ring[i], ring_member);
    }
    floor_switch(&main_sp, &ring[0].sp);
    ring_free();
}

static void member_once(void) {
    floor_switch(&ring[position].sp, &main_sp);
    __builtin_unreachable();
}

static void pass_spawn_join(uint64_t width, uint64_t count) {
    ring_make(width);
    for (uint64_t i = 0; i < count; i++) {
        context_prepare(&ring[position], member_once);
        floor_switch(&main_sp, &ring[position].sp);
        position = next_position();
    }
    ring_free();
}

int main(int argc, char **argv) {
    static const struct measure_bench benches[] = {
        {"yield", pass_yield},
        {"spawn_join", pass_spawn_join},
        {NULL, NULL},
    };
    return measure_main(argc, argv, benches);
}
