// SPDX-License-Identifier: MIT
/* futex.h – sleeping on a word, and waking whoever does.
 *
 * Holds      nothing.
 * Invariant  a sleeper looks at the word itself: a wake that comes for nothing, or early, does no harm.
 * Called by  pool.c.
 * Why        a wake meets one certain thread, and costs nothing while that is awake.
 */
#ifndef EXEC_FUTEX_H
#define EXEC_FUTEX_H

#include "rt/sched.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline void futex_wake(atomic_uint *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Waits as long as the word is `asleep`. Returns 0, or -ETIMEDOUT. */
static inline int futex_sleep(atomic_uint *word, unsigned asleep, int64_t until_ns) {
    const struct timespec until = {until_ns / JG_S, until_ns % JG_S};
    const struct timespec *limit = until_ns == JG_NEVER ? NULL : &until;
    while (atomic_load_explicit(word, memory_order_acquire) == asleep) {
        // FUTEX_WAIT_BITSET takes a point in time on the monotonic clock.
        if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, asleep, limit, NULL,
                    FUTEX_BITSET_MATCH_ANY) != 0 &&
            errno == ETIMEDOUT) {
            return -ETIMEDOUT;
        }
    }
    return 0;
}

#endif
