// SPDX-License-Identifier: MIT
/* explore.c – many seeds in a forked child, the failing one twice.
 *
 * Holds      struct board: a page shared with the child, in which it says what it is about to do.
 * Invariant  the child writes before it acts: when it dies, the board names the run it died in.
 * Called by  user code.
 * Why        one child for all seeds, as forking per seed would cost more than most runs do; a child
 *            at all, so that an assertion in a test's body is a result.
 * Quirks     SIGALRM ends a run that keeps the processor: its default action needs no handler and no
 *            thread. A trace is only made when the failing seed is played again.
 */
#include "base/mem.h"
#include "sim/world.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    REAL_LIMIT_S = 10 * SANITIZE_STACK_FACTOR,
    TRACE_KEPT = 64, // lines
    SWEEP_MOST = 1000000,
};

/* One run: a seed and how it is disturbed. */
struct play {
    uint64_t seed;
    uint64_t cancel_point;
    uint64_t refused;
};

struct board {
    struct play play; // under way, or the one that failed
    uint64_t seeds;   // begun
    uint64_t runs;    // begun
    bool failed;      // by a result
    bool over;        // the child came to its end
    intptr_t code;
    uint64_t digest; // of the newest run that ended
    char why[WHY_SIZE];
    size_t lines; // put in all
    char trace[TRACE_KEPT][TRACE_LINE];
};

struct exploration {
    jg_fn *fn;
    void *arg;
    const jg_sim_options *options;
    const char *site;
    uint64_t seeds;
    unsigned sweep;
    bool unhurried; // somebody may be looking with a debugger
    struct board *board;
};

static unsigned real_limit_s(const struct exploration *all) {
    return all->options->real_limit_s != 0 ? all->options->real_limit_s : REAL_LIMIT_S;
}

// In the child.

static void put_on_board(void *to, const char *line) {
    struct board *board = to;
    snprintf(board->trace[board->lines++ % TRACE_KEPT], TRACE_LINE, "%s", line);
}

static bool fail(struct board *board, intptr_t code, const char *why) {
    board->failed = true;
    board->code = code;
    snprintf(board->why, sizeof(board->why), "%s", why);
    return false;
}

/* What a run came to. An error is none of a disturbed run's own making. */
static bool judge(struct board *board, const struct sim_world *world, intptr_t code, long blocks) {
    bool disturbed = board->play.cancel_point != 0 || board->play.refused != 0;
    if (jg_failed(code) && (!disturbed || world->code != 0)) {
        return fail(board, code, jg_error_detail(code));
    }
    jg_error_clear();
    return mem_live() == blocks || fail(board, -ENOTEMPTY, "left streams or listeners open");
}

/* What is told of one run beside whether it passed. */
struct outcome {
    uint64_t steps;
    bool refused; // memory
};

static bool play_one(const struct exploration *all, const struct play *play,
                     const struct trace_sink *sink, struct outcome *out_outcome) {
    struct board *board = all->board;
    struct sim_world world;
    jg_error_clear();
    long blocks = mem_live();
    jg_sim_options options = *all->options;
    board->play = *play;
    board->runs++;
    options.seed = play->seed;
    options.cancel_point = play->cancel_point != 0 ? play->cancel_point : options.cancel_point;
    mem_fail_nth(play->refused, true);
    alarm(all->unhurried ? 0 : real_limit_s(all));
    intptr_t code = sim_world_run(&world, all->fn, all->arg, &options, sink, all->site);
    alarm(0);
    *out_outcome = (struct outcome){world.steps, mem_refuse() != 0};
    mem_fail_nth(0, 0);
    board->digest = world.digest;
    return judge(board, &world, code, blocks);
}

static bool sweep_cancels(const struct exploration *all, uint64_t seed, uint64_t points) {
    bool passed = true;
    for (uint64_t point = 1; passed && point <= points && point <= SWEEP_MOST; point++) {
        struct outcome outcome;
        passed = play_one(all, &(struct play){.seed = seed, .cancel_point = point}, NULL, &outcome);
    }
    return passed;
}

/* Until a run never comes to its n-th request. */
static bool sweep_allocations(const struct exploration *all, uint64_t seed) {
    struct outcome outcome = {.refused = true};
    bool passed = true;
    for (uint64_t n = 1; passed && outcome.refused && n <= SWEEP_MOST; n++) {
        passed = play_one(all, &(struct play){.seed = seed, .refused = n}, NULL, &outcome);
    }
    return passed;
}

