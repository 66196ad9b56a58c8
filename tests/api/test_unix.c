// SPDX-License-Identifier: MIT
/* test_unix.c – Unix sockets: whose file it is.
 *
 * Holds      a directory for each test, with one path in it.
 * Invariant  the directory is empty when a test ends.
 * Called by  ctest, on epoll and without a loop: a simulated world has no files.
 * Why        a socket file outlives a server that crashed, and may be the next server's.
 */
// Backends: epoll blocking
#include "api/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[] = "/tmp/juggle-unix-XXXXXX";
static char path[sizeof(directory) + 8];

/* Runs the body with `path` in a directory of its own, which it leaves empty. */
static void run_with_path(jg_fn *body) {
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/socket", directory);
    run_once(body, NULL);
    ck_assert_int_eq(rmdir(directory), 0);
}

static bool is_there(void) {
    return access(path, F_OK) == 0;
}

static jg_listener *listen_there(void) {
    jg_listener *listener = NULL;
    ck_assert_int_eq(jg_unix_listen(path, &listener), 0);
    ck_assert(is_there());
    return listener;
}

static int connect_there(void) {
    jg_stream *stream = NULL;
    int rc = jg_unix_connect(path, &stream);
    jg_stream_close(stream);
    return rc;
}

static intptr_t life_body(void *arg) {
    (void)arg;
    ck_assert_int_eq(connect_there(), -ENOENT);
    jg_listener *listener = listen_there();
    jg_listener *second = NULL;
    ck_assert_int_eq(jg_listener_port(listener), 0);
    ck_assert_int_eq(jg_unix_listen(path, &second), -EADDRINUSE);
    ck_assert_int_eq(connect_there(), 0);
    jg_listener_close(listener);
    ck_assert(!is_there());
    jg_listener_close(listen_there());
    return 0;
}

// A live server would be pushed aside, or its file stay behind.
START_TEST(a_socket_file_lives_as_long_as_its_listener) {
    run_with_path(life_body);
}
END_TEST

/* What a server that crashed leaves behind. */
static void leave_file(void) {
    union {
        struct sockaddr any;
        struct sockaddr_un un;
    } address = {.un = {.sun_family = AF_UNIX}};
    strcpy(address.un.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, &address.any, sizeof(address.un)), 0);
    close(fd);
}

static intptr_t stale_body(void *arg) {
    (void)arg;
    leave_file();
    ck_assert_int_eq(connect_there(), -ECONNREFUSED);
    jg_listener *listener = listen_there();
    ck_assert_int_eq(connect_there(), 0);
    jg_listener_close(listener);

    FILE *file = fopen(path, "w"); // no socket at all: somebody's data
    ck_assert_ptr_nonnull(file);
    fclose(file);
    ck_assert_int_eq(jg_unix_listen(path, &listener), -EADDRINUSE);
    ck_assert(is_there());
    ck_assert_int_eq(unlink(path), 0);
    return 0;
}

// After a crash nobody could listen again; or a file that is none of ours would be lost.
START_TEST(a_stale_socket_file_is_replaced) {
    run_with_path(stale_body);
}
END_TEST

static intptr_t next_server_body(void *arg) {
    (void)arg;
    jg_listener *old = listen_there();
    ck_assert_int_eq(unlink(path), 0);
    jg_listener *next = listen_there();
    jg_listener_close(old);
    ck_assert(is_there());
    ck_assert_int_eq(connect_there(), 0);
    jg_listener_close(next);
    ck_assert(!is_there());
    return 0;
}

// A server that ends would take away the file of the one that follows it, whom nobody then finds.
START_TEST(the_next_server_s_socket_file_is_left_alone) {
    run_with_path(next_server_body);
}
END_TEST

FIXTURE_MAIN("api/unix", a_socket_file_lives_as_long_as_its_listener,
             a_stale_socket_file_is_replaced, the_next_server_s_socket_file_is_left_alone)
