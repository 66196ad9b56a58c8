// SPDX-License-Identifier: MIT
/* group.c – tasks that live and end together.
 *
 * Holds      the records of its failures, in the order of failing, until it hands them to its task.
 * Invariant  `live` tasks have the group's scope as parent of their root; closing waits for live == 0.
 * Called by  user code; group_task_ended by task.c.
 * Why        aborting is a cancel of the group's scope: it reaches the tasks and the body alike.
 */
#include "base/check.h"
#include "task/task.h"

void jg_group_open(jg_group *group) {
    *group = (jg_group){.live = 0};
    jg_scope_open(&group->scope, JG_NEVER, false);
}

static void abort_group(jg_group *group) {
    if (!group->aborting) {
        group->aborting = true;
        scope_request(&group->scope);
    }
}

/* Keeps a failure for the list. Takes the record. */
static void add_failure(jg_group *group, intptr_t code, struct error_record *record) {
    if (group->first_error == 0) {
        group->first_error = code;
    }
    group->error_count += error_append(&group->errors, &group->last_error, record);
}

/* The task's record, for the list; whoever else waits for the task is to have it as well. */
static struct error_record *record_of(struct jg_task_record *task, intptr_t result) {
    bool wanted = task->held || task->future.first != NULL;
    return wanted ? error_share(task, result) : error_take_for(task, result);
}

/* Who waits for the task to be ready gets its failure; the group has not had it yet. */
static void end_unready(struct jg_task_record *task, intptr_t result) {
    jg_future *ready = task->ready;
    task->ready = NULL;
    if (jg_failed(result)) {
        future_settle(ready, result, error_share(task, result));
    } else {
        future_settle(ready, -EPROTO, NULL);
    }
}

void group_task_ended(jg_group *group, struct jg_task_record *task) {
    must(group->live > 0);
    group->live--;
    intptr_t result = task->future.result;
    if (unlikely(task->ready != NULL)) {
        end_unready(task, result);
    } else if (jg_failed(result) && result != -ECANCELED) {
        add_failure(group, result, record_of(task, result));
        abort_group(group);
    }
    if (group->live == 0 && group->waiter != NULL) {
        struct wait *waiter = group->waiter;
        group->waiter = NULL;
        wake(waiter, 0);
    }
}

int jg_group_spawn_at(jg_group *group, jg_fn *fn, void *arg, const char *site) {
    const jg_spawn_options options = {.group = group};
    return task_started(task_start(fn, arg, &options, site, false));
}

intptr_t jg_group_start_at(jg_group *group, jg_fn *fn, void *arg, const char *site) {
    const jg_spawn_options options = {.group = group};
    jg_future ready = {.done = false};
    int rc = suspend_check(sched_current());
    if (rc < 0) {
        return rc;
    }
    jg_task *handle = task_start(fn, arg, &options, site, false);
    if (handle == NULL) {
        return task_started(handle);
    }
    struct jg_task_record *task = handle_record(handle);
    task->ready = &ready;
    intptr_t word = future_await(&ready, &task->future);
    must(ready.done);
    bool unsaid = word == -EPROTO && ready.error == NULL;
    jg_future_fini(&ready);
    return unsaid ? jg_fail(-EPROTO, "task %s ended before it said that it was ready", site) : word;
}

int jg_started(intptr_t word) {
    struct jg_task_record *self = task_current();
    jg_future *ready = self->ready;
    if (jg_failed(word)) {
        return (int)error_bare(-EINVAL);
    }
    if (ready == NULL) {
        return (int)error_bare(-EALREADY);
    }
    self->ready = NULL;
    future_settle(ready, word, NULL);
    return 0;
}

struct group_wait {
    struct wait wait;
    const jg_group *group;
};

