// SPDX-License-Identifier: MIT
/* callback_steps.h – functions of the user's that suspend where they must not.
 *
 * Holds      how often such a function was called, and how often each suspend in it was refused.
 * Invariant  none is switched away from, whoever calls it; afterwards its caller suspends as before.
 * Called by  test_callbacks.c, test_drops.c.
 * Why        one copy.
 */
#ifndef TESTS_API_CALLBACK_STEPS_H
#define TESTS_API_CALLBACK_STEPS_H

#include "api/executor_gate.h"

static atomic_int calls;
static atomic_int refusals;

/* What every such function does here. */
static inline void try_to_suspend(void) {
    jg_event event = {0};
    atomic_fetch_add(&calls, 1);
    bool refused = jg_sleep(1) == -EDEADLK && jg_yield() == -EDEADLK;
    refused = refused && jg_event_wait(&event) == -EDEADLK;
    refused = refused && jg_to_thread(square, NULL) == -EDEADLK;
    atomic_fetch_add(&refusals, refused ? 1 : 0);
}

static inline void drop_badly(void *word) {
    (void)word;
    try_to_suspend();
}

static inline void report_badly(const jg_error *error) {
    ck_assert_int_lt(error->code, 0);
    try_to_suspend();
}

/* So many calls since the last time, all refused; the caller may suspend again. */
static inline void expect_refused(int count) {
    ck_assert_int_eq(atomic_exchange(&calls, 0), count);
    ck_assert_int_eq(atomic_exchange(&refusals, 0), count);
    ck_assert_int_eq(jg_yield(), 0);
}

static inline intptr_t give(void *arg) {
    return (intptr_t)arg;
}

#endif
