// SPDX-License-Identifier: MIT
/* test_sched.c – park, wake, interrupt; the order tasks run in; fairness; refusals.
 */
#include "fixtures/limits.h"
#include "wire.h"
#include "world.h"

#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

// Order.

struct writer {
    char *text;
    char name;
};

static void write_thrice(void *arg) {
    struct writer *writer = arg;
    for (int i = 0; i < 3; i++) {
        strncat(writer->text, &writer->name, 1);
        sched_yield_now(sched_current());
    }
}

static void fifo_body(void *arg) {
    (void)arg;
    enum { JOBS = 4 };
    char text[32] = "";
    struct job jobs[JOBS];
    struct writer writers[JOBS];
    for (int i = 0; i < JOBS; i++) {
        writers[i] = (struct writer){text, (char)('a' + i)};
        job_start(&jobs[i], write_thrice, &writers[i]);
    }
    for (int i = 0; i < JOBS; i++) {
        job_join(&jobs[i]);
    }
    ck_assert_str_eq(text, "abcdabcdabcd");
}

// Who is ready first would not run first. S50g.
START_TEST(the_ready_run_in_turn) {
    world_run("epoll", 0, fifo_body, NULL);
}
END_TEST

static void eager_body(void *arg) {
    (void)arg;
    char text[32] = "";
    struct job jobs[2];
    struct writer writers[2] = {{text, 'a'}, {text, 'b'}};
    job_start(&jobs[0], write_thrice, &writers[0]);
    ck_assert_int_eq(job_make(sched_current()->loop, &jobs[1], write_thrice, &writers[1]), 0);
    sched_run_now(jobs[1].coro);
    ck_assert_str_eq(text, "b"); // ran at once, and we go on when it suspends
    job_join(&jobs[0]);
    job_join(&jobs[1]);
    ck_assert_str_eq(text, "bababa");
}

// An eager task would wait its turn, or its parent for ever.
START_TEST(run_now_runs_at_once) {
    world_run("epoll", 0, eager_body, NULL);
}
END_TEST

// Fairness.

struct spin {
    bool stop;
    uint64_t steps;
};

static void yield_for_ever(void *arg) {
    struct spin *spin = arg;
    while (!spin->stop) {
        spin->steps++;
        sched_yield_now(sched_current());
    }
}

/* Resumes that may lie between something being due and its task running: two turns' worth. */
enum { SOON = 2 * 256 + 16 };

static void ping_pong_body(void *arg) {
    (void)arg;
    struct spin spin = {.stop = false};
    struct job spinners[2];
    struct job job;
    struct reading reading;
    int fds[2];
    wire_pair(fds);
    job_start(&spinners[0], yield_for_ever, &spin);
    job_start(&spinners[1], yield_for_ever, &spin);
    for (int i = 0; i < 20; i++) {
        uint64_t before = spin.steps;
        loop_pause(sched_current(), 0); // a timer that is due
        ck_assert_uint_le(spin.steps - before, SOON);
        start_reading(&job, &reading, fds[0]);
        ck_assert_int_eq(wire_write(fds[1], "x", 1), 1);
        before = spin.steps;
        job_join(&job);
        ck_assert_uint_le(spin.steps - before, SOON);
    }
    ck_assert_uint_gt(spin.steps, 100); // and they did spin
    spin.stop = true;
    job_join(&spinners[0]);
    job_join(&spinners[1]);
    wire_close_pair(fds);
}

// Two tasks that yield to each other for ever would starve timers and sockets. R6.
START_TEST(yielding_for_ever_starves_nobody) {
    world_run("epoll", 0, ping_pong_body, NULL);
}
END_TEST

struct greed {
    int fd;
    atomic_bool *enough;
    uint64_t reads;
    bool *others_ran;
};

/* Writes as fast as it can, so that the reader on the loop finds bytes each time. */
static void *feed(void *arg) {
    struct greed *greed = arg;
    static const char block[16 * 1024];
    while (!atomic_load(greed->enough)) {
        ssize_t put = send(greed->fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)put; // full: again
    }
    return NULL;
}

