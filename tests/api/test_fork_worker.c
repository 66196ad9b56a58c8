// SPDX-License-Identifier: MIT
/* test_fork_worker.c – SEMANTICS X6: a child that goes on without its parent's loop, and meets its things.
 *
 * Holds      what the parent has on its loop.
 * Invariant  whatever waits on a thing of that loop is -ECHILD, in each kind of child; what does not wait
 *            changes the child's memory at most.
 * Called by  ctest, on epoll and sim.
 * Why        a worker process has no loop, or one of its own: it is not the copy of a task, whose calls are
 *            refused before they look at what they are called on (test_fork.c, test_every_wait.c).
 */
#define FIXTURE_LIMIT 30
#include "api/http_half.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LET_THROUGH = 100 }; // the child's word: the call of this number was not refused

/* What is used: all of it the parent's. */
static struct {
    jg_stream *ends[2];
    jg_listener *listener;
    jg_udp *udp;
    jg_signals signals;
    jg_worker *worker;
    jg_process *process; // NULL in a simulated world
    jg_executor *executor;
    jg_job job;
    jg_job common_job; // of the executor every program has
    jg_task *napping;
    jg_task *ended;
    jg_group group;
    jg_call call;
    jg_future called_back;
    jg_done_callback callback;
    // Things without a place, in which tasks of the parent wait.
    jg_sem sem;
    jg_queue queue;
    jg_lock lock;
} on;

static atomic_int gate;
static int calls;

static intptr_t pass_gate(void *arg) {
    while (atomic_load(&gate) == 0) {
        sched_yield();
    }
    return (intptr_t)arg;
}

static intptr_t nap(void *arg) {
    (void)arg;
    return jg_sleep(60000);
}

static intptr_t give(void *arg) {
    return (intptr_t)arg;
}

static intptr_t count_call(void *arg) {
    (void)arg;
    calls++;
    return 0;
}

static void note(void *arg, intptr_t result) {
    (void)arg;
    (void)result;
    calls++;
}

static intptr_t take_permit(void *arg) {
    (void)arg;
    return jg_sem_acquire(&on.sem);
}

static intptr_t take_item(void *arg) {
    (void)arg;
    intptr_t item = 0;
    int rc = jg_queue_get(&on.queue, &item);
    return rc < 0 ? rc : item;
}

static intptr_t next_completed(jg_future *future) {
    intptr_t rc = 0;
    JG_AS_COMPLETED(it, &future, 1, -1, rc) {}
    return rc;
}

static intptr_t handle(jg_stream *stream, void *arg) {
    (void)stream;
    (void)arg;
    return 0;
}

static int answer(jg_http_exchange *exchange, void *arg) {
    (void)arg;
    return jg_http_reply(exchange, 200, NULL, "x", 1);
}

/* What a call comes to; 1 where an older failure explains it. */
#define NEWS(call)                                                                                 \
    ({                                                                                             \
        jg_fail(-ECHILD, "of before");                                                             \
        intptr_t rc_ = (call);                                                                     \
        bool old = rc_ == -ECHILD && strcmp(jg_error_detail(rc_), "of before") == 0;               \
        old ? 1 : rc_;                                                                             \
    })

static int first_let_through(const intptr_t *answers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (answers[i] != -ECHILD) {
            dprintf(STDERR_FILENO, "call %zu: %ld\n", i, (long)answers[i]);
            return LET_THROUGH + (int)i;
        }
    }
    return 0;
}

/* Everything that waits. Returns 0, or the number of the first call that was let through, or says of an older
 * failure that it is its reason. */
