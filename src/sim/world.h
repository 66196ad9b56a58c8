// SPDX-License-Identifier: MIT
/* world.h – one run in a simulated world, as its parts see it.
 *
 * Holds      struct sim_world: the weather it runs in, its limits, how it was called off, its trace.
 * Invariant  code is 0 until the run is called off, and keeps its first reason.
 * Called by  world.c, trace.c, explore.c, hands.c.
 * Why        the engine room knows weather only; what users see of it is put together here.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "rt/sim_weather.h"
#include "task/task.h"

#include <juggle/sim.h>

enum { TRACE_NUMBERED = 64, TRACE_LINE = 96, WHY_SIZE = 256 };

/* Where a trace goes: one call per line, without the newline. */
struct trace_sink {
    void (*put)(void *to, const char *line); // NULL: there is no trace
    void *to;
};

struct trace {
    struct trace_sink sink;
    const struct jg_task_record *stepping; // who runs
    struct {
        const struct jg_task_record *task;
        unsigned number;
    } numbered[TRACE_NUMBERED]; // tasks of the same name need telling apart
    unsigned last_number;
};

struct sim_world {
    struct sim_weather weather; // first
    uint64_t steps;             // begun
    bool stepping;              // one is under way
    uint64_t idle_turns;        // of the loop since the last step: calls at most
    uint64_t step_limit;
    uint64_t cancel_point;  // two per step
    int64_t clock_limit_ns; // on the loop's clock; JG_NEVER: none
    uint64_t called_off_at; // steps
    int code;               // why it was called off, or 0
    uint64_t digest;        // of who ran when
    struct trace trace;
    char why[WHY_SIZE];
};

/* The world of this thread's loop, or NULL. */
struct sim_world *sim_world_here(void);

/* jg_sim_run in a world the caller reads afterwards; `sink` may be NULL. */
intptr_t sim_world_run(struct sim_world *world, jg_fn *fn, void *arg, const jg_sim_options *options,
                       const struct trace_sink *sink, const char *site);

/* Options in range? Returns 0 or -EINVAL. */
int sim_world_check(const jg_sim_options *options);

/* trace.c. All do nothing without a sink. */
void trace_step(struct trace *trace, const struct task_loop *loop,
                const struct jg_task_record *next);
void trace_step_over(struct trace *trace, const struct task_loop *loop);
void trace_result(struct trace *trace, const struct op *op, intptr_t result);
void trace_note(struct trace *trace, const struct loop *loop, const char *text);

#endif
