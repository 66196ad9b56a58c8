// SPDX-License-Identifier: MIT
/* thread.c – the end of a thread that had a stand-in for a task.
 *
 * Holds      one key for all threads.
 * Invariant  a stand-in that holds a record of a failure, or task-local values, is known to the key.
 * Called by  error.c, local.c.
 * Why        a stand-in never ends as a task does: its thread's end has to free what it holds.
 */
#include "task/task.h"

#include <pthread.h>

static pthread_key_t thread_ends;

static void forget_at_thread_end(void *stand_in) {
    error_free(error_take(stand_in));
    locals_end(stand_in);
}

static void make_key(void) {
    must(pthread_key_create(&thread_ends, forget_at_thread_end) == 0);
}

void thread_mind_end(struct jg_task_record *stand_in) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_key);
    pthread_setspecific(thread_ends, stand_in);
}
