// SPDX-License-Identifier: MIT
/* test_fault.c – a stack overflow, whatever its shape, and what is used after its loop die by name; any
 *                other fault is left alone.
 */
#include "fixtures/refuse.h"
#include "world.h"

#include "rt/fault.h"

#include <juggle/run.h>
#include <juggle/task.h>

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
#define NEED_OWN_HANDLER() fixture_skip("the sanitizer reports faults itself")
#else
#define NEED_OWN_HANDLER() (void)0
#endif

// Shapes of overflow.

static volatile char sink;

static __attribute__((noinline)) int recurse(int depth) {
    volatile char frame[512];
    frame[0] = (char)depth;
    int below = depth < INT32_MAX ? recurse(depth + 1) : 0;
    sink = frame[0]; // used after the call: no tail call
    return below + 1;
}

static void overflow_by_recursion(void) {
    recurse(0);
}

/* One frame far larger than the stack that is left: what it touches first may lie beyond a small
 * guard. */
#define BIG_FRAME(kib)                                                                             \
    static __attribute__((noinline)) void overflow_by_##kib##_kib(void) {                          \
        char frame[(kib)*1024];                                                                    \
        __asm__ volatile("" : : "r"(frame) : "memory"); /* it is really needed, all of it */       \
        ((volatile char *)frame)[0] = 1;                                                           \
        sink = frame[0];                                                                           \
    }

BIG_FRAME(20)
BIG_FRAME(40)
BIG_FRAME(70)
BIG_FRAME(100)

static void (*const shapes[])(void) = {overflow_by_recursion, overflow_by_20_kib,
                                       overflow_by_40_kib, overflow_by_70_kib, overflow_by_100_kib};

enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]), SMALL = 16 * 1024 };

static intptr_t run_shape(void *arg) {
    (*(void (*const *)(void))arg)();
    return 0;
}

static intptr_t spawn_shape(void *arg) {
    const jg_spawn_options options = {.name = "the glutton", .stack_size = SMALL};
    return jg_join(jg_spawn_with(run_shape, arg, &options));
}

static void run_named(void *arg) {
    jg_run(spawn_shape, arg);
}

// An overflow would look like any crash, or be none at all: silent corruption. X5, R9.
START_TEST(r09_an_overflow_names_the_task_and_its_stack) {
    NEED_OWN_HANDLER();
    for (int i = 0; i < SHAPES; i++) {
        fixture_expect_signal(run_named, (void *)(uintptr_t)&shapes[i], SIGSEGV,
                              "stack overflow in task the glutton: its stack has 16 KiB");
    }
}
END_TEST

static void run_first(void *arg) {
    const jg_run_options options = {.stack_size = SMALL};
    jg_run_with(run_shape, arg, &options);
}

// The first task, which nobody spawned, would have no name.
START_TEST(the_first_task_has_a_name_too) {
    NEED_OWN_HANDLER();
    fixture_expect_signal(run_first, (void *)(uintptr_t)&shapes[1], SIGSEGV,
                          "stack overflow in task run_shape");
}
END_TEST

static void run_on_thread_body(void *arg) {
    pthread_t thread;
    void *(*fn)(void *) = *(void *(**)(void *))arg;
    pthread_create(&thread, NULL, fn, NULL);
    pthread_join(thread, NULL);
}

static void *run_named_on_thread(void *arg) {
    (void)arg;
    run_named((void *)(uintptr_t)&shapes[0]);
    return NULL;
}

// A loop on another thread would have no stack to report from.
START_TEST(an_overflow_on_another_thread_is_named) {
    NEED_OWN_HANDLER();
    void *(*fn)(void *) = run_named_on_thread;
    fixture_expect_signal(run_on_thread_body, &fn, SIGSEGV, "stack overflow in task the glutton");
}
END_TEST

// Neighbours.

enum { NEIGHBOURS = 9 };

static struct stack neighbours[NEIGHBOURS];
static int victim;

static void check_neighbours(int number) {
    (void)number;
    for (int i = 0; i < NEIGHBOURS; i++) {
        const struct stack stack = neighbours[i];
        for (size_t at = 0; i != victim && at < stack.size; at++) {
            if (stack.base[at] != (char)(i + 1)) {
                _exit(1);
            }
        }
    }
    raise(SIGKILL); // the sign that all is well
}

struct entry {
    struct coro coro;
    void (*shape)(void);
};

static void enter(void *record) {
    struct entry *entry = record;
    sanitize_arrive(&entry->coro.sanitize);
    entry->shape();
    _exit(2);
}

