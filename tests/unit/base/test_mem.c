// SPDX-License-Identifier: MIT
/* test_mem.c – the one door to the heap: counting, and refusing on demand.
 */
#include "fixtures/fixture.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

// A leak would not show, or be reported where there is none.
START_TEST(live_counts_blocks) {
    long before = mem_live();
    void *a = mem_alloc(10);
    char *b = mem_alloc_zero(100);
    void *c = mem_resize(NULL, 5);
    ck_assert(a != NULL && b != NULL && c != NULL);
    ck_assert_int_eq(mem_live(), before + 3);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(b[i], 0);
    }
    strcpy(b, "kept");
    b = mem_resize(b, 100000);
    ck_assert_str_eq(b, "kept");
    ck_assert_int_eq(mem_live(), before + 3);
    mem_free(NULL);
    ck_assert_int_eq(mem_live(), before + 3);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    ck_assert_int_eq(mem_live(), before);
}
END_TEST

static bool refused(void) {
    void *block = mem_alloc(1);
    mem_free(block);
    return block == NULL;
}

// A sweep over all allocations would skip some or never end.
START_TEST(the_nth_request_is_refused) {
    for (uint64_t n = 1; n <= 5; n++) {
        mem_fail_nth(n, 0);
        for (uint64_t i = 1; i <= 10; i++) {
            ck_assert_int_eq(refused(), i == n);
        }
    }
    mem_fail_nth(3, 1);
    for (int i = 1; i <= 10; i++) {
        ck_assert_int_eq(refused(), i >= 3);
    }
    mem_fail_nth(0, 0);
    ck_assert(!refused());
}
END_TEST

// Some kinds of request would not be refused, or a refused resize lose its block.
START_TEST(every_kind_of_request_is_refused) {
    long before = mem_live();
    char *block = mem_alloc(16);
    strcpy(block, "still here");
    mem_fail_nth(1, 1);
    ck_assert_ptr_null(mem_alloc(1));
    ck_assert_ptr_null(mem_alloc_zero(1));
    ck_assert_ptr_null(mem_resize(NULL, 1));
    ck_assert_ptr_null(mem_resize(block, 100000));
    ck_assert_int_ne(mem_refuse(), 0);
    mem_fail_nth(0, 0);
    ck_assert_int_eq(mem_refuse(), 0);
    ck_assert_str_eq(block, "still here");
    ck_assert_int_eq(mem_live(), before + 1);
    mem_free(block);
    ck_assert_int_eq(mem_live(), before);
}
END_TEST

// What the system refuses would count as live.
START_TEST(what_the_system_refuses_is_null) {
#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
    fixture_skip("a sanitizer's malloc ends the program instead");
#endif
    long before = mem_live();
    volatile size_t too_much = SIZE_MAX / 2;
    void *block = mem_alloc(16);
    ck_assert_ptr_null(mem_alloc(too_much));
    ck_assert_ptr_null(mem_alloc_zero(too_much));
    ck_assert_ptr_null(mem_resize(block, too_much));
    ck_assert_int_eq(mem_live(), before + 1);
    mem_free(block);
}
END_TEST

static void *take_and_give(void *arg) {
    (void)arg;
    for (int i = 0; i < 10000; i++) {
        mem_free(mem_alloc(16));
    }
    return NULL;
}

// Threads would lose counts of each other.
START_TEST(threads_count_together) {
    long before = mem_live();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_int_eq(mem_live(), before);
}
END_TEST

FIXTURE_MAIN("base/mem", live_counts_blocks, the_nth_request_is_refused,
             every_kind_of_request_is_refused, what_the_system_refuses_is_null,
             threads_count_together)
