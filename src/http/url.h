// SPDX-License-Identifier: MIT
/* url.h – http, https and http+unix URLs: strict parsing, and resolving references.
 *
 * Holds      struct url, which points into the text it was parsed from.
 * Invariant  the host that was checked is byte for byte the host that is connected to and sent; a zone
 *            is connected to alone: it means nothing to the other side (RFC 6874 §4).
 * Called by  the client, the command, parse_head.c (absolute-form targets and Host). Calls chars.h.
 * Why        a URL that two programs could read in two ways is refused with a named reason:
 *            userinfo, percent-encoding or non-ASCII in a host, backslashes, spaces, control
 *            bytes, numbers that are almost IPv4 addresses.
 * Quirks     sockets are written http+unix://%2Ftmp%2Fs.sock/path: the percent-encoded path of the
 *            socket stands where the host would.
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/chars.h"

enum {
    URL_MAX = 8192,       /* bytes of a URL */
    URL_HOST_MAX = 253,   /* bytes of a host name */
    URL_ZONE_MAX = 15,    /* bytes of the zone of an IPv6 address: an interface's name */
    URL_SOCKET_MAX = 107, /* bytes of a Unix socket's path, NUL not counted */
};

enum url_scheme { URL_HTTP, URL_HTTPS, URL_HTTP_UNIX };

/* Why a URL was refused. */
enum url_error {
    URL_ERROR_NONE,
    URL_ERROR_EMPTY,
    URL_ERROR_TOO_LONG,
    URL_ERROR_CONTROL, /* control byte, line end or tab */
    URL_ERROR_SPACE,
    URL_ERROR_BACKSLASH,
    URL_ERROR_NOT_ASCII,
    URL_ERROR_CHARACTER, /* " < or >, or one that is only wrong where it stands */
    URL_ERROR_NO_SCHEME, /* no "scheme://" at the start */
    URL_ERROR_SCHEME,    /* not http, https or http+unix */
    URL_ERROR_USERINFO,  /* "user:password@" */
    URL_ERROR_NO_HOST,
    URL_ERROR_HOST_TOO_LONG,  /* > 253 bytes, or a label > 63 */
    URL_ERROR_HOST_PERCENT,   /* percent-encoding in a host */
    URL_ERROR_HOST_CHARACTER, /* no letter, digit, - . _ ~ */
    URL_ERROR_HOST_LABEL,     /* empty label: "a..b", ".a" */
    URL_ERROR_IPV4,           /* ends in a number but is no a.b.c.d */
    URL_ERROR_IPV6,
    URL_ERROR_IPV6_ZONE,   /* "%25" with no name of an interface after it, or no fe80::/10 before */
    URL_ERROR_PORT,        /* not a number */
    URL_ERROR_PORT_RANGE,  /* 0, or above 65535 */
    URL_ERROR_PERCENT,     /* "%" without two hexadecimal digits */
    URL_ERROR_SOCKET_PATH, /* http+unix: no, too long a, or NUL in the path; or a port */
    URL_ERROR_COUNT,
};

/* The reason in words, made to follow "bad URL: ": "port out of range (1-65535)". */
const char *url_error_text(enum url_error error);

enum url_host_kind { URL_HOST_NAME, URL_HOST_IPV4, URL_HOST_IPV6, URL_HOST_SOCKET };

/* A parsed URL. All bytes are borrowed from the text given to url_parse(), or are literals. */
struct url {
    enum url_scheme scheme;
    enum url_host_kind host_kind;
    struct http_bytes host;  /* as written, [ ] removed; http+unix: still percent-encoded */
    struct http_bytes zone;  /* of a link-local IPv6 address, if any: "eth0" of [fe80::1%25eth0] */
    uint16_t port;           /* as given, or 80 or 443; 0 for http+unix */
    struct http_bytes path;  /* starts with "/": the literal "/" when the text has none */
    struct http_bytes query; /* empty, or starts with "?"; the request target is path + query */
};

/* Parses an absolute URL. A fragment is checked and left out. `out` is written on success only;
 * `out_error` (may be NULL) gets the reason.
 *
 * Returns  0; -EINVAL.
 * Owns     `out` points into `text`, which must live as long. */
int url_parse(struct url *out, struct http_bytes text, enum url_error *out_error);

/* Checks "host" or "host:port" as it stands in a Host field or a CONNECT target, by the rules for
 * URLs. `port_needed` is for CONNECT; without it the port may also be empty, and so may be all.
 *
 * Returns  0; -EINVAL with `out_error` (may be NULL). */
int url_authority_check(struct http_bytes text, bool port_needed, enum url_error *out_error);

/* Writes the Host value: host, in [ ] if IPv6, and ":port" unless it is the scheme's own;
 * "localhost" for http+unix. No NUL is added.
 *
 * Returns  bytes written; -EMSGSIZE if `cap` is too small. */
ssize_t url_host_write(const struct url *url, char *buf, size_t cap);

/* Writes the request target, path + query, without a NUL.
 *
 * Returns  bytes written; -EMSGSIZE if `cap` is too small. */
ssize_t url_target_write(const struct url *url, char *buf, size_t cap);

/* Writes the decoded, NUL-terminated path of an http+unix URL's socket.
 *
 * Returns  its length without the NUL; -EMSGSIZE if `cap` is too small. */
ssize_t url_socket_write(const struct url *url, char *buf, size_t cap);

/* True if both have the same scheme, host (any case), zone and port: credentials may go to both. */
bool url_same_origin(const struct url *a, const struct url *b);

/* Resolves `reference` against the absolute URL `base` (RFC 3986 §5.2, strict) into `buf`, without
 * a NUL. Works on any scheme and checks nothing but the shape: parse the result.
 *
 * Returns  bytes written; -EMSGSIZE if `cap` is too small; -EINVAL if `base` has no scheme, or if
 *          the result has a path that would be read as an authority. */
ssize_t url_resolve(struct http_bytes base, struct http_bytes reference, char *buf, size_t cap);

#endif
