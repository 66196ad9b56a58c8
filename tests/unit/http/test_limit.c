// SPDX-License-Identifier: MIT
/* test_limit.c – a limit that is moved often strikes at its time, and only then.
 *
 * Holds      nothing.
 * Invariant  none.
 * Called by  the test runner, on sim.
 * Why        the timer fires early and looks: a mistake there strikes early, late or never.
 * Quirks     none.
 */
// Backends: sim
#include "fixtures/fixture.h"

#include "http/limit.h"
#include "rt/loop.h"

#include <juggle.h>

/* One wait of `wait_ms` under a limit. Returns what limit_end made of it. */
static int wait_within(struct limit *limit, int64_t limit_ms, int64_t wait_ms) {
    limit_begin(limit, jg_now(), limit_ms);
    return (int)limit_end(limit, jg_sleep(wait_ms));
}

static int64_t since_ms(int64_t begin_ns) {
    return (jg_now() - begin_ns) / JG_MS;
}

static intptr_t strike_body(void *arg) {
    (void)arg;
    struct limit limit;
    ck_assert_int_eq(limit_open(&limit), 0);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(wait_within(&limit, 100, 99), 0);
    }
    int64_t begin_ns = jg_now();
    ck_assert_int_eq(wait_within(&limit, 100, 1000), -ETIMEDOUT);
    ck_assert_int_eq(since_ms(begin_ns), 100);
    // The next wait knows nothing of it; nor does time without a wait.
    ck_assert_int_eq(jg_sleep(1000), 0);
    ck_assert_int_eq(wait_within(&limit, 50, 49), 0);
    ck_assert_int_eq(wait_within(&limit, -1, 100000), 0);
    begin_ns = jg_now();
    ck_assert_int_eq(wait_within(&limit, 7, 100), -ETIMEDOUT);
    ck_assert_int_eq(since_ms(begin_ns), 7);
    limit_close(&limit);
    return 0;
}

// Waits would be cut early, or never.
START_TEST(strikes_at_its_time) {
    ck_assert_int_eq(jg_run(strike_body, NULL), 0);
}
END_TEST

static intptr_t renew_body(void *arg) {
    (void)arg;
    struct limit limit;
    ck_assert_int_eq(limit_open(&limit), 0);
    int64_t begin_ns = jg_now();
    limit_begin(&limit, begin_ns, 1000);
    ck_assert_int_eq(jg_sleep(900), 0);
    limit_renew(&limit, jg_now(), 1000); // later
    ck_assert_int_eq(jg_sleep(900), 0);
    limit_renew(&limit, jg_now(), 10); // earlier than the timer is armed for
    ck_assert_int_eq((int)limit_end(&limit, jg_sleep(1000)), -ETIMEDOUT);
    ck_assert_int_eq(since_ms(begin_ns), 1810);
    limit_close(&limit);
    return 0;
}

// A limit that was moved would strike at its old time.
START_TEST(renewed_limits_count) {
    ck_assert_int_eq(jg_run(renew_body, NULL), 0);
}
END_TEST

static intptr_t result_body(void *arg) {
    (void)arg;
    struct limit limit;
    ck_assert_int_eq(limit_open(&limit), 0);
    // A wait that completed keeps its result, though the limit struck meanwhile.
    limit_begin(&limit, jg_now(), 5);
    ck_assert_int_eq(jg_sleep(10), -ECANCELED);
    ck_assert_int_eq((int)limit_end(&limit, 17), 17);
    // A cancel from outside is one, also when the limit struck as well.
    jg_scope outer;
    jg_scope_open(&outer, JG_NEVER, false);
    limit_begin(&limit, jg_now(), 5);
    ck_assert_int_eq(jg_sleep(10), -ECANCELED);
    jg_scope_cancel(&outer);
    ck_assert_int_eq((int)limit_end(&limit, -ECANCELED), -ECANCELED);
    limit_begin(&limit, jg_now(), 5);
    ck_assert_int_eq((int)limit_end(&limit, jg_sleep(1)), -ECANCELED);
    jg_scope_close(&outer, 0);
    limit_close(&limit);
    return 0;
}

// A result would be lost, or a cancel taken for slowness.
START_TEST(results_and_cancels_are_kept_apart) {
    ck_assert_int_eq(jg_run(result_body, NULL), 0);
}
END_TEST

FIXTURE_MAIN("unit/http/limit", strikes_at_its_time, renewed_limits_count,
             results_and_cancels_are_kept_apart)
