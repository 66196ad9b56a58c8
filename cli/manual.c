// SPDX-License-Identifier: MIT
/* manual.c – manual pages as roff source; see help.h.
 *
 * Holds      the man(7) rendering of a struct command.
 * Invariant  no text of a table is taken for a roff request or escape.
 * Called by  command_help.c (`juggle help --man`).
 * Why        a few requests of man(7) are all that is needed; no other tool has to be installed.
 * Quirks     '-' is written "\-", as man(7) turns a plain one into a hyphen that does not paste.
 */
#include "help.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Prints text so that roff shows exactly these characters. */
static void print_text(FILE *out, const char *text) {
    bool line_start = true;
    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\'')) {
            fputs("\\&", out);
        }
        line_start = *text == '\n';
        if (*text == '-') {
            fputs("\\-", out);
        } else if (*text == '\\') {
            fputs("\\e", out);
        } else {
            fputc(*text, out);
        }
    }
}

static void print_upper(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        fputc(toupper((unsigned char)*text), out);
    }
}

/* Prints a description; an empty line starts a paragraph. */
static void print_paragraphs(FILE *out, const char *text) {
    const char *gap = NULL;
    while ((gap = strstr(text, "\n\n")) != NULL) {
        char paragraph[2048];
        snprintf(paragraph, sizeof(paragraph), "%.*s", (int)(gap - text), text);
        print_text(out, paragraph);
        fputs("\n.PP\n", out);
        text = gap + 2;
    }
    print_text(out, text);
    fputs("\n", out);
}

static void print_spec(FILE *out, const struct option_spec *spec) {
    fputs(".TP\n", out);
    if (spec->letter != 0) {
        fprintf(out, "\\fB\\-%c\\fR, ", spec->letter);
    }
    fputs("\\fB\\-\\-", out);
    print_text(out, spec->name);
    fputs("\\fR", out);
    if (spec->value_name != NULL) {
        fprintf(out, "=\\fI%s\\fR", spec->value_name);
    }
    fputs("\n", out);
    print_text(out, spec->help);
    for (unsigned i = 0; spec->choices != NULL && spec->choices[i] != NULL; i++) {
        fputs(i == 0 ? ": " : ", ", out);
        print_text(out, spec->choices[i]);
    }
    fputs(".", out);
    if (spec->preset != NULL) {
        fputs(" Default: ", out);
        print_text(out, spec->preset);
        fputs(".", out);
    }
    fputs("\n", out);
}

static void print_operands(FILE *out, const struct option_spec *spec) {
    for (; spec != NULL && spec->name != NULL; spec++) {
        fprintf(out, spec->required ? " \\fI%s\\fR" : " [\\fI%s\\fR]", spec->name);
    }
}

static void print_examples(FILE *out, const struct command_example *example) {
    if (example == NULL) {
        return;
    }
    fputs(".SH EXAMPLES\n", out);
    for (; example->line != NULL; example++) {
        fputs(".TP\n\\fB", out);
        print_text(out, example->line);
        fputs("\\fR\n", out);
        print_text(out, example->meaning);
        fputs("\n", out);
    }
}

static void print_exits(FILE *out, const struct command *command) {
    const enum exit_code *codes = command->exits;
    fputs(".SH EXIT STATUS\n", out);
    for (bool first = true; first || *codes != EXIT_GOOD; codes++) {
        fprintf(out, ".TP\n\\fB%d\\fR\n%s\n", (int)*codes, help_exit_meaning(command, *codes));
        first = false;
    }
}

void help_print_manual(FILE *out, const struct command *command) {
    fputs(".TH JUGGLE\\-", out);
    print_upper(out, command->name);
    fprintf(out, " 1\n.SH NAME\njuggle\\-%s \\- ", command->name);
    print_text(out, command->summary);
    fprintf(out, "\n.SH SYNOPSIS\n\\fBjuggle %s\\fR [\\fIOPTIONS\\fR]", command->name);
    print_operands(out, command->operands);
    fputs("\n", out);
    print_examples(out, command->examples);
    fputs(".SH DESCRIPTION\n", out);
    print_paragraphs(out, command->description != NULL ? command->description : command->summary);
    fputs(".SH OPTIONS\n", out);
    for (const struct option_spec *spec = command->options; spec->name != NULL; spec++) {
        print_spec(out, spec);
    }
    fputs(".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\n"
          "\\fB\\-h\\fR prints the options, \\fB\\-\\-help\\fR everything.\n",
          out);
    if (command->exits != NULL) {
        print_exits(out, command);
    }
    fputs(".SH SEE ALSO\n\\fBjuggle\\fR(1)\n", out);
}

void help_print_overview_manual(FILE *out, const struct command *const *commands) {
    fputs(".TH JUGGLE 1\n.SH NAME\njuggle \\- what does each way of waiting cost?\n"
          ".SH SYNOPSIS\n\\fBjuggle\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
          ".SH DESCRIPTION\n"
          "Does the same work under several concurrency models and reports what each cost.\n"
          ".SH COMMANDS\n",
          out);
    for (const struct command *const *command = commands; *command != NULL; command++) {
        fprintf(out, ".TP\n\\fBjuggle\\-%s\\fR(1)\n", (*command)->name);
        print_text(out, (*command)->summary);
        fputs("\n", out);
    }
}
