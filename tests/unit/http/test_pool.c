// SPDX-License-Identifier: MIT
/* test_pool.c – origins, slots and idle connections, without HTTP.
 *
 * Holds      a listener that accepts and says nothing.
 * Invariant  pool_fini itself checks that every slot is back and every origin gone.
 * Called by  ctest.
 * Why        a slot that is lost once in a thousand cancels shows after days; here in milliseconds,
 *            for as many orders as there are seeds.
 */
#include "fixtures/fixture.h"

#include "base/clock.h"
#include "http/pool.h"

#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pool_limits limits_of(size_t connections, size_t per_origin) {
    return (struct pool_limits){connections, per_origin, 15000, 600000};
}

static struct origin *origin_of(struct pool *pool, const char *text) {
    struct url url;
    struct origin *origin = NULL;
    ck_assert_int_eq(url_parse(&url, bytes_of(text), NULL), 0);
    ck_assert_int_eq(pool_origin(pool, &url, &origin), 0);
    return origin;
}

// Origins.

// Requests would go to another server than they name, or never share a connection.
START_TEST(same_origin_is_the_same_whatever_its_writing) {
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } pairs[] = {
        {"http://example.com/", "http://EXAMPLE.com:80/x?y", true},
        {"http://example.com/", "http://example.com:8080/", false},
        {"http://example.com/", "http://example.org/", false},
        {"http://example.com/", "http://example.com./", false},
        {"http://[::1]:8080/", "http://[::1]:8080/a", true},
        {"http://[::1]/", "http://[::2]/", false},
        {"http+unix://%2Ftmp%2Fa/x", "http+unix://%2ftmp%2fa/y", true},
        {"http+unix://%2Ftmp%2Fa/", "http+unix://%2Ftmp%2FA/", false},
        {"http+unix://localhost/", "http://localhost/", false},
    };
    const struct pool_limits limits = limits_of(4, 2);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct pool pool;
        pool_init(&pool, &limits);
        struct origin *a = origin_of(&pool, pairs[i].a);
        struct origin *b = origin_of(&pool, pairs[i].b);
        ck_assert_msg((a == b) == pairs[i].same, "%s and %s", pairs[i].a, pairs[i].b);
        origin_drop(b);
        origin_drop(a);
        pool_fini(&pool);
    }
}
END_TEST

// Servers would be asked for the wrong host; people be told of the wrong one.
START_TEST(origin_has_its_texts) {
    static const struct {
        const char *url;
        const char *host;
        const char *label;
        const char *line;
    } rows[] = {
        {"http://Example.COM:8080/a", "example.com", "http://example.com:8080",
         " HTTP/1.1\r\nHost: example.com:8080\r\n"},
        {"http://[::1]/", "::1", "http://[::1]", " HTTP/1.1\r\nHost: [::1]\r\n"},
        {"http+unix://%2Ftmp%2FS.sock/", "/tmp/S.sock", "http+unix:///tmp/S.sock",
         " HTTP/1.1\r\nHost: localhost\r\n"},
    };
    const struct pool_limits limits = limits_of(4, 2);
    struct pool pool;
    pool_init(&pool, &limits);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct origin *origin = origin_of(&pool, rows[i].url);
        ck_assert_str_eq(origin->key.host.data, rows[i].host);
        ck_assert_str_eq(origin->label, rows[i].label);
        ck_assert_uint_eq(origin->line.len, strlen(rows[i].line));
        ck_assert_mem_eq(origin->line.data, rows[i].line, origin->line.len);
        origin_drop(origin);
    }
    char url[] = "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:65535/";
    origin_drop(origin_of(&pool, url)); // the longest there is
    pool_fini(&pool);
}
END_TEST

// Slots.

