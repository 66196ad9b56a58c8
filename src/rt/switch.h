// SPDX-License-Identifier: MIT
/* switch.h – the machine's part of a coroutine: leave one stack, go on with another.
 *
 * Holds      nothing; a suspended stack is described by one word, its stack pointer.
 * Invariant  all that the ABI says a call preserves is preserved per stack: callee-saved registers
 *            and the floating-point control words.
 * Called by  coro.h and coro.c only.
 * Why        machines differ by file: switch_x86_64.{h,S}, switch_aarch64.{h,S}. ucontext makes a
 *            system call each time, for the signal mask, which belongs to the thread here.
 */
#ifndef RT_SWITCH_H
#define RT_SWITCH_H

/* rt_switch(void **from_sp, void *to_sp, void *word) saves the running context at `*from_sp` and resumes
 * the one whose stack pointer is `to_sp`. It returns when somebody switches back: the word given there.
 * It costs nothing, and spares the resumed one a register that the switch would have to keep. */
#if defined(__x86_64__)
#include "rt/switch_x86_64.h"
#elif defined(__aarch64__)
#include "rt/switch_aarch64.h"
#else
#error "no context switch for this machine yet: write switch_<machine>.h and .S"
#endif

/* Lays out a fresh stack below `top` (16-byte aligned) so that the first switch to the returned stack
 * pointer calls `entry(word)`, which must never return, with the word given to that switch and these
 * floating-point modes. rt_switch_modes() reads those of the running code; it takes longer than all the
 * rest. */
void *rt_switch_prepare(void *top, void (*entry)(void *word), uint64_t modes);

#endif
