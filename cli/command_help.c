// SPDX-License-Identifier: MIT
/* command_help.c – `juggle help` and `juggle version`.
 *
 * Holds      two commands that only print.
 * Invariant  `juggle help X` prints what `juggle X --help` does.
 * Called by  commands.c.
 * Why        `help` is what people type who do not know the options yet.
 * Quirks     `juggle --version` says the version in its first line, and the build switches in the second.
 *            --man prints roff source for packagers: juggle help --man race > juggle-race.1
 */
#include "commands.h"
#include "help.h"
#include "terminal.h"

#include <juggle.h>

#include <stddef.h>
#include <stdio.h>

struct help_settings {
    const char *command;
    bool manual;
};

static int run_help(const void *given) {
    const struct help_settings *settings = given;
    if (settings->command == NULL) {
        if (settings->manual) {
            help_print_overview_manual(stdout, commands);
        } else {
            help_print_overview(stdout, commands);
        }
        return EXIT_GOOD;
    }
    const struct command *command = commands_find(settings->command);
    if (command == NULL) {
        return EXIT_USAGE;
    }
    if (settings->manual) {
        help_print_manual(stdout, command);
    } else {
        help_print_full(stdout, command, terminal_width(stdout));
    }
    return EXIT_GOOD;
}

static const struct option_spec help_options[] = {
    {.name = "man",
     .kind = OPTION_FLAG,
     .help = "print the manual page as roff source",
     .offset = offsetof(struct help_settings, manual)},
    {.name = NULL},
};
static const struct option_spec help_operands[] = {
    {.name = "COMMAND",
     .kind = OPTION_TEXT,
     .help = "the command to explain; without it, the list of commands",
     .offset = offsetof(struct help_settings, command)},
    {.name = NULL},
};
static const struct command_example help_examples[] = {
    {"juggle help race", "explain a command"},
    {"juggle help --man race | man -l -", "read its manual page"},
    {NULL, NULL},
};
static const enum exit_code printing_exits[] = {EXIT_GOOD, EXIT_FAILED, EXIT_USAGE, EXIT_GOOD};

const struct command command_help = {
    .name = "help",
    .summary = "explain a command",
    .examples = help_examples,
    .options = help_options,
    .operands = help_operands,
    .exits = printing_exits,
    .failed = "the text could not be written",
    .settings_size = sizeof(struct help_settings),
    .run = run_help,
};

/* What this build has that another may lack. */
static const char build[] =
#if defined(__x86_64__)
    "x86_64"
#elif defined(__aarch64__)
    "aarch64"
#endif
#if defined(__clang__)
    ", clang " __clang_version__
#else
    ", gcc " __VERSION__
#endif
#ifdef JUGGLE_HAVE_JANSSON
    ", +jansson"
#else
    ", -jansson"
#endif
#ifdef JUGGLE_HAVE_VALGRIND
    ", +valgrind"
#else
    ", -valgrind"
#endif
#if defined(JUGGLE_SANITIZE_ADDRESS)
    ", address sanitizer"
#elif defined(JUGGLE_SANITIZE_THREAD)
    ", thread sanitizer"
#endif
    ;

static int run_version(const void *given) {
    (void)given;
    printf("juggle %s\n%s\n", jg_version(), build);
    return EXIT_GOOD;
}

static const struct option_spec no_options[] = {{.name = NULL}};

const struct command command_version = {
    .name = "version",
    .summary = "say which version this is",
    .options = no_options,
    .exits = printing_exits,
    .failed = "the text could not be written",
    .run = run_version,
};
