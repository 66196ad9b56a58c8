// SPDX-License-Identifier: MIT
/* test_serve.c – a listener served: every connection handled and closed, and the ways it ends.
 *
 * Holds      nothing between tests.
 * Invariant  no connection is lost, none outlives jg_serve.
 * Called by  ctest, on epoll and sim.
 * Why        SEMANTICS: completion wins for an accepted connection, also when the server stops.
 */
#define FIXTURE_LIMIT 20
#include "api/api.h"

enum { PEERS = 20 };

struct world {
    jg_listener *listener;
    jg_serve_options options;
    jg_event gate; // handlers that wait, wait for this
    int handled;
    int inside;
    int most_inside;
    int served; // what jg_serve returned
};

static intptr_t answer(jg_stream *stream, void *arg) {
    struct world *world = arg;
    char buf[16];
    world->handled++;
    ssize_t got = jg_read_until(stream, '\n', buf, sizeof(buf));
    return got > 0 ? jg_write(stream, buf, (size_t)got) : got;
}

static intptr_t wait_at_gate(jg_stream *stream, void *arg) {
    struct world *world = arg;
    world->handled++;
    world->inside++;
    world->most_inside = world->inside > world->most_inside ? world->inside : world->most_inside;
    int rc = jg_event_wait(&world->gate);
    world->inside--;
    return rc < 0 ? rc : jg_write(stream, "x\n", 2);
}

static intptr_t refuse(jg_stream *stream, void *arg) {
    (void)stream;
    ((struct world *)arg)->handled++;
    return jg_fail(-EPROTO, "not a peer of mine");
}

static void open_world(struct world *world) {
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &world->listener), 0);
}

static jg_stream *connect_to(struct world *world) {
    jg_stream *stream;
    ck_assert_int_eq(jg_tcp_connect(NULL, jg_listener_port(world->listener), &stream), 0);
    return stream;
}

static intptr_t serve_answers(void *arg) {
    struct world *world = arg;
    world->served = jg_serve(world->listener, answer, world, &world->options);
    return 0;
}

static intptr_t serve_gate(void *arg) {
    struct world *world = arg;
    jg_fail(-EBADF, "of before");
    world->served = jg_serve(world->listener, wait_at_gate, world, &world->options);
    ck_assert_str_ne(jg_error_detail(world->served), "of before");
    return 0;
}

static intptr_t serve_failures(void *arg) {
    struct world *world = arg;
    world->served = jg_serve(world->listener, refuse, world, NULL);
    return 0;
}

static intptr_t ask(void *arg) {
    jg_stream *stream = connect_to(arg);
    char buf[16];
    ck_assert_int_eq(jg_write(stream, "hello\n", 6), 6);
    ck_assert_int_eq(jg_read_until(stream, '\n', buf, sizeof(buf)), 6);
    ck_assert_int_eq(jg_read(stream, buf, sizeof(buf)), 0); // closed after the handler
    jg_stream_close(stream);
    return 0;
}

static intptr_t many_body(void *arg) {
    (void)arg;
    struct world world = {.options = {.connections = 3}};
    open_world(&world);
    jg_task *server = jg_spawn(serve_answers, &world);
    JG_GROUP(peers) {
        for (int i = 0; i < PEERS; i++) {
            ck_assert_int_eq(jg_group_spawn(peers, ask, &world), 0);
        }
    }
    jg_listener_close(world.listener);
    ck_assert_int_eq(jg_join(server), 0);
    ck_assert_int_eq(world.served, -EBADF);
    ck_assert_int_eq(world.handled, PEERS);
    return 0;
}

// A connection beyond the limit would be lost, or one would stay open after its handler.
START_TEST(every_connection_is_handled_and_closed) {
    needs_loop();
    run_body(many_body);
}
END_TEST

