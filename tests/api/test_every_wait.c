// SPDX-License-Identifier: MIT
/* test_every_wait.c – every call that may suspend, where it must not, cannot, or is asked to stop.
 *
 * Holds      what the calls are made on; one table of them all.
 * Invariant  each declaration marked JG_SUSPENDS is in the table: tests/lint/waits.py looks.
 * Called by  ctest, on epoll and sim, which has no subprocesses.
 * Why        a call that forgets to ask would suspend in a region that must not, or hang in a forked child.
 */
#define FIXTURE_LIMIT 20
#include "api/http_half.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum mode { NO_SUSPEND, FORKED, CANCELLED, MODES };

#define RETURNS(word) ((word) + 1) // in `expected`, where 0 is the mode's refusal

/* What the calls are made on. All of them would wait. */
static struct {
    jg_stream *ends[2];
    jg_lock mine;
    jg_lock others;
    jg_cond cond;
    jg_event event;
    jg_sem sem;
    jg_barrier barrier;
    jg_queue empty;
    jg_queue full;
    jg_chan chan;
    jg_xchan xchan;
    jg_listener *listener;
    jg_udp *udp;
    jg_file *file;
    jg_process *process;
    jg_process_pool *pool;
    jg_executor *executor;
    jg_job job;
    jg_worker *worker;
    jg_signals signals;
    jg_http_response *response;
    jg_task *task;
    jg_group group;
    char path[64];
} on;

static atomic_int gate;

static intptr_t pass_gate(void *arg) {
    while (atomic_load(&gate) == 0) {
        sched_yield();
    }
    return (intptr_t)arg;
}

static intptr_t give(void *arg) {
    return arg != NULL ? (intptr_t)arg : 0;
}

static intptr_t nap(void *arg) {
    (void)arg;
    return jg_sleep(60000);
}

static intptr_t pooled(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    return 3;
}

