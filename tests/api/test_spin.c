// SPDX-License-Identifier: MIT
/* test_spin.c – X11: tasks that ignore their cancel are named and slowed, whatever they wait for.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed.
 * Called by  ctest, on epoll and sim.
 * Why        SEMANTICS X11. What is no spin is as important: clean-up that is slowed would be a new bug.
 */
#define FIXTURE_LIMIT 20
#include "api/api.h"

#include <sys/mman.h>
#include <unistd.h>

enum {
    CROWD = 5000,
    NAMED_BY = 1200, // refusals, and some for each of the few tasks there are
};

static int count_text(const char *text, const char *part) {
    int count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

/* What the body writes to stderr. */
static void run_hearing(jg_fn *body, char *out_text, size_t size_bytes) {
    int heard = memfd_create("stderr", MFD_CLOEXEC);
    int saved = dup(STDERR_FILENO);
    ck_assert_int_ge(heard, 0);
    dup2(heard, STDERR_FILENO);
    run_once(body, NULL);
    dup2(saved, STDERR_FILENO);
    ssize_t got = pread(heard, out_text, size_bytes - 1, 0);
    out_text[got < 0 ? 0 : got] = '\0';
    close(heard);
    close(saved);
}

static void expect_named(jg_fn *body, int times) {
    char heard[4000];
    run_hearing(body, heard, sizeof(heard));
    ck_assert_msg(count_text(heard, "ignores -ECANCELED") == times, "heard: %s", heard);
}

/* Spawns a task, lets it begin, and cancels it. */
static jg_task *spawn_cancelled(jg_fn *fn, void *arg, const bool *began) {
    jg_task *task = jg_spawn(fn, arg);
    while (!*began) {
        jg_yield();
    }
    jg_cancel(task);
    return task;
}

// What a spin may be made of.

struct spinner {
    intptr_t (*wait)(void);
    bool began;
    bool stop;
    int refusals;
};

static intptr_t nothing(void *arg) {
    return (intptr_t)arg;
}

static intptr_t sleep_a_little(void) {
    return jg_sleep(1);
}

static intptr_t yield(void) {
    return jg_yield();
}

static intptr_t join_one(void) {
    return jg_join(jg_spawn(nothing, NULL));
}

static intptr_t gather_one(void) {
    jg_task *task = jg_spawn(nothing, NULL);
    jg_future *future = jg_task_future(task);
    intptr_t rc = jg_gather(&future, 1, NULL, JG_COLLECT_ERRORS);
    jg_detach(task);
    return rc;
}

static intptr_t wait_for_future(void) {
    jg_future future = {.done = false};
    intptr_t rc = jg_wait_for(&future, 0);
    jg_future_fini(&future);
    return rc;
}

static intptr_t close_group(void) {
    int rc = 0;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, nothing, NULL);
    }
    return rc;
}

static intptr_t close_empty_group(void) {
    int rc = 0;
    JG_GROUP(group, rc) {}
    return rc;
}

/* Who logs the failure behind a shield has waited for nobody. */
static intptr_t sleep_and_log(void) {
    static jg_lock lock;
    intptr_t rc = jg_sleep(1);
    JG_SHIELD {
        jg_lock_acquire(&lock);
        jg_lock_release(&lock);
    }
    return rc;
}

static intptr_t spin(void *arg) {
    struct spinner *spinner = arg;
    spinner->began = true;
    jg_sleep(60000); // until the cancel comes
    while (!spinner->stop) {
        if (spinner->wait() == -ECANCELED) {
            spinner->refusals++;
        }
    }
    return 4;
}

/* Lets a task ignore its cancel, with that wait, for as long as it takes to be named. */
static void let_spin(intptr_t (*wait)(void)) {
    struct spinner spinner = {.wait = wait};
    jg_task *task = spawn_cancelled(spin, &spinner, &spinner.began);
    for (int i = 0; i < 30; i++) {
        ck_assert_int_eq(jg_sleep(1), 0); // the loop is alive
    }
    while (spinner.refusals <= (on_backend("sim") ? 5000 : NAMED_BY)) { // sim's time costs none
        jg_sleep(1);
    }
    int before = spinner.refusals;
    int64_t start_ns = jg_now();
    jg_sleep(20);
    ck_assert_int_le(spinner.refusals - before, (jg_now() - start_ns) / JG_MS + 2); // slowed down
    spinner.stop = true;
    ck_assert_int_eq(jg_join(task), 4);
}

