// SPDX-License-Identifier: MIT
/* test_limits.c – where stacks, memory, mappings and descriptors end.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed.
 * Called by  ctest, on epoll and sim.
 * Why        SEMANTICS X5, X7; RELIABILITY R8.
 */
#define FIXTURE_LIMIT 20
#include "api/api.h"
#include "fixtures/guards.h"
#include "fixtures/limits.h"
#include "fixtures/refuse.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static intptr_t nothing(void *arg) {
    (void)arg;
    return 0;
}

static intptr_t sleep_long(void *arg) {
    (void)arg;
    return jg_sleep(60000);
}

// X5: stack overflow.

static volatile char sink;

static __attribute__((noinline)) int dig(int depth) {
    volatile char frame[512];
    frame[0] = (char)depth;
    int below = depth < INT32_MAX ? dig(depth + 1) : 0;
    sink = frame[0]; // used after the call: no tail call
    return below + 1;
}

static intptr_t dig_deep(void *arg) {
    (void)arg;
    return dig(0);
}

static intptr_t overflow_body(void *arg) {
    const jg_spawn_options options = {.name = "mole", .stack_size = (size_t)(intptr_t)arg};
    return jg_join(jg_spawn_with(dig_deep, NULL, &options));
}

static void overflow(void *arg) {
    jg_run(overflow_body, arg);
}

static void overflow_first(void *arg) {
    jg_run(dig_deep, arg);
}

// A stack overflow would corrupt memory silently, or die without saying whose stack was too small.
START_TEST(x05_stack_overflow_is_named) {
    if (sanitized) {
        fixture_skip("the sanitizer reports faults itself");
    }
    fixture_expect_signal(overflow, NULL, SIGSEGV,
                          "stack overflow in task mole: its stack has 64 KiB");
    fixture_expect_signal(overflow, (void *)(intptr_t)100000, SIGSEGV,
                          "stack overflow in task mole: its stack has 128 KiB");
    fixture_expect_signal(overflow_first, NULL, SIGSEGV, "stack overflow in task dig_deep");
}
END_TEST

// X7: limits.

static void count_drop(void *word) {
    ++*(int *)word;
}

static int spawn_until_refused(jg_group *group) {
    for (int spawned = 0; spawned < 10000000; spawned++) {
        int rc = jg_group_spawn(group, sleep_long, NULL);
        if (rc < 0) {
            ck_assert_int_eq(rc, -ENOMEM);
            return spawned;
        }
    }
    return -1;
}

