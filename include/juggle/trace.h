// SPDX-License-Identifier: MIT
/* juggle/trace.h – records what every task did, for people to look at.
 *
 * Holds      one trace at a time, of the whole process.
 * Invariant  the file is a whole document whenever it can be seen: it is extended each time a loop
 *            closes, and by jg_trace_stop.
 * Why        order of execution is what concurrent programs are hard to read for: a picture shows who
 *            ran, who waited for what, and who woke whom.
 *
 * The file is in Chrome's trace format: ui.perfetto.dev and chrome://tracing open it, and `juggle trace`
 * makes a picture of it. With JUGGLE_TRACE=FILE in the environment all loops of a process are traced;
 * "%p" in the name stands for the process's number. A forked child is not traced.
 *
 * A traced loop resumes its tasks one at a time. A resume takes some 0.12 microseconds
 * (docs/decisions/observing.md), and each start, stop and wake 48 bytes. Under the sim backend times are
 * virtual: a run can be repeated exactly.
 */
#ifndef JUGGLE_TRACE_H
#define JUGGLE_TRACE_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* How a trace is taken. All zero is the default. */
typedef struct jg_trace_options {
    size_t events_most; /* per loop; what happens after that is counted, not kept. 0: 1,000,000 */
} jg_trace_options;

/* Begins a trace: of this thread's loop from now on, if it has one, and of every loop opened later. An
 * existing file is replaced. Options may be NULL.
 *
 * Returns  0; -EBUSY while one is taken; -ENAMETOOLONG; -ENOMEM; the error of creating the file.
 * Owns     borrows `path`. Any thread. */
JG_API int jg_trace_start(const char *path, const jg_trace_options *options);

/* Ends the trace. What this thread's loop did is written, and what closed loops did is there already;
 * a loop of another thread that is still open is left out.
 *
 * Returns  0; -EINVAL when no trace is taken; -ENOMEM or the error of writing, also an earlier one.
 * Threads  any thread; the file is written by the caller, who may be held up by the disk. */
JG_API int jg_trace_stop(void);

JG_END_DECLS

#endif
