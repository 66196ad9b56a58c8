// SPDX-License-Identifier: MIT
/* date.h – the Date header: IMF-fixdate of RFC 9110 §5.6.7.
 *
 * Holds      nothing.
 * Invariant  always 29 bytes, always English, always GMT.
 * Called by  the server, once a second at most. Calls nothing.
 * Why        strftime() follows the locale, and gmtime_r() may read files.
 * Quirks     years 0 to 9999 only; other times are clamped.
 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <stdint.h>

enum { DATE_SIZE = 29 }; /* bytes of a date: "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Writes `unix_s`, seconds since 1970, and a NUL to `out`. */
void date_write(char out[DATE_SIZE + 1], int64_t unix_s);

#endif
