// SPDX-License-Identifier: MIT
/* command_trace.c – `juggle trace FILE`.
 *
 * Holds      the command: from a trace to a picture.
 * Invariant  an output file is whole or the command fails.
 * Called by  commands.c.
 * Why        Perfetto shows everything; a page of a guide wants one picture that needs nothing.
 * Quirks     the output's name decides its form: .svg or .html; standard output gets SVG.
 */
#include "commands.h"
#include "output.h"
#include "trace.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct trace_settings {
    const char *file;
    const char *output;
    uint64_t loop;
    struct trace_picture picture;
};

static bool ends_in(const char *text, const char *end) {
    size_t len = strlen(text);
    return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static int write_picture(const struct trace_settings *settings, const struct trace *trace,
                         FILE *out, const char *name) {
    struct trace_picture picture = settings->picture;
    picture.title = picture.title != NULL ? picture.title : trace->tasks[0].name;
    if (settings->output != NULL && ends_in(settings->output, ".html")) {
        trace_draw_html(trace, &picture, out);
    } else {
        trace_draw_svg(trace, &picture, out);
    }
    return output_finish(out, "trace", name) < 0 ? EXIT_FAILED : EXIT_GOOD;
}

static int run(const void *given) {
    const struct trace_settings *settings = given;
    struct trace trace;
    char error[160];
    if (settings->output != NULL && !ends_in(settings->output, ".svg") &&
        !ends_in(settings->output, ".html")) {
        output_complain("trace", "the output has to end in .svg or .html: %s", settings->output);
        return EXIT_USAGE;
    }
    if (trace_read(settings->file, settings->loop, &trace, error) < 0) {
        output_complain("trace", "%s: %s", settings->file, error);
        return EXIT_FAILED;
    }
    FILE *out = settings->output != NULL ? fopen(settings->output, "we") : stdout;
    int code = EXIT_FAILED;
    if (out == NULL) {
        output_complain("trace", "%s: %s", settings->output, strerrordesc_np(errno));
    } else {
        code = write_picture(settings, &trace, out,
                             settings->output != NULL ? settings->output : "standard output");
    }
    if (out != NULL && out != stdout) {
        fclose(out);
    }
    trace_free(&trace);
    return code;
}

static const struct option_spec options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_FILE,
     .value_name = "FILE",
     .help =
         "where the picture goes: a name that ends in .svg or .html; else SVG to standard output",
     .offset = offsetof(struct trace_settings, output)},
    {.name = "title",
     .kind = OPTION_TEXT,
     .value_name = "TEXT",
     .help = "what stands above it; else the name of the first task",
     .offset = offsetof(struct trace_settings, picture.title)},
    {.name = "loop",
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "which loop of the file",
     .preset = "1",
     .min = 1,
     .max = 100000,
     .offset = offsetof(struct trace_settings, loop)},
    {.name = "tasks",
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "how many tasks are drawn at most",
     .preset = "30",
     .min = 1,
     .max = 1000,
     .offset = offsetof(struct trace_settings, picture.tasks)},
    {.name = "width",
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "how wide the picture is, in pixels",
     .preset = "1220",
     .min = TRACE_WIDTH_LEAST,
     .max = 100000,
     .offset = offsetof(struct trace_settings, picture.width)},
    {.name = NULL},
};
static const struct option_spec operands[] = {
    {.name = "FILE",
     .kind = OPTION_FILE,
     .help = "a trace, taken with JUGGLE_TRACE=FILE or jg_trace_start",
     .offset = offsetof(struct trace_settings, file),
     .required = true},
    {.name = NULL},
};
static const struct command_example examples[] = {
    {"JUGGLE_TRACE=run.json ./program && juggle trace run.json -o run.svg",
     "draw what its tasks did"},
    {NULL, NULL},
};
static const enum exit_code exits[] = {EXIT_GOOD, EXIT_FAILED, EXIT_USAGE, EXIT_GOOD};

const struct command command_trace = {
    .name = "trace",
    .summary = "draw what the tasks of a program did",
    .description =
        "One row per task: when it ran, what it waited for, who woke whom. The picture needs "
        "no script and nothing from the network.",
    .examples = examples,
    .options = options,
    .operands = operands,
    .exits = exits,
    .failed = "the trace could not be read, or the picture could not be written",
    .settings_size = sizeof(struct trace_settings),
    .run = run,
};
