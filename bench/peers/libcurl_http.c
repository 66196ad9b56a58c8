// SPDX-License-Identifier: MIT
/* libcurl_http.c – libcurl's multi interface driven by epoll, the way its own examples do it.
 *
 * Holds      one easy handle per request in flight, used again for the next one.
 * Invariant  a handle is in the multi exactly while its request is going.
 * Called by  run.py, `libcurl_http steady|burst …` (plan.h).
 * Why        the client library C programs use today, in its fastest form:
 *            curl_multi_socket_action, one thread, keep-alive, handles recycled.
 * Quirks     libcurl asks for its sockets to be removed from the poller after every transfer and
 *            added again for the next; as in its examples, that is done as asked. It sends
 *            User-Agent and Accept, about 30 bytes more than the floor.
 */
#include "common/plan.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_WAIT 512

struct transfer {
    CURL *easy;
    uint64_t body_bytes;
};

struct client {
    struct plan plan;
    CURLM *multi;
    int epoll_fd;
    int running;
    long timeout_ms; // as libcurl asked last; -1: none
    struct timespec timeout_from;
};

static void must_be_ok(CURLMcode code) {
    if (code != CURLM_OK) {
        measure_die(curl_multi_strerror(code), 0);
    }
}

static size_t on_body(char *data, size_t size, size_t count, void *transfer) {
    (void)data;
    ((struct transfer *)transfer)->body_bytes += size * count;
    return size * count;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg) {
    struct client *client = arg;
    (void)multi;
    client->timeout_ms = timeout_ms;
    clock_gettime(CLOCK_MONOTONIC, &client->timeout_from);
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
    struct client *client = arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(client->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    event.events |= (what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0;
    event.events |= (what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0;
    if (epoll_ctl(client->epoll_fd, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) <
        0) {
        measure_die("epoll_ctl", errno);
    }
    must_be_ok(curl_multi_assign(client->multi, fd, client));
    return 0;
}

static void transfer_start(struct client *client, struct transfer *t) {
    if (plan_claim(&client->plan)) {
        t->body_bytes = 0;
        must_be_ok(curl_multi_add_handle(client->multi, t->easy));
    }
}

/* Checks every transfer that has ended and starts the next one on its handle. */
static void transfers_reap(struct client *client) {
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        struct transfer *t = NULL;
        long status = 0;
        if (message->data.result != CURLE_OK) {
            measure_die(curl_easy_strerror(message->data.result), 0);
        }
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        must_be_ok(curl_multi_remove_handle(client->multi, t->easy));
        plan_answer(&client->plan, status, t->body_bytes);
        transfer_start(client, t);
    }
}

/* Milliseconds until libcurl's timer fires: 0 if it has, 10000 if none is set. */
static int timer_left_ms(const struct client *client) {
    struct timespec now;
    if (client->timeout_ms < 0) {
        return 10000;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    long passed_ms = (now.tv_sec - client->timeout_from.tv_sec) * 1000 +
                     (now.tv_nsec - client->timeout_from.tv_nsec) / 1000000;
    return passed_ms >= client->timeout_ms ? 0 : (int)(client->timeout_ms - passed_ms);
}

static void loop_run(struct client *client) {
    struct epoll_event events[EVENTS_PER_WAIT];
    while (client->plan.answered < client->plan.warm_up + client->plan.requests) {
        int ready = epoll_wait(client->epoll_fd, events, EVENTS_PER_WAIT, timer_left_ms(client));
        if (ready < 0) {
            measure_die("epoll_wait", errno);
        }
        for (int i = 0; i < ready; i++) {
            int mask = 0;
            mask |= (events[i].events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
            mask |= (events[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
            mask |= (events[i].events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0;
            must_be_ok(
                curl_multi_socket_action(client->multi, events[i].data.fd, mask, &client->running));
        }
        if (client->timeout_ms >= 0 && timer_left_ms(client) == 0) {
            client->timeout_ms = -1;
            must_be_ok(
                curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &client->running));
        }
        transfers_reap(client);
    }
}

static void transfer_init(const struct client *client, struct transfer *t) {
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%u" PLAN_PATH, client->plan.port);
    t->easy = curl_easy_init();
    if (t->easy == NULL || curl_easy_setopt(t->easy, CURLOPT_URL, url) != CURLE_OK) {
        measure_die("curl_easy_init", ENOMEM);
    }
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT, 30L);
}

int main(int argc, char **argv) {
    static struct client client = {.timeout_ms = -1};
    plan_read(&client.plan, argc, argv);
    curl_global_init(CURL_GLOBAL_NOTHING);
    client.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    plan_begin(&client.plan);
    client.multi = curl_multi_init();
    struct transfer *transfers = calloc(client.plan.in_flight, sizeof *transfers);
    if (client.epoll_fd < 0 || client.multi == NULL || transfers == NULL) {
        measure_die("set-up", ENOMEM);
    }
    curl_multi_setopt(client.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client.multi, CURLMOPT_SOCKETDATA, &client);
    curl_multi_setopt(client.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(client.multi, CURLMOPT_TIMERDATA, &client);
    curl_multi_setopt(client.multi, CURLMOPT_MAXCONNECTS, (long)client.plan.in_flight);
    for (uint64_t i = 0; i < client.plan.in_flight; i++) {
        transfer_init(&client, &transfers[i]);
        transfer_start(&client, &transfers[i]);
    }
    loop_run(&client);
    plan_finish(&client.plan);
    for (uint64_t i = 0; i < client.plan.in_flight; i++) {
        curl_easy_cleanup(transfers[i].easy);
    }
    curl_multi_cleanup(client.multi);
    free(transfers);
    close(client.epoll_fd);
    return 0;
}
