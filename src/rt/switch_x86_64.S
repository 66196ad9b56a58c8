// SPDX-License-Identifier: MIT
/* switch_x86_64.S – the context switch for x86-64, System V ABI.
 *
 * Holds      a suspended stack holds, from its stack pointer up:
 *              +0 MXCSR, +4 x87 control word, +8 r15, r14, r13, r12, rbx, rbp, +56 where to go on,
 *              +64 the red zone of the function that switched, 128 bytes
 * Invariant  the layout equals what rt_switch_prepare builds. The unwind rules hold at every
 *            instruction, before and after the stack pointer moves, as both stacks look alike.
 * Called by  rt_switch in switch_x86_64.h: entered by a jump, with rdi = where to save the stack
 *            pointer, rsi = the stack pointer to go on with, rcx = where to go on later; rdx is kept.
 * Why        neither entered by call nor left by ret: the return predictor keeps a stack of its own,
 *            which a switch would put out of step, and then every return up the line is predicted
 *            wrong (14 ns a switch instead of 6). The x87 word is loaded only if it differs, which it
 *            never does in most programs: the branch is predicted, and the load takes longer than
 *            comparing. MXCSR is loaded unasked, as comparing it gains nothing.
 *            Who ends enters at rt_switch_resume, with rsp = the stack pointer to go on with: storing the
 *            control words, which takes longer than all the rest, is for those who come back.
 * Quirks     `notrack`: the target carries no endbr64.
 */
        .text
        .globl  rt_switch_jump
        .hidden rt_switch_jump
        .type   rt_switch_jump, @function
        .p2align 4
rt_switch_jump:
        .cfi_startproc
        .cfi_def_cfa rsp, 0
        .cfi_register rip, rcx
        leaq    -192(%rsp), %rsp
        .cfi_def_cfa_offset 192
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movq    %r15, 8(%rsp)
        .cfi_rel_offset r15, 8
        movq    %r14, 16(%rsp)
        .cfi_rel_offset r14, 16
        movq    %r13, 24(%rsp)
        .cfi_rel_offset r13, 24
        movq    %r12, 32(%rsp)
        .cfi_rel_offset r12, 32
        movq    %rbx, 40(%rsp)
        .cfi_rel_offset rbx, 40
        movq    %rbp, 48(%rsp)
        .cfi_rel_offset rbp, 48
        movq    %rcx, 56(%rsp)
        .cfi_rel_offset rip, 56
        movzwl  4(%rsp), %eax
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        cmpw    4(%rsp), %ax
        jne     rt_switch_resume
1:
        .cfi_remember_state
        movq    8(%rsp), %r15
        .cfi_restore r15
        movq    16(%rsp), %r14
        .cfi_restore r14
        movq    24(%rsp), %r13
        .cfi_restore r13
        movq    32(%rsp), %r12
        .cfi_restore r12
        movq    40(%rsp), %rbx
        .cfi_restore rbx
        movq    48(%rsp), %rbp
        .cfi_restore rbp
        movq    56(%rsp), %rcx
        .cfi_register rip, rcx
        ldmxcsr (%rsp)
        leaq    192(%rsp), %rsp
        .cfi_def_cfa_offset 0
        notrack jmp *%rcx
        .cfi_restore_state
        .globl  rt_switch_resume
        .hidden rt_switch_resume
rt_switch_resume:
        fldcw   4(%rsp)
        jmp     1b
        .cfi_endproc
        .size   rt_switch_jump, . - rt_switch_jump

        /* First activation of a stack: rbx is the function, rdx the word of the switch. The end of every
         * back trace: no return address, no frame below. A jump, as the function never returns: a
         * call would leave its mark on the return predictor. */
        .type   rt_switch_entry, @function
        .p2align 4
rt_switch_entry:
        .cfi_startproc
        .cfi_undefined rip
        .cfi_undefined rbp
        movq    %rdx, %rdi
        pushq   $0
        notrack jmp *%rbx
        .cfi_endproc
        .size   rt_switch_entry, . - rt_switch_entry

        .globl  rt_switch_prepare
        .hidden rt_switch_prepare
        .type   rt_switch_prepare, @function
        .p2align 4
rt_switch_prepare:
        .cfi_startproc
        endbr64
        leaq    -192(%rdi), %rax
        movq    %rdx, (%rax)
        movq    %rsi, 40(%rax)
        movq    $0, 48(%rax)
        leaq    rt_switch_entry(%rip), %rcx
        movq    %rcx, 56(%rax)
        ret
        .cfi_endproc
        .size   rt_switch_prepare, . - rt_switch_prepare

        .section .note.GNU-stack, "", @progbits

        /* Says that this file may run with indirect-branch tracking on (IBT), and not with shadow
         * stacks, which a switch of stacks would have to switch too. */
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4
        .long   16
        .long   5
        .asciz  "GNU"
        .long   0xc0000002
        .long   4
        .long   1
        .long   0
