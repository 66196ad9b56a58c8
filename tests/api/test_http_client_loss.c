// SPDX-License-Identifier: MIT
/* test_http_client_loss.c – many requests at once over a line that is slow and loses packets.
 *
 * Holds      networks of its own: the client's, the server's, and between them a bridge whose queues send
 *            1 Mbit/s and have room for some packets.
 * Invariant  nothing leaves this process.
 * Called by  ctest, on epoll. Skipped where user namespaces are not allowed, or there is no tc.
 * Why        RELIABILITY R32. The simulated network has its own idea of TCP; this one is the kernel's.
 * Quirks     the queues are not the senders' own: of a loss there the kernel tells TCP at once, and now and
 *            then gives the connection up, without a word to the peer (6.18).
 */
// Backends: epoll
#define FIXTURE_LIMIT 120
#include "fixtures/http_raw.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

enum {
    REQUESTS = 200,
    BODY = 4000,
    LOST_PERCENT = 5,
    LONG_MS = 100000, // a limit that would strike is another test's
};

#define TOOLS "PATH=$PATH:/sbin:/usr/sbin; "

// The networks, by descriptors that the commands below have too.
enum { CLIENT_NET = 100, LINE_NET, SERVER_NET };

/* A network of its own for this thread and what it starts. */
static void make_network(int number) {
    int flags = CLONE_NEWNET | (number == CLIENT_NET ? CLONE_NEWUSER : 0);
    if (unshare(flags) != 0) {
        fixture_skip("no namespaces of one's own here");
    }
}

/* Gives the network the thread is in this number. */
static void keep_network(int number) {
    int fd = open("/proc/thread-self/ns/net", O_RDONLY);
    ck_assert_int_eq(dup2(fd, number), number);
    close(fd);
}

static void enter_network(int number) {
    ck_assert_int_eq(setns(number, CLONE_NEWNET), 0);
}

/* Runs a command of the system's network tools there. Skips the test where it does not work. */
static void set_up(int network, const char *command) {
    enter_network(network);
    if (system(command) != 0) {
        fixture_skip("there is no line that loses packets here");
    }
}

/* Root in the namespace: a program that is started there may then change its network. */
static void become_root(unsigned user) {
    FILE *map = fopen("/proc/self/uid_map", "w");
    if (map == NULL || fprintf(map, "0 %u 1", user) < 0 || fclose(map) != 0) {
        fixture_skip("users cannot be mapped here");
    }
}

static void make_networks(void) {
    unsigned user = geteuid();
    make_network(CLIENT_NET);
    become_root(user);
    keep_network(CLIENT_NET);
    for (int number = LINE_NET; number <= SERVER_NET; number++) {
        make_network(number);
        keep_network(number);
    }
    set_up(LINE_NET, TOOLS "exec >/dev/null 2>&1;"
                           " ip link add c1 type veth peer name c0 netns /proc/self/fd/100 &&"
                           " ip link add s1 type veth peer name s0 netns /proc/self/fd/102 &&"
                           " ip link add line type bridge &&"
                           " for end in c1 s1; do"
                           " tc qdisc add dev $end root tbf rate 1mbit burst 4kb limit 100000 &&"
                           " ip link set $end master line up || exit 1; done;"
                           " ip link set line up");
    set_up(SERVER_NET, TOOLS "ip addr add 10.9.0.2/24 dev s0 && ip link set s0 up");
    set_up(CLIENT_NET, TOOLS "ip addr add 10.9.0.1/24 dev c0 && ip link set c0 up");
}

/* How many packets of a hundred were lost. */
static int lost_percent(void) {
    long long all_sent = 0;
    long long all_lost = 0;
    char line[256];
    enter_network(LINE_NET);
    FILE *figures = popen(TOOLS "tc -s qdisc show", "r");
    ck_assert_ptr_nonnull(figures);
    while (fgets(line, sizeof(line), figures) != NULL) {
        long long sent = 0;
        long long lost = 0;
        sscanf(line, " Sent %*d bytes %lld pkt (dropped %lld", &sent, &lost);
        all_sent += sent;
        all_lost += lost;
    }
    pclose(figures);
    for (int number = CLIENT_NET; number <= SERVER_NET; number++) {
        close(number);
    }
    ck_assert_int_gt(all_sent, 0);
    return (int)(100 * all_lost / (all_sent + all_lost));
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
};

static intptr_t ask(void *arg) {
    struct asking *asking = arg;
    unsigned number = asking->next++;
    char url[64];
    char wanted[BODY];
    const char *body = NULL;
    jg_http_response *response = NULL;
    fill(wanted, number);
    snprintf(url, sizeof(url), "http://10.9.0.2:%d/%u", asking->port, number);
    int rc = jg_http_get(asking->client, url, &response);
    ck_assert_msg(rc == 0, "%s", jg_error_detail(rc));
    ck_assert_int_eq(jg_http_body(response, &body), BODY);
    ck_assert_int_eq(memcmp(body, wanted, BODY), 0);
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
    enter_network(SERVER_NET);
    ck_assert_int_eq(jg_tcp_listen("10.9.0.2", 0, &server.listener), 0);
    enter_network(CLIENT_NET);
    raw_start(&server, answer);
    asking.port = jg_listener_port(server.listener);
    ck_assert_int_eq(jg_http_client_open(&options, &asking.client), 0);
    JG_GROUP(group) {
        for (int i = 0; i < REQUESTS; i++) {
            ck_assert_int_eq(jg_group_spawn(group, ask, &asking), 0);
        }
    }
    ck_assert_uint_eq(server.stats.requests, REQUESTS);
    jg_http_client_close(asking.client);
    raw_stop(&server);
    return 0;
}

// Bytes that come late, or twice, would be lost to a request, or be another's.
START_TEST(r32_slow_line_that_loses_packets) {
    make_networks();
    ck_assert_int_eq(jg_run(lossy_body, NULL), 0);
    ck_assert_int_ge(lost_percent(), LOST_PERCENT);
}
END_TEST

FIXTURE_MAIN("api/http_client_loss", r32_slow_line_that_loses_packets)
