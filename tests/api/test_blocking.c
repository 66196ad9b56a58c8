// SPDX-License-Identifier: MIT
/* test_blocking.c – the same calls without a loop: they block, and deadlines hold all the same.
 *
 * Holds      nothing between tests.
 * Invariant  no call waits longer than its scope allows, and none waits for what nobody can bring.
 * Called by  ctest, as "blocking" only: a thread of its own kind.
 * Why        DESIGN.md rule 8: one client function runs unchanged under all models.
 * Quirks     bounds are one-sided: a deadline may strike late on a busy machine, never early.
 */
// Backends: blocking
#define FIXTURE_LIMIT 20
#include "api/api.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

static const int64_t LONG_NS = 15 * JG_S; // what would be reached if a deadline did not hold

static intptr_t nothing(void *arg) {
    (void)arg;
    return 0;
}

// A thread without a loop would be taken for one with, or the other way round.
START_TEST(backend_is_blocking) {
    ck_assert(!jg_running());
    ck_assert_str_eq(jg_backend(), "blocking");
    ck_assert_str_eq(jg_task_name(jg_self()), "thread");
    ck_assert_int_eq(jg_yield(), 0);
    ck_assert(!jg_done(jg_self()));
    ck_assert_int_eq(jg_cancelling(jg_self()), 0);
}
END_TEST

