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

#include "race.h"

struct race_output {
    bool json;        /* JSON on standard output instead of the table */
    bool quiet;       /* no progress line */
    unsigned color;   /* enum terminal_color */
    const char *file; /* JSON goes there too; or NULL */
};

/* Checks, runs and reports a race whose settings and target are set. Returns its exit code. */
enum exit_code race_main(struct race *race, const struct race_output *output);

#endif
