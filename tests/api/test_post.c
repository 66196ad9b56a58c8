// SPDX-License-Identifier: MIT
/* test_post.c – SEMANTICS S50 (c): reaching a loop from threads, signal handlers, and when it is gone.
 *
 * Holds      nothing between tests.
 * Invariant  every post that was accepted is made exactly once; every other leaves its record alone.
 * Called by  ctest, on epoll and sim.
 * Why        threads meet the loop falling asleep, waking up and closing, each many times over.
 */
#define FIXTURE_LIMIT 30
#include "api/api.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define expect(condition) ((condition) ? (void)0 : ck_abort_msg("%s does not hold", #condition))

static pthread_t start(void *(*run)(void *), void *arg) {
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
    return thread;
}

// A loop that sleeps.

struct knock {
    pid_t sleeper; // the loop's thread
    jg_loop *loop;
    jg_call call;
    jg_future opened;
    atomic_int knocks;
};

static intptr_t open_up(void *arg) {
    struct knock *knock = arg;
    atomic_fetch_add(&knock->knocks, 1);
    return jg_future_set(&knock->opened, 1);
}

/* Waits until the kernel says that this thread sleeps: "1234 (name) S ...". */
static void await_asleep(pid_t thread) {
    char path[64];
    char text[256] = {0};
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
    for (const char *state = NULL; state == NULL || strncmp(state, ") S", 3) != 0;) {
        sched_yield();
        FILE *file = fopen(path, "r");
        expect(file != NULL);
        expect(fgets(text, sizeof(text), file) != NULL);
        fclose(file);
        state = strrchr(text, ')');
    }
}

static void *knock_once(void *arg) {
    struct knock *knock = arg;
    await_asleep(knock->sleeper);
    expect(jg_post(knock->loop, &knock->call, open_up, knock) == 0);
    return NULL;
}

static intptr_t thread_body(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        struct knock knock = {.sleeper = gettid(), .loop = jg_loop_hold(jg_loop_current())};
        pthread_t thread = start(knock_once, &knock);
        ck_assert_int_eq(jg_future_wait(&knock.opened), 1);
        pthread_join(thread, NULL);
        jg_loop_drop(knock.loop);
    }
    return 0;
}

// A loop asleep in the kernel would not hear another thread.
START_TEST(s50c_a_thread_wakes_a_sleeping_loop) {
    needs_loop();
    run_body(thread_body);
}
END_TEST

static struct knock *of_signal;

static void knock_from_signal(int number) {
    (void)number;
    (void)jg_post(of_signal->loop, &of_signal->call, open_up, of_signal);
}

static intptr_t signal_body(void *arg) {
    (void)arg;
    struct knock knock = {.loop = jg_loop_hold(jg_loop_current())};
    const struct sigaction action = {.sa_handler = knock_from_signal};
    const struct itimerval soon = {.it_value = {.tv_usec = 500}};
    of_signal = &knock;
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    ck_assert_int_eq(jg_future_wait(&knock.opened), 1);
    signal(SIGALRM, SIG_DFL);
    jg_loop_drop(knock.loop);
    return 0;
}

// A signal handler could not reach the loop it interrupts.
START_TEST(s50c_a_signal_handler_wakes_a_sleeping_loop) {
    needs_loop();
    run_body(signal_body);
}
END_TEST

enum { STRIKES = 300 };

static jg_call strike_calls[STRIKES];
static jg_loop *struck_loop;
static volatile sig_atomic_t strikes_sent;
static size_t strikes_made;
static jg_future all_struck;

static intptr_t make_strike(void *arg) {
    expect(arg == &strike_calls[strikes_made]);
    return ++strikes_made == STRIKES ? jg_future_set(&all_struck, 0) : 0;
}

static void strike(int number) {
    (void)number;
    if (strikes_sent < STRIKES) {
        jg_call *call = &strike_calls[strikes_sent];
        strikes_sent += jg_post(struck_loop, call, make_strike, call) == 0;
    }
}

static intptr_t storm_body(void *arg) {
    (void)arg;
    const struct sigaction action = {.sa_handler = strike};
    const struct itimerval often = {.it_value = {.tv_usec = 50}, .it_interval = {.tv_usec = 50}};
    const struct itimerval off = {.it_value = {.tv_usec = 0}};
    strikes_sent = 0;
    strikes_made = 0;
    all_struck = (jg_future){0};
    struck_loop = jg_loop_hold(jg_loop_current());
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    ck_assert_int_eq(jg_future_wait(&all_struck), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &off, NULL), 0);
    signal(SIGALRM, SIG_DFL);
    jg_loop_drop(struck_loop);
    return 0;
}

