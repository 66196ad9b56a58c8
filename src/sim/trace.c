// SPDX-License-Identifier: MIT
/* trace.c – a simulated run as lines to read: who runs, what completes, what is waited for.
 *
 * Holds      numbers for the tasks it has seen, in struct trace.
 * Invariant  a line per step comes before the step, so that the last one names who was running when
 *            the program died; what the step ended in follows before the next.
 * Called by  world.c.
 * Why        whether the last one to run has ended is looked up in the list of tasks: a hook in the
 *            engine room for it would cost every program something.
 */
#include "rt/loop.h"
#include "rt/sim_net.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>

static void put(const struct trace *trace, const struct loop *loop, const char *text) {
    char line[TRACE_LINE];
    int64_t us = (sim_net_of(loop)->now_ns - JG_S) / (JG_MS / 1000);
    snprintf(line, sizeof(line), "%7" PRId64 ".%03" PRId64 " ms  %s", us / 1000, us % 1000, text);
    trace->sink.put(trace->sink.to, line);
}

/* A place of the table: the task's own, or a free one for it. -1: full. */
static int find_place(struct trace *trace, const struct jg_task_record *task) {
    int place = -1;
    for (int i = 0; i < TRACE_NUMBERED; i++) {
        if (trace->numbered[i].task == task) {
            return i;
        }
        if (trace->numbered[i].task == NULL && place < 0) {
            place = i;
        }
    }
    if (place >= 0) {
        trace->numbered[place].task = task;
        trace->numbered[place].number = ++trace->last_number;
    }
    return place;
}

static void name_task(struct trace *trace, const struct jg_task_record *task, char *out_name,
                      size_t size) {
    int place = find_place(trace, task);
    if (place >= 0) {
        snprintf(out_name, size, "%.40s#%u", task->coro.name, trace->numbered[place].number);
    } else {
        snprintf(out_name, size, "%.40s", task->coro.name);
    }
}

static bool is_alive(const struct task_loop *loop, const struct jg_task_record *task) {
    const struct list *node = loop->tasks.next;
    while (node != &loop->tasks && node != &task->siblings) {
        node = node->next;
    }
    return node != &loop->tasks;
}

/* Only the address of a task that has ended is looked at. */
void trace_step_over(struct trace *trace, const struct task_loop *loop) {
    const struct jg_task_record *task = trace->stepping;
    char text[TRACE_LINE];
    if (trace->sink.put == NULL) {
        return;
    }
    if (!is_alive(loop, task)) {
        int place = find_place(trace, task);
        if (place >= 0) {
            trace->numbered[place].task = NULL;
        }
        put(trace, &loop->loop, "    ended");
    } else if (task->coro.parked != NULL) {
        snprintf(text, sizeof(text), "    waits for %s", wait_name(task->coro.parked));
        put(trace, &loop->loop, text);
    }
}

void trace_step(struct trace *trace, const struct task_loop *loop,
                const struct jg_task_record *next) {
    char name[64];
    char text[TRACE_LINE];
    if (trace->sink.put == NULL) {
        return;
    }
    name_task(trace, next, name, sizeof(name));
    snprintf(text, sizeof(text), "%s runs", name);
    put(trace, &loop->loop, text);
    trace->stepping = next;
}

void trace_result(struct trace *trace, const struct op *op, intptr_t result) {
    const struct jg_task_record *task = (const struct jg_task_record *)(const void *)op->wait.coro;
    char name[64];
    char text[TRACE_LINE];
    name_task(trace, task, name, sizeof(name));
    if (jg_failed(result)) {
        snprintf(text, sizeof(text), "    %s of %s: %s", wait_name(&op->wait), name,
                 jg_error_name(result));
    } else {
        snprintf(text, sizeof(text), "    %s of %s: %" PRIdPTR, wait_name(&op->wait), name, result);
    }
    put(trace, task->coro.loop, text);
}

void trace_note(struct trace *trace, const struct loop *loop, const char *text) {
    if (trace->sink.put != NULL) {
        put(trace, loop, text);
    }
}
