// SPDX-License-Identifier: MIT
/* address.c – see address.h.
 *
 * Holds      nothing.
 * Invariant  see address.h.
 * Called by  see address.h.
 * Why        getaddrinfo may block for seconds: in a loop it runs on a worker thread, so that the
 *            other tasks go on; the waiter goes on when it is done.
 */
#include "net/address.h"

#include "base/mem.h"
#include "task/task.h"

#include <juggle/worker.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum { HOST_MOST = 253 };

static struct op_address ipv4_address(const struct in_addr *host, int port) {
    struct op_address address = {.len = sizeof(struct sockaddr_in)};
    *(struct sockaddr_in *)(void *)&address.storage = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = *host};
    return address;
}

static struct op_address ipv6_address(const struct in6_addr *host, int port, uint32_t scope) {
    struct op_address address = {.len = sizeof(struct sockaddr_in6)};
    *(struct sockaddr_in6 *)(void *)&address.storage = (struct sockaddr_in6){
        .sin6_family = AF_INET6,
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

int address_parse(const char *host, int port, struct op_address *out_address) {
    struct in_addr ipv4 = {htonl(INADDR_LOOPBACK)};
    struct in6_addr ipv6;
    if (port < 0 || port > 65535 || (host != NULL && !name_is_valid(host))) {
        return -EINVAL;
    }
    if (host == NULL || strcasecmp(host, "localhost") == 0 ||
        inet_pton(AF_INET, host, &ipv4) == 1) {
        *out_address = ipv4_address(&ipv4, port);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &ipv6) == 1) {
        *out_address = ipv6_address(&ipv6, port, 0);
        return 0;
    }
    return -ENOENT;
}

struct lookup {
    const char *host;
    int port;
    struct address_list *list;
};

static int code_of(int resolver_error) {
    switch (resolver_error) {
    case EAI_NONAME:
    case EAI_NODATA:
        return -ENOENT;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        return -errno;
    default:
        return -EAGAIN;
    }
}

static void add_found(const struct addrinfo *found, const struct lookup *lookup) {
    struct address_list *list = lookup->list;
    if (found->ai_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)found->ai_addr;
        list->addresses[list->count++] = ipv4_address(&in->sin_addr, lookup->port);
    } else if (found->ai_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)found->ai_addr;
        list->addresses[list->count++] = ipv6_address(&in->sin6_addr, lookup->port,
                                                      in->sin6_scope_id);
    }
}

static intptr_t ask_resolver(void *arg) {
    const struct lookup *lookup = arg;
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *all = NULL;
    int error = getaddrinfo(lookup->host, NULL, &wanted, &all);
    if (error != 0) {
        return code_of(error);
    }
    for (const struct addrinfo *found = all; found != NULL; found = found->ai_next) {
        if (lookup->list->count < ADDRESSES_MOST) {
            add_found(found, lookup);
        }
    }
    freeaddrinfo(all);
    return lookup->list->count > 0 ? 0 : -ENOENT;
}

int address_resolve(const char *host, int port, struct address_list *out_list) {
    int rc;
    out_list->count = 0;
    struct lookup lookup = {.host = host, .port = port, .list = out_list};
    if (!jg_running()) {
        rc = (int)ask_resolver(&lookup);
    } else {
        jg_worker *worker;
        rc = jg_worker_start(JG_WORKER_THREAD, ask_resolver, &lookup, NULL, &worker);
        rc = rc < 0 ? rc : (int)jg_worker_join(worker);
    }
    return rc < 0 ? (int)jg_fail(rc, "cannot resolve host %s", host) : 0;
}

int address_unix(const char *path, struct op_address *out_address) {
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&out_address->storage;
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
