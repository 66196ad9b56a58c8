// SPDX-License-Identifier: MIT
/* test_wait_self.c – threads that wait for what they would have to do themselves.
 *
 * Holds      nothing between tests.
 * Invariant  what nobody could ever end is -EDEADLK, or why there is nobody; and nothing else is.
 * Called by  ctest, on all three backends.
 * Why        such a wait blocks a thread for ever, and no limit around it ends what waits for the thread.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/executor_gate.h"
#include "fixtures/limits.h"

// Workers.

enum { WAITED = 5, REFUSED = 6 };

/* Two workers, each of which joins the other; or one, which is both. */
struct ring {
    _Atomic(jg_worker *) workers[2];
    _Atomic(jg_worker *) refused; // its join was
    bool in_loop;                 // it joins from a task
};

struct member {
    struct ring *ring;
    int number;
    int other;
};

static jg_worker *await_worker(_Atomic(jg_worker *) *place) {
    jg_worker *worker;
    while ((worker = atomic_load(place)) == NULL) {
        breathe();
    }
    return worker;
}

static intptr_t join_it(void *worker) {
    return jg_worker_join(worker);
}

static intptr_t join_other(void *arg) {
    struct member *member = arg;
    struct ring *ring = member->ring;
    jg_worker *other = await_worker(&ring->workers[member->other]);
    jg_worker *self = await_worker(&ring->workers[member->number]);
    intptr_t word = ring->in_loop ? jg_run(join_it, other) : jg_worker_join(other);
    if (word != -EDEADLK) {
        return word == REFUSED ? WAITED : -EPROTO;
    }
    atomic_store(&ring->refused, self);
    return REFUSED;
}

static intptr_t self_body(void *arg) {
    (void)arg;
    for (int in_loop = 0; in_loop < (on_backend("blocking") ? 1 : 2); in_loop++) {
        struct ring ring = {.in_loop = in_loop};
        struct member member = {&ring, 0, 0};
        jg_worker *worker = start(JG_WORKER_THREAD, join_other, &member);
        atomic_store(&ring.workers[0], worker);
        ck_assert_ptr_eq(await_worker(&ring.refused), worker);
        ck_assert_int_eq(jg_worker_join(worker), REFUSED);
    }
    return 0;
}

// A worker that joins itself ended the program with a message about a bug of ours.
START_TEST(a_worker_cannot_join_itself) {
    run_once(self_body, NULL);
}
END_TEST

static intptr_t ring_body(void *arg) {
    (void)arg;
    for (int in_loop = 0; in_loop < (on_backend("blocking") ? 1 : 2); in_loop++) {
        struct ring ring = {.in_loop = in_loop};
        struct member members[2] = {{&ring, 0, 1}, {&ring, 1, 0}};
        jg_worker *first = start(JG_WORKER_THREAD, join_other, &members[0]);
        jg_worker *second = start(JG_WORKER_THREAD, join_other, &members[1]);
        atomic_store(&ring.workers[0], first);
        atomic_store(&ring.workers[1], second);
        jg_worker *refused = await_worker(&ring.refused);
        ck_assert_int_eq(jg_worker_join(refused == first ? second : first), WAITED);
    }
    return 0;
}

// Two workers that join one another would wait for ever, or end the program the same way.
START_TEST(two_workers_cannot_join_one_another) {
    run_once(ring_body, NULL);
}
END_TEST

// Executors.

static jg_executor *own; // whose job runs

static intptr_t run_in_own(void *arg) {
    (void)arg;
    intptr_t first = jg_executor_run(own, fail_or_square, (void *)3);
    intptr_t again = jg_executor_run(own, fail_or_square, (void *)3);
    return first == -EDEADLK && again == -EDEADLK ? 1 : -EPROTO;
}

static intptr_t wait_in_own(void *arg) {
    (void)arg;
    jg_job job = {.drop_arg = drop_arg};
    int rc = jg_executor_submit(own, &job, fail_or_square, (void *)3);
    bool refused = rc == 0 && jg_job_wait(&job) == -EDEADLK && !jg_job_cancel(&job);
    jg_error_clear();
    return refused && atomic_load(&gate.dropped_args) == 1 ? 2 : -EPROTO;
}

