// SPDX-License-Identifier: MIT
/* backtrace_aarch64.c – what a return address looks like on 64-bit ARM.
 *
 * Holds      nothing.
 * Invariant  reads the one instruction before the address.
 * Called by  backtrace.c.
 * Why        a word on the stack that points behind a call is a return address, or was one.
 */
#include "obs/backtrace.h"

#include <string.h>

bool backtrace_follows_call(const unsigned char *address) {
    uint32_t before;
    memcpy(&before, address - sizeof(before), sizeof(before));
    bool is_bl = (before & 0xfc000000) == 0x94000000;
    bool is_blr = (before & 0xfffffc1f) == 0xd63f0000;
    return is_bl || is_blr;
}
