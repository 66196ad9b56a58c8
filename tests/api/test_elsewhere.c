// SPDX-License-Identifier: MIT
/* test_elsewhere.c – what belongs to one loop, used by another thread; what is closed, closed again.
 *
 * Holds      nothing between tests.
 * Invariant  each misuse ends with its name, before it has touched what is another's.
 * Called by  ctest, on epoll and sim.
 * Why        otherwise such a call corrupts a loop, which breaks much later and somewhere else.
 */
#define FIXTURE_LIMIT 30
#include "api/executor_gate.h"
#include "api/http_half.h"

/* What another thread does to a task of ours, outside of a loop or in one of its own. */
struct use {
    jg_fn *fn;
    jg_fn *task_fn; // what our task does
    bool in_loop;
};

static intptr_t cancel_it(void *task) {
    return jg_cancel(task);
}

static intptr_t uncancel_it(void *task) {
    return jg_uncancel(task);
}

static intptr_t join_it(void *task) {
    return jg_join(task);
}

static intptr_t detach_it(void *task) {
    jg_detach(task);
    return 0;
}

static intptr_t use_in_loop(void *arg) {
    void **fn_and_task = arg;
    return jg_run(*(jg_fn **)fn_and_task[0], fn_and_task[1]);
}

static intptr_t use_body(void *arg) {
    static const jg_spawn_options named = {.name = "ours"};
    struct use *use = arg;
    jg_task *task = jg_spawn_with(use->task_fn, NULL, &named);
    void *fn_and_task[] = {&use->fn, task};
    jg_sleep(1); // by then it has begun, or is over
    return jg_worker_join(use->in_loop ? start(JG_WORKER_THREAD, use_in_loop, fn_and_task)
                                       : start(JG_WORKER_THREAD, use->fn, task));
}

static void run_use(void *use) {
    jg_run(use_body, use);
}

static void expect_misuse(jg_fn *fn, jg_fn *task_fn, const char *what) {
    char text[100];
    snprintf(text, sizeof(text), "%s on another thread than that of its loop", what);
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        struct use use = {fn, task_fn, in_loop};
        fixture_expect_abort(run_use, &use, text);
    }
}

// A cancel from another thread would change the tree of scopes under the feet of its loop.
START_TEST(cancel_from_another_thread_is_named) {
    expect_misuse(cancel_it, sleep_long, "cancel of task ours");
    expect_misuse(uncancel_it, sleep_long, "uncancel of task ours");
}
END_TEST

// The stack of an ended task would go to two threads; of one that lives, neither would hear of the other.
START_TEST(join_and_detach_from_another_thread_are_named) {
    expect_misuse(join_it, sleep_long, "join of task ours");
    expect_misuse(join_it, square, "join of task ours");
    expect_misuse(detach_it, sleep_long, "detach of task ours");
    expect_misuse(detach_it, square, "detach of task ours");
}
END_TEST

static intptr_t wait_future(void *task) {
    return jg_future_wait(jg_task_future(task));
}

static intptr_t wait_for_it(void *task) {
    return jg_wait_for(jg_task_future(task), 5);
}

static intptr_t wait_all(void *task) {
    jg_future *future = jg_task_future(task);
    return jg_wait(&future, 1, JG_ALL_COMPLETED, 5);
}

static intptr_t gather_it(void *task) {
    jg_future *future = jg_task_future(task);
    return jg_gather(&future, 1, NULL, JG_COLLECT_ERRORS);
}

static void ignore_word(void *arg, intptr_t result) {
    (void)arg;
    (void)result;
}

static intptr_t ask_to_be_called(void *task) {
    static jg_done_callback callback;
    return jg_future_add_done_callback(jg_task_future(task), &callback, ignore_word, NULL);
}

static intptr_t ask_in_loop(void *task) {
    return jg_run(ask_to_be_called, task);
}

