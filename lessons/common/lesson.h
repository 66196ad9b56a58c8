// SPDX-License-Identifier: MIT
/* lesson.h – what every lesson shares, so that each shows only its idea: options, a clock, services.
 *
 * Holds      nothing a program of yours would need: it runs with `jg_run(program, NULL)` instead.
 * Why        under --sim time is virtual: a lesson prints the same each time, and takes no time.
 */
#ifndef LESSON_H
#define LESSON_H

#include <juggle.h>
#include <juggle/http.h>
#include <stdio.h>

/* Runs `fn(NULL)` as the first task of a loop, with the options that --help lists. Returns the exit
 * code: 0; 1 when it returned an error, which is told in one line; 2 for wrong options. */
int lesson_main(int argc, char **argv, jg_fn *fn);

/* The same for a lesson that asks services, which --url and --limit are for; one whose threads or
 * processes do the waiting, and so on the real clock always; one that plays a whole evening, on the
 * virtual clock always; one that makes many of something, which -n is for; one that draws random
 * numbers, which --seed is for. `kinds` are joined with |. An option without its kind is refused. */
enum {
    LESSON_CALLS = 1,
    LESSON_REAL = 2,
    LESSON_VIRTUAL = 4,
    LESSON_COUNT = 8,
    LESSON_RANDOM = 16,
};
int lesson_main_with(int argc, char **argv, jg_fn *fn, unsigned kinds);

/* Prints a line that begins with the time since the lesson began: "0.15 s  text". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns the milliseconds since the lesson began. */
int64_t lesson_ms(void);

/* Returns a number from `least` to `most`, both included; --seed decides which. */
int64_t lesson_random(int64_t least, int64_t most);

/* Returns how many of what the lesson makes many of: -n, or what is usual. */
size_t lesson_count(size_t usual);

/* Holds the thread up, as a call does that knows nothing of the loop. */
void lesson_block(int64_t duration_ms);

/* Returns the URL of the lesson's index-th service, counted from 0: `path` of the stand-in, which is
 * started when the first URL is asked for (the program ends with a message if it cannot), or what --url
 * says. Valid until the lesson ends. */
const char *lesson_url(size_t index, const char *path);

/* Finds the first `"name":` of a JSON text and copies its value, a string or a number. Enough for the
 * answers of the services here; it is no JSON parser. Returns 0, or -EPROTO with a detail. */
int lesson_field(const char *json, const char *name, char *out, size_t cap);

/* For a client that gives up: after 10 s, or what --limit says. */
extern jg_http_client_options lesson_limits;

/* Writes the path of the lesson's index-th file into `out_path`, in a directory that lasts as long as the
 * lesson; and counts those of the first `count` that are there and not empty. */
enum { LESSON_PATH = 300 };
void lesson_file(size_t index, char out_path[LESSON_PATH]);
size_t lesson_files(size_t count);

/* Returns the seconds of CPU time this process, and the children it has waited for, have used. */
double lesson_cpu_s(void);

/* Returns 0 for an answer with status 200, else -EPROTO with a detail. */
int lesson_expect_ok(const jg_http_response *response);

#endif
