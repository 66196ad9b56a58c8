// SPDX-License-Identifier: MIT
/* terminal.h – what a stream can show: colour, UTF-8, width; and printing by it.
 *
 * Holds      one record per stream that people read.
 * Invariant  without colour no escape sequence is written, without UTF-8 no byte above 127.
 * Called by  the reports, table.c, progress.c.
 * Why        the rules (NO_COLOR, CLICOLOR_FORCE, --color, TERM=dumb, COLUMNS) stand in one place.
 * Quirks     a stream that is no terminal has width 0: nothing is wrapped or left out.
 */
#ifndef JUGGLE_CLI_TERMINAL_H
#define JUGGLE_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* The order is that of the choices of --color. */
enum terminal_color { TERMINAL_COLOR_AUTO, TERMINAL_COLOR_ALWAYS, TERMINAL_COLOR_NEVER };

/* The choices of --color, for option tables. */
extern const char *const terminal_colors[];

enum terminal_style {
    TERMINAL_PLAIN,
    TERMINAL_BOLD,
    TERMINAL_DIM,
    TERMINAL_GOOD,
    TERMINAL_WARN,
    TERMINAL_BAD,
};

struct terminal {
    FILE *out;        /* borrowed */
    bool is_terminal; /* a terminal that can do cursor tricks: not TERM=dumb */
    bool color;
    bool utf8;
    unsigned width; /* columns; 0 when unlimited */
    int error;      /* 0, or the first negative errno of writing */
};

/* Finds out what `out` can show. The locale must have been set. */
void terminal_init(struct terminal *terminal, FILE *out, enum terminal_color when);

/* The columns of the terminal behind `out` now (it may have been resized); 0 if it is none. */
unsigned terminal_width(FILE *out);

/* Prints up to 2,000 bytes in `style`; signs of ours that the terminal lacks become ASCII. */
void terminal_print(struct terminal *terminal, enum terminal_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Hands everything to the kernel. Returns 0 or the first negative errno since terminal_init. */
int terminal_flush(struct terminal *terminal);

/* Prints text in lines as wide as the terminal (100 columns if that is not known, or more), cut at blanks and
 * indented by `indent`. Ends with a newline. */
void terminal_print_wrapped(struct terminal *terminal, enum terminal_style style, unsigned indent,
                            const char *text);

#endif