// Who waits would be woken by another thread than its own, or not at all.
START_TEST(waits_from_another_thread_are_named) {
    expect_misuse(wait_future, sleep_long, "wait for task ours");
    expect_misuse(wait_for_it, sleep_long, "wait for task ours");
    expect_misuse(wait_all, sleep_long, "wait for task ours");
    expect_misuse(gather_it, sleep_long, "wait for task ours");
    struct use use = {ask_in_loop, sleep_long, false};
    fixture_expect_abort(run_use, &use, "wait for task ours on another thread");
}
END_TEST

static intptr_t settle_it(void *future) {
    return jg_future_set(future, 7);
}

static intptr_t settle_in_loop(void *future) {
    return jg_run(settle_it, future);
}

static void never_called(void *arg, intptr_t result) {
    (void)arg;
    ck_abort_msg("called with %ld", (long)result);
}

static intptr_t called_body(void *fn) {
    jg_future future = {0};
    jg_done_callback callback = {0};
    jg_future_add_done_callback(&future, &callback, never_called, NULL);
    return jg_worker_join(start(JG_WORKER_THREAD, *(jg_fn **)fn, &future));
}

static void run_called(void *fn) {
    jg_run(called_body, fn);
}

// A callback would be called on a thread that is not its loop's, or never.
START_TEST(settling_with_callbacks_from_another_thread_is_named) {
    static jg_fn *without = settle_it;
    static jg_fn *within = settle_in_loop;
    const char *text = "the loop does not run that is to call never_called";
    fixture_expect_abort(run_called, &without, text);
    fixture_expect_abort(run_called, &within, text);
}
END_TEST

static jg_scope limited;

static intptr_t sleep_in_scope(void *arg) {
    (void)arg;
    jg_scope_open(&limited, jg_now() + 60 * JG_S, false);
    return jg_scope_close(&limited, jg_sleep_until(JG_NEVER));
}

static intptr_t reschedule_it(void *task) {
    (void)task;
    return jg_scope_reschedule(&limited, jg_now());
}

// The timers of a loop would be sorted by two threads at once.
START_TEST(reschedule_from_another_thread_is_named) {
    expect_misuse(reschedule_it, sleep_in_scope, "reschedule in task ours");
}
END_TEST

static intptr_t spawn_into(void *group) {
    return jg_group_spawn(group, square, NULL);
}

static intptr_t spawn_in_loop(void *group) {
    return jg_run(spawn_into, group);
}

static intptr_t spawn_body(void *fn) {
    intptr_t rc = 0;
    JG_GROUP(group) {
        rc = jg_worker_join(start(JG_WORKER_THREAD, *(jg_fn **)fn, group));
    }
    return rc;
}

static void run_spawn(void *fn) {
    jg_run(spawn_body, fn);
}

// A task would be linked below a scope of another loop, whose end would not wait for it.
START_TEST(spawn_into_a_group_of_another_loop_is_named) {
    static jg_fn *without = spawn_into;
    static jg_fn *within = spawn_in_loop;
    ck_assert_int_eq(jg_run(spawn_body, &without), -ENXIO); // there is no loop to spawn on
    fixture_expect_abort(run_spawn, &within, "into a group of another loop or thread");
}
END_TEST

static intptr_t close_executor(void *pool) {
    return jg_executor_close(pool);
}

static intptr_t close_twice_body(void *arg) {
    static jg_job job;
    reset_gate();
    jg_executor *pool = open_pool(1, 0);
    ck_assert_int_eq(jg_executor_submit(pool, &job, pass_gate, NULL), 0);
    jg_task *first = jg_spawn(close_executor, pool);
    jg_task *second = jg_spawn(close_executor, pool);
    (void)arg;
    jg_join(first);
    return jg_join(second);
}

static void close_twice(void *arg) {
    jg_run(close_twice_body, arg);
}

// Two that close an executor would both free it.
START_TEST(second_close_of_an_executor_is_named) {
    fixture_expect_abort(close_twice, NULL, "an executor is closed that is being closed already");
}
END_TEST