// A thread would wait for itself.
START_TEST(without_a_loop_nobody_waits) {
    const struct pool_limits limits = limits_of(3, 2);
    struct pool pool;
    pool_init(&pool, &limits);
    struct origin *a = origin_of(&pool, "http://a/");
    struct origin *b = origin_of(&pool, "http://b/");
    ck_assert(pool_try_admit(a));
    ck_assert_int_eq(pool_admit(a), 0);
    ck_assert_int_eq(pool_admit(a), -EDEADLK);
    ck_assert(pool_try_admit(b));
    ck_assert(!pool_try_admit(b)); // the pool's own limit
    ck_assert_uint_eq(b->slots.permits, 1);
    pool_leave(a);
    ck_assert(pool_try_admit(b));
    pool_leave(a);
    pool_leave(b);
    pool_leave(b);
    origin_drop(a);
    origin_drop(b);
    pool_fini(&pool);
}
END_TEST

struct queue {
    struct pool *pool;
    struct origin *origin;
    int *order;
    int *count;
    int number;
};

static intptr_t stand_in_line(void *arg) {
    struct queue *queue = arg;
    int rc = pool_admit(queue->origin);
    if (rc < 0) {
        return rc;
    }
    queue->order[(*queue->count)++] = queue->number;
    rc = jg_sleep(1);
    pool_leave(queue->origin);
    return rc;
}

static jg_task *stand(struct queue *queue) {
    return jg_spawn_with(stand_in_line, queue, &(const jg_spawn_options){.eager = true});
}

static intptr_t line_program(void *arg) {
    (void)arg;
    const struct pool_limits limits = limits_of(8, 1);
    struct pool pool;
    pool_init(&pool, &limits);
    struct origin *origin = origin_of(&pool, "http://a/");
    int order[4];
    int count = 0;
    struct queue queues[4];
    jg_task *tasks[4];
    ck_assert(pool_try_admit(origin));
    for (int i = 0; i < 4; i++) {
        queues[i] = (struct queue){&pool, origin, order, &count, i};
        tasks[i] = stand(&queues[i]);
    }
    jg_cancel(tasks[1]);
    pool_leave(origin);                 // now it is the first one's,
    ck_assert(!pool_try_admit(origin)); // and nobody may overtake,
    jg_cancel(tasks[0]);                // not even when it is cancelled before it runs
    ck_assert_int_eq(jg_join(tasks[0]), -ECANCELED);
    ck_assert_int_eq(jg_join(tasks[1]), -ECANCELED);
    ck_assert_int_eq(jg_join(tasks[2]), 0);
    ck_assert_int_eq(jg_join(tasks[3]), 0);
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(order[0], 2);
    ck_assert_int_eq(order[1], 3);
    origin_drop(origin);
    pool_fini(&pool);
    return 0;
}

static void run_seeds(jg_fn *program, unsigned seeds) {
    for (unsigned i = 0; i < seeds; i++) {
        const jg_run_options options = {.backend = "sim", .seed = fixture_seed() + i};
        ck_assert_int_eq(jg_run_with(program, NULL, &options), 0);
    }
}

// A slot granted to somebody who is cancelled in the same moment would be gone. R1.
START_TEST(slots_go_to_who_waited_longest) {
    run_seeds(line_program, 20);
}
END_TEST

// Connections.

enum { TASKS = 24, LAPS = 6, ORIGINS = 3, MOST = 7, MOST_EACH = 4 };

struct crowd {
    struct pool pool;
    jg_listener *listener;
    struct origin *origins[ORIGINS];
    size_t used[ORIGINS]; // connections in use
    uint64_t choices;
};

static uint64_t choose(struct crowd *crowd, uint64_t count) {
    crowd->choices = crowd->choices * 6364136223846793005u + 1442695040888963407u;
    return (crowd->choices >> 33) % count;
}

static intptr_t sink(void *arg) {
    jg_stream *stream = arg;
    char byte;
    while (jg_read(stream, &byte, 1) > 0) {}
    jg_stream_close(stream);
    return 0;
}

