// SPDX-License-Identifier: MIT
/* output.h – complaints on standard error, and the fate of what was written elsewhere.
 *
 * Holds      the one form of an error line, and the one way to end a stream.
 * Invariant  a complaint is one line; a reader that went away (EPIPE) is none.
 * Called by  every command, and every lesson.
 * Why        a full disk must not end in exit code 0, and `| head -1` must not end in noise.
 * Quirks     the process must ignore SIGPIPE, or EPIPE is never seen.
 */
#ifndef JUGGLE_CLI_OUTPUT_H
#define JUGGLE_CLI_OUTPUT_H

#include <stdio.h>

/* Opens the standard descriptors that the caller closed, so that no socket takes their numbers,
 * and ignores SIGPIPE. To be called first. */
void output_prepare(void);

/* Prints "juggle COMMAND: text" and a newline on standard error; `command` may be NULL. */
void output_complain(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Flushes `stream`. Returns 0, or the negative errno that kept something written to it from arriving;
 * -EPIPE when its reader went away. */
int output_flush(FILE *stream);

/* Flushes `stream` and judges it.
 *
 * Returns  0, also when its reader went away; the negative errno otherwise, and then it has
 *          complained, calling the stream `name`.
 */
int output_finish(FILE *stream, const char *command, const char *name);

#endif
