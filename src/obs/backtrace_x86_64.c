// SPDX-License-Identifier: MIT
/* backtrace_x86_64.c – what a return address looks like on x86-64.
 *
 * Holds      nothing.
 * Invariant  reads at most seven bytes before the address, all of the same code segment.
 * Called by  backtrace.c.
 * Why        a word on the stack that points behind a call is a return address, or was one.
 */
#include "obs/backtrace.h"

/* FF /2 with a register or memory operand is two to seven bytes long. */
static bool is_indirect_call(const unsigned char *at) {
    return at[0] == 0xff && (at[1] & 0x38) == 0x10;
}

bool backtrace_follows_call(const unsigned char *address) {
    if (address[-5] == 0xe8) {
        return true;
    }
    for (int len = 2; len <= 7; len++) {
        if (is_indirect_call(address - len)) {
            return true;
        }
    }
    return false;
}
