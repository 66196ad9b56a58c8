// SPDX-License-Identifier: MIT
/* output.c – see output.h.
 *
 * Holds      nothing.
 * Invariant  see output.h.
 * Called by  every command.
 * Why        see output.h.
 * Quirks     stdio remembers that writing failed, not why: a stream whose buffer failed to
 *            drain earlier is written to once more to learn the cause.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void output_prepare(void) {
    signal(SIGPIPE, SIG_IGN);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        // A descriptor opened for reading only keeps failing when written to, as a closed one does.
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd) {
            _exit(EXIT_FAILURE);
        }
    }
}

void output_complain(const char *command, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "juggle%s%s: %s\n", command != NULL ? " " : "", command != NULL ? command : "",
            text);
}

int output_flush(FILE *stream) {
    errno = 0;
    if (fflush(stream) == 0 && !ferror(stream)) {
        return 0;
    }
    if (errno == 0 && (fputc('\n', stream) == EOF || fflush(stream) != 0) && errno == 0) {
        return -EIO;
    }
    return errno > 0 ? -errno : -EIO;
}

int output_finish(FILE *stream, const char *command, const char *name) {
    int error = output_flush(stream);
    if (error == -EPIPE) {
        return 0;
    }
    if (error < 0) {
        output_complain(command, "cannot write to %s: %s", name, strerror(-error));
    }
    return error;
}
