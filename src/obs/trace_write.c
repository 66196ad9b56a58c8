// SPDX-License-Identifier: MIT
/* trace_write.c – a trace in Chrome's format.
 *
 * Holds      struct writer: the file, and in what state each task is as the events go by.
 * Invariant  the file is whole before and after: a part is put in place of the closing lines, which
 *            follow it again.
 * Called by  trace.c.
 * Why        one event per line, times in microseconds with the nanoseconds behind the point, every
 *            number an integer: the same run gives the same bytes. Besides what Perfetto shows, `args`
 *            have what `juggle trace` draws from: the number of the resume ("step") at each end.
 */
#include "base/mem.h"
#include "obs/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char head[] = "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"writer\":\"juggle\"},"
                           "\"traceEvents\":[";
static const char tail[] = "\n]}\n";

enum state { ABSENT, READY, RUNNING, WAITING };

struct life {
    int64_t since_ns;
    struct trace_event wait; // while WAITING, and the newest before
    uint32_t since_step;
    uint32_t flow; // the arrow that leads to its next run; 0: none
    enum state state;
};

struct writer {
    FILE *out;
    const struct trace *trace;
    struct life *lives; // by id
    uint32_t number;
    uint32_t flows;
    bool any; // an event stands before: a comma is due
};

static const char *const causes[] = {
    [TRACE_BY_TASK] = "task", [TRACE_BY_TIMER] = "timer",
    [TRACE_BY_IO] = "I/O",    [TRACE_BY_THREAD] = "another thread",
    [TRACE_BY_LOOP] = "loop",
};

static void put_string(FILE *out, const char *text) {
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            fprintf(out, "\\%c", byte);
        } else if (byte < 0x20) {
            fprintf(out, "\\u%04x", byte);
        } else {
            fputc(byte, out);
        }
    }
    fputc('"', out);
}

static void put_time(const struct writer *writer, const char *key, int64_t ns) {
    fprintf(writer->out, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, (int)(ns % 1000));
}

/* Opens an event; the caller adds members and closes it. */
static void open_event(struct writer *writer, const char *phase, uint32_t task, const char *name) {
    fputs(writer->any ? ",\n" : "\n", writer->out);
    writer->any = true;
    fprintf(writer->out, "{\"ph\":\"%s\",\"pid\":%u,\"tid\":%u,\"name\":", phase, writer->number,
            task);
    put_string(writer->out, name);
}

static void open_slice(struct writer *writer, uint32_t task, const char *name, const char *kind,
                       int64_t until_ns) {
    const struct life *life = &writer->lives[task];
    open_event(writer, "X", task, name);
    fprintf(writer->out, ",\"cat\":\"%s\"", kind);
    put_time(writer, "ts", life->since_ns - writer->trace->origin_ns);
    put_time(writer, "dur", until_ns - life->since_ns);
    fprintf(writer->out, ",\"args\":{\"step\":%u", life->since_step);
}

static void put_flow(struct writer *writer, const char *phase, uint32_t task, uint32_t flow,
                     int64_t at_ns) {
    open_event(writer, phase, task, "wakes");
    fprintf(writer->out, ",\"cat\":\"flow\",\"id\":\"%u.%u\"", writer->number, flow);
    put_time(writer, "ts", at_ns - writer->trace->origin_ns);
    fputs(strcmp(phase, "f") == 0 ? ",\"bp\":\"e\"}" : "}", writer->out);
}

static void begin_flow(struct writer *writer, uint32_t from, uint32_t to, int64_t at_ns) {
    if (from != 0) {
        writer->lives[to].flow = ++writer->flows;
        put_flow(writer, "s", from, writer->flows, at_ns);
    }
}

/* A run ends, in a wait, a yield, or for good. */
static void end_run(struct writer *writer, const struct trace_event *event) {
    open_slice(writer, event->task, "runs", "run", event->at_ns);
    if (event->what == TRACE_ENDED) {
        fprintf(writer->out, ",\"ends\":%d", event->result);
    }
    fputs("}}", writer->out);
}

/* A wait ends; `woken` is NULL when the trace does. */
static void end_wait(struct writer *writer, uint32_t task, int64_t at_ns,
                     const struct trace_event *woken) {
    const struct trace_event *wait = &writer->lives[task].wait;
    const char *name = wait->kind != NULL ? wait->kind->what : "something";
    open_slice(writer, task, name, "wait", at_ns);
    if (wait->detail[0] != '\0') {
        fputs(",\"which\":", writer->out);
        put_string(writer->out, wait->detail);
    }
    if (wait->other != 0) {
        fprintf(writer->out, ",\"up_to\":%u", wait->other);
    }
    if (woken != NULL) {
        fprintf(writer->out, ",\"woken_in\":%u,\"by\":\"%s\"", woken->step, causes[woken->cause]);
        if (woken->cause == TRACE_BY_TASK) {
            fprintf(writer->out, ",\"waker\":%u", woken->other);
        }
        if (woken->cancelled) {
            fputs(",\"cancelled\":true", writer->out);
        }
    }
    fputs("}}", writer->out);
}

