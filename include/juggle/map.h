// SPDX-License-Identifier: MIT
/* juggle/map.h – one function over many items, under any model of concurrency.
 *
 * Holds      nothing between calls.
 * Invariant  the function is the same in every mode, and so is what it leaves in its item: only who
 *            waits, and on how many cores, differs. It sees the caller's task-local values (juggle/local.h),
 *            but in a process, which gets the item alone.
 * Why        which model suits the work is a question to measure, not to rewrite the program for.
 *
 *     struct page pages[1000] = …;
 *     jg_map(JG_MAP_COROUTINES, fetch, pages, sizeof pages[0], 1000, NULL, NULL);
 */
#ifndef JUGGLE_MAP_H
#define JUGGLE_MAP_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* Where the function runs. */
typedef enum jg_map_mode {
    JG_MAP_INLINE,     /* one after another, where it is called */
    JG_MAP_THREADS,    /* on threads made for the call; what suspends blocks */
    JG_MAP_PROCESSES,  /* in processes forked for the call; see jg_process_pool_open for when */
    JG_MAP_COROUTINES, /* as tasks of this thread's loop, or of one made for the call */
} jg_map_mode;

/* How jg_map works. All zero is the default. */
typedef struct jg_map_options {
    size_t limit; /* items under way at once; 0: 4 threads more than processors, a process per
                            processor, 1000 tasks */
    bool collect_errors; /* go on with the other items when one fails */
} jg_map_options;

/* Calls `fn` with the address of each of `count` items, which lie `item_size` bytes apart, and waits for
 * all. Items are begun in order. In a process the function works on a copy, whose bytes are written back
 * when it returns: what an item points to is not.
 *
 * The first failure stops the rest: no more items are begun, tasks and processes that work on one are
 * cancelled, threads are waited for. A cancel of the caller, or its deadline, does the same.
 *
 * An item whose function leaves the thread (JG_MAP_THREADS; pthread_exit) or ends the process
 * (JG_MAP_PROCESSES) has failed with -EOWNERDEAD.
 *
 * Returns  0; the first failure, with jg_error_last(); with `collect_errors` the number of items that
 *          failed. -ECANCELED when the caller was cancelled; -EINVAL for an unknown mode; -ENOMEM,
 *          -EAGAIN, -EMFILE when not even one thread, process or task could be started.
 * Owns     borrows all. `out_words`, if not NULL, gets each item's word, whatever is returned; -ECANCELED
 *          for one that was not run. */
#define jg_map(mode, fn, items, item_size, count, out_words, options)                              \
    jg_map_at((mode), (fn), (items), (item_size), (count), (out_words), (options), #fn "\0" JG_HERE)
JG_API JG_SUSPENDS intptr_t jg_map_at(jg_map_mode mode, jg_fn *fn, void *items, size_t item_size,
                                      size_t count, intptr_t *out_words,
                                      const jg_map_options *options, const char *site);

JG_END_DECLS

#endif
