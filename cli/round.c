// SPDX-License-Identifier: MIT
/* round.c – see round.h.
 *
 * Holds      the parent's side of a round, and the first steps of the child.
 * Invariant  see round.h.
 * Called by  race.c.
 * Why        see round.h.
 * Quirks     the child leads a process group of its own: a ^C of the terminal reaches the parent
 *            only, which then asks the child to stop, and kills the group if it does not. The parent
 *            is a subreaper, so that it can wait for workers whose leader is gone.
 */
#include "round.h"

#include "interrupt.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HOLD_LOOK_MS = 5,     /* how often the parent looks whether memory can be read */
    QUIET_LOOK_MS = 1000, /* how often it wakes up with nothing to draw */
    STOP_GRACE_MS = 300,  /* how long a round asked to stop may take before it is killed */
};

/* A round while it runs. */
struct watch {
    const struct round_setup *setup;
    struct board *board;
    struct round_figures *figures;
    pid_t leader;
    int64_t kill_ns;  /* when to kill it; 0: not asked to stop */
    uint64_t heard;   /* answers of any kind, the last time it looked */
    int64_t heard_ns; /* when they last became more, or the round began */
};

static void pin_to(uint32_t cores) {
    cpu_set_t allowed;
    cpu_set_t chosen;
    CPU_ZERO(&chosen);
    if (cores == 0 || sched_getaffinity(0, sizeof(allowed), &allowed) < 0) {
        return;
    }
    for (size_t cpu = 0; cpu < CPU_SETSIZE && cores > 0; cpu++) {
        if (CPU_ISSET(cpu, &allowed)) {
            CPU_SET(cpu, &chosen);
            cores--;
        }
    }
    sched_setaffinity(0, sizeof(chosen), &chosen);
}

/* The measured child. */
static _Noreturn void lead(const struct round_setup *setup, struct board *board, pid_t parent) {
    interrupt_end();
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    pin_to(setup->cores);
    int rc = setup->model->run(setup->plan, board);
    if (rc < 0) {
        atomic_store(&board->error, rc);
    }
    _exit(0);
}

/* Whether there has been no answer for as long as the plan allows. Requests that time out or are refused
 * do not end a round whose server has stopped: there may be very many. */
static bool is_silent(struct watch *watch, int64_t now_ns) {
    const struct board *board = watch->board;
    uint64_t silence_ns = watch->setup->plan->silence_ns;
    uint64_t unheard = board->failed[BOARD_TIMEOUT] + board->failed[BOARD_CONNECT];
    uint64_t heard = board->ok + board->failed_total - unheard;
    if (board->go_ns == 0 || heard != watch->heard || watch->heard_ns == 0) {
        watch->heard = heard;
        watch->heard_ns = now_ns;
    }
    return silence_ns != 0 && (uint64_t)(now_ns - watch->heard_ns) > silence_ns;
}

static void look_for_stop(struct watch *watch) {
    int64_t now_ns = board_now_ns();
    watch->figures->gave_up = watch->figures->gave_up || is_silent(watch, now_ns);
    if ((interrupt_count() > 0 || watch->figures->gave_up) && watch->kill_ns == 0) {
        board_stop(watch->board);
        watch->kill_ns = now_ns + STOP_GRACE_MS * INT64_C(1000000);
    }
    if (interrupt_count() > 1 || (watch->kill_ns != 0 && now_ns > watch->kill_ns)) {
        kill(-watch->leader, SIGKILL);
    }
}

static void look_at_memory(struct watch *watch) {
    if (atomic_load(&watch->board->plateau) == 0 || atomic_load(&watch->board->release) != 0) {
        return;
    }
    struct round_figures *figures = watch->figures;
    figures->memory_known = cost_memory_of_group(watch->leader, &figures->memory) == 0;
    board_raise(&watch->board->release, 1);
}

static void look_at_progress(struct watch *watch) {
    const struct round_setup *setup = watch->setup;
    uint64_t failed = atomic_load(&watch->board->failed_total);
    const struct progress_state state = {
        .label = setup->label,
        .done = atomic_load(&watch->board->ok) + failed,
        .total = setup->plan->requests,
        .failed = failed,
    };
    progress_draw(setup->progress, &state, board_now_ns());
}

/* Whether the leader has ended; it stays a zombie, so that its number cannot be taken anew. */
static bool has_ended(const struct watch *watch) {
    siginfo_t info = {.si_pid = 0};
    int rc = waitid(P_PID, (id_t)watch->leader, &info, WEXITED | WNOHANG | WNOWAIT);
    return rc < 0 || info.si_pid == watch->leader;
}

