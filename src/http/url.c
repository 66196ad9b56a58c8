// SPDX-License-Identifier: MIT
/* url.c – takes URLs and authorities apart, and refuses what could be read in two ways.
 *
 * Holds      the reasons in words.
 * Invariant  a host that passes is made of letters, digits and - . _ ~, or is an address that
 *            inet_pton() takes: no decoding, no case folding, no second reading. So is a zone.
 * Called by  client, command, parse_start.c, parse_field.c. Calls chars.h, writer.h, inet_pton().
 * Why        RFC 3986 with the exceptions that CVEs taught: see url.h.
 * Quirks     a last label that is a number means an IPv4 address (so resolvers read it), and then
 *            the whole host must be one: 127.1 and 0x7f.0.0.1 are refused.
 */
#include "http/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "http/writer.h"

static const char *const error_texts[URL_ERROR_COUNT] = {
    [URL_ERROR_NONE] = "no error",
    [URL_ERROR_EMPTY] = "it is empty",
    [URL_ERROR_TOO_LONG] = "longer than 8192 bytes",
    [URL_ERROR_CONTROL] = "control character in it",
    [URL_ERROR_SPACE] = "space in it (write %20)",
    [URL_ERROR_BACKSLASH] = "backslash in it (write /, or %5C)",
    [URL_ERROR_NOT_ASCII] = "non-ASCII character in it (percent-encode it; hosts as xn--...)",
    [URL_ERROR_CHARACTER] = "character that must be percent-encoded",
    [URL_ERROR_NO_SCHEME] = "no scheme (start with http:// or https://)",
    [URL_ERROR_SCHEME] = "unknown scheme (http, https and http+unix are known)",
    [URL_ERROR_USERINFO] = "user name or password in it",
    [URL_ERROR_NO_HOST] = "no host",
    [URL_ERROR_HOST_TOO_LONG] = "host too long",
    [URL_ERROR_HOST_PERCENT] = "percent-encoding in the host",
    [URL_ERROR_HOST_CHARACTER] = "character in the host that no host name has",
    [URL_ERROR_HOST_LABEL] = "empty part in the host",
    [URL_ERROR_IPV4] = "malformed IPv4 address",
    [URL_ERROR_IPV6] = "malformed IPv6 address",
    [URL_ERROR_IPV6_ZONE] = "bad zone in an IPv6 address (as in [fe80::1%25eth0])",
    [URL_ERROR_PORT] = "port is not a number",
    [URL_ERROR_PORT_RANGE] = "port out of range (1-65535)",
    [URL_ERROR_PERCENT] = "% that is not followed by two hexadecimal digits",
    [URL_ERROR_SOCKET_PATH] = "bad socket path (as in http+unix://%2Ftmp%2Fname.sock/)",
};

/* One row per scheme, in the order of enum url_scheme. */
static const struct scheme {
    const char *name;
    uint16_t port; /* its own */
} schemes[] = {{"http", 80}, {"https", 443}, {"http+unix", 0}};

/* host[:port], taken apart. */
struct authority {
    struct http_bytes host;  /* without [ ] */
    struct http_bytes zone;  /* of the host, if any */
    struct http_bytes port;  /* digits, or what stands in their place */
    enum url_host_kind kind; /* of the host */
    bool has_port;           /* there was a colon */
};

const char *url_error_text(enum url_error error) {
    must(error < URL_ERROR_COUNT);
    return error_texts[error];
}

static struct http_bytes bytes_from(struct http_bytes bytes, size_t start) {
    return (struct http_bytes){bytes.data + start, bytes.len - start};
}

static bool starts_with(struct http_bytes bytes, char c) {
    return bytes.len > 0 && bytes.data[0] == c;
}

/* The index of the first `byte` in `bytes`; bytes.len if there is none. */
static size_t find(struct http_bytes bytes, char byte) {
    const char *at = bytes.len > 0 ? memchr(bytes.data, byte, bytes.len) : NULL;
    return at != NULL ? (size_t)(at - bytes.data) : bytes.len;
}

