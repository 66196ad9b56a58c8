// SPDX-License-Identifier: MIT
/* test_cost.c – CPU, switches and memory of real children, against what they are known to use.
 *
 * Holds      children that burn, sleep, start threads or touch memory, and then hold still.
 * Invariant  none.
 * Called by  the test runner.
 * Why        these figures are the headline of every report.
 * Quirks     bounds are one-sided or wide where the machine's load could move them.
 */
#include "fixtures/fixture.h"

#include "cli/cost.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

/* Forks a leader of a group of its own that runs `body`, says so on the pipe, and sleeps. */
struct group {
    pid_t leader;
    int said; /* read end */
};

static int say_fd;

static void say_and_sleep(void) {
    ck_assert_int_eq(write(say_fd, "x", 1), 1);
    for (;;) {
        pause();
    }
}

static struct group start(void (*body)(void)) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        setpgid(0, 0);
        close(ends[0]);
        say_fd = ends[1];
        body();
        say_and_sleep();
    }
    setpgid(pid, pid);
    close(ends[1]);
    return (struct group){.leader = pid, .said = ends[0]};
}

/* Waits until `count` processes of the group have said that they hold still. */
static void await(const struct group *group, int count) {
    char byte = 0;
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(read(group->said, &byte, 1), 1);
    }
}

static void stop(const struct group *group) {
    int status = 0;
    struct cost_usage usage;
    kill(-group->leader, SIGKILL);
    ck_assert_int_eq(cost_wait(group->leader, 0, &status, &usage), 0);
    close(group->said);
}

static struct cost_memory memory_of(void (*body)(void), int count) {
    struct cost_memory memory = {.processes = 0};
    struct group group = start(body);
    await(&group, count);
    ck_assert_int_eq(cost_memory_of_group(group.leader, &memory), 0);
    stop(&group);
    return memory;
}

static void *touch(size_t size, int sharing) {
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(block, MAP_FAILED);
    memset(block, 1, size);
    return block;
}

static void body_idle(void) {}

static void body_private(void) {
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            touch(8 * MIB, MAP_PRIVATE);
            say_and_sleep();
        }
    }
}

static void body_shared(void) {
    touch(8 * MIB, MAP_SHARED);
    char *block = touch(8 * MIB, MAP_SHARED);
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            for (size_t at = 0; at < 8 * MIB; at += 4096) {
                block[at]++;
            }
            say_and_sleep();
        }
    }
}

static void *sleeper(void *arg) {
    (void)arg;
    say_and_sleep();
    return NULL;
}

static void body_threads(void) {
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, sleeper, NULL), 0);
    }
}

static void body_sparse(void) {
    char *block = mmap(NULL, (size_t)1 << 30, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(block, MAP_FAILED);
    madvise(block, (size_t)1 << 30, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < (size_t)1 << 30; at += 2 * MIB) {
        block[at] = 1;
    }
}

// A worker that is missed makes a model look cheaper than it is.
START_TEST(memory_counts_every_process) {
    struct cost_memory idle = memory_of(body_idle, 1);
    ck_assert_uint_eq(idle.processes, 1);
    ck_assert_uint_eq(idle.threads, 1);
    struct cost_memory memory = memory_of(body_private, 4);
    ck_assert_uint_eq(memory.processes, 4);
    ck_assert_uint_ge(memory.pss_bytes, 24 * MIB);
    ck_assert_uint_le(memory.pss_bytes, 28 * MIB + 4 * idle.pss_bytes);
    ck_assert_uint_gt(memory.page_table_bytes, 4 * (uint64_t)16384);
    ck_assert_uint_eq(memory.kernel_stack_bytes, 4 * (uint64_t)16384);
    ck_assert_uint_eq(cost_memory_total(&memory),
                      memory.pss_bytes + memory.page_table_bytes + memory.kernel_stack_bytes);
}
END_TEST

// Shared pages counted once per process would make processes look dearer than they are.
START_TEST(memory_counts_shared_pages_once) {
    struct cost_memory idle = memory_of(body_idle, 1);
    struct cost_memory memory = memory_of(body_shared, 4);
    ck_assert_uint_eq(memory.processes, 4);
    ck_assert_uint_ge(memory.pss_bytes, 16 * MIB);
    ck_assert_uint_le(memory.pss_bytes, 18 * MIB + 4 * idle.pss_bytes);
}
END_TEST

// Threads hide their cost in the kernel: one stack each.
START_TEST(memory_counts_kernel_stacks_of_threads) {
    struct cost_memory memory = memory_of(body_threads, 11);
    ck_assert_uint_eq(memory.processes, 1);
    ck_assert_uint_eq(memory.threads, 11);
    ck_assert_uint_eq(memory.kernel_stack_bytes, 11 * (uint64_t)16384);
}
END_TEST

// Touching one page in each 2 MiB costs a page of page table each, which no RSS shows.
START_TEST(memory_counts_page_tables) {
    struct cost_memory memory = memory_of(body_sparse, 1);
    ck_assert_uint_ge(memory.page_table_bytes, 512 * (uint64_t)4096);
    ck_assert_uint_ge(memory.pss_bytes, 512 * (uint64_t)4096);
}
END_TEST

// A group that is gone has no memory; zero would read as "free".
START_TEST(memory_of_nobody_is_an_error) {
    struct cost_memory memory = {.threads = 77};
    struct group group = start(body_idle);
    await(&group, 1);
    kill(group.leader, SIGKILL);
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)group.leader, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(cost_memory_of_group(group.leader, &memory), -ESRCH);
    ck_assert_uint_eq(memory.threads, 77);
    stop(&group);
}
END_TEST

