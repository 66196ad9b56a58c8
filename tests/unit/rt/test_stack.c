// SPDX-License-Identifier: MIT
/* test_stack.c – guarded stacks: that every one is guarded, both ways of guarding, limits, reuse.
 */
#define FIXTURE_LIMIT 30
#include "fixtures/guards.h"
#include "fixtures/refuse.h"

#include "base/mem.h"
#include "rt/sanitize.h"
#include "rt/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* libcheck writes a note to a file at every assertion, also those that hold: too slow for millions. */
#define expect(condition) ((condition) ? (void)0 : ck_abort_msg("%s does not hold", #condition))

enum { PAGE = 4096 };

static sigjmp_buf after_fault;

static void on_fault(int number) {
    (void)number;
    siglongjmp(after_fault, 1);
}

/* Whether reading or writing there faults. */
static bool faults(char *at) {
    volatile char *byte = at;
    if (sigsetjmp(after_fault, 1) != 0) {
        return true;
    }
    *byte = (char)(*byte + 1);
    return false;
}

static void catch_faults(void) {
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
}

static void check_guard(struct stack stack) {
    expect(faults(stack.base - 1));
    expect(faults(stack.base - PAGE));
    expect(faults(stack.base - STACK_GUARD / 2));
    expect(faults(stack.base - STACK_GUARD));
    expect(!faults(stack.base));
    expect(!faults(stack.base + stack.size - 1));
    expect(stack_guards(stack, stack.base - 1));
    expect(stack_guards(stack, stack.base - STACK_GUARD));
    expect(!stack_guards(stack, stack.base));
    expect(!stack_guards(stack, stack.base - STACK_GUARD - 1));
}

static void check_guards_of(enum stack_guard_kind kind) {
    enum { EACH = 100, CLASSES = 4 };
    struct stack_pool pool;
    struct stack stack;
    stack_force_guard(kind);
    stack_pool_init(&pool);
    catch_faults();
    for (int i = 0; i < EACH * CLASSES; i++) { // classes in turn: their regions grow side by side
        ck_assert_int_eq(stack_take(&pool, STACK_MIN << (i % CLASSES), &stack), 0);
        check_guard(stack);
    }
    stack_pool_fini(&pool);
}

static size_t count_mappings(void) {
    size_t lines = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    ck_assert_ptr_nonnull(maps);
    for (int c = getc(maps); c != EOF; c = getc(maps)) {
        lines += c == '\n';
    }
    fclose(maps);
    return lines;
}

// An overflowing stack would silently write into its neighbour.
START_TEST(every_stack_has_a_light_guard) {
    needs_light_guards();
    check_guards_of(STACK_GUARD_LIGHT);
}
END_TEST

// On an older kernel stacks would have no guard.
START_TEST(every_stack_has_an_mprotect_guard) {
    check_guards_of(STACK_GUARD_MPROTECT);
}
END_TEST

enum { INSTALL = 102 }; // MADV_GUARD_INSTALL

static void refuse_install(int error) {
    const struct refused what = {
        .call = SYS_madvise, .error = error, .argument = 2, .value = INSTALL, .minds = true};
    refuse_with(&what);
}

// Before Linux 6.14 many guards cannot be had with one call: there would be none.
START_TEST(one_guard_at_a_time_where_the_kernel_is_older) {
    needs_light_guards();
    refuse(SYS_process_madvise, EBADF);
    check_guards_of(STACK_GUARD_LIGHT);
}
END_TEST

/* Makes the pool find out anew, and checks that it guards by mprotect. */
static void check_falls_back(void) {
    enum { COUNT = 10 };
    struct stack_pool pool;
    struct stack stack;
    stack_pool_init(&pool);
    stack_force_guard(STACK_GUARD_UNKNOWN);
    size_t before = count_mappings();
    for (int i = 0; i < COUNT; i++) {
        expect(stack_take(&pool, STACK_MIN, &stack) == 0);
    }
    expect(count_mappings() >= before + COUNT);
    stack_pool_fini(&pool);
    check_guards_of(STACK_GUARD_UNKNOWN);
}

// A kernel without light guards, as most are, would leave stacks unguarded.
START_TEST(a_kernel_without_light_guards_gets_mprotect) {
    refuse_install(EINVAL);
    check_falls_back();
}
END_TEST

// An emulator that says yes to any advice would be believed.
START_TEST(a_guard_is_not_believed_but_tried) {
    refuse_install(0); // success, and nothing done
    check_falls_back();
}
END_TEST

// Where it cannot be tried, a guard would be believed in.
START_TEST(a_guard_that_cannot_be_tried_is_not_believed) {
    refuse(SYS_getrandom, ENOSYS);
    check_falls_back();
}
END_TEST

