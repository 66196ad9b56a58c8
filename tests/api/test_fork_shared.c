// SPDX-License-Identifier: MIT
/* test_fork_shared.c – SEMANTICS X6: what a forked child shares with its parent through the kernel.
 *
 * Holds      nothing between tests.
 * Invariant  whatever the child calls, the parent's sockets, pipes, files and workers are as before.
 * Called by  ctest, on epoll and sim.
 * Why        an open file is one for both: the child's shutdown, mode or peer would be the parent's.
 */
#define FIXTURE_LIMIT 30
#include "api/api.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UNANSWERED = 100 }; // exit status: the call of this number was let through

/* Forks in the midst of a task; `fn(arg)` is all the child does. Returns its exit status. */
static int in_child(int (*fn)(void *), void *arg) {
    int status = -1;
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        _exit(fn(arg));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int first_let_through(const int *answers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (answers[i] != -ECHILD) {
            return UNANSWERED + (int)i;
        }
    }
    return 0;
}

#define REFUSED(...)                                                                               \
    first_let_through((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

struct shared {
    jg_stream *pair[2];
    jg_udp *udp;
    jg_listener *listener;
};

static int change_all(void *arg) {
    struct shared *shared = arg;
    jg_address peer;
    if (jg_address_make("127.0.0.1", 9, &peer) < 0 || jg_stream_idle_ok(shared->pair[0])) {
        return 1;
    }
    int rc = REFUSED(jg_stream_shutdown(shared->pair[0]), jg_udp_connect(shared->udp, &peer));
    jg_stream_close(shared->pair[0]);
    jg_stream_close(shared->pair[1]);
    jg_udp_close(shared->udp);
    jg_listener_close(shared->listener);
    return rc;
}

static intptr_t accept_one(void *listener) {
    jg_stream *stream;
    int rc = jg_accept(listener, &stream);
    jg_stream_close(rc == 0 ? stream : NULL);
    return rc;
}

static void check_traffic(struct shared *shared) {
    char bytes[4];
    jg_udp *other;
    jg_address to;
    jg_address local;
    jg_stream *stream;
    ck_assert_int_eq(jg_write(shared->pair[0], "x", 1), 1);
    ck_assert_int_eq(jg_read(shared->pair[1], bytes, 1), 1);
    ck_assert_int_eq(jg_udp_address(shared->udp, &to), 0);
    ck_assert_int_eq(jg_address_make("127.0.0.1", 0, &local), 0);
    ck_assert_int_eq(jg_udp_open(&local, NULL, &other), 0);
    ck_assert_int_eq(jg_udp_send(other, &to, "y", 1), 1);
    ck_assert_int_eq(jg_udp_recv(shared->udp, bytes, sizeof(bytes), NULL, NULL), 1);
    jg_udp_close(other);
    jg_task *accepting = jg_spawn(accept_one, shared->listener);
    ck_assert_int_eq(jg_tcp_connect(NULL, jg_listener_port(shared->listener), &stream), 0);
    ck_assert_int_eq(jg_join(accepting), 0);
    jg_stream_close(stream);
}

static intptr_t change_body(void *arg) {
    (void)arg;
    struct shared shared;
    jg_address local;
    open_pair(shared.pair);
    ck_assert_int_eq(jg_address_make("127.0.0.1", 0, &local), 0);
    ck_assert_int_eq(jg_udp_open(&local, NULL, &shared.udp), 0);
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &shared.listener), 0);
    ck_assert_int_eq(in_child(change_all, &shared), 0);
    check_traffic(&shared);
    close_pair(shared.pair);
    jg_udp_close(shared.udp);
    jg_listener_close(shared.listener);
    return 0;
}

// A child's shutdown, or its socket's new peer, would be the end of its parent's connection.
START_TEST(x06_a_child_changes_no_socket_of_its_parent) {
    run_once(change_body, NULL);
}
END_TEST

static int open_all(void *arg) {
    const int *number = arg;
    const char *argv[] = {"true", NULL};
    const jg_process_options piped = {.argv = argv, .out.kind = JG_STDIO_PIPE};
    jg_stream *a;
    jg_stream *b;
    jg_udp *udp;
    jg_listener *listener;
    jg_process *process;
    return REFUSED(jg_stream_pair(&a, &b), jg_pipe(&a, &b), jg_stream_open_fd(*number, &a),
                   jg_tcp_listen(NULL, 0, &listener), jg_udp_open(NULL, NULL, &udp),
                   jg_tcp_connect("127.0.0.1", 9, &a),
                   on_backend("sim") ? -ECHILD : jg_stdio_open(1, &a),
                   on_backend("sim") ? -ECHILD : jg_process_spawn(&piped, &process));
}

