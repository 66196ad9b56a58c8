// SPDX-License-Identifier: MIT
/* juggle/process.h – running other programs: streams to and from them, and how they ended.
 *
 * Holds      a process is a child of this one from its start until it is closed.
 * Invariant  every process is closed once, and closing one that still runs stops it: nothing runs on
 *            behind our back, no zombie stays. Each reports how it ended exactly once, also when
 *            thousands end at once: no SIGCHLD handler is involved.
 * Threads    a process belongs to the loop, or the thread without one, that started it.
 */
#ifndef JUGGLE_PROCESS_H
#define JUGGLE_PROCESS_H

#include <juggle/base.h>
#include <juggle/stream.h>

JG_BEGIN_DECLS

/* A program that was started. */
typedef struct jg_process jg_process;

/* What one of the three standard descriptors of a program is. */
typedef enum jg_stdio_kind {
    JG_STDIO_INHERIT, /* the same as ours */
    JG_STDIO_NULL,    /* /dev/null */
    JG_STDIO_PIPE,    /* a pipe; our end is a stream of the process */
    JG_STDIO_FD,      /* a copy of `fd` */
    JG_STDIO_OUT,     /* standard error only: wherever standard output goes */
} jg_stdio_kind;

/* One of the three. Zero bytes: inherited. */
typedef struct jg_stdio {
    jg_stdio_kind kind; /* what it is */
    int fd;             /* of JG_STDIO_FD: borrowed until the process has started */
} jg_stdio;

/* What to run, and how. All zero but `argv` is the default. */
typedef struct jg_process_options {
    const char *const *argv; /* program and arguments, ended by NULL; a program without a slash is
                                looked for in $PATH */
    const char *const *env;  /* "NAME=value" strings, ended by NULL; NULL: our own */
    const char *cwd;         /* directory to run in, also for a relative program; NULL: our own */
    jg_stdio in;             /* its standard input */
    jg_stdio out;            /* its standard output */
    jg_stdio err;            /* its standard error */
    bool own_group; /* lead a process group: signals reach the program's children too, and ^C at the
                         terminal does not reach it */
    int64_t
        grace_ms; /* how long it may take to obey SIGTERM when it is closed; 0: 2000; negative: it
                         is killed at once */
} jg_process_options;

/* How a process ended. */
typedef struct jg_process_status {
    int exit_code;    /* what it exited with, 0..255; -1 if a signal ended it */
    int signal;       /* the signal that ended it; 0 if it exited */
    bool core_dumped; /* and left a core file */
} jg_process_status;

/* Starts a program. It sees descriptors 0, 1 and 2 and no other, whatever we have open; no signal is
 * blocked, each has its default action, also those we ignore.
 *
 * The thread is held up until the program is loaded, typically for less than a millisecond.
 *
 * Returns  0; what kept the program from running: -ENOENT (no such program, or directory), -EACCES,
 *          -ENOTDIR, -ENOEXEC, -E2BIG and kin; -EBADF for a bad descriptor; -EINVAL without a program
 *          or with JG_STDIO_OUT for other than `err`; -EMFILE, -ENOMEM, -EAGAIN (limit of processes);
 *          -EOPNOTSUPP for a pipe in a simulated loop, -ECHILD for one in a forked copy of a loop. With a
 *          detail. Nothing is left behind.
 * Owns     gives the process: jg_process_close it. */
JG_API int jg_process_spawn(const jg_process_options *options, jg_process **out_process);

/* Our ends of its pipes; NULL where there is none. Borrowed: closed with the process. */
JG_API jg_stream *jg_process_in(const jg_process *process);
JG_API jg_stream *jg_process_out(const jg_process *process);
JG_API jg_stream *jg_process_err(const jg_process *process);

/* Closes our end of its standard input: it reads the end. Nothing happens without one. */
JG_API void jg_process_close_in(jg_process *process);

/* Returns its process id: valid until it is closed. */
JG_API pid_t jg_process_id(const jg_process *process);

/* Waits until it has ended. Any number of tasks may wait; waiting again tells the same. What it wrote
 * to a pipe stays readable. For time in a simulated loop see <juggle/sim.h>.
 *
 * `out_status` may be NULL.
 *
 * Returns  0; -ECANCELED: it runs on; -ECHILD when somebody else took its status (waitpid for any
 *          child, SIGCHLD ignored), or in a forked copy of this process; -ENOMEM. */
JG_API JG_SUSPENDS int jg_process_wait(jg_process *process, jg_process_status *out_status);

/* Sends it a signal: any, SIGTERM, SIGKILL. A group leader's whole group gets it.
 *
 * Returns 0; -ESRCH when it has ended; -EINVAL for no signal; -EPERM when it runs as somebody else;
 *         -ECHILD in a forked copy of this process. */
JG_API int jg_process_signal(jg_process *process, int signal_number);
JG_API int jg_process_terminate(jg_process *process);
JG_API int jg_process_kill(jg_process *process);

/* Ends it, if it has not: SIGTERM, and SIGKILL when the grace is over; then closes its streams. Waits
 * until it has ended, whatever asks the task to stop; where suspending is not possible it is killed at
 * once, and a forked copy of this process leaves it running. Takes the process: it is gone after the
 * call, everywhere. NULL is allowed. */
JG_API JG_SUSPENDS void jg_process_close(jg_process *process);

/* A variable whose process is closed on every way out of the block it is declared in:
 * `JG_PROCESS(ls); rc = jg_process_spawn(&options, &ls);`. */
#define JG_PROCESS(name) jg_process *name __attribute__((cleanup(jg_process_cleanup))) = NULL
JG_API JG_SUSPENDS void jg_process_cleanup(jg_process **process);

/* What a program wrote to its pipes, and how it ended. */
typedef struct jg_process_output {
    char *out;                /* standard output, with a NUL behind it; NULL if there was no pipe */
    char *err;                /* standard error, likewise */
    size_t out_size;          /* bytes of `out`, without the NUL */
    size_t err_size;          /* bytes of `err` */
    jg_process_status status; /* how it ended */
} jg_process_output;

/* Writes `input` to its standard input and closes that, reads both outputs to their ends, and waits
 * until it has ended; all at once, so that no full pipe stops either side. Pipes that are not there
 * are left out. That it stops reading early is no error.
 *
 * `limit` is how many bytes each output may have; 0: 16 MiB.
 *
 * Returns  0; -EMSGSIZE when an output is longer, -ECANCELED, -EBUSY, -ENOMEM: then what was read is
 *          dropped, and the process runs on with its pipes open; -ECHILD as jg_process_wait.
 * Owns     gives what is in `out_output`: jg_process_output_free it. */
JG_API JG_SUSPENDS int jg_process_communicate(jg_process *process, const void *input,
                                              size_t input_size, size_t limit,
                                              jg_process_output *out_output);

/* Starts a program, communicates, and closes it: stopped, if it has not ended by then. Its standard
 * descriptors that would be inherited are pipes instead.
 *
 * Returns what jg_process_spawn and jg_process_communicate do. How it ended is in the output. */
JG_API JG_SUSPENDS int jg_process_run(const jg_process_options *options, const void *input,
                                      size_t input_size, size_t limit,
                                      jg_process_output *out_output);

/* Frees what is in it. */
JG_API void jg_process_output_free(jg_process_output *output);

JG_END_DECLS

#endif