static void burn_cpu(uint64_t ns) {
    struct timespec now;
    do {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    } while ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec < ns);
}

static void *burner(void *arg) {
    (void)arg;
    burn_cpu(60000000);
    return NULL;
}

/* Gives up the CPU once, so that the kernel counts a voluntary switch. */
static void wait_a_moment(void) {
    poll(NULL, 0, 1);
}

static uint64_t cpu_ns(const struct cost_usage *usage) {
    return usage->cpu_user_ns + usage->cpu_sys_ns;
}

static void burn_in_thread(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, burner, NULL);
    pthread_join(thread, NULL);
}

static void burn_in_grandchild(void) {
    pid_t pid = fork();
    if (pid == 0) {
        burn_cpu(60000000);
        for (int i = 0; i < 20; i++) {
            wait_a_moment();
        }
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static struct cost_usage usage_of(void (*body)(void)) {
    struct cost_usage usage;
    int status = 1;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        body();
        _exit(0);
    }
    ck_assert_int_eq(cost_wait(pid, 0, &status, &usage), 0);
    ck_assert_int_eq(status, 0);
    return usage;
}

// CPU time of joined threads and reaped grandchildren belongs to the model that used it.
START_TEST(usage_includes_threads_and_grandchildren) {
    struct cost_usage thread = usage_of(burn_in_thread);
    ck_assert_uint_ge(cpu_ns(&thread), 60000000);
    struct cost_usage grandchild = usage_of(burn_in_grandchild);
    ck_assert_uint_ge(cpu_ns(&grandchild), 60000000);
    ck_assert_uint_ge(grandchild.switches_voluntary, 20);
}
END_TEST

static struct cost_sum *until_go;

static void *burn_around_go(void *arg) {
    burn_cpu(30000000);
    cost_add_thread(until_go);
    burn_cpu(90000000);
    return arg;
}

static void burn_before_and_after_go(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, burn_around_go, NULL);
    }
    pid_t pid = fork();
    if (pid == 0) {
        burn_around_go(NULL);
        _exit(0);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    waitpid(pid, NULL, 0);
}

// The cost of creating workers is told apart from the cost of the run, and nothing is counted twice.
START_TEST(usage_splits_at_go) {
    until_go = touch(sizeof(*until_go), MAP_SHARED);
    memset(until_go, 0, sizeof(*until_go));
    struct cost_usage total = usage_of(burn_before_and_after_go);
    struct cost_usage before = cost_read(until_go);
    struct cost_usage after = cost_after(&total, &before);
    ck_assert_uint_ge(cpu_ns(&before), 90000000);
    ck_assert_uint_le(cpu_ns(&before), 130000000);
    ck_assert_uint_ge(cpu_ns(&after), 180000000);
    ck_assert_uint_eq(cpu_ns(&before) + cpu_ns(&after), cpu_ns(&total));
    munmap(until_go, sizeof(*until_go));
}
END_TEST

// The kernel's split into user and system time is an estimate; the sum must stay exact.
START_TEST(difference_keeps_the_exact_sum) {
    const struct cost_usage total = {100, 50, 7, 3};
    const struct cost_usage part = {20, 60, 2, 4};
    struct cost_usage after = cost_after(&total, &part);
    ck_assert_uint_eq(after.cpu_user_ns, 70);
    ck_assert_uint_eq(after.cpu_sys_ns, 0);
    ck_assert_uint_eq(after.switches_voluntary, 5);
    ck_assert_uint_eq(after.switches_involuntary, 0);
}
END_TEST

// Waiting must say "still running" and "no such child" apart.
START_TEST(wait_tells_running_from_missing) {
    int status = 0;
    struct cost_usage usage;
    struct group group = start(body_idle);
    await(&group, 1);
    ck_assert_int_eq(cost_wait(group.leader, WNOHANG, &status, &usage), -EAGAIN);
    stop(&group);
    ck_assert_int_eq(cost_wait(group.leader, 0, &status, &usage), -ECHILD);
}
END_TEST

FIXTURE_MAIN("cli/cost", memory_counts_every_process, memory_counts_shared_pages_once,
             memory_counts_kernel_stacks_of_threads, memory_counts_page_tables,
             memory_of_nobody_is_an_error, usage_includes_threads_and_grandchildren,
             usage_splits_at_go, difference_keeps_the_exact_sum, wait_tells_running_from_missing)
