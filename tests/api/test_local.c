// SPDX-License-Identifier: MIT
/* test_local.c – SEMANTICS S50 (i): values that come down to a task's children.
 *
 * Holds      the variables, and how often each value was dropped.
 * Invariant  each case holds on epoll and on any seed; a value is dropped exactly once.
 * Called by  ctest.
 * Why        a value that leaks to a sibling gives one request the user of another.
 */
#include "api/api.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

static int dropped;

static void count_drop(void *value) {
    dropped += *(int *)value;
}

static char nobody[] = "nobody";
static const jg_local user = {.name = "user", .initial = nobody};
static const jg_local count = {.name = "count", .drop = count_drop};

static const char *user_name(void) {
    return jg_local_get(&user);
}

struct child {
    const char *set; // NULL: nothing
    const char *at_start;
    const char *at_end;
};

static intptr_t look_and_set(void *arg) {
    struct child *child = arg;
    child->at_start = user_name();
    if (child->set != NULL) {
        ck_assert_int_eq(jg_local_set(&user, (void *)child->set), 0);
    }
    jg_sleep(2);
    child->at_end = user_name();
    return 0;
}

static intptr_t children_body(void *arg) {
    (void)arg;
    static char ann[] = "ann";
    static char bob[] = "bob";
    struct child before = {.set = NULL};
    struct child plain = {.set = NULL};
    struct child setting = {"carl", NULL, NULL};
    JG_GROUP(group) {
        jg_group_spawn(group, look_and_set, &before);
        ck_assert_int_eq(jg_local_set(&user, ann), 0);
        jg_group_spawn(group, look_and_set, &plain);
        jg_group_spawn(group, look_and_set, &setting);
        jg_sleep(1);
        ck_assert_int_eq(jg_local_set(&user, bob), 0);
    }
    ck_assert_ptr_eq(before.at_start, nobody); // a copy, as it was at the spawn
    ck_assert_ptr_eq(before.at_end, nobody);
    ck_assert_str_eq(plain.at_start, "ann");
    ck_assert_str_eq(plain.at_end, "ann");
    ck_assert_str_eq(setting.at_start, "ann");
    ck_assert_str_eq(setting.at_end, "carl");
    ck_assert_str_eq(user_name(), "bob"); // nothing has leaked back
    ck_assert_int_eq(jg_local_unset(&user), 0);
    ck_assert_ptr_eq(user_name(), nobody);
    return 0;
}

// S50 (i). What one task sets would be seen by another that did not descend from it.
START_TEST(s50i_children_get_a_copy) {
    run_body(children_body);
}
END_TEST

static intptr_t sleep_a_little(void *arg) {
    (void)arg;
    return jg_sleep(3);
}

static intptr_t drops_body(void *arg) {
    (void)arg;
    static int units[3] = {1, 10, 100};
    dropped = 0;
    ck_assert_int_eq(jg_local_set(&count, &units[0]), 0);
    ck_assert_int_eq(jg_local_set(&user, nobody), 0);
    ck_assert_int_eq(jg_local_set(&count, &units[1]), 0);
    ck_assert_int_eq(dropped, 1); // nobody else saw it
    jg_task *child = jg_spawn(sleep_a_little, NULL);
    ck_assert_int_eq(jg_local_set(&count, &units[2]), 0);
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(jg_local_unset(&count), 0);
    ck_assert_int_eq(dropped, 101);
    ck_assert_ptr_null(jg_local_get(&count));
    jg_join(child);
    ck_assert_int_eq(dropped, 111); // the last who saw it has ended
    ck_assert_int_eq(jg_local_unset(&count), 0);
    jg_local_set(&count, &units[0]); // with the task's end
    return 0;
}

// A value would leak, or be freed under a task that still sees it.
START_TEST(values_are_dropped_with_the_last_who_sees_them) {
    run_body(drops_body);
    ck_assert_int_eq(dropped, 112);
}
END_TEST

struct generations {
    int left;
    int made;
    int wrong;
};

static intptr_t succeed_oneself(void *arg) {
    struct generations *generations = arg;
    static int unit = 1;
    generations->made += jg_local_set(&count, &unit) == 0;
    if (--generations->left > 0) {
        jg_detach(jg_spawn(succeed_oneself, arg));
        jg_yield(); // so that the next one shares our list
    }
    generations->wrong += generations->made - dropped > (int)jg_all_tasks(NULL, 0);
    return 0;
}

static intptr_t successors_body(void *arg) {
    (void)arg;
    struct generations generations = {.left = 1000};
    dropped = 0;
    jg_detach(jg_spawn(succeed_oneself, &generations));
    while (jg_all_tasks(NULL, 0) > 1) {
        jg_yield();
    }
    ck_assert_int_eq(generations.wrong, 0); // no more values than tasks that could see one
    ck_assert_int_eq(dropped, 1000);
    return 0;
}

// Where each task spawns its successor, what all of them ever set would pile up.
START_TEST(generations_do_not_pile_up) {
    run_body(successors_body);
}
END_TEST

static intptr_t inherit(void *arg) {
    (void)arg;
    ck_assert_str_eq(user_name(), "thread");
    static char inside[] = "inside";
    return jg_local_set(&user, inside);
}

