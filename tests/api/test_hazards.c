// SPDX-License-Identifier: MIT
/* test_hazards.c – what only C can get wrong: errno, buffers, loops torn down.
 *
 * Holds      nothing between tests.
 * Invariant  each case holds on epoll and on any seed.
 * Called by  ctest, on epoll and sim.
 * Why        SEMANTICS X1, X4, X9; RELIABILITY R10, R12. X11, a cancel ignored, is in test_spin.c.
 */
#define FIXTURE_LIMIT 20
#include "api/api.h"

#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

// X1: errno.

static intptr_t keep_errno(void *arg) {
    int own = (int)(intptr_t)arg;
    for (int i = 0; i < 20; i++) {
        errno = own;
        if (i % 3 == 0) {
            jg_yield();
        } else {
            jg_sleep(i % 3);
        }
        if (errno != own) {
            return jg_fail(-EPROTO, "errno became %d instead of %d", errno, own);
        }
    }
    return 0;
}

static intptr_t x01_body(void *arg) {
    (void)arg;
    int rc = 0;
    errno = 99;
    JG_GROUP(group, rc) {
        for (intptr_t i = 1; i <= 10; i++) {
            jg_group_spawn(group, keep_errno, (void *)i);
        }
    }
    ck_assert_int_eq(errno, 99);
    return rc;
}

// One task's errno would turn up in another, between its system call and its look at errno.
START_TEST(x01_errno_is_per_task) {
    run_body(x01_body);
}
END_TEST

// X4: whose buffer it is.

static intptr_t x04_body(void *arg) {
    jg_stream *ends[2];
    char buf[8] = "pattern";
    ssize_t rc = 0;
    (void)arg;
    open_pair(ends);
    JG_TIMEOUT(1, rc) {
        rc = jg_read(ends[0], buf, sizeof(buf));
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_eq(jg_write(ends[1], "stolen!!", 8), 8);
    jg_sleep(100); // whoever still had the buffer would use it now
    ck_assert_str_eq(buf, "pattern");
    ck_assert_int_eq(jg_read_exact(ends[0], buf, 8), 8);
    ck_assert_mem_eq(buf, "stolen!!", 8);
    close_pair(ends);
    return 0;
}

// A read that was cancelled would write into memory that is somebody else's by then.
START_TEST(x04_cancelled_read_leaves_the_buffer) {
    run_body(x04_body);
}
END_TEST

// X9, R10: what belongs to the thread, and what to the task.

static intptr_t see_mask(void *arg) {
    sigset_t mask;
    (void)arg;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, SIGUSR1);
}

static intptr_t x09_mask_body(void *arg) {
    sigset_t usr1;
    sigset_t before;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &before);
    intptr_t blocked = jg_join(jg_spawn(see_mask, arg));
    jg_sleep(1);
    ck_assert_int_eq(blocked, 1);
    ck_assert_int_eq(see_mask(NULL), 1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    ck_assert_int_eq(jg_join(jg_spawn(see_mask, arg)), sigismember(&before, SIGUSR1));
    return 0;
}

// A switch would change the thread's signal mask, at the price of a system call.
START_TEST(x09_signal_mask_is_the_threads) {
    run_body(x09_mask_body);
}
END_TEST

enum { R10_SWITCHES = 500000 / API_SLOWED, R10_SWITCHES_SIM = 20000 / API_SLOWED };

struct own_state {
    int mode;
    int trapped; // floating-point exceptions
    int number;
};

/* Keeps rounding, exception mask and errno of its own. */
static intptr_t keep_state(void *arg) {
    const struct own_state *own = arg;
    int switches = on_backend("sim") ? R10_SWITCHES_SIM : R10_SWITCHES;
    volatile double third = 3;
    ck_assert_int_eq(fesetround(own->mode), 0);
    feenableexcept(own->trapped); // where the processor can
    int trapped = fegetexcept();
    double mine = 1 / third;
    for (int i = 0; i < switches; i++) {
        errno = own->number;
        jg_yield();
        if (errno != own->number || 1 / third != mine || fegetexcept() != trapped) {
            return -EPROTO;
        }
    }
    fedisableexcept(own->trapped);
    return fegetround() == own->mode ? 0 : -EPROTO;
}

static intptr_t r10_body(void *arg) {
    struct own_state own[2] = {{FE_UPWARD, FE_DIVBYZERO, 1}, {FE_DOWNWARD, FE_INVALID, 2}};
    int rc = 0;
    (void)arg;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, keep_state, &own[0]);
        jg_group_spawn(group, keep_state, &own[1]);
    }
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
    return rc;
}

