// SPDX-License-Identifier: MIT
/* test_cancel_sweep.c – every scenario, cancelled at every step, each of its tasks in turn.
 *
 * Holds      the strike that is to come: at which turn, at whom, and whether it is taken back.
 * Invariant  under sim each turn of the loop runs one step of one task, so counting turns counts every
 *            point at which a cancel can come; the same seed comes to the same point again.
 * Called by  ctest.
 * Why        RELIABILITY R2. Clean-up code is run, not believed.
 * Quirks     the strike comes from the backend's clock, which the loop reads in each turn while a timer
 *            is armed, and here one always is: the engine room needs no hook of its own.
 */
#define FIXTURE_LIMIT 60
#include "sim/scenarios.h"

#include "rt/loop.h"
#include "task/task.h"

#if defined(JUGGLE_SANITIZE_ADDRESS) || defined(JUGGLE_SANITIZE_THREAD)
enum { SEEDS = 1 };
#else
enum { SEEDS = 3 };
#endif

enum { VICTIMS = 8, MERCY_TURNS = 3, BRIEF_STEP = 9 };

static const int64_t FAR_NS = INT64_MAX / 2; // of the virtual clock

static struct {
    const struct scenario *scenario;
    uint64_t at_turn; // of the loop
    size_t victim;    // 0: the first task, 1: the next one spawned of those alive, ...
    bool mercy;       // take it back a few turns later
    uint64_t turns;   // turns seen
    bool struck;
    bool taken_back;
    const struct backend_ops *ops; // the simulation's own
} strike;

static struct jg_task_record *find_victim(struct task_loop *loop) {
    size_t skip = strike.victim;
    for (struct list *node = loop->tasks.next; node != &loop->tasks; node = node->next) {
        if (skip-- == 0) {
            return container_of(node, struct jg_task_record, siblings);
        }
    }
    return NULL;
}

static void begin_turn(struct task_loop *loop) {
    static struct jg_task_record *struck_task;
    strike.turns = loop->loop.turns;
    if (strike.turns == strike.at_turn) {
        struck_task = find_victim(loop);
        strike.struck = struck_task != NULL && task_cancel(struck_task);
    }
    if (strike.struck && strike.mercy && strike.turns == strike.at_turn + MERCY_TURNS &&
        find_victim(loop) == struck_task) {
        jg_uncancel(task_handle(struck_task));
        strike.taken_back = true;
    }
}

static int64_t watched_now_ns(struct backend *backend) {
    struct loop *loop = backend->loop;
    if (loop->sched.running == &loop->self.coro && loop->turns != strike.turns) {
        begin_turn((struct task_loop *)(void *)loop);
    }
    return strike.ops->now_ns(backend);
}

static void hangs(jg_timer *timer) {
    (void)timer;
    ck_abort_msg("hangs, struck at turn %d", (int)strike.at_turn);
}

/* The scenario, on a backend whose clock is watched. */
static intptr_t run_watched(void *arg) {
    static struct backend_ops watched;
    struct backend *backend = backend_current();
    strike.ops = backend->ops;
    watched = *backend->ops;
    watched.now_ns = watched_now_ns;
    backend->ops = &watched;
    strike.turns = backend->loop->turns;
    jg_timer far = {.index = 0}; // while one is armed the loop reads the clock in each turn
    ck_assert_int_eq(timer_arm(&backend->loop->timers, &far, FAR_NS, hangs), 0);
    intptr_t rc = strike.scenario->run(arg);
    timer_disarm(&backend->loop->timers, &far);
    return rc;
}

/* Plays it with one strike. Returns how many turns it took. */
static uint64_t play_struck(const struct scenario *scenario, uint64_t seed, uint64_t at_turn,
                            size_t victim, bool mercy) {
    strike.scenario = scenario;
    strike.at_turn = at_turn;
    strike.victim = victim;
    strike.mercy = mercy;
    strike.struck = false;
    strike.taken_back = false;
    scenario_play(scenario, seed, run_watched, NULL);
    return strike.turns;
}

static void scenario_sweep(const struct scenario *scenario) {
    unsigned struck = 0;
    unsigned taken_back = 0;
    uint64_t step = scenario_brief() ? BRIEF_STEP : 1;
    for (uint64_t seed = 1; seed <= scenario_seeds(SEEDS, 1); seed++) {
        uint64_t turns = play_struck(scenario, seed, UINT64_MAX, 0, false);
        ck_assert_uint_gt(turns, 3);
        scenario_disturbed = true;
        for (size_t victim = 0; victim < VICTIMS; victim++) {
            for (uint64_t turn = 2; turn <= turns; turn += step) {
                play_struck(scenario, seed, turn, victim, false);
                struck += strike.struck;
                play_struck(scenario, seed, turn, victim, true);
                taken_back += strike.taken_back;
            }
        }
        scenario_disturbed = false;
    }
    ck_assert_uint_gt(struck, scenario_brief() ? 1 : 10);
    ck_assert(scenario_brief() || taken_back > 3);
}

// A cancel at some point would lose a permit, a lock, an item, a byte or a wake-up, leak, or hang.
SCENARIOS(SCENARIO_TEST)

FIXTURE_MAIN("sim/cancel_sweep", SCENARIOS(SCENARIO_NAME))
