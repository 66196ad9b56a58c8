// SPDX-License-Identifier: MIT
/* test_http_server_crowd.c – a server in a process of its own, and more clients than it can bear.
 *
 * Holds      nothing between tests.
 * Invariant  the server's process ends before its test does: it is on a leash.
 * Called by  the test runner, on epoll only.
 * Why        RELIABILITY R19 and R29 promise times and processor time, of a server that shares neither
 *            with its clients.
 * Quirks     the figures are those of the page.
 */
// Backends: epoll
#define FIXTURE_LIMIT 30
#include "fixtures/http_raw.h"
#include "fixtures/limits.h"
#include "fixtures/measure.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CLIENTS = 500,
    KNOWN = 4,         // clients that have a connection before the crowd comes
    ASK_EVERY_MS = 10, // how often each of them asks
    SAMPLES_MOST = 10000,
    SERVED_P99_MS = 50, // R19, R29
};

// The server.

/* A server's process, and how it is held: it tells its port, and ends when the other end is closed. */
struct house {
    jg_http_server_options options;
    rlim_t descriptors;
    int port;
    int leash;
    pid_t process;
};

static int hello(jg_http_exchange *x, void *arg) {
    (void)arg;
    return jg_http_reply(x, 200, NULL, "hello", 5);
}

#define HELLO RAW_OK "Content-Length: 5\r\n\r\nhello"

static intptr_t keep_house(void *arg) {
    const struct house *house = arg;
    struct raw_server server = {.options = house->options};
    jg_stream *leash = NULL;
    char byte;
    ck_assert_int_eq(jg_stream_open_fd(house->leash, &leash), 0);
    raw_start(&server, hello);
    int port = jg_listener_port(server.listener);
    ck_assert_int_eq(jg_write(leash, &port, sizeof(port)), sizeof(port));
    ck_assert_int_eq(jg_read(leash, &byte, 1), 0);
    raw_stop(&server);
    jg_stream_close(leash);
    return 0;
}

static void open_house(struct house *house) {
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    house->process = fork();
    ck_assert_int_ge(house->process, 0);
    if (house->process == 0) {
        close(ends[0]);
        house->leash = ends[1];
        set_descriptors(house->descriptors);
        _exit(jg_run(keep_house, house) == 0 ? 0 : 1);
    }
    close(ends[1]);
    house->leash = ends[0];
    ck_assert_int_eq(read(house->leash, &house->port, sizeof(house->port)), sizeof(house->port));
}

static void close_house(const struct house *house) {
    int status = -1;
    close(house->leash);
    ck_assert_int_eq(waitpid(house->process, &status, 0), house->process);
    ck_assert_int_eq(status, 0);
}

static int64_t processor_ns(const struct house *house) {
    clockid_t clock;
    ck_assert_int_eq(clock_getcpuclockid(house->process, &clock), 0);
    return measure_ns(clock);
}

// Its clients.

struct crowd;

struct client {
    struct crowd *crowd;
    bool answered;
    bool refused; // its connection was ended before an answer
};

struct crowd {
    const struct house *house;
    struct client clients[CLIENTS];
    int64_t samples_ns[SAMPLES_MOST]; // how long the known ones waited for each answer
    int sample_count;
};

static struct crowd *gather_crowd(const struct house *house) {
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    ck_assert_ptr_nonnull(crowd);
    crowd->house = house;
    for (int i = 0; i < CLIENTS; i++) {
        crowd->clients[i].crowd = crowd;
    }
    return crowd;
}

static jg_stream *come_in(const struct house *house) {
    jg_stream *stream = NULL;
    ck_assert_int_eq(jg_tcp_connect("127.0.0.1", house->port, &stream), 0);
    return stream;
}

static void ask(jg_stream *stream) {
    raw_send(stream, RAW_GET);
    raw_expect(stream, HELLO);
}

