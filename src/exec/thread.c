// SPDX-License-Identifier: MIT
/* thread.c – see thread.h.
 *
 * Holds      nothing.
 * Invariant  see thread.h.
 * Called by  see thread.h.
 * Why        see thread.h.
 */
#include "exec/thread.h"

#include "rt/sched.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

static int set_stack_size(pthread_attr_t *attr, size_t wished_bytes) {
    size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = wished_bytes > least ? wished_bytes : least;
    if (size > SIZE_MAX / 2) {
        return -ENOMEM;
    }
    return -pthread_attr_setstacksize(attr, (size + page - 1) / page * page);
}

/* Everything but what a thread raises by its own doing. */
static void fill_blocked(sigset_t *out_set) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigfillset(out_set);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        sigdelset(out_set, own[i]);
    }
}

int thread_start(size_t stack_size, bool detached, void *(*fn)(void *arg), void *arg,
                 pthread_t *out_thread) {
    pthread_attr_t attr;
    sigset_t blocked;
    fill_blocked(&blocked);
    int rc = -pthread_attr_init(&attr);
    if (rc < 0) {
        return rc;
    }
    rc = -pthread_attr_setsigmask_np(&attr, &blocked);
    if (rc == 0 && stack_size != 0) {
        rc = set_stack_size(&attr, stack_size);
    }
    if (rc == 0 && detached) {
        rc = -pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    }
    if (rc == 0) {
        rc = -pthread_create(out_thread, &attr, fn, arg);
    }
    pthread_attr_destroy(&attr);
    return rc;
}

void thread_check_left(void) {
    if (sched_here != NULL) {
        sched_enter(NULL); // nothing of it is looked at
        check_misuse("a thread was left by pthread_exit in a task, or with a loop open");
    }
}
