// SPDX-License-Identifier: MIT
/* terminal.c – see terminal.h.
 *
 * Holds      the rules, in the order in which they win.
 * Invariant  none beyond terminal.h's.
 * Called by  the reports, table.c, progress.c.
 * Why        see terminal.h.
 * Quirks     --color wins over the environment; NO_COLOR wins over CLICOLOR_FORCE.
 */
#include "terminal.h"

#include "text.h"
#include "units.h"

#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char *const terminal_colors[] = {"auto", "always", "never", NULL};

static bool is_set(const char *variable) {
    const char *value = getenv(variable);
    return value != NULL && *value != '\0';
}

/* Whether cursor tricks and colours mean something there. */
static bool is_able(void) {
    return is_set("TERM") && strcmp(getenv("TERM"), "dumb") != 0;
}

static bool wants_color(bool is_terminal, enum terminal_color when) {
    if (when != TERMINAL_COLOR_AUTO) {
        return when == TERMINAL_COLOR_ALWAYS;
    }
    if (is_set("NO_COLOR")) {
        return false;
    }
    if (is_set("CLICOLOR_FORCE") && strcmp(getenv("CLICOLOR_FORCE"), "0") != 0) {
        return true;
    }
    return is_terminal;
}

unsigned terminal_width(FILE *out) {
    uint64_t columns = 0;
    struct winsize size;
    const char *variable = getenv("COLUMNS");
    if (variable != NULL && units_parse_count(variable, &columns) == 0 && columns > 0 &&
        columns < 10000) {
        return (unsigned)columns;
    }
    if (isatty(fileno(out)) == 0) {
        return 0;
    }
    bool is_known = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return is_known ? size.ws_col : 80;
}

void terminal_init(struct terminal *terminal, FILE *out, enum terminal_color when) {
    bool is_terminal = isatty(fileno(out)) == 1 && is_able();
    *terminal = (struct terminal){
        .out = out,
        .is_terminal = is_terminal,
        .color = wants_color(is_terminal, when),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .width = terminal_width(out),
    };
}

static const char *escape_of(enum terminal_style style) {
    static const char *const escapes[] = {
        [TERMINAL_PLAIN] = "",        [TERMINAL_BOLD] = "\033[1m",  [TERMINAL_DIM] = "\033[2m",
        [TERMINAL_GOOD] = "\033[32m", [TERMINAL_WARN] = "\033[33m", [TERMINAL_BAD] = "\033[31m",
    };
    return escapes[style];
}

void terminal_print(struct terminal *terminal, enum terminal_style style, const char *format, ...) {
    char text[2048];
    char ascii[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    const char *shown = terminal->utf8 ? text : text_to_ascii(text, ascii, sizeof(ascii));
    bool styled = terminal->color && style != TERMINAL_PLAIN;
    errno = 0;
    if (fprintf(terminal->out, "%s%s%s", styled ? escape_of(style) : "", shown,
                styled ? "\033[0m" : "") < 0 &&
        terminal->error == 0) {
        terminal->error = errno > 0 ? -errno : -EIO;
    }
}

int terminal_flush(struct terminal *terminal) {
    errno = 0;
    if (fflush(terminal->out) != 0 && terminal->error == 0) {
        terminal->error = errno > 0 ? -errno : -EIO;
    }
    return terminal->error;
}

/* Whether a line may end before text[at]: at a blank, but not between a number and its unit. */
static bool may_end(const char *text, size_t at) {
    bool is_number = at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9';
    return text[at] == '\0' || (text[at] == ' ' && !is_number);
}

/* Finds how many bytes of `text`, cut at a blank, fit into `width` columns; at least one word. */
static size_t line_length(const char *text, size_t width) {
    size_t fitting = 0;
    for (size_t at = 0, taken = 0;; at++) {
        if (may_end(text, at) && (taken <= width || fitting == 0)) {
            fitting = at;
        }
        if (text[at] == '\0' || (taken > width && fitting > 0)) {
            return fitting;
        }
        taken += ((unsigned char)text[at] & 0xC0) != 0x80;
    }
}

void terminal_print_wrapped(struct terminal *terminal, enum terminal_style style, unsigned indent,
                            const char *text) {
    size_t width = terminal->width == 0 || terminal->width > 100 ? 100 : terminal->width;
    width = width > indent + 20 ? width - indent - 1 : 20;
    while (*text != '\0') {
        size_t length = line_length(text, width);
        terminal_print(terminal, style, "%*s%.*s\n", (int)indent, "", (int)length, text);
        text += length;
        text += strspn(text, " ");
    }
}
