// SPDX-License-Identifier: MIT
/* test_report.c – what people read: names of errors, failures nobody looked at, the tree of who waits.
 *
 * Holds      nothing between tests.
 * Invariant  the words are the same on every backend.
 * Called by  ctest, on epoll and sim.
 * Why        whoever has to find out what went wrong has nothing but these lines.
 */
#include "api/crew.h"
#include "fixtures/limits.h"

#include <juggle/debug.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// Names.

// A program would print a null pointer, or another error's name.
START_TEST(every_code_has_a_name) {
    ck_assert_str_eq(jg_error_name(-EIO), "EIO");
    const intptr_t odd[] = {0, 5, -4000, -4096, INTPTR_MIN};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        ck_assert_str_eq(jg_error_name(odd[i]), "E?");
        ck_assert_str_eq(jg_error_detail(odd[i]), "E?: no such error");
    }
    jg_fail(-EIO, "the disk is %s", "wet");
    ck_assert_str_eq(jg_error_detail(-EIO), "the disk is wet");
    ck_assert_str_eq(jg_error_detail(-EPERM), "EPERM: Operation not permitted");
    jg_fail(-EIO, "%s", ""); // nothing more to say
    ck_assert_str_eq(jg_error_detail(-EIO), "EIO: Input/output error");
}
END_TEST

static const char torn[] = "\ttwo\nlines\r\x1b[31m \x7f\xc3\xbc";
static const char whole[] = " two lines  [31m  \xc3\xbc";

static intptr_t fail_in_lines(void *arg) {
    (void)arg;
    return jg_fail(-EPROTO, "%s", torn);
}

static intptr_t lines_body(void *arg) {
    char text[2000];
    (void)arg;
    for (int i = 0; i < 2; i++) {
        jg_worker *worker;
        jg_worker_kind kind = i == 0 ? JG_WORKER_THREAD : JG_WORKER_PROCESS;
        ck_assert_int_eq(jg_worker_start(kind, fail_in_lines, NULL, NULL, &worker), 0);
        ck_assert_int_eq(jg_worker_join(worker), -EPROTO);
        ck_assert_str_eq(jg_error_last()->text, whole);
    }
    jg_fail_because(-EPIPE, "%s", torn);
    ck_assert_str_eq(jg_error_last()->text, whole);
    memset(text, 'a', sizeof(text));
    snprintf(text + sizeof(text) - sizeof(torn), sizeof(torn), "%s", torn);
    jg_fail(-EPIPE, "%s", text);
    size_t len = strlen(jg_error_detail(-EPIPE));
    ck_assert_uint_eq(len, sizeof(text) - 1);
    ck_assert_str_eq(jg_error_detail(-EPIPE) + len - strlen(whole), whole);
    jg_error_clear();
    return 0;
}

// What a peer sent would end the line of a log, forge the next one, or steer the terminal.
START_TEST(reason_is_one_line) {
    run_body(lines_body);
}
END_TEST

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

// Failures.

static intptr_t fail_with_cause(void *arg) {
    (void)arg;
    jg_fail(-EPIPE, "the wire is cut");
    return jg_fail_because(-EIO, "no answer");
}

static intptr_t fail_unseen(void *arg) {
    (void)arg;
    jg_detach(jg_spawn(fail_with_cause, NULL));
    return jg_sleep(1);
}

static void fail_and_die(void *arg) {
    jg_run(fail_unseen, arg);
    abort(); // the way to see what was said
}

static intptr_t queue_failing(void *arg) {
    static jg_call call;
    (void)arg;
    jg_call_soon(&call, fail_with_cause, NULL);
    return jg_sleep(1);
}

static void call_and_die(void *arg) {
    jg_run(queue_failing, arg);
    abort();
}

// A failure of a task that was let go would be lost without a word.
START_TEST(s50e_unseen_failure_is_told_with_its_cause) {
    fixture_expect_abort(fail_and_die, NULL, "juggle: task fail_with_cause (spawned at ");
    fixture_expect_abort(fail_and_die, NULL, "failed and nobody looked: EIO: no answer (");
    fixture_expect_abort(fail_and_die, NULL, "): the wire is cut (");
    fixture_expect_abort(call_and_die, NULL, "juggle: call fail_with_cause (queued at ");
}
END_TEST

// The tree.

static char tree[8192];