static intptr_t run_limited_in_own(void *arg) {
    (void)arg;
    int rc = 0;
    JG_TIMEOUT(5, rc) {
        rc = (int)jg_executor_run(own, fail_or_square, (void *)3);
    }
    return rc == -ETIMEDOUT ? 3 : -EPROTO;
}

static intptr_t lonely_body(void *arg) {
    (void)arg;
    reset_gate();
    own = open_pool(1, 0);
    ck_assert_int_eq(jg_executor_run(own, run_in_own, NULL), 1);
    ck_assert_int_eq(jg_executor_run(own, wait_in_own, NULL), 2);
    ck_assert_int_eq(jg_executor_run(own, run_limited_in_own, NULL), 3);
    ck_assert_int_eq(jg_executor_run(own, fail_or_square, (void *)3), 9);
    ck_assert_int_eq(jg_executor_close(own), 0);
    return 0;
}

// A job that waits for another in a pool of one thread waited for ever, and its caller with it.
START_TEST(a_job_cannot_wait_for_a_job_of_its_own_only_thread) {
    run_once(lonely_body, NULL);
}
END_TEST

static intptr_t nest(void *arg) {
    intptr_t depth = (intptr_t)arg;
    return jg_executor_run(own, nest, (void *)(depth + 1)) == -EDEADLK ? depth : 0;
}

static intptr_t nest_and_pass(void *arg) {
    intptr_t depth = (intptr_t)arg;
    intptr_t rc = jg_executor_run(own, nest_and_pass, (void *)(depth + 1));
    return rc == -EDEADLK ? depth : rc;
}

static intptr_t nested_body(void *arg) {
    (void)arg;
    own = open_pool(3, 0);
    ck_assert_int_eq(jg_executor_run(own, nest_and_pass, (void *)1),
                     3);                                        // as deep as there are threads
    ck_assert_int_eq(jg_executor_run(own, nest, (void *)3), 0); // it had two more
    ck_assert_int_eq(jg_executor_close(own), 0);
    return 0;
}

// Each thread's job waits for the next one's: the last has nobody left, though its own wait is for one job.
START_TEST(jobs_that_wait_in_turn_are_told_when_no_thread_is_left) {
    run_once(nested_body, NULL);
}
END_TEST

/* Waits until two such jobs run, and then for a third job of the pool. */
static intptr_t wait_beside_another(void *refusals) {
    atomic_fetch_add(&gate.running, 1);
    await_running(2);
    intptr_t word = jg_executor_run(own, fail_or_square, (void *)3);
    if (word == -EDEADLK) {
        atomic_fetch_add((atomic_int *)refusals, 1);
    }
    return word == -EDEADLK || word == 9 ? 1 : -EPROTO;
}

static intptr_t beside_body(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        atomic_int refusals = 0;
        jg_job jobs[2] = {0};
        reset_gate();
        own = open_pool(2, 0);
        for (int k = 0; k < 2; k++) {
            ck_assert_int_eq(jg_executor_submit(own, &jobs[k], wait_beside_another, &refusals), 0);
        }
        ck_assert_int_eq(jg_job_wait(&jobs[0]), 1);
        ck_assert_int_eq(jg_job_wait(&jobs[1]), 1);
        ck_assert_int_eq(atomic_load(&refusals), 1);
        ck_assert_int_eq(jg_executor_close(own), 0);
    }
    return 0;
}

// All waiters would be refused, though the thread of the first one refused can do what the other waits for.
START_TEST(one_refusal_frees_the_other_waiters) {
    run_once(beside_body, NULL);
}
END_TEST

static intptr_t wait_beside_busy(void *arg) {
    atomic_fetch_add(&gate.running, 1);
    return jg_executor_run(own, fail_or_square, arg);
}

