// SPDX-License-Identifier: MIT
/* tasks.h – the part of fuzz_api.c that starts, waits for and stops tasks.
 *
 * Holds      nothing; see world.h.
 * Invariant  a word that a task gave is taken by a join, or dropped: one of the two, once.
 * Called by  fuzz_api.c.
 * Why        handles, futures and groups are where one task can pull the floor from under another.
 */
#ifndef FUZZ_API_TASKS_H
#define FUZZ_API_TASKS_H

#include "world.h"

static void on_arg_dropped(void *arg) {
    struct start *start = arg;
    expect(!start->ran && !start->arg_dropped);
    start->arg_dropped = true;
}

static void on_word_dropped(void *word) {
    struct start *start = word;
    if (start == NULL) {
        return;
    }
    expect(start->returned && !start->taken && !start->word_dropped);
    start->word_dropped = true;
}

static intptr_t task_body(void *arg) {
    struct start *start = arg;
    unsigned refusals = 0;
    struct frame frame = {.ordinal = (unsigned)(start - world.starts),
                          .refusals = &refusals,
                          .patience = start->edge ? 1 : 6};
    expect(!start->ran && !start->arg_dropped);
    start->ran = true;
    interpret(&frame);
    switch (world.closing ? 0 : next_byte() % 4) {
    case 0:
        return 0;
    case 1:
        return jg_fail(-EPROTO, "task %u fails", frame.ordinal);
    case 2:
        return refusals > 0 ? -ECANCELED : -EIO;
    default:
        start->returned = start->owned;
        return start->owned ? (intptr_t)start : 0;
    }
}

/* The next task's record, or NULL where none may be started. */
static struct start *start_new(const struct frame *frame) {
    bool may = world.started < TASKS && !frame->shielded && *frame->refusals == 0 && !world.closing;
    return may ? &world.starts[world.started++] : NULL;
}

static jg_group *some_group(const struct frame *frame, uint8_t choice) {
    jg_group *group = choice & 1 ? world.groups[(choice >> 1) % FEW] : frame->group;
    return group != NULL ? group : frame->group;
}

static void do_spawn(struct frame *frame) {
    static const size_t sizes[] = {0, 0, 0, 1, 16384, 65536, 262144, 0};
    uint8_t how = next_byte();
    struct slot *slot = &world.slots[next_byte() % SLOTS];
    struct start *start = slot->task == NULL ? start_new(frame) : NULL;
    if (start == NULL) {
        return;
    }
    start->owned = true;
    start->edge = (how & 2) != 0;
    jg_spawn_options options = {.eager = how & 1,
                                .edge = start->edge,
                                .drop_arg = on_arg_dropped,
                                .drop_result = on_word_dropped,
                                .stack_size = sizes[(how >> 2) % 8]};
    if (how & 0x20) {
        options.group = some_group(frame, next_byte());
    }
    *slot = (struct slot){.ordinal = (unsigned)(start - world.starts)};
    jg_task *task = jg_spawn_with(task_body, start, &options);
    if (task == NULL) {
        expect(start->arg_dropped);
        intptr_t why = jg_join(NULL);
        expect(why == -ENOMEM || why == -EINVAL || (why == -ECANCELED && options.group != NULL));
    } else if (slot->task != NULL) { // started at once, it has used the place itself
        jg_detach(task);
    } else {
        slot->task = task;
        slot->ordinal = (unsigned)(start - world.starts);
        slot->cancels = 0;
    }
}

static void do_group_spawn(struct frame *frame) {
    uint8_t choice = next_byte();
    jg_group *group = some_group(frame, choice);
    struct start *start = group != NULL ? start_new(frame) : NULL;
    if (start == NULL) {
        return;
    }
    if ((choice & 0x10) && !frame->flat) {
        intptr_t rc = jg_group_start(group, task_body, start);
        allow(frame, rc, -EPROTO, -EIO, 0);
    } else {
        allow(frame, jg_group_spawn(group, task_body, start), 0, 0, 0);
    }
}

/* Waiting without end is for the elder: so nobody waits in a circle. */
static bool may_wait_for(const struct frame *frame, const struct slot *slot) {
    return slot->task != NULL && slot->ordinal > frame->ordinal && !frame->flat;
}

