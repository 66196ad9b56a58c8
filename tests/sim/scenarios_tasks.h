// SPDX-License-Identifier: MIT
/* scenarios_tasks.h – scenarios of groups, joins, cancels and limits.
 *
 * Holds      families, kin, limits, storm, strays, shells, ties, late, heirlooms.
 * Invariant  see scenarios.h.
 * Called by  scenarios.h.
 * Why        see scenarios.h.
 */
#ifndef SIM_SCENARIOS_TASKS_H
#define SIM_SCENARIOS_TASKS_H

#include "fixtures/fixture.h"

#include <juggle.h>

// families: groups in groups, failures at different depths, clean-ups that wait behind shields.

struct families {
    int began;
    int cleaned;
    int cut_short;
    int depth;
};

static intptr_t families_member(void *arg) {
    struct families *shared = arg;
    shared->began++;
    int rc = jg_sleep(shared->began);
    JG_SHIELD {
        int slept = jg_sleep(1);
        shared->cut_short += (slept != 0 && slept != -ENOMEM) || jg_yield() != 0;
        shared->cleaned++;
    }
    return rc < 0                   ? rc
           : shared->began % 3 == 0 ? jg_fail(-EIO, "member %d failed", shared->began)
                                    : 0;
}

static intptr_t families_found(void *arg) {
    struct families *shared = arg;
    int rc = 0;
    JG_GROUP(group, rc) {
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(group, families_member, shared);
        }
        if (shared->depth++ < 3) {
            jg_group_spawn(group, families_found, shared);
        }
        rc = jg_sleep(2);
    }
    return rc;
}

static intptr_t families_run(void *arg) {
    struct families shared = {.began = 0};
    int rc = 0;
    (void)arg;
    JG_GROUP(group, rc) {
        jg_group_spawn(group, families_found, &shared);
        jg_group_spawn(group, families_found, &shared);
    }
    ck_assert_int_eq(shared.began, shared.cleaned);
    ck_assert_int_eq(shared.cut_short, 0);
    ck_assert(scenario_disturbed || shared.began >= 3);
    return 0;
}

// kin: joins, handles given up, tasks that start at once, both rules of cancelling. A word that is given
// is taken by the joiner or disposed of, once.

struct kin {
    int taken;
    int dropped;
    int given;
};

static struct kin *kin_now; // where the disposer of words counts

static void kin_drop(void *word) {
    (void)word;
    kin_now->dropped++;
}

static intptr_t kin_give(void *arg) {
    struct kin *kin = arg;
    if (jg_sleep(2) == -ECANCELED) {
        jg_yield();
        return -ECANCELED;
    }
    kin->given++;
    return (intptr_t)kin;
}

static intptr_t kin_run(void *arg) {
    struct kin kin = {0};
    (void)arg;
    kin_now = &kin;
    JG_GROUP(group) {
        for (int i = 0; i < 4; i++) {
            const jg_spawn_options giver = {.group = group,
                                            .eager = (i & 1) != 0,
                                            .edge = (i & 2) != 0,
                                            .drop_result = kin_drop};
            jg_task *joined = jg_spawn_with(kin_give, &kin, &giver);
            jg_detach(jg_spawn_with(kin_give, &kin, &giver));
            kin.taken += jg_join(joined) == (intptr_t)&kin;
        }
    }
    ck_assert_int_eq(kin.given, kin.taken + kin.dropped);
    ck_assert(scenario_disturbed || (kin.taken == 4 && kin.given == 8));
    return 0;
}

// limits: scopes moved, nested and tied.

struct limits {
    int wrong;
};

static intptr_t limits_nest(void *arg) {
    struct limits *limits = arg;
    jg_scope outer;
    jg_scope inner;
    int64_t tick_ns = jg_now() + 3 * JG_MS;
    jg_scope_open(&outer, tick_ns, false);
    jg_scope_open(&inner, tick_ns, false); // tied
    intptr_t rc = jg_sleep_until(tick_ns); // and the sleep with them
    intptr_t inside = jg_scope_close(&inner, rc);
    intptr_t outside = jg_scope_close(&outer, inside);
    limits->wrong += rc == 0 && outside != 0;
    // The outer one reports, unless the inner one found no memory for its timer and strikes alone.
    limits->wrong += rc == -ECANCELED && inside != -ECANCELED && !scenario_disturbed;
    return 0;
}

static intptr_t limits_move(void *arg) {
    struct limits *limits = arg;
    jg_scope scope;
    jg_scope_open(&scope, jg_now() + JG_MS, false);
    int moved = jg_scope_reschedule(&scope, jg_now() + 5 * JG_MS);
    intptr_t rc = jg_sleep(2);
    limits->wrong += moved == 0 && rc != 0 && rc != -ECANCELED && rc != -ENOMEM;
    jg_scope_reschedule(&scope, JG_NEVER);
    jg_yield();
    jg_scope_close(&scope, rc);
    limits->wrong += jg_deadline() != JG_NEVER;
    return 0;
}

