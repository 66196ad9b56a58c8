// SPDX-License-Identifier: MIT
/* test_options.c – every way of typing an option ends in the right setting or in one clear line.
 *
 * Holds      a command with one option of each kind.
 * Invariant  none.
 * Called by  the test runner.
 * Why        what a user mistypes must be named, not guessed at.
 * Quirks     none.
 */
#include "fixtures/fixture.h"

#include "cli/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct settings {
    bool json;
    const char *output;
    const char *url;
    uint64_t requests;
    uint64_t size_bytes;
    uint64_t latency_ns;
    uint64_t errors_ppm;
    unsigned color;
    struct option_choices models;
};

static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const models[] = {"sync", "threads", "processes", "coroutines", NULL};

#define AT(field) offsetof(struct settings, field)

static const struct option_spec options[] = {
    {.name = "json", .kind = OPTION_FLAG, .help = "write JSON", .offset = AT(json)},
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_FILE,
     .value_name = "FILE",
     .help = "write there",
     .offset = AT(output)},
    {.name = "requests",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "how many",
     .preset = "10k",
     .min = 1,
     .max = 1000000000,
     .offset = AT(requests)},
    {.name = "size",
     .kind = OPTION_SIZE,
     .value_name = "SIZE",
     .help = "body",
     .preset = "700",
     .max = 1 << 20,
     .offset = AT(size_bytes)},
    {.name = "latency",
     .kind = OPTION_DURATION,
     .value_name = "TIME",
     .help = "delay",
     .preset = "100ms",
     .max = 60000000000,
     .offset = AT(latency_ns)},
    {.name = "errors",
     .kind = OPTION_PERCENT,
     .value_name = "PERCENT",
     .help = "share",
     .max = 1000000,
     .offset = AT(errors_ppm)},
    {.name = "color",
     .kind = OPTION_CHOICE,
     .value_name = "WHEN",
     .help = "colour",
     .preset = "auto",
     .choices = colors,
     .offset = AT(color)},
    {.name = "models",
     .letter = 'm',
     .kind = OPTION_CHOICES,
     .value_name = "LIST",
     .help = "which",
     .preset = "sync,coroutines",
     .choices = models,
     .offset = AT(models)},
    {.name = NULL},
};
static const struct option_spec operands[] = {
    {.name = "URL", .kind = OPTION_URL, .help = "target", .offset = AT(url), .required = true},
    {.name = NULL},
};
static const struct command race = {
    .name = "race",
    .summary = "test",
    .options = options,
    .operands = operands,
    .settings_size = sizeof(struct settings),
};

enum { ARGUMENTS_MAX = 8 };

static struct settings settings;
static char error[OPTION_ERROR_SIZE];

/* Parses "race" and the given arguments (up to the first NULL). */
static int parse(const char *a, const char *b, const char *c) {
    static char copies[ARGUMENTS_MAX][256];
    const char *given[] = {"race", a, b, c, NULL};
    char *argv[ARGUMENTS_MAX] = {NULL};
    int argc = 0;
    for (; given[argc] != NULL; argc++) {
        snprintf(copies[argc], sizeof(copies[argc]), "%s", given[argc]);
        argv[argc] = copies[argc];
    }
    error[0] = '\0';
    return options_parse(&race, argc, argv, &settings, error);
}

static void check_refusal(const char *a, const char *b, const char *message) {
    ck_assert_int_eq(parse(a, b, "http://h/"), -EINVAL);
    ck_assert_str_eq(error, message);
}

// The defaults are what the help says: they go through the same parser.
START_TEST(presets_fill_the_settings) {
    ck_assert_int_eq(parse("http://h/", NULL, NULL), OPTIONS_RUN);
    ck_assert_uint_eq(settings.requests, 10000);
    ck_assert_uint_eq(settings.size_bytes, 700);
    ck_assert_uint_eq(settings.latency_ns, 100000000);
    ck_assert_uint_eq(settings.errors_ppm, 0);
    ck_assert(!settings.json);
    ck_assert_ptr_null(settings.output);
    ck_assert_str_eq(settings.url, "http://h/");
    ck_assert_uint_eq(settings.models.count, 2);
    ck_assert_uint_eq(settings.models.picked[1], 3);
}
END_TEST