static void overflow_among_neighbours(void *arg) {
    struct loop loop;
    static char alternate[64 * 1024];
    const stack_t own_stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    const struct sigaction action = {.sa_handler = check_neighbours, .sa_flags = SA_ONSTACK};
    sigaltstack(&own_stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    world_open(&loop, "epoll", 0);
    for (int i = 0; i < NEIGHBOURS; i++) {
        if (stack_take(&loop.stacks, STACK_MIN, &neighbours[i]) < 0) {
            _exit(3);
        }
        memset(neighbours[i].base, i + 1, neighbours[i].size);
    }
    victim = NEIGHBOURS / 2;
    stack_give(&loop.stacks, neighbours[victim]);
    struct stack stack;
    if (stack_take(&loop.stacks, STACK_MIN, &stack) < 0 || stack.base != neighbours[victim].base) {
        _exit(4);
    }
    struct coro *coro = coro_make(&loop, stack, sizeof(struct entry), enter);
    ((struct entry *)(void *)coro)->shape = *(void (*const *)(void))arg;
    sched_ready(&loop.sched, coro);
    const bool never = false;
    loop_run(&loop, &never);
}

// An overflow would write into the next task's stack before it is noticed. R9.
START_TEST(r09_an_overflow_leaves_the_neighbours_alone) {
    NEED_OWN_HANDLER();
    for (int i = 0; i < SHAPES; i++) {
        fixture_expect_signal(overflow_among_neighbours, (void *)(uintptr_t)&shapes[i], SIGKILL,
                              "");
    }
}
END_TEST

// Other faults.

static intptr_t touch_nothing(void *arg) {
    volatile char *nowhere = arg;
    return *nowhere;
}

static void run_other_fault(void *arg) {
    jg_run(touch_nothing, arg);
    raise(SIGKILL);
}

static intptr_t kill_self(void *arg) {
    (void)arg;
    kill(getpid(), SIGSEGV);
    return 0;
}

static void run_kill(void *arg) {
    (void)arg;
    jg_run(kill_self, NULL);
    raise(SIGKILL);
}

// A fault that is no overflow would be called one, or swallowed.
START_TEST(other_faults_are_as_deadly_as_ever) {
    NEED_OWN_HANDLER();
    fixture_expect_signal(run_other_fault, NULL, SIGSEGV, "");
    fixture_expect_signal(run_kill, NULL, SIGSEGV, "");
}
END_TEST

static void users_handler(int number) {
    (void)number;
    static const char text[] = "the user's own handler\n";
    ssize_t put = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)put;
    raise(SIGKILL);
}

