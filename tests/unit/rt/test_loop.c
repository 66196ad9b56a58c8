// SPDX-License-Identifier: MIT
/* test_loop.c – a loop that is short of memory, is forked, or is used from where it must not be.
 */
#include "wire.h"
#include "world.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

// Memory.

static void say_so(void *arg) {
    *(bool *)arg = true;
}

static void no_timer_body(void *arg) {
    struct timers *timers = &sched_current()->loop->timers;
    struct job job;
    bool ran = false;
    (void)arg;
    ck_assert_ptr_null(timers->slots); // the first timer of this loop
    job_start(&job, say_so, &ran);
    mem_fail_nth(1, 0);
    loop_pause(sched_current(), 3600 * JG_S);
    mem_fail_nth(0, 0);
    expect(ran); // the others had their turn
    job_join(&job);
}

// A task that ignores its cancel would keep the loop to itself where there is no memory to slow it down.
START_TEST(a_pause_without_memory_is_a_yield) {
    world_run("epoll", 0, no_timer_body, NULL);
}
END_TEST

static void buffers_body(void *arg) {
    enum { COUNT = 100, KEPT = 64 };
    static void *buffers[COUNT];
    struct loop *loop = sched_current()->loop;
    (void)arg;
    long before = mem_live();
    for (int i = 0; i < COUNT; i++) {
        buffers[i] = op_buffer_take(loop);
        expect(buffers[i] != NULL);
    }
    for (int i = 0; i < COUNT; i++) {
        op_buffer_give(loop, buffers[i]);
    }
    expect(mem_live() - before == KEPT);
    expect(op_buffer_take(loop) == buffers[KEPT - 1]); // the last to come is the first to go
    op_buffer_give(loop, buffers[KEPT - 1]);
}

// After one busy moment a loop would keep a buffer per stream for ever.
START_TEST(free_buffers_are_kept_up_to_a_number) {
    world_run("epoll", 0, buffers_body, NULL);
}
END_TEST

// Two descriptors of one socket.

static void herd_body(void *arg) {
    int fds[2];
    struct job jobs[2];
    struct reading readings[2];
    (void)arg;
    wire_pair(fds);
    int twin = dup(fds[0]);
    for (int i = 0; i < 2; i++) {
        readings[i] = (struct reading){.fd = i == 0 ? fds[0] : twin, .kind = OP_READ};
        job_start(&jobs[i], read_once, &readings[i]);
    }
    let_run();
    expect(backend_current()->pending == 2);
    expect(wire_write(fds[1], "x", 1) == 1); // both are told, and one finds nothing
    let_time_pass();
    expect(jobs[0].done != jobs[1].done);
    expect(wire_write(fds[1], "y", 1) == 1);
    job_join(&jobs[0]);
    job_join(&jobs[1]);
    expect(readings[0].result == 1 && readings[1].result == 1);
    expect(readings[0].buffer[0] + readings[1].buffer[0] == 'x' + 'y');
    wire_close(twin);
    wire_close_pair(fds);
}

// Of two who read one socket by descriptors of their own, the one that comes too late would be handed
// -EAGAIN, or never be told again.
START_TEST(two_readers_of_one_socket_each_get_a_byte) {
    world_run("epoll", 0, herd_body, NULL);
}
END_TEST

struct filling {
    int fd;
    intptr_t result;
};

