// SPDX-License-Identifier: MIT
/* loop.h – the event loop: one turn is look for completions, make calls, fire timers, run who is ready.
 *
 * Holds      struct loop: ready ring, timers, stacks, calls, backend, and the loop's own record.
 * Invariant  at most one loop per thread; only its thread touches it. Others know its handle.
 * Called by  task (opens, runs or steps, closes); whoever needs the loop's clock or backend. Calls down to
 *            timers, inbox and the backend.
 * Why        a budget of resumes per turn: tasks that are always ready cannot starve timers and
 *            sockets, and busy sockets cannot starve tasks.
 */
#ifndef RT_LOOP_H
#define RT_LOOP_H

#include "rt/call.h"
#include "rt/coro.h"
#include "rt/inbox.h"
#include "rt/op.h"
#include "rt/sched.h"
#include "rt/timer.h"

/* Who acts while the loop's own coroutine runs. */
enum loop_stage { LOOP_COMPLETIONS, LOOP_CALLS, LOOP_TIMERS };

struct loop {
    struct sched sched;     // first, and hot: every park and wake
    uint64_t number;        // no other loop's in this program, nor 0; odd: a simulated one's
    uint64_t modes;         // of floating-point arithmetic: what every task starts with
    union coro_record self; // the loop as a coroutine, on the thread's own stack
    struct timers timers;
    struct stack_pool stacks;
    struct calls calls;
    jg_loop *handle;
    struct backend *backend;
    struct loop_buffer *buffers; // free read buffers
    size_t buffer_count;
    size_t stack_size; // of tasks that ask for none
    size_t external;   // completions that other threads owe: not a deadlock
    bool turning;      // it runs, or makes a step
    bool sim;
    struct sim_weather *weather; // of the simulated world; NULL when this is not one
    uint64_t random;             // state of the sim's choices
    uint64_t turns;
    int resumes_left;    // of this turn, as it began or since a call was queued
    uint64_t rounds;     // times that tasks were let run: more than turns while somebody looks on
    uint64_t trim_round; // when stacks were given back last, and how many at most
    unsigned trim_most;
    bool trims; // and there are more
    enum loop_stage stage;
    void (*on_stuck)(struct loop *loop); // nothing can ever happen again: wake somebody, or abort
    void (*at_close)(struct loop *loop); // ends what os/signal.c has for it; NULL: nothing
};

/* What a loop is opened with; see jg_run_options. */
struct loop_options {
    bool sim;
    uint64_t seed;
    struct sim_weather *weather; // NULL: the usual
    size_t stack_size;
    bool debug; // see observe_open
    void (*on_stuck)(struct loop *loop);
};

/* Opens a loop on this thread. Returns 0; -EBUSY when it has one, -ECHILD when that stayed
 * behind in a fork; -ENOMEM, -EMFILE. */
int loop_open(struct loop *loop, const struct loop_options *options);

/* The place a thing belongs to that is used on one loop, or on threads without one: the loop's number; 0
 * without. The loop's address would not do: the next loop may lie where a closed one lay. */
static inline uint64_t place_of(const struct coro *self) {
    const struct loop *loop = self->loop;
    return loop != NULL ? loop->number : 0;
}

static inline uint64_t place_here(void) {
    return place_of(sched_current());
}

/* Whether the loop of a place, or this one (NULL: none), stayed behind when this process was forked: what
 * waits on it is a copy that never goes on. */
bool place_left_behind(uint64_t place);

static inline bool loop_left_behind(const struct loop *loop) {
    return loop != NULL && place_left_behind(loop->number);
}

/* Whether `self`, who runs, is where a thing, "a stream", belongs. Returns 0; -ECHILD when that place stayed
 * behind in a fork. Anywhere else: a named abort. */
int place_missed(uint64_t place, const char *thing) __attribute__((cold));

static inline int place_check(const struct coro *self, uint64_t place, const char *thing) {
    return likely(place == place_of(self)) ? 0 : place_missed(place, thing);
}

/* The backend of a thing: the one way to a backend by something that may outlive it. Of what stayed behind
 * in a fork, one that only closes. */
static inline struct backend *place_backend(uint64_t place, const char *thing) {
    const struct coro *self = sched_current();
    if (unlikely(place_check(self, place, thing) < 0)) {
        return backend_left_behind(place % 2 == 1);
    }
    return self->loop != NULL ? self->loop->backend : &blocking_backend;
}

/* Runs turns until `*done` is true. */
void loop_run(struct loop *loop, const bool *done);

/* The first call of a round is being queued: the turn ends after as many resumes as are ready now, or
 * sooner, so that tasks spawned later do not overtake the call. */
void loop_turn_soon(struct loop *loop);

/* One turn of a loop that lives inside another: what is there is done, without waiting. Afterwards the
 * loop counts as asleep, so that whoever posts wakes its descriptor. */
void loop_step(struct loop *loop);

/* How long the loop has nothing to do, in ns: 0 when it has, negative when only an event can tell. */
int64_t loop_idle_ns(const struct loop *loop, int64_t now_ns);

/* How long a loop may sleep that has nothing to do for so long: not all of it while there are stacks to give
 * back. */
int64_t loop_sleep_ns(const struct loop *loop, int64_t idle_ns);

/* Closes it; no coroutine of it may be alive. */
void loop_close(struct loop *loop);

/* The time by the loop's clock, or the thread's without a loop. */
int64_t loop_now_ns(void);

/* Lets `self`, a coroutine of a loop, sleep without minding cancels. */
void loop_pause(struct coro *self, int64_t duration_ns);

/* The next number of the loop's seeded sequence. */
uint64_t loop_random(struct loop *loop);

/* Whether this is the one time in `chances` that the simulated world has its way; never if it is calm. */
bool loop_toss(struct loop *loop, unsigned chances);

#endif
