// SPDX-License-Identifier: MIT
/* models.c – the models: who waits for the answers, and how.
 *
 * Holds      the table, and a leader for each way of waiting.
 * Invariant  see model.h.
 * Called by  round.c, in the measured child.
 * Why        short on purpose: a reader should see at a glance that the models differ in nothing but
 *            what they are made of.
 * Quirks     workers of a process model die with their leader (PR_SET_PDEATHSIG), so that a killed
 *            race leaves nothing behind.
 */
#include "beat.h"
#include "model.h"
#include "worker.h"

#include <juggle.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 100 };

const struct model models[MODELS] = {
    [MODEL_SYNC] = {.name = "sync",
                    .is_sequential = true,
                    .is_one_core = true,
                    .run = models_run_sync},
    [MODEL_THREADS] = {.name = "threads", .run = models_run_threads},
    [MODEL_PROCESSES] = {.name = "processes", .run = models_run_processes},
    [MODEL_COROUTINES] = {.name = "coroutines", .is_one_core = true, .run = models_run_coroutines},
    [MODEL_MULTICORE] = {.name = "multicore", .run = models_run_multicore},
    [MODEL_OFFLOAD] = {.name = "offload", .run = models_run_offload},
    [MODEL_FLOOR] = {.name = "floor", .is_one_core = true, .is_floor = true, .run = floor_run},
};

const char *const model_names[] = {"sync",      "threads", "processes", "coroutines",
                                   "multicore", "offload", "floor",     NULL};

uint32_t model_workers(const struct model *model, const struct model_plan *plan) {
    return model->is_sequential ? 1 : plan->concurrency;
}

// sync: the leader is the only worker.

static void pass_go(const struct worker *worker) {
    board_ready(worker->board);
    board_go(worker->board);
}

static void hold_alone(const struct worker *worker) {
    board_raise(&worker->board->plateau, 1);
    board_await(&worker->board->release, 1, -1);
}

int models_run_sync(const struct model_plan *plan, struct board *board) {
    struct worker worker = {
        .plan = plan, .board = board, .await_go = pass_go, .await_release = hold_alone};
    worker_run(&worker);
    board_end(board);
    return board->error;
}

// threads and processes: each worker blocks by itself.

static void block_until_go(const struct worker *worker) {
    board_await(&worker->board->go, 1, -1);
    // What this thread has used so far is the price of creating it, not of the run.
    cost_add_thread(&worker->board->until_go);
}

static void block_until_release(const struct worker *worker) {
    board_await(&worker->board->release, 1, -1);
}

struct crew {
    struct board *board;
    pid_t leader;
    jg_worker_kind kind;
    uint32_t count;
    jg_worker **workers;
    jg_worker *beat; /* one of the same kind; NULL: none */
};

static intptr_t run_in_process(void *arg) {
    const struct worker *worker = arg;
    const struct crew *crew = worker->model;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // A leader that was killed before this will never say go.
    return getppid() == crew->leader ? worker_run(arg) : 0;
}

/* Counts the worker processes that have ended already; their leader has not joined them yet. */
static uint32_t count_dead(const struct crew *crew) {
    uint32_t dead = 0;
    for (uint32_t i = 0; crew->kind == JG_WORKER_PROCESS && i < crew->count; i++) {
        siginfo_t info = {.si_pid = 0};
        pid_t pid = jg_worker_id(crew->workers[i]);
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
        dead += info.si_pid == pid;
    }
    return dead;
}

/* Waits until every worker has raised `word`, or died without. */
static void await_crew(const struct crew *crew, _Atomic uint32_t *word) {
    while (!board_await(word, crew->count, LOOK_MS) && atomic_load(&crew->board->stop) == 0) {
        if (atomic_load(word) + count_dead(crew) >= crew->count) {
            return;
        }
    }
}

static void start_crew(struct crew *crew, jg_fn *fn, struct worker *worker, uint32_t wanted) {
    for (int rc = 0; crew->count < wanted; crew->count++) {
        rc = jg_worker_start(crew->kind, fn, worker, NULL, &crew->workers[crew->count]);
        if (rc < 0) {
            board_give_up(crew->board, rc, "only %u of %u could be started: %s", crew->count,
                          wanted, strerror(-rc));
            return;
        }
    }
}

static intptr_t run_beat(void *arg) {
    const struct worker *worker = arg;
    const struct crew *crew = worker->model;
    if (crew->kind == JG_WORKER_PROCESS) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != crew->leader) {
            return 0;
        }
    }
    block_until_go(worker);
    return beat_run(arg);
}

static void start_beat(struct crew *crew, struct worker *worker) {
    int rc = jg_worker_start(crew->kind, run_beat, worker, NULL, &crew->beat);
    if (rc < 0) {
        board_give_up(crew->board, rc, "no beat: %s", strerror(-rc));
    }
}

