// SPDX-License-Identifier: MIT
/* completion.h – what shells need to complete a `juggle` line, made from the command tables.
 *
 * Holds      one generator per shell.
 * Invariant  every command, option and choice of the tables can be completed, and nothing else.
 * Called by  command_completion.c.
 * Why        see options.h.
 * Quirks     none.
 */
#ifndef JUGGLE_CLI_COMPLETION_H
#define JUGGLE_CLI_COMPLETION_H

#include "options.h"

#include <stdio.h>

/* In each, `commands` ends with NULL. */
void completion_print_bash(FILE *out, const struct command *const *commands);
void completion_print_zsh(FILE *out, const struct command *const *commands);
void completion_print_fish(FILE *out, const struct command *const *commands);

#endif
