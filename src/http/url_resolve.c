// SPDX-License-Identifier: MIT
/* url_resolve.c – what a reference means at a base URL: RFC 3986 §5.2.
 *
 * Holds      nothing.
 * Invariant  works on text of any scheme and checks none of it; url_parse() judges the result.
 * Called by  the client, for Location. Calls chars.h, writer.h.
 * Why        the algorithm of the RFC, in its order, so that it can be read beside it.
 * Quirks     strict: a reference with the base's scheme is absolute all the same.
 */
#include <errno.h>
#include <string.h>

#include "http/url.h"
#include "http/writer.h"

/* The five parts of a reference; a part that is not there has data NULL, an empty one has not. */
struct parts {
    struct http_bytes scheme;
    struct http_bytes authority; /* after the "//" */
    struct http_bytes path;      /* always there */
    struct http_bytes query;     /* after the "?" */
    struct http_bytes fragment;  /* after the "#" */
};

/* Cuts `rest` at the first byte that is in `set`, and gives what comes before it. */
static struct http_bytes cut_at(struct http_bytes *rest, const char *set) {
    size_t len = 0;
    while (len < rest->len && memchr(set, rest->data[len], strlen(set)) == NULL) {
        len++;
    }
    struct http_bytes front = {rest->data, len};
    rest->data += len;
    rest->len -= len;
    return front;
}

static void skip(struct http_bytes *rest, size_t count) {
    rest->data += count;
    rest->len -= count;
}

static struct parts split(struct http_bytes text) {
    struct parts parts = {0};
    struct http_bytes rest = text;
    struct http_bytes scheme = cut_at(&rest, ":/?#");
    bool has_scheme = scheme.len > 0 && rest.len > 0 && rest.data[0] == ':' &&
                      chars_all(scheme, CHARS_SCHEME) && chars_lower(scheme.data[0]) >= 'a' &&
                      chars_lower(scheme.data[0]) <= 'z';
    if (has_scheme) {
        parts.scheme = scheme;
        skip(&rest, 1);
    } else {
        rest = text;
    }
    if (rest.len >= 2 && memcmp(rest.data, "//", 2) == 0) {
        skip(&rest, 2);
        parts.authority = cut_at(&rest, "/?#");
    }
    parts.path = cut_at(&rest, "?#");
    if (rest.len > 0 && rest.data[0] == '?') {
        skip(&rest, 1);
        parts.query = cut_at(&rest, "#");
    }
    if (rest.len > 0) {
        skip(&rest, 1);
        parts.fragment = rest;
    }
    return parts;
}

/* How many bytes of path[0..len) are left without the last segment and its "/". */
static size_t segment_drop(const char *path, size_t len) {
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    return len > 0 ? len - 1 : 0;
}

/* True if path[at..len) starts with `text`, or is it. */
static bool at_text(const char *path, size_t at, size_t len, const char *text) {
    size_t text_len = strlen(text);
    return len - at >= text_len && memcmp(path + at, text, text_len) == 0;
}

/* Removes "." and ".." segments in place (RFC 3986 §5.2.4, the letters are the RFC's).
 *
 * Returns  the new length, never more than `len`. */
static size_t dots_remove(char *path, size_t len) {
    size_t in = 0;
    size_t out = 0;
    while (in < len) {
        size_t left = len - in;
        if (at_text(path, in, len, "../") || at_text(path, in, len, "./")) { // A
            in += path[in + 1] == '.' ? 3 : 2;
        } else if (at_text(path, in, len, "/./") || (left == 2 && at_text(path, in, len, "/."))) {
            in += left == 2 ? 1 : 2; // B
            path[in] = '/';
        } else if (at_text(path, in, len, "/../") ||
                   (left == 3 && at_text(path, in, len, "/.."))) { // C
            in += left == 3 ? 2 : 3;
            path[in] = '/';
            out = segment_drop(path, out);
        } else if (path[in] == '.' && (left == 1 || (left == 2 && path[in + 1] == '.'))) { // D
            in = len;
        } else { // E
            do {
                path[out++] = path[in++];
            } while (in < len && path[in] != '/');
        }
    }
    return out;
}

/* Writes the path that `reference` has at `base`, before dots are removed. */
static void path_merge(struct writer *w, const struct parts *base, const struct parts *reference) {
    struct http_bytes dir = base->path;
    if (base->authority.data != NULL && dir.len == 0) {
        writer_add(w, bytes_of("/"));
    }
    while (dir.len > 0 && dir.data[dir.len - 1] != '/') {
        dir.len--;
    }
    writer_add(w, dir);
    writer_add(w, reference->path);
}

/* Writes the path of the result and says whether the base's query goes with it. */
static bool path_write(struct writer *w, const struct parts *base, const struct parts *reference) {
    bool own = reference->scheme.data != NULL || reference->authority.data != NULL;
    if (!own && reference->path.len == 0) {
        writer_add(w, base->path);
        return reference->query.data == NULL;
    }
    size_t start = w->len;
    if (own || reference->path.data[0] == '/') {
        writer_add(w, reference->path);
    } else {
        path_merge(w, base, reference);
    }
    if (w->len <= w->cap) {
        w->len = start + dots_remove(w->buf + start, w->len - start);
    }
    return false;
}

/* Writes `mark` and `part`, if the part is there. */
static void part_write(struct writer *w, const char *mark, struct http_bytes part) {
    if (part.data != NULL) {
        writer_add(w, bytes_of(mark));
        writer_add(w, part);
    }
}

ssize_t url_resolve(struct http_bytes base_text, struct http_bytes reference_text, char *buf,
                    size_t cap) {
    struct parts base = split(base_text);
    struct parts reference = split(reference_text);
    if (base.scheme.data == NULL) {
        return -EINVAL;
    }
    struct writer w = {.buf = buf, .cap = cap};
    bool has_scheme = reference.scheme.data != NULL;
    bool own_authority = has_scheme || reference.authority.data != NULL;
    struct http_bytes authority = own_authority ? reference.authority : base.authority;
    writer_add(&w, has_scheme ? reference.scheme : base.scheme);
    writer_add(&w, bytes_of(":"));
    part_write(&w, "//", authority);
    size_t path_start = w.len;
    bool base_query = path_write(&w, &base, &reference);
    if (authority.data == NULL && w.len <= w.cap && at_text(w.buf, path_start, w.len, "//")) {
        return -EINVAL; // "http:/.//host" without its dot would be an authority
    }
    part_write(&w, "?", base_query ? base.query : reference.query);
    part_write(&w, "#", reference.fragment);
    return writer_end(&w);
}