static void join_beat(const struct crew *crew) {
    if (crew->beat != NULL) {
        atomic_store(&crew->board->beat_over, 1);
        jg_worker_join(crew->beat);
    }
}

static void join_crew(const struct crew *crew) {
    for (uint32_t i = 0; i < crew->count; i++) {
        if (jg_worker_join(crew->workers[i]) == -EOWNERDEAD) {
            board_explain(crew->board, BOARD_CAUSES, "a worker %s died: %s",
                          crew->kind == JG_WORKER_PROCESS ? "process" : "thread",
                          jg_error_detail(-EOWNERDEAD));
            atomic_fetch_add(&crew->board->workers_died, 1);
        }
    }
}

static int run_crew(const struct model_plan *plan, struct board *board, jg_worker_kind kind) {
    struct crew crew = {.board = board, .leader = getpid(), .kind = kind};
    struct worker worker = {.plan = plan,
                            .board = board,
                            .await_go = block_until_go,
                            .await_release = block_until_release,
                            .model = &crew};
    crew.workers = calloc(plan->concurrency, sizeof(*crew.workers));
    if (crew.workers == NULL) {
        return -ENOMEM;
    }
    start_crew(&crew, kind == JG_WORKER_PROCESS ? run_in_process : worker_run, &worker,
               plan->concurrency);
    if (plan->beat_ns != 0) {
        start_beat(&crew, &worker);
    }
    await_crew(&crew, &board->arrived);
    board_ready(board);
    board_go(board);
    if (plan->hold) {
        await_crew(&crew, &board->held);
        board_raise(&board->plateau, 1);
    }
    join_crew(&crew);
    board_end(board);
    join_beat(&crew);
    free(crew.workers);
    return board->error;
}

int models_run_threads(const struct model_plan *plan, struct board *board) {
    return run_crew(plan, board, JG_WORKER_THREAD);
}

int models_run_processes(const struct model_plan *plan, struct board *board) {
    return run_crew(plan, board, JG_WORKER_PROCESS);
}

// coroutines: a thread and a loop; a worker that waits makes room for the others. multicore: one such
// loop per core, each with its share of the workers. offload: one loop, and threads for what is not waiting.

struct troupe {
    struct worker worker;
    jg_event go;
    jg_event release;
    jg_task **tasks;
    uint32_t wanted; /* how many coroutines it should have */
    uint32_t count;  /* how many it has */
    bool leads;      /* it says go, as there is nobody above it */
    bool beats;      /* the beat is on this loop */
};

static void suspend_until_go(const struct worker *worker) {
    struct troupe *troupe = worker->model;
    troupe->count++;
    jg_event_wait(&troupe->go);
}

static void suspend_until_release(const struct worker *worker) {
    jg_event_wait(&((struct troupe *)worker->model)->release);
}

/* Spawns the workers and lets each run up to its gate. */
static uint32_t start_troupe(struct troupe *troupe) {
    struct board *board = troupe->worker.board;
    uint32_t spawned = 0;
    for (; spawned < troupe->wanted; spawned++) {
        jg_task *task = jg_spawn(worker_run, &troupe->worker);
        if (task == NULL) {
            int rc = (int)jg_join(NULL);
            board_give_up(board, rc, "only %u of %u coroutines could be started: %s", spawned,
                          troupe->wanted, jg_error_detail(rc));
            break;
        }
        troupe->tasks[spawned] = task;
    }
    while (troupe->count < spawned) {
        jg_yield();
    }
    return spawned;
}

static void begin_troupe(struct troupe *troupe) {
    struct board *board = troupe->worker.board;
    if (troupe->leads) {
        board_ready(board);
        board_go(board);
    } else {
        // Blocks the loop, in which everybody is waiting for this very moment.
        block_until_go(&troupe->worker);
    }
    jg_event_set(&troupe->go);
}

/* Puts the beat onto this loop. NULL if there is none. */
static jg_task *start_beat_task(const struct troupe *troupe) {
    jg_task *task = troupe->beats ? jg_spawn(beat_run, (void *)&troupe->worker) : NULL;
    if (troupe->beats && task == NULL) {
        int rc = (int)jg_join(NULL);
        board_give_up(troupe->worker.board, rc, "no beat: %s", strerror(-rc));
    }
    return task;
}

/* Lets the parent read the memory of coroutines that all hold their answers. */
static void hold_troupe(struct troupe *troupe) {
    struct board *board = troupe->worker.board;
    uint32_t all = troupe->worker.plan->concurrency;
    while (atomic_load(&board->held) < all && atomic_load(&board->stop) == 0) {
        jg_sleep(1);
    }
    board_raise(&board->plateau, 1);
    while (atomic_load(&board->release) == 0) {
        jg_sleep(1);
    }
    jg_event_set(&troupe->release);
}