/* True if resolvers would read `label` as a number: digits, or 0x and hexadecimal digits. */
static bool label_is_number(struct http_bytes label) {
    if (label.len >= 2 && label.data[0] == '0' && (label.data[1] | 0x20) == 'x') {
        return chars_all(bytes_from(label, 2), CHARS_HEX);
    }
    return chars_all(label, CHARS_DIGIT);
}

static bool address_take(int family, struct http_bytes host, struct in6_addr *out_address) {
    char text[INET6_ADDRSTRLEN];
    if (host.len >= sizeof text) {
        return false;
    }
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    return inet_pton(family, text, out_address) == 1;
}

/* Checks a host that is not in brackets, and tells names from IPv4 addresses. */
static enum url_error name_check(struct http_bytes host, enum url_host_kind *out_kind) {
    if (host.len == 0) {
        return URL_ERROR_NO_HOST;
    }
    if (memchr(host.data, '%', host.len) != NULL) {
        return URL_ERROR_HOST_PERCENT;
    }
    if (!chars_all(host, CHARS_HOST)) {
        return URL_ERROR_HOST_CHARACTER;
    }
    if (host.len > URL_HOST_MAX) {
        return URL_ERROR_HOST_TOO_LONG;
    }
    struct http_bytes rest = host;
    struct http_bytes label = host;
    while (rest.len > 0) { // one dot may end the host
        label = (struct http_bytes){rest.data, find(rest, '.')};
        if (label.len == 0 || label.len > 63) {
            return label.len == 0 ? URL_ERROR_HOST_LABEL : URL_ERROR_HOST_TOO_LONG;
        }
        rest = bytes_from(rest, label.len < rest.len ? label.len + 1 : label.len);
    }
    struct in6_addr address;
    bool number = label_is_number(label);
    *out_kind = number ? URL_HOST_IPV4 : URL_HOST_NAME;
    return number && !address_take(AF_INET, host, &address) ? URL_ERROR_IPV4 : URL_ERROR_NONE;
}

/* Takes the inside of the brackets: an address, and "%25eth0" after one of a link. RFC 6874. */
static enum url_error ipv6_take(struct http_bytes text, struct authority *out) {
    struct in6_addr address;
    size_t end = find(text, '%');
    struct http_bytes rest = bytes_from(text, end);
    out->kind = URL_HOST_IPV6;
    out->host = (struct http_bytes){text.data, end};
    if (!address_take(AF_INET6, out->host, &address)) {
        return URL_ERROR_IPV6;
    }
    if (rest.len == 0) {
        return URL_ERROR_NONE;
    }
    if (rest.len <= 3 || rest.len - 3 > URL_ZONE_MAX || memcmp(rest.data, "%25", 3) != 0) {
        return URL_ERROR_IPV6_ZONE;
    }
    out->zone = bytes_from(rest, 3);
    return chars_all(out->zone, CHARS_HOST) && IN6_IS_ADDR_LINKLOCAL(&address)
               ? URL_ERROR_NONE
               : URL_ERROR_IPV6_ZONE;
}

static enum url_error authority_split(struct http_bytes text, struct authority *out) {
    enum url_error error;
    struct http_bytes rest;
    if (starts_with(text, '[')) {
        size_t end = find(text, ']');
        if (end == text.len) {
            return URL_ERROR_IPV6;
        }
        error = ipv6_take((struct http_bytes){text.data + 1, end - 1}, out);
        rest = bytes_from(text, end + 1);
    } else {
        out->host = (struct http_bytes){text.data, find(text, ':')};
        error = name_check(out->host, &out->kind);
        rest = bytes_from(text, out->host.len);
    }
    if (error != URL_ERROR_NONE) {
        return error;
    }
    if (rest.len > 0 && rest.data[0] != ':') {
        return URL_ERROR_IPV6; // bytes after the bracket
    }
    out->has_port = rest.len > 0;
    out->port = out->has_port ? bytes_from(rest, 1) : rest;
    return URL_ERROR_NONE;
}

