// SPDX-License-Identifier: MIT
/* http.c – the floor under an HTTP client: one epoll loop, a buffer per connection, and no library.
 *
 * Holds      one struct connection per request in flight.
 * Invariant  a connection has at most one request outstanding, and never bytes beyond its answer.
 * Called by  run.py, `floor_http steady|burst …` (plan.h).
 * Why        this is what the kernel charges for an exchange: send, a share of one epoll_wait,
 *            recv. The parsing is the least that still finds the status and the length.
 * Quirks     edge-triggered, registered once; a recv that fills less than the buffer has drained
 *            the socket, so no second recv is made to hear EAGAIN. It understands the answers of
 *            the servers used here and no others: no chunks, no folding, no limits, no reconnects.
 */
#include "common/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_PER_WAIT 512

struct connection {
    int fd;
    int waiting; // a request is out
    uint32_t have_bytes;
    char buffer[1024];
};

struct client {
    struct plan plan;
    int epoll_fd;
    uint64_t open_connections;
    struct connection *connections;
    char request[256];
    size_t request_bytes;
};

static void connection_open(struct client *client, struct connection *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(client->plan.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        measure_die("socket", errno);
    }
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        measure_die("connect", errno);
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) {
        measure_die("epoll_ctl", errno);
    }
    client->open_connections++;
}

/* Sends the next request, or closes the connection when there is none left. */
static void connection_next(struct client *client, struct connection *c) {
    c->waiting = plan_claim(&client->plan);
    c->have_bytes = 0;
    if (!c->waiting) {
        close(c->fd);
        c->fd = -1;
        client->open_connections--;
        return;
    }
    ssize_t sent = send(c->fd, client->request, client->request_bytes, MSG_NOSIGNAL);
    if (sent != (ssize_t)client->request_bytes) {
        measure_die("send", sent < 0 ? errno : 0);
    }
}

/* Returns the number of body bytes if the answer is complete, or -1; sets *out_status. */
static long answer_parse(const struct connection *c, long *out_status) {
    static const char length_name[] = "\r\nContent-Length: ";
    const char *blank = memmem(c->buffer, c->have_bytes, "\r\n\r\n", 4);
    if (blank == NULL) {
        return -1;
    }
    if (memcmp(c->buffer, "HTTP/1.1 ", 9) != 0) {
        measure_die("an answer that is not HTTP/1.1", 0);
    }
    *out_status = strtol(c->buffer + 9, NULL, 10);
    const char *length = memmem(c->buffer, (size_t)(blank - c->buffer), length_name,
                                sizeof length_name - 1);
    if (length == NULL) {
        measure_die("an answer without Content-Length", 0);
    }
    long expected = strtol(length + sizeof length_name - 1, NULL, 10);
    long have = (long)(c->buffer + c->have_bytes - (blank + 4));
    if (have > expected) {
        measure_die("bytes beyond the end of an answer", 0);
    }
    return have == expected ? have : -1;
}

static void connection_read(struct client *client, struct connection *c) {
    size_t room = sizeof c->buffer - c->have_bytes;
    ssize_t got = recv(c->fd, c->buffer + c->have_bytes, room, 0);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0 || (size_t)got == room) {
        measure_die(got < 0 ? "recv" : "closed by the server, or an answer too long",
                    got < 0 ? errno : 0);
    }
    c->have_bytes += (uint32_t)got;
    long status = 0;
    long body_bytes = answer_parse(c, &status);
    if (body_bytes >= 0) {
        plan_answer(&client->plan, status, (uint64_t)body_bytes);
        connection_next(client, c);
    }
}

static void loop_run(struct client *client) {
    struct epoll_event events[EVENTS_PER_WAIT];
    while (client->open_connections > 0) {
        int ready = epoll_wait(client->epoll_fd, events, EVENTS_PER_WAIT, 10000);
        if (ready <= 0) {
            measure_die(ready < 0 ? "epoll_wait" : "no answer for 10 s", ready < 0 ? errno : 0);
        }
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->waiting && (events[i].events & EPOLLIN) != 0) {
                connection_read(client, c);
            } else if (!c->waiting) {
                // Connected, or refused: then the send says why.
                connection_next(client, c);
            }
        }
    }
}

int main(int argc, char **argv) {
    static struct client client;
    plan_read(&client.plan, argc, argv);
    client.request_bytes = (size_t)snprintf(
        client.request, sizeof client.request,
        "GET " PLAN_PATH " HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", client.plan.port);
    client.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (client.epoll_fd < 0) {
        measure_die("epoll_create1", errno);
    }
    plan_begin(&client.plan);
    client.connections = calloc(client.plan.in_flight, sizeof *client.connections);
    if (client.connections == NULL) {
        measure_die("no memory for the connections", ENOMEM);
    }
    for (uint64_t i = 0; i < client.plan.in_flight; i++) {
        connection_open(&client, &client.connections[i]);
    }
    loop_run(&client);
    plan_finish(&client.plan);
    free(client.connections);
    close(client.epoll_fd);
    return 0;
}
