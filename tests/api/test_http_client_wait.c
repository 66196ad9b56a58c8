// SPDX-License-Identifier: MIT
/* test_http_client_wait.c – time limits, cancels, kept connections, and who waits for whom.
 *
 * Holds      nothing.
 * Invariant  tests that need several tasks are skipped without a loop.
 * Called by  ctest, once per backend.
 * Why        a client that hangs, or loses a place in its pool each time somebody gives up, works for
 *            a day and then stops.
 */
// Backends: epoll sim blocking
#include "http_client_steps.h"

// Time limits. R27.

struct limit {
    jg_http_client_options options;
    const char *text;
};

static void limit_body(struct peer *peer) {
    const struct limit *limit = peer->arg;
    jg_http_client *client = client_open(&limit->options);
    int64_t began_ns = jg_now();
    expect_get_error(client, peer, -ETIMEDOUT, limit->text);
    int64_t took_ms = (jg_now() - began_ns) / JG_MS;
    ck_assert_msg(took_ms >= 60 && took_ms < 2000, "it took %lld ms", (long long)took_ms);
    peer_await(&peer->ended, 1);
    jg_http_client_close(client);
}

// A server that stops in the middle would hold its clients for ever.
START_TEST(r27_each_time_limit_strikes_and_is_named) {
    static const struct {
        struct peer_reply reply;
        struct limit limit;
    } cases[] = {
        {{.bytes = NULL, .after = PEER_HANG},
         {{.first_byte_ms = 60}, "no first byte of an answer within 60 ms (first_byte_ms)"}},
        {{.bytes = NULL, .after = PEER_HANG},
         {{.total_ms = 60}, "the whole was not done within 60 ms (total_ms)"}},
        {{.bytes = "HTTP/1.1 200", .after = PEER_HANG}, {{.idle_ms = 60}, "idle_ms"}},
        {{.bytes = OK_HEAD "Content-Length: 9\r\n\r\nhello", .after = PEER_HANG},
         {{.idle_ms = 60}, "nothing moved within 60 ms (idle_ms)"}},
        {{.bytes = OK_HEAD "Content-Length: 9\r\n\r\nhello", .after = PEER_HANG},
         {{.total_ms = 60}, "total_ms"}},
        {{.bytes = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello", .after = PEER_HANG},
         {{.idle_ms = 60, .total_ms = -1, .first_byte_ms = -1}, "idle_ms"}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        peer_run(&cases[i].reply, 1, limit_body, (void *)(uintptr_t)&cases[i].limit);
    }
}
END_TEST

static void drip_body(struct peer *peer) {
    jg_http_client *client = client_open(
        &(jg_http_client_options){.idle_ms = 2000, .total_ms = 300});
    expect_get_error(client, peer, -ETIMEDOUT, "total_ms");
    jg_http_client_close(client);
}

// A byte now and then would keep an exchange alive for ever.
START_TEST(r27_drip_ends_at_the_total_limit) {
    static char slow[4096] = OK_HEAD "X: ";
    memset(slow + strlen(slow), 'x', sizeof slow - 1 - strlen(slow));
    const struct peer_reply reply = {.bytes = slow, .slice = 1, .slice_ms = 20};
    peer_run(&reply, 1, drip_body, NULL);
}
END_TEST

static void outer_limit_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    int rc = 0;
    JG_TIMEOUT(50, rc) {
        jg_http_response *response;
        rc = jg_http_get(client, peer->url, &response);
        ck_assert_int_eq(rc, -ECANCELED);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    peer_await(&peer->ended, 1);
    jg_http_client_close(client);
}

// The caller's own deadline would be taken for the client's, or not be minded.
START_TEST(callers_deadline_is_the_callers) {
    static const struct peer_reply reply = {.bytes = NULL, .after = PEER_HANG};
    peer_run(&reply, 1, outer_limit_body, NULL);
}
END_TEST

static void resumed_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    jg_http_response *response = ask(client, peer);
    char text[16] = "";
    size_t done = 0;
    int cancelled = 0;
    while (done < 11) {
        ssize_t got = 0;
        JG_TIMEOUT(15, got) {
            got = jg_http_read(response, text + done, sizeof text - done);
        }
        ck_assert(got > 0 || got == -ETIMEDOUT);
        cancelled += got < 0;
        done += got > 0 ? (size_t)got : 0;
    }
    ck_assert_str_eq(text, "hello world");
    ck_assert_int_ge(cancelled, 1);
    ck_assert_int_eq(jg_http_read(response, text, 1), 0);
    jg_http_response_close(response);
    jg_http_client_close(client);
}

// A reader that gives up for a moment would lose what had come. R4.
START_TEST(cancelled_read_loses_nothing) {
    static const struct peer_reply reply = {
        .bytes = OK_HEAD "Content-Length: 11\r\n\r\nhello", .later = " world", .later_ms = 100};
    peer_run(&reply, 1, resumed_body, NULL);
}
END_TEST

static intptr_t get_once(void *arg) {
    struct peer *peer = arg;
    jg_http_client *client = peer->arg;
    jg_http_response *response;
    int rc = jg_http_get(client, peer->url, &response);
    if (rc == 0) {
        jg_http_response_close(response);
    }
    return rc;
}

static void cancel_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    peer->arg = client;
    jg_task *task = jg_spawn(get_once, peer);
    peer_await(&peer->requests, 1);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    peer_await(&peer->ended, 1);
    jg_cancel(jg_self());
    jg_http_response *response;
    ck_assert_int_eq(jg_http_get(client, peer->url, &response), -ECANCELED);
    jg_uncancel(jg_self());
    ck_assert_int_eq(peer->requests, 1);
    jg_http_client_close(client);
}