static enum url_error port_take(struct http_bytes digits, uint16_t *out) {
    if (digits.len == 0 || !chars_all(digits, CHARS_DIGIT)) {
        return URL_ERROR_PORT;
    }
    unsigned port = 0;
    for (size_t i = 0; i < digits.len && port <= UINT16_MAX; i++) {
        port = port * 10 + (unsigned)(digits.data[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX) {
        return URL_ERROR_PORT_RANGE;
    }
    *out = (uint16_t)port;
    return URL_ERROR_NONE;
}

/* Finds the first byte that no part of a URL may have. */
static enum url_error bytes_check(struct http_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f) {
            return URL_ERROR_CONTROL;
        }
        if (c >= 0x80) {
            return URL_ERROR_NOT_ASCII;
        }
        if (c == ' ') {
            return URL_ERROR_SPACE;
        }
        if (c == '\\') {
            return URL_ERROR_BACKSLASH;
        }
        if (!chars_is((char)c, CHARS_TARGET) && c != '#') {
            return URL_ERROR_CHARACTER;
        }
    }
    return URL_ERROR_NONE;
}

/* Takes "scheme://" off the front of `rest`. */
static enum url_error scheme_take(struct url *url, struct http_bytes *rest) {
    size_t end = 0;
    while (end < rest->len && chars_is(rest->data[end], CHARS_SCHEME)) {
        end++;
    }
    if (end == 0 || rest->len - end < 3 || memcmp(rest->data + end, "://", 3) != 0) {
        return URL_ERROR_NO_SCHEME;
    }
    struct http_bytes name = {rest->data, end};
    for (unsigned i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (chars_equal_nocase(name, bytes_of(schemes[i].name))) {
            url->scheme = (enum url_scheme)i;
            url->port = schemes[i].port;
            *rest = bytes_from(*rest, end + 3);
            return URL_ERROR_NONE;
        }
    }
    return URL_ERROR_SCHEME;
}

/* Decodes the socket path of http+unix into buf[0..cap).
 *
 * Returns  its length; cap + 1 if it does not fit; 0 if there is none or it has a NUL. */
static size_t socket_decode(struct http_bytes host, char *buf, size_t cap) {
    size_t len = 0;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        if (c == '%') {
            c = (char)(chars_hex_value(host.data[i + 1]) << 4 | chars_hex_value(host.data[i + 2]));
            i += 2;
        }
        if (c == '\0' || len == cap) {
            return c == '\0' ? 0 : cap + 1;
        }
        buf[len++] = c;
    }
    return len;
}

static enum url_error socket_take(struct url *url, struct http_bytes text) {
    char path[URL_SOCKET_MAX];
    if (!chars_percent_ok(text)) {
        return URL_ERROR_PERCENT;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!chars_is(text.data[i], CHARS_HOST) && text.data[i] != '%') {
            return URL_ERROR_SOCKET_PATH;
        }
    }
    size_t len = socket_decode(text, path, sizeof path);
    url->host = text;
    url->host_kind = URL_HOST_SOCKET;
    return len == 0 || len > sizeof path ? URL_ERROR_SOCKET_PATH : URL_ERROR_NONE;
}

/* Takes the authority off the front of `rest`. */
static enum url_error authority_take(struct url *url, struct http_bytes *rest) {
    size_t end = 0;
    while (end < rest->len && memchr("/?#", rest->data[end], 3) == NULL) {
        end++;
    }
    struct http_bytes text = {rest->data, end};
    *rest = bytes_from(*rest, text.len);
    if (text.len > 0 && memchr(text.data, '@', text.len) != NULL) {
        return URL_ERROR_USERINFO;
    }
    if (url->scheme == URL_HTTP_UNIX) {
        return socket_take(url, text);
    }
    struct authority authority = {0};
    enum url_error error = authority_split(text, &authority);
    url->host = authority.host;
    url->zone = authority.zone;
    url->host_kind = authority.kind;
    if (error != URL_ERROR_NONE || !authority.has_port) {
        return error;
    }
    return port_take(authority.port, &url->port);
}

