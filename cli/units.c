// SPDX-License-Identifier: MIT
/* units.c – see units.h.
 *
 * Holds      one table of suffixes per kind of quantity, one parser and one exact writer.
 * Invariant  all arithmetic on what a user typed is overflow-checked.
 * Called by  options.c, help.c, the reports.
 * Why        four kinds differ only in their suffixes, so they share one grammar.
 * Quirks     durations are written with "us", as "µs" is not ASCII; both are read.
 */
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *suffix;
    uint64_t factor;
};

/* In each table: largest first, and of equal factors the one to write first. */
static const struct unit count_units[] = {
    {"", 1}, {"G", 1000000000}, {"M", 1000000}, {"k", 1000}, {"K", 1000}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"GiB", UINT64_C(1) << 30},
    {"Gi", UINT64_C(1) << 30},
    {"GB", 1000000000},
    {"G", 1000000000},
    {"MiB", UINT64_C(1) << 20},
    {"Mi", UINT64_C(1) << 20},
    {"MB", 1000000},
    {"M", 1000000},
    {"KiB", 1024},
    {"Ki", 1024},
    {"kB", 1000},
    {"k", 1000},
    {"K", 1000},
    {"", 1},
    {"B", 1},
    {NULL, 0},
};
static const struct unit duration_units[] = {
    {"h", UINT64_C(3600000000000)},
    {"m", UINT64_C(60000000000)},
    {"min", UINT64_C(60000000000)},
    {"s", 1000000000},
    {"ms", 1000000},
    {"us", 1000},
    {"µs", 1000},
    {"ns", 1},
    {NULL, 0},
};
static const struct unit percent_units[] = {{"%", 10000}, {NULL, 0}};