static void read_greedily(void *arg) {
    struct greed *greed = arg;
    char byte;
    while (!*greed->others_ran) {
        ck_assert_int_eq(wire_read(greed->fd, &byte, 1), 1);
        greed->reads++;
    }
}

static void say_ran(void *arg) {
    *(bool *)arg = true;
}

static void greedy_body(void *arg) {
    (void)arg;
    int fds[2];
    atomic_bool enough = false;
    bool others_ran = false;
    struct job greedy;
    struct job other;
    pthread_t thread;
    wire_pair(fds);
    struct greed reader = {.fd = fds[0], .others_ran = &others_ran};
    struct greed feeder = {.fd = fds[1], .enough = &enough};
    ck_assert_int_eq(pthread_create(&thread, NULL, feed, &feeder), 0);
    loop_pause(sched_current(), 20 * JG_MS); // the socket's buffer is full by now
    job_start(&greedy, read_greedily, &reader);
    job_start(&other, say_ran, &others_ran);
    job_join(&greedy);
    job_join(&other);
    atomic_store(&enough, true);
    pthread_join(thread, NULL);
    ck_assert_uint_le(reader.reads, SOON);
    wire_close_pair(fds);
}

// A socket that always has bytes would keep its reader running and everybody else waiting. X8.
START_TEST(a_socket_that_is_always_ready_starves_nobody) {
    world_run("epoll", 0, greedy_body, NULL);
}
END_TEST

// The contract of park.

struct parking {
    struct wait wait;
    intptr_t result;
    int undone;
};

static void park_once(void *arg) {
    struct parking *parking = arg;
    parking->result = park(&parking->wait);
}

static void undo_by_waking(struct wait *wait) {
    ((struct parking *)(void *)wait)->undone++;
    wake(wait, -ECANCELED);
}

static void undo_later(struct wait *wait) {
    ((struct parking *)(void *)wait)->undone++;
}

static void contract_body(void *arg) {
    (void)arg;
    struct job job;
    struct parking parking = {.wait = {.undo = undo_by_waking}};
    job_start(&job, park_once, &parking);
    let_run();
    wake(&parking.wait, 42);
    interrupt(job.coro); // it has its result: nothing is left to interrupt
    job_join(&job);
    ck_assert_int_eq(parking.result, 42);
    ck_assert_int_eq(parking.undone, 0);

    job_start(&job, park_once, &parking);
    let_run();
    interrupt(job.coro);
    interrupt(job.coro);
    job_join(&job);
    ck_assert_int_eq(parking.result, -ECANCELED);
    ck_assert_int_eq(parking.undone, 1);

    parking = (struct parking){.wait = {.undo = undo_later}};
    job_start(&job, park_once, &parking);
    let_run();
    interrupt(job.coro);
    let_run();
    ck_assert(!job.done); // parked until the completion comes
    wake(&parking.wait, 7);
    job_join(&job);
    ck_assert_int_eq(parking.result, 7);

    parking = (struct parking){.wait = {.undo = NULL}};
    job_start(&job, park_once, &parking);
    let_run();
    interrupt(job.coro); // cannot be interrupted
    let_run();
    ck_assert(!job.done);
    wake(&parking.wait, 8);
    job_join(&job);
    ck_assert_int_eq(parking.result, 8);
}

// A waiter would be woken twice, or a cancel take its result away. S7.
START_TEST(park_wake_interrupt_keep_their_contract) {
    world_run("epoll", 0, contract_body, NULL);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        world_run("sim", seed, contract_body, NULL);
    }
}
END_TEST

static void wake_twice_body(void *arg) {
    (void)arg;
    struct job job;
    struct parking parking = {.wait = {.undo = NULL}};
    job_start(&job, park_once, &parking);
    let_run();
    wake(&parking.wait, 1);
    wake(&parking.wait, 2);
}

