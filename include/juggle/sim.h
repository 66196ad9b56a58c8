// SPDX-License-Identifier: MIT
/* juggle/sim.h – a world for tests: its clock jumps, its network is memory, its chances are a seed.
 *
 * Holds      nothing: a simulated world lives as long as the jg_sim_run it belongs to. Opt-in: not part
 *            of <juggle.h>.
 * Invariant  the same program, options and seed make the same run, step by step, as long as the
 *            program asks nothing real: no threads, real clock, addresses of memory, rand().
 * Why        a race shows in one order of a thousand. Here a thousand orders take a second, sleeps
 *            take none, and the one that fails can be repeated.
 *
 * In a simulated world any ready task may run next, an operation that could complete at once may have
 * to wait, bytes arrive in pieces and late, and time stands still until nobody can run. Programs need
 * no change: jg_now, sleeps, deadlines, streams and listeners are the world's. Real descriptors are not
 * part of it: opening a stream of one is -EOPNOTSUPP.
 *
 * Threads, programs, signals and files are real there too. While one is waited for, time passes no faster
 * than on the real clock, so that no limit strikes sooner than it would; what ends before anything else is
 * due has taken no time. A limit around many short ones of them may never strike.
 *
 * Hosts have names: "server" in jg_tcp_connect("server", 80, …) and jg_tcp_listen("server", 80, …) is
 * made at its first mention and asks no resolver. Names that end in ".invalid" never resolve.
 *
 * docs/testing-with-sim.md shows how to find a race with it.
 */
#ifndef JUGGLE_SIM_H
#define JUGGLE_SIM_H

#include <juggle/base.h>
#include <juggle/stream.h>
#include <stdio.h>

JG_BEGIN_DECLS

/* What can be made to fail. */
typedef enum jg_sim_op {
    JG_SIM_ANY,     /* any operation on a stream, listener or datagram socket */
    JG_SIM_READ,    /* a read of a stream */
    JG_SIM_WRITE,   /* a write to a stream */
    JG_SIM_ACCEPT,  /* taking a connection of a listener */
    JG_SIM_CONNECT, /* one try of one address */
    JG_SIM_ALLOC    /* an allocation of the library; its calls then return -ENOMEM. One per run */
} jg_sim_op;

/* One planned failure: the `nth` operation of the run (1 is the first) returns `error`. */
typedef struct jg_sim_fault {
    jg_sim_op op;      /* of which kind */
    uint64_t nth;      /* counted among those, from 1 */
    bool from_then_on; /* and so does every later one */
    int error;         /* a negative errno; not minded for JG_SIM_ALLOC */
} jg_sim_fault;

/* The world. All zero is the usual one: small delays and now and then long ones, pieces of any size. */
typedef struct jg_sim_options {
    uint64_t seed;           /* 0: $JUGGLE_SEED, then 1 */
    size_t stack_size;       /* as in jg_run_options */
    int64_t latency_min_us;  /* of whatever travels: microseconds, evenly spread between the two; */
    int64_t latency_max_us;  /* both 0: mostly up to 500, one in eight up to 20,000 */
    size_t slice;            /* most bytes that one read or write moves; 0: no limit */
    unsigned again_percent;  /* operations that wait although they need not; 0: 12 */
    unsigned refuse_percent; /* connects refused although somebody listens */
    unsigned reset_permille; /* arrivals at which a TCP connection is reset instead */
    bool calm; /* nothing is left to chance: who was ready first runs first, nothing waits that need
                  not, bytes arrive together, after `latency_min_us` (0: 100). For output that people
                  are to read: it is the same whatever the seed, but for what that decides above and in
                  jg_sim_random */
    const jg_sim_fault *faults; /* borrowed until the run ends */
    size_t fault_count;         /* how many */
    uint64_t cancel_point;  /* where the first task is cancelled: points are counted from 1, two per
                               step, before and after it; 0: nowhere */
    int64_t clock_limit_ms; /* virtual time after which the run is called off; 0: none */
    uint64_t
        step_limit; /* steps, or rounds of calls without one, after which it is called off; 0: one
                            million */
    unsigned real_limit_s; /* seconds of real time that jg_sim_explore gives one run; 0: ten */
    FILE *trace; /* gets a line for who runs, what completes, what is waited for; borrowed */
} jg_sim_options;

/* Runs `fn(arg)` as jg_run does, in a world of its own (options NULL: the usual one).
 *
 * A run in which nothing can happen any more, or that reaches a limit, is called off: every task is
 * cancelled, and jg_error_detail says who waited for what. Tasks that do not end even then, because
 * they wait behind a shield, end the program with a message, as does a task that stops minding cancels.
 *
 * Returns  the word `fn` returned; -EDEADLK, -ETIME for a run that was called off; -EINVAL for options
 *          out of range; otherwise as jg_run. */
#define jg_sim_run(fn, arg, options) jg_sim_run_at((fn), (arg), (options), #fn "\0" JG_HERE)
JG_API intptr_t jg_sim_run_at(jg_fn *fn, void *arg, const jg_sim_options *options,
                              const char *site);

