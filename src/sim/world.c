// SPDX-License-Identifier: MIT
/* world.c – jg_sim_run: a run with limits, which is called off instead of hanging.
 *
 * Holds      nothing: a world lies in jg_sim_run's frame.
 * Invariant  whatever the tasks do, a run ends: by itself, called off, or with a message.
 * Called by  user code; explore.c.
 * Why        the loop tells each step before it happens, so limits and planned cancels need no hook
 *            elsewhere.
 * Quirks     being called off cancels every task once; a cancel that is taken back or shielded from is
 *            not repeated, but the run is given up after SPARE_STEPS more.
 */
#include "sim/world.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rt/sim_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t STEPS_DEFAULT = 1000000;
static const uint64_t SPARE_STEPS = 100000;
static const uint64_t FNV_PRIME = UINT64_C(0x100000001b3);

enum { FAULTS_MOST = 16 };

// Calling off.

static void cancel_all(struct task_loop *loop) {
    for (struct list *node = loop->tasks.next; node != &loop->tasks; node = node->next) {
        task_cancel(container_of(node, struct jg_task_record, siblings));
    }
}

static void call_off(struct sim_world *world, struct task_loop *loop, int code) {
    world->code = code;
    world->called_off_at = world->steps;
    trace_note(&world->trace, &loop->loop, world->why);
    cancel_all(loop);
}

/* Adds "a waits for lock; b waits for read" as far as there is room. */
static void describe_waits(struct sim_world *world, const struct task_loop *loop) {
    size_t used = (size_t)snprintf(world->why, sizeof(world->why), "deadlock:");
    for (const struct list *node = loop->tasks.next; node != &loop->tasks; node = node->next) {
        const struct jg_task_record *task = container_of(node, struct jg_task_record, siblings);
        const struct wait *wait = task->coro.parked;
        size_t room = sizeof(world->why) - used;
        int len = snprintf(world->why + used, room, "%s %s waits for %s",
                           node == loop->tasks.next ? "" : ";", task->coro.name,
                           wait != NULL ? wait_name(wait) : "its turn");
        if (len < 0 || (size_t)len >= room) {
            world->why[used] = '\0'; // whole clauses only
            return;
        }
        used += (size_t)len;
    }
}

static struct sim_world *world_of(struct loop *loop) {
    return (struct sim_world *)(void *)loop->weather;
}

static void on_stuck(struct loop *loop) {
    struct sim_world *world = world_of(loop);
    struct task_loop *tasks = (struct task_loop *)(void *)loop;
    if (world->code != 0) {
        task_report_stuck(loop); // does not end even when cancelled
    }
    describe_waits(world, tasks);
    call_off(world, tasks, -EDEADLK);
}

static void mind_clock(struct sim_world *world, struct task_loop *loop) {
    if (sim_net_of(&loop->loop)->now_ns > world->clock_limit_ns) {
        snprintf(world->why, sizeof(world->why), "called off at the limit of the clock");
        call_off(world, loop, -ETIME);
    }
}

static void mind_limits(struct sim_world *world, struct task_loop *loop) {
    if (world->code != 0) {
        if (world->steps > world->called_off_at + SPARE_STEPS) {
            check_misuse("the simulated run was called off (%s), and its tasks go on", world->why);
        }
    } else if (world->steps > world->step_limit) {
        snprintf(world->why, sizeof(world->why), "called off after %llu steps",
                 (unsigned long long)world->step_limit);
        call_off(world, loop, -ETIME);
    } else {
        mind_clock(world, loop);
    }
}

/* Calls that queue calls, or timers that arm timers, need no step of a task to go on for ever. */
static void mind_idle_turn(struct sim_world *world, struct task_loop *loop) {
    if (world->code == 0) {
        mind_clock(world, loop);
    }
    if (++world->idle_turns <= world->step_limit) {
        return;
    }
    if (world->code != 0) {
        check_misuse("the simulated run was called off (%s), and its calls go on", world->why);
    }
    world->idle_turns = 0;
    snprintf(world->why, sizeof(world->why), "called off after %llu rounds of calls without a step",
             (unsigned long long)world->step_limit);
    call_off(world, loop, -ETIME);
}

// Watching.

static void pass_point(struct sim_world *world, struct task_loop *loop, uint64_t point) {
    if (point == world->cancel_point) {
        trace_note(&world->trace, &loop->loop, "the first task is cancelled");
        task_cancel(loop->main);
    }
}

static void begin_step(struct sim_world *world, struct task_loop *loop, const struct coro *next) {
    world->steps++;
    world->idle_turns = 0;
    world->digest = (world->digest ^ (uint64_t)sim_net_of(&loop->loop)->now_ns) * FNV_PRIME;
    world->digest = (world->digest ^ strlen(next->name)) * FNV_PRIME;
    mind_limits(world, loop);
    pass_point(world, loop, world->steps * 2 - 1);
    trace_step(&world->trace, loop, (const struct jg_task_record *)(const void *)next);
}

static void on_step(struct sim_weather *weather, struct loop *loop, struct coro *next) {
    struct sim_world *world = (struct sim_world *)(void *)weather;
    struct task_loop *tasks = (struct task_loop *)(void *)loop;
    if (next != NULL) {
        begin_step(world, tasks, next);
        world->stepping = true;
    } else if (world->stepping) {
        world->stepping = false;
        trace_step_over(&world->trace, tasks);
        pass_point(world, tasks, world->steps * 2);
    } else {
        mind_idle_turn(world, tasks);
    }
}

