// SPDX-License-Identifier: MIT
/* test_debug.c – debug mode: stalls, deadlocks, spins, the tree of tasks, and that it stays out of the way.
 *
 * Holds      nothing beside what its steps hold: what was reported.
 * Invariant  a stall is waited for, never slept through: the stuck code goes on when it was reported.
 * Called by  ctest, on epoll and sim.
 * Why        a debug mode that says nothing, or the wrong name, costs hours.
 */
#include "api/debug_steps.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// Stalls.

static intptr_t compute_until_reported(void *arg) {
    (void)arg;
    while (atomic_load(&heard_count) == 0) {}
    return 0;
}

static intptr_t compute_body(void *arg) {
    (void)arg;
    stall_of = "busy";
    return jg_join(jg_spawn_at(compute_until_reported, NULL, NULL, "busy\0busy.c:7"));
}

// A task that never ends would never be reported if the report came when it is over.
START_TEST(r06_a_stall_is_reported_while_it_lasts) {
    const jg_debug_options options = {.slow_ms = 5};
    ck_assert_int_eq(run_debugged(compute_body, NULL, &options), 0);
    const struct heard *slow = find(JG_DEBUG_SLOW);
    ck_assert_ptr_nonnull(slow);
    ck_assert_str_eq(slow->task, "busy");
    ck_assert_str_eq(slow->spawned, "busy.c:7");
    ck_assert_int_ge(slow->duration_ns, 5 * JG_MS);
    expect_text(slow->text, "juggle: task busy (spawned at busy.c:7) holds up the loop for ");
#ifndef JUGGLE_SANITIZE_THREAD
    expect_text(slow->text, "compute_until_reported+");
#endif
}
END_TEST

static intptr_t debug_in_child(void *arg) {
    const jg_debug_options options = {.slow_ms = 5};
    intptr_t rc = run_debugged(compute_body, arg, &options);
    const struct heard *slow = find(JG_DEBUG_SLOW);
    bool shown = slow != NULL && strstr(slow->text, "compute_until_reported+") != NULL;
    return rc == 0 && !shown ? -EPROTO : rc;
}

static intptr_t fork_body(void *arg) {
    jg_worker *worker;
    ck_assert_int_eq(jg_worker_start(JG_WORKER_PROCESS, debug_in_child, arg, NULL, &worker), 0);
    return jg_worker_join(worker);
}

// A process forked from a program in debug mode would take its parent's handler for its own.
START_TEST(a_forked_child_has_stacks_of_its_own) {
#ifdef JUGGLE_SANITIZE_THREAD
    fixture_skip("ThreadSanitizer lets no forked child start threads");
#endif
    fixture_skip_emulated("qemu-user aborts or hangs after a fork while threads start");
    ck_assert_int_eq(run_debugged(fork_body, NULL, &patient), 0);
}
END_TEST

static atomic_int stopped_in_kernel;

static intptr_t read_until_reported(void *arg) {
    int *pipe_fds = arg;
    char byte;
    stopped_in_kernel = (int)read(pipe_fds[0], &byte, 1);
    return 0;
}

static intptr_t read_body(void *arg) {
    return jg_join(jg_spawn(read_until_reported, arg));
}

static int waking_fd;

static void hear_and_write(const jg_debug_report *report) {
    hear(report);
    if (find(JG_DEBUG_SLOW) != NULL) {
        ssize_t put = write(waking_fd, "x", 1);
        (void)put;
    }
}

// A signal would cut a blocking call short: debug mode would change what it looks at.
START_TEST(a_stall_in_the_kernel_is_not_disturbed) {
    const jg_debug_options options = {.slow_ms = 5};
    const jg_run_options run = {.debug = true};
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    waking_fd = fds[1];
    stall_of = "read_until_reported";
    jg_debug_set(&options);
    jg_debug_on_report(hear_and_write);
    ck_assert_int_eq(jg_run_with(read_body, fds, &run), 0);
    ck_assert_int_eq(stopped_in_kernel, 1);
    ck_assert_str_eq(find(JG_DEBUG_SLOW)->task, "read_until_reported");
    expect_text(find(JG_DEBUG_SLOW)->text, "read_until_reported");
    close(fds[0]);
    close(fds[1]);
}
END_TEST

