// SPDX-License-Identifier: MIT
/* address.c – see address.h.
 *
 * Holds      nothing.
 * Invariant  see address.h.
 * Called by  see address.h.
 * Why        see address.h.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

static struct op_address ipv4_address(const struct in_addr *host, int port) {
    struct op_address address = {.len = sizeof(struct sockaddr_in)};
    address.in = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = *host};
    return address;
}

static struct op_address ipv6_address(const struct in6_addr *host, int port, uint32_t scope) {
    struct op_address address = {.len = sizeof(struct sockaddr_in6)};
    address.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                        .sin6_port = htons((uint16_t)port),
                                        .sin6_addr = *host,
                                        .sin6_scope_id = scope};
    return address;
}

static bool name_is_valid(const char *host) {
    size_t len = strlen(host);
    if (len == 0 || len > HOST_MOST) {
        return false;
    }
    for (const char *c = host; *c != '\0'; c++) {
        bool ok = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                  (*c >= '0' && *c <= '9') || strchr("-._:", *c) != NULL;
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool address_is_local(const char *host) {
    static const char own[] = ".localhost";
    const size_t own_len = sizeof(own) - 1;
    size_t len = host != NULL ? strlen(host) : 0;
    len -= len > 0 && host[len - 1] == '.';
    if (len + 1 == own_len) {
        return strncasecmp(host, own + 1, len) == 0;
    }
    return host == NULL || (len > own_len && strncasecmp(host + len - own_len, own, own_len) == 0);
}

void address_list_local(int port, struct address_list *out_list) {
    const struct in_addr ipv4 = {htonl(INADDR_LOOPBACK)};
    out_list->addresses[0] = ipv4_address(&ipv4, port);
    out_list->addresses[1] = ipv6_address(&in6addr_loopback, port, 0);
    out_list->count = 2;
}

int address_of_number(const char *host, int port, struct op_address *out_address) {
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (port < 0 || port > 65535 || (host != NULL && !name_is_valid(host))) {
        return -EINVAL;
    }
    if (host != NULL && inet_pton(AF_INET, host, &ipv4) == 1) {
        *out_address = ipv4_address(&ipv4, port);
        return 0;
    }
    if (host != NULL && inet_pton(AF_INET6, host, &ipv6) == 1) {
        *out_address = ipv6_address(&ipv6, port, 0);
        return 0;
    }
    return -ENOENT;
}

int address_parse(const char *host, int port, struct op_address *out_address) {
    int rc = address_of_number(host, port, out_address);
    return rc == -ENOENT && address_is_local(host)
               ? address_of_number("127.0.0.1", port, out_address)
               : rc;
}

int address_unix(const char *path, struct op_address *out_address) {
    struct sockaddr_un *un = &out_address->un;
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(un->sun_path)) {
        return -EINVAL;
    }
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(un->sun_path, path, len);
    out_address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (path[0] == '@') {
        un->sun_path[0] = '\0';
    } else {
        out_address->len++;
    }
    return 0;
}