static intptr_t limits_run(void *arg) {
    struct limits limits = {0};
    (void)arg;
    JG_GROUP(group) {
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(group, limits_nest, &limits);
            jg_group_spawn(group, limits_move, &limits);
        }
    }
    ck_assert_int_eq(limits.wrong, 0);
    return 0;
}

// storm: tasks that cancel each other, and take it back.

enum { STORM = 6 };

struct storm {
    jg_task *tasks[STORM];
    int began;
    int ended;
};

static intptr_t storm_blow(void *arg) {
    struct storm *storm = arg;
    int number = storm->began++;
    for (int i = 0; i < 5; i++) {
        jg_task *other = storm->tasks[(number + i) % STORM];
        if (other != NULL && i % 2 == 0) {
            jg_cancel(other);
        } else if (other != NULL) {
            jg_uncancel(other);
        }
        jg_sleep(i % 2);
    }
    JG_SHIELD {
        jg_yield();
    }
    storm->ended++;
    return 0;
}

static intptr_t storm_run(void *arg) {
    struct storm storm = {.began = 0};
    (void)arg;
    JG_GROUP(group) {
        const jg_spawn_options member = {.group = group};
        for (int i = 0; i < STORM; i++) {
            storm.tasks[i] = jg_spawn_with(storm_blow, &storm, &member);
        }
    }
    for (int i = 0; i < STORM; i++) {
        if (storm.tasks[i] != NULL) {
            ck_assert(jg_done(storm.tasks[i]));
            jg_join(storm.tasks[i]);
        }
    }
    ck_assert_int_eq(storm.began, storm.ended);
    return 0;
}

// strays: the first task returns while others are still alive, some behind shields.

struct strays {
    int began;
    int ended;
};

static struct strays strays_seen;

static intptr_t strays_live(void *arg) {
    (void)arg;
    strays_seen.began++;
    jg_sleep(60000);
    JG_SHIELD {
        int slept = jg_sleep(3);
        strays_seen.ended += slept == 0 || slept == -ENOMEM;
    }
    return 0;
}

static intptr_t strays_run(void *arg) {
    strays_seen = (struct strays){0};
    for (int i = 0; i < 4; i++) {
        jg_detach(jg_spawn(strays_live, arg));
    }
    jg_sleep(1);
    return 0;
}

static void strays_check(void) {
    ck_assert_int_eq(strays_seen.began, strays_seen.ended);
}

// shells: clean-up behind shields inside shields, with limits of its own, while everything outside is
// cancelled.

struct shells {
    int opened;
    int cleaned;
    int wrong;
};

static intptr_t shells_clean(void *arg) {
    struct shells *shells = arg;
    int rc = jg_sleep(1);
    shells->wrong += rc != 0 && rc != -ENOMEM && rc != -ECANCELED;
    return 0;
}

static intptr_t shells_open(void *arg) {
    struct shells *shells = arg;
    shells->opened++;
    jg_sleep(60000);
    JG_SHIELD {
        int rc = 0;
        JG_TIMEOUT(2, rc) { // strikes although nobody outside can reach in
            JG_SHIELD {
                JG_GROUP(group) {
                    jg_group_spawn(group, shells_clean, shells);
                }
            }
            rc = jg_sleep(60000);
        }
        shells->wrong += rc != -ETIMEDOUT && rc != -ENOMEM;
        shells->cleaned++;
    }
    return 0;
}

static intptr_t shells_run(void *arg) {
    struct shells shells = {0};
    int rc = 0;
    (void)arg;
    JG_TIMEOUT(3, rc) {
        JG_GROUP(group) {
            for (int i = 0; i < 3; i++) {
                jg_group_spawn(group, shells_open, &shells);
            }
        }
    }
    ck_assert_int_eq(shells.opened, shells.cleaned);
    ck_assert(scenario_disturbed || shells.wrong == 0);
    ck_assert(scenario_disturbed ||
              rc == 0); // the group returned no error: nothing was left to tell
    return 0;
}

// ties: an event, the limit on waiting for it and a limit further out, all in one tick. R3.

struct ties {
    jg_event event;
    int64_t tick_ns;
    int wrong;
};

static intptr_t ties_set(void *arg) {
    struct ties *ties = arg;
    jg_sleep_until(ties->tick_ns);
    jg_event_set(&ties->event);
    return 0;
}

