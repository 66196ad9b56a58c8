// SPDX-License-Identifier: MIT
/* parse_priv.h – what the parse_*.c files share with each other and nobody else.
 *
 * Holds      the prototypes of one line's parsers.
 * Invariant  a line is data[line..stop), stop is its CR, and every byte of it is CHARS_TEXT.
 * Called by  parse_head.c, parse_start.c, parse_field.c.
 * Why        parse_head.c finds whole lines, the others take them apart: no parser but the one for
 *            lines has to stop in the middle.
 * Quirks     data[stop] may be read: it is the CR, and ends every loop over tokens.
 */
#ifndef HTTP_PARSE_PRIV_H
#define HTTP_PARSE_PRIV_H

#include "http/parse.h"

/* Takes "METHOD target HTTP/1.x". */
enum http_error parse_request_line(struct http_head *head, const char *data, size_t line,
                                   size_t stop);

/* Takes "HTTP/1.x 200 reason" at data[0..stop). */
enum http_error parse_status_line(struct http_head *head, const char *data, size_t stop);

/* Splits "Name: value" and says what is wrong with it. */
enum http_error parse_field_split(const char *data, size_t line, size_t stop,
                                  struct http_field *out);

/* Takes one field line: stores it, and acts on the fields that framing depends on. */
enum http_error parse_field_line(struct http_head *head, const char *data, size_t line,
                                 size_t stop);

/* Checks what only the whole head can tell, once its empty line was read. */
enum http_error parse_fields_check(struct http_head *head);

#endif
