// SPDX-License-Identifier: MIT
/* trace_read.c – a trace file, as <juggle/trace.h> writes it, into memory.
 *
 * Holds      nothing.
 * Invariant  whatever the file holds, what comes out has consistent numbers, and nothing is read twice.
 * Called by  command_trace.c.
 * Why        jansson reads any JSON there is; events that are not ours are passed over.
 * Quirks     times are microseconds in the file, and nanoseconds here.
 */
#include "trace.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t ns(const json_t *object, const char *key) {
    double us = json_number_value(json_object_get(object, key));
    return us > 0 && us < 1e15 ? (int64_t)llround(us * 1000) : 0;
}

static uint32_t number(const json_t *object, const char *key) {
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value < 0 || value > UINT32_MAX ? 0 : (uint32_t)value;
}

static void text(const json_t *object, const char *key, char *out, size_t size) {
    const char *value = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", value != NULL ? value : "");
}

static bool is(const json_t *object, const char *key, const char *wanted) {
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL && strcmp(value, wanted) == 0;
}

static void read_task(const json_t *event, struct trace_task *task) {
    const json_t *args = json_object_get(event, "args");
    task->id = number(event, "tid");
    task->spawner = number(args, "spawner");
    task->step = number(args, "step");
    task->at_ns = ns(args, "at");
    text(args, "name", task->name, sizeof(task->name));
    text(args, "spawned", task->spawned, sizeof(task->spawned));
}

static void read_span(const json_t *event, struct trace_span *span) {
    const json_t *args = json_object_get(event, "args");
    span->kind = is(event, "cat", "run")    ? TRACE_RUN
                 : is(event, "cat", "wait") ? TRACE_WAIT
                                            : TRACE_READY;
    span->task = number(event, "tid");
    span->step = number(args, "step");
    span->from_ns = ns(event, "ts");
    span->until_ns = span->from_ns + ns(event, "dur");
    text(event, "name", span->name, sizeof(span->name));
    text(args, "which", span->which, sizeof(span->which));
    text(args, "by", span->by, sizeof(span->by));
    span->up_to = number(args, "up_to");
    span->woken = json_object_get(args, "woken_in") != NULL;
    span->woken_in = number(args, "woken_in");
    span->waker = number(args, "waker");
    span->cancelled = json_is_true(json_object_get(args, "cancelled"));
    span->ends = json_object_get(args, "ends") != NULL;
    span->result = json_integer_value(json_object_get(args, "ends"));
}

static void read_event(const json_t *event, uint64_t loop, struct trace *trace) {
    uint32_t pid = number(event, "pid");
    trace->loops = pid > trace->loops ? pid : trace->loops;
    if (pid != loop) {
        return;
    }
    if (is(event, "name", "process_name")) {
        const json_t *args = json_object_get(event, "args");
        text(args, "backend", trace->backend, sizeof(trace->backend));
        trace->dropped = number(args, "dropped");
    } else if (is(event, "name", "thread_name")) {
        read_task(event, &trace->tasks[trace->task_count++]);
    } else if (is(event, "ph", "X")) {
        struct trace_span *span = &trace->spans[trace->span_count++];
        read_span(event, span);
        trace->end_ns = span->until_ns > trace->end_ns ? span->until_ns : trace->end_ns;
    }
}

static int read_events(const json_t *events, uint64_t loop, struct trace *trace) {
    size_t count = json_array_size(events);
    trace->tasks = calloc(count + 1, sizeof(*trace->tasks));
    trace->spans = calloc(count + 1, sizeof(*trace->spans));
    if (trace->tasks == NULL || trace->spans == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        read_event(json_array_get(events, i), loop, trace);
    }
    return 0;
}

int trace_read(const char *path, uint64_t loop, struct trace *out_trace, char *out_error) {
    enum { ERROR_SIZE = 160 };
    json_error_t error;
    *out_trace = (struct trace){.loops = 0};
    errno = 0;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL) {
        int code = json_error_code(&error) == json_error_cannot_open_file && errno != 0 ? errno
                                                                                        : EINVAL;
        snprintf(out_error, ERROR_SIZE, "%s",
                 code == EINVAL ? "is no JSON document" : strerrordesc_np(code));
        return -code;
    }
    const json_t *events = json_object_get(root, "traceEvents");
    bool ours = is(json_object_get(root, "otherData"), "writer", "juggle");
    int rc = ours && json_is_array(events) ? read_events(events, loop, out_trace) : -EINVAL;
    json_decref(root);
    if (rc == 0 && out_trace->task_count == 0) {
        rc = -ENOENT;
    }
    if (rc < 0) {
        snprintf(out_error, ERROR_SIZE, "%s",
                 rc == -ENOMEM   ? "is too large for the memory there is"
                 : rc == -ENOENT ? "has no tasks of that loop"
                                 : "was not written by juggle");
        trace_free(out_trace);
    }
    return rc;
}

void trace_free(struct trace *trace) {
    free(trace->tasks);
    free(trace->spans);
    trace->tasks = NULL;
    trace->spans = NULL;
}
