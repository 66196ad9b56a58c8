// SPDX-License-Identifier: MIT
/* subprocess.c [DIRECTORY] – what the files in a directory hold, by three programs at once.
 *
 * Each is a child process; whatever goes wrong, none is left running.
 */
#include <err.h>
#include <juggle.h>
#include <stdio.h>

struct question {
    const char *directory;
    const char *command;
};

static intptr_t ask(void *arg) {
    const struct question *question = arg;
    const char *argv[] = {"sh", "-c", question->command, NULL};
    const jg_process_options options = {.argv = argv, .cwd = question->directory};
    jg_process_output output;
    int rc = 0;
    JG_TIMEOUT(10000, rc) {
        rc = jg_process_run(&options, NULL, 0, 0, &output);
    }
    if (rc < 0) {
        return rc;
    }
    printf("$ %s\n%s", question->command, output.out);
    if (output.status.exit_code != 0) {
        printf("(exit %d, signal %d) %s\n", output.status.exit_code, output.status.signal,
               output.err);
    }
    jg_process_output_free(&output);
    return 0;
}

static intptr_t program(void *directory) {
    struct question questions[] = {
        {directory, "ls | wc -l"}, {directory, "du -sh ."}, {directory, "ls -t | head -3"}};
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
            rc = rc < 0 ? rc : jg_group_spawn(group, ask, &questions[i]);
        }
    }
    if (rc < 0) {
        fprintf(stderr, "subprocess: %s\n", jg_error_detail(rc));
    }
    return rc;
}

int main(int argc, char **argv) {
    int rc = (int)jg_run(program, argc > 1 ? argv[1] : ".");
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return rc < 0;
}