static bool never(void *arg) {
    (void)arg;
    return false;
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

static intptr_t complete_one(void) {
    jg_future fresh = {.done = false};
    jg_future *one = &fresh;
    intptr_t rc = 0;
    JG_AS_COMPLETED(each, &one, 1, -1, rc) {}
    return rc;
}

/* A wait for a future of its own. */
#define WITH_FUTURE(call)                                                                          \
    ({                                                                                             \
        jg_future fresh = {.done = false};                                                         \
        jg_future *one = &fresh;                                                                   \
        intptr_t rc_ = (call);                                                                     \
        (void)one;                                                                                 \
        rc_;                                                                                       \
    })

static char buf[64];
static int place = 1;
static intptr_t word;
static struct stat about;
static jg_process_status status;
static jg_process_output output;
static jg_stream *stream;
static jg_file *opened;
static char *data;
static const char *text;
static size_t size;
static jg_address address;
static const char *const true_argv[] = {"true", NULL};
static const jg_process_options run_true = {.argv = true_argv};
static struct iovec piece = {buf, 1};

/* WAIT(name, call, what else than a refusal it returns, by mode). */
#define EVERY_WAIT(WAIT)                                                                           \
    WAIT(jg_yield, jg_yield())                                                                     \
    WAIT(jg_sleep, jg_sleep(1))                                                                    \
    WAIT(jg_sleep_until, jg_sleep_until(0))                                                        \
    WAIT(jg_future_wait, WITH_FUTURE(jg_future_wait(one)))                                         \
    WAIT(jg_shield, WITH_FUTURE(jg_shield(one)))                                                   \
    WAIT(jg_wait_for, WITH_FUTURE(jg_wait_for(one, 5)))                                            \
    WAIT(jg_gather, WITH_FUTURE(jg_gather(&one, 1, NULL, JG_FAIL_FIRST)))                          \
    WAIT(jg_wait, WITH_FUTURE(jg_wait(&one, 1, JG_ALL_COMPLETED, -1)))                             \
    WAIT(jg_as_completed_next, complete_one())                                                     \
    WAIT(jg_lock_acquire, jg_lock_acquire(&on.others))                                             \
    WAIT(jg_cond_wait, jg_cond_wait(&on.cond, &on.mine))                                           \
    WAIT(jg_cond_wait_for, jg_cond_wait_for(&on.cond, &on.mine, never, NULL))                      \
    WAIT(jg_event_wait, jg_event_wait(&on.event))                                                  \
    WAIT(jg_sem_acquire, jg_sem_acquire(&on.sem))                                                  \
    WAIT(jg_barrier_wait, jg_barrier_wait(&on.barrier))                                            \
    WAIT(jg_queue_put, jg_queue_put(&on.full, 1))                                                  \
    WAIT(jg_queue_get, jg_queue_get(&on.empty, &word))                                             \
    WAIT(jg_queue_join, jg_queue_join(&on.full))                                                   \
    WAIT(jg_chan_send, jg_chan_send(&on.chan, &place))                                             \
    WAIT(jg_chan_recv, jg_chan_recv(&on.chan, &place))                                             \
    WAIT(jg_select, ({                                                                             \
             jg_case cases[] = {jg_case_recv(&on.chan, &place)};                                   \
             jg_select(cases, 1);                                                                  \
         }))                                                                                       \
    WAIT(jg_xchan_send, jg_xchan_send(&on.xchan, &place))                                          \
    WAIT(jg_xchan_recv, jg_xchan_recv(&on.xchan, &place))                                          \
    WAIT(jg_read, jg_read(on.ends[0], buf, 5))                                                     \
    WAIT(jg_read_exact, jg_read_exact(on.ends[0], buf, 2))                                         \
    WAIT(jg_read_until, jg_read_until(on.ends[0], '\n', buf, 20))                                  \
    WAIT(jg_stream_fill, jg_stream_fill(on.ends[0], 9, &data))                                     \
    WAIT(jg_write, jg_write(on.ends[0], "x", 1))                                                   \
    WAIT(jg_writev, jg_writev(on.ends[0], &piece, 1))                                              \
    WAIT(jg_tcp_connect, jg_tcp_connect("127.0.0.1", 9, &stream))                                  \
    WAIT(jg_unix_connect, jg_unix_connect("/no/such", &stream))                                    \
    WAIT(jg_accept, jg_accept(on.listener, &stream))                                               \
    WAIT(jg_serve, jg_serve(on.listener, handle, NULL, NULL))                                      \
    WAIT(jg_http_serve, jg_http_serve(on.listener, answer, NULL, NULL, NULL))                      \
    WAIT(jg_resolve, jg_resolve("somehost.invalid", 1, &address, 1))                               \
    WAIT(jg_udp_recv, jg_udp_recv(on.udp, buf, 9, NULL, NULL))                                     \
    WAIT(jg_udp_send, jg_udp_send(on.udp, &address, "x", 1))                                       \
    WAIT(jg_wait_fd, jg_wait_fd(jg_stream_fd(on.ends[1]), JG_READABLE))                            \
    WAIT(jg_file_open, jg_file_open(on.path, O_RDONLY, 0, &opened))                                \
    WAIT(jg_file_read, jg_file_read(on.file, buf, 3))                                              \
    WAIT(jg_file_write, jg_file_write(on.file, "x", 1))                                            \
    WAIT(jg_file_pread, jg_file_pread(on.file, buf, 2, 0))                                         \
    WAIT(jg_file_pwrite, jg_file_pwrite(on.file, "x", 1, 0))                                       \
    WAIT(jg_file_size, jg_file_size(on.file))                                                      \
    WAIT(jg_file_truncate, jg_file_truncate(on.file, 1))                                           \
    WAIT(jg_file_sync, jg_file_sync(on.file))                                                      \
    WAIT(jg_file_load, jg_file_load(on.path, 0, &data, &size))                                     \
    WAIT(jg_file_store, jg_file_store(on.path, "x", 1))                                            \
    WAIT(jg_path_rename, jg_path_rename("/no/such", "/no/way"))                                    \
    WAIT(jg_path_unlink, jg_path_unlink("/no/such"))                                               \
    WAIT(jg_path_mkdir, jg_path_mkdir("/no/such", 0700))                                           \
    WAIT(jg_path_rmdir, jg_path_rmdir("/no/such"))                                                 \
    WAIT(jg_path_stat, jg_path_stat("/", &about))                                                  \
    WAIT(jg_process_wait, jg_process_wait(on.process, &status))                                    \
    WAIT(jg_process_communicate, jg_process_communicate(on.process, NULL, 0, 0, &output))          \
    WAIT(jg_process_run, jg_process_run(&run_true, NULL, 0, 0, &output))                           \
    WAIT(jg_process_pool_run, jg_process_pool_run(on.pool, pooled, "x", 1, NULL))                  \
    WAIT(jg_executor_run, jg_executor_run(on.executor, pass_gate, NULL))                           \
    WAIT(jg_to_thread, jg_to_thread(pass_gate, NULL))                                              \
    WAIT(jg_signals_next, jg_signals_next(&on.signals))                                            \
    WAIT(jg_signal_wait, jg_signal_wait(JG_SIGNAL(SIGUSR2)))                                       \
    WAIT(jg_map, jg_map(JG_MAP_INLINE, pass_gate, buf, 1, 1, NULL, NULL))                          \
    WAIT(jg_run_many, jg_run_many(2, pass_gate, NULL, 0, NULL))                                    \
    WAIT(jg_http_send, jg_http_send(half.client, &(jg_http_request){.url = "http://127.0.0.1:1/"}, \
                                    &on.response))                                                 \
    WAIT(jg_http_get, jg_http_get(half.client, "http://127.0.0.1:1/", &on.response))               \
    WAIT(jg_http_read, jg_http_read(half.answers[0], buf, 5))                                      \
    WAIT(jg_http_body, jg_http_body(half.answers[1], &text))                                       \
    WAIT(jg_http_request_read, jg_http_request_read(half.asked[0], buf, 5))                        \
    WAIT(jg_http_request_body, jg_http_request_body(half.asked[1], &text))                         \
    WAIT(jg_http_reply, jg_http_reply(half.asked[2], 200, NULL, "x", 1))                           \
    WAIT(jg_http_reply_begin, jg_http_reply_begin(half.asked[3], 200, NULL))                       \
    WAIT(jg_http_reply_write, jg_http_reply_write(half.begun[0], "x", 1))                          \
    WAIT(jg_http_reply_end, jg_http_reply_end(half.begun[1]))                                      \
    WAIT(jg_group_start, jg_group_start(&on.group, nap, NULL))                                     \
    WAIT(jg_group_wait, jg_group_wait(&on.group), [FORKED] = RETURNS(0))                           \
    WAIT(jg_job_wait, jg_job_wait(&on.job))                                                        \
    WAIT(jg_join, jg_join(on.task))                                                                \
    WAIT(jg_worker_join, jg_worker_join(on.worker), [CANCELLED] = RETURNS(4))                      \
    WAIT(jg_executor_close, jg_executor_close(on.executor), [CANCELLED] = RETURNS(0))              \
    WAIT(jg_process_pool_close, jg_process_pool_close(on.pool), [CANCELLED] = RETURNS(0))

#define DEFINE_TRY(name, call, ...)                                                                \
    static intptr_t try_##name(void) {                                                             \
        return call;                                                                               \
    }
