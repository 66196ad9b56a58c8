// SPDX-License-Identifier: MIT
/* commands.c – see commands.h.
 *
 * Holds      the list of commands and their dispatch.
 * Invariant  a usage error is one line on standard error and EXIT_USAGE; help that was asked
 *            for goes to standard output and is EXIT_GOOD.
 * Called by  main.c.
 * Why        see commands.h.
 * Quirks     the exit code of a command gives way to EXIT_FAILED if its output was lost.
 */
#include "commands.h"

#include "help.h"
#include "output.h"
#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <locale.h>
#include <stdalign.h>
#include <string.h>

const struct command *const commands[] = {
    &command_demo,       &command_race, &command_serve,   &command_trace,
    &command_completion, &command_help, &command_version, NULL,
};

enum { COMMANDS_MAX = 32 };

const struct command *commands_find(const char *name) {
    const char *names[COMMANDS_MAX + 1] = {NULL};
    for (unsigned i = 0; commands[i] != NULL && i < COMMANDS_MAX; i++) {
        names[i] = commands[i]->name;
        if (strcmp(name, names[i]) == 0) {
            return commands[i];
        }
    }
    char shown[64];
    text_escape(name, shown, sizeof(shown));
    const char *meant = options_nearest(name, names);
    if (meant != NULL) {
        output_complain(NULL, "unknown command '%s'; did you mean %s?", shown, meant);
    } else {
        output_complain(NULL, "unknown command '%s'; see 'juggle --help'", shown);
    }
    return NULL;
}

static int run_command(const struct command *command, int argc, char **argv) {
    alignas(max_align_t) char settings[COMMAND_SETTINGS_MAX];
    char error[OPTION_ERROR_SIZE];
    switch (options_parse(command, argc, argv, settings, error)) {
    case OPTIONS_RUN:
        return command->run(settings);
    case OPTIONS_HELP:
        help_print_full(stdout, command, terminal_width(stdout));
        return EXIT_GOOD;
    case OPTIONS_SHORT_HELP:
        help_print_short(stdout, command, terminal_width(stdout));
        return EXIT_GOOD;
    default:
        output_complain(command->name, "%s", error);
        return EXIT_USAGE;
    }
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        help_print_overview(stderr, commands);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help_print_overview(stdout, commands);
        return EXIT_GOOD;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? command_version.name : argv[1];
    const struct command *command = commands_find(name);
    return command == NULL ? EXIT_USAGE : run_command(command, argc - 1, argv + 1);
}

int commands_main(int argc, char **argv) {
    output_prepare();
    setlocale(LC_CTYPE, "");
    int code = dispatch(argc, argv);
    int error = output_finish(stdout, NULL, "standard output");
    return error < 0 && code == EXIT_GOOD ? EXIT_FAILED : code;
}
