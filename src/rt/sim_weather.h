// SPDX-License-Identifier: MIT
/* sim_weather.h – how rough the simulated world is, and who watches it.
 *
 * Holds      struct sim_weather: delays, slices, chances of failure, planned faults, two hooks.
 * Invariant  all zero is the usual weather; what is zero draws no random number, so a seed means the
 *            same run whether or not the other knobs exist.
 * Called by  sim.c, sim_net.c and sim_socket.c read it; loop.c calls on_step; sim/ fills it in.
 * Why        one struct to hand through jg_run, instead of a setter per knob.
 */
#ifndef RT_SIM_WEATHER_H
#define RT_SIM_WEATHER_H

#include "rt/op.h"

/* One operation that is made to fail. */
struct sim_fault {
    bool any; // of any kind; else `kind`
    enum op_kind kind;
    uint64_t nth; // 1: the first of the run
    bool from_then_on;
    int error;     // negative
    uint64_t seen; // operations so far; written by sim.c
};

struct sim_weather {
    int64_t latency_min_ns; // both 0: the usual mixture
    int64_t latency_max_ns;
    size_t slice;            // most bytes one transfer moves; 0: no limit
    unsigned again_percent;  // ops that are made to wait although they need not; 0: one in eight
    unsigned refuse_percent; // connects refused although somebody listens
    unsigned reset_permille; // arrivals at which a connection is reset instead
    bool calm; // no dice but those the program throws, and the permilles and percents above
    struct sim_fault *faults;
    size_t fault_count;

    // Hooks, may be NULL. They must not suspend. on_step comes before each step, with who runs it, if
    // anybody can run, and after it, with NULL.
    void (*on_step)(struct sim_weather *weather, struct loop *loop, struct coro *next);
    void (*on_result)(struct sim_weather *weather, const struct op *op, intptr_t result);
};

#endif
