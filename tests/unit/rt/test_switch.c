// SPDX-License-Identifier: MIT
/* test_switch.c – the context switch: registers, floating-point modes, back traces, endurance.
 */
#define FIXTURE_LIMIT 20
#include "world.h"

#include <execinfo.h>
#include <fenv.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
enum { SWITCHES = 100000 };
#else
enum { SWITCHES = 1000000 };
#endif

// Registers.

static __attribute__((noinline)) void yield_here(void) {
    sched_yield_now(sched_current());
}

/* Keeps more values alive over each switch than there are registers that a call preserves. */
static void hold_values(void *arg) {
    uint64_t seed = *(const uint64_t *)arg;
    volatile uint64_t source = seed;
    uint64_t a = source * 3, b = source * 5, c = source * 7, d = source * 11, e = source * 13;
    uint64_t f = source * 17, g = source * 19, h = source * 23, i = source * 29, j = source * 31;
    double x = (double)source * 0.5, y = (double)source * 0.25;
    for (int round = 0; round < 1000; round++) {
        yield_here();
        expect(a == seed * 3 && b == seed * 5 && c == seed * 7 && d == seed * 11);
        expect(e == seed * 13 && f == seed * 17 && g == seed * 19 && h == seed * 23);
        expect(i == seed * 29 && j == seed * 31);
        expect(x == (double)seed * 0.5 && y == (double)seed * 0.25);
    }
}

#if defined(__x86_64__)
/* Puts seed + 0…5 into the registers that a call preserves, calls `fn`, and returns the bits in which
 * they differ afterwards: the registers themselves, whatever the compiler would do with them. */
uint64_t test_switch_hold(uint64_t seed, void (*fn)(void));

__asm__(".text\n"
        ".type test_switch_hold, @function\n"
        "test_switch_hold:\n"
        "  endbr64\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n"
        "  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  pushq %rdi\n"
        "  movq %rdi, %rbx\n"
        "  leaq 1(%rdi), %rbp\n  leaq 2(%rdi), %r12\n  leaq 3(%rdi), %r13\n"
        "  leaq 4(%rdi), %r14\n  leaq 5(%rdi), %r15\n"
        "  callq *%rsi\n"
        "  popq %rdi\n"
        "  movq %rdi, %rax\n  xorq %rbx, %rax\n"
        "  leaq 1(%rdi), %rcx\n  xorq %rbp, %rcx\n  orq %rcx, %rax\n"
        "  leaq 2(%rdi), %rcx\n  xorq %r12, %rcx\n  orq %rcx, %rax\n"
        "  leaq 3(%rdi), %rcx\n  xorq %r13, %rcx\n  orq %rcx, %rax\n"
        "  leaq 4(%rdi), %rcx\n  xorq %r14, %rcx\n  orq %rcx, %rax\n"
        "  leaq 5(%rdi), %rcx\n  xorq %r15, %rcx\n  orq %rcx, %rax\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n"
        "  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size test_switch_hold, . - test_switch_hold\n");

static void hold_registers(uint64_t seed) {
    expect(test_switch_hold(seed, yield_here) == 0);
}
#else
static void hold_registers(uint64_t seed) {
    (void)seed; // hold_values has more values alive than there are registers
}
#endif

static void hold_all(void *arg) {
    hold_values(arg);
    for (int round = 0; round < 100; round++) {
        hold_registers(*(const uint64_t *)arg);
    }
}

static void registers_body(void *arg) {
    (void)arg;
    struct job jobs[3];
    uint64_t seeds[3] = {1, UINT64_C(0x123456789), UINT64_C(0xfedcba9876)};
    for (int i = 0; i < 3; i++) {
        job_start(&jobs[i], hold_all, &seeds[i]);
    }
    for (int i = 0; i < 3; i++) {
        job_join(&jobs[i]);
    }
}

// A variable kept in a register would change while its task waits.
START_TEST(registers_belong_to_their_coroutine) {
    world_run("epoll", 0, registers_body, NULL);
}
END_TEST

// Floating-point modes.

/* 1/3 by the x87 (long double) and by SSE (double), as the rounding mode makes them. */
static void divide(double *out_double, long double *out_long) {
    volatile double one = 1;
    volatile double three = 3;
    volatile long double long_one = 1;
    volatile long double long_three = 3;
    *out_double = one / three;
    *out_long = long_one / long_three;
}

static void round_my_way(void *arg) {
    int mode = *(const int *)arg;
    double first;
    double now;
    long double first_long;
    long double now_long;
    ck_assert_int_eq(fesetround(mode), 0);
    divide(&first, &first_long);
    for (int i = 0; i < 100; i++) {
        yield_here();
        expect(fegetround() == mode);
        divide(&now, &now_long);
        expect(now == first && now_long == first_long);
    }
}

static void rounding_body(void *arg) {
    (void)arg;
    const int modes[4] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    struct job jobs[4];
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
    for (int i = 0; i < 4; i++) {
        job_start(&jobs[i], round_my_way, (void *)(uintptr_t)&modes[i]);
    }
    for (int i = 0; i < 4; i++) {
        job_join(&jobs[i]);
    }
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
}