EVERY_WAIT(DEFINE_TRY)

#define ROW(name, call, ...) {#name, #call, try_##name, {__VA_ARGS__}},
static const struct {
    const char *name;
    const char *call;
    intptr_t (*try_it)(void);
    intptr_t expected[MODES];
} waits[] = {EVERY_WAIT(ROW)};

/* Returns how many did not do as they should, and names them. */
static int try_all(enum mode mode) {
    static const intptr_t codes[] = {-EDEADLK, -ECHILD, -ECANCELED};
    int wrong = 0;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        intptr_t expected = waits[i].expected[mode];
        bool simulated = on.process == NULL && strstr(waits[i].call, "on.process");
        if (simulated) {
            continue;
        }
        expected = expected == 0 ? codes[mode] : expected - 1;
        jg_fail(expected, "another failure");
        intptr_t rc = waits[i].try_it();
        if (rc != expected) {
            dprintf(STDERR_FILENO, "%s: %ld (%s) instead of %ld\n", waits[i].name, (long)rc,
                    jg_error_name(rc), (long)expected);
            wrong++;
        } else if (rc < 0 && strcmp(jg_error_detail(rc), "another failure") == 0) {
            dprintf(STDERR_FILENO, "%s: explained by an older failure\n", waits[i].name);
            wrong++;
        }
    }
    return wrong;
}

