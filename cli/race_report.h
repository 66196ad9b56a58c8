// SPDX-License-Identifier: MIT
/* race_report.h – a race as people read it, and as programs do.
 *
 * Holds      two renderings of a struct race.
 * Invariant  both say the same; the JSON says more.
 * Called by  race_main.c.
 * Why        what is on the screen must be in the JSON, or scripts start to parse the screen.
 * Quirks     none.
 */
#ifndef JUGGLE_CLI_RACE_REPORT_H
#define JUGGLE_CLI_RACE_REPORT_H

#include "race.h"
#include "terminal.h"

#include <stdio.h>

/* Prints table, footnotes, failures, doubts and the verdict. */
void race_print(const struct race *race, struct terminal *terminal);

/* Writes one JSON object. Returns 0 or the first negative errno. */
int race_write_json(const struct race *race, FILE *out);

#endif
