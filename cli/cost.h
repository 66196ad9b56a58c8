// SPDX-License-Identifier: MIT
/* cost.h – what a group of processes cost: CPU time, context switches, memory.
 *
 * Holds      sums of rusage, and one look at /proc.
 * Invariant  what a child and its reaped children used is counted exactly once: what was used
 *            until "go" plus what was used after it is what wait4 reports.
 * Called by  round.c (the parent), models.c and board.c (the measured child).
 * Why        ru_maxrss is inherited through fork and counts shared pages once per process;
 *            the reasons and the method are in docs/decisions/how-memory-is-measured.md.
 * Quirks     the kernel knows the sum of user and system time exactly, its split only by
 *            sampling at clock ticks.
 */
#ifndef JUGGLE_CLI_COST_H
#define JUGGLE_CLI_COST_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

struct cost_usage {
    uint64_t cpu_user_ns;
    uint64_t cpu_sys_ns;
    uint64_t switches_voluntary;   /* the thread had to wait */
    uint64_t switches_involuntary; /* the thread was made to wait */
};

/* A sum that threads and processes add to at the same time; zero bytes are an empty sum. */
struct cost_sum {
    _Atomic uint64_t cpu_user_ns;
    _Atomic uint64_t cpu_sys_ns;
    _Atomic uint64_t switches_voluntary;
    _Atomic uint64_t switches_involuntary;
};

struct cost_memory {
    uint64_t pss_bytes;          /* pages, those shared with others by their share */
    uint64_t kernel_stack_bytes; /* one kernel stack per thread */
    uint64_t page_table_bytes;
    uint64_t processes;
    uint64_t threads;
};

/* Tells what the calling thread has used since it began. */
void cost_of_thread(struct cost_usage *out_usage);

/* Adds what the calling thread has used since it began to `sum`. Any thread, any process. */
void cost_add_thread(struct cost_sum *sum);

/* Reads a sum. */
struct cost_usage cost_read(const struct cost_sum *sum);

/* Both together. */
struct cost_usage cost_plus(const struct cost_usage *a, const struct cost_usage *b);

/* What remains of `total` after `part`, which is contained in it. */
struct cost_usage cost_after(const struct cost_usage *total, const struct cost_usage *part);

/* Waits for the child `pid` to end; with -group, for any child of that process group.
 *
 * Returns  0, with its wait status and what it and the children it reaped used in all their
 *          threads; -ECHILD; with `flags` WNOHANG -EAGAIN while it runs.
 */
int cost_wait(pid_t pid, int flags, int *out_status, struct cost_usage *out_total);

/* Adds up the memory of all processes of the process group `group`, now.
 *
 * Returns  0; -ESRCH if the group has no living process; -EACCES or -ENOENT if /proc does not
 *          tell. Processes that end while it looks are left out.
 */
int cost_memory_of_group(pid_t group, struct cost_memory *out_memory);

/* All three parts together. */
uint64_t cost_memory_total(const struct cost_memory *memory);

#endif