static void on_result(struct sim_weather *weather, const struct op *op, intptr_t result) {
    trace_result(&((struct sim_world *)(void *)weather)->trace, op, result);
}

struct sim_world *sim_world_here(void) {
    struct loop *loop = sched_current()->loop;
    bool ours = loop != NULL && loop->sim && loop->weather->on_step == on_step;
    return ours ? world_of(loop) : NULL;
}

// Running.

int sim_world_check(const jg_sim_options *options) {
    bool latency = options->latency_min_us >= 0 &&
                   options->latency_max_us >= options->latency_min_us &&
                   options->latency_max_us <= INT64_MAX / JG_MS;
    bool chances = options->again_percent <= 100 && options->refuse_percent <= 100 &&
                   options->reset_permille <= 1000;
    bool faults = options->fault_count <= FAULTS_MOST && options->clock_limit_ms >= 0;
    unsigned allocs = 0;
    for (size_t i = 0; faults && i < options->fault_count; i++) {
        const jg_sim_fault *fault = &options->faults[i];
        bool alloc = fault->op == JG_SIM_ALLOC;
        allocs += alloc;
        faults = fault->op <= JG_SIM_ALLOC && fault->nth > 0 && allocs <= 1 &&
                 (alloc || jg_failed(fault->error));
    }
    return latency && chances && faults ? 0 : -EINVAL;
}

/* Fills in the plan. The allocation that fails is base/mem's business. */
static size_t plan_faults(const jg_sim_options *options, struct sim_fault *out_faults) {
    static const enum op_kind kinds[] = {
        [JG_SIM_READ] = OP_READ,
        [JG_SIM_WRITE] = OP_WRITE,
        [JG_SIM_ACCEPT] = OP_ACCEPT,
        [JG_SIM_CONNECT] = OP_CONNECT,
    };
    size_t count = 0;
    for (size_t i = 0; i < options->fault_count; i++) {
        const jg_sim_fault *fault = &options->faults[i];
        if (fault->op == JG_SIM_ALLOC) {
            mem_fail_nth(fault->nth, fault->from_then_on);
            continue;
        }
        out_faults[count++] = (struct sim_fault){.any = fault->op == JG_SIM_ANY,
                                                 .kind = kinds[fault->op],
                                                 .nth = fault->nth,
                                                 .from_then_on = fault->from_then_on,
                                                 .error = fault->error};
    }
    return count;
}

static void prepare(struct sim_world *world, const jg_sim_options *options,
                    const struct trace_sink *sink) {
    const int64_t us = JG_MS / 1000;
    *world = (struct sim_world){
        .weather = {.latency_min_ns = options->latency_min_us * us,
                    .latency_max_ns = options->latency_max_us * us,
                    .slice = options->slice,
                    .again_percent = options->again_percent,
                    .refuse_percent = options->refuse_percent,
                    .reset_permille = options->reset_permille,
                    .calm = options->calm,
                    .on_step = on_step},
        .step_limit = options->step_limit != 0 ? options->step_limit : STEPS_DEFAULT,
        .cancel_point = options->cancel_point,
        .clock_limit_ns = JG_NEVER,
    };
    if (options->clock_limit_ms > 0) { // the clock starts at one second
        world->clock_limit_ns = clock_add_ms(JG_S, options->clock_limit_ms);
    }
    if (sink != NULL && sink->put != NULL) {
        world->trace.sink = *sink;
        world->weather.on_result = on_result;
    }
}

intptr_t sim_world_run(struct sim_world *world, jg_fn *fn, void *arg, const jg_sim_options *options,
                       const struct trace_sink *sink, const char *site) {
    struct sim_fault faults[FAULTS_MOST];
    struct loop_options loop_options = {.sim = true, .on_stuck = on_stuck};
    int rc = (int)error_bare(sim_world_check(options));
    rc = rc < 0 ? rc : task_seed(options->seed, &loop_options.seed);
    rc = rc < 0 ? rc : task_stack_size(options->stack_size, &loop_options.stack_size);
    if (rc < 0) {
        return rc;
    }
    prepare(world, options, sink);
    world->weather.faults = faults;
    world->weather.fault_count = plan_faults(options, faults);
    loop_options.weather = &world->weather;
    intptr_t result = task_run(fn, arg, &loop_options, true, site);
    if (options->fault_count > world->weather.fault_count) {
        mem_fail_nth(0, 0);
    }
    return world->code == 0 ? result : jg_fail(world->code, "%s", world->why);
}

static void put_in_file(void *to, const char *line) {
    fprintf(to, "%s\n", line);
}

intptr_t jg_sim_run_at(jg_fn *fn, void *arg, const jg_sim_options *options, const char *site) {
    static const jg_sim_options no_options;
    options = options != NULL ? options : &no_options;
    struct sim_world world;
    const struct trace_sink sink = {.put = options->trace != NULL ? put_in_file : NULL,
                                    .to = options->trace};
    return sim_world_run(&world, fn, arg, options, &sink, site);
}