// One task's rounding mode would change another's sums. R10, X9.
START_TEST(rounding_belongs_to_its_coroutine) {
    world_run("epoll", 0, rounding_body, NULL);
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
}
END_TEST

#if defined(__x86_64__)
static void flush_to_zero(void *arg) {
    bool mine = *(const bool *)arg;
    _MM_SET_FLUSH_ZERO_MODE(mine ? _MM_FLUSH_ZERO_ON : _MM_FLUSH_ZERO_OFF);
    for (int i = 0; i < 100; i++) {
        yield_here();
        volatile double tiny = 2.2250738585072014e-308; // the least normal number
        volatile double half = tiny / 2;
        expect((half == 0) == mine);
    }
}

static void control_body(void *arg) {
    (void)arg;
    bool flush[2] = {true, false};
    struct job jobs[2];
    for (int i = 0; i < 2; i++) {
        job_start(&jobs[i], flush_to_zero, &flush[i]);
    }
    for (int i = 0; i < 2; i++) {
        job_join(&jobs[i]);
    }
}

// Bits of MXCSR other than rounding would leak into other tasks. R10.
START_TEST(mxcsr_belongs_to_its_coroutine) {
    if (sanitize_on_valgrind()) {
        fixture_skip("valgrind does not flush to zero");
    }
    world_run("epoll", 0, control_body, NULL);
}
END_TEST
#else
START_TEST(mxcsr_belongs_to_its_coroutine) {
    fixture_skip("only x86-64 has an MXCSR; rounding is tested above");
}
END_TEST
#endif

// Back traces.

static __attribute__((noinline)) int trace_from_here(void **frames, int most) {
    int count = backtrace(frames, most);
    __asm__ volatile("" ::: "memory"); // not a tail call
    return count;
}

static void trace_body(void *arg) {
    int *depth = arg;
    void *frames[64];
    for (int i = 0; i < 3; i++) {
        *depth = trace_from_here(frames, 64);
        yield_here();
    }
}

// A debugger or profiler would run off the end of a coroutine's stack.
START_TEST(a_back_trace_ends_at_the_coroutine) {
    int depth = 0;
    void *warm_up[4];
    backtrace(warm_up, 4); // loads libgcc, which allocates
    world_run("epoll", 0, trace_body, &depth);
    // trace_from_here, trace_body, job_run, perhaps the entry stub and what the compiler made of them.
    ck_assert_int_ge(depth, 2);
    ck_assert_int_le(depth, 8);
}
END_TEST

// Endurance.

struct counter {
    uint64_t sum;
    uint64_t steps;
};

static void count_steps(void *arg) {
    struct counter *counter = arg;
    for (uint64_t i = 0; i < SWITCHES / 2; i++) {
        counter->sum = (counter->sum ^ i) * UINT64_C(1099511628211);
        counter->steps++;
        yield_here();
    }
}

static void endurance_body(void *arg) {
    (void)arg;
    struct counter counters[2] = {{0, 0}, {0, 0}};
    struct job jobs[2];
    for (int i = 0; i < 2; i++) {
        job_start(&jobs[i], count_steps, &counters[i]);
    }
    for (int i = 0; i < 2; i++) {
        job_join(&jobs[i]);
    }
    uint64_t sum = 0;
    for (uint64_t i = 0; i < SWITCHES / 2; i++) {
        sum = (sum ^ i) * UINT64_C(1099511628211);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(counters[i].steps, SWITCHES / 2);
        ck_assert_uint_eq(counters[i].sum, sum);
    }
}

// A switch that loses a word once in a million would go unnoticed.
START_TEST(a_million_switches_lose_nothing) {
    world_run("epoll", 0, endurance_body, NULL);
}
END_TEST

static uint64_t descend(int depth) {
    volatile char frame[200];
    memset((char *)(uintptr_t)frame, depth, sizeof(frame));
    if (depth == 0) {
        yield_here();
        return 1;
    }
    uint64_t below = descend(depth - 1);
    yield_here();
    for (size_t i = 0; i < sizeof(frame); i++) {
        expect(frame[i] == (char)depth);
    }
    return below + 1;
}

static void descend_once(void *arg) {
    *(uint64_t *)arg = descend(100);
}

static void deep_body(void *arg) {
    (void)arg;
    enum { JOBS = 50 };
    struct job jobs[JOBS];
    uint64_t depths[JOBS];
    for (int i = 0; i < JOBS; i++) {
        job_start(&jobs[i], descend_once, &depths[i]);
    }
    for (int i = 0; i < JOBS; i++) {
        job_join(&jobs[i]);
        ck_assert_uint_eq(depths[i], 101);
    }
}

// Frames of suspended coroutines would be overwritten by others.
START_TEST(deep_stacks_stay_apart) {
    world_run("epoll", 0, deep_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/switch", registers_belong_to_their_coroutine, rounding_belongs_to_its_coroutine,
             mxcsr_belongs_to_its_coroutine, a_back_trace_ends_at_the_coroutine,
             a_million_switches_lose_nothing, deep_stacks_stay_apart)
