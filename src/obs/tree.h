// SPDX-License-Identifier: MIT
/* tree.h – the tasks of a loop as text.
 *
 * Holds      nothing.
 * Invariant  changes nothing; suspends nowhere.
 * Called by  debug.c; jg_debug_tree is public.
 * Why        the same lines serve people who ask and reports of deadlocks.
 */
#ifndef OBS_TREE_H
#define OBS_TREE_H

#include "obs/watch.h"

#include <stdio.h>

/* One line per task, children indented below their parent. */
void tree_print(struct task_loop *loop, FILE *out);

enum rings {
    RINGS_ALL,
    RINGS_NEW, // those not told of yet that only a cancel could end; each task with its wait
};

/* One line per ring of tasks that wait for each other. Returns whether there are any; a NULL `out` only
 * asks. */
bool tree_print_rings(struct watch *watch, enum rings which, FILE *out);

/* Writes "main #1": others may have the name as well. Without the number where nothing is known of it. */
void tree_print_name(const struct coro *coro, FILE *out);

/* Writes what a coroutine waits for: "lock, which is up to main #1", "read (fd 7)". */
void tree_print_wait(const struct wait *wait, FILE *out);

#endif
