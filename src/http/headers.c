// SPDX-License-Identifier: MIT
/* headers.c – one growing buffer of field lines.
 *
 * Holds      nothing; the buffer is in struct headers.
 * Invariant  text[0..len) is a run of "name: value\r\n" lines, all of them fit to be sent.
 * Called by  the client and the server. Calls base/mem.h, chars.h.
 * Why        every change is checked here, so no later step can send a line break a caller put in.
 * Quirks     names and values given must not lie inside the list itself, which may move.
 */
#include "http/headers.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { LINE_EXTRA = 4 }; /* bytes of ": " and CRLF */

void headers_fini(struct headers *h) {
    mem_free(h->text);
    *h = (struct headers){0};
}

bool headers_next(const struct headers *h, size_t *cursor, struct http_bytes *out_name,
                  struct http_bytes *out_value) {
    must(*cursor <= h->len);
    if (*cursor == h->len) {
        return false;
    }
    const char *line = h->text + *cursor;
    const char *colon = memchr(line, ':', h->len - *cursor);
    const char *end = memchr(line, '\r', h->len - *cursor);
    must(colon != NULL && end != NULL && colon + 2 <= end);
    *out_name = (struct http_bytes){line, (size_t)(colon - line)};
    *out_value = (struct http_bytes){colon + 2, (size_t)(end - colon - 2)};
    *cursor = (size_t)(end + 2 - h->text);
    return true;
}

bool headers_get(const struct headers *h, struct http_bytes name, struct http_bytes *out_value) {
    struct http_bytes at_name;
    struct http_bytes value;
    for (size_t cursor = 0; headers_next(h, &cursor, &at_name, &value);) {
        if (chars_equal_nocase(at_name, name)) {
            *out_value = value;
            return true;
        }
    }
    return false;
}

/* Removes the fields called `name` from the first `limit` bytes. */
static size_t lines_remove(struct headers *h, struct http_bytes name, size_t limit) {
    size_t removed = 0;
    struct http_bytes at_name;
    struct http_bytes value;
    for (size_t start = 0, cursor = 0; start < limit; start = cursor) {
        headers_next(h, &cursor, &at_name, &value);
        if (!chars_equal_nocase(at_name, name)) {
            continue;
        }
        size_t size = cursor - start;
        memmove(h->text + start, h->text + cursor, h->len - cursor);
        h->len -= size;
        limit -= size;
        cursor = start;
        removed++;
    }
    return removed;
}

size_t headers_remove(struct headers *h, struct http_bytes name) {
    return lines_remove(h, name, h->len);
}

/* Makes room for `size` bytes in all. */
static int text_reserve(struct headers *h, size_t size) {
    if (size <= h->cap) {
        return 0;
    }
    size_t cap = h->cap < 256 ? 256 : h->cap * 2;
    if (cap < size) {
        cap = size;
    }
    char *text = mem_resize(h->text, cap);
    if (text == NULL) {
        return -ENOMEM;
    }
    h->text = text;
    h->cap = cap;
    return 0;
}

/* Appends what fits. */
static void text_add(struct headers *h, struct http_bytes bytes) {
    must(bytes.len <= h->cap - h->len);
    if (bytes.len > 0) {
        memcpy(h->text + h->len, bytes.data, bytes.len);
        h->len += bytes.len;
    }
}

int headers_add(struct headers *h, struct http_bytes name, struct http_bytes value) {
    value = chars_trim(value);
    if (!chars_is_token(name) || !chars_all(value, CHARS_TEXT)) {
        return -EINVAL;
    }
    if (name.len > HEADERS_SIZE_MAX || value.len > HEADERS_SIZE_MAX ||
        h->len + name.len + value.len + LINE_EXTRA > HEADERS_SIZE_MAX) {
        return -EMSGSIZE;
    }
    int rc = text_reserve(h, h->len + name.len + value.len + LINE_EXTRA);
    if (rc < 0) {
        return rc;
    }
    text_add(h, name);
    text_add(h, bytes_of(": "));
    text_add(h, value);
    text_add(h, bytes_of("\r\n"));
    return 0;
}

int headers_set(struct headers *h, struct http_bytes name, struct http_bytes value) {
    size_t before = h->len;
    int rc = headers_add(h, name, value);
    if (rc < 0) {
        return rc;
    }
    lines_remove(h, name, before);
    return 0;
}
