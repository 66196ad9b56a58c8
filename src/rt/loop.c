// SPDX-License-Identifier: MIT
/* loop.c – opening, turning and closing a loop.
 *
 * Holds      beyond struct loop, how many there were.
 * Invariant  callbacks (timers, deliveries) run as the loop's own coroutine, which must not suspend.
 * Called by  see loop.h.
 * Why        a turn asks the kernel only when something waits there; a loop whose tasks only yield
 *            makes no system call.
 */
#include "rt/loop.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "rt/fault.h"
#include "rt/observe.h"
#include "rt/sim_weather.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
    BUDGET = 256,      // resumes per turn
    TRIM_FIRST = 64,   // stacks whose pages go back to the kernel before a sleep
    TRIM_MOST = 1024,  // the same after sleeps in which nothing happened: about a millisecond
    BUFFERS_KEPT = 64, // free read buffers per loop
};

static _Atomic(uint64_t) loops; // opened in this program so far
static uint64_t left_behind;    // of them, when this process was forked; written in a fresh child

// How long a loop sleeps at a time while there are more stacks to give back.
static const int64_t TRIM_NAP_NS = 5 * JG_MS;

struct loop_buffer {
    struct loop_buffer *next;
};

/* A forked child has a copy of the loop but shares its epoll: nothing there may use it. */
static void poison_forked_child(void) {
    fault_fork_is_over();
    inbox_forked();
    left_behind = atomic_load(&loops);
    if (sched_here != NULL) {
        sched_here->running->attention |= ATTENTION_FORKED;
        backend_strand(sched_here->running->loop->backend);
    }
}

bool place_left_behind(uint64_t place) {
    return place != 0 && place / 2 <= left_behind;
}

int place_missed(uint64_t place, const char *thing) {
    if (!place_left_behind(place)) {
        check_misuse("%s is used outside the loop or thread it was made on", thing);
    }
    return (int)error_bare(-ECHILD);
}

/* As early as the library: a fork that has begun runs no handler that comes later. */
__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(fault_fork_begins, fault_fork_is_over, poison_forked_child);
}

/* The parts that may fail to be made. */
static int open_parts(struct loop *loop, const struct loop_options *options) {
    int rc = inbox_open(&loop->handle);
    if (rc < 0) {
        return rc;
    }
    rc = options->sim ? sim_open(loop, options->seed, &loop->backend)
                      : epoll_open(loop, &loop->backend);
    if (rc < 0) {
        inbox_drop(loop->handle);
    }
    return rc;
}

static struct sim_weather *choose_weather(const struct loop_options *options) {
    static struct sim_weather usual; // nobody writes to it: it has neither faults nor hooks
    return options->weather != NULL ? options->weather : &usual;
}

int loop_open(struct loop *loop, const struct loop_options *options) {
    struct coro *outer = sched_current();
    if (outer->loop != NULL) {
        return outer->attention & ATTENTION_FORKED ? -ECHILD : -EBUSY;
    }
    *loop = (struct loop){
        .sched = {.budget_full = options->sim ? 0 : BUDGET - 1, .errno_place = &errno},
        .stack_size = options->stack_size,
        .sim = options->sim,
        .weather = options->sim ? choose_weather(options) : NULL,
        .random = options->seed,
        .on_stuck = options->on_stuck};
    timers_init(&loop->timers);
    stack_pool_init(&loop->stacks);
    calls_init(&loop->calls);
    int rc = open_parts(loop, options);
    if (rc < 0) {
        return rc;
    }
    loop->number = 2 * (atomic_fetch_add(&loops, 1) + 1) + loop->sim;
    struct coro *self = &loop->self.coro;
    self->loop = loop;
    self->name = "loop";
    self->deadline_ns = JG_NEVER;
    self->attention = ATTENTION_NO_SUSPEND;
    sanitize_adopt(&self->sanitize);
    loop->modes = rt_switch_modes();
    self->next = self;
    self->prev = self;
    loop->sched.running = self;
    sched_enter(&loop->sched);
    return 0;
}

/* While the loop runs: whether anybody else could. */
static inline bool any_ready(const struct loop *loop) {
    return loop->self.coro.next != &loop->self.coro;
}

void loop_close(struct loop *loop) {
    must(sched_here == &loop->sched && loop->sched.running == &loop->self.coro);
    calls_close(loop);
    must(!any_ready(loop));
    loop->backend->ops->close(loop->backend);
    timers_fini(&loop->timers);
    stack_pool_fini(&loop->stacks);
    while (loop->buffers != NULL) {
        struct loop_buffer *buffer = loop->buffers;
        loop->buffers = buffer->next;
        mem_free(buffer);
    }
    inbox_close(loop->handle);
    sched_enter(NULL);
}

