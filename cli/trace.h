// SPDX-License-Identifier: MIT
/* trace.h – a saved trace: reading it, and drawing it.
 *
 * Holds      struct trace, one loop's part of a file.
 * Invariant  spans of one task follow each other; steps are numbered from 1 in the order of running.
 * Called by  command_trace.c.
 * Why        <juggle/trace.h> says how a trace is taken.
 * Quirks     none.
 */
#ifndef JUGGLE_CLI_TRACE_H
#define JUGGLE_CLI_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum trace_kind { TRACE_RUN, TRACE_WAIT, TRACE_READY };

struct trace_task {
    uint32_t id;
    char name[48];
    char spawned[64];
    uint32_t spawner; /* id, 0: none that is known */
    uint32_t step;    /* in which it was spawned */
    int64_t at_ns;
};

struct trace_span {
    enum trace_kind kind;
    uint32_t task; /* id */
    uint32_t step; /* RUN: its number; WAIT: after which it began */
    int64_t from_ns;
    int64_t until_ns;
    char name[24];     /* WAIT: for what */
    char which[24];    /* WAIT: "fd 7" */
    uint32_t up_to;    /* WAIT: the task that could end it */
    bool woken;        /* WAIT: it ended inside the trace */
    uint32_t woken_in; /* WAIT: the step in which, or after which */
    uint32_t waker;    /* WAIT: id; 0: the loop did */
    char by[24];       /* WAIT: "timer" */
    bool cancelled;    /* WAIT */
    bool ends;         /* RUN: the task's last */
    int64_t result;    /* RUN that ends */
};

struct trace {
    char backend[16];
    uint64_t dropped;
    unsigned loops; /* in the file */
    struct trace_task *tasks;
    size_t task_count;
    struct trace_span *spans;
    size_t span_count;
    int64_t end_ns;
};

/* Reads the part of one loop, 1 and up.
 *
 * Returns  0; a negative errno with one line in `out_error` (160 bytes). -EINVAL: no trace of juggle's.
 * Owns     gives what `out_trace` holds: trace_free. */
int trace_read(const char *path, uint64_t loop, struct trace *out_trace, char *out_error);
void trace_free(struct trace *trace);

/* The task with this id, or NULL. */
const struct trace_task *trace_task_by_id(const struct trace *trace, uint32_t id);

/* What is drawn of it. */
struct trace_picture {
    const char *title;
    uint64_t tasks; /* at most, in the order of spawning */
    uint64_t width; /* pixels; TRACE_WIDTH_LEAST or more */
};
enum { TRACE_WIDTH_LEAST = 800 }; /* the legend's */

/* Writes a picture; a page with it and a table of the same. */
void trace_draw_svg(const struct trace *trace, const struct trace_picture *picture, FILE *out);
void trace_draw_html(const struct trace *trace, const struct trace_picture *picture, FILE *out);

/* Writes text as XML wants it. */
void trace_put_text(const char *text, FILE *out);

#endif
