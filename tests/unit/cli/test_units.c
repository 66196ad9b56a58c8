// SPDX-License-Identifier: MIT
/* test_units.c – numbers read from people are exact or refused; numbers written are right.
 *
 * Holds      tables of texts and values.
 * Invariant  none.
 * Called by  the test runner.
 * Why        a benchmark that misreads its own settings measures something else.
 * Quirks     none.
 */
#include "fixtures/fixture.h"

#include "cli/units.h"

#include <errno.h>

static const uint64_t untouched = 123456789;

struct accepted {
    const char *text;
    uint64_t value;
};

static void check_accepted(int (*parse)(const char *, uint64_t *), const struct accepted *cases) {
    for (; cases->text != NULL; cases++) {
        uint64_t value = untouched;
        ck_assert_msg(parse(cases->text, &value) == 0, "'%s' refused", cases->text);
        ck_assert_msg(value == cases->value, "'%s' read as %lu", cases->text, value);
    }
}

static void check_refused(int (*parse)(const char *, uint64_t *), const char *const *texts,
                          int expected) {
    for (; *texts != NULL; texts++) {
        uint64_t value = untouched;
        int rc = parse(*texts, &value);
        ck_assert_msg(rc == expected, "'%s' gave %d", *texts, rc);
        ck_assert_uint_eq(value, untouched);
    }
}

// A count that is misread runs the wrong number of requests.
START_TEST(counts_are_read_exactly) {
    static const struct accepted cases[] = {
        {"0", 0},       {"1", 1},        {"10000", 10000},   {"10k", 10000},
        {"10K", 10000}, {"1M", 1000000}, {"2G", 2000000000}, {"10_000", 10000},
        {"1.5k", 1500}, {"007", 7},      {"0.25M", 250000},  {"18446744073709551615", UINT64_MAX},
        {NULL, 0},
    };
    check_accepted(units_parse_count, cases);
}
END_TEST

// Text that is no number must not pass as some number.
START_TEST(counts_of_other_form_are_refused) {
    static const char *const texts[] = {
        "",
        " 5",
        "5 ",
        "+5",
        "1e30",
        "0x10",
        "NaN",
        "inf",
        "ten",
        "1.",
        ".5",
        "5kk",
        "1.5",
        "10 k",
        "1,000",
        "_5",
        "5_",
        "-",
        "--1",
        "5\n",
        "1.0005k",
        "-x",
        "0.3333333333333333333333k",
        NULL,
    };
    check_refused(units_parse_count, texts, -EINVAL);
}
END_TEST

// A number beyond 64 bits or below zero must not wrap into the allowed range.
START_TEST(counts_out_of_range_are_refused) {
    static const char *const texts[] = {
        "-1",
        "-0",
        "18446744073709551616",
        "1000000000000000000000000000000",
        "18446744073709551615k",
        "20000000000G",
        "-1000000000000000000000000000000",
        NULL,
    };
    check_refused(units_parse_count, texts, -ERANGE);
}
END_TEST

// A size in the wrong base makes a body of another size.
START_TEST(sizes_know_both_bases) {
    static const struct accepted cases[] = {
        {"700", 700},    {"700B", 700},     {"4k", 4000},     {"4kB", 4000},       {"64KiB", 65536},
        {"64Ki", 65536}, {"1MiB", 1 << 20}, {"1.5KiB", 1536}, {"1GB", 1000000000}, {NULL, 0},
    };
    static const char *const refused[] = {"4kb", "4b", "KiB", "", NULL};
    check_accepted(units_parse_size, cases);
    check_refused(units_parse_size, refused, -EINVAL);
}
END_TEST

// A duration read in the wrong unit is wrong by a factor of a thousand.
START_TEST(durations_need_a_unit) {
    static const struct accepted cases[] = {
        {"0", 0},
        {"0.0", 0},
        {"0s", 0},
        {"1ns", 1},
        {"100ms", 100000000},
        {"1.5s", 1500000000},
        {"30s", UINT64_C(30000000000)},
        {"5m", UINT64_C(300000000000)},
        {"5min", UINT64_C(300000000000)},
        {"1h", UINT64_C(3600000000000)},
        {"7us", 7000},
        {"7µs", 7000},
        {"0.000000001s", 1},
        {NULL, 0},
    };
    static const char *const refused[] = {"100", "1.5", "s", "100 ms", "0.5ns", "1e3s", "", NULL};
    static const char *const beyond[] = {"6000000h", "-1s", NULL};
    check_accepted(units_parse_duration, cases);
    check_refused(units_parse_duration, refused, -EINVAL);
    check_refused(units_parse_duration, beyond, -ERANGE);
}
END_TEST

