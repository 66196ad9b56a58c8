// SPDX-License-Identifier: MIT
/* target.h – what a race is run against: a URL, and where it leads.
 *
 * Holds      the parts of the URL, and the address found for its host.
 * Invariant  after target_resolve the address is one that a connection can be made to.
 * Called by  command_race.c, command_demo.c (open); floor.c, preflight.c, server.c (read).
 * Why        whose machine a load hits must be known before the first request: a host that is not
 *            this one is refused unless the user says it is theirs.
 * Quirks     none.
 */
#ifndef JUGGLE_CLI_TARGET_H
#define JUGGLE_CLI_TARGET_H

#include <juggle/url.h>

#include <stdbool.h>
#include <sys/socket.h>

enum { TARGET_PATH_SIZE = 8200, TARGET_ERROR_SIZE = 256 };

struct target {
    const char *url;                       /* as given; borrowed */
    char host[JG_URL_HOST_SIZE];           /* without brackets; of a Unix socket: its path */
    char authority[JG_URL_AUTHORITY_SIZE]; /* what the Host header says */
    char path[TARGET_PATH_SIZE];           /* path and query, at least "/" */
    unsigned port;                         /* 0 for a Unix socket */
    bool is_unix;
    bool is_local; /* loopback or a Unix socket */
    struct sockaddr_storage address;
    socklen_t address_size;
};

/* Splits `url` (http:// or http+unix://) into its parts. Keeps `url`.
 *
 * Returns  0; -EINVAL with one line, without newline, in `out_error` (TARGET_ERROR_SIZE bytes).
 */
int target_parse(const char *url, struct target *out_target, char *out_error);

/* Finds the address of the host. A name counts as local only if all its addresses are.
 *
 * Returns  0; -EHOSTUNREACH with one line in `out_error`.
 */
int target_resolve(struct target *target, char *out_error);

#endif
