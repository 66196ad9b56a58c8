// SPDX-License-Identifier: MIT
/* exit.h – how every command of `juggle` ends.
 *
 * Holds      the exit codes and their one-line meaning.
 * Invariant  a code is a promise to scripts: it is added, never given another meaning.
 * Called by  every command; help.c prints the meanings, race_json.c writes them.
 * Why        one list, so that --help, the manual and the behaviour cannot drift apart.
 * Quirks     128 + signal number is the shell's own convention for "ended by a signal".
 */
#ifndef JUGGLE_CLI_EXIT_H
#define JUGGLE_CLI_EXIT_H

enum exit_code {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_THRESHOLD = 3,
    EXIT_UNREACHABLE = 4,
    EXIT_LOCAL_LIMIT = 5,
    EXIT_INTERRUPTED = 130,
    EXIT_TERMINATED = 143,
};

/* Says what `code` means in a few words; never NULL. EXIT_FAILED is told as a race means it. */
const char *exit_meaning(enum exit_code code);

#endif
