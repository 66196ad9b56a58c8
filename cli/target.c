// SPDX-License-Identifier: MIT
/* target.c – see target.h.
 *
 * Holds      getaddrinfo; jg_url_parse splits the URL.
 * Invariant  nothing is cut: there is room for every URL that the library takes.
 * Called by  see target.h.
 * Why        see target.h.
 * Quirks     a socket is written http+unix://%2Frun%2Fapp.sock/path, percent-encoded.
 */
#include "target.h"

#include "text.h"

#include <juggle/address.h>
#include <juggle/url.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum { SHOWN_SIZE = 80 };

__attribute__((format(printf, 2, 3))) static int refuse(char *out_error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out_error, TARGET_ERROR_SIZE, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static void take_socket(struct target *target) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    // The library takes no path that does not fit.
    memcpy(address.sun_path, target->host, strlen(target->host) + 1);
    memcpy(&target->address, &address, sizeof(address));
    target->address_size = sizeof(address);
    target->is_unix = true;
    target->is_local = true;
}

int target_parse(const char *url, struct target *out_target, char *out_error) {
    char shown[SHOWN_SIZE];
    jg_url parts;
    const char *reason = NULL;
    *out_target = (struct target){.url = url};
    text_escape(url, shown, sizeof(shown));
    if (jg_url_parse(url, &parts, &reason) < 0) {
        return refuse(out_error, "URL: '%s': %s", shown, reason);
    }
    if (parts.scheme == JG_URL_HTTPS) {
        return refuse(out_error, "URL: '%s' is not http:// or http+unix://: https is not supported",
                      shown);
    }
    snprintf(out_target->host, sizeof(out_target->host), "%s", parts.host);
    snprintf(out_target->authority, sizeof(out_target->authority), "%s", parts.authority);
    snprintf(out_target->path, sizeof(out_target->path), "%.*s%.*s", (int)parts.path_size,
             parts.path, (int)parts.query_size, parts.query_size > 0 ? parts.query : "");
    out_target->port = parts.port;
    if (parts.scheme == JG_URL_HTTP_UNIX) {
        take_socket(out_target);
    }
    return 0;
}

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    bool is_mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127;
    return address->sa_family == AF_INET6 && (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) || is_mapped);
}

/* A system without /etc/hosts does not know "localhost"; the library does. */
static bool resolve_alone(struct target *target) {
    jg_address own;
    if (jg_address_make(target->host, (int)target->port, &own) < 0) {
        return false;
    }
    const struct sockaddr *address = (const struct sockaddr *)(const void *)&own;
    target->address_size = address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                         : sizeof(struct sockaddr_in6);
    memcpy(&target->address, address, target->address_size);
    target->is_local = is_loopback(address);
    return true;
}

int target_resolve(struct target *target, char *out_error) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    char shown[SHOWN_SIZE];
    if (target->is_unix) {
        return 0;
    }
    snprintf(port, sizeof(port), "%u", target->port);
    int rc = getaddrinfo(target->host, port, &hints, &found);
    if (rc != 0 && resolve_alone(target)) {
        return 0;
    }
    if (rc != 0) {
        refuse(out_error, "host %s: %s", text_escape(target->host, shown, sizeof(shown)),
               gai_strerror(rc));
        return -EHOSTUNREACH;
    }
    memcpy(&target->address, found->ai_addr, found->ai_addrlen);
    target->address_size = found->ai_addrlen;
    target->is_local = true;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        target->is_local = target->is_local && is_loopback(at->ai_addr);
    }
    freeaddrinfo(found);
    return 0;
}
