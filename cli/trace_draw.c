// SPDX-License-Identifier: MIT
/* trace_draw.c – a trace as a picture: one row per task, time from left to right.
 *
 * Holds      struct plot: where each run lies on the page.
 * Invariant  the same trace gives the same bytes. No script, nothing from outside; colours follow the
 *            reader's light or dark setting.
 * Called by  command_trace.c.
 * Why        runs are shorter than a pixel, and under sim take no time at all, yet their order is what
 *            people look for: each gets a least width, the rest of the page goes to time.
 * Quirks     so the axis is not even where many runs crowd; the caption says so.
 */
#include "trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LABEL_WIDTH = 170,
    MARGIN = 24,
    TOP = 84,
    ROW = 38,
    BAR = 20,
    BOTTOM = 64,
    TICKS = 8,
    COLOURS = 6,
    NAME_MOST = 18, // letters of a name
    LABELLED = 64,  // pixels of a run that has room for how long it took
    FAN_MOST = 6,   // rows that an arrow of a start crosses; more would hide what is below
};

static const double run_share = 0.5; // of the width, at most, for least widths
static const double run_most = 16;   // pixels, of one least width

struct run {
    double x0;
    double x1;
    int64_t from_ns;
    int64_t until_ns;
};

struct plot {
    const struct trace *trace;
    FILE *out;
    int width; // of the part that shows time
    size_t rows;
    struct run *runs; // by step; 0 is the beginning
    uint32_t steps;
    double per_ns;
};

void trace_put_text(const char *text, FILE *out) {
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
        }
    }
}

const struct trace_task *trace_task_by_id(const struct trace *trace, uint32_t id) {
    for (size_t i = 0; i < trace->task_count; i++) {
        if (trace->tasks[i].id == id) {
            return &trace->tasks[i];
        }
    }
    return NULL;
}

static bool is_inside_utf8(char byte) {
    return ((unsigned char)byte & 0xc0) == 0x80;
}

// Where things lie.

static bool lay_out(struct plot *plot) {
    const struct trace *trace = plot->trace;
    size_t most = trace->span_count + 1;
    plot->runs = calloc(most + 1, sizeof(*plot->runs));
    if (plot->runs == NULL) {
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < trace->span_count; i++) {
        const struct trace_span *span = &trace->spans[i];
        if (span->kind == TRACE_RUN && span->step > 0 && span->step <= most) {
            plot->runs[span->step] = (struct run){1, 0, span->from_ns, span->until_ns};
            plot->steps = span->step > plot->steps ? span->step : plot->steps;
            count++;
        }
    }
    double least = count > 0 ? plot->width * run_share / (double)count : 0;
    least = least > run_most ? run_most : least;
    double rest = plot->width - least * (double)count;
    plot->per_ns = trace->end_ns > 0 ? rest / (double)trace->end_ns : 0;
    double x = LABEL_WIDTH + MARGIN;
    int64_t at_ns = 0;
    plot->runs[0] = (struct run){x, x, 0, 0};
    for (uint32_t step = 1; step <= plot->steps; step++) {
        struct run *run = &plot->runs[step];
        if (run->x0 == 0) { // of a task that is not in the trace
            *run = (struct run){x, x, at_ns, at_ns};
        }
        x += (double)(run->from_ns - at_ns) * plot->per_ns;
        run->x0 = x;
        x += least + (double)(run->until_ns - run->from_ns) * plot->per_ns;
        run->x1 = x;
        at_ns = run->until_ns;
    }
    return true;
}

/* A moment: in a step, or in the pause after it. */
static double x_of(const struct plot *plot, uint32_t step, int64_t at_ns) {
    const struct run *run = &plot->runs[step <= plot->steps ? step : plot->steps];
    if (at_ns > run->until_ns) {
        return run->x1 + (double)(at_ns - run->until_ns) * plot->per_ns;
    }
    int64_t length_ns = run->until_ns - run->from_ns;
    double part = length_ns > 0 ? (double)(at_ns - run->from_ns) / (double)length_ns : 0.5;
    part = part < 0 ? 0 : part;
    return run->x0 + part * (run->x1 - run->x0);
}

