// SPDX-License-Identifier: MIT
/* writer.h – appends to a buffer of fixed size and tells at the end whether all of it fitted.
 *
 * Holds      struct writer.
 * Invariant  never writes beyond `cap`; `len` counts what was asked for, written or not.
 * Called by  url.c, url_resolve.c. Calls nothing.
 * Why        one check at the end in place of one after every piece.
 * Quirks     adds no NUL.
 */
#ifndef HTTP_WRITER_H
#define HTTP_WRITER_H

#include <errno.h>
#include <string.h>
#include <sys/types.h>

#include "http/chars.h"

/* Bytes being put together. */
struct writer {
    char *buf;  /* the caller's */
    size_t cap; /* bytes of it */
    size_t len; /* bytes appended so far; beyond cap they are only counted */
};

/* Appends `bytes` if they fit. */
static inline void writer_add(struct writer *w, struct http_bytes bytes) {
    if (bytes.len > 0 && w->len <= w->cap && bytes.len <= w->cap - w->len) {
        memcpy(w->buf + w->len, bytes.data, bytes.len);
    }
    w->len += bytes.len;
}

/* Appends the decimal form of `number`. */
static inline void writer_add_number(struct writer *w, unsigned number) {
    char digits[10];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    writer_add(w, (struct http_bytes){digits + at, sizeof digits - at});
}

/* The number of bytes written, or -EMSGSIZE if they did not fit. */
static inline ssize_t writer_end(const struct writer *w) {
    return w->len <= w->cap ? (ssize_t)w->len : -EMSGSIZE;
}

#endif
