// SPDX-License-Identifier: MIT
/* options.c – see options.h.
 *
 * Holds      the parser from text to settings, and the search for what was probably meant.
 * Invariant  every refusal is one line that names the option as it was typed, the text, and
 *            what would be accepted.
 * Called by  commands.c; tests.
 * Why        over getopt_long: bundling, --name=value and "--" behave as people are used to.
 * Quirks     getopt_long reports an unknown long option through optind, an unknown letter
 *            through optopt; setting optind to 0 makes glibc start afresh.
 */
#include "options.h"

#include "text.h"
#include "units.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    CODE_HELP = 1000, /* getopt value of --help; a spec's is CODE_SPECS + its index */
    CODE_SPECS = 2000,
    SHOWN_TEXT_SIZE = 64, /* how much of a user's text a message repeats */
    NAME_SIZE = 48,
};

/* One parse in progress. */
struct parse {
    const struct command *command;
    char *settings;
    char *error; /* OPTION_ERROR_SIZE bytes */
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct parse *parse,
                                                        const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parse->error, OPTION_ERROR_SIZE, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

/* How each numeric kind is read, written, and described. */
struct number_kind {
    int (*read)(const char *text, uint64_t *out_value);
    struct units_text (*write)(uint64_t value);
    const char *noun;
    const char *forms;
    const char *usual_unit;
};

static const struct number_kind *number_kind_of(enum option_kind kind) {
    static const struct number_kind count = {units_parse_count, units_exact_count, "a number",
                                             "10000, 10k or 1M", ""};
    static const struct number_kind size = {units_parse_size, units_exact_size, "a size",
                                            "700, 4k or 64KiB", ""};
    static const struct number_kind duration = {units_parse_duration, units_exact_duration,
                                                "a duration", "100ms, 1.5s or 5m", "ms"};
    static const struct number_kind percent = {units_parse_percent, units_exact_percent,
                                               "a percentage", "1% or 0.5%", "%"};
    switch (kind) {
    case OPTION_COUNT:
        return &count;
    case OPTION_SIZE:
        return &size;
    case OPTION_DURATION:
        return &duration;
    case OPTION_PERCENT:
        return &percent;
    default:
        return NULL;
    }
}

static int refuse_number(const struct parse *parse, const char *typed, const char *text,
                         const struct number_kind *kind) {
    char shown[SHOWN_TEXT_SIZE];
    uint64_t bare = 0;
    text_escape(text, shown, sizeof(shown));
    if (units_parse_count(text, &bare) == 0 && strspn(text, "0123456789._") == strlen(text)) {
        return refuse(parse, "%s: %s needs a unit: did you mean %s%s?", typed, shown, shown,
                      kind->usual_unit);
    }
    return refuse(parse, "%s: '%s' is not %s: write %s", typed, shown, kind->noun, kind->forms);
}

static int store_number(const struct parse *parse, const struct option_spec *spec,
                        const char *typed, const char *text) {
    const struct number_kind *kind = number_kind_of(spec->kind);
    uint64_t value = 0;
    int rc = kind->read(text, &value);
    if (rc == -EINVAL) {
        return refuse_number(parse, typed, text, kind);
    }
    if (rc < 0 || value < spec->min || value > spec->max) {
        char shown[SHOWN_TEXT_SIZE];
        return refuse(parse, "%s: %s is out of range %s..%s", typed,
                      text_escape(text, shown, sizeof(shown)), kind->write(spec->min).text,
                      kind->write(spec->max).text);
    }
    memcpy(parse->settings + spec->offset, &value, sizeof(value));
    return 0;
}

/* Writes "sync, threads, processes" into `out`. */
static void join_choices(const char *const *choices, char *out, size_t cap) {
    size_t used = 0;
    out[0] = '\0';
    for (; *choices != NULL && used < cap; choices++) {
        int length = snprintf(out + used, cap - used, "%s%s", used > 0 ? ", " : "", *choices);
        used += (size_t)length;
    }
}

static int refuse_choice(const struct parse *parse, const struct option_spec *spec,
                         const char *typed, const char *text) {
    char shown[SHOWN_TEXT_SIZE];
    char all[OPTION_ERROR_SIZE / 2];
    join_choices(spec->choices, all, sizeof(all));
    return refuse(parse, "%s: '%s' is none of %s", typed, text_escape(text, shown, sizeof(shown)),
                  all);
}

/* Finds the choice spelled by the `length` bytes at `text`; -1 if there is none. */
static int find_choice(const struct option_spec *spec, const char *text, size_t length) {
    for (int i = 0; spec->choices[i] != NULL; i++) {
        if (strlen(spec->choices[i]) == length && memcmp(spec->choices[i], text, length) == 0) {
            return i;
        }
    }
    return -1;
}

static int store_choice(const struct parse *parse, const struct option_spec *spec,
                        const char *typed, const char *text) {
    int found = find_choice(spec, text, strlen(text));
    if (found < 0) {
        return refuse_choice(parse, spec, typed, text);
    }
    unsigned index = (unsigned)found;
    memcpy(parse->settings + spec->offset, &index, sizeof(index));
    return 0;
}

static int store_choices(const struct parse *parse, const struct option_spec *spec,
                         const char *typed, const char *text) {
    struct option_choices list = {.count = 0};
    for (const char *at = text;;) {
        size_t length = strcspn(at, ",");
        int found = find_choice(spec, at, length);
        if (found < 0) {
            return refuse_choice(parse, spec, typed, text);
        }
        if (memchr(list.picked, found, list.count) != NULL) {
            return refuse(parse, "%s: %s is named twice", typed, spec->choices[found]);
        }
        list.picked[list.count++] = (unsigned char)found;
        if (at[length] == '\0') {
            break;
        }
        at += length + 1;
    }
    memcpy(parse->settings + spec->offset, &list, sizeof(list));
    return 0;
}

/* Checks only what the shape of a URL tells; the HTTP client judges the rest. */
static int store_url(const struct parse *parse, const struct option_spec *spec, const char *typed,
                     const char *text) {
    char shown[OPTION_ERROR_SIZE / 3];
    text_escape(text, shown, sizeof(shown));
    const char *host = strstr(text, "://");
    if (host == NULL && *text != '\0' && *text != '/') {
        return refuse(parse, "%s: '%s' has no scheme: did you mean http://%s?", typed, shown,
                      shown);
    }
    if (host == NULL || host == text || strchr("/?#", host[3]) != NULL) {
        return refuse(parse, "%s: '%s' is not a URL: write http://127.0.0.1:8080/", typed, shown);
    }
    memcpy(parse->settings + spec->offset, &text, sizeof(text));
    return 0;
}

static int store_text(const struct parse *parse, const struct option_spec *spec, const char *typed,
                      const char *text) {
    if (*text == '\0') {
        return refuse(parse, "%s: must not be empty", typed);
    }
    memcpy(parse->settings + spec->offset, &text, sizeof(text));
    return 0;
}

static int store(const struct parse *parse, const struct option_spec *spec, const char *typed,
                 const char *text) {
    const bool given = true;
    switch (spec->kind) {
    case OPTION_FLAG:
        memcpy(parse->settings + spec->offset, &given, sizeof(given));
        return 0;
    case OPTION_TEXT:
    case OPTION_FILE:
        return store_text(parse, spec, typed, text);
    case OPTION_URL:
        return store_url(parse, spec, typed, text);
    case OPTION_CHOICE:
        return store_choice(parse, spec, typed, text);
    case OPTION_CHOICES:
        return store_choices(parse, spec, typed, text);
    default:
        return store_number(parse, spec, typed, text);
    }
}

static int store_presets(const struct parse *parse, const struct option_spec *spec) {
    for (; spec != NULL && spec->name != NULL; spec++) {
        int rc = spec->preset == NULL ? 0 : store(parse, spec, spec->name, spec->preset);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Restricted Damerau–Levenshtein distance: insert, delete, replace, swap neighbours. */
static size_t edit_distance(const char *a, const char *b) {
    enum { LONGEST = 40 };
    size_t rows[3][LONGEST + 1];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > LONGEST || b_length > LONGEST) {
        return LONGEST;
    }
    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                size_t swapped = rows[(i - 2) % 3][j - 2] + 1;
                best = swapped < best ? swapped : best;
            }
            row[j] = best;
        }
    }
    return rows[a_length % 3][b_length];
}