static void do_join_slot(struct frame *frame, struct slot *slot) {
    if (!may_wait_for(frame, slot)) {
        return;
    }
    struct slot was = *slot;
    struct start *start = &world.starts[was.ordinal];
    slot->task = NULL;
    bool done = jg_done(was.task);
    intptr_t word = jg_join(was.task);
    if (word == -EDEADLK && frame->mute && !done) {
        expect(slot->task == NULL);
        *slot = was;
    } else if (jg_failed(word)) {
        allow(frame, word, -EPROTO, -EIO, 0);
        expect(jg_error_last() == NULL || jg_error_detail(word)[0] != '\0');
    } else if (word != 0) {
        expect((struct start *)word == start && !start->taken && !start->word_dropped);
        start->taken = true;
    }
}

static void do_join(struct frame *frame) {
    do_join_slot(frame, &world.slots[next_byte() % SLOTS]);
}

static void do_detach(struct frame *frame) {
    struct slot *slot = &world.slots[next_byte() % SLOTS];
    (void)frame;
    jg_task *task = slot->task;
    slot->task = NULL;
    jg_detach(task);
}

static void do_cancel(struct frame *frame) {
    struct slot *slot = &world.slots[next_byte() % SLOTS];
    (void)frame;
    if (slot->task != NULL && jg_cancel(slot->task)) {
        slot->cancels++;
    }
}

static void do_uncancel(struct frame *frame) {
    struct slot *slot = &world.slots[next_byte() % SLOTS];
    (void)frame;
    if (slot->task != NULL && slot->cancels > 0) {
        slot->cancels--;
        expect(jg_uncancel(slot->task) >= 0);
    }
}

static void do_look(struct frame *frame) {
    jg_task *all[TASKS + 1];
    size_t count = jg_all_tasks(all, TASKS + 1);
    bool found = false;
    for (size_t i = 0; i < count && i <= TASKS; i++) {
        found |= all[i] == jg_self();
        expect(jg_task_name(all[i]) != NULL);
        expect(jg_cancelling(all[i]) >= 0);
    }
    expect(found);
    jg_task_rename(jg_self(), next_byte() & 1 ? "renamed" : "");
    (void)frame;
}

static void tasks_act(struct frame *frame) {
    static void (*const acts[])(struct frame *) = {do_spawn,  do_spawn,    do_group_spawn,
                                                   do_join,   do_detach,   do_cancel,
                                                   do_cancel, do_uncancel, do_look};
    acts[next_byte() % (sizeof acts / sizeof acts[0])](frame);
}

// Futures: plain ones, and those of tasks.

/* Fills in futures that may be waited for. `owned`: such as the wait may cancel, and wait for after
 * that. Plain ones are noted as used until futures_release. */
static size_t futures_collect(const struct frame *frame, jg_future **out, bool owned) {
    size_t count = next_byte() % (MANY + 1);
    for (size_t i = 0; i < count; i++) {
        uint8_t which = next_byte();
        struct slot *slot = &world.slots[(which >> 1) % SLOTS];
        bool task = (which & 1) && slot->task != NULL && slot->task != jg_self();
        if (task && owned) {
            task = may_wait_for(frame, slot);
        }
        out[i] = task ? jg_task_future(slot->task) : &world.futures[(which >> 1) % FEW];
        if (!task) {
            world.future_users[(which >> 1) % FEW]++;
        }
    }
    return count;
}

static void futures_release(jg_future *const *futures, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (unsigned k = 0; k < FEW; k++) {
            world.future_users[k] -= futures[i] == &world.futures[k];
        }
    }
}

/* A word that a plain future gave must be the one it was given. */
static void word_check(const jg_future *future, intptr_t word) {
    for (unsigned k = 0; k < FEW; k++) {
        if (future == &world.futures[k] && word != -ECANCELED && word != -EDEADLK &&
            word != -ETIMEDOUT) {
            expect(word == world.words[k] || (word == -ENOMEM && world.short_of_memory));
        }
    }
}

static void do_wait_one(struct frame *frame) {
    jg_future *futures[MANY];
    uint8_t how = next_byte();
    size_t count = futures_collect(frame, futures, how % 4 == 2);
    if (count > 0) {
        intptr_t word = how % 4 == 2   ? jg_wait_for(futures[0], (int)(how >> 2) - 1)
                        : how % 4 == 1 ? jg_shield(futures[0])
                                       : jg_future_wait(futures[0]);
        if (jg_failed(word)) {
            allow(frame, word, -EPROTO, -EIO, how % 4 == 2 ? -ETIMEDOUT : 0);
        }
        word_check(futures[0], word);
    }
    futures_release(futures, count);
}