static int try_waits(void) {
    char buf[8];
    char *data;
    jg_stream *stream;
    jg_address peer;
    jg_process_status status;
    jg_process_output output;
    struct iovec piece = {buf, 1};
    jg_future *task = jg_task_future(on.napping);
    jg_address_make("127.0.0.1", 9, &peer);
    bool loop = jg_loop_current() != NULL;
    const intptr_t answers[] = {
        NEWS(jg_read(on.ends[0], buf, sizeof(buf))),
        NEWS(jg_read_exact(on.ends[0], buf, 1)),
        NEWS(jg_read_until(on.ends[0], 'x', buf, sizeof(buf))),
        NEWS(jg_stream_fill(on.ends[0], sizeof(buf), &data)),
        NEWS(jg_write(on.ends[0], "x", 1)),
        NEWS(jg_writev(on.ends[0], &piece, 1)),
        NEWS(jg_stream_shutdown(on.ends[0])),
        NEWS(jg_accept(on.listener, &stream)),
        loop ? NEWS(jg_serve(on.listener, handle, NULL, NULL)) : -ECHILD,
        loop ? NEWS(jg_http_serve(on.listener, answer, NULL, NULL, NULL)) : -ECHILD,
        NEWS(jg_udp_send(on.udp, &peer, "x", 1)),
        NEWS(jg_udp_recv(on.udp, buf, sizeof(buf), NULL, NULL)),
        NEWS(jg_udp_connect(on.udp, &peer)),
        NEWS(jg_udp_address(on.udp, &peer)),
        NEWS(jg_signals_next(&on.signals)),
        NEWS(jg_worker_join(on.worker)),
        on.process == NULL ? -ECHILD : NEWS(jg_process_wait(on.process, &status)),
        on.process == NULL ? -ECHILD : NEWS(jg_process_communicate(on.process, "x", 1, 0, &output)),
        NEWS(jg_executor_run(on.executor, pass_gate, NULL)),
        NEWS(jg_job_wait(&on.job)),
        NEWS(jg_future_wait(&on.job.future)),
        NEWS(jg_job_wait(&on.common_job)),
        NEWS(jg_join(on.napping)),
        NEWS(jg_future_wait(task)),
        NEWS(jg_shield(task)),
        NEWS(jg_wait_for(task, 5)),
        NEWS(jg_gather(&task, 1, NULL, JG_FAIL_FIRST)),
        NEWS(jg_wait(&task, 1, JG_ALL_COMPLETED, 5)),
        NEWS(next_completed(task)),
        loop ? NEWS(jg_group_start(&on.group, nap, NULL)) : -ECHILD,
    };
    return first_let_through(answers, sizeof(answers) / sizeof(answers[0]));
}

static int try_http(void) {
    char buf[8];
    const char *text;
    jg_http_response *response;
    const intptr_t answers[] = {
        NEWS(jg_http_get(half.client, "http://127.0.0.1:1/", &response)),
        NEWS(jg_http_read(half.answers[0], buf, 5)),
        NEWS(jg_http_body(half.answers[1], &text)),
        NEWS(jg_http_request_read(half.asked[0], buf, 5)),
        NEWS(jg_http_request_body(half.asked[1], &text)),
        NEWS(jg_http_reply(half.asked[2], 200, NULL, "x", 1)),
        NEWS(jg_http_reply_begin(half.asked[3], 200, NULL)),
        NEWS(jg_http_reply_write(half.begun[0], "x", 1)),
        NEWS(jg_http_reply_end(half.begun[1])),
    };
    return first_let_through(answers, sizeof(answers) / sizeof(answers[0]));
}

/* Everything that does not, where it is not the copy of a task: it changes the child's memory at most. */
static int try_rest(void) {
    char *data;
    jg_cancel(on.napping);
    jg_uncancel(on.napping);
    jg_group_cancel(&on.group);
    jg_detach(on.napping);
    jg_call_cancel(&on.call);
    jg_job_cancel(&on.job);
    jg_future_set(&on.called_back, 1);
    jg_sem_release(&on.sem);
    jg_queue_try_put(&on.queue, 7);
    jg_queue_put(&on.queue, 8);
    jg_lock_acquire(&on.lock); // nobody's: the child's to take
    jg_lock_release(&on.lock);
    jg_stream_peek(on.ends[0], &data);
    bool fine = jg_join(on.ended) == -ECHILD && jg_group_wait(&on.group) == -ECHILD &&
                jg_scope_reschedule(&on.group.scope, 0) == -ECHILD &&
                !jg_stream_idle_ok(on.ends[0]);
    jg_stream_close(on.ends[0]);
    jg_stream_close(on.ends[1]);
    jg_listener_close(on.listener);
    jg_udp_close(on.udp);
    jg_http_response_close(half.answers[0]);
    jg_http_response_close(half.answers[1]);
    jg_http_client_close(half.client);
    jg_signals_close(&on.signals);
    return fine ? 0 : 1;
}