const char *options_nearest(const char *typed, const char *const *names) {
    size_t typed_length = strlen(typed);
    size_t nearest_distance = (typed_length < 6 ? 1 : typed_length / 3) + 1;
    const char *nearest = NULL;
    for (; typed_length > 0 && *names != NULL; names++) {
        bool is_start = typed_length > 1 && strncmp(*names, typed, typed_length) == 0;
        size_t distance = is_start ? 0 : edit_distance(typed, *names);
        if (distance < nearest_distance && distance < strlen(*names)) {
            nearest_distance = distance;
            nearest = *names;
        }
    }
    return nearest;
}

/* Refuses argv text such as "--modles=x", with the option that was probably meant. */
static int refuse_unknown(const struct parse *parse, const char *argument) {
    const char *names[OPTIONS_MAX + 2] = {"help"};
    size_t count = 1;
    for (const struct option_spec *spec = parse->command->options; spec->name != NULL; spec++) {
        names[count++] = spec->name;
    }
    char typed[NAME_SIZE];
    char shown[SHOWN_TEXT_SIZE];
    snprintf(typed, sizeof(typed), "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
    text_escape(typed, shown, sizeof(shown));
    const char *meant = options_nearest(typed, names);
    if (meant != NULL) {
        return refuse(parse, "unknown option --%s; did you mean --%s?", shown, meant);
    }
    return refuse(parse, "unknown option --%s; see 'juggle %s --help'", shown,
                  parse->command->name);
}

static const struct option_spec *spec_by_letter(const struct command *command, int letter) {
    for (const struct option_spec *spec = command->options; spec->name != NULL; spec++) {
        if (spec->letter != 0 && spec->letter == (char)letter) {
            return spec;
        }
    }
    return NULL;
}

/* Turns what getopt_long could not take ('?' or ':') into a message. */
static int refuse_argument(const struct parse *parse, int result, char **argv) {
    if (optopt >= CODE_SPECS) {
        const struct option_spec *spec = &parse->command->options[optopt - CODE_SPECS];
        return result == ':' ? refuse(parse, "--%s needs a value: %s", spec->name, spec->value_name)
                             : refuse(parse, "--%s takes no value", spec->name);
    }
    if (optopt == CODE_HELP) {
        return refuse(parse, "--help takes no value");
    }
    if (optopt != 0) {
        const struct option_spec *spec = spec_by_letter(parse->command, optopt);
        char letter[2] = {(char)optopt, '\0'};
        char shown[8];
        return spec != NULL
                   ? refuse(parse, "-%c needs a value: %s", spec->letter, spec->value_name)
                   : refuse(parse, "unknown option -%s; see 'juggle %s --help'",
                            text_escape(letter, shown, sizeof(shown)), parse->command->name);
    }
    return refuse_unknown(parse, argv[optind - 1]);
}

/* The tables getopt_long wants, made from ours. */
struct getopt_tables {
    struct option longs[OPTIONS_MAX + 2];
    char letters[2 * OPTIONS_MAX + 4];
};

static void build_tables(const struct command *command, struct getopt_tables *tables) {
    struct option *longs = tables->longs;
    char *letters = tables->letters;
    *letters++ = ':';
    *letters++ = 'h';
    *longs++ = (struct option){"help", no_argument, NULL, CODE_HELP};
    for (int i = 0; command->options[i].name != NULL && i < OPTIONS_MAX; i++) {
        const struct option_spec *spec = &command->options[i];
        int argument = spec->kind == OPTION_FLAG ? no_argument : required_argument;
        *longs++ = (struct option){spec->name, argument, NULL, CODE_SPECS + i};
        if (spec->letter != 0) {
            *letters++ = spec->letter;
            if (argument == required_argument) {
                *letters++ = ':';
            }
        }
    }
    *longs = (struct option){NULL, 0, NULL, 0};
    *letters = '\0';
}

/* Takes the options; returns an outcome, with optind at the first operand, or -EINVAL. */
static int parse_options(const struct parse *parse, int argc, char **argv) {
    struct getopt_tables tables;
    build_tables(parse->command, &tables);
    optind = 0;
    opterr = 0;
    for (;;) {
        optopt = 0;
        int result = getopt_long(argc, argv, tables.letters, tables.longs, NULL);
        if (result == -1) {
            return OPTIONS_RUN;
        }
        if (result == CODE_HELP) {
            return OPTIONS_HELP;
        }
        const struct option_spec *spec = result >= CODE_SPECS
                                             ? &parse->command->options[result - CODE_SPECS]
                                             : spec_by_letter(parse->command, result);
        if (spec == NULL) {
            return result == 'h' ? OPTIONS_SHORT_HELP : refuse_argument(parse, result, argv);
        }
        char typed[NAME_SIZE];
        snprintf(typed, sizeof(typed), result >= CODE_SPECS ? "--%s" : "-%.1s",
                 result >= CODE_SPECS ? spec->name : &spec->letter);
        int rc = store(parse, spec, typed, optarg);
        if (rc < 0) {
            return rc;
        }
    }
}

static int parse_operands(const struct parse *parse, int argc, char **argv) {
    const struct option_spec *spec = parse->command->operands;
    int at = optind;
    for (; spec != NULL && spec->name != NULL; spec++) {
        if (at == argc) {
            return spec->required ? refuse(parse, "%s is missing; see 'juggle %s --help'",
                                           spec->name, parse->command->name)
                                  : OPTIONS_RUN;
        }
        int rc = store(parse, spec, spec->name, argv[at++]);
        if (rc < 0) {
            return rc;
        }
    }
    if (at < argc) {
        char shown[SHOWN_TEXT_SIZE];
        return refuse(parse, "unexpected argument '%s'",
                      text_escape(argv[at], shown, sizeof(shown)));
    }
    return OPTIONS_RUN;
}

int options_parse(const struct command *command, int argc, char **argv, void *settings,
                  char *out_error) {
    struct parse parse = {.command = command, .settings = settings, .error = out_error};
    memset(settings, 0, command->settings_size);
    int rc = store_presets(&parse, command->options);
    if (rc == 0) {
        rc = store_presets(&parse, command->operands);
    }
    if (rc == 0) {
        rc = parse_options(&parse, argc, argv);
    }
    return rc == OPTIONS_RUN ? parse_operands(&parse, argc, argv) : rc;
}
