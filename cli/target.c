// SPDX-License-Identifier: MIT
/* target.c – see target.h.
 *
 * Holds      a small splitter of URLs, and getaddrinfo.
 * Invariant  nothing is cut silently: what does not fit is refused.
 * Called by  see target.h.
 * Why        see target.h.
 * Quirks     a socket is written http+unix://%2Frun%2Fapp.sock/path, percent-encoded.
 */
#include "target.h"

#include "text.h"
#include "units.h"

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

/* Copies `length` bytes as a string; false if they do not fit. */
static bool copy(char *out, size_t cap, const char *from, size_t length) {
    if (length >= cap) {
        return false;
    }
    memcpy(out, from, length);
    out[length] = '\0';
    return true;
}

static int hex_value(char c) {
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)((found - digits) % 16);
}

/* Undoes percent-encoding in place; false for a broken or a NUL byte. */
static bool decode(char *text) {
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_value(from[1]);
        int low = high < 0 ? -1 : hex_value(from[2]);
        if (low < 0 || high * 16 + low == 0) {
            return false;
        }
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return true;
}

/* Splits "host", "host:80", "[::1]:80". */
static int parse_authority(struct target *target, char *out_error) {
    const char *text = target->authority;
    bool in_brackets = *text == '[';
    size_t length = in_brackets ? strcspn(text, "]") : strcspn(text, ":");
    const char *after = text + length + (in_brackets && text[length] == ']');
    uint64_t port = 80;
    bool is_port = *after == ':' && units_parse_count(after + 1, &port) == 0 && port > 0 &&
                   port <= 65535 && strspn(after + 1, "0123456789") == strlen(after + 1);
    if ((in_brackets && text[length] != ']') || (*after != '\0' && !is_port)) {
        return refuse(out_error, "URL: the port is not a number from 1 to 65535");
    }
    length -= in_brackets;
    text += in_brackets;
    if (length == 0 || !copy(target->host, sizeof(target->host), text, length)) {
        return refuse(out_error, "URL: it names no host");
    }
    target->port = (unsigned)port;
    return 0;
}

static int parse_socket(struct target *target, char *out_error) {
    struct sockaddr_un *address = (struct sockaddr_un *)&target->address;
    snprintf(target->host, sizeof(target->host), "%s", target->authority);
    if (!decode(target->host) || target->host[0] == '\0' ||
        strlen(target->host) >= sizeof(address->sun_path)) {
        return refuse(out_error, "URL: write a socket as http+unix://%%2Frun%%2Fapp.sock/path");
    }
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, target->host, strlen(target->host) + 1);
    target->address_size = sizeof(*address);
    target->is_unix = true;
    target->is_local = true;
    snprintf(target->authority, sizeof(target->authority), "localhost");
    return 0;
}

int target_parse(const char *url, struct target *out_target, char *out_error) {
    static const char tcp[] = "http://";
    static const char local[] = "http+unix://";
    char shown[SHOWN_SIZE];
    *out_target = (struct target){.url = url};
    text_escape(url, shown, sizeof(shown));
    bool is_unix = strncmp(url, local, sizeof(local) - 1) == 0;
    if (!is_unix && strncmp(url, tcp, sizeof(tcp) - 1) != 0) {
        return refuse(out_error, "URL: '%s' is not http:// or http+unix://", shown);
    }
    for (const char *at = url; *at != '\0'; at++) {
        if (*at <= ' ' || *at >= 0x7F) {
            return refuse(out_error, "URL: '%s' holds a blank or a byte that is not ASCII", shown);
        }
    }
    const char *authority = url + (is_unix ? sizeof(local) : sizeof(tcp)) - 1;
    size_t length = strcspn(authority, "/?#");
    const char *path = authority + length;
    size_t path_length = strcspn(path, "#");
    bool needs_slash = *path != '/';
    out_target->path[0] = '/';
    if (memchr(authority, '@', length) != NULL) {
        return refuse(out_error, "URL: a user name in a URL is not supported");
    }
    if (!copy(out_target->authority, sizeof(out_target->authority), authority, length) ||
        !copy(out_target->path + needs_slash, sizeof(out_target->path) - needs_slash, path,
              path_length)) {
        return refuse(out_error, "URL: '%s' is too long", shown);
    }
    return is_unix ? parse_socket(out_target, out_error) : parse_authority(out_target, out_error);
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