/* The group's tasks are the owners of the scopes below its own; the body's scope is another such. */
static struct coro *next_member(const struct wait *wait, const struct coro *before) {
    const jg_group *group = ((const struct group_wait *)(const void *)wait)->group;
    const struct jg_task_record *last = (const struct jg_task_record *)(const void *)before;
    const jg_scope *scope = last == NULL ? group->scope.first_child : last->root.next;
    while (scope != NULL && scope->task->group != group) {
        scope = scope->next;
    }
    return scope != NULL ? &scope->task->coro : NULL;
}

static const struct wait_kind group_wait = {.what = "group", .next_holder = next_member};

/* A group is waited for by its task. Returns 0; -ECHILD for another in a forked child, where that stayed
 * behind. */
static int check_waiter(const jg_group *group, const struct coro *self) {
    const struct coro *owner = &group->scope.task->coro;
    if (likely(self == owner)) {
        return 0;
    }
    if (!loop_left_behind(owner->loop)) {
        check_misuse("a group of task %s is waited for by task %s", owner->name, self->name);
    }
    return (int)error_bare(-ECHILD);
}

/* Waits for all tasks, whatever asks us to stop: the tasks are asked too. In a forked child they stayed
 * with the parent. */
static void wait_all(jg_group *group, const struct coro *self) {
    must(group->waiter == NULL);
    if (unlikely(self->attention & ATTENTION_FORKED)) {
        return;
    }
    if (unlikely(group->live > 0 && (self->attention & ATTENTION_NO_SUSPEND))) {
        check_misuse("a group whose tasks still run is closed where %s must not suspend",
                     self->name);
    }
    while (group->live > 0) {
        struct group_wait waiting = {.wait = {.kind = &group_wait}, .group = group};
        group->waiter = &waiting.wait;
        park(&waiting.wait);
    }
}

intptr_t jg_group_wait(jg_group *group) {
    struct coro *self = sched_current();
    int rc = check_waiter(group, self);
    if (unlikely(rc < 0)) {
        return rc;
    }
    if (unlikely(group->live > 0 && (self->attention & ATTENTION_NO_SUSPEND))) {
        return sched_refuse(self);
    }
    wait_all(group, self);
    if (group->first_error != 0) {
        return error_bare(group->first_error); // what stands behind it comes with the close
    }
    return scope_asked_outside(&group->scope) ? sched_passed_on(self, error_bare(-ECANCELED)) : 0;
}

/* Gives the failures to the task, for jg_error_last. */
static void hand_over(jg_group *group, struct jg_task_record *task) {
    if (group->first_error != 0) {
        error_sum_up(group->errors);
        error_keep(task, group->errors);
        group->errors = NULL;
    }
}

intptr_t jg_group_close(jg_group *group, intptr_t result) {
    struct jg_task_record *task = group->scope.task;
    const struct coro *self = sched_current();
    int rc = check_waiter(group, self);
    if (unlikely(rc < 0)) {
        return rc;
    }
    if (task->innermost != &group->scope) {
        check_misuse("a group was closed that is not the newest scope of task %s", task->coro.name);
    }
    bool by_hand = group->scope.requests > 0; // jg_group_cancel, or a task failed
    if (jg_failed(result) && result != -ECANCELED) {
        add_failure(group, result, error_take_for(task, result));
    }
    if (jg_failed(result)) {
        abort_group(group);
    }
    wait_all(group, self);
    group->closed = true;
    bool outside = scope_asked_outside(&group->scope);
    hand_over(group, task);
    jg_scope_close(&group->scope, 0);
    if (group->first_error != 0) {
        return group->first_error;
    }
    if (outside) {
        return sched_passed_on(&task->coro, error_bare(-ECANCELED));
    }
    return result == -ECANCELED && by_hand ? 0 : result;
}

void jg_group_cancel(jg_group *group) {
    scope_request(&group->scope);
}

size_t jg_group_error_count(const jg_group *group) {
    return group->error_count;
}

const jg_error *jg_group_error(const jg_group *group, size_t index) {
    const jg_error *error = group->errors != NULL ? error_public(group->errors) : NULL;
    for (; error != NULL && index > 0; index--) {
        error = error->next;
    }
    return error;
}