// A cancelled request would go on, or leave a connection behind on which its answer still comes.
START_TEST(cancel_ends_the_request_and_its_connection) {
    needs_loop();
    static const struct peer_reply reply = {.bytes = NULL, .after = PEER_HANG};
    peer_run(&reply, 1, cancel_body, NULL);
}
END_TEST

static ssize_t slow_source(void *arg, void *buf, size_t cap) {
    int *left = arg;
    memset(buf, 's', cap < 100 ? cap : 100);
    int rc = jg_sleep(1);
    return rc < 0 ? rc : --*left >= 0 ? 100 : 0;
}

static intptr_t upload_and_read(void *arg) {
    struct peer *peer = arg;
    int left = 3;
    const jg_http_request request = {
        .method = "PUT", .url = peer->url, .source = slow_source, .source_arg = &left};
    jg_http_response *response;
    int rc = jg_http_send(peer->arg, &request, &response);
    if (rc < 0) {
        return rc;
    }
    const char *data;
    ssize_t size = jg_http_body(response, &data);
    ck_assert(size == 5 || size == -ECANCELED);
    jg_http_response_close(response);
    return size < 0 ? size : 0;
}

static void cancel_any_time_body(struct peer *peer) {
    jg_http_client *client = client_open(&(jg_http_client_options){.connections = 1});
    peer->arg = client;
    bool finished = false;
    for (int64_t after_ns = 0; !finished; after_ns += on_backend("sim") ? 50000 : 500000) {
        jg_task *task = jg_spawn(upload_and_read, peer);
        ck_assert_int_eq(jg_sleep_until(jg_now() + after_ns), 0);
        jg_cancel(task);
        intptr_t rc = jg_join(task);
        ck_assert_msg(rc == 0 || rc == -ECANCELED, "%s", jg_error_detail(rc));
        finished = rc == 0;
        if (after_ns % 1000000 == 0) {
            jg_http_response_close(get_ok(client, peer->url)); // its one place is free again
        }
    }
    jg_http_client_close(client);
}

// Some moment of an exchange would not be prepared to be its last. R2.
START_TEST(cancel_is_safe_at_any_moment) {
    needs_loop();
    static const struct peer_reply reply = {
        .bytes = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        .slice = 9,
        .slice_ms = 1};
    peer_run(&reply, 1, cancel_any_time_body, NULL);
}
END_TEST

// Kept connections. R30, R33.

static void unsolicited_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    expect_get(client, peer, "hello");
    peer_await(&peer->done, 1);
    ck_assert_int_eq(jg_sleep(50), 0); // what was sent has come by now
    ck_assert(!expect_get(client, peer, "hello"));
    ck_assert_int_eq(peer->requests, 2);
    jg_http_client_close(client);
}

// Bytes nobody asked for would be read as the answer to the next request.
START_TEST(r33_kept_connection_with_unsolicited_bytes_is_dropped) {
    static const struct peer_reply replies[] = {
        {.bytes = HELLO, .later = OK_HEAD "Content-Length: 4\r\n\r\nevil", .later_ms = 20},
        {.bytes = HELLO},
    };
    peer_run(replies, 2, unsolicited_body, NULL);
}
END_TEST

static void closed_while_kept_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    expect_get(client, peer, "hello");
    peer_await(&peer->ended, 1);
    ck_assert_int_eq(jg_sleep(50), 0);
    jg_http_request post = {.url = peer->url, .method = "POST"};
    finish(send_ok(client, &post)); // it is seen before anything is sent
    ck_assert_int_eq(peer->requests, 2);
    jg_http_client_close(client);
}

