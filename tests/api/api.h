// SPDX-License-Identifier: MIT
/* api.h – runs a test's body on the backend under test.
 *
 * Holds      nothing.
 * Invariant  on epoll a body runs once, under sim with several seeds, each of which picks another order
 *            of the ready tasks; as "blocking" it runs on the thread itself, without a loop.
 * Called by  the tests of this directory.
 * Why        what is promised holds in any order, so a test must not lean on one; where the order
 *            itself is promised, the simulated world is calm.
 */
#ifndef TESTS_API_H
#define TESTS_API_H

#include "fixtures/fixture.h"

#include <juggle.h>
#include <juggle/sim.h>
#include <string.h>

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
enum { API_SANITIZED = 1, API_SEEDS = 5, API_SLOWED = 10 };
#elif defined(JUGGLE_COVERAGE)
enum {
    API_SANITIZED = 0,
    API_SEEDS = 25,
    API_SLOWED = 10
}; // each process writes down what it counted
#else
enum { API_SANITIZED = 0, API_SEEDS = 25, API_SLOWED = 1 };
#endif

__attribute__((unused)) static const bool sanitized = API_SANITIZED;

static inline bool on_backend(const char *name) {
    const char *under_test = fixture_backend();
    return strcmp(under_test[0] == '\0' ? "epoll" : under_test, name) == 0;
}

static inline void open_pair(jg_stream *pair[2]) {
    ck_assert_int_eq(jg_stream_pair(&pair[0], &pair[1]), 0);
}

static inline void close_pair(jg_stream *pair[2]) {
    jg_stream_close(pair[0]);
    jg_stream_close(pair[1]);
}

/* Runs `body(arg)` on the backend under test, and fails the test if it returns an error. */
static inline void run_body_with(jg_fn *body, void *arg, const char *site) {
    if (on_backend("blocking")) {
        ck_assert_int_eq(body(arg), 0);
        return;
    }
    for (uint64_t i = 0; i < (on_backend("sim") ? API_SEEDS : 1); i++) {
        const jg_run_options options = {.seed = fixture_seed() + i};
        ck_assert_int_eq(jg_run_at(body, arg, &options, site), 0);
    }
}

#define run_body(body) run_body_with((body), NULL, #body "\0" JG_HERE)

/* The same, once, also under sim: for bodies that cost something. */
static inline void run_once(jg_fn *body, void *arg) {
    ck_assert_int_eq(on_backend("blocking") ? body(arg) : jg_run(body, arg), 0);
}

/* Ends the test as skipped where there is no loop. */
static inline void needs_loop(void) {
    if (on_backend("blocking")) {
        fixture_skip("without a loop there are no tasks");
    }
}

/* Runs `body` where who was ready first runs first: under sim in a calm world. */
static inline void run_in_order_with(jg_fn *body, const char *site) {
    const jg_sim_options calm = {.calm = true};
    if (on_backend("sim")) {
        ck_assert_int_eq(jg_sim_run_at(body, NULL, &calm, site), 0);
    } else {
        run_body_with(body, NULL, site);
    }
}

#define run_in_order(body) run_in_order_with((body), #body "\0" JG_HERE)

#endif