/* A point on the clock: in the first step that reaches it. */
static double x_of_time(const struct plot *plot, int64_t at_ns) {
    uint32_t step = 0;
    while (step < plot->steps && plot->runs[step + 1].from_ns < at_ns) {
        step++;
    }
    const struct run *run = &plot->runs[step];
    return at_ns <= run->until_ns ? x_of(plot, step, at_ns)
                                  : run->x1 + (double)(at_ns - run->until_ns) * plot->per_ns;
}

static int row_of(const struct plot *plot, uint32_t id) {
    for (size_t i = 0; i < plot->rows; i++) {
        if (plot->trace->tasks[i].id == id) {
            return (int)i;
        }
    }
    return -1;
}

static double y_of(int row) {
    return TOP + row * ROW + (ROW - BAR) / 2.0;
}

static void put_duration(int64_t duration_ns, FILE *out) {
    if (duration_ns == 0) {
        fputc('0', out);
        return;
    }
    double value = (double)duration_ns;
    const char *unit = duration_ns >= 1000000000 ? "s"
                       : duration_ns >= 1000000  ? "ms"
                       : duration_ns >= 1000     ? "µs"
                                                 : "ns";
    value /= duration_ns >= 1000000000 ? 1e9
             : duration_ns >= 1000000  ? 1e6
             : duration_ns >= 1000     ? 1e3
                                       : 1;
    fprintf(out, "%.4g %s", value, unit);
}

// The parts of the picture.

static const char style[] =
    "<style>\n"
    "svg{--ink:#1d2430;--dim:#5b6675;--line:#d9dee6;--page:#ffffff;--band:#f5f7fa;--bad:#c22f2f;"
    "--c0:#2f6fb7;--c1:#b35c00;--c2:#1f8060;--c3:#9a4a97;--c4:#8a6d00;--c5:#b23a5c}\n"
    "@media(prefers-color-scheme:dark){svg{--ink:#e7ebf1;--dim:#9aa7b8;--line:#333d4b;"
    "--page:#151a21;--band:#1b222c;--bad:#ff7b72;--c0:#6aa9ee;--c1:#f0a050;--c2:#55c39a;"
    "--c3:#d68ad2;--c4:#d9bc4a;--c5:#f0809f}}\n"
    "text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:var(--ink)}\n"
    ".title{font-size:17px;font-weight:600}.dim{fill:var(--dim);font-size:11px}\n"
    ".name{font-weight:600}.grid{stroke:var(--line);stroke-width:1}\n"
    ".on{font-size:11px;fill:var(--page)}\n"
    ".run{stroke:var(--page);stroke-width:.6}.wait{fill-opacity:.16}\n"
    ".line{stroke-width:1.4;stroke-dasharray:2 3;stroke-opacity:.75}\n"
    ".ready{fill:none;stroke-width:1;stroke-opacity:.6}\n"
    ".wake{fill:none;stroke:var(--ink);stroke-width:1.1;stroke-opacity:.6}\n"
    ".spawn{fill:none;stroke:var(--dim);stroke-width:1;stroke-dasharray:1.5 2.5}\n"
    ".cancel{fill:none;stroke:var(--bad);stroke-width:1.3;stroke-dasharray:4 2}\n"
    ".far{stroke-opacity:.22}\n"
    "</style>\n"
    "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" "
    "markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"context-stroke\"/></marker>"
    "</defs>\n";

static void put_tooltip(const struct plot *plot, const struct trace_span *span) {
    const struct trace_task *task = trace_task_by_id(plot->trace, span->task);
    FILE *out = plot->out;
    fputs("<title>", out);
    trace_put_text(task != NULL ? task->name : "?", out);
    fputs(span->kind == TRACE_RUN    ? " runs"
          : span->kind == TRACE_WAIT ? " waits: "
                                     : " is ready",
          out);
    if (span->kind == TRACE_WAIT) {
        trace_put_text(span->name, out);
        fputs(span->which[0] != '\0' ? " " : "", out);
        trace_put_text(span->which, out);
    }
    fputs(", ", out);
    put_duration(span->until_ns - span->from_ns, out);
    fputs(" from ", out);
    put_duration(span->from_ns, out);
    fputs("</title>", out);
}

