// SPDX-License-Identifier: MIT
/* limits.h – taking away from a test what a program can run out of.
 *
 * Holds      nothing.
 * Invariant  each test is a process of its own, so a limit is gone with it.
 * Called by  tests/api.
 * Why        what happens where memory ends is to be seen, not imagined.
 */
#ifndef API_LIMITS_H
#define API_LIMITS_H

#include "fixtures/fixture.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Lets the program map only so much more than it has. Skips the test where nothing heeds that. */
static inline void limit_address_space(size_t more_bytes) {
    size_t pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(statm, "%zu", &pages), 1);
    fclose(statm);
    rlim_t limit = pages * (size_t)sysconf(_SC_PAGESIZE) + more_bytes;
    const struct rlimit limits = {limit, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limits), 0);
    void *beyond = mmap(NULL, 2 * more_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (beyond != MAP_FAILED) {
        fixture_skip_emulated("qemu-user takes RLIMIT_AS and ignores it");
    }
    ck_assert_ptr_eq(beyond, MAP_FAILED);
}

#endif