/* What jg_sim_explore tries besides plain runs; bits. Both repeat each seed once per place. */
enum {
    JG_SIM_SWEEP_CANCEL = 1, /* cancels the first task at each point in turn */
    JG_SIM_SWEEP_ALLOC = 2   /* refuses each allocation of the library in turn, and all after it */
};

/* What an exploration found. */
typedef struct jg_sim_report {
    uint64_t first_seed;   /* the one it began with */
    uint64_t seeds;        /* tried, the failing one included */
    uint64_t runs;         /* schedules in all: with a sweep, several per seed */
    uint64_t seed;         /* that failed; 0: none did */
    uint64_t cancel_point; /* where the failing run was cancelled; 0: not */
    uint64_t refused;      /* from which allocation on it was refused memory; 0: none */
    intptr_t code;    /* what the failing run came to, -ENOTEMPTY if it left something open; 0 when
                              the process died */
    int signal;       /* that killed it, or 0 */
    int exit_code;    /* with which it exited instead of returning, or 0 */
    bool repeated;    /* played again, the seed took the same course; or this is that one run */
    char why[256];    /* one line */
    char trace[6000]; /* the last lines of the failing run's trace, oldest first */
} jg_sim_report;

/* Runs `fn(arg)` once per seed, from options->seed (0: 1) upwards, until one fails: returns an error,
 * deadlocks, reaches a limit, leaves streams or listeners open, takes too long in real time, or
 * dies: assert, abort, a fault, exit.
 * Under a sweep an error returned by a disturbed run is no failure.
 *
 * All runs happen in a forked child, one after the other: they may leave nothing behind that changes
 * the next (reset what is global in `fn`), and the caller survives. The failing seed is then played
 * again, silently, for its trace. $JUGGLE_SEEDS replaces the number of seeds, so that a night can try
 * more. With $JUGGLE_SEED that one run, as the report names it, is played here, without a child and
 * without the limit of real time, with the trace on stderr: for a debugger.
 *
 * Returns  0: every seed passed; 1: one failed, which `*out_report` describes (NULL: stderr does);
 *          -EBUSY inside a loop, -ECHILD in a forked copy of one; -EINVAL for options out of range, and
 *          when the environment names no run, or no number; -ENOMEM, -EAGAIN without a child.
 * Threads  any thread; the child has only this one. */
#define jg_sim_explore(fn, arg, options, seeds, sweep, out_report)                                 \
    jg_sim_explore_at((fn), (arg), (options), (seeds), (sweep), (out_report), #fn "\0" JG_HERE)
JG_API int jg_sim_explore_at(jg_fn *fn, void *arg, const jg_sim_options *options, uint64_t seeds,
                             unsigned sweep, jg_sim_report *out_report, const char *site);

/* Writes the report for people: seed, reason, how to repeat it, trace. */
JG_API void jg_sim_report_print(const jg_sim_report *report, FILE *file);

/* From inside the world. Outside a simulated loop all return -ENXIO and do nothing, but jg_sim_random,
 * which then asks the kernel. */

/* Lets the clock run on as if the caller had computed for `duration_ms` without suspending: deadlines
 * pass, and nobody else gets to run. Returns 0; -EINVAL for a negative duration. */
JG_API int jg_sim_advance(int64_t duration_ms);

/* Returns a random number that the seed decides: for choices of the test's own. */
JG_API uint64_t jg_sim_random(void);

/* Counts the steps of the run so far: how often a task was let run. Returns 0 outside. */
JG_API uint64_t jg_sim_steps(void);

/* Cuts a host off, and lets it back. Meanwhile nothing arrives at either end of its connections, and
 * connects get no answer; nothing is lost: what was on its way arrives afterwards. NULL is the host of
 * connections by number or to "localhost".
 *
 * Returns  0; -EINVAL for a name too long or empty; -ENOENT below ".invalid"; -ENOMEM. */
JG_API int jg_sim_host_cut(const char *host);
JG_API int jg_sim_host_heal(const char *host);

/* Gives a name the address of another host besides its own: jg_tcp_connect then has both to try, the
 * name's own first, then those added, in order. Listening at the name is as before. To have a first
 * address that is dead, cut the host of that name off.
 *
 * Returns  as jg_sim_host_cut; -EINVAL also for NULL and "localhost"; -ENOSPC beyond 15 for one name. */
JG_API int jg_sim_host_add(const char *name, const char *host);

/* Resets every connection with the host, as a crash would. Its listeners stay. As jg_sim_host_cut. */
JG_API int jg_sim_host_reset(const char *host);

/* Lets nothing arrive at this stream for `duration_ms`; what comes meanwhile comes then.
 *
 * Returns  0; -EINVAL for a negative duration; -EBADF for a closed stream. */
JG_API int jg_sim_stream_stall(jg_stream *stream, int64_t duration_ms);

/* Resets the connection when `bytes` more bytes have arrived at this stream; 0: at once. What has
 * arrived by then can still be read. As jg_sim_stream_stall. */
JG_API int jg_sim_stream_reset(jg_stream *stream, uint64_t bytes);

JG_END_DECLS

#endif
