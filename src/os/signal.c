// SPDX-License-Identifier: MIT
/* signal.c – from a handler to whoever waits.
 *
 * Holds      for the process: the list of watches, and per signal how many watch it and the action it
 *            had before.
 * Invariant  the list is changed under a lock and read by handlers without one: a watch that was taken
 *            out is left alone only after every handler that might still see it has ended. A watch that is
 *            closed, or was never open, has an empty set.
 * Called by  user code.
 * Why        a handler may run on any thread at any point: it sets a bit, and posts to the watch's
 *            loop or its semaphore, which POSIX allows. No descriptor, no allocation, no thread.
 * Quirks     handlers count themselves in one of two counters; who waits for them turns new ones to the
 *            other, twice: so a storm of signals cannot hold it up. A forked child takes all actions
 *            back at once, as nobody is left there to wait.
 */
#include "rt/call.h"
#include "rt/observe.h"
#include "sync/waitq.h"
#include "task/task.h"

#include <errno.h>
#include <juggle/signal.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum { SIGNALS_MOST = 64 };

struct action {
    unsigned watches;
    struct sigaction before;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct action actions[SIGNALS_MOST + 1]; // under the lock
static _Atomic(jg_signals *) first;             // changed under it
static atomic_uint side;                        // which counter handlers use: the lowest bit
static atomic_uint inside[2];                   // handlers that may look at the list
static uint32_t forks; // this process came out of; written in a fresh child

// In the handler.

static void announce(jg_signals *signals) {
    if (signals->loop == NULL) {
        sem_post(&signals->arrived);
    } else if (call_claim(&signals->call)) {
        inbox_post(signals->loop, &signals->call);
    }
}

static void on_signal(int number) {
    int error = errno;
    const uint64_t bit = JG_SIGNAL(number);
    atomic_uint *counter = &inside[atomic_load(&side) & 1];
    atomic_fetch_add(counter, 1);
    for (jg_signals *each = atomic_load(&first); each != NULL;
         each = __atomic_load_n(&each->next, __ATOMIC_SEQ_CST)) {
        bool is_new = (each->set & bit) != 0 &&
                      (__atomic_fetch_or(&each->pending, bit, __ATOMIC_SEQ_CST) & bit) == 0;
        if (is_new) {
            announce(each);
        }
    }
    atomic_fetch_sub(counter, 1);
    errno = error;
}

// Under the lock.

/* Waits until no handler is left that began before now. */
static void wait_for_handlers(void) {
    for (int i = 0; i < 2; i++) {
        unsigned before = atomic_fetch_xor(&side, 1) & 1;
        while (atomic_load(&inside[before]) > 0) {
            sched_yield();
        }
    }
}

static bool is_in(const jg_signals *signals) {
    const jg_signals *each = atomic_load(&first);
    while (each != NULL && each != signals) {
        each = each->next;
    }
    return each != NULL;
}

static void put_in(jg_signals *signals) {
    signals->next = atomic_load(&first);
    atomic_store(&first, signals);
}

static void take_out(jg_signals *signals) {
    if (atomic_load(&first) == signals) {
        atomic_store(&first, signals->next);
        return;
    }
    jg_signals *before = atomic_load(&first);
    while (before->next != signals) {
        must(before->next != NULL);
        before = before->next;
    }
    __atomic_store_n(&before->next, signals->next, __ATOMIC_SEQ_CST);
}

static void watch_number(int number) {
    struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigemptyset(&ours.sa_mask);
    if (actions[number].watches++ == 0) {
        int rc = sigaction(number, &ours, &actions[number].before);
        must(rc == 0); // it is a signal that can be handled: that was checked
    }
}

/* Gives the signal its action back, unless somebody has set another. */
static void give_back(int number) {
    struct sigaction present;
    bool ours = sigaction(number, NULL, &present) == 0 && present.sa_handler == on_signal;
    if (ours) {
        sigaction(number, &actions[number].before, NULL);
    }
}

static void unwatch_number(int number) {
    must(actions[number].watches > 0);
    if (--actions[number].watches == 0) {
        give_back(number);
    }
}

static void for_each(uint64_t set, void (*do_it)(int number)) {
    for (int number = 1; number <= SIGNALS_MOST; number++) {
        if (set & JG_SIGNAL(number)) {
            do_it(number);
        }
    }
}

/* From here on no handler knows of it. */
static void end_watch(jg_signals *signals) {
    for_each(signals->set, unwatch_number);
    take_out(signals);
    wait_for_handlers();
    signals->set = 0;
}

// Forks.

static void before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void) {
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void) {
    forks++;
    atomic_store(&first, NULL);
    atomic_store(&inside[0], 0);
    atomic_store(&inside[1], 0);
    for (int number = 1; number <= SIGNALS_MOST; number++) {
        if (actions[number].watches > 0) {
            actions[number].watches = 0;
            give_back(number);
        }
    }
    pthread_mutex_unlock(&lock);
}

/* As early as the library: a fork that has begun runs no handler that comes later. */
__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

// Watches.

static int take_one(jg_signals *signals) {
    uint64_t pending = __atomic_load_n(&signals->pending, __ATOMIC_SEQ_CST);
    if (pending == 0) {
        return 0;
    }
    uint64_t bit = pending & -pending; // the lowest; handlers only add
    __atomic_fetch_and(&signals->pending, ~bit, __ATOMIC_SEQ_CST);
    return __builtin_ctzll(bit) + 1;
}