static void set_up(void) {
    static const char *const sleep_argv[] = {"sleep", "60", NULL};
    const jg_process_options sleeper = {.argv = sleep_argv, .out = {.kind = JG_STDIO_PIPE}};
    const jg_queue_options narrow = {.capacity = 1};
    const jg_process_pool_options few = {.processes = 1};
    snprintf(on.path, sizeof(on.path), "/tmp/juggle-every-wait-%d", (int)getpid());
    ck_assert_int_eq(jg_stream_pair(&on.ends[0], &on.ends[1]), 0);
    jg_lock_acquire(&on.mine);
    jg_barrier_init(&on.barrier, 2);
    jg_queue_init(&on.empty, &narrow);
    jg_queue_init(&on.full, &narrow);
    jg_queue_put(&on.full, 1);
    jg_chan_init(&on.chan, sizeof(int), NULL, 0);
    jg_xchan_init(&on.xchan, sizeof(int), NULL, 0);
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &on.listener), 0);
    ck_assert_int_eq(jg_address_make("127.0.0.1", 0, &address), 0);
    ck_assert_int_eq(jg_udp_open(&address, NULL, &on.udp), 0);
    ck_assert_int_eq(jg_udp_address(on.udp, &address), 0);
    ck_assert_int_eq(jg_file_open(on.path, O_RDWR | O_CREAT, 0600, &on.file), 0);
    ck_assert_int_eq(jg_process_spawn(&sleeper, &on.process), on_backend("sim") ? -EOPNOTSUPP : 0);
    ck_assert_int_eq(jg_process_pool_open(&few, &on.pool), 0);
    ck_assert_int_eq(jg_executor_open(NULL, &on.executor), 0);
    on.job.abandon = true;
    ck_assert_int_eq(jg_executor_submit(NULL, &on.job, pass_gate, (void *)1), 0);
    ck_assert_int_eq(jg_worker_start(JG_WORKER_THREAD, give, (void *)4, NULL, &on.worker), 0);
    ck_assert_int_eq(jg_signals_open(&on.signals, JG_SIGNAL(SIGUSR1)), 0);
    half_open();
    on.task = jg_spawn(nap, NULL);
}

/* What a call under a cancel has used up is given up already. */
static void tear_down(bool used_up) {
    atomic_store(&gate, 1);
    if (!used_up) {
        ck_assert_int_eq(jg_job_wait(&on.job), 1);
        jg_cancel(on.task);
        ck_assert_int_eq(jg_join(on.task), -ECANCELED);
        ck_assert_int_eq(jg_worker_join(on.worker), 4);
        ck_assert_int_eq(jg_executor_close(on.executor), 0);
        ck_assert_int_eq(jg_process_pool_close(on.pool), 0);
    }
    half_close();
    jg_signals_close(&on.signals);
    jg_process_close(on.process);
    ck_assert_int_eq(jg_file_close(on.file), 0);
    ck_assert_int_eq(unlink(on.path), 0);
    jg_udp_close(on.udp);
    jg_listener_close(on.listener);
    jg_queue_fini(&on.full);
    jg_queue_fini(&on.empty);
    jg_lock_release(&on.mine);
    close_pair(on.ends);
}

static intptr_t region_body(void *arg) {
    int wrong = 0;
    (void)arg;
    set_up();
    jg_group_open(&on.group);
    jg_group_spawn(&on.group, nap, NULL);
    JG_NO_SUSPEND {
        wrong = try_all(NO_SUSPEND);
    }
    jg_group_cancel(&on.group);
    jg_group_close(&on.group, 0);
    tear_down(false);
    return -wrong;
}

// Another task would see what was to be changed in one step.
START_TEST(a_no_suspend_region_refuses_every_wait) {
    run_once(region_body, NULL);
}
END_TEST

static intptr_t forking_body(void *arg) {
    int ended = -1;
    (void)arg;
    set_up();
    jg_group_open(&on.group);
    jg_group_spawn(&on.group, nap, NULL);
    pid_t child = fork();
    if (child == 0) {
        _exit(try_all(FORKED));
    }
    ck_assert_int_eq(waitpid(child, &ended, 0), child);
    jg_group_cancel(&on.group);
    jg_group_close(&on.group, 0);
    tear_down(false);
    return -ended;
}

// A forked child would wait for what only its parent's loop could bring.
START_TEST(a_forked_copy_of_a_task_refuses_every_wait) {
    if (sanitized) {
        fixture_skip(
            "gcc 12's AddressSanitizer leaves its allocator's locks as a thread held them");
    }
    run_once(forking_body, NULL);
}
END_TEST

static intptr_t cancelled_body(void *arg) {
    (void)arg;
    set_up();
    jg_group_open(&on.group);
    jg_group_spawn(&on.group, nap, NULL);
    jg_cancel(jg_self());
    int wrong = try_all(CANCELLED);
    jg_uncancel(jg_self());
    jg_group_cancel(&on.group);
    jg_group_close(&on.group, 0);
    tear_down(true);
    return -wrong;
}

// A task that was cancelled would wait on, where its code does not look at what came back.
START_TEST(a_cancel_ends_every_wait) {
    run_once(cancelled_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/every_wait", a_no_suspend_region_refuses_every_wait,
             a_forked_copy_of_a_task_refuses_every_wait, a_cancel_ends_every_wait)