static intptr_t open_body(void *arg) {
    (void)arg;
    int pipe_fds[2];
    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(in_child(open_all, &pipe_fds[0]), 0);
    ck_assert_int_eq(fcntl(pipe_fds[0], F_GETFL) & O_NONBLOCK, 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

// What a child opened on its copy of the loop could never be used; adopting would change a mode both share.
START_TEST(x06_a_child_opens_nothing_on_its_copy_of_the_loop) {
    run_once(open_body, NULL);
}
END_TEST

static void needs_kernel(void) {
    if (on_backend("sim")) {
        fixture_skip("simulated sockets stay in the process that made them");
    }
}

static int close_stream_in_child(void *stream) {
    jg_stream_close(stream);
    return 0;
}

static intptr_t lent_body(void *arg) {
    (void)arg;
    int pipe_fds[2];
    jg_stream *reader;
    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(jg_stream_open_fd(pipe_fds[0], &reader), 0);
    ck_assert_int_eq(in_child(close_stream_in_child, reader), 0);
    ck_assert_int_ne(fcntl(pipe_fds[0], F_GETFL) & O_NONBLOCK, 0);
    jg_stream_close(reader);
    close(pipe_fds[1]);
    return 0;
}

// A child that closes its copy would make the parent's end blocking, and the next read stop its whole loop.
START_TEST(x06_a_child_leaves_the_mode_of_what_it_closes) {
    needs_kernel();
    run_once(lent_body, NULL);
}
END_TEST

static int close_listener_in_child(void *listener) {
    jg_listener_close(listener);
    return 0;
}

static intptr_t path_body(void *arg) {
    (void)arg;
    char directory[] = "/tmp/juggle-fork-XXXXXX";
    char path[64];
    jg_listener *listener;
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/socket", directory);
    ck_assert_int_eq(jg_unix_listen(path, &listener), 0);
    ck_assert_int_eq(in_child(close_listener_in_child, listener), 0);
    ck_assert_int_eq(access(path, F_OK), 0);
    jg_listener_close(listener);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(rmdir(directory), 0);
    return 0;
}

// A child that closes its copy of a listener took the socket's file away: nobody could connect any more.
START_TEST(x06_a_child_leaves_the_file_of_a_listener) {
    needs_kernel();
    run_once(path_body, NULL);
    ck_assert_int_eq(path_body(NULL), 0); // without a loop as well
}
END_TEST

static intptr_t sleep_long(void *arg) {
    (void)arg;
    return jg_sleep(60000);
}

static int kill_worker_in_child(void *worker) {
    return REFUSED(jg_worker_kill(worker, 0), jg_worker_kill(worker, SIGKILL));
}

static intptr_t worker_body(void *arg) {
    (void)arg;
    jg_worker *worker;
    ck_assert_int_eq(jg_worker_start(JG_WORKER_PROCESS, sleep_long, NULL, NULL, &worker), 0);
    ck_assert_int_eq(in_child(kill_worker_in_child, worker), 0);
    ck_assert_int_eq(jg_worker_kill(worker, 0), 0);
    ck_assert_int_eq(jg_worker_kill(worker, SIGKILL), 0);
    ck_assert_int_eq(jg_worker_join(worker), -EOWNERDEAD);
    jg_error_clear();
    return 0;
}

// A child was told that its parent's worker has ended, while it runs.
START_TEST(x06_a_worker_is_its_parents_to_kill) {
    run_once(worker_body, NULL);
}
END_TEST

static int communicate_in_child(void *process) {
    jg_process_output output;
    return REFUSED(jg_process_communicate(process, "x", 1, 0, &output));
}

static intptr_t communicate_body(void *arg) {
    (void)arg;
    const char *argv[] = {"cat", NULL};
    const jg_process_options options = {
        .argv = argv, .in.kind = JG_STDIO_PIPE, .out.kind = JG_STDIO_PIPE};
    jg_process *process;
    jg_process_output output;
    ck_assert_int_eq(jg_process_spawn(&options, &process), 0);
    ck_assert_int_eq(in_child(communicate_in_child, process), 0);
    ck_assert_int_eq(jg_process_communicate(process, "y", 1, 0, &output), 0);
    ck_assert_uint_eq(output.out_size, 1);
    ck_assert_int_eq(output.out[0], 'y');
    jg_process_output_free(&output);
    jg_process_close(process);
    return 0;
}

// A child would feed its parent's process, and eat its output.
START_TEST(x06_a_process_is_its_parents_to_talk_to) {
    needs_kernel();
    run_once(communicate_body, NULL);
    ck_assert_int_eq(communicate_body(NULL), 0); // without a loop as well
}
END_TEST

FIXTURE_MAIN("api/fork_shared", x06_a_child_changes_no_socket_of_its_parent,
             x06_a_child_opens_nothing_on_its_copy_of_the_loop,
             x06_a_child_leaves_the_mode_of_what_it_closes,
             x06_a_child_leaves_the_file_of_a_listener, x06_a_worker_is_its_parents_to_kill,
             x06_a_process_is_its_parents_to_talk_to)