static void end_ready(struct writer *writer, const struct trace_event *event) {
    const struct life *life = &writer->lives[event->task];
    if (event->at_ns > life->since_ns) {
        open_slice(writer, event->task, "ready", "ready", event->at_ns);
        fputs("}}", writer->out);
    }
}

static void name_task(struct writer *writer, uint32_t id, int64_t at_ns, uint32_t step) {
    const struct trace_task *task = &writer->trace->tasks[id];
    open_event(writer, "M", id, "thread_name");
    fputs(",\"args\":{\"name\":", writer->out);
    put_string(writer->out, task->name);
    fputs(",\"spawned\":", writer->out);
    put_string(writer->out, task->spawned);
    fprintf(writer->out, ",\"spawner\":%u,\"step\":%u", task->spawner, step);
    put_time(writer, "at", at_ns - writer->trace->origin_ns);
    fputs("}}", writer->out);
    open_event(writer, "M", id, "thread_sort_index");
    fprintf(writer->out, ",\"args\":{\"sort_index\":%u}}", id);
}

static void enter(struct life *life, enum state state, const struct trace_event *event) {
    life->state = state;
    life->since_ns = event->at_ns;
    life->since_step = event->step;
}

static void on_spawned(struct writer *writer, const struct trace_event *event) {
    name_task(writer, event->task, event->at_ns, event->step);
    enter(&writer->lives[event->task], READY, event);
    begin_flow(writer, writer->trace->tasks[event->task].spawner, event->task, event->at_ns);
}

static void on_runs(struct writer *writer, const struct trace_event *event) {
    struct life *life = &writer->lives[event->task];
    if (life->state == READY) {
        end_ready(writer, event);
    }
    enter(life, RUNNING, event);
    if (life->flow != 0) {
        put_flow(writer, "f", event->task, life->flow, event->at_ns);
        life->flow = 0;
    }
}

static void on_event(struct writer *writer, const struct trace_event *event) {
    struct life *life = &writer->lives[event->task];
    switch ((enum trace_what)event->what) {
    case TRACE_SPAWNED:
        on_spawned(writer, event);
        break;
    case TRACE_RUNS:
        on_runs(writer, event);
        break;
    case TRACE_WAITS:
    case TRACE_YIELDS:
    case TRACE_ENDED:
        if (life->state == RUNNING) {
            end_run(writer, event);
        }
        life->wait = *event;
        enter(life,
              event->what == TRACE_WAITS    ? WAITING
              : event->what == TRACE_YIELDS ? READY
                                            : ABSENT,
              event);
        break;
    case TRACE_WOKEN:
        end_wait(writer, event->task, event->at_ns, event);
        enter(life, READY, event);
        begin_flow(writer, event->other, event->task, event->at_ns);
        break;
    }
}

/* What is still going on lasts until now. */
static void end_lives(struct writer *writer, int64_t now_ns) {
    for (uint32_t id = 1; id < writer->trace->task_count; id++) {
        struct trace_event now = {.at_ns = now_ns, .task = id};
        switch (writer->lives[id].state) {
        case RUNNING:
            end_run(writer, &now);
            break;
        case WAITING:
            end_wait(writer, id, now_ns, NULL);
            break;
        case READY:
            end_ready(writer, &now);
            break;
        case ABSENT:
            break;
        }
    }
}

static void write_part(struct writer *writer, const char *backend, int64_t now_ns) {
    const struct trace *trace = writer->trace;
    open_event(writer, "M", 0, "process_name");
    fprintf(writer->out,
            ",\"args\":{\"name\":\"loop %u (%s)\",\"backend\":\"%s\",\"dropped\":%" PRIu64 "}}",
            writer->number, backend, backend, trace->dropped);
    for (const struct trace_block *block = trace->first; block != NULL; block = block->next) {
        for (size_t i = 0; i < block->count; i++) {
            on_event(writer, &block->events[i]);
        }
    }
    end_lives(writer, now_ns);
    fputs(tail, writer->out);
}

static int finish(FILE *out) {
    int rc = ferror(out) ? -EIO : 0;
    return fclose(out) != 0 ? -errno : rc;
}

int trace_write(const char *path, const struct trace *trace, uint32_t number, const char *backend,
                int64_t now_ns) {
    struct writer writer = {.trace = trace, .number = number, .any = number > 1};
    writer.lives = mem_alloc_zero((trace->task_count + 1) * sizeof(*writer.lives));
    if (writer.lives == NULL) {
        return -ENOMEM;
    }
    writer.out = fopen(path, "r+e");
    if (writer.out == NULL) {
        int rc = -errno;
        mem_free(writer.lives);
        return rc;
    }
    int rc = fseek(writer.out, -(long)strlen(tail), SEEK_END) != 0 ? -errno : 0;
    if (rc == 0) {
        write_part(&writer, backend, now_ns);
    }
    int finished = finish(writer.out);
    mem_free(writer.lives);
    return rc < 0 ? rc : finished;
}

int trace_write_empty(const char *path) {
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        return -errno;
    }
    fputs(head, out);
    fputs(tail, out);
    return finish(out);
}
