// SPDX-License-Identifier: MIT
/* help.c – see help.h.
 *
 * Holds      the plain-text renderings; manual.c makes roff.
 * Invariant  no line is wider than asked for, unless a single word is.
 * Called by  commands.c, command_help.c.
 * Why        examples come first, as most readers only look for one to copy.
 * Quirks     none.
 */
#include "help.h"

#include "units.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_COLUMN = 26, WIDTH_DEFAULT = 80, WIDTH_MIN = 40, WIDTH_MAX = 100 };

static unsigned sane_width(unsigned width) {
    if (width == 0) {
        return WIDTH_DEFAULT;
    }
    return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
}

/* Prints `text` in lines from column `indent` to `width`; the cursor stands at `column`. An empty
 * line in `text` starts a new paragraph. Ends with a newline. */
static void print_wrapped(FILE *out, const char *text, unsigned column, unsigned indent,
                          unsigned width) {
    const char *space = "";
    while (*text != '\0') {
        if (text[0] == '\n' && text[1] == '\n') {
            fprintf(out, "\n\n");
            column = 0;
            space = "";
        }
        text += strspn(text, " \n");
        unsigned length = (unsigned)strcspn(text, " \n");
        if (column > indent && column + strlen(space) + length > width) {
            fprintf(out, "\n");
            column = 0;
            space = "";
        }
        if (length > 0) {
            int padding = column < indent ? (int)(indent - column) : 0;
            fprintf(out, "%*s%s%.*s", padding, "", space, (int)length, text);
            column += (unsigned)padding + (unsigned)strlen(space) + length;
        }
        space = " ";
        text += length;
    }
    fprintf(out, "\n");
}

static void append(char *text, size_t cap, const char *piece) {
    size_t used = strlen(text);
    snprintf(text + used, cap - used, "%s", piece);
}

/* What follows the sentence of an option: default, choices. */
static void append_facts(const struct option_spec *spec, char *text, size_t cap) {
    if (spec->choices != NULL) {
        append(text, cap, ": ");
        for (unsigned i = 0; spec->choices[i] != NULL; i++) {
            append(text, cap, i > 0 ? ", " : "");
            append(text, cap, spec->choices[i]);
        }
    }
    if (spec->preset != NULL) {
        append(text, cap, " (default ");
        append(text, cap, spec->preset);
        append(text, cap, ")");
    }
}

static void print_option(FILE *out, const struct option_spec *spec, unsigned width) {
    char letter[8] = "    ";
    char text[512];
    if (spec->letter != 0) {
        snprintf(letter, sizeof(letter), "-%c, ", spec->letter);
    }
    int used = fprintf(out, "  %s--%s%s%s", letter, spec->name, spec->value_name != NULL ? "=" : "",
                       spec->value_name != NULL ? spec->value_name : "");
    unsigned column = used < 0 ? 0 : (unsigned)used;
    if (column + 2 > OPTION_COLUMN) {
        fprintf(out, "\n");
        column = 0;
    }
    snprintf(text, sizeof(text), "%s", spec->help);
    append_facts(spec, text, sizeof(text));
    print_wrapped(out, text, column, OPTION_COLUMN, width);
}

static void print_operands(FILE *out, const struct option_spec *spec) {
    for (; spec != NULL && spec->name != NULL; spec++) {
        fprintf(out, spec->required ? " %s" : " [%s]", spec->name);
    }
}

static void print_usage(FILE *out, const struct command *command) {
    bool has_options = command->options[0].name != NULL;
    fprintf(out, "Usage: juggle %s%s", command->name, has_options ? " [OPTIONS]" : "");
    print_operands(out, command->operands);
    fprintf(out, "\n");
}

static void print_options(FILE *out, const struct command *command, unsigned width) {
    static const struct option_spec help = {
        .name = "help", .letter = 'h', .help = "-h prints this list, --help everything"};
    fprintf(out, "\nOptions:\n");
    for (const struct option_spec *spec = command->options; spec->name != NULL; spec++) {
        print_option(out, spec, width);
    }
    print_option(out, &help, width);
}

void help_print_short(FILE *out, const struct command *command, unsigned width) {
    print_usage(out, command);
    print_options(out, command, sane_width(width));
}

static void print_examples(FILE *out, const struct command_example *example) {
    if (example == NULL) {
        return;
    }
    fprintf(out, "\nExamples:\n");
    for (; example->line != NULL; example++) {
        fprintf(out, "  %s\n      %s\n", example->line, example->meaning);
    }
}

static void print_operand_help(FILE *out, const struct command *command, unsigned width) {
    const struct option_spec *spec = command->operands;
    for (; spec != NULL && spec->name != NULL; spec++) {
        char text[512];
        snprintf(text, sizeof(text), "%s", spec->help);
        append_facts(spec, text, sizeof(text));
        int used = fprintf(out, "\n  %s", spec->name);
        print_wrapped(out, text, (unsigned)used - 1, OPTION_COLUMN, width);
    }
}

const char *help_exit_meaning(const struct command *command, enum exit_code code) {
    return code == EXIT_FAILED && command->failed != NULL ? command->failed : exit_meaning(code);
}

static void print_exits(FILE *out, const struct command *command) {
    const enum exit_code *codes = command->exits;
    fprintf(out, "\nExit codes:\n");
    for (bool first = true; codes != NULL && (first || *codes != EXIT_GOOD); codes++) {
        fprintf(out, "  %3d  %s\n", (int)*codes, help_exit_meaning(command, *codes));
        first = false;
    }
}

void help_print_full(FILE *out, const struct command *command, unsigned width) {
    width = sane_width(width);
    fprintf(out, "juggle %s: %s\n\n", command->name, command->summary);
    print_usage(out, command);
    print_examples(out, command->examples);
    if (command->description != NULL) {
        fprintf(out, "\n");
        print_wrapped(out, command->description, 0, 0, width);
    }
    print_operand_help(out, command, width);
    print_options(out, command, width);
    print_exits(out, command);
}

void help_print_overview(FILE *out, const struct command *const *commands) {
    fprintf(out, "juggle: many waits, one core; what does each way of waiting cost?\n\n"
                 "Usage: juggle COMMAND [OPTIONS]\n\n"
                 "Examples:\n"
                 "  juggle demo\n"
                 "      see it in ten seconds, with nothing to set up\n"
                 "  juggle race http://127.0.0.1:8080/ -n 10k -c 1000\n"
                 "      the same requests under every model, against a server of yours\n"
                 "  juggle race --work cpu:2ms -n 200 -c 8\n"
                 "      computing instead of waiting: when not to use concurrency\n\n"
                 "Commands:\n");
    for (; *commands != NULL; commands++) {
        fprintf(out, "  %-12s%s\n", (*commands)->name, (*commands)->summary);
    }
    fprintf(out, "\n'juggle COMMAND --help' explains a command.\n");
}