/* Sanitizers make mappings without access themselves. */
static void refuse_no_access(int error) {
    const struct refused no_access = {
        .call = SYS_mprotect, .error = error, .argument = 2, .value = PROT_NONE, .minds = true};
#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
    fixture_skip("the sanitizer needs the call itself");
#endif
    refuse_with(&no_access);
}

static void check_refused_guard(enum stack_guard_kind kind, int code) {
    struct stack_pool pool;
    struct stack stack = {NULL, 0};
    stack_force_guard(kind);
    stack_pool_init(&pool);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(stack_take(&pool, STACK_MIN, &stack), code);
        ck_assert_ptr_null(stack.base);
    }
    ck_assert_uint_eq(pool.mapped_count, 0);
    stack_pool_fini(&pool);
}

// A guard that the kernel has no memory for would be left out.
START_TEST(no_memory_for_a_light_guard_is_an_error) {
    refuse(SYS_process_madvise, ENOMEM);
    refuse_install(ENOMEM);
    check_refused_guard(STACK_GUARD_LIGHT, -ENOMEM);
}
END_TEST

// The limit of mappings may be reached by others: a stack would come unguarded.
START_TEST(a_mapping_limit_reached_by_others_is_an_error) {
    refuse_no_access(ENOMEM);
    check_refused_guard(STACK_GUARD_MPROTECT, -EAGAIN);
}
END_TEST

// A policy that forbids the call would be taken for the limit of mappings.
START_TEST(a_guard_that_is_forbidden_is_its_own_error) {
    refuse_no_access(EACCES);
    check_refused_guard(STACK_GUARD_MPROTECT, -EACCES);
}
END_TEST

// In a chroot without /proc no stack could be guarded by mprotect.
START_TEST(without_proc_the_usual_mapping_limit_counts) {
    const struct refused read_only = {.call = SYS_openat,
                                      .error = ENOENT,
                                      .argument = 2,
                                      .value = O_RDONLY | O_CLOEXEC,
                                      .minds = true};
    refuse_with(&read_only);
    check_guards_of(STACK_GUARD_MPROTECT);
}
END_TEST

static void needs_many_mappings(void) {
    if (sanitize_on_valgrind()) {
        fixture_skip("valgrind's own tables are too small for this");
    }
}

// A hundred thousand tasks would run into vm.max_map_count. R8.
START_TEST(r08_hundred_thousand_stacks_need_few_mappings) {
    enum { COUNT = 150000 }; // and past the largest region
    struct stack_pool pool;
    struct stack stack = {NULL, 0};
    needs_light_guards();
    needs_many_mappings();
    stack_force_guard(STACK_GUARD_UNKNOWN);
    stack_pool_init(&pool);
    catch_faults();
    for (int i = 0; i < COUNT; i++) {
        expect(stack_take(&pool, STACK_MIN, &stack) == 0);
    }
    ck_assert_uint_eq(pool.mapped_count, COUNT);
    ck_assert_uint_lt(count_mappings(), 1000);
    check_guard(stack);
    stack_pool_fini(&pool);
}
END_TEST

static size_t take_all(struct stack_pool *pool, struct stack *last) {
    size_t count = 0;
    int rc;
    while ((rc = stack_take(pool, STACK_MIN, last)) == 0) {
        count++;
    }
    ck_assert_int_eq(rc, -EAGAIN);
    return count;
}

static void check_others_go_on(void) {
    for (int i = 0; i < 500; i++) { // mappings for everybody else are left
        char *page = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        expect(page != MAP_FAILED);
        expect(mprotect(page + PAGE, PAGE, PROT_NONE) == 0);
    }
}

// At the mapping limit a stack would come unguarded, or the program would have no mapping left. R8.
START_TEST(r08_at_the_mapping_limit_taking_fails_and_all_goes_on) {
    struct stack_pool pool;
    struct stack last;
    struct stack again;
    needs_many_mappings();
    stack_force_guard(STACK_GUARD_MPROTECT);
    stack_pool_init(&pool);
    catch_faults();
    size_t count = take_all(&pool, &last);
    ck_assert_uint_gt(count, 1000);
    check_guard(last);
    ck_assert_int_eq(stack_take(&pool, STACK_MIN, &again), -EAGAIN);
    check_others_go_on();
    stack_give(&pool, last);
    ck_assert_int_eq(stack_take(&pool, STACK_MIN, &again), 0);
    ck_assert_ptr_eq(again.base, last.base);
    stack_pool_fini(&pool);
    ck_assert_uint_eq(take_all(&pool, &last), count); // the budget came back
    stack_pool_fini(&pool);
}
END_TEST

