// SPDX-License-Identifier: MIT
/* scenarios_wait.h – scenarios of waiting: for many, with limits, for being ready.
 *
 * Holds      gathering, rounds, finishers, patience, callbacks, services.
 * Invariant  see scenarios.h.
 * Called by  scenarios.h.
 * Why        see scenarios.h.
 */
#ifndef SIM_SCENARIOS_WAIT_H
#define SIM_SCENARIOS_WAIT_H

#include "fixtures/fixture.h"

#include <juggle.h>

#define SCENARIOS_WAIT(X)                                                                          \
    X(gathering, NULL)                                                                             \
    X(rounds, NULL)                                                                                \
    X(finishers, NULL)                                                                             \
    X(patience, NULL)                                                                              \
    X(callbacks, NULL)                                                                             \
    X(services, NULL)

enum { CREW = 11 }; // more than fit into a frame

/* Tasks that are waited for together. */
struct crew {
    jg_task *tasks[CREW];
    jg_future *futures[CREW];
    int next;
    int began;
    int ended;
    int wrong;
};

/* Sleeps a little and gives a number; one in five fails. */
static intptr_t crew_work(void *arg) {
    struct crew *crew = arg;
    int number = crew->next++;
    crew->began++;
    int rc = jg_sleep(number % 4);
    JG_SHIELD {
        jg_yield();
    }
    crew->ended++;
    return rc < 0 ? rc : number % 5 == 2 ? jg_fail(-EIO, "number %d failed", number) : number + 1;
}

static void crew_hire(struct crew *crew) {
    crew->next = 0;
    for (int i = 0; i < CREW; i++) {
        crew->tasks[i] = jg_spawn(crew_work, crew);
        crew->futures[i] = jg_task_future(crew->tasks[i]);
    }
}

/* Joins all, and compares what they came to with what was said before, if anything. */
static void crew_dismiss(struct crew *crew, const intptr_t *words) {
    for (int i = 0; i < CREW; i++) {
        if (crew->tasks[i] != NULL) {
            intptr_t word = jg_join(crew->tasks[i]);
            crew->wrong += words != NULL && words[i] != word;
        }
    }
}

// gathering: everyone gathers a crew of their own, in both ways, some within a limit.

struct gathering {
    struct crew crews[3];
    int next;
    int whole;
};

static intptr_t gathering_gather(void *arg) {
    struct gathering *shared = arg;
    int number = shared->next++;
    struct crew *crew = &shared->crews[number];
    intptr_t words[CREW];
    intptr_t rc = 0;
    jg_gather_mode mode = number == 1 ? JG_FAIL_FIRST : JG_COLLECT_ERRORS;
    crew_hire(crew);
    JG_TIMEOUT(number == 2 ? 2 : 100, rc) {
        rc = jg_gather(crew->futures, CREW, words, mode);
    }
    shared->whole += rc == 0;
    crew->wrong += rc > 0;
    crew_dismiss(crew, rc == 0 ? words : NULL);
    return 0;
}

static intptr_t gathering_run(void *arg) {
    struct gathering shared = {.next = 0};
    (void)arg;
    JG_GROUP(group) {
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(group, gathering_gather, &shared);
        }
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(shared.crews[i].began, shared.crews[i].ended);
        ck_assert_int_eq(shared.crews[i].wrong, 0);
    }
    ck_assert(scenario_disturbed || shared.whole == 1);
    return 0;
}

// rounds: one wait after the other, until all is done or nothing comes any more.

struct rounds {
    jg_future plain[3];
    int wrong;
};

static intptr_t rounds_set(void *arg) {
    struct rounds *rounds = arg;
    jg_sleep(1);
    jg_future_set(&rounds->plain[1], 1);
    jg_sleep(2);
    jg_future_cancel(&rounds->plain[0]);
    jg_future_set(&rounds->plain[2], -EIO);
    return 7;
}