// All spellings people are used to set the same thing, before and after the operand.
START_TEST(every_spelling_sets_the_value) {
    static const char *const spellings[] = {"-n5k", "--requests=5k", "--req=5000"};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(parse("http://h/", spellings[i], NULL), OPTIONS_RUN);
        ck_assert_uint_eq(settings.requests, 5000);
    }
    ck_assert_int_eq(parse("-n", "7", "http://h/"), OPTIONS_RUN);
    ck_assert_uint_eq(settings.requests, 7);
    ck_assert_int_eq(parse("--json", "--", "http://h/"), OPTIONS_RUN);
    ck_assert(settings.json);
    ck_assert_int_eq(parse("-m", "threads,sync", "http://h/"), OPTIONS_RUN);
    ck_assert_uint_eq(settings.models.count, 2);
    ck_assert_uint_eq(settings.models.picked[0], 1);
    ck_assert_uint_eq(settings.models.picked[1], 0);
    ck_assert_int_eq(parse("--color", "never", "http://h/"), OPTIONS_RUN);
    ck_assert_uint_eq(settings.color, 2);
}
END_TEST

// Numbers out of range name the option as typed, the text, and the range.
START_TEST(numbers_out_of_range_are_named) {
    check_refusal("-n", "0", "-n: 0 is out of range 1..1000000000");
    check_refusal("-n", "-1", "-n: -1 is out of range 1..1000000000");
    check_refusal("--requests=2G", "--json", "--requests: 2G is out of range 1..1000000000");
    check_refusal("-n", "1000000000000000000000000000000",
                  "-n: 1000000000000000000000000000000 is out of range 1..1000000000");
    check_refusal("--latency", "2m", "--latency: 2m is out of range 0..1m");
    check_refusal("--size", "2MiB", "--size: 2MiB is out of range 0..1MiB");
    check_refusal("--errors", "101%", "--errors: 101% is out of range 0%..100%");
}
END_TEST

// What is no number at all is shown and answered with the forms that are.
START_TEST(other_texts_are_not_numbers) {
    check_refusal("-n", "1e30", "-n: '1e30' is not a number: write 10000, 10k or 1M");
    check_refusal("-n", "NaN", "-n: 'NaN' is not a number: write 10000, 10k or 1M");
    check_refusal("-n", "", "-n: '' is not a number: write 10000, 10k or 1M");
    check_refusal("-n", " 5", "-n: ' 5' is not a number: write 10000, 10k or 1M");
    check_refusal("-n", "5\n6", "-n: '5\\x0a6' is not a number: write 10000, 10k or 1M");
    check_refusal("--latency", "100", "--latency: 100 needs a unit: did you mean 100ms?");
    check_refusal("--errors", "1", "--errors: 1 needs a unit: did you mean 1%?");
    check_refusal("--latency", "soon",
                  "--latency: 'soon' is not a duration: write 100ms, 1.5s or 5m");
}
END_TEST

// A mistyped name is answered with the nearest one.
START_TEST(unknown_options_are_named_with_the_nearest) {
    check_refusal("--modles=sync", "--json", "unknown option --modles; did you mean --models?");
    check_refusal("--latecny", "1s", "unknown option --latecny; did you mean --latency?");
    check_refusal("--hepl", "--json", "unknown option --hepl; did you mean --help?");
    check_refusal("--quickly", "--json", "unknown option --quickly; see 'juggle race --help'");
    check_refusal("-x", "--json", "unknown option -x; see 'juggle race --help'");
    check_refusal("--\x1b[1m", "--json", "unknown option --\\x1b[1m; see 'juggle race --help'");
}
END_TEST