int64_t loop_idle_ns(const struct loop *loop, int64_t now_ns) {
    if (any_ready(loop) || calls_due(&loop->calls) || !mpsc_empty(&loop->handle->queue)) {
        return 0;
    }
    int64_t next = timers_next(&loop->timers);
    if (next == JG_NEVER) {
        return -1;
    }
    return next > now_ns ? next - now_ns : 0;
}

static void reap(struct loop *loop, int64_t limit_ns) {
    loop->stage = LOOP_COMPLETIONS;
    int rc = loop->backend->ops->reap(loop->backend, limit_ns);
    if (unlikely(rc == -EDEADLK)) {
        loop->on_stuck(loop);
    } else if (unlikely(rc < 0)) {
        check_misuse("the loop cannot ask for events: %s; somebody closed its descriptor",
                     strerrorname_np(-rc));
    }
}

/* Asks the backend for completions, without waiting for one. */
static void glance(struct loop *loop) {
    if (loop->backend->pending > 0 || !any_ready(loop)) {
        reap(loop, 0);
    }
}

/* Whether nothing is under way and nobody has a handle to post with. */
static bool nobody_owes(const struct loop *loop) {
    return loop->backend->pending == 0 && loop->external == 0 && !inbox_held(loop->handle);
}

/* Gives the pages of stacks back that a crowd has left: few while there is work, more the longer nobody has
 * run. */
static void trim(struct loop *loop) {
    bool quiet = loop->rounds == loop->trim_round;
    unsigned twice = 2 * loop->trim_most;
    loop->trim_most = !quiet ? TRIM_FIRST : twice < TRIM_MOST ? twice : TRIM_MOST;
    loop->trim_round = loop->rounds;
    loop->trims = stack_trim(&loop->stacks, loop->trim_most) && !loop->sim;
}

int64_t loop_sleep_ns(const struct loop *loop, int64_t idle_ns) {
    bool nap = loop->trims && (idle_ns < 0 || idle_ns > TRIM_NAP_NS);
    return nap ? TRIM_NAP_NS : idle_ns;
}

/* Asks for completions, and sleeps in it if there is nothing else to do. */
static void look(struct loop *loop) {
    int64_t idle_ns = loop_idle_ns(loop, loop_now_ns());
    if (idle_ns == 0 || !inbox_sleep(loop->handle)) {
        glance(loop);
        return;
    }
    trim(loop);
    int64_t limit_ns = loop_sleep_ns(loop, idle_ns);
    observe(&loop->sched, sleeps, limit_ns < 0 && nobody_owes(loop));
    reap(loop, limit_ns);
    inbox_awake(loop->handle);
    observe(&loop->sched, awake);
}

/* What a turn does once it has looked: calls, then timers. */
static void turn(struct loop *loop) {
    loop->stage = LOOP_CALLS;
    calls_round(loop);
    loop->stage = LOOP_TIMERS;
    if (loop->timers.count > 0) {
        timers_fire(&loop->timers, loop->backend->ops->now_ns(loop->backend));
    }
}