static intptr_t limit_body(void *arg) {
    (void)arg;
    struct world world = {.options = {.connections = 2}};
    jg_stream *peers[4];
    char buf[2];
    open_world(&world);
    jg_task *server = jg_spawn(serve_gate, &world);
    for (int i = 0; i < 4; i++) {
        peers[i] = connect_to(&world);
    }
    jg_sleep(50);
    ck_assert_int_eq(world.inside, 2);
    jg_event_set(&world.gate);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(jg_read_exact(peers[i], buf, 2), 2);
        jg_stream_close(peers[i]);
    }
    ck_assert_int_eq(world.most_inside, 2);
    jg_cancel(server);
    ck_assert_int_eq(jg_join(server), 0);
    ck_assert_int_eq(world.served, -ECANCELED);
    jg_listener_close(world.listener);
    return 0;
}

// More connections than allowed would be held at a time.
START_TEST(connections_are_limited) {
    needs_loop();
    run_body(limit_body);
}
END_TEST

static intptr_t graceful_body(void *options) {
    struct world world = {.options = *(jg_serve_options *)options};
    char buf[2];
    open_world(&world);
    jg_task *server = jg_spawn(serve_gate, &world);
    jg_stream *peer = connect_to(&world);
    jg_sleep(50);
    jg_listener_close(world.listener);
    jg_sleep(50);
    ck_assert(!jg_done(server)); // it waits for its connection
    jg_event_set(&world.gate);
    ck_assert_int_eq(jg_join(server), 0);
    ck_assert_int_eq(world.served, -EBADF);
    ck_assert_int_eq(jg_read_exact(peer, buf, 2), 2);
    jg_stream_close(peer);
    return 0;
}

// Closing the listener would cut off who is being served.
START_TEST(a_closed_listener_lets_connections_finish) {
    needs_loop();
    for (size_t places = 0; places < 2; places++) { // as many as usual; none for another
        jg_serve_options options = {.connections = places};
        run_body_with(graceful_body, &options, "graceful_body\0" JG_HERE);
    }
}
END_TEST

static intptr_t cancel_body(void *arg) {
    (void)arg;
    struct world world = {.inside = 0};
    char buf[2];
    open_world(&world);
    jg_task *server = jg_spawn(serve_gate, &world);
    jg_stream *peer = connect_to(&world);
    jg_sleep(50);
    ck_assert_int_eq(world.inside, 1);
    jg_cancel(server);
    ck_assert_int_eq(jg_join(server), 0);
    ck_assert_int_eq(world.served, -ECANCELED);
    ck_assert_int_eq(world.inside, 0);
    ck_assert_int_le(jg_read(peer, buf, 2), 0);
    jg_stream_close(peer);
    jg_listener_close(world.listener);
    return 0;
}

// A cancelled server would leave its connections running.
START_TEST(a_cancel_reaches_the_connections) {
    needs_loop();
    run_body(cancel_body);
}
END_TEST

static int reports;

static void count_report(const jg_error *error) {
    reports += error->code == -EPROTO && strcmp(error->text, "not a peer of mine") == 0;
}

static intptr_t failures_body(void *arg) {
    (void)arg;
    struct world world = {.inside = 0};
    char byte;
    open_world(&world);
    reports = 0;
    jg_error_on_unretrieved(count_report);
    jg_task *server = jg_spawn(serve_failures, &world);
    for (int i = 0; i < 3; i++) {
        jg_stream *peer = connect_to(&world);
        ck_assert_int_le(jg_read(peer, &byte, 1), 0);
        jg_stream_close(peer);
    }
    jg_listener_close(world.listener);
    ck_assert_int_eq(jg_join(server), 0);
    jg_error_on_unretrieved(NULL);
    ck_assert_int_eq(world.handled, 3);
    ck_assert_int_eq(reports, 3);
    return 0;
}

// One peer's failure would end the server, or go unseen.
START_TEST(a_failed_handler_is_reported_and_others_go_on) {
    needs_loop();
    run_body(failures_body);
}
END_TEST

// A server without a loop would accept one connection and hang.
START_TEST(serving_needs_a_loop) {
    jg_listener *listener;
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &listener), 0);
    ck_assert_int_eq(jg_serve(listener, answer, NULL, NULL), -ENXIO);
    jg_listener_close(listener);
}
END_TEST

FIXTURE_MAIN("api/serve", every_connection_is_handled_and_closed, connections_are_limited,
             a_closed_listener_lets_connections_finish, a_cancel_reaches_the_connections,
             a_failed_handler_is_reported_and_others_go_on, serving_needs_a_loop)
