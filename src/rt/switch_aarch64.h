// SPDX-License-Identifier: MIT
/* switch_aarch64.h – the way into switch_aarch64.S.
 *
 * Holds      nothing.
 * Invariant  all that a call may change is named as changed; what a call keeps, the assembly keeps.
 * Called by  switch.h.
 * Why        inline, and a jump instead of a call: see switch_aarch64.S. d8-d15 are left to the
 *            compiler: only their lower halves are kept over a call, and here is no call to it.
 * Quirks     x18 is the platform's on other systems; on Linux the compiler uses it freely.
 */
#ifndef RT_SWITCH_AARCH64_H
#define RT_SWITCH_AARCH64_H

#include <stdint.h>

static inline __attribute__((always_inline)) void *rt_switch(void **from_sp, void *to_sp,
                                                             void *word) {
    register void **from __asm__("x0") = from_sp;
    register void *to __asm__("x1") = to_sp;
    register void *passed __asm__("x2") = word;
    __asm__ volatile("adr x30, 1f\n\t"
                     "b rt_switch_jump\n"
                     "1:"
                     : "+r"(from), "+r"(to), "+r"(passed)
                     :
                     : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
                       "x15", "x16", "x17", "x18", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
                       "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17",
                       "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",
                       "v29", "v30", "v31", "cc", "memory");
    return passed;
}

/* Goes on elsewhere for good: nothing is saved. */
static inline __attribute__((always_inline)) _Noreturn void rt_switch_last(void *to_sp,
                                                                           void *word) {
    register void *to __asm__("x1") = to_sp;
    register void *passed __asm__("x2") = word;
    __asm__ volatile("mov sp, %0\n\t"
                     "mrs x9, fpcr\n\t"
                     "b rt_switch_resume"
                     :
                     : "r"(to), "r"(passed)
                     : "x9", "memory");
    __builtin_unreachable();
}

/* FPCR. */
static inline uint64_t rt_switch_modes(void) {
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

#endif