static intptr_t use_all(void *arg) {
    (void)arg;
    int rc = try_waits();
    rc = rc != 0 ? rc : try_http();
    return rc != 0 ? rc : try_rest();
}

static intptr_t use_all_in_loop(void *arg) {
    return jg_run(use_all, arg);
}

static intptr_t use_all_in_pool(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    return use_all(NULL);
}

static void set_up(void) {
    static const char *const argv[] = {"sleep", "60", NULL};
    const jg_process_options sleeper = {.argv = argv, .out = {.kind = JG_STDIO_PIPE}};
    jg_address local;
    memset(&on, 0, sizeof(on));
    atomic_store(&gate, 0);
    calls = 0;
    open_pair(on.ends);
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &on.listener), 0);
    ck_assert_int_eq(jg_address_make("127.0.0.1", 0, &local), 0);
    ck_assert_int_eq(jg_udp_open(&local, NULL, &on.udp), 0);
    ck_assert_int_eq(jg_signals_open(&on.signals, JG_SIGNAL(SIGUSR1)), 0);
    ck_assert_int_eq(jg_worker_start(JG_WORKER_THREAD, give, (void *)4, NULL, &on.worker), 0);
    ck_assert_int_eq(jg_process_spawn(&sleeper, &on.process), on_backend("sim") ? -EOPNOTSUPP : 0);
    ck_assert_int_eq(jg_executor_open(NULL, &on.executor), 0);
    ck_assert_int_eq(jg_executor_submit(on.executor, &on.job, pass_gate, (void *)1), 0);
    ck_assert_int_eq(jg_executor_submit(NULL, &on.common_job, pass_gate, (void *)2), 0);
    ck_assert_int_eq(jg_call_later(&on.call, 60000, count_call, NULL), 0);
    ck_assert_int_eq(jg_future_add_done_callback(&on.called_back, &on.callback, note, NULL), 0);
    half_open();
    on.napping = jg_spawn(nap, NULL);
    on.ended = jg_spawn(give, (void *)3);
    jg_group_open(&on.group);
    jg_group_spawn(&on.group, take_permit, NULL);
    jg_group_spawn(&on.group, take_item, NULL);
    jg_sleep(1);
    jg_write(on.ends[1], "ab", 2); // there to be read
}

/* Nothing is used up, nothing has changed. */
static void check_all(void) {
    char buf[8];
    ck_assert_int_eq(calls, 0);
    ck_assert_int_eq(jg_read(on.ends[0], buf, sizeof(buf)), 2);
    ck_assert_int_eq(jg_write(on.ends[0], "x", 1), 1);
    ck_assert_int_eq(jg_read(on.ends[1], buf, sizeof(buf)), 1);
    ck_assert(jg_call_cancel(&on.call));
    ck_assert_int_eq(jg_future_set(&on.called_back, 1), 0);
    jg_sem_release(&on.sem);
    ck_assert_int_eq(jg_queue_put(&on.queue, 5), 0);
    ck_assert_int_eq(jg_group_wait(&on.group), 0);
    ck_assert_int_eq(jg_group_close(&on.group, 0), 0);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(jg_join(on.ended), 3);
    ck_assert_int_eq(jg_done(on.napping), 0);
    jg_cancel(on.napping);
    ck_assert_int_eq(jg_join(on.napping), -ECANCELED);
    atomic_store(&gate, 1);
    ck_assert_int_eq(jg_job_wait(&on.job), 1);
    ck_assert_int_eq(jg_job_wait(&on.common_job), 2);
    ck_assert_int_eq(jg_worker_join(on.worker), 4);
}