static intptr_t spins_body(void *arg) {
    (void)arg;
    let_spin(sleep_a_little);
    let_spin(yield);
    let_spin(join_one);
    let_spin(gather_one);
    let_spin(wait_for_future);
    let_spin(close_group);
    let_spin(close_empty_group);
    let_spin(sleep_and_log);
    return 0;
}

// A task that ignores its cancel would take the core for itself, and nobody would know which it is.
START_TEST(x11_spin_on_a_cancel_is_named_once) {
    expect_named(spins_body, 8);
}
END_TEST

/* Ends with a word, whatever it is asked. */
static intptr_t insist(void *arg) {
    JG_SHIELD {
        jg_sleep(1);
    }
    jg_yield();
    return (intptr_t)arg;
}

static intptr_t spin_with_luck(void *arg) {
    bool *began = arg;
    const jg_spawn_options at_once = {.eager = true};
    *began = true;
    jg_sleep(60000);
    for (int row = 0; row < 3; row++) {
        for (int refusals = 0; refusals < 1100; refusals++) {
            jg_yield();
        }
        ck_assert_int_eq(jg_join(jg_spawn_with(insist, (void *)3, &at_once)), 3);
    }
    return 5;
}

static intptr_t lucky_body(void *arg) {
    (void)arg;
    bool began = false;
    ck_assert_int_eq(jg_join(spawn_cancelled(spin_with_luck, &began, &began)), 5);
    return 0;
}

// A spin that now and then gets somewhere would be named again and again.
START_TEST(x11_spin_with_luck_is_named_once) {
    expect_named(lucky_body, 1);
}
END_TEST

static void spin_for_long(void) {
    while (jg_cancelling(jg_self()) == 0) {
        jg_sleep(1);
    }
    for (int refusals = 0; refusals < 1100; refusals++) {
        jg_yield();
    }
}

static intptr_t spin_twice(void *arg) {
    bool *began = arg;
    *began = true;
    for (int i = 0; i < 2; i++) {
        spin_for_long();
        jg_uncancel(jg_self());
    }
    return 7;
}

static intptr_t twice_body(void *arg) {
    (void)arg;
    bool began = false;
    jg_task *task = spawn_cancelled(spin_twice, &began, &began);
    while (jg_cancelling(task) > 0) {
        jg_sleep(1);
    }
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), 7);
    return 0;
}

// After a first spin was named, the next one, which may have another cause, would pass unheard.
START_TEST(x11_each_cancel_ignored_is_named) {
    expect_named(twice_body, 2);
}
END_TEST

static enum { KEPT, TAKEN_BACK, REPLACED } meanwhile;

struct shielded_spin {
    bool began;
    jg_event inside;
    jg_event go_on;
};

/* Spins, waits behind a shield in which there is another one, and spins again. */
static intptr_t spin_around_shield(void *arg) {
    struct shielded_spin *spin = arg;
    spin->began = true;
    spin_for_long();
    JG_SHIELD {
        JG_SHIELD {
            jg_event_set(&spin->inside);
            jg_event_wait(&spin->go_on);
        }
    }
    spin_for_long();
    return 7;
}

static intptr_t around_shield_body(void *arg) {
    (void)arg;
    struct shielded_spin spin = {.began = false};
    jg_task *task = spawn_cancelled(spin_around_shield, &spin, &spin.began);
    jg_event_wait(&spin.inside);
    if (meanwhile != KEPT) {
        jg_uncancel(task);
    }
    if (meanwhile == REPLACED) {
        jg_cancel(task);
    }
    jg_event_set(&spin.go_on);
    if (meanwhile == TAKEN_BACK) {
        jg_sleep(5);
        jg_cancel(task);
    }
    ck_assert_int_eq(jg_join(task), 7);
    return 0;
}

// The same for a cancel that is taken back while the task is behind a shield, and does not see it.
START_TEST(x11_cancel_taken_back_behind_a_shield_is_over) {
    meanwhile = TAKEN_BACK;
    expect_named(around_shield_body, 2);
    meanwhile = REPLACED;
    expect_named(around_shield_body, 2);
    meanwhile = KEPT; // one cancel all the while, with some waiting in between
    expect_named(around_shield_body, 1);
}
END_TEST

