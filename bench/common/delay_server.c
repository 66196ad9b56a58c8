// SPDX-License-Identifier: MIT
/* delay_server.c – answers every HTTP request with 200 and a fixed body, a fixed time later.
 *
 * Holds      the requests that wait, in the order they came: with one delay for all, that is also
 *            the order they are due, so a ring does for a timer heap.
 * Invariant  ring entries between head and tail have growing due_ns; an entry whose connection
 *            closed meanwhile has a stale generation and is skipped.
 * Called by  run.py for the bursts: `delay_server DELAY_MS BODY`; prints {"port": N} when it
 *            listens, and its counts when told to end with SIGTERM. The parent's death ends it too.
 * Why        the server of a latency benchmark must not be the bottleneck: this does one recv and
 *            one send per request, and takes new connections before anything else.
 * Quirks     the accept queue is as long as the kernel lets it be (net.core.somaxconn); a client
 *            that fills it faster than one core empties it gets a SYN retry after 1 s. run.py looks
 *            for that. A request ends at its first empty line: bodies and pipelining are not
 *            understood.
 */
#include "measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_WAIT 256
#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

struct connection {
    uint32_t generation; // counts the uses of this descriptor number
    uint32_t end_seen;   // how much of "\r\n\r\n" the last bytes matched
};

struct pending {
    uint64_t due_ns;
    int fd;
    uint32_t generation;
};

struct server {
    int listen_fd;
    int epoll_fd;
    uint64_t delay_ns;
    char *answer;
    size_t answer_bytes;
    struct connection *connections; // by descriptor
    uint64_t files_max;
    struct pending *ring; // ring_size is a power of two
    uint64_t ring_size;
    uint64_t head;
    uint64_t tail;
    uint64_t answered;
    uint64_t peak_in_flight;
    uint64_t peak_connections;
    uint64_t open_connections;
};

static volatile sig_atomic_t told_to_end;

static void on_signal(int number) {
    (void)number;
    told_to_end = 1;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * (uint64_t)NS_PER_S + (uint64_t)t.tv_nsec;
}

static void connection_close(struct server *s, int fd) {
    s->connections[fd].generation++;
    s->open_connections--;
    close(fd);
}

static void accept_all(struct server *s) {
    for (;;) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN) {
            return;
        }
        if (fd < 0) {
            measure_die("delay_server: accept4", errno);
        }
        s->connections[fd].end_seen = 0;
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
        if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
            measure_die("delay_server: epoll_ctl", errno);
        }
        if (++s->open_connections > s->peak_connections) {
            s->peak_connections = s->open_connections;
        }
    }
}

static void ring_push(struct server *s, int fd) {
    // One request per connection at a time, and the ring has a place for every descriptor.
    if (s->tail - s->head == s->ring_size) {
        measure_die("delay_server: pipelined requests", 0);
    }
    struct pending *p = &s->ring[s->tail++ & (s->ring_size - 1)];
    p->due_ns = now_ns() + s->delay_ns;
    p->fd = fd;
    p->generation = s->connections[fd].generation;
    if (s->tail - s->head > s->peak_in_flight) {
        s->peak_in_flight = s->tail - s->head;
    }
}

static void connection_read(struct server *s, int fd) {
    static const char end[4] = {'\r', '\n', '\r', '\n'};
    char buffer[4096];
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        connection_close(s, fd);
        return;
    }
    struct connection *c = &s->connections[fd];
    for (ssize_t i = 0; i < got; i++) {
        c->end_seen = buffer[i] == end[c->end_seen] ? c->end_seen + 1 : (buffer[i] == '\r');
        if (c->end_seen == sizeof end) {
            c->end_seen = 0;
            ring_push(s, fd);
        }
    }
}

/* Answers everything that is due. */
static void answer_due(struct server *s) {
    uint64_t now = now_ns();
    for (; s->head != s->tail; s->head++) {
        const struct pending *p = &s->ring[s->head & (s->ring_size - 1)];
        if (p->due_ns > now) {
            return;
        }
        if (s->connections[p->fd].generation != p->generation) {
            continue;
        }
        ssize_t sent = send(p->fd, s->answer, s->answer_bytes, MSG_NOSIGNAL);
        if (sent != (ssize_t)s->answer_bytes) {
            connection_close(s, p->fd);
            continue;
        }
        s->answered++;
    }
}

