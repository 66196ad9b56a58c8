// SPDX-License-Identifier: MIT
/* scenarios_os.h – scenarios of datagrams and pipes.
 *
 * Holds      datagrams, plumbing.
 * Invariant  see scenarios.h.
 * Called by  scenarios.h.
 * Why        see scenarios.h.
 */
#ifndef SIM_SCENARIOS_OS_H
#define SIM_SCENARIOS_OS_H

#include "fixtures/fixture.h"

#include <juggle.h>
#include <string.h>

#define SCENARIOS_OS(X)                                                                            \
    X(datagrams, NULL)                                                                             \
    X(plumbing, NULL)

// datagrams: questions and answers that may be lost, asked again until answered.

enum { DATAGRAM_CLIENTS = 3, DATAGRAM_TRIES = 30 };

struct datagrams {
    jg_address server;
    jg_udp *socket;
    int asked;
    int answered;
    int wrong;
};

static intptr_t datagrams_serve(void *arg) {
    struct datagrams *all = arg;
    jg_address from;
    int question;
    while (jg_udp_recv(all->socket, &question, sizeof(question), &from, NULL) >= 0) {
        question *= 2;
        if (jg_udp_send(all->socket, &from, &question, sizeof(question)) < 0) {
            break;
        }
    }
    return 0;
}

static intptr_t datagrams_ask(void *arg) {
    struct datagrams *all = arg;
    int question = ++all->asked;
    jg_udp *udp;
    if (jg_udp_open(NULL, NULL, &udp) < 0) {
        return 0;
    }
    ssize_t rc = jg_udp_connect(udp, &all->server);
    for (int i = 0; i < DATAGRAM_TRIES && rc >= 0; i++) {
        int answer = 0;
        rc = jg_udp_send(udp, NULL, &question, sizeof(question));
        if (rc >= 0) {
            JG_TIMEOUT(50, rc) {
                rc = jg_udp_recv(udp, &answer, sizeof(answer), NULL, NULL);
            }
        }
        if (rc >= 0) {
            all->answered++;
            all->wrong += answer != 2 * question;
            break;
        }
        rc = rc == -ETIMEDOUT ? 0 : rc;
    }
    jg_udp_close(udp);
    return 0;
}

static intptr_t datagrams_run(void *arg) {
    struct datagrams all = {.asked = 0};
    jg_address any_port;
    (void)arg;
    jg_address_make(NULL, 0, &any_port);
    if (jg_udp_open(&any_port, NULL, &all.socket) < 0) {
        return -ENOMEM;
    }
    ck_assert_int_eq(jg_udp_address(all.socket, &all.server), 0);
    JG_GROUP(servers) {
        jg_group_spawn(servers, datagrams_serve, &all);
        JG_GROUP(clients) {
            for (int i = 0; i < DATAGRAM_CLIENTS; i++) {
                jg_group_spawn(clients, datagrams_ask, &all);
            }
        }
        jg_group_cancel(servers);
    }
    jg_udp_close(all.socket);
    ck_assert_int_eq(all.wrong, 0);
    ck_assert_int_le(all.answered, DATAGRAM_CLIENTS);
    ck_assert(scenario_disturbed || all.answered == DATAGRAM_CLIENTS);
    return 0;
}

// plumbing: three pipes in a row, each with a task that passes on what it gets, and a sink.

enum { PLUMBING_PIPES = 3, PLUMBING_BYTES = 500 };

struct plumbing {
    jg_stream *readers[PLUMBING_PIPES];
    jg_stream *writers[PLUMBING_PIPES];
    int received;
    int wrong;
};

struct plumbing_joint {
    struct plumbing *plumbing;
    int index;
};

static intptr_t plumbing_pass(void *arg) {
    const struct plumbing_joint *joint = arg;
    struct plumbing *plumbing = joint->plumbing;
    jg_stream **writer = &plumbing->writers[joint->index + 1];
    unsigned char chunk[64];
    ssize_t got;
    while ((got = jg_read(plumbing->readers[joint->index], chunk, sizeof(chunk))) > 0) {
        if (jg_write(*writer, chunk, (size_t)got) < 0) {
            break;
        }
    }
    jg_stream_close(*writer); // the next one reads the end
    *writer = NULL;
    return 0;
}

static intptr_t plumbing_fill(void *arg) {
    struct plumbing *plumbing = arg;
    for (int i = 0; i < PLUMBING_BYTES; i++) {
        unsigned char byte = (unsigned char)i;
        if (jg_write(plumbing->writers[0], &byte, 1) < 0) {
            break;
        }
    }
    jg_stream_close(plumbing->writers[0]);
    plumbing->writers[0] = NULL;
    return 0;
}

static intptr_t plumbing_drain(void *arg) {
    struct plumbing *plumbing = arg;
    unsigned char chunk[100];
    ssize_t got;
    while ((got = jg_read(plumbing->readers[PLUMBING_PIPES - 1], chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            plumbing->wrong += chunk[i] != (unsigned char)plumbing->received++;
        }
    }
    return 0;
}

static intptr_t plumbing_run(void *arg) {
    struct plumbing plumbing = {.received = 0};
    struct plumbing_joint joints[PLUMBING_PIPES - 1];
    int rc = 0;
    (void)arg;
    for (int i = 0; i < PLUMBING_PIPES && rc == 0; i++) {
        rc = jg_pipe(&plumbing.readers[i], &plumbing.writers[i]);
    }
    JG_TIMEOUT(10000) { // a task that never began leaves its end open
        JG_GROUP(group, rc) {
            rc = rc < 0 ? rc : jg_group_spawn(group, plumbing_fill, &plumbing);
            for (int i = 0; i < PLUMBING_PIPES - 1 && rc == 0; i++) {
                joints[i] = (struct plumbing_joint){&plumbing, i};
                rc = jg_group_spawn(group, plumbing_pass, &joints[i]);
            }
            rc = rc < 0 ? rc : jg_group_spawn(group, plumbing_drain, &plumbing);
        }
    }
    for (int i = 0; i < PLUMBING_PIPES; i++) {
        jg_stream_close(plumbing.readers[i]);
        jg_stream_close(plumbing.writers[i]);
    }
    ck_assert_int_eq(plumbing.wrong, 0);
    ck_assert(scenario_disturbed || plumbing.received == PLUMBING_BYTES);
    return rc == -ENOMEM ? rc : 0;
}

#endif