/* On the loop: hands what has come to who waits. The rest stays pending. */
static void arrive(jg_call *call) {
    jg_signals *signals = container_of(call, jg_signals, call);
    call_release(call);
    while (!waitq_empty(&signals->waiters)) {
        int number = take_one(signals);
        if (number == 0) {
            return;
        }
        waitq_wake_one(&signals->waiters, number);
    }
}

static bool can_be_watched(uint64_t set) {
    const uint64_t never = JG_SIGNAL(SIGKILL) | JG_SIGNAL(SIGSTOP) | JG_SIGNAL(SIGSEGV) |
                           JG_SIGNAL(SIGBUS) | JG_SIGNAL(SIGFPE) | JG_SIGNAL(SIGILL) |
                           JG_SIGNAL(SIGTRAP) | JG_SIGNAL(SIGSYS) | JG_SIGNAL(SIGABRT);
    for (int number = __SIGRTMIN; number < SIGRTMIN; number++) {
        if (set & JG_SIGNAL(number)) {
            return false; // the C library's own
        }
    }
    return set != 0 && (set & never) == 0;
}

/* The loop closes: the watches on it that nobody closed end, as its descriptors do. */
static void end_left_open(struct loop *loop) {
    size_t count = 0;
    pthread_mutex_lock(&lock);
    for (jg_signals *each = atomic_load(&first), *next; each != NULL; each = next) {
        if (stack_pool_holds(&loop->stacks, each)) { // where nothing is alive any more
            check_misuse("a task ended with a watch on signals open on its stack");
        }
        next = each->next;
        if (each->loop == loop->handle) {
            end_watch(each);
            call_take_back(loop, &each->call);
            sem_destroy(&each->arrived);
            count++;
        }
    }
    pthread_mutex_unlock(&lock);
    for (; count > 0; count--) {
        observe(&loop->sched, left_open, "a watch on signals");
    }
}

int jg_signals_open(jg_signals *signals, uint64_t set) {
    struct loop *loop = sched_current()->loop;
    if (!can_be_watched(set)) {
        return (int)error_bare(-EINVAL);
    }
    if (loop != NULL) {
        loop->at_close = end_left_open;
    }
    pthread_mutex_lock(&lock);
    if (unlikely(is_in(signals))) {
        pthread_mutex_unlock(&lock);
        return (int)error_bare(-EALREADY);
    }
    *signals = (jg_signals){
        .set = set, .loop = loop != NULL ? loop->handle : NULL, .call = {.deliver = arrive}};
    sem_init(&signals->arrived, 0, 0);
    signals->forks = forks;
    put_in(signals);
    for_each(set, watch_number);
    pthread_mutex_unlock(&lock);
    return 0;
}

static void check_place(const jg_signals *signals) {
    const struct loop *loop = sched_current()->loop;
    if (unlikely(signals->loop != (loop != NULL ? loop->handle : NULL))) {
        check_misuse("a watch on signals is used outside the loop or thread that opened it");
    }
}

/* Waits for a post, no longer than the thread's deadline. Returns 0 or -ECANCELED. */
static int wait_on_thread(struct coro *self, sem_t *arrived) {
    int rc;
    const struct timespec until = {self->deadline_ns / JG_S, self->deadline_ns % JG_S};
    do {
        rc = self->deadline_ns == JG_NEVER ? sem_wait(arrived)
                                           : sem_clockwait(arrived, CLOCK_MONOTONIC, &until);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : sched_refuse(self);
}

static int next_on_thread(jg_signals *signals) {
    for (;;) {
        while (sem_trywait(&signals->arrived) == 0) {} // of signals that were taken since
        int number = take_one(signals);
        if (number != 0) {
            return number;
        }
        int rc = wait_on_thread(sched_current(), &signals->arrived);
        if (rc < 0) {
            return rc;
        }
    }
}

static int next(jg_signals *signals) {
    struct coro *self = sched_current();
    int rc = suspend_check(self);
    if (unlikely(rc < 0 || signals->set == 0)) {
        return rc < 0 ? rc : -EBADF;
    }
    if (unlikely(signals->forks != forks)) {
        return -ECHILD;
    }
    check_place(signals);
    if (self->loop == NULL) {
        return next_on_thread(signals);
    }
    int number = take_one(signals);
    if (number != 0) {
        return number;
    }
    struct loop *loop = self->loop;
    loop->external++;
    number = (int)waitq_wait(&signals->waiters, WAIT_KIND("signal"));
    loop->external--;
    return number;
}

int jg_signals_next(jg_signals *signals) {
    return (int)error_bare(next(signals));
}

void jg_signals_close(jg_signals *signals) {
    if (signals->forks != forks || signals->set == 0) {
        return;
    }
    check_place(signals);
    pthread_mutex_lock(&lock);
    end_watch(signals);
    pthread_mutex_unlock(&lock);
    if (signals->loop != NULL) {
        call_take_back(sched_current()->loop, &signals->call);
        waitq_wake_all(&signals->waiters, -EBADF);
    }
    sem_destroy(&signals->arrived);
}

int jg_signal_wait(uint64_t set) {
    jg_signals signals;
    int rc = suspend_check(sched_current());
    rc = rc < 0 ? rc : jg_signals_open(&signals, set);
    if (rc < 0) {
        return rc;
    }
    rc = jg_signals_next(&signals);
    jg_signals_close(&signals);
    return rc;
}