/* Asks again and again on a connection it has, until it is cancelled. */
static intptr_t keep_asking(void *arg) {
    struct crowd *crowd = arg;
    jg_stream *stream = come_in(crowd->house);
    ask(stream);
    while (jg_sleep(ASK_EVERY_MS) == 0) {
        JG_SHIELD {
            int64_t begin_ns = measure_ns(CLOCK_MONOTONIC);
            ask(stream);
            ck_assert_int_lt(crowd->sample_count, SAMPLES_MOST);
            crowd->samples_ns[crowd->sample_count++] = measure_ns(CLOCK_MONOTONIC) - begin_ns;
        }
    }
    jg_stream_close(stream);
    return 0;
}

static void start_known(jg_group *group, struct crowd *crowd) {
    for (int i = 0; i < KNOWN; i++) {
        ck_assert_int_eq(jg_group_spawn(group, keep_asking, crowd), 0);
    }
    ck_assert_int_eq(jg_sleep(10 * ASK_EVERY_MS), 0);
}

static void check_served(struct crowd *crowd, int least) {
    int count = crowd->sample_count;
    int64_t p99_ns = measure_percentile(crowd->samples_ns, count, 99);
    ck_assert_int_ge(count, MEASURE_PLAIN ? least : 1);
    ck_assert_msg(!MEASURE_PLAIN || p99_ns <= SERVED_P99_MS * JG_MS, "p99 of %d is %d us", count,
                  (int)(p99_ns / 1000));
}

// R19. More clients than descriptors.

enum { FEW = 64, CROWD_MS = 5000, PROCESSOR_PERCENT = 20 };

/* Comes, asks, and stays if it is answered; else it comes again. */
static intptr_t come_and_stay(void *arg) {
    struct client *client = arg;
    char answer[256];
    ssize_t got = 0;
    while (got != -ECANCELED) {
        jg_stream *stream = NULL;
        int rc = jg_tcp_connect("127.0.0.1", client->crowd->house->port, &stream);
        ck_assert(rc == 0 || rc == -ECANCELED);
        got = rc < 0 ? rc : jg_write(stream, RAW_GET, sizeof(RAW_GET) - 1);
        got = got < 0 ? got : jg_read(stream, answer, sizeof(answer));
        client->answered = client->answered || got > 0;
        client->refused = client->refused || (got <= 0 && got != -ECANCELED);
        while (got > 0) {
            got = jg_read(stream, answer, sizeof(answer)); // as long as it may stay
        }
        jg_stream_close(stream);
    }
    return 0;
}

static void check_crowd(const struct crowd *crowd) {
    int refused = 0;
    int answered = 0;
    int left_waiting = 0;
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *client = &crowd->clients[i];
        answered += client->answered;
        refused += client->refused;
        left_waiting += !client->answered && !client->refused;
    }
    ck_assert_int_gt(answered, 0);
    ck_assert_int_ge(refused, CLIENTS - FEW);
    ck_assert_int_eq(left_waiting, 0);
}

/* The crowd has left: whoever comes now may still be refused, but not for long. */
static void check_accepting(const struct house *house) {
    int64_t begin_ns = measure_ns(CLOCK_MONOTONIC);
    char answer[256];
    ssize_t got = 0;
    while (got <= 0) {
        ck_assert(!MEASURE_PLAIN || measure_ns(CLOCK_MONOTONIC) - begin_ns <= JG_S);
        jg_stream *stream = come_in(house);
        got = jg_write(stream, RAW_GET, sizeof(RAW_GET) - 1);
        got = got < 0 ? got : jg_read(stream, answer, sizeof(answer));
        jg_stream_close(stream);
    }
}

