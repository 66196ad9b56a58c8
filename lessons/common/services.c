// SPDX-License-Identifier: MIT
/* services.c – see services.h. */
#include "services.h"

#include "cli/standin.h"
#include "lesson.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { URL_SIZE = 512, URLS_MOST = 64 };

static struct {
    const char *given[SERVICES_MOST]; // with --url
    size_t given_count;
    char urls[URLS_MOST][URL_SIZE]; // handed out
    size_t url_count;
    char base[64]; // of the stand-in; "": none yet
    struct standin standin;
    jg_listener *listener; // under sim
    jg_task *task;         // under sim
    jg_worker *process;    // on the real clock
    int port_pipe[2];
} services;

int services_use(const char *url) {
    static const char http[] = "http://";
    const char *host = url + strlen(http);
    bool good = strncmp(url, http, strlen(http)) == 0 && *host != '\0' && *host != '/';
    if (!good || strlen(url) >= URL_SIZE / 2 || services.given_count == SERVICES_MOST) {
        return -EINVAL;
    }
    services.given[services.given_count++] = url;
    return 0;
}

static void prepare(struct standin *standin) {
    standin->settings = (struct standin_settings){
        .latency_ns = {[STANDIN_STATS] = 100 * JG_MS,
                       [STANDIN_PLAYERS] = 150 * JG_MS,
                       [STANDIN_IPIFY] = 80 * JG_MS,
                       [STANDIN_IP_API] = 120 * JG_MS},
        .size_bytes = 700,
    };
}

static intptr_t serve(void *listener) {
    return standin_serve(&services.standin, listener);
}

static int start_task(void) {
    int rc = jg_tcp_listen("services", 80, &services.listener);
    if (rc < 0) {
        return rc;
    }
    const jg_spawn_options options = {.name = "services"};
    services.task = jg_spawn_with(serve, services.listener, &options);
    strcpy(services.base, "http://services");
    return 0;
}

static intptr_t tell_port_and_serve(void *arg) {
    (void)arg;
    jg_listener *listener;
    int rc = jg_tcp_listen("127.0.0.1", 0, &listener);
    if (rc < 0) {
        return rc;
    }
    int port = jg_listener_port(listener);
    if (write(services.port_pipe[1], &port, sizeof(port)) == (ssize_t)sizeof(port)) {
        close(services.port_pipe[1]);
        rc = standin_serve(&services.standin, listener);
    }
    jg_listener_close(listener);
    return rc;
}

static intptr_t be_a_process(void *parent) {
    const jg_run_options options = {.backend = "epoll"};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(services.port_pipe[0]);
    return getppid() == (pid_t)(intptr_t)parent ? jg_run_with(tell_port_and_serve, NULL, &options)
                                                : -ESRCH;
}

static int start_process(void) {
    int port;
    if (pipe2(services.port_pipe, O_CLOEXEC) < 0) {
        return -errno;
    }
    int rc = jg_worker_start(JG_WORKER_PROCESS, be_a_process, (void *)(intptr_t)getpid(), NULL,
                             &services.process);
    close(services.port_pipe[1]);
    // Holds the thread up, but for a moment, and nothing else runs yet.
    if (rc == 0 && read(services.port_pipe[0], &port, sizeof(port)) == (ssize_t)sizeof(port)) {
        snprintf(services.base, sizeof(services.base), "http://127.0.0.1:%d", port);
    } else if (rc == 0) {
        rc = -ECHILD;
    }
    close(services.port_pipe[0]);
    return rc;
}

static int start(void) {
    prepare(&services.standin);
    int rc = standin_open(&services.standin);
    if (rc == 0) {
        rc = lesson_sim() ? start_task() : start_process();
    }
    return rc;
}

static void start_or_exit(void) {
    int rc = start();
    if (rc < 0) {
        lesson_give_up("the stand-in for the services could not be started", rc);
    }
}

void services_stop(void) {
    if (services.process != NULL) {
        jg_worker_kill(services.process, SIGKILL);
        jg_worker_join(services.process);
    }
    if (services.task != NULL) {
        jg_cancel(services.task);
        jg_join(services.task);
    }
    jg_listener_close(services.listener);
    standin_close(&services.standin);
}

const char *lesson_url(size_t index, const char *path) {
    char *url = services.urls[services.url_count++ % URLS_MOST];
    if (services.given_count > 0) {
        const char *given = services.given[index % services.given_count];
        const char *own_path = strchr(given + strlen("http://"), '/');
        bool whole = own_path != NULL && own_path[1] != '\0';
        int length = own_path != NULL && !whole ? (int)(own_path - given) : (int)strlen(given);
        snprintf(url, URL_SIZE, "%.*s%s", length, given, whole ? "" : path);
    } else {
        if (services.base[0] == '\0') {
            start_or_exit();
        }
        snprintf(url, URL_SIZE, "%s%s", services.base, path);
    }
    return url;
}