static intptr_t callback_body(void *arg) {
    (void)arg;
    static jg_call call;
    stall_of = "compute_until_reported";
    jg_call_soon(&call, compute_until_reported, NULL);
    return jg_sleep(1);
}

// What a call holds up would be blamed on whoever queued it.
START_TEST(a_stall_of_a_call_has_its_functions_name) {
    const jg_debug_options options = {.slow_ms = 5};
    ck_assert_int_eq(run_debugged(callback_body, NULL, &options), 0);
    ck_assert_str_eq(find(JG_DEBUG_SLOW)->task, "compute_until_reported");
    expect_text(find(JG_DEBUG_SLOW)->text, "juggle: the call compute_until_reported holds up");
}
END_TEST

// Many short steps, or a sleep, taken for a stall would make people switch the report off.
START_TEST(short_steps_and_sleeps_are_no_stall) {
    ck_assert_int_eq(run_debugged(quick_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 0);
}
END_TEST

// Deadlocks.

static jg_lock locks[2];
static jg_event taken[2];

static intptr_t take_crosswise(void *arg) {
    int mine = arg != NULL;
    jg_lock_acquire(&locks[mine]);
    jg_event_set(&taken[mine]);
    jg_event_wait(&taken[!mine]);
    jg_lock_acquire(&locks[!mine]);
    return 0;
}

static intptr_t crosswise_body(void *arg) {
    JG_GROUP(group) {
        const jg_spawn_options fork = {.name = "fork", .group = group};
        const jg_spawn_options spoon = {.name = "spoon", .group = group};
        jg_detach(jg_spawn_with(take_crosswise, locks, &fork));
        jg_detach(jg_spawn_with(take_crosswise, NULL, &spoon));
    }
    (void)arg;
    return 0;
}

static void deadlock_victim(void *arg) {
    const jg_debug_options options = {.slow_ms = 60000, .abort_on_deadlock = true};
    const jg_run_options run = {.debug = true};
    (void)arg;
    jg_debug_set(&options);
    jg_run_at(crosswise_body, NULL, &run, "host\0host.c:1");
}

// A program that hangs would say nothing; with who waits for whom the reason can be read off.
START_TEST(a_deadlock_names_the_ring) {
    fixture_expect_abort(deadlock_victim, NULL, "juggle: deadlock: every task waits");
    fixture_expect_abort(deadlock_victim, NULL, "fork #2 -> spoon #3");
    fixture_expect_abort(deadlock_victim, NULL, "waits for lock, which is up to spoon #3");
    fixture_expect_abort(deadlock_victim, NULL,
                         "waits for group, which is up to spoon #3, fork #2");
}
END_TEST

static jg_event rescue;
static jg_call rescue_call;
static jg_loop *rescued_loop;

static intptr_t set_rescue(void *arg) {
    jg_event_set(arg);
    return 0;
}

static void hear_and_rescue(const jg_debug_report *report) {
    hear(report);
    if (report->kind == JG_DEBUG_DEADLOCK) {
        // On the loop's own thread, as a signal handler would be.
        jg_post(rescued_loop, &rescue_call, set_rescue, &rescue);
    }
}

static intptr_t rescue_body(void *arg) {
    (void)arg;
    rescued_loop = jg_loop_current(); // no share is taken: nobody is known to have it
    return jg_event_wait(&rescue);
}

// A program that only a signal handler wakes would be killed for being idle.
START_TEST(on_a_real_loop_a_deadlock_is_reported_and_waited_on) {
    const jg_run_options run = {.debug = true};
    if (!on_backend("epoll")) {
        fixture_skip("the simulation ends a deadlocked program");
    }
    jg_debug_set(&patient);
    jg_debug_on_report(hear_and_rescue);
    ck_assert_int_eq(jg_run_with(rescue_body, NULL, &run), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 1);
    expect_text(find(JG_DEBUG_DEADLOCK)->text, "waits for event");
}
END_TEST

// Spins.

static intptr_t ignore_cancel(void *arg) {
    jg_event_set(arg);
    for (int i = 0; i < 2000 && jg_sleep(1) < 0; i++) {
        if (atomic_load(&heard_count) > 0) {
            break;
        }
    }
    return 0;
}

static intptr_t spin_body(void *arg) {
    (void)arg;
    jg_event begun = {.set = false};
    jg_task *task = jg_spawn_at(ignore_cancel, &begun, NULL, "deaf\0deaf.c:3");
    jg_event_wait(&begun);
    jg_cancel(task);
    jg_join(task);
    return 0;
}

// A task that eats the whole core by ignoring its cancel would be looked for in the wrong place.
START_TEST(a_spin_is_named_with_its_place) {
    ck_assert_int_eq(run_debugged(spin_body, NULL, &patient), 0);
    ck_assert_ptr_nonnull(find(JG_DEBUG_SPIN));
    ck_assert_str_eq(find(JG_DEBUG_SPIN)->task, "deaf");
    expect_text(find(JG_DEBUG_SPIN)->text, "ignore_cancel+");
}
END_TEST

// The tree.

static char tree[4096];

static intptr_t take_lock(void *arg) {
    return jg_lock_acquire(arg);
}

static intptr_t tree_body(void *arg) {
    int fd = *(const int *)arg;
    static jg_lock held;
    jg_lock_acquire(&held);
    JG_GROUP(group) {
        const jg_spawn_options options = {.name = "child", .group = group};
        jg_detach(jg_spawn_with(take_lock, &held, &options));
        jg_sleep(1);
        ck_assert_int_eq(jg_debug_tree(fd), 0);
        jg_lock_release(&held);
    }
    return 0;
}

/* Both with a watch, which knows numbers and times, and without. */
static void read_tree(bool debug) {
    const jg_run_options run = {.debug = debug};
    int fd = memfd_create("tree", MFD_CLOEXEC);
    setenv("JUGGLE_DEBUG", "0", 1); // also where all tests are run in debug mode
    jg_debug_set(&patient);
    ck_assert_int_eq(jg_run_at(tree_body, &fd, &run, "root\0root.c:1"), 0);
    ssize_t size = pread(fd, tree, sizeof(tree) - 1, 0);
    close(fd);
    ck_assert_int_gt(size, 0);
    tree[size] = '\0';
}

// Who waits for whom would have to be guessed from logs.
START_TEST(the_tree_shows_who_waits_for_whom) {
    read_tree(false);
    expect_text(tree, "2 tasks on the loop (");
    expect_text(tree, "\n  root (spawned at root.c:1) runs\n    child (spawned at ");
    expect_text(tree, " waits for lock, which is up to root\n");
    read_tree(true);
    expect_text(tree, "\n  root #1 (spawned at root.c:1) runs, ");
    expect_text(tree, " waits for lock, which is up to root #1, ");
    ck_assert_int_eq(jg_debug_tree(STDERR_FILENO), -ENXIO);
}
END_TEST

static intptr_t bad_fd_body(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_debug_tree(-1), -EBADF);
    return 0;
}

