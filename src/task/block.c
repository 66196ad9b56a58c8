// SPDX-License-Identifier: MIT
/* block.c – what stands behind JG_TIMEOUT, JG_SHIELD, JG_NO_SUSPEND and JG_GROUP.
 *
 * Holds      nothing: a block's state is in the frame that opens it.
 * Invariant  a block that was entered is closed exactly once, whichever way it is left.
 * Called by  the macros of scope.h and group.h.
 * Why        a for loop that runs once needs a step function; the compiler's cleanup attribute closes.
 */
#include "base/clock.h"
#include "task/task.h"

/* The result variable of a block, of whatever integer type. */
static intptr_t load_result(const jg_block *block) {
    if (block->out == NULL) {
        return 0;
    }
    return block->out_size == sizeof(int32_t) ? *(int32_t *)block->out : *(intptr_t *)block->out;
}

void block_store(const jg_block *block, intptr_t result) {
    if (block->out == NULL) {
        return;
    }
    if (block->out_size == sizeof(int32_t)) {
        *(int32_t *)block->out = (int32_t)result;
    } else {
        *(intptr_t *)block->out = result;
    }
}

/* Enters the block the first time it is asked, leaves it the second: its end was reached. */
static bool leaves(jg_block *block) {
    must(block->out_size == 0 || block->out_size == 4 || block->out_size == 8);
    bool again = block->entered;
    block->fell_through = again;
    block->entered = true;
    return again;
}

bool jg_scope_block_step(jg_scope_block *block) {
    if (leaves(&block->block)) {
        return false;
    }
    int64_t deadline_ns = block->shield ? JG_NEVER : clock_add_ms(loop_now_ns(), block->limit_ms);
    jg_scope_open(&block->scope, deadline_ns, block->shield);
    return true;
}

void jg_scope_block_close(jg_scope_block *block) {
    must(block->block.entered);
    block_store(&block->block, jg_scope_close(&block->scope, load_result(&block->block)));
}

bool jg_no_suspend_enter(void) {
    return no_suspend_enter(sched_current());
}

void jg_no_suspend_leave(bool before) {
    no_suspend_leave(sched_current(), before);
}

bool jg_no_suspend_block_step(jg_no_suspend_block *block) {
    bool again = block->entered;
    if (!again) {
        block->before = jg_no_suspend_enter();
        block->entered = true;
    }
    return !again;
}

void jg_no_suspend_block_close(jg_no_suspend_block *block) {
    must(block->entered);
    jg_no_suspend_leave(block->before);
}

bool jg_group_block_step(jg_group_block *block) {
    if (leaves(&block->block)) {
        return false;
    }
    jg_group_open(&block->group);
    return true;
}

void jg_group_block_close(jg_group_block *block) {
    must(block->block.entered);
    if (!block->block.fell_through) {
        scope_request(&block->group.scope); // left early: the tasks have nobody to work for
    }
    block_store(&block->block, jg_group_close(&block->group, load_result(&block->block)));
}