// A POST would fail whenever the server has closed an idle connection long ago.
START_TEST(r30_kept_connection_closed_meanwhile_is_not_used) {
    static const struct peer_reply reply = {.bytes = HELLO, .after = PEER_CLOSE};
    peer_run(&reply, 1, closed_while_kept_body, NULL);
}
END_TEST

static void too_old_body(struct peer *peer) {
    jg_http_client *client = client_open(peer->arg);
    expect_get(client, peer, "hello");
    ck_assert_int_eq(jg_sleep(60), 0);
    ck_assert(!expect_get(client, peer, "hello"));
    ck_assert_int_eq(peer->accepted, 2);
    jg_http_client_close(client);
}

// Connections would be used for longer than servers and firewalls remember them.
START_TEST(old_connections_are_not_reused) {
    static const struct peer_reply reply = {.bytes = HELLO};
    static const jg_http_client_options options[] = {{.keep_ms = 50}, {.age_ms = 50}};
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        peer_run(&reply, 1, too_old_body, (void *)(uintptr_t)&options[i]);
    }
}
END_TEST

static void swept_body(struct peer *peer) {
    jg_http_client *client = client_open(&(jg_http_client_options){.keep_ms = 20});
    expect_get(client, peer, "hello");
    peer_await(&peer->ended, 1); // nobody asks the client for anything
    ck_assert_int_eq(peer->requests, 1);
    jg_http_client_close(client);
}

// A client nobody uses would keep its connections open for ever.
START_TEST(idle_connections_are_closed_in_time) {
    needs_loop(); // without one there is nobody to do it
    static const struct peer_reply reply = {.bytes = HELLO};
    peer_run(&reply, 1, swept_body, NULL);
}
END_TEST

// Who waits for whom. R31.

static void held_body(struct peer *peer) {
    jg_http_client *client = client_open(
        &(jg_http_client_options){.connections_per_origin = 1, .total_ms = 60});
    jg_http_response *response = ask(client, peer);
    if (jg_running()) {
        expect_get_error(client, peer, -ETIMEDOUT, "total_ms");
    } else {
        expect_get_error(client, peer, -EDEADLK, "held by responses");
    }
    jg_http_response_close(response);
    expect_get(client, peer, "hello");
    jg_http_client_close(client);
}

// A thread would wait for itself; a task for ever.
START_TEST(no_free_connection_is_no_endless_wait) {
    static const struct peer_reply replies[] = {
        {.bytes = OK_HEAD "Content-Length: 9\r\n\r\nhello", .after = PEER_HANG},
        {.bytes = HELLO},
    };
    peer_run(replies, 2, held_body, NULL);
}
END_TEST

struct turn {
    struct peer *peer;
    jg_http_client *client;
    int *order; // filled as they are served
    int *served;
    int number;
};

static intptr_t take_turn(void *arg) {
    struct turn *turn = arg;
    jg_http_response *response = get_ok(turn->client, turn->peer->url);
    turn->order[(*turn->served)++] = turn->number;
    jg_http_response_close(response);
    return 0;
}

static void turns_body(struct peer *peer) {
    enum { TURNS = 50 };
    jg_http_client *client = client_open(&(jg_http_client_options){.connections_per_origin = 1});
    int order[TURNS];
    int served = 0;
    struct turn turns[TURNS];
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        for (int i = 0; i < TURNS; i++) {
            turns[i] = (struct turn){peer, client, order, &served, i};
            const jg_spawn_options eager = {.group = group, .eager = true};
            jg_detach(jg_spawn_with(take_turn, &turns[i], &eager));
        }
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(served, TURNS);
    for (int i = 0; i < TURNS; i++) {
        ck_assert_int_eq(order[i], i);
    }
    ck_assert_int_eq(peer->accepted, 1);
    jg_http_client_close(client);
}

// Whoever waits for a connection could be overtaken without end.
START_TEST(connections_go_to_who_waited_longest) {
    needs_loop();
    static const struct peer_reply reply = {.bytes = HELLO};
    peer_run(&reply, 1, turns_body, NULL);
}
END_TEST

enum { WORKERS = 20, ROUNDS = 15, PLACES = 10 };

static intptr_t work(void *arg) {
    struct turn *turn = arg;
    for (int i = 0; i < ROUNDS; i++) {
        int rc = 0;
        // Sometimes too short for an answer, sometimes for a place.
        JG_TIMEOUT(1 + (turn->number * 7 + i * 3) % 12, rc) {
            jg_http_response *response;
            rc = jg_http_get(turn->client, turn->peer->url, &response);
            if (rc == 0) {
                expect_body(response, "hello");
                jg_http_response_close(response);
            }
        }
        ck_assert_msg(rc == 0 || rc == -ETIMEDOUT, "%s", jg_error_detail(rc));
        *turn->served += rc == 0;
    }
    return 0;
}

