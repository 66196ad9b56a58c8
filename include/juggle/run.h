// SPDX-License-Identifier: MIT
/* juggle/run.h – the event loop of this thread.
 *
 * Holds      nothing: a loop lives from jg_run's start to its end.
 * Invariant  at most one loop runs on a thread.
 */
#ifndef JUGGLE_RUN_H
#define JUGGLE_RUN_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* How a loop runs. All zero is the default. */
typedef struct jg_run_options {
    const char *backend; /* "epoll" (default) or "sim"; NULL: $JUGGLE_BACKEND, then epoll */
    uint64_t seed;       /* sim: the seed of all its choices; 0: $JUGGLE_SEED, a number, then 1 */
    size_t stack_size;   /* bytes of stack for tasks that ask for none; 0: 64 KiB, and 256 KiB under
                             AddressSanitizer. Rounded up to a power of two; 16 KiB to 1 GiB */
    bool debug; /* debug mode, see <juggle/debug.h>; also with JUGGLE_DEBUG=1 in the environment */
    bool no_fault_report; /* leave SIGSEGV alone: an overflowing stack dies unnamed */
} jg_run_options;

/* Runs `fn(arg)` as the first task of a new loop on this thread, until it has ended.
 *
 * Tasks that are still alive when it returns are cancelled and awaited first. The loop's own
 * resources (stacks, epoll, wake-up descriptor) are given back before it returns.
 *
 * Returns  the word `fn` returned; -ECANCELED if it was cancelled; -EBUSY when a loop already runs
 *          on this thread, -ECHILD when that is a forked copy; -EINVAL for options out of range;
 *          -ENOMEM or -EMFILE when the loop could not be made.
 * Threads  any thread; each has a loop of its own. */
#define jg_run(fn, arg) jg_run_at((fn), (arg), NULL, #fn "\0" JG_HERE)
#define jg_run_with(fn, arg, options) jg_run_at((fn), (arg), (options), #fn "\0" JG_HERE)
JG_API intptr_t jg_run_at(jg_fn *fn, void *arg, const jg_run_options *options, const char *site);

/* Whether a loop runs on this thread. Any thread. */
JG_API bool jg_running(void);

/* Names the backend that calls of this thread use: "epoll", "sim", or "blocking" without a loop. */
JG_API const char *jg_backend(void);

/* What a loop has done so far; for benchmarks and monitoring. */
typedef struct jg_loop_stats {
    uint64_t turns;          /* times the loop looked for completions */
    uint64_t kernel_waits;   /* times it asked the kernel (epoll_wait) */
    uint64_t spawned;        /* tasks started in all */
    uint64_t live;           /* tasks alive now */
    uint64_t stacks;         /* stacks made, in use or kept for reuse */
    uint64_t stack_mappings; /* mappings those stacks lie in */
} jg_loop_stats;

/* Fills in the figures of this thread's loop. Returns 0, or -ENXIO without a loop. */
JG_API int jg_loop_stats_get(jg_loop_stats *out_stats);

JG_END_DECLS

#endif