// A tree that could not be written would look like one without tasks.
START_TEST(a_tree_that_cannot_be_written_is_an_error) {
    run_body(bad_fd_body);
}
END_TEST

static intptr_t environment_body(void *arg) {
    (void)arg;
    return 0;
}

// JUGGLE_DEBUG=1 is for programs nobody wants to build anew.
START_TEST(the_environment_switches_it_on) {
    setenv("JUGGLE_DEBUG", "1", 1);
    setenv("JUGGLE_DEBUG_SLOW_MS", "5", 1);
    jg_debug_on_report(hear);
    ck_assert_int_eq(jg_run(compute_body, NULL), 0);
    ck_assert_ptr_nonnull(find(JG_DEBUG_SLOW));
    atomic_store(&heard_count, 0);
    setenv("JUGGLE_DEBUG", "0", 1);
    ck_assert_int_eq(jg_run(environment_body, NULL), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 0);
}
END_TEST

FIXTURE_MAIN("api/debug", r06_a_stall_is_reported_while_it_lasts,
             a_forked_child_has_stacks_of_its_own, a_stall_in_the_kernel_is_not_disturbed,
             a_stall_of_a_call_has_its_functions_name, short_steps_and_sleeps_are_no_stall,
             a_deadlock_names_the_ring, on_a_real_loop_a_deadlock_is_reported_and_waited_on,
             a_spin_is_named_with_its_place, the_tree_shows_who_waits_for_whom,
             a_tree_that_cannot_be_written_is_an_error, the_environment_switches_it_on)
