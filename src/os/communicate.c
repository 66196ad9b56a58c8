// SPDX-License-Identifier: MIT
/* communicate.c – all that is to be said to a program, and all it says.
 *
 * Holds      per exchange three jobs, on the caller's stack: feed its input, collect both outputs.
 * Invariant  no job waits for another: a program that fills one pipe while we wait at another does
 *            not stop both.
 * Called by  user code.
 * Why        in a loop each job is a task. Without one the thread does the steps itself, whichever
 *            pipe poll says is ready: a step then never waits.
 */
#include "os/process.h"

#include "base/mem.h"
#include "rt/blocking.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 4096 };

static const size_t LIMIT_DEFAULT = (size_t)16 * 1024 * 1024;

/* One job. A step makes progress: more to do (1), done (0), or an error. */
struct job {
    int (*step)(struct job *job);
    jg_process *process;
    int number; // of the descriptor
    bool done;
    const char *input; // feed: what is left
    char *data;        // collect: what was read
    size_t size;
    size_t cap;
    size_t limit;
};

static int feed_step(struct job *job) {
    jg_stream *stream = job->process->streams[job->number];
    // A pipe that is ready takes this much without waiting.
    size_t most = jg_running() ? SIZE_MAX : PIPE_BUF;
    size_t size = job->size < most ? job->size : most;
    ssize_t put = size > 0 ? jg_write(stream, job->input, size) : 0;
    if (put < 0 && put != -EPIPE) {
        return (int)put;
    }
    job->input += size;
    job->size = put == -EPIPE ? 0 : job->size - size; // it wants to hear no more
    if (job->size > 0) {
        return 1;
    }
    jg_process_close_in(job->process);
    return 0;
}

/* Makes room for a byte more, and for the NUL behind it. */
static int make_room(struct job *job) {
    if (job->cap - job->size > 1) {
        return 0;
    }
    size_t cap = job->cap < FIRST_ROOM ? FIRST_ROOM : job->cap * 2;
    char *data = mem_resize(job->data, cap);
    if (data == NULL) {
        return -ENOMEM;
    }
    job->data = data;
    job->cap = cap;
    return 0;
}

static int collect_step(struct job *job) {
    int rc = make_room(job);
    if (rc < 0) {
        return rc;
    }
    ssize_t got = jg_read(job->process->streams[job->number], job->data + job->size,
                          job->cap - job->size - 1);
    if (got <= 0) {
        job->data[job->size] = '\0';
        return (int)got;
    }
    job->size += (size_t)got;
    return job->size > job->limit ? (int)error_bare(-EMSGSIZE) : 1;
}

static intptr_t run_job(void *arg) {
    struct job *job = arg;
    int rc = 1;
    while (rc > 0) {
        rc = job->step(job);
    }
    return rc;
}

/* In a loop: a task for each. */
static int run_in_loop(struct job *jobs, int count) {
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        for (int i = 1; i < count && rc == 0; i++) {
            rc = jg_group_spawn(group, run_job, &jobs[i]);
        }
        rc = rc == 0 && count > 0 ? run_job(&jobs[0]) : rc;
    }
    return (int)rc;
}

/* Whether a step would not wait. A stream may hold bytes that somebody has read ahead. */
static bool has_held(const struct job *job) {
    char *data;
    return job->number != STDIN_FILENO &&
           jg_stream_peek(job->process->streams[job->number], &data) > 0;
}

/* Waits until a job can make a step. Returns 0, or what asks to stop. */
static int wait_ready(struct pollfd *ready, int count) {
    struct coro *self = sched_current();
    int rc = blocking_poll(ready, (nfds_t)count, self->deadline_ns);
    return rc == -ECANCELED ? sched_refuse(self) : rc;
}

