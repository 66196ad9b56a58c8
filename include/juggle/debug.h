// SPDX-License-Identifier: MIT
/* juggle/debug.h – debug mode: who holds the loop up, who waits for whom, what was left behind.
 *
 * Holds      where reports go, and their settings; both of the whole process.
 * Invariant  a loop opened without debug mode is not looked at: it costs nothing.
 * Why        asyncio reports a slow callback when it is over; one that never ends is never reported.
 *            Here a thread beside the loop looks on, and speaks while the loop is still stuck.
 *
 * Debug mode is switched on for a loop by jg_run_options.debug, or by JUGGLE_DEBUG=1 in the environment
 * for all. It then resumes its tasks one at a time, which changes their order as little as another seed
 * would. A resume takes some 0.13 microseconds, as long as 20 yields (docs/decisions/observing.md). One
 * thread minds all loops; where there can be none, stalls are not reported.
 *
 * No signal shows the tree of tasks: signals are the program's. One that wants it on SIGQUIT waits for
 * that with jg_signal_wait in a task, and calls jg_debug_tree(2).
 *
 * To show the stack of code that is running it sends SIGURG to the loop's thread, unless the program
 * has a handler of its own for it. Code that waits in the kernel is not disturbed: its stack is read
 * from beside, and may then show a call or two that are over.
 */
#ifndef JUGGLE_DEBUG_H
#define JUGGLE_DEBUG_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* What a report is about. */
typedef enum jg_debug_kind {
    JG_DEBUG_SLOW, /* a task, or a callback, has run without a pause for longer than the limit */
    JG_DEBUG_DEADLOCK,    /* every task waits, and nothing the loop knows of could wake one */
    JG_DEBUG_SPIN,        /* a task ignores its cancel, by the rule that jg_cancel tells */
    JG_DEBUG_TASK_LEAK,   /* a task was alive when the first one ended, which cancels it */
    JG_DEBUG_HANDLE_LEAK, /* a task has ended, and nobody joined or detached it */
    JG_DEBUG_FD_LEAK, /* a stream, listener, file, program or process pool was opened on the loop, and
                             not closed when the loop closed, or a worker not joined */
    JG_DEBUG_FUTURE_LEAK, /* a future was pending when the loop closed, and neither settled nor ended with
                             jg_future_fini: a task had waited for it and left, or a callback was to be
                             called, of which the newest is told. Whoever waited when the first task ended
                             is a TASK_LEAK; pending futures of tasks and jobs have an end of their own.
                             Or it had failed, by jg_future_fail or as its job did, and nobody had read that
                             or ended it: told by the task or job that failed. At most 256 of these of a
                             loop */
    JG_DEBUG_SIGNAL_LEAK, /* a watch on signals was open when the loop closed; by whom is not known */
    JG_DEBUG_RING, /* tasks wait for each other while the loop has other work, and only a cancel could end
                      it: none has a limit, and where one of several is enough all of them are stuck. Looked
                      for when the loop sleeps; told once, with all who are stuck, be it behind the ring */
} jg_debug_kind;

/* One report. Strings are never NULL, and valid during the call. */
typedef struct jg_debug_report {
    jg_debug_kind kind;  /* what it is about */
    const char *task;    /* its name; "loop" for a callback; "" when it is nobody's */
    const char *spawned; /* "file.c:12" */
    int64_t duration_ns; /* SLOW: how long so far; else 0 */
    const char *text; /* lines, each with its newline; the first says it all, others the details */
} jg_debug_report;

/* Who is told. SLOW comes from a thread of its own while the loop is stuck, the others from the loop's
 * thread. It must not suspend: what would is -EDEADLK in it, as in JG_NO_SUSPEND. A child it forks ends
 * when it returns, with status 0. NULL restores the default: the text on stderr. Any thread. */
typedef void jg_debug_report_fn(const jg_debug_report *report);
JG_API void jg_debug_on_report(jg_debug_report_fn *report);

/* How debug mode works. All zero is the default. */
typedef struct jg_debug_options {
    int64_t slow_ms; /* limit of SLOW; 0: $JUGGLE_DEBUG_SLOW_MS, then 100 */
    bool
        abort_on_deadlock; /* after the report; also with JUGGLE_DEBUG_ABORT=1. Else the loop waits on:
                               a signal handler or a thread may yet post to it */
} jg_debug_options;

/* Sets the options of loops opened from now on. Any thread. */
JG_API void jg_debug_set(const jg_debug_options *options);

/* Writes the tasks of this thread's loop to a descriptor, as a tree: a group's tasks below the one that
 * opened it, any other below the one that spawned it if that is known. Each with what it waits for, who
 * could end that, and where it was spawned; in debug mode, and while a trace is taken, also with its number
 * ("main #1": others may have that name) and since when.
 *
 * Returns 0; -ENXIO without a loop; -ENOMEM; the error of write(2). Does not suspend. */
JG_API int jg_debug_tree(int fd);

JG_END_DECLS

#endif
