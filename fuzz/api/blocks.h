// SPDX-License-Identifier: MIT
/* blocks.h – the part of fuzz_api.c with the blocks: limits, shields, groups, regions without suspends.
 *
 * Holds      nothing; see world.h.
 * Invariant  each block runs what the input says, one level deeper, and closes on its way out.
 * Called by  fuzz_api.c.
 * Why        cancels and deadlines meet in nested blocks, in an order only a fuzzer thinks of.
 */
#ifndef FUZZ_API_BLOCKS_H
#define FUZZ_API_BLOCKS_H

#include "world.h"

static void do_timeout(struct frame *frame) {
    struct frame inside = frame_inside(frame);
    unsigned before = *frame->refusals;
    int64_t limit_ms = next_byte();
    intptr_t rc = 0;
    JG_TIMEOUT(limit_ms - 1, rc) {
        interpret(&inside);
        rc = *frame->refusals > before ? -ECANCELED : 0;
    }
    if (rc == -ETIMEDOUT || rc == -ENOMEM) {
        *frame->refusals = before; // the cancel ended here
    }
}

static void do_shield(struct frame *frame) {
    struct frame inside = frame_inside(frame);
    inside.shielded = true;
    int64_t limit_ms = next_byte() % 64;
    JG_SHIELD JG_TIMEOUT(limit_ms) {
        interpret(&inside);
    }
}

static void do_scope(struct frame *frame) {
    static const int64_t deadlines[] = {JG_NEVER, INT64_MIN, -1, 0, 1, JG_NEVER - 1};
    struct frame inside = frame_inside(frame);
    unsigned k = next_byte() % FEW;
    jg_scope scope;
    jg_scope_open(&scope, deadlines[next_byte() % 6], false);
    world.scopes[k] = &scope;
    interpret(&inside);
    if (world.scopes[k] == &scope) {
        world.scopes[k] = NULL;
    }
    for (unsigned i = 0; i < FEW; i++) {
        expect(world.scopes[i] != &scope);
    }
    intptr_t rc = jg_scope_close(&scope, *frame->refusals > 0 ? -ECANCELED : 7);
    expect(rc == 7 || rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT ||
           (rc == -ENOMEM && world.short_of_memory));
}

static void do_scope_touch(struct frame *frame) {
    jg_scope *scope = world.scopes[next_byte() % FEW];
    uint8_t how = next_byte();
    (void)frame;
    if (scope == NULL) {
        return;
    }
    if (how & 1) {
        jg_scope_cancel(scope);
    } else {
        bool struck = jg_scope_expired(scope);
        int rc = jg_scope_reschedule(scope, how & 2 ? JG_NEVER : jg_now() + how * JG_MS);
        expect(rc == (struck ? -EINVAL : 0) || (rc == -ENOMEM && world.short_of_memory));
    }
}

static void do_group(struct frame *frame) {
    struct frame inside = frame_inside(frame);
    unsigned k = next_byte() % FEW;
    uint8_t how = next_byte();
    jg_group group;
    if (frame->flat || frame->shielded) {
        return;
    }
    jg_group_open(&group);
    inside.group = &group;
    world.groups[k] = &group;
    interpret(&inside);
    if (how & 1) {
        allow(frame, jg_group_wait(&group), -EPROTO, -EIO, 0);
    }
    for (size_t i = 0; i <= jg_group_error_count(&group); i++) {
        jg_group_error(&group, i);
    }
    intptr_t rc = jg_group_close(&group, how & 2 ? jg_fail(-EPROTO, "the body fails") : 0);
    if (world.groups[k] == &group) {
        world.groups[k] = NULL;
    }
    allow(frame, rc, -EPROTO, -EIO, 0);
}

static void do_group_cancel(struct frame *frame) {
    jg_group *group = world.groups[next_byte() % FEW];
    (void)frame;
    if (group != NULL) {
        jg_group_cancel(group);
    }
}

static void do_mute(struct frame *frame) {
    struct frame inside = frame_inside(frame);
    inside.mute = true;
    inside.flat = true;
    JG_NO_SUSPEND {
        interpret(&inside);
    }
}

static void blocks_act(struct frame *frame) {
    static void (*const acts[])(struct frame *) = {do_timeout, do_shield, do_scope,
                                                   do_group,   do_group,  do_mute};
    uint8_t which = next_byte();
    if (which & 0x40) {
        do_scope_touch(frame);
    } else if (which & 0x80) {
        do_group_cancel(frame);
    } else if (frame->depth < DEPTH) {
        acts[which % (sizeof acts / sizeof acts[0])](frame);
    }
}

#endif
