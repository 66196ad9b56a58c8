// SPDX-License-Identifier: MIT
/* completion.c – see completion.h.
 *
 * Holds      the scripts' fixed parts as text, the rest in loops over the tables.
 * Invariant  texts of the tables stand inside single quotes, with quotes escaped.
 * Called by  command_completion.c.
 * Why        generated, so that a new option completes without anybody thinking of it.
 * Quirks     bash breaks words at '=' by itself, so "--models=sy" arrives as three words.
 */
#include "completion.h"

#include <string.h>

/* Prints `text` for the inside of single quotes, without the characters in `special`. */
static void print_quoted(FILE *out, const char *text, const char *special) {
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
        } else if (strchr(special, *text) != NULL) {
            fprintf(out, "\\%c", *text);
        } else {
            fputc(*text, out);
        }
    }
}

static void print_choices(FILE *out, const struct option_spec *spec) {
    for (unsigned i = 0; spec->choices[i] != NULL; i++) {
        fprintf(out, "%s%s", i > 0 ? " " : "", spec->choices[i]);
    }
}

/* bash */

static const char bash_head[] =
    "# bash completion of juggle; made by 'juggle completion bash'\n"
    "_juggle_list()\n"
    "{\n"
    "    local head=${cur%\"${cur##*,}\"}\n"
    "    COMPREPLY=($(compgen -P \"$head\" -W \"$1\" -- \"${cur##*,}\"))\n"
    "}\n"
    "_juggle()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local command=${COMP_WORDS[1]}\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=\n"
    "    elif [[ $previous == = ]]; then\n"
    "        previous=${COMP_WORDS[COMP_CWORD-2]}\n"
    "    fi\n"
    "    COMPREPLY=()\n";

/* The words after which a value is expected: "race:-n|race:--requests)". */
static void print_bash_pattern(FILE *out, const struct command *command,
                               const struct option_spec *spec) {
    fputs("        ", out);
    if (spec->letter != 0) {
        fprintf(out, "%s:-%c | ", command->name, spec->letter);
    }
    fprintf(out, "%s:--%s)\n            ", command->name, spec->name);
}

static void print_bash_values(FILE *out, const struct command *command) {
    for (const struct option_spec *spec = command->options; spec->name != NULL; spec++) {
        if (spec->kind == OPTION_FLAG) {
            continue;
        }
        print_bash_pattern(out, command, spec);
        if (spec->choices != NULL) {
            fputs(spec->kind == OPTION_CHOICES ? "_juggle_list '" : "COMPREPLY=($(compgen -W '",
                  out);
            print_choices(out, spec);
            fputs(spec->kind == OPTION_CHOICES ? "'\n" : "' -- \"$cur\"))\n", out);
        } else if (spec->kind == OPTION_FILE) {
            fputs("COMPREPLY=($(compgen -f -- \"$cur\"))\n", out);
        } else {
            fputs(":\n", out);
        }
        fputs("            return\n            ;;\n", out);
    }
}

static void print_bash_words(FILE *out, const struct command *command) {
    fprintf(out, "        %s) words='--help", command->name);
    for (const struct option_spec *spec = command->options; spec->name != NULL; spec++) {
        fprintf(out, " --%s", spec->name);
    }
    const struct option_spec *operand = command->operands;
    for (; operand != NULL && operand->name != NULL; operand++) {
        if (operand->choices != NULL) {
            fputs(" ", out);
            print_choices(out, operand);
        }
    }
    fputs("' ;;\n", out);
}

void completion_print_bash(FILE *out, const struct command *const *commands) {
    fputs(bash_head, out);
    fputs("    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W '", out);
    for (const struct command *const *command = commands; *command != NULL; command++) {
        fprintf(out, "%s ", (*command)->name);
    }
    fputs("--help --version' -- \"$cur\"))\n        return\n    fi\n"
          "    case $command:$previous in\n",
          out);
    for (const struct command *const *command = commands; *command != NULL; command++) {
        print_bash_values(out, *command);
    }
    fputs("    esac\n    local words=\n    case $command in\n", out);
    for (const struct command *const *command = commands; *command != NULL; command++) {
        print_bash_words(out, *command);
    }
    fputs("    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "}\n"
          "complete -F _juggle juggle\n",
          out);
}

/* zsh */

static void print_zsh_value(FILE *out, const struct option_spec *spec) {
    const char *name = spec->value_name != NULL ? spec->value_name : spec->name;
    fprintf(out, ":%s:", name);
    if (spec->choices != NULL) {
        fputs(spec->kind == OPTION_CHOICES ? "_values -s , choice " : "(", out);
        print_choices(out, spec);
        fputs(spec->kind == OPTION_CHOICES ? "" : ")", out);
    } else if (spec->kind == OPTION_FILE) {
        fputs("_files", out);
    } else if (spec->kind == OPTION_URL) {
        fputs("_urls", out);
    }
}