// A signal that strikes at a bad moment would be lost, doubled or out of order.
START_TEST(s50c_signals_strike_at_any_moment) {
    needs_loop();
    run_once(storm_body, NULL);
}
END_TEST

// A loop that is gone.

static jg_loop *kept;

static intptr_t keep_handle(void *arg) {
    (void)arg;
    kept = jg_loop_hold(jg_loop_current());
    return 0;
}

static intptr_t never(void *arg) {
    (void)arg;
    ck_abort_msg("a call of a closed loop was made");
    return 0;
}

// A post to a loop that is gone would crash, or leave its sender waiting.
START_TEST(s50c_a_closed_loop_refuses) {
    needs_loop();
    jg_call call = {0};
    run_once(keep_handle, NULL);
    ck_assert_int_eq(jg_post(kept, &call, never, NULL), -ESHUTDOWN);
    ck_assert(!jg_call_queued(&call));
    ck_assert_int_eq(jg_post(kept, &call, never, NULL), -ESHUTDOWN);
    jg_loop_drop(kept);
}
END_TEST

enum { POSTERS = 3, ROUNDS = 300 / API_SLOWED };

struct closing {
    jg_loop *loop;
    atomic_int accepted;
    atomic_int made;
};

static intptr_t count_made(void *arg) {
    struct closing *closing = arg;
    atomic_fetch_add(&closing->made, 1);
    return 0;
}

/* Posts one record after the other until the loop refuses. */
static void *post_to_the_end(void *arg) {
    struct closing *closing = arg;
    jg_call calls[4] = {0};
    int rc = 0;
    for (size_t i = 0; rc != -ESHUTDOWN; i++) {
        rc = jg_post(closing->loop, &calls[i % 4], count_made, closing);
        expect(rc == 0 || rc == -EALREADY || rc == -ESHUTDOWN);
        atomic_fetch_add(&closing->accepted, rc == 0);
        if (rc == -EALREADY) {
            sched_yield();
        }
    }
    for (size_t i = 0; i < 4; i++) {
        while (jg_call_queued(&calls[i])) { // accepted: it is being made
            sched_yield();
        }
    }
    jg_loop_drop(closing->loop);
    return NULL;
}

static intptr_t close_amid_posts(void *arg) {
    struct closing *closing = arg;
    pthread_t *threads = (pthread_t *)(closing + 1);
    closing->loop = jg_loop_current();
    for (int i = 0; i < POSTERS; i++) {
        jg_loop_hold(closing->loop);
        threads[i] = start(post_to_the_end, closing);
    }
    while (atomic_load(&closing->made) < 5) {
        jg_yield();
    }
    return 0;
}

// A post that meets the close would be lost after it was accepted, made twice, or touch freed memory.
START_TEST(s50c_no_post_is_lost_in_the_close) {
    needs_loop();
    for (int i = 0; i < ROUNDS; i++) {
        struct {
            struct closing closing;
            pthread_t threads[POSTERS];
        } all = {.closing = {.loop = NULL}};
        run_once(close_amid_posts, &all.closing);
        int made = atomic_load(&all.closing.made);
        for (int k = 0; k < POSTERS; k++) {
            pthread_join(all.threads[k], NULL);
        }
        ck_assert_int_eq(made, atomic_load(&all.closing.made)); // none after the loop's end
        ck_assert_int_eq(made, atomic_load(&all.closing.accepted));
    }
}
END_TEST

// One record, many senders.

enum { NEWS = 20000 / API_SLOWED };

struct news {
    jg_loop *loop;
    jg_call call;
    atomic_int told;
    atomic_int senders;
    int seen; // the loop's
    jg_future over;
};

static intptr_t read_news(void *arg) {
    struct news *news = arg;
    int told = atomic_load_explicit(&news->told, memory_order_relaxed);
    expect(told >= news->seen);
    news->seen = told;
    return told == POSTERS * NEWS ? jg_future_set(&news->over, 0) : 0;
}

static void *tell_news(void *arg) {
    struct news *news = arg;
    for (int i = 0; i < NEWS; i++) {
        atomic_fetch_add_explicit(&news->told, 1, memory_order_relaxed);
        int rc = jg_post(news->loop, &news->call, read_news, news);
        expect(rc == 0 || rc == -EALREADY);
    }
    return NULL;
}

static intptr_t news_body(void *arg) {
    (void)arg;
    struct news news = {.loop = jg_loop_hold(jg_loop_current())};
    pthread_t threads[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        threads[i] = start(tell_news, &news);
    }
    ck_assert_int_eq(jg_future_wait(&news.over), 0); // hangs if the last news were not seen
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    jg_call_cancel(&news.call);
    jg_loop_drop(news.loop);
    return 0;
}

