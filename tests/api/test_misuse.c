// SPDX-License-Identifier: MIT
/* test_misuse.c – what must not be done gives its documented error, or ends by name.
 *
 * Holds      nothing between tests.
 * Invariant  no misuse hangs, and none is taken for something else.
 * Called by  ctest, on all three backends.
 * Why        a mistake is found where it is made, not where its consequences show.
 */
// Backends: epoll sim blocking
#include "api/api.h"

#include <pthread.h>

static intptr_t nap(void *arg) {
    (void)arg;
    return jg_sleep(1);
}

// No suspending.

static void try_all(void) {
    jg_future pending = {0};
    jg_event set = {0};
    jg_sem sem = {0};
    jg_lock lock = {0};
    jg_stream *a;
    jg_stream *b;
    char byte;
    jg_sem_init(&sem, 1);
    jg_event_set(&set);
    ck_assert_int_eq(jg_yield(), -EDEADLK);
    ck_assert_int_eq(jg_sleep(1), -EDEADLK);
    ck_assert_int_eq(jg_sleep(0), -EDEADLK);
    ck_assert_int_eq(jg_future_wait(&pending), -EDEADLK);
    ck_assert_int_eq(jg_event_wait(&set), -EDEADLK);
    ck_assert_int_eq(jg_sem_acquire(&sem), -EDEADLK);
    ck_assert_int_eq(jg_sem_try(&sem), 0);
    ck_assert_int_eq(jg_lock_acquire(&lock), -EDEADLK);
    ck_assert_int_eq(jg_wait_fd(0, JG_READABLE), -EDEADLK);
    ck_assert_int_eq(jg_stream_pair(&a, &b), 0);
    ck_assert_int_eq(jg_write(a, "x", 1), -EDEADLK);
    ck_assert_int_eq(jg_write(a, "", 0), -EDEADLK);
    ck_assert_int_eq(jg_read(b, &byte, 1), -EDEADLK);
    ck_assert_int_eq(jg_read_exact(b, &byte, 0), -EDEADLK);
    jg_stream_close(a);
    jg_stream_close(b);
}

static intptr_t leave_early(void *arg) {
    JG_NO_SUSPEND {
        if (arg != NULL) {
            return jg_yield();
        }
    }
    return 0;
}

static int here;

static intptr_t region_body(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_yield(), 0);
    JG_NO_SUSPEND {
        try_all();
        JG_NO_SUSPEND {
            ck_assert_int_eq(jg_yield(), -EDEADLK);
        }
        ck_assert_int_eq(jg_yield(), -EDEADLK); // the outer one goes on
        ck_assert_int_eq(leave_early(&here), -EDEADLK);
        ck_assert_int_eq(jg_yield(), -EDEADLK);
    }
    ck_assert_int_eq(jg_yield(), 0);
    ck_assert_int_eq(leave_early(&here), -EDEADLK);
    ck_assert_int_eq(jg_yield(), 0); // closed on the way out
    return 0;
}

// Another task would see what was to be changed in one step.
START_TEST(a_no_suspend_region_lasts_until_it_is_left) {
    run_body(region_body);
}
END_TEST

static intptr_t tasks_body(void *arg) {
    (void)arg;
    jg_task *child = NULL;
    jg_group group;
    JG_NO_SUSPEND {
        child = jg_spawn(nap, NULL);
        ck_assert_int_eq(jg_join(child), -EDEADLK); // the handle stays ours
        jg_cancel(jg_self());
        ck_assert_int_eq(jg_yield(), -EDEADLK); // the cancel is not seen, so not used up
        ck_assert_int_eq(jg_uncancel(jg_self()), 0);
        jg_group_open(&group);
        ck_assert_int_eq(jg_group_spawn(&group, nap, NULL), 0);
        ck_assert_int_eq(jg_group_wait(&group), -EDEADLK);
    }
    ck_assert_int_eq(jg_group_close(&group, 0), 0);
    ck_assert_int_eq(jg_join(child), 0); // it could wait
    return 0;
}

// A join in the region would lose the handle, and the region spread to the tasks spawned in it.
START_TEST(a_no_suspend_region_is_the_tasks_own) {
    needs_loop();
    run_body(tasks_body);
}
END_TEST