static intptr_t few_descriptors(void *arg) {
    const struct house *house = arg;
    struct crowd *crowd = gather_crowd(house);
    JG_GROUP(known) {
        start_known(known, crowd);
        JG_GROUP(group) {
            for (int i = 0; i < CLIENTS; i++) {
                ck_assert_int_eq(jg_group_spawn(group, come_and_stay, &crowd->clients[i]), 0);
            }
            int64_t begin_ns = measure_ns(CLOCK_MONOTONIC);
            int64_t before_ns = processor_ns(house);
            ck_assert_int_eq(jg_sleep(CROWD_MS), 0);
            int64_t took_ns = processor_ns(house) - before_ns;
            int percent = (int)(100 * took_ns / (measure_ns(CLOCK_MONOTONIC) - begin_ns));
            ck_assert_msg(!MEASURE_PLAIN || percent <= PROCESSOR_PERCENT, "%d %% of a core",
                          percent);
            jg_group_cancel(group);
        }
        check_crowd(crowd);
        check_accepting(house);
        jg_group_cancel(known);
    }
    check_served(crowd, CROWD_MS / ASK_EVERY_MS);
    free(crowd);
    return 0;
}

// A server out of descriptors would spin, forget those it serves, or leave the others waiting.
START_TEST(r19_a_crowd_at_a_server_with_few_descriptors) {
    struct house house = {.descriptors = FEW};
    open_house(&house);
    ck_assert_int_eq(jg_run(few_descriptors, &house), 0);
    close_house(&house);
}
END_TEST

// R29. Clients that take their time.

enum { HEADER_MS = 4000, LATE_MS = 1000, MANY = 2 * CLIENTS + 100 };

/* Sends a byte of its head each second, and must be told when its time is over. */
static intptr_t dawdle(void *arg) {
    const struct client *client = arg;
    char answer[1024];
    int64_t begin_ns = measure_ns(CLOCK_MONOTONIC);
    jg_stream *stream = come_in(client->crowd->house);
    for (int i = 0; i < HEADER_MS / 1000; i++) {
        raw_send_bytes(stream, &RAW_GET[i], 1);
        ck_assert_int_eq(jg_sleep(i == 0 ? 990 : 1000), 0);
    }
    raw_read_to_end(stream, answer, sizeof(answer));
    int64_t took_ms = (measure_ns(CLOCK_MONOTONIC) - begin_ns) / JG_MS;
    ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 408 "));
    ck_assert_int_ge(took_ms, HEADER_MS);
    // What five hundred connects took is in it too.
    ck_assert_msg(!MEASURE_PLAIN || took_ms <= HEADER_MS + LATE_MS, "told after %d ms",
                  (int)took_ms);
    jg_stream_close(stream);
    return 0;
}

/* Has a connection, and nothing to say. */
static intptr_t idle(void *arg) {
    const struct client *client = arg;
    jg_stream *stream = come_in(client->crowd->house);
    ask(stream);
    ck_assert_int_eq(jg_sleep_until(JG_NEVER), -ECANCELED);
    jg_stream_close(stream);
    return 0;
}

static intptr_t slow_crowd(void *arg) {
    struct crowd *crowd = gather_crowd(arg);
    JG_GROUP(others) {
        for (int i = 0; i < CLIENTS; i++) {
            ck_assert_int_eq(jg_group_spawn(others, idle, &crowd->clients[i]), 0);
        }
        start_known(others, crowd);
        JG_GROUP(slow) {
            for (int i = 0; i < CLIENTS; i++) {
                ck_assert_int_eq(jg_group_spawn(slow, dawdle, &crowd->clients[i]), 0);
            }
        }
        jg_group_cancel(others);
    }
    check_served(crowd, HEADER_MS / ASK_EVERY_MS);
    free(crowd);
    return 0;
}

// Slow and silent peers would keep their connections, or the server from everybody else.
START_TEST(r29_slow_and_silent_crowds_cost_others_nothing) {
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < MANY) {
        fixture_skip("too few descriptors for a thousand connections");
    }
    set_descriptors(MANY);
    struct house house = {.descriptors = MANY, .options = {.header_ms = HEADER_MS}};
    open_house(&house);
    ck_assert_int_eq(jg_run(slow_crowd, &house), 0);
    close_house(&house);
}
END_TEST

FIXTURE_MAIN("api/http_server_crowd", r19_a_crowd_at_a_server_with_few_descriptors,
             r29_slow_and_silent_crowds_cost_others_nothing)