static void wake_twice(void *arg) {
    world_run("epoll", 0, wake_twice_body, arg);
}

static void park_the_loop(void *arg) {
    struct loop loop;
    (void)arg;
    world_open(&loop, "epoll", 0);
    struct wait wait = {.kind = WAIT_KIND("nothing")};
    park(&wait);
}

// A bug in a room above would corrupt the ready ring instead of being named.
START_TEST(waking_twice_and_parking_the_loop_are_bugs) {
    fixture_expect_abort(wake_twice, NULL, "coro->parked == wait");
    fixture_expect_abort(park_the_loop, NULL, "self != loop_of(here)");
}
END_TEST

// Refusals.

static void attention_body(void *arg) {
    (void)arg;
    struct coro *self = sched_current();
    struct wait wait = {.kind = WAIT_KIND("nothing")};
    self->attention = ATTENTION_CANCEL;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(park_checked(&wait), -ECANCELED);
    }
    ck_assert_uint_eq(self->refused, 10);
    self->attention = ATTENTION_NO_SUSPEND;
    ck_assert_int_eq(park_checked(&wait), -EDEADLK);
    self->attention = ATTENTION_NO_SUSPEND | ATTENTION_CANCEL;
    ck_assert_int_eq(park_checked(&wait), -EDEADLK);
    self->attention = ATTENTION_CANCEL;
    self->edge = true;
    ck_assert_int_eq(park_checked(&wait), -ECANCELED);
    ck_assert_uint_eq(self->attention, 0); // used up
    ck_assert_int_eq(suspend_check(self), 0);
    self->edge = false;
}

// A standing cancel would let some waits through, or the edge option none. S4.
START_TEST(attention_refuses_every_wait) {
    world_run("epoll", 0, attention_body, NULL);
}
END_TEST

static void count_rounds(void *arg) {
    struct spin *spin = arg;
    while (!spin->stop) {
        spin->steps++;
        loop_pause(sched_current(), JG_MS);
    }
}

static void spin_body(void *arg) {
    (void)arg;
    struct coro *self = sched_current();
    struct spin spin = {.stop = false};
    struct job job;
    job_start(&job, count_rounds, &spin);
    self->name = "spinner";
    self->attention = ATTENTION_CANCEL;
    for (int i = 0; i < 3000; i++) {
        ck_assert_int_eq(suspend_check(self), -ECANCELED);
    }
    self->attention = 0;
    ck_assert_uint_gt(spin.steps, 500); // others run in between
    spin.stop = true;
    job_join(&job);
}

static void spin_in_child(void *arg) {
    int fd = *(int *)arg;
    dup2(fd, STDERR_FILENO);
    world_run("sim", 1, spin_body, NULL);
}

