// SPDX-License-Identifier: MIT
/* test_memory.c – tasks, scopes, groups and values when memory is refused at one place.
 */
#include "fixtures/fixture.h"

#include "base/mem.h"
#include "task/task.h"

#include <errno.h>
#include <juggle.h>
#include <string.h>

static int dropped;

static void count_drop(void *value) {
    dropped += (int)(intptr_t)value;
}

static const jg_local color = {.name = "color", .drop = count_drop};
static const jg_local shape = {.name = "shape"};

// Values.

// A value that found no room would be lost to both sides, or take the others with it.
START_TEST(a_value_without_memory_stays_with_the_caller) {
    dropped = 0;
    ck_assert_int_eq(jg_local_set(&color, (void *)1), 0);
    for (uint64_t nth = 1; nth <= 2; nth++) { // the cell, the list
        mem_fail_nth(nth, 0);
        ck_assert_int_eq(jg_local_set(&color, (void *)2), -ENOMEM);
        mem_fail_nth(0, 0);
        ck_assert_ptr_eq(jg_local_get(&color), (void *)1);
    }
    ck_assert_int_eq(dropped, 0);
    ck_assert_int_eq(jg_local_unset(&shape), 0); // was never set
    ck_assert_int_eq(jg_local_set(&shape, (void *)4), 0);
    mem_fail_nth(1, 0);
    ck_assert_int_eq(jg_local_unset(&color), -ENOMEM);
    mem_fail_nth(0, 0);
    ck_assert_ptr_eq(jg_local_get(&color), (void *)1);
    ck_assert_int_eq(jg_local_unset(&color), 0);
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(jg_local_set(&color, NULL), 0); // nothing to drop
    ck_assert_int_eq(jg_local_unset(&color), 0);
    ck_assert_int_eq(jg_local_unset(&shape), 0); // without memory: it is the last
    ck_assert_int_eq(dropped, 1);
}
END_TEST

static intptr_t nothing(void *arg) {
    (void)arg;
    return 0;
}