// A sleep would end early, or outlive its limit.
START_TEST(sleep_minds_its_limit) {
    int rc = 0;
    int64_t before = jg_now();
    ck_assert_int_eq(jg_sleep(3), 0);
    ck_assert_int_ge(jg_now() - before, 3 * JG_MS);
    JG_TIMEOUT(3, rc) {
        rc = jg_sleep(60000);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    JG_TIMEOUT(60000, rc) {
        rc = jg_sleep(1);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(jg_sleep_until(JG_NEVER), -EDEADLK);
    ck_assert_int_lt(jg_now() - before, LONG_NS);
}
END_TEST

static void ignore_alarm(int number) {
    (void)number;
}

// In a program with an interval timer a thread's sleep would end with the first signal.
START_TEST(signals_do_not_shorten_a_sleep) {
    const struct sigaction action = {.sa_handler = ignore_alarm};
    const struct itimerval often = {{.tv_usec = 500}, {.tv_usec = 500}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    int64_t before = jg_now();
    int rc = jg_sleep(5);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_ge(jg_now() - before, 5 * JG_MS);
}
END_TEST

/* Writes a byte a little later, from another thread. */
static void *write_later(void *stream) {
    jg_sleep(20);
    ck_assert_int_eq(jg_write(stream, "l", 1), 1);
    return NULL;
}

// A read would outlive its limit, or a limit armed for one read would strike in the next.
START_TEST(read_minds_its_limit) {
    jg_stream *pair[2];
    char bytes[4];
    int rc = 0;
    int64_t before = jg_now();
    open_pair(pair);
    for (int i = 0; i < 3; i++) {
        JG_TIMEOUT(3, rc) {
            rc = (int)jg_read(pair[0], bytes, sizeof(bytes));
        }
        ck_assert_int_eq(rc, -ETIMEDOUT);
    }
    pthread_t writer;
    ck_assert_int_eq(pthread_create(&writer, NULL, write_later, pair[1]), 0);
    ck_assert_int_eq(jg_read(pair[0], bytes, sizeof(bytes)), 1);
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    ck_assert_int_eq(jg_write(pair[1], "ab", 2), 2);
    JG_TIMEOUT(3, rc) {
        rc = (int)jg_read_exact(pair[0], bytes, 4);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(jg_write(pair[1], "cd", 2), 2);
    ck_assert_int_eq(jg_read_exact(pair[0], bytes, 4), 4); // what came before the limit was kept
    ck_assert_mem_eq(bytes, "abcd", 4);
    ck_assert_int_lt(jg_now() - before, LONG_NS);
    close_pair(pair);
}
END_TEST

static char flood[1 << 22];

// A write to a peer that never reads would block for ever.
START_TEST(write_minds_its_limit) {
    jg_stream *pair[2];
    ssize_t put = 0;
    open_pair(pair);
    JG_TIMEOUT(5, put) {
        put = jg_write(pair[0], flood, sizeof(flood));
    }
    ck_assert_int_eq(put, -ETIMEDOUT);
    ck_assert_uint_gt(jg_stream_sent(pair[0]), 0);
    ck_assert_int_eq(jg_write(pair[0], "x", 1), -EPIPE); // a message cut in half
    close_pair(pair);
}
END_TEST

// A pipe has no limit of its own in the kernel: ours would not hold.
START_TEST(pipe_minds_its_limit) {
    int fds[2];
    jg_stream *stream;
    char byte;
    int rc = 0;
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(jg_stream_open_fd(fds[0], &stream), 0);
    JG_TIMEOUT(3, rc) {
        rc = (int)jg_read(stream, &byte, 1);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(write(fds[1], "p", 1), 1);
    ck_assert_int_eq(jg_read(stream, &byte, 1), 1);
    close(fds[1]);
    ck_assert_int_eq(jg_read(stream, &byte, 1), 0);
    jg_stream_close(stream);
}
END_TEST

// A server without clients would block for ever.
START_TEST(accept_minds_its_limit) {
    jg_listener *listener;
    jg_stream *server;
    jg_stream *client;
    int rc = 0;
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &listener), 0);
    JG_TIMEOUT(3, rc) {
        rc = jg_accept(listener, &server);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    JG_TIMEOUT(10000, rc) {
        rc = jg_tcp_connect("127.0.0.1", jg_listener_port(listener), &client);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(jg_accept(listener, &server), 0);
    ck_assert_int_eq(jg_write(client, "hello", 5), 5);
    char text[5];
    ck_assert_int_eq(jg_read_exact(server, text, 5), 5);
    jg_stream_close(client);
    jg_stream_close(server);
    jg_listener_close(listener);
}
END_TEST

/* Each way to wait for another task, of which there is none. */
static int wait_for_task(int way) {
    static jg_sem sem;
    static jg_event event;
    static jg_future future;
    switch (way) {
    case 0:
        return jg_sem_acquire(&sem);
    case 1:
        return jg_event_wait(&event);
    default:
        return (int)jg_future_wait(&future);
    }
}

// Waiting for another task, where there is none, would hang the thread.
START_TEST(waiting_for_nobody_is_a_deadlock) {
    for (int way = 0; way < 3; way++) {
        int rc = 0;
        ck_assert_int_eq(wait_for_task(way), -EDEADLK);
        JG_TIMEOUT(3, rc) {
            rc = wait_for_task(way);
        }
        ck_assert_int_eq(rc, -ETIMEDOUT);
        ck_assert_int_eq(wait_for_task(way), -EDEADLK); // and it has left the queue
    }
}
END_TEST

// What needs no waiting would not work without a loop.
START_TEST(uncontended_objects_work) {
    jg_lock lock = {0};
    jg_sem sem;
    jg_event event = {0};
    jg_future future = {0};
    ck_assert_int_eq(jg_lock_acquire(&lock), 0);
    ck_assert_int_eq(jg_lock_acquire(&lock), -EDEADLK);
    ck_assert_int_eq(jg_lock_release(&lock), 0);
    ck_assert_int_eq(jg_lock_release(&lock), -EPERM);
    jg_sem_init(&sem, 2);
    ck_assert_int_eq(jg_sem_acquire(&sem), 0);
    ck_assert_int_eq(jg_sem_acquire(&sem), 0);
    jg_sem_release(&sem);
    ck_assert_int_eq(jg_sem_try(&sem), 0);
    jg_event_set(&event);
    ck_assert_int_eq(jg_event_wait(&event), 0);
    ck_assert_int_eq(jg_future_set(&future, 12), 0);
    ck_assert_int_eq(jg_future_wait(&future), 12);
}
END_TEST

static int reports;

static void count_report(const jg_error *error) {
    reports += error->code == -EIO;
}

// S50 (d) and (e): a future's word would change, or its failure be lost or told twice.
START_TEST(s50d_future_is_set_once_without_a_loop) {
    jg_future future = {0};
    jg_future failed = {0};
    ck_assert_int_eq(jg_future_set(&future, 12), 0);
    ck_assert_int_eq(jg_future_set(&future, 13), -EALREADY);
    ck_assert_int_eq(jg_future_fail(&future, -EIO), -EALREADY);
    ck_assert(!jg_future_cancel(&future));
    ck_assert_int_eq(jg_future_wait(&future), 12);
    jg_error_on_unretrieved(count_report);
    jg_future_fini(&future);
    ck_assert_int_eq(jg_future_fail(&failed, -EIO), 0);
    jg_future_fini(&failed);
    ck_assert_int_eq(reports, 1);
    failed = (jg_future){0};
    ck_assert_int_eq(jg_future_fail(&failed, -EIO), 0);
    ck_assert_int_eq(jg_future_wait(&failed), -EIO);
    jg_future_fini(&failed);
    ck_assert_int_eq(reports, 1);
}
END_TEST

// A thread that waits for its own end would hang.
START_TEST(s50h_waiting_for_oneself_without_a_loop) {
    jg_future *own = jg_task_future(jg_self());
    ck_assert_int_eq(jg_join(jg_self()), -EDEADLK);
    ck_assert_int_eq(jg_future_wait(own), -EDEADLK);
    ck_assert_int_eq(jg_shield(own), -EDEADLK);
    ck_assert_int_eq(jg_wait(&own, 1, JG_ALL_COMPLETED, -1), -EDEADLK);
    ck_assert_int_eq(jg_gather(&own, 1, NULL, JG_FAIL_FIRST), -EDEADLK);
}
END_TEST

// A standing cancel would not stop a blocking call, or could not be taken back.
START_TEST(s04_cancel_of_the_thread_itself) {
    jg_stream *pair[2];
    char byte;
    open_pair(pair);
    ck_assert_int_eq(jg_write(pair[1], "x", 1), 1);
    ck_assert(jg_cancel(jg_self()));
    ck_assert_int_eq(jg_cancelling(jg_self()), 1);
    ck_assert_int_eq(jg_sleep(60000), -ECANCELED);
    ck_assert_int_eq(jg_read(pair[0], &byte, 1), -ECANCELED);
    JG_SHIELD {
        ck_assert_int_eq(jg_sleep(1), 0);
        ck_assert_int_eq(jg_read(pair[0], &byte, 1), 1);
    }
    ck_assert_int_eq(jg_yield(), -ECANCELED);
    ck_assert_int_eq(jg_uncancel(jg_self()), 0);
    ck_assert_int_eq(jg_sleep(1), 0);
    close_pair(pair);
}
END_TEST

// S10 and S11: requests of a thread would be lost, or one that was taken back delivered.
START_TEST(s11_requests_are_counted_without_a_loop) {
    jg_task *self = jg_self();
    ck_assert(jg_cancel(self) && jg_cancel(self));
    ck_assert_int_eq(jg_cancelling(self), 2);
    ck_assert_int_eq(jg_uncancel(self), 1);
    ck_assert_int_eq(jg_sleep(60000), -ECANCELED);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_uncancel(self), 0); // never below
    }
    ck_assert_int_eq(jg_yield(), 0);
    jg_cancel(self);
    jg_uncancel(self);
    ck_assert_int_eq(jg_sleep(1), 0);
}
END_TEST

// A scope cancelled by hand would go on, or look like a failure.
START_TEST(cancelled_scope_without_a_loop) {
    jg_scope scope;
    jg_scope_open(&scope, JG_NEVER, false);
    jg_scope_cancel(&scope);
    ck_assert_int_eq(jg_sleep(60000), -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&scope, -ECANCELED), 0);
    ck_assert_int_eq(jg_sleep(1), 0);
}
END_TEST

// S21 and S22 without timers: the limit outside would reach through a shield, or be lost behind it.
START_TEST(s21_shield_without_a_loop) {
    int rc = 0;
    jg_scope outer;
    jg_scope_open(&outer, jg_now() + 2 * JG_MS, false);
    ck_assert_int_eq(jg_sleep(60000), -ECANCELED);
    JG_SHIELD {
        ck_assert_int_eq(jg_deadline(), JG_NEVER);
        ck_assert_int_eq(jg_sleep(1), 0);
        JG_TIMEOUT(2, rc) {
            rc = jg_sleep(60000);
        }
        ck_assert_int_eq(rc, -ETIMEDOUT);
    }
    rc = jg_sleep(60000);
    ck_assert_int_eq(rc, -ECANCELED);
    ck_assert_int_eq(jg_scope_close(&outer, rc), -ETIMEDOUT);
    ck_assert_int_eq(jg_sleep(1), 0);
}
END_TEST

// Groups, spawns and joins would crash instead of saying that there is no loop.
START_TEST(tasks_need_a_loop) {
    int rc = 5;
    ck_assert_ptr_null(jg_spawn(nothing, NULL));
    ck_assert_int_eq(jg_join(NULL), -ENXIO);
    JG_GROUP(group, rc) {
        ck_assert_int_eq(jg_group_spawn(group, nothing, NULL), -ENXIO);
        ck_assert_int_eq(jg_group_wait(group), 0);
    }
    ck_assert_int_eq(rc, 5);
    jg_loop_stats stats;
    ck_assert_int_eq(jg_loop_stats_get(&stats), -ENXIO);
    ck_assert_int_eq(jg_join(jg_self()), -EDEADLK);
}
END_TEST

static void *fail_in_thread(void *out_text) {
    jg_fail(-EPROTO, "in the thread");
    snprintf(out_text, 64, "%s", jg_error_detail(-EPROTO));
    return NULL;
}

// One thread's failure would be another's, or leak when its thread ends.
START_TEST(failures_belong_to_the_thread) {
    char text[64];
    pthread_t thread;
    jg_fail(-ENOENT, "out here");
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_in_thread, text), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_str_eq(text, "in the thread");
    ck_assert_str_eq(jg_error_detail(-ENOENT), "out here");
    ck_assert_str_eq(jg_error_last()->task, "thread");
    jg_error_clear();
}
END_TEST

static intptr_t fail_in_loop(void *arg) {
    (void)arg;
    return jg_fail(-EPIPE, "inside the loop");
}

// The failure that ended a loop's first task would be lost with the loop.
START_TEST(failure_comes_out_of_run) {
    const jg_run_options options = {.backend = "epoll"};
    ck_assert_int_eq(jg_run_with(fail_in_loop, NULL, &options), -EPIPE);
    ck_assert_str_eq(jg_error_detail(-EPIPE), "inside the loop");
    ck_assert_str_eq(jg_error_last()->task, "fail_in_loop");
    jg_error_clear();
}
END_TEST

FIXTURE_MAIN("api/blocking", backend_is_blocking, sleep_minds_its_limit,
             signals_do_not_shorten_a_sleep, read_minds_its_limit, write_minds_its_limit,
             pipe_minds_its_limit, accept_minds_its_limit, waiting_for_nobody_is_a_deadlock,
             uncontended_objects_work, s04_cancel_of_the_thread_itself,
             s11_requests_are_counted_without_a_loop, s50d_future_is_set_once_without_a_loop,
             s50h_waiting_for_oneself_without_a_loop, cancelled_scope_without_a_loop,
             s21_shield_without_a_loop, tasks_need_a_loop, failures_belong_to_the_thread,
             failure_comes_out_of_run)
