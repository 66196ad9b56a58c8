// SPDX-License-Identifier: MIT
/* juggle_runner.h – runs `juggle` in a child and catches what it prints.
 *
 * Holds      a runner of any command, and of `juggle serve` in the background.
 * Invariant  every child started is waited for by finish or stop.
 * Called by  test_race.c, test_serve.c.
 * Why        what a user meets is the command: exit codes, lines, JSON.
 * Quirks     words of a command line are split at single blanks; there is no quoting.
 */
#ifndef JUGGLE_RUNNER_H
#define JUGGLE_RUNNER_H

#include "fixtures/fixture.h"

#include "cli/commands.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 24, CAUGHT_SIZE = 1 << 18 };

static char out[CAUGHT_SIZE];
static char err[CAUGHT_SIZE];

/* A `juggle` that runs. */
struct run {
    pid_t pid;
    int out_fd;
    int err_fd;
};

/* Starts `juggle` with the words of `line`; standard output goes to `out_fd`. */
static struct run start(const char *line, int out_fd) {
    char *argv[ARGUMENTS_MAX] = {NULL};
    int argc = 0;
    char words[1024];
    struct run run = {.out_fd = out_fd, .err_fd = memfd_create("err", MFD_CLOEXEC)};
    snprintf(words, sizeof(words), "juggle %s", line);
    for (char *rest = words, *word = NULL; (word = strsep(&rest, " ")) != NULL;) {
        argv[argc++] = word;
    }
    fflush(NULL);
    run.pid = fork();
    ck_assert_int_ge(run.pid, 0);
    if (run.pid == 0) {
        signal(SIGINT, SIG_DFL); // a shell that runs us in the background may have it ignored
        dup2(run.out_fd, STDOUT_FILENO);
        dup2(run.err_fd, STDERR_FILENO);
        _exit(commands_main(argc, argv));
    }
    return run;
}

static inline void catch_text(int fd, char *text) {
    ssize_t length = pread(fd, text, CAUGHT_SIZE - 1, 0);
    text[length < 0 ? 0 : length] = '\0';
    close(fd);
}

/* Waits for its end; returns its exit code, with its output in `out` and `err`. */
static inline int finish(struct run run) {
    int status = 0;
    ck_assert_int_eq(waitpid(run.pid, &status, 0), run.pid);
    catch_text(run.out_fd, out);
    catch_text(run.err_fd, err);
    ck_assert_msg(WIFEXITED(status), "wait status 0x%x", (unsigned)status);
    return WEXITSTATUS(status);
}

static inline int juggle(const char *line) {
    return finish(start(line, memfd_create("out", MFD_CLOEXEC)));
}

/* The same with the port put in place of the "%d" in `format`. */
static inline int juggle_at(int port, const char *format) {
    char line[512];
    const char *mark = strstr(format, "%d");
    snprintf(line, sizeof(line), "%.*s%d%s", (int)(mark - format), format, port, mark + 2);
    return juggle(line);
}

/* `juggle serve` in a child. */
struct served {
    struct run run;
    int port;
};

static struct served serve(const char *options) {
    char line[256];
    int ends[2];
    struct served served = {.port = 0};
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    snprintf(line, sizeof(line), "serve --port 0 %s", options);
    served.run = start(line, ends[1]);
    close(ends[1]);
    served.run.out_fd = ends[0];
    ssize_t length = read(ends[0], out, CAUGHT_SIZE - 1);
    ck_assert_int_gt(length, 0);
    out[length] = '\0';
    ck_assert_int_eq(sscanf(out, "listening on http://127.0.0.1:%d/\n", &served.port), 1);
    return served;
}

/* Stops the server; its closing line is then in `out`. */
static inline int stop(struct served served) {
    int status = 0;
    kill(served.run.pid, SIGTERM);
    ck_assert_int_eq(waitpid(served.run.pid, &status, 0), served.run.pid);
    ssize_t length = read(served.run.out_fd, out, CAUGHT_SIZE - 1);
    out[length < 0 ? 0 : length] = '\0';
    close(served.run.out_fd);
    catch_text(served.run.err_fd, err);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Counts how often `text` occurs in the output. */
static inline unsigned count_in_out(const char *text) {
    unsigned count = 0;
    for (const char *at = out; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

static inline void check_one_line(const char *text) {
    ck_assert_msg(strchr(text, '\n') == text + strlen(text) - 1, "not one line: '%s'", text);
}

/* Listens on a free port; without `answer` nobody will. Returns the listener. */
static inline int listen_anywhere(int *out_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 128), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *out_port = ntohs(address.sin_port);
    return listener;
}

#endif
