// SPDX-License-Identifier: MIT
/* process.c – the life of a program we have started.
 *
 * Holds      nothing beyond its record.
 * Invariant  the child is reaped once, by whoever first sees that it has ended; until then its id is
 *            ours to signal.
 * Called by  user code.
 * Why        see juggle/process.h.
 */
#include "os/process.h"

#include "base/clock.h"
#include "base/mem.h"
#include "exec/child.h"
#include "io/stream.h"
#include "rt/observe.h"
#include "task/task.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GRACE_MS = 2000 };

static void close_streams(jg_process *process) {
    for (int i = 0; i < STDIO_COUNT; i++) {
        jg_stream_close(process->streams[i]);
        process->streams[i] = NULL;
    }
}

/* The child has ended: takes its status, unless that was done. */
static void reap(jg_process *process) {
    int status = 0;
    if (process->reaped) {
        return;
    }
    process->wait_error = child_reap(process->pid, &status);
    process->reaped = true;
    process->status = (jg_process_status){
        .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .core_dumped = WIFSIGNALED(status) && WCOREDUMP(status),
    };
}

/* Makes streams of our ends. Takes the descriptors, also when it fails. */
static int open_streams(jg_process *process, const char *name, const int fds[STDIO_COUNT]) {
    static const char *const ends[STDIO_COUNT] = {"stdin", "stdout", "stderr"};
    int rc = 0;
    for (int i = 0; i < STDIO_COUNT; i++) {
        char how[64];
        if (fds[i] < 0) {
            continue;
        }
        snprintf(how, sizeof(how), "%s of %s", ends[i], name);
        rc = rc < 0 ? rc : stream_adopt(fds[i], how, &process->streams[i]);
        if (rc < 0) {
            close(fds[i]);
        }
    }
    return rc;
}

/* A simulated loop has no place for real pipes, a forked copy none at all: said before anything is
 * started. */
static int check_options(const jg_process_options *options) {
    bool pipes = options->in.kind == JG_STDIO_PIPE || options->out.kind == JG_STDIO_PIPE ||
                 options->err.kind == JG_STDIO_PIPE;
    if (pipes && backend_current()->ops->foreign_fds) {
        return (int)jg_fail(-EOPNOTSUPP, "a pipe to a real program from a simulated loop");
    }
    if (pipes && sched_stranded()) {
        return (int)jg_fail(-ECHILD, "a pipe to a program from a forked copy of a task");
    }
    return 0;
}

int jg_process_spawn(const jg_process_options *options, jg_process **out_process) {
    int fds[STDIO_COUNT];
    int rc = check_options(options);
    if (rc < 0) {
        return rc;
    }
    jg_process *process = mem_alloc_zero(sizeof(*process));
    if (process == NULL) {
        return (int)jg_fail(-ENOMEM, "no memory for a process");
    }
    rc = spawn_program(options, &process->pid, fds);
    if (rc < 0) {
        mem_free(process);
        return rc;
    }
    const char *name = basename(options->argv[0]);
    observe_opened(process, "process", (int)process->pid, name);
    process->owner = getpid();
    process->own_group = options->own_group;
    process->grace_ms = options->grace_ms != 0 ? options->grace_ms : GRACE_MS;
    rc = open_streams(process, name, fds);
    if (rc < 0) {
        process->grace_ms = -1;
        jg_process_close(process);
        return rc;
    }
    *out_process = process;
    return 0;
}

jg_stream *jg_process_in(const jg_process *process) {
    return process->streams[STDIN_FILENO];
}

jg_stream *jg_process_out(const jg_process *process) {
    return process->streams[STDOUT_FILENO];
}

jg_stream *jg_process_err(const jg_process *process) {
    return process->streams[STDERR_FILENO];
}

void jg_process_close_in(jg_process *process) {
    jg_stream_close(process->streams[STDIN_FILENO]);
    process->streams[STDIN_FILENO] = NULL;
}

pid_t jg_process_id(const jg_process *process) {
    return process->pid;
}

static void release(jg_process *process) {
    must(process->holders > 0);
    process->holders--;
    if (process->closed && process->holders == 0) {
        mem_free(process);
    }
}

static int wait_held(jg_process *process, jg_process_status *out_status) {
    int rc = process->reaped ? 0 : child_await(process->pid, true);
    if (rc < 0 && rc != -ECHILD) {
        return rc;
    }
    reap(process); // unless somebody who waited with us, or closed it, has
    if (process->wait_error == 0 && out_status != NULL) {
        *out_status = process->status;
    }
    return process->wait_error;
}

int jg_process_wait(jg_process *process, jg_process_status *out_status) {
    int rc = suspend_check(sched_current());
    if (rc < 0) {
        return (int)error_bare(rc);
    }
    if (process->owner != getpid()) {
        return (int)error_bare(-ECHILD);
    }
    process->holders++;
    rc = wait_held(process, out_status);
    release(process);
    return (int)error_bare(rc);
}

static int send_signal(jg_process *process, int signal_number) {
    if (process->owner != getpid()) {
        return -ECHILD;
    }
    if (process->reaped || child_look(process->pid) != -EAGAIN) {
        return -ESRCH;
    }
    pid_t whom = process->own_group ? -process->pid : process->pid;
    return kill(whom, signal_number) != 0 ? -errno : 0;
}

int jg_process_signal(jg_process *process, int signal_number) {
    return (int)error_bare(send_signal(process, signal_number));
}

int jg_process_terminate(jg_process *process) {
    return jg_process_signal(process, SIGTERM);
}

int jg_process_kill(jg_process *process) {
    return jg_process_signal(process, SIGKILL);
}

/* Gives it the time it may take to obey. Returns whether it has ended. */
static bool ends_in_grace(jg_process *process) {
    jg_scope grace;
    jg_scope_open(&grace, clock_add_ms(loop_now_ns(), process->grace_ms), true);
    intptr_t rc = jg_scope_close(&grace, child_await(process->pid, true));
    return rc == 0 || rc == -ECHILD;
}

static void end(jg_process *process) {
    bool may_wait = (sched_current()->attention & ~(uint32_t)ATTENTION_CANCEL) == 0;
    bool running = child_look(process->pid) == -EAGAIN;
    if (running && may_wait && process->grace_ms > 0 && jg_process_terminate(process) == 0) {
        running = !ends_in_grace(process);
    }
    if (running) {
        jg_process_kill(process);
        if (may_wait) {
            child_await(process->pid, false);
        }
    }
    reap(process);
}

void jg_process_close(jg_process *process) {
    if (process == NULL) {
        return;
    }
    close_streams(process);
    if (!process->reaped && process->owner == getpid()) {
        end(process);
    }
    observe_closed(process);
    process->closed = true;
    process->holders++;
    release(process);
}

void jg_process_cleanup(jg_process **process) {
    jg_process_close(*process);
}