/* A decimal number split at its point: whole + fraction / fraction_scale. */
struct decimal {
    uint64_t whole;
    uint64_t fraction;
    uint64_t fraction_scale;
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* value = value * 10 + digit, or false when that leaves 64 bits. */
static bool push_digit(uint64_t *value, char digit) {
    return !__builtin_mul_overflow(*value, UINT64_C(10), value) &&
           !__builtin_add_overflow(*value, (uint64_t)(digit - '0'), value);
}

/* Reads the digits at *text (with '_' between digits) into *value and moves *text behind them. */
static int read_digits(const char **text, uint64_t *value) {
    const char *at = *text;
    bool fits = true;
    if (!is_digit(*at)) {
        return -EINVAL;
    }
    for (; is_digit(*at) || (*at == '_' && is_digit(at[1])); at++) {
        if (*at != '_') {
            fits = fits && push_digit(value, *at);
        }
    }
    *text = at;
    return fits ? 0 : -ERANGE;
}

/* Reads ".25" if it is there. */
static int read_fraction(const char **text, struct decimal *number) {
    if (**text != '.') {
        return 0;
    }
    const char *at = *text + 1;
    if (!is_digit(*at)) {
        return -EINVAL;
    }
    for (; is_digit(*at); at++) {
        if (number->fraction_scale > UINT64_C(100000000000000000)) {
            return -EINVAL;
        }
        number->fraction = number->fraction * 10 + (uint64_t)(*at - '0');
        number->fraction_scale *= 10;
    }
    *text = at;
    return 0;
}

static int scale(const struct decimal *number, uint64_t factor, uint64_t *out_value) {
    uint64_t whole = 0;
    if (__builtin_mul_overflow(number->whole, factor, &whole)) {
        return -ERANGE;
    }
    unsigned __int128 part = (unsigned __int128)number->fraction * factor;
    if (part % number->fraction_scale != 0) {
        return -EINVAL;
    }
    uint64_t sum = 0;
    if (__builtin_add_overflow(whole, (uint64_t)(part / number->fraction_scale), &sum)) {
        return -ERANGE;
    }
    *out_value = sum;
    return 0;
}

static const struct unit *find_unit(const struct unit *units, const char *suffix) {
    for (; units->suffix != NULL; units++) {
        if (strcmp(units->suffix, suffix) == 0) {
            return units;
        }
    }
    return NULL;
}

static int parse_quantity(const char *text, const struct unit *units, uint64_t *out_value) {
    if (*text == '-' && is_digit(text[1])) {
        uint64_t below_zero = 0;
        return parse_quantity(text + 1, units, &below_zero) == -EINVAL ? -EINVAL : -ERANGE;
    }
    struct decimal number = {.fraction_scale = 1};
    int digits = read_digits(&text, &number.whole);
    if (digits == -EINVAL) {
        return -EINVAL;
    }
    int rc = read_fraction(&text, &number);
    if (rc < 0) {
        return rc;
    }
    bool is_zero = digits == 0 && number.whole == 0 && number.fraction == 0;
    const struct unit *unit = find_unit(units, text);
    if (unit == NULL) {
        if (is_zero && *text == '\0') {
            *out_value = 0;
            return 0;
        }
        return -EINVAL;
    }
    return digits < 0 ? digits : scale(&number, unit->factor, out_value);
}

int units_parse_count(const char *text, uint64_t *out_count) {
    return parse_quantity(text, count_units, out_count);
}

int units_parse_size(const char *text, uint64_t *out_bytes) {
    return parse_quantity(text, size_units, out_bytes);
}

int units_parse_duration(const char *text, uint64_t *out_ns) {
    return parse_quantity(text, duration_units, out_ns);
}

int units_parse_percent(const char *text, uint64_t *out_ppm) {
    return parse_quantity(text, percent_units, out_ppm);
}

static struct units_text write_exact(uint64_t value, const struct unit *units) {
    struct units_text out = {.text = "0"};
    while (value != 0 && units->suffix != NULL && value % units->factor != 0) {
        units++;
    }
    if (value != 0 && units->suffix != NULL) {
        snprintf(out.text, sizeof(out.text), "%" PRIu64 "%s", value / units->factor, units->suffix);
    }
    return out;
}

struct units_text units_exact_count(uint64_t count) {
    return write_exact(count, count_units);
}

struct units_text units_exact_size(uint64_t bytes) {
    return write_exact(bytes, size_units);
}

struct units_text units_exact_duration(uint64_t ns) {
    return write_exact(ns, duration_units);
}

struct units_text units_exact_percent(uint64_t ppm) {
    struct units_text out;
    uint64_t below = ppm % 10000;
    int digits = 4;
    while (digits > 0 && below % 10 == 0) {
        below /= 10;
        digits--;
    }
    if (digits == 0) {
        snprintf(out.text, sizeof(out.text), "%" PRIu64 "%%", ppm / 10000);
    } else {
        snprintf(out.text, sizeof(out.text), "%" PRIu64 ".%0*" PRIu64 "%%", ppm / 10000, digits,
                 below);
    }
    return out;
}

struct units_text units_count(uint64_t count) {
    char digits[24];
    struct units_text out;
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    char *to = out.text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

/* Rounds value / unit to three significant digits ("7.25", "12.3", "101", "1,000").
 * Returns false when the rounded figure reaches `limit`, so that the next unit should be taken. */
static bool write_rounded(struct units_text *out, uint64_t value, uint64_t unit, uint64_t limit) {
    static const uint64_t powers[] = {1, 10, 100};
    unsigned decimals = value / unit >= 100 ? 0 : value / unit >= 10 ? 1 : 2;
    unsigned __int128 scaled = (unsigned __int128)value * powers[decimals] + unit / 2;
    uint64_t figure = (uint64_t)(scaled / unit);
    if (decimals > 0 && figure >= 1000) {
        figure = (figure + 5) / 10;
        decimals--;
    }
    if (limit != 0 && figure >= limit * powers[decimals]) {
        return false;
    }
    uint64_t power = powers[decimals];
    struct units_text whole = units_count(figure / power);
    if (decimals == 0) {
        *out = whole;
    } else {
        snprintf(out->text, sizeof(out->text), "%.20s.%0*" PRIu64, whole.text, (int)decimals,
                 figure % power);
    }
    return true;
}

static struct units_text write_scaled(uint64_t value, const struct unit *units) {
    struct units_text figure = {.text = "0"};
    while (units[1].suffix != NULL &&
           !write_rounded(&figure, value, units->factor, units[1].factor / units->factor)) {
        units++;
    }
    if (units[1].suffix == NULL) {
        write_rounded(&figure, value, units->factor, 0);
    }
    struct units_text out;
    snprintf(out.text, sizeof(out.text), "%.24s %s", figure.text, units->suffix);
    return out;
}

struct units_text units_bytes(uint64_t bytes) {
    static const struct unit units[] = {
        {"kB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
        {NULL, 0},
    };
    struct units_text out;
    if (bytes < 1000) {
        snprintf(out.text, sizeof(out.text), "%" PRIu64 " B", bytes);
        return out;
    }
    return write_scaled(bytes, units);
}

struct units_text units_duration(uint64_t ns) {
    static const struct unit units[] = {
        {"us", 1000},
        {"ms", 1000000},
        {"s", 1000000000},
        {NULL, 0},
    };
    struct units_text out;
    if (ns < 1000) {
        snprintf(out.text, sizeof(out.text), "%" PRIu64 " ns", ns);
        return out;
    }
    return write_scaled(ns, units);
}

struct units_text units_ratio(double ratio) {
    struct units_text out = {.text = "-"};
    if (isfinite(ratio) && ratio >= 0 && ratio < 1e12) {
        int decimals = ratio < 1.995 ? 2 : ratio < 9.95 ? 1 : 0;
        snprintf(out.text, sizeof(out.text), "%.*fx", decimals, ratio);
    }
    return out;
}
