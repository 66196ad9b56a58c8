// SPDX-License-Identifier: MIT
/* fuzz_url.c – any bytes as a URL, and as a reference to be resolved.
 *
 * Holds      nothing.
 * Invariant  a line feed in the input separates a base URL from a reference.
 * Called by  libFuzzer.
 * Why        oracles: a URL that was accepted is accepted again when written out from its parts,
 *            with the same parts; what was resolved twice resolves to itself.
 * Quirks     none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 2 * URL_MAX + 64 };

static void expect(bool holds) {
    if (!holds) {
        abort();
    }
}

static bool bytes_equal(struct http_bytes a, struct http_bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Writes an accepted URL out from its parts and reads it again. */
static void url_reparse(const struct url *url) {
    static const char *const schemes[] = {"http", "https", "http+unix"};
    char text[TEXT_MAX];
    size_t len = (size_t)snprintf(text, sizeof text, "%s://", schemes[url->scheme]);
    if (url->scheme == URL_HTTP_UNIX) {
        char path[URL_SOCKET_MAX + 1];
        ssize_t path_len = url_socket_write(url, path, sizeof path);
        expect(path_len > 0 && strlen(path) == (size_t)path_len);
        memcpy(text + len, url->host.data, url->host.len);
        len += url->host.len;
    } else {
        ssize_t host_len = url_host_write(url, text + len, sizeof text - len);
        expect(host_len > 0);
        expect(url_authority_check((struct http_bytes){text + len, (size_t)host_len}, false,
                                   NULL) == 0);
        len += (size_t)host_len;
    }
    ssize_t target_len = url_target_write(url, text + len, sizeof text - len);
    expect(target_len > 0 && text[len] == '/');
    len += (size_t)target_len;
    struct url again;
    expect(url_parse(&again, (struct http_bytes){text, len}, NULL) == 0);
    again.zone = url->zone; // it is never written
    expect(url_same_origin(url, &again) && again.host_kind == url->host_kind);
    expect(bytes_equal(again.host, url->host) && bytes_equal(again.path, url->path));
    expect(bytes_equal(again.query, url->query));
}

/* Resolves `reference`, then what came out, then what came out of that. */
static void resolve(struct http_bytes base, struct http_bytes reference) {
    static char text[3][TEXT_MAX];
    ssize_t len[3];
    for (int i = 0; i < 3; i++) {
        len[i] = url_resolve(base, reference, text[i], sizeof text[i]);
        if (len[i] < 0) {
            return;
        }
        reference = (struct http_bytes){text[i], (size_t)len[i]};
    }
    // The first may still have the dots of the base's path; after that nothing changes.
    expect(len[1] == len[2] && memcmp(text[1], text[2], (size_t)len[1]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = size > 0 ? (const char *)data : "";
    struct url url;
    enum url_error error;
    if (url_parse(&url, (struct http_bytes){text, size}, &error) == 0) {
        expect(error == URL_ERROR_NONE);
        url_reparse(&url);
    } else {
        expect(error > URL_ERROR_NONE && error < URL_ERROR_COUNT);
    }
    const char *cut = memchr(text, '\n', size);
    if (cut != NULL && size <= URL_MAX) {
        struct http_bytes base = {text, (size_t)(cut - text)};
        struct http_bytes reference = {cut + 1, size - base.len - 1};
        resolve(base, reference);
        if (url_parse(&url, base, NULL) == 0) {
            url_reparse(&url);
        }
    }
    return 0;
}
