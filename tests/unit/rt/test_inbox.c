// SPDX-License-Identifier: MIT
/* test_inbox.c – other threads and signal handlers reach a loop: each item once, no wake-up lost.
 */
#define FIXTURE_LIMIT 30
#include "world.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

enum { POSTS = 100000 / SLOWED };

// The pieces, without a thread.

static int delivered[3];

static void note_delivery(jg_call *item);

static jg_call items[3] = {
    {.deliver = note_delivery}, {.deliver = note_delivery}, {.deliver = note_delivery}};
static jg_loop *posting_to;

static void note_delivery(jg_call *item) {
    delivered[item - items]++;
    if (item == &items[1]) {
        ck_assert_int_eq(inbox_post(posting_to, &items[2]), 0); // from inside a delivery
    }
}

static bool woken(const jg_loop *loop) {
    struct pollfd wakeup = {.fd = loop->wakeup_fd, .events = POLLIN};
    return poll(&wakeup, 1, 0) == 1;
}

// Every post would cost a system call, or none would wake the loop.
START_TEST(only_a_sleeping_loop_is_woken) {
    struct loop loop = {.sim = false};
    loop.sched.running = &loop.self.coro;
    calls_init(&loop.calls);
    ck_assert_int_eq(inbox_open(&loop.handle), 0);
    posting_to = loop.handle;
    calls_round(&loop);
    ck_assert_int_eq(inbox_post(loop.handle, &items[0]), 0);
    ck_assert(!woken(loop.handle));
    ck_assert(!inbox_sleep(loop.handle)); // something is there: no sleep
    calls_round(&loop);
    ck_assert_int_eq(delivered[0], 1);
    ck_assert(inbox_sleep(loop.handle));
    ck_assert_int_eq(inbox_post(loop.handle, &items[0]), 0);
    ck_assert(woken(loop.handle));
    inbox_calm(loop.handle);
    inbox_awake(loop.handle);
    ck_assert_int_eq(inbox_post(loop.handle, &items[1]), 0);
    ck_assert(!woken(loop.handle));
    calls_round(&loop);
    ck_assert_int_eq(delivered[1], 1);
    ck_assert_int_eq(delivered[2], 0); // posted meanwhile: the next round's
    calls_round(&loop);
    ck_assert_int_eq(delivered[2], 1);
    calls_close(&loop);
    inbox_drop(loop.handle);
}
END_TEST

// Threads.

struct post {
    jg_call item; // first
    struct crowd *crowd;
    int poster;
    int number;
};

enum { POSTERS = 4 };

struct crowd {
    struct loop *loop;
    struct post *posts[POSTERS];
    int next[POSTERS];
    int left;
    struct wait all_here;
};

static void arrive(jg_call *item) {
    struct post *post = (struct post *)(void *)item;
    struct crowd *crowd = post->crowd;
    expect(post->number == crowd->next[post->poster]);
    crowd->next[post->poster]++;
    if (--crowd->left == 0) {
        crowd->loop->external--;
        wake(&crowd->all_here, 0);
    }
}

static void *post_all(void *arg) {
    struct post *posts = arg;
    for (int i = 0; i < POSTS / POSTERS; i++) {
        expect(inbox_post(posts->crowd->loop->handle, &posts[i].item) == 0);
    }
    return NULL;
}

static void crowd_body(void *arg) {
    (void)arg;
    enum { EACH = POSTS / POSTERS };
    struct crowd crowd = {.loop = sched_current()->loop, .left = POSTERS * EACH};
    pthread_t threads[POSTERS];
    crowd.loop->external++;
    for (int i = 0; i < POSTERS; i++) {
        crowd.posts[i] = calloc(EACH, sizeof(struct post));
        for (int k = 0; k < EACH; k++) {
            crowd.posts[i][k] = (struct post){{.deliver = arrive}, &crowd, i, k};
        }
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_all, crowd.posts[i]), 0);
    }
    park(&crowd.all_here);
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(crowd.next[i], EACH);
        free(crowd.posts[i]);
    }
}