static void run_with_users_handler(void *arg) {
    static char alternate[64 * 1024];
    const stack_t own_stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    const struct sigaction action = {.sa_handler = users_handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&own_stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    run_named(arg);
}

static void run_unwatched(void *arg) {
    const jg_run_options options = {.stack_size = SMALL, .no_fault_report = true};
    struct sigaction present;
    sigaction(SIGSEGV, NULL, &present);
    jg_run_with(run_shape, arg, &options);
}

static intptr_t return_one(void *arg) {
    (void)arg;
    return 1;
}

// A handler of the program's own would be taken away, or ours stay behind.
START_TEST(the_programs_own_handler_is_left_alone) {
    NEED_OWN_HANDLER();
    struct sigaction present;
    stack_t alternate;
    fixture_expect_signal(run_with_users_handler, (void *)(uintptr_t)&shapes[0], SIGKILL,
                          "the user's own handler");
    fixture_expect_signal(run_unwatched, (void *)(uintptr_t)&shapes[0], SIGSEGV, "");
    ck_assert_int_eq(jg_run(return_one, NULL), 1);
    ck_assert_int_eq(sigaction(SIGSEGV, NULL, &present), 0);
    ck_assert(present.sa_handler == SIG_DFL);
    ck_assert_int_eq(sigaltstack(NULL, &alternate), 0);
    ck_assert((alternate.ss_flags & SS_DISABLE) != 0);
}
END_TEST

static void note_fault(int number, siginfo_t *info, void *context) {
    (void)info;
    (void)context;
    users_handler(number);
}

static intptr_t change_handler(void *arg) {
    const struct sigaction *theirs = arg;
    static char alternate[64 * 1024];
    const stack_t own_stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    ck_assert_int_eq(sigaction(SIGSEGV, theirs, NULL), 0);
    ck_assert_int_eq(sigaltstack(&own_stack, NULL), 0);
    return 0;
}

// A handler that a program installs while its loop runs, or before it, would be gone afterwards.
START_TEST(handlers_that_change_meanwhile_stay) {
    NEED_OWN_HANDLER();
    const struct sigaction plain = {.sa_handler = users_handler};
    const struct sigaction detailed = {.sa_sigaction = note_fault, .sa_flags = SA_SIGINFO};
    const struct sigaction *const both[] = {&plain, &detailed};
    struct sigaction present;
    stack_t alternate;
    for (int i = 0; i < 2; i++) {
        ck_assert(signal(SIGSEGV, SIG_DFL) != SIG_ERR);
        ck_assert_int_eq(jg_run(change_handler, (void *)(uintptr_t)both[i]), 0);
        sigaction(SIGSEGV, NULL, &present);
        ck_assert_ptr_eq(present.sa_handler, both[i]->sa_handler);
        ck_assert_int_eq(jg_run(return_one, NULL), 1); // with the handler there from the start
        sigaction(SIGSEGV, NULL, &present);
        ck_assert_ptr_eq(present.sa_handler, both[i]->sa_handler);
        sigaltstack(NULL, &alternate);
        ck_assert_int_eq(alternate.ss_flags & SS_DISABLE, 0); // the program's, still there
        const stack_t none = {.ss_flags = SS_DISABLE};
        sigaltstack(&none, NULL);
    }
}
END_TEST

static intptr_t look_for_handler(void *arg) {
    struct sigaction present;
    (void)arg;
    sigaction(SIGSEGV, NULL, &present);
    return present.sa_handler == SIG_DFL;
}

// A program that asked not to be watched would be.
START_TEST(faults_are_not_watched_unasked) {
    NEED_OWN_HANDLER();
    const jg_run_options unwatched = {.no_fault_report = true};
    ck_assert_int_eq(jg_run_with(look_for_handler, NULL, &unwatched), 1);
    ck_assert_int_eq(jg_run(look_for_handler, NULL), 0);
}
END_TEST

// Without a stack for the handler a loop would not run at all.
START_TEST(without_an_alternate_stack_a_loop_runs) {
    NEED_OWN_HANDLER();
    const struct refused give = {
        .call = SYS_sigaltstack, .error = ENOMEM, .value = 0, .minds = true, .unless = true};
    refuse_with(&give);
    ck_assert_int_eq(jg_run(return_one, NULL), 1);
}
END_TEST

static intptr_t spawn_with_a_long_name(void *arg) {
    static char name[1000];
    memset(name, 'n', sizeof(name) - 1);
    const jg_spawn_options options = {.name = name, .stack_size = SMALL};
    return jg_join(jg_spawn_with(run_shape, arg, &options));
}

static void run_long_named(void *arg) {
    jg_run(spawn_with_a_long_name, arg);
}

// The report of a task with a long name would itself overrun its line.
START_TEST(an_overflow_of_a_long_name_is_cut) {
    NEED_OWN_HANDLER();
    fixture_expect_signal(run_long_named, (void *)(uintptr_t)&shapes[0], SIGSEGV,
                          "stack overflow in task nnnnnnnnnnnnnnn");
}
END_TEST

static void *fault_on_thread(void *arg) {
    (void)arg;
    volatile char *nowhere = NULL;
    *nowhere = 1;
    return NULL;
}

static intptr_t fault_elsewhere(void *arg) {
    pthread_t thread;
    pthread_create(&thread, NULL, fault_on_thread, arg);
    pthread_join(thread, NULL);
    return 0;
}

static void run_fault_elsewhere(void *arg) {
    jg_run(fault_elsewhere, arg);
}

// A fault on a thread that has no loop would be looked up in one.
START_TEST(a_fault_on_a_plain_thread_is_as_deadly_as_ever) {
    NEED_OWN_HANDLER();
    fixture_expect_signal(run_fault_elsewhere, NULL, SIGSEGV, "");
}
END_TEST

// What is used after its loop.

static volatile char *left_behind;

static intptr_t leave_pointer(void *arg) {
    left_behind = __builtin_frame_address(0);
    return (intptr_t)arg;
}

static intptr_t follow_pointer(void *arg) {
    (void)arg;
    return *left_behind;
}

static void follow_pointer_in_next_loop(void *arg) {
    long page = sysconf(_SC_PAGESIZE);
    ck_assert_int_eq(jg_run(leave_pointer, arg), 0);
    char *there = (char *)((uintptr_t)left_behind & ~((uintptr_t)page - 1));
    // Nothing of the next loop's may lie there.
    char *kept_free = mmap(there, (size_t)page, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    ck_assert_ptr_eq(kept_free, there);
    jg_run(follow_pointer, NULL);
}

// A handle or pointer kept beyond its loop would be a crash that says nothing.
START_TEST(what_is_used_after_its_loop_is_named) {
    NEED_OWN_HANDLER();
    fixture_expect_signal(follow_pointer_in_next_loop, NULL, SIGSEGV,
                          "juggle: task follow_pointer uses memory of a loop that is closed");
}
END_TEST

FIXTURE_MAIN("rt/fault", handlers_that_change_meanwhile_stay, faults_are_not_watched_unasked,
             without_an_alternate_stack_a_loop_runs, an_overflow_of_a_long_name_is_cut,
             a_fault_on_a_plain_thread_is_as_deadly_as_ever,
             r09_an_overflow_names_the_task_and_its_stack, the_first_task_has_a_name_too,
             an_overflow_on_another_thread_is_named, r09_an_overflow_leaves_the_neighbours_alone,
             other_faults_are_as_deadly_as_ever, what_is_used_after_its_loop_is_named,
             the_programs_own_handler_is_left_alone)