static bool play_seed(const struct exploration *all, uint64_t seed) {
    struct outcome outcome;
    all->board->seeds++;
    bool passed = play_one(all, &(struct play){.seed = seed}, NULL, &outcome);
    if (passed && all->sweep & JG_SIM_SWEEP_ALLOC) {
        passed = sweep_allocations(all, seed);
    }
    if (passed && all->sweep & JG_SIM_SWEEP_CANCEL) {
        passed = sweep_cancels(all, seed, outcome.steps * 2);
    }
    return passed;
}

static void play_all(const struct exploration *all) {
    uint64_t first = all->options->seed;
    for (uint64_t i = 0; i < all->seeds && play_seed(all, first + i); i++) {}
}

/* The failing one again, for its trace: silently, as it has said what it had to say. */
static void play_again(const struct exploration *all) {
    struct outcome outcome;
    struct play play = all->board->play;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    const struct trace_sink sink = {.put = put_on_board, .to = all->board};
    play_one(all, &play, &sink, &outcome);
}

// In the parent.

/* Lets a child do it. Returns its wait status, or a negative error. */
static int in_child(void (*act)(const struct exploration *all), const struct exploration *all) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        return -errno;
    }
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        act(all);
        all->board->over = true;
        fflush(NULL);
        _exit(0);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return 0; // its status went to somebody else, or nobody: the board knows enough
        }
    }
    return status;
}

static void describe_death(const struct exploration *all, int status, jg_sim_report *out_report) {
    char *why = out_report->why;
    if (WIFSIGNALED(status)) {
        out_report->signal = WTERMSIG(status);
        snprintf(why, WHY_SIZE, "killed by signal %d (%s)", out_report->signal,
                 strsignal(out_report->signal));
        if (out_report->signal == SIGALRM) {
            snprintf(why, WHY_SIZE, "kept the processor for %u s", real_limit_s(all));
        }
    } else {
        out_report->exit_code = WEXITSTATUS(status);
        snprintf(why, WHY_SIZE, "exited with code %d", out_report->exit_code);
    }
}

static void copy_failure(const struct board *board, jg_sim_report *out_report) {
    out_report->seed = board->play.seed;
    out_report->cancel_point = board->play.cancel_point;
    out_report->refused = board->play.refused;
    out_report->code = board->code;
    snprintf(out_report->why, sizeof(out_report->why), "%s", board->why);
}

static void copy_trace(const struct board *board, char *out, size_t size) {
    size_t first = board->lines > TRACE_KEPT ? board->lines - TRACE_KEPT : 0;
    size_t used = 0;
    for (size_t i = first; i < board->lines && used < size; i++) {
        int len = snprintf(out + used, size - used, "%s\n", board->trace[i % TRACE_KEPT]);
        used += len > 0 ? (size_t)len : 0;
    }
}

/* Plays the failing run again and adds what that shows. */
static void investigate(const struct exploration *all, jg_sim_report *out_report) {
    struct board *board = all->board;
    struct board before = *board;
    board->failed = false;
    board->over = false;
    int status = in_child(play_again, all);
    bool died = !before.over;
    out_report->repeated = status >= 0 && board->over == before.over &&
                           board->failed == before.failed && board->code == before.code &&
                           (died || board->digest == before.digest);
    copy_trace(board, out_report->trace, sizeof(out_report->trace));
}

static int conclude(const struct exploration *all, int status, jg_sim_report *out_report) {
    const struct board *board = all->board;
    *out_report = (jg_sim_report){
        .first_seed = all->options->seed, .seeds = board->seeds, .runs = board->runs};
    if (status < 0) {
        return status;
    }
    if (board->over && !board->failed) {
        return 0;
    }
    copy_failure(board, out_report);
    if (!board->failed) {
        describe_death(all, status, out_report);
    }
    investigate(all, out_report);
    return 1;
}

static void put_on_stderr(void *to, const char *line) {
    (void)to;
    fprintf(stderr, "%s\n", line);
}

static bool read_number(const char **text, uint64_t *out_number) {
    char *end;
    if (!isdigit((unsigned char)**text)) {
        return false;
    }
    errno = 0;
    *out_number = strtoull(*text, &end, 0);
    *text = end;
    return errno == 0;
}

static bool read_word(const char **text, const char *word) {
    size_t length = strlen(word);
    bool found = strncmp(*text, word, length) == 0;
    *text += found ? length : 0;
    return found;
}

/* "51", "51/cancel=7" or "51/refuse=3", as print_play writes them. */
static int read_play(const char *text, struct play *out_play) {
    const char *rest = text;
    *out_play = (struct play){0};
    bool known = read_number(&rest, &out_play->seed);
    if (known && read_word(&rest, "/cancel=")) {
        known = read_number(&rest, &out_play->cancel_point);
    } else if (known && read_word(&rest, "/refuse=")) {
        known = read_number(&rest, &out_play->refused);
    }
    out_play->seed = out_play->seed != 0 ? out_play->seed : 1;
    return known && *rest == '\0' ? 0 : (int)jg_fail(-EINVAL, "no run is named %s", text);
}

