// SPDX-License-Identifier: MIT
/* sim_net.c – the simulated network's events: what is due when. See sim_net.h.
 *
 * Holds      nothing of its own.
 * Invariant  an event that is due stays due until it is fired.
 * Called by  sim.c, sim_socket.c, sim_datagram.c, sim_host.c.
 * Why        everything that travels takes its time here, so one seed decides every order.
 * Quirks     an event's key is its time, rounded down to a step of 50 µs, plus a random part below
 *            one step: many things are due at once, as races need, and their order is the seed's.
 */
#include "rt/sim_net.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rt/loop.h"

enum {
    DELAY_STEPS = 10,       // most delays: up to half a millisecond
    LONG_DELAY_STEPS = 400, // one in eight: up to 20 ms
    CALM_DELAY_STEPS = 2,
};

void sim_net_init(struct sim_net *net, struct loop *loop) {
    *net = (struct sim_net){.loop = loop, .now_ns = JG_S};
    timers_init(&net->events);
}

void sim_net_fini(struct sim_net *net) {
    sim_host_fini(net);
    mem_free(net->events.slots);
    mem_free(net->sockets);
}

// Events.

static int64_t random_delay(struct loop *loop) {
    const struct sim_weather *weather = loop->weather;
    if (weather->calm) {
        return weather->latency_min_ns > 0 ? weather->latency_min_ns
                                           : CALM_DELAY_STEPS * SIM_STEP_NS;
    }
    int64_t choice = (int64_t)(loop_random(loop) >> 16);
    if (weather->latency_max_ns > 0) {
        int64_t span = weather->latency_max_ns - weather->latency_min_ns;
        return weather->latency_min_ns + choice % (span + 1);
    }
    switch (choice & 7) {
    case 0:
        return 0;
    case 1:
        return (choice >> 3) % LONG_DELAY_STEPS * SIM_STEP_NS;
    default:
        return (choice >> 3) % DELAY_STEPS * SIM_STEP_NS;
    }
}

bool sim_net_chance(struct sim_net *net, unsigned odds) {
    return (loop_random(net->loop) >> 16) % odds == 0;
}

static int64_t start_of_step(int64_t when_ns) {
    return when_ns - when_ns % SIM_STEP_NS;
}

int64_t sim_net_next(const struct sim_net *net) {
    int64_t key = timers_next(&net->events);
    if (key == JG_NEVER) {
        return JG_NEVER;
    }
    return start_of_step(key) > net->now_ns ? start_of_step(key) : net->now_ns;
}

void sim_net_fire(struct sim_net *net) {
    int64_t key = timers_next(&net->events);
    int64_t end = start_of_step(net->now_ns) + SIM_STEP_NS - 1; // long before JG_NEVER
    if (key <= end) {
        bool one_only = loop_toss(net->loop, 4);
        timers_fire(&net->events, one_only ? key : end);
    }
}

static void arm(struct sim_net *net, struct sim_side *side, int64_t key) {
    timer_disarm(&net->events, &side->event);
    int rc = timer_arm(&net->events, &side->event, key, side->event.fire);
    must(rc == 0); // its place in the heap was just given up
}

void sim_net_calm(struct sim_net *net, struct sim_side *side) {
    arm(net, side, JG_NEVER);
}

void sim_net_poke_after(struct sim_net *net, struct sim_side *side, int64_t delay_ns) {
    int64_t when_ns = start_of_step(clock_add(net->now_ns, delay_ns));
    uint64_t within = net->loop->weather->calm ? 0 : loop_random(net->loop) % (uint64_t)SIM_STEP_NS;
    int64_t key = clock_add(when_ns, (int64_t)within);
    if (key < side->event.when_ns) {
        arm(net, side, key);
    }
}

void sim_net_poke(struct sim_net *net, struct sim_side *side) {
    sim_net_poke_after(net, side, random_delay(net->loop));
}
