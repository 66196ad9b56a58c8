// SPDX-License-Identifier: MIT
/* test_date.c – the Date header against known dates and the C library.
 *
 * Holds      the tests.
 * Invariant  no clock is read.
 * Called by  the test runner.
 * Why        caches compare this text; a wrong weekday or leap day is a wrong date.
 */
#include "fixtures/fixture.h"

#include <string.h>
#include <time.h>

#include "http/date.h"

// The example of RFC 9110, leap days, ends of centuries, and the clamped ends.
START_TEST(date_known_values) {
    static const struct {
        int64_t unix_s;
        const char *text;
    } rows[] = {
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {2147483648, "Tue, 19 Jan 2038 03:14:08 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {-62167219200, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[DATE_SIZE + 1];
        date_write(text, rows[i].unix_s);
        ck_assert_str_eq(text, rows[i].text);
    }
}
END_TEST

// Every day of 800 years, at an hour that moves.
START_TEST(date_agrees_with_gmtime) {
    for (int64_t day = -36525; day < 255669; day++) {
        time_t unix_s = (time_t)(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
        struct tm tm;
        char want[64];
        char text[DATE_SIZE + 1];
        ck_assert_ptr_nonnull(gmtime_r(&unix_s, &tm));
        // No test sets a locale, so this is the C locale.
        ck_assert_uint_eq(strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm), DATE_SIZE);
        date_write(text, unix_s);
        if (strcmp(text, want) != 0) {
            ck_assert_str_eq(text, want);
        }
    }
}
END_TEST

FIXTURE_MAIN("http/date", date_known_values, date_agrees_with_gmtime)
