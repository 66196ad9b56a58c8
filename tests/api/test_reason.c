// SPDX-License-Identifier: MIT
/* test_reason.c – what stands behind a failure is its own reason, or none: never that of one before.
 *
 * Holds      what waits fail on.
 * Invariant  each call is made with an older failure of the same code on record.
 * Called by  ctest, on epoll and sim.
 * Why        a wrong reason in a log is worse than none. What may wait is in test_every_wait.c, a forked
 *            child's in test_fork_worker.c.
 */
#include "api/crew.h"
#include "fixtures/limits.h"

// Calls that open, start and transfer.

/* The code's reason is none of before. */
static void expect_reason(intptr_t code, intptr_t rc, const char *reason) {
    ck_assert_int_eq(rc, code);
    ck_assert_msg(strstr(jg_error_detail(rc), reason) != NULL, "told: %s", jg_error_detail(rc));
    jg_error_clear();
}

static intptr_t bare_body(void *arg) {
    const jg_address nothing = {0};
    jg_stream *pair[2];
    jg_stream *reader;
    jg_stream *writer;
    jg_worker *worker;
    jg_udp *udp;
    char byte;
    (void)arg;
    ck_assert_int_eq(jg_udp_open(NULL, NULL, &udp), 0);
    jg_fail(-EINVAL, "of before");
    expect_reason(-EINVAL, jg_udp_connect(udp, &nothing), "cannot give a datagram socket its peer");
    jg_fail(-EDEADLK, "of before");
    JG_NO_SUSPEND {
        expect_reason(-EDEADLK, jg_udp_recv(udp, &byte, 1, NULL, NULL),
                      "cannot receive a datagram");
    }
    jg_udp_close(udp);
    jg_fail(-EINVAL, "of before");
    expect_reason(-EINVAL, jg_worker_start((jg_worker_kind)7, bare_body, NULL, NULL, &worker),
                  "cannot start a worker");
    jg_fail(-EINVAL, "of before");
    expect_reason(-EINVAL, jg_wait_fd(0, 0), "EINVAL: ");
    jg_fail(-EINVAL, "of before");
    expect_reason(-EINVAL, jg_address_parse("nowhere", &(jg_address){0}), "EINVAL: ");
    jg_fail(-EBADF, "of before");
    expect_reason(-EBADF, jg_stream_open_fd(-1, &reader), "EBADF: ");
    ck_assert_int_eq(jg_pipe(&reader, &writer), 0);
    jg_fail(-EPIPE, "of before");
    expect_reason(-EPIPE, jg_write(reader, "x", 1), "EPIPE: ");
    jg_fail(-EPIPE, "of before");
    expect_reason(-EPIPE, jg_read(writer, &byte, 1), "EPIPE: ");
    jg_stream_close(reader);
    jg_stream_close(writer);
    open_pair(pair);
    jg_stream_close(pair[1]);
    jg_fail(-EPIPE, "of before");
    expect_reason(-EPIPE, jg_read_exact(pair[0], &byte, 1), "EPIPE: ");
    jg_fail(-EMSGSIZE, "of before");
    jg_fail(-EPIPE, "of now");
    ck_assert_int_eq(jg_read(pair[0], &byte, 1), 0);
    ck_assert_str_eq(jg_error_detail(-EPIPE), "of now"); // what went well forgets nothing
    ck_assert_int_eq(jg_wait_fd(0, 0), -EINVAL);
    ck_assert_str_eq(jg_error_detail(-EPIPE), "of now"); // nor does another failure
    jg_stream_close(pair[0]);
    return 0;
}

// A read that fails would be explained by a connect that failed long ago with the same code.
START_TEST(a_failure_without_a_reason_has_none_of_before) {
    run_once(bare_body, NULL);
}
END_TEST

static intptr_t reasons_body(void *arg) {
    jg_listener *listener;
    jg_process_pool *pool;
    jg_udp *udp;
    const jg_address nothing = {0};
    (void)arg;
    ck_assert_int_eq(jg_udp_open(NULL, NULL, &udp), 0);
    jg_fail(-EINVAL, "of before");
    expect_reason(-EINVAL, jg_unix_listen("", &listener), "cannot listen on");
    jg_fail(-EINVAL, "of before");
    expect_reason(-EINVAL, jg_udp_send(udp, &nothing, "x", 1), "cannot send a datagram");
    jg_fail(-EDESTADDRREQ, "of before");
    expect_reason(-EDESTADDRREQ, jg_udp_send(udp, NULL, "x", 1), "cannot send a datagram");
    jg_fail(-EINVAL, "of before");
    expect_reason(-EINVAL, jg_udp_open(&nothing, NULL, &udp), "cannot open a datagram socket");
    jg_fail(-ENOMEM, "of before");
    expect_reason(-ENOMEM, jg_run_many(SIZE_MAX, reasons_body, NULL, 0, NULL), "loops");
    rlim_t before = leave_descriptors(0);
    jg_fail(-EMFILE, "of before");
    int rc = jg_process_pool_open(NULL, &pool);
    set_descriptors(before);
    expect_reason(-EMFILE, rc, "cannot start the fork server");
    jg_udp_close(udp);
    return 0;
}

