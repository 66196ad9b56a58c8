// SPDX-License-Identifier: MIT
/* test_process_pool_loss.c – workers of a process pool that are killed around the hand-over of a job.
 *
 * Holds      a page shared with the workers, through which they report.
 * Invariant  a job that its worker has not begun runs in another one; one that was begun is not run twice;
 *            nobody waits for a worker that could be started. After each test the fixture's audit finds no
 *            descriptor, no child, no block.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        RELIABILITY R23. A worker may be killed by anybody at any time (the kernel, for want of
 *            memory). That is the error of the job it had, and of no other.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 30
#include "api/process_pool_steps.h"
#include "fixtures/limits.h"

enum { QUEUED = 3, MOST = 2, FORKS = 64 };

/* What the workers report, and what they are told. */
struct report {
    int processes;    // at most so many workers
    atomic_int forks; // so far: the first is the pool's server
    atomic_int forked[FORKS];
    atomic_int die_at_start;
    atomic_int lingering[MOST]; // who
    atomic_int go_on[MOST];
    atomic_int runs;
};

static struct report *report;

static void in_forked_child(void) {
    if (report == NULL) {
        return;
    }
    int n = atomic_fetch_add(&report->forks, 1);
    atomic_store(&report->forked[n % FORKS], getpid());
    if (n > 0 && atomic_load(&report->die_at_start)) {
        raise(SIGKILL);
    }
}

__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, in_forked_child);
}

/* With a pool of one worker, and of two. */
static void run_with_report(jg_fn *body) {
    for (int processes = 1; processes <= MOST; processes++) {
        report = shared_page();
        report->processes = processes;
        jg_process_pool *pool = open_pool((size_t)processes);
        run_once(body, pool);
        munmap(report, 4096);
        report = NULL;
    }
}

static pid_t fork_number(int n) {
    while (atomic_load(&report->forks) <= n || atomic_load(&report->forked[n]) == 0) {
        sched_yield();
    }
    return atomic_load(&report->forked[n]);
}

static void kill_and_await(pid_t pid) {
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    await_state(pid, 'Z');
}

static intptr_t own_id(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    return getpid();
}

static intptr_t linger_as(const void *in, size_t in_size, jg_worker_output *out) {
    int which = int_of(in, in_size);
    (void)out;
    atomic_store(&report->lingering[which], getpid());
    while (atomic_load(&report->go_on[which]) == 0) {
        sched_yield();
    }
    return 5;
}

static intptr_t linger_first(void *pool) {
    return run_int(pool, linger_as, 0);
}

static intptr_t linger_second(void *pool) {
    return run_int(pool, linger_as, 1);
}

/* Once the job is over, and its worker the next one's: that one has not run yet. */
static intptr_t linger_and_kill(void *pool) {
    intptr_t rc = run_int(pool, linger_as, 0);
    kill_and_await(atomic_load(&report->lingering[0]));
    return rc;
}

static jg_task *eagerly(jg_fn *fn, void *arg) {
    const jg_spawn_options eager = {.eager = true};
    return jg_spawn_with(fn, arg, &eager);
}

/* Has `fn` linger in one worker, and another job in the other; with one worker that job waits. */
static void occupy_all(jg_process_pool *pool, jg_fn *fn, jg_task *out_tasks[MOST]) {
    out_tasks[0] = eagerly(fn, pool);
    out_tasks[1] = eagerly(linger_second, pool);
    for (int i = 0; i < report->processes; i++) {
        while (atomic_load(&report->lingering[i]) == 0) {
            jg_sleep(1);
        }
    }
}

static void queue_some(jg_process_pool *pool, jg_task *out_tasks[QUEUED]) {
    for (int i = 0; i < QUEUED; i++) {
        out_tasks[i] = eagerly(square_in_task, pool);
    }
}

static void join_all(jg_task *tasks[QUEUED], intptr_t word) {
    for (int i = 0; i < QUEUED; i++) {
        ck_assert_int_eq(jg_join(tasks[i]), word);
    }
}

/* Those that wait are served though the other worker, if there is one, lingers on. */
static void end_well(jg_process_pool *pool, jg_task *queued[QUEUED], jg_task *second) {
    intptr_t rc = 0;
    JG_TIMEOUT(20000, rc) {
        join_all(queued, 16);
    }
    ck_assert_int_eq(rc, 0);
    atomic_store(&report->go_on[1], 1);
    ck_assert_int_eq(jg_join(second), 5);
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
}