// A value that is missing, or given to a flag, must not be taken from elsewhere.
START_TEST(values_missing_or_unwanted_are_refused) {
    ck_assert_int_eq(parse("http://h/", "-n", NULL), -EINVAL);
    ck_assert_str_eq(error, "-n needs a value: N");
    ck_assert_int_eq(parse("http://h/", "--output", NULL), -EINVAL);
    ck_assert_str_eq(error, "--output needs a value: FILE");
    check_refusal("--json=yes", "-n5", "--json takes no value");
    check_refusal("--help=me", "-n5", "--help takes no value");
    check_refusal("-o", "", "-o: must not be empty");
}
END_TEST

// A model that does not exist, or twice the same, must not run as something else.
START_TEST(choices_are_checked) {
    check_refusal("--models", "sync,fork",
                  "--models: 'sync,fork' is none of sync, threads, processes, coroutines");
    check_refusal("--models", "sync,",
                  "--models: 'sync,' is none of sync, threads, processes, coroutines");
    check_refusal("--models", "", "--models: '' is none of sync, threads, processes, coroutines");
    check_refusal("--models", "sync,sync", "--models: sync is named twice");
    check_refusal("--color", "red", "--color: 'red' is none of auto, always, never");
}
END_TEST

// The operand is required, single, and looks like a URL.
START_TEST(operands_are_checked) {
    ck_assert_int_eq(parse("--json", NULL, NULL), -EINVAL);
    ck_assert_str_eq(error, "URL is missing; see 'juggle race --help'");
    ck_assert_int_eq(parse("http://h/", "http://i/", NULL), -EINVAL);
    ck_assert_str_eq(error, "unexpected argument 'http://i/'");
    ck_assert_int_eq(parse("127.0.0.1:80/x", NULL, NULL), -EINVAL);
    ck_assert_str_eq(error, "URL: '127.0.0.1:80/x' has no scheme: "
                            "did you mean http://127.0.0.1:80/x?");
    ck_assert_int_eq(parse("http:///x", NULL, NULL), -EINVAL);
    ck_assert_str_eq(error, "URL: 'http:///x' is not a URL: write http://127.0.0.1:8080/");
    ck_assert_int_eq(parse("", NULL, NULL), -EINVAL);
    ck_assert_str_eq(error, "URL: '' is not a URL: write http://127.0.0.1:8080/");
}
END_TEST

// Help wins over a missing operand: a user who asks for help does not yet know what to give.
START_TEST(help_is_an_outcome) {
    ck_assert_int_eq(parse("--help", NULL, NULL), OPTIONS_HELP);
    ck_assert_int_eq(parse("-h", NULL, NULL), OPTIONS_SHORT_HELP);
}
END_TEST

// A suggestion for everything would be noise; for a slip it saves a look at the manual.
START_TEST(suggestions_need_nearness) {
    static const char *const names[] = {"race", "serve", "demo", "completion", NULL};
    ck_assert_str_eq(options_nearest("rcae", names), "race");
    ck_assert_str_eq(options_nearest("sevre", names), "serve");
    ck_assert_str_eq(options_nearest("comp", names), "completion");
    ck_assert_ptr_null(options_nearest("xyzzy", names));
    ck_assert_ptr_null(options_nearest("", names));
    ck_assert_ptr_null(options_nearest("a-name-much-longer-than-any-command-could-ever-be", names));
}
END_TEST

FIXTURE_MAIN("cli/options", presets_fill_the_settings, every_spelling_sets_the_value,
             numbers_out_of_range_are_named, other_texts_are_not_numbers,
             unknown_options_are_named_with_the_nearest, values_missing_or_unwanted_are_refused,
             choices_are_checked, operands_are_checked, help_is_an_outcome,
             suggestions_need_nearness)