// A loop that could not be observed would keep a share in its caller's values.
START_TEST(a_loop_that_does_not_open_gives_the_values_back) {
    const jg_run_options debug = {.debug = true};
    long before = mem_live();
    int refused = 0;
    intptr_t rc = -ENOMEM;
    dropped = 0;
    ck_assert_int_eq(jg_local_set(&color, (void *)1), 0);
    for (uint64_t nth = 1; rc == -ENOMEM; nth++) {
        mem_fail_nth(nth, 0);
        rc = jg_run_with(nothing, NULL, &debug);
        mem_fail_nth(0, 0);
        refused += rc == -ENOMEM;
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_gt(refused, 3);
    ck_assert_int_eq(dropped, 0);
    ck_assert_int_eq(jg_local_unset(&color), 0);
    ck_assert_int_eq(dropped, 1);
    jg_error_clear();
    ck_assert_int_eq(mem_live(), before);
}
END_TEST

// Failures.

static intptr_t fail_without_memory(void *arg) {
    (void)arg;
    mem_fail_nth(1, 0);
    intptr_t code = jg_fail(-EIO, "no room for this");
    mem_fail_nth(0, 0);
    return code;
}

// Without memory for its text a failure would be none.
START_TEST(a_failure_without_memory_keeps_its_code) {
    ck_assert_int_eq(jg_fail(-ENOENT, "of before"), -ENOENT);
    ck_assert_int_eq(fail_without_memory(NULL), -EIO);
    ck_assert_ptr_null(jg_error_last()); // not the one of before
    ck_assert_str_eq(jg_error_detail(-EIO), "EIO: Input/output error");
}
END_TEST

// A failure that comes from another process without memory for it would crash the one it comes to.
START_TEST(a_failure_from_afar_fits_or_is_left) {
    static const char long_place[] = "/a/path/that/is/longer/than/what/there/is/room/for/by/far/"
                                     "and/ends/in/the/file.c:12";
    struct error_text text;
    jg_fail_at(long_place, -EIO, "the disk is wet");
    struct error_record *record = error_take(task_current());
    error_write(record, &text);
    error_free(record);
    ck_assert_uint_eq(strlen(text.where), sizeof(text.where) - 1);
    ck_assert_ptr_nonnull(strstr(text.where, "/the/file.c:12")); // its end is what tells
    mem_fail_nth(1, 0);
    ck_assert_ptr_null(error_read(&text, "fn\0here.c:1"));
    mem_fail_nth(0, 0);
    record = error_read(&text, "fn\0here.c:1");
    ck_assert_str_eq(error_public(record)->text, "the disk is wet");
    error_free(record);
}
END_TEST

// What a long text ends with would be lost, though there is memory for it; or taken from where nothing is.
START_TEST(a_long_text_fits_or_is_cut) {
    struct error_text text;
    char line[400];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    jg_fail(-EIO, "%s!", line);
    ck_assert_uint_eq(strlen(jg_error_last()->text), sizeof(line));
    ck_assert_ptr_nonnull(strchr(jg_error_detail(-EIO), '!'));
    struct error_record *record = error_take(task_current());
    error_write(record, &text); // for another process
    error_free(record);
    ck_assert_uint_eq(strlen(text.text), sizeof(text.text) - 1);
    mem_fail_nth(2, 0);
    jg_fail(-EIO, "%s!", line);
    mem_fail_nth(0, 0);
    ck_assert_uint_eq(strlen(jg_error_last()->text), sizeof(text.text) - 1);
    jg_error_clear();
}
END_TEST

static intptr_t fail_plainly(void *arg) {
    (void)arg;
    return -EIO;
}

static intptr_t group_body(void *arg) {
    jg_group group;
    (void)arg;
    jg_group_open(&group);
    jg_group_spawn(&group, fail_plainly, NULL);
    mem_fail_nth(1, 1);
    jg_yield(); // it fails now, and there is no memory to note it down
    mem_fail_nth(0, 0);
    ck_assert_uint_eq(jg_group_error_count(&group), 1);
    ck_assert_ptr_null(jg_group_error(&group, 0));
    return jg_group_close(&group, 0) == -EIO ? 0 : 1;
}

static intptr_t record_body(void *arg) {
    jg_group group;
    (void)arg;
    jg_group_open(&group);
    jg_group_spawn(&group, fail_plainly, NULL);
    mem_fail_nth(1, 0);
    jg_yield();
    mem_fail_nth(0, 0);
    ck_assert_int_eq(jg_group_close(&group, jg_fail(-EPIPE, "the body's")), -EIO);
    ck_assert_uint_eq(jg_group_error_count(&group), 2);
    ck_assert_int_eq(jg_error_last()->code, -EPIPE); // what there was memory for
    ck_assert_ptr_null(jg_error_last()->next);
    ck_assert_str_eq(jg_error_detail(-EIO), "EIO: Input/output error");
    return 0;
}

static intptr_t fail_shared(void *future) {
    return jg_future_wait(future);
}

/* Two tasks fail for the same reason, a long one: each place in the list needs a copy of the record. */
static intptr_t copies_body(void *arg) {
    struct error_text text;
    long before = mem_live();
    for (uint64_t nth = 1; nth <= 6; nth++) { // copy, text, copy, text, summary, nothing
        jg_future future = {0};
        int rc = 0;
        (void)arg;
        JG_GROUP(group, rc) {
            jg_group_spawn(group, fail_shared, &future);
            jg_group_spawn(group, fail_shared, &future);
            jg_yield();
            jg_future_fail(&future, jg_fail(-EIO, "%0300d", 7));
            mem_fail_nth(nth, 0);
        }
        mem_fail_nth(0, 0);
        ck_assert_int_eq(rc, -EIO);
        const jg_error *first = jg_error_last();
        ck_assert_int_eq(first->code, -EIO);
        ck_assert_int_eq(first->next == NULL, nth == 1 || nth == 3);
        ck_assert_uint_eq(strlen(first->text), nth == 2 ? sizeof(text.text) - 1 : 300);
        ck_assert_int_eq(strstr(jg_error_detail(-EIO), "(and 1 more: EIO: 000") != NULL,
                         nth % 2 == 0 || nth == 6);
        jg_future_fini(&future);
    }
    jg_error_clear();
    ck_assert_int_eq(mem_live(), before);
    return 0;
}

static intptr_t fail_twice(void *arg) {
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, fail_plainly, arg);
        jg_yield();
        rc = -EPIPE;
    }
    return rc;
}

/* Two failures come to a group at once, and the task that had them keeps its own list: both need a copy. */
static intptr_t list_body(void *memory) {
    jg_group group;
    jg_task *task = jg_spawn(fail_twice, NULL);
    jg_group_open(&group);
    jg_group_spawn(&group, fail_shared, jg_task_future(task));
    while (!jg_future_done(jg_task_future(task))) {
        jg_yield();
    }
    mem_fail_nth(memory != NULL ? 0 : 1, 1);
    jg_yield(); // the group hears of it now
    mem_fail_nth(0, 0);
    ck_assert_uint_eq(jg_group_error_count(&group), 2);
    ck_assert_int_eq(jg_group_error(&group, 1) != NULL, memory != NULL);
    ck_assert_int_eq(jg_group_close(&group, 0), -EIO);
    ck_assert_int_eq(jg_error_last() != NULL, memory != NULL);
    ck_assert_int_eq(jg_join(task), -EIO);
    ck_assert_int_eq(jg_error_last()->next->code, -EPIPE);
    return 0;
}

