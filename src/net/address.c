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
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

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

bool address_has_zone(const struct in6_addr *host) {
    return IN6_IS_ADDR_LINKLOCAL(host) || IN6_IS_ADDR_MC_LINKLOCAL(host);
}

/* As if_nametoindex, which does not say what it lacked. */
static int ask_kernel(const char *name, uint32_t *out_index) {
    struct ifreq request = {.ifr_ifindex = 0};
    size_t len = strlen(name);
    if (len >= sizeof(request.ifr_name)) {
        return -ENODEV;
    }
    memcpy(request.ifr_name, name, len);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 || ioctl(fd, SIOCGIFINDEX, &request) != 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    *out_index = (uint32_t)request.ifr_ifindex;
    return rc;
}

/* The number of an interface: by its name, or as it stands. */
static int find_zone(const char *zone, uint32_t *out_index) {
    size_t digits = strspn(zone, "0123456789");
    unsigned long number = digits <= 10 && zone[digits] == '\0' ? strtoul(zone, NULL, 10) : 0;
    int rc = ask_kernel(zone, out_index);
    if (rc == 0 || number == 0 || number > UINT32_MAX) {
        return rc;
    }
    *out_index = (uint32_t)number;
    return 0;
}

/* "fe80::1%eth0": such an address says nothing without the interface. */
static int address_in_zone(const char *host, size_t len, int port, struct op_address *out_address) {
    char number[INET6_ADDRSTRLEN];
    struct in6_addr ipv6;
    uint32_t index;
    if (len >= sizeof(number) || host[len + 1] == '\0') {
        return -EINVAL;
    }
    memcpy(number, host, len);
    number[len] = '\0';
    if (inet_pton(AF_INET6, number, &ipv6) != 1 || !address_has_zone(&ipv6)) {
        return -EINVAL;
    }
    int rc = find_zone(host + len + 1, &index);
    if (rc == 0) {
        *out_address = ipv6_address(&ipv6, port, index);
    }
    return rc;
}

int address_of_number(const char *host, int port, struct op_address *out_address) {
    struct in_addr ipv4;
    struct in6_addr ipv6;
    const char *zone = host != NULL ? strchr(host, '%') : NULL;
    if (port < 0 || port > 65535 || (host != NULL && zone == NULL && !name_is_valid(host))) {
        return -EINVAL;
    }
    if (zone != NULL) {
        return address_in_zone(host, (size_t)(zone - host), port, out_address);
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
