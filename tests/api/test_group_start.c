// SPDX-License-Identifier: MIT
/* test_group_start.c – SEMANTICS S43: a task that says when it is ready.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed.
 * Called by  ctest, on epoll and sim.
 * Why        whoever starts a service must not use it before it is there, nor wait for one that failed.
 */
#include "api/api.h"

struct service {
    int64_t opens_ms;
    intptr_t fails; // before it is ready; 0: does not
    bool silent;    // ends without a word
    bool stubborn;  // is ready in spite of a cancel
    intptr_t later; // what it comes to once it has been ready
    int ready_rc;
    bool served;
    bool ended;
};

static intptr_t serve(void *arg) {
    struct service *service = arg;
    int rc = jg_sleep(service->opens_ms);
    if (rc < 0 && !service->stubborn) {
        service->ended = true;
        return rc;
    }
    if (service->fails != 0) {
        return jg_fail(service->fails, "the port is taken");
    }
    if (service->silent) {
        return 5;
    }
    service->ready_rc = jg_started(8080);
    service->served = jg_sleep(10) == 0;
    service->ended = true;
    return service->later;
}

static intptr_t ready_body(void *arg) {
    (void)arg;
    struct service service = {.opens_ms = 5};
    int rc = 0;
    JG_GROUP(group, rc) {
        int64_t before = jg_now();
        ck_assert_int_eq(jg_group_start(group, serve, &service), 8080);
        ck_assert_int_ge(jg_now() - before, 5 * JG_MS);
        ck_assert(!service.ended);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert(service.served && service.ended);
    ck_assert_int_eq(service.ready_rc, 0);
    return 0;
}

// The caller would go on before the service is there, or the group end before it is over.
START_TEST(s43_start_returns_when_it_is_ready) {
    run_body(ready_body);
}
END_TEST

static intptr_t fails_body(void *arg) {
    (void)arg;
    struct service failing = {.opens_ms = 2, .fails = -EADDRINUSE};
    struct service silent = {.opens_ms = 2, .silent = true};
    struct service fine = {.opens_ms = 4};
    int rc = 0;
    JG_GROUP(group, rc) {
        ck_assert_int_eq(jg_group_start(group, serve, &failing), -EADDRINUSE);
        ck_assert_str_eq(jg_error_last()->text, "the port is taken");
        ck_assert_str_eq(jg_error_last()->task, "serve");
        ck_assert_int_eq(jg_group_start(group, serve, &silent), -EPROTO);
        ck_assert_str_eq(jg_error_detail(-EPROTO),
                         "task serve ended before it said that it was ready");
        ck_assert_int_eq(jg_sleep(1), 0); // the group lives
        ck_assert_uint_eq(jg_group_error_count(group), 0);
        ck_assert_int_eq(jg_group_start(group, serve, &fine), 8080);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert(fine.served);
    return 0;
}

// A service that does not come up would bring the others down, or its starter would wait for ever.
START_TEST(s43_failure_before_ready_is_the_callers) {
    run_body(fails_body);
}
END_TEST

static intptr_t later_body(void *arg) {
    (void)arg;
    struct service service = {.opens_ms = 1, .later = -EPIPE};
    int rc = 0;
    JG_GROUP(group, rc) {
        ck_assert_int_eq(jg_group_start(group, serve, &service), 8080);
        rc = jg_sleep(60000);
        ck_assert_int_eq(rc, -ECANCELED);
    }
    ck_assert_int_eq(rc, -EPIPE);
    return 0;
}

// A failure after that would be nobody's.
START_TEST(s43_failure_after_ready_is_the_groups) {
    run_body(later_body);
}
END_TEST

static intptr_t limit_body(void *arg) {
    (void)arg;
    struct service slow = {.opens_ms = 60000};
    struct service stubborn = {.opens_ms = 60000, .stubborn = true};
    intptr_t rc = 0;
    intptr_t result = 0;
    JG_GROUP(group, result) {
        JG_TIMEOUT(3, rc) {
            rc = jg_group_start(group, serve, &slow);
        }
        ck_assert_int_eq(rc, -ETIMEDOUT);
        ck_assert(slow.ended); // and over
        JG_TIMEOUT(3, rc) {
            rc = jg_group_start(group, serve, &stubborn);
        }
        ck_assert_int_eq(rc, 8080); // completion wins
        JG_TIMEOUT(0, rc) {
            rc = jg_group_start(group, serve, &slow);
        }
        ck_assert_int_eq(rc, -ETIMEDOUT);
    }
    ck_assert_int_eq(result, 0);
    ck_assert(stubborn.ended && !stubborn.served);
    return 0;
}

// A starter that gives up would leave behind a service that writes into a frame that is gone.
START_TEST(s43_cancelled_starter) {
    run_body(limit_body);
}
END_TEST

struct starting {
    jg_group *group;
    struct service service;
    intptr_t got;
};

static intptr_t start_from_elsewhere(void *arg) {
    struct starting *starting = arg;
    starting->got = jg_group_start(starting->group, serve, &starting->service);
    return 0;
}

static intptr_t group_cancelled_body(void *arg) {
    (void)arg;
    struct starting starting = {.service = {.opens_ms = 60000}};
    jg_task *starter = NULL;
    JG_GROUP(group) {
        starting.group = group;
        starter = jg_spawn(start_from_elsewhere, &starting);
        jg_sleep(1);
        jg_group_cancel(group);
    }
    ck_assert(starting.service.ended);
    ck_assert_int_eq(jg_join(starter), 0);
    ck_assert_int_eq(starting.got, -ECANCELED);
    return 0;
}

// A group that is cancelled while a service comes up would wait for it for ever.
START_TEST(group_cancelled_before_ready) {
    run_body(group_cancelled_body);
}
END_TEST

static intptr_t misuse_body(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_started(1), -EALREADY);
    ck_assert_int_eq(jg_started(-EIO), -EINVAL);
    struct service service = {.opens_ms = 1, .ready_rc = 1};
    JG_GROUP(group) {
        jg_group_spawn(group, serve, &service); // one that works either way
    }
    ck_assert_int_eq(service.ready_rc, -EALREADY);
    jg_group closed;
    jg_group_open(&closed);
    jg_group_close(&closed, 0);
    ck_assert_int_eq(jg_group_start(&closed, serve, &service), -ECANCELED);
    return 0;
}

// A task that is started another way could not run the same function.
START_TEST(started_without_a_starter) {
    run_body(misuse_body);
}
END_TEST

FIXTURE_MAIN("api/group_start", s43_start_returns_when_it_is_ready,
             s43_failure_before_ready_is_the_callers, s43_failure_after_ready_is_the_groups,
             s43_cancelled_starter, group_cancelled_before_ready, started_without_a_starter)