static void drop_stream(void *arg) {
    jg_stream_close(arg);
}

static intptr_t accept_all(void *arg) {
    struct crowd *crowd = arg;
    jg_stream *stream;
    while (jg_accept(crowd->listener, &stream) == 0) {
        const jg_spawn_options options = {.drop_arg = drop_stream};
        jg_detach(jg_spawn_with(sink, stream, &options));
    }
    return 0;
}

static void check_limits(const struct crowd *crowd) {
    size_t used = 0;
    for (int i = 0; i < ORIGINS; i++) {
        size_t idle = 0;
        const struct list *head = &crowd->origins[i]->idle;
        for (const struct list *node = head->next; node != head; node = node->next) {
            idle++;
        }
        ck_assert_uint_le(crowd->used[i] + idle, MOST_EACH);
        used += crowd->used[i];
    }
    ck_assert_uint_le(crowd->pool.open, MOST);
    ck_assert_uint_le(used, MOST);
}

/* Does with one connection what an exchange does. */
static int use_one(struct crowd *crowd, uint64_t at) {
    struct origin *origin = crowd->origins[at];
    struct connection *connection = NULL;
    int rc = pool_try_admit(origin) ? 0 : pool_admit(origin);
    if (rc < 0) {
        return rc;
    }
    crowd->used[at]++;
    connection = pool_take_idle(origin, loop_now_ns());
    check_limits(crowd);
    if (connection == NULL) {
        rc = pool_connect(origin, &connection);
    }
    check_limits(crowd);
    rc = rc < 0 ? rc : jg_sleep((int64_t)choose(crowd, 4));
    crowd->used[at]--;
    if (connection != NULL) {
        pool_release(connection, rc == 0 && choose(crowd, 4) > 0);
    } else {
        pool_leave(origin);
    }
    check_limits(crowd);
    return rc;
}

static intptr_t one_of_many(void *arg) {
    struct crowd *crowd = arg;
    for (int i = 0; i < LAPS; i++) {
        int rc = 0;
        JG_TIMEOUT((int64_t)choose(crowd, 60), rc) {
            rc = use_one(crowd, choose(crowd, ORIGINS));
        }
        ck_assert_msg(rc == 0 || rc == -ETIMEDOUT, "%s", jg_error_detail(rc));
    }
    return 0;
}

static intptr_t crowd_program(void *arg) {
    (void)arg;
    static const char *const names[ORIGINS] = {"127.0.0.1", "localhost", "127.0.0.2"};
    const struct pool_limits limits = limits_of(MOST, MOST_EACH);
    static uint64_t run;
    struct crowd crowd = {.choices = fixture_seed() + run++};
    pool_init(&crowd.pool, &limits);
    ck_assert_int_eq(jg_tcp_listen("0.0.0.0", 0, &crowd.listener), 0);
    for (int i = 0; i < ORIGINS; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://%s:%d/", names[i], jg_listener_port(crowd.listener));
        crowd.origins[i] = origin_of(&crowd.pool, url);
    }
    jg_task *acceptor = jg_spawn(accept_all, &crowd);
    JG_GROUP(group) {
        for (int i = 0; i < TASKS; i++) {
            ck_assert_int_eq(jg_group_spawn(group, one_of_many, &crowd), 0);
        }
    }
    ck_assert_uint_eq(crowd.pool.slots.permits, MOST);
    for (int i = 0; i < ORIGINS; i++) {
        ck_assert_uint_eq(crowd.origins[i]->slots.permits, MOST_EACH);
        origin_drop(crowd.origins[i]);
    }
    pool_fini(&crowd.pool);
    jg_cancel(acceptor);
    ck_assert_int_eq(jg_join(acceptor), 0);
    jg_listener_close(crowd.listener);
    return 0;
}

// Whoever gives up, wherever it waits, would take its slot along, or the limits be passed. R31.
START_TEST(r31_random_cancels_lose_no_slot_and_pass_no_limit) {
    run_seeds(crowd_program, 150);
}
END_TEST