uint64_t loop_random(struct loop *loop) {
    // splitmix64: every seed gives a full-period sequence.
    uint64_t z = (loop->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

bool loop_toss(struct loop *loop, unsigned chances) {
    return !loop->weather->calm && loop_random(loop) % chances == 0;
}

static void move_behind(struct coro *coro, struct coro *before) {
    coro->prev->next = coro->next;
    coro->next->prev = coro->prev;
    coro->next = before->next;
    coro->prev = before;
    before->next->prev = coro;
    before->next = coro;
}

/* Under sim any of the ready may be next: moves a random one to the front. */
static void shuffle(struct loop *loop) {
    struct coro *self = &loop->self.coro;
    size_t count = 0;
    for (struct coro *coro = self->next; coro != self; coro = coro->next) {
        count++;
    }
    size_t skip = count > 1 && !loop->weather->calm ? loop_random(loop) % count : 0;
    if (skip == 0) {
        return;
    }
    struct coro *chosen = self->next;
    while (skip-- > 0) {
        chosen = chosen->next;
    }
    move_behind(chosen, self);
}

/* Tells whoever watches the simulated world who runs next, and that the step is over (NULL). */
static void watch_step(struct loop *loop, struct coro *next) {
    struct sim_weather *weather = loop->weather;
    if (weather->on_step != NULL) {
        weather->on_step(weather, loop, next);
    }
}

/* Lets the tasks run until it is the loop's turn again; it is not in the ring meanwhile. */
static void switch_to_tasks(struct loop *loop) {
    struct coro *self = &loop->self.coro;
    struct coro *next = self->next;
    next->prev = self->prev;
    self->prev->next = next;
    int full = loop->sched.budget_full;
    loop->sched.budget = loop->resumes_left > full ? full : loop->resumes_left - 1;
    loop->rounds++;
    observe(&loop->sched, resumes, next);
    loop->sched.running = next;
    coro_switch(self, next);
    observe(&loop->sched, stops);
}

void observe_attach(struct loop *loop, struct observer *observer) {
    must(loop->sched.observer == NULL);
    loop->sched.observer = observer;
    loop->sched.budget_full = 0;
    loop->sched.budget = 0;
    sched_enter(&loop->sched);
}

void observe_detach(struct loop *loop) {
    must(loop->sched.observer != NULL);
    loop->sched.observer = NULL;
    loop->sched.budget_full = loop->sim ? 0 : BUDGET - 1;
    sched_enter(&loop->sched);
}

/* Runs the tasks that are ready, until none is or the budget is used up. */
static void run_ready(struct loop *loop) {
    if (loop->sim) {
        shuffle(loop);
        watch_step(loop, any_ready(loop) ? loop->self.coro.next : NULL);
    }
    if (any_ready(loop)) {
        switch_to_tasks(loop);
        if (loop->sim) {
            watch_step(loop, NULL);
        }
    }
}

/* How many are ready behind this one, `most` at most. */
static int ready_behind(const struct coro *self, int most) {
    int count = 0;
    for (const struct coro *coro = self->next; coro != self && count < most; coro = coro->next) {
        count++;
    }
    return count;
}

void loop_turn_soon(struct loop *loop) {
    const struct coro *self = loop->sched.running;
    if (self == &loop->self.coro) {
        return; // the tasks' part of the turn is yet to come, and begins by looking for calls
    }
    int behind = ready_behind(self, loop->resumes_left);
    if (behind < loop->resumes_left) {
        loop->resumes_left = behind + 1; // and this one, which is counted when it comes back
        loop->sched.budget = behind < loop->sched.budget ? behind : loop->sched.budget;
    }
}

/* What a turn ends with. An observed loop comes by after every resume, but a turn is no shorter for that:
 * it asks the kernel no more often, and a step of an embedded loop does as much. */
static void run_turn(struct loop *loop) {
    bool calls = calls_due(&loop->calls);
    loop->resumes_left = calls ? ready_behind(&loop->self.coro, BUDGET) : BUDGET;
    do {
        run_ready(loop);
    } while (unlikely(observer_of(&loop->sched) != NULL) && !loop->sim && any_ready(loop) &&
             --loop->resumes_left > 0);
}

static void enter(struct loop *loop) {
    must(sched_here == &loop->sched && loop->sched.running == &loop->self.coro);
    must(!loop->turning);
    loop->turning = true;
}

void loop_run(struct loop *loop, const bool *done) {
    enter(loop);
    while (!*done) {
        loop->turns++;
        look(loop);
        turn(loop);
        run_turn(loop);
    }
    loop->turning = false;
}

void loop_step(struct loop *loop) {
    enter(loop);
    inbox_awake(loop->handle);
    observe(&loop->sched, awake);
    loop->turns++;
    // Always: what is not asked for would keep the descriptor readable.
    reap(loop, 0);
    turn(loop);
    run_turn(loop);
    if (loop_idle_ns(loop, loop_now_ns()) != 0) {
        trim(loop);
    }
    observe(&loop->sched, sleeps, false);
    (void)inbox_sleep(loop->handle); // what has come by now shows in loop_idle_ns
    loop->turning = false;
}

int64_t loop_now_ns(void) {
    struct backend *backend = backend_current();
    return backend->ops->now_ns(backend);
}

struct pause {
    struct wait wait;
    jg_timer timer;
};

static void pause_over(jg_timer *timer) {
    wake(&container_of(timer, struct pause, timer)->wait, 0);
}

void loop_pause(struct coro *self, int64_t duration_ns) {
    struct pause pause = {.wait = {.kind = WAIT_KIND("pause")}};
    int64_t until = clock_add(loop_now_ns(), duration_ns);
    if (timer_arm(&self->loop->timers, &pause.timer, until, pause_over) == 0) {
        park(&pause.wait);
    } else {
        sched_yield_now(self);
    }
}

void *op_buffer_take(struct loop *loop) {
    struct loop_buffer *buffer = loop != NULL ? loop->buffers : NULL;
    if (buffer == NULL) {
        return mem_alloc(OP_BUFFER_SIZE);
    }
    loop->buffers = buffer->next;
    loop->buffer_count--;
    return buffer;
}

void op_buffer_give(struct loop *loop, void *buffer) {
    if (loop == NULL || loop->buffer_count >= BUFFERS_KEPT) {
        mem_free(buffer);
        return;
    }
    struct loop_buffer *node = buffer;
    node->next = loop->buffers;
    loop->buffers = node;
    loop->buffer_count++;
}