// Warm memory would grow cold in the list, and classes be mixed up.
START_TEST(the_last_given_back_is_the_next_taken) {
    struct stack_pool pool;
    struct stack small[3];
    struct stack large;
    struct stack got;
    stack_pool_init(&pool);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(stack_take(&pool, STACK_MIN, &small[i]), 0);
        ck_assert_uint_eq(small[i].size, STACK_MIN);
        ck_assert_uint_eq((uintptr_t)small[i].base % PAGE, 0);
    }
    ck_assert_int_eq(stack_take(&pool, 4 * STACK_MIN, &large), 0);
    stack_give(&pool, small[0]);
    stack_give(&pool, large);
    stack_give(&pool, small[2]);
    stack_give(&pool, small[1]);
    const struct stack order[] = {small[1], small[2], small[0]};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(stack_take(&pool, STACK_MIN, &got), 0);
        ck_assert_ptr_eq(got.base, order[i].base);
    }
    ck_assert_int_eq(stack_take(&pool, 4 * STACK_MIN, &got), 0);
    ck_assert_ptr_eq(got.base, large.base);
    ck_assert_uint_eq(pool.mapped_count, 4);
    stack_pool_fini(&pool);
}
END_TEST

// A refused allocation would crash a spawn, or leak a region.
START_TEST(refused_memory_is_an_error_and_leaks_nothing) {
    struct stack_pool pool;
    struct stack stack;
    long blocks = mem_live();
    stack_pool_init(&pool);
    for (uint64_t n = 1; n <= 2; n++) { // the stack itself, then its region's record
        mem_fail_nth(n, 0);
        ck_assert_int_eq(stack_take(&pool, STACK_MIN, &stack), -ENOMEM);
    }
    mem_fail_nth(0, 0);
    ck_assert_int_eq(mem_live(), blocks);
    ck_assert_int_eq(stack_take(&pool, STACK_MIN, &stack), 0);
    stack_pool_fini(&pool);
    ck_assert_int_eq(mem_live(), blocks);
}
END_TEST

static size_t address_space_used(void) {
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    ck_assert_ptr_nonnull(statm);
    ck_assert_int_eq(fscanf(statm, "%lu", &pages), 1);
    fclose(statm);
    return pages * PAGE;
}

// Where address space is short a whole region would be refused although a few stacks fit. X7.
START_TEST(short_address_space_gives_what_fits_then_an_error) {
    struct stack_pool pool;
    struct stack stack;
    size_t count = 0;
    int rc;
#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
    fixture_skip("the sanitizer needs the address space itself");
#endif
    stack_pool_init(&pool);
    ck_assert_int_eq(stack_take(&pool, STACK_MIN, &stack), 0); // all that is needed once is there
    size_t most = address_space_used() + 40 * (STACK_MIN + STACK_GUARD);
    const struct rlimit limit = {most, most};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    while ((rc = stack_take(&pool, STACK_MIN, &stack)) == 0) {
        memset(stack.base, 1, stack.size);
        count++;
    }
    // -EAGAIN: without light guards a guard may be refused where the region was not.
    ck_assert_msg(rc == -ENOMEM || rc == -EAGAIN, "in short address space: %d", rc);
    ck_assert_uint_ge(count, 40);
    stack_pool_fini(&pool);
}
END_TEST

static size_t resident_pages(struct stack stack) {
    unsigned char seen[STACK_MIN / PAGE];
    size_t count = 0;
    ck_assert_int_eq(mincore(stack.base, stack.size, seen), 0);
    for (size_t i = 0; i < sizeof(seen); i++) {
        count += seen[i] & 1;
    }
    return count;
}

// Memory of a crowd of tasks that are long gone would never go back to the kernel.
START_TEST(trimming_gives_pages_back_beyond_a_reserve) {
    enum { COUNT = 3000 };
    struct stack_pool pool;
    struct stack *stacks = malloc(COUNT * sizeof(*stacks));
    size_t cold = 0;
    stack_pool_init(&pool);
    for (int i = 0; i < COUNT; i++) {
        expect(stack_take(&pool, STACK_MIN, &stacks[i]) == 0);
        memset(stacks[i].base, 1, stacks[i].size);
    }
    for (int i = 0; i < COUNT; i++) {
        stack_give(&pool, stacks[i]);
    }
    size_t reserve = pool.hot_count;
    ck_assert_uint_lt(reserve, COUNT / 2);
    ck_assert_uint_eq(pool.surplus_count, COUNT - reserve);
    stack_trim(&pool, 100);
    ck_assert_uint_eq(pool.surplus_count, COUNT - reserve - 100);
    stack_trim(&pool, COUNT);
    ck_assert_uint_eq(pool.surplus_count, 0);
    ck_assert_uint_eq(pool.hot_count, reserve);
    for (int i = 0; i < COUNT; i++) {
        cold += resident_pages(stacks[i]) == 0;
    }
    ck_assert_uint_eq(cold, COUNT - reserve);
    for (int i = 0; i < COUNT; i++) { // all of them can be had again, without a new one
        struct stack stack;
        expect(stack_take(&pool, STACK_MIN, &stack) == 0);
        memset(stack.base, 2, stack.size);
    }
    ck_assert_uint_eq(pool.mapped_count, COUNT);
    stack_pool_fini(&pool);
    free(stacks);
}
END_TEST