static void fill_until_it_waits(int fd) {
    static const char block[64 * 1024];
    while (send(fd, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {}
}

static void write_block(void *arg) {
    static char block[4 * 1024 * 1024];
    struct filling *filling = arg;
    filling->result = wire_write(filling->fd, block, sizeof(block));
}

static void writers_body(void *arg) {
    int fds[2];
    struct job jobs[2];
    struct filling fillings[2];
    static char sink[256 * 1024];
    (void)arg;
    wire_pair(fds);
    int twin = dup(fds[0]);
    fill_until_it_waits(fds[0]);
    for (int i = 0; i < 2; i++) {
        fillings[i] = (struct filling){.fd = i == 0 ? fds[0] : twin};
        job_start(&jobs[i], write_block, &fillings[i]);
    }
    let_run();
    expect(backend_current()->pending == 2);
    while (recv(fds[1], sink, sizeof(sink), MSG_DONTWAIT) > 0) {}
    let_time_pass(); // both are told: the first fills it to the brim
    expect(jobs[0].done != jobs[1].done);
    while (!(jobs[0].done && jobs[1].done)) {
        while (recv(fds[1], sink, sizeof(sink), MSG_DONTWAIT) > 0) {}
        let_time_pass();
    }
    expect(fillings[0].result > 0 && fillings[1].result > 0);
    wire_close(twin);
    wire_close_pair(fds);
}

// The same with two writers and room for one.
START_TEST(two_writers_of_one_socket_both_get_through) {
    world_run("epoll", 0, writers_body, NULL);
}
END_TEST

static void poll_beside_body(void *arg) {
    int fds[2];
    struct job job;
    struct filling filling;
    (void)arg;
    wire_pair(fds);
    fill_until_it_waits(fds[0]);
    filling = (struct filling){.fd = fds[0]};
    job_start(&job, write_block, &filling);
    let_run();
    struct op both = {.kind = OP_POLL, .fd = fds[0], .events = JG_READABLE | JG_WRITABLE};
    expect(op_run(&both) == -EBUSY); // somebody waits for room already
    expect(wire_write(fds[1], "x", 1) == 1);
    expect(wire_simple(OP_POLL, fds[0]) == JG_READABLE); // the other side is free
    wire_close(fds[0]);                                  // under the writer
    job_join(&job);
    expect(filling.result == -EBADF);
    wire_close(fds[1]);
}

// Who waits for bytes would be sent away because somebody else waits for room.
START_TEST(a_poll_minds_only_its_own_side) {
    world_run("epoll", 0, poll_beside_body, NULL);
}
END_TEST

static void high_number_body(void *arg) {
    enum { HIGH = 700 };
    int fds[2];
    char byte;
    (void)arg;
    wire_pair(fds);
    int high = dup2(fds[0], HIGH);
    expect(high == HIGH);
    expect(ops()->shutdown_write(backend_current(), high) == 0); // never waited for: no row yet
    expect(wire_read(fds[1], &byte, 1) == 0);
    wire_close(high);
    wire_close_pair(fds);
}

// A descriptor that was never waited for would be looked up beyond the table.
START_TEST(a_shutdown_needs_no_wait_before) {
    world_run("epoll", 0, high_number_body, NULL);
}
END_TEST

// Connecting.

static void full_unix_body(void *arg) {
    enum { MOST = 16 };
    char name[64];
    int clients[MOST];
    int count = 0;
    (void)arg;
    snprintf(name, sizeof(name), "juggle-loop-%d", (int)getpid());
    struct op_address address = wire_unix(name);
    int listener = wire_listen(&address, 0);
    int rc = 0;
    while (count < MOST && (rc = wire_connect(&address)) >= 0) {
        clients[count++] = rc;
    }
    expect(count >= 1 && count < MOST);
    expect(rc == -ECONNREFUSED); // not -EAGAIN, which nothing would ever end
    while (count > 0) {
        wire_close(clients[--count]);
    }
    wire_close(listener);
}

// A connect to a Unix socket that is overrun would wait for an event that never comes.
START_TEST(an_overrun_unix_socket_refuses) {
    world_run("epoll", 0, full_unix_body, NULL);
}
END_TEST

struct connecting {
    const struct op_address *address;
    int fd;
    int result;
};

static void connect_once(void *arg) {
    struct connecting *connecting = arg;
    connecting->result = wire_connect_fd(connecting->fd, connecting->address);
}

/* Connects until one is not answered, as the queue is full. Returns the number of descriptors; the last is
 * the one whose job still waits. */
static int connect_until_full(const struct op_address *address, struct connecting *connects,
                              int most, struct job *last) {
    for (int count = 0; count < most; count++) {
        int fd = ops()->socket_open(backend_current(), AF_INET);
        connects[count] = (struct connecting){.address = address, .fd = fd};
        job_start(last, connect_once, &connects[count]);
        let_time_pass();
        if (!last->done) {
            return count + 1;
        }
    }
    ck_abort_msg("%d connections, and the queue is not full", most);
}

static void again_body(void *arg) {
    enum { MOST = 16 };
    struct op_address address = wire_inet(0);
    struct connecting connects[MOST];
    struct job job;
    (void)arg;
    int listener = wire_listen(&address, 0);
    int count = connect_until_full(&address, connects, MOST, &job);
    struct connecting *last = &connects[count - 1];
    for (int i = 0; i < 2; i++) { // the second time it is under way already
        expect(!job.done);
        interrupt(job.coro);
        job_join(&job);
        expect(last->result == -ECANCELED);
        if (i == 0) {
            job_start(&job, connect_once, last);
            let_time_pass();
        }
    }
    for (int i = 0; i < count; i++) {
        wire_close(connects[i].fd);
    }
    wire_close(listener);
}

// A connect that was cancelled and is tried again would fail, although the first packet is under way.
START_TEST(a_connect_under_way_can_be_waited_for_again) {
    world_run("epoll", 0, again_body, NULL);
}
END_TEST

// Threads, and no thread's own.

static void *wake_from_afar(void *wait) {
    wake(wait, 0);
    return NULL;
}

static void park_on(void *wait) {
    park(wait);
}

static void wake_wrongly_body(void *arg) {
    struct wait wait = {.kind = WAIT_KIND("a thread")};
    struct job job;
    pthread_t thread;
    (void)arg;
    job_start(&job, park_on, &wait);
    let_run();
    pthread_create(&thread, NULL, wake_from_afar, &wait);
    pthread_join(thread, NULL);
}

static void wake_wrongly(void *arg) {
    world_run("epoll", 0, wake_wrongly_body, arg);
}

// A report of a wait that says nothing of itself would crash.
START_TEST(a_wait_without_a_kind_has_a_name) {
    const struct wait plain = {.result = 0};
    const struct wait kind = {.kind = WAIT_KIND("a thread")};
    ck_assert_str_eq(wait_name(&plain), "something");
    ck_assert_str_eq(wait_name(&kind), "a thread");
}
END_TEST

// A wake from another thread would corrupt the ring of the ready, now and then.
START_TEST(waking_from_another_thread_is_named) {
    fixture_expect_abort(wake_wrongly, NULL, "task job is woken from another thread");
}
END_TEST

// A thread that yields in a loop of its own would never see its deadline.
START_TEST(yielding_without_a_loop_minds_the_deadline) {
    struct coro *self = sched_current();
    ck_assert_int_eq(jg_yield(), 0);
    self->deadline_ns = clock_now_ns() + 3600 * JG_S;
    ck_assert_int_eq(jg_yield(), 0);
    self->deadline_ns = clock_now_ns();
    ck_assert_int_eq(jg_yield(), -ECANCELED);
    self->deadline_ns = JG_NEVER;
    self->attention = ATTENTION_CANCEL;
    ck_assert_int_eq(jg_yield(), -ECANCELED);
    self->attention = 0;
}
END_TEST

// Forks.

static void come_back(void *arg) {
    (void)arg;
}

static void fork_and_come_back(void *arg) {
    (void)arg;
    sched_after_fork(come_back, NULL);
}

static void fork_in_task(void *arg) {
    world_run("epoll", 0, fork_and_come_back, arg);
}

// A child whose work is done would go on with its parent's.
START_TEST(a_forked_child_that_comes_back_is_named) {
    fixture_expect_abort(fork_and_come_back, NULL, "a forked child came back");
    fixture_expect_abort(fork_in_task, NULL, "a forked child came back");
}
END_TEST

static void live_anew(void *arg) {
    int fds[2];
    char byte = 0;
    (void)arg;
    wire_pair(fds); // blocking ones
    expect(wire_write(fds[1], "x", 1) == 1);
    expect(wire_read(fds[0], &byte, 1) == 1);
    world_run("epoll", 0, come_back, NULL); // and a loop of its own
    _exit(byte);
}

static void fork_in_call(jg_call *call) {
    (void)call;
    pid_t child = fork();
    if (child == 0) {
        sched_after_fork(live_anew, NULL);
    }
    int status = 0;
    expect(waitpid(child, &status, 0) == child);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 'x');
}

static void call_body(void *arg) {
    jg_call call = {.deliver = fork_in_call};
    (void)arg;
    expect(call_claim(&call));
    call_make_ready(sched_current()->loop, &call);
    let_run();
}

// A fork in a call, which runs as the loop itself, would go on as the loop.
START_TEST(a_call_may_fork_as_well) {
    world_run("epoll", 0, call_body, NULL);
}
END_TEST

// The inbox.

static void never_delivered(jg_call *call) {
    (void)call;
    ck_abort_msg("a call was made that had been refused");
}

// A share that comes with a send would be lost, or given up twice, when the loop is closed by then.
START_TEST(a_send_that_comes_too_late_gives_up_its_share) {
    jg_loop *handle;
    jg_call call = {.deliver = never_delivered};
    long blocks = mem_live();
    ck_assert_int_eq(inbox_open(&handle), 0);
    inbox_hold(handle); // the sender's
    (void)mpsc_close(&handle->queue);
    inbox_close(handle);
    ck_assert_int_eq(inbox_send(handle, &call), -ESHUTDOWN);
    ck_assert_int_eq(mem_live(), blocks);
}
END_TEST

FIXTURE_MAIN("rt/loop", a_wait_without_a_kind_has_a_name, a_pause_without_memory_is_a_yield,
             free_buffers_are_kept_up_to_a_number, two_readers_of_one_socket_each_get_a_byte,
             two_writers_of_one_socket_both_get_through, a_poll_minds_only_its_own_side,
             a_shutdown_needs_no_wait_before, an_overrun_unix_socket_refuses,
             a_connect_under_way_can_be_waited_for_again, waking_from_another_thread_is_named,
             yielding_without_a_loop_minds_the_deadline, a_forked_child_that_comes_back_is_named,
             a_call_may_fork_as_well, a_send_that_comes_too_late_gives_up_its_share)