// Whoever is told that the call is queued already could not rely on being heard.
START_TEST(a_call_that_is_due_sees_the_newest) {
    needs_loop();
    run_once(news_body, NULL);
}
END_TEST

// Taking back what others post.

enum { BALLS = 5000 / API_SLOWED };

struct match {
    jg_loop *loop;
    jg_call call;
    atomic_int accepted;
    atomic_bool over;
    int made;
    int taken_back;
};

static intptr_t catch_ball(void *arg) {
    ((struct match *)arg)->made++;
    return 0;
}

static void *throw_balls(void *arg) {
    struct match *match = arg;
    while (atomic_load(&match->accepted) < BALLS) {
        int rc = jg_post(match->loop, &match->call, catch_ball, match);
        expect(rc == 0 || rc == -EALREADY);
        atomic_fetch_add(&match->accepted, rc == 0);
    }
    atomic_store(&match->over, true);
    return NULL;
}

static intptr_t match_body(void *arg) {
    (void)arg;
    struct match match = {.loop = jg_loop_hold(jg_loop_current())};
    pthread_t thread = start(throw_balls, &match);
    while (!atomic_load(&match.over)) {
        match.taken_back += jg_call_cancel(&match.call);
        jg_yield();
    }
    pthread_join(thread, NULL);
    match.taken_back += jg_call_cancel(&match.call);
    ck_assert(!jg_call_queued(&match.call));
    ck_assert_int_eq(match.made + match.taken_back, atomic_load(&match.accepted));
    jg_loop_drop(match.loop);
    return 0;
}

// A post that meets a cancel would be made and taken back, or neither.
START_TEST(a_post_is_made_or_taken_back) {
    needs_loop();
    run_once(match_body, NULL);
}
END_TEST

static void *cancel_elsewhere(void *call) {
    jg_call_cancel(call);
    return NULL;
}

static intptr_t queue_and_cancel_elsewhere(void *arg) {
    (void)arg;
    jg_call call = {0};
    jg_call_soon(&call, never, NULL);
    pthread_join(start(cancel_elsewhere, &call), NULL);
    return 0;
}

static void run_cancel_elsewhere(void *arg) {
    (void)arg;
    jg_run(queue_and_cancel_elsewhere, NULL);
}

// Another thread would tear at the loop's queue.
START_TEST(cancelling_on_another_thread_is_named) {
    needs_loop();
    fixture_expect_abort(run_cancel_elsewhere, NULL,
                         "a call is cancelled on another thread than that of the loop");
}
END_TEST

// Forks.

static int codes_in_child(jg_loop *loop) {
    static jg_call call;
    bool fine = jg_post(loop, &call, never, NULL) == -ECHILD && !jg_call_queued(&call) &&
                jg_call_soon(&call, never, NULL) == -ECHILD &&
                jg_call_later(&call, 5, never, NULL) == -ECHILD;
    return fine ? 0 : 1;
}

static intptr_t fork_body(void *arg) {
    (void)arg;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(codes_in_child(jg_loop_current()));
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    return 0;
}

// A forked child would write into its copy of the queue, and wake its parent for nothing.
START_TEST(a_forked_child_is_refused) {
    needs_loop();
    run_once(fork_body, NULL);
}
END_TEST

static pid_t child_of_call;

static intptr_t fork_in_call(void *arg) {
    (void)arg;
    child_of_call = fork();
    return 0; // the child ends here
}

static intptr_t fork_in_call_body(void *arg) {
    (void)arg;
    jg_call call = {0};
    child_of_call = 0;
    ck_assert_int_eq(jg_call_soon(&call, fork_in_call, NULL), 0);
    jg_sleep(1);
    ck_assert_int_gt(child_of_call, 0);
    int status;
    ck_assert_int_eq(waitpid(child_of_call, &status, 0), child_of_call);
    ck_assert_int_eq(status, 0);
    return 0;
}

// A child forked in a call would go on as a second loop on the parent's epoll.
START_TEST(a_child_forked_in_a_call_ends_with_it) {
    needs_loop();
    run_once(fork_in_call_body, NULL);
}
END_TEST

FIXTURE_MAIN("api/post", s50c_a_thread_wakes_a_sleeping_loop,
             s50c_a_signal_handler_wakes_a_sleeping_loop, s50c_signals_strike_at_any_moment,
             s50c_a_closed_loop_refuses, s50c_no_post_is_lost_in_the_close,
             a_call_that_is_due_sees_the_newest, a_post_is_made_or_taken_back,
             cancelling_on_another_thread_is_named, a_forked_child_is_refused,
             a_child_forked_in_a_call_ends_with_it)
