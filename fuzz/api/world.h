// SPDX-License-Identifier: MIT
/* world.h – what the tasks of fuzz_api.c share, and the books that are kept about it.
 *
 * Holds      the input, and every object its bytes can name; one world per input, of static storage.
 * Invariant  only what the headers allow is done: an object is given up when nobody uses it, and a task
 *            waits without end only for tasks younger than itself. Whatever still goes wrong is the
 *            library's.
 * Called by  fuzz_api.c, and the parts of it that lie beside this file.
 * Why        a crash is found by any fuzzer; a lost item, a word given twice or a byte out of place
 *            only by whoever counts.
 */
#ifndef FUZZ_API_WORLD_H
#define FUZZ_API_WORLD_H

#include <juggle.h>
#include <juggle/sim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS = 512, SLOTS = 12, CONNS = 16, ITEMS = 1024, FEW = 3, MANY = 10, DEPTH = 5 };

/* A task of the program: its ordinal, and what has become of it. */
struct start {
    bool ran;
    bool arg_dropped;
    bool returned; /* a word that is no error, and that has a drop function */
    bool taken;    /* by a join */
    bool word_dropped;
    bool owned; /* spawned with drop functions */
    bool edge;
};

/* Where a task stands: each nested block has a frame of its own. */
struct frame {
    const struct frame *outer;
    jg_group *group;  /* the nearest, or NULL */
    unsigned ordinal; /* of the task */
    unsigned depth;
    bool shielded;      /* no tasks are started here: a run that is called off could not end them */
    bool flat;          /* nor is anything waited for that does not end with a cancel */
    bool mute;          /* nothing may suspend */
    unsigned *refusals; /* of the task: -ECANCELED so far, and how many it puts up with */
    unsigned patience;
};

struct slot {
    jg_task *task;
    unsigned ordinal;
    unsigned cancels; /* asked for here, and not taken back */
};

struct conn {
    jg_stream *stream; /* NULL: closed */
    uint64_t read;     /* bytes taken so far: which one comes next */
    unsigned users;    /* inside a call, or about to look at the books: not reused meanwhile */
    unsigned readers;
    bool borrowed; /* of jg_serve: not ours to close */
};

enum item_state { ITEM_NONE, ITEM_OFFERED, ITEM_TAKEN };

struct world {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool closing;
    bool short_of_memory;
    bool disturbed; /* some operation fails with -ECONNRESET */

    struct start starts[TASKS];
    unsigned started;
    struct slot slots[SLOTS];
    jg_group *groups[FEW];
    jg_scope *scopes[FEW];

    jg_future futures[FEW];
    intptr_t words[FEW];
    unsigned future_users[FEW];
    jg_done_callback callbacks[FEW];
    jg_call calls[FEW];
    unsigned calls_accepted;
    unsigned calls_made;

    jg_lock locks[2];
    unsigned lock_owner[2]; /* ordinal + 1 */
    jg_cond conds[2];
    jg_event event;
    jg_sem sems[2];
    size_t permits[2]; /* as the books have it */
    jg_barrier barrier;
    jg_queue queues[FEW];
    jg_chan chans[FEW];
    uint32_t chan_room[FEW][2];
    uint8_t items[ITEMS];
    unsigned offered;
    size_t values_set;
    size_t values_dropped;

    struct conn conns[CONNS];
    jg_listener *listeners[2];
    jg_udp *udps[FEW];
};

static struct world world;

/* Ends the program when something does not hold. */
#define expect(condition) ((condition) ? (void)0 : expect_failed(#condition, __FILE__, __LINE__))

static _Noreturn void expect_failed(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

/* Does what the input says until the block ends. */
static void interpret(struct frame *frame);

/* The next byte of the input; 0 at its end. */
static uint8_t next_byte(void) {
    return world.at < world.size ? world.data[world.at++] : 0;
}

static struct frame frame_inside(const struct frame *outer) {
    struct frame frame = *outer;
    frame.depth++;
    return frame;
}

/* Checks the result of a call that may suspend: what is always possible, and up to three errors of its
 * own (0: fewer). Counts a cancel. Returns `rc`. */
static intptr_t allow(struct frame *frame, intptr_t rc, int a, int b, int c) {
    if (rc == -ECANCELED) {
        ++*frame->refusals;
    } else if (jg_failed(rc)) {
        expect((rc == -EDEADLK && frame->mute) || (rc == -ENOMEM && world.short_of_memory) ||
               (rc == -ECONNRESET && world.disturbed) || rc == a || rc == b || rc == c);
    }
    return rc;
}

// Items: each is offered once, and taken at most once. The word 0 is none.

static unsigned item_offer(void) {
    if (world.offered + 1 == ITEMS) {
        return 0;
    }
    world.items[++world.offered] = ITEM_OFFERED;
    return world.offered;
}

static void item_take(uint64_t item) {
    expect(item > 0 && item <= world.offered && world.items[item] == ITEM_OFFERED);
    world.items[item] = ITEM_TAKEN;
}

/* The offer was refused: nobody has the item. */
static void item_keep(unsigned item) {
    expect(world.items[item] == ITEM_OFFERED);
    world.items[item] = ITEM_NONE;
}

#endif
