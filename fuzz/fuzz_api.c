// SPDX-License-Identifier: MIT
/* fuzz_api.c – any bytes as a program: tasks that call what the library offers, in a simulated world.
 *
 * Holds      the books of api/world.h, one set per input.
 * Invariant  whatever the program, as long as it keeps to the headers: it ends, no call returns what its
 *            header does not list, and nothing is lost, given twice or left behind.
 * Called by  libFuzzer; the saved inputs by ctest.
 * Why        each call has tests of its own. What two of them do to each other while a third is
 *            cancelled nobody writes down.
 * Quirks     the first bytes choose the seed and what is to fail; the tasks share the rest, each taking
 *            the next byte as it runs. A program that waits for itself is called off by the world, and
 *            that is no failure.
 */
#include "api/blocks.h"
#include "api/net.h"
#include "api/sync.h"
#include "api/tasks.h"
#include "base/mem.h"

enum { HEAD = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void rest_act(struct frame *frame) {
    uint8_t how = next_byte();
    if (how & 1) {
        allow(frame, jg_yield(), 0, 0, 0);
    } else {
        allow(frame, jg_sleep((how >> 1) - 1), 0, 0, 0);
    }
}

static void interpret(struct frame *frame) {
    static void (*const acts[])(struct frame *) = {
        rest_act,   tasks_act,  tasks_act,  tasks_act,  futures_act, futures_act, blocks_act,
        blocks_act, sync_act,   sync_act,   queue_act,  chan_act,    calls_act,   net_act,
        net_act,    stream_act, stream_act, stream_act, udp_act,     weather_act};
    const size_t count = sizeof acts / sizeof acts[0];
    while (world.at < world.size && !world.closing && *frame->refusals < frame->patience) {
        uint8_t act = (uint8_t)(next_byte() % (count + 2));
        if (act >= count) {
            return;
        }
        acts[act](frame);
    }
}

/* Lets go of all who wait, so that tasks can end. */
static void world_close(void) {
    world.closing = true;
    for (unsigned k = 0; k < FEW; k++) {
        jg_future_remove_done_callback(&world.callbacks[k]);
        world.calls_accepted -= jg_call_cancel(&world.calls[k]);
        jg_queue_shutdown(&world.queues[k], k == 0);
        jg_chan_close(&world.chans[k]);
    }
    jg_barrier_abort(&world.barrier);
    net_close();
}

static intptr_t program(void *arg) {
    struct start *start = arg;
    unsigned refusals = 0;
    struct frame frame = {.ordinal = 0, .refusals = &refusals, .patience = 6};
    start->ran = true;
    JG_GROUP(group) {
        frame.group = group;
        interpret(&frame);
    }
    world_close();
    for (unsigned i = 0; i < SLOTS; i++) {
        do_join_slot(&frame, &world.slots[i]);
    }
    return 0;
}

static void world_open(void) {
    static const jg_queue_options queues[FEW] = {
        {.order = JG_FIFO, .drop = on_item_dropped},
        {.order = JG_LIFO, .capacity = 2, .drop = on_item_dropped},
        {.order = JG_PRIORITY, .capacity = 1, .drop = on_item_dropped}};
    for (unsigned k = 0; k < FEW; k++) {
        jg_queue_init(&world.queues[k], &queues[k]);
        jg_chan_init(&world.chans[k], sizeof(uint32_t), k > 0 ? world.chan_room[k] : NULL, k);
    }
    jg_sem_init(&world.sems[0], 1);
    jg_sem_init_bounded(&world.sems[1], 2);
    world.permits[0] = 1;
    world.permits[1] = 2;
    jg_barrier_init(&world.barrier, 3);
}

/* What is left after the run must balance. */
static void world_check(void) {
    for (unsigned k = 0; k < FEW; k++) {
        uint32_t item;
        jg_queue_fini(&world.queues[k]);
        while (jg_chan_try_recv(&world.chans[k], &item) == 1) {
            item_take(item);
        }
        expect(!jg_call_queued(&world.calls[k]) && world.future_users[k] == 0);
        jg_future_fini(&world.futures[k]);
    }
    for (unsigned i = 1; i <= world.offered; i++) {
        expect(world.items[i] != ITEM_OFFERED);
    }
    for (unsigned k = 0; k < 2; k++) {
        expect(world.permits[k] == jg_sem_permits(&world.sems[k]));
        expect(world.lock_owner[k] == 0 && !jg_lock_is_held(&world.locks[k]));
    }
    for (unsigned i = 1; i < world.started; i++) {
        const struct start *start = &world.starts[i];
        expect(!start->owned || start->ran != start->arg_dropped);
        expect(!start->returned || start->taken != start->word_dropped);
    }
    expect(world.calls_made == world.calls_accepted);
    expect(world.values_set == world.values_dropped);
}

static void no_report(const jg_error *error) {
    expect(error->text != NULL && error->code < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEAD || size > 4096) {
        return 0;
    }
    world = (struct world){.data = data, .size = size, .at = HEAD, .started = 1};
    uint8_t what = data[3];
    const jg_sim_fault faults[] = {{.op = what & 1 ? JG_SIM_ALLOC : JG_SIM_ANY,
                                    .nth = (what >> 2) + 1U,
                                    .from_then_on = (what & 2) != 0,
                                    .error = -ECONNRESET}};
    const jg_sim_options options = {.seed = 1U + data[0] + 256U * data[1],
                                    .slice = data[2] & 0xf0 ? 0 : 1 + (data[2] & 0xf),
                                    .refuse_percent = data[4] > 200 ? 10 : 0,
                                    .reset_permille = data[5] > 200 ? 20 : 0,
                                    .cancel_point = data[6] & 0x80 ? 1 + (data[6] & 0x7f) : 0,
                                    .faults = faults,
                                    .fault_count = data[7] & 1,
                                    .step_limit = 200000};
    world.short_of_memory = options.fault_count > 0 && faults[0].op == JG_SIM_ALLOC;
    world.disturbed = options.fault_count > 0 && !world.short_of_memory;
    jg_error_on_unretrieved(no_report);
    long live = mem_live();
    world_open();
    intptr_t rc = jg_sim_run(program, &world.starts[0], &options);
    expect(rc == 0 || rc == -EDEADLK || (rc == -ECANCELED && options.cancel_point > 0) ||
           (rc == -ENOMEM && world.short_of_memory));
    world_check();
    jg_error_clear(); // what the run came to is kept for the thread
    expect(mem_live() == live);
    return 0;
}
