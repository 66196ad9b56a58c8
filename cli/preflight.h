// SPDX-License-Identifier: MIT
/* preflight.h – what is checked before a race begins.
 *
 * Holds      limits of this machine, and one request to the target.
 * Invariant  what would make the race fail half-way is found here, with the remedy in the message.
 * Called by  race_main.c, command_demo.c.
 * Why        a run that ends in "too many open files" after ten minutes has wasted them.
 * Quirks     raises the soft limit of open files for this process and its children.
 */
#ifndef JUGGLE_CLI_PREFLIGHT_H
#define JUGGLE_CLI_PREFLIGHT_H

#include "race.h"

enum { PREFLIGHT_TEXT_SIZE = 320 };

/* Checks cores, descriptors, ports, processes and threads for the race's settings.
 *
 * Returns  EXIT_GOOD; EXIT_LOCAL_LIMIT with one line, without newline, in `out_text`.
 */
enum exit_code preflight_limits(const struct race *race, char *out_text);

/* Tells how many workers the limits allow, as far as preflight_limits checks them; for callers that
 * would rather do less than refuse. */
uint64_t preflight_workers_most(const struct race *race);

/* Makes two requests, and from now on expects bodies of that length if both are as long.
 *
 * Returns  EXIT_GOOD, also when the answer is a bad one: the race will count it; with one line in
 *          `out_text` EXIT_USAGE for a URL that the client refuses, or EXIT_UNREACHABLE.
 */
enum exit_code preflight_probe(struct race *race, char *out_text);

#endif
