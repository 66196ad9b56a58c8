// SPDX-License-Identifier: MIT
/* command_completion.c – `juggle completion SHELL`.
 *
 * Holds      one command that only prints.
 * Invariant  none.
 * Called by  commands.c; packagers, for the folders where shells look.
 * Why        the program itself knows its options best.
 * Quirks     none.
 */
#include "commands.h"
#include "completion.h"

#include <stddef.h>
#include <stdio.h>

struct completion_settings {
    unsigned shell;
};

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static int run(const void *given) {
    static void (*const printers[])(FILE *, const struct command *const *) = {
        completion_print_bash,
        completion_print_zsh,
        completion_print_fish,
    };
    const struct completion_settings *settings = given;
    printers[settings->shell](stdout, commands);
    return EXIT_GOOD;
}

static const struct option_spec options[] = {{.name = NULL}};
static const struct option_spec operands[] = {
    {.name = "SHELL",
     .kind = OPTION_CHOICE,
     .help = "the shell",
     .choices = shells,
     .offset = offsetof(struct completion_settings, shell),
     .required = true},
    {.name = NULL},
};
static const struct command_example examples[] = {
    {"source <(juggle completion bash)", "complete in this shell"},
    {"juggle completion fish > ~/.config/fish/completions/juggle.fish", "complete in every fish"},
    {NULL, NULL},
};
static const enum exit_code exits[] = {EXIT_GOOD, EXIT_FAILED, EXIT_USAGE, EXIT_GOOD};

const struct command command_completion = {
    .name = "completion",
    .summary = "print the completion script of a shell",
    .examples = examples,
    .options = options,
    .operands = operands,
    .exits = exits,
    .failed = "the text could not be written",
    .settings_size = sizeof(struct completion_settings),
    .run = run,
};
