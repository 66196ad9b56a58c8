// SPDX-License-Identifier: MIT
/* race_main.h – a race from its settings to its exit code.
 *
 * Holds      what `juggle race` and `juggle demo` have in common.
 * Invariant  whatever happens, what was measured until then is reported.
 * Called by  command_race.c, command_demo.c.
 * Why        the demo is a race against a server it starts itself, and nothing else.
 * Quirks     none.
 */
#ifndef JUGGLE_CLI_RACE_MAIN_H
#define JUGGLE_CLI_RACE_MAIN_H

#include "options.h"
#include "race.h"
#include "terminal.h"

struct race_output {
    bool json;        /* JSON on standard output instead of the table */
    bool quiet;       /* no progress line */
    unsigned color;   /* enum terminal_color */
    const char *file; /* JSON goes there too; or NULL */
};

/* The options that fill it in, for a settings struct that has it at that offset. */
#define RACE_OUTPUT_OPTIONS(at)                                                                    \
    {.name = "json",                                                                               \
     .kind = OPTION_FLAG,                                                                          \
     .help = "print one JSON object instead of the table",                                         \
     .offset = (at) + offsetof(struct race_output, json)},                                         \
        {.name = "output",                                                                         \
         .letter = 'o',                                                                            \
         .kind = OPTION_FILE,                                                                      \
         .value_name = "FILE",                                                                     \
         .help = "write the JSON object to a file, too",                                           \
         .offset = (at) + offsetof(struct race_output, file)},                                     \
        {.name = "color",                                                                          \
         .kind = OPTION_CHOICE,                                                                    \
         .value_name = "WHEN",                                                                     \
         .help = "colour",                                                                         \
         .preset = "auto",                                                                         \
         .choices = terminal_colors,                                                               \
         .offset = (at) + offsetof(struct race_output, color)},                                    \
    {                                                                                              \
        .name = "quiet", .letter = 'q', .kind = OPTION_FLAG, .help = "no progress line",           \
        .offset = (at) + offsetof(struct race_output, quiet)                                       \
    }

/* Checks, runs and reports a race whose settings and target are set. Returns its exit code. */
enum exit_code race_main(struct race *race, const struct race_output *output);

#endif