// Posts of many threads at once would be lost, doubled or out of order.
START_TEST(each_post_of_many_threads_arrives_once) {
    world_run("epoll", 0, crowd_body, NULL);
    world_run("sim", 1, crowd_body, NULL);
}
END_TEST

struct volley {
    jg_call item; // first
    struct loop *loop;
    atomic_int arrived;
    struct wait over;
};

static void return_ball(jg_call *item) {
    struct volley *volley = (struct volley *)(void *)item;
    if (atomic_fetch_add(&volley->arrived, 1) + 1 == POSTS) {
        volley->loop->external--;
        wake(&volley->over, 0);
    }
}

/* Posts again as soon as the last one has arrived: just when the loop is about to go to sleep. */
static void *throw_one_by_one(void *arg) {
    struct volley *volley = arg;
    for (int i = 0; i < POSTS; i++) {
        expect(inbox_post(volley->loop->handle, &volley->item) == 0);
        for (int spins = 0; atomic_load(&volley->arrived) <= i; spins++) {
            if (spins > 1000) {
                sched_yield();
            }
        }
    }
    return NULL;
}

static void volley_body(void *arg) {
    (void)arg;
    struct volley volley = {.item = {.deliver = return_ball}, .loop = sched_current()->loop};
    pthread_t thread;
    volley.loop->external++;
    ck_assert_int_eq(pthread_create(&thread, NULL, throw_one_by_one, &volley), 0);
    park(&volley.over);
    pthread_join(thread, NULL);
    ck_assert_int_eq(atomic_load(&volley.arrived), POSTS);
}

// A post that meets the loop falling asleep would not wake it: the program hangs.
START_TEST(no_wake_up_is_lost) {
    world_run("epoll", 0, volley_body, NULL);
    world_run("sim", 1, volley_body, NULL);
}
END_TEST

// Signals.

enum { SIGNALS = 300 };

static struct volley signal_posts[SIGNALS];
static volatile sig_atomic_t signals_sent;
static int signals_arrived;
static struct wait signals_over;

static void count_signal(jg_call *item) {
    struct volley *post = (struct volley *)(void *)item;
    expect(post == &signal_posts[signals_arrived]);
    if (++signals_arrived == SIGNALS) {
        post->loop->external--;
        wake(&signals_over, 0);
    }
}

static void post_from_signal(int number) {
    (void)number;
    if (signals_sent < SIGNALS) {
        struct volley *post = &signal_posts[signals_sent];
        signals_sent++;
        (void)inbox_post(post->loop->handle, &post->item);
    }
}

static void signals_body(void *arg) {
    (void)arg;
    struct loop *loop = sched_current()->loop;
    signals_sent = 0;
    signals_arrived = 0;
    for (int i = 0; i < SIGNALS; i++) {
        signal_posts[i] = (struct volley){.item = {.deliver = count_signal}, .loop = loop};
    }
    struct sigaction action = {.sa_handler = post_from_signal};
    const struct itimerval often = {.it_value = {.tv_usec = 50}, .it_interval = {.tv_usec = 50}};
    const struct itimerval off = {.it_value = {.tv_usec = 0}};
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    loop->external++;
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    signals_over = (struct wait){.kind = WAIT_KIND("signals")};
    park(&signals_over);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &off, NULL), 0);
    signal(SIGALRM, SIG_DFL);
    ck_assert_int_eq(signals_arrived, SIGNALS);
}

// A signal that strikes at a bad moment would be lost or hang the loop.
START_TEST(signal_handlers_post_at_any_moment) {
    world_run("epoll", 0, signals_body, NULL);
    world_run("sim", 1, signals_body, NULL);
}
END_TEST

FIXTURE_MAIN("rt/inbox", only_a_sleeping_loop_is_woken, each_post_of_many_threads_arrives_once,
             no_wake_up_is_lost, signal_handlers_post_at_any_moment)