/* Waits for events, for the next due answer, or for a signal; returns the number of events. */
static int wait_events(struct server *s, struct epoll_event *events, const sigset_t *unblocked) {
    struct timespec left = {.tv_sec = 0};
    if (s->head != s->tail) {
        uint64_t now = now_ns();
        uint64_t due_ns = s->ring[s->head & (s->ring_size - 1)].due_ns;
        int64_t wait_ns = due_ns > now ? (int64_t)(due_ns - now) : 0;
        left.tv_sec = wait_ns / NS_PER_S;
        left.tv_nsec = wait_ns % NS_PER_S;
    }
    int ready = epoll_pwait2(s->epoll_fd, events, EVENTS_PER_WAIT,
                             s->head != s->tail ? &left : NULL, unblocked);
    if (ready < 0 && errno != EINTR) {
        measure_die("delay_server: epoll_pwait2", errno);
    }
    return ready < 0 ? 0 : ready;
}

static void serve(struct server *s, const sigset_t *unblocked) {
    struct epoll_event events[EVENTS_PER_WAIT];
    while (!told_to_end) {
        int ready = wait_events(s, events, unblocked);
        // New connections first, whatever else is ready: a full accept queue costs its clients 1 s.
        accept_all(s);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd != s->listen_fd) {
                connection_read(s, events[i].data.fd);
            }
        }
        answer_due(s);
    }
}

static void tables_alloc(struct server *s) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) {
        measure_die("delay_server: getrlimit", errno);
    }
    files.rlim_cur = files.rlim_max < 1000000 ? files.rlim_max : 1000000;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
        measure_die("delay_server: setrlimit", errno);
    }
    s->files_max = files.rlim_cur;
    s->ring_size = 1;
    while (s->ring_size < s->files_max) {
        s->ring_size *= 2;
    }
    s->connections = calloc(s->files_max, sizeof *s->connections);
    s->ring = calloc(s->ring_size, sizeof *s->ring);
    if (s->connections == NULL || s->ring == NULL) {
        measure_die("delay_server: no memory", ENOMEM);
    }
}

static void answer_make(struct server *s, const char *body) {
    size_t cap = strlen(body) + 256;
    s->answer = malloc(cap);
    if (s->answer == NULL) {
        measure_die("delay_server: no memory", ENOMEM);
    }
    s->answer_bytes = (size_t)snprintf(s->answer, cap,
                                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                       "Content-Length: %zu\r\n\r\n%s",
                                       strlen(body), body);
}

/* Listens on a free port of 127.0.0.1 and prints it. */
static void listen_open(struct server *s) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_bytes = sizeof at;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    event.data.fd = s->listen_fd;
    if (s->listen_fd < 0 || s->epoll_fd < 0 ||
        bind(s->listen_fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(s->listen_fd, 1 << 20) < 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&at, &at_bytes) < 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &event) < 0) {
        measure_die("delay_server: cannot listen", errno);
    }
    printf("{\"port\": %u}\n", ntohs(at.sin_port));
    fflush(stdout);
}

int main(int argc, char **argv) {
    static struct server server;
    server.delay_ns = measure_arg(argc, argv, 1, 0) * NS_PER_MS;
    if (argc != 3) {
        fprintf(stderr, "usage: %s DELAY_MS BODY\n", argv[0]);
        return 2;
    }
    // Signals are taken only inside the wait, so none is lost between the check and the wait.
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);

    tables_alloc(&server);
    answer_make(&server, argv[2]);
    listen_open(&server);
    serve(&server, &before);
    printf("{\"answered\": %" PRIu64 ", \"peak_in_flight\": %" PRIu64
           ", \"peak_connections\": %" PRIu64 "}\n",
           server.answered, server.peak_in_flight, server.peak_connections);
    return 0;
}
