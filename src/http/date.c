// SPDX-License-Identifier: MIT
/* date.c – writes "Sun, 06 Nov 1994 08:49:37 GMT".
 *
 * Holds      nothing.
 * Invariant  every byte of the 29 is written.
 * Called by  the server. Calls nothing.
 * Why        pure arithmetic: no locale, no time zone files.
 * Quirks     years are counted from 1 March, so that the leap day comes last, and from the year
 *            -400, so that every count is positive.
 */
#include "http/date.h"

#include <string.h>

enum {
    DAY_S = 86400,
    ERA_DAYS = 146097, /* days of 400 years */
    MARCH_DAY = 60,    /* days of a leap year before 1 March */
};

/* First second of the year 0 and last second of the year 9999. */
static const int64_t first_s = -62167219200;
static const int64_t last_s = 253402300799;

/* Writes `number` with `width` digits. */
static void digits_write(char *to, int64_t number, int width) {
    for (int i = width - 1; i >= 0; i--) {
        to[i] = (char)('0' + number % 10);
        number /= 10;
    }
}

void date_write(char out[DATE_SIZE + 1], int64_t unix_s) {
    static const char day_names[] = "SatSunMonTueWedThuFri"; // the year 0 began on a Saturday
    static const char month_names[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    int64_t time_s = unix_s < first_s ? first_s : unix_s > last_s ? last_s : unix_s;
    int64_t second = (time_s - first_s) % DAY_S;
    int64_t weekday = (time_s - first_s) / DAY_S % 7;
    int64_t days = (time_s - first_s) / DAY_S - MARCH_DAY + ERA_DAYS;
    int64_t era = days / ERA_DAYS;
    int64_t era_day = days % ERA_DAYS;
    int64_t era_year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
    int64_t year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    int64_t month = (5 * year_day + 2) / 153; // 0 is March
    int64_t day = year_day - (153 * month + 2) / 5 + 1;
    int64_t year = era_year + era * 400 - 400 + (month >= 10 ? 1 : 0);

    memcpy(out, "DDD, dd MMM yyyy hh:mm:ss GMT", DATE_SIZE + 1);
    memcpy(out, day_names + 3 * weekday, 3);
    digits_write(out + 5, day, 2);
    memcpy(out + 8, month_names + 3 * month, 3);
    digits_write(out + 12, year, 4);
    digits_write(out + 17, second / 3600, 2);
    digits_write(out + 20, second / 60 % 60, 2);
    digits_write(out + 23, second % 60, 2);
}