static intptr_t busy_body(void *arg) {
    (void)arg;
    jg_job busy = {0};
    jg_job waiting = {0};
    jg_executor_stats stats;
    reset_gate();
    own = open_pool(2, 0);
    ck_assert_int_eq(jg_executor_submit(own, &busy, pass_gate, (void *)1), 0);
    ck_assert_int_eq(jg_executor_submit(own, &waiting, wait_beside_busy, (void *)3), 0);
    await_running(2);
    do {
        breathe();
        jg_executor_stats_get(own, &stats);
    } while (stats.queued == 0);
    open_gate();
    ck_assert_int_eq(jg_job_wait(&waiting), 9);
    ck_assert_int_eq(jg_job_wait(&busy), 1);
    ck_assert_int_eq(jg_executor_close(own), 0);
    return 0;
}

// A wait that a busy thread will end must not be refused.
START_TEST(a_job_may_wait_while_another_thread_is_busy) {
    run_once(busy_body, NULL);
}
END_TEST

// Where no other thread is to be had.

static const size_t LARGE_STACK = (size_t)1 << 30;

/* A pool that may have more threads than there is room for. */
static jg_executor *open_large_pool(void) {
    const jg_executor_options options = {.threads = 3, .stack_size = LARGE_STACK};
    jg_executor *pool = NULL;
    reset_gate();
    ck_assert_int_eq(jg_executor_open(&options, &pool), 0);
    return pool;
}

static intptr_t alone_body(void *arg) {
    (void)arg;
    own = open_large_pool();
    limit_address_space(LARGE_STACK + LARGE_STACK / 2); // one thread
    ck_assert_int_eq(jg_executor_run(own, wait_beside_busy, (void *)3), -EAGAIN);
    ck_assert_int_eq(jg_executor_run(own, fail_or_square, (void *)3), 9);
    ck_assert_int_eq(jg_executor_close(own), 0);
    return 0;
}

// A job that waits for one of its own pool is stuck for ever when the second thread could not be started.
START_TEST(a_job_is_told_that_no_second_thread_is_to_be_had) {
#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
    fixture_skip("sanitizers reserve terabytes: the limit would strike at once");
#endif
    run_once(alone_body, NULL);
}
END_TEST

static intptr_t leave_after_gate(void *arg) {
    pass_gate(arg);
    pthread_exit(NULL);
}

static intptr_t left_alone_body(void *arg) {
    (void)arg;
    jg_job leaving = {0};
    jg_job waiting = {0};
    jg_executor_stats stats;
    own = open_large_pool();
    ck_assert_int_eq(jg_executor_submit(own, &leaving, leave_after_gate, NULL), 0);
    await_running(1);
    limit_address_space(LARGE_STACK + LARGE_STACK / 2); // one more thread
    ck_assert_int_eq(jg_executor_submit(own, &waiting, wait_beside_busy, (void *)3), 0);
    await_running(2);
    do {
        breathe();
        jg_executor_stats_get(own, &stats);
    } while (stats.queued == 0);
    open_gate();
    ck_assert_int_eq(jg_job_wait(&leaving), -EOWNERDEAD);
    intptr_t word = jg_job_wait(&waiting);
    ck_assert(word == -EAGAIN ||
              word == 9); // it came to wait after the other's stack was free again
    ck_assert_int_eq(jg_executor_close(own), 0);
    jg_error_clear();
    return 0;
}

// Those who wait counted on a busy thread: when it is left, and no other is to be had, they are stuck.
START_TEST(a_job_is_told_that_the_thread_it_counted_on_has_left) {
#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
    fixture_skip("sanitizers reserve terabytes: the limit would strike at once");
#endif
    run_once(left_alone_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/wait_self", a_worker_cannot_join_itself, two_workers_cannot_join_one_another,
             a_job_cannot_wait_for_a_job_of_its_own_only_thread,
             jobs_that_wait_in_turn_are_told_when_no_thread_is_left,
             one_refusal_frees_the_other_waiters, a_job_may_wait_while_another_thread_is_busy,
             a_job_is_told_that_no_second_thread_is_to_be_had,
             a_job_is_told_that_the_thread_it_counted_on_has_left)