static intptr_t rounds_wait(void *arg) {
    struct rounds *rounds = arg;
    jg_task *tasks[2] = {jg_spawn(rounds_set, rounds), jg_spawn(rounds_set, rounds)};
    jg_future *futures[] = {&rounds->plain[0], jg_task_future(tasks[0]), &rounds->plain[1],
                            &rounds->plain[0], &rounds->plain[2],        jg_task_future(tasks[1])};
    ssize_t before = 0;
    for (int i = 0; i < 8; i++) {
        ssize_t got = jg_wait(futures, 6, (jg_return_when)(i % 3), i % 4);
        if (got < 0) {
            rounds->wrong += got != -ECANCELED && got != -ENOMEM;
            continue;
        }
        rounds->wrong += got < before || got > 5;
        before = got;
    }
    jg_join(tasks[0]);
    jg_join(tasks[1]);
    ck_assert(scenario_disturbed || before == 5);
    return 0;
}

static intptr_t rounds_run(void *arg) {
    struct rounds rounds = {.wrong = 0};
    (void)arg;
    JG_GROUP(group) {
        jg_group_spawn(group, rounds_wait, &rounds);
        jg_group_spawn(group, rounds_wait, &rounds);
    }
    ck_assert_int_eq(rounds.wrong, 0);
    return 0;
}

// finishers: in the order of finishing, each once, however the loop is left; some are joined inside.

static intptr_t finishers_follow(void *arg) {
    struct crew *crew = arg;
    bool seen[CREW] = {false};
    int count = 0;
    intptr_t rc = 0;
    crew_hire(crew);
    JG_AS_COMPLETED(it, crew->futures, CREW, 50, rc) {
        crew->wrong += seen[it.index];
        seen[it.index] = true;
        jg_task *task = crew->tasks[it.index];
        if (task != NULL && ++count % 2 == 0) {
            crew->wrong += !jg_done(task) || jg_join(task) != it.result;
            crew->tasks[it.index] = NULL;
        }
        if (count == CREW - 1) {
            break;
        }
        jg_yield();
    }
    crew->wrong += rc > 0;
    ck_assert(scenario_disturbed || count == CREW - 1);
    crew_dismiss(crew, NULL);
    return 0;
}

static intptr_t finishers_run(void *arg) {
    struct crew crews[2] = {{.next = 0}, {.next = 0}};
    (void)arg;
    JG_GROUP(group) {
        jg_group_spawn(group, finishers_follow, &crews[0]);
        jg_group_spawn(group, finishers_follow, &crews[1]);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(crews[i].began, crews[i].ended);
        ck_assert_int_eq(crews[i].wrong, 0);
    }
    return 0;
}

// patience: limits that strike in the middle of clean-ups; what a task gives is had once or dropped once.

struct patience {
    int given;
    int taken;
    int dropped;
    int wrong;
};

struct patience_child {
    struct patience *patience;
    int64_t work_ms;
    bool began;
    bool ended;
};

static void patience_drop(void *word) {
    ((struct patience *)word)->dropped++;
}

static intptr_t patience_work(void *arg) {
    struct patience_child *child = arg;
    child->began = true;
    jg_sleep(child->work_ms);
    JG_SHIELD {
        jg_sleep(2);
    }
    child->ended = true;
    child->patience->given++;
    return (intptr_t)child->patience;
}

static intptr_t patience_wait(void *arg) {
    struct patience *patience = arg;
    const jg_spawn_options options = {.drop_result = patience_drop};
    for (int64_t i = 0; i < 4; i++) {
        struct patience_child child = {.patience = patience, .work_ms = i};
        jg_task *task = jg_spawn_with(patience_work, &child, &options);
        intptr_t word = jg_wait_for(jg_task_future(task), 2);
        if (task == NULL) {
            continue;
        }
        patience->wrong += !jg_done(task) ||
                           child.began != child.ended; // else it outlived its limit
        bool known = word == (intptr_t)patience || word == -ETIMEDOUT || word == -ECANCELED;
        patience->wrong += !known && !(scenario_disturbed && word == -ENOMEM);
        patience->taken += jg_join(task) == (intptr_t)patience;
    }
    return 0;
}