static void draw_bar(const struct plot *plot, const struct trace_span *span) {
    int row = row_of(plot, span->task);
    if (row < 0 || span->step > plot->steps) {
        return;
    }
    double y = y_of(row);
    double x0 = span->kind == TRACE_RUN ? plot->runs[span->step].x0 : plot->runs[span->step].x1;
    double x1 = span->kind == TRACE_RUN ? plot->runs[span->step].x1
                : span->kind == TRACE_WAIT && span->woken
                    ? x_of(plot, span->woken_in, span->until_ns)
                    : x_of(plot, plot->steps, span->until_ns);
    int colour = row % COLOURS;
    double width = x1 > x0 ? x1 - x0 : 0;
    if (span->kind == TRACE_READY) {
        return; // what is left between wait and run is seen as such
    }
    fputs("<g>", plot->out);
    put_tooltip(plot, span);
    if (span->kind == TRACE_RUN) {
        fprintf(plot->out,
                "<rect class=\"run\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\" "
                "fill=\"var(--c%d)\"/>",
                x0, y, width < 1 ? 1 : width, BAR, colour);
        if (width >= LABELLED && span->until_ns > span->from_ns) {
            fprintf(plot->out, "<text class=\"on\" x=\"%.1f\" y=\"%.1f\">", x0 + 5, y + 14);
            put_duration(span->until_ns - span->from_ns, plot->out);
            fputs("</text>", plot->out);
        }
    } else {
        fprintf(plot->out,
                "<rect class=\"wait\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" "
                "fill=\"var(--c%d)\"/><line class=\"line\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
                "y2=\"%.1f\" stroke=\"var(--c%d)\"/>",
                x0, y, width, BAR, colour, x0, y + BAR, x1, y + BAR, colour);
        if (width > 7.0 * (double)strlen(span->name) + 6) {
            fprintf(plot->out, "<text class=\"dim\" x=\"%.1f\" y=\"%.1f\">", x0 + 4, y + 14);
            trace_put_text(span->name, plot->out);
            fputs("</text>", plot->out);
        }
    }
    fputs("</g>\n", plot->out);
}

/* From the waker's run to the row of whom it wakes; the loop has no row, its wakes have no arrow. */
static void draw_arrow(const struct plot *plot, const char *kind, uint32_t from, uint32_t to,
                       double x) {
    int from_row = row_of(plot, from);
    int to_row = row_of(plot, to);
    if (from_row < 0 || to_row < 0 || from_row == to_row) {
        return;
    }
    bool down = to_row > from_row;
    double y0 = y_of(from_row) + (down ? BAR : 0);
    double y1 = y_of(to_row) + (down ? 0 : BAR);
    double bend = 5 + 1.5 * fabs((double)(to_row - from_row));
    fprintf(plot->out,
            "<path class=\"%s\" marker-end=\"url(#tip)\" d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f "
            "%.1f\"/>\n",
            kind, x, y0, x + bend, y0 + (y1 - y0) * 0.3, x + bend, y0 + (y1 - y0) * 0.7, x, y1);
}

static void draw_arrows(const struct plot *plot) {
    const struct trace *trace = plot->trace;
    for (size_t i = 0; i < plot->rows; i++) {
        const struct trace_task *task = &trace->tasks[i];
        bool far = abs(row_of(plot, task->spawner) - (int)i) > FAN_MOST;
        draw_arrow(plot, far ? "spawn far" : "spawn", task->spawner, task->id,
                   x_of(plot, task->step, task->at_ns));
    }
    for (size_t i = 0; i < trace->span_count; i++) {
        const struct trace_span *span = &trace->spans[i];
        if (span->kind == TRACE_WAIT && span->woken && span->waker != 0) {
            draw_arrow(plot, span->cancelled ? "cancel" : "wake", span->waker, span->task,
                       x_of(plot, span->woken_in, span->until_ns));
        }
    }
}

/* 1, 2 or 5 times a power of ten. */
static int64_t tick_step(int64_t length_ns) {
    int64_t step = 1;
    for (int i = 0; step * TICKS < length_ns && i < 60; i++) {
        step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    }
    return step;
}

