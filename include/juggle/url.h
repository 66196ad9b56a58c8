// SPDX-License-Identifier: MIT
/* juggle/url.h – URLs as the HTTP client reads them.
 *
 * Holds      struct jg_url: where a URL leads, and what to ask for there.
 * Invariant  the host that was checked is byte for byte the host that is connected to.
 * Why        a program that decides by the host, before it connects, must read it as the client will; one
 *            that splits URLs by itself reads some of them otherwise.
 */
#ifndef JUGGLE_URL_H
#define JUGGLE_URL_H

#include <juggle/base.h>

#include <stddef.h>
#include <stdint.h>

JG_BEGIN_DECLS

/* What a URL begins with. */
typedef enum jg_url_scheme {
    JG_URL_HTTP,      /* "http:" */
    JG_URL_HTTPS,     /* "https:" */
    JG_URL_HTTP_UNIX, /* "http+unix:", HTTP over a Unix socket */
} jg_url_scheme;

/* Room for parts of a URL, in bytes, with the NUL. */
enum {
    JG_URL_HOST_SIZE = 256,      /* a host, or a socket's path */
    JG_URL_AUTHORITY_SIZE = 272, /* a host, brackets and a port */
};

/* A URL taken apart. */
typedef struct jg_url {
    jg_url_scheme scheme;        /* what it began with */
    uint16_t port;               /* as given, or the scheme's own; 0 for http+unix */
    char host[JG_URL_HOST_SIZE]; /* without brackets, and with the zone as jg_tcp_connect takes it,
                                    "fe80::1%eth0"; http+unix: the socket's path, decoded */
    char authority[JG_URL_AUTHORITY_SIZE]; /* what a Host header says */
    const char *path;                      /* begins with "/"; no NUL behind it */
    size_t path_size;                      /* its bytes */
    const char *query;                     /* empty, or begins with "?"; no NUL behind it */
    size_t query_size;                     /* its bytes; 0: there is none */
} jg_url;

/* Takes an absolute URL apart: http, https or http+unix, at most 8192 bytes. Refused, with the reason in
 * `out_reason` (static text, "port out of range (1-65535)"; may be NULL), is whatever two programs could read
 * in two ways. A fragment is checked and left out. An address of a link may have its interface behind it, as
 * in http://[fe80::1%25eth0]/ (RFC 6874), which is connected through and not sent.
 *
 * Returns  0; -EINVAL.
 * Owns     path and query point into `text`, or to static text.
 * Threads  any. */
JG_API int jg_url_parse(const char *text, jg_url *out_url, const char **out_reason);

JG_END_DECLS

#endif