// A call that records nothing would be explained by an older failure with the same code.
START_TEST(a_failing_call_has_its_own_reason) {
    run_once(reasons_body, NULL);
}
END_TEST

// Waits for others.

// What the calls below are made on: each fails.
static struct {
    jg_lock mine;
    jg_lock others;
    jg_cond cond;
    jg_sem none;
    jg_sem all;
    jg_barrier broken;
    jg_barrier nobody;
    jg_queue shut;
    jg_queue full;
    jg_queue empty;
    jg_chan closed;
    jg_chan lonely;
    jg_xchan xclosed;
    jg_future done;
    jg_future pending;
    jg_future failed;
    jg_scope scope;
    jg_task *napping;
    int element;
    intptr_t word;
} poor;

static intptr_t hold_other(void *arg) {
    (void)arg;
    jg_lock_acquire(&poor.others);
    return jg_sleep(60000);
}

#define POOR(code, call)                                                                           \
    do {                                                                                           \
        jg_fail((code), "of before");                                                              \
        intptr_t rc_ = (call);                                                                     \
        ck_assert_int_eq(rc_, (code));                                                             \
        ck_assert_msg(strcmp(jg_error_detail(code), "of before") != 0, "%s", #call);               \
    } while (0)

static void try_poor(void) {
    jg_case sends[] = {jg_case_send(&poor.closed, &poor.element)};
    jg_case receives[] = {jg_case_recv(&poor.lonely, &poor.element)};
    POOR(-EDEADLK, jg_lock_acquire(&poor.mine));
    POOR(-EDEADLK, jg_lock_try(&poor.mine));
    POOR(-EBUSY, jg_lock_try(&poor.others));
    POOR(-EPERM, jg_lock_release(&poor.others));
    POOR(-EPERM, jg_cond_wait(&poor.cond, &poor.others));
    POOR(-EAGAIN, jg_sem_try(&poor.none));
    POOR(-EOVERFLOW, jg_sem_release(&poor.all));
    POOR(-EPIPE, jg_barrier_wait(&poor.broken));
    POOR(-EINVAL, jg_barrier_wait(&poor.nobody));
    POOR(-EPIPE, jg_queue_put(&poor.shut, 1));
    POOR(-EPIPE, jg_queue_try_put(&poor.shut, 1));
    POOR(-EPIPE, jg_queue_get(&poor.shut, &poor.word));
    POOR(-EAGAIN, jg_queue_try_put(&poor.full, 2));
    POOR(-EAGAIN, jg_queue_try_get(&poor.empty, &poor.word));
    POOR(-EINVAL, jg_queue_task_done(&poor.empty));
    POOR(-EPIPE, jg_chan_send(&poor.closed, &poor.element));
    POOR(-EPIPE, jg_chan_try_send(&poor.closed, &poor.element));
    POOR(-EAGAIN, jg_chan_try_recv(&poor.lonely, &poor.element));
    POOR(-EPIPE, (jg_select(sends, 1), sends[0].rc));
    POOR(-EAGAIN, jg_select_try(receives, 1));
    POOR(-EINVAL, jg_select(receives, 0));
    POOR(-EPIPE, jg_xchan_send(&poor.xclosed, &poor.element));
    POOR(-EPIPE, jg_xchan_try_send(&poor.xclosed, &poor.element));
    POOR(-EALREADY, jg_future_set(&poor.done, 1));
    POOR(-EINVAL, jg_future_fail(&poor.done, 1));
    POOR(-EAGAIN, jg_future_result(&poor.pending));
    POOR(-EIO, jg_future_result(&poor.failed));
    POOR(-EINVAL, jg_wait(NULL, 0, JG_ALL_COMPLETED, -1));
    POOR(-EDEADLK, jg_join(jg_self()));
    POOR(-EINVAL, jg_join(NULL));
    jg_spawn_with(hold_other, NULL, &(jg_spawn_options){.stack_size = (size_t)2 << 30});
    POOR(-EINVAL, jg_join(NULL));
    POOR(-EALREADY, jg_started(1));
}

/* What ends a wait that has begun. */
static intptr_t put_waiting(void *arg) {
    (void)arg;
    POOR(-EPIPE, jg_queue_put(&poor.full, 2));
    return 0;
}

static intptr_t send_waiting(void *arg) {
    (void)arg;
    POOR(-EPIPE, jg_chan_send(&poor.lonely, &poor.element));
    return 0;
}

static intptr_t select_waiting(void *arg) {
    jg_case cases[] = {jg_case_send(&poor.lonely, &poor.element)};
    (void)arg;
    POOR(-EPIPE, (jg_select(cases, 1), cases[0].rc));
    return 0;
}

static intptr_t sleep_cancelled(void *arg) {
    (void)arg;
    POOR(-ECANCELED, jg_sleep(60000));
    return 0;
}

static intptr_t sleep_limited(void *arg) {
    int rc = 0;
    (void)arg;
    POOR(-ETIMEDOUT, ({
        JG_TIMEOUT(1, rc) {
            rc = jg_sleep(60000);
        }
        rc;
    }));
    return 0;
}

static intptr_t poor_body(void *arg) {
    (void)arg;
    memset(&poor, 0, sizeof(poor));
    jg_lock_acquire(&poor.mine);
    jg_sem_init_bounded(&poor.all, 1);
    jg_barrier_init(&poor.broken, 2);
    jg_barrier_abort(&poor.broken);
    jg_queue_shutdown(&poor.shut, false);
    jg_queue_init(&poor.full, &(jg_queue_options){.capacity = 1});
    jg_queue_put(&poor.full, 1);
    jg_chan_init(&poor.closed, sizeof(int), NULL, 0);
    jg_chan_close(&poor.closed);
    jg_chan_init(&poor.lonely, sizeof(int), NULL, 0);
    jg_xchan_init(&poor.xclosed, sizeof(int), NULL, 0);
    jg_xchan_close(&poor.xclosed);
    jg_future_set(&poor.done, 1);
    jg_future_set(&poor.failed, -EIO);
    poor.napping = jg_spawn(hold_other, NULL);
    jg_sleep(1);
    try_poor();
    JG_GROUP(group) {
        jg_group_spawn(group, put_waiting, NULL);
        jg_group_spawn(group, send_waiting, NULL);
        jg_group_spawn(group, select_waiting, NULL);
        jg_group_spawn(group, sleep_limited, NULL);
        jg_task *cancelled = jg_spawn(sleep_cancelled, NULL);
        jg_sleep(1);
        jg_cancel(cancelled);
        jg_queue_shutdown(&poor.full, true);
        jg_chan_close(&poor.lonely);
        ck_assert_int_eq(jg_join(cancelled), 0);
    }
    POOR(-ECANCELED, (jg_cancel(poor.napping), jg_join(poor.napping)));
    ck_assert_str_eq(jg_error_last()->task, "hold_other"); // what stands behind it is there
    jg_lock_release(&poor.mine);
    jg_queue_fini(&poor.full);
    jg_future_fini(&poor.done);
    return 0;
}

// A lock that is not to be had would be explained by a connection that failed long ago.
START_TEST(a_wait_for_others_has_no_reason_of_before) {
    if (on_backend("blocking")) {
        fixture_skip("without a loop there are no others");
    }
    run_body(poor_body);
}
END_TEST

// Without a loop.

static intptr_t fail_bare(void *arg) {
    (void)arg;
    return -EIO;
}

static intptr_t get_over(void *arg) {
    (void)arg;
    jg_fail(-EBADF, "got over");
    return 0;
}

/* Where the caller's own thread does what others do in a loop. */
static void try_here(void) {
    const char *const echo[] = {"/bin/echo", "more than a byte", NULL};
    const jg_process_options options = {.argv = echo};
    jg_process_output output;
    int item = 0;
    POOR(-EIO, jg_to_thread(fail_bare, NULL));
    POOR(-EIO, jg_map(JG_MAP_INLINE, fail_bare, &item, sizeof(item), 1, NULL, NULL));
    POOR(-ENOENT, jg_path_unlink("/nowhere/at/all"));
    POOR(-ENXIO, jg_sim_host_cut("host"));
    POOR(-EMSGSIZE, jg_process_run(&options, NULL, 0, 1, &output));
}

// A program without a loop would read in the log why something else had failed, or of nothing at all.
START_TEST(a_failure_without_a_loop_has_no_reason_of_before) {
    int item = 0;
    try_here();
    jg_fail(-EBADF, "of before");
    ck_assert_int_eq(jg_to_thread(get_over, NULL), 0);
    ck_assert_int_eq(jg_map(JG_MAP_INLINE, get_over, &item, sizeof(item), 1, NULL, NULL), 0);
    ck_assert_str_eq(jg_error_detail(-EBADF), "of before");
    jg_error_clear();
}
END_TEST

FIXTURE_MAIN("api/reason", a_failure_without_a_reason_has_none_of_before,
             a_failing_call_has_its_own_reason, a_wait_for_others_has_no_reason_of_before,
             a_failure_without_a_loop_has_no_reason_of_before)