static void tear_down(void) {
    jg_process_close(on.process);
    ck_assert_int_eq(jg_executor_close(on.executor), 0);
    jg_signals_close(&on.signals);
    half_close();
    jg_udp_close(on.udp);
    jg_listener_close(on.listener);
    jg_queue_fini(&on.queue);
    close_pair(on.ends);
}

/* Runs `in_child` between the two. */
static intptr_t with_child(intptr_t (*in_child)(void)) {
    set_up();
    ck_assert_int_eq(in_child(), 0);
    check_all();
    tear_down();
    return 0;
}

static intptr_t worker(void) {
    jg_worker *child;
    ck_assert_int_eq(jg_worker_start(JG_WORKER_PROCESS, use_all, NULL, NULL, &child), 0);
    return jg_worker_join(child);
}

static intptr_t worker_with_loop(void) {
    jg_worker *child;
    ck_assert_int_eq(jg_worker_start(JG_WORKER_PROCESS, use_all_in_loop, NULL, NULL, &child), 0);
    return jg_worker_join(child);
}

static intptr_t pool_job(void) {
    const jg_process_pool_options few = {.processes = 1};
    jg_process_pool *pool;
    ck_assert_int_eq(jg_process_pool_open(&few, &pool), 0);
    intptr_t word = jg_process_pool_run(pool, use_all_in_pool, "x", 1, NULL);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return word;
}

/* The copy of the task itself. */
static intptr_t plain_fork(void) {
    int status = -1;
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        _exit(try_waits() != 0 || try_http() != 0 ? 1 : 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* A child of a worker: twice removed. */
static intptr_t fork_and_use(void *arg) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        _exit(use_all(arg) != 0 ? 1 : 0);
    }
    return waitpid(child, &status, 0) == child ? status : -1;
}

static intptr_t workers_child(void) {
    jg_worker *child;
    ck_assert_int_eq(jg_worker_start(JG_WORKER_PROCESS, fork_and_use, NULL, NULL, &child), 0);
    return jg_worker_join(child);
}

static intptr_t children_body(void *in_child) {
    return with_child((intptr_t(*)(void))in_child);
}

static void run_with(intptr_t (*in_child)(void)) {
    if (sanitized) {
        fixture_skip("sanitizers leave their allocator's locks as other threads held them");
    }
    run_once(children_body, (void *)in_child);
}

// A worker that used its parent's stream was aborted, or would have eaten what its parent was to read.
START_TEST(x06_a_worker_is_refused_its_parents_things) {
    run_with(worker);
}
END_TEST

// The same, where the worker has opened a loop, on which nothing of its parent's lives.
START_TEST(x06_a_loop_of_the_workers_own_is_another) {
    run_with(worker_with_loop);
}
END_TEST

// A job of a process pool finds the memory as it was when the pool was opened, the loop's things included.
START_TEST(x06_a_job_in_a_pool_is_refused_its_openers_things) {
    run_with(pool_job);
}
END_TEST

// The list above would be one of its own if a copy of the task were told anything else.
START_TEST(x06_a_plain_child_is_told_the_same) {
    run_with(plain_fork);
}
END_TEST

// What stayed behind two forks ago is no nearer.
START_TEST(x06_a_workers_child_is_refused_as_well) {
    run_with(workers_child);
}
END_TEST

FIXTURE_MAIN("api/fork_worker", x06_a_worker_is_refused_its_parents_things,
             x06_a_loop_of_the_workers_own_is_another,
             x06_a_job_in_a_pool_is_refused_its_openers_things, x06_a_plain_child_is_told_the_same,
             x06_a_workers_child_is_refused_as_well)