/* $JUGGLE_SEED: this one, here, for everybody to see. */
static int play_here(struct exploration *all, const char *text, jg_sim_report *out_report) {
    const struct trace_sink sink = {.put = put_on_stderr};
    struct play play;
    struct board board = {.seeds = 1};
    struct outcome outcome;
    if (read_play(text, &play) < 0) {
        return -EINVAL;
    }
    all->board = &board;
    all->unhurried = true;
    bool passed = play_one(all, &play, &sink, &outcome);
    *out_report = (jg_sim_report){.first_seed = play.seed, .seeds = 1, .runs = 1};
    if (!passed) {
        copy_failure(&board, out_report);
        out_report->repeated = true; // it is the repetition
    }
    return !passed;
}

static int explore(struct exploration *all, jg_sim_report *out_report) {
    const char *one = getenv("JUGGLE_SEED");
    const char *many = getenv("JUGGLE_SEEDS");
    if (one != NULL && *one != '\0') {
        return play_here(all, one, out_report);
    }
    if (many != NULL && *many != '\0' && (!read_number(&many, &all->seeds) || *many != '\0')) {
        return (int)jg_fail(-EINVAL, "$JUGGLE_SEEDS is no number");
    }
    all->board = mmap(NULL, sizeof(*all->board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                      -1, 0);
    if (all->board == MAP_FAILED) {
        return -ENOMEM;
    }
    int rc = conclude(all, in_child(play_all, all), out_report);
    munmap(all->board, sizeof(*all->board));
    return rc;
}

int jg_sim_explore_at(jg_fn *fn, void *arg, const jg_sim_options *options, uint64_t seeds,
                      unsigned sweep, jg_sim_report *out_report, const char *site) {
    jg_sim_options used = options != NULL ? *options : (jg_sim_options){0};
    jg_sim_report report;
    used.seed = used.seed != 0 ? used.seed : 1;
    used.trace = NULL;
    struct exploration all = {
        .fn = fn, .arg = arg, .options = &used, .site = site, .seeds = seeds, .sweep = sweep};
    const struct coro *self = sched_current();
    if (self->loop != NULL) {
        return (int)error_bare(self->attention & ATTENTION_FORKED ? -ECHILD : -EBUSY);
    }
    size_t stack_size;
    bool known = (sweep & ~(unsigned)(JG_SIM_SWEEP_CANCEL | JG_SIM_SWEEP_ALLOC)) == 0;
    if (error_bare(known ? sim_world_check(&used) : -EINVAL) < 0 ||
        task_stack_size(used.stack_size, &stack_size) < 0) {
        return -EINVAL;
    }
    int rc = explore(&all, &report);
    if (rc == 1 && out_report == NULL) {
        jg_sim_report_print(&report, stderr);
    } else if (rc >= 0 && out_report != NULL) {
        *out_report = report;
    }
    return rc;
}

/* What read_play reads. */
static void print_play(const jg_sim_report *report, FILE *file) {
    fprintf(file, "%" PRIu64, report->seed);
    if (report->cancel_point != 0) {
        fprintf(file, "/cancel=%" PRIu64, report->cancel_point);
    }
    if (report->refused != 0) {
        fprintf(file, "/refuse=%" PRIu64, report->refused);
    }
}

void jg_sim_report_print(const jg_sim_report *report, FILE *file) {
    if (report->seed == 0) {
        fprintf(file, "sim: %" PRIu64 " seed%s from %" PRIu64 " passed (%" PRIu64 " run%s)\n",
                report->seeds, report->seeds == 1 ? "" : "s", report->first_seed, report->runs,
                report->runs == 1 ? "" : "s");
        return;
    }
    fprintf(file, "sim: seed %" PRIu64 " failed", report->seed);
    if (report->cancel_point != 0) {
        fprintf(file, ", cancelled at point %" PRIu64, report->cancel_point);
    }
    if (report->refused != 0) {
        fprintf(file, ", without memory from allocation %" PRIu64, report->refused);
    }
    fprintf(file, ": %s\n", report->why);
    fprintf(file, "sim: after %" PRIu64 " run%s; repeat it with JUGGLE_SEED=", report->runs,
            report->runs == 1 ? "" : "s");
    print_play(report, file);
    fprintf(file, "%s\n",
            report->repeated ? ""
                             : " (it went otherwise when repeated: not all of it is simulated)");
    if (report->trace[0] != '\0') {
        fprintf(file, "sim: how it went:\n%s", report->trace);
    }
}
