// SPDX-License-Identifier: MIT
/* progress.c – see progress.h.
 *
 * Holds      the drawing of one line.
 * Invariant  the line is shorter than the terminal is wide, so that one "\r" takes it back.
 * Called by  round.c.
 * Why        see progress.h.
 * Quirks     the width is asked for each time: a terminal may be resized meanwhile.
 */
#include "progress.h"

#include "text.h"
#include "units.h"

#include <stdio.h>
#include <string.h>

enum { BAR_MAX = 40, BAR_MIN = 5 };

void progress_init(struct progress *progress, struct terminal *terminal, bool quiet) {
    *progress = (struct progress){
        .terminal = quiet || !terminal->is_terminal ? NULL : terminal,
    };
}

/* Writes a bar of `width` columns, `share` thousandths of it full, into `out`. */
static void write_bar(unsigned width, unsigned share, bool utf8, char *out, size_t cap) {
    unsigned full = width * share / 1000;
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < width && used + 4 < cap; i++) {
        const char *sign = i < full ? (utf8 ? "\xe2\x94\x81" : "#") : (utf8 ? "\xe2\x94\x80" : "-");
        used += (size_t)snprintf(out + used, cap - used, "%s", sign);
    }
}

/* Cuts `text` to at most `width` columns. */
static void cut(char *text, unsigned width) {
    size_t at = 0;
    for (unsigned columns = 0; text[at] != '\0'; at++) {
        bool is_start = ((unsigned char)text[at] & 0xC0) != 0x80;
        if (is_start && columns++ == width) {
            break;
        }
    }
    text[at] = '\0';
}

void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ns) {
    if (progress->terminal == NULL || now_ns < progress->next_ns) {
        return;
    }
    progress->next_ns = now_ns + PROGRESS_INTERVAL_MS * INT64_C(1000000);
    uint64_t done = state->done < state->total ? state->done : state->total;
    unsigned share = (unsigned)((unsigned __int128)done * 1000 / state->total);
    char bar[4 * BAR_MAX] = "";
    char tail[256];
    char line[512];
    int used = snprintf(tail, sizeof(tail), "%s/%s  %s", units_count(state->done).text,
                        units_count(state->total).text, state->label);
    if (state->failed > 0 && used > 0 && (size_t)used < sizeof(tail)) {
        snprintf(tail + used, sizeof(tail) - (size_t)used, "  %s failed",
                 units_count(state->failed).text);
    }
    unsigned width = terminal_width(progress->terminal->out);
    unsigned taken = 4 + 2 + 2 + (unsigned)text_width(tail) + 1;
    if (width > taken + BAR_MIN) {
        unsigned room = width - taken;
        write_bar(room < BAR_MAX ? room : BAR_MAX, share, progress->terminal->utf8, bar,
                  sizeof(bar));
    }
    snprintf(line, sizeof(line), "%3u%%  %s  %s", share / 10, bar, tail);
    cut(line, width > 1 ? width - 1 : 1);
    terminal_print(progress->terminal, TERMINAL_PLAIN, "\r\033[K%s", line);
    terminal_flush(progress->terminal);
    progress->shown = true;
}

void progress_clear(struct progress *progress) {
    if (progress->shown) {
        terminal_print(progress->terminal, TERMINAL_PLAIN, "\r\033[K");
        terminal_flush(progress->terminal);
    }
    progress->shown = false;
}
