// SPDX-License-Identifier: MIT
/* trace.h – what a loop's tasks did, in order.
 *
 * Holds      struct trace, per traced loop: its events in blocks, and the name of every task.
 * Invariant  events are in the order they happened; after `events_most` none is kept, all are counted.
 * Called by  watch.c; trace_write.c turns them into a file.
 * Why        fixed-size events written by the loop's own thread: no lock, no text, until it closes.
 */
#ifndef OBS_TRACE_H
#define OBS_TRACE_H

#include "obs/watch.h"

#include <stdio.h>

enum trace_what { TRACE_SPAWNED, TRACE_RUNS, TRACE_WAITS, TRACE_YIELDS, TRACE_WOKEN, TRACE_ENDED };

/* Who woke, when it was not a task. */
enum trace_cause { TRACE_BY_TASK, TRACE_BY_TIMER, TRACE_BY_IO, TRACE_BY_THREAD, TRACE_BY_LOOP };

struct trace_event {
    int64_t at_ns;
    const struct wait_kind *kind; // WAITS
    uint32_t task;
    uint32_t other; // WAITS: the first who could end it; WOKEN: the waker; 0: none
    uint32_t step;  // resumes so far
    int32_t result; // WOKEN, ENDED; what does not fit is cut
    uint8_t what;
    uint8_t cause;   // WOKEN
    bool cancelled;  // WOKEN: by a cancel, not by what it waited for
    char detail[13]; // WAITS: which one
};

enum { TRACE_BLOCK = 2048 };

struct trace_block {
    struct trace_block *next;
    size_t count;
    struct trace_event events[TRACE_BLOCK];
};

struct trace_task {
    char name[48];
    const char *spawned; // a string literal of the program
    uint32_t spawner;
};

struct trace {
    uint64_t generation; // of the jg_trace_start it belongs to
    int64_t origin_ns;   // shown as 0
    struct trace_block *first;
    struct trace_block *last;
    struct trace_task *tasks; // by id
    size_t task_count;
    size_t event_count;
    size_t events_most;
    uint64_t dropped;
};

/* Traces a loop that has just been opened, if a trace is on. Without memory it is not traced. */
void trace_loop_opens(struct loop *loop);

/* Writes what the loop did, if its trace is still the one that is on, and frees it. */
void trace_loop_closes(struct watch *watch);

/* Writes it at once, as the program is about to abort. */
void trace_write_now(struct watch *watch);

/* Around a fork: its lock is held, so that the child finds it free. */
void trace_fork_begins(void);
void trace_fork_is_over(void);

/* What the watch tells. */
void trace_spawned(struct watch *watch, const struct watch_task *record);
void trace_resumes(struct watch *watch, const struct watch_task *record);
void trace_stops(struct watch *watch, const struct watch_task *record);
void trace_woken(struct watch *watch, const struct watch_task *record, const struct wait *wait,
                 uint32_t waker);
void trace_ended(struct watch *watch, const struct watch_task *record);

/* Appends one loop's part to a file that trace_write_empty has begun. `number` tells the loops of a file
 * apart, `now_ns` ends what is still going on. Return 0, -ENOMEM, or the error of writing. */
int trace_write(const char *path, const struct trace *trace, uint32_t number, const char *backend,
                int64_t now_ns);
int trace_write_empty(const char *path);

#endif