static intptr_t in_its_job_body(void *pool) {
    jg_task *lingering[MOST];
    jg_task *queued[QUEUED];
    occupy_all(pool, linger_first, lingering);
    queue_some(pool, queued);
    kill_and_await(atomic_load(&report->lingering[0]));
    ck_assert_int_eq(jg_join(lingering[0]), -EOWNERDEAD);
    atomic_store(&report->go_on[1], report->processes == 1); // then it waits as well
    end_well(pool, queued, lingering[1]);
    return 0;
}

// The jobs that wait would have a worker less, or none, when one is killed in its job.
START_TEST(r23_killed_in_its_job) {
    needs_loop();
    run_with_report(in_its_job_body);
}
END_TEST

static intptr_t after_its_job_body(void *pool) {
    jg_task *lingering[MOST];
    jg_task *queued[QUEUED];
    occupy_all(pool, linger_and_kill, lingering);
    queue_some(pool, queued);
    atomic_store(&report->go_on[0], 1);
    ck_assert_int_eq(jg_join(lingering[0]), 5);
    atomic_store(&report->go_on[1], report->processes == 1);
    end_well(pool, queued, lingering[1]);
    return 0;
}

// A job that was handed a worker would fail, though that was killed before it heard of the job.
START_TEST(r23_killed_after_its_job) {
    needs_loop();
    run_with_report(after_its_job_body);
}
END_TEST

