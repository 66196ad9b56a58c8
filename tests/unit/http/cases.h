// SPDX-License-Identifier: MIT
/* cases.h – one row of a table of byte strings from the wire.
 *
 * Holds      struct wire_case and the macro that fills it.
 * Invariant  every row says how many messages are seen and why reading stops.
 * Called by  cases_request.h, cases_response.h and the tests that walk them.
 * Why        the same tables serve our own verdicts and the comparison with another parser.
 * Quirks     bytes may hold NUL, so the length goes with them.
 */
#ifndef HTTP_CASES_H
#define HTTP_CASES_H

#include "http/parse.h"

/* A byte string from the wire and the verdict on it. */
struct wire_case {
    const char *name;
    const char *bytes;
    size_t len;
    unsigned messages;     /* complete messages before reading stops */
    enum http_error error; /* why it stops; NONE at the end of the stream */
};

#define CASE(name, bytes, messages, error)                                                         \
    { name, bytes, sizeof(bytes) - 1, messages, error }

#endif