static intptr_t lead_troupe(void *arg) {
    struct troupe *troupe = arg;
    uint32_t spawned = start_troupe(troupe);
    // Before go, so that it begins to count before a worker's long first turn.
    jg_task *beat = start_beat_task(troupe);
    begin_troupe(troupe);
    if (troupe->worker.plan->hold) {
        hold_troupe(troupe);
    }
    for (uint32_t i = 0; i < spawned; i++) {
        jg_join(troupe->tasks[i]);
    }
    if (beat != NULL) {
        jg_cancel(beat);
        jg_join(beat);
    }
    return 0;
}

/* Runs a troupe on a loop of this thread. A worker's function. */
static intptr_t run_loop(void *arg) {
    struct troupe *troupe = arg;
    struct board *board = troupe->worker.board;
    // Named, as $JUGGLE_BACKEND could make the clock of this model a virtual one.
    const jg_run_options options = {.backend = "epoll"};
    intptr_t rc = jg_run_with(lead_troupe, troupe, &options);
    if (rc < 0) {
        board_give_up(board, (int)rc, "the loop could not run: %s", jg_error_detail(rc));
    }
    return rc;
}

static int open_troupe(const struct model_plan *plan, struct board *board, uint32_t wanted,
                       struct troupe *troupe) {
    *troupe = (struct troupe){.worker = {.plan = plan,
                                         .board = board,
                                         .await_go = suspend_until_go,
                                         .await_release = suspend_until_release,
                                         .model = troupe},
                              .wanted = wanted};
    troupe->tasks = calloc(wanted, sizeof(jg_task *));
    return troupe->tasks == NULL ? -ENOMEM : 0;
}

/* Runs all coroutines on the loop of this thread; what is not waiting on `elsewhere`, if there is one. */
static int run_alone(const struct model_plan *plan, struct board *board, jg_executor *elsewhere) {
    struct troupe troupe;
    int rc = open_troupe(plan, board, plan->concurrency, &troupe);
    if (rc < 0) {
        return rc;
    }
    troupe.leads = true;
    troupe.beats = plan->beat_ns != 0;
    troupe.worker.elsewhere = elsewhere;
    run_loop(&troupe);
    board_end(board);
    free(troupe.tasks);
    return board->error;
}

int models_run_coroutines(const struct model_plan *plan, struct board *board) {
    return run_alone(plan, board, NULL);
}

int models_run_offload(const struct model_plan *plan, struct board *board) {
    // Those who compute get no more done by being more than the cores; of calls that block, each needs
    // a thread.
    const jg_executor_options options = {
        .threads = plan->work == MODEL_WORK_BLOCK ? plan->concurrency : 0,
        .queue = plan->concurrency,
    };
    jg_executor *elsewhere = NULL;
    int rc = jg_executor_open(&options, &elsewhere);
    if (rc < 0) {
        board_explain(board, BOARD_CAUSES, "no executor: %s", strerror(-rc));
        return rc;
    }
    rc = run_alone(plan, board, elsewhere);
    jg_executor_close(elsewhere);
    return rc;
}

enum { LOOPS_MAX = 256 };

/* One loop per core that this process may use, but no more than there are workers. */
static uint32_t count_loops(uint32_t workers) {
    cpu_set_t allowed;
    int cores = sched_getaffinity(0, sizeof(allowed), &allowed) < 0 ? 1 : CPU_COUNT(&allowed);
    uint32_t loops = cores > LOOPS_MAX ? LOOPS_MAX : (uint32_t)cores;
    return loops < workers ? loops : workers;
}

int models_run_multicore(const struct model_plan *plan, struct board *board) {
    static struct troupe troupes[LOOPS_MAX];
    jg_worker *threads[LOOPS_MAX];
    struct crew crew = {.board = board, .kind = JG_WORKER_THREAD, .workers = threads};
    uint32_t loops = count_loops(plan->concurrency);
    int rc = 0;
    while (rc == 0 && crew.count < loops) {
        uint32_t i = crew.count;
        uint32_t share = plan->concurrency / loops + (i < plan->concurrency % loops);
        rc = open_troupe(plan, board, share, &troupes[i]);
        troupes[i].beats = i == 0 && plan->beat_ns != 0;
        rc = rc < 0 ? rc : jg_worker_start(crew.kind, run_loop, &troupes[i], NULL, &threads[i]);
        crew.count += rc == 0;
    }
    if (rc < 0) {
        board_give_up(board, rc, "only %u of %u loops could be started: %s", crew.count, loops,
                      strerror(-rc));
    }
    while (!board_await(&board->arrived, plan->concurrency, LOOK_MS) &&
           atomic_load(&board->stop) == 0) {}
    board_ready(board);
    board_go(board);
    join_crew(&crew);
    board_end(board);
    for (uint32_t i = 0; i < loops; i++) {
        free(troupes[i].tasks);
    }
    return board->error;
}