/* Waits for workers whose leader has ended: they are ours now. What they used is part of the `total`; one
 * that still ran would change the board while it is read. */
static void wait_for_orphans(pid_t leader, struct cost_usage *total) {
    struct cost_usage used;
    int status = 0;
    while (cost_wait(-leader, 0, &status, &used) == 0) {
        *total = cost_plus(total, &used);
    }
}

/* Watches until the leader has ended, then ends what is left of its group and waits for that, too.
 * Returns the leader's wait status. */
static int watch_round(struct watch *watch, struct cost_usage *out_total) {
    const struct round_setup *setup = watch->setup;
    bool draws = setup->progress->terminal != NULL;
    int look_ms = setup->plan->hold ? HOLD_LOOK_MS : draws ? PROGRESS_INTERVAL_MS : QUIET_LOOK_MS;
    int status = 0;
    while (!has_ended(watch)) {
        look_for_stop(watch);
        look_at_memory(watch);
        look_at_progress(watch);
        interrupt_wait(watch->kill_ns != 0 && look_ms > STOP_GRACE_MS ? STOP_GRACE_MS : look_ms);
    }
    kill(-watch->leader, SIGKILL);
    cost_wait(watch->leader, 0, &status, out_total);
    wait_for_orphans(watch->leader, out_total);
    return status;
}

static void read_requests(const struct watch *watch) {
    struct round_figures *figures = watch->figures;
    struct board *board = watch->board;
    for (int cause = 0; cause < BOARD_CAUSES; cause++) {
        figures->failed[cause] = board->failed[cause];
    }
    figures->ok = board->ok;
    figures->failed_total = board->failed_total;
    figures->aborted = board->in_flight;
    figures->issued = figures->ok + figures->failed_total + figures->aborted;
    figures->bytes = board->bytes;
    figures->connections = board->connections;
    figures->in_flight_peak = board->in_flight_peak;
    figures->workers = board->arrived;
    figures->workers_died = board->workers_died;
}

static void read_times(const struct watch *watch, int64_t start_ns,
                       const struct cost_usage *total) {
    struct round_figures *figures = watch->figures;
    struct board *board = watch->board;
    int64_t go_ns = board->go_ns;
    if (go_ns == 0) {
        return;
    }
    int64_t end_ns = board->end_ns != 0 ? board->end_ns : board_now_ns();
    figures->create_ns = (uint64_t)(board->ready_ns - start_ns);
    figures->wall_ns = (uint64_t)(end_ns - go_ns);
    figures->create = cost_read(&board->until_go);
    figures->run = cost_after(total, &figures->create);
}

static void read_ending(const struct watch *watch, int status) {
    struct round_figures *figures = watch->figures;
    bool exited = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    figures->complete = exited && watch->board->end_ns != 0;
    figures->error = watch->board->error;
    snprintf(figures->text, sizeof(figures->text), "%s", board_explanation(watch->board));
    figures->text_cause = board_explained_cause(watch->board);
    if (!exited && watch->kill_ns == 0 && figures->text[0] == '\0') {
        snprintf(figures->text, sizeof(figures->text), "the %s model ended by %s %d",
                 watch->setup->model->name, WIFSIGNALED(status) ? "signal" : "exit code",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
}

int round_run(const struct round_setup *setup, struct hist *latency, struct hist *late,
              struct round_figures *out_figures) {
    struct cost_usage total = {.cpu_user_ns = 0};
    struct board *board = board_open();
    if (board == NULL) {
        return -ENOMEM;
    }
    memset(out_figures, 0, sizeof(*out_figures));
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    fflush(NULL);
    pid_t parent = getpid();
    int64_t start_ns = board_now_ns();
    pid_t leader = fork();
    if (leader < 0) {
        int error = errno;
        board_close(board);
        return -error;
    }
    if (leader == 0) {
        lead(setup, board, parent);
    }
    setpgid(leader, leader);
    struct watch watch = {.setup = setup, .board = board, .figures = out_figures, .leader = leader};
    int status = watch_round(&watch, &total);
    read_requests(&watch);
    read_times(&watch, start_ns, &total);
    read_ending(&watch, status);
    hist_merge(latency, &board->latency);
    hist_merge(late, &board->late);
    board_close(board);
    return 0;
}