/* Takes path and query, and drops the fragment. */
static enum url_error target_take(struct url *url, struct http_bytes rest) {
    if (!chars_percent_ok(rest)) {
        return URL_ERROR_PERCENT;
    }
    size_t fragment = find(rest, '#');
    if (fragment < rest.len && !chars_all(bytes_from(rest, fragment + 1), CHARS_TARGET)) {
        return URL_ERROR_CHARACTER;
    }
    struct http_bytes target = {rest.data, fragment};
    size_t query = find(target, '?');
    url->path = query > 0 ? (struct http_bytes){target.data, query} : bytes_of("/");
    url->query = bytes_from(target, query);
    return URL_ERROR_NONE;
}

static enum url_error url_take(struct url *url, struct http_bytes text) {
    if (text.len == 0 || text.len > URL_MAX) {
        return text.len == 0 ? URL_ERROR_EMPTY : URL_ERROR_TOO_LONG;
    }
    enum url_error error = bytes_check(text);
    if (error == URL_ERROR_NONE) {
        error = scheme_take(url, &text);
    }
    if (error == URL_ERROR_NONE) {
        error = authority_take(url, &text);
    }
    return error == URL_ERROR_NONE ? target_take(url, text) : error;
}

/* Turns a reason into what public functions return. */
static int verdict(enum url_error error, enum url_error *out_error) {
    if (out_error != NULL) {
        *out_error = error;
    }
    return error == URL_ERROR_NONE ? 0 : -EINVAL;
}

int url_parse(struct url *out, struct http_bytes text, enum url_error *out_error) {
    struct url url = {0};
    enum url_error error = url_take(&url, text);
    if (error == URL_ERROR_NONE) {
        *out = url;
    }
    return verdict(error, out_error);
}

int url_authority_check(struct http_bytes text, bool port_needed, enum url_error *out_error) {
    struct authority authority = {0};
    if (text.len == 0 && !port_needed) {
        return verdict(URL_ERROR_NONE, out_error);
    }
    enum url_error error = authority_split(text, &authority);
    if (error == URL_ERROR_NONE && authority.zone.len > 0) {
        error = URL_ERROR_IPV6_ZONE; // it is nobody's but the sender's
    }
    if (error == URL_ERROR_NONE && (port_needed || authority.port.len > 0)) {
        uint16_t port;
        error = port_take(authority.port, &port);
    }
    return verdict(error, out_error);
}

ssize_t url_host_write(const struct url *url, char *buf, size_t cap) {
    struct writer w = {.buf = buf, .cap = cap};
    if (url->scheme == URL_HTTP_UNIX) {
        writer_add(&w, bytes_of("localhost"));
        return writer_end(&w);
    }
    bool ipv6 = url->host_kind == URL_HOST_IPV6;
    writer_add(&w, bytes_of(ipv6 ? "[" : ""));
    writer_add(&w, url->host);
    writer_add(&w, bytes_of(ipv6 ? "]" : ""));
    if (url->port != schemes[url->scheme].port) {
        writer_add(&w, bytes_of(":"));
        writer_add_number(&w, url->port);
    }
    return writer_end(&w);
}

ssize_t url_target_write(const struct url *url, char *buf, size_t cap) {
    struct writer w = {.buf = buf, .cap = cap};
    writer_add(&w, url->path);
    writer_add(&w, url->query);
    return writer_end(&w);
}

ssize_t url_socket_write(const struct url *url, char *buf, size_t cap) {
    must(url->scheme == URL_HTTP_UNIX);
    size_t len = cap > 0 ? socket_decode(url->host, buf, cap - 1) : 1;
    if (len >= cap) {
        return -EMSGSIZE;
    }
    buf[len] = '\0';
    return (ssize_t)len;
}

bool url_same_origin(const struct url *a, const struct url *b) {
    return a->scheme == b->scheme && a->port == b->port && chars_equal_nocase(a->host, b->host) &&
           chars_equal(a->zone, b->zone);
}