/* One round: every job that can makes a step. Returns how many go on, or an error. */
static int round_of_steps(struct job *jobs, int count) {
    struct pollfd ready[STDIO_COUNT];
    bool held = false;
    for (int i = 0; i < count; i++) {
        const jg_stream *stream = jobs[i].process->streams[jobs[i].number];
        ready[i] = (struct pollfd){.fd = jobs[i].done ? -1 : jg_stream_fd(stream),
                                   .events = jobs[i].number == STDIN_FILENO ? POLLOUT : POLLIN};
        held = held || (!jobs[i].done && has_held(&jobs[i]));
    }
    int rc = held ? 0 : wait_ready(ready, count);
    int left = 0;
    for (int i = 0; i < count && rc >= 0; i++) {
        if (!jobs[i].done && ((!held && ready[i].revents != 0) || has_held(&jobs[i]))) {
            rc = jobs[i].step(&jobs[i]);
            jobs[i].done = rc == 0;
        }
        left += !jobs[i].done;
    }
    return rc < 0 ? rc : left;
}

/* Without a loop: this thread does it all. */
static int run_by_poll(struct job *jobs, int count) {
    int left = count;
    while (left > 0) {
        left = round_of_steps(jobs, count);
    }
    return left;
}

static int exchange(struct job *jobs, int count) {
    return jg_running() ? run_in_loop(jobs, count) : run_by_poll(jobs, count);
}

/* Appends the job at a descriptor, if there is a pipe. Returns it or NULL. */
static struct job *add_job(struct job *jobs, int *count, jg_process *process, int number) {
    if (process->streams[number] == NULL) {
        return NULL;
    }
    struct job *job = &jobs[(*count)++];
    *job = (struct job){.process = process,
                        .number = number,
                        .step = number == STDIN_FILENO ? feed_step : collect_step};
    return job;
}

int jg_process_communicate(jg_process *process, const void *input, size_t input_size, size_t limit,
                           jg_process_output *out_output) {
    struct job jobs[STDIO_COUNT];
    int count = 0;
    jg_process_output output = {0};
    int rc = suspend_check(sched_current());
    rc = rc == 0 && process->owner != getpid() ? (int)error_bare(-ECHILD) : rc;
    if (rc < 0) {
        return rc;
    }
    struct job *out = add_job(jobs, &count, process, STDOUT_FILENO);
    struct job *err = add_job(jobs, &count, process, STDERR_FILENO);
    struct job *in = add_job(jobs, &count, process, STDIN_FILENO);
    if (in != NULL) {
        in->input = input;
        in->size = input_size;
    }
    for (int i = 0; i < count; i++) {
        jobs[i].limit = limit != 0 ? limit : LIMIT_DEFAULT;
    }
    rc = exchange(jobs, count);
    rc = rc < 0 ? rc : jg_process_wait(process, &output.status);
    if (out != NULL) {
        output.out = out->data;
        output.out_size = out->size;
    }
    if (err != NULL) {
        output.err = err->data;
        output.err_size = err->size;
    }
    if (rc < 0) {
        jg_process_output_free(&output);
        return rc;
    }
    *out_output = output;
    return 0;
}

int jg_process_run(const jg_process_options *options, const void *input, size_t input_size,
                   size_t limit, jg_process_output *out_output) {
    jg_process_options piped = *options;
    jg_stdio *const all[STDIO_COUNT] = {&piped.in, &piped.out, &piped.err};
    for (int i = 0; i < STDIO_COUNT; i++) {
        all[i]->kind = all[i]->kind == JG_STDIO_INHERIT ? JG_STDIO_PIPE : all[i]->kind;
    }
    jg_process *process;
    int rc = suspend_check(sched_current());
    rc = rc < 0 ? rc : jg_process_spawn(&piped, &process);
    if (rc < 0) {
        return rc;
    }
    rc = jg_process_communicate(process, input, input_size, limit, out_output);
    jg_process_close(process);
    return rc;
}

void jg_process_output_free(jg_process_output *output) {
    mem_free(output->out);
    mem_free(output->err);
    *output = (jg_process_output){0};
}
