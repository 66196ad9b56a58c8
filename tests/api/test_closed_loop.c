// SPDX-License-Identifier: MIT
/* test_closed_loop.c – what was left open on a loop that has closed, used afterwards.
 *
 * Holds      what the first loop left open, per test.
 * Invariant  each use ends with its name: on the thread without a loop, and in a loop that came later.
 * Called by  ctest, on epoll and sim.
 * Why        the memory of the loop is gone, or the next one's: a use would call through the freed one, or
 *            reach what is another's.
 */
#define FIXTURE_LIMIT 30
#include "api/api.h"

#include <juggle/http.h>
#include <stdio.h>

enum { LOOPS_BETWEEN = 12 }; // by then the next loop lies where the first one lay

static jg_stream *left[2];
static jg_udp *left_udp;
static jg_listener *left_listener;

static intptr_t leave_open(void *arg) {
    (void)arg;
    open_pair(left);
    ck_assert_int_eq(jg_udp_open(NULL, NULL, &left_udp), 0);
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &left_listener), 0);
    ck_assert_int_eq(jg_write(left[0], "held", 4), 4);
    char *data;
    ck_assert_int_gt(jg_stream_fill(left[1], 10, &data), 0);
    return 0;
}

static intptr_t nothing(void *arg) {
    return (intptr_t)arg;
}

static intptr_t use_in_loop(void *fn) {
    jg_stream *own[2];
    open_pair(own); // their numbers are in use again
    return (*(jg_fn **)fn)(NULL);
}

static void use_without_loop(void *fn) {
    jg_run(leave_open, NULL);
    (*(jg_fn **)fn)(NULL);
}

static void use_in_next_loop(void *fn) {
    for (int i = 0; i < LOOPS_BETWEEN; i++) {
        jg_run(nothing, NULL);
    }
    jg_run(leave_open, NULL);
    for (int i = 0; i < LOOPS_BETWEEN; i++) {
        jg_run(nothing, NULL);
    }
    jg_run(use_in_loop, fn);
}

static void expect_named(jg_fn *use, const char *thing) {
    char text[100];
    snprintf(text, sizeof(text), "%s is used outside the loop or thread it was made on", thing);
    fixture_expect_abort(use_without_loop, &use, text);
    fixture_expect_abort(use_in_next_loop, &use, text);
}

static intptr_t read_left(void *arg) {
    (void)arg;
    char byte;
    return jg_read(left[1], &byte, 1);
}

static intptr_t write_left(void *arg) {
    (void)arg;
    return jg_write(left[0], "x", 1);
}

static intptr_t take_left(void *arg) {
    jg_stream_take(left[1], 1);
    return (intptr_t)arg;
}

static intptr_t fd_of_left(void *arg) {
    (void)arg;
    return jg_stream_fd(left[0]);
}

static intptr_t shut_down_left(void *arg) {
    (void)arg;
    return jg_stream_shutdown(left[0]);
}

static intptr_t ask_left(void *arg) {
    (void)arg;
    return jg_stream_idle_ok(left[0]);
}

static intptr_t close_left(void *arg) {
    jg_stream_close(left[0]);
    return (intptr_t)arg;
}

// A stream of a closed loop called through the freed loop's table of functions, or reached a stream of the
// next one.
START_TEST(a_stream_of_a_closed_loop_is_named) {
    jg_fn *const uses[] = {read_left,      write_left, take_left, fd_of_left,
                           shut_down_left, ask_left,   close_left};
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        expect_named(uses[i], "a stream");
    }
}
END_TEST

static intptr_t send_left(void *arg) {
    (void)arg;
    jg_address peer;
    ck_assert_int_eq(jg_address_make("127.0.0.1", 9, &peer), 0);
    return jg_udp_send(left_udp, &peer, "x", 1);
}

