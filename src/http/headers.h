// SPDX-License-Identifier: MIT
/* headers.h – the header fields of a message being built.
 *
 * Holds      the field lines in the form they are sent, "Name: value\r\n" one after another.
 * Invariant  what is inside may be sent as it is: every name is a token, no value has a control
 *            byte or white space at its ends. Refused input leaves the list as it was.
 * Called by  the client and the server. Calls base/mem.h, chars.h.
 * Why        one buffer, so adding costs no allocation of its own and sending is one copy; lists
 *            are short, so looking up is a scan.
 * Quirks     all zero is the valid empty list. Names and values given must not lie inside the list
 *            itself (as headers_get() returns them), since its bytes may move.
 */
#ifndef HTTP_HEADERS_H
#define HTTP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "http/chars.h"

enum { HEADERS_SIZE_MAX = 65536 }; /* bytes of all field lines */

/* A list of header fields. Zero is empty. */
struct headers {
    char *text; /* gives: the field lines, freed by headers_fini() */
    size_t len; /* bytes used of `text` */
    size_t cap; /* bytes allocated */
};

/* Frees what `h` holds and leaves it empty. */
void headers_fini(struct headers *h);

/* Appends a field; white space around `value` is dropped. Other fields of that name stay.
 *
 * Returns  0; -EINVAL for a name that is no token or a value with CR, LF, NUL or another control
 *          byte; -EMSGSIZE beyond HEADERS_SIZE_MAX; -ENOMEM. */
int headers_add(struct headers *h, struct http_bytes name, struct http_bytes value);

/* Like headers_add(), but replaces every field of that name (any case). */
int headers_set(struct headers *h, struct http_bytes name, struct http_bytes value);

/* Removes every field of that name (any case).
 *
 * Returns  how many there were. */
size_t headers_remove(struct headers *h, struct http_bytes name);

/* Finds the first field of that name (any case).
 *
 * Returns  true and its value, which lives until `h` changes; false if there is none. */
bool headers_get(const struct headers *h, struct http_bytes name, struct http_bytes *out_value);

/* Walks the fields: `cursor` starts at 0.
 *
 * Returns  false at the end; otherwise name and value, which live until `h` changes. */
bool headers_next(const struct headers *h, size_t *cursor, struct http_bytes *out_name,
                  struct http_bytes *out_value);

/* The field lines as they are sent, each with its CRLF, without the empty line that ends a head;
 * they live until `h` changes. */
static inline struct http_bytes headers_text(const struct headers *h) {
    return (struct http_bytes){h->text, h->len};
}

#endif