// One task's arithmetic or errno would leak into another's, once in a million switches.
START_TEST(r10_processor_state_over_a_million_switches) {
    run_once(r10_body, NULL);
}
END_TEST

// R12: a loop that ends with everything under way.

enum { UNDER_WAY = 1000, TENTH = UNDER_WAY / 10, GROWTH_MOST = 5 };

struct under_way {
    int count;
    jg_stream *near[UNDER_WAY / 4];
    jg_stream *far[UNDER_WAY / 4];
    jg_lock lock;
    jg_sem sem;
    int began;
    int cancelled;
    int64_t left_ns; // when the first task returned
    int64_t over_ns; // when the last of the others did
};

static intptr_t be_under_way(void *arg) {
    struct under_way *all = arg;
    int number = all->began++;
    char byte;
    ssize_t rc = 0;
    JG_TIMEOUT(600000) {
        switch (number % 4) {
        case 0:
            rc = jg_read(all->near[number / 4], &byte, 1);
            break;
        case 1:
            rc = jg_sleep(60000);
            break;
        case 2:
            rc = jg_lock_acquire(&all->lock);
            break;
        default:
            rc = jg_sem_acquire(&all->sem);
        }
    }
    all->cancelled += rc == -ECANCELED;
    all->over_ns = jg_now();
    return 0;
}

static intptr_t leave_under_way(void *arg) {
    struct under_way *all = arg;
    jg_lock_acquire(&all->lock);
    for (int i = 0; i < all->count / 4; i++) {
        ck_assert_int_eq(jg_stream_pair(&all->near[i], &all->far[i]), 0);
    }
    for (int i = 0; i < all->count; i++) {
        jg_detach(jg_spawn(be_under_way, all));
    }
    jg_sleep(1);
    for (int i = 0; i < all->count / 8; i++) {
        jg_stream_close(all->near[i]); // half of the readers hear of this first
        jg_stream_close(all->far[i]);
    }
    JG_SHIELD {
        jg_sleep(1);
    }
    jg_lock_release(&all->lock);
    return 3;
}

static intptr_t close_rest(void *arg) {
    struct under_way *all = arg;
    intptr_t rc = leave_under_way(arg);
    for (int i = all->count / 8; i < all->count / 4; i++) {
        jg_stream_close(all->near[i]);
        jg_stream_close(all->far[i]);
    }
    all->left_ns = jg_now();
    return rc;
}

static int64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * JG_S + now.tv_nsec;
}

/* CPU of a loop that ends with so much under way, from its beginning on. */
static int64_t end_with(int count) {
    static struct under_way all;
    all = (struct under_way){.count = count};
    int64_t start_ns = cpu_ns();
    ck_assert_int_eq(jg_run(close_rest, &all), 3);
    int64_t took_ns = cpu_ns() - start_ns;
    ck_assert_int_eq(all.began, count);
    ck_assert_int_gt(all.cancelled, count / 2);
    if (on_backend("sim")) { // whose time passes only while nobody can run: nothing was waited for
        ck_assert_int_le(all.over_ns - all.left_ns, JG_S);
    }
    return took_ns;
}

// A loop that ends with tasks, timers and operations under way would leak them, or hang.
START_TEST(r12_loop_ends_with_everything_under_way) {
    end_with(UNDER_WAY);
}
END_TEST

// The end of a busy loop would take a time that grows with the square of what is under way.
START_TEST(r12_the_end_takes_linear_time) {
    if (on_backend("sim")) {
        fixture_skip("the simulation counts the ready tasks at every step");
    }
    end_with(UNDER_WAY); // the stacks are made, and warm
    int64_t whole_ns = end_with(UNDER_WAY);
    int64_t parts_ns = 0;
    for (int i = 0; i < UNDER_WAY / TENTH; i++) {
        parts_ns += end_with(TENTH);
    }
    ck_assert_msg(whole_ns < parts_ns * GROWTH_MOST, "%lld ns at once, %lld ns in ten parts",
                  (long long)whole_ns, (long long)parts_ns);
}
END_TEST

FIXTURE_MAIN("api/hazards", x01_errno_is_per_task, x04_cancelled_read_leaves_the_buffer,
             x09_signal_mask_is_the_threads, r10_processor_state_over_a_million_switches,
             r12_loop_ends_with_everything_under_way, r12_the_end_takes_linear_time)