/* Spins in a group of somebody who is cancelled, and is behind a shield for good. */
static intptr_t spin_below_shield(void *arg) {
    bool *began = arg;
    intptr_t word = 0;
    *began = true;
    jg_sleep(60000);
    JG_SHIELD JG_GROUP(group, word) {
        const jg_spawn_options options = {.group = group};
        bool child_began = false;
        jg_task *child = jg_spawn_with(spin_twice, &child_began, &options);
        while (!child_began) {
            jg_yield();
        }
        for (int i = 0; i < 2; i++) {
            jg_cancel(child);
            while (jg_cancelling(child) > 0) {
                jg_sleep(1);
            }
        }
        word = jg_join(child);
    }
    return word;
}

static intptr_t below_shield_body(void *arg) {
    (void)arg;
    bool began = false;
    ck_assert_int_eq(jg_join(spawn_cancelled(spin_below_shield, &began, &began)), 7);
    return 0;
}

// A cancel further out, which a shield keeps away from the group, would be taken for one of its tasks'.
START_TEST(x11_cancel_of_a_group_behind_a_shield_is_its_own) {
    expect_named(below_shield_body, 2);
}
END_TEST

// What is no spin.

static intptr_t be_patient(void *arg) {
    bool *began = arg;
    *began = true;
    jg_sleep(60000);
    for (int i = 0; i < 4000; i++) {
        jg_yield();         // refused each time
        if (i % 500 == 0) { // and now and then some waiting that is not
            JG_SHIELD {
                jg_yield();
            }
        }
    }
    return 6;
}

struct crowd {
    bool began;
    jg_task *tasks[CROWD];
};

static intptr_t sleep_long(void *arg) {
    (void)arg;
    return jg_sleep(60000);
}

/* Joins who is under way, and never says that they should stop: the joins pass the cancel on. */
static intptr_t join_crowd(void *arg) {
    struct crowd *crowd = arg;
    for (int i = 0; i < CROWD; i++) {
        crowd->tasks[i] = jg_spawn(sleep_long, NULL);
    }
    crowd->began = true;
    jg_sleep(60000);
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(jg_join(crowd->tasks[i]), -ECANCELED);
    }
    return 6;
}

/* A farewell that is refused, and work that is done nevertheless. */
static intptr_t work_on(void *arg) {
    bool *began = arg;
    *began = true;
    jg_sleep(60000);
    for (int i = 0; i < 1500; i++) {
        jg_job job = {.state = 0};
        ck_assert_int_eq(jg_yield(), -ECANCELED);
        ck_assert_int_eq(jg_executor_submit(NULL, &job, nothing, (void *)3), 0);
        jg_job_wait(&job);
    }
    return 6;
}

static intptr_t no_spin_body(void *arg) {
    static struct crowd crowd;
    (void)arg;
    bool began = false;
    crowd.began = false;
    ck_assert_int_eq(jg_join(spawn_cancelled(be_patient, &began, &began)), 6);
    ck_assert_int_eq(jg_join(spawn_cancelled(join_crowd, &crowd, &crowd.began)), 6);
    began = false;
    ck_assert_int_eq(jg_join(spawn_cancelled(work_on, &began, &began)), 6);
    return 0;
}

// Clean-up of many things would be called a spin, and take a millisecond for each.
START_TEST(x11_clean_up_is_no_spin) {
    expect_named(no_spin_body, 0);
}
END_TEST

static intptr_t obey_each(void *arg) {
    bool *began = arg;
    *began = true;
    for (int i = 0; i < CROWD; i++) {
        while (jg_sleep(60000) == 0) {}
        jg_uncancel(jg_self());
    }
    for (int i = 0; i < CROWD; i++) {
        JG_TIMEOUT(0) {
            jg_sleep(1); // refused, and the scope left: nobody runs in between
        }
    }
    return 8;
}

static intptr_t obeyed_body(void *arg) {
    (void)arg;
    bool began = false;
    jg_task *task = spawn_cancelled(obey_each, &began, &began);
    for (int i = 1; i < CROWD; i++) {
        while (jg_cancelling(task) > 0) {
            jg_yield();
        }
        jg_cancel(task);
    }
    ck_assert_int_eq(jg_join(task), 8);
    return 0;
}

// A task that heeds very many cancels would be said to ignore one.
START_TEST(x11_cancels_taken_back_are_no_spin) {
    expect_named(obeyed_body, 0);
}
END_TEST

FIXTURE_MAIN("api/spin", x11_spin_on_a_cancel_is_named_once, x11_spin_with_luck_is_named_once,
             x11_each_cancel_ignored_is_named, x11_cancel_taken_back_behind_a_shield_is_over,
             x11_cancel_of_a_group_behind_a_shield_is_its_own, x11_clean_up_is_no_spin,
             x11_cancels_taken_back_are_no_spin)