static void *set_on_thread(void *arg) {
    static int unit = 1;
    ck_assert_int_eq(jg_local_set(&count, &unit), 0);
    return arg;
}

static intptr_t thread_body(void *arg) {
    (void)arg;
    static char name[] = "thread";
    ck_assert_ptr_eq(user_name(), nobody);
    ck_assert_int_eq(jg_local_set(&user, name), 0);
    ck_assert_str_eq(user_name(), "thread");
    return 0;
}

// Without a loop a thread has values of its own, which its loop starts with, and which end with it.
START_TEST(threads_have_values_too) {
    thread_body(NULL);
    ck_assert_int_eq(jg_run(inherit, NULL), 0);
    ck_assert_str_eq(user_name(), "thread");
    ck_assert_int_eq(jg_local_unset(&user), 0);
    ck_assert_ptr_eq(user_name(), nobody);
    pthread_t thread;
    dropped = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, set_on_thread, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(dropped, 1);
}
END_TEST

static intptr_t look_on_thread(void *arg) {
    ck_assert_str_eq(user_name(), arg);
    static int unit = 1000;
    return jg_local_set(&count, &unit);
}

static intptr_t look_plainly(void *arg) {
    (void)arg;
    ck_assert_ptr_eq(user_name(), nobody);
    ck_assert_ptr_null(jg_local_get(&count)); // nothing is left of a job before
    return 0;
}

static intptr_t leave_thread(void *arg) {
    (void)arg;
    pthread_exit(NULL);
}

static intptr_t wait_for_gate(void *arg) {
    while (__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE) == 0) {
        sched_yield();
    }
    return 0;
}

static intptr_t jobs_body(void *arg) {
    static char dora[] = "dora";
    static int unit = 1;
    int gate = 0;
    const jg_executor_options options = {.threads = 1, .queue = 1};
    jg_executor *pool;
    jg_job held = {.state = 0};
    jg_job queued = {.state = 0};
    jg_job refused = {.state = 0};
    (void)arg;
    ck_assert_int_eq(jg_executor_open(&options, &pool), 0);
    ck_assert_int_eq(jg_local_set(&user, dora), 0);
    ck_assert_int_eq(jg_executor_run(pool, look_on_thread, dora), 0);
    ck_assert_int_eq(dropped, 1000); // with the job, before its end is told
    ck_assert_ptr_null(jg_local_get(&count));
    ck_assert_int_eq(jg_executor_run(pool, leave_thread, NULL), -EOWNERDEAD);
    ck_assert_int_eq(jg_local_unset(&user), 0);
    ck_assert_int_eq(jg_executor_run(pool, look_plainly, NULL), 0);
    ck_assert_int_eq(jg_local_set(&count, &unit), 0);
    ck_assert_int_eq(jg_executor_submit(pool, &held, wait_for_gate, &gate), 0);
    ck_assert_int_eq(jg_executor_submit(pool, &queued, wait_for_gate, &gate), 0);
    while (jg_executor_submit(pool, &refused, wait_for_gate, &gate) == 0) {
        ck_assert(jg_job_cancel(&refused)); // the thread had not begun the first
    }
    ck_assert(jg_job_cancel(&queued));
    __atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
    ck_assert_int_eq(jg_job_wait(&held), 0);
    ck_assert_int_eq(dropped, 1000);
    ck_assert_int_eq(jg_local_unset(&count), 0);
    ck_assert_int_eq(dropped, 1001); // neither the cancelled job nor the refused one has a share
    return jg_executor_close(pool);
}

// A library that is called on a thread would not know for whom, or a job would see another one's values.
START_TEST(jobs_see_what_their_submitter_sees) {
    dropped = 0;
    ck_assert_int_eq(jg_run(jobs_body, NULL), 0);
    dropped = 0;
    ck_assert_int_eq(jobs_body(NULL), 0);
}
END_TEST

static intptr_t look_in_item(void *item) {
    *(bool *)item = strcmp(user_name(), "emil") == 0;
    return 0;
}

static intptr_t modes_body(void *arg) {
    static char emil[] = "emil";
    (void)arg;
    ck_assert_int_eq(jg_local_set(&user, emil), 0);
    for (int mode = JG_MAP_INLINE; mode <= JG_MAP_COROUTINES; mode++) {
        bool items[3] = {false};
        ck_assert_int_eq(
            jg_map((jg_map_mode)mode, look_in_item, items, sizeof(items[0]), 3, NULL, NULL), 0);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(items[i], mode != JG_MAP_PROCESSES);
        }
    }
    return jg_local_unset(&user);
}

// The same function over the same items would do something else in another mode.
START_TEST(items_see_what_their_caller_sees) {
    ck_assert_int_eq(jg_run(modes_body, NULL), 0);
    ck_assert_int_eq(modes_body(NULL), 0);
}
END_TEST

FIXTURE_MAIN("api/local", s50i_children_get_a_copy, values_are_dropped_with_the_last_who_sees_them,
             generations_do_not_pile_up, threads_have_values_too,
             jobs_see_what_their_submitter_sees, items_see_what_their_caller_sees)
