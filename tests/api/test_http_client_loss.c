// SPDX-License-Identifier: MIT
/* test_http_client_loss.c – many requests at once over a line that is slow and loses packets.
 *
 * Holds      a network of its own: a loopback of 1 Mbit/s, with room for a few packets in its queue.
 * Invariant  nothing leaves this process.
 * Called by  ctest, on epoll. Skipped where user namespaces are not allowed, or there is no tc.
 * Why        RELIABILITY R32. The simulated network has its own idea of TCP; this one is the kernel's.
 * Quirks     a sender whose own queue is full is told so, and now and then gives a connection up after
 *            seconds, without a word to the peer (6.18). The kernel counts these: so many may time out.
 */
// Backends: epoll
#define FIXTURE_LIMIT 120
#include "fixtures/http_raw.h"

#include <sched.h>
#include <unistd.h>

enum {
    REQUESTS = 200,
    BODY = 4000,
    LOST_PERCENT = 5,
    LONG_MS = 40000, // several times what the slowest takes
};

/* Runs a command that is part of the system's network tools. Skips the test where it does not work. */
static void set_up(const char *command) {
    if (system(command) != 0) {
        fixture_skip("the line cannot be made slow here");
    }
}

/* Root in the namespace: a program that is started there may then change its network. */
static void become_root(unsigned user) {
    FILE *map = fopen("/proc/self/uid_map", "w");
    if (map == NULL || fprintf(map, "0 %u 1", user) < 0 || fclose(map) != 0) {
        fixture_skip("users cannot be mapped here");
    }
}

static void enter_network(void) {
    unsigned user = geteuid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        fixture_skip("no namespaces of one's own here");
    }
    become_root(user);
    set_up("PATH=$PATH:/sbin:/usr/sbin; ip link set lo mtu 1500 up >/dev/null 2>&1 &&"
           " tc qdisc add dev lo root tbf rate 1mbit burst 4kb limit 12000 >/dev/null 2>&1");
}

/* How many packets of a hundred were lost. */
static int lost_percent(void) {
    long long sent = 0;
    long long lost = 0;
    char line[256];
    FILE *figures = popen("PATH=$PATH:/sbin:/usr/sbin; tc -s qdisc show dev lo", "r");
    ck_assert_ptr_nonnull(figures);
    while (fgets(line, sizeof(line), figures) != NULL) {
        sscanf(line, " Sent %*d bytes %lld pkt (dropped %lld", &sent, &lost);
    }
    pclose(figures);
    ck_assert_int_gt(sent, 0);
    return (int)(100 * lost / (sent + lost));
}

/* How many connections the kernel gave up, on either side. */
static int connections_given_up(void) {
    char names[4096];
    char counts[4096];
    FILE *figures = fopen("/proc/net/netstat", "r"); // its first two lines
    ck_assert_ptr_nonnull(figures);
    ck_assert_ptr_nonnull(fgets(names, sizeof(names), figures));
    ck_assert_ptr_nonnull(fgets(counts, sizeof(counts), figures));
    fclose(figures);
    char *rest_names = NULL;
    char *rest_counts = NULL;
    const char *name = strtok_r(names, " ", &rest_names);
    const char *count = strtok_r(counts, " ", &rest_counts);
    while (name != NULL && count != NULL && strcmp(name, "TCPAbortOnTimeout") != 0) {
        name = strtok_r(NULL, " ", &rest_names);
        count = strtok_r(NULL, " ", &rest_counts);
    }
    return name != NULL && count != NULL ? atoi(count) : 0;
}

/* The body that belongs to a number. */
static void fill(char *body, unsigned number) {
    for (int i = 0; i < BODY; i++) {
        number = number * 1103515245 + 12345;
        body[i] = (char)('a' + number / 65536 % 26);
    }
}

static int answer(jg_http_exchange *x, void *arg) {
    char body[BODY];
    (void)arg;
    fill(body, (unsigned)atoi(jg_http_path(x) + 1));
    return jg_http_reply(x, 200, NULL, body, sizeof(body));
}

struct asking {
    jg_http_client *client;
    int port;
    unsigned next;
    int lost; // requests whose limit struck
};

static intptr_t ask(void *arg) {
    struct asking *asking = arg;
    unsigned number = asking->next++;
    char url[64];
    char wanted[BODY];
    const char *body = NULL;
    jg_http_response *response = NULL;
    ssize_t size = BODY;
    fill(wanted, number);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/%u", asking->port, number);
    int rc = jg_http_get(asking->client, url, &response);
    ck_assert_msg(rc == 0 || rc == -ETIMEDOUT, "%s", jg_error_detail(rc));
    if (rc == 0) {
        size = jg_http_body(response, &body);
        ck_assert(size == BODY || size == -ETIMEDOUT);
        ck_assert(size < 0 || memcmp(body, wanted, BODY) == 0);
    }
    asking->lost += rc < 0 || size < 0;
    jg_http_response_close(response);
    return 0;
}

static intptr_t lossy_body(void *arg) {
    struct raw_server server = {.options = {.header_ms = LONG_MS, .write_ms = LONG_MS}};
    struct asking asking = {.client = NULL};
    const jg_http_client_options options = {.connections = REQUESTS,
                                            .connections_per_origin = REQUESTS,
                                            .connect_ms = LONG_MS,
                                            .first_byte_ms = LONG_MS,
                                            .idle_ms = LONG_MS};
    (void)arg;
    raw_start(&server, answer);
    asking.port = jg_listener_port(server.listener);
    ck_assert_int_eq(jg_http_client_open(&options, &asking.client), 0);
    JG_GROUP(group) {
        for (int i = 0; i < REQUESTS; i++) {
            ck_assert_int_eq(jg_group_spawn(group, ask, &asking), 0);
        }
    }
    ck_assert_int_le(asking.lost, connections_given_up());
    ck_assert_uint_ge(server.stats.requests, (size_t)(REQUESTS - asking.lost));
    jg_http_client_close(asking.client);
    raw_stop(&server);
    return 0;
}

// Bytes that come late, or twice, would be lost to a request, or be another's.
START_TEST(r32_slow_line_that_loses_packets) {
    enter_network();
    ck_assert_int_eq(jg_run(lossy_body, NULL), 0);
    ck_assert_int_ge(lost_percent(), LOST_PERCENT);
}
END_TEST

FIXTURE_MAIN("api/http_client_loss", r32_slow_line_that_loses_packets)