static void print_zsh_option(FILE *out, const struct option_spec *spec) {
    bool has_value = spec->kind != OPTION_FLAG;
    fputs(" \\\n                ", out);
    if (spec->letter != 0) {
        fprintf(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", spec->letter, spec->name, spec->letter,
                has_value ? "+" : "", spec->name, has_value ? "=" : "");
    } else {
        fprintf(out, "'--%s%s[", spec->name, has_value ? "=" : "");
    }
    print_quoted(out, spec->help, "[]:");
    fputs("]", out);
    if (has_value) {
        print_zsh_value(out, spec);
    }
    fputs("'", out);
}

static void print_zsh_command(FILE *out, const struct command *command) {
    fprintf(out, "        %s)\n            _arguments -s '(- *)'{-h,--help}'[explain the command]'",
            command->name);
    for (const struct option_spec *spec = command->options; spec->name != NULL; spec++) {
        print_zsh_option(out, spec);
    }
    const struct option_spec *operand = command->operands;
    for (; operand != NULL && operand->name != NULL; operand++) {
        fprintf(out, " \\\n                '%s", operand->required ? "" : ":");
        print_zsh_value(out, operand);
        fputs("'", out);
    }
    fputs("\n            ;;\n", out);
}

void completion_print_zsh(FILE *out, const struct command *const *commands) {
    fputs("#compdef juggle\n"
          "# zsh completion of juggle; made by 'juggle completion zsh'\n"
          "_juggle()\n{\n    local -a commands=(\n",
          out);
    for (const struct command *const *command = commands; *command != NULL; command++) {
        fprintf(out, "        '%s:", (*command)->name);
        print_quoted(out, (*command)->summary, ":");
        fputs("'\n", out);
    }
    fputs("    )\n"
          "    if ((CURRENT == 2)); then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    shift words\n"
          "    ((CURRENT--))\n"
          "    case $words[1] in\n",
          out);
    for (const struct command *const *command = commands; *command != NULL; command++) {
        print_zsh_command(out, *command);
    }
    fputs("    esac\n}\n"
          "if [[ $funcstack[1] == _juggle ]]; then\n    _juggle \"$@\"\n"
          "else\n    compdef _juggle juggle\nfi\n",
          out);
}

/* fish */

static void print_fish_option(FILE *out, const struct command *command,
                              const struct option_spec *spec) {
    fprintf(out, "complete -c juggle -n '__fish_seen_subcommand_from %s' -l %s", command->name,
            spec->name);
    if (spec->letter != 0) {
        fprintf(out, " -s %c", spec->letter);
    }
    if (spec->kind == OPTION_FILE) {
        fputs(" -r -F", out);
    } else if (spec->kind != OPTION_FLAG) {
        fputs(" -x", out);
    }
    if (spec->choices != NULL && spec->kind == OPTION_CHOICES) {
        fputs(" -a '(__fish_append , ", out);
        print_choices(out, spec);
        fputs(")'", out);
    } else if (spec->choices != NULL) {
        fputs(" -a '", out);
        print_choices(out, spec);
        fputs("'", out);
    }
    fputs(" -d '", out);
    print_quoted(out, spec->help, "");
    fputs("'\n", out);
}

static void print_fish_command(FILE *out, const struct command *command) {
    fprintf(out, "complete -c juggle -n __fish_use_subcommand -a %s -d '", command->name);
    print_quoted(out, command->summary, "");
    fputs("'\n", out);
    for (const struct option_spec *spec = command->options; spec->name != NULL; spec++) {
        print_fish_option(out, command, spec);
    }
    const struct option_spec *operand = command->operands;
    for (; operand != NULL && operand->name != NULL; operand++) {
        if (operand->choices != NULL) {
            fprintf(out, "complete -c juggle -n '__fish_seen_subcommand_from %s' -a '",
                    command->name);
            print_choices(out, operand);
            fputs("'\n", out);
        }
    }
}

void completion_print_fish(FILE *out, const struct command *const *commands) {
    fputs("# fish completion of juggle; made by 'juggle completion fish'\n"
          "complete -c juggle -f\n"
          "complete -c juggle -n __fish_use_subcommand -l version -d 'which version this is'\n"
          "complete -c juggle -s h -l help -d 'explain the command'\n",
          out);
    for (; *commands != NULL; commands++) {
        print_fish_command(out, *commands);
    }
}