static void draw_tree(void) {
    int fd = memfd_create("tree", MFD_CLOEXEC);
    ck_assert_int_eq(jg_debug_tree(fd), 0);
    ssize_t size = pread(fd, tree, sizeof(tree) - 1, 0);
    close(fd);
    ck_assert_int_gt(size, 0);
    tree[size] = '\0';
}

static void expect_line(const char *text) {
    ck_assert_msg(strstr(tree, text) != NULL, "no \"%s\" in: %s", text, tree);
}

static intptr_t await_it(void *future) {
    return jg_future_wait(future);
}

struct bunch {
    jg_future *futures[5];
    intptr_t got;
};

static intptr_t gather_them(void *arg) {
    struct bunch *bunch = arg;
    bunch->got = jg_gather(bunch->futures, 5, NULL, JG_COLLECT_ERRORS);
    return 0;
}

static intptr_t read_it(void *stream) {
    char byte;
    return jg_read(stream, &byte, 1);
}

static intptr_t sleep_inside(void *arg) {
    return jg_sleep(*(int64_t *)arg);
}

static intptr_t wait_in_a_scope(void *arg) {
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        const jg_spawn_options member = {.name = "member", .group = group};
        jg_detach(jg_spawn_with(sleep_inside, arg, &member));
        intptr_t inner = 0;
        JG_TIMEOUT(60000, inner) { // a scope of the body, beside the member's
            inner = jg_group_wait(group);
        }
    }
    return rc;
}

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

static intptr_t tree_body(void *arg) {
    int64_t ms = 20;
    jg_stream *ends[2];
    jg_future plain = {0};
    (void)arg;
    open_pair(ends);
    const jg_spawn_options names[] = {{.name = "sleeper"}, {.name = "other"},  {.name = "joiner"},
                                      {.name = "waiter"},  {.name = "reader"}, {.name = "gatherer"},
                                      {.name = "scoped"},  {.name = "done"}};
    jg_task *done = jg_spawn_with(sleep_inside, &(int64_t){0}, &names[7]);
    jg_sleep(1);
    jg_task *sleeper = jg_spawn_with(sleep_inside, &ms, &names[0]);
    jg_task *other = jg_spawn_with(sleep_inside, &ms, &names[1]);
    struct bunch bunch = {.futures = {jg_task_future(sleeper), jg_task_future(other),
                                      jg_task_future(sleeper), &plain, jg_task_future(done)}};
    jg_task *tasks[] = {jg_spawn_with(await_it, &plain, &names[3]),
                        jg_spawn_with(read_it, ends[0], &names[4]),
                        jg_spawn_with(gather_them, &bunch, &names[5]),
                        jg_spawn_with(wait_in_a_scope, &ms, &names[6])};
    jg_task *joiner = jg_spawn_with(await_it, jg_task_future(other), &names[2]);
    jg_sleep(2);
    draw_tree();
    expect_line(" waits for sleep");
    expect_line(" waits for future\n");
    expect_line(" waits for join, which is up to other\n");
    expect_line(" waits for group, which is up to member\n");
    expect_line(" waits for read (fd ");
    // The one that is there twice is named once, the one that is done not at all.
    bool first = strstr(tree, "futures, which is up to sleeper, other\n") != NULL;
    ck_assert(first || strstr(tree, "futures, which is up to other, sleeper\n") != NULL);
    jg_future_set(&plain, 0);
    jg_write(ends[1], "x", 1);
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
        ck_assert_int_ge(jg_join(tasks[i]), 0);
    }
    ck_assert_int_eq(bunch.got, 0);
    jg_join(joiner);
    jg_join(sleeper);
    jg_join(other);
    jg_join(done);
    close_pair(ends);
    jg_future_fini(&plain);
    return 0;
}

// Whoever looks for what keeps a task would be sent to the wrong one, or to none.
START_TEST(the_tree_names_who_could_end_each_wait) {
    run_body(tree_body);
}
END_TEST

FIXTURE_MAIN("api/report", a_failing_call_has_its_own_reason,
             a_wait_for_others_has_no_reason_of_before,
             a_failure_without_a_reason_has_none_of_before,
             a_failure_without_a_loop_has_no_reason_of_before, every_code_has_a_name,
             reason_is_one_line, s50e_unseen_failure_is_told_with_its_cause,
             the_tree_names_who_could_end_each_wait)