static void draw_axis(const struct plot *plot) {
    int64_t step_ns = tick_step(plot->trace->end_ns);
    double bottom = TOP + (double)plot->rows * ROW;
    double last = -100;
    for (int64_t at_ns = 0; at_ns <= plot->trace->end_ns; at_ns += step_ns) {
        double x = x_of_time(plot, at_ns);
        if (x - last < 48) {
            continue;
        }
        last = x;
        fprintf(plot->out,
                "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.1f\"/><text "
                "class=\"dim\" text-anchor=\"middle\" x=\"%.1f\" y=\"%d\">",
                x, TOP - 6, x, bottom, x, TOP - 12);
        put_duration(at_ns, plot->out);
        fputs("</text>\n", plot->out);
    }
}

/* As much as there is room for. Names that are long tend to begin alike: the middle is left out. */
static void put_name(const char *name, FILE *out) {
    char text[NAME_MOST + 8];
    size_t len = strlen(name);
    size_t head = len;
    size_t tail = len;
    if (len > NAME_MOST) {
        head = NAME_MOST / 2;
        tail = len - NAME_MOST / 2;
        while (head > 0 && is_inside_utf8(name[head])) {
            head--;
        }
        while (is_inside_utf8(name[tail])) {
            tail++;
        }
    }
    snprintf(text, sizeof(text), "%.*s%s%s", (int)head, name, len > NAME_MOST ? "…" : "",
             name + tail);
    trace_put_text(text, out);
}

static void draw_names(const struct plot *plot) {
    for (size_t i = 0; i < plot->rows; i++) {
        const struct trace_task *task = &plot->trace->tasks[i];
        double y = TOP + (double)i * ROW;
        if (i % 2 == 0) {
            fprintf(plot->out,
                    "<rect x=\"0\" y=\"%.1f\" width=\"%d\" height=\"%d\" fill=\"var(--band)\"/>\n",
                    y, LABEL_WIDTH + plot->width + 2 * MARGIN, ROW);
        }
        fprintf(plot->out, "<g><title>spawned at ");
        trace_put_text(task->spawned, plot->out);
        fprintf(plot->out, "</title><text class=\"name\" x=\"%d\" y=\"%.1f\">", MARGIN, y + 24);
        put_name(task->name, plot->out);
        fputs("</text></g>\n", plot->out);
    }
}

static void draw_legend(const struct plot *plot) {
    double y = TOP + (double)plot->rows * ROW + 24;
    fprintf(
        plot->out,
        "<g class=\"dim\"><rect x=\"%d\" y=\"%.1f\" width=\"14\" height=\"12\" rx=\"2\" "
        "fill=\"var(--c0)\"/><text class=\"dim\" x=\"%d\" y=\"%.1f\">runs</text>"
        "<rect class=\"wait\" x=\"%d\" y=\"%.1f\" width=\"30\" height=\"12\" fill=\"var(--c0)\"/>"
        "<line class=\"line\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"var(--c0)\"/>"
        "<text class=\"dim\" x=\"%d\" y=\"%.1f\">waits for</text>"
        "<path class=\"wake\" marker-end=\"url(#tip)\" d=\"M%d %.1fh26\"/>"
        "<text class=\"dim\" x=\"%d\" y=\"%.1f\">wakes</text>"
        "<path class=\"spawn\" marker-end=\"url(#tip)\" d=\"M%d %.1fh26\"/>"
        "<text class=\"dim\" x=\"%d\" y=\"%.1f\">starts</text>"
        "<path class=\"cancel\" marker-end=\"url(#tip)\" d=\"M%d %.1fh26\"/>"
        "<text class=\"dim\" x=\"%d\" y=\"%.1f\">cancels</text></g>\n",
        194, y, 214, y + 10, 270, y, 270, y + 12, 300, y + 12, 308, y + 10, 390, y + 6, 422, y + 10,
        480, y + 6, 512, y + 10, 570, y + 6, 602, y + 10);
    fprintf(
        plot->out,
        "<text class=\"dim\" x=\"24\" y=\"%.1f\">A wait that ends without an arrow was ended by "
        "a timer, the network or another thread. Runs are drawn wide enough to be seen.</text>\n",
        y + 30);
}