/* Spawns up to the limit, and ends them all. Returns how many there were. */
static int reach_limit(const char *reason) {
    int rc = 0;
    int dropped = 0;
    int spawned = 0;
    JG_GROUP(group, rc) {
        spawned = spawn_until_refused(group);
        ck_assert_int_gt(spawned, 100);
        const jg_spawn_options options = {.drop_arg = count_drop};
        jg_fail(-ENOMEM, "of before");
        ck_assert_ptr_null(jg_spawn_with(nothing, &dropped, &options));
        ck_assert_int_eq(jg_join(NULL), -ENOMEM);
        ck_assert_ptr_nonnull(strstr(jg_error_detail(-ENOMEM), reason));
        ck_assert_int_eq(dropped, 1);
        ck_assert_int_eq(jg_sleep(1), 0); // what runs goes on
        jg_group_cancel(group);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(jg_join(jg_spawn(nothing, NULL)), 0); // and there is room again
    return spawned;
}

static intptr_t limit_body(void *arg) {
    (void)arg;
    limit_address_space((size_t)64 << 20);
    int first = reach_limit("Cannot allocate memory");
    for (int i = 0; i < 3; i++) {
        ck_assert_int_ge(reach_limit("Cannot allocate memory"), first); // no refusal kept anything
    }
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    return 0;
}

// At the memory limit a spawn would crash or abort, leak, or take the running tasks down.
START_TEST(x07_spawn_at_the_memory_limit) {
    if (sanitized) {
        fixture_skip("a sanitizer's shadow needs all of the address space");
    }
    run_once(limit_body, NULL);
}
END_TEST

static intptr_t mappings_body(void *arg) {
    (void)arg;
    int first = reach_limit("more than vm.max_map_count allows");
    ck_assert_int_ge(reach_limit("more than vm.max_map_count allows"), first);
    return 0;
}

static void needs_few_mappings(void) {
    long most = 0;
    FILE *limit = fopen("/proc/sys/vm/max_map_count", "re");
    bool known = limit != NULL && fscanf(limit, "%ld", &most) == 1;
    if (limit != NULL) {
        fclose(limit);
    }
    if (known && most > 300000) {
        fixture_skip("so many mappings are allowed that memory ends first");
    }
}

// At the limit of mappings, which the program shares with its stacks, the same.
START_TEST(x07_spawn_at_the_mapping_limit) {
    const struct refused no_light_guards = {
        .call = SYS_madvise, .error = EINVAL, .argument = 2, .value = 102, .minds = true};
    if (sanitized) {
        fixture_skip("a sanitizer's memory has mappings without end");
    }
    if (on_backend("sim")) {
        fixture_skip("choosing one of so many at each step takes minutes");
    }
    needs_few_mappings();
    refuse_with(&no_light_guards); // as before Linux 6.13: two mappings for each stack
    run_once(mappings_body, NULL);
}
END_TEST

static intptr_t must_not_run(void *arg) {
    (void)arg;
    ck_abort_msg("a task ran although its loop could not be made");
    return 0;
}

// A loop that cannot be made would crash, or leak a descriptor.
START_TEST(x07_run_without_descriptors) {
    for (int more = 0; more < 2; more++) {
        rlim_t before = leave_descriptors(more);
        if (more == 0 || on_backend("epoll")) {
            ck_assert_int_eq(jg_run(must_not_run, NULL), -EMFILE);
        }
        set_descriptors(before);
    }
    ck_assert_int_eq(jg_run(nothing, NULL), 0);
}
END_TEST

// R8: very many tasks.

enum { PARKED = 100000 / (API_SLOWED * API_SLOWED), MAPPINGS_MOST = 1000 };

static intptr_t park_many(void *arg) {
    jg_loop_stats stats;
    int failed = 0;
    (void)arg;
    JG_GROUP(group) {
        for (int i = 0; i < PARKED; i++) {
            failed += jg_group_spawn(group, sleep_long, NULL) < 0;
        }
        jg_sleep(1);
        ck_assert_int_eq(jg_loop_stats_get(&stats), 0);
        jg_group_cancel(group);
    }
    ck_assert_int_eq(failed, 0);
    ck_assert_uint_gt(stats.live, PARKED);
    ck_assert_uint_lt(stats.stack_mappings, MAPPINGS_MOST);
    return 0;
}

// A hundred thousand waiting tasks would run into the kernel's limit of mappings.
START_TEST(r08_hundred_thousand_tasks_are_parked) {
    if (on_backend("sim")) {
        fixture_skip("choosing one of so many at each step takes minutes");
    }
    needs_light_guards();
    run_once(park_many, NULL);
}
END_TEST

enum { CROWD = 20000 };

static intptr_t nap(void *arg) {
    (void)arg;
    return jg_sleep(1);
}

static long resident_pages(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages;
}

static intptr_t crowd_body(void *arg) {
    intptr_t rc = 0;
    long before = resident_pages();
    (void)arg;
    JG_GROUP(group, rc) {
        for (int i = 0; i < CROWD; i++) {
            ck_assert_int_eq(jg_group_spawn(group, nap, NULL), 0);
        }
    }
    ck_assert_int_ge(resident_pages() - before, CROWD);
    for (int sleeps = 0; resident_pages() - before > CROWD / 2; sleeps++) {
        ck_assert_int_lt(sleeps, 40); // not a few stacks each time it falls asleep
        jg_sleep(50);
    }
    return rc;
}

static intptr_t idle(void *arg) {
    (void)arg;
    jg_loop *loop;
    ck_assert_int_eq(jg_loop_open(NULL, &loop), 0);
    for (int i = 0; i < CROWD; i++) {
        jg_detach(jg_spawn(nap, NULL));
    }
    while (jg_loop_step(loop) > 0) {}
    int turns = 0;
    while (jg_loop_timeout(loop) >= 0) { // it asks for more turns, though nobody is there
        ck_assert_int_lt(++turns, CROWD / 100);
        jg_loop_step(loop);
    }
    ck_assert_int_gt(turns, 0);
    return jg_loop_close(loop);
}

// A loop inside another would never have the turns in which it gives back what it does not need.
START_TEST(r08_an_embedded_loop_forgets_a_crowd) {
    if (on_backend("sim")) {
        fixture_skip("there stacks are kept");
    }
    fixture_skip_emulated("qemu-user has no light guards, and too few mappings for others");
    ck_assert_int_eq(idle(NULL), 0);
}
END_TEST

// A server would keep for ever what its busiest minute took, and each fork would copy the tables of it.
START_TEST(r08_a_crowd_is_forgotten) {
    if (on_backend("sim") || sanitized) {
        fixture_skip("there a sleep takes no time, or the shadow of a stack stays");
    }
    fixture_skip_emulated("qemu-user has no light guards, and too few mappings for others");
    run_body(crowd_body);
}
END_TEST

FIXTURE_MAIN("api/limits", r08_hundred_thousand_tasks_are_parked, r08_a_crowd_is_forgotten,
             r08_an_embedded_loop_forgets_a_crowd, x05_stack_overflow_is_named,
             x07_spawn_at_the_memory_limit, x07_spawn_at_the_mapping_limit,
             x07_run_without_descriptors)
