// SPDX-License-Identifier: MIT
/* options.h – one table per command; everything a user can type or read comes from it.
 *
 * Holds      the description of a command: options, operands, examples, exit codes.
 * Invariant  a table is constant; a default is text that goes through the same parser as
 *            what a user types, so the help never shows a default the program does not use.
 * Called by  commands.c (parsing), help.c (--help, manual), completion.c (shells).
 * Why        parsing, help, manual page and completions written by hand drift apart.
 * Quirks     getopt_long keeps global state: parse in one thread only.
 */
#ifndef JUGGLE_CLI_OPTIONS_H
#define JUGGLE_CLI_OPTIONS_H

#include "exit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char *, borrowed from argv */
    OPTION_FILE,     /* const char *; shells complete file names */
    OPTION_URL,      /* const char *; http://host[:port][/path] */
    OPTION_COUNT,    /* uint64_t: 10000, 10k */
    OPTION_SIZE,     /* uint64_t, bytes: 700, 64KiB */
    OPTION_DURATION, /* uint64_t, ns: 100ms */
    OPTION_PERCENT,  /* uint64_t, parts per million: 1% */
    OPTION_CHOICE,   /* unsigned: index into choices */
    OPTION_CHOICES,  /* struct option_choices: comma-separated, in the order given */
};

enum { OPTION_CHOICES_MAX = 16, OPTIONS_MAX = 48, OPTION_ERROR_SIZE = 256 };

/* What a user picked from a list of choices. */
struct option_choices {
    unsigned count;                           /* how many of `picked` are set */
    unsigned char picked[OPTION_CHOICES_MAX]; /* indices into choices, no index twice */
};

struct option_spec {
    const char *name;           /* long name without dashes; of an operand: its name in help */
    char letter;                /* short name, or 0 */
    enum option_kind kind;      /* fixes the type at `offset` */
    const char *value_name;     /* what help calls the value; NULL for flags */
    const char *help;           /* one sentence, no full stop */
    const char *preset;         /* default, as text; NULL for none (zero bytes) */
    uint64_t min;               /* smallest value of a number */
    uint64_t max;               /* largest value of a number */
    const char *const *choices; /* ends with NULL; for the two CHOICE kinds */
    size_t offset;              /* where the value goes in the settings struct */
    bool required;              /* operands only: must be given */
};

struct command_example {
    const char *line;    /* what to type */
    const char *meaning; /* what it does */
};

struct command {
    const char *name;
    const char *summary;                    /* one line, lower case, no full stop */
    const char *description;                /* paragraphs, separated by blank lines; or NULL */
    const struct command_example *examples; /* ends with a NULL line; or NULL */
    const struct option_spec *options;      /* ends with a NULL name */
    const struct option_spec *operands;     /* ends with a NULL name; or NULL */
    const enum exit_code *exits;            /* ends with EXIT_GOOD, which is also the first */
    const char *failed;                     /* what EXIT_FAILED means here; NULL: exit_meaning */
    size_t settings_size;                   /* at most COMMAND_SETTINGS_MAX */
    int (*run)(const void *settings);       /* returns an exit code */
};

enum { COMMAND_SETTINGS_MAX = 512 };

enum options_outcome {
    OPTIONS_RUN = 0,   /* settings are complete */
    OPTIONS_HELP,      /* --help was given */
    OPTIONS_SHORT_HELP /* -h was given */
};

/* Fills `settings` (settings_size bytes) from the defaults and from argv[1..argc-1].
 *
 * Returns  enum options_outcome; -EINVAL with one line, without newline, in `out_error`
 *          (OPTION_ERROR_SIZE bytes).
 * Owns     settings keep pointers into argv; argv is reordered, operands last.
 */
int options_parse(const struct command *command, int argc, char **argv, void *settings,
                  char *out_error);

/* Finds the name in `names` (ends with NULL) that `typed` most likely meant; NULL if none is near. */
const char *options_nearest(const char *typed, const char *const *names);

#endif