static intptr_t ties_wait(void *arg) {
    struct ties *ties = arg;
    jg_scope outer;
    jg_scope inner;
    jg_scope_open(&outer, ties->tick_ns, false);
    jg_scope_open(&inner, ties->tick_ns, false);
    intptr_t rc = jg_event_wait(&ties->event);
    intptr_t inside = jg_scope_close(&inner, rc);
    intptr_t outside = jg_scope_close(&outer, inside);
    // Either it came, and that is what all say; or the outer one, and no other, reports.
    bool came = rc == 0 && inside == 0 && outside == 0;
    bool late = rc == -ECANCELED && inside == -ECANCELED &&
                (outside == -ETIMEDOUT || (scenario_disturbed && outside == -ECANCELED));
    ties->wrong += !came && !late && !scenario_disturbed;
    ties->wrong += rc == 0 && outside != 0; // what came may not be taken back
    return 0;
}

static intptr_t ties_run(void *arg) {
    struct ties ties = {.tick_ns = jg_now() + 2 * JG_MS};
    (void)arg;
    JG_GROUP(group) {
        jg_group_spawn(group, ties_set, &ties);
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(group, ties_wait, &ties);
        }
    }
    ck_assert_int_eq(ties.wrong, 0);
    return 0;
}

// late: tasks put others into a group that may be ending. Each argument is used or dropped, once.

struct late {
    jg_group *group;
    int given;
    int used;
    int dropped;
};

static intptr_t late_run_one(void *arg) {
    struct late *late = arg;
    late->used++;
    jg_yield();
    return 0;
}

static void late_drop(void *arg) {
    struct late *late = arg;
    late->dropped++;
}

static intptr_t late_bring(void *arg) {
    struct late *late = arg;
    for (int i = 0; i < 3; i++) {
        const jg_spawn_options options = {.group = late->group, .drop_arg = late_drop};
        late->given++;
        jg_detach(jg_spawn_with(late_run_one, late, &options));
        jg_sleep(i);
    }
    return 0;
}

static intptr_t late_run(void *arg) {
    struct late late = {.given = 0};
    (void)arg;
    JG_GROUP(group) {
        late.group = group;
        jg_group_spawn(group, late_bring, &late);
        jg_group_spawn(group, late_bring, &late);
        jg_sleep(1);
        if (jg_now() / JG_MS % 2 == 0) {
            jg_group_cancel(group);
        }
    }
    ck_assert_int_eq(late.given, late.used + late.dropped);
    ck_assert(scenario_disturbed || late.given >= 2);
    return 0;
}

// heirlooms: values that come down to children, are set anew on the way, and dropped once each.

struct heirlooms {
    int made;
    int dropped;
    int wrong;
};

static void heirlooms_drop(void *value) {
    ((struct heirlooms *)value)->dropped++;
}

static const jg_local heirlooms_first = {.name = "first", .drop = heirlooms_drop};
static const jg_local heirlooms_second = {.name = "second", .drop = heirlooms_drop};

static void heirlooms_set(struct heirlooms *shared, const jg_local *local) {
    shared->made += jg_local_set(local, shared) == 0;
}

static intptr_t heirlooms_live(void *arg) {
    struct heirlooms *shared = arg;
    jg_sleep(1);
    void *second = jg_local_get(&heirlooms_second);
    heirlooms_set(shared, &heirlooms_first);
    jg_yield();
    shared->wrong += jg_local_get(&heirlooms_second) != second; // a sibling cannot have set it
    jg_local_unset(&heirlooms_second);
    jg_sleep(1);
    return 0;
}

static intptr_t heirlooms_raise(void *arg) {
    struct heirlooms *shared = arg;
    heirlooms_set(shared, &heirlooms_first);
    JG_GROUP(group) {
        jg_group_spawn(group, heirlooms_live, shared);
        heirlooms_set(shared, &heirlooms_second);
        jg_group_spawn(group, heirlooms_live, shared);
        jg_sleep(1);
        heirlooms_set(shared, &heirlooms_second);
        jg_group_spawn(group, heirlooms_live, shared);
    }
    return 0;
}

static intptr_t heirlooms_run(void *arg) {
    struct heirlooms shared = {.made = 0};
    (void)arg;
    JG_GROUP(group) {
        jg_group_spawn(group, heirlooms_raise, &shared);
        jg_group_spawn(group, heirlooms_raise, &shared);
    }
    ck_assert_int_eq(shared.made, shared.dropped);
    ck_assert_int_eq(shared.wrong, 0);
    ck_assert(scenario_disturbed || shared.made == 12);
    return 0;
}

#define SCENARIOS_TASKS(X)                                                                         \
    X(families, NULL)                                                                              \
    X(kin, NULL)                                                                                   \
    X(limits, NULL)                                                                                \
    X(storm, NULL)                                                                                 \
    X(strays, strays_check)                                                                        \
    X(shells, NULL)                                                                                \
    X(ties, NULL)                                                                                  \
    X(late, NULL)                                                                                  \
    X(heirlooms, NULL)

#endif