/* Opens `count` connections at once and makes them idle, one after the other. */
static void make_idle(struct origin *origin, struct connection **connections, int count) {
    for (int i = 0; i < count; i++) {
        ck_assert(pool_try_admit(origin));
        ck_assert_int_eq(pool_connect(origin, &connections[i]), 0);
    }
    for (int i = 0; i < count; i++) {
        pool_release(connections[i], true);
        ck_assert_int_eq(jg_sleep(10), 0);
    }
}

static intptr_t idle_program(void *arg) {
    (void)arg;
    const struct pool_limits limits = {4, 4, 1000, 5000};
    struct crowd crowd = {.listener = NULL};
    struct pool *pool = &crowd.pool;
    struct connection *c[4];
    pool_init(pool, &limits);
    ck_assert_int_eq(jg_tcp_listen(NULL, 0, &crowd.listener), 0);
    jg_task *acceptor = jg_spawn(accept_all, &crowd);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", jg_listener_port(crowd.listener));
    struct origin *origin = origin_of(pool, url);
    snprintf(url, sizeof url, "http://localhost:%d/", jg_listener_port(crowd.listener));
    struct origin *other = origin_of(pool, url);

    make_idle(origin, c, 4);
    ck_assert(pool_try_admit(origin));
    ck_assert_ptr_eq(pool_take_idle(origin, loop_now_ns()), c[3]); // the last one first
    pool_release(c[3], true);
    ck_assert(pool_try_admit(other));
    struct connection *fifth;
    ck_assert_int_eq(pool_connect(other, &fifth), 0); // closes c[0]
    ck_assert_uint_eq(pool->open, 4);
    ck_assert_ptr_eq(container_of(origin->idle.next, struct connection, in_origin), c[1]);
    pool_release(fifth, false);
    ck_assert_uint_eq(pool->open, 3);

    int64_t second_ns = clock_add_ms(c[1]->idle_ns, 1000);
    ck_assert_int_eq(jg_sleep_until(second_ns - JG_MS), 0);
    ck_assert_uint_eq(pool->open, 3);
    ck_assert_int_eq(jg_sleep(2), 0); // c[1] has been idle for a second, the others not
    ck_assert_uint_eq(pool->open, 2);
    ck_assert_int_eq(jg_sleep(1000), 0);
    ck_assert_uint_eq(pool->open, 0);

    make_idle(origin, c, 1);
    for (int i = 0; i < 9; i++) { // in use again and again, and yet too old in the end
        ck_assert_int_eq(jg_sleep(500), 0);
        ck_assert(pool_try_admit(origin));
        ck_assert_ptr_eq(pool_take_idle(origin, loop_now_ns()), c[0]);
        pool_release(c[0], true);
    }
    ck_assert_int_eq(jg_sleep(600), 0);
    ck_assert(pool_try_admit(origin));
    ck_assert_ptr_null(pool_take_idle(origin, loop_now_ns()));
    ck_assert_uint_eq(pool->open, 0);
    pool_leave(origin);

    origin_drop(origin);
    origin_drop(other);
    pool_fini(pool);
    jg_cancel(acceptor);
    ck_assert_int_eq(jg_join(acceptor), 0);
    jg_listener_close(crowd.listener);
    return 0;
}

// Old connections would pile up, and new ones be closed in their place.
START_TEST(idle_connections_are_used_newest_first_and_closed_oldest_first) {
    run_seeds(idle_program, 10);
}
END_TEST

FIXTURE_MAIN("http/pool", same_origin_is_the_same_whatever_its_writing, origin_has_its_texts,
             without_a_loop_nobody_waits, slots_go_to_who_waited_longest,
             r31_random_cancels_lose_no_slot_and_pass_no_limit,
             idle_connections_are_used_newest_first_and_closed_oldest_first)
