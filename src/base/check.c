// SPDX-License-Identifier: MIT
/* check.c – the last words of a program with a broken invariant.
 *
 * Holds      the hook that names the running task.
 * Invariant  allocates nothing and suspends nowhere: memory may be what is broken.
 * Called by  must(), check_misuse.
 * Why        abort, not exit: a core file with the stack still standing.
 */
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static check_who_fn *who_runs;

void check_set_who(check_who_fn *who) {
    who_runs = who;
}

static _Noreturn void die(const char *message) {
    const char *who = who_runs != NULL ? who_runs() : NULL;
    char line[640];
    int len = snprintf(line, sizeof(line), "juggle: %s%s%s%s\n", message,
                       who != NULL ? " [task " : "", who != NULL ? who : "",
                       who != NULL ? "]" : "");
    size_t size = len < 0 ? 0 : (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1;
    ssize_t written = write(STDERR_FILENO, line, size);
    (void)written; // nothing is left to do about it
    abort();
}

void check_failed(const char *condition, const char *file, int line) {
    char message[400];
    snprintf(message, sizeof(message), "bug: %s does not hold at %s:%d", condition, file, line);
    die(message);
}

void check_misuse(const char *format, ...) {
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    die(message);
}