static void do_gather(struct frame *frame) {
    jg_future *futures[MANY];
    intptr_t words[MANY] = {0};
    uint8_t how = next_byte();
    if (frame->flat) {
        return;
    }
    size_t count = futures_collect(frame, futures, true);
    intptr_t rc = jg_gather(futures, count, how & 2 ? NULL : words,
                            how & 1 ? JG_COLLECT_ERRORS : JG_FAIL_FIRST);
    allow(frame, rc, -EPROTO, -EIO, 0);
    for (size_t i = 0; rc == 0 && !(how & 2) && i < count; i++) {
        word_check(futures[i], words[i]);
    }
    futures_release(futures, count);
}

static void do_wait(struct frame *frame) {
    jg_future *futures[MANY];
    uint8_t how = next_byte();
    size_t count = futures_collect(frame, futures, false);
    ssize_t done = jg_wait(futures, count, how % 3, (how >> 2) - 1);
    allow(frame, done, count == 0 ? -EINVAL : 0, 0, 0);
    expect(done <= (ssize_t)count);
    futures_release(futures, count);
}

static void do_as_completed(struct frame *frame) {
    jg_future *futures[MANY];
    uint8_t how = next_byte();
    intptr_t rc = 0;
    size_t count = futures_collect(frame, futures, false);
    size_t seen = 0;
    JG_AS_COMPLETED(it, futures, count, (how >> 1) - 1, rc) {
        expect(it.index < count && (it.future == NULL || it.future == futures[it.index]));
        word_check(futures[it.index], it.result);
        if (++seen == 3 && (how & 1)) {
            break;
        }
    }
    allow(frame, rc, -ETIMEDOUT, 0, 0);
    expect(seen <= count);
    futures_release(futures, count);
}

static void do_settle(struct frame *frame) {
    unsigned k = next_byte() % FEW;
    uint8_t how = next_byte();
    jg_future *future = &world.futures[k];
    (void)frame;
    bool done = jg_future_done(future);
    if (how % 4 == 0) {
        expect(jg_future_cancel(future) == !done);
        world.words[k] = done ? world.words[k] : -ECANCELED;
    } else if (how % 4 == 1) {
        int rc = jg_future_fail(future, jg_fail(-EPROTO, "future %u fails", k));
        expect(rc == (done ? -EALREADY : 0));
        world.words[k] = done ? world.words[k] : -EPROTO;
    } else {
        expect(jg_future_set(future, how) == (done ? -EALREADY : 0));
        world.words[k] = done ? world.words[k] : how;
    }
    // A wait that was cancelled may have cancelled it.
    intptr_t word = jg_future_result(future);
    expect(jg_future_done(future) && (word == world.words[k] || word == -ECANCELED));
    const jg_error *error = jg_future_exception(future);
    expect(error == NULL || error->code == word);
}

static void do_renew(struct frame *frame) {
    unsigned k = next_byte() % FEW;
    (void)frame;
    for (unsigned i = 0; i < FEW; i++) {
        if (world.callbacks[i].arg == &world.futures[k]) {
            jg_future_remove_done_callback(&world.callbacks[i]);
        }
    }
    if (world.future_users[k] == 0) {
        jg_future_fini(&world.futures[k]);
        world.futures[k] = (jg_future){.done = false};
        world.words[k] = 0;
    }
}

static void on_done(void *arg, intptr_t result) {
    (void)arg;
    (void)result;
    expect(jg_sleep(0) == -EDEADLK); // in nobody's task
    do_cancel(NULL);
}

static void do_callback(struct frame *frame) {
    jg_done_callback *callback = &world.callbacks[next_byte() % FEW];
    uint8_t which = next_byte();
    struct slot *slot = &world.slots[(which >> 1) % SLOTS];
    (void)frame;
    if (which & 0x80) {
        jg_future_remove_done_callback(callback);
        return;
    }
    jg_future *future = (which & 1) && slot->task != NULL ? jg_task_future(slot->task)
                                                          : &world.futures[(which >> 1) % FEW];
    int rc = jg_future_add_done_callback(future, callback, on_done, future);
    expect(rc == 0 || rc == -EALREADY);
}

static void futures_act(struct frame *frame) {
    static void (*const acts[])(struct frame *) = {do_wait_one,     do_gather,  do_wait,
                                                   do_as_completed, do_settle,  do_settle,
                                                   do_renew,        do_callback};
    acts[next_byte() % (sizeof acts / sizeof acts[0])](frame);
}

#endif
