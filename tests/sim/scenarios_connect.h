// SPDX-License-Identifier: MIT
/* scenarios_connect.h – a scenario of names with several addresses.
 *
 * Holds      street.
 * Invariant  see scenarios.h.
 * Called by  scenarios.h.
 * Why        see scenarios.h.
 */
#ifndef SIM_SCENARIOS_CONNECT_H
#define SIM_SCENARIOS_CONNECT_H

#include "fixtures/fixture.h"

#include <juggle.h>
#include <juggle/sim.h>

// street: of a name's three addresses the first is dead; whoever connects keeps one connection, and no
// other is left open.

struct street {
    jg_listener *listeners[2];
    int connected;
    int came;
    int left;
};

struct street_door {
    struct street *street;
    int number;
};

static intptr_t street_keep(void *arg) {
    const struct street_door *door = arg;
    jg_stream *guest;
    char text[1];
    while (jg_accept(door->street->listeners[door->number], &guest) == 0) {
        door->street->came++;
        jg_read(guest, text, 1); // until it leaves
        jg_stream_close(guest);
        door->street->left++;
    }
    return 0;
}

static intptr_t street_visit(void *arg) {
    struct street *street = arg;
    jg_stream *stream = NULL;
    int rc = 0;
    JG_TIMEOUT(900, rc) {
        rc = jg_tcp_connect("street", 80, &stream);
    }
    ck_assert_int_eq(rc == 0, stream != NULL);
    if (rc == 0) {
        street->connected++;
        jg_write(stream, "!", 1);
        jg_stream_close(stream);
    }
    return 0;
}

/* So that two attempts are answered at once. */
static intptr_t street_hold_up(void *arg) {
    (void)arg;
    if (jg_sleep(255) == 0) {
        jg_sim_advance(300);
    }
    return 0;
}

static intptr_t street_run(void *arg) {
    struct street street = {.connected = 0};
    const struct street_door doors[] = {{&street, 0}, {&street, 1}};
    (void)arg;
    int rc = jg_sim_host_add("street", "lane");
    rc = rc < 0 ? rc : jg_sim_host_add("street", "yard");
    rc = rc < 0 ? rc : jg_sim_host_cut("street");
    rc = rc < 0 ? rc : jg_tcp_listen("lane", 80, &street.listeners[0]);
    rc = rc < 0 ? rc : jg_tcp_listen("yard", 80, &street.listeners[1]);
    if (rc == 0) {
        JG_GROUP(keepers) {
            jg_group_spawn(keepers, street_keep, (void *)&doors[0]);
            jg_group_spawn(keepers, street_keep, (void *)&doors[1]);
            JG_GROUP(visitors) {
                jg_group_spawn(visitors, street_visit, &street);
                jg_group_spawn(visitors, street_visit, &street);
                jg_group_spawn(visitors, street_hold_up, NULL);
            }
            jg_group_cancel(keepers);
        }
    }
    jg_listener_close(street.listeners[0]);
    jg_listener_close(street.listeners[1]);
    ck_assert_int_eq(street.came, street.left);
    ck_assert(scenario_disturbed || street.connected == 2);
    return rc < 0 ? -ENOMEM : 0;
}

#define SCENARIOS_CONNECT(X) X(street, NULL)

#endif