// A fault in what is alive would be told as one of a loop that is closed, whose memory it has.
START_TEST(a_stack_is_gone_until_its_memory_is_another_ones) {
    struct stack_pool pool;
    struct stack stack;
    for (int round = 0; round < 3; round++) {
        stack_pool_init(&pool);
        ck_assert_int_eq(stack_take(&pool, STACK_MIN, &stack), 0);
        ck_assert(!stack_was_here(stack.base));
        ck_assert(!stack_was_here(stack.base - 1));
        stack_give(&pool, stack);
        stack_pool_fini(&pool);
        ck_assert(stack_was_here(stack.base));
        ck_assert(stack_was_here(stack.base - 1));
    }
    ck_assert(!stack_was_here(NULL));
}
END_TEST

// Without memory to note it down, a trimmed stack would be lost.
START_TEST(trimming_without_memory_keeps_what_there_is) {
    enum { COUNT = 1200 };
    static struct stack stacks[COUNT];
    struct stack_pool pool;
    stack_pool_init(&pool);
    for (int i = 0; i < COUNT; i++) {
        expect(stack_take(&pool, STACK_MIN, &stacks[i]) == 0);
    }
    for (int i = 0; i < COUNT; i++) {
        stack_give(&pool, stacks[i]);
    }
    size_t surplus = pool.surplus_count;
    ck_assert_uint_gt(surplus, 0);
    mem_fail_nth(1, 1);
    stack_trim(&pool, COUNT);
    mem_fail_nth(0, 0);
    ck_assert_uint_eq(pool.surplus_count, surplus);
    for (int i = 0; i < COUNT; i++) {
        expect(stack_take(&pool, STACK_MIN, &stacks[i]) == 0);
    }
    ck_assert_uint_eq(pool.mapped_count, COUNT);
    ck_assert(!stack_guards((struct stack){NULL, 0}, NULL)); // a thread's own has no guard of ours
    stack_pool_fini(&pool);
}
END_TEST

// A wished size would come out too small, or of no class.
START_TEST(sizes_are_rounded_up_to_powers_of_two) {
    const size_t cases[][2] = {{0, STACK_MIN},         {1, STACK_MIN},
                               {STACK_MIN, STACK_MIN}, {STACK_MIN + 1, 2 * STACK_MIN},
                               {100000, 131072},       {STACK_MAX - 1, STACK_MAX},
                               {STACK_MAX, STACK_MAX}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_uint_eq(stack_round(cases[i][0]), cases[i][1]);
    }
    ck_assert_uint_eq(stack_round(STACK_MAX + 1), 0);
    ck_assert_uint_eq(stack_round(SIZE_MAX), 0);
}
END_TEST

// The largest stack would not fit its region.
START_TEST(the_largest_stack_can_be_had) {
    struct stack_pool pool;
    struct stack stack;
    stack_pool_init(&pool);
    catch_faults();
    int rc = stack_take(&pool, STACK_MAX, &stack);
    if (rc == -ENOMEM) {
        fixture_skip("a gibibyte cannot be reserved here");
    }
    ck_assert_int_eq(rc, 0);
    check_guard(stack);
    stack_pool_fini(&pool);
}
END_TEST

FIXTURE_MAIN(
    "rt/stack", every_stack_has_a_light_guard, every_stack_has_an_mprotect_guard,
    one_guard_at_a_time_where_the_kernel_is_older, a_kernel_without_light_guards_gets_mprotect,
    a_guard_is_not_believed_but_tried, a_guard_that_cannot_be_tried_is_not_believed,
    no_memory_for_a_light_guard_is_an_error, a_mapping_limit_reached_by_others_is_an_error,
    a_guard_that_is_forbidden_is_its_own_error, without_proc_the_usual_mapping_limit_counts,
    trimming_without_memory_keeps_what_there_is, r08_hundred_thousand_stacks_need_few_mappings,
    r08_at_the_mapping_limit_taking_fails_and_all_goes_on, the_last_given_back_is_the_next_taken,
    refused_memory_is_an_error_and_leaks_nothing, short_address_space_gives_what_fits_then_an_error,
    trimming_gives_pages_back_beyond_a_reserve, sizes_are_rounded_up_to_powers_of_two,
    the_largest_stack_can_be_had, a_stack_is_gone_until_its_memory_is_another_ones)
