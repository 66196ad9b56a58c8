// SPDX-License-Identifier: MIT
/* test_embed.c – a loop inside another one, and timed calls, when memory and descriptors run out.
 */
#include "fixtures/fixture.h"
#include "fixtures/limits.h"

#include "base/mem.h"

#include <juggle.h>

static intptr_t nothing(void *arg) {
    (void)arg;
    return 0;
}

// A loop that cannot be opened would leave a half of it behind, or the thread without its stand-in.
START_TEST(opening_without_memory_leaves_nothing) {
    long blocks = mem_live();
    jg_loop *loop = NULL;
    int refused = 0;
    int rc = -ENOMEM;
    for (uint64_t nth = 1; rc == -ENOMEM; nth++) {
        mem_fail_nth(nth, 1);
        rc = jg_loop_open(NULL, &loop);
        mem_fail_nth(0, 0);
        refused += rc == -ENOMEM;
        ck_assert(rc == 0 || (mem_live() == blocks && !jg_running() && loop == NULL));
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_ge(refused, 3); // the loop, its handle, its backend
    ck_assert_int_eq(jg_loop_close(loop), 0);
    ck_assert_int_eq(mem_live(), blocks);
}
END_TEST

// The same for descriptors: epoll's, or the one that wakes it.
START_TEST(opening_without_descriptors_leaves_nothing) {
    jg_loop *loop = NULL;
    int refused = 0;
    int rc = -EMFILE;
    for (int more = 0; rc == -EMFILE; more++) {
        rlim_t before = leave_descriptors(more);
        rc = jg_loop_open(NULL, &loop);
        set_descriptors(before);
        refused += rc == -EMFILE;
        ck_assert(rc == 0 || (!jg_running() && loop == NULL));
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_ge(refused, 2);
    ck_assert_int_eq(jg_loop_close(loop), 0);
}
END_TEST

// A call that found no room among the timers would stay claimed for ever.
START_TEST(a_timed_call_without_memory_is_not_queued) {
    jg_loop *loop;
    jg_call call = {0};
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    mem_fail_nth(1, 0);
    ck_assert_int_eq(jg_call_later(&call, 60000, nothing, NULL), -ENOMEM);
    mem_fail_nth(0, 0);
    ck_assert(!jg_call_queued(&call));
    ck_assert_int_eq(jg_call_later(&call, 60000, nothing, NULL), 0);
    ck_assert(jg_call_cancel(&call));
    ck_assert_int_eq(jg_loop_close(loop), 0);
}
END_TEST

FIXTURE_MAIN("task/embed", opening_without_memory_leaves_nothing,
             opening_without_descriptors_leaves_nothing, a_timed_call_without_memory_is_not_queued)
