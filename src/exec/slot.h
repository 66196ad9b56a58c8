// SPDX-License-Identifier: MIT
/* slot.h – where a worker process leaves its word for its parent.
 *
 * Holds      slots, 64 to a mapping that parent and children share.
 * Invariant  a slot belongs to one worker, from before its fork until it is joined. `handed` is set
 *            last: a child that dies while it writes has handed nothing back.
 * Called by  worker_process.c.
 * Why        a pipe per worker would be inherited by all later ones: n workers, n² descriptors. A
 *            mapping per worker would make each fork slower by all the mappings before it.
 */
#ifndef EXEC_SLOT_H
#define EXEC_SLOT_H

#include "task/task.h"

struct slot_sheet; // a mapping of 64 slots

struct slot {
    struct slot_sheet *sheet; // which it is part of, in the parent's memory
    intptr_t word;
    struct error_text error; // if the word is one
    bool has_error;
    bool handed;
};

/* Takes a zeroed slot. Any thread. Returns 0 or -ENOMEM. */
int slot_take(struct slot **out_slot);

/* Gives it back. Any thread of the process that took it. */
void slot_give(struct slot *slot);

#endif
