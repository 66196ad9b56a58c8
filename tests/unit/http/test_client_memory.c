// SPDX-License-Identifier: MIT
/* test_client_memory.c – the client with each of its allocations refused in turn.
 *
 * Holds      a server in a forked child, on plain sockets: its memory is not counted.
 * Invariant  after every run, whatever it came to, as many blocks are out as before.
 * Called by  ctest.
 * Why        error paths for want of memory never run by themselves.
 */
#include "fixtures/fixture.h"

#include "base/mem.h"
#include "http/client_priv.h"

#include <arpa/inet.h>
#include <juggle.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH_ANSWER "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"
#define CHUNKED_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

// The server.

static void answer(int fd, const char *request) {
    static char chunk[20000];
    const char *text = LENGTH_ANSWER;
    if (strstr(request, "/chunks") != NULL) {
        int size = snprintf(chunk, sizeof chunk, CHUNKED_HEAD "4000\r\n");
        memset(chunk + size, 'c', 0x4000);
        strcpy(chunk + size + 0x4000, "\r\n0\r\n\r\n");
        text = chunk;
    }
    for (size_t done = 0; done < strlen(text);) {
        ssize_t put = send(fd, text + done, strlen(text) - done, MSG_NOSIGNAL);
        if (put < 0) {
            return;
        }
        done += (size_t)put;
    }
}

/* Answers whatever ends in an empty line or an empty chunk. */
static void serve(int fd) {
    char request[8192];
    size_t held = 0;
    for (ssize_t got; (got = recv(fd, request + held, sizeof request - 1 - held, 0)) > 0;) {
        held += (size_t)got;
        request[held] = '\0';
        bool chunked = strstr(request, "chunked\r\n") != NULL;
        const char *end = strstr(request, chunked ? "\r\n0\r\n\r\n" : "\r\n\r\n");
        if (end != NULL) {
            answer(fd, request);
            held = 0;
        }
    }
    close(fd);
}

static _Noreturn void server_run(int fd) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int peer = accept(fd, NULL, NULL);
        if (peer >= 0 && fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(peer);
            _exit(0);
        }
        close(peer);
    }
}

struct server {
    pid_t pid;
    int port;
};

static struct server server_start(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    struct server server = {fork(), ntohs(address.sin_port)};
    if (server.pid == 0) {
        server_run(fd);
    }
    close(fd);
    return server;
}

static void server_stop(const struct server *server) {
    kill(server->pid, SIGKILL);
    ck_assert_int_eq(waitpid(server->pid, NULL, 0), server->pid);
}

// The client.

static ssize_t three_bytes(void *arg, void *buf, size_t cap) {
    int *calls = arg;
    ck_assert_uint_ge(cap, 3);
    memcpy(buf, "abc", 3);
    return (*calls)++ == 0 ? 3 : 0;
}

static int read_and_close(jg_http_response *response, ssize_t wanted) {
    const char *data;
    ssize_t size = jg_http_body(response, &data);
    if (size >= 0) {
        ck_assert_int_eq(size, wanted);
        ck_assert_uint_eq(strlen(data), (size_t)wanted);
        ck_assert_uint_ge(jg_http_response_header_count(response), 1);
        ck_assert_ptr_null(jg_http_response_header(response, "none"));
    }
    jg_http_response_close(response);
    return size < 0 ? (int)size : 0;
}

static int exchange(jg_http_client *client, const jg_http_request *request, ssize_t wanted) {
    jg_http_response *response;
    int rc = jg_http_send(client, request, &response);
    return rc < 0 ? rc : read_and_close(response, wanted);
}

/* A bit of everything that allocates. Stops at the first error. */
static intptr_t scenario(void *arg) {
    const struct server *server = arg;
    jg_http_client *client;
    int rc = jg_http_client_open(NULL, &client);
    if (rc < 0) {
        return rc;
    }
    char url[64];
    char chunks[64];
    static char agent[3000];
    int calls = 0;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", server->port);
    snprintf(chunks, sizeof chunks, "http://127.0.0.1:%d/chunks", server->port);
    memset(agent, 'a', sizeof agent - 1);
    const jg_http_header header = {"X-Long", agent};
    const jg_http_request plain = {.url = url};
    const jg_http_request large = {.url = chunks};
    const jg_http_request long_head = {.url = url, .headers = &header, .header_count = 1};
    const jg_http_request upload = {
        .url = url, .method = "PUT", .source = three_bytes, .source_arg = &calls};
    const jg_http_request *const all[] = {&plain, &large, &long_head, &upload, &plain};
    for (size_t i = 0; i < sizeof all / sizeof all[0] && rc == 0; i++) {
        rc = exchange(client, all[i], all[i] == &large ? 0x4000 : 5);
    }
    jg_http_client_close(client);
    return rc;
}

static intptr_t in_loop(void *arg) {
    return jg_run_with(scenario, arg, &(const jg_run_options){.backend = "epoll"});
}

/* Whether the program came to the allocation that was to be refused. With `from_then_on` the one just
 * beyond its last counts too. */
static bool was_reached(uint64_t n, int from_then_on) {
    bool refused = mem_refuse() != 0;
    for (uint64_t i = 1; i < n && !from_then_on && !refused; i++) {
        refused = mem_refuse() != 0; // it is still to come
    }
    mem_fail_nth(0, 0);
    return from_then_on ? refused : !refused;
}

/* Refuses the first allocation, the second, and so on, until none is left to refuse. */
static void refuse_each(jg_fn *program, int from_then_on) {
    struct server server = server_start();
    ck_assert_int_eq(program(&server), 0); // what is set up once stays
    jg_error_clear();
    long before = mem_live();
    int failed = 0;
    bool reached = true;
    for (uint64_t n = 1; reached; n++) {
        mem_fail_nth(n, from_then_on);
        intptr_t rc = program(&server);
        reached = was_reached(n, from_then_on);
        jg_error_clear();
        ck_assert_msg(mem_live() == before, "allocation %d: %ld blocks leaked", (int)n,
                      mem_live() - before);
        // A timer that finds no memory counts as due, so that no wait becomes endless. Some
        // allocations are economies: without them all goes well.
        ck_assert_msg(rc == 0 || (reached && (rc == -ENOMEM || rc == -ETIMEDOUT)),
                      "allocation %d: %s", (int)n, jg_error_name(rc));
        failed += rc < 0;
    }
    ck_assert_int_ge(failed, 8);
    server_stop(&server);
}

// Without memory a program would crash, or lose what it had.
START_TEST(each_refused_allocation_is_an_error_and_no_leak) {
    refuse_each(scenario, 0);
    refuse_each(in_loop, 0);
}
END_TEST

// The same when memory does not come back.
START_TEST(memory_that_stays_away_is_an_error_and_no_leak) {
    refuse_each(scenario, 1);
    refuse_each(in_loop, 1);
}
END_TEST

FIXTURE_MAIN("http/client_memory", each_refused_allocation_is_an_error_and_no_leak,
             memory_that_stays_away_is_an_error_and_no_leak)