static intptr_t patience_run(void *arg) {
    struct patience patience = {.given = 0};
    (void)arg;
    JG_GROUP(group) {
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(group, patience_wait, &patience);
        }
    }
    ck_assert_int_eq(patience.given, patience.taken + patience.dropped);
    ck_assert_int_eq(patience.wrong, 0);
    ck_assert(scenario_disturbed || patience.given == 12);
    return 0;
}

// callbacks: each is called once, or taken back.

struct callbacks {
    int called;
    int taken_back;
    int asked;
};

static void callbacks_note(void *arg, intptr_t result) {
    (void)result;
    ((struct callbacks *)arg)->called++;
}

static intptr_t callbacks_ask(void *arg) {
    struct callbacks *shared = arg;
    jg_future future = {0};
    jg_done_callback records[6] = {0};
    jg_task *task = jg_spawn(rounds_set, &(struct rounds){.wrong = 0});
    for (int i = 0; i < 6; i++) {
        jg_future *one = i % 2 == 0 && task != NULL ? jg_task_future(task) : &future;
        shared->asked += jg_future_add_done_callback(one, &records[i], callbacks_note, shared) == 0;
        if (i == 3) {
            jg_future_set(&future, 1);
        }
        jg_sleep(i % 3);
    }
    shared->taken_back += jg_future_remove_done_callback(&records[4]);
    jg_join(task);
    for (int i = 0; i < 6; i++) { // those whose turn has not come, as we may have been hurried
        shared->taken_back += jg_future_remove_done_callback(&records[i]);
    }
    return 0;
}

static intptr_t callbacks_run(void *arg) {
    struct callbacks shared = {.called = 0};
    (void)arg;
    JG_GROUP(group) {
        for (int i = 0; i < 3; i++) {
            jg_group_spawn(group, callbacks_ask, &shared);
        }
    }
    ck_assert_int_eq(shared.asked, shared.called + shared.taken_back);
    ck_assert(scenario_disturbed || shared.asked == 18);
    return 0;
}

// services: tasks that say when they are ready, or fail to, or are given up.

struct services {
    int began;
    int ended;
    int ready;
    int refused;
    int asked;
    int wrong;
};

static intptr_t services_serve(void *arg) {
    struct services *services = arg;
    int number = services->began++;
    int rc = jg_sleep(number % 3);
    if (rc == 0 && number % 4 == 3) {
        rc = (int)jg_fail(-EADDRINUSE, "port %d is taken", number);
    }
    if (rc == 0 && number % 4 != 2) { // that one never says
        services->wrong += jg_started(number + 1) != 0;
        jg_sleep(2);
    }
    services->ended++;
    return rc;
}

static intptr_t services_start(void *arg) {
    struct services *services = arg;
    intptr_t rc = 0;
    JG_GROUP(group) {
        for (int i = 0; i < 4; i++) {
            JG_TIMEOUT(i == 0 ? 1 : 50, rc) {
                rc = jg_group_start(group, services_serve, services);
            }
            services->asked++;
            services->ready += rc > 0;
            services->refused += rc < 0;
            services->wrong += rc == 0;
        }
    }
    return 0;
}

static intptr_t services_run(void *arg) {
    struct services services = {.began = 0};
    (void)arg;
    JG_GROUP(group) {
        jg_group_spawn(group, services_start, &services);
        jg_group_spawn(group, services_start, &services);
    }
    ck_assert_int_eq(services.began, services.ended);
    ck_assert_int_eq(services.asked, services.ready + services.refused);
    ck_assert_int_eq(services.wrong, 0);
    ck_assert(scenario_disturbed || (services.asked == 8 && services.ready >= 2));
    return 0;
}

#endif
