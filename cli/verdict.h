// SPDX-License-Identifier: MIT
/* verdict.h – the sentence at the end: what do the figures say?
 *
 * Holds      the rules by which figures become words.
 * Invariant  every statement follows from the rows; differences too small to mean anything are not
 *            mentioned; the same rows give the same words.
 * Called by  race_report.c, race_json.c.
 * Why        a table is read by few and a sentence by all, so it must not be a fixed one.
 * Quirks     the floor takes no part: it is a yardstick, not a choice.
 */
#ifndef JUGGLE_CLI_VERDICT_H
#define JUGGLE_CLI_VERDICT_H

#include "race.h"

#include <stdbool.h>
#include <stddef.h>

/* Finds the best row: of those about as quick as the quickest, the one with the least CPU time. Rows
 * that are scaled, partial or failing are passed over. Returns its index, or -1: there is none, or not
 * everybody has had a turn yet. */
int verdict_winner(const struct race_row *rows, unsigned count);

/* Whether the winner used the least CPU time of all: a slower row may have used less. */
bool verdict_is_cheapest(const struct race_row *rows, unsigned count, int winner);

/* Writes the verdict as plain sentences, one line, into `out`; "" if there is nothing to say. */
void verdict_write(const struct race *race, const struct race_row *rows, unsigned count, char *out,
                   size_t cap);

#endif
