// SPDX-License-Identifier: MIT
/* commands.h – the commands of `juggle`, and the way from argv to one of them.
 *
 * Holds      the list of commands.
 * Invariant  what is in the list appears in the overview, in the manual and in completions.
 * Called by  main.c; command_help.c and command_completion.c (the list).
 * Why        a new command is one file and one line here.
 * Quirks     none.
 */
#ifndef JUGGLE_CLI_COMMANDS_H
#define JUGGLE_CLI_COMMANDS_H

#include "options.h"

/* All commands in the order of the overview; ends with NULL. */
extern const struct command *const commands[];

extern const struct command command_completion;
extern const struct command command_demo;
extern const struct command command_help;
extern const struct command command_race;
extern const struct command command_serve;
extern const struct command command_trace;
extern const struct command command_version;

/* Finds a command by its exact name; otherwise complains, with the nearest name, and returns NULL. */
const struct command *commands_find(const char *name);

/* Runs `juggle` with these arguments; returns its exit code. */
int commands_main(int argc, char **argv);

#endif
