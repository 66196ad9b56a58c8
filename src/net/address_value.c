// SPDX-License-Identifier: MIT
/* address_value.c – jg_address: made, read, written, compared, looked up.
 *
 * Holds      nothing.
 * Invariant  what format writes, parse reads as the same address.
 * Called by  user code; see address_value.h.
 * Why        see juggle/address.h.
 */
#include "net/address_value.h"

#include "base/mem.h"
#include "net/lookup.h"
#include "task/task.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the bytes of a jg_address are. */
typedef union __attribute__((may_alias)) view {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
} view;

_Static_assert(sizeof(view) == sizeof(jg_address), "all of either fits into the other");

static const view *look_at(const jg_address *address) {
    return (const view *)(const void *)address;
}

static socklen_t length_of(const jg_address *address) {
    switch (look_at(address)->any.sa_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return 0;
    }
}

struct op_address address_of_value(const jg_address *address) {
    struct op_address out = {.len = length_of(address)};
    memcpy(&out.storage, address, sizeof(*address));
    return out;
}

jg_address address_to_value(const struct op_address *address) {
    jg_address out = {{0}};
    if (address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6) {
        memcpy(&out, &address->storage, sizeof(out));
    }
    return out;
}

/* Which part of a number was wrong, where the code alone does not say it. */
static int tell_zone(const char *host, int rc) {
    return rc == -ENODEV ? (int)jg_fail(rc, "%s: no such interface", host) : (int)error_bare(rc);
}

int jg_address_make(const char *host, int port, jg_address *out_address) {
    struct op_address address;
    int rc = address_parse(host, port, &address);
    if (rc == 0) {
        *out_address = address_to_value(&address);
    }
    return tell_zone(host, rc);
}

/* A port: digits alone, at most 65535. */
static int parse_port(const char *text) {
    int port = 0;
    if (text[0] == '\0') {
        return -EINVAL;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || port > 65535) {
            return -EINVAL;
        }
        port = port * 10 + (*text - '0');
    }
    return port <= 65535 ? port : -EINVAL;
}

int jg_address_parse(const char *text, jg_address *out_address) {
    char host[HOST_MOST + 1];
    bool bracket = text[0] == '[';
    const char *start = bracket ? text + 1 : text;
    const char *end = bracket ? strchr(start, ']') : strrchr(start, ':');
    const char *colon = bracket && end != NULL ? end + 1 : end;
    if (end == NULL || *colon != ':' || end == start || (size_t)(end - start) > HOST_MOST) {
        return (int)error_bare(-EINVAL);
    }
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    int port = parse_port(colon + 1);
    if (port < 0 || bracket != (strchr(host, ':') != NULL)) {
        return (int)error_bare(-EINVAL); // brackets are for IPv6, and IPv6 needs them
    }
    return jg_address_make(host, port, out_address);
}

/* Writes "%eth0" behind the number of an address that needs it: the interface's name, or its number when it
 * is gone. */
static void write_zone(const struct sockaddr_in6 *address, char *out_text, size_t size) {
    char name[IF_NAMESIZE];
    uint32_t index = address->sin6_scope_id;
    if (index == 0 || !address_has_zone(&address->sin6_addr)) {
        out_text[0] = '\0';
    } else if (if_indextoname(index, name) != NULL) {
        snprintf(out_text, size, "%%%s", name);
    } else {
        snprintf(out_text, size, "%%%u", index);
    }
}

ssize_t jg_address_format(const jg_address *address, char *out_text, size_t cap) {
    char host[INET6_ADDRSTRLEN];
    char zone[IF_NAMESIZE + 1] = "";
    int port = jg_address_port(address);
    const view *seen = look_at(address);
    bool ipv6 = seen->any.sa_family == AF_INET6;
    if (length_of(address) == 0) {
        return error_bare(-EINVAL);
    }
    inet_ntop(seen->any.sa_family,
              ipv6 ? (const void *)&seen->ipv6.sin6_addr : (const void *)&seen->ipv4.sin_addr, host,
              sizeof(host));
    if (ipv6) {
        write_zone(&seen->ipv6, zone, sizeof(zone));
    }
    char text[JG_ADDRESS_TEXT];
    int size = snprintf(text, sizeof(text), ipv6 ? "[%s%s]:%d" : "%s%s:%d", host, zone, port);
    if ((size_t)size >= cap) {
        return error_bare(-ENOSPC);
    }
    memcpy(out_text, text, (size_t)size + 1);
    return size;
}

int jg_address_port(const jg_address *address) {
    const view *seen = look_at(address);
    if (length_of(address) == 0) {
        return 0;
    }
    return ntohs(seen->any.sa_family == AF_INET ? seen->ipv4.sin_port : seen->ipv6.sin6_port);
}

bool jg_address_equal(const jg_address *a, const jg_address *b) {
    const view *one = look_at(a);
    const view *other = look_at(b);
    if (one->any.sa_family != other->any.sa_family || jg_address_port(a) != jg_address_port(b)) {
        return false;
    }
    if (one->any.sa_family == AF_INET) {
        return one->ipv4.sin_addr.s_addr == other->ipv4.sin_addr.s_addr;
    }
    return length_of(a) == 0 || (one->ipv6.sin6_scope_id == other->ipv6.sin6_scope_id &&
                                 IN6_ARE_ADDR_EQUAL(&one->ipv6.sin6_addr, &other->ipv6.sin6_addr));
}

/* A name: asks for it. */
static int look_up(const char *host, int port, jg_address *out_addresses, size_t cap) {
    struct address_list *list = mem_alloc_zero(sizeof(*list));
    if (list == NULL) {
        return (int)error_bare(-ENOMEM);
    }
    int rc = lookup_host(host, port, list);
    int count = 0;
    for (int i = 0; rc == 0 && i < list->count && (size_t)count < cap; i++) {
        out_addresses[count++] = address_to_value(&list->addresses[i]);
    }
    mem_free(list);
    return rc < 0 ? rc : count;
}

int jg_resolve(const char *host, int port, jg_address *out_addresses, size_t cap) {
    struct op_address address;
    int rc = suspend_check(sched_current());
    if (rc < 0) {
        return rc;
    }
    rc = cap == 0 ? -EINVAL : address_of_number(host, port, &address);
    if (rc == -ENOENT) {
        return look_up(host, port, out_addresses, cap);
    }
    if (rc < 0) {
        return tell_zone(host, rc);
    }
    out_addresses[0] = address_to_value(&address);
    return 1;
}