static intptr_t connect_left(void *arg) {
    (void)arg;
    jg_address peer;
    ck_assert_int_eq(jg_address_make("127.0.0.1", 9, &peer), 0);
    return jg_udp_connect(left_udp, &peer);
}

static intptr_t address_of_left(void *arg) {
    (void)arg;
    jg_address address;
    return jg_udp_address(left_udp, &address);
}

static intptr_t udp_fd_of_left(void *arg) {
    (void)arg;
    return jg_udp_fd(left_udp);
}

static intptr_t close_left_udp(void *arg) {
    jg_udp_close(left_udp);
    return (intptr_t)arg;
}

// The same for a datagram socket.
START_TEST(a_datagram_socket_of_a_closed_loop_is_named) {
    jg_fn *const uses[] = {send_left, connect_left, address_of_left, udp_fd_of_left,
                           close_left_udp};
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        expect_named(uses[i], "a datagram socket");
    }
}
END_TEST

static intptr_t accept_left(void *arg) {
    (void)arg;
    jg_stream *stream;
    return jg_accept(left_listener, &stream);
}

static intptr_t close_left_listener(void *arg) {
    jg_listener_close(left_listener);
    return (intptr_t)arg;
}

// The same for a listener.
START_TEST(a_listener_of_a_closed_loop_is_named) {
    expect_named(accept_left, "a listener");
    expect_named(close_left_listener, "a listener");
}
END_TEST

static jg_http_client *left_client;

static intptr_t leave_client(void *arg) {
    (void)arg;
    return jg_http_client_open(NULL, &left_client);
}

static intptr_t use_client(void *arg) {
    (void)arg;
    jg_http_response *response;
    return jg_http_get(left_client, "http://localhost/", &response);
}

static void use_client_in_next_loop(void *arg) {
    jg_run(leave_client, arg); // the same frame below both: their loops lie at one address
    jg_run(use_client, arg);
}

// A client would use the connections and timers of a closed loop in the next one.
START_TEST(a_client_of_a_closed_loop_is_named) {
    fixture_expect_abort(use_client_in_next_loop, NULL,
                         "outside the loop or thread it was made on");
}
END_TEST

static jg_process *left_process;

static intptr_t leave_process(void *arg) {
    (void)arg;
    const char *argv[] = {"cat", NULL};
    const jg_process_options options = {
        .argv = argv, .in.kind = JG_STDIO_PIPE, .out.kind = JG_STDIO_PIPE};
    return jg_process_spawn(&options, &left_process);
}

static void communicate_with_left(void *arg) {
    (void)arg;
    jg_process_output output;
    jg_run(leave_process, NULL);
    jg_process_communicate(left_process, NULL, 0, 0, &output);
}

// The pipes of a process are streams of its loop.
START_TEST(pipes_of_a_closed_loop_are_named) {
    if (on_backend("sim")) {
        fixture_skip("a simulated loop has no pipe to a real program");
    }
    fixture_expect_abort(communicate_with_left, NULL, "a stream is used outside the loop");
}
END_TEST

static intptr_t stall_left(void *arg) {
    (void)arg;
    return jg_sim_stream_stall(left[0], 5);
}

static void stall_in_next_loop(void *arg) {
    (void)arg;
    jg_fn *stall = stall_left;
    use_in_next_loop(&stall);
}

// A hand of the simulated world would stall whoever has the stream's number now.
START_TEST(a_simulated_stream_of_a_closed_loop_is_named) {
    if (!on_backend("sim")) {
        fixture_skip("about the simulated world");
    }
    fixture_expect_abort(stall_in_next_loop, NULL, "a stream is used outside the loop");
}
END_TEST

FIXTURE_MAIN("api/closed_loop", a_stream_of_a_closed_loop_is_named,
             a_datagram_socket_of_a_closed_loop_is_named, a_listener_of_a_closed_loop_is_named,
             a_client_of_a_closed_loop_is_named, pipes_of_a_closed_loop_are_named,
             a_simulated_stream_of_a_closed_loop_is_named)