// A task that ignores -ECANCELED would spin unseen and starve everybody, or flood stderr. X11.
START_TEST(a_spin_on_a_cancel_is_named_once_and_slowed_down) {
    char heard[4096] = "";
    int status = 0;
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    int fd = fileno(file);
    pid_t child = fork();
    if (child == 0) {
        spin_in_child(&fd);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_ge(pread(fd, heard, sizeof(heard) - 1, 0), 0);
    fclose(file);
    ck_assert_int_eq(status, 0);
    const char text[] = "task spinner ignores -ECANCELED";
    const char *line = strstr(heard, text);
    ck_assert_msg(line != NULL, "not named: %s", heard);
    ck_assert_msg(strstr(line + sizeof(text), text) == NULL, "named again: %s", heard);
}
END_TEST

static void fork_body(void *arg) {
    (void)arg;
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct wait wait = {.kind = WAIT_KIND("nothing")};
        _exit(park_checked(&wait) == -ECHILD ? 7 : 8);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    ck_assert_int_eq(suspend_check(sched_current()), 0); // the parent is unharmed
    loop_pause(sched_current(), 1);
}

// A forked child would take completions away from its parent. X6.
START_TEST(a_forked_child_may_not_wait) {
    world_run("epoll", 0, fork_body, NULL);
}
END_TEST

// Without a loop.

// A thread without a loop would wait for ever for what nobody can bring.
START_TEST(without_a_loop_only_a_deadline_ends_a_wait) {
    struct coro *self = sched_current();
    struct wait wait = {.kind = WAIT_KIND("nothing")};
    ck_assert_ptr_null(self->loop);
    ck_assert_int_eq(park_checked(&wait), -EDEADLK);
    int64_t until_ns = clock_now_ns() + 3 * JG_MS;
    self->deadline_ns = until_ns;
    ck_assert_int_eq(park_checked(&wait), -ECANCELED);
    ck_assert_int_ge(clock_now_ns(), until_ns);
    self->deadline_ns = JG_NEVER;
}
END_TEST

// Loops.

// A second loop on a thread would take the first one's place.
START_TEST(one_loop_per_thread) {
    struct loop loop;
    struct loop second;
    const struct loop_options options = {.stack_size = WORLD_STACK};
    world_open(&loop, "epoll", 0);
    ck_assert_int_eq(loop_open(&second, &options), -EBUSY);
    world_close(&loop);
    world_open(&loop, "sim", 0); // and then another
    world_close(&loop);
    ck_assert_ptr_null(sched_current()->loop);
}
END_TEST

static void check_refused(const struct loop_options *options, int code) {
    struct loop loop;
    ck_assert_int_eq(loop_open(&loop, options), code);
    ck_assert_ptr_null(sched_current()->loop);
}

// A loop that could not be opened would leak, or count as running.
START_TEST(a_loop_that_cannot_open_leaves_nothing) {
    const struct loop_options epoll = {.stack_size = WORLD_STACK};
    const struct loop_options sim = {.stack_size = WORLD_STACK, .sim = true};
    mem_fail_nth(1, 1);
    check_refused(&epoll, -ENOMEM);
    check_refused(&sim, -ENOMEM);
    mem_fail_nth(0, 0);
    for (int allowed = 0; allowed < 2; allowed++) {
        rlim_t before = leave_descriptors(allowed);
        check_refused(&epoll, -EMFILE);
        if (allowed == 0) {
            check_refused(&sim, -EMFILE);
        }
        set_descriptors(before);
    }
}
END_TEST

static void make_body(void *arg) {
    (void)arg;
    struct loop *loop = sched_current()->loop;
    struct job job;
    long blocks = mem_live();
    mem_fail_nth(1, 0);
    ck_assert_int_eq(job_make(loop, &job, say_ran, NULL), -ENOMEM);
    ck_assert_int_eq(mem_live(), blocks);
    bool ran = false;
    ck_assert_int_eq(job_make(loop, &job, say_ran, &ran), 0);
    ck_assert_uint_eq((uintptr_t)job.coro % 64, 0);
    ck_assert_ptr_eq(job.coro->loop, loop);
    ck_assert_uint_eq(job.coro->attention, 0);
    sched_ready(&job.coro->loop->sched, job.coro);
    job_join(&job);
    ck_assert(ran);
}

// A coroutine without a stack would run.
START_TEST(a_coroutine_that_cannot_be_made_is_an_error) {
    world_run("epoll", 0, make_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/sched", the_ready_run_in_turn, run_now_runs_at_once,
             yielding_for_ever_starves_nobody, a_socket_that_is_always_ready_starves_nobody,
             park_wake_interrupt_keep_their_contract, waking_twice_and_parking_the_loop_are_bugs,
             attention_refuses_every_wait, a_spin_on_a_cancel_is_named_once_and_slowed_down,
             a_forked_child_may_not_wait, without_a_loop_only_a_deadline_ends_a_wait,
             one_loop_per_thread, a_loop_that_cannot_open_leaves_nothing,
             a_coroutine_that_cannot_be_made_is_an_error)