static intptr_t hold(void *arg) {
    struct turn *turn = arg;
    jg_http_response *response = ask(turn->client, turn->peer);
    finish(response);
    ++*turn->served;
    return 0;
}

static void leak_body(struct peer *peer) {
    jg_http_client *client = client_open(
        &(jg_http_client_options){.connections = PLACES, .connections_per_origin = PLACES});
    struct turn turns[WORKERS];
    int served = 0;
    JG_GROUP(group) {
        for (int i = 0; i < WORKERS; i++) {
            turns[i] = (struct turn){peer, client, NULL, &served, i};
            jg_group_spawn(group, work, &turns[i]);
        }
    }
    served = 0;
    JG_TIMEOUT(20000) {
        JG_GROUP(group) {
            for (int i = 0; i < PLACES; i++) {
                jg_group_spawn(group, hold, &turns[i]);
            }
        }
    }
    ck_assert_int_eq(served, PLACES);
    jg_http_client_close(client); // it counts its places itself, and aborts if one is missing
}

// Each request that is given up would take its place with it, until none is left.
START_TEST(r31_given_up_requests_lose_no_place) {
    needs_loop();
    static const struct peer_reply reply = {.bytes = HELLO, .slice = 20, .delay_ms = 3};
    for (uint64_t i = 0; i < (on_backend("sim") ? API_SEEDS * 4 : 1); i++) {
        peer_run_seed(&reply, 1, leak_body, NULL, fixture_seed() + i);
    }
}
END_TEST

static void two_origins_body(struct peer *peer) {
    char other[128];
    snprintf(other, sizeof other, "http://localhost:%d/", peer->port); // another name, same peer
    jg_http_client *client = client_open(&(jg_http_client_options){.connections = 1});
    for (int i = 0; i < 3; i++) {
        ck_assert(!expect_get(client, peer, "hello"));
        ck_assert(expect_get(client, peer, "hello"));
        jg_http_response *response = get_ok(client, other);
        ck_assert(!jg_http_response_reused(response));
        jg_http_response_close(response);
    }
    ck_assert_int_eq(peer->accepted, 6);
    peer_await(&peer->ended, 5);
    jg_http_client_close(client);
}

// Idle connections to one server would keep everybody from talking to another.
START_TEST(idle_connection_makes_room_for_another_origin) {
    static const struct peer_reply reply = {.bytes = HELLO};
    peer_run(&reply, 1, two_origins_body, NULL);
}
END_TEST

// Misuse.

static intptr_t close_with_response(void *arg) {
    struct peer *peer = arg;
    jg_http_client *client = client_open(NULL);
    get_ok(client, peer->url);
    jg_http_client_close(client);
    return 0;
}

static void misuse(void *arg) {
    static const struct peer_reply reply = {.bytes = HELLO};
    peer_run_seed(&reply, 1, arg, NULL, 1);
}

static void close_too_early(struct peer *peer) {
    close_with_response(peer);
}

// A response would point into memory that is gone.
START_TEST(client_with_open_responses_cannot_be_closed) {
    fixture_expect_abort(misuse, close_too_early, "1 requests or responses of it still open");
}
END_TEST

static void elsewhere(void *arg) {
    jg_http_client *client = client_open(NULL);
    struct peer peer = {.url = "http://127.0.0.1:1/", .arg = client};
    (void)arg;
    const jg_run_options options = {.backend = "epoll"};
    jg_run_with(get_once, &peer, &options);
}

// Connections of one loop would be waited for in another.
START_TEST(client_is_used_where_it_was_opened) {
    fixture_expect_abort(elsewhere, NULL, "outside the loop or thread it was made on");
}
END_TEST

FIXTURE_MAIN("api/http_client_wait", r27_each_time_limit_strikes_and_is_named,
             r27_drip_ends_at_the_total_limit, callers_deadline_is_the_callers,
             cancelled_read_loses_nothing, cancel_ends_the_request_and_its_connection,
             cancel_is_safe_at_any_moment, r33_kept_connection_with_unsolicited_bytes_is_dropped,
             r30_kept_connection_closed_meanwhile_is_not_used, old_connections_are_not_reused,
             idle_connections_are_closed_in_time, no_free_connection_is_no_endless_wait,
             connections_go_to_who_waited_longest, r31_given_up_requests_lose_no_place,
             idle_connection_makes_room_for_another_origin,
             client_with_open_responses_cannot_be_closed, client_is_used_where_it_was_opened)