static void draw_head(const struct plot *plot, const char *title) {
    const struct trace *trace = plot->trace;
    int width = LABEL_WIDTH + plot->width + 2 * MARGIN;
    double height = TOP + (double)plot->rows * ROW + BOTTOM;
    fprintf(plot->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\" "
            "height=\"%.0f\" role=\"img\" aria-labelledby=\"t d\">\n<title id=\"t\">",
            width, height, width, height);
    trace_put_text(title, plot->out);
    fprintf(plot->out, "</title>\n<desc id=\"d\">%zu tasks on one loop (%s) over ",
            trace->task_count, trace->backend);
    put_duration(trace->end_ns, plot->out);
    fprintf(plot->out, ": when each ran, and what it waited for.</desc>\n%s", style);
    fprintf(plot->out,
            "<rect width=\"100%%\" height=\"100%%\" fill=\"var(--page)\"/>\n"
            "<text class=\"title\" x=\"%d\" y=\"30\">",
            MARGIN);
    trace_put_text(title, plot->out);
    fprintf(plot->out, "</text>\n<text class=\"dim\" x=\"%d\" y=\"48\">%zu task%s, ", MARGIN,
            trace->task_count, trace->task_count == 1 ? "" : "s");
    put_duration(trace->end_ns, plot->out);
    fputs(strcmp(trace->backend, "sim") == 0 ? " of virtual time" : "", plot->out);
    if (plot->rows < trace->task_count) {
        fprintf(plot->out, "; the first %zu are shown", plot->rows);
    }
    if (trace->dropped > 0) {
        fprintf(plot->out, "; %llu later events were not kept", (unsigned long long)trace->dropped);
    }
    fputs("</text>\n", plot->out);
}

void trace_draw_svg(const struct trace *trace, const struct trace_picture *picture, FILE *out) {
    struct plot plot = {.trace = trace, .out = out};
    plot.width = (int)picture->width - LABEL_WIDTH - 2 * MARGIN;
    plot.rows = trace->task_count < picture->tasks ? trace->task_count : picture->tasks;
    if (!lay_out(&plot)) {
        return;
    }
    draw_head(&plot, picture->title);
    draw_names(&plot);
    draw_axis(&plot);
    for (size_t i = 0; i < trace->span_count; i++) {
        draw_bar(&plot, &trace->spans[i]);
    }
    draw_arrows(&plot);
    draw_legend(&plot);
    fputs("</svg>\n", out);
    free(plot.runs);
}

static void put_row(const struct trace *trace, const struct trace_span *span, FILE *out) {
    const struct trace_task *task = trace_task_by_id(trace, span->task);
    const struct trace_task *waker = trace_task_by_id(trace, span->waker);
    fputs("<tr><th scope=\"row\">", out);
    trace_put_text(task != NULL ? task->name : "?", out);
    fprintf(out, "</th><td>%s", span->kind == TRACE_RUN ? "runs" : "waits: ");
    trace_put_text(span->kind == TRACE_WAIT ? span->name : "", out);
    fputs("</td><td>", out);
    put_duration(span->from_ns, out);
    fputs("</td><td>", out);
    put_duration(span->until_ns - span->from_ns, out);
    fputs("</td><td>", out);
    trace_put_text(waker != NULL ? waker->name : span->by, out);
    fputs(span->cancelled ? " (cancelled)</td></tr>\n" : "</td></tr>\n", out);
}

void trace_draw_html(const struct trace *trace, const struct trace_picture *picture, FILE *out) {
    fputs(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" "
        "content=\"width=device-width\"><title>",
        out);
    trace_put_text(picture->title, out);
    fputs(
        "</title>\n<style>body{margin:1.5em;font:14px system-ui,sans-serif;background:#fff;"
        "color:#1d2430}figure{margin:0;overflow-x:auto}table{border-collapse:collapse;margin-top:1em}"
        "th,td{text-align:left;padding:.25em .9em .25em 0;border-bottom:1px solid #d9dee6}"
        "@media(prefers-color-scheme:dark){body{background:#151a21;color:#e7ebf1}"
        "th,td{border-color:#333d4b}}</style></head>\n<body><figure>\n",
        out);
    trace_draw_svg(trace, picture, out);
    fputs(
        "</figure>\n<details><summary>The same as a table</summary>\n<table><thead><tr><th>Task</th>"
        "<th>What</th><th>From</th><th>For</th><th>Woken by</th></tr></thead><tbody>\n",
        out);
    for (size_t i = 0; i < trace->span_count; i++) {
        if (trace->spans[i].kind != TRACE_READY) {
            put_row(trace, &trace->spans[i], out);
        }
    }
    fputs("</tbody></table></details></body></html>\n", out);
}