static intptr_t give_three(void *arg) {
    (void)arg;
    return 3;
}

static intptr_t settled_body(void *arg) {
    jg_task *task = jg_spawn(give_three, NULL);
    jg_future future = {0};
    jg_future *futures[] = {&future};
    intptr_t word = 0;
    jg_group group;
    (void)arg;
    jg_future_set(&future, 4);
    ck_assert_int_eq(jg_future_wait(jg_task_future(task)), 3);
    JG_NO_SUSPEND {
        ck_assert_int_eq(jg_join(task), 3);
        ck_assert_int_eq(jg_future_wait(&future), 4);
        ck_assert_int_eq(jg_shield(&future), 4);
        ck_assert_int_eq(jg_wait_for(&future, 1), 4);
        ck_assert_int_eq(jg_gather(futures, 1, &word, JG_FAIL_FIRST), 0);
        ck_assert_int_eq(word, 4);
        ck_assert_int_eq(jg_wait(futures, 1, JG_ALL_COMPLETED, -1), 1);
        JG_AS_COMPLETED(done, futures, 1, -1) {
            word += done.result;
        }
        ck_assert_int_eq(word, 8);
        jg_group_open(&group);
        ck_assert_int_eq(jg_group_wait(&group), 0);
        ck_assert_int_eq(jg_group_close(&group, 0), 0);
    }
    return 0;
}

// Calls, which may not suspend either, could not end the handle of a task that is over.
START_TEST(a_no_suspend_region_hands_over_what_is_there) {
    needs_loop();
    run_body(settled_body);
}
END_TEST

static intptr_t close_group_inside(void *arg) {
    (void)arg;
    JG_NO_SUSPEND {
        JG_GROUP(group) {
            jg_group_spawn(group, nap, NULL);
        }
    }
    return 0;
}

static void run_close_group_inside(void *arg) {
    (void)arg;
    jg_run(close_group_inside, NULL);
}

// A group would be left with tasks that use a stack which is gone.
START_TEST(a_group_closed_in_a_no_suspend_region_is_named) {
    needs_loop();
    fixture_expect_abort(run_close_group_inside, NULL,
                         "closed where close_group_inside must not suspend");
}
END_TEST

// The wrong thread.

static jg_listener *listener;

static void *close_elsewhere(void *arg) {
    jg_listener_close(arg);
    return NULL;
}

static void *accept_elsewhere(void *arg) {
    jg_stream *stream;
    jg_accept(arg, &stream);
    return NULL;
}

static intptr_t use_listener_elsewhere(void *use) {
    pthread_t thread;
    jg_tcp_listen(NULL, 0, &listener);
    void *(*run)(void *) = use == NULL ? accept_elsewhere : close_elsewhere;
    pthread_create(&thread, NULL, run, listener);
    pthread_join(thread, NULL);
    return 0;
}

static void run_listener_elsewhere(void *use) {
    jg_run(use_listener_elsewhere, use);
}

// Another thread would reach into the loop's tables.
START_TEST(a_listener_used_on_another_thread_is_named) {
    needs_loop();
    const char *text = "a listener is used outside the loop or thread it was made on";
    fixture_expect_abort(run_listener_elsewhere, NULL, text);
    fixture_expect_abort(run_listener_elsewhere, "close", text);
}
END_TEST

static void *use_stream_elsewhere(void *use) {
    jg_stream *stream = *(jg_stream **)use;
    char *data;
    jg_stream_shutdown(stream);
    jg_stream_peek(stream, &data);
    return NULL;
}

static intptr_t lend_stream(void *arg) {
    jg_stream *ends[2];
    pthread_t thread;
    (void)arg;
    jg_stream_pair(&ends[0], &ends[1]);
    pthread_create(&thread, NULL, use_stream_elsewhere, &ends[0]);
    pthread_join(thread, NULL);
    return 0;
}

static void run_lend_stream(void *arg) {
    (void)arg;
    jg_run(lend_stream, NULL);
}

// Ending a stream wakes who writes to it: in a loop that is another thread's.
START_TEST(a_stream_ended_on_another_thread_is_named) {
    needs_loop();
    fixture_expect_abort(run_lend_stream, NULL,
                         "a stream is used outside the loop or thread it was made on");
}
END_TEST

