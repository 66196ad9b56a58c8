// SPDX-License-Identifier: MIT
/* switch_x86_64.h – the way into switch_x86_64.S.
 *
 * Holds      nothing.
 * Invariant  all that a call may change is named as changed; what a call keeps, the assembly keeps.
 * Called by  switch.h.
 * Why        inline, and a jump instead of a call: see switch_x86_64.S.
 */
#ifndef RT_SWITCH_X86_64_H
#define RT_SWITCH_X86_64_H

#include <stdint.h>

static inline __attribute__((always_inline)) void *rt_switch(void **from_sp, void *to_sp,
                                                             void *word) {
    __asm__ volatile("leaq 1f(%%rip), %%rcx\n\t"
                     "jmp rt_switch_jump\n"
                     "1:"
                     : "+D"(from_sp), "+S"(to_sp), "+d"(word)
                     :
                     : "rax", "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
                       "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                       "xmm13", "xmm14", "xmm15", "st", "cc", "memory");
    return word;
}

/* Goes on elsewhere for good: nothing is saved. */
static inline __attribute__((always_inline)) _Noreturn void rt_switch_last(void *to_sp,
                                                                           void *word) {
    __asm__ volatile("movq %0, %%rsp\n\t"
                     "jmp rt_switch_resume"
                     :
                     : "r"(to_sp), "d"(word)
                     : "memory");
    __builtin_unreachable();
}

/* MXCSR, and above it the x87 control word. */
static inline uint64_t rt_switch_modes(void) {
    uint32_t mxcsr;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
    return mxcsr | (uint64_t)x87 << 32;
}

#endif
