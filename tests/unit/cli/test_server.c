// SPDX-License-Identifier: MIT
/* test_server.c – who listens at the target, and how busy they are.
 *
 * Holds      servers that only listen and compute.
 * Invariant  none.
 * Called by  the test runner.
 * Why        a race against a server at its limit must say so.
 * Quirks     CPU time is compared with CPU time, so the machine's load does not matter.
 */
#include "fixtures/fixture.h"

#include "cli/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const uint64_t burn_ns = 400000000;

static struct target target;
static char error[TARGET_ERROR_SIZE];

static uint64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A child that holds `listener`: waits for a byte, computes, answers with a byte, waits. */
struct child {
    pid_t pid;
    int talk;
};

static struct child start(int listener) {
    int ends[2];
    struct child child;
    char byte = 0;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    child.pid = fork();
    ck_assert_int_ge(child.pid, 0);
    if (child.pid == 0) {
        close(ends[0]);
        while (read(ends[1], &byte, 1) == 1) {
            for (uint64_t begin_ns = cpu_ns(); cpu_ns() - begin_ns < burn_ns;) {}
            if (write(ends[1], &byte, 1) != 1) {
                break;
            }
        }
        _exit(0);
    }
    close(ends[1]);
    close(listener);
    child.talk = ends[0];
    return child;
}

static void burn(const struct child *child) {
    char byte = 'x';
    ck_assert_int_eq(write(child->talk, &byte, 1), 1);
    ck_assert_int_eq(read(child->talk, &byte, 1), 1);
}

static void stop(const struct child *child) {
    close(child->talk);
    ck_assert_int_eq(waitpid(child->pid, NULL, 0), child->pid);
}

static int listen_tcp(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char url[64];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 5), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
    ck_assert_int_eq(target_parse(url, &target, error), 0);
    ck_assert_int_eq(target_resolve(&target, error), 0);
    return listener;
}

// A server that used a whole core set the pace; one that slept did not.
START_TEST(busy_server_is_told_from_idle) {
    struct server server;
    struct server_load load;
    struct child child = start(listen_tcp());
    server_find(&target, &server);
    ck_assert_uint_eq(server.count, 1);
    ck_assert_int_eq(server.pids[0], child.pid);
    server_begin(&server);
    burn(&child);
    server_end(&server, burn_ns, &load);
    ck_assert(load.known);
    ck_assert_msg(load.cores > 0.9 && load.cores < 1.3, "%f cores", load.cores);
    ck_assert(server_is_busy(&load));
    server_begin(&server);
    server_end(&server, burn_ns, &load);
    ck_assert(load.known);
    ck_assert(!server_is_busy(&load));
    stop(&child);
}
END_TEST

// Over a few milliseconds clock ticks say nothing, and nothing must be concluded from them.
START_TEST(short_rounds_are_not_judged) {
    struct server server;
    struct server_load load;
    struct child child = start(listen_tcp());
    server_find(&target, &server);
    server_begin(&server);
    burn(&child);
    server_end(&server, 5000000, &load);
    ck_assert(!load.known);
    ck_assert(!server_is_busy(&load));
    stop(&child);
    server_begin(&server);
    server_end(&server, burn_ns, &load);
    ck_assert(!server_is_busy(&load));
}
END_TEST

// Nobody listens, or elsewhere: unknown, not idle.
START_TEST(absent_server_is_unknown) {
    struct server server = {.count = 7};
    struct server_load load;
    close(listen_tcp());
    server_find(&target, &server);
    ck_assert_uint_eq(server.count, 0);
    server_begin(&server);
    server_end(&server, burn_ns, &load);
    ck_assert(!load.known);
}
END_TEST

// A Unix socket is found by its path.
START_TEST(unix_server_is_found) {
    char folder[] = "/tmp/juggle-test-XXXXXX";
    char url[128];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct server server;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
    snprintf(url, sizeof(url), "http+unix://%%2Ftmp%%2F%s%%2Fs/", folder + strlen("/tmp/"));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 5), 0);
    struct child child = start(listener);
    ck_assert_int_eq(target_parse(url, &target, error), 0);
    server_find(&target, &server);
    ck_assert_uint_eq(server.count, 1);
    ck_assert_int_eq(server.pids[0], child.pid);
    stop(&child);
    unlink(address.sun_path);
    rmdir(folder);
}
END_TEST

FIXTURE_MAIN("cli/server", busy_server_is_told_from_idle, short_rounds_are_not_judged,
             absent_server_is_unknown, unix_server_is_found)