static intptr_t idle_body(void *pool) {
    jg_task *lingering[MOST];
    jg_task *queued[QUEUED];
    occupy_all(pool, linger_first, lingering);
    atomic_store(&report->go_on[0], 1);
    atomic_store(&report->go_on[1], 1);
    ck_assert_int_eq(jg_join(lingering[0]), 5);
    ck_assert_int_eq(jg_join(lingering[1]), 5);
    for (int n = report->processes; n > 0; n--) {
        kill_and_await(fork_number(n));
    }
    queue_some(pool, queued);
    join_all(queued, 16);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// Likewise while it has nothing to do, and while all have.
START_TEST(r23_killed_while_idle) {
    needs_loop();
    run_with_report(idle_body);
}
END_TEST

static intptr_t never_met_body(void *pool) {
    pid_t server = fork_number(0);
    jg_task *queued[QUEUED];
    stop_process(server);
    queue_some(pool, queued); // as many as there may be are started for them
    for (int i = 0; i < QUEUED; i++) {
        jg_cancel(queued[i]);
    }
    join_all(queued, -ECANCELED);
    kill(server, SIGCONT);
    for (int n = report->processes; n > 0; n--) {
        kill_and_await(fork_number(n));
    }
    queue_some(pool, queued);
    join_all(queued, 16);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// Likewise before it was met: the start was for a job that was cancelled.
START_TEST(r23_killed_before_it_was_met) {
    needs_loop();
    run_with_report(never_met_body);
}
END_TEST

struct bulk {
    jg_process_pool *pool;
    size_t size;
    void *data;
};

static intptr_t size_of(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)out;
    atomic_fetch_add(&report->runs, 1);
    return (intptr_t)in_size;
}

static intptr_t send_bulk(void *arg) {
    const struct bulk *bulk = arg;
    return jg_process_pool_run(bulk->pool, size_of, bulk->data, bulk->size, NULL);
}

static intptr_t unheard_body(void *pool) {
    static const size_t sizes[] = {0, 1, 4 * 1024 * 1024};
    struct bulk bulk = {.pool = pool, .data = calloc(1, sizes[2])};
    for (int i = 0; i < 3; i++) {
        bulk.size = sizes[i];
        pid_t pid = (pid_t)run_int(pool, own_id, 0);
        stop_process(pid);
        jg_task *task = eagerly(send_bulk, &bulk); // on its way, or as much as there is room for
        kill_and_await(pid);
        ck_assert_int_eq(jg_join(task), (intptr_t)sizes[i]);
        ck_assert_int_eq(atomic_load(&report->runs), i + 1);
    }
    free(bulk.data);
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// A job on its way to a worker that dies without having read it would fail, though nobody has begun it.
START_TEST(r23_killed_before_it_has_heard_the_job) {
    needs_loop();
    run_with_report(unheard_body);
}
END_TEST

static intptr_t count_and_die(const void *in, size_t in_size, jg_worker_output *out) {
    (void)in;
    (void)in_size;
    (void)out;
    atomic_fetch_add(&report->runs, 1);
    raise(SIGKILL);
    return 0;
}

static intptr_t once_body(void *pool) {
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(run_int(pool, count_and_die, 0), -EOWNERDEAD);
        ck_assert_int_eq(atomic_load(&report->runs), i);
    }
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// A job that kills its worker would be run again, and kill the next one.
START_TEST(r23_a_job_that_was_begun_is_not_run_twice) {
    run_with_report(once_body);
}
END_TEST

static void check_dead_start(jg_process_pool *pool) {
    ck_assert_int_eq(run_int(pool, square_int, 4), -EOWNERDEAD);
    ck_assert_msg(strstr(jg_error_detail(-EOWNERDEAD), "was killed by signal 9") != NULL, "says %s",
                  jg_error_detail(-EOWNERDEAD));
    ck_assert_int_eq(atomic_load(&report->forks), 1 + 2); // the server, two workers
}

static intptr_t dead_start_body(void *pool) {
    fork_number(0);
    atomic_store(&report->die_at_start, 1);
    check_dead_start(pool);
    if (!on_backend("blocking")) {
        jg_task *queued[QUEUED];
        queue_some(pool, queued);
        join_all(queued, -EOWNERDEAD);
    }
    atomic_store(&report->die_at_start, 0);
    int forks = atomic_load(&report->forks);
    ck_assert_int_le(forks, 1 + 2 + 3 * QUEUED);
    ck_assert_int_eq(run_int(pool, square_int, 4), 16);
    for (int n = 1; n < forks; n++) {
        ck_assert_int_eq(kill(fork_number(n), 0), -1); // reaped
    }
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// Where all workers die at once a pool would fork without end, or leave their remains to fill the table.
START_TEST(r23_all_die_at_their_start) {
    run_with_report(dead_start_body);
}
END_TEST

static intptr_t no_successor_body(void *pool) {
    jg_task *queued[QUEUED];
    pid_t pid = (pid_t)run_int(pool, own_id, 0);
    stop_process(pid);
    queued[0] = eagerly(square_in_task, pool);
    jg_task *lingering = eagerly(linger_second, pool); // in the other worker, or in the queue
    queued[1] = eagerly(square_in_task, pool);
    queued[2] = eagerly(square_in_task, pool);
    bool alone = report->processes == 1;
    kill_and_await(pid);
    rlim_t before = set_descriptors(3);
    if (alone) {
        join_all(queued, -EMFILE);
        ck_assert_int_eq(jg_join(lingering), -EMFILE);
    }
    jg_sleep(20);
    atomic_store(&report->go_on[1], 1);
    if (!alone) {
        join_all(queued, 16);
        ck_assert_int_eq(jg_join(lingering), 5);
    }
    set_descriptors(before);
    ck_assert_int_eq(run_int(pool, square_int, 4), 16);
    jg_error_clear();
    ck_assert_int_eq(jg_process_pool_close(pool), 0);
    return 0;
}

// When a lost worker cannot be replaced the jobs that wait would wait for ever, or not for the other worker.
START_TEST(r23_lost_without_a_successor) {
    needs_loop();
    run_with_report(no_successor_body);
}
END_TEST

static intptr_t hurried_body(void *pool) {
    intptr_t rc = 0;
    pid_t pid = (pid_t)run_int(pool, own_id, 0);
    stop_process(pid);
    jg_task *unheard = eagerly(square_in_task, pool);
    JG_TIMEOUT(5, rc) {
        rc = jg_process_pool_close(pool); // hurried: the busy one is killed
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(jg_join(unheard), -ESHUTDOWN);
    return 0;
}

// A pool that is being closed would start a worker anew for a job whose worker it has killed.
START_TEST(close_while_a_job_is_on_its_way) {
    needs_loop();
    run_with_report(hurried_body);
}
END_TEST

static intptr_t close_it(void *pool) {
    return jg_process_pool_close(pool);
}

static intptr_t closed_meanwhile_body(void *pool) {
    pid_t server = fork_number(0);
    pid_t pid = (pid_t)run_int(pool, own_id, 0);
    kill_and_await(pid);
    stop_process(server);
    jg_task *task = eagerly(square_in_task, pool); // sees to the dead one's end first
    jg_task *closing = eagerly(close_it, pool);
    kill(server, SIGCONT);
    ck_assert_int_eq(jg_join(task), -ESHUTDOWN);
    ck_assert_int_eq(jg_join(closing), 0);
    return 0;
}

// Likewise for a job that had found its worker dead.
START_TEST(close_while_a_dead_worker_is_replaced) {
    needs_loop();
    run_with_report(closed_meanwhile_body);
}
END_TEST

FIXTURE_MAIN("api/process_pool_loss", r23_killed_in_its_job, r23_killed_after_its_job,
             r23_killed_while_idle, r23_killed_before_it_was_met,
             r23_killed_before_it_has_heard_the_job, r23_a_job_that_was_begun_is_not_run_twice,
             r23_all_die_at_their_start, r23_lost_without_a_successor,
             close_while_a_job_is_on_its_way, close_while_a_dead_worker_is_replaced)
