// SPDX-License-Identifier: MIT
/* test_report.c – what people read: names of errors, failures nobody looked at, the tree of who waits.
 *
 * Holds      nothing between tests.
 * Invariant  the words are the same on every backend.
 * Called by  ctest, on epoll and sim.
 * Why        whoever has to find out what went wrong has nothing but these lines.
 */
#include "api/api.h"

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

FIXTURE_MAIN("api/report", every_code_has_a_name, reason_is_one_line,
             s50e_unseen_failure_is_told_with_its_cause, the_tree_names_who_could_end_each_wait)
