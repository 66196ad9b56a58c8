// SPDX-License-Identifier: MIT
/* test_commands.c – the command line as a whole: help, manuals, completions, ways of ending.
 *
 * Holds      a runner that calls commands_main in a child and catches what it prints.
 * Invariant  none.
 * Called by  the test runner.
 * Why        all of these come from the command tables; the tables are checked for all commands.
 * Quirks     none.
 */
#include "fixtures/fixture.h"

#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/help.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CAUGHT_SIZE = 1 << 16, ARGUMENTS_MAX = 6 };

static char caught_out[CAUGHT_SIZE];
static char caught_err[CAUGHT_SIZE];

static void read_all(int fd, char *out_text) {
    ssize_t length = pread(fd, out_text, CAUGHT_SIZE - 1, 0);
    ck_assert_int_ge(length, 0);
    out_text[length] = '\0';
    close(fd);
}

/* Runs `juggle a b` with standard output on `out_fd` (closed when negative); returns its exit code. */
static int run_into(int out_fd, const char *a, const char *b) {
    const char *given[] = {"juggle", a, b, NULL};
    char *argv[ARGUMENTS_MAX] = {NULL};
    int argc = 0;
    int err_fd = memfd_create("err", MFD_CLOEXEC);
    ck_assert_int_ge(err_fd, 0);
    for (; given[argc] != NULL; argc++) {
        argv[argc] = strdup(given[argc]);
    }
    fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(STDOUT_FILENO);
        if (out_fd >= 0) {
            dup2(out_fd, STDOUT_FILENO);
        }
        dup2(err_fd, STDERR_FILENO);
        _exit(commands_main(argc, argv));
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    read_all(err_fd, caught_err);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run(const char *a, const char *b) {
    int out_fd = memfd_create("out", MFD_CLOEXEC);
    ck_assert_int_ge(out_fd, 0);
    int code = run_into(out_fd, a, b);
    read_all(out_fd, caught_out);
    return code;
}

// Help that was asked for is output; a usage error is one line on standard error and code 2.
START_TEST(help_and_usage_errors_go_their_ways) {
    ck_assert_int_eq(run("--help", NULL), EXIT_GOOD);
    ck_assert_ptr_nonnull(strstr(caught_out, "Usage: juggle COMMAND"));
    ck_assert_str_eq(caught_err, "");
    ck_assert_int_eq(run(NULL, NULL), EXIT_USAGE);
    ck_assert_str_eq(caught_out, "");
    ck_assert_ptr_nonnull(strstr(caught_err, "Usage: juggle COMMAND"));
    ck_assert_int_eq(run("hlep", NULL), EXIT_USAGE);
    ck_assert_str_eq(caught_out, "");
    ck_assert_str_eq(caught_err, "juggle: unknown command 'hlep'; did you mean help?\n");
    ck_assert_int_eq(run("\x1b[1m", NULL), EXIT_USAGE);
    ck_assert_str_eq(caught_err, "juggle: unknown command '\\x1b[1m'; see 'juggle --help'\n");
    ck_assert_int_eq(run("completion", "--shel"), EXIT_USAGE);
    ck_assert_str_eq(caught_err, "juggle completion: unknown option --shel; "
                                 "see 'juggle completion --help'\n");
}
END_TEST

// `juggle help X`, `X --help` and `X -h` are three doors to one text.
START_TEST(every_command_explains_itself) {
    for (unsigned i = 0; commands[i] != NULL; i++) {
        static char long_help[CAUGHT_SIZE];
        ck_assert_int_eq(run(commands[i]->name, "--help"), EXIT_GOOD);
        strcpy(long_help, caught_out);
        ck_assert_ptr_nonnull(strstr(long_help, commands[i]->summary));
        ck_assert_int_eq(run("help", commands[i]->name), EXIT_GOOD);
        ck_assert_str_eq(caught_out, long_help);
        ck_assert_int_eq(run(commands[i]->name, "-h"), EXIT_GOOD);
        ck_assert_uint_lt(strlen(caught_out), strlen(long_help));
    }
}
END_TEST

// A version that cannot be read by a script or a bug report is useless.
START_TEST(version_has_two_spellings) {
    ck_assert_int_eq(run("--version", NULL), EXIT_GOOD);
    ck_assert_int_eq(strncmp(caught_out, "juggle ", 7), 0);
    static char first[CAUGHT_SIZE];
    strcpy(first, caught_out);
    ck_assert_int_eq(run("version", NULL), EXIT_GOOD);
    ck_assert_str_eq(caught_out, first);
}
END_TEST

// Output that was lost must not end in exit code 0.
START_TEST(lost_output_is_an_error) {
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(full, 0);
    ck_assert_int_eq(run_into(full, "--help", NULL), EXIT_FAILED);
    ck_assert_str_eq(caught_err,
                     "juggle: cannot write to standard output: No space left on device\n");
    close(full);
    ck_assert_int_eq(run_into(-1, "--help", NULL), EXIT_FAILED);
    ck_assert_str_eq(caught_err, "juggle: cannot write to standard output: Bad file descriptor\n");
}
END_TEST

// `juggle ... | head -1` ends the reader early; that is no reason for noise.
START_TEST(reader_gone_is_quiet) {
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    ck_assert_int_eq(run_into(ends[1], "--help", NULL), EXIT_GOOD);
    ck_assert_str_eq(caught_err, "");
    close(ends[1]);
}
END_TEST

static void check_table(const struct command *command, const struct option_spec *spec) {
    for (; spec != NULL && spec->name != NULL; spec++) {
        ck_assert_ptr_nonnull(spec->help);
        ck_assert_uint_lt(spec->offset, command->settings_size);
        ck_assert_int_eq(spec->choices != NULL,
                         spec->kind == OPTION_CHOICE || spec->kind == OPTION_CHOICES);
        for (const struct option_spec *next = spec + 1; next->name != NULL; next++) {
            ck_assert_str_ne(spec->name, next->name);
            ck_assert(spec->letter == 0 || spec->letter != next->letter);
            ck_assert_uint_ne(spec->offset, next->offset);
        }
    }
}

// A default that its own parser refuses, or two options of one name, would break every run.
START_TEST(tables_are_sound) {
    for (unsigned i = 0; commands[i] != NULL; i++) {
        const struct command *command = commands[i];
        char settings[COMMAND_SETTINGS_MAX];
        char error[OPTION_ERROR_SIZE] = "";
        char name[] = "command";
        char *argv[] = {name, NULL};
        ck_assert_uint_le(command->settings_size, COMMAND_SETTINGS_MAX);
        check_table(command, command->options);
        check_table(command, command->operands);
        int rc = options_parse(command, 1, argv, settings, error);
        ck_assert_msg(rc == OPTIONS_RUN || strstr(error, " is missing; see ") != NULL, "%s: %s",
                      command->name, error);
    }
}
END_TEST

static char *rendered;
static size_t rendered_size;

static FILE *render(void) {
    FILE *out = open_memstream(&rendered, &rendered_size);
    ck_assert_ptr_nonnull(out);
    return out;
}

/* Writes `dashes` and `name` into `out`, with a backslash before each further dash if `is_roff`. */
static void spell(char *out, const char *dashes, const char *name, bool is_roff) {
    out = stpcpy(out, dashes);
    for (; *name != '\0'; name++) {
        if (*name == '-' && is_roff) {
            *out++ = '\\';
        }
        *out++ = *name;
    }
    *out = '\0';
}

/* Checks that what was rendered names every option of every command, then frees it. */
static void check_names_everything(FILE *out, const char *dashes, bool is_roff) {
    fclose(out);
    for (unsigned i = 0; commands[i] != NULL; i++) {
        ck_assert_ptr_nonnull(strstr(rendered, commands[i]->name));
        for (const struct option_spec *spec = commands[i]->options; spec->name != NULL; spec++) {
            char option[128];
            spell(option, dashes, spec->name, is_roff);
            ck_assert_msg(strstr(rendered, option) != NULL, "%s %s is missing", commands[i]->name,
                          option);
        }
    }
    free(rendered);
}

// An option that does not complete in a shell, or is not in the manual, does not exist for most.
START_TEST(renderings_name_every_option) {
    FILE *out = render();
    completion_print_bash(out, commands);
    check_names_everything(out, "--", false);
    out = render();
    completion_print_zsh(out, commands);
    check_names_everything(out, "--", false);
    out = render();
    completion_print_fish(out, commands);
    check_names_everything(out, "-l ", false);
    out = render();
    for (unsigned i = 0; commands[i] != NULL; i++) {
        help_print_manual(out, commands[i]);
    }
    check_names_everything(out, "\\fB\\-\\-", true);
}
END_TEST

// Help lines wider than the terminal break in mid-word.
START_TEST(help_fits_the_width) {
    for (unsigned i = 0; commands[i] != NULL; i++) {
        FILE *out = render();
        help_print_short(out, commands[i], 60);
        fclose(out);
        for (const char *line = rendered; *line != '\0'; line += strcspn(line, "\n") + 1) {
            ck_assert_msg(strcspn(line, "\n") <= 60, "%s", line);
        }
        free(rendered);
    }
}
END_TEST

// A roff request out of a table's text would swallow a line of the manual.
START_TEST(manual_escapes_roff) {
    static const struct option_spec options[] = {
        {.name = "a-b", .help = ".SH \\fBoops", .preset = "'x"}, {.name = NULL}};
    static const struct command hostile = {
        .name = "x", .summary = "s", .description = "one\n\n.two", .options = options};
    FILE *out = render();
    help_print_manual(out, &hostile);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(rendered, "\n\\&.SH \\efBoops. Default: \\&'x.\n"));
    ck_assert_ptr_nonnull(strstr(rendered, "\none\n.PP\n\\&.two\n"));
    ck_assert_ptr_nonnull(strstr(rendered, "\\fB\\-\\-a\\-b\\fR"));
    free(rendered);
}
END_TEST

