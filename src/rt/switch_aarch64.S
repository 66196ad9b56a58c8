// SPDX-License-Identifier: MIT
/* switch_aarch64.S – the context switch for AArch64, AAPCS64.
 *
 * Holds      a suspended stack holds, from its stack pointer up:
 *              +0 x19-x28, +80 x29, +88 where to go on, +96 FPCR; 112 bytes
 * Invariant  the layout equals what rt_switch_prepare builds; the unwind rules hold on both stacks.
 * Called by  rt_switch in switch_aarch64.h: entered by a jump, with x0 = where to save the stack
 *            pointer, x1 = the stack pointer to go on with, x30 = where to go on later; x2 is kept.
 * Why        neither entered by bl nor left by ret: the return predictor's own stack would get out of
 *            step. FPCR is written only when it differs: writing it drains the pipeline.
 */
        .text
        .globl  rt_switch_jump
        .hidden rt_switch_jump
        .type   rt_switch_jump, %function
        .p2align 4
rt_switch_jump:
        .cfi_startproc
        sub     sp, sp, #112
        .cfi_def_cfa_offset 112
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        .cfi_offset x19, -112
        .cfi_offset x20, -104
        .cfi_offset x21, -96
        .cfi_offset x22, -88
        .cfi_offset x23, -80
        .cfi_offset x24, -72
        .cfi_offset x25, -64
        .cfi_offset x26, -56
        .cfi_offset x27, -48
        .cfi_offset x28, -40
        .cfi_offset x29, -32
        .cfi_offset x30, -24
        mrs     x9, fpcr
        str     x9, [sp, #96]
        mov     x10, sp
        str     x10, [x0]
        mov     sp, x1
        .globl  rt_switch_resume
        .hidden rt_switch_resume
rt_switch_resume:
        ldr     x11, [sp, #96]
        cmp     x9, x11
        b.eq    1f
        msr     fpcr, x11
1:      ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        add     sp, sp, #112
        .cfi_def_cfa_offset 0
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        mov     x16, x30
        br      x16
        .cfi_endproc
        .size   rt_switch_jump, . - rt_switch_jump

        /* First activation of a stack: x19 is the function, x2 the word of the switch. */
        .type   rt_switch_entry, %function
        .p2align 4
rt_switch_entry:
        .cfi_startproc
        .cfi_undefined x30
        .cfi_undefined x29
        mov     x0, x2
        mov     x29, #0
        mov     x30, #0
        br      x19
        .cfi_endproc
        .size   rt_switch_entry, . - rt_switch_entry

        .globl  rt_switch_prepare
        .hidden rt_switch_prepare
        .type   rt_switch_prepare, %function
        .p2align 4
rt_switch_prepare:
        .cfi_startproc
        sub     x9, x0, #112
        str     x1, [x9, #0]
        adr     x10, rt_switch_entry
        stp     xzr, x10, [x9, #80]
        str     x2, [x9, #96]
        mov     x0, x9
        ret
        .cfi_endproc
        .size   rt_switch_prepare, . - rt_switch_prepare

        .section .note.GNU-stack, "", %progbits