static intptr_t keep_listener(void *arg) {
    (void)arg;
    return jg_tcp_listen(NULL, 0, &listener);
}

static void close_listener_after_the_loop(void *arg) {
    (void)arg;
    jg_run(keep_listener, NULL);
    jg_listener_close(listener);
}

// The loop that has to be told is gone.
START_TEST(a_listener_that_outlives_its_loop_is_named) {
    needs_loop();
    fixture_expect_abort(close_listener_after_the_loop, NULL,
                         "a listener is used outside the loop or thread it was made on");
}
END_TEST

// Bytes read ahead.

static intptr_t fill(void *stream) {
    char *data;
    return jg_stream_fill(stream, 1024, &data);
}

static intptr_t take_from_under(void *arg) {
    jg_stream *ends[2];
    (void)arg;
    jg_stream_pair(&ends[0], &ends[1]);
    jg_detach(jg_spawn(fill, ends[0]));
    jg_sleep(1);
    jg_stream_take(ends[0], 0);
    return 0;
}

static intptr_t take_too_much(void *arg) {
    jg_stream *ends[2];
    (void)arg;
    jg_stream_pair(&ends[0], &ends[1]);
    jg_stream_take(ends[0], 1);
    return 0;
}

static void run_take(void *body) {
    jg_run(*(jg_fn **)body, NULL);
}

// A task's buffer would be taken away while it fills it.
START_TEST(taking_from_under_a_reader_is_named) {
    needs_loop();
    jg_fn *under = take_from_under;
    jg_fn *much = take_too_much;
    fixture_expect_abort(run_take, &under,
                         "bytes are taken from a stream while another task reads it");
    fixture_expect_abort(run_take, &much, "1 bytes are taken from a stream that holds 0");
}
END_TEST

static intptr_t read_into_nothing(void *arg) {
    jg_stream *ends[2];
    char byte;
    (void)arg;
    jg_stream_pair(&ends[0], &ends[1]);
    return jg_read(ends[0], &byte, 0);
}

// A full buffer would be taken for the end of the stream.
START_TEST(reading_into_no_room_is_named) {
    needs_loop();
    jg_fn *body = read_into_nothing;
    fixture_expect_abort(run_take, &body, "jg_read into a buffer without room");
}
END_TEST

static intptr_t wait_for_group(void *group) {
    return jg_group_wait(group);
}

static intptr_t lend_group(void *arg) {
    (void)arg;
    JG_GROUP(group) {
        jg_group_spawn(group, nap, NULL);
        jg_detach(jg_spawn(wait_for_group, group));
    }
    return 0;
}

// The second who waits would push the first off the group, which then waited for ever.
START_TEST(a_group_waited_for_by_another_task_is_named) {
    needs_loop();
    jg_fn *body = lend_group;
    fixture_expect_abort(run_take, &body, "is waited for by task wait_for_group");
}
END_TEST

static intptr_t close_group(void *group) {
    return jg_group_close(group, 0);
}

static intptr_t give_group_to_its_own(void *fn) {
    JG_GROUP(group) {
        jg_group_spawn_at(group, *(jg_fn **)fn, group, "member\0here");
    }
    return 0;
}

static void run_group_of_its_own(void *fn) {
    jg_run(give_group_to_its_own, fn);
}

// A task of a group that waits for the group waits for itself.
START_TEST(a_group_closed_by_its_own_task_is_named) {
    needs_loop();
    jg_fn *waits = wait_for_group;
    jg_fn *closes = close_group;
    fixture_expect_abort(run_group_of_its_own, &waits, "is waited for by task member");
    fixture_expect_abort(run_group_of_its_own, &closes, "is waited for by task member");
}
END_TEST

FIXTURE_MAIN("api/misuse", a_no_suspend_region_lasts_until_it_is_left,
             a_no_suspend_region_is_the_tasks_own, a_no_suspend_region_hands_over_what_is_there,
             a_group_closed_in_a_no_suspend_region_is_named,
             a_listener_used_on_another_thread_is_named, a_stream_ended_on_another_thread_is_named,
             a_listener_that_outlives_its_loop_is_named, taking_from_under_a_reader_is_named,
             reading_into_no_room_is_named, a_group_waited_for_by_another_task_is_named,
             a_group_closed_by_its_own_task_is_named)