/* Completes the last of `words` as bash would and returns the proposals, one per line. */
static const char *complete_in_bash(const char *words, unsigned last) {
    static char proposals[CAUGHT_SIZE];
    char path[] = "/tmp/juggle-completion-XXXXXX";
    char line[512];
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *script = fdopen(fd, "w");
    completion_print_bash(script, commands);
    fprintf(script,
            "COMP_WORDS=(%s)\nCOMP_CWORD=%u\n_juggle\nprintf '%%s\\n' \"${COMPREPLY[@]}\"\n", words,
            last);
    fclose(script);
    snprintf(line, sizeof(line), "bash %s 2>&1", path);
    FILE *bash = popen(line, "re");
    ck_assert_ptr_nonnull(bash);
    size_t length = fread(proposals, 1, sizeof(proposals) - 1, bash);
    proposals[length] = '\0';
    ck_assert_int_eq(pclose(bash), 0);
    unlink(path);
    return proposals;
}

// The script must do in bash what it says; a syntax error would break the user's shell.
START_TEST(bash_completes) {
    if (access("/bin/bash", X_OK) != 0) {
        fixture_skip("bash is not installed");
    }
    ck_assert_str_eq(complete_in_bash("juggle comp", 1), "completion\n");
    ck_assert_str_eq(complete_in_bash("juggle completion z", 2), "zsh\n");
    ck_assert_str_eq(complete_in_bash("juggle help --ma", 2), "--man\n");
    ck_assert_str_eq(complete_in_bash("juggle nothing --ma", 2), "\n");
    ck_assert_str_eq(complete_in_bash("juggle race --mod", 2), "--models\n");
    ck_assert_str_eq(complete_in_bash("juggle race -m thr", 3), "threads\n");
    ck_assert_str_eq(complete_in_bash("juggle race --models = sync,co", 4), "sync,coroutines\n");
    ck_assert_str_eq(complete_in_bash("juggle race --color al", 3), "always\n");
    ck_assert_str_eq(complete_in_bash("juggle race -n 1", 3), "\n");
}
END_TEST

FIXTURE_MAIN("cli/commands", help_and_usage_errors_go_their_ways, every_command_explains_itself,
             version_has_two_spellings, lost_output_is_an_error, reader_gone_is_quiet,
             tables_are_sound, renderings_name_every_option, help_fits_the_width,
             manual_escapes_roff, bash_completes)