// A group would end well because there was no memory for the failure.
START_TEST(a_group_without_memory_still_fails) {
    ck_assert_int_eq(jg_run(group_body, NULL), 0);
    ck_assert_int_eq(jg_run(record_body, NULL), 0);
    ck_assert_int_eq(jg_run(copies_body, NULL), 0);
    ck_assert_int_eq(jg_run(list_body, NULL), 0);
    ck_assert_int_eq(jg_run(list_body, "enough"), 0);
}
END_TEST

// Waits.

static intptr_t waits_body(void *arg) {
    enum { MANY = 100 };
    jg_future futures[MANY] = {0};
    jg_future *all[MANY];
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        all[i] = &futures[i];
    }
    mem_fail_nth(1, 1);
    ck_assert_int_eq(jg_gather(all, MANY, NULL, JG_FAIL_FIRST), -ENOMEM);
    ck_assert_int_eq(jg_wait(all, MANY, JG_ALL_COMPLETED, -1), -ENOMEM);
    intptr_t rc = 0;
    JG_AS_COMPLETED(it, all, MANY, -1, rc) {
        ck_abort_msg("nothing is there");
    }
    ck_assert_int_eq(rc, -ENOMEM);
    mem_fail_nth(0, 0);
    return 0;
}

// A wait for many would crash, or wait for some of them only.
START_TEST(waiting_for_many_without_memory_is_an_error) {
    ck_assert_int_eq(jg_run(waits_body, NULL), 0);
}
END_TEST

static intptr_t timers_body(void *arg) {
    intptr_t rc = 0;
    (void)arg;
    mem_fail_nth(1, 1); // no timer of this loop has been armed yet
    ck_assert_int_eq(jg_sleep(60000), -ENOMEM);
    JG_TIMEOUT(60000, rc) {
        rc = jg_yield(); // stopped at once
    }
    ck_assert_int_eq(rc, -ENOMEM);
    jg_scope scope;
    jg_scope_open(&scope, JG_NEVER, false);
    ck_assert_int_eq(jg_scope_reschedule(&scope, jg_now() + JG_S), -ENOMEM);
    ck_assert_int_eq(jg_yield(), -ECANCELED);
    ck_assert(jg_scope_expired(&scope));
    ck_assert_int_eq(jg_scope_close(&scope, -ECANCELED), -ENOMEM);
    mem_fail_nth(0, 0);
    return jg_sleep(1);
}

// A sleep would be endless, or a limit none, where there is no memory for a timer.
START_TEST(a_limit_without_memory_strikes_at_once) {
    ck_assert_int_eq(jg_run(timers_body, NULL), 0);
}
END_TEST

static intptr_t yield_once(void *arg) {
    (void)arg;
    return jg_yield();
}

static intptr_t limits_body(void *arg) {
    (void)arg;
    jg_task *task = jg_spawn(yield_once, NULL);
    jg_future *future = jg_task_future(task);
    intptr_t rc = 0;
    mem_fail_nth(1, 1); // no timer of this loop has been armed yet
    ck_assert_int_eq(jg_wait(&future, 1, JG_ALL_COMPLETED, 60000), -ENOMEM);
    JG_AS_COMPLETED(it, &future, 1, 60000, rc) {
        ck_abort_msg("nothing is there");
    }
    ck_assert_int_eq(rc, -ENOMEM);
    ck_assert_int_eq(jg_cancelling(task), 0); // these two cancel nothing
    ck_assert_int_eq(jg_wait_for(future, 60000), -ENOMEM);
    ck_assert(jg_cancelled(task)); // and this one leaves nothing running
    mem_fail_nth(0, 0);
    jg_detach(task);
    return 0;
}

// A wait would seem to have timed out though no time has passed, or leave a task on its caller's stack.
START_TEST(a_wait_without_memory_for_its_limit_says_so) {
    ck_assert_int_eq(jg_run(limits_body, NULL), 0);
}
END_TEST

FIXTURE_MAIN("task/memory", a_value_without_memory_stays_with_the_caller,
             a_loop_that_does_not_open_gives_the_values_back, a_failure_from_afar_fits_or_is_left,
             a_long_text_fits_or_is_cut, a_failure_without_memory_keeps_its_code,
             a_group_without_memory_still_fails, waiting_for_many_without_memory_is_an_error,
             a_limit_without_memory_strikes_at_once, a_wait_without_memory_for_its_limit_says_so)