static intptr_t linger(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    return jg_sleep(60000);
}

static intptr_t run_lingering(void *pool) {
    return jg_process_pool_run(pool, linger, NULL, 0, NULL);
}

static intptr_t close_pool(void *pool) {
    return jg_process_pool_close(pool);
}

static intptr_t close_pool_twice_body(void *arg) {
    jg_process_pool *pool = NULL;
    (void)arg;
    ck_assert_int_eq(jg_process_pool_open(NULL, &pool), 0);
    const jg_spawn_options eager = {.eager = true};
    jg_task *busy = jg_spawn_with(run_lingering, pool, &eager);
    jg_task *first = jg_spawn(close_pool, pool);
    jg_task *second = jg_spawn(close_pool, pool);
    jg_join(first);
    jg_join(second);
    return jg_join(busy);
}

static void close_pool_twice(void *arg) {
    jg_run(close_pool_twice_body, arg);
}

// Two that close a process pool would both free it.
START_TEST(second_close_of_a_process_pool_is_named) {
    fixture_expect_abort(close_pool_twice, NULL,
                         "a process pool is closed that is being closed already");
}
END_TEST

static intptr_t fill_body(void *arg) {
    jg_stream *near;
    jg_stream *far;
    char *data = NULL;
    (void)arg;
    ck_assert_int_eq(jg_stream_pair(&near, &far), 0);
    ck_assert_int_eq(jg_stream_fill(near, 0, &data), -EMSGSIZE);
    jg_stream_close(near);
    jg_stream_close(far);
    return 0;
}

// A limit of nothing would wait for more than it allows.
START_TEST(fill_of_nothing_does_not_wait) {
    run_once(fill_body, NULL);
}
END_TEST

static intptr_t lookup_body(void *arg) {
    struct rlimit before;
    jg_stream *stream;
    (void)arg;
    ck_assert_int_eq(jg_to_thread(square, (void *)3), 9);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {3, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    int rc = jg_tcp_connect("nosuch.invalid", 1, &stream);
    setrlimit(RLIMIT_NOFILE, &before);
    jg_error_clear();
    ck_assert_int_eq(rc, -EMFILE);
    return 0;
}

// Without a free descriptor a host was reported as unknown, which is for good.
START_TEST(lookup_without_descriptors_is_emfile) {
    if (on_backend("sim")) {
        fixture_skip("a simulated network knows its names");
    }
    run_once(lookup_body, NULL);
}
END_TEST

static intptr_t reply_elsewhere(void *exchange) {
    return jg_http_reply(exchange, 200, NULL, "x", 1);
}

static intptr_t read_elsewhere(void *exchange) {
    char byte;
    return jg_http_request_read(exchange, &byte, 1);
}

static intptr_t hand_out_exchange(void *fn) {
    half_open();
    return jg_worker_join(start(JG_WORKER_THREAD, *(jg_fn **)fn, half.asked[0]));
}

static void run_hand_out(void *fn) {
    jg_run(hand_out_exchange, fn);
}

// A handler that lets a thread answer would corrupt the server's clock, or crash.
START_TEST(an_exchange_on_another_thread_is_named) {
    static jg_fn *const uses[] = {reply_elsewhere, read_elsewhere};
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        jg_fn *use = uses[i];
        fixture_expect_abort(run_hand_out, &use,
                             "an HTTP exchange is used outside the loop or thread it was made on");
    }
}
END_TEST

FIXTURE_MAIN("api/elsewhere", cancel_from_another_thread_is_named,
             join_and_detach_from_another_thread_are_named, waits_from_another_thread_are_named,
             settling_with_callbacks_from_another_thread_is_named,
             reschedule_from_another_thread_is_named, spawn_into_a_group_of_another_loop_is_named,
             second_close_of_an_executor_is_named, second_close_of_a_process_pool_is_named,
             an_exchange_on_another_thread_is_named, fill_of_nothing_does_not_wait,
             lookup_without_descriptors_is_emfile)
