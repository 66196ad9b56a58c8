// SPDX-License-Identifier: MIT
/* help.h – what --help, -h and the manual pages say, made from the command tables.
 *
 * Holds      three renderings of a struct command.
 * Invariant  the text is ASCII; nothing is said that is not in a table.
 * Called by  commands.c, command_help.c.
 * Why        see options.h.
 * Quirks     none.
 */
#ifndef JUGGLE_CLI_HELP_H
#define JUGGLE_CLI_HELP_H

#include "options.h"

#include <stdio.h>

/* Prints usage and options only (-h). `width` 0 stands for 80 columns. */
void help_print_short(FILE *out, const struct command *command, unsigned width);

/* Prints everything, examples first (--help). */
void help_print_full(FILE *out, const struct command *command, unsigned width);

/* Prints what `juggle` is and lists `commands` (ends with NULL). */
void help_print_overview(FILE *out, const struct command *const *commands);

/* Prints the manual page of `command`, in section 1, as roff source. */
void help_print_manual(FILE *out, const struct command *command);

/* Says what `code` means when this command ends with it; never NULL. */
const char *help_exit_meaning(const struct command *command, enum exit_code code);

/* Prints the manual page juggle(1). */
void help_print_overview_manual(FILE *out, const struct command *const *commands);

#endif