// A percentage misread makes the server fail too often or too seldom.
START_TEST(percentages_are_parts_per_million) {
    static const struct accepted cases[] = {
        {"0", 0}, {"1%", 10000}, {"0.25%", 2500}, {"100%", 1000000}, {"0.0001%", 1}, {NULL, 0},
    };
    static const char *const refused[] = {"1", "%", "0.00001%", "1%%", NULL};
    check_accepted(units_parse_percent, cases);
    check_refused(units_parse_percent, refused, -EINVAL);
}
END_TEST

// Ranges in messages and defaults in help must be text the parser takes back.
START_TEST(exact_texts_read_back) {
    static const uint64_t values[] = {
        0,    1,           700,         1000,          1024,       65536,
        1500, 60000000000, 90000000000, 3600000000000, 1000000000, UINT64_MAX};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint64_t back = 0;
        ck_assert_int_eq(units_parse_count(units_exact_count(values[i]).text, &back), 0);
        ck_assert_uint_eq(back, values[i]);
        ck_assert_int_eq(units_parse_size(units_exact_size(values[i]).text, &back), 0);
        ck_assert_uint_eq(back, values[i]);
        ck_assert_int_eq(units_parse_duration(units_exact_duration(values[i]).text, &back), 0);
        ck_assert_uint_eq(back, values[i]);
        ck_assert_int_eq(units_parse_percent(units_exact_percent(values[i]).text, &back), 0);
        ck_assert_uint_eq(back, values[i]);
    }
    ck_assert_str_eq(units_exact_count(1000000000).text, "1000000000");
    ck_assert_str_eq(units_exact_size(65536).text, "64KiB");
    ck_assert_str_eq(units_exact_duration(90000000000).text, "90s");
    ck_assert_str_eq(units_exact_percent(2500).text, "0.25%");
}
END_TEST

// The report's figures: a wrong unit or a lost digit misleads every reader.
START_TEST(figures_for_people_have_three_digits) {
    ck_assert_str_eq(units_count(0).text, "0");
    ck_assert_str_eq(units_count(999).text, "999");
    ck_assert_str_eq(units_count(10900).text, "10,900");
    ck_assert_str_eq(units_count(1234567).text, "1,234,567");
    ck_assert_str_eq(units_count(UINT64_MAX).text, "18,446,744,073,709,551,615");

    ck_assert_str_eq(units_duration(0).text, "0 ns");
    ck_assert_str_eq(units_duration(850).text, "850 ns");
    ck_assert_str_eq(units_duration(7250).text, "7.25 us");
    ck_assert_str_eq(units_duration(101000000).text, "101 ms");
    ck_assert_str_eq(units_duration(1060000000).text, "1.06 s");
    ck_assert_str_eq(units_duration(12340000000).text, "12.3 s");
    ck_assert_str_eq(units_duration(UINT64_C(1000000000000)).text, "1,000 s");

    ck_assert_str_eq(units_bytes(999).text, "999 B");
    ck_assert_str_eq(units_bytes(412000).text, "412 kB");
    ck_assert_str_eq(units_bytes(28400000).text, "28.4 MB");
    ck_assert_str_eq(units_bytes(3900000000).text, "3.90 GB");
}
END_TEST

// Rounding up must move to the next unit, never print "1000 ms" or "10.00 s".
START_TEST(rounding_crosses_into_the_next_unit) {
    ck_assert_str_eq(units_duration(999999).text, "1.00 ms");
    ck_assert_str_eq(units_duration(999499).text, "999 us");
    ck_assert_str_eq(units_duration(999999999).text, "1.00 s");
    ck_assert_str_eq(units_duration(9999000000).text, "10.0 s");
    ck_assert_str_eq(units_duration(99960000000).text, "100 s");
    ck_assert_str_eq(units_bytes(999999).text, "1.00 MB");
}
END_TEST

// A ratio of nothing to nothing must not print "nan".
START_TEST(ratios_are_never_nan) {
    double zero = 0;
    ck_assert_str_eq(units_ratio(1.094).text, "1.09x");
    ck_assert_str_eq(units_ratio(4.07).text, "4.1x");
    ck_assert_str_eq(units_ratio(1.999).text, "2.0x");
    ck_assert_str_eq(units_ratio(9.99).text, "10x");
    ck_assert_str_eq(units_ratio(21.3).text, "21x");
    ck_assert_str_eq(units_ratio(zero / zero).text, "-");
    ck_assert_str_eq(units_ratio(1 / zero).text, "-");
}
END_TEST

FIXTURE_MAIN("cli/units", counts_are_read_exactly, counts_of_other_form_are_refused,
             counts_out_of_range_are_refused, sizes_know_both_bases, durations_need_a_unit,
             percentages_are_parts_per_million, exact_texts_read_back,
             figures_for_people_have_three_digits, rounding_crosses_into_the_next_unit,
             ratios_are_never_nan)
